//! The conversation: chat messages as system blocks and alternating turns.
//!
//! Anthropic's rules, each a 400 when broken: the first turn is the user's; the results of all
//! calls of a turn open the next one (T14); no block is empty (T13); thinking comes first (T20).

use super::block::{Block, BlockKind, ResultContent, input_of, write_blocks};
use super::names::{CallIds, ToolNames};
use super::{media, refuse};
use crate::chat::request::{
    Content, Message, Part, PartKind, ReasoningDetail, ReasoningDetailKind, Request, Role,
};
use crate::json::ObjectWriter;
use crate::target::Target;
use interline_domain::quirks::Thinking as Ability;
use interline_domain::{ErrorType, Failure};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Stands before a conversation that the assistant opens.
const OPENING: &str = "…";
const NO_RESULT: &str = "No result was recorded";
const ANTHROPIC_FORMAT: &str = "anthropic-claude-v1";

#[derive(Debug, Default)]
pub(super) struct Conversation<'r> {
    pub(super) system: Vec<Block<'r>>,
    pub(super) turns: Vec<Turn<'r>>,
}

#[derive(Debug)]
pub(super) struct Turn<'r> {
    pub(super) is_assistant: bool,
    pub(super) blocks: Vec<Block<'r>>,
}

impl<'r> Conversation<'r> {
    /// Adds a line to the system text.
    pub(super) fn instruct(&mut self, text: Option<Cow<'static, str>>) {
        self.system.extend(text.map(Block::text));
    }

    /// The last turn is the assistant's, to be continued.
    pub(super) fn ends_in_prefill(&self) -> bool {
        self.turns.last().is_some_and(|turn| turn.is_assistant)
    }

    /// The last turn with calls starts with its thinking. True if there is no such turn.
    pub(super) fn last_calls_were_thought(&self) -> bool {
        let turns = self.turns.iter().rev();
        turns
            .filter(|turn| turn.blocks.iter().any(is_tool_use))
            .map(|turn| turn.blocks.first().is_some_and(Block::is_thinking))
            .next()
            .unwrap_or(true)
    }

    /// The names of the tools that were called, as sent.
    pub(super) fn called_tools(&self) -> impl Iterator<Item = &Cow<'r, str>> {
        let blocks = self.turns.iter().flat_map(|turn| &turn.blocks);
        blocks.filter_map(|block| match &block.kind {
            BlockKind::ToolUse { name, .. } => Some(name),
            _ => None,
        })
    }

    pub(super) fn write(&self, body: &mut ObjectWriter<'_, Vec<u8>>) {
        if !self.system.is_empty() {
            body.array("system", |list| write_blocks(list, &self.system));
        }
        body.array("messages", |list| {
            for turn in &self.turns {
                let role = if turn.is_assistant {
                    "assistant"
                } else {
                    "user"
                };
                list.object(|object| {
                    object.str("role", role);
                    object.array("content", |list| write_blocks(list, &turn.blocks));
                });
            }
        });
    }
}

pub(super) fn build<'r>(
    request: &'r Request<'_>,
    target: &Target<'_>,
    names: &mut ToolNames,
    ids: &mut CallIds,
) -> Result<Conversation<'r>, Failure> {
    let mut builder = Builder {
        conversation: Conversation::default(),
        user: Vec::new(),
        results: Vec::new(),
        pending: Vec::new(),
        has_begun: false,
        replays_thinking: target.quirks.thinking != Ability::None && !target.strip_sealed_reasoning,
        names,
        ids,
    };
    for (index, message) in request.messages.iter().enumerate() {
        builder.message(message, index)?;
    }
    if let (true, Some(prompt)) = (request.messages.is_empty(), &request.prompt) {
        builder.user_text(&**prompt, None);
    }
    builder.close_user_turn();
    let mut conversation = builder.conversation;
    if conversation.turns.is_empty() {
        conversation.turns.push(opening());
    }
    settle_prefill(&mut conversation, target.quirks.prefill);
    Ok(conversation)
}

fn opening<'r>() -> Turn<'r> {
    Turn {
        is_assistant: false,
        blocks: vec![Block::text(OPENING)],
    }
}

