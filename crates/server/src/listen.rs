//! The accept loop: one listener, HTTP/1.1, `TCP_NODELAY` always, drained on shutdown.

use axum::response::Response;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use socket2::{Domain, Protocol, Socket, Type};
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tower::Service;

/// Connections waiting to be accepted. Bursts of thousands must not be refused.
const BACKLOG: i32 = 4_096;
/// The read buffer of a connection, and so the largest head.
const MIN_BUFFER_BYTES: usize = 8 * 1024;

/// Bounds of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    pub header_timeout: Duration,
    pub max_head_bytes: usize,
    pub max_head_fields: usize,
    /// How long running requests may take to finish after `stop`.
    pub drain: Duration,
}

/// Binds an address. A port that is taken is an error that names the way out.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Serves until `stop` resolves, then lets running requests finish, up to the drain deadline.
pub async fn serve<S>(
    listener: TcpListener,
    routes: S,
    bounds: Bounds,
    stop: impl Future<Output = ()>,
) where
    S: Service<Request<Incoming>, Response = Response, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send + 'static,
{
    let (stopping, stopped) = watch::channel(false);
    // Every connection holds a receiver of this: when all are gone, the drain is over.
    let (alive, _) = watch::channel(());
    tokio::pin!(stop);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
        };
        let (socket, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of descriptors, mostly: wait for some to come back rather than spin.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            }
        };
        if let Err(error) = socket.set_nodelay(true) {
            tracing::debug!(%error, %peer, "TCP_NODELAY could not be set");
        }
        let service = TowerToHyperService::new(routes.clone());
        let mut stopped = stopped.clone();
        let alive = alive.subscribe();
        tokio::spawn(async move {
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(bounds.header_timeout)
                .max_buf_size(bounds.max_head_bytes.max(MIN_BUFFER_BYTES))
                .max_headers(bounds.max_head_fields)
                .serve_connection(TokioIo::new(socket), service);
            tokio::pin!(connection);
            // The guard that `wait_for` answers with must not live across an await.
            let told_to_stop = async { drop(stopped.wait_for(|stopping| *stopping).await) };
            let ended = tokio::select! {
                ended = connection.as_mut() => ended,
                () = told_to_stop => {
                    connection.as_mut().graceful_shutdown();
                    connection.as_mut().await
                }
            };
            if let Err(error) = ended {
                tracing::trace!(%error, %peer, "connection ended");
            }
            drop(alive);
        });
    }
    drop(listener);
    let _ = stopping.send(true);
    if tokio::time::timeout(bounds.drain, alive.closed())
        .await
        .is_err()
    {
        tracing::warn!("some requests were still running when the drain deadline passed");
    }
}
