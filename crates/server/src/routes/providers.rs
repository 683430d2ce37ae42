//! `GET /providers`.

use super::Site;
use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;
use interline_domain::catalogue::{Catalogue, Provider};
use serde_derive::Serialize;

#[derive(Serialize)]
struct Providers<'a> {
    data: Vec<PublicProvider<'a>>,
}

#[derive(Serialize)]
struct PublicProvider<'a> {
    name: &'a str,
    slug: &'a str,
    privacy_policy_url: Option<&'a str>,
    terms_of_service_url: Option<&'a str>,
    status_page_url: Option<&'a str>,
    headquarters: Option<&'a str>,
    /// `null`: nobody says.
    datacenters: Option<Vec<&'a str>>,
}

/// List the providers.
pub(crate) async fn list(State(site): State<Site>, headers: HeaderMap) -> Response {
    site.view().providers.answer(&headers)
}

pub(crate) fn render(catalogue: &Catalogue) -> Vec<u8> {
    let data = catalogue
        .providers()
        .iter()
        .map(PublicProvider::new)
        .collect();
    serde_json::to_vec(&Providers { data }).unwrap_or_default()
}

impl<'a> PublicProvider<'a> {
    fn new(provider: &'a Provider) -> Self {
        let datacenters: Vec<&str> = provider
            .datacenters
            .iter()
            .filter_map(|code| country(code))
            .collect();
        Self {
            name: &provider.name,
            slug: &provider.slug,
            privacy_policy_url: provider.privacy_policy_url.as_deref(),
            terms_of_service_url: provider.terms_of_service_url.as_deref(),
            status_page_url: provider.status_page_url.as_deref(),
            headquarters: provider.headquarters.as_deref().and_then(country),
            datacenters: (!datacenters.is_empty()).then_some(datacenters),
        }
    }
}

/// An ISO 3166-1 alpha-2 code; clients check for nothing else.
fn country(code: &str) -> Option<&str> {
    (code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_uppercase())).then_some(code)
}
