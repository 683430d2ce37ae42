//! Streams: server-sent events, each a whole response with the new parts.

use super::Options;
use super::answer::Answer;
use crate::event::{Sink, StreamDecoder};
use crate::sse::{Frame, Framer};
use interline_domain::Failure;

/// Reads `streamGenerateContent?alt=sse`. There is no marker at the end: the last event has a
/// `finishReason`, then the body ends. Finishes are emitted at that end, so that a stream cut
/// anywhere never looks finished.
#[derive(Debug)]
pub struct Decoder {
    framer: Framer,
    answer: Answer,
    has_ended: bool,
}

impl Decoder {
    pub fn new(options: Options) -> Self {
        Self {
            framer: Framer::default(),
            answer: Answer::new(options),
            has_ended: false,
        }
    }
}

impl StreamDecoder for Decoder {
    fn feed(&mut self, bytes: &[u8], sink: &mut dyn Sink) -> Result<(), Failure> {
        let answer = &mut self.answer;
        self.framer
            .feed(bytes, &mut |frame| take_frame(answer, frame, sink))
    }

    fn end(&mut self, sink: &mut dyn Sink) -> Result<(), Failure> {
        if std::mem::replace(&mut self.has_ended, true) {
            return Ok(());
        }
        let answer = &mut self.answer;
        self.framer
            .end(&mut |frame| take_frame(answer, frame, sink))?;
        self.answer.end(sink)
    }

    fn is_done(&self) -> bool {
        self.has_ended || self.answer.has_failed()
    }
}

fn take_frame(answer: &mut Answer, frame: Frame<'_>, sink: &mut dyn Sink) -> Result<(), Failure> {
    let Frame::Event { data, .. } = frame else {
        return Ok(());
    };
    let data = data.trim_ascii();
    // Gemini sends no `[DONE]`; proxies in front of it do.
    if data.is_empty() || data == b"[DONE]" {
        return Ok(());
    }
    let text = std::str::from_utf8(data)
        .map_err(|_| Failure::unavailable("The provider sent an event that is not UTF-8"))?;
    answer.take(text, sink)
}
