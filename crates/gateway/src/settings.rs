//! The gateway's settings, already validated. Stored in milliseconds, used as durations.

use interline_domain::Timestamp;
use std::time::Duration;

/// Tells the time. `app` owns the real one.
pub type Clock = fn() -> Timestamp;

/// Deadlines and bounds of a request.
#[derive(Clone, Debug)]
pub struct Settings {
    /// From sending a request to the head of its answer, and from there to the first token.
    pub first_byte_timeout: Duration,
    /// The same for models that reason, or while the provider sends comments.
    pub reasoning_first_byte_timeout: Duration,
    /// Between two events of a stream.
    pub idle_timeout: Duration,
    /// From the request to the end of its answer.
    pub total_timeout: Duration,
    /// Comments to the client while there is nothing else to send.
    pub comment_interval: Duration,
    /// How long the head of a streamed answer is held back, so that a failure can still have a
    /// status of its own.
    pub head_grace: Duration,
    /// The longest whole answer of a provider.
    pub max_answer_bytes: usize,
    /// How long a charged request waits in the spool before it is posted, so that a crash in
    /// between is recognised as "delivery unknown".
    pub posting_delay: Duration,
    /// Reading the rest of a stream whose client left, where the provider cannot be stopped.
    pub max_drains: usize,
    /// `false`: metering only.
    pub requires_credit: bool,
    /// Where a caller without credit is sent.
    pub credits_url: String,
    /// This deployment's label.
    pub region: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            first_byte_timeout: Duration::from_mins(1),
            reasoning_first_byte_timeout: Duration::from_mins(5),
            idle_timeout: Duration::from_mins(2),
            total_timeout: Duration::from_mins(30),
            comment_interval: Duration::from_secs(10),
            head_grace: Duration::from_secs(10),
            max_answer_bytes: 64 * 1024 * 1024,
            posting_delay: Duration::from_millis(300),
            max_drains: 256,
            requires_credit: true,
            credits_url: "http://127.0.0.1:8080/settings/credits".into(),
            region: "local".into(),
        }
    }
}
