//! `kept` and a Kafka behind TLS and SASL: it works by configuration alone, and what the broker or
//! its certificate refuses is named, but never the password.
#![allow(
    clippy::disallowed_methods,
    reason = "the test of processes has files and a clock"
)]

#[path = "proof_support/feed.rs"]
mod feed;
#[path = "proof_support/shop.rs"]
mod shop;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use events::Span;
use support::{Finished, Kafka, Kept, Secure, finish, until};

use feed::{await_events, produce};
use shop::Orders;

const LONG: Duration = Duration::from_secs(60);
const REFUSED: [(&str, &str); 1] = [("kind", "authentication")];
const MECHANISMS: [&str; 2] = ["SCRAM-SHA-512", "PLAIN"];

#[test]
fn events_go_in_and_out_through_tls_and_sasl() {
    let secure = Kafka::shared_secure().secure();
    let lines = shop::lines(&mut shop::open(8, Span::from_seconds(120)), Span::ZERO);
    let mut orders = Orders::default();
    orders.read(&lines);
    for mechanism in MECHANISMS {
        let login = Login::new(mechanism, Secure::PASSWORD, secure.authority());
        let mut kept = Kept::run(env!("CARGO_BIN_EXE_kept"), &login.config);
        produce(&kept, &lines);
        let samples = await_events(&kept, lines.len() as u64);
        for (series, expected) in [
            ("shop_fulfilment_started_total", orders.placed()),
            ("shop_fulfilment_completed_total", orders.durations().len()),
        ] {
            assert_eq!(samples.sum(series, &[]), Some(expected as f64), "{series}");
        }
        let used = samples.sum("kept_events_total", &[("outcome", "used")]);
        assert_eq!(used, Some(orders.used() as f64));
        let refused = samples.sum("kept_kafka_errors_total", &REFUSED);
        assert_eq!(refused, Some(0.0), "{}", kept.log());
        assert!(kept.terminate().success(), "{}", kept.log());
    }
}

#[test]
fn a_wrong_password_is_named_and_not_shown() {
    let secure = Kafka::shared_secure().secure();
    for mechanism in MECHANISMS {
        let login = Login::new(mechanism, "let-me-in-please", secure.authority());
        refused(&login, "Authentication failed");
    }
}

#[test]
fn a_broker_that_nobody_vouches_for_is_named() {
    let secure = Kafka::shared_secure().secure();
    let login = Login::new(MECHANISMS[0], Secure::PASSWORD, secure.stranger());
    refused(&login, "certificate");
}

/// `kept run` goes on and says what is wrong; `kept produce` and `kept check` say it and end.
#[track_caller]
fn refused(login: &Login, word: &str) {
    let mut kept = Kept::start(env!("CARGO_BIN_EXE_kept"), &login.config);
    until(LONG, "the refusal is counted", || {
        let ended = kept.process().ended();
        assert!(ended.is_none(), "kept ended:\n{}", kept.log());
        support::get(kept.port(), "/metrics", &[]).is_some() && {
            let counted = kept.scrape().sum("kept_kafka_errors_total", &REFUSED);
            counted.is_some_and(|counted| counted >= 1.0)
        }
    });
    assert_eq!(kept.get("/livez", &[]).status, 200);
    assert_eq!(kept.get("/readyz", &[]).status, 503);
    // It is counted just before it is logged.
    until(LONG, "the refusal is logged", || {
        Login::is_named(&kept.log(), word)
    });
    login.assert_named("kept run", &kept.log(), word);
    let config = kept.folder().join("kept.toml").display().to_string();
    let events = kept.folder().join("events.jsonl");
    let line = shop::lines(&mut shop::open(9, Span::from_seconds(60)), Span::ZERO).remove(0);
    fs::write(&events, line).expect("the folder is writable");
    let events = events.display().to_string();
    for arguments in [
        &["produce", "--config", &config, &events][..],
        &["check", "--broker", "--config", &config],
    ] {
        let done = finish(env!("CARGO_BIN_EXE_kept"), arguments, None);
        let Finished { stdout, stderr, .. } = &done;
        assert_eq!(
            done.status.code(),
            Some(1),
            "{arguments:?}: {stdout}{stderr}"
        );
        login.assert_named(arguments[0], &format!("{stdout}{stderr}"), word);
    }
    assert!(kept.terminate().success(), "{}", kept.log());
}

/// A configuration that reads a topic of its own, and its password in a file.
struct Login {
    config: String,
    password: &'static str,
    file: PathBuf,
}

impl Login {
    fn new(mechanism: &str, password: &'static str, authority: &Path) -> Login {
        let kafka = Kafka::shared_secure();
        let number = next_number();
        let file = format!("kept-secure-{}-{number}", std::process::id());
        let file = std::env::temp_dir().join(file);
        fs::write(&file, format!("{password}\n")).expect("the temporary folder is writable");
        let name = format!("shop.secure-{number}");
        kafka.create_topic(&name, 2, &[]);
        let topic = (name.as_str(), shop::TOPIC.1, shop::TOPIC.2);
        let config = feed::config(kafka, &name, &["promise", "cart"], &[], &[topic])
            .replace(&kafka.brokers(), &kafka.secure().brokers());
        let client = format!(
            "[kafka.client]\nsecurity.protocol = \"SASL_SSL\"\nssl.ca.location = {authority:?}\n\
             sasl.mechanism = {mechanism:?}\nsasl.username = {:?}\n\"sasl.password_file\" = {file:?}\n",
            Secure::USER
        );
        Login {
            config: config + &client,
            password,
            file,
        }
    }

    /// Whether a line names the broker and the problem.
    fn is_named(said: &str, word: &str) -> bool {
        let address = Kafka::shared_secure().secure().brokers();
        let mut lines = said.lines();
        lines.any(|line| line.contains(&address) && line.contains(word))
    }

    /// What was said names the problem and keeps the secret.
    #[track_caller]
    fn assert_named(&self, who: &str, said: &str, word: &str) {
        let named = Login::is_named(said, word);
        assert!(named, "{who} does not name {word}:\n{said}");
        assert!(!said.contains(self.password), "{who} tells:\n{said}");
    }
}

impl Drop for Login {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.file);
    }
}

fn next_number() -> u32 {
    static NUMBER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
}
