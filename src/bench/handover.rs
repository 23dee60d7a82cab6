//! For how long a scraper sees nothing of a partition while it goes from one instance to another.
//!
//! Two instances of `kept run` in one group, under a steady load: one joins, one is asked to end,
//! one is killed. Both are scraped as Prometheus does it. A partition's gap is the time from the
//! last scrape that showed it to the next one that does, 0 if none in between missed it. A counter
//! whose maximum over the instances falls is an error.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, ensure};
use crossbeam_channel::unbounded;
use kafka::admin::Admin;

use super::load::{self, Load, Sent};
use super::measure::{Spread, Table, quantile, say, show};
use super::service::{Configuration, Folder, Service};
use super::sight::Sight;
use super::{topic, work};

/// The longest that all partitions may take to be where they belong.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between the beginnings of two scrapes.
const SCRAPE_EVERY: Duration = Duration::from_millis(250);
/// How long all is left alone before the next change.
const CALM: Duration = Duration::from_secs(4);
/// After which the group lets a killed member go.
const SESSION_TIMEOUT: Duration = Duration::from_secs(6);
/// More than all rounds take.
const LOAD_LASTS: Duration = Duration::from_secs(24 * 3600);

/// What to measure.
#[derive(clap::Args)]
pub struct Arguments {
    /// The broker, `host:port`.
    #[arg(long)]
    brokers: String,
    /// How often one joins and ends, and joins and is killed.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Events a second.
    #[arg(long, default_value_t = 2_000.0)]
    load: f64,
    /// A setting for librdkafka as `name=value`; may come several times.
    #[arg(long, value_parser = super::job::setting)]
    client: Vec<(String, String)>,
    /// Leave the topic there; else it is deleted in the end.
    #[arg(long)]
    keep: bool,
}

impl Arguments {
    /// Everything at its default.
    pub fn of(brokers: String) -> Arguments {
        Arguments {
            brokers,
            rounds: 5,
            load: 2_000.0,
            client: Vec::new(),
            keep: false,
        }
    }
}

/// One change of who has which partition.
struct Change {
    /// Of each partition that moved, in seconds, ascending.
    gaps: Vec<f64>,
    /// Until every partition was where it belongs, in seconds.
    settled: f64,
}

/// Measures and prints.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let name = format!("kept-bench-handover-{}", std::process::id());
    let admin = Admin::new(&topic::kafka_settings(&arguments.brokers, &[]))?;
    topic::create(&admin, &name)?;
    let stop = Arc::new(AtomicBool::new(false));
    let load = spawn_load(arguments, &name, &stop)?;
    let result = measure(arguments, &name);
    stop.store(true, Ordering::Relaxed);
    let sent = load.join().map_err(|_| anyhow!("the load panicked"))?;
    if !arguments.keep {
        admin.delete(&name).context("can't delete the topic")?;
    }
    let sent = sent?;
    let rate = sent.events as f64 / sent.seconds;
    say(&format!("the load was {rate:.0} events a second\n"));
    result
}

fn spawn_load(
    arguments: &Arguments,
    topic: &str,
    stop: &Arc<AtomicBool>,
) -> anyhow::Result<JoinHandle<anyhow::Result<Sent>>> {
    let load = Load {
        brokers: arguments.brokers.clone(),
        topic: topic.to_owned(),
        number: 1,
        marks_per_second: 0.0,
        events_per_second: arguments.load,
        lasts: LOAD_LASTS,
        stop: Arc::clone(stop),
    };
    load::spawn(load, unbounded().0)
}

