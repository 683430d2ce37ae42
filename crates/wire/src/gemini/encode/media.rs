//! Images, documents, audio and video: inline bytes or links.

use super::Fetched;
use crate::chat::request::{Content, PartKind, Request};
use crate::json::{ObjectWriter, write_str};
use crate::target::Target;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{BufMut, BytesMut};
use interline_domain::{ErrorType, Failure};
use std::borrow::Cow;

/// Media as a part carries them.
#[derive(Debug)]
pub(super) enum Blob<'r> {
    Inline {
        kind: Cow<'r, str>,
        /// Base64.
        data: Cow<'r, str>,
    },
    Link {
        kind: Option<&'static str>,
        uri: &'r str,
    },
}

impl<'r> Blob<'r> {
    /// Reads a part; `None` for text and for what we do not know.
    pub(super) fn read(
        part: &'r PartKind<'_>,
        target: &Target<'_>,
        fetched: &Fetched<'_>,
    ) -> Result<Option<Self>, Failure> {
        match Source::of(part, target) {
            None => Ok(None),
            Some(Source::Data(url)) => from_data_url(url).map(Some),
            Some(Source::Audio { data, format }) => Ok(Some(Self::Inline {
                kind: sniff(data).map_or_else(|| audio_kind(format), Cow::Borrowed),
                data: Cow::Borrowed(data),
            })),
            Some(Source::Link(uri)) => Ok(Some(Self::Link {
                kind: kind_of_link(uri),
                uri,
            })),
            Some(Source::Fetch(url)) => {
                let (kind, bytes) = fetched(url).ok_or_else(|| not_fetched(url))?;
                let data = STANDARD.encode(&bytes);
                let kind = sniff(&data).map_or(Cow::Owned(kind), Cow::Borrowed);
                Ok(Some(Self::Inline {
                    kind,
                    data: data.into(),
                }))
            }
            Some(Source::Nothing) => Err(Failure::invalid(
                ErrorType::InvalidRequest,
                "A file part has neither data nor a link",
            )),
        }
    }

    pub(super) fn is_inline(&self) -> bool {
        matches!(self, Self::Inline { .. })
    }

    /// Writes `"inlineData":{…}` or `"fileData":{…}`.
    pub(super) fn write(&self, part: &mut ObjectWriter<'_, BytesMut>) {
        match self {
            Self::Inline { kind, data } => part.object("inlineData", |blob| {
                blob.str("mimeType", kind);
                let out = blob.name("data");
                if data.bytes().all(is_base64) {
                    out.put_u8(b'"');
                    out.put_slice(data.as_bytes());
                    out.put_u8(b'"');
                } else {
                    write_str(out, data);
                }
            }),
            Self::Link { kind, uri } => part.object("fileData", |file| {
                if let Some(kind) = kind {
                    file.str("mimeType", kind);
                }
                file.str("fileUri", uri);
            }),
        };
    }
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'-' | b'_')
}

/// The links of a request whose contents must be inlined, in order, each once.
pub fn links_to_fetch<'r>(request: &'r Request<'_>, target: &Target<'_>) -> Vec<Cow<'r, str>> {
    let mut links = Vec::new();
    for message in &request.messages {
        let Content::Parts(parts) = &message.content else {
            continue;
        };
        for part in parts {
            if let Some(Source::Fetch(url)) = Source::of(&part.kind, target)
                && !links.iter().any(|known| known == url)
            {
                links.push(Cow::Borrowed(url));
            }
        }
    }
    links
}

