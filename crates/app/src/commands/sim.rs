//! `interline sim`: a simulated provider on a port.

use super::exit::{Code, WithCode};
use super::serve::stop_signal;
use super::session::{Session, table};
use crate::cli;
use anyhow::{Context, Result};
use interline_sim::{Dialect, Script};
use serde_json::json;
use std::path::Path;

pub(crate) async fn run(session: &Session, options: cli::Sim) -> Result<Code> {
    let script = match &options.script {
        Some(path) => read(path).code(Code::Configuration)?,
        None if options.demo => interline_sim::demo_scripts(),
        None => Script::default(),
    };
    let sim = interline_sim::Sim::start_on(options.listen, script).await?;
    let dialects = [
        ("openai-chat", Dialect::OpenaiChat),
        ("anthropic-messages", Dialect::AnthropicMessages),
        ("gemini", Dialect::Gemini),
    ];
    let json = || {
        let urls: serde_json::Map<_, _> = dialects
            .iter()
            .map(|(name, dialect)| ((*name).to_owned(), sim.base_url(*dialect).into()))
            .collect();
        json!({ "address": sim.addr().to_string(), "base_urls": urls })
    };
    let text = || {
        let rows: Vec<Vec<String>> = dialects
            .iter()
            .map(|(name, dialect)| vec![(*name).to_owned(), sim.base_url(*dialect)])
            .collect();
        table(&rows)
    };
    session.result(json, text)?;
    session.note(&format!(
        "any key is accepted; what was asked: http://{}/_sim/log. Ctrl-C to stop.",
        sim.addr()
    ));
    stop_signal()?.await;
    sim.shutdown().await;
    Ok(Code::Done)
}

/// Reads a script: TOML by its name, else JSON.
fn read(path: &Path) -> Result<Script> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    if path
        .extension()
        .is_some_and(|extension| extension == "toml")
    {
        toml::from_str(&text).with_context(|| path.display().to_string())
    } else {
        serde_json::from_str(&text).with_context(|| path.display().to_string())
    }
}
