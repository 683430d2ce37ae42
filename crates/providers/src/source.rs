//! Where a catalogue comes from: the files built in, a directory, and the operator's differences.

use crate::entry::{CatalogueFile, EndpointEntry, ModelEntry, ProviderEntry};
use crate::problem::{Place, Problem, Step, decode, locate};
use crate::quirks::QuirkRule;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Every `*.toml` of `data/`: its name there and its text.
pub(crate) const BUILTIN: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/builtin.rs"));

/// A file larger than this is not a catalogue file.
const MAX_FILE_BYTES: u64 = 16 << 20;

/// Read files, not yet joined: the input of [`crate::build`].
#[derive(Clone, Debug, Default)]
pub struct Source {
    pub(crate) files: Vec<SourceFile>,
    pub(crate) providers: Vec<Placed<ProviderEntry>>,
    pub(crate) models: Vec<Placed<ModelEntry>>,
    pub(crate) endpoints: Vec<Placed<EndpointEntry>>,
    pub(crate) quirk_rules: Vec<QuirkRule>,
    pub(crate) aliases: BTreeMap<String, Placed<String>>,
}

#[derive(Clone, Debug)]
pub(crate) struct SourceFile {
    pub(crate) name: String,
    pub(crate) text: Cow<'static, str>,
}

/// An entry and where it stands, so that later mistakes can be shown in place.
#[derive(Clone, Debug)]
pub(crate) struct Placed<T> {
    pub(crate) entry: T,
    pub(crate) at: At,
}

/// A file of a [`Source`] and an index into one of its lists.
#[derive(Clone, Copy, Debug)]
pub(crate) struct At {
    pub(crate) file: usize,
    pub(crate) index: usize,
}

/// The operator's differences, from the lists of the same names in `interline.toml`. They win.
#[derive(Clone, Debug, Default)]
pub struct Overlay {
    pub providers: Vec<ProviderEntry>,
    pub models: Vec<ModelEntry>,
    pub endpoints: Vec<EndpointEntry>,
    /// Name and text of the file, for pointing at mistakes; may stay empty.
    pub file: String,
    pub text: String,
}

/// The catalogue that comes with the program.
///
/// # Errors
/// None in a released build: a test reads every file.
pub fn builtin() -> Result<Source, Vec<Problem>> {
    Source::from_files(
        BUILTIN
            .iter()
            .map(|(name, text)| ((*name).to_owned(), Cow::Borrowed(*text))),
    )
}

/// Reads every `*.toml` under `directory`, in the layout of the built-in catalogue.
pub fn load_dir(directory: &Path) -> Result<Source, Vec<Problem>> {
    let mut paths = Vec::new();
    let mut problems = Vec::new();
    collect(directory, &mut paths, &mut problems);
    paths.sort();
    let mut files = Vec::with_capacity(paths.len());
    for path in paths {
        let name = path
            .strip_prefix(directory)
            .unwrap_or(&path)
            .to_string_lossy()
            .replace('\\', "/");
        match read(&path) {
            Ok(text) => files.push((name, Cow::Owned(text))),
            Err(error) => problems.push(Problem::new(format!("{}: {error}", path.display()))),
        }
    }
    if files.is_empty() && problems.is_empty() {
        problems.push(
            Problem::new(format!("{}: no `*.toml` files", directory.display()))
                .help("the layout is explained in docs/guide/providers.md"),
        );
    }
    match Source::from_files(files) {
        Ok(source) if problems.is_empty() => Ok(source),
        Ok(_) => Err(problems),
        Err(more) => Err(problems.into_iter().chain(more).collect()),
    }
}

fn read(path: &Path) -> Result<String, std::io::Error> {
    if fs::metadata(path)?.len() > MAX_FILE_BYTES {
        return Err(std::io::Error::other("larger than 16 MiB"));
    }
    fs::read_to_string(path)
}