/// Where the bytes of a part are.
enum Source<'r> {
    Data(&'r str),
    Audio {
        data: &'r str,
        format: &'r str,
    },
    /// Google fetches it.
    Link(&'r str),
    /// We fetch it.
    Fetch(&'r str),
    Nothing,
}

impl<'r> Source<'r> {
    fn of(part: &'r PartKind<'_>, target: &Target<'_>) -> Option<Self> {
        let (url, is_video) = match part {
            PartKind::Text(_) | PartKind::Other => return None,
            PartKind::Audio { data, format } => return Some(Self::Audio { data, format }),
            PartKind::Image { url, .. } => (&**url, false),
            PartKind::Video { url } => (&**url, true),
            PartKind::File { data, file_id, .. } => match data.as_deref().or(file_id.as_deref()) {
                Some(url) => (url, false),
                None => return Some(Self::Nothing),
            },
        };
        let is_followed = if is_video {
            is_youtube(url)
        } else {
            target.quirks.file_links && has_scheme(url, "https:")
        };
        Some(if has_scheme(url, "data:") {
            Self::Data(url)
        } else if is_followed || is_googles(url) {
            Self::Link(url)
        } else if has_scheme(url, "https:") || has_scheme(url, "http:") {
            Self::Fetch(url)
        } else {
            Self::Nothing
        })
    }
}

fn has_scheme(url: &str, scheme: &str) -> bool {
    url.get(..scheme.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(scheme))
}

/// Files that were uploaded to Google before.
fn is_googles(url: &str) -> bool {
    url.starts_with("gs://")
        || url.starts_with("https://generativelanguage.googleapis.com/v1beta/files/")
}

fn is_youtube(url: &str) -> bool {
    [
        "https://www.youtube.com/",
        "https://youtube.com/",
        "https://m.youtube.com/",
        "https://youtu.be/",
    ]
    .iter()
    .any(|start| url.starts_with(start))
}

fn not_fetched(url: &str) -> Failure {
    let shown: String = url.chars().take(200).collect();
    Failure::invalid(
        ErrorType::ImageDownloadFailed,
        format!("The provider does not follow links, and this one could not be fetched: {shown}"),
    )
}

/// `data:image/png;base64,…`. What the bytes say beats what the URL says: a wrong type is a 400.
fn from_data_url(url: &str) -> Result<Blob<'_>, Failure> {
    let invalid = |message: &str| Failure::invalid(ErrorType::InvalidImage, message);
    let rest = url.get("data:".len()..).unwrap_or_default();
    let (head, data) = rest
        .split_once(',')
        .ok_or_else(|| invalid("A data URL has no comma"))?;
    let (kind, encoding) = head.split_once(';').unwrap_or((head, ""));
    let is_base64_url = encoding
        .rsplit(';')
        .next()
        .is_some_and(|last| last.trim().eq_ignore_ascii_case("base64"));
    if !is_base64_url {
        return Err(invalid("A data URL must be base64"));
    }
    let data = data.trim();
    let kind = match sniff(data) {
        Some(known) => Cow::Borrowed(known),
        None if kind.is_empty() => {
            return Err(invalid("A data URL names no type, and its bytes tell none"));
        }
        None => Cow::Borrowed(kind),
    };
    Ok(Blob::Inline {
        kind,
        data: Cow::Borrowed(data),
    })
}

/// The type that the first bytes tell, for the formats Gemini reads.
fn sniff(base64: &str) -> Option<&'static str> {
    // Sixteen characters are twelve bytes: enough for every mark below.
    let head = STANDARD.decode(base64.get(..16)?).ok()?;
    Some(match head.as_slice() {
        [0x89, b'P', b'N', b'G', ..] => "image/png",
        [0xff, 0xd8, 0xff, ..] => "image/jpeg",
        [b'G', b'I', b'F', b'8', ..] => "image/gif",
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P'] => "image/webp",
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'A', b'V', b'E'] => "audio/wav",
        [
            b'F',
            b'O',
            b'R',
            b'M',
            _,
            _,
            _,
            _,
            b'A',
            b'I',
            b'F',
            b'F' | b'C',
        ] => "audio/aiff",
        [
            _,
            _,
            _,
            _,
            b'f',
            b't',
            b'y',
            b'p',
            b'h',
            b'e',
            b'i',
            b'c' | b'x',
        ] => "image/heic",
        [_, _, _, _, b'f', b't', b'y', b'p', b'm', b'i', b'f', b'1'] => "image/heif",
        [b'%', b'P', b'D', b'F', b'-', ..] => "application/pdf",
        [b'f', b'L', b'a', b'C', ..] => "audio/flac",
        [b'I', b'D', b'3', ..] => "audio/mp3",
        _ => return None,
    })
}

fn audio_kind(format: &str) -> Cow<'static, str> {
    Cow::Borrowed(match format {
        "wav" => "audio/wav",
        "mp3" => "audio/mp3",
        "aiff" => "audio/aiff",
        "aac" => "audio/aac",
        "ogg" => "audio/ogg",
        "flac" => "audio/flac",
        "m4a" => "audio/m4a",
        "pcm16" | "pcm24" => "audio/pcm",
        other => return Cow::Owned(format!("audio/{other}")),
    })
}

/// By the ending of the path; nothing is said where it tells nothing.
fn kind_of_link(uri: &str) -> Option<&'static str> {
    let path = uri.split(['?', '#']).next()?;
    let ending = path.rsplit('/').next()?.rsplit_once('.')?.1;
    let lower = ending.to_ascii_lowercase();
    Some(match lower.as_str() {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "gif" => "image/gif",
        "heic" => "image/heic",
        "heif" => "image/heif",
        "pdf" => "application/pdf",
        "wav" => "audio/wav",
        "mp3" => "audio/mp3",
        "flac" => "audio/flac",
        "ogg" => "audio/ogg",
        "mp4" => "video/mp4",
        "webm" => "video/webm",
        "mov" => "video/mov",
        "mpeg" | "mpg" => "video/mpeg",
        "txt" => "text/plain",
        "html" => "text/html",
        "csv" => "text/csv",
        _ => return None,
    })
}
