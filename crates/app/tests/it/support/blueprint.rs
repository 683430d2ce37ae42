//! What a node is started with: its configuration, written line by line.

use interline_sim::{Behaviour, Counts, Dialect, Handle, Text};
use std::fmt::Write as _;

/// What a good provider says, in five tokens.
pub(crate) const GOOD_TEXT: &str = "all is well here today";
/// Ten tokens in, five out, whatever was said.
pub(crate) const FIVE_TOKENS: Counts = Counts {
    prompt: Some(10),
    completion: Some(5),
    reasoning: None,
    cached: None,
    cache_write: None,
};

/// A provider that answers at once.
pub(crate) fn good() -> Behaviour {
    Behaviour {
        text: Text::Fixed(GOOD_TEXT.to_owned()),
        usage: FIVE_TOKENS,
        ..Behaviour::default()
    }
}

/// The credential a provider gets.
pub(crate) fn provider_key(slug: &str) -> String {
    format!("key-of-{slug}")
}

/// A node to be started.
#[derive(Clone, Debug, Default)]
pub(crate) struct Blueprint {
    routing: String,
    tables: String,
    /// Credit of the owner, dollars.
    pub(crate) credits: Option<&'static str>,
    /// Signals the node ignores, in the shell's words.
    pub(crate) ignored_signal: Option<&'static str>,
}

impl Blueprint {
    /// A node with more credit than a test can use.
    pub(crate) fn new() -> Self {
        Self {
            credits: Some("1000000"),
            ..Self::default()
        }
    }

    #[must_use]
    pub(crate) fn credits(mut self, dollars: &'static str) -> Self {
        self.credits = Some(dollars);
        self
    }

    /// A setting of `[routing]`.
    #[must_use]
    pub(crate) fn routing(mut self, key: &str, value: u64) -> Self {
        let _ = writeln!(self.routing, "{key} = {value}");
        self
    }

    #[must_use]
    pub(crate) fn provider(self, slug: &str, dialect: Dialect, sim: &Handle) -> Self {
        self.provider_with(slug, dialect, &sim.base_url(dialect), "")
    }

    /// A provider with further lines.
    #[must_use]
    pub(crate) fn provider_with(
        mut self,
        slug: &str,
        dialect: Dialect,
        base_url: &str,
        more: &str,
    ) -> Self {
        let (dialect, auth) = match dialect {
            Dialect::OpenaiChat => ("openai-chat", "bearer"),
            Dialect::AnthropicMessages => ("anthropic-messages", "x-api-key"),
            Dialect::Gemini => ("gemini", "x-goog-api-key"),
        };
        let key = provider_key(slug);
        let _ = writeln!(
            self.tables,
            "[[providers]]\nslug = \"{slug}\"\nname = \"{slug}\"\ndialect = \"{dialect}\"\n\
             base_url = \"{base_url}\"\nauth = \"{auth}\"\napi_key = \"{key}\"\n{more}\n"
        );
        self
    }

    #[must_use]
    pub(crate) fn model(self, id: &str) -> Self {
        self.model_with(id, "")
    }

    /// A model with further lines.
    #[must_use]
    pub(crate) fn model_with(mut self, id: &str, more: &str) -> Self {
        let _ = writeln!(
            self.tables,
            "[[models]]\nid = \"{id}\"\nname = \"{id}\"\ncontext_length = 128000\n\
             input_modalities = [\"text\"]\noutput_modalities = [\"text\"]\n{more}\n"
        );
        self
    }

    /// An endpoint at a dollar per million tokens in and two per million out: ten in and five out
    /// cost 20,000 nano-dollars.
    #[must_use]
    pub(crate) fn endpoint(self, model: &str, provider: &str, upstream: &str) -> Self {
        let prices = "prompt = \"0.000001\", completion = \"0.000002\"";
        self.endpoint_with(model, provider, upstream, prices, "")
    }

    /// An endpoint with its own prices and further lines.
    #[must_use]
    pub(crate) fn endpoint_with(
        mut self,
        model: &str,
        provider: &str,
        upstream: &str,
        prices: &str,
        more: &str,
    ) -> Self {
        let longest = "max_completion_tokens";
        let longest = if more.contains(longest) {
            ""
        } else {
            "max_completion_tokens = 8192\n"
        };
        let _ = writeln!(
            self.tables,
            "[[endpoints]]\nmodel = \"{model}\"\nprovider = \"{provider}\"\n\
             upstream_model = \"{upstream}\"\npricing = {{ {prices} }}\n\
             {longest}{more}\n"
        );
        self
    }

    /// The whole file.
    pub(super) fn text(&self, listen: &str, operator: &str) -> String {
        format!(
            "[server]\nlisten = \"{listen}\"\npublic_url = \"http://{listen}\"\n\
             operator_listen = \"{operator}\"\nmode = \"production\"\ndiscovery = false\n\
             catalogue = \"none\"\n\n[routing]\n{}\n{}",
            self.routing, self.tables
        )
    }
}
