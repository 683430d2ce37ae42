//! The echo of what was really sent upstream, for callers who ask to see it.

use super::answer::Identity;
use super::render::write_head;
use bytes::{BufMut, BytesMut};

/// Base64 runs longer than this are shortened: pictures help nobody to debug.
const LONGEST_RUN: usize = 1_024;
/// … to this many characters.
const KEPT: usize = 64;

/// The chunk with `choices: []` and `debug.echo_upstream_body`, one per attempted provider. The
/// body holds no credential: those travel in headers.
pub fn write_debug_chunk(identity: &Identity, body: &[u8], out: &mut BytesMut) {
    write_head(identity, out);
    out.put_slice(b",\"choices\":[],\"debug\":{\"echo_upstream_body\":");
    if std::str::from_utf8(body).is_ok() && serde_json::from_slice::<Ignored>(body).is_ok() {
        put_shortened(body, out);
    } else {
        out.put_slice(b"null");
    }
    out.put_slice(b"}}\n\n");
}

type Ignored = serde::de::IgnoredAny;

/// Copies JSON, cutting long runs of base64 and dropping line ends (JSON has none that matter).
fn put_shortened(body: &[u8], out: &mut BytesMut) {
    let mut rest = body;
    while !rest.is_empty() {
        let is_run = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/=".contains(byte);
        let run = rest.iter().take_while(|byte| is_run(byte)).count();
        if run > LONGEST_RUN {
            out.put_slice(&rest[..KEPT]);
            out.put_slice(format!("...({run} characters)").as_bytes());
        } else {
            out.put_slice(&rest[..run]);
        }
        rest = &rest[run..];
        let other = rest.iter().take_while(|byte| !is_run(byte)).count();
        out.extend(
            rest[..other]
                .iter()
                .filter(|byte| !matches!(byte, b'\n' | b'\r')),
        );
        rest = &rest[other..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn echo(body: &str) -> serde_json::Value {
        let identity = Identity {
            id: "gen-1".into(),
            model: "a/b".into(),
            provider: "P".into(),
            created: 1,
            exclude_reasoning: false,
        };
        let mut out = BytesMut::new();
        write_debug_chunk(&identity, body.as_bytes(), &mut out);
        let text = std::str::from_utf8(&out).unwrap();
        let line = text
            .strip_prefix("data: ")
            .unwrap()
            .strip_suffix("\n\n")
            .unwrap();
        assert!(!line.contains('\n'), "one event");
        serde_json::from_str(line).unwrap()
    }

    #[test]
    fn the_body_is_shown_as_it_was_sent() {
        let chunk = echo("{\"model\":\"x\",\n \"messages\":[]}");
        assert_eq!(chunk["choices"], serde_json::json!([]));
        assert_eq!(chunk["debug"]["echo_upstream_body"]["model"], "x");
    }

    #[test]
    fn pictures_are_shortened_and_nonsense_is_null() {
        let chunk = echo(&format!(
            "{{\"url\":\"data:image/png;base64,{}\"}}",
            "A".repeat(5_000)
        ));
        let url = chunk["debug"]["echo_upstream_body"]["url"]
            .as_str()
            .unwrap();
        assert!(
            url.len() < 200 && url.ends_with("(5000 characters)"),
            "{url}"
        );
        assert!(echo("not json")["debug"]["echo_upstream_body"].is_null());
    }
}
