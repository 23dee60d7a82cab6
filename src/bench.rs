//! `kept bench`: how fast, how large, how late. Prints what it measured; judges nothing.
//!
//! Other processes on the machine disturb wall time more than CPU time: compare the latter.

mod decode;
mod job;
mod measure;
mod topic;
mod work;

use std::process::ExitCode;

use clap::Subcommand;

use measure::say;

/// What to measure.
#[derive(Subcommand)]
pub enum Part {
    /// Decode and apply on one core, in process; no broker needed.
    Decode {
        /// Orders of four events each, held in memory (some 1.7 kB an order).
        #[arg(long, default_value_t = 250_000)]
        orders: u64,
        /// How often each stage runs.
        #[arg(long, default_value_t = 5)]
        rounds: usize,
    },
    /// The whole job from a warm topic of a real broker, beside a bare loop that only counts.
    ///
    /// Loads the topic (some 0.6 kB an order on the broker's disk) unless it is there already, and
    /// leaves it there for the next time.
    Kafka(job::Arguments),
    /// One measurement of `kafka`, in a process of its own.
    #[command(hide = true)]
    Child {
        /// Which.
        measured: job::Measured,
        #[command(flatten)]
        arguments: job::Arguments,
    },
}

/// Measures and prints; exit code 1 if it could not be measured.
pub fn run(part: Part) -> ExitCode {
    let result = match part {
        Part::Decode { orders, rounds } => {
            say(&machine());
            decode::run(orders, rounds)
        }
        Part::Kafka(arguments) => {
            say(&machine());
            job::run(&arguments)
        }
        Part::Child {
            measured,
            arguments,
        } => job::measure(measured, &arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
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
