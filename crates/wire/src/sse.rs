//! Server-sent events: bytes in, frames out. Any cut of the bytes gives the same frames.
//!
//! Written here rather than taken from a crate (`sseer` was looked at): the same-dialect editor
//! splices spans of the very bytes that came, so a frame must be a plain slice of the caller's
//! buffer, without reference counts or owned text, and memory must be bounded and given back.
//!
//! Grammar: WHATWG HTML, "Server-sent events" (lines end with LF, CRLF or CR, also mixed; `data`
//! lines join with LF; one space after the colon goes; a byte order mark at the start goes).
//! Beyond it: a last event without its blank line counts if its data is complete.

use interline_domain::Failure;
use memchr::memchr2;
use serde::de::IgnoredAny;

/// The largest event we take: base64 images travel in one.
pub const MAX_EVENT_BYTES: usize = 16 * 1024 * 1024;

/// Buffers larger than this are given back after their event, so that an idle stream holds none.
const KEEP_BYTES: usize = 4 * 1024;

/// The longest part of a line that is not its value: `event: `.
const FIELD_BYTES: usize = 8;

/// What the stream says at one point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// An event with data. `name` is its `event:` field; absent, or not UTF-8, is `None`.
    Event {
        name: Option<&'a str>,
        data: &'a [u8],
    },
    /// A comment line: a sign of life, never progress.
    Comment,
}

/// Called with each frame, in order; an `Err` ends the feed.
pub type OnFrame<'f> = dyn FnMut(Frame<'_>) -> Result<(), Failure> + 'f;

/// Cuts a byte stream into events. Holds bytes only while an event is incomplete.
#[derive(Debug)]
pub struct Framer {
    max_event_bytes: usize,
    /// The start of a line whose end has not come yet.
    line: Vec<u8>,
    /// The complete `data` lines of the event under way, joined.
    data: Vec<u8>,
    has_data: bool,
    name: Vec<u8>,
    /// The last byte was CR: an LF right after it belongs to it.
    after_cr: bool,
    is_first_line: bool,
}

/// Fields of the event under way that still lie in the bytes being fed.
#[derive(Default)]
struct Held<'b> {
    data: Option<&'b [u8]>,
    name: Option<&'b [u8]>,
}

