//! The body of an answer to a streaming request: events, or (T39) one JSON document after all.

use crate::sse::{Frame, Framer, MAX_EVENT_BYTES};
use interline_domain::Failure;

/// A unit of the body.
#[derive(Clone, Copy, Debug)]
pub(super) enum Input<'a> {
    Event {
        name: Option<&'a str>,
        data: &'a [u8],
    },
    /// The whole body, which is no stream: an answer or an error as JSON, a web page, …
    Whole(&'a [u8]),
}

pub(super) type Take<'t> = dyn FnMut(Input<'_>) -> Result<(), Failure> + 't;

#[derive(Debug, Default)]
pub(super) struct Intake {
    framer: Framer,
    kind: Kind,
    whole: Vec<u8>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Kind {
    /// Nothing but blanks so far.
    #[default]
    Unknown,
    Events,
    Whole,
}

impl Intake {
    pub(super) fn feed(&mut self, bytes: &[u8], take: &mut Take<'_>) -> Result<(), Failure> {
        let mut bytes = bytes;
        if self.kind == Kind::Unknown {
            // Blanks and a byte order mark say nothing, and belong to no line that counts.
            let is_blank =
                |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | 0xef | 0xbb | 0xbf);
            let blanks = bytes.iter().take_while(|byte| is_blank(byte)).count();
            bytes = bytes.get(blanks..).unwrap_or_default();
            self.kind = match bytes.first() {
                None => return Ok(()),
                Some(b'{' | b'[' | b'<' | b'"') => Kind::Whole,
                Some(_) => Kind::Events,
            };
        }
        if self.kind == Kind::Whole {
            if self.whole.len().saturating_add(bytes.len()) > MAX_EVENT_BYTES {
                return Err(Failure::unavailable(
                    "The provider sent an answer that is larger than we accept",
                ));
            }
            self.whole.extend_from_slice(bytes);
            return Ok(());
        }
        self.framer.feed(bytes, &mut |frame| pass(frame, take))
    }

    pub(super) fn end(&mut self, take: &mut Take<'_>) -> Result<(), Failure> {
        if self.kind == Kind::Whole {
            let whole = std::mem::take(&mut self.whole);
            return take(Input::Whole(&whole));
        }
        self.framer.end(&mut |frame| pass(frame, take))
    }
}

fn pass(frame: Frame<'_>, take: &mut Take<'_>) -> Result<(), Failure> {
    match frame {
        Frame::Event { name, data } => take(Input::Event { name, data }),
        // Signs of life are for the caller's idle clock, which sees the bytes anyway (T40).
        Frame::Comment => Ok(()),
    }
}
