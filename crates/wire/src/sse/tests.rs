use super::{Frame, Framer, MAX_EVENT_BYTES};
use proptest::collection::vec;
use proptest::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    Event(Option<String>, String),
    Comment,
}

fn event(data: &str) -> Seen {
    Seen::Event(None, data.to_owned())
}

fn named(name: &str, data: &str) -> Seen {
    Seen::Event(Some(name.to_owned()), data.to_owned())
}

/// Feeds `pieces` one after the other and ends; `Err` is the failure's message.
fn frames<'a>(max: usize, pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<Seen>, String> {
    let mut framer = Framer::new(max);
    let mut seen = Vec::new();
    let mut on_frame = |frame: Frame<'_>| {
        seen.push(match frame {
            Frame::Event { name, data } => Seen::Event(
                name.map(str::to_owned),
                String::from_utf8_lossy(data).into_owned(),
            ),
            Frame::Comment => Seen::Comment,
        });
        Ok(())
    };
    for piece in pieces {
        framer
            .feed(piece, &mut on_frame)
            .map_err(|failure| failure.message)?;
    }
    framer
        .end(&mut on_frame)
        .map_err(|failure| failure.message)?;
    Ok(seen)
}

/// Whole, byte by byte and in two pieces cut everywhere: always the same frames.
fn check(bytes: &[u8], expected: &[Seen]) {
    let name = String::from_utf8_lossy(bytes).into_owned();
    assert_eq!(
        frames(MAX_EVENT_BYTES, [bytes]).as_deref(),
        Ok(expected),
        "{name:?} whole"
    );
    assert_eq!(
        frames(MAX_EVENT_BYTES, bytes.chunks(1)).as_deref(),
        Ok(expected),
        "{name:?} by bytes"
    );
    for cut in 0..=bytes.len() {
        let (first, second) = bytes.split_at(cut);
        assert_eq!(
            frames(MAX_EVENT_BYTES, [first, second]).as_deref(),
            Ok(expected),
            "{name:?} cut at {cut}"
        );
    }
}

#[test]
fn lines_may_end_in_three_ways() {
    let expected = [event("a"), event("b")];
    check(b"data: a\n\ndata: b\n\n", &expected);
    check(b"data: a\r\n\r\ndata: b\r\n\r\n", &expected);
    check(b"data: a\r\rdata: b\r\r", &expected);
    check(b"data: a\r\n\ndata: b\n\r\n", &expected);
    check(b"data: a\n\rdata: b\r\r\n", &expected);
    check(b"\n\r\n\rdata: a\n\n\n\n\r\rdata: b\n\n", &expected);
}

#[test]
fn fields_are_read_by_the_book() {
    check(b"\xef\xbb\xbfdata: a\n\n", &[event("a")]);
    check(b"data:a\n\ndata:  a\n\n", &[event("a"), event(" a")]);
    check(b"data: a\ndata: b\ndata:\n\n", &[event("a\nb\n")]);
    check(
        b"event: ping\nid: 7\nretry: 10\ndata: a\n\ndata: b\n\n",
        &[named("ping", "a"), event("b")],
    );
    check(b"data: a\nevent: late\n\n", &[named("late", "a")]);
    check(b"event: \xff\ndata: a\n\n", &[event("a")]);
    check("data: 那🌊\n\n".as_bytes(), &[event("那🌊")]);
    check(b"dat: a\ndatax: b\nevents: c\n\ndata: d\n\n", &[event("d")]);
}

#[test]
fn an_event_without_data_is_none() {
    check(
        b"event: ping\n\ndata\n\ndata:\n\ndata: a\n\n",
        &[event("a")],
    );
}

#[test]
fn comments_are_signs_of_life() {
    check(
        b": one\n\ndata: a\n:two\ndata: b\n\n:",
        &[Seen::Comment, Seen::Comment, event("a\nb"), Seen::Comment],
    );
}

