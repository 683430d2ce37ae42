//! Every setting with its meaning and default, from the very text that defines them.

use crate::config::Config;
use anyhow::{Context, Result};
use std::fmt::Write as _;
use toml::{Table, Value};

/// The definitions. Their doc comments are the manual, so that the two cannot differ.
const SOURCE: &str = include_str!("../config.rs");

/// A setting of `interline.toml`.
#[derive(Debug, PartialEq)]
pub(crate) struct Setting {
    pub(crate) section: String,
    pub(crate) name: String,
    /// Sentences, on one line.
    pub(crate) meaning: String,
    /// `None`: not set unless somebody does.
    pub(crate) default: Option<Value>,
}

impl Setting {
    pub(crate) fn key(&self) -> String {
        format!("{}.{}", self.section, self.name)
    }
}

/// All settings, in the order they are defined. Lists of providers, models and endpoints are not
/// settings but data: `docs/guide/providers.md` describes them.
pub(crate) fn settings() -> Result<Vec<Setting>> {
    let defaults = defaults()?;
    let mut settings = Vec::new();
    for (name, section) in sections() {
        let body = SOURCE
            .split(&format!("struct {section} {{"))
            .nth(1)
            .unwrap_or_default();
        let body = body.split("\n}").next().unwrap_or_default();
        for (field, _, meaning) in fields(body) {
            let default = defaults
                .get(&name)
                .and_then(|section| section.get(&field))
                .cloned();
            settings.push(Setting {
                section: name.clone(),
                name: field,
                meaning,
                default,
            });
        }
    }
    Ok(settings)
}

/// The defaults as TOML has them.
pub(crate) fn defaults() -> Result<Table> {
    match Value::try_from(Config::default()).context("the defaults as TOML")? {
        Value::Table(table) => Ok(table),
        _ => Ok(Table::new()),
    }
}

/// `(server, Server)` and so on: the fields of the whole that are no lists.
fn sections() -> impl Iterator<Item = (String, String)> {
    let body = SOURCE.split("struct Config {").nth(1).unwrap_or_default();
    let body = body.split("\n}").next().unwrap_or_default();
    fields(body)
        .into_iter()
        .filter(|(_, kind, _)| !kind.contains('<'))
        .map(|(name, kind, _)| (name, kind))
}

/// Name, type and doc comment of each field of a struct's body.
fn fields(body: &str) -> Vec<(String, String, String)> {
    let mut fields = Vec::new();
    let mut meaning = String::new();
    for line in body.lines().map(str::trim) {
        if let Some(comment) = line.strip_prefix("///") {
            if !meaning.is_empty() {
                meaning.push(' ');
            }
            meaning.push_str(comment.trim());
        } else if let Some((name, kind)) = field(line) {
            fields.push((
                name.to_owned(),
                kind.to_owned(),
                std::mem::take(&mut meaning),
            ));
        }
    }
    fields
}

fn field(line: &str) -> Option<(&str, &str)> {
    let line = line
        .strip_prefix("pub(crate) ")
        .or_else(|| line.strip_prefix("pub "))?;
    line.strip_suffix(',')?.split_once(": ")
}

/// The schema as a configuration file in which everything is left at its default.
pub(crate) fn as_file(settings: &[Setting]) -> String {
    let mut text = "# interline.toml: every key is optional, and these are the defaults.\n\
                    # Each can be set as INTERLINE__SECTION__KEY as well, which wins.\n"
        .to_owned();
    let mut section = "";
    for setting in settings {
        if setting.section != section {
            section = &setting.section;
            let _ = writeln!(text, "\n[{section}]");
        }
        let _ = writeln!(text, "# {}", setting.meaning);
        let _ = match &setting.default {
            Some(value) => writeln!(text, "# {} = {value}", setting.name),
            None => writeln!(text, "# {} =", setting.name),
        };
    }
    text.push_str(
        "\n# Providers the catalogue knows need their key only, most simply in the environment\n\
         # (OPENAI_API_KEY and so on). Others are written down:\n\
         #\n\
         # [[providers]]\n\
         # slug = \"local\"\n\
         # name = \"Local\"\n\
         # dialect = \"openai-chat\"\n\
         # base_url = \"http://127.0.0.1:8000/v1\"\n\
         # auth = \"none\"\n\
         #\n\
         # [[models]]\n\
         # id = \"local/large\"\n\
         #\n\
         # [[endpoints]]\n\
         # model = \"local/large\"\n\
         # provider = \"local\"\n\
         # upstream_model = \"large\"\n\
         # pricing = { prompt = \"0\", completion = \"0\" }   # dollars per token\n",
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn every_default_is_described() {
        let settings = settings().unwrap();
        for (section, table) in defaults().unwrap() {
            for name in table.as_table().unwrap().keys() {
                let key = format!("{section}.{name}");
                let setting = settings.iter().find(|setting| setting.key() == key);
                assert!(
                    setting.is_some_and(|setting| setting.default.is_some()),
                    "{key}"
                );
            }
        }
        assert!(
            settings
                .iter()
                .any(|setting| setting.key() == "database.url")
        );
    }

    #[test]
    fn the_file_it_makes_is_read_back() {
        let text = as_file(&settings().unwrap());
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("interline.toml");
        // Once more with every setting that has a default in force.
        let (settings, _) = text.split_once("\n# Providers").unwrap();
        let uncomment = |line: &str| match line.strip_prefix("# ") {
            Some(rest)
                if rest
                    .split_once(" = ")
                    .is_some_and(|(name, _)| !name.contains(' ')) =>
            {
                format!("{rest}\n")
            }
            _ => format!("{line}\n"),
        };
        let in_force: String = settings.lines().map(uncomment).collect();
        assert!(in_force.contains("\nlisten = "), "{in_force}");
        for text in [text, in_force] {
            std::fs::write(&path, text).unwrap();
            crate::config::load(Some(&path), &BTreeMap::new()).unwrap();
        }
    }
}
