//! How long a provider asks us to wait, in any of the ways they say it.

use super::signals::Signals;
use interline_domain::Timestamp;
use std::time::Duration;

/// A wait longer than this is a mistake or a quota, not a wait.
const LONGEST: Duration = Duration::from_hours(24);
/// Numbers from here on are seconds since 1970, not seconds from now.
const EPOCH_SECONDS_FROM: u64 = 1_000_000_000;
/// Numbers from here on are milliseconds since 1970.
const EPOCH_MILLIS_FROM: u64 = 1_000_000_000_000;

/// Limit kinds: the headers with what is left and when it is full again.
const RESETS: &[(&str, &str)] = &[
    (
        "x-ratelimit-remaining-requests",
        "x-ratelimit-reset-requests",
    ),
    ("x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"),
    (
        "x-ratelimit-remaining-requests-day",
        "x-ratelimit-reset-requests-day",
    ),
    (
        "x-ratelimit-remaining-tokens-minute",
        "x-ratelimit-reset-tokens-minute",
    ),
    ("x-ratelimit-remaining", "x-ratelimit-reset"),
    (
        "anthropic-ratelimit-requests-remaining",
        "anthropic-ratelimit-requests-reset",
    ),
    (
        "anthropic-ratelimit-tokens-remaining",
        "anthropic-ratelimit-tokens-reset",
    ),
    (
        "anthropic-ratelimit-input-tokens-remaining",
        "anthropic-ratelimit-input-tokens-reset",
    ),
    (
        "anthropic-ratelimit-output-tokens-remaining",
        "anthropic-ratelimit-output-tokens-reset",
    ),
];

/// What stands before a wait in plain text.
const PHRASES: &[&str] = &[
    "try again in ",
    "retry in ",
    "retry after ",
    "try again after ",
];

/// In order of trust: `retry-after-ms`, `retry-after`, the reset of an exhausted limit, Google's
/// `retryDelay`, the text.
pub(super) fn retry_after<'h>(
    headers: &dyn Fn(&str) -> Option<&'h str>,
    signals: &Signals,
    is_rate_limit: bool,
    now: Option<Timestamp>,
) -> Option<Duration> {
    // The sender's own clock, where it is told, cannot disagree with the sender's dates.
    let now = headers("date").and_then(http_date).or(now);
    let millis = headers("retry-after-ms").and_then(|text| decimal(text.trim(), 1));
    millis
        .or_else(|| headers("retry-after").and_then(|text| span(text, now)))
        .or_else(|| {
            is_rate_limit
                .then(|| exhausted_reset(headers, now))
                .flatten()
        })
        .or_else(|| signals.retry_delay.as_deref().and_then(go_duration))
        .or_else(|| from_text(&signals.message))
        .map(|wait| wait.min(LONGEST))
}

/// The longest reset among the limits of which nothing is left.
fn exhausted_reset<'h>(
    headers: &dyn Fn(&str) -> Option<&'h str>,
    now: Option<Timestamp>,
) -> Option<Duration> {
    RESETS
        .iter()
        .filter(|(remaining, _)| {
            // Unknown is not "plenty": a lone reset header is taken at its word.
            headers(remaining).is_none_or(|left| left.trim().trim_start_matches('-') == "0")
        })
        .filter_map(|(_, reset)| headers(reset).and_then(|text| span(text, now)))
        .max()
}

/// A span of time, told by shape: a number (seconds, or an epoch), a Go duration, a date.
fn span(text: &str, now: Option<Timestamp>) -> Option<Duration> {
    let text = text.trim();
    let whole = text
        .split('.')
        .next()
        .and_then(|whole| whole.parse::<u64>().ok());
    match whole {
        Some(number) if number >= EPOCH_MILLIS_FROM => {
            let at = Timestamp::from_micros(i64::try_from(number).ok()?.checked_mul(1000)?);
            now.map(|now| at.since(now))
        }
        Some(number) if number >= EPOCH_SECONDS_FROM => {
            let at = Timestamp::from_seconds(i64::try_from(number).ok()?);
            now.map(|now| at.since(now))
        }
        _ => decimal(text, 1000)
            .or_else(|| go_duration(text))
            .or_else(|| {
                let at = http_date(text).or_else(|| rfc3339(text))?;
                now.map(|now| at.since(now))
            }),
    }
}

/// A decimal number of units, each of so many milliseconds.
fn decimal(text: &str, unit_ms: u64) -> Option<Duration> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(whole) || !is_number(fraction) {
        return None;
    }
    let whole: u64 = whole.parse().ok()?;
    // Finer than a microsecond of a second is of no interest.
    let digits = fraction.get(..6).unwrap_or(fraction);
    let scale = 10_u64.checked_pow(u32::try_from(digits.len()).ok()?)?;
    let fraction = digits.parse::<u64>().ok()?.checked_mul(unit_ms)?;
    let micros = fraction.checked_mul(1000)?.checked_div(scale)?;
    let whole = Duration::from_millis(whole.checked_mul(unit_ms)?);
    whole.checked_add(Duration::from_micros(micros))
}

