//! The command line: every verb with its options, and the small languages of their values.

use crate::logging;
use clap::{Args, Parser, Subcommand, ValueEnum};
use interline_domain::Money;
use interline_store::LimitReset;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// One OpenAI-compatible API in front of every LLM provider.
#[derive(Debug, Parser)]
#[command(
    name = "interline",
    version,
    propagate_version = true,
    after_help = "Examples:\n  interline serve\n  interline keys create --name laptop --limit 5/day\n\n\
                  Exit codes: 0 done, 1 failed, 2 usage, 3 configuration, 4 not authorised, \
                  5 not found or conflict, 6 unavailable, 130 interrupted"
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// Options of every verb.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Everywhere")]
pub(crate) struct Global {
    /// Configuration file [default: ./interline.toml if it is there; env: `INTERLINE_CONFIG`]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Database, spool and master key [default: ./data; env: `INTERLINE_DATA_DIR`]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Print the result as JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Print the result and nothing else
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    /// Colours; `NO_COLOR` is obeyed
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: Colour,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Colour {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Run the server
    #[command(after_help = "Examples:\n  interline serve\n  \
        interline serve --listen 0.0.0.0:8080 --mode production --log-format json")]
    Serve(Serve),
    /// Write a configuration file and prepare the data directory, without serving
    #[command(after_help = "Examples:\n  interline init\n  \
        interline init --config /etc/interline.toml --data-dir /var/lib/interline")]
    Init(Init),
    /// Check configuration, disk, database, ports and providers, and say what to do
    #[command(after_help = "Examples:\n  interline doctor\n  interline doctor --offline --json")]
    Doctor(Doctor),
    /// The configuration as it takes effect
    #[command(subcommand)]
    Config(ConfigVerb),
    /// API keys of the owner's account
    #[command(subcommand)]
    Keys(KeysVerb),
    /// Credit of accounts
    #[command(subcommand)]
    Credits(CreditsVerb),
    /// The double-entry ledger
    #[command(subcommand)]
    Ledger(LedgerVerb),
    /// Models, endpoints and prices as data
    #[command(subcommand)]
    Catalogue(CatalogueVerb),
    /// Providers and their keys
    #[command(subcommand)]
    Providers(ProvidersVerb),
    /// Models and where they run
    #[command(subcommand)]
    Models(ModelsVerb),
    /// Run a simulated provider
    #[command(after_help = "Examples:\n  interline sim\n  \
        interline sim --listen 127.0.0.1:9200 --script flaky.toml")]
    Sim(Sim),
    /// Measure this binary beside a proxy that does nothing
    #[command(after_help = "Examples:\n  interline bench --quick\n  \
        interline bench --area requests,events --repetitions 7 --gate first --json")]
    Bench(Bench),
    /// Print the version
    #[command(after_help = "Examples:\n  interline version\n  interline version --json")]
    Version,
    /// A process of a benchmark.
    #[command(name = interline_bench::CHILD_COMMAND, hide = true)]
    BenchChild {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Address of the API [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<SocketAddr>,
    /// Parts of the server to run; this version runs all of them in one process
    #[arg(
        long,
        value_name = "LIST",
        value_delimiter = ',',
        default_value = "gateway,control,jobs"
    )]
    pub(crate) role: Vec<Role>,
    /// dev: demo models, local servers are found. production: neither
    #[arg(long)]
    pub(crate) mode: Option<Mode>,
    /// How log lines look
    #[arg(long, value_name = "FORMAT", default_value = "pretty")]
    pub(crate) log_format: logging::Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    Gateway,
    Control,
    Jobs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mode {
    Dev,
    Production,
}

#[derive(Debug, Args)]
pub(crate) struct Init {
    /// Say what would be written, and write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// Call no provider
    #[arg(long)]
    pub(crate) offline: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigVerb {
    /// Print every setting, secrets redacted
    #[command(after_help = "Examples:\n  interline config show\n  interline config show --origin")]
    Show {
        /// Say where each value came from
        #[arg(long)]
        origin: bool,
    },
    /// Read the configuration and the catalogue, and report all mistakes
    #[command(after_help = "Examples:\n  interline config check\n  \
        interline config check --config candidate.toml --json")]
    Check,
    /// Print all settings there are, with their defaults and meaning
    #[command(after_help = "Examples:\n  interline config schema\n  \
        interline config schema > interline.toml")]
    Schema,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeysVerb {
    /// Make a key; its secret is printed once
    #[command(
        after_help = "Examples:\n  interline keys create --name laptop --limit 5/day\n  \
        KEY=$(interline keys create --quiet)"
    )]
    Create(CreateKey),
    /// List keys; their secrets are not kept
    #[command(after_help = "Examples:\n  interline keys list\n  interline keys list --json")]
    List,
    /// Switch a key off for good
    #[command(
        after_help = "Examples:\n  interline keys revoke sk-il-v1-4c1...9d2\n  \
        interline keys revoke 3f9a0c --yes"
    )]
    Revoke {
        /// The key's hash, the beginning of it, or its label
        #[arg(value_name = "HASH_OR_LABEL")]
        key: String,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct CreateKey {
    /// What it is for
    #[arg(long, default_value = "command line")]
    pub(crate) name: String,
    /// Dollars it may spend: 5/day, 20/week, 100/month, or 5 for good
    #[arg(long, value_parser = parse_limit)]
    pub(crate) limit: Option<Limit>,
    /// How long it works: 90d, 12h, 30m
    #[arg(long, value_name = "SPAN", value_parser = parse_span)]
    pub(crate) expires: Option<Duration>,
    /// A key for managing keys and credit; it cannot send prompts
    #[arg(long)]
    pub(crate) management: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CreditsVerb {
    /// Give credit to an account
    #[command(
        allow_missing_positional = true,
        after_help = "Examples:\n  interline credits grant 25.00\n  \
            interline credits grant acct_owner 100 --note 'March' --id grant-2026-03"
    )]
    Grant {
        /// The owner's account if left out
        account: Option<String>,
        /// Dollars
        #[arg(value_parser = parse_amount)]
        amount: Money,
        /// What it is for
        #[arg(long, default_value = "")]
        note: String,
        /// Name of the grant: the same name again changes nothing
        #[arg(long)]
        id: Option<String>,
    },
    /// Print what an account has and has used
    #[command(after_help = "Examples:\n  interline credits balance\n  \
        interline credits balance acct_owner --json")]
    Balance {
        /// The owner's account if left out
        account: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum LedgerVerb {
    /// Add everything up; ends with 1 if it does not
    #[command(after_help = "Examples:\n  interline ledger audit\n  interline ledger audit --json")]
    Audit,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CatalogueVerb {
    /// Report mistakes and gaps of a catalogue
    #[command(after_help = "Examples:\n  interline catalogue check\n  \
        interline catalogue check ./catalogue --json")]
    Check {
        /// A directory, or `builtin`
        #[arg(default_value = "builtin")]
        source: String,
    },
    /// Turn JSON tables, or a gateway's model list, into a catalogue directory
    #[command(
        after_help = "Examples:\n  interline catalogue import ./tables ./catalogue --dry-run\n  \
        interline catalogue import models.json ./catalogue --provider acme"
    )]
    Import {
        /// A directory with providers.json, models.json and endpoints.json, or a model list
        from: PathBuf,
        /// The catalogue directory to write
        to: PathBuf,
        /// Whose model list it is, if FROM is one
        #[arg(long, value_name = "SLUG")]
        provider: Option<String>,
        /// Show the difference and write nothing
        #[arg(long)]
        dry_run: bool,
        /// Do not ask before replacing what is there
        #[arg(long, short)]
        yes: bool,
    },
    /// Show what differs between two catalogues
    #[command(
        after_help = "Examples:\n  interline catalogue diff builtin ./catalogue\n  \
        interline catalogue diff ./old ./new --json"
    )]
    Diff {
        /// A directory, or `builtin`
        old: String,
        /// A directory, or `builtin`
        new: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum ProvidersVerb {
    /// List providers, where their keys come from, and how many endpoints are ready
    #[command(after_help = "Examples:\n  interline providers list\n  \
        interline providers list --all --json")]
    List {
        /// Also those without a key
        #[arg(long)]
        all: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum ModelsVerb {
    /// List models that requests can use, with context length and lowest price
    #[command(after_help = "Examples:\n  interline models list\n  \
        interline models list --provider openai --json")]
    List {
        /// Only models of this provider
        #[arg(long, value_name = "SLUG")]
        provider: Option<String>,
        /// Also those nobody here can serve
        #[arg(long)]
        all: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Sim {
    /// Address to listen on; port 0 takes any
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9101")]
    pub(crate) listen: SocketAddr,
    /// What it does, as TOML or JSON [default: it says back what it is told]
    #[arg(long, value_name = "FILE")]
    pub(crate) script: Option<PathBuf>,
    /// Behave like the built-in demo
    #[arg(long, conflicts_with = "script")]
    pub(crate) demo: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// About a minute; a look, not figures to quote
    #[arg(long)]
    pub(crate) quick: bool,
    /// What to measure: requests, events, latency, memory
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = parse_area)]
    pub(crate) area: Vec<interline_bench::Area>,
    /// Measurements of each kind; the median counts
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) repetitions: Option<u32>,
    /// Requests a second where latency is measured
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rate: Option<u32>,
    /// Streams held at once where memory is measured
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub(crate) streams: Vec<u32>,
    /// Time measured each: 3s
    #[arg(long, value_name = "SPAN", value_parser = parse_span)]
    pub(crate) window: Option<Duration>,
    /// End with 1 if a ratio to the floor is exceeded
    #[arg(long)]
    pub(crate) gate: Option<GateName>,
    /// The binary to measure [default: this one]
    #[arg(long, value_name = "FILE")]
    pub(crate) interline: Option<PathBuf>,
    /// Lines to add to the measured server's configuration
    #[arg(long, value_name = "FILE")]
    pub(crate) extra_config: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum GateName {
    /// 2.0 per request, 1.5 per event, 40 KiB per stream
    First,
    /// 1.5 per request, 1.1 per event, 20 KiB per stream
    Goal,
}

/// What a key may spend, and how often that begins anew (`None`: never).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limit {
    pub(crate) amount: Money,
    pub(crate) reset: Option<LimitReset>,
}

/// Reads `5/day`, `$20/week`, `100/month` or `5`.
fn parse_limit(text: &str) -> Result<Limit, String> {
    let (amount, period) = match text.split_once('/') {
        Some((amount, period)) => (amount, Some(period)),
        None => (text, None),
    };
    let amount = parse_amount(amount)?;
    let reset = match period.map(str::trim) {
        None => None,
        Some("day" | "daily" | "d") => Some(LimitReset::Daily),
        Some("week" | "weekly" | "w") => Some(LimitReset::Weekly),
        Some("month" | "monthly" | "m") => Some(LimitReset::Monthly),
        Some(other) => return Err(format!("`{other}` is not day, week or month")),
    };
    Ok(Limit { amount, reset })
}

/// Reads dollars, `$` or not. Zero is no amount.
fn parse_amount(text: &str) -> Result<Money, String> {
    let amount = Money::parse(text.trim().trim_start_matches('$'))
        .map_err(|error| format!("{error}; write dollars such as 25.00"))?;
    if amount <= Money::ZERO {
        return Err("an amount is more than nothing".to_owned());
    }
    Ok(amount)
}

/// Reads `30s`, `15m`, `12h`, `90d`, `2w` or `1y` (365 days).
fn parse_span(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is not a span such as 90d, 12h or 30m");
    let text = text.trim();
    let unit = text.chars().last().ok_or_else(wrong)?;
    let number = text.strip_suffix(unit).ok_or_else(wrong)?;
    let seconds: u64 = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        'w' => 7 * 86_400,
        'y' => 365 * 86_400,
        _ => return Err(wrong()),
    };
    let number: u32 = number.trim().parse().map_err(|_| wrong())?;
    if number == 0 {
        return Err("a span is longer than nothing".to_owned());
    }
    Ok(Duration::from_secs(
        u64::from(number).saturating_mul(seconds),
    ))
}

fn parse_area(text: &str) -> Result<interline_bench::Area, String> {
    interline_bench::Area::from_name(text)
        .ok_or_else(|| format!("`{text}` is not requests, events, latency or memory"))
}

#[cfg(test)]
mod tests;
