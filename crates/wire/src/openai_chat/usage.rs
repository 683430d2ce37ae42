//! Counters of this dialect, wherever a provider puts them, in the normal form.
//!
//! Where each provider stands is the provider guide's usage table (read 2026-11): `total_tokens`
//! decides whether reasoning is inside the completion.

use crate::json::Cursor;
use interline_domain::Usage;

/// More than any answer can use: such a count is a provider's mistake.
const MAX_TOKENS: u64 = 1_000_000_000;

/// Reads a `usage` object. `None` if it says nothing: no counter, or only zeros. A prompt is never
/// empty, so zeros are placeholders, and absent usage is not zero usage.
pub(crate) fn decode(raw: &str) -> Option<Usage> {
    let counters = Counters::read(raw)?;
    let prompt = counters.prompt;
    let total = counters.total;
    let completion = counters
        .completion
        .or_else(|| total?.checked_sub(prompt?))
        .or_else(|| prompt.map(|_| 0))?;
    let prompt = prompt.or_else(|| total?.checked_sub(completion))?;
    if prompt == 0 && completion == 0 {
        return None;
    }
    let written = counters.written;
    Some(Usage {
        prompt_tokens: with_cached(prompt, counters.cached, written),
        completion_tokens: with_reasoning(prompt, completion, counters.reasoning, total),
        cached_tokens: counters.cached,
        cache_write_tokens: written,
        cache_write_1h_tokens: counters.written_1h.min(written),
        reasoning_tokens: counters.reasoning,
        audio_prompt_tokens: counters.audio_prompt,
        video_prompt_tokens: counters.video_prompt,
        audio_completion_tokens: counters.audio_completion,
        image_completion_tokens: counters.image_completion,
        accepted_prediction_tokens: counters.accepted,
        rejected_prediction_tokens: counters.rejected,
        web_search_requests: counters.searches,
        is_estimated: counters.is_absurd,
    })
}

/// xAI leaves cached tokens out of the prompt when they are more than the rest.
fn with_cached(prompt: u64, cached: u64, written: u64) -> u64 {
    let prompt = if cached > prompt {
        prompt.saturating_add(cached)
    } else {
        prompt
    };
    prompt.max(cached.saturating_add(written))
}

/// Reasoning is part of the completion, unless the total says that it stands beside it (T19).
fn with_reasoning(prompt: u64, completion: u64, reasoning: Option<u64>, total: Option<u64>) -> u64 {
    let reasoning = reasoning.unwrap_or(0);
    let visible_sum = prompt.saturating_add(completion);
    let is_outside = match total {
        Some(total) if total == visible_sum => false,
        Some(total) if total == visible_sum.saturating_add(reasoning) => true,
        _ => reasoning > completion,
    };
    if is_outside {
        completion.saturating_add(reasoning)
    } else {
        completion
    }
}

#[derive(Default)]
struct Counters {
    prompt: Option<u64>,
    completion: Option<u64>,
    total: Option<u64>,
    reasoning: Option<u64>,
    cached: u64,
    written: u64,
    written_1h: u64,
    audio_prompt: u64,
    video_prompt: u64,
    audio_completion: u64,
    image_completion: u64,
    accepted: u64,
    rejected: u64,
    searches: u64,
    /// A counter was negative or beyond belief, and was clamped.
    is_absurd: bool,
}

