//! Small writes leave at once in both directions: no answer waits for an acknowledgement.
//!
//! The socket option itself is read from the node's own sockets (`pidfd_getfd`), because a stall
//! that it prevents (40 ms, now and then) drowns in the noise of a shared machine. Where the kernel
//! does not allow that, and beside it, the gaps of a stream are compared with those of the same
//! stream without the node in between.

use crate::support::{Blueprint, Client, FIVE_TOKENS, World, alone, sim, streamed};
use interline_sim::{Behaviour, Dialect, Handle, Script, Text};
use rustix::process::{PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

const CHUNKS: u32 = 150;
const GAP_MS: u64 = 10;
/// Half of the shortest delayed acknowledgement.
const STALL: Duration = Duration::from_millis(20);

async fn provider() -> Handle {
    let behaviour = Behaviour {
        text: Text::Tokens(CHUNKS),
        usage: FIVE_TOKENS,
        chunk_delay_ms: GAP_MS,
        ..Behaviour::default()
    };
    sim(Script {
        behaviour,
        ..Script::default()
    })
    .await
}

async fn world(provider: &Handle) -> World {
    let blueprint = Blueprint::new()
        .provider("alpha", Dialect::OpenaiChat, provider)
        .model("acme/m")
        .endpoint("acme/m", "alpha", "m");
    World::start(blueprint).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sockets_to_clients_and_to_providers_send_without_delay() {
    let _machine = alone().await;
    let provider = provider().await;
    let world = world(&provider).await;
    let mut live = world.client.open(&streamed("acme/m")).await;
    live.read_chunks(2).await;
    let Some(sockets) = sockets(&world) else {
        eprintln!("this kernel does not show the sockets of another process: skipped");
        return;
    };
    let mut seen = (0, 0);
    for (local, peer, is_nodelay) in sockets {
        if peer == provider.addr() {
            seen.0 += 1;
        } else if local == world.address {
            seen.1 += 1;
        } else {
            continue;
        }
        assert!(is_nodelay, "{local} to {peer} gathers small writes");
    }
    assert!(
        seen.0 >= 1 && seen.1 >= 1,
        "one of each direction at least: {seen:?}"
    );
    drop(live);
    world.finish().await;
}

/// The connected sockets of the node: local address, peer, and whether `TCP_NODELAY` is set.
fn sockets(world: &World) -> Option<Vec<(SocketAddr, SocketAddr, bool)>> {
    let pid = world.pid();
    let handle = pidfd_open(pid, PidfdFlags::empty()).ok()?;
    let mut found = Vec::new();
    for entry in std::fs::read_dir(format!("/proc/{}/fd", pid.as_raw_nonzero())).ok()? {
        let entry = entry.ok()?;
        let is_socket = std::fs::read_link(entry.path())
            .is_ok_and(|target| target.to_string_lossy().starts_with("socket:"));
        let number = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok());
        let Some(number) = number.filter(|_| is_socket) else {
            continue;
        };
        let socket = pidfd_getfd(&handle, number, PidfdGetfdFlags::empty()).ok()?;
        let (Ok(local), Ok(Some(peer))) = (
            rustix::net::getsockname(&socket),
            rustix::net::getpeername(&socket),
        ) else {
            continue;
        };
        let (Ok(local), Ok(peer)) = (SocketAddr::try_from(local), SocketAddr::try_from(peer))
        else {
            continue;
        };
        let is_nodelay = rustix::net::sockopt::tcp_nodelay(&socket).ok()?;
        found.push((local, peer, is_nodelay));
    }
    Some(found)
}

/// The time between two reads of a streamed answer.
async fn gaps(client: &Client, body: &serde_json::Value) -> Vec<Duration> {
    let mut live = client.open(body).await;
    live.read_chunks(1).await;
    let mut gaps = Vec::new();
    let mut last = Instant::now();
    while live.next().await.is_some() {
        gaps.push(last.elapsed());
        last = Instant::now();
    }
    gaps
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_pass_at_the_pace_of_the_provider() {
    let _machine = alone().await;
    let provider = provider().await;
    let world = world(&provider).await;
    let direct = Client::new(provider.addr(), &crate::support::provider_key("alpha"));
    // The provider's own path ends alike, so the same client can ask it.
    let asked = streamed("m");
    let (mut through, mut beside) = (Vec::new(), Vec::new());
    for _ in 0..2 {
        through.extend(gaps(&world.client, &streamed("acme/m")).await);
        beside.extend(gaps(&direct, &asked).await);
    }
    let median = |gaps: &mut Vec<Duration>| {
        gaps.sort_unstable();
        gaps.get(gaps.len() / 2).copied().unwrap_or_default()
    };
    let (through, beside, count) = (median(&mut through), median(&mut beside), through.len());
    eprintln!("median gap {through:?} through the node, {beside:?} without it ({count} gaps)");
    // Gathered writes would arrive in bursts: few reads, and most gaps 0 or 40 ms.
    assert!(
        count > CHUNKS as usize,
        "{count} reads of two streams of {CHUNKS} chunks"
    );
    assert!(through <= beside + STALL, "{through:?} and {beside:?}");
    world.finish().await;
}
