//! The node under test: a process with its own data directory, which can be killed, stopped and
//! started again.

use super::{Blueprint, Books, Client, eventually, ledger};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const KEY: &str = "sk-il-v1-0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const READY_WITHIN: Duration = Duration::from_secs(20);
const STOPPED_WITHIN: Duration = Duration::from_secs(30);

/// A node, its home and a client of it.
pub(crate) struct World {
    pub(crate) client: Client,
    pub(crate) address: SocketAddr,
    blueprint: Blueprint,
    home: TempDir,
    child: Option<Child>,
}

impl World {
    /// Writes the configuration and starts the node; returns once it is ready.
    pub(crate) async fn start(blueprint: Blueprint) -> Self {
        let home = TempDir::with_prefix("interline-it-").expect("a temporary directory");
        let (address, operator) = (free_address(), free_address());
        let text = blueprint.text(&address.to_string(), &operator.to_string());
        std::fs::write(home.path().join("interline.toml"), text).expect("a configuration file");
        let client = Client::new(address, KEY);
        let mut world = Self {
            client,
            address,
            blueprint,
            home,
            child: None,
        };
        world.start_again().await;
        world
    }

    /// A process on the same data directory. Returns how long it took to be ready.
    pub(crate) async fn start_again(&mut self) -> Duration {
        let began = Instant::now();
        self.client = Client::new(self.address, KEY);
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.log())
            .expect("a log file");
        let mut command = match self.blueprint.ignored_signal {
            None => Command::new(binary()),
            Some(signal) => {
                let mut shell = Command::new("sh");
                shell
                    .arg("-c")
                    .arg(format!("trap '' {signal}; exec \"$0\" \"$@\""))
                    .arg(binary());
                shell
            }
        };
        self.prepare(command.arg("serve"));
        command
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a log file"))
            .stderr(log);
        self.child = Some(command.spawn().expect("the binary starts"));
        while began.elapsed() < READY_WITHIN {
            if let Ok(Some(status)) = self.child().try_wait() {
                panic!("the node ended with {status}:\n{}", self.log_tail());
            }
            let request =
                self.client
                    .request(http::Method::GET, "/health/ready", bytes::Bytes::new());
            if self
                .client
                .try_send(request)
                .await
                .is_some_and(|answer| answer.status == 200)
            {
                return began.elapsed();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the node was not ready in time:\n{}", self.log_tail());
    }

    fn prepare(&self, command: &mut Command) {
        command
            .arg("--config")
            .arg(self.home.path().join("interline.toml"))
            .arg("--data-dir")
            .arg(self.home.path().join("data"))
            // Keys of the machine's own environment must not become providers of a test.
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("INTERLINE_LOG", "warn")
            .env("INTERLINE_BOOTSTRAP_KEY", KEY)
            .current_dir(self.home.path());
        if let Some(credits) = self.blueprint.credits {
            command.env("INTERLINE_BOOTSTRAP_CREDITS", credits);
        }
    }

    /// Runs another command of the binary on the same data: its exit code and what it printed.
    pub(crate) fn run(&self, arguments: &[&str]) -> (i32, String) {
        let mut command = Command::new(binary());
        command.args(arguments);
        self.prepare(&mut command);
        let output = command
            .stdin(Stdio::null())
            .output()
            .expect("the binary starts");
        let code = output.status.code().unwrap_or(-1);
        if !output.stderr.is_empty() && code != 0 {
            eprintln!("{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        }
        (code, String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// The same, when it must succeed and print JSON.
    pub(crate) fn run_json(&self, arguments: &[&str]) -> Value {
        let (code, out) = self.run(arguments);
        assert_eq!(code, 0, "{arguments:?}: {out}");
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {out}"))
    }

    fn child(&mut self) -> &mut Child {
        self.child.as_mut().expect("the node runs")
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(self.child.as_ref().expect("the node runs"))
    }

    /// The end no process can prepare for.
    pub(crate) fn kill(&mut self) {
        let mut child = self.child.take().expect("the node runs");
        child.kill().expect("it is our child");
        child.wait().expect("it is our child");
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("it is our child");
    }

    /// Waits for the node to end by itself.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        let began = Instant::now();
        loop {
            if let Ok(Some(status)) = self.child().try_wait() {
                self.child = None;
                return status;
            }
            assert!(
                began.elapsed() < STOPPED_WITHIN,
                "it does not stop:\n{}",
                self.log_tail()
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.home.path().join("data").join("interline.db")
    }

    /// What the ledger holds right now.
    pub(crate) async fn books(&self) -> Books {
        ledger::read(&self.database()).await
    }

    /// The books once these generations are in them.
    pub(crate) async fn books_with<'a>(&self, ids: impl IntoIterator<Item = &'a String>) -> Books {
        let ids: Vec<&String> = ids.into_iter().collect();
        eventually("the charges are posted", async || {
            let books = self.books().await;
            ids.iter().all(|id| books.is_posted(id)).then_some(books)
        })
        .await
    }

    /// Stops the node the polite way, proves that the ledger adds up, and reads it.
    pub(crate) async fn finish(mut self) -> Books {
        self.signal(Signal::TERM);
        let status = self.ended().await;
        assert!(
            status.success(),
            "it stopped with {status}:\n{}",
            self.log_tail()
        );
        self.audit();
        self.books().await
    }

    /// `ledger audit`: everything adds up.
    pub(crate) fn audit(&self) -> Value {
        let (code, out) = self.run(&["ledger", "audit", "--json"]);
        let audit: Value = serde_json::from_str(&out).expect("the audit is JSON");
        assert!(
            code == 0 && audit["ok"] == true,
            "the ledger does not add up ({code}): {out}"
        );
        audit
    }

    fn log(&self) -> PathBuf {
        self.home.path().join("node.log")
    }

    pub(crate) fn log_tail(&self) -> String {
        let text = std::fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the node's log ends:\n{}\n---", self.log_tail());
        }
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn binary() -> PathBuf {
    std::env::var_os("INTERLINE_TEST_BIN").map_or_else(
        || Path::new(env!("CARGO_BIN_EXE_interline")).to_path_buf(),
        PathBuf::from,
    )
}

fn free_address() -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port on loopback");
    listener.local_addr().expect("an address")
}
