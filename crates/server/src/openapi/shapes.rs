//! The objects of the API, field by field. A test holds the answers we write against them.

use super::{Field, Shape};

pub(crate) const PAGE_QUERY: &[Field] = &[
    (
        "offset?",
        "integer 0..|null",
        "Models to skip. Without `offset` and `limit` the whole list is returned.",
    ),
    (
        "limit?",
        "integer 1..1000",
        "Models to return; 500 if only `offset` is given.",
    ),
];

pub(crate) const COUNT_QUERY: &[Field] = &[OUTPUTS];

const OUTPUTS: Field = (
    "output_modalities?",
    "string",
    "What must come out, any of: text, image, audio, file, video, embeddings, rerank, speech, \
     transcription. Comma-separated, or `all`. Without it: text.",
);

pub(crate) const MODEL_QUERY: &[Field] = &[
    PAGE_QUERY[0],
    PAGE_QUERY[1],
    ("q?", "string", "Text in the name or the id."),
    OUTPUTS,
    (
        "input_modalities?",
        "string",
        "What must go in, all of a comma-separated list.",
    ),
    (
        "supported_parameters?",
        "string",
        "Parameters, all of a comma-separated list.",
    ),
    ("context?", "integer 1..", "Least context length in tokens."),
    (
        "min_price?",
        "number 0..|null",
        "Dollars per million prompt tokens, at least.",
    ),
    (
        "max_price?",
        "number 0..|null",
        "Dollars per million prompt tokens, at most.",
    ),
    (
        "min_output_price?",
        "number 0..|null",
        "Dollars per million completion tokens, at least.",
    ),
    (
        "max_output_price?",
        "number 0..|null",
        "Dollars per million completion tokens, at most.",
    ),
    ("arch?", "string", "Family: GPT, Claude, Gemini, Llama3, …"),
    (
        "model_authors?",
        "string",
        "Authors, any of a comma-separated list.",
    ),
    (
        "providers?",
        "string",
        "Providers by slug or name, any of a comma-separated list.",
    ),
    (
        "distillable?",
        "'true'|'false'",
        "Whether the author allows training on the output.",
    ),
    (
        "zdr?",
        "'true'",
        "Only models with an endpoint that keeps nothing.",
    ),
    (
        "region?",
        "'eu'|'us'",
        "Only models with an endpoint of a provider with data centres there.",
    ),
    (
        "min_age_days?",
        "integer 0..|null",
        "Days since the model appeared, at least.",
    ),
    (
        "max_age_days?",
        "integer 0..|null",
        "Days since the model appeared, at most.",
    ),
    (
        "category?",
        "'programming'|'roleplay'|'marketing'|'marketing/seo'|'technology'|'science'|'translation'\
         |'legal'|'finance'|'health'|'trivia'|'academia'",
        "Not recorded by this version: matches nothing.",
    ),
    (
        "min_intelligence_index?",
        "number 0..|null",
        "Not recorded by this version: matches nothing.",
    ),
    (
        "max_intelligence_index?",
        "number 0..|null",
        "Not recorded by this version: matches nothing.",
    ),
    (
        "min_coding_index?",
        "number 0..|null",
        "Not recorded by this version: matches nothing.",
    ),
    (
        "max_coding_index?",
        "number 0..|null",
        "Not recorded by this version: matches nothing.",
    ),
    (
        "min_agentic_index?",
        "number 0..|null",
        "Not recorded by this version: matches nothing.",
    ),
    (
        "max_agentic_index?",
        "number 0..|null",
        "Not recorded by this version: matches nothing.",
    ),
    (
        "min_tool_success_rate?",
        "number 0..1|null",
        "Not recorded by this version: matches nothing.",
    ),
    (
        "max_tool_success_rate?",
        "number 0..1|null",
        "Not recorded by this version: matches nothing.",
    ),
    (
        "sort?",
        "'most-popular'|'newest'|'top-weekly'|'pricing-low-to-high'|'pricing-high-to-low'\
         |'context-high-to-low'|'throughput-high-to-low'|'latency-low-to-high'\
         |'intelligence-high-to-low'|'coding-high-to-low'|'agentic-high-to-low'\
         |'design-arena-elo-high-to-low'",
        "Models without the figure come last. Popularity and benchmarks are not recorded by this \
         version and leave the order as it is.",
    ),
    ("use_rss?", "string", "`true`: an RSS feed instead of JSON."),
    (
        "use_rss_chat_links?",
        "string",
        "`true`: items of the feed link to the chat.",
    ),
];

