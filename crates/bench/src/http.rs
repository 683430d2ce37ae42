//! Reads HTTP/1.1 responses with as little work as possible: the generator shares its core.

use std::ops::Range;

/// A response that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
    #[error("the head is not HTTP/1.1")]
    Head,
    #[error("a chunk size is not a number")]
    Chunk,
    #[error("the body has no known length")]
    Length,
}

/// Longest head read.
const MAX_HEAD: usize = 64 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Head,
    /// Bytes left of a body with a length.
    Body(usize),
    ChunkSize,
    /// Bytes left of a chunk, without its line end.
    Chunk(usize),
    ChunkEnd,
    LastLine,
    Done,
}

/// An incremental reader of one response. Bytes may be cut anywhere.
#[derive(Debug)]
pub(crate) struct Reader {
    state: State,
    /// What has come and cannot be used yet.
    pending: Vec<u8>,
    status: u16,
}

impl Reader {
    pub(crate) fn new() -> Self {
        Self {
            state: State::Head,
            pending: Vec::new(),
            status: 0,
        }
    }

    /// 0 until the head has come.
    pub(crate) fn status(&self) -> u16 {
        self.status
    }

    pub(crate) fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Makes it ready for the next response on the connection; keeps the allocation.
    pub(crate) fn restart(&mut self) {
        self.state = State::Head;
        self.status = 0;
        self.pending.clear();
    }

    /// Takes bytes and hands on the pieces of the body among them.
    pub(crate) fn feed(
        &mut self,
        bytes: &[u8],
        mut body: impl FnMut(&[u8]),
    ) -> Result<(), Malformed> {
        // Bytes are only copied where a head or a chunk size was cut.
        if self.pending.is_empty() {
            let used = self.walk(bytes, &mut body)?;
            self.pending
                .extend_from_slice(bytes.get(used..).unwrap_or_default());
            return Ok(());
        }
        let mut all = std::mem::take(&mut self.pending);
        all.extend_from_slice(bytes);
        let used = self.walk(&all, &mut body)?;
        all.drain(..used);
        self.pending = all;
        Ok(())
    }

    fn walk(&mut self, bytes: &[u8], body: &mut impl FnMut(&[u8])) -> Result<usize, Malformed> {
        let mut at = 0;
        loop {
            let rest = bytes.get(at..).unwrap_or_default();
            let Some(used) = self.step(rest, body)? else {
                return Ok(at);
            };
            at += used;
        }
    }

    /// One step; `None` if more bytes are needed.
    fn step(
        &mut self,
        rest: &[u8],
        body: &mut impl FnMut(&[u8]),
    ) -> Result<Option<usize>, Malformed> {
        match self.state {
            State::Done => Ok(None),
            State::Head => self.head(rest),
            State::Body(left) | State::Chunk(left) => {
                let taken = left.min(rest.len());
                if taken == 0 && left > 0 {
                    return Ok(None);
                }
                body(rest.get(..taken).unwrap_or_default());
                let left = left - taken;
                self.state = match self.state {
                    State::Chunk(_) if left == 0 => State::ChunkEnd,
                    State::Chunk(_) => State::Chunk(left),
                    _ if left == 0 => State::Done,
                    _ => State::Body(left),
                };
                Ok(Some(taken))
            }
            State::ChunkEnd if rest.len() < 2 => Ok(None),
            State::ChunkEnd => {
                self.state = State::ChunkSize;
                Ok(Some(2))
            }
            State::ChunkSize => {
                let Some(end) = line(rest) else {
                    return Ok(None);
                };
                let size = hex(rest.get(..end).unwrap_or_default())?;
                self.state = if size == 0 {
                    State::LastLine
                } else {
                    State::Chunk(size)
                };
                Ok(Some(end + 2))
            }
            // Trailers are skipped, line by line, up to the empty one.
            State::LastLine => {
                let Some(end) = line(rest) else {
                    return Ok(None);
                };
                if end == 0 {
                    self.state = State::Done;
                }
                Ok(Some(end + 2))
            }
        }
    }

    fn head(&mut self, rest: &[u8]) -> Result<Option<usize>, Malformed> {
        let Some(end) = memchr::memmem::find(rest, b"\r\n\r\n") else {
            return if rest.len() > MAX_HEAD {
                Err(Malformed::Head)
            } else {
                Ok(None)
            };
        };
        let head = rest.get(..end).unwrap_or_default();
        let status = head
            .strip_prefix(b"HTTP/1.1 ")
            .and_then(|line| line.get(..3));
        self.status = status
            .and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok())
            .ok_or(Malformed::Head)?;
        self.state = if let Some(length) = header(head, b"content-length") {
            let length = head
                .get(length)
                .and_then(|text| std::str::from_utf8(text).ok());
            match length.and_then(|length| length.trim().parse().ok()) {
                Some(0) => State::Done,
                Some(length) => State::Body(length),
                None => return Err(Malformed::Length),
            }
        } else if header(head, b"transfer-encoding").is_some() {
            State::ChunkSize
        } else {
            return Err(Malformed::Length);
        };
        Ok(Some(end + 4))
    }
}

fn line(bytes: &[u8]) -> Option<usize> {
    memchr::memmem::find(bytes, b"\r\n")
}

fn hex(digits: &[u8]) -> Result<usize, Malformed> {
    let digits = digits
        .split(|byte| *byte == b';')
        .next()
        .unwrap_or_default();
    let text = std::str::from_utf8(digits).map_err(|_| Malformed::Chunk)?;
    usize::from_str_radix(text.trim(), 16).map_err(|_| Malformed::Chunk)
}

/// Where the value of a header stands. Names compare without case.
fn header(head: &[u8], name: &[u8]) -> Option<Range<usize>> {
    let mut start = 0;
    for one in head.split(|byte| *byte == b'\n') {
        let is_ours = one.len() > name.len()
            && one
                .get(..name.len())
                .is_some_and(|found| found.eq_ignore_ascii_case(name))
            && one.get(name.len()) == Some(&b':');
        if is_ours {
            return Some(start + name.len() + 1..start + one.len());
        }
        start += one.len() + 1;
    }
    None
}

#[cfg(test)]
mod tests;