fn collect(directory: &Path, paths: &mut Vec<std::path::PathBuf>, problems: &mut Vec<Problem>) {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) => {
            problems.push(Problem::new(format!("{}: {error}", directory.display())));
            return;
        }
    };
    for entry in entries.flatten() {
        let path = entry.path();
        let is_hidden = entry.file_name().to_string_lossy().starts_with('.');
        if is_hidden {
        } else if path.is_dir() {
            collect(&path, paths, problems);
        } else if path
            .extension()
            .is_some_and(|extension| extension == "toml")
        {
            paths.push(path);
        }
    }
}

impl Source {
    /// Reads files given as name and text. All mistakes of all files are reported.
    pub fn from_files(
        files: impl IntoIterator<Item = (String, Cow<'static, str>)>,
    ) -> Result<Self, Vec<Problem>> {
        let mut source = Self::default();
        let mut problems = Vec::new();
        for (name, text) in files {
            match decode::<CatalogueFile>(&name, &text) {
                Ok(file) => source.add(file, name, text),
                Err(more) => problems.extend(more),
            }
        }
        if problems.is_empty() {
            Ok(source)
        } else {
            Err(problems)
        }
    }

    fn add(&mut self, file: CatalogueFile, name: String, text: Cow<'static, str>) {
        let at = |index| At {
            file: self.files.len(),
            index,
        };
        if let Some(entry) = file.provider {
            self.providers.push(Placed { entry, at: at(0) });
        }
        for (index, entry) in file.models.into_iter().enumerate() {
            let at = at(index);
            self.models.push(Placed { entry, at });
        }
        for (index, mut entry) in file.endpoints.into_iter().enumerate() {
            if let (true, Some(provider)) = (entry.provider.is_empty(), &file.for_provider) {
                entry.provider.clone_from(provider);
            }
            let at = at(index);
            self.endpoints.push(Placed { entry, at });
        }
        for (alias, target) in file.aliases {
            let entry = Placed {
                entry: target,
                at: at(0),
            };
            self.aliases.insert(alias, entry);
        }
        self.quirk_rules.extend(file.quirk_rules);
        self.files.push(SourceFile { name, text });
    }

    /// Fills placeholders of provider addresses (`{account_id}`) whose variables are all set.
    ///
    /// `lookup` answers the value of an environment variable.
    pub fn fill_addresses(&mut self, lookup: &dyn Fn(&str) -> Option<String>) {
        for Placed { entry, .. } in &mut self.providers {
            for (placeholder, variable) in entry.address_env.iter().flatten() {
                let Some(value) = lookup(variable) else {
                    continue;
                };
                // Some variables hold a whole address: `https://host/`.
                let value = value.trim();
                let value = value.strip_prefix("https://").unwrap_or(value);
                let value = value.trim_end_matches('/');
                if value.is_empty() {
                    continue;
                }
                let hole = format!("{{{placeholder}}}");
                let protocols = entry.protocols.iter_mut().flatten();
                for url in entry
                    .base_url
                    .iter_mut()
                    .chain(protocols.map(|protocol| &mut protocol.base_url))
                {
                    *url = url.replace(&hole, value);
                }
            }
        }
    }

    /// Where a field of an entry stands. `list` is the entry's list in the file.
    pub(crate) fn place(&self, list: &str, at: At, field: &[&str]) -> Option<Place> {
        let file = self.files.get(at.file)?;
        let mut way = vec![Step::Key(list)];
        if list == "models" || list == "endpoints" {
            way.push(Step::Index(at.index));
        }
        way.extend(field.iter().copied().map(Step::Key));
        locate(&file.name, &file.text, &way)
    }
}

impl Overlay {
    pub(crate) fn place(&self, list: &str, index: usize, field: &[&str]) -> Option<Place> {
        let mut way = vec![Step::Key(list), Step::Index(index)];
        way.extend(field.iter().copied().map(Step::Key));
        locate(&self.file, &self.text, &way)
    }
}