struct Builder<'r, 'n> {
    conversation: Conversation<'r>,
    /// What the user says in the turn under way.
    user: Vec<Block<'r>>,
    /// Results of the turn under way, by the caller's id.
    results: Vec<(&'r str, Block<'r>)>,
    /// Calls of the last assistant turn: the caller's id and the one sent.
    pending: Vec<(&'r str, String)>,
    /// Something other than system text was seen.
    has_begun: bool,
    replays_thinking: bool,
    names: &'n mut ToolNames,
    ids: &'n mut CallIds,
}

impl<'r> Builder<'r, '_> {
    fn message(&mut self, message: &'r Message<'_>, index: usize) -> Result<(), Failure> {
        self.has_begun |= !matches!(message.role, Role::System | Role::Developer);
        match message.role {
            Role::System | Role::Developer => self.system(message),
            Role::User => self.user(message, index)?,
            Role::Assistant => self.assistant(message),
            Role::Tool => self.result(message, index)?,
        }
        Ok(())
    }

    /// Leading system text goes to `system`. Later it stays at its place, as a user's text: moved
    /// to the top it would mean something else and change the cached prefix.
    fn system(&mut self, message: &'r Message<'_>) {
        let mut name = message.name.as_deref();
        for (text, marker) in texts(&message.content) {
            if text.trim().is_empty() {
                self.move_marker(marker);
                continue;
            }
            let text = named(name.take(), text);
            if self.has_begun {
                self.user_text(format!("<system>{text}</system>"), marker);
            } else {
                let mut block = Block::text(text);
                block.mark(marker);
                self.conversation.system.push(block);
            }
        }
    }

    fn user(&mut self, message: &'r Message<'_>, index: usize) -> Result<(), Failure> {
        let before = self.user.len();
        let mut name = message.name.as_deref();
        match &message.content {
            Content::None => {}
            Content::Text(text) => self.user_text(named_if_filled(&mut name, text), None),
            Content::Parts(parts) => {
                for (place, part) in parts.iter().enumerate() {
                    let path = format!("messages[{index}].content[{place}]");
                    match &part.kind {
                        PartKind::Text(text) => {
                            let text = named_if_filled(&mut name, text);
                            self.user_text(text, part.cache_control);
                        }
                        _ => match media_block(part, &path)? {
                            Some(block) => self.user.push(block),
                            None => self.move_marker(part.cache_control),
                        },
                    }
                }
            }
        }
        if self.user.len() == before {
            let path = format!("messages[{index}].content");
            let message = "is empty, or holds nothing that this provider takes";
            return Err(refuse(ErrorType::InvalidPrompt, &path, message));
        }
        Ok(())
    }

    fn user_text(&mut self, text: impl Into<Cow<'r, str>>, marker: Option<&'r RawValue>) {
        let text = text.into();
        if text.trim().is_empty() {
            self.move_marker(marker);
            return;
        }
        let mut block = Block::text(text);
        block.mark(marker);
        self.user.push(block);
    }

    fn assistant(&mut self, message: &'r Message<'_>) {
        if !self.user.is_empty() || !self.results.is_empty() {
            self.close_user_turn();
        }
        let mut blocks = Vec::new();
        if self.replays_thinking {
            thinking_blocks(&message.reasoning_details, &mut blocks);
        }
        let has_thinking = !blocks.is_empty();
        let mut name = message.name.as_deref();
        let mut orphaned = None;
        let refusal = message.refusal.as_deref().map(|text| (text, None));
        for (text, marker) in texts(&message.content).chain(refusal) {
            if text.trim().is_empty() {
                match blocks.last_mut() {
                    Some(block) => block.mark(marker),
                    None => orphaned = orphaned.or(marker),
                }
                continue;
            }
            let mut block = Block::text(named(name.take(), text));
            block.mark(marker);
            blocks.push(block);
        }
        self.move_marker(orphaned);
        for call in &message.tool_calls {
            let id = self.ids.next(&call.id);
            self.pending.push((&call.id, id.clone()));
            blocks.push(Block::new(BlockKind::ToolUse {
                id,
                name: self.names.sent(&call.name),
                input: input_of(&call.arguments),
            }));
        }
        // Thinking alone says nothing, and is refused as the last block of a turn.
        if blocks.is_empty() || (has_thinking && blocks.iter().all(Block::is_thinking)) {
            return;
        }
        self.push_assistant(blocks);
    }

    fn push_assistant(&mut self, blocks: Vec<Block<'r>>) {
        let turns = &mut self.conversation.turns;
        match turns.last_mut() {
            Some(turn) if turn.is_assistant => {
                turn.blocks.extend(blocks);
                return;
            }
            Some(_) => {}
            None => turns.push(opening()),
        }
        turns.push(Turn {
            is_assistant: true,
            blocks,
        });
    }

