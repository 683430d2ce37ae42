//! What a server keeps: directory, space, database, master key, spool. And the clock.

use super::Finding;
use crate::bootstrap;
use crate::clock as wall;
use crate::commands::books::sqlite_path;
use crate::commands::session::{Session, time};
use crate::config::Config;
use crate::node;
use crate::secrets::MasterKey;
use anyhow::Result;
use interline_domain::Timestamp;
use interline_spool::{Options, Spool};
use interline_store::Store;
use std::fs::{self, File, TryLockError};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// Below this, a busy day fills the disk.
const LITTLE_SPACE: u64 = 1 << 30;
/// Below this, the database and the spool cannot be trusted to grow.
const NO_SPACE: u64 = 100 << 20;
/// A spool larger than this is not copied to be looked at.
const MOST_COPIED: u64 = 256 << 20;
/// 2026-01-01: this program did not exist before.
const EARLIEST: Timestamp = Timestamp::from_seconds(1_767_225_600);
/// 2100-01-01.
const LATEST: Timestamp = Timestamp::from_seconds(4_102_444_800);

pub(super) fn data_dir(path: &Path) -> Finding {
    const CHECK: &str = "data directory";
    let at = path.display();
    if !path.exists() {
        return Finding::neutral(
            CHECK,
            format!("{at} is not there yet; the first start makes it"),
        );
    }
    if let Err(error) = tempfile::tempfile_in(path) {
        let fix = format!("give the user that runs the server the right to write in {at}");
        return Finding::bad(CHECK, format!("{at} cannot be written to: {error}")).fix(fix);
    }
    let mode = fs::metadata(path).map(|data| data.permissions().mode());
    if mode.is_ok_and(|mode| mode & 0o007 != 0) {
        let fix = format!("chmod 700 {at}");
        return Finding::warning(CHECK, format!("{at} is open to other users")).fix(fix);
    }
    Finding::good(CHECK, format!("{at} can be written to"))
}

pub(super) fn space(path: &Path) -> Finding {
    const CHECK: &str = "disk space";
    // Before the first start: of the nearest directory that is there.
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    let there = absolute
        .ancestors()
        .find(|path| path.exists())
        .unwrap_or(&absolute);
    let free = match rustix::fs::statvfs(there) {
        Ok(found) => found.f_bavail.saturating_mul(found.f_frsize),
        Err(error) => return Finding::warning(CHECK, format!("cannot be read: {error}")),
    };
    let seen = format!("{} MiB free", free >> 20);
    match free {
        free if free < NO_SPACE => {
            Finding::bad(CHECK, seen).fix("free some, or move the data directory")
        }
        free if free < LITTLE_SPACE => {
            Finding::warning(CHECK, seen).fix("free some before it is full")
        }
        _ => Finding::good(CHECK, seen),
    }
}

/// Opens the database as a server would, then the key of what is stored in it.
pub(super) async fn database(session: &Session, config: &Config, findings: &mut Vec<Finding>) {
    const CHECK: &str = "database";
    let url = node::database_url(config, &session.data_dir);
    let file = sqlite_path(&url);
    if let Some(file) = file.as_ref().filter(|file| !file.exists()) {
        let seen = format!(
            "{} is not there yet; the first start makes it",
            file.display()
        );
        findings.push(Finding::neutral(CHECK, seen));
        return;
    }
    let name = file.map_or("PostgreSQL".to_owned(), |file| file.display().to_string());
    let opened = async {
        let store = node::open_store(config, &session.data_dir).await?;
        store.ping().await?;
        let is_new = bootstrap::is_new(&store).await?;
        anyhow::Ok((store, is_new))
    };
    let (store, is_new) = match opened.await {
        Ok(opened) => opened,
        Err(error) => {
            let fix = "check database.url, that the server is up, and that the file is whole";
            findings.push(Finding::bad(CHECK, format!("{name}: {error:#}")).fix(fix));
            return;
        }
    };
    let state = if is_new {
        "empty"
    } else {
        "answers, tables are up to date"
    };
    findings.push(Finding::good(CHECK, format!("{name}: {state}")));
    findings.push(master_key(session, is_new));
    if !is_new {
        findings.push(
            balances(&store).await.unwrap_or_else(|error| {
                Finding::bad("ledger", format!("cannot be read: {error:#}"))
            }),
        );
    }
}

