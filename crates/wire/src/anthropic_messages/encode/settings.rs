//! Limits, thinking, effort and sampling: what a model's flags leave of the caller's wishes.

use super::turns::Conversation;
use crate::chat::request::{Request, ToolChoice};
use crate::target::Target;
use interline_domain::quirks::{Sampling, Thinking as Ability};
use interline_domain::{ErrorType, Failure, Parameter};

/// Anthropic wants a limit; this one only where neither caller nor catalogue names one.
const DEFAULT_MAX_TOKENS: u64 = 4096;
const MIN_BUDGET: u64 = 1024;
/// Only budgets that are reckoned from an effort are held below this.
const MAX_RECKONED_BUDGET: u64 = 128_000;
/// Anthropic's effort levels, ascending, with the place of each in the whole scale.
const EFFORTS: [(&str, u8); 5] = [
    ("low", 2),
    ("medium", 3),
    ("high", 4),
    ("xhigh", 5),
    ("max", 6),
];

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Thinking {
    /// The field is left out.
    Unsaid,
    Disabled,
    /// `budget_tokens`.
    Budget(u64),
    Adaptive {
        is_shown: bool,
    },
}

impl Thinking {
    pub(super) fn is_on(&self) -> bool {
        matches!(self, Self::Budget(_) | Self::Adaptive { .. })
    }
}

#[derive(Debug)]
pub(super) struct Settings<'r> {
    pub(super) max_tokens: u64,
    pub(super) thinking: Thinking,
    /// `output_config.effort`.
    pub(super) effort: Option<&'static str>,
    /// `(name, JSON number)`.
    pub(super) sampling: Vec<(&'static str, &'r str)>,
}

pub(super) fn plan<'r>(
    request: &'r Request<'_>,
    target: &Target<'_>,
    conversation: &Conversation<'_>,
) -> Result<Settings<'r>, Failure> {
    let ceiling = target.max_completion_tokens.unwrap_or(u64::MAX);
    let wanted = request
        .max_tokens
        .or(target.max_completion_tokens)
        .unwrap_or(DEFAULT_MAX_TOKENS)
        .min(ceiling);
    let thinking = wished_thinking(request, target, wanted);
    let thinking = allowed_thinking(thinking, request, target, conversation)?;
    let (max_tokens, thinking) = fit_budget(wanted, thinking, ceiling, target);
    Ok(Settings {
        max_tokens,
        sampling: sampling(request, target, &thinking),
        effort: effort(request, target),
        thinking,
    })
}

/// What the caller asks for, in the form this model knows.
fn wished_thinking(request: &Request<'_>, target: &Target<'_>, max_tokens: u64) -> Thinking {
    let quirks = target.quirks;
    let wish = request.reasoning.as_ref();
    let effort = wish.and_then(|wish| wish.effort.as_deref());
    let budget = wish.and_then(|wish| wish.max_tokens);
    let adaptive = Thinking::Adaptive {
        is_shown: !wish.is_some_and(|wish| wish.exclude),
    };
    if quirks.thinking == Ability::None || effort == Some("none") {
        return off(target);
    }
    match (quirks.thinking, effort, budget) {
        (Ability::Budget | Ability::AdaptiveOrBudget, _, Some(budget)) => {
            Thinking::Budget(budget.max(MIN_BUDGET))
        }
        (Ability::Budget, Some(effort), None) => {
            Thinking::Budget(reckoned_budget(effort, max_tokens))
        }
        (Ability::AdaptiveOrBudget | Ability::Adaptive, _, _)
            if effort.is_some() || budget.is_some() || quirks.thinks_by_default =>
        {
            // Said also where it is the default: the default hides the text.
            adaptive
        }
        _ => Thinking::Unsaid,
    }
}

/// Saying nothing is enough for models that do not think of themselves.
fn off(target: &Target<'_>) -> Thinking {
    if target.quirks.thinks_by_default && target.quirks.thinking_disabled {
        Thinking::Disabled
    } else {
        Thinking::Unsaid
    }
}

fn reckoned_budget(effort: &str, max_tokens: u64) -> u64 {
    let percent = match effort {
        "minimal" => 10,
        "low" => 20,
        "high" => 80,
        "xhigh" | "max" => 95,
        _ => 50,
    };
    let share = max_tokens.saturating_mul(percent) / 100;
    share.clamp(MIN_BUDGET, MAX_RECKONED_BUDGET)
}

