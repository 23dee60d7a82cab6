//! What Alertmanager's receivers are in a test: writes down each notification with its time.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Instant;

/// A notification as it came.
#[derive(Clone, Debug)]
pub struct Notification {
    /// When.
    pub at: Instant,
    /// The path that it was sent to: it tells the receiver.
    pub path: String,
    /// The body: JSON, as Alertmanager's webhooks have it.
    pub body: String,
}

/// Listens until the process ends.
#[derive(Debug)]
pub struct Webhook {
    port: u16,
    heard: Arc<Mutex<Vec<Notification>>>,
}

impl Webhook {
    /// Listens on a free port of loopback.
    pub fn start() -> Webhook {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
        let address = listener.local_addr();
        let port = address.expect("a bound socket has an address").port();
        let heard = Arc::<Mutex<Vec<Notification>>>::default();
        let book = Arc::clone(&heard);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let book = Arc::clone(&book);
                thread::spawn(move || serve(stream, &book));
            }
        });
        Webhook { port, heard }
    }

    /// What a receiver's URL begins with.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// All that came so far, in order.
    pub fn heard(&self) -> Vec<Notification> {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.clone()
    }
}

/// Answers the requests of one connection, until it ends or can't be read.
fn serve(stream: TcpStream, book: &Mutex<Vec<Notification>>) {
    let mut reader = BufReader::new(stream);
    while let Some(notification) = read(&mut reader) {
        let mut heard = book.lock().unwrap_or_else(PoisonError::into_inner);
        heard.push(notification);
        drop(heard);
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
        if reader.get_mut().write_all(answer).is_err() {
            return;
        }
    }
}

fn read(reader: &mut impl BufRead) -> Option<Notification> {
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let path = line.split(' ').nth(1)?.to_owned();
    let mut length = 0;
    loop {
        line.clear();
        reader.read_line(&mut line).ok()?;
        let (name, value) = match line.trim_end() {
            "" => break,
            header => header.split_once(':')?,
        };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Notification {
        at: Instant::now(),
        path,
        body: String::from_utf8(body).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read_one_after_the_other() {
        let sent = "POST /page/a HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}\
                    POST /page/b HTTP/1.1\r\ncontent-length: 4\r\n\r\n[12]";
        let mut reader = BufReader::new(sent.as_bytes());
        for (path, body) in [("/page/a", "{}"), ("/page/b", "[12]")] {
            let read = read(&mut reader).map(|it| (it.path, it.body));
            assert_eq!(read, Some((path.to_owned(), body.to_owned())));
        }
        assert!(read(&mut reader).is_none());
    }
}
