//! What a provider's error answer means: any body, any status, one [`Failure`].
//!
//! Decided in this order: the provider's own code or type, then a known message, then the status.
//! [`classify`] never fails: an unreadable body is judged by its status alone. The answer is the
//! reading for the operator's credential; [`as_caller_credential`] gives the one for a caller who
//! brought a key of their own.

mod clean;
mod rules;
mod signals;
mod wait;

pub use clean::redact;

use interline_domain::catalogue::Dialect;
use interline_domain::failure::Blame;
use interline_domain::{ErrorType, Failure, Retry, Timestamp};
use rules::Kind;
use signals::Signals;

/// More of a body than this is not looked at.
const BODY_READ_BYTES: usize = 64 * 1024;
/// More of a message than this is not shown.
const MESSAGE_BYTES: usize = 2 * 1024;
/// More of a body than this is not kept.
const RAW_BYTES: usize = 4 * 1024;
/// More of a provider's code than this is not kept.
const CODE_BYTES: usize = 128;

/// Reads an error answer, or an error inside a 200 body (`status` 200, `body` the JSON that holds
/// it). `headers` looks up a header by its lower-case name. A date in `retry-after` is measured
/// against the answer's own `date`.
pub fn classify<'h>(
    dialect: Dialect,
    status: u16,
    headers: &dyn Fn(&str) -> Option<&'h str>,
    body: &[u8],
) -> Failure {
    read(dialect, status, headers, body, None)
}

/// As [`classify`], for answers without a `date`: dates in headers are measured against `now`.
pub fn classify_at<'h>(
    dialect: Dialect,
    status: u16,
    headers: &dyn Fn(&str) -> Option<&'h str>,
    body: &[u8],
    now: Timestamp,
) -> Failure {
    read(dialect, status, headers, body, Some(now))
}

fn read<'h>(
    _dialect: Dialect,
    status: u16,
    headers: &dyn Fn(&str) -> Option<&'h str>,
    body: &[u8],
    now: Option<Timestamp>,
) -> Failure {
    let text = clean::text_of(body, BODY_READ_BYTES);
    let mut signals = Signals::read(&text);
    if let Some(kind) = headers("x-amzn-errortype") {
        signals.add_word(kind.split(':').next().unwrap_or(kind));
    }
    let status = effective_status(status, &signals);
    let kind = rules::decide(&signals, status);
    let verdict = kind.verdict();
    let retry_after = verdict
        .may_heal
        .then(|| wait::retry_after(headers, &signals, kind == Kind::RateLimit, now))
        .flatten();
    let message = match kind.masked_message() {
        Some(neutral) => neutral.to_owned(),
        None => shown_message(&signals, status),
    };
    Failure {
        error_type: verdict.error_type,
        status: Some(status),
        provider_code: signals.code(status),
        message,
        raw: clean::raw(&text, RAW_BYTES),
        retry: verdict.retry,
        blame: verdict.blame,
        retry_after,
    }
}

/// The HTTP status, or the one that a 200 body names.
fn effective_status(status: u16, signals: &Signals) -> u16 {
    match signals.status {
        Some(inner) if (200..300).contains(&status) => inner,
        _ => status,
    }
}

fn shown_message(signals: &Signals, status: u16) -> String {
    if (300..400).contains(&status) {
        return format!("The provider answered with a redirect ({status}), which is not followed");
    }
    let message = clean::message(&signals.message, MESSAGE_BYTES);
    if message.is_empty() {
        format!("The provider answered with status {status}")
    } else {
        message
    }
}

/// The reading for a credential that the caller brought: what the provider says about the key or
/// its account is the caller's to know, and another endpoint does not heal it. Other failures
/// come back unchanged.
#[must_use]
pub fn as_caller_credential(failure: Failure) -> Failure {
    if failure.blame != Blame::Credential {
        return failure;
    }
    let status = failure.status.unwrap_or(401);
    let mut signals = Signals::read(failure.raw.as_deref().unwrap_or_default());
    if let Some(code) = &failure.provider_code {
        signals.add_word(code);
    }
    let error_type = match rules::decide(&signals, status) {
        Kind::Billing => ErrorType::PaymentRequired,
        Kind::Permission => ErrorType::PermissionDenied,
        _ => ErrorType::Authentication,
    };
    Failure {
        error_type,
        message: shown_message(&signals, status),
        retry: Retry::No,
        ..failure
    }
}

/// Takes the credentials that were in play out of everything a person may read. Call it once
/// where the credential is known, before the failure is logged or shown.
#[must_use]
pub fn without_secrets(failure: Failure, secrets: &[&str]) -> Failure {
    Failure {
        message: redact(&failure.message, secrets),
        raw: failure.raw.map(|raw| redact(&raw, secrets)),
        provider_code: failure.provider_code.map(|code| redact(&code, secrets)),
        ..failure
    }
}

#[cfg(test)]
mod tests;
