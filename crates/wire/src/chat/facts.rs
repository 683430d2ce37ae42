//! What must be known of a request after its body was read once: small, owned, kept for the whole
//! journey.
//!
//! Encoding reads the body again; routing, limits and money read only this.

use super::request::{Content, Message, Part, PartKind, ReasoningDetailKind, Request, ToolChoice};
use crate::openai_chat::encode::may_need_rewrite;
use interline_domain::Parameters;
use interline_domain::catalogue::{Modalities, Modality};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Most tokens one image is taken for. Providers scale images down before they count: Claude ends
/// at 1568 px a side (1,600 tokens), `OpenAI` at 765 for most models, Gemini at 1,120.
pub const IMAGE_TOKENS: u64 = 1_600;
/// What an image is expected to be: `OpenAI`'s largest of the tiled models.
const TYPICAL_IMAGE_TOKENS: u64 = 765;
/// Most tokens a linked file or video is taken for: its size is unknown, so this is an allowance
/// and no bound (about four minutes of video, or forty dense pages).
pub const LINKED_MEDIA_TOKENS: u64 = 65_536;
/// Base64 bytes per token of audio and video, at least: 32 tokens a second (Gemini) of speech at
/// 6 kbit/s is a token in 31 bytes, 263 a second of video at 100 kbit/s one in 63.
const MEDIA_BYTES_PER_TOKEN: u64 = 16;
/// Most tokens a chat template adds around one message (role, separators, end marks).
const MESSAGE_TOKENS: u64 = 16;
/// Most tokens a provider adds by itself once tools are declared (Claude: 300 to 500 by model).
const TOOLS_PREAMBLE_TOKENS: u64 = 1_024;

/// The summary.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts of a request"
)]
pub struct Facts {
    /// `model`, then `models`, each once. Empty: the account's default model.
    pub models: Vec<String>,
    pub stream: bool,
    /// Output tokens asked for.
    pub max_tokens: Option<u64>,
    pub parameters: Parameters,
    /// What an endpoint must be able to read. PDFs and other documents count as `file`.
    pub input_modalities: Modalities,
    /// What an endpoint must be able to make; text unless `modalities` says otherwise.
    pub output_modalities: Modalities,
    /// At least what any tokenizer could count for the prompt; what a hold is sized by.
    pub prompt_tokens_bound: u64,
    /// What the prompt probably has; for checks against a context window.
    pub prompt_tokens_estimate: u64,
    /// Images of the prompt, those in tool results included.
    pub images: u64,
    /// Bytes of the body as it came.
    pub body_bytes: u64,
    pub session_id: Option<String>,
    pub prompt_cache_key: Option<String>,
    /// The caller's end user, as written.
    pub user: Option<String>,
    pub service_tier: Option<String>,
    /// The level asked for, `none` when switched off.
    pub reasoning_effort: Option<String>,
    /// Reasoning may happen and must not be shown.
    pub exclude_reasoning: bool,
    pub has_tools: bool,
    /// A call is demanded: `required`, or a tool by name.
    pub forces_tool: bool,
    /// Caching is asked for, at the top or on a part.
    pub has_cache_markers: bool,
    /// `debug.echo_upstream_body` of a streamed request.
    pub echoes_body: bool,
    /// Some message holds what the in-place edit must change for one endpoint or another.
    pub needs_rewrite: bool,
}

