//! Signatures of the history, found again.

use crate::chat::request::{Message, ReasoningDetailKind};
use crate::event::ReasoningFormat;
use crate::target::Target;

/// The Gemini signatures of one message, by the part they stood on.
#[derive(Default)]
pub(super) struct Signatures<'r> {
    /// `(text, signature)`; thoughts without one are not sent back.
    pub(super) thoughts: Vec<(&'r str, &'r str)>,
    /// In the order of the text parts.
    pub(super) of_texts: Vec<&'r str>,
    /// `(id of the call, signature)`
    of_calls: Vec<(&'r str, &'r str)>,
}

impl<'r> Signatures<'r> {
    /// Reads what Gemini made; the blobs of others are nothing to it.
    pub(super) fn read(message: &'r Message<'_>, target: &Target<'_>) -> Self {
        let mut signatures = Self::default();
        if target.strip_sealed_reasoning {
            return signatures;
        }
        // In streams, text and signature of one block arrive as two details.
        let mut unsigned = None;
        let ours = ReasoningFormat::Gemini.as_str();
        for detail in &message.reasoning_details {
            if detail.format.as_deref() != Some(ours) {
                continue;
            }
            match &detail.kind {
                ReasoningDetailKind::Text { text, signature } => {
                    let signature = signature.as_deref().filter(|it| !it.is_empty());
                    let text = match unsigned {
                        Some((index, text_before)) if text.is_empty() && index == detail.index => {
                            text_before
                        }
                        _ => &**text,
                    };
                    match signature {
                        Some(signature) => signatures.thoughts.push((text, signature)),
                        None => unsigned = Some((detail.index, text)),
                    }
                }
                ReasoningDetailKind::Encrypted { data } if is_sealed(data) => {
                    match detail.id.as_deref().filter(|id| !id.is_empty()) {
                        Some(id) => signatures.of_calls.push((id, data)),
                        None => signatures.of_texts.push(data),
                    }
                }
                _ => {}
            }
        }
        signatures
    }

    pub(super) fn of_call(&self, id: &str) -> Option<&'r str> {
        let found = self.of_calls.iter().find(|(call, _)| *call == id);
        found.map(|(_, signature)| *signature)
    }
}

/// Logs of clients may hold a placeholder in its place.
fn is_sealed(data: &str) -> bool {
    !data.is_empty() && data != "[REDACTED]"
}
