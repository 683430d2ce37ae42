//! What every request of the main listener shares, in this order:
//!
//! 1. it gets a request id: the client's own if it is well formed, else one of ours;
//! 2. a browser's preflight is answered, and goes no further;
//! 3. a panic becomes the masked 500 of the error table instead of a closed connection;
//! 4. the answer carries the request id, and for a browser the CORS headers.
//!
//! One service with one unboxed future rather than a stack of layers: this is on the path of every
//! completion.

use crate::error::ApiError;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS, ORIGIN,
    VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode};
use interline_domain::ErrorType;
use pin_project_lite::pin_project;
use std::collections::hash_map::RandomState;
use std::convert::Infallible;
use std::future::Future;
use std::hash::BuildHasher;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use tower::Service;

/// Inside the server every request carries it, valid.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What browsers may send. `x-stainless-…` (the headers of generated SDKs) is added as asked for,
/// since CORS has no prefixes.
const ALLOWED_HEADERS: &str = "authorization, content-type, accept, x-api-key, api-key, \
    http-referer, x-title, x-openrouter-title, x-openrouter-categories, x-openrouter-metadata, \
    x-openrouter-experimental-metadata, x-openrouter-cache, x-openrouter-cache-ttl, \
    x-openrouter-cache-clear, x-session-id, x-anthropic-beta, anthropic-beta, anthropic-version, \
    anthropic-dangerous-direct-browser-access, openai-beta, openai-organization, openai-project, \
    idempotency-key, if-none-match, traceparent, tracestate, x-request-id";
const STAINLESS: &str = "x-stainless-";

/// What scripts in browsers may read.
const EXPOSED_HEADERS: HeaderValue = HeaderValue::from_static(
    "x-generation-id, x-request-id, retry-after, etag, x-ratelimit-limit, x-ratelimit-remaining, \
     x-ratelimit-reset, x-openrouter-cache-status, x-openrouter-cache-age, \
     x-openrouter-cache-ttl, x-openrouter-cache-source-id",
);
const ALLOWED_METHODS: HeaderValue =
    HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
const ANYWHERE: HeaderValue = HeaderValue::from_static("*");
/// Two hours, the most that Chromium honours.
const PREFLIGHT_SECONDS: HeaderValue = HeaderValue::from_static("7200");

/// The routes with what all requests share around them.
#[derive(Clone, Debug)]
pub struct Front<S> {
    inner: S,
    ids: Arc<Ids>,
}

impl<S> Front<S> {
    pub fn new(inner: S) -> Self {
        Self {
            inner,
            ids: Arc::new(Ids::new()),
        }
    }
}

impl<S, B> Service<Request<B>> for Front<S>
where
    S: Service<Request<B>, Response = Response, Error = Infallible>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = FrontFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let request_id = self.identify(request.headers_mut());
        let is_cross_origin =
            request.headers().contains_key(ORIGIN) && is_open_to_browsers(request.uri().path());
        if request.method() == Method::OPTIONS && is_open_to_browsers(request.uri().path()) {
            let mut response = preflight(request.headers());
            response.headers_mut().insert(REQUEST_ID, request_id);
            return FrontFuture::Answered {
                response: Some(response),
            };
        }
        let future = self.inner.call(request);
        FrontFuture::Running {
            future,
            request_id: Some(request_id),
            is_cross_origin,
        }
    }
}

impl<S> Front<S> {
    fn identify(&self, headers: &mut HeaderMap) -> HeaderValue {
        if let Some(given) = headers.get(REQUEST_ID)
            && is_request_id(given.as_bytes())
        {
            return given.clone();
        }
        let made = self.ids.next();
        headers.insert(REQUEST_ID, made.clone());
        made
    }
}

fn is_request_id(text: &[u8]) -> bool {
    (8..=128).contains(&text.len())
        && text
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(byte))
}

