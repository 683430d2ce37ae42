use super::*;
use crate::event::{Event, Sink};
use interline_domain::FinishReason;

/// Speaks a dialect of one byte per event.
#[derive(Default)]
struct Letters {
    is_done: bool,
}

impl StreamDecoder for Letters {
    fn feed(&mut self, bytes: &[u8], sink: &mut dyn Sink) -> Result<(), Failure> {
        for byte in bytes {
            match byte {
                b'.' => {
                    self.is_done = true;
                    sink.event(Event::Finish {
                        choice: 0,
                        reason: FinishReason::Stop,
                        native: None,
                    });
                }
                b'!' => sink.event(Event::Failed(Failure::unavailable("reported"))),
                b'?' => return Err(Failure::unavailable("protocol")),
                letter => sink.event(Event::Text {
                    choice: 0,
                    text: char::from(*letter).to_string().into(),
                }),
            }
        }
        Ok(())
    }

    fn end(&mut self, _sink: &mut dyn Sink) -> Result<(), Failure> {
        if self.is_done {
            Ok(())
        } else {
            Err(Failure::unavailable("cut"))
        }
    }

    fn is_done(&self) -> bool {
        self.is_done
    }
}

/// Feeds a stream whole and ends it: chunks written, and the failure's message.
fn check(stream: &[u8], chunks: usize, failure: Option<&str>) {
    let mut translated = Translated::new(
        Letters::default(),
        Identity {
            id: "gen-1".to_owned(),
            model: "m".to_owned(),
            provider: "p".to_owned(),
            created: 0,
            exclude_reasoning: false,
        },
    );
    let mut out = BytesMut::new();
    let fed = translated.feed(stream, &mut out);
    let outcome = fed.and_then(|()| translated.end(&mut out));
    let message = outcome.err().map(|failure| failure.message);
    assert_eq!(message.as_deref(), failure, "{stream:?}");
    let text = String::from_utf8(out.to_vec()).unwrap();
    assert_eq!(text.matches("\n\n").count(), chunks, "{text}");
    assert!(!text.contains("[DONE]"), "{text}");
}

#[test]
fn a_stream_is_translated_or_fails() {
    check(b"ab.", 2, None);
    check(b"ab", 2, Some("cut"));
    check(b"a?b", 1, Some("protocol"));
    check(b"a!b", 1, Some("reported"));
    // What the provider said counts, not what broke after it.
    check(b"a!?", 1, Some("reported"));
    check(b"", 0, Some("cut"));
}
