//! Who is calling, from the headers.

use crate::App;
use crate::error::ApiError;
use http::HeaderMap;
use interline_gateway::keys::{Caller, KeyError};
use std::sync::Arc;

/// The key a request carries: `Authorization: Bearer`, `x-api-key` or `api-key`.
pub(crate) fn presented_key(headers: &HeaderMap) -> Option<&str> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(value) = text("authorization") {
        let (scheme, key) = value.split_once(' ')?;
        return scheme
            .eq_ignore_ascii_case("bearer")
            .then_some(key.trim())
            .filter(|k| !k.is_empty());
    }
    text("x-api-key")
        .or_else(|| text("api-key"))
        .map(str::trim)
        .filter(|key| !key.is_empty())
}

/// The caller of any authenticated route.
pub(crate) async fn caller(app: &App, headers: &HeaderMap) -> Result<Arc<Caller>, ApiError> {
    let key = presented_key(headers).ok_or(KeyError::Missing)?;
    Ok(app
        .gateway
        .keys
        .authenticate(key, app.gateway.now())
        .await?)
}

/// The caller of an inference route: management keys administer and never infer.
pub(crate) async fn inference_caller(
    app: &App,
    headers: &HeaderMap,
) -> Result<Arc<Caller>, ApiError> {
    let caller = caller(app, headers).await?;
    if caller.is_management() {
        return Err(ApiError::forbidden(
            "This is a management key. Use an inference key for completions.",
        ));
    }
    Ok(caller)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_in_three_headers() {
        let check = |name: &'static str, value: &'static str, expected: Option<&str>| {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().unwrap());
            assert_eq!(presented_key(&headers), expected, "{name}: {value}");
        };
        check("authorization", "Bearer k", Some("k"));
        check("authorization", "bearer  k ", Some("k"));
        check("authorization", "Basic k", None);
        check("authorization", "Bearer ", None);
        check("authorization", "k", None);
        check("x-api-key", "k", Some("k"));
        check("api-key", " k", Some("k"));
        check("x-api-key", "", None);
    }
}
