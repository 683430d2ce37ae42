//! What the operator configured, as one immutable value: swapped whole, never edited.

use interline_domain::catalogue::Catalogue;
use interline_outbound::Credential;
use interline_providers::Names;
use std::collections::HashMap;
use std::sync::Arc;

/// The catalogue and the keys that open it.
#[derive(Debug, Default)]
pub struct Snapshot {
    pub catalogue: Catalogue,
    /// Aliases and short names.
    pub names: Names,
    /// Per endpoint index; `None` where the endpoint is not routable.
    credentials: Vec<Option<Arc<Credential>>>,
}

impl Snapshot {
    /// Joins a catalogue with the providers' credentials. `bind` gives the credential of a
    /// provider for one of its base URLs; endpoints of a provider share it per URL.
    pub fn new(
        catalogue: Catalogue,
        names: Names,
        bind: impl Fn(&interline_domain::catalogue::Provider, &str) -> Option<Credential>,
    ) -> Self {
        let mut shared: HashMap<(usize, &str), Option<Arc<Credential>>> = HashMap::new();
        let credentials = catalogue
            .endpoints()
            .iter()
            .map(|endpoint| {
                shared
                    .entry((endpoint.provider, endpoint.base_url.as_str()))
                    .or_insert_with(|| {
                        let provider = catalogue.providers().get(endpoint.provider)?;
                        bind(provider, &endpoint.base_url).map(Arc::new)
                    })
                    .clone()
            })
            .collect();
        Self {
            catalogue,
            names,
            credentials,
        }
    }

    pub fn credential(&self, endpoint: usize) -> Option<&Credential> {
        self.credentials.get(endpoint)?.as_deref()
    }
}
