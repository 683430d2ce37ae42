//! Grounding: which source backs which stretch of the text.

use crate::event::{Event, Sink};
use crate::json::{Cursor, Malformed, string};
use std::borrow::Cow;

/// More citations than this in one answer are nonsense (segments times sources).
const MAX_CITATIONS: usize = 4_096;

/// Translates byte offsets of the content so far into code points, without keeping the text.
///
/// Stretches of characters of equal width are stored once: plain ASCII, or plain Chinese, takes
/// one entry whatever its length.
#[derive(Clone, Debug, Default)]
pub(crate) struct Offsets {
    bytes: u64,
    points: u64,
    runs: Vec<Run>,
}

#[derive(Clone, Copy, Debug)]
struct Run {
    first_byte: u64,
    first_point: u64,
    width: u64,
}

impl Offsets {
    pub(crate) fn push(&mut self, text: &str) {
        if text.is_ascii() && self.runs.last().is_some_and(|run| run.width == 1) {
            let length = text.len() as u64;
            self.bytes += length;
            self.points += length;
            return;
        }
        for character in text.chars() {
            let width = character.len_utf8() as u64;
            if self.runs.last().is_none_or(|run| run.width != width) {
                self.runs.push(Run {
                    first_byte: self.bytes,
                    first_point: self.points,
                    width,
                });
            }
            self.bytes += width;
            self.points += 1;
        }
    }

    /// Bytes of content so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The code point that the byte belongs to; the end of the content for anything beyond it.
    pub(crate) fn point_at(&self, byte: u64) -> u64 {
        if byte >= self.bytes {
            return self.points;
        }
        let after = self.runs.partition_point(|run| run.first_byte <= byte);
        let run = after.checked_sub(1).and_then(|at| self.runs.get(at));
        run.map_or(0, |run| {
            run.first_point + (byte - run.first_byte) / run.width
        })
    }
}

/// What a `groundingMetadata` object holds, before anything is resolved.
#[derive(Default)]
pub(crate) struct Metadata<'a> {
    /// Searches the provider ran.
    pub searches: u64,
    pub has_supports: bool,
    chunks: Option<&'a str>,
    supports: Option<&'a str>,
}

impl<'a> Metadata<'a> {
    pub(crate) fn read(raw: &'a str) -> Result<Self, Malformed> {
        let mut metadata = Self::default();
        Cursor::new(raw).object(|cursor, key| {
            match &*key.name {
                "webSearchQueries" => {
                    cursor.array(|cursor| {
                        metadata.searches += 1;
                        cursor.value().map(|_| ())
                    })?;
                }
                "groundingChunks" => metadata.chunks = Some(cursor.value()?),
                "groundingSupports" => {
                    let supports = cursor.value()?;
                    metadata.supports = Some(supports);
                    let mut inside = Cursor::new(supports.get(1..).unwrap_or_default());
                    metadata.has_supports = inside.peek() == Some(b'{');
                }
                _ => {
                    cursor.value()?;
                }
            }
            Ok(())
        })?;
        Ok(metadata)
    }

    /// Emits one citation per segment and source. `start_of_part` gives the byte of the content
    /// at which a part of the answer begins.
    pub(crate) fn emit(
        &self,
        choice: u32,
        offsets: &Offsets,
        start_of_part: &dyn Fn(usize) -> u64,
        sink: &mut dyn Sink,
    ) -> Result<(), Malformed> {
        let sources = self.sources()?;
        let mut emitted = 0;
        Cursor::new(self.supports.unwrap_or("[]")).array(|cursor| {
            let support = Support::read(cursor)?;
            let base = start_of_part(support.part);
            let start_index = offsets.point_at(base.saturating_add(support.start));
            let end_index = offsets.point_at(base.saturating_add(support.end));
            for index in support.chunks {
                let Some(source) = sources.get(index) else {
                    continue;
                };
                let Some(url) = source.url.clone().filter(|url| !url.is_empty()) else {
                    continue;
                };
                emitted += 1;
                if emitted > MAX_CITATIONS {
                    break;
                }
                sink.event(Event::UrlCitation {
                    choice,
                    url,
                    title: source.title.clone(),
                    content: None,
                    start_index,
                    end_index,
                });
            }
            Ok(())
        })?;
        Ok(())
    }

    fn sources(&self) -> Result<Vec<Source<'a>>, Malformed> {
        let mut sources = Vec::new();
        Cursor::new(self.chunks.unwrap_or("[]")).array(|cursor| {
            let mut source = Source::default();
            cursor.object(|cursor, key| {
                // `retrievedContext` and `maps` have the same two members as `web`.
                if !matches!(&*key.name, "web" | "retrievedContext" | "maps") {
                    return cursor.value().map(|_| ());
                }
                cursor.object(|cursor, key| {
                    let value = cursor.value()?;
                    match &*key.name {
                        "uri" => source.url = string(value),
                        "title" => source.title = string(value),
                        _ => {}
                    }
                    Ok(())
                })?;
                Ok(())
            })?;
            sources.push(source);
            Ok(())
        })?;
        Ok(sources)
    }
}

#[derive(Default)]
struct Source<'a> {
    url: Option<Cow<'a, str>>,
    title: Option<Cow<'a, str>>,
}

#[derive(Default)]
struct Support {
    /// Which part of the answer; left out for the first.
    part: usize,
    /// Bytes of that part's text; left out for zero.
    start: u64,
    end: u64,
    chunks: Vec<usize>,
}

impl Support {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self, Malformed> {
        let mut support = Self::default();
        cursor.object(|cursor, key| {
            match &*key.name {
                "segment" => {
                    cursor.object(|cursor, key| {
                        let value = cursor.value()?;
                        match &*key.name {
                            "partIndex" => support.part = value.parse().unwrap_or(0),
                            "startIndex" => support.start = value.parse().unwrap_or(0),
                            "endIndex" => support.end = value.parse().unwrap_or(0),
                            _ => {}
                        }
                        Ok(())
                    })?;
                }
                "groundingChunkIndices" => {
                    cursor.array(|cursor| {
                        if let Ok(index) = cursor.value()?.parse() {
                            support.chunks.push(index);
                        }
                        Ok(())
                    })?;
                }
                _ => {
                    cursor.value()?;
                }
            }
            Ok(())
        })?;
        Ok(support)
    }
}
