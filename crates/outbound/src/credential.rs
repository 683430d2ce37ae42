//! A provider key and the only host it may be shown to.

use http::header::{AUTHORIZATION, HeaderName};
use http::{HeaderMap, HeaderValue, Uri};
use interline_domain::catalogue::Auth;
use secrecy::{ExposeSecret, SecretString};

/// A key bound to the authority (host and port) it was configured for. Prints as redacted.
#[derive(Clone, Debug)]
pub struct Credential {
    auth: Auth,
    secret: Option<SecretString>,
    authority: String,
}

impl Credential {
    /// Binds a key to the authority of `base_url`. `None`: the URL has none.
    pub fn bind(auth: Auth, secret: Option<SecretString>, base_url: &str) -> Option<Self> {
        let authority = base_url
            .parse::<Uri>()
            .ok()?
            .authority()?
            .as_str()
            .to_owned();
        Some(Self {
            auth,
            secret,
            authority,
        })
    }

    /// The authority this credential may be sent to.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The key in clear, for redacting it from what a provider echoes.
    pub fn expose(&self) -> Option<&str> {
        self.secret.as_ref().map(ExposeSecret::expose_secret)
    }

    /// Adds the header that carries the key. `false`: another host, or a key that is no header
    /// value; nothing was added and the request must not be sent.
    pub(crate) fn attach(&self, uri: &Uri, headers: &mut HeaderMap) -> bool {
        if uri
            .authority()
            .is_none_or(|authority| authority.as_str() != self.authority)
        {
            return false;
        }
        let Some(secret) = &self.secret else {
            return matches!(self.auth, Auth::None);
        };
        let (name, text) = match self.auth {
            Auth::Bearer => (AUTHORIZATION, format!("Bearer {}", secret.expose_secret())),
            Auth::Header(name) => (
                HeaderName::from_static(name),
                secret.expose_secret().to_owned(),
            ),
            // A key for a provider that wants none is simply not sent.
            Auth::None => return true,
            Auth::Unsupported(_) => return false,
        };
        let Ok(mut value) = HeaderValue::from_str(&text) else {
            return false;
        };
        value.set_sensitive(true);
        headers.insert(name, value);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_goes_to_its_own_host_only() {
        let check = |url: &str, expected: bool| {
            let secret = Some(SecretString::from("sk-secret"));
            let base = "https://api.acme.example/v1";
            let credential = Credential::bind(Auth::Bearer, secret, base).unwrap();
            let mut headers = HeaderMap::new();
            assert_eq!(
                credential.attach(&url.parse().unwrap(), &mut headers),
                expected,
                "{url}"
            );
            assert_eq!(headers.contains_key(AUTHORIZATION), expected, "{url}");
        };
        check("https://api.acme.example/v1/chat/completions", true);
        check("https://api.acme.example:8443/v1/chat/completions", false);
        check("https://api.acme.example.evil.example/v1", false);
        check("https://evil.example/v1", false);
        check("/v1/chat/completions", false);
    }

    #[test]
    fn it_prints_as_redacted() {
        let secret = Some(SecretString::from("sk-secret"));
        let credential = Credential::bind(Auth::Bearer, secret, "http://a.example").unwrap();
        assert!(!format!("{credential:?}").contains("sk-secret"));
    }
}
