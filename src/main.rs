//! The `kept` binary: parses the command line, wires the crates, owns clock, files and signals.
#![allow(
    clippy::disallowed_methods,
    reason = "the shell owns clock, files and threads"
)]

mod app;
mod arguments;
mod bench;
mod check;
mod clock;
mod compaction;
mod config;
mod demo;
mod direct;
mod feeder;
mod generate;
mod keeper;
mod logging;
mod logic;
mod notices;
mod overdue;
mod probe;
mod produce;
mod run;
mod shop;
mod signals;
mod simulate;
mod state;
mod status;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Is the shop keeping its promise to customers? Kept reads cart, checkout, order and fulfilment
/// events from Kafka and answers live, as Prometheus metrics that are exact for the offsets they
/// stand for.
#[derive(Parser)]
#[command(name = "kept", version, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Consume the configured topics and serve /metrics until SIGTERM or SIGINT.
    ///
    /// Exit codes: 0 after a signal, 1 for a configuration problem or when it can't go on,
    /// 2 for wrong usage. A first signal drains and leaves the group, a second one stops at once.
    Run {
        /// The configuration file.
        #[arg(long, value_name = "FILE", default_value = "kept.toml")]
        config: PathBuf,
    },
    /// Report every problem of configuration, catalogue and (with --broker) topics; run nothing.
    ///
    /// The state folder is tried as well (a warning: it may be another machine's), with --broker as an
    /// error, or a bucket. Says which KPIs a restart begins anew (from a state folder; of a bucket
    /// with --broker) and, with --broker, a topic whose state has other partitions, as an error. Exit
    /// codes: 0 if there is no problem (warnings allowed), 1 if there is one, 2 for wrong usage.
    Check {
        /// The configuration file.
        #[arg(long, value_name = "FILE", default_value = "kept.toml")]
        config: PathBuf,
        /// Also ask the broker: topics, partition counts, compaction, and a sample of records.
        #[arg(long)]
        broker: bool,
    },
    /// Watch it work: an embedded Kafka, a simulated shop, and the whole service on top of it.
    ///
    /// Needs nothing installed and keeps nothing. Exit codes: 0 after a signal (130 or 143 while it
    /// isn't open yet) or when its time is over, 1 when it can't go on, 2 for wrong usage. A second
    /// signal stops at once.
    Demo(demo::Arguments),
    /// Send a simulated shop's events to Kafka at the pace of the wall clock, with an incident if asked.
    ///
    /// For trying Kept, its dashboards and its alerts on a Kafka of your own. Creates the topics where
    /// they are missing and leaves them there. Exit codes: 0 after a signal (130 or 143 while it
    /// isn't open yet), 1 when it can't go on, 2 for wrong usage. Kafka may be away for an hour
    /// meanwhile: what happened is sent later.
    Shop(shop::Arguments),
    /// Ask the service that runs here with this configuration whether it is ready: a health check.
    ///
    /// Exit codes: 0 if it is, 1 if not or if nobody answers, 2 for wrong usage.
    Probe(probe::Arguments),
    /// Put events (JSON lines) on their topics with the right key, after a check against the catalogue.
    ///
    /// Bad lines are reported with file and line and skipped. Exit codes: 0 if every event is
    /// acknowledged, 1 if a line was skipped or a record not delivered, 2 for wrong usage. At a
    /// signal what was sent is still waited for (then 130 or 143); a second one stops at once.
    Produce(produce::Arguments),
    /// Look at the snapshots of the group's state, or reset it.
    State {
        #[command(subcommand)]
        part: state::Part,
    },
    /// Run the production logic in virtual worlds where everything goes wrong, and check all of it.
    ///
    /// Needs no broker and no configuration. A seed is one world: the same seed gives the same
    /// history. Exit codes: 0 if nothing broke, 1 at the first seed in which a check broke (it is
    /// printed with what went wrong and how to run it again), 2 for wrong usage.
    Simulate(simulate::Arguments),
    /// Write rules, alerts, routes, dashboards, runbooks and the reference page from the catalogue.
    ///
    /// Only files that differ are written; what an earlier catalogue left of them is removed. Exit
    /// codes: 0 if all is written (with --check: up to date), 1 if not or if the configuration has
    /// problems, 2 for wrong usage.
    Generate(generate::Arguments),
    /// Measure throughput, memory and latency; prints tables, judges nothing.
    Bench {
        #[command(subcommand)]
        part: bench::Part,
    },
}

fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Demo(arguments) => demo::main(arguments),
        Command::Shop(arguments) => shop::main(arguments),
        Command::Probe(arguments) => probe::main(&arguments),
        Command::Produce(arguments) => produce::main(&arguments),
        Command::State { part } => state::run(&part),
        Command::Simulate(arguments) => simulate::main(&arguments),
        Command::Generate(arguments) => generate::main(&arguments),
        Command::Bench { part } => bench::run(part),
        Command::Run { config } => run::run(&config),
        Command::Check { config, broker } => check::run(&config, broker),
    }
}
