//! The stream: SSE events into canonical events.

use super::answer::Answer;
use super::response::{error_type, is_known_block};
use super::schema::{Block, Kind, RawEvent, StreamEvent, Text};
use crate::event::{Sink, StreamDecoder};
use crate::sse::{Frame, Framer, MAX_EVENT_BYTES};
use crate::target::ReadBack;
use interline_domain::Failure;

/// Decodes one stream. Ends well only with `message_stop`.
#[derive(Debug)]
pub struct Decoder {
    framer: Framer,
    reader: Reader,
}

impl Decoder {
    pub fn new(read_back: ReadBack) -> Self {
        Self {
            framer: Framer::new(MAX_EVENT_BYTES),
            reader: Reader {
                answer: Answer::new(read_back),
                is_done: false,
            },
        }
    }
}

impl StreamDecoder for Decoder {
    fn feed(&mut self, bytes: &[u8], sink: &mut dyn Sink) -> Result<(), Failure> {
        let reader = &mut self.reader;
        self.framer
            .feed(bytes, &mut |frame| reader.frame(&frame, sink))
    }

    fn end(&mut self, sink: &mut dyn Sink) -> Result<(), Failure> {
        let reader = &mut self.reader;
        self.framer.end(&mut |frame| reader.frame(&frame, sink))?;
        if reader.is_done {
            return Ok(());
        }
        reader.answer.release_text(sink);
        Err(Failure::unavailable(
            "the provider's stream ended before message_stop",
        ))
    }

    fn is_done(&self) -> bool {
        self.reader.is_done
    }
}

#[derive(Debug)]
struct Reader {
    answer: Answer,
    /// `message_stop` or `error` was seen; both are terminal.
    is_done: bool,
}

impl Reader {
    fn frame(&mut self, frame: &Frame<'_>, sink: &mut dyn Sink) -> Result<(), Failure> {
        let Frame::Event { data, .. } = frame else {
            return Ok(()); // comments keep the connection alive and say nothing (T40)
        };
        let data = data.trim_ascii();
        // Relays in front of this format add the other format's `[DONE]`.
        if self.is_done || data.is_empty() || data == b"[DONE]" {
            return Ok(());
        }
        match serde_json::from_slice(data) {
            Ok(event) => self.event(event, data, sink),
            Err(_) => self.unreadable(data, sink)?,
        }
        Ok(())
    }

    /// Handles an event. The JSON's own type counts, not the name beside it.
    fn event(&mut self, event: StreamEvent<'_>, data: &[u8], sink: &mut dyn Sink) {
        let answer = &mut self.answer;
        match &*event.kind {
            "message_start" => {
                if let Some(message) = event.message {
                    answer.start(message.id, message.model, sink);
                    if let Some(usage) = message.usage {
                        answer.merge_usage(usage);
                    }
                }
            }
            "content_block_start" => {
                let block = event.content_block.unwrap_or_default();
                answer.open_block(event.index, block, sink);
            }
            "content_block_delta" => {
                answer.delta(event.index, event.delta.unwrap_or_default(), sink);
            }
            "content_block_stop" => answer.close_block(event.index, sink),
            "message_delta" => {
                answer.set_stop_reason(event.delta.and_then(|delta| delta.stop_reason));
                if let Some(usage) = event.usage {
                    answer.merge_usage(usage);
                    answer.report_usage(sink);
                }
            }
            "message_stop" => {
                answer.finish(sink);
                self.is_done = true;
            }
            // An error without its type is still an error (T2).
            kind if kind == "error" || (kind.is_empty() && event.error.is_some()) => {
                let error_type = event.error.and_then(error_type);
                answer.fail(error_type.as_ref().map(Text::as_str), data, sink);
                self.is_done = true;
            }
            _ => {}
        }
    }

    /// An event whose details do not fit: fatal if we ought to know it, else skipped.
    fn unreadable(&mut self, data: &[u8], sink: &mut dyn Sink) -> Result<(), Failure> {
        let protocol_error = || Failure::unavailable("the provider sent an unreadable event");
        let event: RawEvent<'_> = serde_json::from_slice(data).map_err(|_| protocol_error())?;
        match &*event.kind {
            "content_block_start" => {
                let kind = Kind::of(event.content_block).ok_or_else(protocol_error)?;
                let index = event.index.and_then(|index| index.get().parse().ok());
                let index = index.filter(|_| !is_known_block(&kind));
                // Opened as nothing, so that its deltas are skipped too.
                let index = index.ok_or_else(protocol_error)?;
                self.answer.open_block(index, Block::default(), sink);
                Ok(())
            }
            "content_block_delta" => {
                let kind = Kind::of(event.delta).ok_or_else(protocol_error)?;
                let is_known = matches!(
                    &*kind,
                    "text_delta"
                        | "input_json_delta"
                        | "thinking_delta"
                        | "signature_delta"
                        | "citations_delta"
                );
                if is_known {
                    Err(protocol_error())
                } else {
                    Ok(())
                }
            }
            "message_start" | "content_block_stop" | "message_delta" | "message_stop" => {
                Err(protocol_error())
            }
            "error" => {
                self.answer.fail(None, data, sink);
                self.is_done = true;
                Ok(())
            }
            _ => Ok(()),
        }
    }
}
