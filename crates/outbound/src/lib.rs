//! The one HTTP client of Interline: everything that leaves the machine passes here.
//!
//! Read first: [`Client::send`] and [`Credential`]. A credential is bound to the authority of its
//! endpoint and is attached after the final address is known, to no other host (R-K2). Redirects
//! are answers, never followed. `TCP_NODELAY` is always on: a delayed ACK would cost 40 ms on
//! small chunks.
//!
//! It does not retry, decode or time out answers: deadlines after the connection belong to the
//! journey, which knows what has been shown to the client. The pool alone re-sends a request when
//! a kept connection turned out closed before a byte of it was written; nobody can have seen it.

mod client;
mod credential;
mod media;
mod resolver;

pub use client::{Answer, Call, Client, Limits, SendError};
pub use credential::Credential;
pub use media::{FetchError, Media, MediaFetcher, sniff};
