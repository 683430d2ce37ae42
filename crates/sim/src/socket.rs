//! A TCP connection that can be reset rather than closed.

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;
use std::io;
use std::io::IoSlice;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::TcpStream;

/// How a connection is to end.
#[derive(Debug, Default)]
pub(crate) struct Ending {
    is_reset: AtomicBool,
}

impl Ending {
    /// From now on, closing means a TCP reset.
    pub(crate) fn reset(&self) {
        self.is_reset.store(true, Ordering::Relaxed);
    }
}

pub(crate) struct Socket {
    io: TokioIo<TcpStream>,
    ending: Arc<Ending>,
}

impl Socket {
    pub(crate) fn new(stream: TcpStream, ending: Arc<Ending>) -> Self {
        Self {
            io: TokioIo::new(stream),
            ending,
        }
    }

    fn io(self: Pin<&mut Self>) -> Pin<&mut TokioIo<TcpStream>> {
        Pin::new(&mut self.get_mut().io)
    }

    fn is_reset(&self) -> bool {
        self.ending.is_reset.load(Ordering::Relaxed)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if self.is_reset() {
            // A linger of zero makes the kernel answer with RST. If it fails, it is a close.
            let socket = socket2::SockRef::from(self.io.inner());
            let _ = socket.set_linger(Some(Duration::ZERO));
        }
    }
}

impl Read for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        self.io().poll_read(cx, buf)
    }
}

impl Write for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.io().poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io().poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // An orderly shutdown would send FIN ahead of the reset.
        if self.is_reset() {
            Poll::Ready(Ok(()))
        } else {
            self.io().poll_shutdown(cx)
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.io().poll_write_vectored(cx, bufs)
    }
}
