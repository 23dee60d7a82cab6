//! `kept simulate`: the production logic in virtual worlds where everything goes wrong, seed by seed.
//!
//! A seed decides a whole world: its shop, its faults and their moments, every delay. One that
//! fails prints itself, what went wrong in it and the first check that broke, and `--seed N` runs
//! it again to the same end.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};
use simulator::world::{Failure, Report, run};

use crate::clock;

/// How often progress is shown on a terminal.
const PROGRESS_EVERY: Duration = Duration::from_millis(500);
/// Seeds from the clock begin below this: short enough to be typed again.
const FRESH_SEEDS: u64 = 1_000_000_000;

/// The arguments of `kept simulate`.
#[derive(clap::Args)]
pub struct Arguments {
    /// Run this one seed
    #[arg(long, value_name = "N", conflicts_with_all = ["seeds", "from"])]
    seed: Option<u64>,
    /// How many seeds to run, on all cores
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    /// The first of them; without it a fresh one, from the clock
    #[arg(long, value_name = "N")]
    from: Option<u64>,
}

/// How one seed went.
type Ended = Result<Report, Box<Failure>>;

/// Runs the command.
pub fn main(arguments: &Arguments) -> ExitCode {
    let (first, count) = match (arguments.seed, arguments.from) {
        (Some(seed), _) => (seed, 1),
        (None, from) => (from.unwrap_or_else(fresh), arguments.seeds),
    };
    let begin = Instant::now();
    let next = AtomicU64::new(0);
    let stop = AtomicBool::new(false);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let (sender, ended) = unbounded();
    std::thread::scope(|scope| {
        for _ in 0..cores {
            let sender = sender.clone();
            let (next, stop) = (&next, &stop);
            scope.spawn(move || work((first, count), next, stop, &sender));
        }
        drop(sender);
        watch(count, &ended, &stop, begin)
    })
    .map_or_else(
        |failure| {
            let seed = failure.plan.seed;
            say(&format!(
                "{failure}seed {seed} failed: run it again with kept simulate --seed {seed}"
            ));
            ExitCode::FAILURE
        },
        |report| {
            say(&summary((first, count), &report, begin.elapsed()));
            ExitCode::SUCCESS
        },
    )
}

/// One core's share of the seeds.
fn work((first, count): (u64, u64), next: &AtomicU64, stop: &AtomicBool, ended: &Sender<Ended>) {
    loop {
        let index = next.fetch_add(1, Ordering::Relaxed);
        if index >= count || stop.load(Ordering::Relaxed) {
            return;
        }
        // Whoever listens is gone only when nothing is wanted any more.
        if ended.send(run(first.wrapping_add(index))).is_err() {
            return;
        }
    }
}

/// Adds up what ends; the first failure stops the rest.
fn watch(
    count: u64,
    ended: &Receiver<Ended>,
    stop: &AtomicBool,
    begin: Instant,
) -> Result<Report, Box<Failure>> {
    let mut total = Report::default();
    let mut done = 0;
    let mut shown = begin;
    loop {
        match ended.recv_timeout(PROGRESS_EVERY) {
            Ok(Ok(report)) => {
                total.add(&report);
                done += 1;
            }
            Ok(Err(failure)) => {
                stop.store(true, Ordering::Relaxed);
                progress("");
                return Err(failure);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        if shown.elapsed() >= PROGRESS_EVERY {
            shown = Instant::now();
            let rate = done as f64 / begin.elapsed().as_secs_f64();
            progress(&format!("{done} of {count} seeds, {rate:.1} a second"));
        }
    }
    progress("");
    Ok(total)
}

fn summary((first, count): (u64, u64), report: &Report, took: Duration) -> String {
    let rate = count as f64 / took.as_secs_f64().max(1e-9);
    let mut text = format!(
        "{count} seeds from {first}: nothing broke ({rate:.1} a second)\n\
         {} records, {} views ({} compared with the oracle), {} scrapes, {} commits, {} snapshots\n",
        report.records,
        report.views,
        report.compared,
        report.scrapes,
        report.commits,
        report.snapshots
    );
    for (notice, count) in &report.notices {
        text += &format!("  {notice}: {count}\n");
    }
    text += &format!("digest {:016x}", report.digest);
    text
}

fn fresh() -> u64 {
    clock::now().0.unsigned_abs() % FRESH_SEEDS
}

/// A line to standard output; whoever closed the pipe does not want it.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// One line that is overwritten, on a terminal only.
fn progress(text: &str) {
    let mut out = std::io::stderr().lock();
    if out.is_terminal() {
        let _ = write!(out, "\r\x1b[K{text}").and_then(|()| out.flush());
    }
}
