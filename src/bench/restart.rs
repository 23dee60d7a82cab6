//! From the end of a service to the same service with the right numbers, on a real broker.
//!
//! `kept run` as a process of its own holds many open orders. It is ended, started again at once,
//! and meanwhile more events come. It is right when `/readyz` says yes and every counter of every
//! KPI equals that of a worker in this process that took the same records and was never stopped. A
//! counter that is seen lower than before the end is an error.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use kafka::admin::Admin;

use super::feed::{Counters, Feed};
use super::measure::{Spread, Table, grouped, say, show};
use super::scrape::{Readiness, counters, series, values};
use super::service::{Configuration, Folder, Service};
use super::snapshots::{Costs, print_costs};
use super::{topic, work};
use crate::clock;

/// The longest that a service may take to be right.
const PATIENCE: Duration = Duration::from_secs(120);
/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Events that are shown before the service is ended, most of them after its last snapshot.
const BEFORE: u64 = 20_000;
/// Events that come while it is down.
const MEANWHILE: u64 = 3_000;
/// The ages of the last snapshot differ from round to round by this much of its ten seconds.
const AGE_STEP: Duration = Duration::from_millis(3_700);
const SNAPSHOT_EVERY: Duration = Duration::from_secs(10);

/// What to measure.
#[derive(clap::Args)]
pub struct Arguments {
    /// The broker, `host:port`.
    #[arg(long)]
    brokers: String,
    /// Open orders that the service holds; as many again are finished.
    #[arg(long, default_value_t = 100_000)]
    open: u64,
    /// How often it is ended in each way.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Its worker threads.
    #[arg(long, default_value_t = 2)]
    workers: usize,
    /// Leave the topic there; else it is deleted in the end.
    #[arg(long)]
    keep: bool,
}

impl Arguments {
    /// Everything at its default.
    pub fn of(brokers: String) -> Arguments {
        Arguments {
            brokers,
            open: 100_000,
            rounds: 5,
            workers: 2,
            keep: false,
        }
    }
}

/// How the service is ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Way {
    /// SIGKILL; its members are known by `group.instance.id`.
    KilledWithId,
    /// SIGKILL; the group waits for its members' session timeout.
    Killed,
    /// SIGTERM.
    Terminated,
}

impl Way {
    fn name(self) -> &'static str {
        match self {
            Way::KilledWithId => "kill -9, with group.instance.id",
            Way::Killed => "kill -9, without (session timeout 12 s)",
            Way::Terminated => "SIGTERM, without",
        }
    }

    fn client(self) -> Vec<(String, String)> {
        let id = ("group.instance.id".to_owned(), "bench".to_owned());
        (self == Way::KilledWithId)
            .then_some(id)
            .into_iter()
            .collect()
    }
}

/// One restart: seconds since the signal, and what was read again.
#[derive(Clone, Copy, Default, Debug)]
struct Restart {
    /// HTTP answers.
    up: f64,
    /// The group has given every worker its share.
    joined: f64,
    /// `/readyz` says yes.
    ready: f64,
    /// And every counter is right.
    right: f64,
    /// How old the oldest task's snapshot was, in seconds.
    snapshot_age: f64,
    /// Records after the snapshots, up to what was committed.
    replayed: f64,
}

/// Measures and prints.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let name = format!("kept-bench-restart-{}", std::process::id());
    let admin = Admin::new(&topic::kafka_settings(&arguments.brokers, &[]))?;
    topic::create(&admin, &name)?;
    let result = measure(arguments, &name);
    if !arguments.keep {
        admin.delete(&name).context("can't delete the topic")?;
    }
    result
}

fn measure(arguments: &Arguments, topic: &str) -> anyhow::Result<()> {
    let folder = Folder::new("restart")?;
    let configuration = Configuration {
        brokers: arguments.brokers.clone(),
        topic: topic.to_owned(),
        workers: arguments.workers,
        client: Vec::new(),
        state_url: folder.state_url(),
    };
    let mut feed = Feed::new(&arguments.brokers, topic, configuration.plan()?)?;
    show("sending the past");
    feed.past(arguments.open)?;
    let open_first = feed.open();
    let mut bench = Bench {
        feed,
        folder,
        configuration,
        costs: Costs::default(),
        series: 0,
    };
    let mut rows = Vec::new();
    for way in [Way::KilledWithId, Way::Killed, Way::Terminated] {
        rows.push((way, bench.rounds(way, arguments.rounds)?));
    }
    show("");
    let open = bench.feed.open();
    say(&format!(
        "restart: {} series, {} to {} open orders, {} partitions, {} workers; {} rounds each, {} events while it is down",
        grouped(bench.series as f64),
        grouped(open_first as f64),
        grouped(open as f64),
        work::PARTITIONS,
        arguments.workers,
        arguments.rounds,
        grouped(MEANWHILE as f64),
    ));
    print(&rows);
    print_costs(&mut bench.feed, &bench.folder, &bench.costs, BEFORE)
}

struct Bench {
    feed: Feed,
    folder: Folder,
    configuration: Configuration,
    costs: Costs,
    /// On `/metrics`.
    series: usize,
}

