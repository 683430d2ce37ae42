//! JSON by hand, into any buffer.

use bytes::BufMut;

/// Writes `text` as a JSON string, quotes included.
pub fn write_str(out: &mut impl BufMut, text: &str) {
    out.put_u8(b'"');
    write_str_content(out, text);
    out.put_u8(b'"');
}

/// Writes `text` as it stands between the quotes of a JSON string.
pub fn write_str_content(out: &mut impl BufMut, text: &str) {
    let mut rest = text.as_bytes();
    while let Some(at) = rest
        .iter()
        .position(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1f))
    {
        let (plain, tail) = rest.split_at(at);
        out.put_slice(plain);
        let Some((byte, tail)) = tail.split_first() else {
            return;
        };
        escape(out, *byte);
        rest = tail;
    }
    out.put_slice(rest);
}

fn escape(out: &mut impl BufMut, byte: u8) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let short: &[u8] = match byte {
        b'"' => b"\\\"",
        b'\\' => b"\\\\",
        b'\n' => b"\\n",
        b'\r' => b"\\r",
        b'\t' => b"\\t",
        0x8 => b"\\b",
        0xc => b"\\f",
        _ => {
            out.put_slice(b"\\u00");
            for nibble in [byte >> 4, byte & 0xf] {
                out.put_u8(HEX.get(usize::from(nibble)).copied().unwrap_or(b'0'));
            }
            return;
        }
    };
    out.put_slice(short);
}

/// Writes one JSON object, member by member. [`ObjectWriter::close`] must be called at the end.
pub struct ObjectWriter<'o, B: BufMut> {
    out: &'o mut B,
    is_empty: bool,
}

impl<'o, B: BufMut> ObjectWriter<'o, B> {
    pub fn open(out: &'o mut B) -> Self {
        out.put_u8(b'{');
        Self {
            out,
            is_empty: true,
        }
    }

    /// Writes a name and its colon, and gives the buffer for the value. `name` must need no
    /// escapes when it comes from our code; any name is escaped.
    pub fn name(&mut self, name: &str) -> &mut B {
        self.comma();
        write_str(self.out, name);
        self.out.put_u8(b':');
        self.out
    }

    pub fn str(&mut self, name: &str, value: &str) -> &mut Self {
        write_str(self.name(name), value);
        self
    }

    /// A string, or `null`.
    pub fn opt_str(&mut self, name: &str, value: Option<&str>) -> &mut Self {
        match value {
            Some(value) => self.str(name, value),
            None => self.raw(name, "null"),
        }
    }

    /// A value that is JSON already.
    pub fn raw(&mut self, name: &str, json: &str) -> &mut Self {
        self.name(name).put_slice(json.as_bytes());
        self
    }

    /// A whole member that is JSON already: `"name":value`.
    pub fn member(&mut self, json: &str) -> &mut Self {
        self.comma();
        self.out.put_slice(json.as_bytes());
        self
    }

    pub fn int(&mut self, name: &str, value: impl itoa::Integer) -> &mut Self {
        let mut buffer = itoa::Buffer::new();
        self.raw(name, buffer.format(value))
    }

    pub fn bool(&mut self, name: &str, value: bool) -> &mut Self {
        self.raw(name, if value { "true" } else { "false" })
    }

    /// A member that is an object itself.
    pub fn object(&mut self, name: &str, fill: impl FnOnce(&mut ObjectWriter<'_, B>)) -> &mut Self {
        let mut inner = ObjectWriter::open(self.name(name));
        fill(&mut inner);
        inner.close();
        self
    }

    /// A member that is an array.
    pub fn array(&mut self, name: &str, fill: impl FnOnce(&mut ArrayWriter<'_, B>)) -> &mut Self {
        let mut inner = ArrayWriter::open(self.name(name));
        fill(&mut inner);
        inner.close();
        self
    }

    pub fn is_empty(&self) -> bool {
        self.is_empty
    }

    pub fn close(self) {
        self.out.put_u8(b'}');
    }

    fn comma(&mut self) {
        if !std::mem::take(&mut self.is_empty) {
            self.out.put_u8(b',');
        }
    }
}

/// Writes one JSON array, element by element. [`ArrayWriter::close`] must be called at the end.
pub struct ArrayWriter<'o, B: BufMut> {
    out: &'o mut B,
    is_empty: bool,
}

impl<'o, B: BufMut> ArrayWriter<'o, B> {
    pub fn open(out: &'o mut B) -> Self {
        out.put_u8(b'[');
        Self {
            out,
            is_empty: true,
        }
    }

    /// Writes the comma if one is due, and gives the buffer for the element.
    pub fn element(&mut self) -> &mut B {
        if !std::mem::take(&mut self.is_empty) {
            self.out.put_u8(b',');
        }
        self.out
    }

    pub fn str(&mut self, value: &str) -> &mut Self {
        write_str(self.element(), value);
        self
    }

    /// An element that is JSON already.
    pub fn raw(&mut self, json: &str) -> &mut Self {
        self.element().put_slice(json.as_bytes());
        self
    }

    pub fn object(&mut self, fill: impl FnOnce(&mut ObjectWriter<'_, B>)) -> &mut Self {
        let mut inner = ObjectWriter::open(self.element());
        fill(&mut inner);
        inner.close();
        self
    }

    pub fn is_empty(&self) -> bool {
        self.is_empty
    }

    pub fn close(self) {
        self.out.put_u8(b']');
    }
}
