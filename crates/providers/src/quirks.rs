//! Quirks as they stand in files: only what differs, laid over the defaults field by field.
//!
//! Layers, later wins: rules for all providers (`data/quirks.toml`), the provider's own `quirks`,
//! its `quirk_rules`, the endpoint's `quirks`; then the same three from the operator's file.

use crate::words::Word;
use crate::write::{list, quote};
use interline_domain::catalogue::Dialect;
use interline_domain::quirks::{
    ContentArrays, GeminiThinking, LimitField, NullContent, Quirks, ReasoningInput,
    ReasoningOutput, ReasoningReplay, Sampling, StrictTools, Thinking,
};
use serde_derive::Deserialize;

macro_rules! quirks_entry {
    (words { $($word:ident: $type:ty,)+ } flags { $($flag:ident,)+ }) => {
        /// Differences from [`Quirks::default`]; the columns are explained in
        /// `docs/guide/providers.md`.
        #[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct QuirksEntry {
            $(pub $word: Option<Word<$type>>,)+
            $(pub $flag: Option<bool>,)+
            /// Replaces the whole list.
            pub passthrough: Option<Vec<String>>,
        }

        impl QuirksEntry {
            /// The fields stated, by name, as TOML.
            pub(crate) fn stated(&self) -> Vec<(String, String)> {
                let mut fields = Vec::new();
                let mut add = |name: &str, value: String| fields.push((name.to_owned(), value));
                $(if let Some(word) = &self.$word { add(stringify!($word), quote(word.name())); })+
                $(if let Some(flag) = self.$flag { add(stringify!($flag), flag.to_string()); })+
                if let Some(names) = &self.passthrough {
                    add("passthrough", list(names));
                }
                fields
            }

            /// Writes what this entry states over `quirks`.
            pub fn apply(&self, quirks: &mut Quirks) {
                $(if let Some(Word(value)) = self.$word { quirks.$word = value; })+
                $(if let Some(value) = self.$flag { quirks.$flag = value; })+
                if let Some(fields) = &self.passthrough {
                    quirks.passthrough.clone_from(fields);
                }
            }
        }
    };
}

quirks_entry! {
    words {
        limit: LimitField,
        reasoning_input: ReasoningInput,
        reasoning_output: ReasoningOutput,
        reasoning_replay: ReasoningReplay,
        null_content: NullContent,
        content_arrays: ContentArrays,
        strict_tools: StrictTools,
        sampling: Sampling,
        thinking: Thinking,
        gemini_thinking: GeminiThinking,
    }
    flags {
        developer_role,
        include_usage,
        include_obfuscation,
        cumulative_reasoning,
        citation_markers,
        tool_choice_required,
        tool_choice_named,
        tool_choice_none,
        json_schema,
        json_object,
        message_names,
        cancels,
        thinks_by_default,
        thinking_disabled,
        forced_tools,
        prefill,
        native_structured_output,
        thought_signatures,
        json_schema_fields,
        file_links,
    }
}

/// Quirks of the models whose ids match a pattern.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuirkRule {
    /// Model ids; `*` stands for any characters.
    pub models: Vec<String>,
    /// Holds only where this dialect is spoken. Absent: always.
    pub dialect: Option<Word<Dialect>>,
    pub quirks: QuirksEntry,
}

impl QuirkRule {
    pub(crate) fn matches(&self, model: &str, dialect: Dialect) -> bool {
        self.dialect.is_none_or(|Word(wanted)| wanted == dialect)
            && matches_any(&self.models, model)
    }
}

/// Whether `text` fits one of `patterns`.
pub(crate) fn matches_any<'a>(patterns: impl IntoIterator<Item = &'a String>, text: &str) -> bool {
    patterns.into_iter().any(|pattern| matches(pattern, text))
}

/// Whether `text` fits `pattern`, in which `*` stands for any characters.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((head, tail)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(mut rest) = text.strip_prefix(head) else {
        return false;
    };
    let mut parts = tail.split('*').peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        let Some(at) = rest.find(part) else {
            return false;
        };
        rest = &rest[at + part.len()..];
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_ids() {
        for (pattern, text, expected) in [
            ("a/b", "a/b", true),
            ("a/b", "a/bc", false),
            ("a/b*", "a/bc", true),
            ("a/b*", "xa/bc", false),
            ("*-pro", "x/y-pro", true),
            ("*-pro", "x/y-pro-2", false),
            ("a/*-image*", "a/b-image-1", true),
            ("a/*-image*", "a/b-imag", false),
            ("a*a", "a", false),
            ("*", "", true),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }
}
