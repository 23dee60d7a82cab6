//! Scrapes `/metrics` as Prometheus does, timed from connecting to the answer's last byte.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

/// The longest that an answer may take.
const WITHIN: Duration = Duration::from_secs(10);

/// What came.
pub struct Scrape {
    /// From connecting to the last byte.
    pub took: Duration,
    /// When that was.
    pub at: Instant,
    /// The answer without its head.
    pub body: Vec<u8>,
}

/// Asks for the text format, compressed or not.
pub fn scrape(address: SocketAddr, gzip: bool) -> anyhow::Result<Scrape> {
    let began = Instant::now();
    let mut stream = TcpStream::connect_timeout(&address, WITHIN)?;
    stream.set_read_timeout(Some(WITHIN))?;
    let encoding = if gzip { "gzip" } else { "identity" };
    let request = format!(
        "GET /metrics HTTP/1.1\r\nHost: {address}\r\nAccept: text/plain;version=0.0.4\r\n\
         Accept-Encoding: {encoding}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let at = Instant::now();
    let body = body(answer, gzip)?;
    Ok(Scrape {
        took: at - began,
        at,
        body,
    })
}

/// Checks the head and takes it off.
fn body(mut answer: Vec<u8>, gzip: bool) -> anyhow::Result<Vec<u8>> {
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n");
    let end = end.context("an answer without a body")?;
    let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
    ensure!(head.starts_with("http/1.1 200"), "/metrics said {head}");
    let header = |name: &str| head.lines().find_map(|line| line.strip_prefix(name));
    ensure!(
        header("content-encoding: gzip").is_some() == gzip,
        "another encoding than asked for: {head}"
    );
    let body = answer.split_off(end + 4);
    let length: usize = header("content-length: ")
        .context("an answer without its length")?
        .parse()?;
    ensure!(body.len() == length, "{} of {length} bytes", body.len());
    Ok(body)
}

/// The number of series in an exposition as text.
pub fn series(text: &str) -> usize {
    let lines = text.lines();
    lines.filter(|line| !line.starts_with('#')).count()
}

/// A counter's value in each of its partitions.
pub fn by_partition(text: &str, metric: &str) -> Vec<(usize, usize)> {
    let of = |line: &str| {
        let labels = line.strip_prefix(metric)?.strip_prefix('{')?;
        let (labels, value) = labels.rsplit_once("} ")?;
        let partition = labels.split_once("partition=\"")?.1.split('"').next()?;
        Some((partition.parse().ok()?, value.trim().parse().ok()?))
    };
    text.lines().filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_is_read_by_partition() {
        let text = "# TYPE shop_mark_total counter\n\
                    shop_mark_total{partition=\"0\"} 4\n\
                    shop_mark_total{region=\"x\",partition=\"11\"} 5\n\
                    shop_mark_total_more{partition=\"2\"} 6\n";
        assert_eq!(by_partition(text, "shop_mark_total"), [(0, 4), (11, 5)]);
        assert_eq!(series(text), 3);
    }

    #[test]
    fn a_cut_or_refused_answer_is_an_error() {
        let answer = |text: &str| body(text.as_bytes().to_vec(), false);
        let whole = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab";
        assert_eq!(answer(whole).expect("it is whole"), b"ab");
        answer(&whole[..whole.len() - 1]).expect_err("a byte is missing");
        answer(&whole.replace("200", "500")).expect_err("it is refused");
        body(whole.as_bytes().to_vec(), true).expect_err("it is not compressed");
    }
}
