//! A running simulated provider: the port, its connections, and the handle that tests hold.

mod serve;

use crate::dialect::Dialect;
use crate::log::{Entry, Log};
use crate::script::Script;
use crate::socket::{Ending, Socket};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use parking_lot::{Mutex, RwLock};
use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

const BACKLOG: u32 = 4096;
/// After an accept failed (no file descriptors left), so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// Why a simulated provider cannot start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot listen on {address}")]
    Listen {
        address: SocketAddr,
        source: std::io::Error,
    },
}

/// Starts simulated providers.
#[derive(Debug)]
pub struct Sim;

/// A running simulated provider. It ends when this is dropped.
#[derive(Debug)]
pub struct Handle {
    address: SocketAddr,
    state: Arc<State>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct State {
    script: RwLock<Arc<Script>>,
    /// Tells the accept loop of a new script.
    changed: watch::Sender<u64>,
    log: Arc<Log>,
    requests: AtomicU64,
    connections: AtomicU64,
    by_model: Mutex<HashMap<String, u64>>,
}

impl Sim {
    /// Listens on a free port of the loopback address. Needs a tokio runtime with I/O and time.
    pub async fn start(script: Script) -> Result<Handle, Error> {
        Self::start_on(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), script).await
    }

    /// Listens on `address`; port 0 means any.
    #[expect(clippy::unused_async, reason = "says that a runtime is needed")]
    pub async fn start_on(address: SocketAddr, script: Script) -> Result<Handle, Error> {
        let listen_error = |source| Error::Listen { address, source };
        let listener = listen(address).map_err(listen_error)?;
        let address = listener.local_addr().map_err(listen_error)?;
        let state = Arc::new(State {
            script: RwLock::new(Arc::new(script)),
            changed: watch::Sender::new(0),
            log: Log::new(),
            requests: AtomicU64::new(0),
            connections: AtomicU64::new(0),
            by_model: Mutex::default(),
        });
        let task = tokio::spawn(accept(listener, address, Arc::clone(&state)));
        Ok(Handle {
            address,
            state,
            task,
        })
    }
}

impl Handle {
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// What a provider of this dialect has as its base URL: `http://127.0.0.1:9101/v1`.
    pub fn base_url(&self, dialect: Dialect) -> String {
        format!("http://{}{}", self.address, dialect.base_path())
    }

    /// The requests kept, oldest first.
    pub fn log(&self) -> Vec<Entry> {
        self.state.log.entries()
    }

    /// Milliseconds on the log's clock.
    pub fn now_ms(&self) -> u64 {
        self.state.log.now_ms()
    }

    pub fn script(&self) -> Arc<Script> {
        self.state.script()
    }

    /// Takes effect with the next request; running answers keep their script.
    pub fn set_script(&self, script: Script) {
        self.state.set_script(script);
    }

    /// Forgets the log and counts requests from 1 again.
    pub fn reset(&self) {
        self.state.reset();
    }

    /// Closes the port and all connections.
    pub async fn shutdown(mut self) {
        self.task.abort();
        // The only error is our own abort.
        let _ = (&mut self.task).await;
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl State {
    fn script(&self) -> Arc<Script> {
        Arc::clone(&self.script.read())
    }

    fn set_script(&self, script: Script) {
        *self.script.write() = Arc::new(script);
        self.changed.send_modify(|version| *version += 1);
    }

    fn reset(&self) {
        self.log.clear();
        self.requests.store(0, Ordering::Relaxed);
        self.by_model.lock().clear();
    }

    /// The number of this request among all, and among those of `model`.
    fn count(&self, model: &str) -> (u64, u64) {
        let number = self.requests.fetch_add(1, Ordering::Relaxed) + 1;
        let mut by_model = self.by_model.lock();
        let of_model = by_model.entry(model.to_owned()).or_default();
        *of_model += 1;
        (number, *of_model)
    }
}

fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

async fn accept(listener: TcpListener, address: SocketAddr, state: Arc<State>) {
    let mut listener = Some(listener);
    let mut connections = JoinSet::new();
    let mut changed = state.changed.subscribe();
    loop {
        let script = state.script();
        if script.refused {
            listener = None;
            connections.abort_all();
            stay_closed(script.refused_for_ms, &mut changed).await;
            if script.refused_for_ms.is_some() && Arc::ptr_eq(&script, &state.script()) {
                state.set_script(Script {
                    refused: false,
                    ..Script::clone(&script)
                });
            }
            continue;
        }
        let Some(open) = &listener else {
            listener = listen(address).ok();
            if listener.is_none() {
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
            continue;
        };
        tokio::select! {
            accepted = open.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(converse(stream, Arc::clone(&state)));
                }
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            },
            _ = changed.changed() => {}
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn stay_closed(for_ms: Option<u64>, changed: &mut watch::Receiver<u64>) {
    changed.mark_unchanged();
    match for_ms {
        Some(for_ms) => {
            let _ = tokio::time::timeout(Duration::from_millis(for_ms), changed.changed()).await;
        }
        None => {
            let _ = changed.changed().await;
        }
    }
}

async fn converse(stream: TcpStream, state: Arc<State>) {
    // Small chunks must not wait for acknowledgements.
    let _ = stream.set_nodelay(true);
    let ending = Arc::new(Ending::default());
    let socket = Socket::new(stream, Arc::clone(&ending));
    let connection = state.connections.fetch_add(1, Ordering::Relaxed) + 1;
    let service = service_fn(|request| {
        serve::request(Arc::clone(&state), Arc::clone(&ending), connection, request)
    });
    // An error here is a client that left or a script that cut; the log knows which.
    let _ = http1::Builder::new()
        .serve_connection(socket, service)
        .await;
}

#[cfg(test)]
mod tests;
