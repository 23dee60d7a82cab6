//! From an event to the scrape that shows it, and how long a scrape takes, on a real broker.
//!
//! The service runs in this process as `kept run` starts it; marked events are sent at a low steady
//! rate while `/metrics` is scraped over loopback all the time. First there is nothing else, then
//! orders at a high rate. Broker, producer, scraper and service share the machine.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, ensure};
use catalogue::{Plan, Settings};
use crossbeam_channel::{Receiver, unbounded};
use kafka::admin::Admin;

use super::load::{self, Load, MARK, Mark};
use super::measure::{Table, grouped, quantile, say, show};
use super::scrape::{by_partition, scrape, series};
use super::{topic, work};
use crate::app::App;

/// Between the beginnings of two scrapes.
const SCRAPE_EVERY: Duration = Duration::from_millis(50);
/// How long the service may take to join its group, and the last marks to be shown.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long orders are sent before anything is measured: of all label sets on all partitions.
const PRIMING: Duration = Duration::from_secs(5);
/// Their events a second.
const PRIMING_RATE: f64 = 500.0;
const MARKS_SHOWN: &str = "shop_marks_total";

/// What to measure.
#[derive(clap::Args)]
pub struct Arguments {
    /// The broker, `host:port`.
    #[arg(long)]
    brokers: String,
    /// How long each of the two parts takes, in seconds.
    #[arg(long, default_value_t = 40)]
    seconds: u64,
    /// Marked events a second.
    #[arg(long, default_value_t = 10.0)]
    marks: f64,
    /// Other events a second in the second part.
    #[arg(long, default_value_t = 20_000.0)]
    load: f64,
    /// Leave the topic there; else it is deleted in the end.
    #[arg(long)]
    keep: bool,
}

impl Arguments {
    /// Everything at its default.
    pub fn of(brokers: String) -> Arguments {
        Arguments {
            brokers,
            seconds: 40,
            marks: 10.0,
            load: 20_000.0,
            keep: false,
        }
    }
}

/// Measures and prints.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let name = format!("kept-bench-latency-{}", std::process::id());
    let admin = Admin::new(&topic::kafka_settings(&arguments.brokers, &[]))?;
    topic::create(&admin, &name)?;
    let result = measure(arguments, &name);
    if !arguments.keep {
        admin.delete(&name).context("can't delete the topic")?;
    }
    result
}

fn measure(arguments: &Arguments, name: &str) -> anyhow::Result<()> {
    let (settings, plan) = settings(&arguments.brokers, name)?;
    let app = App::start(&settings, &Arc::new(plan), None)?;
    let mut watcher = Watcher::new(&app);
    watcher.wait_until_ready()?;
    let load = |number, marks_per_second, events_per_second, lasts| Load {
        brokers: arguments.brokers.clone(),
        topic: name.to_owned(),
        number,
        marks_per_second,
        events_per_second,
        lasts,
        stop: Arc::default(),
    };
    show("every label set once");
    watcher.part(load(0, 0.0, PRIMING_RATE, PRIMING), false)?;
    let lasts = Duration::from_secs(arguments.seconds);
    show(&format!("marked events alone, {} s", arguments.seconds));
    let quiet = watcher.part(load(1, arguments.marks, 0.0, lasts), true)?;
    show(&format!("and orders beside them, {} s", arguments.seconds));
    let busy = watcher.part(load(2, arguments.marks, arguments.load, lasts), true)?;
    show("");
    app.stop()?;
    print(arguments, &quiet, &busy);
    Ok(())
}

/// The marks' counter, and a promise of many label sets: some 11,000 series.
fn settings(brokers: &str, topic: &str) -> anyhow::Result<(Settings, Plan)> {
    let kpis = format!(
        "[kpi.marks]\nkind = \"count\"\nhelp = \"Marked events\"\nevent = \"{MARK}\"\n\
         [kpi.fulfilment]\nkind = \"promise\"\nhelp = \"From purchase to fulfilment\"\n\
         start = {{ type = \"order.placed\", key = \"order_id\" }}\n\
         end = {{ type = \"order.fulfilled\", key = \"order_id\" }}\n\
         within = \"60s\"\nobjective = 0.95\nby = [\"region\", \"channel\"]\n"
    );
    work::settings_with(brokers, topic, &kpis)
}

/// What a part found.
#[derive(Default)]
struct Part {
    /// From sending to the end of the scrape that shows it, in seconds.
    latencies: Vec<f64>,
    /// What scrapes took, in seconds, and the bytes of the last: uncompressed and compressed.
    scrapes: [(Vec<f64>, usize); 2],
    series: usize,
    /// Other events sent in a second.
    events_per_second: f64,
}

/// Scrapes a service and looks which marks are shown.
struct Watcher<'a> {
    app: &'a App,
    /// Of each partition, when its marks that are not shown yet were sent.
    waiting: Vec<VecDeque<Instant>>,
    /// Of each partition, how many are shown.
    shown: Vec<usize>,
}