impl Facts {
    /// Sums `request` up. `body_len` is the size of the body it was read from, in bytes.
    pub fn of(request: &Request<'_>, body_len: usize) -> Self {
        let mut count = Count::default();
        count.request(request);
        let mut input_modalities = Modalities::default().with(Modality::Text);
        let mut has_cache_markers = request.cache_control.is_some();
        for part in request.messages.iter().flat_map(parts) {
            if let Some(modality) = modality_of(&part.kind) {
                input_modalities = input_modalities.with(modality);
            }
            has_cache_markers |= part.cache_control.is_some();
        }
        let reasoning = request.reasoning.as_ref();
        Self {
            models: models(request),
            stream: request.stream,
            max_tokens: request.max_tokens,
            parameters: request.parameters,
            input_modalities,
            output_modalities: output_modalities(request),
            prompt_tokens_bound: count.bound,
            prompt_tokens_estimate: count.estimate(),
            images: count.images,
            body_bytes: to_u64(body_len),
            session_id: owned(request.session_id.as_ref()),
            prompt_cache_key: request
                .field("prompt_cache_key")
                .and_then(|raw| crate::json::string(raw.get()))
                .map(Cow::into_owned),
            user: owned(request.user.as_ref()),
            service_tier: owned(request.service_tier.as_ref()),
            reasoning_effort: reasoning.and_then(|wanted| owned(wanted.effort.as_ref())),
            exclude_reasoning: reasoning.is_some_and(|wanted| wanted.exclude),
            has_tools: !request.tools.is_empty(),
            forces_tool: matches!(
                request.tool_choice,
                Some(ToolChoice::Required | ToolChoice::Named(_))
            ),
            has_cache_markers: has_cache_markers
                || request
                    .tools
                    .iter()
                    .any(|tool| tool.cache_control.is_some()),
            echoes_body: request.stream && wants_echo(request),
            needs_rewrite: request.messages.iter().any(may_need_rewrite),
        }
    }
}

fn owned(text: Option<&Cow<'_, str>>) -> Option<String> {
    text.map(|text| text.clone().into_owned())
}

fn to_u64(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

fn models(request: &Request<'_>) -> Vec<String> {
    let mut models: Vec<String> = Vec::with_capacity(1 + request.models.len());
    for name in request.model.iter().chain(&request.models) {
        if !models.iter().any(|model| model == name) {
            models.push(name.clone().into_owned());
        }
    }
    models
}

fn output_modalities(request: &Request<'_>) -> Modalities {
    if request.modalities.is_empty() {
        return Modalities::default().with(Modality::Text);
    }
    let named = request.modalities.iter();
    named.filter_map(|name| Modality::parse(name)).collect()
}

fn wants_echo(request: &Request<'_>) -> bool {
    #[derive(serde_derive::Deserialize)]
    struct Debug {
        echo_upstream_body: Option<bool>,
    }
    request
        .field("debug")
        .and_then(|raw| serde_json::from_str::<Debug>(raw.get()).ok())
        .and_then(|debug| debug.echo_upstream_body)
        .unwrap_or(false)
}

fn parts<'m, 'a>(message: &'m Message<'a>) -> &'m [Part<'a>] {
    match &message.content {
        Content::Parts(parts) => parts,
        _ => &[],
    }
}

fn modality_of(kind: &PartKind<'_>) -> Option<Modality> {
    match kind {
        PartKind::Image { .. } => Some(Modality::Image),
        PartKind::Audio { .. } => Some(Modality::Audio),
        PartKind::File { .. } => Some(Modality::File),
        PartKind::Video { .. } => Some(Modality::Video),
        PartKind::Text(_) | PartKind::Other => None,
    }
}

/// Tokens, counted from above and by guess.
///
/// The bound holds because every tokenizer in use makes at most one token of one byte, and adds
/// no more around a message than [`MESSAGE_TOKENS`].
#[derive(Debug, Default)]
struct Count {
    bound: u64,
    /// Tokens guessed directly.
    guessed: u64,
    /// Bytes of text other than Chinese, Japanese and Korean: 3.6 to the token.
    latin_bytes: u64,
    /// Their characters: 0.75 tokens each.
    cjk_characters: u64,
    images: u64,
}

impl Count {
    fn request(&mut self, request: &Request<'_>) {
        for message in &request.messages {
            self.message(message);
        }
        self.text(request.prompt.as_deref().unwrap_or_default());
        self.add(MESSAGE_TOKENS, 3); // the reply's own opening
        if !request.tools.is_empty() {
            self.add(TOOLS_PREAMBLE_TOKENS, 12);
        }
        for tool in &request.tools {
            self.add(MESSAGE_TOKENS, 0);
            self.json(tool.raw);
        }
        if let Some(format) = request.field("response_format") {
            self.json(format);
        }
    }

