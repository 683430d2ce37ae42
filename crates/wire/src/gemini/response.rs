//! Whole answers.

use super::Options;
use super::answer::Answer;
use crate::event::Sink;
use interline_domain::Failure;

/// Reads a whole answer: the body of a call that did not stream, or of one that should have
/// streamed and was answered with plain JSON (an object, or an array of them).
///
/// `Err` if the body is no answer; an error that the provider reports in it arrives as
/// [`crate::event::Event::Failed`].
pub fn decode(body: &[u8], options: Options, sink: &mut dyn Sink) -> Result<(), Failure> {
    let text = std::str::from_utf8(body)
        .map_err(|_| Failure::unavailable("The provider sent an answer that is not UTF-8"))?;
    let mut answer = Answer::new(options);
    answer.take(text, sink)?;
    answer.end(sink)
}
