//! Content blocks and how they are written.

use super::media::Source;
use crate::json::{ArrayWriter, ObjectWriter, string};
use serde_json::value::RawValue;
use std::borrow::Cow;

#[derive(Clone, Debug)]
pub(super) struct Block<'r> {
    pub(super) kind: BlockKind<'r>,
    pub(super) cache: Option<&'r RawValue>,
}

#[derive(Clone, Debug)]
pub(super) enum BlockKind<'r> {
    Text(Cow<'r, str>),
    Image(Source<'r>),
    Document {
        source: Source<'r>,
        title: Option<&'r str>,
    },
    ToolUse {
        id: String,
        name: Cow<'r, str>,
        /// A JSON object.
        input: Cow<'r, str>,
    },
    ToolResult {
        id: String,
        content: ResultContent<'r>,
        is_error: bool,
    },
    Thinking {
        text: Cow<'r, str>,
        signature: Cow<'r, str>,
    },
    RedactedThinking {
        data: &'r str,
    },
}

#[derive(Clone, Debug)]
pub(super) enum ResultContent<'r> {
    None,
    Text(Cow<'r, str>),
    /// Texts, images and documents.
    Blocks(Vec<Block<'r>>),
}

impl<'r> Block<'r> {
    pub(super) fn new(kind: BlockKind<'r>) -> Self {
        Self { kind, cache: None }
    }

    pub(super) fn text(text: impl Into<Cow<'r, str>>) -> Self {
        Self::new(BlockKind::Text(text.into()))
    }

    pub(super) fn is_thinking(&self) -> bool {
        matches!(
            self.kind,
            BlockKind::Thinking { .. } | BlockKind::RedactedThinking { .. }
        )
    }

    /// Sets the marker unless one is there. Thinking blocks take none.
    pub(super) fn mark(&mut self, marker: Option<&'r RawValue>) {
        if !self.is_thinking() && self.cache.is_none() {
            self.cache = marker;
        }
    }

    fn write(&self, block: &mut ObjectWriter<'_, Vec<u8>>) {
        match &self.kind {
            BlockKind::Text(text) => {
                block.str("type", "text").str("text", text);
            }
            BlockKind::Image(source) => {
                block.str("type", "image");
                source.write(block);
            }
            BlockKind::Document { source, title } => {
                block.str("type", "document");
                source.write(block);
                if let Some(title) = title {
                    block.str("title", title);
                }
            }
            BlockKind::ToolUse { id, name, input } => {
                block.str("type", "tool_use").str("id", id);
                block.str("name", name).raw("input", input);
            }
            BlockKind::ToolResult {
                id,
                content,
                is_error,
            } => {
                block.str("type", "tool_result").str("tool_use_id", id);
                match content {
                    ResultContent::None => {}
                    ResultContent::Text(text) => {
                        block.str("content", text);
                    }
                    ResultContent::Blocks(blocks) => {
                        block.array("content", |list| write_blocks(list, blocks));
                    }
                }
                if *is_error {
                    block.bool("is_error", true);
                }
            }
            BlockKind::Thinking { text, signature } => {
                block.str("type", "thinking").str("thinking", text);
                block.str("signature", signature);
            }
            BlockKind::RedactedThinking { data } => {
                block.str("type", "redacted_thinking").str("data", data);
            }
        }
        if let Some(marker) = self.cache {
            block.raw("cache_control", marker.get());
        }
    }
}

pub(super) fn write_blocks(list: &mut ArrayWriter<'_, Vec<u8>>, blocks: &[Block<'_>]) {
    for block in blocks {
        list.object(|object| block.write(object));
    }
}

/// The arguments of a call as the object that `input` must be, byte for byte where they are one.
/// Text that is no object is kept under `_raw`: history is never repaired silently.
pub(super) fn input_of(arguments: &str) -> Cow<'_, str> {
    let trimmed = arguments.trim_ascii();
    if matches!(trimmed, "" | "null" | "\"\"") {
        return Cow::Borrowed("{}");
    }
    if is_object(trimmed) {
        return Cow::Borrowed(trimmed);
    }
    // Encoded twice: a JSON string that holds the object.
    let is_json = serde_json::from_str::<&RawValue>(trimmed).is_ok();
    if let Some(inner) = is_json.then(|| string(trimmed)).flatten() {
        let inner = inner.trim_ascii();
        if is_object(inner) {
            return Cow::Owned(inner.to_owned());
        }
    }
    let mut wrapped = Vec::with_capacity(arguments.len() + 16);
    let mut object = ObjectWriter::open(&mut wrapped);
    object.str("_raw", arguments);
    object.close();
    String::from_utf8(wrapped).map_or(Cow::Borrowed("{}"), Cow::Owned)
}

fn is_object(json: &str) -> bool {
    json.starts_with('{') && serde_json::from_str::<&RawValue>(json).is_ok()
}
