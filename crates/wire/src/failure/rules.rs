//! From signals to a verdict: tables of codes, messages and statuses.
//!
//! A provider's message may quote the caller. So that nobody can talk an endpoint or our
//! credential out of service, a pattern that blames anyone but the caller counts, on a status that
//! blames the request, only at the beginning of the message.

use super::signals::Signals;
use interline_domain::failure::Blame;
use interline_domain::{ErrorType, Retry};

/// What happened, before it is turned into what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The prompt does not fit the window.
    Context,
    /// The answer asked for is longer than the endpoint gives.
    OutputLimit,
    StringTooLong,
    Authentication,
    Billing,
    Region,
    Permission,
    NotFound,
    TooLarge,
    Precondition,
    Invalid,
    /// The shape of the body was refused; ours, if we translated.
    Shape,
    Unprocessable,
    /// Sealed reasoning of the history was refused.
    SealedReasoning,
    /// `max_tokens` and `max_completion_tokens`, the wrong one of the two.
    LimitField,
    /// The model wrote a tool call that the provider could not read.
    ToolUseFailed,
    Policy,
    Image(ErrorType),
    RateLimit,
    Overloaded,
    Timeout,
    Unavailable,
    Unmapped,
}

/// What a kind leads to, for the operator's credential.
pub(super) struct Verdict {
    pub(super) error_type: ErrorType,
    pub(super) retry: Retry,
    pub(super) blame: Blame,
    /// Waiting may help, so a wait named by the provider is worth reading.
    pub(super) may_heal: bool,
}

impl Kind {
    pub(super) fn verdict(self) -> Verdict {
        use ErrorType as E;
        let (error_type, retry, blame) = match self {
            Self::Context => (
                E::ContextLengthExceeded,
                Retry::LargerContext,
                Blame::Caller,
            ),
            Self::OutputLimit => (E::MaxTokensExceeded, Retry::SameAfterRename, Blame::Caller),
            Self::StringTooLong => (E::StringTooLong, Retry::No, Blame::Caller),
            Self::Authentication | Self::Billing => {
                (E::ProviderUnavailable, Retry::Elsewhere, Blame::Credential)
            }
            Self::Permission => (E::PermissionDenied, Retry::Elsewhere, Blame::Credential),
            Self::NotFound => (E::NotFound, Retry::Elsewhere, Blame::Listing),
            Self::TooLarge => (E::PayloadTooLarge, Retry::Elsewhere, Blame::Caller),
            Self::Precondition => (E::PreconditionFailed, Retry::No, Blame::Caller),
            Self::Invalid => (E::InvalidRequest, Retry::No, Blame::Caller),
            Self::Shape => (E::InvalidRequest, Retry::IfTranslated, Blame::Caller),
            Self::Unprocessable => (E::Unprocessable, Retry::IfTranslated, Blame::Caller),
            Self::SealedReasoning => (E::InvalidRequest, Retry::SameAfterStrip, Blame::Caller),
            Self::LimitField => (E::InvalidRequest, Retry::SameAfterRename, Blame::Caller),
            Self::ToolUseFailed => (E::Unprocessable, Retry::SameOnce, Blame::Caller),
            Self::Policy => (E::ContentPolicyViolation, Retry::No, Blame::Caller),
            Self::Image(error_type) => (error_type, Retry::No, Blame::Caller),
            Self::RateLimit => (E::RateLimitExceeded, Retry::Elsewhere, Blame::Capacity),
            Self::Overloaded => (E::ProviderOverloaded, Retry::Elsewhere, Blame::Endpoint),
            Self::Timeout => (E::Timeout, Retry::Elsewhere, Blame::Endpoint),
            Self::Region | Self::Unavailable => {
                (E::ProviderUnavailable, Retry::Elsewhere, Blame::Endpoint)
            }
            Self::Unmapped => (E::Unmapped, Retry::Elsewhere, Blame::Endpoint),
        };
        Verdict {
            error_type,
            retry,
            blame,
            may_heal: matches!(
                self,
                Self::RateLimit | Self::Overloaded | Self::Timeout | Self::Unavailable
            ),
        }
    }

    /// What is said instead of the provider's words about the operator's own account.
    pub(super) const fn masked_message(self) -> Option<&'static str> {
        match self {
            Self::Authentication => Some("The provider refused the credential of this service"),
            Self::Billing => Some("The provider refused the account of this service"),
            Self::Permission => Some("The account of this service may not use this model"),
            _ => None,
        }
    }
}

