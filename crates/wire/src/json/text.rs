//! Strings out of JSON.

use memchr::memchr;
use std::borrow::Cow;

/// The text of a JSON string value; `None` if the value is of another kind. Borrowed unless it
/// holds escapes.
///
/// `raw` is one well-formed JSON value, as `RawValue` or `Cursor` hands it out. A lone surrogate
/// (`"\ud83d"`, half of a cut emoji), which strict parsers reject, becomes U+FFFD.
pub fn string(raw: &str) -> Option<Cow<'_, str>> {
    let inner = raw.trim().strip_prefix('"')?.strip_suffix('"')?;
    Some(unescape(inner))
}

/// What stands between the quotes of a well-formed JSON string, escapes resolved. Lone surrogates
/// become U+FFFD; an escape that is none stays as it is.
pub fn unescape(inner: &str) -> Cow<'_, str> {
    let Some(first) = memchr(b'\\', inner.as_bytes()) else {
        return Cow::Borrowed(inner);
    };
    let mut text = String::with_capacity(inner.len());
    let mut rest = inner;
    let mut next = Some(first);
    while let Some(at) = next {
        let (plain, escape) = rest.split_at(at);
        text.push_str(plain);
        let (character, length) = resolve(escape);
        text.push(character);
        rest = escape.get(length..).unwrap_or_default();
        next = memchr(b'\\', rest.as_bytes());
    }
    text.push_str(rest);
    Cow::Owned(text)
}

/// The character an escape stands for, and the bytes it takes.
fn resolve(escape: &str) -> (char, usize) {
    let character = match escape.as_bytes().get(1) {
        Some(b'u') => return resolve_unicode(escape),
        Some(b'"') => '"',
        Some(b'/') => '/',
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(b'\\') => '\\',
        _ => return ('\\', 1),
    };
    (character, 2)
}

fn resolve_unicode(escape: &str) -> (char, usize) {
    let unit = |from: usize| {
        let digits = escape.get(from..from + 4)?;
        u32::from_str_radix(digits, 16).ok()
    };
    let Some(first) = unit(2) else {
        return ('\\', 1);
    };
    if let Some(character) = char::from_u32(first) {
        return (character, 6);
    }
    let second = escape
        .get(6..8)
        .filter(|mark| *mark == "\\u")
        .and_then(|_| unit(8));
    match (first, second) {
        (0xd800..=0xdbff, Some(second @ 0xdc00..=0xdfff)) => {
            let code = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
            (
                char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER),
                12,
            )
        }
        _ => (char::REPLACEMENT_CHARACTER, 6),
    }
}
