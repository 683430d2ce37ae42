//! Half an emoji: `"\ud83d"` alone is refused by strict parsers (T49), so it becomes `\ufffd`.

use bytes::{Bytes, BytesMut};
use memchr::{memchr, memmem};

/// Replaces lone surrogate escapes in JSON text. Free when there are no surrogate escapes at all.
pub(super) fn replace_lone(body: Bytes) -> Bytes {
    let has = |needle: &[u8]| memmem::find(&body, needle).is_some();
    if !has(b"\\ud") && !has(b"\\uD") {
        return body;
    }
    let lone = lone_surrogates(&body);
    if lone.is_empty() {
        return body;
    }
    let mut fixed = BytesMut::from(&body[..]);
    for at in lone {
        if let Some(digits) = fixed.get_mut(at + 2..at + 6) {
            digits.copy_from_slice(b"fffd");
        }
    }
    fixed.freeze()
}

/// Offsets of the backslashes of surrogates without a partner.
fn lone_surrogates(text: &[u8]) -> Vec<usize> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(offset) = text.get(at..).and_then(|rest| memchr(b'\\', rest)) {
        at += offset;
        match unit(text, at) {
            Some(0xd800..=0xdbff) if matches!(unit(text, at + 6), Some(0xdc00..=0xdfff)) => {
                at += 12;
            }
            Some(0xd800..=0xdfff) => {
                found.push(at);
                at += 6;
            }
            Some(_) => at += 6,
            None => at += 2,
        }
    }
    found
}

/// The code unit of a `\uXXXX` escape at `at`.
fn unit(text: &[u8], at: usize) -> Option<u16> {
    let digits = text.get(at..)?.strip_prefix(b"\\u")?.get(..4)?;
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}
