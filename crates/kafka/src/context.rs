//! What librdkafka calls back: rebalances are noted for the worker's loop, troubles are counted.
//!
//! Assignments and revocations are only noted: the loop answers an assignment at once, and gives
//! partitions back when a last commit went through or took too long; librdkafka waits for that and
//! keeps the membership alive meanwhile. What was lost without being asked is given up right here.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use rdkafka::TopicPartitionList;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::types::RDKafkaRespErr;
use tracing::{debug, warn};

use crate::metrics::{Metrics, Trouble};

/// What the group decided.
#[derive(Debug)]
pub(crate) enum Rebalance {
    /// These partitions, in place of all before.
    Assigned(TopicPartitionList),
    /// All partitions are to be given back: `unassign` says so.
    Revoked,
    /// All partitions were taken away, and are given up already.
    Lost,
}

/// librdkafka's words for a client that another one has replaced: it ends the worker, which says why.
const FENCED: &str = "Static consumer fenced by other consumer";

/// The consumer's context.
pub(crate) struct Context {
    metrics: Metrics,
    brokers: String,
    rebalances: Mutex<VecDeque<Rebalance>>,
    closing: AtomicBool,
}

impl Context {
    pub(crate) fn new(metrics: Metrics, brokers: &str) -> Context {
        Context {
            metrics,
            brokers: brokers.to_owned(),
            rebalances: Mutex::default(),
            closing: AtomicBool::new(false),
        }
    }

    /// The oldest rebalance that the loop has not seen.
    pub(crate) fn next_rebalance(&self) -> Option<Rebalance> {
        self.rebalances
            .lock()
            .expect("nothing panics in here")
            .pop_front()
    }

    /// From now on assignments are turned down: the loop is gone.
    pub(crate) fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
    }

    /// Gives all partitions back to the group.
    pub(crate) fn give_back(&self, consumer: &BaseConsumer<Context>) {
        if let Err(error) = consumer.unassign() {
            self.metrics
                .trouble(Trouble::Other, &format!("giving partitions back: {error}"));
        }
    }

    fn note(&self, rebalance: Rebalance) {
        self.rebalances
            .lock()
            .expect("nothing panics in here")
            .push_back(rebalance);
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log_line(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        report(&self.metrics, &self.brokers, &error, reason);
    }
}

impl ConsumerContext for Context {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        error: RDKafkaRespErr,
        partitions: &mut TopicPartitionList,
    ) {
        let assigned = error == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
        if assigned && !self.closing.load(Ordering::Relaxed) {
            self.note(Rebalance::Assigned(partitions.clone()));
            return;
        }
        let lost = !assigned && consumer.assignment_lost();
        if !lost && !self.closing.load(Ordering::Relaxed) {
            self.note(Rebalance::Revoked);
            return;
        }
        self.note(Rebalance::Lost);
        self.give_back(consumer);
    }
}

/// librdkafka's own log, one level lower than it thinks: its troubles come as errors as well.
pub(crate) fn log_line(level: RDKafkaLogLevel, facility: &str, message: &str) {
    match level {
        // What it can't go on after ends the worker, which says why.
        _ if facility == "FATAL" => debug!(facility, "librdkafka: {message}"),
        RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
            warn!(facility, "librdkafka: {message}");
        }
        _ => debug!(facility, "librdkafka: {message}"),
    }
}

/// An error that librdkafka reports of itself, with its reason.
pub(crate) fn report(metrics: &Metrics, brokers: &str, error: &KafkaError, reason: &str) {
    let code = error.rdkafka_error_code();
    if code == Some(RDKafkaErrorCode::FencedInstanceId) || reason.contains(FENCED) {
        debug!(%error, "librdkafka: {reason}");
        return;
    }
    let trouble = classify_reason(code, reason);
    let detail = describe(trouble, brokers, reason);
    match code {
        // "1/1 brokers are down" follows on what happened to the one.
        Some(RDKafkaErrorCode::AllBrokersDown) => metrics.vague_trouble(trouble, &detail),
        _ => metrics.trouble(trouble, &detail),
    }
}

/// Which trouble an error is whose reason librdkafka gives. A handshake that the other side breaks
/// off has the code of a lost connection; it is TLS all the same.
pub(crate) fn classify_reason(code: Option<RDKafkaErrorCode>, reason: &str) -> Trouble {
    if reason.contains("SSL handshake failed") {
        Trouble::Authentication
    } else {
        classify(code)
    }
}

/// Which trouble an error code is.
pub(crate) fn classify(code: Option<RDKafkaErrorCode>) -> Trouble {
    use RDKafkaErrorCode as Code;
    match code {
        Some(
            Code::AllBrokersDown
            | Code::BrokerTransportFailure
            | Code::Resolve
            | Code::BrokerNotAvailable
            | Code::OperationTimedOut
            | Code::RequestTimedOut,
        ) => Trouble::BrokerUnreachable,
        Some(Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition) => {
            Trouble::TopicMissing
        }
        Some(
            Code::Authentication
            | Code::SaslAuthenticationFailed
            | Code::SSL
            | Code::TopicAuthorizationFailed
            | Code::GroupAuthorizationFailed
            | Code::ClusterAuthorizationFailed,
        ) => Trouble::Authentication,
        Some(Code::AutoOffsetReset | Code::OffsetOutOfRange) => Trouble::OffsetOutOfRange,
        _ => Trouble::Other,
    }
}

/// The line where the brokers know nothing of a partition that was there before.
pub(crate) fn gone(topic: &str, partition: i32, reason: &str) -> String {
    format!(
        "topic {topic} is gone, or its partition {partition} is (deleted?): {reason}. Nothing of the \
         tasks that read it is shown meanwhile. If it was deleted, a topic of this name is read anew \
         once it is there, and totals begin at 0; if it was and none is to come, take its \
         [[kafka.topic]] out of the configuration and restart Kept"
    )
}

/// The log line of an error that librdkafka reports.
pub(crate) fn describe(trouble: Trouble, brokers: &str, reason: &str) -> String {
    match trouble {
        Trouble::BrokerUnreachable => format!("broker {brokers} unreachable: {reason}"),
        _ => format!("Kafka at {brokers}: {reason}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_that_is_gone_is_named_with_what_to_do() {
        let code = RDKafkaErrorCode::UnknownPartition;
        assert_eq!(classify(Some(code)), Trouble::TopicMissing);
        let line = gone("shop", 3, &code.to_string());
        for part in ["topic shop is gone", "partition 3", "[[kafka.topic]]"] {
            assert!(line.contains(part), "no {part:?} in {line}");
        }
        let certain = line.split(". If it was deleted, ").next();
        let certain = certain.expect("a first part");
        assert!(
            !certain.contains("anew") && certain != line,
            "only if it was deleted: {line}"
        );
    }

    #[test]
    fn a_broken_off_handshake_is_a_matter_of_authentication() {
        let lost = Some(RDKafkaErrorCode::BrokerTransportFailure);
        let handshake = "ssl://one:9092/bootstrap: SSL handshake failed: Disconnected: connecting to \
                         a PLAINTEXT broker listener? (after 3ms in state SSL_HANDSHAKE)";
        assert_eq!(classify_reason(lost, handshake), Trouble::Authentication);
        let refused = "one:9092/bootstrap: Connect to one:9092 failed: Connection refused";
        assert_eq!(classify_reason(lost, refused), Trouble::BrokerUnreachable);
    }
}