impl Counters {
    /// `None` if `raw` is not an object.
    fn read(raw: &str) -> Option<Self> {
        let mut counters = Self::default();
        let is_object = Cursor::new(raw)
            .object(|cursor, key| {
                match key.name.as_ref() {
                    // (sic) Mistral writes `prompt_token_details` now and then.
                    "prompt_tokens_details" | "prompt_token_details" | "input_tokens_details" => {
                        cursor.object(|cursor, key| {
                            if key.name == "cache_creation" {
                                return cursor
                                    .object(|cursor, key| {
                                        let value = cursor.value()?;
                                        counters.cache_creation(&key.name, value);
                                        Ok(())
                                    })
                                    .map(|_| ());
                            }
                            let value = cursor.value()?;
                            counters.prompt_detail(&key.name, value);
                            Ok(())
                        })?;
                    }
                    "completion_tokens_details" | "output_tokens_details" => {
                        cursor.object(|cursor, key| {
                            let value = cursor.value()?;
                            counters.completion_detail(&key.name, value);
                            Ok(())
                        })?;
                    }
                    "server_tool_use" => {
                        cursor.object(|cursor, key| {
                            let value = cursor.value()?;
                            if key.name == "web_search_requests" {
                                counters.raise(value, |counters| &mut counters.searches);
                            }
                            Ok(())
                        })?;
                    }
                    name => {
                        let value = cursor.value()?;
                        counters.top_level(name, value);
                    }
                }
                Ok(())
            })
            .ok()?;
        is_object.then_some(counters)
    }

    fn top_level(&mut self, name: &str, value: &str) {
        match name {
            "prompt_tokens" | "input_tokens" => self.prompt = self.count(value).or(self.prompt),
            "completion_tokens" | "output_tokens" => {
                self.completion = self.count(value).or(self.completion);
            }
            "total_tokens" => self.total = self.count(value),
            // Perplexity has them beside the completion, Together and others at the top level.
            "reasoning_tokens" => self.reasoning = self.reasoning.or(self.count(value)),
            // DeepSeek, Moonshot, Mistral.
            "prompt_cache_hit_tokens" | "cached_tokens" | "num_cached_tokens" => {
                self.raise(value, |counters| &mut counters.cached);
            }
            "num_search_queries" => self.raise(value, |counters| &mut counters.searches),
            _ => {}
        }
    }

    fn prompt_detail(&mut self, name: &str, value: &str) {
        match name {
            "cached_tokens" => self.raise(value, |counters| &mut counters.cached),
            // OpenAI; Alibaba.
            "cache_write_tokens" | "cache_creation_input_tokens" | "cache_creation_tokens" => {
                self.raise(value, |counters| &mut counters.written);
            }
            "audio_tokens" => self.raise(value, |counters| &mut counters.audio_prompt),
            "video_tokens" => self.raise(value, |counters| &mut counters.video_prompt),
            _ => {}
        }
    }

    fn cache_creation(&mut self, name: &str, value: &str) {
        if name == "ephemeral_1h_input_tokens" {
            self.raise(value, |counters| &mut counters.written_1h);
        }
    }

    fn completion_detail(&mut self, name: &str, value: &str) {
        match name {
            "reasoning_tokens" => self.reasoning = self.count(value).or(self.reasoning),
            "audio_tokens" => self.raise(value, |counters| &mut counters.audio_completion),
            "image_tokens" => self.raise(value, |counters| &mut counters.image_completion),
            "accepted_prediction_tokens" => self.raise(value, |counters| &mut counters.accepted),
            "rejected_prediction_tokens" => self.raise(value, |counters| &mut counters.rejected),
            _ => {}
        }
    }

    /// The same counter may stand in two places: they are never added.
    fn raise(&mut self, value: &str, counter: impl FnOnce(&mut Self) -> &mut u64) {
        if let Some(count) = self.count(value) {
            let counter = counter(self);
            *counter = (*counter).max(count);
        }
    }

    /// A count; some providers write `12.0`.
    fn count(&mut self, value: &str) -> Option<u64> {
        let whole = match value.split_once('.') {
            Some((whole, fraction)) if fraction.bytes().all(|byte| byte.is_ascii_digit()) => whole,
            _ => value,
        };
        if let Some(negative) = whole.strip_prefix('-') {
            self.is_absurd |= negative.bytes().any(|byte| byte != b'0');
            return Some(0);
        }
        if !whole.bytes().all(|byte| byte.is_ascii_digit()) || whole.is_empty() {
            return None;
        }
        let count = whole.parse().unwrap_or(u64::MAX);
        self.is_absurd |= count > MAX_TOKENS;
        Some(count.min(MAX_TOKENS))
    }
}
