//! How much to think, in the words of the endpoint.

use crate::chat::parse::EFFORTS;
use crate::chat::parse::value::{Path, Value};
use crate::chat::request::{Reasoning, Request};
use crate::json::ObjectWriter;
use crate::target::Target;
use interline_domain::Parameter;
use interline_domain::quirks::ReasoningInput;

/// Top-level fields that ask for reasoning, as JSON.
#[derive(Debug, Default)]
pub(super) struct Fields {
    pub(super) fields: Vec<(&'static str, String)>,
    /// The endpoint will reason: asked to, or because it does unless told not to.
    pub(super) thinks: bool,
}

impl Fields {
    pub(super) fn writes(&self, name: &str) -> bool {
        self.fields.iter().any(|(field, _)| *field == name)
    }

    fn push(&mut self, name: &'static str, value: impl Into<String>) {
        self.fields.push((name, value.into()));
    }
}

/// What the caller wants, after the endpoint's levels are applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    Off,
    /// On, as much as the model likes.
    On,
    Level(&'static str),
}

pub(super) fn fields(request: &Request<'_>, target: &Target<'_>) -> Fields {
    let mut fields = Fields::default();
    let can = [
        Parameter::Reasoning,
        Parameter::ReasoningEffort,
        Parameter::IncludeReasoning,
    ];
    let is_able = target.reasoning.is_some()
        || can
            .iter()
            .any(|parameter| target.parameters.contains(*parameter));
    if !is_able {
        return fields;
    }
    let wish = request
        .reasoning
        .as_ref()
        .map(|wanted| wish(wanted, request, target));
    fields.thinks = wish != Some(Wish::Off);
    let input = target.quirks.reasoning_input;
    if input == ReasoningInput::EffortAndFormat {
        // Otherwise the text comes inside the content (Groq docs, "Reasoning").
        fields.push("reasoning_format", r#""parsed""#);
    }
    let Some(wish) = wish else {
        return fields;
    };
    let switch = |on: &str, off: &str| if wish == Wish::Off { off } else { on }.to_owned();
    match input {
        ReasoningInput::Effort | ReasoningInput::EffortAndFormat => {
            if let Some(level) = level_of(wish) {
                fields.push("reasoning_effort", format!("\"{level}\""));
            }
        }
        ReasoningInput::ReasoningEffortObject => {
            let budget = request.reasoning.as_ref().and_then(|r| r.max_tokens);
            let has_effort = request
                .reasoning
                .as_ref()
                .is_some_and(|r| r.effort.is_some());
            match (budget, level_of(wish)) {
                (Some(budget), _) if !has_effort => {
                    fields.push("reasoning", format!(r#"{{"max_tokens":{budget}}}"#));
                }
                (_, Some(level)) => fields.push("reasoning", format!(r#"{{"effort":"{level}"}}"#)),
                _ => fields.push("reasoning", r#"{"enabled":true}"#),
            }
        }
        ReasoningInput::ReasoningEnabled => {
            fields.push(
                "reasoning",
                switch(r#"{"enabled":true}"#, r#"{"enabled":false}"#),
            );
        }
        ReasoningInput::Thinking => {
            fields.push(
                "thinking",
                switch(r#"{"type":"enabled"}"#, r#"{"type":"disabled"}"#),
            );
        }
        ReasoningInput::ThinkingAndEffort => {
            fields.push(
                "thinking",
                switch(r#"{"type":"enabled"}"#, r#"{"type":"disabled"}"#),
            );
            if let Wish::Level(level) = wish {
                let level = two_step_level(level, target);
                fields.push("reasoning_effort", format!("\"{level}\""));
            }
        }
        ReasoningInput::EnableThinking => {
            fields.push("enable_thinking", switch("true", "false"));
            let takes_budget = target
                .reasoning
                .is_none_or(|reasoning| reasoning.supports_max_tokens != Some(false));
            let budget = request.reasoning.as_ref().and_then(|r| r.max_tokens);
            if let Some(budget) = budget.filter(|_| takes_budget && wish != Wish::Off) {
                fields.push("thinking_budget", budget.to_string());
            }
        }
        ReasoningInput::TemplateKwargs => {
            let value = template_kwargs(request, wish != Wish::Off);
            fields.push("chat_template_kwargs", value);
        }
        ReasoningInput::None => {}
    }
    fields
}

fn level_of(wish: Wish) -> Option<&'static str> {
    match wish {
        Wish::Off => Some("none"),
        Wish::On => None,
        Wish::Level(level) => Some(level),
    }
}

fn wish(wanted: &Reasoning<'_>, request: &Request<'_>, target: &Target<'_>) -> Wish {
    let asked = match &wanted.effort {
        Some(effort) => EFFORTS.iter().copied().find(|level| level == effort),
        None => wanted.max_tokens.map(|budget| {
            level_for_budget(budget, request.max_tokens.or(target.max_completion_tokens))
        }),
    };
    let Some(asked) = asked else {
        return Wish::On;
    };
    let Some(abilities) = target.reasoning else {
        return if asked == "none" {
            Wish::Off
        } else {
            Wish::Level(asked)
        };
    };
    let supported = abilities.supported_efforts.as_deref();
    if asked == "none" {
        let has_none = supported.is_none_or(|levels| levels.is_empty() || has(levels, "none"));
        if has_none && !abilities.is_mandatory {
            return Wish::Off;
        }
        // The least the model can do. Without levels to choose from it thinks as it likes.
        return supported
            .and_then(|levels| {
                EFFORTS
                    .iter()
                    .rev()
                    .copied()
                    .find(|level| *level != "none" && has(levels, level))
            })
            .map_or(Wish::On, Wish::Level);
    }
    match supported {
        None => Wish::Level(asked),
        Some(levels) => nearest(asked, levels).map_or(Wish::On, Wish::Level),
    }
}

fn has(levels: &[String], wanted: &str) -> bool {
    levels.iter().any(|level| level == wanted)
}

/// The nearest level the endpoint lists, downwards on ties; `none` is never near.
fn nearest(asked: &str, levels: &[String]) -> Option<&'static str> {
    let place = EFFORTS.iter().position(|level| *level == asked)?;
    EFFORTS
        .iter()
        .copied()
        .enumerate()
        .filter(|(_, level)| *level != "none" && has(levels, level))
        // Most thinking stands first, so on a tie the larger index is less.
        .min_by_key(|(index, _)| (index.abs_diff(place), usize::MAX - index))
        .map(|(_, level)| level)
}

/// The least level whose share of the answer covers the budget.
fn level_for_budget(budget: u64, max_tokens: Option<u64>) -> &'static str {
    let Some(max_tokens) = max_tokens else {
        return "medium";
    };
    // Shares of the answer in percent, by convention of the public API.
    let percent = u128::from(budget) * 100;
    [
        (10_u128, "minimal"),
        (20, "low"),
        (50, "medium"),
        (80, "high"),
    ]
    .into_iter()
    .find(|(share, _)| percent <= share * u128::from(max_tokens))
    .map_or("xhigh", |(_, level)| level)
}

/// Endpoints that know `high` and `max` (and sometimes `low`): everything between is `high`.
fn two_step_level(level: &'static str, target: &Target<'_>) -> &'static str {
    let lists = |wanted: &str| {
        target
            .reasoning
            .and_then(|reasoning| reasoning.supported_efforts.as_deref())
            .is_some_and(|levels| has(levels, wanted))
    };
    match level {
        "xhigh" | "max" => "max",
        "low" if lists("low") => "low",
        _ => "high",
    }
}

/// The caller's own template arguments stay; an explicit `enable_thinking` of theirs wins.
fn template_kwargs(request: &Request<'_>, is_on: bool) -> String {
    let mut out = Vec::new();
    let mut object = ObjectWriter::open(&mut out);
    let mut is_set = false;
    if let Some(raw) = request.field("chat_template_kwargs") {
        let path = Path::Key(&Path::Root, "chat_template_kwargs");
        // Not an object: the caller's mistake, replaced by what is meant.
        let _ = Value::new(raw.get(), &path).all_entries(|key, value| {
            is_set |= key == "enable_thinking";
            object.raw(key, value.text());
            Ok(())
        });
    }
    if !is_set {
        object.bool("enable_thinking", is_on);
    }
    object.close();
    String::from_utf8(out).unwrap_or_default()
}
