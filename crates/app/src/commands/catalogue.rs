//! `interline catalogue`: the data behind models and prices, checked, imported and compared.

use super::exit::{Code, WithCode, failure};
use super::session::{Session, confirm};
use crate::cli::CatalogueVerb;
use crate::node::problem_list;
use anyhow::{Context, Result};
use interline_domain::catalogue::Catalogue;
use interline_providers::{Diff, Imported, Overlay, Source, Tables};
use serde_json::json;
use std::path::Path;

/// The name of the catalogue that comes with the program.
const BUILTIN: &str = "builtin";
const TABLES: [&str; 3] = ["providers.json", "models.json", "endpoints.json"];

pub(crate) fn run(session: &Session, verb: CatalogueVerb) -> Result<Code> {
    match verb {
        CatalogueVerb::Check { source } => check(session, &source),
        CatalogueVerb::Import {
            from,
            to,
            provider,
            dry_run,
            yes,
        } => {
            let imported = read(&from, &to, provider.as_deref())?;
            import(session, &imported, &to, dry_run, yes)
        }
        CatalogueVerb::Diff { old, new } => {
            let diff =
                interline_providers::diff(&build(&load(&old)?, &old)?, &build(&load(&new)?, &new)?);
            session.result(|| diff.to_json(), || diff_text(&diff))?;
            Ok(Code::Done)
        }
    }
}

fn check(session: &Session, name: &str) -> Result<Code> {
    let report = match load_or_problems(name) {
        Ok(source) => interline_providers::check(&source),
        Err(problems) => interline_providers::Report {
            problems,
            ..Default::default()
        },
    };
    session.result(|| report.to_json(), || report.to_human())?;
    Ok(if report.is_good() {
        Code::Done
    } else {
        Code::Failed
    })
}

fn load_or_problems(name: &str) -> Result<Source, Vec<interline_providers::Problem>> {
    if name == BUILTIN {
        interline_providers::builtin()
    } else {
        interline_providers::load_dir(Path::new(name))
    }
}

fn load(name: &str) -> Result<Source> {
    load_or_problems(name)
        .map_err(|problems| problem_list(name, &problems))
        .code(Code::Configuration)
}

/// As if every provider had a key: what differs is the data, not the machine.
fn build(source: &Source, name: &str) -> Result<Catalogue> {
    let built = interline_providers::build(source, &Overlay::default(), &|_| true);
    let built = built.map_err(|problems| problem_list(name, &problems));
    Ok(built.code(Code::Configuration)?.catalogue)
}

/// Reads what is to be imported; `to` keeps what people wrote by hand.
fn read(from: &Path, to: &Path, provider: Option<&str>) -> Result<Imported> {
    let current = if to.exists() {
        Some(load(&to.to_string_lossy())?)
    } else {
        None
    };
    let text = |path: &Path| {
        std::fs::read_to_string(path)
            .with_context(|| format!("{} cannot be read", path.display()))
            .code(Code::NotFound)
    };
    if !from.exists() {
        return Err(failure(
            Code::NotFound,
            format!("{} is not there", from.display()),
        ));
    }
    let imported = if from.is_dir() {
        if provider.is_some() {
            let message = "--provider is for a model list; FROM is a directory of tables";
            return Err(failure(Code::Usage, message));
        }
        let [providers, models, endpoints] = TABLES.map(|table| text(&from.join(table)));
        let (providers, models, endpoints) = (providers?, models?, endpoints?);
        let tables = Tables {
            providers: &providers,
            models: &models,
            endpoints: &endpoints,
        };
        interline_providers::import(tables, current.as_ref())
    } else {
        let Some(provider) = provider else {
            let message = "FROM is a file: say with --provider whose model list it is";
            return Err(failure(Code::Usage, message));
        };
        let current = match current {
            Some(current) => current,
            None => load(BUILTIN)?,
        };
        interline_providers::import_model_list(&text(from)?, provider, &current)
    };
    imported
        .map_err(|problems| problem_list(&from.display().to_string(), &problems))
        .code(Code::Configuration)
}

fn import(
    session: &Session,
    imported: &Imported,
    to: &Path,
    dry_run: bool,
    yes: bool,
) -> Result<Code> {
    let there = to.exists();
    let old = if there {
        let name = to.to_string_lossy();
        build(&load(&name)?, &name)?
    } else {
        Catalogue::default()
    };
    let diff = interline_providers::diff(&old, &build(&imported.source, "what was read")?);
    for note in &imported.notes {
        session.note(&format!("note: {note}"));
    }
    let is_written = !dry_run;
    if is_written && there && !diff.is_empty() {
        session.note(&diff.to_human());
        confirm(&format!("This replaces {}.", to.display()), yes)?;
    }
    if is_written {
        interline_providers::write_dir(&imported.files, to)
            .map_err(|problem| anyhow::anyhow!("{problem}"))?;
    }
    let json = || {
        json!({
            "written": is_written,
            "files": imported.files.len(),
            "notes": imported.notes,
            "diff": diff.to_json(),
        })
    };
    let text = || {
        let files = imported.files.len();
        let at = to.display();
        if is_written {
            format!("{files} files in {at}\n")
        } else {
            format!("{}would write {files} files to {at}\n", diff_text(&diff))
        }
    };
    session.result(json, text)?;
    Ok(Code::Done)
}

fn diff_text(diff: &Diff) -> String {
    if diff.is_empty() {
        "no difference\n".to_owned()
    } else {
        diff.to_human()
    }
}
