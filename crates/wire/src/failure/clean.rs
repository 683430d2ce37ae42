//! Making a provider's words fit to be read: no keys, no markup, no control characters, not long.

use std::borrow::Cow;

const MASK: &str = "[redacted]";

/// How the keys of well-known issuers begin.
const KEY_PREFIXES: &[&str] = &[
    "sk-",
    "sk_",
    "pk-",
    "rk-",
    "gsk_",
    "csk-",
    "xai-",
    "pplx-",
    "hf_",
    "r8_",
    "nvapi-",
    "fw_",
    "tgp_",
    "AIza",
    "ya29.",
    "AKIA",
    "ASIA",
    "eyJ",
    "ghp_",
    "github_pat_",
    "sess-",
    "org-",
    "proj_",
    "tvly-",
];
/// After one of these, whatever follows is a key.
const KEY_LABELS: &[&str] = &["key=", "token=", "secret=", "password=", "bearer "];
/// Words that follow "Bearer" in a sentence.
const AFTER_BEARER: &[&str] = &[
    "token",
    "tokens",
    "auth",
    "authentication",
    "authorization",
    "scheme",
    "header",
    "key",
    "format",
    "realm",
    "error",
    "is",
    "or",
    "and",
    "in",
];
/// A run of this many characters that looks random is a key, whoever made it.
const RANDOM_FROM: usize = 32;

/// Replaces every credential given, and anything that looks like one, by `[redacted]`.
pub fn redact(text: &str, secrets: &[&str]) -> String {
    let mut text = Cow::Borrowed(text);
    for secret in secrets {
        // Shorter than this, it would be a word of the text rather than a secret.
        if secret.len() >= 4 && text.contains(secret) {
            text = Cow::Owned(text.replace(secret, MASK));
        }
    }
    let mut out = String::with_capacity(text.len());
    let mut rest: &str = &text;
    while !rest.is_empty() {
        let start = rest.find(is_key_char).unwrap_or(rest.len());
        let (between, from_run) = rest.split_at(start);
        out.push_str(between);
        let end = from_run
            .find(|c: char| !is_key_char(c))
            .unwrap_or(from_run.len());
        let (run, after) = from_run.split_at(end);
        // A sentence's full stop is not part of a key.
        let key = run.trim_end_matches('.');
        if !key.is_empty() && is_secret(key, &out) {
            out.push_str(MASK);
            out.push_str(run.get(key.len()..).unwrap_or_default());
        } else {
            out.push_str(run);
        }
        rest = after;
    }
    out
}

const fn is_key_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '+' | '/' | '*')
}

fn is_secret(run: &str, before: &str) -> bool {
    let is_key = KEY_PREFIXES
        .iter()
        .any(|prefix| run.strip_prefix(prefix).is_some_and(|rest| rest.len() >= 4));
    is_key || is_labelled(run, before) || run.split('.').any(is_random)
}

fn is_labelled(run: &str, before: &str) -> bool {
    KEY_LABELS.iter().any(|label| {
        let Some(tail) = before
            .len()
            .checked_sub(label.len())
            .and_then(|start| before.get(start..))
        else {
            return false;
        };
        tail.eq_ignore_ascii_case(label)
            && !AFTER_BEARER
                .iter()
                .any(|word| run.eq_ignore_ascii_case(word))
    })
}

/// Random text changes between upper case, lower case and digits about every second character;
/// words and paths do so rarely.
fn is_random(run: &str) -> bool {
    let class = |byte: u8| match byte {
        b'a'..=b'z' => Some(0),
        b'A'..=b'Z' => Some(1),
        b'0'..=b'9' => Some(2),
        _ => None,
    };
    let mut last = None;
    let mut changes = 0_usize;
    for kind in run.bytes().filter_map(class) {
        changes += usize::from(last.is_some_and(|last| last != kind));
        last = Some(kind);
    }
    let is_hex = run.bytes().all(|byte| byte.is_ascii_hexdigit()) && changes > 0;
    run.len() >= RANDOM_FROM && (is_hex || changes * 4 >= run.len())
}

/// The beginning of a body as text. Bytes that are no UTF-8 become U+FFFD: this text is read by
/// people and matched against words, never carried on.
pub(super) fn text_of(body: &[u8], limit: usize) -> Cow<'_, str> {
    let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
    String::from_utf8_lossy(body.get(..limit).unwrap_or(body))
}

/// A message fit to be shown: one line, without keys and markup, at most `limit` bytes.
pub(super) fn message(text: &str, limit: usize) -> String {
    let text = without_markup(text);
    let mut line = String::with_capacity(text.len().min(limit));
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()) {
        if word.is_empty() {
            continue;
        }
        if line.len() > limit {
            break;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    cut(redact(&line, &[]), limit)
}

/// A body fit to be kept. `None` if there is nothing in it.
pub(super) fn raw(text: &str, limit: usize) -> Option<String> {
    let text = without_markup(text);
    // Twice the limit is enough: redaction shortens, and what it shortens is seldom that long.
    let head = text
        .get(..text.floor_char_boundary(limit * 2))
        .unwrap_or(&text);
    let text = redact(head.trim(), &[]);
    (!text.is_empty()).then(|| cut(text, limit))
}

/// Cuts at a character, marking the cut.
fn cut(mut text: String, limit: usize) -> String {
    const ELLIPSIS: &str = "…";
    if text.len() > limit {
        text.truncate(text.floor_char_boundary(limit.saturating_sub(ELLIPSIS.len())));
        text.push_str(ELLIPSIS);
    }
    text
}

/// A page becomes its title, else its text. Text that is no page stays as it is: `<` is an
/// ordinary character in messages about tool calls.
fn without_markup(text: &str) -> Cow<'_, str> {
    let head: String = text.trim_start().chars().take(512).collect();
    let head = head.to_ascii_lowercase();
    let is_page = head.starts_with("<!doctype")
        || head.starts_with("<?xml")
        || ["<html", "<head", "<body", "<title"]
            .iter()
            .any(|tag| head.contains(tag));
    if !is_page {
        return Cow::Borrowed(text);
    }
    let lower = text.to_ascii_lowercase();
    let title = lower.find("<title").and_then(|start| {
        let open = start + lower.get(start..)?.find('>')? + 1;
        let close = open + lower.get(open..)?.find('<')?;
        text.get(open..close)
    });
    Cow::Owned(match title.map(str::trim) {
        Some(title) if !title.is_empty() => unescape(title),
        _ => unescape(&visible_text(text)),
    })
}

/// What stands between tags, without scripts and styles.
fn visible_text(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('<') {
        out.push_str(before);
        out.push(' ');
        let hidden = ["script", "style"].iter().find(|tag| {
            after
                .get(..tag.len())
                .is_some_and(|name| name.eq_ignore_ascii_case(tag))
        });
        rest = match hidden.and_then(|tag| end_of_element(after, tag)) {
            Some(end) => after.get(end..).unwrap_or_default(),
            None => after,
        };
        rest = rest.split_once('>').map_or("", |(_, after)| after);
    }
    out.push_str(rest);
    out
}

fn end_of_element(text: &str, tag: &str) -> Option<usize> {
    text.to_ascii_lowercase().find(&format!("</{tag}"))
}

fn unescape(text: &str) -> String {
    text.replace("&nbsp;", " ")
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&#39;", "'")
        .replace("&amp;", "&")
}

#[cfg(test)]
mod tests;