async fn balances(store: &Store) -> Result<Finding> {
    const CHECK: &str = "ledger";
    let audit = store.ledger().audit().await?;
    if !audit.is_clean() {
        return Ok(Finding::bad(CHECK, "does not add up").fix("interline ledger audit says where"));
    }
    let expired = audit
        .leases
        .iter()
        .filter(|lease| lease.expires_at < wall::now())
        .count();
    let seen = format!("{} postings add up", audit.postings);
    if expired > 0 {
        let fix = "start that node again, or let another take over its data directory";
        let seen = format!("{seen}; {expired} leases of nodes that are gone");
        return Ok(Finding::warning(CHECK, seen).fix(fix));
    }
    Ok(Finding::good(CHECK, seen))
}

fn master_key(session: &Session, is_new: bool) -> Finding {
    const CHECK: &str = "master key";
    if is_new {
        return Finding::neutral(CHECK, "the first start makes or reads it");
    }
    if let Err(error) = MasterKey::load(&session.environment, &session.data_dir, false) {
        let fix = "restore the file from a backup, or set INTERLINE_MASTER_KEY";
        return Finding::bad(CHECK, format!("{error:#}")).fix(fix);
    }
    let path = session.data_dir.join("master.key");
    let mode = fs::metadata(&path).map(|data| data.permissions().mode());
    if mode.is_ok_and(|mode| mode & 0o077 != 0) {
        let fix = format!("chmod 600 {}", path.display());
        return Finding::warning(CHECK, "others can read it").fix(fix);
    }
    Finding::good(CHECK, "can be read")
}

/// Whether the spool is whole, and whether a server holds it.
pub(super) fn spool(data_dir: &Path) -> (Finding, bool) {
    const CHECK: &str = "spool";
    let path = data_dir.join("spool");
    let lock = match File::open(path.join("lock")) {
        Ok(lock) => lock,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return (
                Finding::neutral(CHECK, "not there yet; the first start makes it"),
                false,
            );
        }
        Err(error) => {
            let seen = format!("{}: {error}", path.display());
            return (
                Finding::bad(CHECK, seen).fix("give the server the right to read it"),
                false,
            );
        }
    };
    if let Err(TryLockError::WouldBlock) = lock.try_lock_shared() {
        return (
            Finding::good(CHECK, "in use: a server is running on this data directory"),
            true,
        );
    }
    drop(lock);
    let finding = look_into(&path).unwrap_or_else(|error| {
        let fix = "start the server to see what it says; the files are kept";
        Finding::bad(CHECK, format!("{error:#}")).fix(fix)
    });
    (finding, false)
}

/// Replays a copy: opening the spool itself would cut torn ends and set damaged files aside.
fn look_into(path: &Path) -> Result<Finding> {
    const CHECK: &str = "spool";
    let files: Vec<_> = fs::read_dir(path)?.collect::<Result<_, _>>()?;
    let mut bytes = 0;
    for file in &files {
        bytes += file.metadata()?.len();
    }
    if bytes > MOST_COPIED {
        return Ok(Finding::neutral(
            CHECK,
            format!("{} MiB wait to be posted", bytes >> 20),
        ));
    }
    let copy = tempfile::tempdir()?;
    for file in &files {
        if file.metadata()?.is_file() {
            fs::copy(file.path(), copy.path().join(file.file_name()))?;
        }
    }
    let (spool, replay) = Spool::open(Options::new(copy.path()))?;
    spool.shutdown();
    let (charges, running) = (replay.closes.len(), replay.opens.len());
    let seen =
        format!("{charges} charges to post and {running} interrupted requests, at the next start");
    if replay.damage.is_empty() {
        return Ok(Finding::good(CHECK, seen));
    }
    let lost: u64 = replay.damage.iter().map(|damage| damage.bytes).sum();
    let fix = "check the disk. The next start posts what can be read and keeps the damaged file \
               aside; compare the bills of your providers with the ledger";
    Ok(Finding::bad(CHECK, format!("{lost} bytes cannot be read; {seen}")).fix(fix))
}

pub(super) fn clock() -> Finding {
    let now = wall::now();
    let seen = time(now);
    if now < EARLIEST || now > LATEST {
        let fix = "set the clock: keys expire and charges are dated by it";
        return Finding::bad("clock", format!("{seen} cannot be right")).fix(fix);
    }
    Finding::good("clock", seen)
}
