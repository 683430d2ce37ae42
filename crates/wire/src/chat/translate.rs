//! A foreign dialect's stream in our form: a decoder in front, the renderer behind.

use super::answer::{ChatStream, Identity, Meter, Tail};
use super::render::Renderer;
use crate::event::StreamDecoder;
use bytes::BytesMut;
use interline_domain::Failure;

/// Bytes of any dialect in, chat chunks out.
#[derive(Debug)]
pub struct Translated<D> {
    decoder: D,
    renderer: Renderer,
}

impl<D: StreamDecoder> Translated<D> {
    pub fn new(decoder: D, identity: Identity) -> Self {
        Self {
            decoder,
            renderer: Renderer::new(identity),
        }
    }

    /// What the provider reported says more than the broken protocol that may follow it.
    fn outcome(&self, decoded: Result<(), Failure>) -> Result<(), Failure> {
        match self.renderer.failure() {
            Some(reported) => Err(reported.clone()),
            None => decoded,
        }
    }
}

impl<D: StreamDecoder + Send> ChatStream for Translated<D> {
    fn feed(&mut self, bytes: &[u8], out: &mut BytesMut) -> Result<(), Failure> {
        let decoded = self.decoder.feed(bytes, &mut self.renderer.sink(out));
        self.outcome(decoded)
    }

    fn end(&mut self, out: &mut BytesMut) -> Result<(), Failure> {
        let decoded = self.decoder.end(&mut self.renderer.sink(out));
        self.outcome(decoded)
    }

    fn is_done(&self) -> bool {
        self.decoder.is_done()
    }

    fn meter(&self) -> &Meter {
        self.renderer.meter()
    }

    fn finish(&mut self, tail: &Tail, out: &mut BytesMut) {
        self.renderer.finish(tail, out);
    }

    fn fail(&mut self, error: &str, metadata: Option<&str>, out: &mut BytesMut) {
        self.renderer.fail(error, metadata, out);
    }
}

#[cfg(test)]
mod tests;
