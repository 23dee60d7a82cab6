//! `kept shop`: the simulated shop as a producer on its own, for a Kafka that is somebody's.
//!
//! A shop that was stopped and is started again has new carts and orders; its history is sent to
//! topics without records only, because elsewhere it would be late. Records keep the time at which
//! the shop made them, however long Kafka is away; so its topics have no LogAppendTime, which would
//! make the history look delayed. A Kafka that isn't up yet is waited for, as `kept run` does.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail};
use clap::ValueEnum;
use events::{EventTime, Span};
use kafka::admin::Admin;
use kafka::produce::Producer;
use simulator::shop::{Incident, Layout, Pace, Shop, ShopSettings, regions};

use crate::arguments::duration;
use crate::feeder::{Feeder, Live};
use crate::signals::Signals;
use crate::{clock, logging};

/// Where rejected records go, as the README's configuration has it.
const REJECTED: &str = "shop.rejected";
/// Orders a second that one sender is good for.
const RATES: std::ops::RangeInclusive<f64> = 0.1..=1000.0;
/// Partitions that a topic may be given.
const PARTITIONS: std::ops::RangeInclusive<i64> = 1..=1024;
/// Records that wait for Kafka are given up after this time; then the command ends.
const AWAY_FOR: &str = "3600000";
/// How often is looked whether the shop goes on, and whether the incident began.
const TURN: Duration = Duration::from_millis(200);
/// How long a new topic may take until it has leaders.
const TOPIC_WITHIN: Duration = Duration::from_secs(60);

/// The arguments of `kept shop`.
#[derive(clap::Args)]
pub struct Arguments {
    /// The Kafka to send to
    #[arg(long, value_name = "HOST:PORT")]
    brokers: String,
    /// Orders a second, 0.1 to 1000; each comes with some 25 events of visits, carts and payments
    #[arg(long, value_name = "ORDERS", default_value_t = 10.0, value_parser = rate)]
    rate: f64,
    /// The same seed gives shops that are alike
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Which topics there are; all are keyed by `cart_id`
    #[arg(long, value_enum, default_value_t = Topics::One)]
    topics: Topics,
    /// Partitions of each topic that is created
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = partitions())]
    partitions: i32,
    /// How long the shop has been open already: sent at once, to topics without records only
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = duration)]
    history: Duration,
    /// What goes wrong in fulfilment: `slower:N` (N times slower) or `stop` (nothing moves)
    #[arg(long, value_name = "KIND", value_parser = pace)]
    incident: Option<Pace>,
    /// When the incident begins, after the start of the command
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = duration, requires = "incident")]
    incident_after: Duration,
    /// How long it lasts
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = duration, requires = "incident")]
    incident_for: Duration,
    /// The only region that it hits; without it all of them
    #[arg(long, value_name = "REGION", value_parser = regions(), requires = "incident")]
    incident_region: Option<String>,
}

/// Which topics the shop's events are on.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Topics {
    /// shop.events has everything
    One,
    /// order.picked, order.fulfilled and order.cancelled are on shop.fulfilment, all else on
    /// shop.events
    Split,
}

/// Sends until a signal.
pub fn main(arguments: Arguments) -> ExitCode {
    logging::start_at("warn");
    match shop(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("kept shop: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn shop(arguments: Arguments) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        // First of all: the kernel drops a signal that the first process of a container doesn't catch.
        let mut signals = Signals::new()?;
        let open = signals.exit_during(move || open(&arguments)).await?;
        open.watch(signals).await
    })
}

/// A shop that sends, and what is told about it when.
struct Open {
    live: Live,
    notes: Vec<(EventTime, String)>,
}

