//! Why an answer ended, in our words and the provider's.

/// The normalised reason (`spec`: finish reasons). `None` stands for "still running".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FinishReason {
    Stop,
    Length,
    ToolCalls,
    ContentFilter,
    Error,
}

impl FinishReason {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
            Self::ToolCalls => "tool_calls",
            Self::ContentFilter => "content_filter",
            Self::Error => "error",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [
            Self::Stop,
            Self::Length,
            Self::ToolCalls,
            Self::ContentFilter,
            Self::Error,
        ]
        .into_iter()
        .find(|reason| reason.as_str() == text)
    }

    /// Brings any provider's word into ours. Empty means "not finished". An unknown word is a
    /// normal end; the native one is kept beside it.
    pub fn from_native(native: &str) -> Option<Self> {
        Some(match native {
            "" => return None,
            "tool_calls" | "tool_use" | "function_call" | "TOOL_CALL" => Self::ToolCalls,
            "length"
            | "max_tokens"
            | "MAX_TOKENS"
            | "model_length"
            | "max_output_tokens"
            | "model_context_window_exceeded"
            | "CONTINUATION" => Self::Length,
            "content_filter"
            | "content_filtered"
            | "guardrail_intervened"
            | "refusal"
            | "SAFETY"
            | "RECITATION"
            | "PROHIBITED_CONTENT"
            | "BLOCKLIST"
            | "SPII"
            | "LANGUAGE"
            | "IMAGE_SAFETY"
            | "IMAGE_PROHIBITED_CONTENT"
            | "IMAGE_RECITATION"
            | "MODEL_ARMOR"
            | "sensitive"
            | "ERROR_TOXIC"
            | "moderation" => Self::ContentFilter,
            "error"
            | "ERROR"
            | "TIMEOUT"
            | "network_error"
            | "insufficient_system_resource"
            | "abort"
            | "MALFORMED_FUNCTION_CALL" => Self::Error,
            other if other.starts_with("malformed_") => Self::Error,
            _ => Self::Stop,
        })
    }

    /// A choice that holds tool calls and ended normally ended *with* tool calls, whatever the
    /// provider calls it. A cut answer stays cut: its arguments may be incomplete.
    #[must_use]
    pub fn with_tool_calls(self, has_tool_calls: bool) -> Self {
        if has_tool_calls && self == Self::Stop {
            Self::ToolCalls
        } else {
            self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn native_words_are_normalised() {
        let check = |native: &str, expected| {
            assert_eq!(FinishReason::from_native(native), expected, "{native}");
        };
        check("", None);
        check("end_turn", Some(FinishReason::Stop));
        check("MAX_TOKENS", Some(FinishReason::Length));
        check("tool_use", Some(FinishReason::ToolCalls));
        check("refusal", Some(FinishReason::ContentFilter));
        check("insufficient_system_resource", Some(FinishReason::Error));
        check("never heard of", Some(FinishReason::Stop));
    }

    #[test]
    fn a_cut_answer_with_calls_stays_cut() {
        assert_eq!(
            FinishReason::Stop.with_tool_calls(true),
            FinishReason::ToolCalls
        );
        assert_eq!(
            FinishReason::Length.with_tool_calls(true),
            FinishReason::Length
        );
    }
}
