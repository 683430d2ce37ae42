//! What is measured: the simulated provider itself, the floor, and Interline.

use crate::Error;
use crate::child::CHILD_COMMAND;
use crate::machine::{self, Cores};
use crate::options::Options;
use serde_derive::Serialize;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A server with an empty database imports and migrates first.
const READY_WITHIN: Duration = Duration::from_mins(1);
const STOP_WITHIN: Duration = Duration::from_secs(5);
const KEY: &str = "sk-or-v1-be0cbe0cbe0cbe0cbe0cbe0cbe0cbe0cbe0cbe0cbe0cbe0cbe0cbe0cbe0cbe0c";

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TargetKind {
    /// The generator talks to the simulated provider: what no gateway can be faster than.
    Direct,
    /// The proxy that does nothing.
    Floor,
    /// `interline serve` with authentication, routing, holds, metering and the durable spool.
    Interline,
}

impl TargetKind {
    pub const ALL: [Self; 3] = [Self::Direct, Self::Floor, Self::Interline];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Floor => "floor",
            Self::Interline => "interline",
        }
    }
}

/// A child process that ends with us.
#[derive(Debug)]
struct Running {
    child: Child,
    what: &'static str,
}

impl Drop for Running {
    fn drop(&mut self) {
        // Closing its standard input ends our own children; a server is asked first.
        drop(self.child.stdin.take());
        if let Some(pid) = i32::try_from(self.child.id())
            .ok()
            .and_then(rustix::process::Pid::from_raw)
        {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        let asked = Instant::now();
        while asked.elapsed() < STOP_WITHIN {
            if matches!(self.child.try_wait(), Ok(Some(_)) | Err(_)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A running target.
#[derive(Debug)]
pub(crate) struct Target {
    pub kind: TargetKind,
    pub address: SocketAddr,
    pub path: &'static str,
    pub model: &'static str,
    pub key: &'static str,
    running: Option<Running>,
    /// Configuration and data of a server; removed with it.
    _home: Option<TempDir>,
}

impl Target {
    /// `None` for `direct`, which is no process of its own.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.running.as_ref().map(|running| running.child.id())
    }
}

/// The simulated provider, shared by all targets.
#[derive(Debug)]
pub(crate) struct Upstream {
    pub address: SocketAddr,
    running: Running,
}

impl Upstream {
    pub(crate) fn start(cores: Option<Cores>) -> Result<Self, Error> {
        let core = cores.map(|cores| cores.generator);
        let (running, address) = own_child(&["sim"], "the simulated provider", core, cores)?;
        Ok(Self { address, running })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.running.child.id()
    }
}

/// Starts a target in front of `upstream`.
pub(crate) fn start(
    kind: TargetKind,
    upstream: SocketAddr,
    options: &Options,
    cores: Option<Cores>,
) -> Result<Target, Error> {
    let plain = |address, running| Target {
        kind,
        address,
        path: "/v1/chat/completions",
        model: "test-large",
        key: KEY,
        running,
        _home: None,
    };
    match kind {
        TargetKind::Direct => Ok(plain(upstream, None)),
        TargetKind::Floor => {
            let core = cores.map(|cores| cores.target);
            let (running, address) =
                own_child(&["floor", &upstream.to_string()], "the floor", core, cores)?;
            Ok(plain(address, Some(running)))
        }
        TargetKind::Interline => interline(upstream, options, cores),
    }
}

/// A child inherits the cores of the thread that starts it.
fn spawn_on(
    core: Option<usize>,
    cores: Option<Cores>,
    command: &mut Command,
) -> std::io::Result<Child> {
    if let Some(core) = core {
        machine::pin(core);
    }
    let child = command.spawn();
    if let Some(cores) = cores {
        machine::pin(cores.generator);
    }
    child
}

fn own_child(
    arguments: &[&str],
    what: &'static str,
    core: Option<usize>,
    cores: Option<Cores>,
) -> Result<(Running, SocketAddr), Error> {
    let start_error = |source| Error::Start { what, source };
    let binary = std::env::current_exe().map_err(start_error)?;
    let mut command = Command::new(binary);
    command
        .arg(CHILD_COMMAND)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let child = spawn_on(core, cores, &mut command).map_err(start_error)?;
    let mut running = Running { child, what };
    let mut line = String::new();
    if let Some(out) = running.child.stdout.take() {
        BufReader::new(out)
            .read_line(&mut line)
            .map_err(start_error)?;
    }
    let address = line.trim().parse().map_err(|_| {
        start_error(std::io::Error::other(format!(
            "it said {line:?} in place of its address"
        )))
    })?;
    Ok((running, address))
}

fn interline(
    upstream: SocketAddr,
    options: &Options,
    cores: Option<Cores>,
) -> Result<Target, Error> {
    const WHAT: &str = "interline serve";
    let start_error = |source| Error::Start { what: WHAT, source };
    let home = TempDir::with_prefix("interline-bench-").map_err(start_error)?;
    let (address, operator) = (
        free_port().map_err(start_error)?,
        free_port().map_err(start_error)?,
    );
    let config = home.path().join("interline.toml");
    let mut text = config_text(address, operator, upstream);
    text.push_str(&options.extra_config);
    std::fs::write(&config, text).map_err(start_error)?;
    let log_path = home.path().join("interline.log");
    let log = File::create(&log_path).map_err(start_error)?;
    let binary = match &options.interline {
        Some(binary) => binary.clone(),
        None => std::env::current_exe().map_err(start_error)?,
    };
    let mut command = Command::new(binary);
    command
        .arg("serve")
        .arg("--config")
        .arg(&config)
        .arg("--data-dir")
        .arg(home.path().join("data"))
        .env("INTERLINE_BOOTSTRAP_KEY", KEY)
        .env("INTERLINE_BOOTSTRAP_CREDITS", "1000000.00")
        .stdin(Stdio::null())
        .stdout(log.try_clone().map_err(start_error)?)
        .stderr(log);
    let core = cores.map(|cores| cores.target);
    let child = spawn_on(core, cores, &mut command).map_err(start_error)?;
    let mut running = Running { child, what: WHAT };
    if !wait_until_ready(&mut running, address) {
        let _ = running.child.kill();
        return Err(Error::NotReady {
            what: running.what,
            log: keep_log(home, log_path),
        });
    }
    Ok(Target {
        kind: TargetKind::Interline,
        address,
        path: "/api/v1/chat/completions",
        model: "acme/test-large",
        key: KEY,
        running: Some(running),
        _home: Some(home),
    })
}

/// What stands in the configuration of the measured server: everything that costs is on.
fn config_text(address: SocketAddr, operator: SocketAddr, upstream: SocketAddr) -> String {
    format!(
        r#"[server]
listen = "{address}"
public_url = "http://{address}"
operator_listen = "{operator}"
mode = "production"
discovery = false
catalogue = "none"

[billing]
require_credits = true
durability = "fsync"

[[providers]]
slug = "alpha"
name = "Alpha"
dialect = "openai-chat"
base_url = "http://{upstream}/v1"
auth = "bearer"
api_key = "bench-upstream-key"
data_policy = {{ training = false, retention_days = 0 }}

[[models]]
id = "acme/test-large"
name = "Acme Test Large"
context_length = 128000
input_modalities = ["text"]
output_modalities = ["text"]

[[endpoints]]
model = "acme/test-large"
provider = "alpha"
upstream_model = "test-large"
pricing = {{ prompt = "0.000001", completion = "0.000002" }}
max_completion_tokens = 8192
supported_parameters = ["temperature", "max_tokens", "stop", "seed"]
"#
    )
}

fn free_port() -> std::io::Result<SocketAddr> {
    TcpListener::bind(("127.0.0.1", 0))?.local_addr()
}

/// The log outlives the directory, or the message that names it would lie.
fn keep_log(home: TempDir, log: PathBuf) -> PathBuf {
    let _ = home.keep();
    log
}

fn wait_until_ready(running: &mut Running, address: SocketAddr) -> bool {
    let started = Instant::now();
    while started.elapsed() < READY_WITHIN {
        if is_ready(address) {
            return true;
        }
        if !matches!(running.child.try_wait(), Ok(None)) {
            return false;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    false
}

fn is_ready(address: SocketAddr) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        write!(
            stream,
            "GET /health/ready HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n"
        )?;
        let mut status = [0; 12];
        stream.read_exact(&mut status)?;
        Ok(status == *b"HTTP/1.1 200")
    };
    ask().unwrap_or(false)
}
