//! `kept bench`: how fast, how large, how late. Prints what it measured; judges nothing.
//!
//! Other processes on the machine disturb wall time more than CPU time: compare the latter.

mod cost;
mod decode;
mod event;
mod feed;
mod handover;
mod hold;
mod job;
mod latency;
mod load;
mod measure;
mod memory;
mod orders;
mod reference;
mod restart;
mod scrape;
mod service;
mod sight;
mod snapshots;
mod topic;
mod work;

use std::process::ExitCode;

use clap::Subcommand;

use measure::say;

const DECODE_ORDERS: u64 = 250_000;
const DECODE_ROUNDS: usize = 5;

/// What to measure.
#[derive(Subcommand)]
pub enum Part {
    /// Decode and apply on one core, in process; no broker needed.
    Decode {
        /// Orders of four events each, held in memory (some 1.7 kB an order).
        #[arg(long, default_value_t = DECODE_ORDERS)]
        orders: u64,
        /// How often each stage runs.
        #[arg(long, default_value_t = DECODE_ROUNDS)]
        rounds: usize,
    },
    /// The whole job from a warm topic of a real broker, beside a bare loop that only counts.
    ///
    /// Loads the topic (some 0.6 kB an order on the broker's disk) unless it is there already, and
    /// leaves it there for the next time unless told to --delete it.
    Kafka(job::Arguments),
    /// Bytes per open order and per label set, in process; no broker needed.
    Memory(memory::Arguments),
    /// From an event to the scrape that shows it, and how long a scrape takes, on a real broker.
    ///
    /// Makes a topic of its own and deletes it in the end.
    Latency(latency::Arguments),
    /// From the end of a service that holds many open orders to the same with the right numbers.
    ///
    /// Makes a topic of its own and deletes it in the end; `kept run` runs as a process of its own,
    /// with its state in a temporary folder.
    Restart(restart::Arguments),
    /// For how long a scraper sees nothing of a partition that goes from instance to instance.
    ///
    /// Makes a topic of its own and deletes it in the end; two `kept run` as processes of their own.
    Handover(handover::Arguments),
    /// What publish = commit and snapshots cost in throughput, on a warm topic of a real broker.
    ///
    /// The topic is that of `kafka`, and is left there like it.
    Cost(job::Arguments),
    /// All seven in turn; the options are those of `kafka`.
    All(job::Arguments),
    /// Delete topics that benchmarks left behind.
    Delete {
        /// The broker, `host:port`.
        #[arg(long)]
        brokers: String,
        /// Their names, which begin with kept-bench-.
        #[arg(required = true)]
        topics: Vec<String>,
    },
    /// One measurement of `kafka`, in a process of its own.
    #[command(hide = true)]
    Child {
        /// Which.
        measured: job::Measured,
        #[command(flatten)]
        arguments: job::Arguments,
    },
    /// One measurement of `memory`, in a process of its own.
    #[command(hide = true)]
    Hold(hold::Case),
}

/// Measures and prints; exit code 1 if it could not be measured.
pub fn run(part: Part) -> ExitCode {
    match measure(part) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn measure(part: Part) -> anyhow::Result<()> {
    match part {
        Part::Child {
            measured,
            arguments,
        } => job::measure(measured, &arguments),
        Part::Hold(case) => hold::measure(case),
        Part::Delete { brokers, topics } => topic::delete(&brokers, &topics),
        Part::Decode { orders, rounds } => {
            say(&machine());
            decode::run(orders, rounds)
        }
        Part::Kafka(arguments) => {
            say(&machine());
            job::run(&arguments)
        }
        Part::Memory(arguments) => {
            say(&machine());
            memory::run(&arguments)
        }
        Part::Latency(arguments) => {
            say(&machine());
            latency::run(&arguments)
        }
        Part::Restart(arguments) => {
            say(&machine());
            restart::run(&arguments)
        }
        Part::Handover(arguments) => {
            say(&machine());
            handover::run(&arguments)
        }
        Part::Cost(arguments) => {
            say(&machine());
            cost::run(&arguments)
        }
        Part::All(arguments) => {
            say(&machine());
            decode::run(DECODE_ORDERS, DECODE_ROUNDS)?;
            job::run(&arguments)?;
            cost::run(&arguments)?;
            memory::run(&memory::Arguments::default())?;
            latency::run(&latency::Arguments::of(arguments.brokers().to_owned()))?;
            restart::run(&restart::Arguments::of(arguments.brokers().to_owned()))?;
            handover::run(&handover::Arguments::of(arguments.brokers().to_owned()))
        }
    }
}

/// What it ran on.
fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find(|line| line.starts_with("model name"));
    let model = model.and_then(|line| line.split(": ").nth(1));
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or("?");
    let build = if cfg!(debug_assertions) {
        "a debug build: not for comparing"
    } else {
        "release build"
    };
    format!(
        "machine: {cores} cores, {}; load before: {load}; {build}",
        model.unwrap_or("unknown processor")
    )
}
