//! Connections with limits: so many at once, and each is dropped when nothing moves on it.
//!
//! Without them a client that opens sockets and says nothing would hold them for ever, and one that
//! reads no answer its memory. Over the limit, new connections wait in the system's backlog.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep};

use crate::trouble::{Trouble, Troubles};

/// How many connections are open at once.
const CONNECTIONS: usize = 128;

/// How long nothing may move on a connection. Longer than the usual scrape interval of a minute,
/// so that Prometheus keeps its connection.
const IDLE: Duration = Duration::from_secs(90);

/// How long to wait after a failed accept: the usual cause, too many open files, takes a while.
const RETRY: Duration = Duration::from_millis(500);

/// A listener with limits.
pub struct Connections {
    listener: TcpListener,
    places: Arc<Semaphore>,
    troubles: Troubles,
    idle: Duration,
}

impl Connections {
    /// With the usual limits.
    pub fn new(listener: TcpListener, troubles: Troubles) -> Connections {
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        Connections {
            listener,
            places,
            troubles,
            idle: IDLE,
        }
    }
}

impl Listener for Connections {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        let place = Arc::clone(&self.places).acquire_owned().await;
        let place = place.expect("the semaphore is never closed");
        loop {
            match self.listener.accept().await {
                Ok((stream, peer)) => {
                    // Only a matter of latency; a socket that can't do it works all the same.
                    let _ = stream.set_nodelay(true);
                    return (Connection::new(stream, self.idle, place), peer);
                }
                // The client went away between connecting and being accepted.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    let what = format!("can't accept a connection: {error}");
                    self.troubles.happened(Trouble::Accept, &what);
                    sleep(RETRY).await;
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A TCP connection that fails with `TimedOut` when nothing moved for `idle`.
pub struct Connection {
    stream: TcpStream,
    idle: Duration,
    deadline: Pin<Box<Sleep>>,
    _place: OwnedSemaphorePermit,
}

impl Connection {
    fn new(stream: TcpStream, idle: Duration, place: OwnedSemaphorePermit) -> Connection {
        Connection {
            stream,
            idle,
            deadline: Box::pin(sleep(idle)),
            _place: place,
        }
    }

    /// Passes on what the socket says; while it says nothing, the deadline runs.
    fn watched<T>(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        poll: impl FnOnce(Pin<&mut TcpStream>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let moved = poll(Pin::new(&mut self.stream), context);
        if moved.is_ready() {
            let deadline = Instant::now() + self.idle;
            self.deadline.as_mut().reset(deadline);
            return moved;
        }
        match self.deadline.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.watched(context, |stream, context| stream.poll_read(context, buffer))
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.watched(context, |stream, context| stream.poll_write(context, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.watched(context, |stream, context| {
            stream.poll_write_vectored(context, parts)
        })
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
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
    use prometheus::Registry;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    async fn listening() -> (Connections, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("loopback is there");
        let address = listener.local_addr().expect("it listens");
        let troubles = Troubles::register(&Registry::new()).expect("an empty registry");
        (Connections::new(listener, troubles), address)
    }

    #[tokio::test]
    async fn a_silent_connection_is_dropped() {
        let (mut connections, address) = listening().await;
        connections.idle = Duration::from_millis(50);
        let mut client = TcpStream::connect(address).await.expect("it listens");
        let (mut connection, _) = connections.accept().await;
        client.write_all(b"x").await.expect("it is open");
        let mut byte = [0];
        connection
            .read_exact(&mut byte)
            .await
            .expect("what comes in time is read");
        let silence = connection.read_exact(&mut byte).await;
        assert_eq!(
            silence.expect_err("nothing comes").kind(),
            io::ErrorKind::TimedOut
        );
    }

    #[tokio::test]
    async fn a_client_that_reads_nothing_is_dropped() {
        let (mut connections, address) = listening().await;
        connections.idle = Duration::from_millis(50);
        let _client = TcpStream::connect(address).await.expect("it listens");
        let (mut connection, _) = connections.accept().await;
        let endless = vec![0; 1 << 20];
        let full = loop {
            if let Err(error) = connection.write_all(&endless).await {
                break error;
            }
        };
        assert_eq!(full.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn a_closed_connection_makes_room_for_the_next() {
        let (mut connections, address) = listening().await;
        connections.places = Arc::new(Semaphore::new(1));
        let _first = TcpStream::connect(address).await.expect("it listens");
        let (held, _) = connections.accept().await;
        let _second = TcpStream::connect(address)
            .await
            .expect("the backlog takes it");
        let crowded = tokio::time::timeout(Duration::from_millis(50), connections.accept()).await;
        assert!(crowded.is_err(), "there is room for one only");
        drop(held);
        connections.accept().await;
    }
}
