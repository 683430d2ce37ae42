//! `interline config`: the settings in force, all there are, and whether they are right.

use super::exit::Code;
use super::listing::Offer;
use super::schema::{self, Setting};
use super::session::Session;
use super::style::{Mark, count};
use crate::cli::ConfigVerb;
use crate::config::Loaded;
use anyhow::{Context, Result};
use serde_json::json;
use std::fmt::Write as _;
use toml::{Table, Value};

pub(crate) async fn run(session: &Session, verb: ConfigVerb) -> Result<Code> {
    match verb {
        ConfigVerb::Show { origin } => show(session, origin),
        ConfigVerb::Check => check(session).await,
        ConfigVerb::Schema => print_schema(session),
    }
}

fn show(session: &Session, with_origin: bool) -> Result<Code> {
    let loaded = session.load()?;
    let table = in_force(&loaded)?;
    let settings = schema::settings()?;
    let value = |setting: &Setting| table.get(&setting.section)?.get(&setting.name).cloned();
    let origin = |setting: &Setting| {
        loaded
            .origins
            .get(&setting.key())
            .map_or("default", String::as_str)
            .to_owned()
    };
    let config = &loaded.config;
    let json = || {
        let settings: serde_json::Map<String, serde_json::Value> = settings
            .iter()
            .map(|setting| {
                let value = json!({ "value": value(setting), "origin": origin(setting) });
                (setting.key(), value)
            })
            .collect();
        json!({
            "file": loaded.file,
            "data_dir": session.data_dir,
            "settings": settings,
            "providers": config.providers.iter().map(|one| &one.slug).collect::<Vec<_>>(),
            "models": config.models.iter().map(|one| &one.id).collect::<Vec<_>>(),
            "endpoints": config.endpoints.len(),
            "warnings": loaded.warnings,
        })
    };
    let text = || {
        let mut text = match &loaded.file {
            Some(file) => format!("# file: {}\n", file.display()),
            None => "# no file\n".to_owned(),
        };
        let mut section = "";
        for setting in &settings {
            let Some(value) = value(setting) else {
                continue;
            };
            if setting.section != section {
                section = &setting.section;
                let _ = writeln!(text, "\n[{section}]");
            }
            let line = format!("{} = {value}", setting.name);
            let _ = if with_origin {
                writeln!(text, "{line:<44} # {}", origin(setting))
            } else {
                writeln!(text, "{line}")
            };
        }
        let _ = writeln!(
            text,
            "\n# and {}, {}, {} of the file",
            count(config.providers.len(), "provider"),
            count(config.models.len(), "model"),
            count(config.endpoints.len(), "endpoint")
        );
        text
    };
    session.result(json, text)?;
    warn(session, &loaded.warnings);
    Ok(Code::Done)
}

/// The settings as a table, without secrets.
fn in_force(loaded: &Loaded) -> Result<Table> {
    let value = Value::try_from(&loaded.config).context("the settings as TOML")?;
    let Value::Table(mut table) = value else {
        return Ok(Table::new());
    };
    for section in ["database", "ephemeral", "analytics"] {
        if let Some(Value::String(url)) = table.get_mut(section).and_then(|it| it.get_mut("url")) {
            *url = redacted(url);
        }
    }
    Ok(table)
}

/// An address without its password.
fn redacted(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    // A password may itself hold `@`; the last one ends it. Options may hold one, too.
    let (rest, has_options) = rest
        .split_once('?')
        .map_or((rest, false), |(rest, _)| (rest, true));
    let options = if has_options { "?…" } else { "" };
    let Some((user, host)) = rest.rsplit_once('@') else {
        return format!("{scheme}://{rest}{options}");
    };
    let user = match user.split_once(':') {
        Some((name, _)) => format!("{name}:[redacted]"),
        None => user.to_owned(),
    };
    format!("{scheme}://{user}@{host}{options}")
}

async fn check(session: &Session) -> Result<Code> {
    let loaded = session.load()?;
    let mut warnings = loaded.warnings;
    let file = loaded.file;
    let offer = Offer::find(session, loaded.config).await?;
    warnings.extend(offer.warnings.iter().cloned());
    let catalogue = offer.catalogue();
    let (providers, models) = (catalogue.providers().len(), catalogue.models().len());
    let json = || {
        json!({
            "ok": true,
            "file": file,
            "providers": providers,
            "models": models,
            "endpoints": catalogue.endpoints().len(),
            "warnings": warnings,
        })
    };
    let text = || {
        let file = file
            .as_ref()
            .map_or("no file".to_owned(), |file| file.display().to_string());
        let mark = session.style.mark(Mark::Good);
        format!(
            "{mark} {file}: {}, {}\n",
            count(providers, "provider"),
            count(models, "model")
        )
    };
    session.result(json, text)?;
    warn(session, &warnings);
    Ok(Code::Done)
}

fn warn(session: &Session, warnings: &[String]) {
    for warning in warnings {
        session.note(&format!("warning: {warning}"));
    }
}

fn print_schema(session: &Session) -> Result<Code> {
    let settings = schema::settings()?;
    let json = || {
        let all = settings.iter().map(|setting| {
            json!({
                "key": setting.key(),
                "variable": format!(
                    "INTERLINE__{}__{}",
                    setting.section.to_ascii_uppercase(),
                    setting.name.to_ascii_uppercase()
                ),
                "default": setting.default,
                "meaning": setting.meaning,
            })
        });
        json!({ "data": all.collect::<Vec<_>>() })
    };
    session.result(json, || schema::as_file(&settings))?;
    Ok(Code::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_not_shown() {
        let check = |url: &str, expected: &str| assert_eq!(redacted(url), expected);
        check("sqlite://data/interline.db", "sqlite://data/interline.db");
        check(
            "postgres://u:p@ss@host/db",
            "postgres://u:[redacted]@host/db",
        );
        check("postgres://u@host/db", "postgres://u@host/db");
        check("postgres://host/db?password=x", "postgres://host/db?…");
        check("memory", "memory");
    }
}
