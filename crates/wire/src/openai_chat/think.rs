//! Reasoning that open models write into the content, between tags (T36).
//!
//! Only at the very start of the content: a tag later on is ordinary text. A tag may be cut
//! anywhere, so up to a tag's length is held back.

/// Openings and their endings. gpt-oss (harmony) marks a channel, Kimi its own brackets.
const TAGS: &[(&str, &str)] = &[
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<|channel|>analysis<|message|>", "<|end|>"),
    ("<|channel|>analysis", "<|end|>"),
    ("◁think▷", "◁/think▷"),
];

/// What a piece of content turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Reasoning,
}

/// Splits the content of one choice.
#[derive(Clone, Debug)]
pub(super) struct Think {
    state: State,
    /// Bytes that may be the beginning of a tag.
    held: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing but blanks and a possible opening so far.
    Start,
    /// Inside, until this ending.
    Inside(&'static str),
    /// After the ending: so many newlines are still taken away.
    After(u8),
    /// The rest is text.
    Off,
}

impl Think {
    pub(super) fn new() -> Self {
        Self {
            state: State::Start,
            held: String::new(),
        }
    }

    /// Everything that follows is text, as it stands.
    pub(super) fn is_off(&self) -> bool {
        self.state == State::Off
    }

    /// A reasoning field came in the same stream: tags mean nothing here.
    pub(super) fn turn_off(&mut self, piece: &mut dyn FnMut(Kind, &str)) {
        if self.state != State::Off {
            self.end(piece);
            self.state = State::Off;
        }
    }

    pub(super) fn feed(&mut self, text: &str, piece: &mut dyn FnMut(Kind, &str)) {
        if self.held.is_empty() {
            self.take(text, piece);
        } else {
            let mut whole = std::mem::take(&mut self.held);
            whole.push_str(text);
            self.take(&whole, piece);
        }
    }

    /// The content as a whole. Only here can a missing opening be noticed (the template had written
    /// it already): `…</think>answer`.
    pub(super) fn whole(&mut self, text: &str, piece: &mut dyn FnMut(Kind, &str)) {
        if let Some((thought, _)) = text.split_once("</think>")
            && !TAGS
                .iter()
                .any(|(opening, _)| thought.trim_start().starts_with(opening))
        {
            self.state = State::Inside("</think>");
        }
        self.feed(text, piece);
        self.end(piece);
    }

    /// The choice ended: what was held back is what it looks like.
    pub(super) fn end(&mut self, piece: &mut dyn FnMut(Kind, &str)) {
        let held = std::mem::take(&mut self.held);
        if !held.is_empty() {
            let kind = match self.state {
                State::Inside(_) => Kind::Reasoning,
                _ => Kind::Text,
            };
            piece(kind, &held);
        }
    }

    fn take(&mut self, text: &str, piece: &mut dyn FnMut(Kind, &str)) {
        let mut rest = text;
        while !rest.is_empty() {
            rest = match self.state {
                State::Start => self.open(rest),
                State::Inside(ending) => self.inside(rest, ending, piece),
                State::After(newlines) => self.after(rest, newlines),
                State::Off => {
                    piece(Kind::Text, rest);
                    ""
                }
            };
        }
    }

    /// Looks for an opening; returns what is left to read.
    fn open<'t>(&mut self, text: &'t str) -> &'t str {
        let trimmed = text.trim_start();
        let may_grow =
            |opening: &str| opening.len() > trimmed.len() && opening.starts_with(trimmed);
        let found = TAGS
            .iter()
            .find(|(opening, _)| trimmed.starts_with(opening));
        let longer = TAGS.iter().any(|(opening, _)| may_grow(opening));
        match found {
            // `<|channel|>analysis` is the beginning of a longer opening: wait for more.
            _ if longer => text.clone_into(&mut self.held),
            Some((opening, ending)) => {
                self.state = State::Inside(ending);
                return trimmed.get(opening.len()..).unwrap_or_default();
            }
            None => {
                self.state = State::Off;
                return text;
            }
        }
        ""
    }

    fn inside<'t>(
        &mut self,
        text: &'t str,
        ending: &'static str,
        piece: &mut dyn FnMut(Kind, &str),
    ) -> &'t str {
        if let Some((thought, rest)) = text.split_once(ending) {
            if !thought.is_empty() {
                piece(Kind::Reasoning, thought);
            }
            self.state = State::After(2);
            return rest;
        }
        let (thought, held) = text.split_at(text.len() - partial(text, ending));
        held.clone_into(&mut self.held);
        if !thought.is_empty() {
            piece(Kind::Reasoning, thought);
        }
        ""
    }

    fn after<'t>(&mut self, text: &'t str, newlines: u8) -> &'t str {
        if let (Some(rest), 1..) = (text.strip_prefix('\n'), newlines) {
            self.state = State::After(newlines - 1);
            return rest;
        }
        self.state = State::Off;
        text
    }
}

/// How many bytes at the end of `text` are the beginning of `ending`.
fn partial(text: &str, ending: &str) -> usize {
    ending
        .char_indices()
        .map(|(at, _)| at)
        .rev()
        .find(|&length| {
            length > 0
                && ending
                    .get(..length)
                    .is_some_and(|start| text.ends_with(start))
        })
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Splits a content fed in pieces of `size` characters: reasoning and text, joined.
    fn split(content: &str, size: usize) -> (String, String) {
        let mut think = Think::new();
        let (mut reasoning, mut text) = (String::new(), String::new());
        let mut piece = |kind, part: &str| match kind {
            Kind::Reasoning => reasoning.push_str(part),
            Kind::Text => text.push_str(part),
        };
        let characters: Vec<char> = content.chars().collect();
        for part in characters.chunks(size) {
            think.feed(&part.iter().collect::<String>(), &mut piece);
        }
        think.end(&mut piece);
        (reasoning, text)
    }

    #[test]
    fn tags_are_found_however_they_are_cut() {
        let check = |content: &str, reasoning: &str, text: &str| {
            for size in 1..=content.len() {
                let expected = (reasoning.to_owned(), text.to_owned());
                assert_eq!(split(content, size), expected, "{content:?} by {size}");
            }
        };
        check("<think>a</think>b", "a", "b");
        check(" \n<think>\na</think>\n\n\nb", "\na", "\nb");
        check("<thinking>a</think></thinking>b", "a</think>", "b");
        check("◁think▷那◁/think▷b", "那", "b");
        check("<|channel|>analysis<|message|>a<|end|>b", "a", "b");
        check("<|channel|>analysis a<|end|>b", " a", "b");
        check("b <think>a</think>", "", "b <think>a</think>");
        check(
            "<think>a</think>b<think>c</think>",
            "a",
            "b<think>c</think>",
        );
        check("<thin", "", "<thin");
        check("<thinker>", "", "<thinker>");
        check("  ", "", "  ");
        check("<think>a</thi", "a</thi", "");
        check("<think>", "", "");
        check("", "", "");
    }

    #[test]
    fn a_prefilled_opening_is_seen_in_a_whole_content() {
        let check = |content: &str, reasoning: &str, text: &str| {
            let mut seen = (String::new(), String::new());
            Think::new().whole(content, &mut |kind, part: &str| match kind {
                Kind::Reasoning => seen.0.push_str(part),
                Kind::Text => seen.1.push_str(part),
            });
            assert_eq!(seen, (reasoning.to_owned(), text.to_owned()), "{content:?}");
        };
        check("a</think>\n\nb", "a", "b");
        check("<think>a</think>b", "a", "b");
        check("<think>a</thi", "a</thi", "");
        check("b", "", "b");
    }
}