    fn message(&mut self, message: &Message<'_>) {
        self.add(MESSAGE_TOKENS, 3);
        if let Some(name) = &message.name {
            self.add(1, 1);
            self.text(name);
        }
        match &message.content {
            Content::None => {}
            Content::Text(text) => self.text(text),
            Content::Parts(parts) => parts.iter().for_each(|part| self.part(part)),
        }
        for call in &message.tool_calls {
            self.add(MESSAGE_TOKENS, 3);
            self.add(to_u64(call.id.len()), 0);
            self.text(&call.name);
            self.text(&call.arguments);
        }
        if let Some(id) = &message.tool_call_id {
            self.add(to_u64(id.len()), 0);
        }
        self.text(message.refusal.as_deref().unwrap_or_default());
        self.text(message.reasoning.as_deref().unwrap_or_default());
        for detail in &message.reasoning_details {
            match &detail.kind {
                // Beside `reasoning` it is the same text once more: bound it, do not guess it.
                ReasoningDetailKind::Text { text, .. } => self.add(to_u64(text.len()), 0),
                ReasoningDetailKind::Summary { summary } => self.add(to_u64(summary.len()), 0),
                ReasoningDetailKind::Encrypted { data } => {
                    let length = to_u64(data.len());
                    self.add(length, length / 8);
                }
                ReasoningDetailKind::Other => {}
            }
        }
    }

    fn part(&mut self, part: &Part<'_>) {
        match &part.kind {
            PartKind::Text(text) => self.text(text),
            PartKind::Image { .. } => {
                self.images += 1;
                self.add(IMAGE_TOKENS, TYPICAL_IMAGE_TOKENS);
            }
            PartKind::Audio { data, .. } => self.media(data),
            PartKind::Video { url } => self.media(url),
            PartKind::File { data, filename, .. } => {
                self.text(filename.as_deref().unwrap_or_default());
                match data.as_deref().filter(|data| is_inline(data)) {
                    // Documents are packed: a byte of base64 may be a token of text.
                    Some(data) => self.add(to_u64(data.len()), to_u64(data.len()) / 16),
                    None => self.add(LINKED_MEDIA_TOKENS, 1_024),
                }
            }
            PartKind::Other => {
                let length = to_u64(part.raw.get().len());
                self.add(length, length / 4);
            }
        }
    }

    /// Base64, a `data:` URL, or a link.
    fn media(&mut self, data: &str) {
        if data.starts_with("http") {
            self.add(LINKED_MEDIA_TOKENS, 4_096);
        } else {
            let tokens = to_u64(data.len()) / MEDIA_BYTES_PER_TOKEN;
            self.add(tokens.saturating_add(64), tokens / 8);
        }
    }

    fn text(&mut self, text: &str) {
        let cjk = cjk_characters(text);
        self.bound = self.bound.saturating_add(to_u64(text.len()));
        self.cjk_characters = self.cjk_characters.saturating_add(cjk);
        let latin = to_u64(text.len()).saturating_sub(cjk.saturating_mul(3));
        self.latin_bytes = self.latin_bytes.saturating_add(latin);
    }

    /// A schema or a tool: some providers spell it out, so more than its bytes is allowed for.
    fn json(&mut self, raw: &RawValue) {
        let length = to_u64(raw.get().len());
        self.bound = self.bound.saturating_add(length.saturating_add(length / 2));
        self.latin_bytes = self
            .latin_bytes
            .saturating_add(length.saturating_add(length / 7));
    }

    fn add(&mut self, bound: u64, guess: u64) {
        self.bound = self.bound.saturating_add(bound);
        self.guessed = self.guessed.saturating_add(guess);
    }

    fn estimate(&self) -> u64 {
        let latin = self.latin_bytes.saturating_mul(10) / 36;
        let cjk = self.cjk_characters.saturating_mul(3) / 4;
        self.guessed
            .saturating_add(latin)
            .saturating_add(cjk)
            .clamp(1, self.bound.max(1))
    }
}

/// Kana, ideographs and hangul: what begins with the first bytes of U+3000 to U+DFFF, three bytes
/// each. Those bytes are never inside another character, so nothing needs decoding.
fn cjk_characters(text: &str) -> u64 {
    if text.is_ascii() {
        return 0;
    }
    // Sums of a byte, so that the compiler counts many at once.
    let blocks = text.as_bytes().chunks(255).map(|block| {
        let leads = block
            .iter()
            .map(|byte| u8::from((0xe3..=0xed).contains(byte)));
        u64::from(leads.sum::<u8>())
    });
    blocks.sum()
}

fn is_inline(data: &str) -> bool {
    data.get(..5)
        .is_some_and(|start| start.eq_ignore_ascii_case("data:"))
}

#[cfg(test)]
mod tests;
