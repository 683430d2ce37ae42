//! Function names that Gemini takes.

use crate::chat::parse::is_server_tool;
use crate::chat::request::{Request, ToolChoice};
use crate::gemini::ids::digest;

/// Longest name taken.
const MAX_NAME: usize = 64;

/// The names of one request that had to be changed. The change depends on the name alone, so a
/// conversation keeps its bytes from turn to turn.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// `(what is sent, what the caller wrote)`
    changed: Vec<(String, String)>,
}

impl Names {
    pub(super) fn new(request: &Request<'_>) -> Self {
        let mut names = Self::default();
        for tool in super::tools::functions_of(request) {
            names.add(&tool.name);
        }
        for message in &request.messages {
            for call in &message.tool_calls {
                names.add(&call.name);
            }
        }
        if let Some(ToolChoice::Named(name)) = &request.tool_choice
            && !is_server_tool(name)
        {
            names.add(name);
        }
        names
    }

    fn add(&mut self, written: &str) {
        if is_valid(written) || self.changed.iter().any(|(_, known)| known == written) {
            return;
        }
        self.changed
            .push((replacement(written), written.to_owned()));
    }

    pub(super) fn sent<'n>(&'n self, written: &'n str) -> &'n str {
        let changed = self.changed.iter().find(|(_, known)| known == written);
        changed.map_or(written, |(sent, _)| sent)
    }

    pub(super) fn into_changed(self) -> Vec<(String, String)> {
        self.changed
    }
}

/// `^[a-zA-Z_][a-zA-Z0-9_.:-]{0,63}$`
fn is_valid(name: &str) -> bool {
    name.len() <= MAX_NAME
        && name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.bytes().all(is_name_byte)
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b':' | b'-')
}

/// The readable start of the name, and a digest that tells it from others.
fn replacement(written: &str) -> String {
    let mut name: String = written
        .chars()
        .map(|character| match u8::try_from(character) {
            Ok(byte) if is_name_byte(byte) => character,
            _ => '_',
        })
        .take(54)
        .collect();
    if !name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_') {
        name.insert(0, '_');
    }
    name.push('_');
    name.push_str(&digest(written));
    name
}
