//! Fetching images and files that a caller names by link, for providers that need bytes.
//!
//! The URL is hostile input: https or http only, no address that is not public (checked on the
//! addresses that are connected to, literals too), at most three redirects, each checked again,
//! bounded bytes and time.

use crate::client::{Call, Client, Limits, SendError};
use crate::resolver::{Resolver, is_public};
use bytes::{Bytes, BytesMut};
use http::{Method, StatusCode, Uri, header};
use http_body_util::BodyExt;
use std::net::IpAddr;
use std::time::Duration;

const MAX_REDIRECTS: usize = 3;

/// What was fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Media {
    /// By the bytes themselves; what the server claims is not believed.
    pub mime: &'static str,
    pub bytes: Bytes,
}

/// Why a link could not be fetched, in words for the caller.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    #[error("the link is not an http or https address")]
    Url,
    #[error("the link leads to an address that is not public")]
    NotPublic,
    #[error("the link could not be fetched: {0}")]
    Unreachable(String),
    #[error("the link answered with status {0}")]
    Status(u16),
    #[error("the file is larger than {0} bytes")]
    TooLarge(usize),
    #[error("the link redirects too often")]
    Redirects,
    #[error("the file is of no known image, document, audio or video type")]
    Type,
    #[error("the file took too long to fetch")]
    Timeout,
}

/// Fetches public links. Cheap to clone.
#[derive(Clone, Debug)]
pub struct MediaFetcher {
    client: Client,
    max_bytes: usize,
    deadline: Duration,
}

impl MediaFetcher {
    pub fn new(limits: &Limits, max_bytes: usize, deadline: Duration) -> Self {
        let resolver = Resolver::public_only(limits.dns_timeout);
        Self {
            client: Client::with_resolver(limits, resolver),
            max_bytes,
            deadline,
        }
    }

    pub async fn fetch(&self, url: &str) -> Result<Media, FetchError> {
        tokio::time::timeout(self.deadline, self.follow(url))
            .await
            .map_err(|_| FetchError::Timeout)?
    }

    async fn follow(&self, url: &str) -> Result<Media, FetchError> {
        let mut url = url.to_owned();
        for _ in 0..=MAX_REDIRECTS {
            check(&url)?;
            let call = Call {
                method: Method::GET,
                url: &url,
                headers: &[("accept", "*/*".to_owned())],
                body: Bytes::new(),
                credential: None,
                is_stream: false,
            };
            let answer = self.client.send(call).await.map_err(unreachable)?;
            match answer.status {
                StatusCode::OK => return self.read(answer.body).await,
                status if status.is_redirection() => {
                    let location = answer.headers.get(header::LOCATION);
                    let location = location.and_then(|value| value.to_str().ok());
                    url = join(&url, location.ok_or(FetchError::Url)?)?;
                }
                status => return Err(FetchError::Status(status.as_u16())),
            }
        }
        Err(FetchError::Redirects)
    }

    async fn read(&self, mut body: hyper::body::Incoming) -> Result<Media, FetchError> {
        let mut bytes = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| FetchError::Unreachable(error.to_string()))?;
            if let Ok(data) = frame.into_data() {
                if bytes.len().saturating_add(data.len()) > self.max_bytes {
                    return Err(FetchError::TooLarge(self.max_bytes));
                }
                bytes.extend_from_slice(&data);
            }
        }
        let mime = sniff(&bytes).ok_or(FetchError::Type)?;
        Ok(Media {
            mime,
            bytes: bytes.freeze(),
        })
    }
}

fn check(url: &str) -> Result<(), FetchError> {
    let uri: Uri = url.parse().map_err(|_| FetchError::Url)?;
    let host = uri.host().ok_or(FetchError::Url)?;
    if !matches!(uri.scheme_str(), Some("https" | "http")) {
        return Err(FetchError::Url);
    }
    // Literal addresses never pass the resolver.
    let literal = host
        .trim_start_matches('[')
        .trim_end_matches(']')
        .parse::<IpAddr>();
    match literal {
        Ok(address) if !is_public(address) => Err(FetchError::NotPublic),
        _ => Ok(()),
    }
}

