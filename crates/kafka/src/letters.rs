//! Dead letters: rejected records, byte for byte, with the reason and the position in headers.
//!
//! Writing them never holds up a worker for more than `PATIENCE` between two published views;
//! what is not acknowledged by then is counted as lost, once, by its delivery report.

use std::fmt::Display;
use std::time::{Duration, Instant};

use events::{Record, Reject};
use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Header, Headers, Message, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};

use crate::context::{log_line, report};
use crate::metrics::Metrics;
use crate::settings::{Settings, letter_config};

/// The longest time a worker waits for the dead-letter topic between two published views.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where a rejected record was.
#[derive(Clone, Copy)]
pub(crate) struct Origin<'a> {
    pub(crate) topic: &'a str,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
}

struct LetterContext {
    metrics: Metrics,
    brokers: String,
}

impl ClientContext for LetterContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log_line(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        report(&self.metrics, &self.brokers, &error, reason);
    }
}

impl ProducerContext for LetterContext {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        match result {
            Ok(_) => self.metrics.letter_written(),
            Err((error, letter)) => {
                let source = source_of(letter.headers());
                self.metrics
                    .letter_lost(&lost(letter.topic(), &source, error));
            }
        }
    }
}

/// Which letter is lost, and why.
fn lost(topic: &str, source: &str, error: &KafkaError) -> String {
    format!("{source} did not reach dead-letter topic \"{topic}\": {error}")
}

/// Where the record of this letter was, by our own headers: they are the last of their names.
fn source_of(headers: Option<&impl Headers>) -> String {
    let ours = |name: &str| {
        let all = headers.into_iter().flat_map(Headers::iter);
        let values = all.filter(|header| header.key == name);
        let value = values.last().and_then(|header| header.value);
        value.map_or_else(|| "?".into(), String::from_utf8_lossy)
    };
    let [topic, partition, offset] = ["kept_topic", "kept_partition", "kept_offset"].map(ours);
    place(&topic, &partition, &offset)
}

fn place(topic: &str, partition: impl Display, offset: impl Display) -> String {
    format!("{topic} partition {partition} offset {offset}")
}

/// One worker's way to the dead-letter topic.
pub(crate) struct DeadLetters {
    producer: BaseProducer<LetterContext>,
    topic: String,
    metrics: Metrics,
    patience: Duration,
}

impl DeadLetters {
    /// `None` when no dead-letter topic is configured.
    pub(crate) fn new(settings: &Settings, metrics: &Metrics) -> KafkaResult<Option<DeadLetters>> {
        let Some(topic) = settings.dead_letter_topic.clone() else {
            return Ok(None);
        };
        let context = LetterContext {
            metrics: metrics.clone(),
            brokers: settings.brokers.clone(),
        };
        let producer = letter_config(settings).create_with_context(context)?;
        Ok(Some(DeadLetters {
            producer,
            topic,
            metrics: metrics.clone(),
            patience: PATIENCE,
        }))
    }

    /// Hands one record over.
    pub(crate) fn send(&mut self, record: &Record<'_>, origin: Origin<'_>, reason: Reject) {
        let mut letter: BaseRecord<'_, [u8], [u8]> =
            BaseRecord::to(&self.topic).headers(headers(record, origin, reason));
        letter.key = record.key;
        letter.payload = record.value;
        loop {
            match self.producer.send(letter) {
                Ok(()) => return,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back))
                    if !self.patience.is_zero() =>
                {
                    letter = back;
                    let before = Instant::now();
                    self.producer
                        .poll(self.patience.min(Duration::from_millis(50)));
                    self.patience = self.patience.saturating_sub(before.elapsed());
                }
                Err((error, _)) => {
                    let source = place(origin.topic, origin.partition, origin.offset);
                    self.metrics
                        .letter_lost(&lost(&self.topic, &source, &error));
                    return;
                }
            }
        }
    }

    /// Collects delivery reports without waiting.
    pub(crate) fn serve(&self) {
        self.producer.poll(Duration::ZERO);
    }

    /// Waits until every letter is acknowledged or given up, as long as patience lasts.
    pub(crate) fn settle(&mut self) {
        // A timeout is not an error of its own: the letters' own timeout counts them as lost. Once
        // patience has run out it comes back only when all of them are settled, or a topic that
        // never acknowledges would hold up every view.
        let settled =
            self.producer.in_flight_count() == 0 || self.producer.flush(self.patience).is_ok();
        self.patience = if settled { PATIENCE } else { Duration::ZERO };
    }
}

/// The original headers, then ours.
fn headers(record: &Record<'_>, origin: Origin<'_>, reason: Reject) -> OwnedHeaders {
    let mut headers = OwnedHeaders::new_with_capacity(record.headers.len() + 5);
    for (key, value) in record.headers {
        headers = headers.insert(Header { key, value: *value });
    }
    let partition = origin.partition.to_string();
    let offset = origin.offset.to_string();
    let timestamp = record.timestamp.map(|time| (time.0 / 1000).to_string());
    let ours = [
        ("kept_reason", Some(reason.as_str())),
        ("kept_topic", Some(origin.topic)),
        ("kept_partition", Some(partition.as_str())),
        ("kept_offset", Some(offset.as_str())),
        ("kept_timestamp", timestamp.as_deref()),
    ];
    for (key, value) in ours {
        headers = headers.insert(Header { key, value });
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_letter_names_its_record_by_our_headers_not_by_the_producers() {
        let record = Record {
            timestamp: None,
            key: None,
            value: None,
            headers: &[("kept_topic", Some(b"forged")), ("trace", None)],
        };
        let origin = Origin {
            topic: "shop.events",
            partition: 3,
            offset: 17,
        };
        let headers = headers(&record, origin, Reject::NotJson);
        let source = source_of(Some(&headers));
        assert_eq!(source, "shop.events partition 3 offset 17");
        let error = KafkaError::MessageProduction(RDKafkaErrorCode::UnknownTopic);
        let text = lost("shop.rejected", &source, &error);
        assert!(
            text.contains("dead-letter topic \"shop.rejected\""),
            "{text}"
        );
    }
}
