//! The process environment, read once. Nothing else in the workspace looks at it.

use anyhow::{Context, Result};
use std::collections::BTreeMap;

/// All variables at start. Values that are not UTF-8 are left out: no setting of ours has them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Environment(BTreeMap<String, String>);

impl Environment {
    pub(crate) fn read() -> Self {
        let text = |value: std::ffi::OsString| value.into_string().ok();
        Self(
            std::env::vars_os()
                .filter_map(|(k, v)| Some((text(k)?, text(v)?)))
                .collect(),
        )
    }

    pub(crate) fn variables(&self) -> &BTreeMap<String, String> {
        &self.0
    }

    /// A variable that is set and not empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// A variable, or the contents of the file that its `_FILE` twin names.
    pub(crate) fn get_or_file(&self, name: &str) -> Result<Option<String>> {
        if let Some(value) = self.get(name) {
            return Ok(Some(value.to_owned()));
        }
        let Some(path) = self.get(&format!("{name}_FILE")) else {
            return Ok(None);
        };
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("{name}_FILE: {path} cannot be read"))?;
        Ok(Some(text.trim_end_matches(['\n', '\r']).to_owned()))
    }
}
