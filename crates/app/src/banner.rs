//! What a start says: where the server is, what it found, and a request to try.
//!
//! Rendering is a plain function of [`Banner`], so that a test can prove what is never printed.

use crate::commands::style::{Mark, Style, count};
use crate::node::{FoundProvider, Replayed};
use std::fmt::Write as _;
use std::time::Duration;

/// Demo models named on the demo's line.
const DEMO_NAMED: usize = 4;
const DEMO: &str = "demo";
/// The model of the first request, where there is a demo.
const STORY: &str = "demo/story";

/// The facts of a start.
pub(crate) struct Banner<'a> {
    /// `SQLite` or `PostgreSQL`.
    pub(crate) database: &'a str,
    pub(crate) data_dir: String,
    /// How clients reach us, without a slash at the end.
    pub(crate) url: String,
    /// To be shown once. `None`: there is none, or nobody is to see it.
    pub(crate) first_key: Option<&'a str>,
    /// The cap of that key, in words.
    pub(crate) first_key_limit: Option<&'a str>,
    /// The commands that make a key, for people and for a shell's `$(…)`.
    pub(crate) make_key: String,
    pub(crate) make_key_quietly: String,
    pub(crate) found: &'a [FoundProvider],
    /// Names of local servers that were looked for in vain.
    pub(crate) missed: Vec<&'a str>,
    /// Whether a provider key was found anywhere.
    pub(crate) has_provider_key: bool,
    pub(crate) replayed: Replayed,
    pub(crate) warnings: &'a [String],
    pub(crate) took: Duration,
}

impl Banner<'_> {
    pub(crate) fn render(&self, style: Style) -> String {
        let mut text = String::new();
        self.head(&mut text, style);
        self.addresses(&mut text, style);
        self.providers(&mut text, style);
        self.notices(&mut text, style);
        self.example(&mut text, style);
        let ready = format!("{:.1}", self.took.as_secs_f64());
        let _ = writeln!(text, "\n  Ready in {ready} s.  Ctrl-C to stop.\n");
        text
    }

    fn head(&self, text: &mut String, style: Style) {
        let dot = style.dot();
        let name = style.bold(concat!("interline ", env!("CARGO_PKG_VERSION")));
        let (database, data_dir) = (self.database, &self.data_dir);
        let _ = writeln!(
            text,
            "\n  {name}   single node {dot} {database} {dot} data in {data_dir}\n"
        );
    }

    fn addresses(&self, text: &mut String, style: Style) {
        let url = &self.url;
        let mut line = |name: &str, value: &str, remark: &str| {
            let padding = " ".repeat(value.chars().count().max(36) - value.chars().count());
            let _ = writeln!(text, "  {name:<9} {value}{padding}  {}", style.dim(remark));
        };
        line("Open", &format!("{url}/"), "what runs here");
        line(
            "API",
            &format!("{url}/api/v1"),
            "for OpenAI and OpenRouter clients",
        );
        match self.first_key {
            Some(key) => {
                let limit = self.first_key_limit.map(|limit| format!(", limit {limit}"));
                line(
                    "Key",
                    key,
                    &format!("shown once{}", limit.unwrap_or_default()),
                );
            }
            None => line("Key", &self.make_key, "makes one and shows it once"),
        }
    }

    fn providers(&self, text: &mut String, style: Style) {
        let _ = writeln!(text, "\n  Providers");
        let wide = |value: &dyn Fn(&FoundProvider) -> usize, least: usize| {
            self.found.iter().map(value).max().unwrap_or(0).max(least)
        };
        let slugs = wide(&|found| found.slug.chars().count(), 10);
        let origins = wide(&|found| origin(found).chars().count(), 16);
        for found in self.found {
            let mark = if found.models.is_empty() {
                Mark::Warning
            } else {
                Mark::Good
            };
            let (mark, slug, origin) = (style.mark(mark), &found.slug, origin(found));
            let models = models(found);
            let _ = writeln!(
                text,
                "    {mark} {slug:<slugs$}  {origin:<origins$}  {models}"
            );
        }
        let mut missed = |what: &str, why: &str| {
            let _ = writeln!(
                text,
                "    {} {}",
                style.mark(Mark::Neutral),
                style.dim(&format!("{what}  {why}"))
            );
        };
        if !self.missed.is_empty() {
            missed(&self.missed.join(", "), "not running (looked on 127.0.0.1)");
        }
        if !self.has_provider_key {
            let variables = "OPENAI_API_KEY, ANTHROPIC_API_KEY, GEMINI_API_KEY and others";
            missed(variables, "not set");
        }
    }

    fn notices(&self, text: &mut String, style: Style) {
        let Replayed {
            posted,
            interrupted,
        } = self.replayed;
        if posted > 0 || interrupted > 0 {
            let (charges, requests) = (count(posted, "charge"), count(interrupted, "request"));
            let _ = writeln!(
                text,
                "\n  From the run before: {charges} posted; {requests} interrupted, not charged."
            );
        }
        if !self.warnings.is_empty() {
            text.push('\n');
        }
        for warning in self.warnings {
            // Warnings about files have several lines.
            let warning = warning.trim_end().replace('\n', "\n      ");
            let _ = writeln!(text, "  {} {warning}", style.mark(Mark::Warning));
        }
    }

    fn example(&self, text: &mut String, style: Style) {
        let Some(model) = self.example_model() else {
            let _ = writeln!(
                text,
                "\n  No model can be served yet: set a provider's key, such as OPENAI_API_KEY, and \
                 start again."
            );
            return;
        };
        let _ = writeln!(text, "\n  {}", style.bold("Try it"));
        let key = self.first_key.unwrap_or_else(|| {
            let _ = writeln!(text, "    KEY=$({})", self.make_key_quietly);
            "$KEY"
        });
        let url = &self.url;
        let _ = writeln!(
            text,
            "    curl -N {url}/api/v1/chat/completions -H \"Authorization: Bearer {key}\" \\\n      \
             -d '{{\"model\":\"{model}\",\"stream\":true,\
             \"messages\":[{{\"role\":\"user\",\"content\":\"hi\"}}]}}'"
        );
    }

    fn example_model(&self) -> Option<&str> {
        let mut models = self.found.iter().flat_map(|found| &found.models);
        let story = models.clone().find(|model| *model == STORY);
        story.or_else(|| models.next()).map(String::as_str)
    }
}

fn origin(found: &FoundProvider) -> &str {
    if found.slug == DEMO {
        "built in, free, offline"
    } else {
        &found.origin
    }
}

fn models(found: &FoundProvider) -> String {
    if found.slug == DEMO {
        let named: Vec<&str> = found
            .models
            .iter()
            .take(DEMO_NAMED)
            .map(String::as_str)
            .collect();
        let more = if found.models.len() > DEMO_NAMED {
            " and more"
        } else {
            ""
        };
        return format!("{}{more}", named.join(" "));
    }
    match found.models.len() {
        0 => "a key, but no model that can be served".to_owned(),
        number => count(number, "model"),
    }
}

#[cfg(test)]
mod tests;
