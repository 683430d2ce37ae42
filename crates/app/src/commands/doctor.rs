//! `interline doctor`: looks at everything a server needs and says what to do about what is wrong.

mod disk;
mod network;

use super::exit::Code;
use super::listing::Offer;
use super::session::Session;
use super::style::{Mark, count};
use crate::cli;
use crate::config::Config;
use anyhow::Result;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// One thing that was looked at.
pub(crate) struct Finding {
    /// What was looked at, in a word or two.
    check: &'static str,
    mark: Mark,
    /// What was seen.
    seen: String,
    /// What to do, where something is wrong.
    fix: Option<String>,
}

impl Finding {
    fn new(check: &'static str, mark: Mark, seen: impl Into<String>) -> Self {
        Self {
            check,
            mark,
            seen: seen.into(),
            fix: None,
        }
    }

    pub(crate) fn good(check: &'static str, seen: impl Into<String>) -> Self {
        Self::new(check, Mark::Good, seen)
    }

    pub(crate) fn bad(check: &'static str, seen: impl Into<String>) -> Self {
        Self::new(check, Mark::Bad, seen)
    }

    pub(crate) fn warning(check: &'static str, seen: impl Into<String>) -> Self {
        Self::new(check, Mark::Warning, seen)
    }

    pub(crate) fn neutral(check: &'static str, seen: impl Into<String>) -> Self {
        Self::new(check, Mark::Neutral, seen)
    }

    pub(crate) fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }

    fn json(&self) -> Value {
        let state = match self.mark {
            Mark::Good => "ok",
            Mark::Bad => "failed",
            Mark::Warning => "warning",
            Mark::Neutral => "skipped",
        };
        json!({ "check": self.check, "state": state, "seen": self.seen, "fix": self.fix })
    }
}

pub(crate) async fn run(session: &Session, options: &cli::Doctor) -> Result<Code> {
    let findings = examine(session, options.offline).await;
    let failed = findings
        .iter()
        .filter(|finding| finding.mark == Mark::Bad)
        .count();
    let json = || {
        let checks: Vec<Value> = findings.iter().map(Finding::json).collect();
        json!({ "ok": failed == 0, "checks": checks })
    };
    session.result(json, || text(session, &findings, failed))?;
    Ok(if failed == 0 {
        Code::Done
    } else {
        Code::Failed
    })
}

fn text(session: &Session, findings: &[Finding], failed: usize) -> String {
    let style = session.style;
    let width = findings
        .iter()
        .map(|finding| finding.check.chars().count())
        .max()
        .unwrap_or(0);
    let indent = format!("\n{:1$}", "", width + 4);
    let mut text = String::new();
    for Finding {
        check,
        mark,
        seen,
        fix,
    } in findings
    {
        let seen = seen.replace('\n', &indent);
        let _ = writeln!(text, "{} {check:<width$}  {seen}", style.mark(*mark));
        if let Some(fix) = fix {
            let fix = fix.replace('\n', &indent);
            let _ = writeln!(text, "  {:width$}  {}", "", style.bold(&fix));
        }
    }
    let verdict = match failed {
        0 => "nothing is in the way".to_owned(),
        failed => format!("{} failed", count(failed, "check")),
    };
    let _ = writeln!(text, "\n{verdict}");
    text
}

async fn examine(session: &Session, is_offline: bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    let loaded = match session.load() {
        Ok(loaded) => loaded,
        Err(error) => {
            let fix = "correct the file or the variable, then run doctor again";
            return vec![Finding::bad("configuration", format!("{error:#}")).fix(fix)];
        }
    };
    let file = loaded.file.as_ref().map_or_else(
        || "no file: defaults and environment".to_owned(),
        |file| file.display().to_string(),
    );
    findings.push(Finding::good("configuration", file));
    for warning in &loaded.warnings {
        findings.push(Finding::warning("configuration", warning));
    }
    let config = loaded.config;
    findings.push(disk::data_dir(&session.data_dir));
    findings.push(disk::space(&session.data_dir));
    disk::database(session, &config, &mut findings).await;
    let (spool, is_running) = disk::spool(&session.data_dir);
    findings.push(spool);
    findings.push(disk::clock());
    network::ports(&config, is_running, &mut findings).await;
    providers(session, config, is_offline, &mut findings).await;
    findings
}

async fn providers(
    session: &Session,
    config: Config,
    is_offline: bool,
    findings: &mut Vec<Finding>,
) {
    let (has_demo, has_discovery) = (config.has_demo(), config.has_discovery());
    let offer = match Offer::find(session, config).await {
        Ok(offer) => offer,
        Err(error) => {
            let fix = "correct the entries that are named, then run doctor again";
            findings.push(Finding::bad("catalogue", format!("{error:#}")).fix(fix));
            return;
        }
    };
    let catalogue = offer.catalogue();
    let (models, providers) = (catalogue.models().len(), catalogue.providers().len());
    let seen = format!(
        "{} of {}",
        count(models, "model"),
        count(providers, "provider")
    );
    findings.push(Finding::good("catalogue", seen));
    for warning in &offer.warnings {
        findings.push(Finding::warning("catalogue", warning));
    }
    network::provider_keys(&offer, is_offline, findings).await;
    network::local_servers(&offer, has_discovery, findings);
    findings.push(if has_demo {
        Finding::good(
            "demo",
            "on: demo/echo, demo/story and others, free and offline",
        )
    } else {
        Finding::neutral("demo", "off in production mode")
    });
}
