//! Words of the vocabulary as they stand in files: parsed strictly, with a suggestion when wrong.
//!
//! `domain` derives no serde; [`Word`] gives its enums a spelling in TOML.

use crate::problem::{Problem, nearest};
use core::fmt;
use core::marker::PhantomData;
use interline_domain::catalogue::{Auth, Dialect, Modality, Quantization};
use interline_domain::parameters::Parameter;
use interline_domain::quirks::{
    ContentArrays, GeminiThinking, LimitField, NullContent, ReasoningInput, ReasoningOutput,
    ReasoningReplay, Sampling, StrictTools, Thinking,
};
use serde::de::{Deserialize, Deserializer, Error, Visitor};

/// A closed set of words.
pub trait Named: Sized {
    /// What the word is, for messages: "dialect", "quantization".
    const WHAT: &'static str;

    fn from_name(name: &str) -> Option<Self>;

    /// Every spelling.
    fn names() -> Vec<&'static str>;
}

/// A value of `T`, written as its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word<T>(pub T);

impl<T: Named + PartialEq> Word<T> {
    /// Its spelling.
    pub fn name(&self) -> &'static str {
        T::names()
            .into_iter()
            .find(|name| T::from_name(name).as_ref() == Some(&self.0))
            .unwrap_or_default()
    }

    /// Reads a spelling, or says what is wrong with it.
    pub(crate) fn read(name: &str) -> Result<Self, Problem> {
        T::from_name(name).map(Self).ok_or_else(|| {
            let message = unknown(T::WHAT, name, &T::names());
            match message.split_once('\n') {
                Some((what, help)) => Problem::new(what).help(help),
                None => Problem::new(message),
            }
        })
    }
}

impl<'de, T: Named> Deserialize<'de> for Word<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct WordVisitor<T>(PhantomData<T>);

        impl<T: Named> Visitor<'_> for WordVisitor<T> {
            type Value = T;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "the name of a {}", T::WHAT)
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<T, E> {
                T::from_name(name).ok_or_else(|| E::custom(unknown(T::WHAT, name, &T::names())))
            }
        }

        deserializer
            .deserialize_str(WordVisitor(PhantomData))
            .map(Self)
    }
}

/// Message and, on a second line, help.
fn unknown(what: &str, name: &str, known: &[&str]) -> String {
    match nearest(name, known.iter().copied()) {
        Some(near) => format!("unknown {what} `{name}`\ndid you mean `{near}`?"),
        None => format!("unknown {what} `{name}`\nknown: {}", known.join(", ")),
    }
}

macro_rules! named {
    ($type:ty, $what:literal, $($name:literal => $value:expr),+ $(,)?) => {
        impl Named for $type {
            const WHAT: &'static str = $what;

            fn from_name(name: &str) -> Option<Self> {
                match name { $($name => Some($value),)+ _ => None }
            }

            fn names() -> Vec<&'static str> {
                vec![$($name),+]
            }
        }
    };
}

macro_rules! named_by_domain {
    ($type:ty, $what:literal, $names:expr) => {
        impl Named for $type {
            const WHAT: &'static str = $what;

            fn from_name(name: &str) -> Option<Self> {
                Self::parse(name)
            }

            fn names() -> Vec<&'static str> {
                $names
            }
        }
    };
}

named_by_domain!(Dialect, "dialect", Dialect::names().collect());
named_by_domain!(Auth, "sign-in scheme", AUTH_NAMES.to_vec());
named_by_domain!(
    Modality,
    "modality",
    Modality::ALL.iter().map(|m| m.as_str()).collect()
);
named_by_domain!(
    Quantization,
    "quantization",
    Quantization::ALL.iter().map(|q| q.as_str()).collect()
);
named_by_domain!(
    Parameter,
    "parameter",
    Parameter::ALL.iter().map(|p| p.as_str()).collect()
);

/// Every spelling [`Auth::parse`] knows.
pub(crate) const AUTH_NAMES: &[&str] = &[
    "bearer",
    "none",
    "x-api-key",
    "x-goog-api-key",
    "api-key",
    "xi-api-key",
    "aws-sigv4",
    "gcp-oauth",
    "token",
    "key",
];

/// What a model is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModelKind(pub &'static str);

