//! Answers that clients may keep: a body, its tag, and "you have it already".

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, StatusCode};
use std::hash::{DefaultHasher, Hasher};

/// Anybody may keep it, for a minute: the catalogue changes seldom and prices matter.
const PUBLIC: HeaderValue = HeaderValue::from_static("public, max-age=60");
/// For the caller alone.
pub(crate) const PRIVATE: HeaderValue = HeaderValue::from_static("private, no-store");

/// A body with its tag. Cloning shares the bytes.
#[derive(Clone, Debug)]
pub(crate) struct Document {
    body: Bytes,
    tag: HeaderValue,
    content_type: HeaderValue,
}

impl Document {
    pub(crate) fn new(body: impl Into<Bytes>, content_type: &'static str) -> Self {
        let body = body.into();
        let mut hasher = DefaultHasher::new();
        hasher.write(&body);
        let tag = format!("\"{:016x}\"", hasher.finish());
        Self {
            body,
            tag: HeaderValue::from_str(&tag).unwrap_or(HeaderValue::from_static("\"\"")),
            content_type: HeaderValue::from_static(content_type),
        }
    }

    pub(crate) fn json(body: impl Into<Bytes>) -> Self {
        Self::new(body, "application/json")
    }

    /// The document, or 304 if the client has it.
    pub(crate) fn answer(&self, request: &HeaderMap) -> Response {
        self.answer_kept(request, PUBLIC)
    }

    /// As [`Self::answer`], with a `Cache-Control` of its own.
    pub(crate) fn answer_kept(&self, request: &HeaderMap, kept: HeaderValue) -> Response {
        let mut response = if self.is_held_by(request) {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            let mut response = self.body.clone().into_response();
            response
                .headers_mut()
                .insert(CONTENT_TYPE, self.content_type.clone());
            response
        };
        let headers = response.headers_mut();
        headers.insert(ETAG, self.tag.clone());
        headers.insert(CACHE_CONTROL, kept);
        response
    }

    /// Compares as `If-None-Match` wants it: weakly, any of a list, or `*`.
    fn is_held_by(&self, request: &HeaderMap) -> bool {
        let tag = self.tag.to_str().unwrap_or_default();
        request
            .get_all(IF_NONE_MATCH)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .map(str::trim)
            .any(|held| held == "*" || held.trim_start_matches("W/") == tag)
    }
}

/// A JSON answer for the caller alone.
pub(crate) fn private_json<T: serde::Serialize>(body: &T) -> Response {
    match serde_json::to_vec(body) {
        Ok(body) => {
            let headers = [
                (CONTENT_TYPE, HeaderValue::from_static("application/json")),
                (CACHE_CONTROL, PRIVATE),
            ];
            (headers, body).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "an answer could not be written");
            crate::error::ApiError::new(interline_domain::ErrorType::Server, "unwritable answer")
                .into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_has_it_is_told_so() {
        let document = Document::json("{}");
        let tag = document.tag.to_str().unwrap().to_owned();
        for (held, expected) in [
            (None, 200),
            (Some(tag.clone()), 304),
            (Some(format!("\"other\", W/{tag}")), 304),
            (Some("*".to_owned()), 304),
            (Some("\"other\"".to_owned()), 200),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(held) = &held {
                headers.insert(IF_NONE_MATCH, held.parse().unwrap());
            }
            let response = document.answer(&headers);
            assert_eq!(response.status(), expected, "{held:?}");
            assert_eq!(response.headers()[ETAG], tag);
        }
        assert_ne!(Document::json("[]").tag, document.tag);
    }
}
