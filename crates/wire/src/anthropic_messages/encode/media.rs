//! Images and documents: from chat's URLs to Anthropic's sources.

use super::block::{Block, BlockKind};
use super::refuse;
use crate::json::ObjectWriter;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use interline_domain::{ErrorType, Failure};
use std::borrow::Cow;

/// Where the bytes of an image or document are.
#[derive(Clone, Debug)]
pub(super) enum Source<'r> {
    Base64 {
        media_type: Cow<'r, str>,
        data: &'r str,
    },
    Url(&'r str),
    /// Plain text of a document.
    Text(String),
}

impl Source<'_> {
    pub(super) fn write(&self, block: &mut ObjectWriter<'_, Vec<u8>>) {
        block.object("source", |source| match self {
            Self::Base64 { media_type, data } => {
                source.str("type", "base64");
                source.str("media_type", media_type).str("data", data);
            }
            Self::Url(url) => {
                source.str("type", "url").str("url", url);
            }
            Self::Text(text) => {
                source.str("type", "text");
                source.str("media_type", "text/plain").str("data", text);
            }
        });
    }
}

pub(super) fn image<'r>(url: &'r str, path: &str) -> Result<Block<'r>, Failure> {
    let source = match DataUrl::parse(url) {
        None if is_data_url(url) => {
            return Err(refuse(
                ErrorType::InvalidImage,
                path,
                "is no base64 data URL",
            ));
        }
        None => Source::Url(url),
        Some(data) => data.image_source(path)?,
    };
    Ok(Block::new(BlockKind::Image(source)))
}

/// A file's content: PDFs and text as documents, images as images.
pub(super) fn file<'r>(
    data: Option<&'r str>,
    filename: Option<&'r str>,
    path: &str,
) -> Result<Block<'r>, Failure> {
    let Some(url) = data else {
        let message = "must carry file_data for this provider";
        return Err(refuse(ErrorType::InvalidRequest, path, message));
    };
    let source = match DataUrl::parse(url) {
        None if is_data_url(url) => {
            return Err(refuse(
                ErrorType::InvalidRequest,
                path,
                "is no base64 data URL",
            ));
        }
        None => Source::Url(url),
        Some(data) if data.media_type == "application/pdf" => Source::Base64 {
            media_type: data.media_type,
            data: data.data,
        },
        Some(data) if data.media_type.starts_with("image/") => {
            return Ok(Block::new(BlockKind::Image(data.image_source(path)?)));
        }
        Some(data) if data.is_text() => {
            let bytes = STANDARD
                .decode(data.data)
                .map_err(|_| refuse(ErrorType::InvalidRequest, path, "holds invalid base64"))?;
            Source::Text(String::from_utf8_lossy(&bytes).into_owned())
        }
        Some(data) => {
            let message = format!("{} files are not taken by this provider", data.media_type);
            return Err(refuse(ErrorType::InvalidRequest, path, &message));
        }
    };
    let title = filename.filter(|name| !name.trim().is_empty());
    Ok(Block::new(BlockKind::Document { source, title }))
}

struct DataUrl<'r> {
    /// Lower case, without parameters.
    media_type: Cow<'r, str>,
    data: &'r str,
}

impl<'r> DataUrl<'r> {
    /// `data:<media type>[;parameter…];base64,<data>`.
    fn parse(url: &'r str) -> Option<Self> {
        if !is_data_url(url) {
            return None;
        }
        let (head, data) = url.get("data:".len()..)?.split_once(',')?;
        let (media_type, encoding) = head.rsplit_once(';')?;
        if !encoding.trim().eq_ignore_ascii_case("base64") {
            return None;
        }
        let media_type = media_type.split(';').next().unwrap_or_default().trim();
        let media_type = if media_type.bytes().any(|byte| byte.is_ascii_uppercase()) {
            Cow::Owned(media_type.to_ascii_lowercase())
        } else {
            Cow::Borrowed(media_type)
        };
        Some(Self { media_type, data })
    }

    fn image_source(self, path: &str) -> Result<Source<'r>, Failure> {
        let media_type = match &*self.media_type {
            "image/jpeg" | "image/jpg" => Cow::Borrowed("image/jpeg"),
            "image/png" | "image/gif" | "image/webp" => self.media_type,
            other => {
                let message = format!("{other} is not taken by this provider");
                return Err(refuse(ErrorType::UnsupportedImageFormat, path, &message));
            }
        };
        Ok(Source::Base64 {
            media_type,
            data: self.data,
        })
    }

    fn is_text(&self) -> bool {
        self.media_type.starts_with("text/") || self.media_type == "application/json"
    }
}

fn is_data_url(url: &str) -> bool {
    url.get(..5)
        .is_some_and(|scheme| scheme.eq_ignore_ascii_case("data:"))
}
