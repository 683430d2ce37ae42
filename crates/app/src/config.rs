//! Configuration: defaults, then the file, then the environment, then flags; read once.
//!
//! Mistakes are reported together, with the file and the line where there is one. An unknown key
//! or an unknown `INTERLINE__…` variable is a mistake, not something to be ignored.

use anyhow::{Context, Result, bail};
use interline_domain::catalogue::distance;
use interline_providers::{EndpointEntry, ModelEntry, Overlay, ProviderEntry};
use serde_derive::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// Everything an operator can set. `interline config schema` prints this with its defaults.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) server: Server,
    pub(crate) database: Database,
    pub(crate) ephemeral: Ephemeral,
    pub(crate) analytics: Analytics,
    pub(crate) billing: Billing,
    pub(crate) routing: Routing,
    pub(crate) limits: Limits,
    #[serde(skip_serializing)]
    pub(crate) providers: Vec<ProviderEntry>,
    #[serde(skip_serializing)]
    pub(crate) models: Vec<ModelEntry>,
    #[serde(skip_serializing)]
    pub(crate) endpoints: Vec<EndpointEntry>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Mode {
    /// Demo models, discovery of local servers, lenient defaults.
    #[default]
    Dev,
    /// No demo, no discovery, strict defaults.
    Production,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Server {
    /// Address of the API.
    pub(crate) listen: SocketAddr,
    /// How clients reach it, for links.
    pub(crate) public_url: Option<String>,
    /// Label of this deployment.
    pub(crate) region: String,
    /// Address of metrics and debug pages: no keys, so loopback.
    pub(crate) operator_listen: SocketAddr,
    /// `dev`: demo models, local servers are found. `production`: neither.
    pub(crate) mode: Mode,
    /// Look for local model servers on loopback. Default: on in dev mode.
    pub(crate) discovery: Option<bool>,
    /// `builtin`, `none`, or a directory in the catalogue's format.
    pub(crate) catalogue: String,
    /// How long running requests may take to finish on shutdown, in milliseconds.
    pub(crate) drain_ms: u64,
    /// Threads that serve requests; 0: one per core.
    pub(crate) workers: usize,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            public_url: None,
            region: "local".into(),
            operator_listen: SocketAddr::from(([127, 0, 0, 1], 9464)),
            mode: Mode::Dev,
            discovery: None,
            catalogue: "builtin".into(),
            drain_ms: 600_000,
            workers: 0,
        }
    }
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Database {
    /// `sqlite://path` or `postgres://…`. Default: `interline.db` in the data directory.
    pub(crate) url: Option<String>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Ephemeral {
    /// `memory`.
    pub(crate) url: String,
}

impl Default for Ephemeral {
    fn default() -> Self {
        Self {
            url: "memory".into(),
        }
    }
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Analytics {
    /// `database`.
    pub(crate) url: String,
}

impl Default for Analytics {
    fn default() -> Self {
        Self {
            url: "database".into(),
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Durability {
    /// A crash of the machine loses nothing.
    #[default]
    Fsync,
    /// A crash of the process loses nothing.
    Buffered,
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Billing {
    /// Share of a purchase, such as `5.5%`. Purchases come with payments; kept for them.
    pub(crate) top_up_fee: Option<String>,
    /// Share of what a call on the caller's own key would have cost. Kept for such keys.
    pub(crate) byok_fee: Option<String>,
    /// `false`: metering only. Default: what the first run stored.
    pub(crate) require_credits: Option<bool>,
    /// `fsync`: a crash of the machine loses nothing. `buffered`: a crash of the process.
    pub(crate) durability: Durability,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Routing {
    /// To the head of an answer, and from there to its first token, in milliseconds.
    pub(crate) first_byte_timeout_ms: u64,
    /// The same for models that reason. Default: 300,000, and at least the plain one.
    pub(crate) reasoning_first_byte_timeout_ms: Option<u64>,
    /// Between two events of a stream, in milliseconds.
    pub(crate) idle_timeout_ms: u64,
    /// From the request to the end of its answer, in milliseconds.
    pub(crate) total_timeout_ms: u64,
    /// TCP and TLS to a provider, in milliseconds.
    pub(crate) connect_timeout_ms: u64,
    /// Name look-up, in milliseconds.
    pub(crate) dns_timeout_ms: u64,
    /// Silence after which a comment is sent to a streaming client, in milliseconds.
    pub(crate) comment_interval_ms: u64,
    /// How long the head of a stream is held back for a failure's own status, in milliseconds.
    pub(crate) head_grace_ms: u64,
}

impl Default for Routing {
    fn default() -> Self {
        Self {
            first_byte_timeout_ms: 60_000,
            reasoning_first_byte_timeout_ms: None,
            idle_timeout_ms: 120_000,
            total_timeout_ms: 30 * 60 * 1_000,
            connect_timeout_ms: 5_000,
            dns_timeout_ms: 1_000,
            comment_interval_ms: 10_000,
            head_grace_ms: 10_000,
        }
    }
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Limits {
    /// Largest inference body, in MiB.
    pub(crate) max_body_mib: usize,
    /// Requests running at once; more are shed before their body is read.
    pub(crate) max_running: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_body_mib: 64,
            max_running: 20_000,
        }
    }
}

/// A configuration with where it came from.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) config: Config,
    /// Dotted key to origin: `file`, an environment variable's name, or `flag`.
    pub(crate) origins: BTreeMap<String, String>,
    pub(crate) file: Option<PathBuf>,
    /// Things worth saying that stop nothing.
    pub(crate) warnings: Vec<String>,
}

/// Variables that are not keys of the file.
const OTHER_VARIABLES: &[&str] = &[
    "INTERLINE_CONFIG",
    "INTERLINE_DATA_DIR",
    "INTERLINE_LOG",
    "INTERLINE_MASTER_KEY",
    "INTERLINE_MASTER_KEY_FILE",
    "INTERLINE_BOOTSTRAP_KEY",
    "INTERLINE_BOOTSTRAP_KEY_FILE",
    "INTERLINE_BOOTSTRAP_MANAGEMENT_KEY",
    "INTERLINE_BOOTSTRAP_MANAGEMENT_KEY_FILE",
    "INTERLINE_BOOTSTRAP_CREDITS",
    "INTERLINE_BOOTSTRAP_CREDITS_FILE",
    "INTERLINE_OWNER_EMAIL",
    "INTERLINE_OWNER_EMAIL_FILE",
    "INTERLINE_OWNER_PASSWORD",
    "INTERLINE_OWNER_PASSWORD_FILE",
];

/// Reads the file (if any), lays `variables` over it, and parses the result.
pub(crate) fn load(file: Option<&Path>, variables: &BTreeMap<String, String>) -> Result<Loaded> {
    let mut origins = BTreeMap::new();
    let mut table = Table::new();
    if let Some(path) = file {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("the configuration file {} cannot be read", path.display()))?;
        // Parsed alone first: errors then carry the file's own lines.
        let parsed: Result<Config, _> = toml::from_str(&text);
        if let Err(error) = parsed {
            bail!("{}:\n{error}", path.display());
        }
        table = toml::from_str(&text).context("the configuration is not TOML")?;
        note_origins("", &table, "file", &mut origins);
    }
    let mut mistakes = Vec::new();
    let mut warnings = Vec::new();
    for (name, value) in variables {
        if let Some(path) = name.strip_prefix("INTERLINE__") {
            match set_from_variable(&mut table, path, name, value) {
                Ok(key) => {
                    origins.insert(key, name.clone());
                }
                Err(mistake) => mistakes.push(mistake),
            }
        } else if name.starts_with("INTERLINE_") && !OTHER_VARIABLES.contains(&name.as_str()) {
            warnings.push(format!("{name} is not a variable of Interline: ignored"));
        }
    }
    if !mistakes.is_empty() {
        bail!("{}", mistakes.join("\n"));
    }
    let config: Config = Value::Table(table)
        .try_into()
        .context("the environment (INTERLINE__…) sets something of the wrong type")?;
    config.check()?;
    Ok(Loaded {
        config,
        origins,
        file: file.map(Path::to_path_buf),
        warnings,
    })
}

impl Config {
    /// What cannot be said by types. All mistakes at once.
    fn check(&self) -> Result<()> {
        let mut mistakes = Vec::new();
        if self.ephemeral.url != "memory" {
            mistakes.push("ephemeral.url: only \"memory\" is served by this version".to_owned());
        }
        if self.analytics.url != "database" {
            mistakes.push("analytics.url: only \"database\" is served by this version".to_owned());
        }
        let routing = &self.routing;
        for (name, value) in [
            ("first_byte_timeout_ms", routing.first_byte_timeout_ms),
            ("idle_timeout_ms", routing.idle_timeout_ms),
            ("total_timeout_ms", routing.total_timeout_ms),
            ("connect_timeout_ms", routing.connect_timeout_ms),
            ("comment_interval_ms", routing.comment_interval_ms),
        ] {
            if value == 0 {
                mistakes.push(format!(
                    "routing.{name}: 0 would give up at once; use 1 or more"
                ));
            }
        }
        if self.limits.max_body_mib == 0 {
            mistakes.push("limits.max_body_mib: 0 would refuse every request".to_owned());
        }
        if mistakes.is_empty() {
            Ok(())
        } else {
            bail!("{}", mistakes.join("\n"))
        }
    }

    pub(crate) fn has_discovery(&self) -> bool {
        self.server.mode == Mode::Dev && self.server.discovery.unwrap_or(true)
    }

    pub(crate) fn has_demo(&self) -> bool {
        self.server.mode == Mode::Dev
    }

    pub(crate) fn public_url(&self) -> String {
        self.server
            .public_url
            .clone()
            .unwrap_or_else(|| format!("http://{}", self.server.listen))
    }

    /// The operator's additions to the catalogue.
    pub(crate) fn take_overlay(&mut self) -> Overlay {
        Overlay {
            providers: std::mem::take(&mut self.providers),
            models: std::mem::take(&mut self.models),
            endpoints: std::mem::take(&mut self.endpoints),
            ..Overlay::default()
        }
    }
}

fn note_origins(prefix: &str, table: &Table, origin: &str, origins: &mut BTreeMap<String, String>) {
    for (key, value) in table {
        let path = if prefix.is_empty() {
            key.clone()
        } else {
            format!("{prefix}.{key}")
        };
        match value {
            Value::Table(inner) => note_origins(&path, inner, origin, origins),
            _ => {
                origins.insert(path, origin.to_owned());
            }
        }
    }
}

/// `SERVER__LISTEN` to `server.listen`. The sections are checked here so that a mistyped name is
/// answered with the nearest one.
fn set_from_variable(
    table: &mut Table,
    path: &str,
    name: &str,
    text: &str,
) -> Result<String, String> {
    let lower = path.to_ascii_lowercase();
    let known = known_keys();
    let parts: Vec<&str> = lower.split("__").collect();
    let [section, key] = parts.as_slice() else {
        return Err(format!("{name}: expected INTERLINE__SECTION__KEY"));
    };
    let dotted = format!("{section}.{key}");
    if !known.contains(&dotted) {
        let nearest = known
            .iter()
            .min_by_key(|candidate| distance(candidate.as_bytes(), dotted.as_bytes()));
        let hint = nearest.map(|key| {
            format!(
                " Did you mean INTERLINE__{}?",
                key.to_ascii_uppercase().replace('.', "__")
            )
        });
        return Err(format!(
            "{name}: there is no setting {dotted}.{}",
            hint.unwrap_or_default()
        ));
    }
    // A value that is TOML (a number, a boolean) keeps its type; anything else is a string.
    let value = toml::from_str::<Table>(&format!("value = {text}"))
        .ok()
        .and_then(|mut parsed| parsed.remove("value"))
        .unwrap_or_else(|| Value::String(text.to_owned()));
    let entry = table
        .entry((*section).to_owned())
        .or_insert_with(|| Value::Table(Table::new()));
    let Value::Table(inner) = entry else {
        return Err(format!("{name}: `{section}` is not a section"));
    };
    inner.insert((*key).to_owned(), value);
    Ok(dotted)
}

/// Every `section.key`, from the defaults. Optional keys serialise to nothing, so they are named.
fn known_keys() -> Vec<String> {
    let mut keys: Vec<String> = [
        "server.public_url",
        "server.discovery",
        "database.url",
        "billing.top_up_fee",
        "billing.byok_fee",
        "billing.require_credits",
        "routing.reasoning_first_byte_timeout_ms",
    ]
    .map(str::to_owned)
    .to_vec();
    if let Ok(Value::Table(table)) = Value::try_from(Config::default()) {
        let mut origins = BTreeMap::new();
        note_origins("", &table, "default", &mut origins);
        keys.extend(origins.into_keys());
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(variables: &[(&str, &str)]) -> Result<Loaded> {
        let variables = variables
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        load(None, &variables)
    }

    #[test]
    fn the_environment_wins_and_keeps_types() {
        let loaded = with(&[
            ("INTERLINE__SERVER__LISTEN", "0.0.0.0:9000"),
            ("INTERLINE__SERVER__DISCOVERY", "false"),
            ("INTERLINE__ROUTING__IDLE_TIMEOUT_MS", "250"),
            ("INTERLINE__BILLING__TOP_UP_FEE", "5.5%"),
        ])
        .unwrap();
        assert_eq!(loaded.config.server.listen.port(), 9000);
        assert_eq!(loaded.config.server.discovery, Some(false));
        assert_eq!(loaded.config.routing.idle_timeout_ms, 250);
        assert_eq!(loaded.config.billing.top_up_fee.as_deref(), Some("5.5%"));
    }

    #[test]
    fn mistakes_are_named_with_the_nearest_setting() {
        let error = with(&[("INTERLINE__SERVER__LISTN", "x")])
            .unwrap_err()
            .to_string();
        assert!(error.contains("INTERLINE__SERVER__LISTEN"), "{error}");
        assert!(with(&[("INTERLINE__SERVER__LISTEN", "nowhere")]).is_err());
        assert!(with(&[("INTERLINE__ROUTING__IDLE_TIMEOUT_MS", "0")]).is_err());
        let loaded = with(&[("INTERLINE_SOMETHING", "x")]).unwrap();
        assert_eq!(
            loaded.warnings.len(),
            1,
            "a stray variable is only a warning"
        );
    }

    #[test]
    fn the_example_states_the_defaults_and_names_every_setting() {
        let text = include_str!("../../../config.example.toml");
        let as_it_stands: Config = toml::from_str(text).unwrap();
        assert!(as_it_stands.providers.is_empty());
        let settings = |config| Value::try_from(config).unwrap();
        assert_eq!(settings(as_it_stands), settings(Config::default()));

        // `#key = …` is a setting that is off, `# …` is prose.
        let is_off = |line: &str| line.starts_with('#') && !line[1..].starts_with(' ');
        let switched_on: String = text
            .lines()
            .flat_map(|line| [if is_off(line) { &line[1..] } else { line }, "\n"])
            .collect();
        let config: Config = toml::from_str(&switched_on).unwrap();
        config.check().unwrap();
        assert!(config.providers.len() > 1 && !config.models.is_empty());
        let mut named = BTreeMap::new();
        note_origins("", &toml::from_str(&switched_on).unwrap(), "", &mut named);
        for key in known_keys() {
            assert!(
                named.contains_key(&key),
                "config.example.toml does not name {key}"
            );
        }
    }
}
