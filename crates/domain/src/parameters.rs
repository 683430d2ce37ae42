//! Request parameters as a set of bits: what a request uses, what an endpoint supports.

macro_rules! parameters {
    ($($variant:ident $name:literal),+ $(,)?) => {
        /// One request parameter of the public vocabulary (`supported_parameters`).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Parameter {
            $(#[doc = $name] $variant,)+
        }

        impl Parameter {
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            pub fn parse(text: &str) -> Option<Self> {
                match text { $($name => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

parameters! {
    Temperature "temperature",
    TopP "top_p",
    TopK "top_k",
    MinP "min_p",
    TopA "top_a",
    FrequencyPenalty "frequency_penalty",
    PresencePenalty "presence_penalty",
    RepetitionPenalty "repetition_penalty",
    MaxTokens "max_tokens",
    MaxCompletionTokens "max_completion_tokens",
    LogitBias "logit_bias",
    Logprobs "logprobs",
    TopLogprobs "top_logprobs",
    Prediction "prediction",
    Seed "seed",
    ResponseFormat "response_format",
    StructuredOutputs "structured_outputs",
    Stop "stop",
    Tools "tools",
    ToolChoice "tool_choice",
    ParallelToolCalls "parallel_tool_calls",
    IncludeReasoning "include_reasoning",
    Reasoning "reasoning",
    ReasoningEffort "reasoning_effort",
    WebSearchOptions "web_search_options",
    Verbosity "verbosity",
}

/// A set of [`Parameter`]s.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Parameters(u64);

impl Parameters {
    pub const EMPTY: Self = Self(0);

    pub const fn with(self, parameter: Parameter) -> Self {
        Self(self.0 | 1 << parameter as u8)
    }

    pub const fn contains(self, parameter: Parameter) -> bool {
        self.0 & (1 << parameter as u8) != 0
    }

    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub const fn minus(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub fn iter(self) -> impl Iterator<Item = Parameter> {
        Parameter::ALL
            .iter()
            .copied()
            .filter(move |parameter| self.contains(*parameter))
    }
}

impl FromIterator<Parameter> for Parameters {
    fn from_iter<I: IntoIterator<Item = Parameter>>(parameters: I) -> Self {
        parameters.into_iter().fold(Self::EMPTY, Self::with)
    }
}
