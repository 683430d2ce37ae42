//! Entries as TOML that reviews well: fixed order, one line per field, nothing that is a default.

use crate::problem::Problem;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A table of fields in the order given.
#[derive(Default)]
pub(crate) struct Block {
    text: String,
}

impl Block {
    pub(crate) fn header(&mut self, header: &str) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.text.push_str(header);
        self.text.push('\n');
    }

    /// A field whose value is TOML already.
    pub(crate) fn raw(&mut self, name: &str, value: &str) {
        self.text.push_str(name);
        self.text.push_str(" = ");
        self.text.push_str(value);
        self.text.push('\n');
    }

    pub(crate) fn text(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.raw(name, &quote(value));
        }
    }

    pub(crate) fn number(&mut self, name: &str, value: Option<impl ToString>) {
        if let Some(value) = value {
            self.raw(name, &value.to_string());
        }
    }

    /// A list on one line.
    pub(crate) fn list<T: AsRef<str>>(&mut self, name: &str, values: &[T]) {
        self.raw(name, &list(values));
    }

    pub(crate) fn finish(self) -> String {
        self.text
    }
}

/// A TOML string.
pub(crate) fn quote(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// A TOML array of strings on one line.
pub(crate) fn list<T: AsRef<str>>(values: &[T]) -> String {
    let quoted: Vec<String> = values.iter().map(|value| quote(value.as_ref())).collect();
    format!("[{}]", quoted.join(", "))
}

/// An inline table of values that are TOML already.
pub(crate) fn inline(fields: &[(String, String)]) -> String {
    let fields: Vec<String> = fields
        .iter()
        .map(|(name, value)| format!("{name} = {value}"))
        .collect();
    if fields.is_empty() {
        "{}".to_owned()
    } else {
        format!("{{ {} }}", fields.join(", "))
    }
}

/// Puts `files` (name below the directory to text) in the place of `directory`, whole or not at
/// all: they are written beside it and renamed. Files that are not `*.toml` stay.
pub fn write_dir(files: &BTreeMap<String, String>, directory: &Path) -> Result<(), Problem> {
    let fresh = beside(directory, "new");
    let old = beside(directory, "old");
    let attempt = || -> io::Result<()> {
        for stale in [&fresh, &old] {
            if stale.exists() {
                fs::remove_dir_all(stale)?;
            }
        }
        if directory.exists() {
            copy_others(directory, &fresh)?;
        } else {
            fs::create_dir_all(&fresh)?;
        }
        for (name, text) in files {
            let path = fresh.join(name);
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent)?;
            }
            fs::write(&path, text)?;
            fs::File::open(&path)?.sync_all()?;
        }
        if directory.exists() {
            fs::rename(directory, &old)?;
            if let Err(error) = fs::rename(&fresh, directory) {
                fs::rename(&old, directory)?;
                return Err(error);
            }
            fs::remove_dir_all(&old)
        } else {
            fs::rename(&fresh, directory)
        }
    };
    attempt().map_err(|error| Problem::new(format!("{}: {error}", directory.display())))
}

/// `dir/.name.suffix`: on the same file system, so that a rename is one step.
fn beside(directory: &Path, suffix: &str) -> PathBuf {
    let name = directory
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    directory.with_file_name(format!(".{name}.{suffix}"))
}

fn copy_others(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let path = entry?.path();
        let Some(name) = path.file_name() else {
            continue;
        };
        if path.is_dir() {
            copy_others(&path, &to.join(name))?;
        } else if path.extension().is_none_or(|extension| extension != "toml") {
            fs::copy(&path, to.join(name))?;
        }
    }
    Ok(())
}