    fn result(&mut self, message: &'r Message<'_>, index: usize) -> Result<(), Failure> {
        let id = message.tool_call_id.as_deref().unwrap_or_default();
        let mut marker = None;
        let content = match &message.content {
            Content::None => ResultContent::None,
            Content::Text(text) if text.trim().is_empty() => ResultContent::None,
            Content::Text(text) => ResultContent::Text(Cow::Borrowed(text)),
            Content::Parts(parts) => {
                // One marker for the result as a whole, not one per part (T17).
                marker = parts.iter().rev().find_map(|part| part.cache_control);
                result_content(parts, index)?
            }
        };
        let mut block = Block::new(BlockKind::ToolResult {
            id: String::new(), // known once the call is found
            content,
            is_error: false,
        });
        block.mark(marker);
        self.results.push((id, block));
        Ok(())
    }

    /// Writes the user's turn: the results in the order of their calls, then the rest. A call
    /// without a result gets one that says so; a result without a call is dropped.
    fn close_user_turn(&mut self) {
        let mut blocks = Vec::new();
        for (original, sent) in self.pending.drain(..) {
            let place = self.results.iter().position(|(id, _)| *id == original);
            let mut block = place.map_or_else(no_result, |place| self.results.remove(place).1);
            if let BlockKind::ToolResult { id, .. } = &mut block.kind {
                *id = sent;
            }
            blocks.push(block);
        }
        self.results.clear();
        blocks.append(&mut self.user);
        if blocks.is_empty() {
            return;
        }
        let turns = &mut self.conversation.turns;
        match turns.last_mut() {
            Some(turn) if !turn.is_assistant => turn.blocks.extend(blocks),
            _ => turns.push(Turn {
                is_assistant: false,
                blocks,
            }),
        }
    }

    /// The marker of a block that is not sent moves to the block before it (T13).
    fn move_marker(&mut self, marker: Option<&'r RawValue>) {
        let results = self.results.last_mut().map(|(_, block)| block);
        let turns = &mut self.conversation.turns;
        let last_turn = turns.last_mut().and_then(|turn| turn.blocks.last_mut());
        let previous = self.user.last_mut().or(results).or(last_turn);
        if let Some(block) = previous.or(self.conversation.system.last_mut()) {
            block.mark(marker);
        }
    }
}

fn no_result<'r>() -> Block<'r> {
    Block::new(BlockKind::ToolResult {
        id: String::new(),
        content: ResultContent::Text(Cow::Borrowed(NO_RESULT)),
        is_error: true,
    })
}

fn is_tool_use(block: &Block<'_>) -> bool {
    matches!(block.kind, BlockKind::ToolUse { .. })
}

/// The text parts of a content with their markers.
fn texts<'r>(content: &'r Content<'_>) -> impl Iterator<Item = (&'r str, Option<&'r RawValue>)> {
    let (whole, parts) = match content {
        Content::None => (None, [].as_slice()),
        Content::Text(text) => (Some((&**text, None)), [].as_slice()),
        Content::Parts(parts) => (None, parts.as_slice()),
    };
    let parts = parts.iter().filter_map(|part| match &part.kind {
        PartKind::Text(text) => Some((&**text, part.cache_control)),
        _ => None,
    });
    whole.into_iter().chain(parts)
}

/// Anthropic knows no names of participants: they are written before what they say.
fn named<'r>(name: Option<&str>, text: &'r str) -> Cow<'r, str> {
    match name.filter(|name| !name.trim().is_empty()) {
        Some(name) => Cow::Owned(format!("{name}: {text}")),
        None => Cow::Borrowed(text),
    }
}

/// Uses the name up with the first text that is sent.
fn named_if_filled<'r>(name: &mut Option<&'r str>, text: &'r str) -> Cow<'r, str> {
    if text.trim().is_empty() {
        return Cow::Borrowed(text);
    }
    named(name.take(), text)
}

/// An image or a file. `None` for what Anthropic has no block for; routing keeps such requests
/// away where it matters.
fn media_block<'r>(part: &'r Part<'_>, path: &str) -> Result<Option<Block<'r>>, Failure> {
    let mut block = match &part.kind {
        PartKind::Image { url, .. } => media::image(url, path)?,
        PartKind::File { filename, data, .. } => {
            media::file(data.as_deref(), filename.as_deref(), path)?
        }
        PartKind::Text(_) | PartKind::Audio { .. } | PartKind::Video { .. } | PartKind::Other => {
            return Ok(None);
        }
    };
    block.mark(part.cache_control);
    Ok(Some(block))
}

