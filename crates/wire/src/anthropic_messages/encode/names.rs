//! Tool names and call ids that Anthropic does not take, mapped to ones that it does (T15, T42).
//!
//! Maps are per request and deterministic: a name or an id becomes the same text on every turn.

use crate::chat::request::Tool;
use std::borrow::Cow;
use std::collections::HashSet;

/// `^[a-zA-Z0-9_-]{1,128}$` (Anthropic API, "Tool use").
const MAX_NAME_BYTES: usize = 128;
/// What is kept of a text that is mapped; the rest of its identity is in the hash.
const KEPT_BYTES: usize = 48;

/// Names of tools, as sent.
#[derive(Debug, Default)]
pub(super) struct ToolNames {
    /// `(what is sent, what the caller wrote)`, only where they differ.
    pairs: Vec<(String, String)>,
    /// Names that are sent: no mapped name may be one of them.
    taken: HashSet<String>,
}

impl ToolNames {
    pub(super) fn new(tools: &[Tool<'_>]) -> Self {
        let names = tools.iter().map(|tool| &*tool.name);
        Self {
            pairs: Vec::new(),
            taken: names
                .filter(|name| is_name(name))
                .map(str::to_owned)
                .collect(),
        }
    }

    /// The name to send.
    pub(super) fn sent<'r>(&mut self, name: &'r str) -> Cow<'r, str> {
        if is_name(name) {
            return Cow::Borrowed(name);
        }
        if let Some((sent, _)) = self.pairs.iter().find(|(_, original)| original == name) {
            return Cow::Owned(sent.clone());
        }
        let sent = free(name, 0, &self.taken);
        self.taken.insert(sent.clone());
        self.pairs.push((sent.clone(), name.to_owned()));
        Cow::Owned(sent)
    }

    pub(super) fn into_pairs(self) -> Vec<(String, String)> {
        self.pairs
    }
}

/// Ids of calls in the history, as sent. Anthropic wants each to be unique in the conversation;
/// some models repeat theirs every round.
#[derive(Debug, Default)]
pub(super) struct CallIds {
    used: HashSet<String>,
    calls: u64,
}

impl CallIds {
    /// The id to send for the next call of the conversation.
    pub(super) fn next(&mut self, id: &str) -> String {
        let ordinal = self.calls;
        self.calls = ordinal.saturating_add(1);
        let is_plain = !id.is_empty() && id.bytes().all(is_name_byte);
        let sent = if is_plain && !self.used.contains(id) {
            id.to_owned()
        } else {
            // Salted with the call's place: the same id in another round is another call.
            free(id, ordinal, &self.used)
        };
        self.used.insert(sent.clone());
        sent
    }
}

fn is_name(name: &str) -> bool {
    (1..=MAX_NAME_BYTES).contains(&name.len()) && name.bytes().all(is_name_byte)
}

const fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

/// A mapped text that is not taken yet.
fn free(text: &str, mut salt: u64, taken: &HashSet<String>) -> String {
    loop {
        let sent = mapped(text, salt);
        if !taken.contains(&sent) {
            return sent;
        }
        salt = salt.wrapping_add(1);
    }
}

/// A readable start and a hash.
fn mapped(text: &str, salt: u64) -> String {
    let kept = text.chars().take(KEPT_BYTES).map(|character| {
        let is_plain = u8::try_from(character).is_ok_and(is_name_byte);
        if is_plain { character } else { '_' }
    });
    let kept: String = kept.collect();
    format!("{kept}_{:016x}", hash(text, salt))
}

/// FNV-1a, 64 bits: stable over builds and machines, unlike the standard library's hasher.
fn hash(text: &str, salt: u64) -> u64 {
    const PRIME: u64 = 0x0100_0000_01b3;
    let bytes = text.bytes().chain(salt.to_le_bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(PRIME)
    })
}
