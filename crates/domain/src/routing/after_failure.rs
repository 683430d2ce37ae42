//! What to do after an attempt failed, before the client has seen any content.

use super::RoutePlan;
use crate::catalogue::{Catalogue, Dialect};
use crate::failure::{Failure, Retry};

/// The next step of the journey.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Try this candidate of the plan.
    Next(usize),
    /// The same candidate once more, with the request mended.
    Again(Repair),
    /// Nothing left that could help: the client gets the failure.
    Stop,
}

/// How the request is mended before the same endpoint gets it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repair {
    Nothing,
    StripSealedReasoning,
    SwapLimitField,
}

/// Decides after a failure of `plan.candidates[current]`. `was_repaired` says that this candidate
/// had its second chance already. Candidates are tried in the order of the plan, each once; a
/// fault of the request itself moves on to the next *model*, because `models` falls back on any
/// error.
pub fn after_failure(
    plan: &RoutePlan,
    catalogue: &Catalogue,
    current: usize,
    failure: &Failure,
    was_repaired: bool,
) -> Step {
    let Some(here) = plan.candidates.get(current) else {
        return Step::Stop;
    };
    let rest = || plan.candidates.iter().enumerate().skip(current + 1);
    let step = |found: Option<(usize, _)>| found.map_or(Step::Stop, |(index, _)| Step::Next(index));
    let another_model = || step(rest().find(|(_, next)| next.wanted != here.wanted));
    let window = |endpoint: usize| {
        catalogue
            .endpoints()
            .get(endpoint)
            .map_or(0, |e| e.context_length.unwrap_or(u64::MAX))
    };
    let repair = match failure.retry {
        Retry::SameOnce => Some(Repair::Nothing),
        Retry::SameAfterStrip => Some(Repair::StripSealedReasoning),
        Retry::SameAfterRename => Some(Repair::SwapLimitField),
        _ => None,
    };
    if let Some(repair) = repair.filter(|_| !was_repaired) {
        return Step::Again(repair);
    }
    match failure.retry {
        Retry::Elsewhere => step(rest().next()),
        Retry::LargerContext => {
            let too_small = window(here.endpoint);
            step(
                rest().find(|(_, next)| {
                    next.wanted != here.wanted || window(next.endpoint) > too_small
                }),
            )
        }
        Retry::IfTranslated => {
            let translated = catalogue
                .endpoints()
                .get(here.endpoint)
                .is_some_and(|endpoint| endpoint.dialect != Dialect::OpenAiChat);
            if translated {
                step(rest().next())
            } else {
                another_model()
            }
        }
        Retry::No | Retry::SameOnce | Retry::SameAfterStrip | Retry::SameAfterRename => {
            another_model()
        }
    }
}
