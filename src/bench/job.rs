//! The whole job from a warm topic of a real broker, beside a bare loop that only counts.
//!
//! Each run is a process of its own, so that CPU time and memory are its own: the service as
//! `kept run` starts it, its group joined and HTTP served, until every partition's view is shown
//! with all its records; and librdkafka's batch loop on the same topic. They take turns.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail, ensure};
use clap::ValueEnum as _;
use engine::View;
use engine::view::KindView;
use kafka::Metrics;

use super::measure::{
    Spread, Table, grouped, megabytes, peak_resident_bytes, process_cpu_seconds, say,
};
use super::{cost, topic, work};
use crate::app::App;

/// The longest that one run may take.
pub const RUN_WITHIN: Duration = Duration::from_secs(600);
/// Between two looks whether all is done.
pub const LOOK_EVERY: Duration = Duration::from_millis(10);

/// What a child process measures.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum Measured {
    /// The service.
    Kept,
    /// The loop that only counts.
    Bare,
    /// A worker whose commits are not sent: see `cost`.
    Unasked,
    /// A worker without snapshots.
    Committed,
    /// A worker with snapshots.
    Saved,
}

/// One run, in a line of text between the processes: see `line` and `parse`.
pub struct Run {
    /// How many were taken.
    pub events: u64,
    /// From the start to the last view.
    pub wall_seconds: f64,
    /// Of the whole process.
    pub cpu_seconds: f64,
    /// The most memory in use.
    peak_bytes: u64,
    /// What was found, in words.
    note: String,
}

impl Run {
    fn line(&self) -> String {
        format!(
            "{} {} {} {} {}",
            self.events, self.wall_seconds, self.cpu_seconds, self.peak_bytes, self.note
        )
    }

    fn parse(line: &str) -> Option<Run> {
        let mut parts = line.trim().splitn(5, ' ');
        Some(Run {
            events: parts.next()?.parse().ok()?,
            wall_seconds: parts.next()?.parse().ok()?,
            cpu_seconds: parts.next()?.parse().ok()?,
            peak_bytes: parts.next()?.parse().ok()?,
            note: parts.next().unwrap_or_default().to_owned(),
        })
    }
}

/// What to run.
#[derive(clap::Args)]
pub struct Arguments {
    /// The broker, `host:port`.
    #[arg(long)]
    brokers: String,
    /// Orders of four events each.
    #[arg(long, default_value_t = 1_000_000)]
    orders: u64,
    /// The size of the producer's batches before compression; Java's clients have 16384.
    #[arg(long, default_value_t = 16_384)]
    batch_bytes: u32,
    /// How often each is run.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Worker threads. With several, the first to join reads alone and begins again when the others
    /// come: nothing is committed yet, and what is read twice would count as cost.
    #[arg(long, default_value_t = 1)]
    workers: usize,
    /// A setting for librdkafka as `name=value`, for both; may come several times.
    #[arg(long, value_parser = setting)]
    client: Vec<(String, String)>,
    /// Delete the topic in the end.
    #[arg(long)]
    delete: bool,
}

/// Parses `name=value`.
pub fn setting(text: &str) -> Result<(String, String), String> {
    let parts = text.split_once('=').ok_or("it is name=value")?;
    Ok((parts.0.to_owned(), parts.1.to_owned()))
}

impl Arguments {
    /// The broker.
    pub fn brokers(&self) -> &str {
        &self.brokers
    }

    /// How often each is run.
    pub fn rounds(&self) -> usize {
        self.rounds
    }

    /// The topic with all events of W.
    pub fn topic(&self) -> String {
        format!("kept-bench-{}-{}", self.orders, self.batch_bytes)
    }

    /// How many events that is.
    pub fn wanted(&self) -> u64 {
        self.orders * work::EVENTS_PER_ORDER
    }

    /// Runs something with the topic loaded and deletes it in the end if that is wanted.
    pub fn with_topic(&self, run: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<()> {
        let topic = self.topic();
        let loaded = topic::ensure_loaded(&self.brokers, &topic, self.orders, self.batch_bytes);
        let result = loaded.and_then(|()| run());
        if self.delete {
            topic::delete(&self.brokers, &[topic])?;
        }
        result
    }
}

/// Measures and prints.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    arguments.with_topic(|| measure_all(arguments))
}

fn measure_all(arguments: &Arguments) -> anyhow::Result<()> {
    let (name, rounds) = (arguments.topic(), arguments.rounds);
    let start = |measured| child(measured, arguments);
    start(Measured::Bare).context("reading the topic once, to warm it")?;
    let (mut kept, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        bare.push(start(Measured::Bare)?);
        kept.push(start(Measured::Kept)?);
    }
    say(&format!(
        "\nwhole job from topic {name}, warm: {} partitions, windowed counts by type and region, promise by region with percentiles; {rounds} rounds in turn",
        work::PARTITIONS
    ));
    let mut table = Table::new(&[
        "what",
        "events",
        "wall s",
        "CPU s",
        "events/CPU-second",
        "ns CPU/event (min-max)",
        "peak memory",
    ]);
    let rate =
        |runs: &[Run]| Spread::of(runs.iter().map(|run| run.events as f64 / run.cpu_seconds));
    for (what, runs) in [("bare batch loop, counting", &bare), ("kept", &kept)] {
        let nanos = |run: &Run| run.cpu_seconds * 1e9 / run.events as f64;
        let peak = runs.iter().map(|run| run.peak_bytes).max().unwrap_or(0);
        table.row(vec![
            what.to_owned(),
            grouped(runs.first().map_or(0, |run| run.events) as f64),
            Spread::of(runs.iter().map(|run| run.wall_seconds)).show(1),
            Spread::of(runs.iter().map(|run| run.cpu_seconds)).show(2),
            grouped(rate(runs).median),
            Spread::of(runs.iter().map(nanos)).show(0),
            megabytes(peak),
        ]);
    }
    table.print();
    let (kept_rate, bare_rate) = (rate(&kept), rate(&bare));
    say(&format!(
        "kept reaches {:.2} of the bare loop's events per CPU-second (best against best: {:.2})",
        kept_rate.median / bare_rate.median,
        kept_rate.max / bare_rate.max,
    ));
    if let Some(run) = kept.last() {
        say(&format!("kept found: {}", run.note));
    }
    say("kept's wall time holds the joining of the group and up to a second until the last view\n");
    Ok(())
}