fn open(arguments: &Arguments) -> anyhow::Result<Open> {
    let layout = match arguments.topics {
        Topics::One => Layout::OneTopic,
        Topics::Split => Layout::FulfilmentApart,
    };
    let topics: Vec<&'static str> = layout.topics().iter().map(|topic| topic.name).collect();
    let client = client(&arguments.brokers);
    let asking = || format!("asking Kafka at {}", arguments.brokers);
    let new = prepare(&client, &topics, arguments.partitions).with_context(asking)?;
    let producer = Producer::new(&client)
        .map_err(|error| anyhow!("the Kafka settings are refused: {error}"))?;
    let begin = clock::now().as_event_time();
    let start = if new {
        begin - span(arguments.history)
    } else {
        begin
    };
    let settings = settings(arguments, layout, start, begin);
    let notes = notes(&settings);
    let mut feeder = Feeder::new(Shop::new(arguments.seed, settings), producer, topics);
    if new && !arguments.history.is_zero() {
        say(&format!(
            "{} s of history are sent first ...",
            arguments.history.as_secs()
        ));
        feeder.history(begin)?;
    }
    let live = feeder.live()?;
    let (rate, seed) = (arguments.rate, arguments.seed);
    say(&format!(
        "The shop is open: {rate} orders a second (seed {seed}) to {}.",
        layout
            .topics()
            .iter()
            .map(|topic| topic.name)
            .collect::<Vec<_>>()
            .join(" and ")
    ));
    Ok(Open { live, notes })
}

impl Open {
    /// Tells when the incident begins and ends, until a signal; a second one ends it at once.
    async fn watch(mut self, mut signals: Signals) -> anyhow::Result<()> {
        let mut turns = tokio::time::interval(TURN);
        loop {
            tokio::select! {
                _ = signals.next() => break,
                _ = turns.tick() => {}
            }
            if let Some(failure) = self.live.failure() {
                return Err(failure);
            }
            let now = clock::now().as_event_time();
            while self.notes.first().is_some_and(|note| note.0 <= now) {
                say(&self.notes.remove(0).1);
            }
        }
        say("Closing.");
        signals.exit_during(move || self.live.stop()).await
    }
}

fn settings(
    arguments: &Arguments,
    layout: Layout,
    start: EventTime,
    begin: EventTime,
) -> ShopSettings {
    let from = begin + span(arguments.incident_after);
    let region = arguments.incident_region.as_deref();
    ShopSettings {
        orders_per_second: arguments.rate,
        layout,
        incident: arguments.incident.map(|pace| Incident {
            from,
            to: from + span(arguments.incident_for),
            pace,
            region: region.and_then(|named| regions().into_iter().find(|name| *name == named)),
        }),
        rhythm: None,
        ..ShopSettings::demo(start)
    }
}

/// What is told of the incident, in order.
fn notes(settings: &ShopSettings) -> Vec<(EventTime, String)> {
    let Some(incident) = settings.incident else {
        return Vec::new();
    };
    let what = match incident.pace {
        Pace::Slower(factor) => format!("fulfilment is {factor} times slower"),
        Pace::Stopped => "fulfilment stands still".to_owned(),
    };
    let place = incident.region.unwrap_or("all regions");
    vec![
        (
            incident.from,
            format!("INCIDENT begins: {what} in {place}."),
        ),
        (incident.to, "INCIDENT is over.".to_owned()),
    ]
}

/// Creates the topics where they are missing; true: none of the shop's has a record.
fn prepare(client: &kafka::Settings, topics: &[&str], partitions: i32) -> anyhow::Result<bool> {
    let admin = Admin::new(client)?;
    await_kafka(&admin, topics[0])?;
    let wanted = topics.iter().map(|topic| (*topic, partitions));
    for (topic, partitions) in wanted.chain([(REJECTED, 1)]) {
        if admin.partitions(topic)?.is_none() {
            let created = admin.create(topic, partitions, &[]);
            created.with_context(|| format!("creating topic {topic}"))?;
            say(&format!("Created topic {topic} ({partitions} partitions)."));
        }
        await_topic(&admin, topic)?;
    }
    let mut counts = Vec::new();
    let mut records = 0;
    for topic in topics {
        counts.push(admin.partitions(topic)?);
        records += admin.records(topic)?.unwrap_or(0);
    }
    if counts.windows(2).any(|pair| pair[0] != pair[1]) {
        bail!(
            "{} have different numbers of partitions: an order's events would not meet",
            topics.join(" and ")
        );
    }
    Ok(records == 0)
}

