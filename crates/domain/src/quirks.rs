//! How an OpenAI-compatible (or any) provider differs from its dialect, as data.
//!
//! The values come from the provider's file in `crates/providers/data`; code reads them only in
//! `wire`. Defaults are OpenAI's own habits. Names follow the columns of the quirk table in
//! `docs/guide/providers.md`.

/// Which field carries the output limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LimitField {
    /// As the caller wrote it.
    #[default]
    Any,
    MaxTokens,
    MaxCompletionTokens,
}

/// How reasoning effort is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReasoningInput {
    /// Top-level `reasoning_effort`.
    #[default]
    Effort,
    /// Top-level `reasoning_effort`, and `reasoning_format` to have the text in its own field (Groq).
    EffortAndFormat,
    /// `reasoning: {effort}`.
    ReasoningEffortObject,
    /// `reasoning: {enabled}`.
    ReasoningEnabled,
    /// `thinking: {type: enabled|disabled}`.
    Thinking,
    /// `thinking: {type}` and `reasoning_effort` `high|max` (DeepSeek).
    ThinkingAndEffort,
    /// `enable_thinking` (and `thinking_budget`).
    EnableThinking,
    /// `chat_template_kwargs: {enable_thinking}`.
    TemplateKwargs,
    /// Reasoning cannot be asked for: nothing is sent.
    None,
}

/// Where reasoning text comes out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReasoningOutput {
    /// `reasoning` or `reasoning_content`, whichever is there.
    #[default]
    Field,
    /// `<think>…</think>` at the start of `content`.
    Tag,
}

/// What happens to reasoning text of earlier turns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReasoningReplay {
    /// Must not be sent.
    #[default]
    Drop,
    /// Sent as `reasoning_content` when there.
    Content,
    /// Sent as `reasoning` when there.
    Reasoning,
    /// Required on assistant turns with tool calls; a single space when lost.
    Required,
}

/// `content: null` of an assistant turn with tool calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NullContent {
    #[default]
    Keep,
    EmptyString,
    Omit,
}

/// Arrays of text parts as message content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ContentArrays {
    #[default]
    Keep,
    /// Join text parts to one string, always.
    Flatten,
    /// Keep arrays only where there is media in them.
    OnlyWithMedia,
}

/// `tools[].function.strict`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StrictTools {
    #[default]
    Keep,
    Drop,
}

/// Sampling parameters an Anthropic model accepts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sampling {
    #[default]
    Full,
    /// `temperature` or `top_p`, not both: temperature wins.
    One,
    /// Refused: all of them are dropped.
    None,
}

/// How an Anthropic model thinks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Thinking {
    /// Not at all.
    #[default]
    None,
    /// `thinking: {type: enabled, budget_tokens}`.
    Budget,
    /// Adaptive by default; an explicit budget selects budget thinking (4.6).
    AdaptiveOrBudget,
    /// `thinking: {type: adaptive}` and `output_config.effort`; budgets are not sent.
    Adaptive,
}

/// How a Gemini model takes effort.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GeminiThinking {
    #[default]
    None,
    /// `thinkingBudget` (2.5).
    Budget,
    /// `thinkingLevel` (3 and later).
    Level,
}

/// All differences of one endpoint, provider defaults already applied.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts of a provider"
)]
pub struct Quirks {
    pub limit: LimitField,
    /// `developer` messages are understood (else they become `system`).
    pub developer_role: bool,
    /// Streamed usage must be asked for with `stream_options.include_usage`.
    pub include_usage: bool,
    /// OpenAI pads chunks with `obfuscation` unless told not to.
    pub include_obfuscation: bool,
    pub reasoning_input: ReasoningInput,
    pub reasoning_output: ReasoningOutput,
    pub reasoning_replay: ReasoningReplay,
    /// Fragments may repeat the whole text so far (MiniMax).
    pub cumulative_reasoning: bool,
    /// `[n]` markers in the text refer to a `citations` list (Perplexity).
    pub citation_markers: bool,
    pub null_content: NullContent,
    pub content_arrays: ContentArrays,
    pub strict_tools: StrictTools,
    /// `tool_choice` values beyond `auto` that are understood.
    pub tool_choice_required: bool,
    pub tool_choice_named: bool,
    pub tool_choice_none: bool,
    /// `response_format: json_schema` is understood.
    pub json_schema: bool,
    /// `response_format: json_object` is understood.
    pub json_object: bool,
    /// `messages[].name` is understood (else it is written before the content).
    pub message_names: bool,
    /// Request fields beyond the common ones that this provider declares (passed through). Empty:
    /// any unknown field, but none of those only `OpenAI` has (`store`, `metadata`, …). `*`: all.
    pub passthrough: Vec<String>,
    /// The provider stops working (and billing) when the connection closes.
    pub cancels: bool,

    // Anthropic
    pub sampling: Sampling,
    pub thinking: Thinking,
    /// The model reasons unless told not to.
    pub thinks_by_default: bool,
    /// `thinking: {type: disabled}` is accepted.
    pub thinking_disabled: bool,
    /// `tool_choice` may force a call at all.
    pub forced_tools: bool,
    /// A trailing assistant message is continued.
    pub prefill: bool,
    /// `output_config.format` is understood.
    pub native_structured_output: bool,

    // Gemini
    pub gemini_thinking: GeminiThinking,
    /// Function calls of the history need `thoughtSignature` (3 and later).
    pub thought_signatures: bool,
    /// `parametersJsonSchema` and `responseJsonSchema` are understood.
    pub json_schema_fields: bool,
    /// `fileData` takes public https links (3 and later).
    pub file_links: bool,
}

impl Default for Quirks {
    fn default() -> Self {
        Self {
            limit: LimitField::Any,
            developer_role: false,
            include_usage: true,
            include_obfuscation: false,
            reasoning_input: ReasoningInput::default(),
            reasoning_output: ReasoningOutput::default(),
            reasoning_replay: ReasoningReplay::default(),
            cumulative_reasoning: false,
            citation_markers: false,
            null_content: NullContent::default(),
            content_arrays: ContentArrays::default(),
            strict_tools: StrictTools::default(),
            tool_choice_required: true,
            tool_choice_named: true,
            tool_choice_none: true,
            json_schema: true,
            json_object: true,
            message_names: true,
            passthrough: Vec::new(),
            cancels: false,
            sampling: Sampling::default(),
            thinking: Thinking::default(),
            thinks_by_default: false,
            thinking_disabled: true,
            forced_tools: true,
            prefill: false,
            native_structured_output: false,
            gemini_thinking: GeminiThinking::default(),
            thought_signatures: false,
            json_schema_fields: true,
            file_links: false,
        }
    }
}
