//! Marks, colours and number words of what is printed.

use crate::cli::Colour;
use crate::environment::Environment;

/// How text may look where it goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Style {
    /// The locale is UTF-8; otherwise ASCII only.
    pub(crate) is_unicode: bool,
    pub(crate) has_colour: bool,
}

/// What a line says before its words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    Good,
    Bad,
    Warning,
    /// Neither: left out, not asked for.
    Neutral,
}

impl Style {
    /// For a stream, by locale, terminal and `NO_COLOR`.
    pub(crate) fn of(environment: &Environment, colour: Colour, is_terminal: bool) -> Self {
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
            .iter()
            .find_map(|name| environment.get(name));
        let locale = locale.unwrap_or_default().to_ascii_lowercase();
        let has_colour = match colour {
            Colour::Always => true,
            Colour::Never => false,
            Colour::Auto => is_terminal && environment.get("NO_COLOR").is_none(),
        };
        Self {
            is_unicode: locale.contains("utf-8") || locale.contains("utf8"),
            has_colour,
        }
    }

    /// One character wide.
    pub(crate) fn mark(self, mark: Mark) -> String {
        let (unicode, ascii, colour) = match mark {
            Mark::Good => ("✓", "+", "32"),
            Mark::Bad => ("✗", "x", "31"),
            Mark::Warning => ("!", "!", "33"),
            Mark::Neutral => ("·", "-", "2"),
        };
        self.paint(if self.is_unicode { unicode } else { ascii }, colour)
    }

    pub(crate) fn bold(self, text: &str) -> String {
        self.paint(text, "1")
    }

    pub(crate) fn dim(self, text: &str) -> String {
        self.paint(text, "2")
    }

    /// Between two facts on one line.
    pub(crate) fn dot(self) -> &'static str {
        if self.is_unicode { "·" } else { "-" }
    }

    fn paint(self, text: &str, colour: &str) -> String {
        if self.has_colour {
            format!("\x1b[{colour}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

/// `1 model`, `3 models`.
pub(crate) fn count(number: usize, one: &str) -> String {
    if number == 1 {
        format!("1 {one}")
    } else {
        format!("{number} {one}s")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ascii_has_no_other_characters() {
        let style = Style::default();
        for mark in [Mark::Good, Mark::Bad, Mark::Warning, Mark::Neutral] {
            assert!(style.mark(mark).is_ascii());
        }
        assert!(style.dot().is_ascii());
    }
}
