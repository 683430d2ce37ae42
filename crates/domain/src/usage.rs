//! What a call used, in the one normal form that every dialect's counters are brought into.

/// Counters of one answer. `prompt_tokens` **includes** cached, cache-written, audio, image and
/// tool tokens; `completion_tokens` includes reasoning. `total = prompt + completion`, always.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    pub prompt_tokens: u64,
    pub completion_tokens: u64,
    /// Prompt tokens read from the provider's cache.
    pub cached_tokens: u64,
    /// Prompt tokens written to the provider's cache, whatever their time to live.
    pub cache_write_tokens: u64,
    /// The part of `cache_write_tokens` with a time to live of one hour.
    pub cache_write_1h_tokens: u64,
    /// `None`: the provider does not say.
    pub reasoning_tokens: Option<u64>,
    pub audio_prompt_tokens: u64,
    pub video_prompt_tokens: u64,
    pub audio_completion_tokens: u64,
    pub image_completion_tokens: u64,
    pub accepted_prediction_tokens: u64,
    pub rejected_prediction_tokens: u64,
    /// Searches the provider itself ran and bills.
    pub web_search_requests: u64,
    /// Counted by us, because the provider reported nothing (or something absurd).
    pub is_estimated: bool,
}

impl Usage {
    pub fn total_tokens(&self) -> u64 {
        self.prompt_tokens.saturating_add(self.completion_tokens)
    }
}