/// Where the conversation or a forced call does not go with thinking.
fn allowed_thinking(
    thinking: Thinking,
    request: &Request<'_>,
    target: &Target<'_>,
    conversation: &Conversation<'_>,
) -> Result<Thinking, Failure> {
    let quirks = target.quirks;
    let is_forced = !request.tools.is_empty()
        && matches!(
            request.tool_choice,
            Some(ToolChoice::Required | ToolChoice::Named(_))
        );
    // From 4.7 on (adaptive only) a forced call and thinking go together; before, the caller's
    // explicit force wins over the thinking (T27).
    let is_conflict = is_forced && quirks.forced_tools && quirks.thinking != Ability::Adaptive;
    if is_conflict && (thinking.is_on() || quirks.thinks_by_default) {
        if quirks.thinks_by_default && !quirks.thinking_disabled {
            let message = "this model always reasons and cannot be forced to call a tool";
            return Err(Failure::invalid(
                ErrorType::InvalidRequest,
                format!("tool_choice: {message}"),
            ));
        }
        return Ok(off(target));
    }
    if !matches!(thinking, Thinking::Budget(_)) {
        return Ok(thinking);
    }
    // With a budget, a turn with calls must start with its thinking, and a turn to be continued
    // cannot. Adaptive thinking takes such a history (T20).
    Ok(
        if conversation.ends_in_prefill() || !conversation.last_calls_were_thought() {
            match quirks.thinking {
                Ability::AdaptiveOrBudget => Thinking::Adaptive {
                    is_shown: !request.reasoning.as_ref().is_some_and(|wish| wish.exclude),
                },
                _ => off(target),
            }
        } else {
            thinking
        },
    )
}

/// The limit must exceed the budget. What can be paid for comes before both.
fn fit_budget(
    wanted: u64,
    thinking: Thinking,
    ceiling: u64,
    target: &Target<'_>,
) -> (u64, Thinking) {
    let cap = target.output_cap.unwrap_or(u64::MAX).min(ceiling);
    let Thinking::Budget(budget) = thinking else {
        return (wanted.min(cap).max(1), thinking);
    };
    // The caller's limit is then for the answer alone: one token of it would be no answer.
    let raised = if budget < wanted {
        wanted
    } else {
        budget.saturating_add(wanted)
    };
    let max_tokens = raised.min(cap).max(1);
    let budget = budget.min(max_tokens.saturating_sub(1));
    if budget < MIN_BUDGET {
        return (wanted.min(cap).max(1), off(target));
    }
    (max_tokens, Thinking::Budget(budget))
}

/// `verbosity` wins over `reasoning.effort`, as our clients are told.
fn effort(request: &Request<'_>, target: &Target<'_>) -> Option<&'static str> {
    let is_adaptive = matches!(
        target.quirks.thinking,
        Ability::AdaptiveOrBudget | Ability::Adaptive
    );
    let listed = target
        .reasoning
        .and_then(|reasoning| reasoning.supported_efforts.as_deref());
    // Older models refuse `output_config`, unless the catalogue lists levels for them; their
    // reasoning effort has become a budget already.
    let verbosity = request.verbosity.as_deref();
    let verbosity = verbosity.filter(|_| is_adaptive || listed.is_some());
    let wish = request.reasoning.as_ref();
    let effort = wish.and_then(|wish| wish.effort.as_deref());
    clamp_effort(verbosity.or(effort.filter(|_| is_adaptive))?, listed)
}

/// The nearest level the model lists, the lower of two. `None`: the model has no such control.
fn clamp_effort(effort: &str, listed: Option<&[String]>) -> Option<&'static str> {
    let wanted = match effort {
        "none" => return None,
        "minimal" => 2,
        other => EFFORTS.iter().find(|(name, _)| *name == other)?.1,
    };
    let is_listed =
        |name: &str| listed.is_none_or(|listed| listed.iter().any(|level| level == name));
    EFFORTS
        .iter()
        .filter(|(name, _)| is_listed(name))
        .min_by_key(|(_, rank)| rank.abs_diff(wanted))
        .map(|(name, _)| *name)
}

fn sampling<'r>(
    request: &'r Request<'_>,
    target: &Target<'_>,
    thinking: &Thinking,
) -> Vec<(&'static str, &'r str)> {
    let quirks = target.quirks;
    if quirks.sampling == Sampling::None {
        return Vec::new();
    }
    let value = |parameter: Parameter| {
        let raw = request.field(parameter.as_str())?.get();
        target.parameters.contains(parameter).then_some(raw)
    };
    let mut sampling = Vec::new();
    let is_thinking = thinking.is_on();
    if let Some(temperature) = value(Parameter::Temperature).filter(|_| !is_thinking) {
        sampling.push(("temperature", at_most_one(temperature)));
    }
    let top_p = value(Parameter::TopP).filter(|top_p| {
        let is_near_one = || {
            top_p
                .parse::<f64>()
                .is_ok_and(|p| (0.95..=1.0).contains(&p))
        };
        let is_second = quirks.sampling == Sampling::One && !sampling.is_empty();
        !is_second && (!is_thinking || is_near_one())
    });
    sampling.extend(top_p.map(|top_p| ("top_p", top_p)));
    if let Some(top_k) = value(Parameter::TopK).filter(|_| !is_thinking) {
        sampling.push(("top_k", top_k));
    }
    sampling
}

/// Anthropic's scale ends at 1 where others go to 2.
fn at_most_one(temperature: &str) -> &str {
    match temperature.parse::<f64>() {
        Ok(value) if value > 1.0 => "1",
        _ => temperature,
    }
}

#[cfg(test)]
mod tests;
