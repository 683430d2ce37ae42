//! One running node: everything wired together, in the order that is safe.

use crate::bootstrap::{self, KeyMaker, Owner};
use crate::config::{Config, Durability, Loaded};
use crate::credentials::Credentials;
use crate::environment::Environment;
use crate::secrets::{self, MasterKey};
use crate::{clock, discovery};
use anyhow::{Context, Result};
use interline_domain::catalogue::{Catalogue, Standing};
use interline_domain::id::NodeId;
use interline_gateway::credit::Credit;
use interline_gateway::keys::Keys;
use interline_gateway::snapshot::Snapshot;
use interline_gateway::{Gateway, Parts, Settings, poster};
use interline_outbound::{Client, Limits, MediaFetcher};
use interline_providers::{Overlay, Source};
use interline_server::listen::{self, Bounds};
use interline_server::{App, ServerSettings, operator, routes};
use interline_sim::Sim;
use interline_spool::{Replay, Spool};
use interline_store::Store;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// Prompts may hold links to files of at most this size.
const MAX_MEDIA_BYTES: usize = 20 * 1024 * 1024;
const MEDIA_DEADLINE: Duration = Duration::from_secs(10);
/// Between two looks at keys that another process changed.
const KEY_POLL: Duration = Duration::from_secs(2);
/// Between two renewals of this node's leases.
const LEASE_RENEWAL: Duration = Duration::from_secs(10);
pub(crate) const LEASE_TTL: Duration = Duration::from_mins(2);

/// A node that is listening.
pub(crate) struct Node {
    pub(crate) app: App,
    pub(crate) owner: Owner,
    pub(crate) found: Vec<FoundProvider>,
    pub(crate) warnings: Vec<String>,
    pub(crate) replayed: Replayed,
    pub(crate) database: &'static str,
    listener: TcpListener,
    operator: TcpListener,
    drain: Duration,
    /// Lives as long as the node.
    demo: Option<interline_sim::Handle>,
}

/// A provider requests can go to, for the banner.
pub(crate) struct FoundProvider {
    pub(crate) slug: String,
    pub(crate) origin: String,
    pub(crate) models: Vec<String>,
}

/// What an earlier process left in the spool.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Replayed {
    pub(crate) posted: usize,
    /// Requests that were running when it ended: nobody pays for them.
    pub(crate) interrupted: usize,
}

/// Opens the database of a configuration.
pub(crate) async fn open_store(config: &Config, data_dir: &Path) -> Result<Store> {
    let url = database_url(config, data_dir);
    let durability = match config.billing.durability {
        Durability::Fsync => interline_store::Durability::Fsync,
        Durability::Buffered => interline_store::Durability::Buffered,
    };
    let options = interline_store::Options {
        durability,
        ..interline_store::Options::new(&url)
    };
    Store::connect(options).await.with_context(|| {
        // Only the scheme: the rest may hold a password.
        let scheme = url.split(':').next().unwrap_or_default();
        format!("the {scheme} database cannot be opened (database.url)")
    })
}

pub(crate) fn database_url(config: &Config, data_dir: &Path) -> String {
    let default = || format!("sqlite://{}", data_dir.join("interline.db").display());
    config.database.url.clone().unwrap_or_else(default)
}

/// The catalogue a configuration starts from.
pub(crate) fn source(config: &Config) -> Result<Source> {
    let loaded = match config.server.catalogue.as_str() {
        "builtin" => interline_providers::builtin(),
        "none" => Ok(Source::default()),
        directory => interline_providers::load_dir(Path::new(directory)),
    };
    loaded.map_err(|problems| problem_list("the catalogue", &problems))
}

/// Renders mistakes, all of them.
pub(crate) fn problem_list(what: &str, problems: &[interline_providers::Problem]) -> anyhow::Error {
    let list: Vec<String> = problems.iter().map(ToString::to_string).collect();
    anyhow::anyhow!(
        "{what} has {} mistake(s):\n{}",
        problems.len(),
        list.join("\n")
    )
}