/// Waits until Kafka answers at all; what waiting does not mend, such as missing rights, is an error.
/// Each reason is told once: where a host has several addresses theirs take turns.
fn await_kafka(admin: &Admin, topic: &str) -> anyhow::Result<()> {
    let mut told = BTreeSet::new();
    while let Err(error) = admin.partitions(topic) {
        if error.is_refusal() {
            return Err(error.into());
        }
        let text = error.to_string();
        if told.insert(without_times(&text).to_owned()) {
            say(&format!(
                "Kafka does not answer: {text}. Asking again until it does; Ctrl-C ends it."
            ));
        }
        std::thread::sleep(TURN);
    }
    Ok(())
}

/// A reason of librdkafka's without how long that took and how often it was, at its end.
fn without_times(reason: &str) -> &str {
    reason.split(" (after ").next().unwrap_or(reason)
}

/// Waits until a topic has leaders; what Kafka can't answer in between is asked again.
fn await_topic(admin: &Admin, topic: &str) -> anyhow::Result<()> {
    let deadline = Instant::now() + TOPIC_WITHIN;
    loop {
        let answer = admin.partitions(topic);
        if matches!(answer, Ok(Some(_))) {
            return Ok(());
        }
        if Instant::now() >= deadline {
            let seconds = TOPIC_WITHIN.as_secs();
            let late = format!("topic {topic} is not there {seconds} s after it was created");
            answer.context(late.clone())?;
            bail!(late);
        }
        std::thread::sleep(TURN);
    }
}

fn client(brokers: &str) -> kafka::Settings {
    let set = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    kafka::Settings {
        brokers: brokers.to_owned(),
        group: String::new(),
        start: kafka::Start::Earliest,
        dead_letter_topic: None,
        workers: None,
        client: vec![
            set("compression.codec", "lz4"),
            set("message.timeout.ms", AWAY_FOR),
        ],
    }
}

fn span(duration: Duration) -> Span {
    Span(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX / 4))
}

/// Whoever closed the pipe does not want the rest.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(rate) if RATES.contains(&rate) => Ok(rate),
        _ => Err(format!("between {} and {}", RATES.start(), RATES.end())),
    }
}

fn partitions() -> clap::builder::RangedI64ValueParser<i32> {
    clap::value_parser!(i32).range(PARTITIONS)
}

fn pace(text: &str) -> Result<Pace, String> {
    if text == "stop" {
        return Ok(Pace::Stopped);
    }
    let factor = text.strip_prefix("slower:").map(str::parse::<f64>);
    match factor {
        Some(Ok(factor)) if (1.0..=1000.0).contains(&factor) => Ok(Pace::Slower(factor)),
        _ => Err("write stop, or slower:N with N from 1 to 1000, such as slower:3".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_the_same_however_long_it_took() {
        let refused = "one:1/bootstrap: Connect to one:1 failed: Connection refused";
        for times in [
            "",
            " (after 3ms in state CONNECT)",
            " (after 0ms in state CONNECT, 1 identical error(s) suppressed)",
        ] {
            assert_eq!(without_times(&format!("{refused}{times}")), refused);
        }
    }

    #[test]
    fn incidents_are_read() {
        assert_eq!(pace("stop"), Ok(Pace::Stopped));
        assert_eq!(pace("slower:2.5"), Ok(Pace::Slower(2.5)));
        for wrong in ["", "slower", "slower:", "slower:0.5", "slower:NaN", "halt"] {
            assert!(pace(wrong).is_err(), "{wrong}");
        }
    }
}
