//! Edits of a JSON text, applied in one pass; what is not edited stays byte for byte.

use super::write::write_str;
use bytes::{BufMut, Bytes};
use std::borrow::Cow;
use std::ops::Range;

/// Where `part`, a slice of `whole`, stands in it. `None` if it is not one.
pub fn span_of(whole: &[u8], part: &[u8]) -> Option<Range<usize>> {
    let start = part.as_ptr().addr().checked_sub(whole.as_ptr().addr())?;
    let end = start.checked_add(part.len())?;
    (end <= whole.len()).then_some(start..end)
}

/// The original and a list of edits, given in any order. Commas are looked after. Spans must not
/// overlap; of two that do, the later one is left out.
#[derive(Clone, Debug)]
pub struct Splice<'a> {
    original: &'a [u8],
    edits: Vec<(Range<usize>, Edit<'a>)>,
}

#[derive(Clone, Debug)]
enum Edit<'a> {
    Replace(Cow<'a, [u8]>),
    RemoveMember,
    /// `name` and value; without a name, an array element.
    Insert(Option<Cow<'a, str>>, Cow<'a, [u8]>),
}

impl<'a> Splice<'a> {
    pub fn new(original: &'a [u8]) -> Self {
        Self {
            original,
            edits: Vec::new(),
        }
    }

    /// Puts `with` in the place of `span`: a whole value, or a name with its quotes.
    pub fn replace(&mut self, span: Range<usize>, with: impl Into<Cow<'a, [u8]>>) {
        self.edits.push((span, Edit::Replace(with.into())));
    }

    /// Removes the member whose name's quote and value's end are `span`, and one comma. An array
    /// element goes the same way.
    pub fn remove_member(&mut self, span: Range<usize>) {
        self.edits.push((span, Edit::RemoveMember));
    }

    /// Puts a member at the start of the object whose `{` stands at `open`.
    pub fn insert_member(
        &mut self,
        open: usize,
        name: impl Into<Cow<'a, str>>,
        value: impl Into<Cow<'a, [u8]>>,
    ) {
        self.insert(open, Some(name.into()), value.into());
    }

    /// Puts an element at the start of the array whose `[` stands at `open`.
    pub fn insert_element(&mut self, open: usize, value: impl Into<Cow<'a, [u8]>>) {
        self.insert(open, None, value.into());
    }

    fn insert(&mut self, open: usize, name: Option<Cow<'a, str>>, value: Cow<'a, [u8]>) {
        let at = open.saturating_add(1);
        self.edits.push((at..at, Edit::Insert(name, value)));
    }

    pub fn is_unchanged(&self) -> bool {
        self.edits.is_empty()
    }

    pub fn finish(mut self) -> Bytes {
        // Stable: inserts at one place come out in the order they were given, before other edits.
        self.edits.sort_by_key(|(span, _)| (span.start, span.end));
        let mut out = Output {
            bytes: Vec::with_capacity(self.original.len() + 256),
            owes_comma: false,
        };
        let mut at = 0;
        for (span, edit) in self.edits {
            if span.start < at {
                continue;
            }
            out.copy(self.original.get(at..span.start).unwrap_or_default());
            at = span.end;
            match edit {
                Edit::Replace(with) => out.copy(&with),
                Edit::RemoveMember => at = out.drop_comma(self.original, at),
                Edit::Insert(name, value) => out.insert(name.as_deref(), &value),
            }
        }
        out.copy(self.original.get(at..).unwrap_or_default());
        Bytes::from(out.bytes)
    }
}

struct Output {
    bytes: Vec<u8>,
    /// An inserted member was written last: a comma is due before anything but the end.
    owes_comma: bool,
}

impl Output {
    fn copy(&mut self, part: &[u8]) {
        if self.owes_comma
            && let Some(first) = part.trim_ascii_start().first()
        {
            self.owes_comma = false;
            if !matches!(first, b'}' | b']') {
                self.bytes.push(b',');
            }
        }
        self.bytes.extend_from_slice(part);
    }

    fn insert(&mut self, name: Option<&str>, value: &[u8]) {
        if std::mem::replace(&mut self.owes_comma, true) {
            self.bytes.push(b',');
        }
        if let Some(name) = name {
            write_str(&mut self.bytes, name);
            self.bytes.put_u8(b':');
        }
        self.bytes.extend_from_slice(value);
    }

    /// A member was left out: its comma goes too, the one after it or, for the last, the one
    /// before it. Returns where the original goes on.
    fn drop_comma(&mut self, original: &[u8], at: usize) -> usize {
        let rest = original.get(at..).unwrap_or_default();
        let blanks = rest.len() - rest.trim_ascii_start().len();
        if rest.get(blanks) == Some(&b',') {
            return at + blanks + 1;
        }
        let kept = self.bytes.trim_ascii_end();
        if kept.last() == Some(&b',') {
            let length = kept.len() - 1;
            self.bytes.truncate(length);
        }
        at
    }
}