const MODEL_KINDS: &[&str] = &[
    "chat",
    "embedding",
    "image",
    "speech",
    "transcription",
    "rerank",
    "classifier",
    "ocr",
    "video",
    "alias",
    "router",
];

impl Named for ModelKind {
    const WHAT: &'static str = "kind of model";

    fn from_name(name: &str) -> Option<Self> {
        MODEL_KINDS
            .iter()
            .find(|kind| **kind == name)
            .map(|kind| Self(kind))
    }

    fn names() -> Vec<&'static str> {
        MODEL_KINDS.to_vec()
    }
}

/// A level of reasoning effort.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effort(pub &'static str);

const EFFORTS: &[&str] = &["none", "minimal", "low", "medium", "high", "xhigh", "max"];

impl Named for Effort {
    const WHAT: &'static str = "effort";

    fn from_name(name: &str) -> Option<Self> {
        EFFORTS
            .iter()
            .find(|effort| **effort == name)
            .map(|effort| Self(effort))
    }

    fn names() -> Vec<&'static str> {
        EFFORTS.to_vec()
    }
}

/// Whether a provider offers zero data retention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ZeroRetention {
    /// For every call.
    Default,
    /// The customer can switch it on.
    SelfServe,
    /// By agreement.
    OnRequest,
    No,
    Unknown,
}

named!(ZeroRetention, "zero-retention offer",
    "default" => Self::Default,
    "self-serve" => Self::SelfServe,
    "on-request" => Self::OnRequest,
    "no" => Self::No,
    "unknown" => Self::Unknown,
);

named!(LimitField, "limit field",
    "any" => Self::Any,
    "max_tokens" => Self::MaxTokens,
    "max_completion_tokens" => Self::MaxCompletionTokens,
);
named!(ReasoningInput, "reasoning input",
    "reasoning_effort" => Self::Effort,
    "reasoning_effort+format" => Self::EffortAndFormat,
    "reasoning.effort" => Self::ReasoningEffortObject,
    "reasoning.enabled" => Self::ReasoningEnabled,
    "thinking" => Self::Thinking,
    "thinking+reasoning_effort" => Self::ThinkingAndEffort,
    "enable_thinking" => Self::EnableThinking,
    "chat_template_kwargs" => Self::TemplateKwargs,
    "none" => Self::None,
);
named!(ReasoningOutput, "reasoning output",
    "field" => Self::Field,
    "tag" => Self::Tag,
);
named!(ReasoningReplay, "reasoning replay",
    "drop" => Self::Drop,
    "reasoning_content" => Self::Content,
    "reasoning" => Self::Reasoning,
    "required" => Self::Required,
);
named!(NullContent, "null-content habit",
    "keep" => Self::Keep,
    "empty" => Self::EmptyString,
    "omit" => Self::Omit,
);
named!(ContentArrays, "content-array habit",
    "keep" => Self::Keep,
    "flatten" => Self::Flatten,
    "only_with_media" => Self::OnlyWithMedia,
);
named!(StrictTools, "strict-tools habit",
    "keep" => Self::Keep,
    "drop" => Self::Drop,
);
named!(Sampling, "sampling habit",
    "full" => Self::Full,
    "one" => Self::One,
    "none" => Self::None,
);
named!(Thinking, "way of thinking",
    "none" => Self::None,
    "budget" => Self::Budget,
    "adaptive_or_budget" => Self::AdaptiveOrBudget,
    "adaptive" => Self::Adaptive,
);
named!(GeminiThinking, "way of thinking",
    "none" => Self::None,
    "budget" => Self::Budget,
    "level" => Self::Level,
);

#[cfg(test)]
mod tests {
    use super::*;

    fn check<T: Named>() {
        for name in T::names() {
            assert!(T::from_name(name).is_some(), "{} `{name}`", T::WHAT);
        }
        assert!(T::from_name("no such word").is_none());
    }

    #[test]
    fn every_name_parses() {
        check::<Dialect>();
        check::<Auth>();
        check::<Modality>();
        check::<Quantization>();
        check::<Parameter>();
        check::<ModelKind>();
        check::<Effort>();
        check::<ZeroRetention>();
        check::<ReasoningInput>();
        check::<Thinking>();
    }
}
