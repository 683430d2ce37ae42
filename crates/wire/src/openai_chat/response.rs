//! Whole answers of this dialect as events.

use super::stream::Reader;
use crate::event::Sink;
use crate::target::ReadBack;
use interline_domain::Failure;
use interline_domain::quirks::Quirks;

/// Decodes the body of an answer that was not streamed.
///
/// `Err` if it is not an answer. An error that the provider reports inside a 200 arrives as
/// [`crate::event::Event::Failed`].
pub fn decode(
    body: &[u8],
    quirks: &Quirks,
    generation_id: &str,
    read_back: &ReadBack,
    sink: &mut dyn Sink,
) -> Result<(), Failure> {
    Reader::new(quirks, generation_id, read_back).whole(body, sink)
}
