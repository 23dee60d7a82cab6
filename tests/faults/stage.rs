//! Where a fault happens: a real broker, topics of its own, a seeded shop that sells while things
//! break, a folder for snapshots, and a watcher that scrapes every instance all the time.
//!
//! The shop's event time is long before now and never reaches it. Two tests may run at once: each has
//! topics, a group and a folder of its own, and most of them wait most of the time.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use events::{EventTime, Span};
use simulator::shop::{Chance, Layout, Produced, Shop, ShopSettings};
use support::{Feeder, Folder, Kafka, Kept, Sending, Watcher, within};

pub const PARTITIONS: i32 = 8;
/// How far event time may get before it reaches now.
const BEGAN_AGO: Span = Span::from_seconds(100 * 60);
/// Longer than any window of the catalogue.
const LATELY: Span = Span::from_seconds(7 * 60);
/// At this pace a second of event time has about 125 records.
const ORDERS_PER_SECOND: f64 = 30.0;
/// Records a second, while things break.
pub const PACE: u64 = 1_500;
/// For what is there before anybody looks.
const AT_ONCE: u64 = 1_000_000;
const BINARY: &str = env!("CARGO_BIN_EXE_kept");
const LONG: Duration = Duration::from_secs(60);
/// Tests at once: more of them would be too slow for their short sessions.
const AT_A_TIME: usize = 2;

/// The broker of a test: the one of all, or one that may be stopped.
pub enum Broker {
    Shared(&'static Kafka),
    Own(Kafka),
}

/// See the module.
pub struct Stage {
    pub name: &'static str,
    pub broker: Broker,
    pub state: Folder,
    pub watcher: Watcher,
    pub chance: Chance,
    pub began: EventTime,
    /// Partitions that are left out by `sell_up_to_now`.
    pub idle: Vec<i32>,
    one_topic: bool,
    shop: Arc<Mutex<Shop>>,
    _turn: Turn,
}

impl Stage {
    /// A stage with the broker of all. `name` is that of its topics and its group.
    pub fn new(name: &'static str, seed: u64) -> Stage {
        let turn = Turn::take();
        let broker = Broker::Shared(Kafka::shared_proxied());
        Stage::on(name, seed, broker, false, turn)
    }

    /// Likewise, with all records on one topic: a task's order is that of its offsets.
    pub fn with_one_topic(name: &'static str, seed: u64) -> Stage {
        let turn = Turn::take();
        let broker = Broker::Shared(Kafka::shared_proxied());
        Stage::on(name, seed, broker, true, turn)
    }

    /// Likewise, with a broker of its own behind a proxy.
    pub fn with_own_broker(name: &'static str, seed: u64) -> Stage {
        let turn = Turn::take();
        let broker = Broker::Own(Kafka::start_proxied());
        Stage::on(name, seed, broker, false, turn)
    }

    fn on(name: &'static str, seed: u64, broker: Broker, one_topic: bool, turn: Turn) -> Stage {
        let began = now() - BEGAN_AGO;
        eprintln!("{name}: seed {seed}, start {}", began.0);
        let stage = Stage {
            name,
            broker,
            state: Folder::new("state"),
            watcher: Watcher::new(),
            chance: Chance::new(seed),
            began,
            idle: Vec::new(),
            one_topic,
            shop: Arc::new(Mutex::new(Shop::new(seed, settings(began)))),
            _turn: turn,
        };
        for topic in stage.topics() {
            stage.kafka().create_topic(&topic, PARTITIONS, &[]);
        }
        stage.kafka().create_topic(&stage.rejected(), 1, &[]);
        stage
    }

    pub fn kafka(&self) -> &Kafka {
        match &self.broker {
            Broker::Shared(kafka) => kafka,
            Broker::Own(kafka) => kafka,
        }
    }

    /// The broker, to be stopped.
    pub fn own_kafka(&mut self) -> &mut Kafka {
        match &mut self.broker {
            Broker::Shared(_) => panic!("the broker of all tests is not to be stopped"),
            Broker::Own(kafka) => kafka,
        }
    }

    /// The topics, in the shop's order.
    pub fn topics(&self) -> Vec<String> {
        let topics = Layout::TwoTopics.topics().iter();
        topics
            .map(|topic| topic.name.replace("shop", self.name))
            .take(if self.one_topic { 1 } else { usize::MAX })
            .collect()
    }

    /// Where rejected records go.
    pub fn rejected(&self) -> String {
        format!("{}.rejected", self.name)
    }

    /// A configuration of one worker with short sessions, to be changed by `replace`.
    pub fn config(&self) -> String {
        let data = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/faults/kpis.toml");
        let (name, brokers) = (self.name, self.kafka().brokers());
        let (rejected, state) = (self.rejected(), self.state.path().display());
        let mut text = format!(
            "[kafka]\nbrokers = {brokers:?}\ngroup = {name:?}\nstart = \"earliest\"\n\
             dead_letter_topic = {rejected:?}\nworkers = 1\n\
             [kafka.client]\n\"session.timeout.ms\" = 4000\n\"heartbeat.interval.ms\" = 500\n\
             [time]\nlateness = \"5s\"\ndedupe = \"1m\"\n\
             [state]\nurl = \"file://{state}\"\nsnapshot_every = \"1s\"\n\
             [catalogue]\nfiles = [{data:?}]\n"
        );
        for (topic, name) in Layout::TwoTopics.topics().iter().zip(self.topics()) {
            let (key, types) = (topic.key, topic.types);
            let types = if self.one_topic { &["*"] } else { types };
            text +=
                &format!("[[kafka.topic]]\nname = {name:?}\nkey = {key:?}\ntypes = {types:?}\n");
        }
        text
    }

