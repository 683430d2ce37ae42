//! Sending a request to a provider and telling apart what can go wrong before its answer.

use crate::credential::Credential;
use crate::resolver::Resolver;
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderName, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use std::time::Duration;

/// Deadlines and bounds of connections.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub dns_timeout: Duration,
    /// TCP and TLS together.
    pub connect_timeout: Duration,
    pub idle_timeout: Duration,
    /// Kept connections per host. Bursts of thousands must not pay a handshake each.
    pub max_idle_per_host: usize,
    /// Bytes of an answer's head, and of the read buffer.
    pub max_head_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            dns_timeout: Duration::from_secs(1),
            connect_timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_secs(90),
            max_idle_per_host: 10_000,
            max_head_bytes: 64 * 1024,
        }
    }
}

/// One request to a provider.
#[derive(Debug)]
pub struct Call<'a> {
    pub method: Method,
    pub url: &'a str,
    /// Lower-case names; `content-type` and `accept` are set from `is_stream`.
    pub headers: &'a [(&'static str, String)],
    pub body: Bytes,
    pub credential: Option<&'a Credential>,
    pub is_stream: bool,
}

/// The head of a provider's answer and its body, not read yet.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Incoming,
}

/// What can go wrong before an answer begins.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    #[error("the address `{0}` is not a URL this provider may be called at")]
    Url(String),
    #[error("the credential does not belong to this host")]
    ForeignHost,
    #[error("connection failed: {0}")]
    Connect(String),
    #[error("TLS failed: {0}")]
    Tls(String),
    #[error("the name could not be resolved: {0}")]
    Dns(String),
    #[error("connection lost before an answer: {0}")]
    Lost(String),
    #[error("the answer's head is malformed: {0}")]
    Malformed(String),
}

type Connector = HttpsConnector<HttpConnector<Resolver>>;

/// A pooled HTTP/1.1 client. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Client {
    pool: Pool<Connector, Full<Bytes>>,
}

const USER_AGENT_VALUE: &str = concat!("interline/", env!("CARGO_PKG_VERSION"));

impl Client {
    pub fn new(limits: &Limits) -> Self {
        Self::with_resolver(limits, Resolver::new(limits.dns_timeout))
    }

    pub(crate) fn with_resolver(limits: &Limits, resolver: Resolver) -> Self {
        let mut http = HttpConnector::new_with_resolver(resolver);
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_connect_timeout(Some(limits.connect_timeout));
        http.set_keepalive(Some(Duration::from_mins(1)));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls_config())
            .https_or_http()
            .enable_http1()
            .wrap_connector(http);
        let pool = Pool::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .timer(TokioTimer::new())
            .pool_idle_timeout(limits.idle_timeout)
            .pool_max_idle_per_host(limits.max_idle_per_host)
            .http1_max_buf_size(limits.max_head_bytes.max(8 * 1024))
            .http1_max_headers(100)
            .build(connector);
        Self { pool }
    }

    /// Sends a request and waits for the head of the answer. No deadline but the connection's:
    /// the caller drops the future to give up, which closes the connection.
    pub async fn send(&self, call: Call<'_>) -> Result<Answer, SendError> {
        let uri: Uri = call
            .url
            .parse()
            .map_err(|_| SendError::Url(call.url.to_owned()))?;
        if uri.authority().is_none() {
            return Err(SendError::Url(call.url.to_owned()));
        }
        let mut request = Request::new(Full::new(call.body));
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let accept = if call.is_stream {
            "text/event-stream"
        } else {
            "application/json"
        };
        headers.insert(ACCEPT, HeaderValue::from_static(accept));
        headers.insert(USER_AGENT, HeaderValue::from_static(USER_AGENT_VALUE));
        for (name, value) in call.headers {
            let value = HeaderValue::from_str(value)
                .map_err(|_| SendError::Url(format!("header {name}")))?;
            headers.insert(HeaderName::from_static(name), value);
        }
        if let Some(credential) = call.credential
            && !credential.attach(&uri, headers)
        {
            return Err(SendError::ForeignHost);
        }
        *request.method_mut() = call.method;
        *request.uri_mut() = uri;
        let response = self
            .pool
            .request(request)
            .await
            .map_err(|error| classify(&error))?;
        let (head, body) = response.into_parts();
        Ok(Answer {
            status: head.status,
            headers: head.headers,
            body,
        })
    }
}

fn tls_config() -> rustls::ClientConfig {
    let mut roots = rustls::RootCertStore::empty();
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("aws-lc-rs supports TLS 1.2 and 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth()
}

/// The pool's error names only itself; what happened is in the chain below it.
fn classify(error: &hyper_util::client::legacy::Error) -> SendError {
    let mut chain = Vec::new();
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
    let mut is_tls = false;
    let mut is_dns = false;
    let mut is_parse = false;
    while let Some(inner) = source {
        let text = inner.to_string();
        is_tls |= inner.downcast_ref::<rustls::Error>().is_some();
        is_dns |= text.contains("dns error") || text.contains("name lookup");
        is_parse |= inner
            .downcast_ref::<hyper::Error>()
            .is_some_and(hyper::Error::is_parse);
        // An io::Error answers `source` with its payload's source and skips the payload itself.
        source = match inner
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::get_ref)
        {
            Some(payload) => Some(payload),
            None => inner.source(),
        };
        chain.push(text);
    }
    let text = chain.pop().unwrap_or_default();
    if is_tls {
        SendError::Tls(text)
    } else if is_dns {
        SendError::Dns(text)
    } else if error.is_connect() {
        SendError::Connect(text)
    } else if is_parse {
        SendError::Malformed(text)
    } else {
        SendError::Lost(text)
    }
}

#[cfg(test)]
mod tests;