impl Node {
    /// Builds a node up to the point where it could answer: everything that can fail has happened.
    pub(crate) async fn start(
        loaded: Loaded,
        data_dir: &Path,
        environment: &Environment,
        shows_secrets: bool,
    ) -> Result<Self> {
        let Loaded {
            mut config,
            mut warnings,
            ..
        } = loaded;
        // Bound first: a port that is taken must not cost a half-made data directory.
        let listener = bind(config.server.listen, "--listen")?;
        let operator = bind(config.server.operator_listen, "server.operator_listen")?;
        create_private_dir(data_dir)?;
        let store = open_store(&config, data_dir).await?;
        let is_new = bootstrap::is_new(&store).await?;
        let master = MasterKey::load(environment, data_dir, is_new)?;
        let keys = KeyMaker::new(&master);
        let now = clock::now();
        let owner = bootstrap::run(&store, environment, &keys, shows_secrets, now).await?;
        let requires_credit = config
            .billing
            .require_credits
            .unwrap_or(owner.requires_credit);

        let node = node_id(data_dir)?;
        let (spool, left) = open_spool(&config, data_dir)?;
        // First what an earlier run owes, then its leases end, then nothing of it is left.
        let posted = poster::replay(&store, &node, &left.closes, requires_credit, now).await?;
        spool.forget(
            left.closes
                .iter()
                .chain(&left.opens)
                .map(|record| &*record.key),
        );
        let lessee = store.leases().reset_node(&node, now).await?.lessee;
        let replayed = Replayed {
            posted,
            interrupted: left.opens.len(),
        };

        let demo = if config.has_demo() {
            Some(
                Sim::start(interline_sim::demo_scripts())
                    .await
                    .context("demo provider")?,
            )
        } else {
            None
        };
        let mut overlay = config.take_overlay();
        if let Some(demo) = &demo {
            discovery::add_demo(&mut overlay, demo);
        }
        if config.has_discovery() {
            let own = config.server.listen.port();
            warnings.extend(discovery::add_local_servers(&mut overlay, own).await);
        }
        let credentials = Credentials::read(&overlay, environment)?;
        let snapshot = snapshot(&config, &overlay, &credentials, environment, &mut warnings)?;
        let found = found_providers(&snapshot.catalogue, &credentials);

        let settings = settings(&config, requires_credit);
        let limits = Limits {
            connect_timeout: Duration::from_millis(config.routing.connect_timeout_ms),
            dns_timeout: Duration::from_millis(config.routing.dns_timeout_ms),
            ..Limits::default()
        };
        let credit = Credit::new(store.clone(), lessee, clock::now, requires_credit);
        let gateway = Gateway::new(Parts {
            settings,
            clock: clock::now,
            snapshot,
            keys: Keys::new(store.clone(), Arc::clone(&credit), &keys.pepper()),
            credit,
            spool,
            client: Client::new(&limits),
            media: MediaFetcher::new(&limits, MAX_MEDIA_BYTES, MEDIA_DEADLINE),
            seed: secrets::random_number()?,
        });
        let server = ServerSettings {
            public_url: config.public_url(),
            max_body_bytes: config.limits.max_body_mib.saturating_mul(1024 * 1024),
            max_running: config.limits.max_running,
            has_demo: demo.is_some(),
            ..ServerSettings::default()
        };
        let database = if database_url(&config, data_dir).starts_with("sqlite") {
            "SQLite"
        } else {
            "PostgreSQL"
        };
        Ok(Self {
            app: App {
                gateway,
                store,
                settings: Arc::new(server),
            },
            owner,
            found,
            warnings,
            replayed,
            database,
            listener,
            operator,
            drain: Duration::from_millis(config.server.drain_ms),
            demo,
        })
    }

