//! What all verbs share: where things are, how output looks, and one way to print it.

use super::exit::{Code, WithCode, failure};
use super::style::Style;
use crate::cli::Global;
use crate::config::{self, Loaded};
use crate::environment::Environment;
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::{self, BufRead, IsTerminal, Write as _};
use std::path::{Path, PathBuf};

/// Used if it is there and nothing else is named.
const DEFAULT_CONFIG: &str = "interline.toml";
const DEFAULT_DATA_DIR: &str = "./data";

/// One run of the program.
pub(crate) struct Session {
    global: Global,
    pub(crate) environment: Environment,
    pub(crate) data_dir: PathBuf,
    /// Of standard output.
    pub(crate) style: Style,
    pub(crate) is_terminal: bool,
}

impl Session {
    pub(crate) fn new(global: Global, environment: Environment) -> Self {
        let data_dir = global
            .data_dir
            .clone()
            .or_else(|| environment.get("INTERLINE_DATA_DIR").map(PathBuf::from))
            .unwrap_or_else(|| PathBuf::from(DEFAULT_DATA_DIR));
        let is_terminal = io::stdout().is_terminal();
        let style = Style::of(&environment, global.color, is_terminal);
        Self {
            global,
            environment,
            data_dir,
            style,
            is_terminal,
        }
    }

    pub(crate) fn is_quiet(&self) -> bool {
        self.global.quiet
    }

    pub(crate) fn is_json(&self) -> bool {
        self.global.json
    }

    /// The configuration file that was named, by flag or variable.
    pub(crate) fn named_config(&self) -> Option<PathBuf> {
        let variable = || self.environment.get("INTERLINE_CONFIG").map(PathBuf::from);
        self.global.config.clone().or_else(variable)
    }

    /// The file that `init` writes.
    pub(crate) fn config_to_write(&self) -> PathBuf {
        self.named_config()
            .unwrap_or_else(|| PathBuf::from(DEFAULT_CONFIG))
    }

    pub(crate) fn load(&self) -> Result<Loaded> {
        let default = || Some(PathBuf::from(DEFAULT_CONFIG)).filter(|path| path.is_file());
        let file = self.named_config().or_else(default);
        config::load(file.as_deref(), self.environment.variables()).code(Code::Configuration)
    }

    /// Prints the result: JSON if asked for, else for people. `text` ends its own lines.
    pub(crate) fn result(
        &self,
        json: impl FnOnce() -> Value,
        text: impl FnOnce() -> String,
    ) -> Result<()> {
        if self.is_json() {
            let mut text = serde_json::to_string_pretty(&json()).context("JSON")?;
            text.push('\n');
            print(&text)
        } else {
            print(&text())
        }
    }

    /// Says something beside the result, on standard error.
    pub(crate) fn note(&self, text: &str) {
        if !self.is_quiet() {
            let _ = writeln!(io::stderr().lock(), "{text}");
        }
    }

    /// Says why there is no result.
    pub(crate) fn complain(&self, error: &anyhow::Error, code: Code) {
        let mut out = io::stderr().lock();
        if self.is_json() {
            let message = format!("{error:#}");
            let body = json!({ "error": { "code": code as u8, "message": message } });
            let _ = writeln!(out, "{body}");
            return;
        }
        let _ = writeln!(out, "interline: {error}");
        let mut said = error.to_string();
        for cause in error.chain().skip(1) {
            let cause = cause.to_string();
            // Layers that repeat the one below them tell nothing.
            if !said.contains(&cause) {
                let _ = writeln!(out, "  because {cause}");
                said = cause;
            }
        }
    }

    /// The command line that calls us again with the same database and configuration.
    pub(crate) fn again(&self, verb: &str) -> String {
        let mut line = format!("{} {verb}", program());
        if self.data_dir != Path::new(DEFAULT_DATA_DIR) {
            let _ = write!(line, " --data-dir {}", quoted(&self.data_dir));
        }
        if let Some(config) = &self.global.config {
            let _ = write!(line, " --config {}", quoted(config));
        }
        line
    }
}

/// Asks before something is changed that cannot be changed back.
pub(crate) fn confirm(question: &str, is_agreed: bool) -> Result<()> {
    if is_agreed {
        return Ok(());
    }
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        let message = format!("{question} There is nobody to ask here: add --yes");
        return Err(failure(Code::Usage, message));
    }
    let mut out = io::stderr().lock();
    write!(out, "{question} [y/N] ")
        .and_then(|()| out.flush())
        .context("asking")?;
    let mut answer = String::new();
    io::stdin()
        .lock()
        .read_line(&mut answer)
        .context("the answer")?;
    if matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes") {
        Ok(())
    } else {
        Err(failure(Code::Interrupted, "nothing was changed"))
    }
}

/// Prints to standard output. A reader that left early (`| head`) is no failure.
pub(crate) fn print(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        printed => printed.context("standard output"),
    }
}

/// How we were called: a path that was typed works again, a bare name is found again.
fn program() -> String {
    let name = std::env::args_os()
        .next()
        .map(PathBuf::from)
        .unwrap_or_default();
    if name.components().count() > 1 {
        quoted(&name)
    } else {
        "interline".to_owned()
    }
}

/// A path as a shell reads it.
fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:@%".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        text.into_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

/// Columns as wide as their widest cell; the last one runs on. Cells hold no line ends.
pub(crate) fn table(rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = Vec::new();
    for row in rows {
        for (index, cell) in row.iter().enumerate() {
            let width = cell.chars().count();
            match widths.get_mut(index) {
                Some(widest) => *widest = width.max(*widest),
                None => widths.push(width),
            }
        }
    }
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            let padding = width.saturating_sub(cell.chars().count()) + 2;
            line.push_str(cell);
            line.extend(std::iter::repeat_n(' ', padding));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// RFC 3339 in UTC.
pub(crate) fn time(at: interline_domain::Timestamp) -> String {
    jiff::Timestamp::from_microsecond(at.micros())
        .map_or_else(|_| format!("{} us", at.micros()), |at| at.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let rows = [
            vec!["a".to_owned(), "bb".to_owned()],
            vec!["ccc".to_owned(), "✓".to_owned()],
        ];
        assert_eq!(table(&rows), "a    bb\nccc  ✓\n");
    }

    #[test]
    fn shells_read_paths_as_they_are() {
        assert_eq!(quoted(Path::new("./data")), "./data");
        assert_eq!(quoted(Path::new("my data")), "'my data'");
        assert_eq!(quoted(Path::new("it's")), r"'it'\''s'");
    }
}
