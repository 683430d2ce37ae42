//! JSON by spans: read without building, write without a tree, edit without re-serialising.
//!
//! [`Cursor`] walks a text once and hands out the very slices it passed; [`Splice`] edits bytes in
//! one pass; [`split_object`] is the plain list of an object's members. What nobody reads is
//! checked to be well formed and carried as it was written: numbers keep their digits, objects
//! their order.

mod cursor;
mod splice;
mod text;
mod write;

pub use cursor::{Cursor, Key, Malformed};
pub use splice::{Splice, span_of};
pub use text::{string, unescape};
pub use write::{ArrayWriter, ObjectWriter, write_str, write_str_content};

use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// How deep any JSON we accept may nest.
pub const MAX_DEPTH: usize = 128;

/// The members of a JSON object in order, values as they were written. Repeated keys stay.
///
/// A visitor of its own rather than `#[serde(flatten)]`, which buffers values into a tree and
/// loses their text.
///
/// `Err` if `bytes` is not one well-formed JSON object. Depth is not bounded here: see
/// [`check_depth`].
pub fn split_object(bytes: &[u8]) -> serde_json::Result<Vec<(Cow<'_, str>, &RawValue)>> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let members = deserializer.deserialize_map(Members)?;
    deserializer.end()?;
    Ok(members)
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Vec<(Cow<'de, str>, &'de RawValue)>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::with_capacity(16);
        while let Some(key) = map.next_key_seed(KeySeed)? {
            members.push((key, map.next_value()?));
        }
        Ok(members)
    }
}

/// `Cow<str>` itself always deserialises to owned text.
struct KeySeed;

impl<'de> serde::de::DeserializeSeed<'de> for KeySeed {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for KeySeed {
    type Value = Cow<'de, str>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a member name")
    }

    fn visit_borrowed_str<E: serde::de::Error>(self, key: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(key))
    }

    fn visit_str<E: serde::de::Error>(self, key: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(key.to_owned()))
    }
}

/// Whether no object or array lies deeper than `limit` levels (the outermost is level 1). Text
/// that is not JSON passes or fails as it happens: parsing is another's duty, and comes after.
pub fn check_depth(bytes: &[u8], limit: usize) -> serde_json::Result<()> {
    let mut depth = 0_usize;
    let mut rest = bytes.iter();
    while let Some(byte) = rest.next() {
        match byte {
            b'"' => {
                let text = rest.as_slice();
                let end = cursor::string_end(text).unwrap_or(text.len());
                rest = text.get(end..).unwrap_or_default().iter();
            }
            b'{' | b'[' => {
                depth += 1;
                if depth > limit {
                    return Err(serde_json::Error::custom("JSON is nested too deeply"));
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
