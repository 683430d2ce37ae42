//! One walk over a JSON text, handing out the slices that were passed.

use super::MAX_DEPTH;
use super::text::unescape;
use std::borrow::Cow;

/// The text is not JSON (or is nested too deeply).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// A member's name, and where its quote stands in the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key<'a> {
    pub name: Cow<'a, str>,
    pub start: usize,
}

/// A reader that moves over a text once. Everything it passes is checked against RFC 8259, so a
/// slice it hands out can be written into another document as it is.
#[derive(Clone, Debug)]
pub struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    pub fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// The offset of the next byte.
    pub fn position(&self) -> usize {
        self.at
    }

    /// The first byte of the next value, blanks skipped.
    pub fn peek(&mut self) -> Option<u8> {
        self.skip_blanks();
        self.byte()
    }

    /// Visits the members of an object. `visit` must take exactly one value from the cursor.
    /// Anything but an object is passed over: `Ok(false)`.
    pub fn object(
        &mut self,
        mut visit: impl FnMut(&mut Self, Key<'a>) -> Result<(), Malformed>,
    ) -> Result<bool, Malformed> {
        if self.peek() != Some(b'{') {
            self.value()?;
            return Ok(false);
        }
        self.at += 1;
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(true);
        }
        loop {
            let key = self.key()?;
            visit(self, key)?;
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(true);
                }
                _ => return Err(Malformed),
            }
        }
    }

    /// Visits the elements of an array. `visit` must take exactly one value from the cursor.
    /// Anything but an array is passed over: `Ok(false)`.
    pub fn array(
        &mut self,
        mut visit: impl FnMut(&mut Self) -> Result<(), Malformed>,
    ) -> Result<bool, Malformed> {
        if self.peek() != Some(b'[') {
            self.value()?;
            return Ok(false);
        }
        self.at += 1;
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(true);
        }
        loop {
            visit(self)?;
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(true);
                }
                _ => return Err(Malformed),
            }
        }
    }

    /// Passes one value of any kind and returns its text, without the blanks around it.
    pub fn value(&mut self) -> Result<&'a str, Malformed> {
        self.skip_blanks();
        let start = self.at;
        self.pass_value()?;
        self.text.get(start..self.at).ok_or(Malformed)
    }

    /// Nothing but blanks follows.
    pub fn end(&mut self) -> Result<(), Malformed> {
        self.peek().map_or(Ok(()), |_| Err(Malformed))
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    fn skip_blanks(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.byte() {
            self.at += 1;
        }
    }

    /// `"name":`
    fn key(&mut self) -> Result<Key<'a>, Malformed> {
        self.skip_blanks();
        let start = self.at;
        self.pass_string()?;
        let inner = self.text.get(start + 1..self.at - 1).ok_or(Malformed)?;
        self.pass_byte(b':')?;
        Ok(Key {
            name: unescape(inner),
            start,
        })
    }

    fn pass_byte(&mut self, expected: u8) -> Result<(), Malformed> {
        if self.peek() != Some(expected) {
            return Err(Malformed);
        }
        self.at += 1;
        Ok(())
    }

    fn pass_string(&mut self) -> Result<(), Malformed> {
        if self.byte() != Some(b'"') {
            return Err(Malformed);
        }
        self.at += 1;
        self.at += string_end(self.rest()).ok_or(Malformed)?;
        Ok(())
    }

    /// Iterative, so that depth costs no stack.
    fn pass_value(&mut self) -> Result<(), Malformed> {
        let mut nest = Nest::default();
        loop {
            // One value, or the opening of a container that is not empty.
            match self.peek() {
                Some(b'"') => self.pass_string()?,
                Some(open @ (b'{' | b'[')) => {
                    self.at += 1;
                    let is_object = open == b'{';
                    let close = if is_object { b'}' } else { b']' };
                    if self.peek() == Some(close) {
                        self.at += 1;
                    } else {
                        nest.push(is_object)?;
                        if is_object {
                            self.key()?;
                        }
                        continue;
                    }
                }
                Some(b't') => self.pass_word(b"true")?,
                Some(b'f') => self.pass_word(b"false")?,
                Some(b'n') => self.pass_word(b"null")?,
                Some(b'-' | b'0'..=b'9') => self.pass_number()?,
                _ => return Err(Malformed),
            }
            // What follows a value: the end of its containers, or the next value.
            loop {
                let Some(is_object) = nest.top() else {
                    return Ok(());
                };
                match (self.peek(), is_object) {
                    (Some(b','), _) => {
                        self.at += 1;
                        if is_object {
                            self.key()?;
                        }
                        break;
                    }
                    (Some(b'}'), true) | (Some(b']'), false) => {
                        self.at += 1;
                        nest.pop();
                    }
                    _ => return Err(Malformed),
                }
            }
        }
    }

    fn pass_word(&mut self, word: &[u8]) -> Result<(), Malformed> {
        if !self.rest().starts_with(word) {
            return Err(Malformed);
        }
        self.at += word.len();
        Ok(())
    }

    fn pass_number(&mut self) -> Result<(), Malformed> {
        if self.byte() == Some(b'-') {
            self.at += 1;
        }
        if self.byte() == Some(b'0') {
            self.at += 1;
        } else {
            self.pass_digits()?;
        }
        if self.byte() == Some(b'.') {
            self.at += 1;
            self.pass_digits()?;
        }
        if matches!(self.byte(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.byte(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.pass_digits()?;
        }
        Ok(())
    }

    fn pass_digits(&mut self) -> Result<(), Malformed> {
        let digits = self
            .rest()
            .iter()
            .take_while(|b| b.is_ascii_digit())
            .count();
        self.at += digits;
        if digits == 0 { Err(Malformed) } else { Ok(()) }
    }
}

/// The containers around a value, one bit each (1 is an object).
#[derive(Default)]
struct Nest {
    bits: u128,
    depth: usize,
}

impl Nest {
    fn push(&mut self, is_object: bool) -> Result<(), Malformed> {
        if self.depth == MAX_DEPTH {
            return Err(Malformed);
        }
        self.depth += 1;
        self.bits = (self.bits << 1) | u128::from(is_object);
        Ok(())
    }

    fn pop(&mut self) {
        self.depth = self.depth.saturating_sub(1);
        self.bits >>= 1;
    }

    fn top(&self) -> Option<bool> {
        (self.depth > 0).then_some(self.bits & 1 == 1)
    }
}

/// After an opening quote: how many bytes to the end of the string, closing quote included.
/// `None` if the string does not end, or holds a control character or a bad escape.
pub(super) fn string_end(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += special(bytes.get(at..)?)?;
        match bytes.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => match bytes.get(at + 1)? {
                b'u' => {
                    let digits = bytes.get(at + 2..at + 6)?;
                    if !digits.iter().all(u8::is_ascii_hexdigit) {
                        return None;
                    }
                    at += 6;
                }
                b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => at += 2,
                _ => return None,
            },
            _ => return None,
        }
    }
}

/// Offset of the first quote, backslash or control character: eight bytes at a time.
fn special(bytes: &[u8]) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let (words, tail) = bytes.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        // The classic "has a zero byte" and "has a byte below n" tests; borrows make false hits
        // only above the first true one, and only the first one is asked for.
        let quote = word ^ (ONES * u64::from(b'"'));
        let slash = word ^ (ONES * u64::from(b'\\'));
        let hits = (quote.wrapping_sub(ONES) & !quote)
            | (slash.wrapping_sub(ONES) & !slash)
            | (word.wrapping_sub(ONES * 0x20) & !word);
        let hits = hits & HIGH;
        if hits != 0 {
            return Some(index * 8 + (hits.trailing_zeros() / 8) as usize);
        }
    }
    tail.iter()
        .position(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1f))
        .map(|at| words.len() * 8 + at)
}
