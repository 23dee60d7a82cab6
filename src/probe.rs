//! `kept probe`: asks the service on this machine whether it is ready (or alive), for health checks
//! in places that have no HTTP client, such as a container.
//!
//! What an orchestrator should ask is decided by the service's own answer, never here.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, anyhow};

use crate::config;

/// How long connecting, and each wait for the answer, may take.
const WITHIN: Duration = Duration::from_secs(3);
/// The most that is read of an answer.
const ANSWER_BYTES: u64 = 64 << 10;

/// The arguments of `kept probe`.
#[derive(clap::Args)]
pub struct Arguments {
    /// The configuration file of the service: its `[http] listen` is asked.
    #[arg(long, value_name = "FILE", default_value = "kept.toml")]
    config: PathBuf,
    /// Ask /livez instead of /readyz.
    #[arg(long)]
    live: bool,
}

/// Asks; prints what the service says.
pub fn main(arguments: &Arguments) -> ExitCode {
    let settings = match config::load(&arguments.config) {
        Ok((settings, _)) => settings,
        Err(problems) => {
            problems.iter().for_each(|problem| eprintln!("{problem}"));
            return ExitCode::FAILURE;
        }
    };
    let path = if arguments.live { "/livez" } else { "/readyz" };
    match ask(reachable(settings.http.listen), path) {
        Ok((200, body)) => {
            say(&body);
            ExitCode::SUCCESS
        }
        Ok((_, body)) => {
            say(&body);
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// On stdout, as the answer that was asked for. Whoever closed the pipe does not want it.
fn say(body: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(body.as_bytes()).and_then(|()| out.flush());
}

/// Who listens on every address is asked on loopback.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let address = match listen.ip() {
        IpAddr::V4(address) if address.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(address) if address.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        address => address,
    };
    SocketAddr::new(address, listen.port())
}

/// The status and the body of the answer.
fn ask(address: SocketAddr, path: &str) -> anyhow::Result<(u16, String)> {
    let asking = || format!("asking http://{address}{path}");
    let mut stream = TcpStream::connect_timeout(&address, WITHIN).with_context(asking)?;
    stream.set_read_timeout(Some(WITHIN)).with_context(asking)?;
    // In HTTP/1.0 the answer ends where the connection does.
    let request = format!("GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n");
    stream.write_all(request.as_bytes()).with_context(asking)?;
    let mut answer = String::new();
    let mut limited = stream.take(ANSWER_BYTES);
    limited.read_to_string(&mut answer).with_context(asking)?;
    let parsed = parse(&answer).ok_or_else(|| anyhow!("no answer of HTTP"));
    parsed.with_context(asking)
}

fn parse(answer: &str) -> Option<(u16, String)> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let mut words = head.split(' ');
    let is_http = words.next()?.starts_with("HTTP/1.");
    let status = words.next()?.parse().ok()?;
    is_http.then(|| (status, body.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_listens_everywhere_is_asked_on_loopback() {
        for (listen, asked) in [
            ("0.0.0.0:9464", "127.0.0.1:9464"),
            ("[::]:9464", "[::1]:9464"),
            ("192.0.2.7:80", "192.0.2.7:80"),
        ] {
            let listen = listen.parse().expect("an address");
            assert_eq!(reachable(listen).to_string(), asked);
        }
    }

    #[test]
    fn only_an_answer_of_http_counts() {
        let ready = "HTTP/1.0 200 OK\r\ncontent-length: 6\r\n\r\nready\n";
        assert_eq!(parse(ready), Some((200, "ready\n".to_owned())));
        let not = "HTTP/1.1 503 Service Unavailable\r\n\r\nrestoring\n";
        assert_eq!(parse(not), Some((503, "restoring\n".to_owned())));
        for other in ["", "SSH-2.0 200 x\r\n\r\n", "HTTP/1.0 200 OK\r\n"] {
            assert_eq!(parse(other), None, "{other:?}");
        }
    }
}
