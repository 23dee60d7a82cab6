//! What librdkafka takes in `[kafka.client]`: asked of its own configuration, without a network.
//!
//! It tells whether it knows a name, but not which names there are: those, for suggestions, are
//! listed here (from the CONFIGURATION.md of 2.12.1, without what only code can set). A test asks
//! it for each of them.

use catalogue::settings::{ClientRefusal, ClientRules, Kafka};
use rdkafka::ClientConfig;
use rdkafka::consumer::BaseConsumer;
use rdkafka::error::KafkaError;
use rdkafka::producer::BaseProducer;
use rdkafka::types::RDKafkaConfRes;

use crate::ask::Reasons;
use crate::settings::{consumer_config, letter_config};

/// librdkafka as a judge of `[kafka.client]`.
pub const RULES: ClientRules<'static> = ClientRules {
    names: &NAMES,
    one: &take_one,
    all: &take_all,
};

fn take_one(name: &str, value: &str) -> Result<(), ClientRefusal> {
    let mut config = ClientConfig::new();
    config.set(name, value);
    match config.create_native_config() {
        Ok(_) => Ok(()),
        Err(KafkaError::ClientConfig(RDKafkaConfRes::RD_KAFKA_CONF_UNKNOWN, ..)) => {
            Err(ClientRefusal::UnknownName)
        }
        Err(error) => Err(ClientRefusal::BadValue(reason(&error))),
    }
}

/// Makes the clients that `kept run` makes, but for the brokers: nothing is connected.
fn take_all(settings: &Kafka) -> Result<(), String> {
    let without_brokers = |mut config: ClientConfig| {
        config.remove("bootstrap.servers");
        config
    };
    let consumer = without_brokers(consumer_config(settings, 0));
    let consumer: Result<BaseConsumer<Reasons>, _> =
        consumer.create_with_context(Reasons::default());
    consumer.map_err(|error| reason(&error))?;
    if settings.dead_letter_topic.is_some() {
        let producer = without_brokers(letter_config(settings));
        let producer: Result<BaseProducer, _> = producer.create();
        producer.map_err(|error| reason(&error))?;
    }
    Ok(())
}

/// librdkafka's own words.
fn reason(error: &KafkaError) -> String {
    match error {
        KafkaError::ClientConfig(_, text, ..) | KafkaError::ClientCreation(text) => {
            text.trim().to_owned()
        }
        other => other.to_string(),
    }
}