/// The API is called by web pages of any origin, with a key and never with a cookie. The pages of
/// this server are not.
fn is_open_to_browsers(path: &str) -> bool {
    ["/api/", "/v1/", "/openapi."]
        .iter()
        .any(|prefix| path.starts_with(prefix))
}

fn preflight(asked: &HeaderMap) -> Response {
    let mut allowed = ALLOWED_HEADERS.to_owned();
    let wanted = asked
        .get(ACCESS_CONTROL_REQUEST_HEADERS)
        .and_then(|value| value.to_str().ok());
    for name in wanted.unwrap_or_default().split(',').map(str::trim) {
        if name.len() < 64 && name.starts_with(STAINLESS) {
            allowed.push_str(", ");
            allowed.push_str(name);
        }
    }
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, ANYWHERE);
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, ALLOWED_METHODS);
    headers.insert(ACCESS_CONTROL_MAX_AGE, PREFLIGHT_SECONDS);
    headers.insert(
        VARY,
        HeaderValue::from_static("access-control-request-headers"),
    );
    if let Ok(allowed) = HeaderValue::from_str(&allowed) {
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, allowed);
    }
    response
}

pin_project! {
    /// The answer of a [`Front`].
    #[project = Projected]
    pub enum FrontFuture<F> {
        Answered { response: Option<Response> },
        Running {
            #[pin]
            future: F,
            request_id: Option<HeaderValue>,
            is_cross_origin: bool,
        },
    }
}

impl<F> Future for FrontFuture<F>
where
    F: Future<Output = Result<Response, Infallible>>,
{
    type Output = Result<Response, Infallible>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project() {
            Projected::Answered { response } => {
                Poll::Ready(Ok(response.take().unwrap_or_default()))
            }
            Projected::Running {
                future,
                request_id,
                is_cross_origin,
            } => {
                // What a panic leaves half done belongs to the request alone and is dropped with
                // it; shared state is behind locks that do not poison.
                let polled = catch_unwind(AssertUnwindSafe(|| future.poll(context)));
                let mut response = match polled {
                    Ok(Poll::Pending) => return Poll::Pending,
                    Ok(Poll::Ready(Ok(response))) => response,
                    Err(_) => {
                        tracing::error!(request.id = ?request_id, "a request panicked");
                        ApiError::new(ErrorType::Server, "a request panicked").into_response()
                    }
                };
                let headers = response.headers_mut();
                if *is_cross_origin {
                    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, ANYWHERE);
                    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED_HEADERS);
                }
                if let Some(request_id) = request_id.take() {
                    headers.insert(REQUEST_ID, request_id);
                }
                Poll::Ready(Ok(response))
            }
        }
    }
}

/// Makes request ids: names, not secrets, and unlike those of any other process.
#[derive(Debug)]
struct Ids {
    process: u64,
    count: AtomicU64,
}

impl Ids {
    fn new() -> Self {
        // The standard library seeds every `RandomState` of a process from the system's randomness.
        let random = RandomState::new();
        Self {
            process: random.hash_one(0),
            count: AtomicU64::new(random.hash_one(1)),
        }
    }

    /// Eight digits of the process and sixteen of a scrambled count.
    fn next(&self) -> HeaderValue {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        // The finaliser of SplitMix64, a bijection: no two counts give the same digits.
        let mut count = self.count.fetch_add(1, Ordering::Relaxed);
        count = (count ^ (count >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        count = (count ^ (count >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        count ^= count >> 31;
        let mut text = [b'0'; 24];
        let mut digits = u128::from(self.process & 0xffff_ffff) << 64 | u128::from(count);
        for place in text.iter_mut().rev() {
            *place = DIGITS[usize::try_from(digits & 15).unwrap_or(0)];
            digits >>= 4;
        }
        HeaderValue::from_bytes(&text).unwrap_or(HeaderValue::from_static("unnamed-request"))
    }
}

#[cfg(test)]
mod tests;
