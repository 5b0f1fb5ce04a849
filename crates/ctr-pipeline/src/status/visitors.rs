//! Connections to the status server, bounded in number and time, so that clients cannot exhaust the file descriptors.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::time::{Instant, Sleep};

/// Maximum number of connections. A further one closes the oldest, so that the newest is always served.
const MAX_VISITORS: usize = 64;

/// An idle connection is closed after this time.
const SILENCE: Duration = Duration::from_secs(30);

/// The wait after a connection could not be accepted (no file descriptor is free).
const PAUSE: Duration = Duration::from_millis(100);

static TURNED_AWAY: AtomicU64 = AtomicU64::new(0);

/// Connections that were closed because there were too many, or they were idle.
#[must_use]
pub(super) fn turned_away() -> u64 {
    TURNED_AWAY.load(Ordering::Relaxed)
}

/// Accepts connections, and closes the oldest if there are too many.
pub(super) struct Visitors {
    listener: TcpListener,
    /// By age. Dropping one closes its connection.
    open: VecDeque<oneshot::Sender<()>>,
}

impl Visitors {
    pub(super) fn new(listener: TcpListener) -> Self {
        Self { listener, open: VecDeque::new() }
    }

    fn admit(&mut self, stream: TcpStream) -> Visitor {
        self.open.retain(|visitor| !visitor.is_closed());
        if self.open.len() >= MAX_VISITORS {
            self.open.pop_front();
            TURNED_AWAY.fetch_add(1, Ordering::Relaxed);
        }
        let (open, closed) = oneshot::channel();
        self.open.push_back(open);
        Visitor { stream, closed, silence: Box::pin(tokio::time::sleep(SILENCE)) }
    }
}

impl Listener for Visitors {
    type Io = Visitor;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Visitor, SocketAddr) {
        loop {
            match self.listener.accept().await {
                Ok((stream, address)) => return (self.admit(stream), address),
                Err(error) => {
                    tracing::debug!(%error, "could not accept a connection to the status server");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// One connection.
pub(super) struct Visitor {
    stream: TcpStream,
    closed: oneshot::Receiver<()>,
    silence: Pin<Box<Sleep>>,
}

impl Visitor {
    /// Whether the connection must be closed.
    fn poll_end(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        if Pin::new(&mut self.closed).poll(context).is_ready() {
            return Poll::Ready(io::Error::other("too many connections"));
        }
        self.silence.as_mut().poll(context).map(|()| {
            TURNED_AWAY.fetch_add(1, Ordering::Relaxed);
            io::ErrorKind::TimedOut.into()
        })
    }

    fn moved(&mut self) {
        self.silence.as_mut().reset(Instant::now() + SILENCE);
    }
}

impl AsyncRead for Visitor {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Poll::Ready(end) = self.poll_end(context) {
            return Poll::Ready(Err(end));
        }
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if read.is_ready() {
            self.moved();
        }
        read
    }
}

impl AsyncWrite for Visitor {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if let Poll::Ready(end) = self.poll_end(context) {
            return Poll::Ready(Err(end));
        }
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        if written.is_ready() {
            self.moved();
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(visitor: &mut Visitor) -> io::Result<usize> {
        let mut bytes = [0; 8];
        let mut buffer = ReadBuf::new(&mut bytes);
        std::future::poll_fn(|context| Pin::new(&mut *visitor).poll_read(context, &mut buffer)).await?;
        Ok(buffer.filled().len())
    }

    #[test]
    fn many_idle_visitors_keep_nobody_out() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let mut visitors = Visitors::new(listener);
            let (mut clients, mut served) = (Vec::new(), Vec::new());
            for _ in 0..MAX_VISITORS + 10 {
                clients.push(TcpStream::connect(address).await.unwrap());
                served.push(visitors.accept().await.0);
            }
            assert_eq!(visitors.open.len(), MAX_VISITORS);
            assert!(read(&mut served[9]).await.is_err(), "the oldest are closed");
            clients[10].writable().await.unwrap();
            clients[10].try_write(b"x").unwrap();
            assert_eq!(read(&mut served[10]).await.unwrap(), 1, "the others are not");
        });
    }

    #[test]
    fn a_visitor_who_says_nothing_is_closed() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let _client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            let mut visitor = Visitors::new(listener).accept().await.0;
            visitor.silence.as_mut().reset(Instant::now());
            assert!(read(&mut visitor).await.is_err());
        });
    }
}
