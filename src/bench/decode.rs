//! Decode and apply on one core, in process: no Kafka, the records lie in memory.
//!
//! Production's own path: `Worker::step` with a record at a time, runs of one partition as fetches
//! deliver them, a tick after each batch. A second measurement feeds the last of the records as
//! live ones, second by second, and times only the ticks: they make the views.

use std::hint::black_box;
use std::sync::Arc;

use catalogue::Plan;
use engine::View;
use engine::view::KindView;
use events::{Decoder, KafkaTime, Record, WallTime};
use exposition::{families, plain_text};
use pipeline::projection;

use super::measure::{Lap, Spread, Table, Watch, grouped, megabytes, peak_resident_bytes, say};
use super::work;
use crate::direct::Direct;

/// Records of one partition in a row.
const RUN: usize = 1000;
/// Records between two ticks.
const BATCH: usize = 4096;
/// Seconds of event time that are fed live.
const LIVE_SECONDS: i64 = 100;

/// The records of one partition, one after the other.
#[derive(Default)]
struct Log {
    bytes: String,
    /// Where each value ends, and its timestamp.
    ends: Vec<(usize, KafkaTime)>,
}

impl Log {
    fn record(&self, offset: usize) -> Record<'_> {
        let begin = if offset == 0 {
            0
        } else {
            self.ends[offset - 1].0
        };
        let (end, time) = self.ends[offset];
        Record {
            timestamp: Some(time),
            key: None,
            value: Some(&self.bytes.as_bytes()[begin..end]),
            headers: &[],
        }
    }
}

/// Measures and prints. `orders` of W, each stage so many `rounds`.
pub fn run(orders: u64, rounds: usize) -> anyhow::Result<()> {
    let (_, plan) = work::settings("localhost:9092", "bench")?;
    let plan = Arc::new(plan);
    let logs = logs(orders)?;
    let count: usize = logs.iter().map(|log| log.ends.len()).sum();
    let bytes: usize = logs.iter().map(|log| log.bytes.len()).sum();
    say(&format!(
        "decode and apply, one thread: {} events of {} bytes on {} partitions in memory, {} KPIs, {rounds} rounds",
        grouped(count as f64),
        bytes / count.max(1),
        work::PARTITIONS,
        plan.kpis.len(),
    ));
    let (mut decodes, mut steps) = (Vec::new(), Vec::new());
    let mut entries = String::new();
    for _ in 0..rounds {
        decodes.push(decode(&plan, &logs)?);
        let (lap, worker) = step(&plan, &logs)?;
        steps.push(lap);
        entries = describe(worker, &logs);
    }
    let mut table = Table::new(&[
        "stage",
        "events",
        "wall s",
        "CPU s",
        "events/CPU-second",
        "ns/event (min-max)",
    ]);
    table.row(row("decode", count, &decodes));
    table.row(row("decode and apply", count, &steps));
    table.print();
    say(&format!("state at the end: {entries}"));
    let peak = megabytes(peak_resident_bytes()?);
    say(&format!(
        "peak memory {peak}, the records themselves included\n"
    ));
    views(&plan, &logs)
}

fn row(name: &str, count: usize, laps: &[Lap]) -> Vec<String> {
    let nanos = Spread::of(laps.iter().map(|lap| lap.cpu_seconds * 1e9 / count as f64));
    let wall = Spread::of(laps.iter().map(|lap| lap.wall.as_secs_f64()));
    let cpu = Spread::of(laps.iter().map(|lap| lap.cpu_seconds));
    vec![
        name.to_owned(),
        grouped(count as f64),
        format!("{:.2}", wall.median),
        format!("{:.2}", cpu.median),
        grouped(1e9 / nanos.median),
        nanos.show(0),
    ]
}

fn logs(orders: u64) -> anyhow::Result<Vec<Log>> {
    let mut logs: Vec<Log> = (0..work::PARTITIONS).map(|_| Log::default()).collect();
    work::each_event(orders, |made| {
        let log = &mut logs[usize::try_from(made.partition)?];
        log.bytes.push_str(made.value);
        log.ends.push((log.bytes.len(), made.time));
        Ok::<(), anyhow::Error>(())
    })?;
    Ok(logs)
}

/// Calls `each` with partition and offset: runs of each partition in turn.
fn in_turn(logs: &[Log], mut each: impl FnMut(usize, usize)) {
    let longest = logs.iter().map(|log| log.ends.len()).max().unwrap_or(0);
    for from in (0..longest).step_by(RUN) {
        for (partition, log) in logs.iter().enumerate() {
            for offset in from..log.ends.len().min(from + RUN) {
                each(partition, offset);
            }
        }
    }
}