    /// Serves until `stop` resolves; then finishes what runs, posts what is owed, and gives the
    /// leases back.
    pub(crate) async fn serve(self, stop: impl Future<Output = ()>) -> Result<()> {
        let Self {
            app,
            listener,
            operator,
            drain,
            demo,
            ..
        } = self;
        let gateway = Arc::clone(&app.gateway);
        let store = app.store.clone();
        let (stopping, stopped) = watch::channel(false);
        let on_stop = |mut stopped: watch::Receiver<bool>| async move {
            let _ = stopped.wait_for(|stopping| *stopping).await;
        };
        let defaults = ServerSettings::default();
        let bounds = Bounds {
            header_timeout: defaults.header_timeout,
            max_head_bytes: defaults.max_head_bytes,
            max_head_fields: defaults.max_head_fields,
            drain,
        };
        let (posting_stop, posting_stopped) = watch::channel(false);
        let posting = tokio::spawn(poster::run(
            Arc::clone(&gateway),
            store.clone(),
            on_stop(posting_stopped),
        ));
        let upkeep = tokio::spawn(upkeep(Arc::clone(&gateway), on_stop(stopped.clone())));
        let operator = tokio::spawn(listen::serve(
            operator,
            operator::table(app.clone()),
            Bounds {
                drain: Duration::from_secs(1),
                ..bounds
            },
            on_stop(stopped.clone()),
        ));
        let draining = Arc::clone(&gateway);
        let stop = async move {
            stop.await;
            draining.is_draining.store(true, Ordering::Relaxed);
        };
        listen::serve(listener, routes::table(app), bounds, stop).await;
        let _ = stopping.send(true);
        // Journeys that outlived their clients, and streams read to their end.
        let end = tokio::time::Instant::now() + drain;
        while gateway.running.load(Ordering::Relaxed) > 0 && tokio::time::Instant::now() < end {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let _ = posting_stop.send(true);
        let _ = posting.await;
        let _ = upkeep.await;
        operator.abort();
        for account in gateway.credit.accounts() {
            gateway
                .credit
                .give_back(&account, interline_domain::Money::MAX)
                .await;
        }
        gateway.spool.shutdown();
        if let Some(demo) = demo {
            demo.shutdown().await;
        }
        Ok(())
    }
}

/// Keeps leases alive and notices keys that other processes changed.
async fn upkeep(gateway: Arc<Gateway>, stop: impl Future<Output = ()>) {
    tokio::pin!(stop);
    let mut renewal = tokio::time::interval(LEASE_RENEWAL);
    let mut keys = tokio::time::interval(KEY_POLL);
    keys.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut looked_at = gateway.now();
    loop {
        tokio::select! {
            () = &mut stop => return,
            _ = renewal.tick() => {
                gateway.credit.renew(LEASE_TTL).await;
                gateway.credit.give_back_idle().await;
            }
            _ = keys.tick() => {
                let now = gateway.now();
                match gateway.keys.poll_changes(looked_at).await {
                    Ok(()) => looked_at = now,
                    Err(error) => tracing::debug!(%error, "changed keys could not be asked for"),
                }
            }
        }
    }
}

fn bind(address: std::net::SocketAddr, setting: &str) -> Result<TcpListener> {
    listen::bind(address).with_context(|| {
        format!(
            "{address} cannot be listened on. Is another server running there? Choose another \
             address with {setting}"
        )
    })
}

fn settings(config: &Config, requires_credit: bool) -> Settings {
    let routing = &config.routing;
    let first_byte = Duration::from_millis(routing.first_byte_timeout_ms);
    let defaults = Settings::default();
    // A deadline that was shortened by hand is meant for every model.
    let reasoning = routing.reasoning_first_byte_timeout_ms.map_or_else(
        || {
            if first_byte < defaults.first_byte_timeout {
                first_byte
            } else {
                defaults.reasoning_first_byte_timeout.max(first_byte)
            }
        },
        Duration::from_millis,
    );
    Settings {
        first_byte_timeout: first_byte,
        reasoning_first_byte_timeout: reasoning,
        idle_timeout: Duration::from_millis(routing.idle_timeout_ms),
        total_timeout: Duration::from_millis(routing.total_timeout_ms),
        comment_interval: Duration::from_millis(routing.comment_interval_ms),
        head_grace: Duration::from_millis(routing.head_grace_ms),
        requires_credit,
        credits_url: format!("{}/settings/credits", config.public_url()),
        region: config.server.region.clone(),
        ..defaults
    }
}

/// Joins catalogue, overlay and keys into what requests read.
pub(crate) fn snapshot(
    config: &Config,
    overlay: &Overlay,
    credentials: &Credentials,
    environment: &Environment,
    warnings: &mut Vec<String>,
) -> Result<Snapshot> {
    let mut source = source(config)?;
    source.fill_addresses(&|variable| environment.get(variable).map(str::to_owned));
    let built = interline_providers::build(&source, overlay, &|provider| credentials.has(provider))
        .map_err(|problems| problem_list("the catalogue with this configuration", &problems))?;
    warnings.extend(built.warnings.iter().map(ToString::to_string));
    Ok(Snapshot::new(
        built.catalogue,
        built.names,
        |provider, base_url| credentials.bind(provider, base_url),
    ))
}

fn found_providers(catalogue: &Catalogue, credentials: &Credentials) -> Vec<FoundProvider> {
    let mut found = Vec::new();
    for (index, provider) in catalogue.providers().iter().enumerate() {
        let models: Vec<String> = catalogue
            .endpoints()
            .iter()
            .filter(|endpoint| endpoint.provider == index && endpoint.standing == Standing::Ready)
            .filter_map(|endpoint| Some(catalogue.models().get(endpoint.model)?.id.clone()))
            .collect();
        let origin = credentials.find(provider).map(|found| found.origin);
        if models.is_empty() && origin.is_none() {
            continue;
        }
        let origin =
            origin.map_or_else(|| provider.base_url.clone(), |name| format!("from {name}"));
        found.push(FoundProvider {
            slug: provider.slug.clone(),
            origin,
            models,
        });
    }
    found
}

/// Makes a directory that only its owner can enter.
pub(crate) fn create_private_dir(path: &Path) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .with_context(|| format!("the data directory {} cannot be made", path.display()))
}

/// The name of this node: made once, kept beside its spool.
fn node_id(data_dir: &Path) -> Result<NodeId> {
    let path = data_dir.join("node.id");
    match std::fs::read_to_string(&path) {
        Ok(text) => NodeId::parse(text.trim())
            .with_context(|| format!("{} does not hold a node id", path.display())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let id = NodeId::new(clock::now(), secrets::random_number()?);
            std::fs::write(&path, id.as_str()).with_context(|| path.display().to_string())?;
            Ok(id)
        }
        Err(error) => Err(error).with_context(|| path.display().to_string()),
    }
}

fn open_spool(config: &Config, data_dir: &Path) -> Result<(Spool, Replay)> {
    let options = interline_spool::Options {
        durability: match config.billing.durability {
            Durability::Fsync => interline_spool::Durability::Fsync,
            Durability::Buffered => interline_spool::Durability::Buffered,
        },
        ..interline_spool::Options::new(data_dir.join("spool"))
    };
    let (spool, replay) = Spool::open(options).context("the usage spool cannot be opened")?;
    for damage in &replay.damage {
        tracing::error!(?damage, "the spool is damaged; the file was set aside");
    }
    Ok((spool, replay))
}