/// Codes and types that decide alone, in lower case.
const WORDS: &[(&str, Kind)] = &[
    ("context_length_exceeded", Kind::Context),
    ("exceed_context_size_error", Kind::Context),
    ("1261", Kind::Context), // Z.ai
    ("max_tokens_exceeded", Kind::OutputLimit),
    ("string_above_max_length", Kind::StringTooLong),
    ("string_too_long", Kind::StringTooLong),
    ("invalid_encrypted_content", Kind::SealedReasoning),
    ("thinking_signature_invalid", Kind::SealedReasoning),
    ("tool_use_failed", Kind::ToolUseFailed),
    // credential
    ("invalid_api_key", Kind::Authentication),
    ("api_key_invalid", Kind::Authentication),
    ("authentication_error", Kind::Authentication),
    ("authentication", Kind::Authentication),
    ("unauthenticated", Kind::Authentication),
    ("account_deactivated", Kind::Authentication),
    ("expiredtokenexception", Kind::Authentication),
    ("unrecognizedclientexception", Kind::Authentication),
    ("insufficient_quota", Kind::Billing),
    ("insufficient_balance", Kind::Billing),
    ("exceeded_current_quota_error", Kind::Billing),
    ("billing_error", Kind::Billing),
    ("billing_not_active", Kind::Billing),
    ("billing_hard_limit_reached", Kind::Billing),
    ("billing_disabled", Kind::Billing),
    ("payment_required", Kind::Billing),
    ("arrearage", Kind::Billing),
    ("1113", Kind::Billing), // Z.ai
    ("permission_error", Kind::Permission),
    ("permission_denied", Kind::Permission),
    ("accessdeniedexception", Kind::Permission),
    ("unsupported_country_region_territory", Kind::Region),
    // endpoint
    ("model_not_found", Kind::NotFound),
    ("deploymentnotfound", Kind::NotFound),
    ("not_found", Kind::NotFound),
    ("not_found_error", Kind::NotFound),
    ("resourcenotfoundexception", Kind::NotFound),
    ("rate_limit_exceeded", Kind::RateLimit),
    ("rate_limit_error", Kind::RateLimit),
    ("rate_limited", Kind::RateLimit),
    ("rate_limit_reached_error", Kind::RateLimit),
    ("too_many_requests", Kind::RateLimit),
    ("queue_exceeded", Kind::RateLimit),
    ("concurrency_limit", Kind::RateLimit),
    ("resource_exhausted", Kind::RateLimit),
    ("throttlingexception", Kind::RateLimit),
    ("servicequotaexceededexception", Kind::RateLimit),
    ("overloaded_error", Kind::Overloaded),
    ("server_is_overloaded", Kind::Overloaded),
    ("engine_overloaded_error", Kind::Overloaded),
    ("provider_overloaded", Kind::Overloaded),
    ("capacity_exceeded", Kind::Overloaded),
    ("resource_unavailable", Kind::Overloaded),
    ("slow_down", Kind::Overloaded),
    ("queue_full", Kind::Overloaded),
    ("unavailable", Kind::Overloaded),
    ("unavailable_error", Kind::Overloaded),
    ("serviceunavailableexception", Kind::Overloaded),
    ("modelnotreadyexception", Kind::Overloaded),
    ("timeout_error", Kind::Timeout),
    ("deadline_exceeded", Kind::Timeout),
    ("modeltimeoutexception", Kind::Timeout),
    ("modelerrorexception", Kind::Unavailable),
    ("provider_unavailable", Kind::Unavailable),
    ("request_too_large", Kind::TooLarge),
    // content
    ("content_filter", Kind::Policy),
    ("content_policy_violation", Kind::Policy),
    ("image_content_policy_violation", Kind::Policy),
    ("responsibleaipolicyviolation", Kind::Policy),
    ("moderation_blocked", Kind::Policy),
    ("data_inspection_failed", Kind::Policy),
    ("datainspectionfailed", Kind::Policy),
    ("1301", Kind::Policy), // Z.ai
    ("invalid_image", Kind::Image(ErrorType::InvalidImage)),
    ("image_parse_error", Kind::Image(ErrorType::InvalidImage)),
    ("invalid_base64_image", Kind::Image(ErrorType::InvalidImage)),
    ("empty_image_file", Kind::Image(ErrorType::InvalidImage)),
    (
        "invalid_image_url",
        Kind::Image(ErrorType::ImageDownloadFailed),
    ),
    (
        "failed_to_download_image",
        Kind::Image(ErrorType::ImageDownloadFailed),
    ),
    (
        "image_file_not_found",
        Kind::Image(ErrorType::ImageNotFound),
    ),
    ("image_too_large", Kind::Image(ErrorType::ImageTooLarge)),
    (
        "image_file_too_large",
        Kind::Image(ErrorType::ImageTooLarge),
    ),
    ("image_too_small", Kind::Image(ErrorType::ImageTooSmall)),
    (
        "invalid_image_format",
        Kind::Image(ErrorType::UnsupportedImageFormat),
    ),
    (
        "unsupported_image_media_type",
        Kind::Image(ErrorType::UnsupportedImageFormat),
    ),
    // Z.ai limits
    ("1302", Kind::RateLimit),
    ("1303", Kind::RateLimit),
    ("1304", Kind::RateLimit),
    ("1305", Kind::RateLimit),
    ("1308", Kind::RateLimit),
    ("1309", Kind::RateLimit),
    ("1310", Kind::RateLimit),
    ("1311", Kind::RateLimit),
    ("1312", Kind::RateLimit),
    ("1313", Kind::RateLimit),
    ("1234", Kind::Unavailable),
];

