//! Bytes per open order, per remembered event id and per label set, in process.
//!
//! Each case is a process of its own with a clean heap: records go through `Worker::step`, and what
//! the resident set has grown by counts, freed and unused blocks of the heap included. What orders
//! share (label sets, buffers) is there before the first reading. A label set's share is the
//! difference to the same events with one label for all: the orders behind them are then the same.

use std::process::{Command, Stdio};

use anyhow::{anyhow, ensure};

use super::hold::{Case, Held, Holding};
use super::measure::{Spread, Table, grouped, say};

/// Hash tables double: with the default number of orders those of a partition are nearly full, with
/// this many times as many they have just doubled. The two are the best and the worst case.
const MORE: f64 = 1.2;

/// What to measure.
#[derive(clap::Args)]
pub struct Arguments {
    /// Orders that are held at once.
    #[arg(long, default_value_t = 200_000)]
    orders: u64,
    /// How often each case runs.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
}

impl Default for Arguments {
    fn default() -> Arguments {
        Arguments {
            orders: 200_000,
            rounds: 3,
        }
    }
}

/// Measures and prints.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let (orders, rounds) = (arguments.orders, arguments.rounds);
    say(&format!(
        "memory of orders: {} on {} partitions, promise by region with default windows; \
         growth of the resident set, {rounds} rounds",
        grouped(orders as f64),
        super::work::PARTITIONS
    ));
    let mut table = Table::new(&[
        "each",
        "number",
        "resident MB",
        "bytes each (min-max)",
        "kept_state_bytes each",
    ]);
    let plain = children(Case::orders(Holding::Open, orders, 36), rounds)?;
    let short = children(Case::orders(Holding::Open, orders, 12), rounds)?;
    table.row(row("open order, 12-byte key", &short));
    table.row(row("open order, 36-byte key", &plain));
    let more = Case::orders(Holding::Open, (orders as f64 * MORE) as u64, 36);
    table.row(row(
        "open order, 1.2 times as many",
        &children(more, rounds)?,
    ));
    let long = Case::orders(Holding::Open, orders, 64);
    table.row(row("open order, 64-byte key", &children(long, rounds)?));
    let steps = Case::orders(Holding::OpenWithSteps, orders, 36);
    let steps = children(steps, rounds)?;
    table.row(row("open order, two steps (pack promise)", &steps));
    let finished = Case::orders(Holding::Finished, orders, 36);
    table.row(row("finished order", &children(finished, rounds)?));
    let with_ids = children(Case::orders(Holding::OpenAndIds, orders, 36), rounds)?;
    let pairs = with_ids.iter().zip(&plain);
    let ids: Vec<Held> = pairs.map(|(with, without)| with.beyond(without)).collect();
    table.row(row("event id (dedupe)", &ids));
    table.print();
    label_sets(rounds)
}

fn row(name: &str, runs: &[Held]) -> Vec<String> {
    let spread = |of: fn(&Held) -> f64| Spread::of(runs.iter().map(of));
    let each = |bytes: f64, run: &Held| bytes / run.units.max(1.0);
    let grown = Spread::of(runs.iter().map(|run| each(run.grown, run)));
    let estimate = Spread::of(runs.iter().map(|run| each(run.estimate, run)));
    vec![
        name.to_owned(),
        grouped(spread(|run| run.units).median),
        format!("{:.1}", spread(|run| run.grown / 1e6).median),
        grown.show(0),
        format!("{:.0}", estimate.median),
    ]
}

fn label_sets(rounds: usize) -> anyhow::Result<()> {
    say(&format!(
        "memory of label sets: one partition, windows 5m, 1h, 1d; every pane of them filled, or a \
         steady day; beyond the same events under one label; {rounds} rounds"
    ));
    let mut table = Table::new(&[
        "each",
        "number",
        "state, bytes each (min-max)",
        "and its view",
        "series on /metrics",
        "bytes per series",
    ]);
    let cases = [
        ("count, an event in a pane", Holding::Counts, 2000, 1),
        ("promise, an order in a pane", Holding::Promises, 500, 1),
        ("promise, 20 orders in a pane", Holding::Promises, 100, 20),
        ("count, an event a second", Holding::Counts, 5, 0),
        ("promise, an order a second", Holding::Promises, 5, 0),
    ];
    for (name, holding, sets, per_pane) in cases {
        let many = children(Case::label_sets(holding, sets, per_pane, false), rounds)?;
        let one = children(Case::label_sets(holding, sets, per_pane, true), rounds)?;
        let pairs = many.iter().zip(&one);
        let own: Vec<Held> = pairs.map(|(many, one)| many.beyond(one)).collect();
        let of = |value: fn(&Held) -> f64| Spread::of(own.iter().map(value));
        let state = of(|run| run.grown / run.units);
        let with_view = of(|run| run.grown_with_view / run.units);
        let series = of(|run| run.series / run.units).median;
        table.row(vec![
            name.to_owned(),
            sets.to_string(),
            state.show(0),
            with_view.show(0),
            format!("{series:.0}"),
            format!("{:.0}", with_view.median / series),
        ]);
    }
    table.print();
    Ok(())
}

/// Runs this program again so many times for one case.
fn children(case: Case, rounds: usize) -> anyhow::Result<Vec<Held>> {
    (0..rounds).map(|_| child(case)).collect()
}

fn child(case: Case) -> anyhow::Result<Held> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["bench", "hold"]).args(case.arguments());
    let output = command.stderr(Stdio::inherit()).output()?;
    ensure!(
        output.status.success(),
        "the measurement of {case:?} failed"
    );
    let text = String::from_utf8_lossy(&output.stdout);
    Held::parse(&text).ok_or_else(|| anyhow!("the measurement of {case:?} said {text:?}"))
}
