//! Paths and methods that are not there, answered with what may have been meant.

use super::{BASES, Route, TABLE};
use crate::error::ApiError;
use http::{Method, Uri};
use interline_domain::ErrorType;
use interline_domain::catalogue::distance;

/// Routes of the compatible API that this version does not have yet, and what to use meanwhile.
const NOT_YET: &[(&str, &str)] = &[
    ("/completions", "/chat/completions"),
    ("/responses", "/chat/completions"),
    ("/messages", "/chat/completions"),
    ("/embeddings", ""),
    ("/rerank", ""),
    ("/audio/speech", ""),
    ("/audio/transcriptions", ""),
    ("/images", ""),
    ("/videos", ""),
    ("/keys", ""),
    ("/activity", ""),
];
/// Longest path worth comparing or repeating.
const MAX_SHOWN: usize = 128;

pub(super) async fn path(method: Method, uri: Uri) -> ApiError {
    ApiError::not_found(missing(&method, uri.path()))
}

pub(super) async fn method(method: Method, uri: Uri) -> ApiError {
    let known: Vec<_> = TABLE
        .iter()
        .filter(|route| route.paths().any(|path| is_match(&path, uri.path())))
        .map(|route| route.verb.as_str())
        .collect();
    let message = format!(
        "{} takes {}, not {method}.",
        shown(uri.path()),
        known.join(" or ")
    );
    ApiError::new(ErrorType::InvalidRequest, message).with_status(405)
}

fn missing(method: &Method, path: &str) -> String {
    let tail = tail(path);
    if let Some((name, instead)) = NOT_YET.iter().find(|(name, _)| *name == tail) {
        let base = BASES[0];
        let message = format!("This version does not serve {base}{name} yet.");
        return if instead.is_empty() {
            message
        } else {
            format!("{message} Use POST {base}{instead}.")
        };
    }
    let hint = match nearest(tail) {
        Some(route) => {
            let path = route.paths().next().unwrap_or_default();
            format!("Did you mean {} {path}?", route.verb.as_str())
        }
        None => "All routes are listed at /docs/api.".to_owned(),
    };
    format!("There is no {method} {}. {hint}", shown(path))
}

/// A path without what clients put before it by mistake, once too often or not at all.
fn tail(path: &str) -> &str {
    let mut rest = path.trim_end_matches('/');
    for prefix in ["/api", "/v1", "/api", "/v1"] {
        if let Some(stripped) = rest.strip_prefix(prefix)
            && (stripped.is_empty() || stripped.starts_with('/'))
        {
            rest = stripped;
        }
    }
    rest
}

fn nearest(tail: &str) -> Option<&'static Route> {
    if let Some(route) = TABLE.iter().find(|route| is_match(route.path, tail)) {
        return Some(route);
    }
    let tail = tail.get(..MAX_SHOWN).unwrap_or(tail);
    TABLE
        .iter()
        .map(|route| (distance(tail.as_bytes(), route.path.as_bytes()), route))
        .filter(|(distance, route)| *distance * 3 <= route.path.len())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, route)| route)
}

/// Whether `path` is of the form `pattern`, whose `{…}` stand for any segment.
fn is_match(pattern: &str, path: &str) -> bool {
    let (mut wanted, mut given) = (pattern.split('/'), path.split('/'));
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return true,
            (Some(wanted), Some(given)) if wanted == given || wanted.starts_with('{') => {}
            _ => return false,
        }
    }
}

fn shown(path: &str) -> String {
    path.chars().take(MAX_SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_meant_is_named() {
        for (path, expected) in [
            ("/chat/completions", "POST /api/v1/chat/completions"),
            (
                "/api/v1/v1/chat/completions",
                "POST /api/v1/chat/completions",
            ),
            ("/v1/chat/completions/", "POST /api/v1/chat/completions"),
            ("/api/v1/chat/completion", "POST /api/v1/chat/completions"),
            ("/api/models/", "GET /api/v1/models"),
            ("/api/v1/messages", "does not serve /api/v1/messages yet"),
            ("/api/v1/nothing-like-it-at-all", "/docs/api"),
        ] {
            let message = missing(&Method::GET, path);
            assert!(message.contains(expected), "{path}: {message}");
        }
        assert!(missing(&Method::GET, &"/é".repeat(4_000)).len() < 1_000);
    }

    #[test]
    fn patterns_match_segments() {
        for (pattern, path, expected) in [
            ("/a/{b}", "/a/x", true),
            ("/a/{b}", "/a", false),
            ("/a/{b}", "/a/x/y", false),
            ("/a", "/a", true),
        ] {
            assert_eq!(is_match(pattern, path), expected, "{pattern} {path}");
        }
    }
}
