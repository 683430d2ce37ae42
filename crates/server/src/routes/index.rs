//! `GET /`: what this is and how to send a first request, and the files the pages need.

use super::Site;
use super::models::View;
use crate::cached::Document;
use crate::error::ApiError;
use crate::html::{escape, fill};
use axum::extract::{Path, State};
use axum::response::Response;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, Uri, header};
use std::fmt::Write as _;

const TEMPLATE: &str = include_str!("../../assets/index.html");
/// `(name, media type, content)`.
const ASSETS: &[(&str, &str, &str)] = &[
    (
        "page.css",
        "text/css; charset=utf-8",
        include_str!("../../assets/page.css"),
    ),
    (
        "mark.svg",
        "image/svg+xml",
        include_str!("../../assets/mark.svg"),
    ),
    (
        "lines.svg",
        "image/svg+xml",
        include_str!("../../assets/lines.svg"),
    ),
];
/// Models named on the page.
const MAX_NAMED: usize = 12;

/// Show the start page.
pub(crate) async fn page(State(site): State<Site>, headers: HeaderMap) -> Response {
    let base = base_url(&headers, &site.app.settings.public_url);
    let text = render(&site.view(), &base);
    let page = Document::new(text, "text/html; charset=utf-8");
    let mut response = with_page_headers(page.answer(&headers));
    // It differs by how the reader came here, and by what is configured.
    response
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    response
}

/// Send one of the files of the pages.
pub(crate) async fn asset(
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let (_, media, content) = ASSETS
        .iter()
        .find(|(known, ..)| *known == name)
        .ok_or_else(|| ApiError::not_found("There is no such file."))?;
    let mut response = with_page_headers(Document::new(*content, media).answer(&headers));
    if *media == "image/svg+xml" {
        // A drawing brings its colours for both schemes along, and needs nothing else.
        let policy = "default-src 'none'; style-src 'unsafe-inline'; sandbox";
        response
            .headers_mut()
            .insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    }
    Ok(response)
}

/// What pages may do: show themselves, with our own styles and drawings, and nothing else.
pub(crate) fn with_page_headers(mut response: Response) -> Response {
    let policy = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; \
                  form-action 'none'; frame-ancestors 'none'";
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, policy),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (X_FRAME_OPTIONS, "DENY"),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
        (
            HeaderName::from_static("permissions-policy"),
            "camera=(), geolocation=(), microphone=()",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Where the reader reached us, as far as the request tells; else the configured address.
fn base_url(headers: &HeaderMap, public_url: &str) -> String {
    let configured = public_url.trim_end_matches('/').to_owned();
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let Some(host) = text(header::HOST).filter(|host| is_host(host)) else {
        return configured;
    };
    let known = configured.parse::<Uri>().ok();
    if known
        .as_ref()
        .and_then(Uri::authority)
        .is_some_and(|known| known.as_str() == host)
    {
        return configured;
    }
    // Only shown to the one who sent it, so an invented header fools nobody else.
    let forwarded = text(HeaderName::from_static("x-forwarded-proto"));
    let scheme = if forwarded == Some("https") {
        "https"
    } else {
        "http"
    };
    format!("{scheme}://{host}")
}

/// A host name or address with an optional port, and nothing that could be markup or shell.
fn is_host(host: &str) -> bool {
    (1..=255).contains(&host.len())
        && host
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte))
}

fn render(view: &View, base: &str) -> String {
    let catalogue = &view.snapshot.catalogue;
    let names: Vec<&str> = view
        .ready
        .iter()
        .filter_map(|index| catalogue.models().get(*index))
        .filter(|model| model.kind == "chat")
        .map(|model| model.id.as_str())
        .collect();
    let (demo, real): (Vec<&str>, Vec<&str>) = names
        .iter()
        .copied()
        .partition(|name| name.starts_with("demo/"));
    let model = demo
        .iter()
        .find(|name| **name == "demo/story")
        .or(names.first());
    let base = escape(base);
    fill(
        TEMPLATE,
        &[
            ("base", &base),
            ("model", &escape(model.copied().unwrap_or("author/model"))),
            ("listed", &catalogue.models().len().to_string()),
            ("ready", &view.ready.len().to_string()),
            ("providers", &catalogue.providers().len().to_string()),
            ("callable", &callable(&demo, &real)),
            ("version", env!("CARGO_PKG_VERSION")),
        ],
    )
}

/// What can be called now, in words and lists.
fn callable(demo: &[&str], real: &[&str]) -> String {
    let mut text = String::new();
    if real.is_empty() {
        text.push_str(
            "<p>No provider has a key yet. Set one, for example <code>OPENAI_API_KEY</code> or \
             <code>ANTHROPIC_API_KEY</code>, and start the server again: the provider's models \
             become callable.</p>",
        );
    } else {
        list(&mut text, real);
    }
    if !demo.is_empty() {
        text.push_str(
            "<p>The <code>demo/</code> models are simulated: they answer at once, need no \
             provider and cost nothing.</p>",
        );
        list(&mut text, demo);
    }
    text
}

fn list(text: &mut String, names: &[&str]) {
    text.push_str("<ul class=\"models\">");
    for name in names.iter().take(MAX_NAMED) {
        // Writing to a `String` cannot fail.
        let _ = write!(text, "<li><code>{}</code></li>", escape(name));
    }
    if let Some(more) = names.len().checked_sub(MAX_NAMED).filter(|more| *more > 0) {
        let _ = write!(
            text,
            "<li class=\"more\"><a href=\"/api/v1/models\">and {more} more</a></li>"
        );
    }
    text.push_str("</ul>");
}

#[cfg(test)]
mod tests;
