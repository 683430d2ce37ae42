//! From an endpoint to the code that speaks its dialect: the only place that knows which is which.
//!
//! Pure on both sides: it returns what to send and reads what came; the gateway does the sending.

use bytes::{Bytes, BytesMut};
use interline_domain::catalogue::{Dialect, Endpoint};
use interline_domain::{ErrorType, Failure};
use interline_wire::chat::answer::{ChatAnswer, ChatStream, Identity};
use interline_wire::chat::request::Request;
use interline_wire::chat::{Assembler, Translated};
use interline_wire::event::{Sink, StreamDecoder};
use interline_wire::target::{Encoded, ReadBack, Target};
use interline_wire::{anthropic_messages, failure, gemini, openai_chat};

/// Looks up media fetched beforehand: the MIME type and the bytes of a link.
pub type Fetched<'f> = dyn Fn(&str) -> Option<(String, Bytes)> + 'f;

/// Links the endpoint cannot follow: fetch them before [`encode`].
pub fn links_to_fetch(
    endpoint: &Endpoint,
    request: &Request<'_>,
    target: &Target<'_>,
) -> Vec<String> {
    match endpoint.dialect {
        Dialect::Gemini => gemini::links_to_fetch(request, target)
            .into_iter()
            .map(std::borrow::Cow::into_owned)
            .collect(),
        _ => Vec::new(),
    }
}

/// Writes the request as the endpoint wants it. Where the dialect is the client's own, `body` is
/// edited in place.
pub fn encode(
    endpoint: &Endpoint,
    request: &Request<'_>,
    body: &Bytes,
    target: &Target<'_>,
    media: &Fetched<'_>,
) -> Result<Encoded, Failure> {
    match endpoint.dialect {
        Dialect::OpenAiChat => openai_chat::encode::encode(request, body, target),
        Dialect::AnthropicMessages => anthropic_messages::encode(request, target),
        Dialect::Gemini => gemini::encode_with_media(request, target, media),
        Dialect::Other(name) => Err(not_spoken(name)),
    }
}

/// Reads a streamed answer as our chat stream. `is_json`: a stream was asked for and one whole
/// JSON body comes; it is read to its end and played as a stream.
pub fn open_stream(
    endpoint: &Endpoint,
    identity: Identity,
    read_back: ReadBack,
    is_json: bool,
) -> Box<dyn ChatStream> {
    match endpoint.dialect {
        Dialect::AnthropicMessages if is_json => {
            let decode = move |body: &[u8], sink: &mut dyn Sink| {
                anthropic_messages::response::decode(body, &read_back, sink)
            };
            Box::new(Translated::new(Gathered::new(decode), identity))
        }
        Dialect::AnthropicMessages => {
            let decoder = anthropic_messages::stream::Decoder::new(read_back);
            Box::new(Translated::new(decoder, identity))
        }
        Dialect::Gemini => {
            let options = gemini::Options {
                generation_id: identity.id.clone(),
                read_back,
            };
            if is_json {
                let decode = move |body: &[u8], sink: &mut dyn Sink| {
                    gemini::decode(body, options.clone(), sink)
                };
                return Box::new(Translated::new(Gathered::new(decode), identity));
            }
            Box::new(Translated::new(gemini::Decoder::new(options), identity))
        }
        // This one notices by itself.
        Dialect::OpenAiChat | Dialect::Other(_) => Box::new(openai_chat::StreamEditor::new(
            identity,
            &endpoint.quirks,
            &read_back,
        )),
    }
}

/// A whole body where a stream was asked for: gathered, then decoded at its end.
struct Gathered<F> {
    bytes: BytesMut,
    decode: F,
    is_done: bool,
}

/// A whole answer is bounded like an event of a stream.
const MAX_GATHERED_BYTES: usize = interline_wire::sse::MAX_EVENT_BYTES;

impl<F: FnMut(&[u8], &mut dyn Sink) -> Result<(), Failure>> Gathered<F> {
    fn new(decode: F) -> Self {
        Self {
            bytes: BytesMut::new(),
            decode,
            is_done: false,
        }
    }
}

impl<F: FnMut(&[u8], &mut dyn Sink) -> Result<(), Failure>> StreamDecoder for Gathered<F> {
    fn feed(&mut self, bytes: &[u8], _: &mut dyn Sink) -> Result<(), Failure> {
        if self.bytes.len().saturating_add(bytes.len()) > MAX_GATHERED_BYTES {
            return Err(Failure::unavailable("the provider's answer is too large"));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn end(&mut self, sink: &mut dyn Sink) -> Result<(), Failure> {
        let bytes = std::mem::take(&mut self.bytes);
        (self.decode)(&bytes, sink)?;
        self.is_done = true;
        Ok(())
    }

    fn is_done(&self) -> bool {
        self.is_done
    }
}

/// Reads a whole answer as our chat answer.
pub fn read_answer(
    endpoint: &Endpoint,
    identity: Identity,
    read_back: ReadBack,
    body: &Bytes,
) -> Result<Box<dyn ChatAnswer>, Failure> {
    let assembler = match endpoint.dialect {
        Dialect::OpenAiChat | Dialect::Other(_) => {
            let quirks = &endpoint.quirks;
            let edit = openai_chat::ResponseEdit::new(body, &identity, quirks, &read_back)?;
            return Ok(Box::new(edit));
        }
        Dialect::AnthropicMessages => {
            let mut assembler = Assembler::new(identity);
            anthropic_messages::response::decode(body, &read_back, &mut assembler)?;
            assembler
        }
        Dialect::Gemini => {
            let generation_id = identity.id.clone();
            let mut assembler = Assembler::new(identity);
            gemini::decode(
                body,
                gemini::Options {
                    generation_id,
                    read_back,
                },
                &mut assembler,
            )?;
            assembler
        }
    };
    match assembler.failure().cloned() {
        Some(failure) => Err(failure),
        None => Ok(Box::new(assembler)),
    }
}

/// Says what an error answer means. `secret` is the key it was called with: providers echo keys.
pub fn classify<'h>(
    endpoint: &Endpoint,
    status: u16,
    headers: &dyn Fn(&str) -> Option<&'h str>,
    body: &[u8],
    secret: Option<&str>,
) -> Failure {
    let failure = failure::classify(endpoint.dialect, status, headers, body);
    match secret {
        Some(secret) => failure::without_secrets(failure, &[secret]),
        None => failure,
    }
}

fn not_spoken(dialect: &str) -> Failure {
    Failure::invalid(
        ErrorType::Server,
        format!("the dialect {dialect} is not spoken yet"),
    )
}
