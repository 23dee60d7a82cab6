//! Asks Prometheus for its alerts, so that the page can show them; it never holds the page up.
//!
//! One question at a time, a second long at most, its answer good for five seconds, failures too. The
//! page waits a moment for a fresh answer and else shows the last one with its age; why none comes is
//! in the log, where addresses may be read. The client speaks HTTP/1.0, where an answer ends with its
//! connection: one GET of one JSON is not worth a library.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant, SystemTime};

use catalogue::settings::HttpUrl;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::alerts::{Alert, Alerts, read};
use super::seconds;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long an answer is good for.
const FRESH: Duration = Duration::from_secs(5);
/// How long a page waits for a fresh one.
const PAGE_WAITS: Duration = Duration::from_millis(250);
/// The longest answer that is read; thousands of alerts fit.
const ANSWER_BYTES: u64 = 4 << 20;

/// The one who asks.
pub struct Prometheus {
    url: Option<HttpUrl>,
    last: Mutex<Last>,
    turn: tokio::sync::Mutex<()>,
}

struct Last {
    alerts: Alerts,
    at: Option<Instant>,
}

impl Prometheus {
    /// Of this address; without one there is nothing to ask.
    pub fn new(url: Option<HttpUrl>) -> Arc<Prometheus> {
        let alerts = if url.is_some() {
            Alerts::Asked
        } else {
            Alerts::NotConfigured
        };
        Arc::new(Prometheus {
            url,
            last: Mutex::new(Last { alerts, at: None }),
            turn: tokio::sync::Mutex::new(()),
        })
    }

    /// What is known now; asks if that is old.
    pub async fn alerts(self: &Arc<Prometheus>) -> Alerts {
        if !self.is_fresh() {
            let asker = Arc::clone(self);
            // It goes on asking when the page does not wait any longer.
            let asking = tokio::spawn(async move { asker.ask().await });
            let _ = timeout(PAGE_WAITS, asking).await;
        }
        self.last().alerts.clone()
    }

    fn is_fresh(&self) -> bool {
        self.url.is_none() || self.last().at.is_some_and(|at| at.elapsed() < FRESH)
    }

    fn last(&self) -> MutexGuard<'_, Last> {
        self.last
            .lock()
            .expect("nothing panics while it holds the answer")
    }

    /// Asks, unless somebody else has in the meantime.
    async fn ask(&self) {
        let Some(url) = &self.url else { return };
        let _turn = self.turn.lock().await;
        if self.is_fresh() {
            return;
        }
        let answer = timeout(PATIENCE, fetch(url)).await;
        let answer = answer.unwrap_or_else(|_| Err(format!("nothing in {} s", PATIENCE.as_secs())));
        let mut last = self.last();
        let alerts = match answer {
            Ok(alerts) => Alerts::Known(seconds(SystemTime::now()), alerts),
            Err(why) => {
                // Once, not with every question.
                if !matches!(last.alerts, Alerts::Failed(_)) {
                    tracing::warn!("prometheus_url does not answer about alerts: {why}");
                }
                let before = last.alerts.last();
                Alerts::Failed(before.map(|(at, alerts)| (at, alerts.to_vec())))
            }
        };
        *last = Last {
            alerts,
            at: Some(Instant::now()),
        };
    }
}

async fn fetch(url: &HttpUrl) -> Result<Vec<Alert>, String> {
    let mut stream = TcpStream::connect(&url.host_and_port)
        .await
        .map_err(|error| format!("can't connect to {}: {error}", url.host_and_port))?;
    let request = format!(
        "GET {}/api/v1/alerts HTTP/1.0\r\nHost: {}\r\nAccept: application/json\r\n\r\n",
        url.path, url.host_and_port
    );
    let mut answer = Vec::new();
    let exchange = async {
        stream.write_all(request.as_bytes()).await?;
        stream.take(ANSWER_BYTES).read_to_end(&mut answer).await
    };
    exchange
        .await
        .map_err(|error| format!("the connection broke: {error}"))?;
    read(body(&answer)?)
}

