//! `interline init`: everything a first start makes, without serving.

use super::books::{Books, IfNew};
use super::exit::Code;
use super::schema;
use super::session::Session;
use crate::cli;
use crate::node;
use anyhow::{Context, Result};
use serde_json::json;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;

pub(crate) async fn run(session: &Session, options: &cli::Init) -> Result<Code> {
    let path = session.config_to_write();
    let writes_config = !path.exists();
    let writes_data = !session.data_dir.join("master.key").exists();
    if !options.dry_run {
        if writes_config {
            let text = schema::as_file(&schema::settings()?);
            // It may come to hold keys of providers.
            let mut file = std::fs::OpenOptions::new();
            let file = file.write(true).create_new(true).mode(0o600).open(&path);
            file.and_then(|mut file| file.write_all(text.as_bytes()))
                .with_context(|| format!("{} cannot be written", path.display()))?;
        }
        node::create_private_dir(&session.data_dir)?;
        Books::open(session, IfNew::MakeOwner)
            .await?
            .store
            .close()
            .await?;
    }
    let json = || {
        json!({
            "config": { "path": path, "written": writes_config && !options.dry_run },
            "data_dir": { "path": session.data_dir, "is_new": writes_data },
            "dry_run": options.dry_run,
        })
    };
    let text = || {
        let done = |is_new: bool| match (is_new, options.dry_run) {
            (true, false) => "made",
            (true, true) => "would be made",
            (false, _) => "there already",
        };
        format!(
            "{}: {}\n{}: {}\nnext: {}\n",
            path.display(),
            done(writes_config),
            session.data_dir.display(),
            done(writes_data),
            session.again("serve")
        )
    };
    session.result(json, text)?;
    Ok(Code::Done)
}
