//! Which dialect a path speaks, and what is asked.

use serde_derive::{Deserialize, Serialize};

/// A provider's wire format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Dialect {
    OpenaiChat,
    AnthropicMessages,
    Gemini,
}

impl Dialect {
    /// The path under which a provider of this dialect usually lives.
    pub(crate) const fn base_path(self) -> &'static str {
        match self {
            Self::OpenaiChat | Self::AnthropicMessages => "/v1",
            Self::Gemini => "/v1beta",
        }
    }
}

/// What a request line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    /// An answer. Gemini names the model and streaming in the path.
    Answer {
        dialect: Dialect,
        path_model: Option<String>,
        path_stream: bool,
    },
    CountTokens(Dialect, Option<String>),
    Embeddings,
    Models(Dialect),
    Control(&'static str),
    Unknown,
}

/// Reads method, path and query. Any prefix is accepted: only the end of a path is ours.
pub(crate) fn ask(method: &str, path: &str, query: &str, is_anthropic: bool) -> Ask {
    let dialect = if path.contains("/v1beta") {
        Dialect::Gemini
    } else if is_anthropic {
        Dialect::AnthropicMessages
    } else {
        Dialect::OpenaiChat
    };
    match (method, path) {
        ("GET", "/_sim/log") => Ask::Control("log"),
        ("GET", "/_sim/script") => Ask::Control("script"),
        ("POST", "/_sim/script") => Ask::Control("set"),
        ("POST", "/_sim/reset") => Ask::Control("reset"),
        ("GET", _) if path.ends_with("/models") => Ask::Models(dialect),
        ("POST", _) if path.ends_with("/chat/completions") => answer(Dialect::OpenaiChat),
        ("POST", _) if path.ends_with("/embeddings") => Ask::Embeddings,
        ("POST", _) if path.ends_with("/messages") => answer(Dialect::AnthropicMessages),
        ("POST", _) if path.ends_with("/messages/count_tokens") => {
            Ask::CountTokens(Dialect::AnthropicMessages, None)
        }
        ("POST", _) => gemini(path, query),
        _ => Ask::Unknown,
    }
}

fn answer(dialect: Dialect) -> Ask {
    Ask::Answer {
        dialect,
        path_model: None,
        path_stream: false,
    }
}

fn gemini(path: &str, query: &str) -> Ask {
    let Some((model, verb)) = path
        .rsplit_once("/models/")
        .and_then(|(_, tail)| tail.rsplit_once(':'))
    else {
        return Ask::Unknown;
    };
    let path_model = Some(model.to_owned());
    match verb {
        "generateContent" => Ask::Answer {
            dialect: Dialect::Gemini,
            path_model,
            path_stream: false,
        },
        // Without `alt=sse` Gemini streams a JSON array, which nobody should ask for.
        "streamGenerateContent" if query.split('&').any(|pair| pair == "alt=sse") => Ask::Answer {
            dialect: Dialect::Gemini,
            path_model,
            path_stream: true,
        },
        "countTokens" => Ask::CountTokens(Dialect::Gemini, path_model),
        _ => Ask::Unknown,
    }
}