impl Bench {
    /// So many restarts.
    fn rounds(&mut self, way: Way, rounds: usize) -> anyhow::Result<Vec<Restart>> {
        self.configuration.client = way.client();
        show(&format!("{}: the first start", way.name()));
        let mut service = self.start()?;
        let expected = self.feed.expected();
        await_right(&mut service, Instant::now(), &Counters::new(), &expected)?;
        let mut restarts = Vec::new();
        for round in 0..rounds {
            show(&format!("{}: {} of {rounds}", way.name(), round + 1));
            await_snapshots(&service)?;
            let age = AGE_STEP.as_secs_f64() * round as f64 % SNAPSHOT_EVERY.as_secs_f64();
            std::thread::sleep(Duration::from_secs_f64(age));
            let (next, restart) = self.restart(service, way)?;
            restarts.push(restart);
            service = next;
        }
        service.terminate()?;
        service.await_end()?;
        Ok(restarts)
    }

    fn restart(&mut self, mut service: Service, way: Way) -> anyhow::Result<(Service, Restart)> {
        self.feed.burst(BEFORE)?;
        let before = self.feed.expected();
        await_right(&mut service, Instant::now(), &Counters::new(), &before)?;
        let text = service.metrics()?;
        self.series = series(&text);
        self.costs.add(&text);
        let saved = values(&text, "kept_snapshot_last_success_timestamp_seconds");
        let oldest = saved.into_iter().fold(f64::INFINITY, f64::min);
        let snapshot_age = clock::now().as_event_time().seconds() - oldest;
        let began = Instant::now();
        if way == Way::Terminated {
            service.terminate()?;
            service.await_end()?;
        } else {
            service.kill()?;
        }
        let mut service = self.start()?;
        self.feed.burst(MEANWHILE)?;
        let expected = self.feed.expected();
        let restart = await_right(&mut service, began, &before, &expected)?;
        let replayed = service.replayed() as f64;
        let restart = Restart {
            snapshot_age,
            replayed,
            ..restart
        };
        Ok((service, restart))
    }

    fn start(&self) -> anyhow::Result<Service> {
        Service::start(&self.folder, "kept", &self.configuration)
    }
}

/// Waits until a service is ready and has every expected counter. One that it shows lower than
/// `before` is an error.
fn await_right(
    service: &mut Service,
    began: Instant,
    before: &Counters,
    expected: &Counters,
) -> anyhow::Result<Restart> {
    let (mut up, mut joined, mut ready) = (None, None, None);
    loop {
        let readiness = service.readiness()?;
        let now = began.elapsed().as_secs_f64();
        if readiness != Readiness::Down {
            up.get_or_insert(now);
        }
        match &readiness {
            Readiness::Down => {}
            Readiness::Waiting(why) if why.contains("group's assignment") => {}
            Readiness::Waiting(_) => _ = joined.get_or_insert(now),
            Readiness::Ready => {
                joined.get_or_insert(now);
                ready.get_or_insert(now);
            }
        }
        if joined.is_some() {
            let text = service.metrics()?;
            let is_right = is_right(&text, before, expected)?;
            if is_right && readiness == Readiness::Ready {
                return Ok(Restart {
                    up: up.unwrap_or_default(),
                    joined: joined.unwrap_or_default(),
                    ready: ready.unwrap_or_default(),
                    right: began.elapsed().as_secs_f64(),
                    ..Restart::default()
                });
            }
        }
        let late = began.elapsed() > PATIENCE;
        ensure!(
            !late,
            "the counters aren't what they should be: {readiness:?}"
        );
        std::thread::sleep(LOOK_EVERY);
    }
}

fn is_right(text: &str, before: &Counters, expected: &Counters) -> anyhow::Result<bool> {
    let found = counters(text);
    for (series, value) in &found {
        if let Some(earlier) = before.get(*series) {
            ensure!(value >= earlier, "{series} fell from {earlier} to {value}");
        }
    }
    let expected = expected
        .iter()
        .map(|(series, value)| (series.as_str(), value));
    Ok(found
        .iter()
        .map(|(series, value)| (*series, value))
        .eq(expected))
}

/// Waits until every task has been saved by this process.
fn await_snapshots(service: &Service) -> anyhow::Result<()> {
    let began = Instant::now();
    loop {
        let text = service.metrics()?;
        let saved = values(&text, "kept_snapshot_last_success_timestamp_seconds");
        if saved.len() == work::PARTITIONS as usize {
            return Ok(());
        }
        let count = saved.len();
        ensure!(began.elapsed() < PATIENCE, "only {count} tasks are saved");
        std::thread::sleep(LOOK_EVERY);
    }
}

fn print(rows: &[(Way, Vec<Restart>)]) {
    let mut table = Table::new(&[
        "seconds since the signal: median (min-max)",
        "HTTP up",
        "share given",
        "ready",
        "ready and right",
        "snapshot's age",
        "records read again",
    ]);
    for (way, restarts) in rows {
        let of = |field: fn(&Restart) -> f64, digits: usize| {
            Spread::of(restarts.iter().map(field)).show(digits)
        };
        table.row(vec![
            way.name().to_owned(),
            of(|one| one.up, 2),
            of(|one| one.joined, 2),
            of(|one| one.ready, 2),
            of(|one| one.right, 2),
            of(|one| one.snapshot_age, 1),
            of(|one| one.replayed, 0),
        ]);
    }
    table.print();
}