enum Field<'b> {
    Blank,
    Comment,
    Data(&'b [u8]),
    Name(&'b [u8]),
    Other,
}

impl Framer {
    pub fn new(max_event_bytes: usize) -> Self {
        Self {
            max_event_bytes,
            line: Vec::new(),
            data: Vec::new(),
            has_data: false,
            name: Vec::new(),
            after_cr: false,
            is_first_line: true,
        }
    }

    /// Takes the next bytes. An event that lies whole in them, with one data line, is handed out
    /// as a slice of them.
    ///
    /// `Err` if an event is larger than the limit, or from `on_frame`; nothing may be fed after.
    pub fn feed(&mut self, bytes: &[u8], on_frame: &mut OnFrame<'_>) -> Result<(), Failure> {
        let mut rest = bytes;
        let mut held = Held::default();
        if self.after_cr && !rest.is_empty() {
            self.after_cr = false;
            rest = rest.strip_prefix(b"\n").unwrap_or(rest);
        }
        while let Some(at) = memchr2(b'\n', b'\r', rest) {
            let (line, tail) = rest.split_at(at);
            let (end, tail) = tail.split_at(1);
            rest = match (end, tail) {
                (b"\r", []) => {
                    self.after_cr = true;
                    tail
                }
                (b"\r", _) => tail.strip_prefix(b"\n").unwrap_or(tail),
                _ => tail,
            };
            if self.line.is_empty() {
                self.take_line(line, &mut held, on_frame)?;
            } else {
                self.extend_line(line)?;
                let whole = std::mem::take(&mut self.line);
                self.take_kept_line(&whole, on_frame)?;
                self.line = recycled(whole);
            }
        }
        self.keep(&held)?;
        if !rest.is_empty() {
            self.extend_line(rest)?;
        }
        Ok(())
    }

    /// The bytes ended. A last event without its blank line is handed out if its data is whole:
    /// `[DONE]`, or one JSON object or array.
    pub fn end(&mut self, on_frame: &mut OnFrame<'_>) -> Result<(), Failure> {
        if !self.line.is_empty() {
            let line = std::mem::take(&mut self.line);
            self.take_kept_line(&line, on_frame)?;
        }
        let data = std::mem::take(&mut self.data);
        let name = std::mem::take(&mut self.name);
        if std::mem::take(&mut self.has_data) && is_whole(&data) {
            on_frame(event(&name, &data))?;
        }
        Ok(())
    }

    /// No event is under way: nothing would be lost if the stream ended here.
    pub fn is_idle(&self) -> bool {
        self.line.is_empty() && !self.has_data
    }

    /// A line that lies whole in the bytes being fed.
    fn take_line<'b>(
        &mut self,
        line: &'b [u8],
        held: &mut Held<'b>,
        on_frame: &mut OnFrame<'_>,
    ) -> Result<(), Failure> {
        match self.field(line)? {
            Field::Blank => self.dispatch(held, on_frame),
            Field::Comment => on_frame(Frame::Comment),
            Field::Data(value) if !self.has_data => {
                self.has_data = true;
                held.data = Some(value);
                self.check_size(value.len())
            }
            Field::Data(value) => {
                if let Some(first) = held.data.take() {
                    self.data.extend_from_slice(first);
                }
                self.append_data(value)
            }
            Field::Name(value) => {
                held.name = Some(value);
                Ok(())
            }
            Field::Other => Ok(()),
        }
    }

    /// A line that was put together from several feeds; it is the first one of this feed to end,
    /// so nothing of the event lies in the bytes being fed.
    fn take_kept_line(&mut self, line: &[u8], on_frame: &mut OnFrame<'_>) -> Result<(), Failure> {
        match self.field(line)? {
            Field::Blank => self.dispatch(&mut Held::default(), on_frame),
            Field::Comment => on_frame(Frame::Comment),
            Field::Data(value) => {
                if !self.has_data {
                    self.has_data = true;
                    self.data.extend_from_slice(value);
                    return self.check_size(self.data.len());
                }
                self.append_data(value)
            }
            Field::Name(value) => {
                self.name.clear();
                self.name.extend_from_slice(value);
                Ok(())
            }
            Field::Other => Ok(()),
        }
    }

    fn field<'b>(&mut self, line: &'b [u8]) -> Result<Field<'b>, Failure> {
        let mut line = line;
        if std::mem::take(&mut self.is_first_line) {
            line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        }
        let field = match line {
            [] => return Ok(Field::Blank),
            [b':', ..] => return Ok(Field::Comment),
            [b'd', b'a', b't', b'a', b':', value @ ..] => Field::Data(value_of(value)),
            b"data" => Field::Data(b""),
            [b'e', b'v', b'e', b'n', b't', b':', value @ ..] => Field::Name(value_of(value)),
            // `id` and `retry` are for clients that reconnect; anything else is to be ignored.
            _ => Field::Other,
        };
        self.check_size(line.len().saturating_sub(FIELD_BYTES))?;
        Ok(field)
    }

    /// The blank line came: hands out what the event holds.
    fn dispatch(&mut self, held: &mut Held<'_>, on_frame: &mut OnFrame<'_>) -> Result<(), Failure> {
        let in_place = held.data.take();
        let name = held.name.take().unwrap_or(&self.name);
        let had_data = std::mem::take(&mut self.has_data);
        let data = in_place.unwrap_or(&self.data);
        let result = if had_data && !data.is_empty() {
            on_frame(event(name, data))
        } else {
            Ok(())
        };
        if !self.data.is_empty() {
            self.data = recycled(std::mem::take(&mut self.data));
        }
        self.name.clear();
        result
    }

    /// Copies what the event under way holds in the bytes being fed, as they go away.
    fn keep(&mut self, held: &Held<'_>) -> Result<(), Failure> {
        if let Some(data) = held.data {
            self.data.extend_from_slice(data);
            self.check_size(self.data.len())?;
        }
        if let Some(name) = held.name {
            self.name.clear();
            self.name.extend_from_slice(name);
        }
        Ok(())
    }

    fn extend_line(&mut self, part: &[u8]) -> Result<(), Failure> {
        // Of a comment nothing is ever read: however long it is, it costs one byte.
        if self.line.first() == Some(&b':') {
            return Ok(());
        }
        self.line.extend_from_slice(part);
        if self.line.first() == Some(&b':') {
            self.line.truncate(1);
        }
        self.check_size(self.line.len().saturating_sub(FIELD_BYTES))
    }

    fn append_data(&mut self, value: &[u8]) -> Result<(), Failure> {
        self.data.push(b'\n');
        self.data.extend_from_slice(value);
        self.check_size(self.data.len())
    }

    fn check_size(&self, bytes: usize) -> Result<(), Failure> {
        if bytes > self.max_event_bytes {
            return Err(Failure::unavailable(
                "The provider sent an event that is larger than we accept",
            ));
        }
        Ok(())
    }
}

impl Default for Framer {
    fn default() -> Self {
        Self::new(MAX_EVENT_BYTES)
    }
}

fn event<'a>(name: &'a [u8], data: &'a [u8]) -> Frame<'a> {
    let name = if name.is_empty() {
        None
    } else {
        std::str::from_utf8(name).ok()
    };
    Frame::Event { name, data }
}

fn value_of(value: &[u8]) -> &[u8] {
    value.strip_prefix(b" ").unwrap_or(value)
}

/// The buffer, empty; or none if it grew beyond what an idle stream may hold.
fn recycled(mut buffer: Vec<u8>) -> Vec<u8> {
    if buffer.capacity() > KEEP_BYTES {
        return Vec::new();
    }
    buffer.clear();
    buffer
}

/// Data that was not cut: a cut number or word could look whole, an object or array cannot.
fn is_whole(data: &[u8]) -> bool {
    let data = data.trim_ascii();
    data == b"[DONE]"
        || (matches!(data.first(), Some(b'{' | b'['))
            && serde_json::from_slice::<IgnoredAny>(data).is_ok())
}

#[cfg(test)]
mod tests;