fn measure(arguments: &Arguments, topic: &str) -> anyhow::Result<()> {
    let folder = Folder::new("handover")?;
    let session = SESSION_TIMEOUT.as_millis().to_string();
    let mut client = vec![("session.timeout.ms".to_owned(), session)];
    client.extend(arguments.client.iter().cloned());
    let configuration = Configuration {
        brokers: arguments.brokers.clone(),
        topic: topic.to_owned(),
        workers: 1,
        client,
        state_url: folder.state_url(),
    };
    show("the first instance starts");
    let mut bench = Bench {
        first: Service::start(&folder, "first", &configuration)?,
        folder,
        configuration,
        sight: Sight::new(work::PARTITIONS as usize),
    };
    bench.first.await_ready()?;
    bench.settle(&mut None, |shown| shown[0] == work::PARTITIONS as usize)?;
    let (mut joins, mut stops, mut kills) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=arguments.rounds {
        show(&format!("round {round} of {}", arguments.rounds));
        let (second, join) = bench.join()?;
        joins.push(join);
        stops.push(bench.terminate(second)?);
        let (second, join) = bench.join()?;
        joins.push(join);
        kills.push(bench.kill(second)?);
    }
    show("");
    print(
        arguments,
        [
            ("a second instance joins", &joins),
            ("it ends after SIGTERM", &stops),
            ("it is killed (session timeout 6 s)", &kills),
        ],
    );
    Ok(())
}

struct Bench {
    first: Service,
    folder: Folder,
    configuration: Configuration,
    sight: Sight,
}

impl Bench {
    fn join(&mut self) -> anyhow::Result<(Option<Service>, Change)> {
        let mut second = Some(Service::start(&self.folder, "second", &self.configuration)?);
        let half = work::PARTITIONS as usize / 2;
        let change = self.settle(&mut second, |shown| shown == [half, half])?;
        Ok((second, change))
    }

    fn terminate(&mut self, mut second: Option<Service>) -> anyhow::Result<Change> {
        if let Some(second) = &second {
            second.terminate()?;
        }
        let change = self.settle(&mut second, |shown| shown == [work::PARTITIONS as usize, 0])?;
        second.map_or(Ok(()), Service::await_end)?;
        Ok(change)
    }

    fn kill(&mut self, second: Option<Service>) -> anyhow::Result<Change> {
        second.map_or(Ok(()), Service::kill)?;
        self.settle(&mut None, |shown| shown[0] == work::PARTITIONS as usize)
    }

    /// Scrapes until `settled` holds for how many partitions each instance shows, and for a calm
    /// time after that.
    fn settle(
        &mut self,
        second: &mut Option<Service>,
        settled: impl Fn(&[usize]) -> bool,
    ) -> anyhow::Result<Change> {
        let began = Instant::now();
        let owners = self.sight.begin();
        let mut settled_at = None;
        while settled_at.is_none_or(|at| began.elapsed() < at + CALM) {
            let begin = Instant::now();
            let addresses = [Some(&self.first), second.as_ref()];
            let addresses: Vec<_> = addresses
                .into_iter()
                .flatten()
                .map(Service::address)
                .collect();
            let shown = self.sight.look(&addresses)?;
            let now = began.elapsed();
            if !settled(&shown) {
                settled_at = None;
            } else if settled_at.is_none() {
                settled_at = Some(now);
            }
            ensure!(
                now < PATIENCE,
                "partitions are shown by the instances as {shown:?}"
            );
            std::thread::sleep(SCRAPE_EVERY.saturating_sub(begin.elapsed()));
        }
        Ok(Change {
            gaps: self.sight.gaps(&owners),
            settled: settled_at.unwrap_or_default().as_secs_f64(),
        })
    }
}

fn print(arguments: &Arguments, rows: [(&str, &Vec<Change>); 3]) {
    say(&format!(
        "hand-over: {} partitions, 1 worker each, scraped every {} ms; seconds: median (min-max)",
        work::PARTITIONS,
        SCRAPE_EVERY.as_millis(),
    ));
    let mut table = Table::new(&[
        "what happens",
        "times",
        "partitions moved",
        "gap of the worst partition",
        "gap of the median one",
        "until all is settled",
    ]);
    for (what, changes) in rows {
        let moved: usize = changes.iter().map(|change| change.gaps.len()).sum();
        let of = |q: f64| Spread::of(changes.iter().map(|change| quantile(&change.gaps, q)));
        table.row(vec![
            what.to_owned(),
            changes.len().to_string(),
            moved.to_string(),
            of(1.0).show(2),
            of(0.5).show(2),
            Spread::of(changes.iter().map(|change| change.settled)).show(2),
        ]);
    }
    table.print();
    for (name, value) in &arguments.client {
        say(&format!("with {name}={value}"));
    }
}