/// What comes behind the head of a good answer.
fn body(answer: &[u8]) -> Result<&[u8], String> {
    let head_ends = answer.windows(4).position(|four| four == b"\r\n\r\n");
    let head_ends = head_ends.ok_or("the answer has no end of its head")?;
    let head = String::from_utf8_lossy(&answer[..head_ends]);
    let status = head.split(' ').nth(1).unwrap_or_default();
    if status != "200" {
        let line = head.lines().next().unwrap_or_default();
        return Err(format!("it answers \"{line}\""));
    }
    Ok(&answer[head_ends + 4..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    /// Answers each connection with the next of these texts, then no more.
    async fn answering(answers: &'static [&'static str]) -> Arc<Prometheus> {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("loopback is there");
        let address = listener.local_addr().expect("it listens");
        tokio::spawn(async move {
            for answer in answers {
                let (mut stream, _) = listener.accept().await.expect("a question comes");
                let mut question = [0; 1024];
                let _ = stream.read(&mut question).await;
                assert!(question.starts_with(b"GET /prefix/api/v1/alerts HTTP/1.0"));
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        Prometheus::new(Some(HttpUrl {
            host_and_port: address.to_string(),
            path: "/prefix".into(),
        }))
    }

    const NONE: &str = "HTTP/1.0 200 OK\r\n\r\n{\"status\":\"success\",\"data\":{\"alerts\":[]}}";

    const REFUSAL: &str = "HTTP/1.1 503 Service Unavailable\r\n\r\n";

    /// Waits for the answer itself, however long a page would.
    async fn asked(prometheus: &Prometheus) -> Alerts {
        prometheus.ask().await;
        prometheus.last().alerts.clone()
    }

    #[tokio::test]
    async fn an_answer_is_good_for_a_while() {
        // A second question would find nobody and fail.
        let prometheus = answering(&[NONE]).await;
        for _ in 0..2 {
            let alerts = asked(&prometheus).await;
            assert!(
                matches!(&alerts, Alerts::Known(_, list) if list.is_empty()),
                "{alerts:?}"
            );
        }
    }

    #[tokio::test]
    async fn what_was_said_last_is_known_after_a_refusal() {
        let prometheus = answering(&[REFUSAL, NONE, REFUSAL]).await;
        for answer in 0..3 {
            let alerts = asked(&prometheus).await;
            let is_as_expected = match answer {
                0 => matches!(alerts, Alerts::Failed(None)),
                1 => matches!(alerts, Alerts::Known(..)),
                _ => matches!(alerts, Alerts::Failed(Some((at, _))) if at > 0.0),
            };
            assert!(is_as_expected, "{answer}: {alerts:?}");
            prometheus.last().at = None;
        }
    }

    #[test]
    fn a_refusal_says_what_it_is() {
        let why = "it answers \"HTTP/1.1 503 Service Unavailable\"";
        assert_eq!(body(REFUSAL.as_bytes()), Err(why.to_owned()));
    }

    #[tokio::test]
    async fn one_who_says_nothing_does_not_hold_up_the_page() {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("loopback is there");
        let address = listener.local_addr().expect("it listens");
        let prometheus = Prometheus::new(Some(HttpUrl {
            host_and_port: address.to_string(),
            path: String::new(),
        }));
        let start = Instant::now();
        assert!(matches!(prometheus.alerts().await, Alerts::Asked));
        assert!(start.elapsed() < PATIENCE, "{:?}", start.elapsed());
        let alerts = asked(&prometheus).await;
        assert!(matches!(&alerts, Alerts::Failed(None)), "{alerts:?}");
    }

    #[tokio::test]
    async fn without_an_address_nobody_is_asked() {
        assert!(matches!(
            Prometheus::new(None).alerts().await,
            Alerts::NotConfigured
        ));
    }
}
