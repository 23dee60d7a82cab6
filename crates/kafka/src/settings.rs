//! What a client of the broker is told, and what nobody may change.
//!
//! The user's `[kafka.client]` settings go to librdkafka as they are and win over our defaults;
//! the `OWNED` ones are left out of them, because exactness rests on those.

use catalogue::settings::OWNED;
pub use catalogue::settings::{Kafka as Settings, Start};
use rdkafka::ClientConfig;

/// Bounds what one consumer has fetched and not yet handed out, in KiB.
const FETCHED_KIB: &str = "8192";

/// Ours for every client; the user's win.
const DEFAULTS: [(&str, &str); 4] = [
    ("client.id", "kept"),
    ("socket.keepalive.enable", "true"),
    ("log.connection.close", "false"),
    ("reconnect.backoff.max.ms", "3000"),
];

/// Ours for consumers; the user's win.
const CONSUMER_DEFAULTS: [(&str, &str); 6] = [
    // The default of 1000 ms leaves the fetcher idle whenever the queue was full for a moment.
    ("fetch.queue.backoff.ms", "10"),
    ("session.timeout.ms", "12000"),
    // A rebalance is heard of within a second: what moves is shown again that much sooner.
    ("heartbeat.interval.ms", "1000"),
    // A commit on a connection that went silent is given up before long, not after a minute.
    ("socket.timeout.ms", "10000"),
    ("queued.max.messages.kbytes", FETCHED_KIB),
    ("topic.metadata.refresh.interval.ms", "60000"),
];

/// Ours for consumers, whatever the user says.
const CONSUMER_OWNED: [(&str, &str); 7] = [
    ("group.protocol", "classic"),
    ("enable.auto.commit", "false"),
    ("enable.auto.offset.store", "false"),
    ("auto.offset.reset", "error"),
    ("enable.partition.eof", "true"),
    // Partition p of every topic goes to one member.
    ("partition.assignment.strategy", "range"),
    ("isolation.level", "read_committed"),
];

/// Ours for the dead letters' producer; the user's win.
const LETTER_DEFAULTS: [(&str, &str); 6] = [
    ("acks", "all"),
    ("linger.ms", "5"),
    ("message.timeout.ms", "5000"),
    ("queue.buffering.max.messages", "10000"),
    ("queue.buffering.max.kbytes", "32768"),
    ("message.max.bytes", "33554432"),
];

const INSTANCE_ID: &str = "group.instance.id";

/// For a client without a group: metadata, administration, producing.
pub(crate) fn client_config(settings: &Settings) -> ClientConfig {
    config(settings, &[])
}

/// Who worker number `worker` is in the group, if the settings say so: each has to be somebody.
pub(crate) fn instance_id(settings: &Settings, worker: usize) -> Option<String> {
    let mut client = settings.client.iter();
    let instance = client.rfind(|(name, _)| name == INSTANCE_ID)?;
    Some(format!("{}-{worker}", instance.1))
}

/// For worker number `worker`, a member of the group.
pub(crate) fn consumer_config(settings: &Settings, worker: usize) -> ClientConfig {
    let mut config = config(settings, &CONSUMER_DEFAULTS);
    if let Some(instance) = instance_id(settings, worker) {
        config.set(INSTANCE_ID, instance);
    }
    config.set("group.id", &settings.group);
    for (name, value) in CONSUMER_OWNED {
        config.set(name, value);
    }
    config
}

/// For the producer of dead letters.
pub(crate) fn letter_config(settings: &Settings) -> ClientConfig {
    config(settings, &LETTER_DEFAULTS)
}

fn config(settings: &Settings, defaults: &[(&str, &str)]) -> ClientConfig {
    let mut config = ClientConfig::new();
    for (name, value) in DEFAULTS.iter().chain(defaults) {
        config.set(*name, *value);
    }
    for (name, value) in &settings.client {
        if !is_owned(name) {
            config.set(name, value);
        }
    }
    config.set("bootstrap.servers", &settings.brokers);
    config
}

fn is_owned(name: &str) -> bool {
    OWNED.iter().any(|(owned, _)| *owned == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_wins_over_defaults_and_loses_against_owned_settings() {
        let settings = Settings {
            brokers: "one:9092".into(),
            group: "kept".into(),
            start: Start::Earliest,
            dead_letter_topic: None,
            workers: None,
            client: vec![
                ("session.timeout.ms".into(), "15000".into()),
                ("enable.auto.commit".into(), "true".into()),
                ("bootstrap.servers".into(), "two:9092".into()),
                ("metadata.broker.list".into(), "three:9092".into()),
                ("isolation.level".into(), "read_uncommitted".into()),
                ("group.instance.id".into(), "shop".into()),
            ],
        };
        let config = consumer_config(&settings, 1);
        assert_eq!(config.get("session.timeout.ms"), Some("15000"));
        assert_eq!(config.get("enable.auto.commit"), Some("false"));
        assert_eq!(config.get("bootstrap.servers"), Some("one:9092"));
        assert_eq!(config.get("metadata.broker.list"), None);
        assert_eq!(config.get("isolation.level"), Some("read_committed"));
        assert_eq!(config.get("group.instance.id"), Some("shop-1"));
    }
    #[test]
    fn what_we_insist_on_can_not_be_configured() {
        for (name, _) in CONSUMER_OWNED {
            assert!(is_owned(name), "{name} is not in the catalogue's list");
        }
    }
}