pub(crate) const GENERATION_QUERY: &[Field] = &[(
    "id",
    "string 1..",
    "The `id` of an answer, also in its `X-Generation-Id` header.",
)];

/// Every shape, in the order people read them.
pub(crate) const ALL: &[Shape] = &[
    Shape {
        name: "ChatRequest",
        about: "A conversation and how to continue it. Fields that are not listed are passed on to \
                providers that know them.",
        fields: &[
            (
                "model?",
                "string",
                "`author/slug[:variant]`. `:nitro` asks for speed, `:floor` for the lowest price, `:free` for the free endpoints.",
            ),
            (
                "models?",
                "[string]",
                "Models to fall back to, in order, after `model`.",
            ),
            (
                "messages?",
                "[Message]",
                "The conversation, oldest first. Needed unless there is a `prompt`.",
            ),
            (
                "prompt?",
                "string",
                "One user message, in place of `messages`.",
            ),
            (
                "stream?",
                "boolean",
                "Answer piece by piece, as server-sent events.",
            ),
            (
                "max_completion_tokens?",
                "integer 1..|null",
                "Most tokens to produce, reasoning included.",
            ),
            (
                "max_tokens?",
                "integer 1..|null",
                "The old name of `max_completion_tokens`.",
            ),
            ("temperature?", "number 0..2|null", ""),
            ("top_p?", "number 0..1|null", ""),
            ("top_k?", "integer 0..|null", ""),
            ("min_p?", "number 0..1|null", ""),
            ("top_a?", "number 0..1|null", ""),
            ("frequency_penalty?", "number -2..2|null", ""),
            ("presence_penalty?", "number -2..2|null", ""),
            ("repetition_penalty?", "number 0..2|null", ""),
            (
                "seed?",
                "integer|null",
                "Makes answers repeatable where the provider can.",
            ),
            (
                "stop?",
                "string|[string]|null",
                "Up to four texts that end the answer.",
            ),
            (
                "logit_bias?",
                "{number -100..100}|null",
                "Token ids and how much to favour them.",
            ),
            ("logprobs?", "boolean|null", ""),
            ("top_logprobs?", "integer 0..20|null", "Needs `logprobs`."),
            ("tools?", "[Tool]", "Functions the model may call."),
            (
                "tool_choice?",
                "'auto'|'none'|'required'|object",
                "Whether, or which, function to call.",
            ),
            (
                "parallel_tool_calls?",
                "boolean|null",
                "Whether one answer may make several calls.",
            ),
            (
                "response_format?",
                "ResponseFormat",
                "Text, any JSON object, or JSON of a schema.",
            ),
            (
                "structured_outputs?",
                "boolean",
                "The answer must hold to the schema.",
            ),
            (
                "reasoning?",
                "ReasoningRequest",
                "How much to think, and whether to show it.",
            ),
            (
                "reasoning_effort?",
                "'max'|'xhigh'|'high'|'medium'|'low'|'minimal'|'none'|null",
                "Short for `reasoning.effort`.",
            ),
            (
                "include_reasoning?",
                "boolean",
                "Old: `false` leaves the reasoning out.",
            ),
            (
                "verbosity?",
                "'low'|'medium'|'high'|'xhigh'|'max'|null",
                "How long to answer.",
            ),
            (
                "modalities?",
                "['text'|'image'|'audio']",
                "What may come out.",
            ),
            (
                "prediction?",
                "object|null",
                "`{type: \"content\", content}`: text that much of the answer will repeat.",
            ),
            (
                "provider?",
                "ProviderPreferences",
                "Which providers may answer, and in what order.",
            ),
            (
                "cache_control?",
                "CacheControl",
                "Let the provider cache the prompt.",
            ),
            ("prompt_cache_key?", "string|null", ""),
            (
                "service_tier?",
                "'auto'|'default'|'fast'|'flex'|'priority'|'scale'|null",
                "",
            ),
            (
                "user?",
                "string ..256",
                "Your end user. Providers see a hash at most.",
            ),
            (
                "session_id?",
                "string ..256",
                "Groups calls of one conversation.",
            ),
            ("metadata?", "{string}", "Up to 16 pairs."),
            (
                "debug?",
                "object",
                "`{echo_upstream_body: true}`, when streaming.",
            ),
        ],
    },
    Shape {
        name: "Message",
        about: "One turn.",
        fields: &[
            ("role", "'system'|'developer'|'user'|'assistant'|'tool'", ""),
            (
                "content?",
                "string|[ContentPart]|null",
                "May be absent beside `tool_calls`.",
            ),
            ("name?", "string", ""),
            ("tool_calls?", "[ToolCall]", "What an assistant called."),
            (
                "tool_call_id?",
                "string",
                "Which call a `tool` message answers.",
            ),
            (
                "reasoning?",
                "string|null",
                "An assistant's readable reasoning.",
            ),
            (
                "reasoning_details?",
                "[object]",
                "As received: send it back unchanged.",
            ),
            ("refusal?", "string|null", ""),
        ],
    },
    Shape {
        name: "ContentPart",
        about: "A piece of a message. The member named like `type` holds it.",
        fields: &[
            (
                "type",
                "'text'|'image_url'|'input_audio'|'file'|'video_url'",
                "",
            ),
            ("text?", "string", ""),
            (
                "image_url?",
                "object",
                "`{url, detail?}`; the URL may be a `data:` URL.",
            ),
            ("input_audio?", "object", "`{data, format}`, base64."),
            ("file?", "object", "`{filename, file_data}`."),
            ("video_url?", "object", "`{url}`."),
            (
                "cache_control?",
                "CacheControl",
                "The provider may cache up to here.",
            ),
        ],
    },
    Shape {
        name: "CacheControl",
        about: "Prompt caching.",
        fields: &[("type", "'ephemeral'", ""), ("ttl?", "'5m'|'1h'", "")],
    },
    Shape {
        name: "Tool",
        about: "A function the model may call.",
        fields: &[
            ("type", "'function'", ""),
            ("function", "FunctionDefinition", ""),
        ],
    },
    Shape {
        name: "FunctionDefinition",
        about: "What a function is for and what it takes.",
        fields: &[
            ("name", "string", ""),
            ("description?", "string", ""),
            ("parameters?", "object", "A JSON Schema."),
            (
                "strict?",
                "boolean|null",
                "Hold the arguments to the schema.",
            ),
        ],
    },
    Shape {
        name: "ToolCall",
        about: "A call the model makes.",
        fields: &[
            ("id", "string", ""),
            ("type", "'function'", ""),
            ("function", "FunctionCall", ""),
            (
                "index?",
                "integer",
                "In streams: which call a piece belongs to.",
            ),
        ],
    },
    Shape {
        name: "FunctionCall",
        about: "The function and its arguments.",
        fields: &[
            ("name", "string", ""),
            ("arguments", "string", "JSON, as text."),
        ],
    },
    Shape {
        name: "ResponseFormat",
        about: "What the answer must look like.",
        fields: &[
            (
                "type",
                "'text'|'json_object'|'json_schema'|'grammar'|'python'",
                "",
            ),
            (
                "json_schema?",
                "object",
                "`{name, schema, strict?, description?}`.",
            ),
        ],
    },
    Shape {
        name: "ReasoningRequest",
        about: "How much to think. Give `effort` or `max_tokens`.",
        fields: &[
            (
                "effort?",
                "'max'|'xhigh'|'high'|'medium'|'low'|'minimal'|'none'|null",
                "",
            ),
            ("max_tokens?", "integer 1..|null", "Budget in tokens."),
            ("exclude?", "boolean", "Think, but do not show it."),
            ("enabled?", "boolean", ""),
            ("summary?", "'auto'|'concise'|'detailed'|null", ""),
        ],
    },
    Shape {
        name: "ProviderPreferences",
        about: "Which endpoints may answer, and in what order.",
        fields: &[
            (
                "order?",
                "[string]|null",
                "Slugs to try first, in this order.",
            ),
            ("only?", "[string]|null", "No others than these."),
            ("ignore?", "[string]|null", "None of these."),
            (
                "allow_fallbacks?",
                "boolean|null",
                "`false`: one try, at the first choice.",
            ),
            (
                "require_parameters?",
                "boolean|null",
                "Only endpoints that know every parameter of the request.",
            ),
            (
                "data_collection?",
                "'allow'|'deny'|null",
                "`deny`: only providers that neither keep nor train.",
            ),
            ("zdr?", "boolean|null", "Only endpoints that keep nothing."),
            (
                "enforce_distillable_text?",
                "boolean|null",
                "Only models whose output may be trained on.",
            ),
            ("quantizations?", "[string]|null", ""),
            (
                "sort?",
                "'price'|'throughput'|'latency'|'exacto'|object|null",
                "One strict order instead of spreading the load; or `{by, partition}`.",
            ),
            (
                "preferred_min_throughput?",
                "number|object|null",
                "Tokens per second; slower endpoints go last.",
            ),
            (
                "preferred_max_latency?",
                "number|object|null",
                "Seconds to the first token; slower endpoints go last.",
            ),
            (
                "max_price?",
                "object|null",
                "`{prompt, completion, request, image, audio}`; the first two per million tokens.",
            ),
            (
                "options?",
                "object",
                "Per provider slug: fields for that provider alone.",
            ),
        ],
    },
    Shape {
        name: "ChatResponse",
        about: "The whole answer.",
        fields: &[
            ("id", "string", "`gen-…`, for `GET /generation`."),
            ("object", "'chat.completion'", ""),
            ("created", "integer", "Unix seconds."),
            ("model", "string", "The model that answered."),
            ("provider?", "string", "Who served it."),
            ("system_fingerprint", "string|null", ""),
            ("service_tier?", "string|null", ""),
            ("choices", "[Choice]", "Always one."),
            ("usage?", "Usage", ""),
            (
                "openrouter_metadata?",
                "object",
                "How it was routed, if `X-OpenRouter-Metadata: enabled` asked.",
            ),
        ],
    },
    Shape {
        name: "Choice",
        about: "The answer itself.",
        fields: &[
            ("index", "integer", ""),
            ("message", "AnswerMessage", ""),
            (
                "finish_reason",
                "'stop'|'length'|'tool_calls'|'content_filter'|'error'|null",
                "",
            ),
            (
                "native_finish_reason?",
                "string|null",
                "The provider's own word.",
            ),
            ("logprobs?", "object|null", ""),
            (
                "error?",
                "object",
                "What broke an answer off that had begun.",
            ),
        ],
    },
    Shape {
        name: "AnswerMessage",
        about: "What the model said.",
        fields: &[
            ("role", "'assistant'", ""),
            ("content?", "string|null", ""),
            ("refusal?", "string|null", ""),
            ("reasoning?", "string|null", ""),
            ("reasoning_details?", "[object]", ""),
            ("tool_calls?", "[ToolCall]", ""),
            ("annotations?", "[object]", ""),
            ("images?", "[object]", ""),
            ("audio?", "object", ""),
        ],
    },
    Shape {
        name: "ChatChunk",
        about: "One event of a streamed answer. The last one before `[DONE]` has the usage.",
        fields: &[
            ("id", "string", ""),
            ("object", "'chat.completion.chunk'", ""),
            ("created", "integer", ""),
            ("model", "string", ""),
            ("provider?", "string", ""),
            ("system_fingerprint?", "string|null", ""),
            ("service_tier?", "string|null", ""),
            ("choices", "[ChunkChoice]", ""),
            ("usage?", "Usage|null", ""),
            (
                "error?",
                "object",
                "Ends the stream: `{code, message, metadata}`.",
            ),
            ("openrouter_metadata?", "object", ""),
        ],
    },
    Shape {
        name: "ChunkChoice",
        about: "A piece of the answer.",
        fields: &[
            ("index", "integer", ""),
            (
                "delta",
                "object",
                "The members of `AnswerMessage` that grew, and by what.",
            ),
            (
                "finish_reason",
                "'stop'|'length'|'tool_calls'|'content_filter'|'error'|null",
                "",
            ),
            ("native_finish_reason?", "string|null", ""),
            ("logprobs?", "object|null", ""),
        ],
    },
    Shape {
        name: "Usage",
        about: "Tokens as the provider counted them, and what the call cost.",
        fields: &[
            ("prompt_tokens", "integer", ""),
            ("completion_tokens", "integer", "Reasoning included."),
            ("total_tokens", "integer", ""),
            ("cost?", "number|null", "Dollars charged."),
            ("is_byok?", "boolean", ""),
            (
                "prompt_tokens_details?",
                "object|null",
                "`cached_tokens`, `cache_write_tokens`, `audio_tokens`, `video_tokens`.",
            ),
            (
                "completion_tokens_details?",
                "object|null",
                "`reasoning_tokens`, `image_tokens`, `audio_tokens`, …",
            ),
            ("cost_details?", "object|null", "How the cost came about."),
            ("server_tool_use?", "object", "`web_search_requests`."),
        ],
    },
    Shape {
        name: "ModelList",
        about: "Models.",
        fields: &[
            ("data", "[Model]", ""),
            ("total_count", "integer", "Models that fit, on all pages."),
            ("links", "PageLinks", ""),
        ],
    },
    Shape {
        name: "PageLinks",
        about: "The way on.",
        fields: &[("next", "string|null", "Address of the next page.")],
    },
    Shape {
        name: "ModelCount",
        about: "How many there are.",
        fields: &[("data", "Count", "")],
    },
    Shape {
        name: "Count",
        about: "A number of models.",
        fields: &[("count", "integer", "")],
    },
    Shape {
        name: "ModelAnswer",
        about: "One model.",
        fields: &[("data", "Model", "")],
    },
    Shape {
        name: "Model",
        about: "A model as requests name it. Its price and limits are those of its best endpoint: \
                routable before merely listed, then the cheapest.",
        fields: &[
            ("id", "string", "What to send as `model`."),
            ("canonical_slug", "string", "Dated; never changes."),
            ("name", "string", ""),
            ("created", "integer", "Unix seconds; 0: unknown."),
            ("description", "string", ""),
            ("hugging_face_id", "string|null", ""),
            ("context_length", "integer|null", "Tokens."),
            ("architecture", "Architecture", ""),
            ("pricing", "Pricing", ""),
            ("top_provider", "TopProvider", ""),
            ("per_request_limits", "object|null", ""),
            (
                "supported_parameters",
                "[string]",
                "Of any of its endpoints.",
            ),
            (
                "default_parameters",
                "DefaultParameters|null",
                "What the author recommends.",
            ),
            ("supported_voices", "[string]|null", ""),
            ("expiration_date", "string|null", "YYYY-MM-DD."),
            ("knowledge_cutoff", "string|null", ""),
            (
                "reasoning?",
                "ModelReasoning",
                "Only of models that reason.",
            ),
            (
                "alias_target?",
                "AliasTarget",
                "What an alias stands for today.",
            ),
            ("links", "ModelLinks", ""),
        ],
    },
    Shape {
        name: "Architecture",
        about: "What goes in and what comes out.",
        fields: &[
            ("modality", "string|null", "`text+image->text`."),
            ("input_modalities", "[string]", ""),
            ("output_modalities", "[string]", ""),
            ("tokenizer", "string", "Family."),
            ("instruct_type", "string|null", ""),
        ],
    },
    Shape {
        name: "Pricing",
        about: "Dollars per unit, as decimal strings. `-1`: nobody said what it costs.",
        fields: &[
            ("prompt", "decimal", "Per token."),
            ("completion", "decimal", "Per token."),
            ("request?", "decimal", "Per request."),
            ("image?", "decimal", "Per input image."),
            ("image_token?", "decimal", ""),
            ("image_output?", "decimal", ""),
            ("audio?", "decimal", ""),
            ("audio_output?", "decimal", ""),
            ("web_search?", "decimal", "Per search."),
            (
                "internal_reasoning?",
                "decimal",
                "Per reasoning token, where it differs.",
            ),
            ("input_cache_read?", "decimal", ""),
            ("input_cache_write?", "decimal", "Kept for five minutes."),
            ("input_cache_write_1h?", "decimal", "Kept for an hour."),
            (
                "overrides?",
                "[PricingOverride]",
                "Later ones win, price by price.",
            ),
        ],
    },
    Shape {
        name: "PricingOverride",
        about: "Prices of long prompts. What is absent stays as it is.",
        fields: &[
            (
                "min_prompt_tokens",
                "number",
                "Holds for prompts of more tokens than this.",
            ),
            ("prompt?", "decimal", ""),
            ("completion?", "decimal", ""),
            ("input_cache_read?", "decimal", ""),
            ("input_cache_write?", "decimal", ""),
            ("input_cache_write_1h?", "decimal", ""),
        ],
    },
    Shape {
        name: "TopProvider",
        about: "Limits of the best endpoint.",
        fields: &[
            ("context_length", "integer|null", ""),
            ("max_completion_tokens", "integer|null", ""),
            ("is_moderated", "boolean", ""),
        ],
    },
    Shape {
        name: "DefaultParameters",
        about: "Recommended sampling values.",
        fields: &[
            ("temperature", "number|null", ""),
            ("top_p", "number|null", ""),
            ("top_k", "integer|null", ""),
            ("frequency_penalty", "number|null", ""),
            ("presence_penalty", "number|null", ""),
            ("repetition_penalty", "number|null", ""),
        ],
    },
    Shape {
        name: "ModelReasoning",
        about: "How a model's reasoning can be steered.",
        fields: &[
            ("mandatory", "boolean", ""),
            (
                "supported_efforts?",
                "[string]|null",
                "Strongest first. `null`: any. Absent: none.",
            ),
            ("default_effort?", "string", ""),
            ("default_enabled?", "boolean", ""),
            ("supports_max_tokens?", "boolean", ""),
        ],
    },
    Shape {
        name: "AliasTarget",
        about: "The model behind an alias.",
        fields: &[("slug", "string", ""), ("name", "string", "")],
    },
    Shape {
        name: "ModelLinks",
        about: "Where to read on.",
        fields: &[("details", "string", "Address of the endpoints.")],
    },
    Shape {
        name: "ModelEndpoints",
        about: "A model and who serves it.",
        fields: &[("data", "ModelWithEndpoints", "")],
    },
    Shape {
        name: "ModelWithEndpoints",
        about: "A model in short, and its endpoints.",
        fields: &[
            ("id", "string", ""),
            ("name", "string", ""),
            ("created", "integer", ""),
            ("description", "string", ""),
            ("architecture", "Architecture", ""),
            ("endpoints", "[Endpoint]", ""),
        ],
    },
    Shape {
        name: "EndpointList",
        about: "Endpoints.",
        fields: &[("data", "[Endpoint]", "")],
    },
    Shape {
        name: "Endpoint",
        about: "One provider serving one model at a price.",
        fields: &[
            ("name", "string", ""),
            ("model_id", "string", "The dated slug."),
            ("model_name", "string", ""),
            ("provider_name", "string", ""),
            (
                "tag",
                "string",
                "What `provider.order` and `provider.only` name it by.",
            ),
            ("context_length", "integer", ""),
            ("max_prompt_tokens", "integer|null", ""),
            ("max_completion_tokens", "integer|null", ""),
            ("quantization", "string|null", ""),
            ("pricing", "Pricing", ""),
            ("supported_parameters", "[string]", ""),
            ("supports_implicit_caching", "boolean", ""),
            ("supports_voice_cloning", "boolean", ""),
            ("supports_tool_choice", "ToolChoiceSupport", ""),
            ("supports_diarization", "boolean", ""),
            (
                "native_tools",
                "object",
                "Server tools that the provider runs itself. Empty in this version.",
            ),
            (
                "service_tier",
                "string|null",
                "Always `null` in this version.",
            ),
            (
                "status",
                "integer -10..0",
                "0 well, -1 degraded, -2 down, -3 not used here (no key, no price, or a format not spoken yet), -5 resting after a rate limit.",
            ),
            (
                "uptime_last_5m",
                "number|null",
                "Percent. Not kept by this version.",
            ),
            (
                "uptime_last_30m",
                "number|null",
                "Percent. Not kept by this version.",
            ),
            (
                "uptime_last_1d",
                "number|null",
                "Percent. Not kept by this version.",
            ),
            (
                "latency_last_30m",
                "object|null",
                "Not kept by this version.",
            ),
            (
                "throughput_last_30m",
                "object|null",
                "Not kept by this version.",
            ),
        ],
    },
    Shape {
        name: "ToolChoiceSupport",
        about: "Which values of `tool_choice` an endpoint understands.",
        fields: &[
            ("auto", "boolean", ""),
            ("function", "boolean", "A named function."),
            ("none", "boolean", ""),
            ("required", "boolean", ""),
        ],
    },
    Shape {
        name: "ProviderList",
        about: "Providers.",
        fields: &[("data", "[Provider]", "")],
    },
    Shape {
        name: "Provider",
        about: "Somebody who serves models.",
        fields: &[
            ("name", "string", ""),
            ("slug", "string", ""),
            ("privacy_policy_url", "string|null", ""),
            ("terms_of_service_url", "string|null", ""),
            ("status_page_url", "string|null", ""),
            ("headquarters", "string|null", "Country, ISO 3166-1."),
            (
                "datacenters",
                "[string]|null",
                "Countries. `null`: unknown.",
            ),
        ],
    },
    Shape {
        name: "CurrentKey",
        about: "Your key.",
        fields: &[("data", "KeyStanding", "")],
    },
    Shape {
        name: "KeyStanding",
        about: "What a key may spend and has spent, in dollars.",
        fields: &[
            ("label", "string", "The key, shortened."),
            ("limit", "number|null", "`null`: none."),
            (
                "limit_remaining",
                "number|null",
                "What is left of the limit in its current period.",
            ),
            (
                "limit_reset",
                "'daily'|'weekly'|'monthly'|null",
                "How often the limit begins anew.",
            ),
            ("include_byok_in_limit", "boolean", ""),
            ("usage", "number", "Since the key was made."),
            ("usage_daily", "number", ""),
            ("usage_weekly", "number", ""),
            ("usage_monthly", "number", ""),
            (
                "byok_usage",
                "number",
                "Through providers' keys of your own, at list price.",
            ),
            ("byok_usage_daily", "number", ""),
            ("byok_usage_weekly", "number", ""),
            ("byok_usage_monthly", "number", ""),
            ("is_free_tier", "boolean", "The account never had credit."),
            ("is_management_key", "boolean", ""),
            (
                "is_provisioning_key",
                "boolean",
                "The old name of `is_management_key`.",
            ),
            ("creator_user_id", "string|null", ""),
            ("expires_at", "time|null", ""),
            ("rate_limit", "RateLimit", "Deprecated."),
            (
                "budgets",
                "[Budget]",
                "The layers of limits that hold for the key.",
            ),
            (
                "effective_budget",
                "Budget|null",
                "The one of `budgets` that blocks first.",
            ),
            (
                "allowed_data_regions",
                "[string]",
                "Always `global` in this version.",
            ),
            ("free_model_daily_requests", "FreeRequests", ""),
            (
                "organization_id",
                "string|null",
                "Always `null` in this version.",
            ),
            (
                "workspace_id",
                "string|null",
                "Always `null` in this version.",
            ),
        ],
    },
    Shape {
        name: "Budget",
        about: "A limit, in dollars, and what is spent of it in its current period.",
        fields: &[
            ("scope", "string", "`key_limit`: the key's own."),
            ("budget_id", "string|null", "Always `null` in this version."),
            (
                "guardrail_id",
                "string|null",
                "Always `null` in this version.",
            ),
            ("limit_usd", "number", ""),
            ("spend_usd", "number", ""),
            ("remaining_usd", "number", ""),
            (
                "include_byok",
                "boolean",
                "Whether calls through providers' keys of your own count.",
            ),
            (
                "reset_interval",
                "'daily'|'weekly'|'monthly'|null",
                "`null`: it is for good.",
            ),
            ("resets_at", "time|null", "When the current period ends."),
        ],
    },
    Shape {
        name: "FreeRequests",
        about: "Calls of `:free` models in a day. Not limited and not counted by this version: -1.",
        fields: &[
            ("limit", "integer", ""),
            ("used", "integer", ""),
            ("remaining", "integer", ""),
        ],
    },
    Shape {
        name: "RateLimit",
        about: "Deprecated; always -1.",
        fields: &[
            ("requests", "integer", ""),
            ("interval", "string", ""),
            ("note", "string", ""),
        ],
    },
    Shape {
        name: "Credits",
        about: "Your account's credit.",
        fields: &[("data", "CreditSums", "")],
    },
    Shape {
        name: "CreditSums",
        about: "Dollars, over the account's life.",
        fields: &[
            ("total_credits", "number", ""),
            ("total_usage", "number", ""),
        ],
    },
    Shape {
        name: "GenerationAnswer",
        about: "One finished call.",
        fields: &[("data", "Generation", "")],
    },
    Shape {
        name: "Generation",
        about: "What a call used, cost and went through. No prompt, no answer.",
        fields: &[
            ("id", "string", ""),
            ("request_id", "string|null", ""),
            ("created_at", "time", ""),
            ("api_type", "string|null", ""),
            ("model", "string", "The dated slug."),
            ("provider_name", "string|null", "`null`: nobody answered."),
            ("router", "string|null", ""),
            ("preset_id", "string|null", ""),
            ("session_id", "string|null", ""),
            ("workspace_id", "string|null", ""),
            ("app_id", "integer|null", ""),
            ("origin", "string", ""),
            ("http_referer", "string|null", ""),
            ("user_agent", "string|null", ""),
            ("external_user", "string|null", ""),
            ("streamed", "boolean|null", ""),
            ("cancelled", "boolean|null", ""),
            ("finish_reason", "string|null", ""),
            ("native_finish_reason", "string|null", ""),
            ("latency", "number|null", "Milliseconds to the first token."),
            (
                "generation_time",
                "number|null",
                "Milliseconds from there to the end.",
            ),
            ("moderation_latency", "number|null", ""),
            ("tokens_prompt", "integer|null", ""),
            ("tokens_completion", "integer|null", ""),
            ("native_tokens_prompt", "integer|null", ""),
            ("native_tokens_completion", "integer|null", ""),
            ("native_tokens_reasoning", "integer|null", ""),
            ("native_tokens_cached", "integer|null", ""),
            ("native_tokens_completion_images", "integer|null", ""),
            ("num_media_prompt", "integer|null", ""),
            ("num_media_completion", "integer|null", ""),
            ("num_input_audio_prompt", "integer|null", ""),
            ("num_search_results", "integer|null", ""),
            ("num_fetches", "integer|null", ""),
            ("web_search_engine", "string|null", ""),
            ("usage", "number", "Dollars charged."),
            ("total_cost", "number", "The same."),
            ("upstream_inference_cost", "number|null", ""),
            (
                "cache_discount",
                "number|null",
                "Dollars the provider's cache saved; below zero: it cost more.",
            ),
            ("is_byok", "boolean", ""),
            ("service_tier", "string|null", ""),
            ("data_region", "'global'|'europe'|'us'", ""),
            ("upstream_id", "string|null", "The provider's own id."),
            ("response_cache_source_id", "string|null", ""),
            (
                "provider_responses",
                "[ProviderResponse]|null",
                "Every try, in order.",
            ),
        ],
    },
    Shape {
        name: "ProviderResponse",
        about: "One try.",
        fields: &[
            ("endpoint_id", "string", ""),
            ("model_permaslug", "string", ""),
            ("provider_name", "string", ""),
            ("status", "integer|null", "`null`: no answer."),
            ("latency", "number", "Milliseconds."),
            ("is_byok", "boolean", ""),
        ],
    },
    Shape {
        name: "Health",
        about: "How it is.",
        fields: &[
            ("status", "'ok'|'unavailable'", ""),
            ("reason?", "string", ""),
        ],
    },
    Shape {
        name: "Error",
        about: "Why a request was refused. Decide by `error_type`; messages may change.",
        fields: &[
            ("error", "ErrorBody", ""),
            ("user_id?", "string|null", "Your account."),
            (
                "openrouter_metadata?",
                "object",
                "How it was routed, if asked for.",
            ),
        ],
    },
    Shape {
        name: "ErrorBody",
        about: "The error.",
        fields: &[
            ("code", "integer", "The HTTP status."),
            ("message", "string", "What happened and what to do."),
            ("error_type?", "string", ""),
            ("http_status?", "integer", ""),
            (
                "metadata?",
                "object",
                "`error_type`, and what is known of the cause.",
            ),
            (
                "availability?",
                "object",
                "Why a model could not be served, and what could be instead.",
            ),
        ],
    },
];