fn decode(plan: &Plan, logs: &[Log]) -> anyhow::Result<Lap> {
    let mut decoder = Decoder::new(&projection(plan));
    let watch = Watch::start()?;
    in_turn(logs, |partition, offset| {
        let record = logs[partition].record(offset);
        black_box(decoder.decode(&record).is_ok());
    });
    watch.stop()
}

fn step(plan: &Arc<Plan>, logs: &[Log]) -> anyhow::Result<(Lap, Direct)> {
    let mut worker = assigned(plan);
    let (mut taken, now) = (0, after(logs, 0));
    let watch = Watch::start()?;
    in_turn(logs, |partition, offset| {
        feed(&mut worker, logs, (partition, offset));
        taken += 1;
        if taken % BATCH == 0 {
            black_box(worker.tick(now));
        }
    });
    Ok((watch.stop()?, worker))
}

/// A worker that has all partitions of one topic, from their beginnings.
pub fn assigned(plan: &Arc<Plan>) -> Direct {
    Direct::new(plan, work::PARTITIONS)
}

fn feed(worker: &mut Direct, logs: &[Log], (partition, offset): (usize, usize)) {
    let record = logs[partition].record(offset);
    worker.record(partition as i32, offset as i64, record);
}

/// Says where the partitions end and what time it is; what is published then.
pub fn tick(worker: &mut Direct, ends: &[usize], now: WallTime) -> Vec<Arc<View>> {
    worker.ends(ends.iter().map(|end| *end as i64), now);
    worker.tick(now)
}

/// So many seconds after the last record.
fn after(logs: &[Log], seconds: i64) -> WallTime {
    let last = logs.iter().filter_map(|log| log.ends.last());
    let last = last.map(|entry| entry.1.0).max().unwrap_or(0);
    WallTime(last + seconds * 1_000_000)
}

/// What the worker holds, and what it counted, in words.
fn describe(mut worker: Direct, logs: &[Log]) -> String {
    let ends: Vec<usize> = logs.iter().map(|log| log.ends.len()).collect();
    // A second after the last tick: a view is made once a second.
    let views = tick(&mut worker, &ends, after(logs, 1));
    let (mut open, mut finished, mut dedupe, mut bytes) = (0, 0, 0, 0);
    for view in views {
        open += view.entries.open;
        finished += view.entries.finished;
        dedupe += view.entries.dedupe;
        bytes += view.entries.bytes;
    }
    format!(
        "{open} open and {finished} finished orders, {dedupe} event ids, an estimated {}",
        megabytes(bytes)
    )
}

/// Feeds the last seconds live and times what makes the views, and what makes text of them.
fn views(plan: &Arc<Plan>, logs: &[Log]) -> anyhow::Result<()> {
    let mut worker = assigned(plan);
    let mut next = vec![0; logs.len()];
    let (mut ticks, mut renders) = (Vec::new(), Vec::new());
    let (mut label_sets, mut lines) = (0, 0);
    for second in -LIVE_SECONDS..=0 {
        let now = after(logs, second);
        for (partition, log) in logs.iter().enumerate() {
            while log
                .ends
                .get(next[partition])
                .is_some_and(|entry| entry.1.0 <= now.0)
            {
                feed(&mut worker, logs, (partition, next[partition]));
                next[partition] += 1;
            }
        }
        let watch = Watch::start()?;
        let views = tick(&mut worker, &next, now);
        ticks.push(watch.stop()?);
        let watch = Watch::start()?;
        let text = plain_text(&families(plan, &views, &[]));
        renders.push(watch.stop()?);
        label_sets = views.iter().map(|view| label_sets_of(view)).sum();
        lines = text.lines().filter(|line| !line.starts_with('#')).count();
    }
    say(&format!(
        "views of {} tasks, {label_sets} label sets, {lines} series; once a second, {LIVE_SECONDS} live seconds",
        logs.len()
    ));
    let mut table = Table::new(&["stage", "wall ms (min-max)", "us/label set", "ns/series"]);
    for (name, laps) in [("view", ticks), ("render /metrics", renders)] {
        // Too short for the scheduler's account of CPU time.
        let millis = Spread::of(laps.iter().map(|lap| lap.wall.as_secs_f64() * 1e3));
        table.row(vec![
            name.to_owned(),
            millis.show(2),
            format!("{:.1}", millis.median * 1e3 / f64::from(label_sets as u32)),
            format!("{:.0}", millis.median * 1e6 / f64::from(lines as u32)),
        ]);
    }
    table.print();
    Ok(())
}

fn label_sets_of(view: &View) -> usize {
    let series = view.kpis.iter().map(|kpi| match &kpi.series {
        KindView::Count(series) => series.len(),
        KindView::Ratio(above, below) => above.len() + below.len(),
        KindView::Promise(series) => series.len(),
        KindView::Funnel(series) => series.len(),
    });
    series.sum()
}
