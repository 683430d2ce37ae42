//! Which providers have a key here, and where it came from.

use crate::environment::Environment;
use anyhow::{Context, Result};
use interline_domain::catalogue::{Auth, Provider};
use interline_outbound::Credential;
use interline_providers::Overlay;
use secrecy::SecretString;
use std::collections::HashMap;

/// Provider keys by slug. Keys of the environment are used and never stored.
#[derive(Debug, Default)]
pub(crate) struct Credentials {
    configured: HashMap<String, Found>,
    environment: Environment,
}

/// A key and its origin, in words for the banner.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) secret: SecretString,
    pub(crate) origin: String,
}

impl Credentials {
    /// Reads the keys that the configuration names. A variable or file that is named and missing
    /// is a mistake.
    pub(crate) fn read(overlay: &Overlay, environment: &Environment) -> Result<Self> {
        let mut configured = HashMap::new();
        for provider in &overlay.providers {
            let slug = &provider.slug;
            let found = if let Some(key) = &provider.api_key {
                Some((key.clone(), "the configuration".to_owned()))
            } else if let Some(variable) = &provider.api_key_env {
                let value = environment.get(variable).with_context(|| {
                    format!("provider `{slug}`: api_key_env names {variable}, which is not set")
                })?;
                Some((value.to_owned(), variable.clone()))
            } else if let Some(path) = &provider.api_key_file {
                let text = std::fs::read_to_string(path)
                    .with_context(|| format!("provider `{slug}`: api_key_file {path}"))?;
                Some((text.trim().to_owned(), path.clone()))
            } else {
                None
            };
            if let Some((key, origin)) = found {
                configured.insert(
                    slug.clone(),
                    Found {
                        secret: key.into(),
                        origin,
                    },
                );
            }
        }
        Ok(Self {
            configured,
            environment: environment.clone(),
        })
    }

    /// The key of a provider: the configuration's, else the first variable that is set.
    pub(crate) fn find(&self, provider: &Provider) -> Option<Found> {
        if let Some(found) = self.configured.get(&provider.slug) {
            return Some(found.clone());
        }
        provider.key_variables.iter().find_map(|variable| {
            let value = self.environment.get(variable)?;
            Some(Found {
                secret: value.into(),
                origin: variable.clone(),
            })
        })
    }

    /// Whether requests can be sent to a provider at all.
    pub(crate) fn has(&self, provider: &Provider) -> bool {
        provider.auth == Auth::None || self.find(provider).is_some()
    }

    /// The credential for one base URL of a provider, bound to that URL's host.
    pub(crate) fn bind(&self, provider: &Provider, base_url: &str) -> Option<Credential> {
        let secret = self.find(provider).map(|found| found.secret);
        if secret.is_none() && provider.auth != Auth::None {
            return None;
        }
        Credential::bind(provider.auth, secret, base_url)
    }
}