/// Parts of a tool's result: images and documents are native here (T16).
fn result_content<'r>(parts: &'r [Part<'_>], index: usize) -> Result<ResultContent<'r>, Failure> {
    let mut blocks = Vec::with_capacity(parts.len());
    for (place, part) in parts.iter().enumerate() {
        match &part.kind {
            PartKind::Text(text) if text.trim().is_empty() => {}
            PartKind::Text(text) => blocks.push(Block::text(&**text)),
            _ => {
                let path = format!("messages[{index}].content[{place}]");
                blocks.extend(media_block(part, &path)?);
            }
        }
    }
    for block in &mut blocks {
        block.cache = None;
    }
    Ok(if blocks.is_empty() {
        ResultContent::None
    } else {
        ResultContent::Blocks(blocks)
    })
}

/// Sealed reasoning of this family, in order. Pieces that a client kept as they were streamed
/// (texts, then the signature, all of one index) are joined.
fn thinking_blocks<'r>(details: &'r [ReasoningDetail<'_>], blocks: &mut Vec<Block<'r>>) {
    let mut open: Option<(Option<u64>, Cow<'r, str>, Cow<'r, str>)> = None;
    let details = details.iter().filter(|detail| {
        detail
            .format
            .as_deref()
            .is_none_or(|format| format == ANTHROPIC_FORMAT)
    });
    for detail in details {
        match &detail.kind {
            ReasoningDetailKind::Text { text, signature } => {
                let signature = signature.as_deref().unwrap_or_default();
                match &mut open {
                    // Some clients send a streamed thought's last piece, then the whole thought.
                    Some((index, held, seal))
                        if *index == detail.index
                            && seal.is_empty()
                            && !signature.is_empty()
                            && !held.is_empty()
                            && text.ends_with(held.as_ref()) =>
                    {
                        *held = Cow::Borrowed(text);
                        *seal = Cow::Borrowed(signature);
                    }
                    Some((index, held, seal))
                        if index.is_some() && *index == detail.index && seal.is_empty() =>
                    {
                        held.to_mut().push_str(text);
                        seal.to_mut().push_str(signature);
                    }
                    _ => {
                        close_thinking(&mut open, blocks);
                        open = Some((detail.index, Cow::Borrowed(text), Cow::Borrowed(signature)));
                    }
                }
            }
            ReasoningDetailKind::Encrypted { data } => {
                close_thinking(&mut open, blocks);
                blocks.push(Block::new(BlockKind::RedactedThinking { data }));
            }
            ReasoningDetailKind::Summary { .. } | ReasoningDetailKind::Other => {}
        }
    }
    close_thinking(&mut open, blocks);
}

/// Thinking without its signature is refused; it is left out.
fn close_thinking<'r>(
    open: &mut Option<(Option<u64>, Cow<'r, str>, Cow<'r, str>)>,
    blocks: &mut Vec<Block<'r>>,
) {
    if let Some((_, text, signature)) = open.take().filter(|(_, _, seal)| !seal.is_empty()) {
        blocks.push(Block::new(BlockKind::Thinking { text, signature }));
    }
}

/// A trailing assistant turn is continued by models that can, without white space at its end;
/// for the others it becomes an instruction (T28).
fn settle_prefill(conversation: &mut Conversation<'_>, is_supported: bool) {
    if !conversation.ends_in_prefill() {
        return;
    }
    if is_supported {
        let last = conversation.turns.last_mut();
        if let Some(Block {
            kind: BlockKind::Text(text),
            ..
        }) = last.and_then(|turn| turn.blocks.last_mut())
        {
            let length = text.trim_end().len();
            match text {
                Cow::Borrowed(text) => *text = text.trim_end(),
                Cow::Owned(text) => text.truncate(length),
            }
        }
        return;
    }
    let Some(prefill) = conversation.turns.pop() else {
        return;
    };
    let texts = prefill.blocks.iter().filter_map(|block| match &block.kind {
        BlockKind::Text(text) => Some(&**text),
        _ => None,
    });
    let said: String = texts.collect();
    let instruction = format!(
        "Your answer has begun with the text below. Continue it from exactly where it stops, \
         and do not repeat any of it.\n\n<begun>{said}</begun>"
    );
    if let Some(turn) = conversation.turns.last_mut() {
        turn.blocks.push(Block::text(instruction));
    }
}

#[cfg(test)]
mod tests;
