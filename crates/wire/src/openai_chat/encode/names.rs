//! Tool names and call ids that the dialect does not take, mapped to ones it does.

use crate::chat::request::{Request, ToolChoice};
use std::borrow::Cow;
use std::collections::HashMap;

/// Longest function name, of `[a-zA-Z0-9_-]`.
const MAX_NAME: usize = 64;
/// Longest tool-call id (T15).
const MAX_ID: usize = 40;

/// The caller's tool names that must be written differently (T42). Mostly empty.
#[derive(Debug, Default)]
pub(super) struct ToolNames<'r> {
    /// What the caller wrote, and what is sent.
    sent: HashMap<&'r str, String>,
}

impl<'r> ToolNames<'r> {
    /// Looks at the declared tools, the forced one and the calls of the history.
    pub(super) fn of(request: &'r Request<'_>) -> Self {
        let declared = request.tools.iter().map(|tool| &tool.name);
        let chosen = match &request.tool_choice {
            Some(ToolChoice::Named(name)) => Some(name),
            _ => None,
        };
        let called = request
            .messages
            .iter()
            .flat_map(|message| message.tool_calls.iter().map(|call| &call.name));
        let mut sent = HashMap::new();
        for name in declared.chain(chosen).chain(called) {
            if !is_plain(name) && !sent.contains_key(name.as_ref()) {
                sent.insert(name.as_ref(), plain_name(name));
            }
        }
        Self { sent }
    }

    pub(super) fn get<'n>(&'n self, name: &'n str) -> &'n str {
        self.sent.get(name).map_or(name, String::as_str)
    }

    pub(super) fn maps(&self, name: &str) -> bool {
        self.sent.contains_key(name)
    }

    /// `(what was sent, what the caller wrote)`, in a stable order.
    pub(super) fn into_pairs(self) -> Vec<(String, String)> {
        let mut pairs: Vec<_> = self
            .sent
            .into_iter()
            .map(|(wrote, sent)| (sent, wrote.to_owned()))
            .collect();
        pairs.sort_unstable();
        pairs
    }
}

pub(super) fn is_plain(name: &str) -> bool {
    (1..=MAX_NAME).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

/// Readable, and different for different names: the start of the name and a digest of all of it.
fn plain_name(name: &str) -> String {
    let mut plain: String = name
        .chars()
        .take(MAX_NAME - 17)
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '-' {
                c
            } else {
                '_'
            }
        })
        .collect();
    plain.push('_');
    plain.push_str(&digest(name)[..16]);
    plain
}

pub(super) fn is_short(id: &str) -> bool {
    id.len() <= MAX_ID
}

/// An id of at most [`MAX_ID`] characters, the same for the same id.
pub(super) fn short_id(id: &str) -> Cow<'_, str> {
    if is_short(id) {
        return Cow::Borrowed(id);
    }
    Cow::Owned(format!("call_{}", digest(id)))
}

/// 32 hexadecimal digits: FNV-1a of 128 bits. Callers can only confuse themselves, so no
/// cryptographic hash is needed.
fn digest(text: &str) -> String {
    const BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    let hash = text.bytes().fold(BASIS, |hash, byte| {
        (hash ^ u128::from(byte)).wrapping_mul(PRIME)
    });
    format!("{hash:032x}")
}