/// `MiniMax` numbers, read only inside `base_resp`.
const BASE_RESP: &[(i64, Kind)] = &[
    (1001, Kind::Timeout),
    (1002, Kind::RateLimit),
    (1004, Kind::Authentication),
    (1008, Kind::Billing),
    (1013, Kind::Unavailable),
    (1026, Kind::Policy),
    (1027, Kind::Policy),
    (1039, Kind::RateLimit),
    (2013, Kind::Invalid),
];

/// Types that say little more than a status: used when there is no error status to go by.
const GENERIC_WORDS: &[(&str, Kind)] = &[
    ("invalid_request_error", Kind::Invalid),
    ("invalid_request", Kind::Invalid),
    ("invalid_argument", Kind::Invalid),
    ("invalid_parameter_error", Kind::Invalid),
    ("badrequesterror", Kind::Invalid),
    ("validationexception", Kind::Invalid),
    ("unprocessable", Kind::Unprocessable),
    ("tokens", Kind::RateLimit),
    ("requests", Kind::RateLimit),
];

/// Messages, in lower case: all pieces must occur, in order. The first line that fits decides.
const MESSAGES: &[(&[&str], Kind)] = &[
    (
        &["encrypted content", "could not be"],
        Kind::SealedReasoning,
    ),
    (&["items are not persisted when"], Kind::SealedReasoning),
    (
        &["invalid `signature` in `thinking`"],
        Kind::SealedReasoning,
    ),
    (&["thought signature is not valid"], Kind::SealedReasoning),
    (&["corrupted thought signature"], Kind::SealedReasoning),
    (
        &["max_tokens", "not supported", "max_completion_tokens"],
        Kind::LimitField,
    ),
    (
        &["max_completion_tokens", "not supported", "max_tokens"],
        Kind::LimitField,
    ),
    (&["max_tokens", "too large"], Kind::OutputLimit),
    (&["max_completion_tokens", "too large"], Kind::OutputLimit),
    (
        &["max_tokens", "maximum allowed number of output tokens"],
        Kind::OutputLimit,
    ),
    (&["maximum context length"], Kind::Context),
    (&["maximum prompt length"], Kind::Context),
    (&["prompt is too long"], Kind::Context),
    (&["prompt too long"], Kind::Context),
    (&["input is too long"], Kind::Context),
    (&["exceeds the maximum number of tokens"], Kind::Context),
    (&["exceed_context_size_error"], Kind::Context),
    (&["context_length_exceeded"], Kind::Context),
    (&["model token limit"], Kind::Context),
    (&["prompt exceeds max length"], Kind::Context),
    (&["available context size"], Kind::Context),
    (&["exceed context limit"], Kind::Context),
    (&["exceeds the context window"], Kind::Context),
    (&["exceeds the model's context"], Kind::Context),
    (
        &["number of tokens in the prompt cannot exceed"],
        Kind::Context,
    ),
    (&["range of input length should be"], Kind::Context),
    (&["reduce the length of the messages"], Kind::Context),
    (&["max_tokens", "at most"], Kind::OutputLimit),
    (&["max_completion_tokens", "at most"], Kind::OutputLimit),
    (&["usage guidelines"], Kind::Policy),
    (&["content management policy"], Kind::Policy),
    (&["content policy"], Kind::Policy),
    (&["safety system"], Kind::Policy),
    (&["inappropriate content"], Kind::Policy),
    (&["sensitive content"], Kind::Policy),
    (
        &["error while downloading"],
        Kind::Image(ErrorType::ImageDownloadFailed),
    ),
    (
        &["unable to download the file"],
        Kind::Image(ErrorType::ImageDownloadFailed),
    ),
    (
        &["failed to download", "image"],
        Kind::Image(ErrorType::ImageDownloadFailed),
    ),
    (&["image exceeds"], Kind::Image(ErrorType::ImageTooLarge)),
    (
        &["image dimensions exceed"],
        Kind::Image(ErrorType::ImageTooLarge),
    ),
    (
        &["image", "too large"],
        Kind::Image(ErrorType::ImageTooLarge),
    ),
    (
        &["image", "too small"],
        Kind::Image(ErrorType::ImageTooSmall),
    ),
    (
        &["unsupported image"],
        Kind::Image(ErrorType::UnsupportedImageFormat),
    ),
    (
        &["image does not match the provided media type"],
        Kind::Image(ErrorType::UnsupportedImageFormat),
    ),
    (
        &["could not process image"],
        Kind::Image(ErrorType::InvalidImage),
    ),
    (
        &["unable to process input image"],
        Kind::Image(ErrorType::InvalidImage),
    ),
    (&["invalid image"], Kind::Image(ErrorType::InvalidImage)),
    (&["your credit balance is too low"], Kind::Billing),
    (&["insufficient balance"], Kind::Billing),
    (&["insufficient credit"], Kind::Billing),
    (&["api key not valid"], Kind::Authentication),
    (&["incorrect api key"], Kind::Authentication),
    (&["invalid api key"], Kind::Authentication),
    (&["user location is not supported"], Kind::Region),
    (
        &["country, region, or territory not supported"],
        Kind::Region,
    ),
    (&["not available in your country"], Kind::Region),
    (&["model does not exist"], Kind::NotFound),
    (&["model not found"], Kind::NotFound),
    (&["model not exist"], Kind::NotFound), // DeepSeek, with a 400
    (&["loading model"], Kind::Overloaded),
    (&["the model is overloaded"], Kind::Overloaded),
    (&["the engine is currently overloaded"], Kind::Overloaded),
    (&["rate limit"], Kind::RateLimit),
    (&["too many requests"], Kind::RateLimit),
];

