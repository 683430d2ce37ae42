//! The bytes of a record, and finding records again in bytes that may be damaged.
//!
//! ```text
//! file   = "ILSPOOL1" salt:u32 zero:u32 record*
//! record = length:u32 crc:u32 kind:u8 key_length:u16 key payload     (little-endian)
//! ```
//!
//! `length` counts what follows `crc`; `crc` (CRC-32, IEEE) covers `length` and what it counts. It
//! starts from the file's salt, so bytes inside a payload cannot pass for a record when the search
//! for the next whole record goes over a damaged place.

use crc32fast::Hasher;
use std::ops::Range;

pub(crate) const MAGIC: &[u8; 8] = b"ILSPOOL1";
/// Magic, salt, four zero bytes.
pub(crate) const FILE_HEADER: usize = 16;
/// `length` and `crc`.
const HEADER: usize = 8;
/// `kind` and `key_length`.
const PREFIX: usize = 3;
/// The largest `length`. A usage record is a few hundred bytes; this bounds what a damaged length
/// can make us read.
const MAX_BODY: usize = 4 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Open = 1,
    Close = 2,
}

impl Kind {
    fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::Open),
            2 => Some(Self::Close),
            _ => None,
        }
    }
}

/// A record that lies whole in `bytes`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Raw<'a> {
    pub(crate) kind: Kind,
    pub(crate) key: &'a str,
    pub(crate) payload: &'a [u8],
    /// All of it, header included.
    pub(crate) bytes: &'a [u8],
}

/// What a file holds after its header.
#[derive(Debug, Default)]
pub(crate) struct Scan<'a> {
    pub(crate) records: Vec<Raw<'a>>,
    /// Bytes that are no record although whole records follow them.
    pub(crate) damaged: Vec<Range<usize>>,
    /// Where the last whole record ends; what follows, if anything, is a torn tail.
    pub(crate) end: usize,
}

/// Size on disk, or `None` if the record is larger than the format allows.
pub(crate) fn size(key: &str, payload: &[u8]) -> Option<usize> {
    u16::try_from(key.len()).ok()?;
    let body = PREFIX.checked_add(key.len())?.checked_add(payload.len())?;
    (body <= MAX_BODY).then_some(HEADER + body)
}

/// Appends a record to `out`. The caller has asked [`size`].
pub(crate) fn encode(out: &mut Vec<u8>, salt: u32, kind: Kind, key: &str, payload: &[u8]) {
    let body = PREFIX + key.len() + payload.len();
    let length = u32::try_from(body).unwrap_or(u32::MAX).to_le_bytes();
    let key_length = u16::try_from(key.len()).unwrap_or(u16::MAX).to_le_bytes();
    let start = out.len();
    out.reserve(HEADER + body);
    out.extend_from_slice(&length);
    out.extend_from_slice(&[0; 4]);
    out.push(kind as u8);
    out.extend_from_slice(&key_length);
    out.extend_from_slice(key.as_bytes());
    out.extend_from_slice(payload);
    let crc = checksum(salt, length, out.get(start + HEADER..).unwrap_or_default());
    if let Some(place) = out.get_mut(start + 4..start + HEADER) {
        place.copy_from_slice(&crc.to_le_bytes());
    }
}

pub(crate) fn file_header(salt: u32) -> [u8; FILE_HEADER] {
    let mut header = [0; FILE_HEADER];
    header[..8].copy_from_slice(MAGIC);
    header[8..12].copy_from_slice(&salt.to_le_bytes());
    header
}

/// The salt of a file, if its header is one of ours.
pub(crate) fn read_file_header(bytes: &[u8]) -> Option<u32> {
    let (magic, rest) = bytes.split_first_chunk::<8>()?;
    let (salt, rest) = rest.split_first_chunk::<4>()?;
    (magic == MAGIC && rest.first_chunk::<4>() == Some(&[0; 4])).then(|| u32::from_le_bytes(*salt))
}

/// Reads a whole file, header included.
pub(crate) fn scan(bytes: &[u8], salt: u32) -> Scan<'_> {
    let mut found = Scan {
        end: FILE_HEADER.min(bytes.len()),
        ..Scan::default()
    };
    while found.end < bytes.len() {
        let next = (found.end..bytes.len()).find_map(|at| Some((at, read_at(bytes, at, salt)?)));
        let Some((at, record)) = next else { break };
        if at > found.end {
            found.damaged.push(found.end..at);
        }
        found.end = at + record.bytes.len();
        found.records.push(record);
    }
    found
}

fn read_at(bytes: &[u8], at: usize, salt: u32) -> Option<Raw<'_>> {
    let whole = bytes.get(at..)?;
    let (length, rest) = whole.split_first_chunk::<4>()?;
    let (crc, rest) = rest.split_first_chunk::<4>()?;
    let body_length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    if !(PREFIX..=MAX_BODY).contains(&body_length) {
        return None;
    }
    let body = rest.get(..body_length)?;
    let (kind, rest) = body.split_first()?;
    let kind = Kind::from_byte(*kind)?;
    let (key_length, rest) = rest.split_first_chunk::<2>()?;
    let (key, payload) = rest.split_at_checked(usize::from(u16::from_le_bytes(*key_length)))?;
    if checksum(salt, *length, body) != u32::from_le_bytes(*crc) {
        return None;
    }
    Some(Raw {
        kind,
        key: str::from_utf8(key).ok()?,
        payload,
        bytes: whole.get(..HEADER + body_length)?,
    })
}

fn checksum(salt: u32, length: [u8; 4], body: &[u8]) -> u32 {
    let mut hasher = Hasher::new_with_initial(salt);
    hasher.update(&length);
    hasher.update(body);
    hasher.finalize()
}
