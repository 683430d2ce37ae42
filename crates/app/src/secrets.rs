//! Secrets of a node: the master key, and keys for its users.

use crate::environment::Environment;
use anyhow::{Context, Result, bail};
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use interline_gateway::keys::KEY_PREFIX;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

const MASTER_KEY_BYTES: usize = 32;
const MASTER_KEY_FILE: &str = "master.key";

/// The key everything stored is protected with. Never printed.
pub(crate) struct MasterKey([u8; MASTER_KEY_BYTES]);

impl MasterKey {
    /// From the environment, else from the data directory. On an empty database a missing key is
    /// made; beside data it is a reason not to start: the data could not be read with another.
    pub(crate) fn load(environment: &Environment, data_dir: &Path, is_new: bool) -> Result<Self> {
        if let Some(text) = environment.get_or_file("INTERLINE_MASTER_KEY")? {
            return Self::parse(&text).context("INTERLINE_MASTER_KEY");
        }
        let path = data_dir.join(MASTER_KEY_FILE);
        match std::fs::read_to_string(&path) {
            Ok(text) => Self::parse(&text).with_context(|| path.display().to_string()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && is_new => {
                let key = Self(random()?);
                write_private(&path, &STANDARD.encode(key.0))?;
                Ok(key)
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => bail!(
                "the master key is missing: neither INTERLINE_MASTER_KEY nor {} is there, and the \
                 database is not empty. Restore the file or set the variable; a new key could not \
                 read what is stored",
                path.display()
            ),
            Err(error) => Err(error).with_context(|| path.display().to_string()),
        }
    }

    fn parse(text: &str) -> Result<Self> {
        let bytes = STANDARD
            .decode(text.trim())
            .context("the master key is not base64")?;
        let bytes = bytes
            .try_into()
            .ok()
            .context("the master key is not 32 bytes of base64")?;
        Ok(Self(bytes))
    }

    /// A key for one purpose, so that no two uses share one.
    pub(crate) fn derive(&self, purpose: &str) -> [u8; 32] {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.0);
        let tag = hmac::sign(&key, purpose.as_bytes());
        let mut derived = [0; 32];
        derived.copy_from_slice(tag.as_ref());
        derived
    }
}

/// Random bytes of the system.
pub(crate) fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).context("the system has no random numbers")?;
    Ok(bytes)
}

pub(crate) fn random_number() -> Result<u128> {
    Ok(u128::from_le_bytes(random()?))
}

/// A new API key: 256 random bits in hexadecimal behind our prefix.
pub(crate) fn new_api_key() -> Result<String> {
    use std::fmt::Write as _;
    let mut key = KEY_PREFIX.to_owned();
    for byte in random::<32>()? {
        let _ = write!(key, "{byte:02x}");
    }
    Ok(key)
}

/// The key as lists show it: `sk-il-v1-4c1…9d2`.
pub(crate) fn label(key: &str) -> String {
    let start: String = key.chars().take(KEY_PREFIX.len() + 3).collect();
    let end: Vec<char> = key.chars().rev().take(3).collect();
    let end: String = end.into_iter().rev().collect();
    format!("{start}...{end}")
}

/// Writes a file that only its owner can read.
fn write_private(path: &Path, text: &str) -> Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    let mut file = options
        .open(path)
        .with_context(|| path.display().to_string())?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .context("master key")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_master_key_is_no_reason_to_make_another() {
        let directory = std::env::temp_dir().join(format!("il-master-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let environment = Environment::default();
        assert!(MasterKey::load(&environment, &directory, false).is_err());
        let made = MasterKey::load(&environment, &directory, true).unwrap();
        let read = MasterKey::load(&environment, &directory, false).unwrap();
        assert_eq!(made.derive("x"), read.derive("x"));
        assert_ne!(made.derive("x"), made.derive("y"));
        std::fs::remove_dir_all(&directory).unwrap();
    }

    #[test]
    fn keys_are_long_and_labels_short() {
        let key = new_api_key().unwrap();
        assert_eq!(key.len(), KEY_PREFIX.len() + 64);
        let label = label(&key);
        assert!(label.len() < 24 && key.starts_with(label.split("...").next().unwrap()));
    }
}
