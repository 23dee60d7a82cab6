//! Scrapes `/metrics` as Prometheus does, timed from connecting to the answer's last byte.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

/// The longest that an answer may take.
const WITHIN: Duration = Duration::from_secs(10);

/// What the names of KPIs' metrics begin with: the default of `[catalogue] namespace`.
const NAMESPACE: &str = "shop_";

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

/// What `/readyz` says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Readiness {
    /// Nothing answers.
    Down,
    /// Not yet, and why.
    Waiting(String),
    /// Everything that the instance owns is shown.
    Ready,
}

/// Asks `/readyz`.
pub fn readiness(address: SocketAddr) -> Readiness {
    let asked = || {
        let mut stream = TcpStream::connect_timeout(&address, WITHIN)?;
        stream.set_read_timeout(Some(WITHIN))?;
        let request =
            format!("GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok::<String, std::io::Error>(answer)
    };
    match asked() {
        Ok(answer) if answer.starts_with("HTTP/1.1 200") => Readiness::Ready,
        Ok(answer) => {
            let body = answer.split_once("\r\n\r\n").map_or("", |parts| parts.1);
            Readiness::Waiting(body.to_owned())
        }
        Err(_) => Readiness::Down,
    }
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

/// The value of each counter of a KPI, the parts of histograms among them, by its series.
pub fn counters(text: &str) -> BTreeMap<&str, f64> {
    const SUFFIXES: [&str; 4] = ["_total", "_bucket", "_sum", "_count"];
    let of = |line: &'_ str| {
        let name = line.split(['{', ' ']).next()?;
        let counts = line.starts_with(NAMESPACE) && SUFFIXES.iter().any(|end| name.ends_with(end));
        counts.then_some(())
    };
    let lines = text.lines().filter(|line| of(line).is_some());
    let parts = lines.filter_map(|line| line.rsplit_once(' '));
    parts
        .filter_map(|(series, value)| Some((series, value.parse().ok()?)))
        .collect()
}

/// A histogram's buckets as (upper edge in seconds, how many are not above it), ascending.
pub fn buckets(text: &str, metric: &str) -> Vec<(f64, u64)> {
    let of = |line: &str| {
        let rest = line.strip_prefix(metric)?.strip_prefix("_bucket{le=\"")?;
        let (edge, count) = rest.split_once("\"} ")?;
        Some((edge.parse().ok()?, count.trim().parse().ok()?))
    };
    text.lines().filter_map(of).collect()
}

/// The values of all series of a gauge.
pub fn values(text: &str, metric: &str) -> Vec<f64> {
    let of = |line: &str| {
        let rest = line.strip_prefix(metric)?;
        let is_it = rest.starts_with(['{', ' ']);
        is_it.then(|| rest.rsplit(' ').next()?.parse().ok())?
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
    fn counters_gauges_and_buckets_are_told_apart() {
        let text = "shop_placed_total{region=\"a b\",partition=\"0\"} 4\n\
                    shop_open{partition=\"0\"} 9\n\
                    shop_took_seconds_bucket{le=\"+Inf\",partition=\"0\"} 2\n\
                    kept_events_total{topic=\"x\"} 7\n\
                    kept_commit_seconds_bucket{le=\"0.5\"} 1\n\
                    kept_commit_seconds_bucket{le=\"+Inf\"} 3\n";
        let values_of: Vec<f64> = counters(text).into_values().collect();
        assert_eq!(values_of, [4.0, 2.0]);
        assert_eq!(values(text, "shop_open"), [9.0]);
        let edges = [(0.5, 1), (f64::INFINITY, 3)];
        assert_eq!(buckets(text, "kept_commit_seconds"), edges);
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