/// `1s`, `6m0s`, `250ms`, `2m59.56s`.
fn go_duration(text: &str) -> Option<Duration> {
    let (span, rest) = leading_duration(text.trim())?;
    rest.is_empty().then_some(span)
}

/// The duration at the beginning of a text, in Go's form or in words (`6 seconds`), and what
/// comes after it.
fn leading_duration(text: &str) -> Option<(Duration, &str)> {
    let mut total = Duration::ZERO;
    let mut rest = text;
    let mut found = false;
    while let Some((part, after)) = leading_part(rest) {
        total = total.checked_add(part)?;
        rest = after;
        found = true;
    }
    found.then_some((total, rest))
}

fn leading_part(text: &str) -> Option<(Duration, &str)> {
    let number_end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, rest) = text.split_at_checked(number_end)?;
    let unit_text = rest.strip_prefix(' ').unwrap_or(rest);
    let unit_end = unit_text
        .find(|c: char| !c.is_alphabetic())
        .unwrap_or(unit_text.len());
    let (unit, rest) = unit_text.split_at_checked(unit_end)?;
    let unit_ms = match unit {
        "ms" | "millisecond" | "milliseconds" => 1,
        "s" | "sec" | "secs" | "second" | "seconds" => 1000,
        "m" | "min" | "mins" | "minute" | "minutes" => 60_000,
        "h" | "hour" | "hours" => 3_600_000,
        "d" | "day" | "days" => 86_400_000,
        _ => return None,
    };
    Some((decimal(number, unit_ms)?, rest))
}

fn from_text(message: &str) -> Option<Duration> {
    let message = message.to_ascii_lowercase();
    PHRASES.iter().find_map(|phrase| {
        let (_, after) = message.split_once(phrase)?;
        leading_duration(after).map(|(span, _)| span)
    })
}

/// `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110, 5.6.7; the two older forms are not sent any more).
fn http_date(text: &str) -> Option<Timestamp> {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let (_, rest) = text.trim().split_once(", ")?;
    let mut fields = rest.split(' ');
    let day = fields.next()?.parse().ok()?;
    let month_name = fields.next()?;
    let month = MONTHS.iter().position(|name| *name == month_name)?;
    let year = fields.next()?.parse().ok()?;
    let clock = clock_seconds(fields.next()?)?;
    let days = days_since_1970(year, i64::try_from(month).ok()? + 1, day)?;
    Some(Timestamp::from_seconds(days * 86_400 + clock))
}

/// `2026-11-20T21:00:17Z`, also with a fraction (ignored) or an offset.
fn rfc3339(text: &str) -> Option<Timestamp> {
    let (date, time) = text.split_once(['T', 't'])?;
    let mut date = date.splitn(3, '-');
    let year = date.next()?.parse().ok()?;
    let month = date.next()?.parse().ok()?;
    let day = date.next()?.parse().ok()?;
    let clock = clock_seconds(time.get(..8)?)?;
    let zone = time
        .get(8..)?
        .trim_start_matches(|c: char| c == '.' || c.is_ascii_digit());
    let offset = match zone.split_at_checked(1)? {
        ("Z" | "z", "") => 0,
        ("+", offset) => clock_seconds(&format!("{offset}:00"))?,
        ("-", offset) => -clock_seconds(&format!("{offset}:00"))?,
        _ => return None,
    };
    let days = days_since_1970(year, month, day)?;
    Some(Timestamp::from_seconds(days * 86_400 + clock - offset))
}

/// Seconds since midnight of `HH:MM:SS`.
fn clock_seconds(text: &str) -> Option<i64> {
    let mut fields = text.splitn(3, ':');
    let mut field = |limit: i64| {
        let number = fields.next()?.parse::<i64>().ok()?;
        (0..=limit).contains(&number).then_some(number)
    };
    let (hours, minutes, seconds) = (field(23)?, field(59)?, field(60)?);
    Some(hours * 3600 + minutes * 60 + seconds)
}

/// Days from 1970-01-01 to a date of the Gregorian calendar (Howard Hinnant, `days_from_civil`).
fn days_since_1970(year: i64, month: i64, day: i64) -> Option<i64> {
    let is_plausible =
        (1970..10_000).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
    if !is_plausible {
        return None;
    }
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some(era * 146_097 + day_of_era - 719_468)
}

#[cfg(test)]
mod tests;
