//! Small questions over HTTP: is that us, what is in its queue, does a provider take our key?

use crate::config::Config;
use http::{HeaderMap, Method, StatusCode};
use http_body_util::BodyExt;
use interline_outbound::{Call, Client, Credential, Limits};
use serde_json::Value;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

/// How long a server on this machine has to answer.
const LOCAL: Duration = Duration::from_millis(500);
/// Bytes read of an answer.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// An answer, read to its end.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

/// What a running server owes the ledger.
pub(crate) struct Backlog {
    pub(crate) node: String,
    /// Charges in its spool.
    pub(crate) records: u64,
    /// Requests under way.
    pub(crate) running: u64,
}

pub(crate) fn client(deadline: Duration) -> Client {
    Client::new(&Limits {
        connect_timeout: deadline,
        dns_timeout: deadline,
        ..Limits::default()
    })
}

/// Asks with a deadline for the whole exchange. An error is a short reason.
pub(crate) async fn get(
    client: &Client,
    url: &str,
    headers: &[(&'static str, String)],
    credential: Option<&Credential>,
    deadline: Duration,
) -> Result<Answer, String> {
    let call = Call {
        method: Method::GET,
        url,
        headers,
        body: hyper::body::Bytes::new(),
        credential,
        is_stream: false,
    };
    let exchange = async {
        let answer = client.send(call).await.map_err(|error| error.to_string())?;
        let body = http_body_util::Limited::new(answer.body, MAX_BYTES)
            .collect()
            .await;
        let body = body.map_err(|error| error.to_string())?.to_bytes().to_vec();
        Ok(Answer {
            status: answer.status,
            headers: answer.headers,
            body,
        })
    };
    let late = |_| Err(format!("no answer within {} ms", deadline.as_millis()));
    tokio::time::timeout(deadline, exchange)
        .await
        .unwrap_or_else(late)
}

/// The queue of the server that runs on this data directory, if one does and answers.
pub(crate) async fn backlog(config: &Config, data_dir: &Path) -> Option<Backlog> {
    let own = std::fs::read_to_string(data_dir.join("node.id")).ok()?;
    let origin = format!("http://{}", reachable(config.server.operator_listen));
    let client = client(LOCAL);
    let ask = async |path: &str| {
        let answer = get(&client, &format!("{origin}{path}"), &[], None, LOCAL)
            .await
            .ok()?;
        serde_json::from_slice::<Value>(&answer.body).ok()
    };
    // Somebody else's server may sit on that port.
    let node = ask("/debug/leases")
        .await?
        .get("node")?
        .as_str()?
        .to_owned();
    if node != own.trim() {
        return None;
    }
    let queues = ask("/debug/queues").await?;
    let records = queues.get("spool")?.get("backlog")?.as_u64()?;
    let running = queues.get("running")?.as_u64().unwrap_or(0);
    Some(Backlog {
        node,
        records,
        running,
    })
}

/// Whether a server of ours answers there, as an API or to its operator.
pub(crate) async fn is_ours(address: SocketAddr) -> bool {
    let client = client(LOCAL);
    for path in ["/health/live", "/debug/queues"] {
        let url = format!("http://{}{path}", reachable(address));
        let answer = get(&client, &url, &[], None, LOCAL).await;
        if answer.is_ok_and(|answer| answer.status.is_success()) {
            return true;
        }
    }
    false
}

/// Where a listener on "any address" can be reached from here.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}
