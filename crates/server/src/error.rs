//! The only table from an error to a status, and the shape OpenAI clients expect.

use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use interline_domain::ErrorType;
use interline_gateway::keys::KeyError;
use interline_gateway::refusal::Refusal;
use std::time::Duration;

pub(crate) const GENERATION_ID: HeaderName = HeaderName::from_static("x-generation-id");

/// Any error of the API, ready to be sent.
#[derive(Debug)]
pub struct ApiError {
    refusal: Box<Refusal>,
    /// Shown on failures of authenticated callers.
    user_id: Option<String>,
}

impl ApiError {
    pub fn new(error_type: ErrorType, message: impl Into<String>) -> Self {
        Refusal::new(error_type, message).into()
    }

    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(ErrorType::NotFound, message)
    }

    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(ErrorType::PermissionDenied, message)
    }

    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorType::InvalidRequest, message)
    }

    /// Trouble of our own, which passes.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Refusal::unavailable(message, Duration::from_secs(2)).into()
    }

    #[must_use]
    pub fn of(mut self, user_id: &str) -> Self {
        self.user_id = Some(user_id.to_owned());
        self
    }

    /// With another status than the type's own.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.refusal.code = status;
        self
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        Self {
            refusal: Box::new(refusal),
            user_id: None,
        }
    }
}

impl From<KeyError> for ApiError {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::Unavailable => Self::unavailable(error.to_string()),
            _ => Self::new(ErrorType::Authentication, error.to_string()),
        }
    }
}

impl From<interline_store::Error> for ApiError {
    fn from(error: interline_store::Error) -> Self {
        tracing::error!(%error, "the store did not answer");
        Self::unavailable("The database does not answer right now. Try again shortly.")
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let refusal = &self.refusal;
        let text = refusal
            .to_body(self.user_id)
            .envelope(refusal.metadata.as_deref());
        let status =
            StatusCode::from_u16(refusal.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, text).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
        if let Some(wait) = refusal.retry_after {
            // Rounded up: earlier than asked would be refused again.
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        if let Some(id) = &refusal.generation_id
            && let Ok(value) = HeaderValue::from_str(id)
        {
            headers.insert(GENERATION_ID, value);
        }
        response
    }
}
