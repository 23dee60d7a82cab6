//! Questions to Kafka by commands that ask and then end: `kept check`, `kept produce`, the demo.
//!
//! librdkafka tries on while a broker refuses it, and in the end knows only that there was no
//! answer. Why is said on the side, as an error event: it is kept here, becomes the answer's error,
//! and a refusal ends the waiting.

use std::fmt;
use std::sync::Mutex;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use tracing::debug;

use crate::context::{classify, classify_reason, log_line};
use crate::metrics::Trouble;

/// How long the broker may take in the first try, the second, the last: a refusal is seen between.
const PATIENCE: [Duration; 3] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(7),
];
/// Error events that are taken note of after a try.
const EVENTS: usize = 100;

/// Kafka did not answer, or not what was hoped for: why, as far as librdkafka knows.
#[derive(Debug)]
pub struct Unanswered {
    trouble: Trouble,
    reason: String,
}

impl Unanswered {
    /// TLS, SASL or missing rights said no: waiting does not help.
    pub fn is_refusal(&self) -> bool {
        self.trouble == Trouble::Authentication
    }
}

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for Unanswered {}

impl From<KafkaError> for Unanswered {
    fn from(error: KafkaError) -> Unanswered {
        Unanswered {
            trouble: classify(error.rdkafka_error_code()),
            reason: error.to_string(),
        }
    }
}

/// A consumer that joins no group.
pub(crate) type Asker = BaseConsumer<Reasons>;

/// Connects lazily: an unreachable broker shows as the first question's error.
pub(crate) fn asker(config: &ClientConfig) -> KafkaResult<Asker> {
    config.create_with_context(Reasons::default())
}

/// Asks until there is an answer, a refusal, or no more patience. The question is given how long it
/// may take.
pub(crate) fn ask<T>(
    asker: &Asker,
    mut question: impl FnMut(Duration) -> KafkaResult<T>,
) -> Result<T, Unanswered> {
    let mut last = None;
    for patience in PATIENCE {
        let error = match question(patience) {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        if classify(error.rdkafka_error_code()) != Trouble::BrokerUnreachable {
            return Err(error.into());
        }
        // `None` is a line of its log as well: it does not mean that nothing more is there.
        for _ in 0..EVENTS {
            let _ = asker.poll(Duration::ZERO);
        }
        if let Some(refusal) = asker.context().refusal() {
            return Err(refusal);
        }
        last = Some(error);
    }
    let error = last.expect("there is a first try");
    let reason = asker.context().reason();
    Err(reason.unwrap_or_else(|| error.into()))
}

/// What librdkafka said on the side, the most telling of it.
#[derive(Default)]
pub(crate) struct Reasons(Mutex<Option<(Trouble, String)>>);

impl Reasons {
    fn refusal(&self) -> Option<Unanswered> {
        self.reason().filter(Unanswered::is_refusal)
    }

    fn reason(&self) -> Option<Unanswered> {
        let said = self.0.lock().expect("nothing panics in here").clone();
        said.map(|(trouble, reason)| Unanswered { trouble, reason })
    }
}

impl ClientContext for Reasons {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log_line(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        debug!("{error}: {reason}");
        let code = error.rdkafka_error_code();
        // "1/1 brokers are down" follows on what happened to the one.
        if code == Some(RDKafkaErrorCode::AllBrokersDown) {
            return;
        }
        let mut said = self.0.lock().expect("nothing panics in here");
        let refused = |said: &(Trouble, String)| said.0 == Trouble::Authentication;
        if !said.as_ref().is_some_and(refused) {
            *said = Some((classify_reason(code, reason), reason.to_owned()));
        }
    }
}

impl ConsumerContext for Reasons {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_outlasts_what_follows_from_it() {
        let reasons = Reasons::default();
        let say = |code, reason| reasons.error(KafkaError::Global(code), reason);
        say(RDKafkaErrorCode::BrokerTransportFailure, "refused");
        say(RDKafkaErrorCode::AllBrokersDown, "1/1 brokers are down");
        let told = |said: Option<Unanswered>| said.map(|said| said.to_string());
        assert_eq!(told(reasons.reason()).as_deref(), Some("refused"));
        assert_eq!(told(reasons.refusal()), None);
        say(RDKafkaErrorCode::SSL, "certificate verify failed");
        say(RDKafkaErrorCode::BrokerTransportFailure, "disconnected");
        assert_eq!(
            told(reasons.refusal()).as_deref(),
            Some("certificate verify failed")
        );
    }

    #[test]
    fn missing_rights_are_a_refusal_and_a_broker_that_is_away_is_none() {
        let is_refusal = |error| Unanswered::from(error).is_refusal();
        let metadata = KafkaError::MetadataFetch;
        assert!(is_refusal(metadata(
            RDKafkaErrorCode::TopicAuthorizationFailed
        )));
        for code in [
            RDKafkaErrorCode::Resolve,
            RDKafkaErrorCode::BrokerTransportFailure,
            RDKafkaErrorCode::OperationTimedOut,
            RDKafkaErrorCode::LeaderNotAvailable,
        ] {
            assert!(!is_refusal(metadata(code)), "{code:?}");
        }
    }
}
