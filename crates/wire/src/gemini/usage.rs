//! `usageMetadata` in the normal form.

use crate::json::{Cursor, Malformed, string};
use interline_domain::Usage;

/// Google's counters; thinking and tool use stand beside the others, not inside them.
#[derive(Default)]
struct Counters {
    prompt: u64,
    tool_use: u64,
    cached: u64,
    candidates: Option<u64>,
    thoughts: Option<u64>,
    total: Option<u64>,
    audio_prompt: u64,
    video_prompt: u64,
    audio_candidates: u64,
    image_candidates: u64,
}

/// Reads one `usageMetadata` object. `web_search_requests` is not in it.
pub(crate) fn read(raw: &str) -> Result<Usage, Malformed> {
    let mut counters = Counters::default();
    let mut cursor = Cursor::new(raw);
    cursor.object(|cursor, key| {
        match &*key.name {
            "promptTokensDetails" => {
                return modalities(cursor, &mut |modality, tokens| match modality {
                    "AUDIO" => counters.audio_prompt += tokens,
                    "VIDEO" => counters.video_prompt += tokens,
                    _ => {}
                });
            }
            "candidatesTokensDetails" => {
                return modalities(cursor, &mut |modality, tokens| match modality {
                    "AUDIO" => counters.audio_candidates += tokens,
                    "IMAGE" => counters.image_candidates += tokens,
                    _ => {}
                });
            }
            _ => {}
        }
        let count = count(cursor.value()?);
        match &*key.name {
            "promptTokenCount" => counters.prompt = count.unwrap_or(0),
            "toolUsePromptTokenCount" => counters.tool_use = count.unwrap_or(0),
            "cachedContentTokenCount" => counters.cached = count.unwrap_or(0),
            "candidatesTokenCount" => counters.candidates = count,
            "thoughtsTokenCount" => counters.thoughts = count,
            "totalTokenCount" => counters.total = count,
            _ => {}
        }
        Ok(())
    })?;
    Ok(normal_form(&counters))
}

fn normal_form(counters: &Counters) -> Usage {
    let thoughts = counters.thoughts.unwrap_or(0);
    let mut prompt = counters.prompt.saturating_add(counters.tool_use);
    let without_candidates = prompt.saturating_add(thoughts);
    let candidates = counters.candidates.unwrap_or_else(|| {
        // Left out when only thinking happened, and by some versions on every event.
        let total = counters.total.unwrap_or(0);
        total.saturating_sub(without_candidates)
    });
    // The total decides whether thinking is counted inside the answer (it is not, so far).
    let is_inside = thoughts > 0
        && thoughts <= candidates
        && counters.total == Some(prompt.saturating_add(candidates));
    let completion = if is_inside {
        candidates
    } else {
        candidates.saturating_add(thoughts)
    };
    if counters.cached > prompt {
        prompt = prompt.saturating_add(counters.cached);
    }
    Usage {
        prompt_tokens: prompt,
        completion_tokens: completion,
        cached_tokens: counters.cached,
        reasoning_tokens: counters.thoughts,
        audio_prompt_tokens: counters.audio_prompt,
        video_prompt_tokens: counters.video_prompt,
        audio_completion_tokens: counters.audio_candidates,
        image_completion_tokens: counters.image_candidates,
        ..Usage::default()
    }
}

fn modalities(cursor: &mut Cursor<'_>, add: &mut dyn FnMut(&str, u64)) -> Result<(), Malformed> {
    cursor.array(|cursor| {
        let mut modality = None;
        let mut tokens = 0;
        cursor.object(|cursor, key| {
            let value = cursor.value()?;
            match &*key.name {
                "modality" => modality = string(value),
                "tokenCount" => tokens = count(value).unwrap_or(0),
                _ => {}
            }
            Ok(())
        })?;
        add(modality.as_deref().unwrap_or_default(), tokens);
        Ok(())
    })?;
    Ok(())
}

/// More than any answer can cost; what is above is nonsense and would overflow sums.
const MAX_COUNT: u64 = 1 << 48;

/// A counter, also written as a string (Google's JSON mapping of 64-bit integers). Anything that
/// is no natural number counts as absent.
fn count(raw: &str) -> Option<u64> {
    let digits = raw.trim_matches('"');
    digits.parse().ok().map(|count: u64| count.min(MAX_COUNT))
}