#[test]
fn the_last_event_counts_only_if_it_is_whole() {
    check(b"data: {\"a\":1}", &[event("{\"a\":1}")]);
    check(b"data: [DONE]", &[event("[DONE]")]);
    check(b"data: [DONE]\n", &[event("[DONE]")]);
    check(b"event: x\ndata: {\ndata: }", &[named("x", "{\n}")]);
    check(b"data: {\"a\":", &[]);
    check(b"data: {\"a\":1}\ndat", &[event("{\"a\":1}")]);
    check(b"data: [DON", &[]);
    check(b"data: 12", &[]);
}

#[test]
fn an_oversized_event_fails_wherever_it_is_cut() {
    let fits = b"data: 12345\ndata: 678\n\n";
    let one_line = b"data: 1234567890\n\n";
    let joined = b"data: 12345\ndata: 6789\n\n";
    for size in 1..fits.len() {
        assert!(frames(9, fits.chunks(size)).is_ok(), "{size}");
        assert!(frames(9, one_line.chunks(size)).is_err(), "{size}");
        assert!(frames(9, joined.chunks(size)).is_err(), "{size}");
    }
    // A comment is never kept, so its length does not matter.
    let comment = format!(":{}\n\ndata: a\n\n", "x".repeat(100));
    assert!(frames(9, comment.as_bytes().chunks(7)).is_ok());
}

#[test]
fn an_event_of_sixteen_mebibytes_passes() {
    let mut bytes = b"data: ".to_vec();
    bytes.resize(bytes.len() + MAX_EVENT_BYTES, b'x');
    bytes.extend_from_slice(b"\n\n");
    let seen = frames(MAX_EVENT_BYTES, bytes.chunks(64 * 1024));
    assert_eq!(seen, Ok(vec![event(&"x".repeat(MAX_EVENT_BYTES))]));
}

#[test]
fn an_idle_stream_holds_no_buffer() {
    let mut framer = Framer::default();
    let bytes = format!("data: {}\n\n", "x".repeat(100_000));
    let mut count = 0;
    for piece in bytes.as_bytes().chunks(999) {
        framer
            .feed(piece, &mut |_| {
                count += 1;
                Ok(())
            })
            .expect("fits");
    }
    assert_eq!(count, 1);
    assert!(framer.is_idle());
    assert_eq!((framer.line.capacity(), framer.data.capacity()), (0, 0));
}

#[test]
fn an_event_in_one_piece_is_not_copied() {
    let bytes = b"data: {\"a\":1}\n\ndata: {\"b\":2}\n\n";
    let mut framer = Framer::default();
    let mut spans = Vec::new();
    let range = bytes.as_ptr_range();
    framer
        .feed(bytes, &mut |frame| {
            if let Frame::Event { data, .. } = frame {
                spans.push(range.contains(&data.as_ptr()));
            }
            Ok(())
        })
        .expect("well formed");
    assert_eq!(spans, [true, true]);
}

fn line() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(b"data: {\"x\":1}".to_vec()),
        Just("data: 那🌊".as_bytes().to_vec()),
        Just(b"event: e".to_vec()),
        Just(b": c".to_vec()),
        Just(b"id: 1".to_vec()),
        Just(b"data".to_vec()),
        Just(Vec::new()),
        Just(Vec::new()),
        vec(any::<u8>(), 0..6),
    ]
}

fn stream() -> impl Strategy<Value = Vec<u8>> {
    let end = prop_oneof![Just("\n"), Just("\r\n"), Just("\r")];
    vec((line(), end), 0..20).prop_map(|lines| {
        let mut bytes = Vec::new();
        for (line, end) in lines {
            bytes.extend_from_slice(&line);
            bytes.extend_from_slice(end.as_bytes());
        }
        bytes
    })
}

proptest! {
    /// The network may cut a stream anywhere; the frames stay the same.
    #[test]
    fn cuts_do_not_matter(bytes in stream(), sizes in vec(1_usize..12, 1..8)) {
        let whole = frames(MAX_EVENT_BYTES, [bytes.as_slice()]);
        let mut pieces = Vec::new();
        let mut rest = bytes.as_slice();
        for size in sizes.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, tail) = rest.split_at((*size).min(rest.len()));
            pieces.push(piece);
            rest = tail;
        }
        prop_assert_eq!(frames(MAX_EVENT_BYTES, pieces), whole);
    }
}
