use super::{Malformed, Reader};

const PLAIN: &str = "HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 5\r\n\r\nhello";
const CHUNKED: &str = "HTTP/1.1 503 No\r\ntransfer-encoding: chunked\r\n\r\n3\r\nhel\r\na;x=1\r\nlo, world!\r\n0\r\ntrailer: 1\r\n\r\n";

fn read(pieces: &[&[u8]]) -> Result<(u16, String, bool), Malformed> {
    let mut reader = Reader::new();
    let mut body = Vec::new();
    for piece in pieces {
        reader.feed(piece, |bytes| body.extend_from_slice(bytes))?;
    }
    Ok((
        reader.status(),
        String::from_utf8(body).unwrap(),
        reader.is_done(),
    ))
}

#[test]
fn cuts_do_not_matter() {
    for (text, expected) in [(PLAIN, (200, "hello")), (CHUNKED, (503, "hello, world!"))] {
        let bytes = text.as_bytes();
        for first in 0..bytes.len() {
            for second in first..bytes.len() {
                let pieces = [&bytes[..first], &bytes[first..second], &bytes[second..]];
                let (status, body, is_done) = read(&pieces).unwrap();
                assert_eq!(
                    (status, body.as_str(), is_done),
                    (expected.0, expected.1, true)
                );
            }
        }
        assert!(!read(&[&bytes[..bytes.len() - 1]]).unwrap().2, "{text}");
    }
}

#[test]
fn what_is_no_response_is_refused() {
    for (text, expected) in [
        ("HTTP/2 200\r\n\r\n", Malformed::Head),
        ("HTTP/1.1 200 OK\r\n\r\n", Malformed::Length),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n",
            Malformed::Length,
        ),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
            Malformed::Chunk,
        ),
    ] {
        assert_eq!(read(&[text.as_bytes()]), Err(expected), "{text}");
    }
}