/// Runs this program again for one measurement.
pub fn child(measured: Measured, arguments: &Arguments) -> anyhow::Result<Run> {
    let mut command = Command::new(std::env::current_exe()?);
    let name = measured.to_possible_value();
    let name = name.expect("none is hidden").get_name().to_owned();
    let (orders, batch_bytes) = (
        arguments.orders.to_string(),
        arguments.batch_bytes.to_string(),
    );
    command.args(["bench", "child", &name, "--brokers", &arguments.brokers]);
    command.args(["--orders", &orders, "--batch-bytes", &batch_bytes]);
    command.args(["--workers", &arguments.workers.to_string()]);
    for (name, value) in &arguments.client {
        command.args(["--client", &format!("{name}={value}")]);
    }
    let output = command.stderr(Stdio::inherit()).output()?;
    ensure!(output.status.success(), "the measurement of {name} failed");
    let text = String::from_utf8_lossy(&output.stdout);
    Run::parse(&text).ok_or_else(|| anyhow!("the measurement of {name} said {text:?}"))
}

/// One measurement in this process; the result goes to standard output as a line.
pub fn measure(measured: Measured, arguments: &Arguments) -> anyhow::Result<()> {
    let run = match measured {
        Measured::Kept => kept(arguments)?,
        Measured::Bare => bare(arguments)?,
        Measured::Unasked | Measured::Committed | Measured::Saved => {
            cost::measure(measured, arguments)?
        }
    };
    say(&run.line());
    Ok(())
}

fn bare(arguments: &Arguments) -> anyhow::Result<Run> {
    let (topic, wanted) = (arguments.topic(), arguments.wanted());
    let mut settings = topic::kafka_settings(&arguments.brokers, &[]);
    settings.client.clone_from(&arguments.client);
    let metrics = Metrics::register(&prometheus::Registry::new())?;
    let began = Instant::now();
    let counted = kafka::bare::bare_count(&settings, &metrics, &[topic.as_str()], wanted)?;
    ensure!(
        counted.records == wanted,
        "{} of {wanted} records came",
        counted.records
    );
    finish(began, wanted, format!("{} bytes of values", counted.bytes))
}

fn kept(arguments: &Arguments) -> anyhow::Result<Run> {
    let (topic, wanted) = (arguments.topic(), arguments.wanted());
    let (mut settings, plan) = work::settings(&arguments.brokers, &topic)?;
    settings.kafka.group = format!("{topic}-{}", std::process::id());
    settings.kafka.workers = Some(arguments.workers);
    settings.kafka.client.clone_from(&arguments.client);
    let began = Instant::now();
    let app = App::start(&settings, &Arc::new(plan), None)?;
    let views = loop {
        if let Some(failure) = app.failure() {
            return Err(failure);
        }
        let views = app.views();
        let taken: i64 = views.iter().flat_map(|view| &view.offsets).sum();
        if taken >= i64::try_from(wanted)? {
            break views;
        }
        if began.elapsed() > RUN_WITHIN {
            bail!("only {taken} of {wanted} records are shown");
        }
        std::thread::sleep(LOOK_EVERY);
    };
    let run = finish(began, wanted, summary(&views))?;
    app.stop()?;
    Ok(run)
}

/// A run that began then and ends now.
pub fn finish(began: Instant, events: u64, note: String) -> anyhow::Result<Run> {
    Ok(Run {
        events,
        wall_seconds: began.elapsed().as_secs_f64(),
        cpu_seconds: process_cpu_seconds()?,
        peak_bytes: peak_resident_bytes()?,
        note,
    })
}

/// What was counted: to see that the work was done.
fn summary(views: &[Arc<View>]) -> String {
    let (mut counted, mut kept, mut broken, mut duplicates) = (0, 0, 0, 0);
    for view in views {
        for kpi in &view.kpis {
            match &kpi.series {
                KindView::Count(series) => {
                    counted += series.iter().map(|one| one.total).sum::<u64>();
                }
                KindView::Promise(series) => {
                    kept += series.iter().map(|one| one.counters.kept).sum::<u64>();
                    broken += series.iter().map(|one| one.counters.broken).sum::<u64>();
                }
                _ => {}
            }
        }
        let events = view.inputs.iter().flat_map(|input| &input.events);
        duplicates += events.map(|one| one.duplicate).sum::<u64>();
    }
    let [counted, kept, broken] = [counted, kept, broken].map(|number| grouped(number as f64));
    format!(
        "{counted} events counted, {kept} promises kept, {broken} broken, {duplicates} duplicates"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_survives_the_way_from_child_to_parent() {
        let run = Run {
            events: 4_000_000,
            wall_seconds: 5.25,
            cpu_seconds: 7.5,
            peak_bytes: 123,
            note: "two words".to_owned(),
        };
        let read = Run::parse(&format!("{}\n", run.line())).expect("it is a run");
        assert_eq!(read.line(), run.line());
        assert!(Run::parse("thread panicked").is_none());
    }
}
