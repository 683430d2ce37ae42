//! What went wrong, as a value: retry and fallback decide on it, and every skin renders it.

use core::time::Duration;

macro_rules! error_types {
    ($($variant:ident $name:literal $status:literal),+ $(,)?) => {
        /// The public vocabulary of `error_type`; the same word on every skin.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ErrorType {
            $(#[doc = $name] $variant,)+
        }

        impl ErrorType {
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// The code that goes with the type in the public API's table.
            pub const fn code(self) -> u16 {
                match self { $(Self::$variant => $status,)+ }
            }

            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|kind| kind.as_str() == text)
            }
        }
    };
}

error_types! {
    ContextLengthExceeded "context_length_exceeded" 400,
    MaxTokensExceeded "max_tokens_exceeded" 400,
    TokenLimitExceeded "token_limit_exceeded" 400,
    StringTooLong "string_too_long" 400,
    Authentication "authentication" 401,
    PermissionDenied "permission_denied" 403,
    PaymentRequired "payment_required" 402,
    RateLimitExceeded "rate_limit_exceeded" 429,
    ProviderOverloaded "provider_overloaded" 503,
    ProviderUnavailable "provider_unavailable" 502,
    InvalidRequest "invalid_request" 400,
    InvalidPrompt "invalid_prompt" 400,
    NotFound "not_found" 404,
    PreconditionFailed "precondition_failed" 412,
    PayloadTooLarge "payload_too_large" 413,
    Unprocessable "unprocessable" 422,
    ContentPolicyViolation "content_policy_violation" 400,
    Refusal "refusal" 400,
    InvalidImage "invalid_image" 400,
    ImageTooLarge "image_too_large" 400,
    ImageTooSmall "image_too_small" 400,
    UnsupportedImageFormat "unsupported_image_format" 400,
    ImageDownloadFailed "image_download_failed" 400,
    ImageNotFound "image_not_found" 404,
    Server "server" 500,
    Timeout "timeout" 504,
    Unmapped "unmapped" 500,
}

/// Where the same request may be tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Retry {
    /// The request itself is at fault: nowhere.
    No,
    /// At any other endpoint.
    Elsewhere,
    /// Only at an endpoint with a larger context window.
    LargerContext,
    /// At the same endpoint, once more, unchanged.
    SameOnce,
    /// At the same endpoint, once, without the sealed reasoning of the history.
    SameAfterStrip,
    /// At the same endpoint, once, with the rejected parameter renamed or clamped.
    SameAfterRename,
    /// Elsewhere if we changed the dialect (the fault may be ours), else nowhere.
    IfTranslated,
}

/// Who should be blamed, and so what a failure teaches the router about the endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Blame {
    /// The caller's request: teaches nothing.
    Caller,
    /// The endpoint: counts towards outage and breaker.
    Endpoint,
    /// The credential: it rests, the endpoint stays.
    Credential,
    /// A rate limit: the endpoint rests for the time named, without counting as an outage.
    Capacity,
    /// The model is not there: the endpoint is out.
    Listing,
    /// Our own deadline or decision, before the provider had its full time.
    Router,
}

/// One failed attempt, or a refusal of our own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub error_type: ErrorType,
    /// The provider's HTTP status, or the one inside a 200 body. `None`: it never answered.
    pub status: Option<u16>,
    /// The provider's own code, never ours.
    pub provider_code: Option<String>,
    /// For the caller, cleaned of keys and markup.
    pub message: String,
    /// The provider's body as text, cleaned and cut to 4 KiB; shown only for unmasked classes.
    pub raw: Option<String>,
    pub retry: Retry,
    pub blame: Blame,
    /// How long the provider asks us to wait.
    pub retry_after: Option<Duration>,
}

impl Failure {
    /// A failure of the endpoint itself (connection, protocol, cut stream).
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self {
            error_type: ErrorType::ProviderUnavailable,
            status: None,
            provider_code: None,
            message: message.into(),
            raw: None,
            retry: Retry::Elsewhere,
            blame: Blame::Endpoint,
            retry_after: None,
        }
    }

    /// A deadline of ours that the provider let pass.
    pub fn timeout(message: impl Into<String>) -> Self {
        Self {
            error_type: ErrorType::Timeout,
            ..Self::unavailable(message)
        }
    }

    /// A request that no endpoint could take.
    pub fn invalid(error_type: ErrorType, message: impl Into<String>) -> Self {
        Self {
            error_type,
            retry: Retry::No,
            blame: Blame::Caller,
            ..Self::unavailable(message)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_round_trip() {
        for kind in ErrorType::ALL {
            assert_eq!(ErrorType::parse(kind.as_str()), Some(*kind));
        }
    }
}