impl Watcher<'_> {
    fn new(app: &App) -> Watcher<'_> {
        Watcher {
            app,
            waiting: vec![VecDeque::new(); work::PARTITIONS as usize],
            shown: vec![0; work::PARTITIONS as usize],
        }
    }

    fn check(&self) -> anyhow::Result<()> {
        self.app.failure().map_or(Ok(()), Err)
    }

    fn wait_until_ready(&self) -> anyhow::Result<()> {
        let began = Instant::now();
        while self.app.ready().is_err() || self.app.views().len() < self.shown.len() {
            self.check()?;
            let ready = self.app.ready();
            ensure!(
                began.elapsed() < PATIENCE,
                "the service isn't up: {ready:?}"
            );
            std::thread::sleep(SCRAPE_EVERY);
        }
        Ok(())
    }

    /// Sends the load, scrapes until it ends and all marks are shown. Every other scrape is
    /// compressed if `gzip`; marks are looked for in the others.
    fn part(&mut self, load: Load, gzip: bool) -> anyhow::Result<Part> {
        let (marks, sent) = unbounded();
        let lasts = load.lasts;
        let thread = load::spawn(load, marks)?;
        let (began, mut part) = (Instant::now(), Part::default());
        let mut number = 0_u32;
        while !thread.is_finished() || self.any_waiting(&sent) {
            self.check()?;
            let (begin, compressed) = (Instant::now(), gzip && number % 2 == 1);
            self.look(&mut part, &sent, compressed)?;
            number += 1;
            let waiting: usize = self.waiting.iter().map(VecDeque::len).sum();
            ensure!(
                began.elapsed() < lasts + PATIENCE,
                "{waiting} marked events are not shown"
            );
            std::thread::sleep(SCRAPE_EVERY.saturating_sub(begin.elapsed()));
        }
        let ended = thread.join().map_err(|_| anyhow!("the load panicked"))??;
        let found = part.latencies.len() as u64;
        ensure!(found == ended.marks, "{found} of {} marks", ended.marks);
        part.events_per_second = ended.events as f64 / ended.seconds;
        part.latencies.sort_by(f64::total_cmp);
        for (times, _) in &mut part.scrapes {
            times.sort_by(f64::total_cmp);
        }
        Ok(part)
    }

    fn any_waiting(&self, sent: &Receiver<Mark>) -> bool {
        !sent.is_empty() || self.waiting.iter().any(|waiting| !waiting.is_empty())
    }

    /// One scrape.
    fn look(&mut self, part: &mut Part, sent: &Receiver<Mark>, gzip: bool) -> anyhow::Result<()> {
        let scrape = scrape(self.app.address(), gzip)?;
        let (times, bytes) = &mut part.scrapes[usize::from(gzip)];
        times.push(scrape.took.as_secs_f64());
        *bytes = scrape.body.len();
        for (partition, at) in sent.try_iter() {
            self.waiting[partition].push_back(at);
        }
        if gzip {
            return Ok(());
        }
        let text = str::from_utf8(&scrape.body).context("/metrics is not text")?;
        part.series = series(text);
        for (partition, count) in by_partition(text, MARKS_SHOWN) {
            while self.shown[partition] < count {
                let sent = self.waiting[partition].pop_front();
                let sent = sent.context("more marks are shown than were sent")?;
                part.latencies.push((scrape.at - sent).as_secs_f64());
                self.shown[partition] += 1;
            }
        }
        Ok(())
    }
}

fn print(arguments: &Arguments, quiet: &Part, busy: &Part) {
    say(&format!(
        "latency: {} marked events a second on {} partitions for {} s each time; scraped every {} ms over loopback",
        arguments.marks,
        work::PARTITIONS,
        arguments.seconds,
        SCRAPE_EVERY.as_millis()
    ));
    let heading = |first| {
        [
            first,
            "other events/s",
            "number",
            "p50 ms",
            "p90 ms",
            "p99 ms",
            "max ms",
        ]
    };
    let mut table = Table::new(&heading("event to scrape"));
    for (name, part) in [("alone", quiet), ("under load", busy)] {
        table.row(row(name, part, &part.latencies, 0));
    }
    table.print();
    let mut table = Table::new(&heading("a scrape"));
    for (name, part) in [("alone", quiet), ("under load", busy)] {
        for (encoding, (times, bytes)) in ["plain", "gzip"].iter().zip(&part.scrapes) {
            let (series, bytes) = (grouped(part.series as f64), grouped(*bytes as f64));
            let name = format!("{name}, {encoding}: {series} series, {bytes} bytes");
            table.row(row(&name, part, times, 1));
        }
    }
    table.print();
}

fn row(name: &str, part: &Part, sorted: &[f64], digits: usize) -> Vec<String> {
    let mut cells = vec![name.to_owned(), grouped(part.events_per_second)];
    cells.push(sorted.len().to_string());
    let at = |q| format!("{:.digits$}", quantile(sorted, q) * 1e3);
    cells.extend([0.5, 0.9, 0.99, 1.0].map(at));
    cells
}