    /// Starts an instance and has it watched.
    pub fn start(&mut self, config: &str) -> Kept {
        let kept = Kept::start(BINARY, config);
        self.watcher.watch(kept.port());
        kept
    }

    /// Starts an instance, waits until it is ready, and tells how long that took.
    pub fn run(&mut self, config: &str) -> Kept {
        let begin = Instant::now();
        let mut kept = self.start(config);
        kept.await_ready();
        eprintln!("{}: ready after {:?}", self.name, begin.elapsed());
        kept
    }

    /// The shop sells on, `per_second` records, until the feeder is finished.
    pub fn sell(&self, per_second: u64) -> Feeder {
        let records = records(&self.shop, self.topics());
        Feeder::start(&self.kafka().brokers(), records, per_second)
    }

    /// Likewise, with `mix` to make of each record what is sent in its place.
    pub fn sell_mixed(
        &self,
        per_second: u64,
        mix: impl FnMut(Sending) -> Vec<Sending> + Send + 'static,
    ) -> Feeder {
        let records = records(&self.shop, self.topics()).flat_map(mix);
        Feeder::start(&self.kafka().brokers(), records, per_second)
    }

    /// What a shop sells from this time on, for ever.
    pub fn sold_from(&self, start: EventTime) -> impl Iterator<Item = Sending> + Send + use<> {
        let shop = Shop::new(start.0.unsigned_abs(), settings(start));
        records(&Arc::new(Mutex::new(shop)), self.topics())
    }

    /// The shop's next `count` records, at once.
    pub fn sell_at_once(&self, count: usize) {
        let records = records(&self.shop, self.topics()).take(count);
        let sent = Feeder::start(&self.kafka().brokers(), records, AT_ONCE).await_end();
        assert_eq!(sent, count as u64);
    }

    /// What another shop has sold in the last minutes, up to now, at once: so that windows are full
    /// and orders are open at the time that is shown, and what was open before runs out.
    pub fn sell_up_to_now(&self) {
        let settings = settings(now() - LATELY);
        let mut shop = Shop::new(self.began.0.unsigned_abs(), settings);
        let sold = shop.until(now());
        let sold = sold.filter(|one| !self.idle.contains(&one.partition));
        let sold: Vec<Produced> = sold.collect();
        let topics = self.topics();
        let records = sold.into_iter().map(move |one| sending(one, &topics));
        let sent = Feeder::start(&self.kafka().brokers(), records, AT_ONCE).await_end();
        assert!(sent > 10_000, "only {sent} records are from lately");
    }

    /// The shop's next `count` records, not sent.
    pub fn take(&self, count: usize) -> Vec<Sending> {
        records(&self.shop, self.topics()).take(count).collect()
    }

    /// A number of records below `most`, at random and at least one.
    pub fn some(&mut self, most: u64) -> u64 {
        1 + self.chance.below(most - 1)
    }
}

fn settings(start: EventTime) -> ShopSettings {
    ShopSettings {
        orders_per_second: ORDERS_PER_SECOND,
        partitions: PARTITIONS,
        ..ShopSettings::proof(start)
    }
}

/// Waits until the log has these words.
#[track_caller]
pub fn await_words(kept: &Kept, words: &str) {
    let deadline = Instant::now() + LONG;
    within(2 * LONG, &format!("the log says {words:?}"), || {
        let log = kept.log();
        let late = Instant::now() > deadline;
        assert!(!late, "the log doesn't say {words:?}:\n{log}");
        log.contains(words).then_some(())
    });
}

/// Waits until the process' metrics hold.
#[track_caller]
pub fn await_metrics(kept: &Kept, what: &str, holds: impl Fn(&support::Samples) -> bool) {
    within(LONG, what, || {
        let answer = support::get(kept.port(), "/metrics", &[])?;
        let samples = support::Samples::parse(&answer.text());
        holds(&samples).then_some(())
    });
}

/// One of the tests that run now; one that failed has had its turn.
struct Turn;

static RUNNING: (Mutex<usize>, Condvar) = (Mutex::new(0), Condvar::new());

impl Turn {
    fn take() -> Turn {
        let running = RUNNING.0.lock().unwrap_or_else(PoisonError::into_inner);
        let room = RUNNING.1.wait_while(running, |tests| *tests >= AT_A_TIME);
        *room.unwrap_or_else(PoisonError::into_inner) += 1;
        Turn
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        *RUNNING.0.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        RUNNING.1.notify_one();
    }
}

fn records(
    shop: &Arc<Mutex<Shop>>,
    topics: Vec<String>,
) -> impl Iterator<Item = Sending> + Send + use<> {
    let shop = Arc::clone(shop);
    std::iter::from_fn(move || {
        let next = shop.lock().unwrap_or_else(PoisonError::into_inner).next();
        let record = next.expect("the shop is endless");
        assert!(
            record.timestamp.as_event_time() < now(),
            "the load has reached now: sell less, or begin earlier"
        );
        Some(sending(record, &topics))
    })
}

fn sending(record: Produced, topics: &[String]) -> Sending {
    Sending {
        topic: topics[record.topic.min(topics.len() - 1)].clone(),
        partition: record.partition,
        key: record.key,
        timestamp_ms: record.timestamp.0 / 1000,
        value: Some(record.value),
    }
}

pub fn now() -> EventTime {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("the clock is after 1970");
    EventTime(since.as_micros() as i64)
}
