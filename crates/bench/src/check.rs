//! Is the answer ours, complete and in order? Cheap enough to ask of every one.

/// Checks one answer, whole or streamed. The text is `<tag>.<index> ` for each index in order.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "what was seen, each by itself"
)]
pub(crate) struct Checker {
    tag: Vec<u8>,
    expected: u32,
    next: u32,
    is_stream: bool,
    has_usage: bool,
    has_done: bool,
    is_wrong: bool,
    /// The beginning of an event whose end has not come.
    pending: Vec<u8>,
}

impl Checker {
    pub(crate) fn new(expected: u32, is_stream: bool) -> Self {
        Self {
            tag: Vec::new(),
            expected,
            next: 0,
            is_stream,
            has_usage: false,
            has_done: false,
            is_wrong: false,
            pending: Vec::new(),
        }
    }

    /// Begins with the next answer; keeps the allocations.
    pub(crate) fn restart(&mut self, tag: &[u8]) {
        self.tag.clear();
        self.tag.extend_from_slice(tag);
        self.next = 0;
        self.has_usage = false;
        self.has_done = false;
        self.is_wrong = false;
        self.pending.clear();
    }

    /// Takes a piece of the body; returns how many pieces of content were complete in it.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> u32 {
        let before = self.next;
        if !self.is_stream {
            // A whole answer is looked at once, at its end.
            self.pending.extend_from_slice(bytes);
            return 0;
        }
        if self.pending.is_empty() {
            let used = self.events(bytes);
            self.pending
                .extend_from_slice(bytes.get(used..).unwrap_or_default());
        } else {
            let mut all = std::mem::take(&mut self.pending);
            all.extend_from_slice(bytes);
            let used = self.events(&all);
            all.drain(..used);
            self.pending = all;
        }
        self.next.saturating_sub(before)
    }

    /// `None` if the answer was right; what was wrong otherwise.
    pub(crate) fn finish(&mut self) -> Option<&'static str> {
        if !self.is_stream {
            let all = std::mem::take(&mut self.pending);
            self.event(&all);
            self.pending = all;
        }
        if self.is_wrong {
            Some("foreign or unordered content")
        } else if self.next != self.expected {
            Some("content missing")
        } else if !self.has_usage {
            Some("usage missing")
        } else if self.is_stream && !self.has_done {
            Some("no [DONE]")
        } else {
            None
        }
    }

    fn events(&mut self, bytes: &[u8]) -> usize {
        let mut at = 0;
        while let Some(end) = bytes
            .get(at..)
            .and_then(|rest| memchr::memmem::find(rest, b"\n\n"))
        {
            let event = bytes.get(at..at + end).unwrap_or_default();
            self.event(event);
            at += end + 2;
        }
        at
    }

    fn event(&mut self, event: &[u8]) {
        let mut rest = event;
        let before = self.next;
        while let Some(at) = memchr::memmem::find(rest, &self.tag) {
            rest = rest.get(at + self.tag.len()..).unwrap_or_default();
            let Some((index, after)) = index(rest) else {
                // The tag also stands in what echoes the request; an index makes it content.
                continue;
            };
            rest = after;
            if index == self.next {
                self.next += 1;
            } else {
                self.is_wrong = true;
            }
        }
        if self.next == before || !self.is_stream {
            self.has_usage |= memchr::memmem::find(event, b"\"usage\":{").is_some();
            self.has_done |= event == b"data: [DONE]";
        }
    }
}

/// Reads `.12 `.
fn index(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let digits = bytes.strip_prefix(b".")?;
    let end = digits.iter().position(|byte| !byte.is_ascii_digit())?;
    let index = std::str::from_utf8(digits.get(..end)?).ok()?.parse().ok()?;
    Some((index, digits.get(end..)?))
}

#[cfg(test)]
mod tests;