fn join(base: &str, location: &str) -> Result<String, FetchError> {
    if location.starts_with("http://") || location.starts_with("https://") {
        return Ok(location.to_owned());
    }
    let base: Uri = base.parse().map_err(|_| FetchError::Url)?;
    let (scheme, authority) = base
        .scheme_str()
        .zip(base.authority())
        .ok_or(FetchError::Url)?;
    if location.starts_with('/') && !location.starts_with("//") {
        Ok(format!("{scheme}://{authority}{location}"))
    } else {
        Err(FetchError::Url)
    }
}

fn unreachable(error: SendError) -> FetchError {
    match error {
        SendError::Dns(text) | SendError::Connect(text) if text.contains("not public") => {
            FetchError::NotPublic
        }
        other => FetchError::Unreachable(other.to_string()),
    }
}

/// The type of a file by its first bytes. `None`: none that a model takes.
pub fn sniff(bytes: &[u8]) -> Option<&'static str> {
    let at = |offset: usize, magic: &[u8]| {
        bytes
            .get(offset..)
            .is_some_and(|rest| rest.starts_with(magic))
    };
    let table: [(bool, &'static str); 14] = [
        (at(0, b"\x89PNG\r\n\x1a\n"), "image/png"),
        (at(0, b"\xff\xd8\xff"), "image/jpeg"),
        (at(0, b"GIF87a") || at(0, b"GIF89a"), "image/gif"),
        (at(0, b"RIFF") && at(8, b"WEBP"), "image/webp"),
        (at(4, b"ftypheic") || at(4, b"ftypheix"), "image/heic"),
        (at(4, b"ftypmif1") || at(4, b"ftypheif"), "image/heif"),
        (at(0, b"%PDF-"), "application/pdf"),
        (at(0, b"RIFF") && at(8, b"WAVE"), "audio/wav"),
        (
            at(0, b"ID3") || at(0, b"\xff\xfb") || at(0, b"\xff\xf3"),
            "audio/mp3",
        ),
        (at(0, b"fLaC"), "audio/flac"),
        (at(0, b"OggS"), "audio/ogg"),
        (at(0, b"FORM") && at(8, b"AIFF"), "audio/aiff"),
        (at(4, b"ftyp"), "video/mp4"),
        (at(0, b"\x1a\x45\xdf\xa3"), "video/webm"),
    ];
    table
        .into_iter()
        .find(|(matched, _)| *matched)
        .map(|(_, mime)| mime)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn links_into_the_house_are_refused() {
        let fetcher = MediaFetcher::new(&Limits::default(), 1_000, Duration::from_secs(2));
        let check = async |url: &str, expected: FetchError| {
            assert_eq!(fetcher.fetch(url).await, Err(expected), "{url}");
        };
        check("http://127.0.0.1/x.png", FetchError::NotPublic).await;
        check("http://[::1]:80/x.png", FetchError::NotPublic).await;
        check(
            "http://169.254.169.254/latest/meta-data",
            FetchError::NotPublic,
        )
        .await;
        check("http://[::ffff:10.0.0.1]/", FetchError::NotPublic).await;
        check("file:///etc/passwd", FetchError::Url).await;
        check("ftp://example.org/x", FetchError::Url).await;
        check("http://localhost/x.png", FetchError::NotPublic).await;
    }

    #[test]
    fn types_are_read_off_the_bytes() {
        assert_eq!(sniff(b"\x89PNG\r\n\x1a\n...."), Some("image/png"));
        assert_eq!(sniff(b"RIFF....WEBP"), Some("image/webp"));
        assert_eq!(sniff(b"%PDF-1.7"), Some("application/pdf"));
        assert_eq!(sniff(b"<html>"), None);
        assert_eq!(sniff(b""), None);
    }
}
