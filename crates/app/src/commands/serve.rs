//! `interline serve`: one process with everything in it, until it is told to stop.

use super::books::sqlite_path;
use super::exit::{Code, failure};
use super::session::{Session, print};
use crate::banner::Banner;
use crate::cli::{self, Role};
use crate::config::{Config, Loaded, Mode};
use crate::node::{self, Node};
use crate::{bootstrap, discovery};
use anyhow::{Context, Result};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;
use std::future::Future;
use std::time::Instant;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Every role there is. One process runs all of them today.
const ROLES: [Role; 3] = [Role::Gateway, Role::Control, Role::Jobs];

pub(crate) fn run(session: &Session, options: &cli::Serve) -> Result<Code> {
    let started = Instant::now();
    if !ROLES.iter().all(|role| options.role.contains(role)) {
        let message = "--role: this version serves all roles in one process; leave the option out, \
                       or give `gateway,control,jobs`";
        return Err(failure(Code::Usage, message));
    }
    let mut loaded = session.load()?;
    apply(options, &mut loaded);
    raise_file_limit();
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    if loaded.config.server.workers > 0 {
        runtime.worker_threads(loaded.config.server.workers);
    }
    let runtime = runtime
        .enable_all()
        .build()
        .context("the runtime cannot start")?;
    runtime.block_on(serve(session, loaded, started))
}

/// Flags win over everything else.
fn apply(options: &cli::Serve, loaded: &mut Loaded) {
    if let Some(listen) = options.listen {
        loaded.config.server.listen = listen;
        loaded.origins.insert("server.listen".into(), "flag".into());
    }
    if let Some(mode) = options.mode {
        loaded.config.server.mode = match mode {
            cli::Mode::Dev => Mode::Dev,
            cli::Mode::Production => Mode::Production,
        };
        loaded.origins.insert("server.mode".into(), "flag".into());
    }
}

async fn serve(session: &Session, loaded: Loaded, started: Instant) -> Result<Code> {
    // From the first moment on: a signal during a long start is not lost.
    let stop = stop_signal()?;
    refuse_open_door(session, &loaded.config).await?;
    let url = loaded.config.public_url();
    let has_discovery = loaded.config.has_discovery();
    let operator = loaded.config.server.operator_listen;
    let shows_secrets = session.is_terminal && !session.is_quiet() && !session.is_json();
    let node = Node::start(
        loaded,
        &session.data_dir,
        &session.environment,
        shows_secrets,
    )
    .await?;

    if session.is_json() {
        let line = json!({
            "event": "ready",
            "version": env!("CARGO_PKG_VERSION"),
            "url": url,
            "operator_url": format!("http://{operator}"),
            "data_dir": session.data_dir,
            "database": node.database,
            "providers": node.found.iter().map(|found| json!({
                "slug": found.slug,
                "origin": found.origin,
                "models": found.models.len(),
            })).collect::<Vec<_>>(),
            "replayed": { "posted": node.replayed.posted, "interrupted": node.replayed.interrupted },
            "warnings": node.warnings,
        });
        print(&format!("{line}\n"))?;
    } else if !session.is_quiet() {
        print(&banner(session, &node, url, has_discovery, started).render(session.style))?;
    }
    node.serve(async move {
        stop.await;
        tracing::info!("stopping: running requests may finish; Ctrl-C again ends at once");
        tokio::spawn(end_at_once());
    })
    .await?;
    tracing::info!("stopped");
    Ok(Code::Done)
}

fn banner<'a>(
    session: &Session,
    node: &'a Node,
    url: String,
    has_discovery: bool,
    started: Instant,
) -> Banner<'a> {
    let is_found = |slug: &str| node.found.iter().any(|found| found.slug == slug);
    let missed = discovery::looked_for()
        .filter(|(slug, _)| has_discovery && !is_found(slug))
        .map(|(_, name)| name)
        .collect();
    Banner {
        database: node.database,
        data_dir: session.data_dir.display().to_string(),
        url,
        first_key: node.owner.first_key.as_deref(),
        first_key_limit: (!node.owner.requires_credit).then_some("$5/day"),
        make_key: session.again("keys create"),
        make_key_quietly: session.again("keys create --quiet"),
        found: &node.found,
        missed,
        has_provider_key: node
            .found
            .iter()
            .any(|found| found.origin.starts_with("from ")),
        replayed: node.replayed,
        warnings: &node.warnings,
        took: started.elapsed(),
    }
}

/// A first run in dev mode stays on this machine: nobody has chosen a key yet, and whatever local
/// model servers are found would be offered to the network.
async fn refuse_open_door(session: &Session, config: &Config) -> Result<()> {
    let listen = config.server.listen;
    let has_key = session
        .environment
        .get_or_file("INTERLINE_BOOTSTRAP_KEY")?
        .is_some();
    if listen.ip().is_loopback() || config.server.mode == Mode::Production || has_key {
        return Ok(());
    }
    let url = node::database_url(config, &session.data_dir);
    let is_there = sqlite_path(&url).is_none_or(|path| path.exists());
    if is_there {
        let store = node::open_store(config, &session.data_dir).await?;
        let is_new = bootstrap::is_new(&store).await?;
        store.close().await?;
        if !is_new {
            return Ok(());
        }
    }
    let message = format!(
        "{listen} can be reached from other machines, and this would be a first run in dev mode. \
         Do one of these:\n  - listen on this machine only: --listen 127.0.0.1:{}\n  \
         - serve in earnest, without demo and discovery: --mode production\n  \
         - bring your own first key: INTERLINE_BOOTSTRAP_KEY\n  \
         - make a key first: {}",
        listen.port(),
        session.again("keys create")
    );
    Err(failure(Code::Configuration, message))
}

/// Resolves at the first Ctrl-C or SIGTERM. Listens from the moment it is called.
pub(crate) fn stop_signal() -> Result<impl Future<Output = ()>> {
    let (mut interrupt, mut terminate) = signals()?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

fn signals() -> Result<(Signal, Signal)> {
    let interrupt = signal(SignalKind::interrupt()).context("SIGINT")?;
    Ok((
        interrupt,
        signal(SignalKind::terminate()).context("SIGTERM")?,
    ))
}

/// What is lost then is what a crash loses: nothing that was charged.
async fn end_at_once() {
    let Ok((mut interrupt, _)) = signals() else {
        return;
    };
    interrupt.recv().await;
    std::process::exit(Code::Interrupted as i32);
}

/// A stream holds two descriptors; the usual soft limit of 1,024 is for programs that `select`.
fn raise_file_limit() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let words = |limit: Option<u64>| limit.map_or("unlimited".to_owned(), |n| n.to_string());
    if current == maximum {
        return;
    }
    match setrlimit(
        Resource::Nofile,
        Rlimit {
            current: maximum,
            maximum,
        },
    ) {
        Ok(()) => tracing::info!(
            from = words(current),
            to = words(maximum),
            "limit of open files raised"
        ),
        Err(error) => tracing::warn!(
            limit = words(current),
            %error,
            "the limit of open files could not be raised; it bounds streams at once"
        ),
    }
}
