//! A TCP proxy on loopback that makes a network bad: delay, cut connections, silence, refusal.
//!
//! Bytes are never changed, dropped or reordered within a connection. A delay is added to each
//! chunk without holding up the chunks behind it, so that a slow line is slow and not narrow.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How often a stalled line looks whether it may go on.
const LOOK_EVERY: Duration = Duration::from_millis(10);
const CHUNK_BYTES: usize = 64 * 1024;

/// Listens until it is dropped; connections that are open then go on.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    line: Arc<Line>,
}

/// What all connections share.
#[derive(Debug)]
struct Line {
    target: SocketAddr,
    delay_ms: AtomicU64,
    stalled: AtomicBool,
    refusing: AtomicBool,
    ended: AtomicBool,
    open: Mutex<Vec<TcpStream>>,
}

/// Bytes, and when they may leave.
type Chunk = (Instant, Vec<u8>);

impl Proxy {
    /// Starts one in front of `127.0.0.1:target`, on a free port.
    pub fn start(target: u16) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
        let address = listener.local_addr().expect("a bound socket has one");
        let line = Arc::new(Line {
            target: SocketAddr::from(([127, 0, 0, 1], target)),
            delay_ms: AtomicU64::new(0),
            stalled: AtomicBool::new(false),
            refusing: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            open: Mutex::default(),
        });
        let shared = Arc::clone(&line);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if shared.ended.load(Ordering::Relaxed) {
                    return;
                }
                if let Ok(stream) = stream {
                    shared.carry(&stream);
                }
            }
        });
        Proxy {
            port: address.port(),
            line,
        }
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Makes a round trip longer by this much from now on.
    pub fn set_round_trip(&self, added: Duration) {
        let each_way = added.as_millis() as u64 / 2;
        self.line.delay_ms.store(each_way, Ordering::Relaxed);
    }

    /// Ends all open connections; new ones are welcome.
    pub fn cut(&self) {
        for stream in self.line.open().drain(..) {
            // It fails when the connection has ended already.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// While on, connections stay open and nothing comes through.
    pub fn stall(&self, on: bool) {
        self.line.stalled.store(on, Ordering::Relaxed);
    }

    /// While on, new connections are closed at once. Open ones are not touched: see `cut`.
    pub fn refuse(&self, on: bool) {
        self.line.refusing.store(on, Ordering::Relaxed);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.line.ended.store(true, Ordering::Relaxed);
        // Wakes the thread that accepts; it may have ended with an error.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

impl Line {
    fn open(&self) -> std::sync::MutexGuard<'_, Vec<TcpStream>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Carries a connection both ways, by threads of its own; closes it if the target is not there.
    fn carry(self: &Arc<Line>, near: &TcpStream) {
        if self.refusing.load(Ordering::Relaxed) {
            let _ = near.shutdown(Shutdown::Both);
            return;
        }
        let Ok(far) = TcpStream::connect(self.target) else {
            let _ = near.shutdown(Shutdown::Both);
            return;
        };
        for stream in [near, &far] {
            let _ = stream.set_nodelay(true);
            self.open().extend(stream.try_clone());
        }
        self.pump(near, &far);
        self.pump(&far, near);
    }

    fn pump(self: &Arc<Line>, from: &TcpStream, to: &TcpStream) {
        let (Ok(from), Ok(to)) = (from.try_clone(), to.try_clone()) else {
            return;
        };
        let (sender, receiver) = channel();
        let (reading, writing) = (Arc::clone(self), Arc::clone(self));
        thread::spawn(move || reading.read(from, &sender));
        thread::spawn(move || writing.write(to, &receiver));
    }

    fn read(&self, mut from: TcpStream, chunks: &Sender<Chunk>) {
        let mut buffer = vec![0; CHUNK_BYTES];
        loop {
            match from.read(&mut buffer) {
                Ok(0) => return,
                Ok(count) => {
                    let delay = Duration::from_millis(self.delay_ms.load(Ordering::Relaxed));
                    let chunk = (Instant::now() + delay, buffer[..count].to_vec());
                    if chunks.send(chunk).is_err() {
                        return;
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    }

    fn write(&self, mut to: TcpStream, chunks: &Receiver<Chunk>) {
        while let Ok((due, bytes)) = chunks.recv() {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            while self.stalled.load(Ordering::Relaxed) {
                thread::sleep(LOOK_EVERY);
            }
            if to.write_all(&bytes).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends back what it gets.
    fn echo() -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
        let port = listener.local_addr().expect("it is bound").port();
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                thread::spawn(move || {
                    let mut byte = [0];
                    while stream.read_exact(&mut byte).is_ok() && stream.write_all(&byte).is_ok() {}
                });
            }
        });
        port
    }

    fn round_trip(stream: &mut TcpStream) -> Option<Duration> {
        let begin = Instant::now();
        let mut byte = [0];
        stream.write_all(b"x").ok()?;
        stream.read_exact(&mut byte).ok()?;
        Some(begin.elapsed())
    }

    #[test]
    fn a_line_is_slowed_stalled_cut_and_refused() {
        let proxy = Proxy::start(echo());
        let connect = || {
            let stream = TcpStream::connect(("127.0.0.1", proxy.port())).expect("it listens");
            let limit = Some(Duration::from_millis(200));
            stream.set_read_timeout(limit).expect("a good limit");
            stream
        };
        let mut stream = connect();
        assert!(round_trip(&mut stream).is_some_and(|took| took.as_millis() < 100));
        proxy.set_round_trip(Duration::from_millis(120));
        assert!(round_trip(&mut stream).is_some_and(|took| took.as_millis() >= 120));
        proxy.set_round_trip(Duration::ZERO);
        proxy.stall(true);
        assert_eq!(round_trip(&mut stream), None);
        proxy.stall(false);
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("nothing was lost");
        proxy.cut();
        assert_eq!(round_trip(&mut stream), None);
        assert!(round_trip(&mut connect()).is_some());
        proxy.refuse(true);
        assert_eq!(round_trip(&mut connect()), None);
    }
}