/// All names that text can be given to, in order.
const NAMES: [&str; 170] = [
    "acks",
    "allow.auto.create.topics",
    "api.version.fallback.ms",
    "api.version.request",
    "api.version.request.timeout.ms",
    "auto.commit.enable",
    "auto.commit.interval.ms",
    "auto.offset.reset",
    "batch.num.messages",
    "batch.size",
    "bootstrap.servers",
    "broker.address.family",
    "broker.address.ttl",
    "broker.version.fallback",
    "builtin.features",
    "check.crcs",
    "client.dns.lookup",
    "client.id",
    "client.rack",
    "compression.codec",
    "compression.level",
    "compression.type",
    "connections.max.idle.ms",
    "consume.callback.max.messages",
    "coordinator.query.interval.ms",
    "debug",
    "default_topic_conf",
    "delivery.report.only.error",
    "delivery.timeout.ms",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "enable.gapless.guarantee",
    "enable.idempotence",
    "enable.metrics.push",
    "enable.partition.eof",
    "enable.random.seed",
    "enable.sasl.oauthbearer.unsecure.jwt",
    "enable.ssl.certificate.verification",
    "enabled_events",
    "fetch.error.backoff.ms",
    "fetch.max.bytes",
    "fetch.message.max.bytes",
    "fetch.min.bytes",
    "fetch.queue.backoff.ms",
    "fetch.wait.max.ms",
    "group.id",
    "group.instance.id",
    "group.protocol",
    "group.protocol.type",
    "group.remote.assignor",
    "heartbeat.interval.ms",
    "https.ca.location",
    "https.ca.pem",
    "internal.termination.signal",
    "isolation.level",
    "linger.ms",
    "log.connection.close",
    "log.queue",
    "log.thread.name",
    "log_level",
    "max.in.flight",
    "max.in.flight.requests.per.connection",
    "max.partition.fetch.bytes",
    "max.poll.interval.ms",
    "message.copy.max.bytes",
    "message.max.bytes",
    "message.send.max.retries",
    "message.timeout.ms",
    "metadata.broker.list",
    "metadata.max.age.ms",
    "metadata.recovery.rebootstrap.trigger.ms",
    "metadata.recovery.strategy",
    "msg_order_cmp",
    "offset.store.method",
    "offset.store.path",
    "offset.store.sync.interval.ms",
    "partition.assignment.strategy",
    "partitioner",
    "plugin.library.paths",
    "produce.offset.report",
    "queue.buffering.backpressure.threshold",
    "queue.buffering.max.kbytes",
    "queue.buffering.max.messages",
    "queue.buffering.max.ms",
    "queued.max.messages.kbytes",
    "queued.min.messages",
    "queuing.strategy",
    "receive.message.max.bytes",
    "reconnect.backoff.jitter.ms",
    "reconnect.backoff.max.ms",
    "reconnect.backoff.ms",
    "request.required.acks",
    "request.timeout.ms",
    "retries",
    "retry.backoff.max.ms",
    "retry.backoff.ms",
    "sasl.kerberos.keytab",
    "sasl.kerberos.kinit.cmd",
    "sasl.kerberos.min.time.before.relogin",
    "sasl.kerberos.principal",
    "sasl.kerberos.service.name",
    "sasl.mechanism",
    "sasl.mechanisms",
    "sasl.oauthbearer.assertion.algorithm",
    "sasl.oauthbearer.assertion.claim.aud",
    "sasl.oauthbearer.assertion.claim.exp.seconds",
    "sasl.oauthbearer.assertion.claim.iss",
    "sasl.oauthbearer.assertion.claim.jti.include",
    "sasl.oauthbearer.assertion.claim.nbf.seconds",
    "sasl.oauthbearer.assertion.claim.sub",
    "sasl.oauthbearer.assertion.file",
    "sasl.oauthbearer.assertion.jwt.template.file",
    "sasl.oauthbearer.assertion.private.key.file",
    "sasl.oauthbearer.assertion.private.key.passphrase",
    "sasl.oauthbearer.assertion.private.key.pem",
    "sasl.oauthbearer.client.credentials.client.id",
    "sasl.oauthbearer.client.credentials.client.secret",
    "sasl.oauthbearer.client.id",
    "sasl.oauthbearer.client.secret",
    "sasl.oauthbearer.config",
    "sasl.oauthbearer.extensions",
    "sasl.oauthbearer.grant.type",
    "sasl.oauthbearer.metadata.authentication.type",
    "sasl.oauthbearer.method",
    "sasl.oauthbearer.scope",
    "sasl.oauthbearer.token.endpoint.url",
    "sasl.password",
    "sasl.username",
    "security.protocol",
    "session.timeout.ms",
    "socket.blocking.max.ms",
    "socket.connection.setup.timeout.ms",
    "socket.keepalive.enable",
    "socket.max.fails",
    "socket.nagle.disable",
    "socket.receive.buffer.bytes",
    "socket.send.buffer.bytes",
    "socket.timeout.ms",
    "ssl.ca.certificate.stores",
    "ssl.ca.location",
    "ssl.ca.pem",
    "ssl.certificate.location",
    "ssl.certificate.pem",
    "ssl.cipher.suites",
    "ssl.crl.location",
    "ssl.curves.list",
    "ssl.endpoint.identification.algorithm",
    "ssl.engine.id",
    "ssl.engine.location",
    "ssl.key.location",
    "ssl.key.password",
    "ssl.key.pem",
    "ssl.keystore.location",
    "ssl.keystore.password",
    "ssl.providers",
    "ssl.sigalgs.list",
    "ssl_ca",
    "ssl_certificate",
    "ssl_engine_callback_data",
    "ssl_key",
    "statistics.interval.ms",
    "sticky.partitioning.linger.ms",
    "topic.blacklist",
    "topic.metadata.propagation.max.ms",
    "topic.metadata.refresh.fast.cnt",
    "topic.metadata.refresh.fast.interval.ms",
    "topic.metadata.refresh.interval.ms",
    "topic.metadata.refresh.sparse",
    "transaction.timeout.ms",
    "transactional.id",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn librdkafka_takes_every_name() {
        let defaults = ClientConfig::new().create_native_config();
        let defaults = defaults.expect("an empty configuration is good");
        for name in NAMES {
            // What it has no default for is "not there", what it does not know is "unknown".
            let unset = take_one(name, "");
            let known = defaults.get(name).is_ok() || unset != Err(ClientRefusal::UnknownName);
            assert!(known, "{name}");
        }
    }

    #[test]
    fn a_wrong_name_and_a_wrong_value_are_told_apart() {
        let unknown = take_one("session.timeout", "1");
        assert_eq!(unknown, Err(ClientRefusal::UnknownName));
        let Err(ClientRefusal::BadValue(reason)) = take_one("session.timeout.ms", "soon") else {
            panic!("soon is no number");
        };
        assert!(reason.contains("session.timeout.ms"), "{reason}");
        assert_eq!(take_one("session.timeout.ms", "6000"), Ok(()));
    }
}
