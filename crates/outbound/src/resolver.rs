//! Names to addresses, with a deadline.

use hyper_util::client::legacy::connect::dns::{GaiAddrs, GaiResolver, Name};
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tower_service::Service;

/// The system's resolver under a deadline; optionally refusing addresses that are not public.
#[derive(Clone, Debug)]
pub(crate) struct Resolver {
    inner: GaiResolver,
    deadline: Duration,
    public_only: bool,
}

impl Resolver {
    pub(crate) fn new(deadline: Duration) -> Self {
        Self {
            inner: GaiResolver::new(),
            deadline,
            public_only: false,
        }
    }

    /// For URLs that users name: one address that is not public refuses the whole name, and the
    /// connection goes to the very addresses that were checked.
    pub(crate) fn public_only(deadline: Duration) -> Self {
        Self {
            public_only: true,
            ..Self::new(deadline)
        }
    }
}

/// The addresses of one name.
pub(crate) enum Addresses {
    System(GaiAddrs),
    Checked(std::vec::IntoIter<SocketAddr>),
}

impl Iterator for Addresses {
    type Item = SocketAddr;

    fn next(&mut self) -> Option<SocketAddr> {
        match self {
            Self::System(addresses) => addresses.next(),
            Self::Checked(addresses) => addresses.next(),
        }
    }
}

impl Service<Name> for Resolver {
    type Response = Addresses;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Addresses>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let lookup = self.inner.call(name);
        let (deadline, public_only) = (self.deadline, self.public_only);
        Box::pin(async move {
            let found = tokio::time::timeout(deadline, lookup)
                .await
                .map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "name lookup timed out"))??;
            if !public_only {
                return Ok(Addresses::System(found));
            }
            let addresses: Vec<SocketAddr> = found.collect();
            if addresses.iter().all(|address| is_public(address.ip())) {
                Ok(Addresses::Checked(addresses.into_iter()))
            } else {
                Err(io::Error::new(
                    io::ErrorKind::PermissionDenied,
                    "address is not public",
                ))
            }
        })
    }
}

/// Whether an address belongs to the public internet (IANA special-purpose registries).
pub(crate) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            !(v4.is_private()
                || v4.is_loopback()
                || v4.is_link_local()
                || v4.is_broadcast()
                || v4.is_documentation()
                || v4.is_multicast()
                || a == 0
                || a >= 240
                || (a == 100 && (64..128).contains(&b))
                || (a == 192 && b == 0 && c == 0)
                || (a == 198 && (b == 18 || b == 19)))
        }
        IpAddr::V6(v6) => {
            if let Some(v4) = v6.to_ipv4_mapped() {
                return is_public(IpAddr::V4(v4));
            }
            let segments = v6.segments();
            // 2000::/3 is what is routed; NAT64 and 6to4 hide an IPv4 address inside.
            segments[0] & 0xe000 == 0x2000
                && !(segments[0] == 0x2001 && (segments[1] == 0xdb8 || segments[1] < 0x200))
                && segments[0] != 0x2002
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_addresses_are_told_from_public_ones() {
        let check = |text: &str, expected: bool| {
            assert_eq!(is_public(text.parse().unwrap()), expected, "{text}");
        };
        for text in [
            "127.0.0.1",
            "10.1.2.3",
            "169.254.169.254",
            "192.168.0.1",
            "100.64.0.1",
        ] {
            check(text, false);
        }
        for text in [
            "0.0.0.0",
            "224.0.0.1",
            "::1",
            "fe80::1",
            "fd00::1",
            "::ffff:10.0.0.1",
        ] {
            check(text, false);
        }
        for text in ["64:ff9b::7f00:1", "2002:7f00:1::", "2001:db8::1", "::"] {
            check(text, false);
        }
        check("8.8.8.8", true);
        check("2606:4700:4700::1111", true);
    }
}