/// Code or type, then message, then status.
pub(super) fn decide(signals: &Signals, status: u16) -> Kind {
    if (300..400).contains(&status) {
        // A redirect's body is whatever its sender likes.
        return Kind::Unavailable;
    }
    by_word(signals)
        .or_else(|| by_message(&signals.message, status))
        .unwrap_or_else(|| by_status(signals, status))
}

fn by_word(signals: &Signals) -> Option<Kind> {
    if let Some(number) = signals.base_resp {
        let known = BASE_RESP.iter().find(|(code, _)| *code == number);
        return known.map(|(_, kind)| *kind);
    }
    signals.words.iter().find_map(|word| {
        let word = word.to_ascii_lowercase();
        if word.starts_with("throttling.") {
            return Some(Kind::RateLimit); // Alibaba: `Throttling.RateQuota`, `Throttling.User`
        }
        let known = WORDS.iter().find(|(name, _)| *name == word);
        known.map(|(_, kind)| *kind)
    })
}

fn by_message(message: &str, status: u16) -> Option<Kind> {
    let message = message.to_ascii_lowercase();
    let blames_request = matches!(status, 400 | 413 | 422);
    MESSAGES
        .iter()
        .find(|(pieces, kind)| {
            let anchored = blames_request && kind.verdict().blame != Blame::Caller;
            match pieces {
                [first, ..] if anchored => message.trim_start().starts_with(first),
                _ => in_order(&message, pieces),
            }
        })
        .map(|(_, kind)| *kind)
}

fn in_order(text: &str, pieces: &[&str]) -> bool {
    let mut rest = text;
    pieces.iter().all(|piece| match rest.split_once(piece) {
        Some((_, after)) => {
            rest = after;
            true
        }
        None => false,
    })
}

fn by_status(signals: &Signals, status: u16) -> Kind {
    match status {
        // An error in a good answer, without a code that we know.
        0..300 => signals
            .words
            .iter()
            .find_map(|word| {
                let word = word.to_ascii_lowercase();
                let known = GENERIC_WORDS.iter().find(|(name, _)| *name == word);
                known.map(|(_, kind)| *kind)
            })
            .unwrap_or(Kind::Unavailable),
        400 => Kind::Invalid,
        401 => Kind::Authentication,
        402 => Kind::Billing,
        403 => Kind::Permission,
        404 | 410 => Kind::NotFound,
        406 | 415 => Kind::Shape,
        408 | 504 => Kind::Timeout,
        412 => Kind::Precondition,
        413 => Kind::TooLarge,
        422 => Kind::Unprocessable,
        429 => Kind::RateLimit,
        498 | 503 | 529 => Kind::Overloaded,
        405 | 409 | 421 | 424 | 425 | 451 | 499 | 500..=528 | 530..600 => Kind::Unavailable,
        _ => Kind::Unmapped,
    }
}
