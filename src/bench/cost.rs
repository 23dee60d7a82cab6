//! What publish = commit and snapshots cost in throughput: the whole job of `job`, three ways.
//!
//! `Unasked` is no Kept that anyone runs: each commit is answered on the spot instead of by the
//! broker. The worker, its logic and everything else are those of `kept run`, without HTTP. Each
//! run is a process of its own; they take turns, and each round begins with another one.

use std::sync::Arc;
use std::time::Instant;

use anyhow::bail;
use catalogue::{Plan, Settings};
use kafka::worker::{Call, Request, Setup, WorkerHandle};
use kafka::{Board, Metrics, lease};
use pipeline::{Effect, Input, LogGap, Options};
use prometheus::Registry;
use store::Store;

use super::job::{self, Measured, Run};
use super::measure::{Spread, Table, grouped, say, show};
use super::service::Folder;
use super::work;
use crate::keeper::{Keeper, SnapshotMetrics};
use crate::logic::Logic;
use crate::notices::Notices;
use crate::status::Status;

const WAYS: [Measured; 3] = [Measured::Unasked, Measured::Committed, Measured::Saved];

/// Measures and prints.
pub fn run(arguments: &job::Arguments) -> anyhow::Result<()> {
    arguments.with_topic(|| measure_all(arguments))
}

fn measure_all(arguments: &job::Arguments) -> anyhow::Result<()> {
    job::child(Measured::Committed, arguments)?;
    let mut runs: [Vec<Run>; WAYS.len()] = Default::default();
    for round in 0..arguments.rounds() {
        show(&format!("round {} of {}", round + 1, arguments.rounds()));
        for turn in 0..WAYS.len() {
            let at = (round + turn) % WAYS.len();
            runs[at].push(job::child(WAYS[at], arguments)?);
        }
    }
    show("");
    say(&format!(
        "cost of publish = commit and of snapshots: topic {}, {} events, {} rounds",
        arguments.topic(),
        grouped(arguments.wanted() as f64),
        arguments.rounds()
    ));
    let mut table = Table::new(&[
        "published views are",
        "wall s",
        "ns CPU/event: median (min-max)",
        "against the first, same round",
    ]);
    let names = [
        "not committed (answered on the spot)",
        "committed",
        "committed, and snapshots on",
    ];
    let nanos = |run: &Run| run.cpu_seconds * 1e9 / run.events as f64;
    for (name, these) in names.iter().zip(&runs) {
        let pairs = these.iter().zip(&runs[0]);
        let beyond = pairs.map(|(one, first)| (nanos(one) / nanos(first) - 1.0) * 100.0);
        table.row(vec![
            (*name).to_owned(),
            Spread::of(these.iter().map(|run| run.wall_seconds)).show(1),
            Spread::of(these.iter().map(nanos)).show(0),
            format!("{} %", Spread::of(beyond).show(1)),
        ]);
    }
    table.print();
    let first = Spread::of(runs[0].iter().map(nanos));
    say(&format!(
        "noise: the first one's own runs differ by {:.1} %\n",
        (first.max / first.min - 1.0) * 100.0
    ));
    Ok(())
}

/// One run in this process.
pub fn measure(measured: Measured, arguments: &job::Arguments) -> anyhow::Result<Run> {
    let (topic, wanted) = (arguments.topic(), arguments.wanted());
    let folder = Folder::new("cost")?;
    let (mut settings, plan) = work::settings(arguments.brokers(), &topic)?;
    settings.kafka.group = format!("{topic}-{}", std::process::id());
    settings.kafka.workers = Some(1);
    settings.state.url = folder.state_url();
    let began = Instant::now();
    let board = Arc::new(Board::new());
    let worker = start(measured, &settings, &Arc::new(plan), &board)?;
    loop {
        if let Ok(Err(fatal)) = worker.ended().try_recv() {
            return Err(fatal.into());
        }
        let views = board.views(lease::now());
        let taken: i64 = views.iter().flat_map(|view| &view.offsets).sum();
        if taken >= i64::try_from(wanted)? {
            break;
        }
        if began.elapsed() > job::RUN_WITHIN {
            bail!("only {taken} of {wanted} records are shown");
        }
        std::thread::sleep(job::LOOK_EVERY);
    }
    let run = job::finish(began, wanted, String::new());
    worker.request(Request::Stop);
    // Whatever it says about its end: what is measured is over.
    let _ = worker.ended().recv_timeout(job::RUN_WITHIN);
    run
}

/// A worker as `kept run` has it.
fn start(
    measured: Measured,
    settings: &Settings,
    plan: &Arc<Plan>,
    board: &Arc<Board>,
) -> anyhow::Result<WorkerHandle> {
    let registry = Registry::new();
    let store = Store::open(&settings.state, &settings.kafka.group);
    let store = store.map_err(anyhow::Error::msg)?;
    let keeper = if measured == Measured::Saved {
        let metrics = SnapshotMetrics::register(&registry)?;
        Some(Keeper::new(plan, store.client(), metrics))
    } else {
        None
    };
    let options = Options {
        lease: lease::length(&settings.kafka)?,
        snapshot_every: settings.state.snapshot_every,
        log_gap: LogGap::Continue,
        state: keeper.is_some(),
    };
    let notices = Notices::register(plan, store.location(), &registry)?;
    let status = Arc::new(Status::new(1, "", &registry)?);
    let mut logic = Logic::new(0, plan, options, keeper, notices, status);
    let setup = Setup {
        number: 0,
        settings: settings.kafka.clone(),
        plan: Arc::clone(plan),
        board: Arc::clone(board),
        metrics: Metrics::register(&registry)?,
        check_group_every: kafka::worker::CHECK_GROUP_EVERY,
    };
    let asks = measured != Measured::Unasked;
    Ok(kafka::worker::spawn(setup, move |call| match call {
        Call::Step(input, effects) if !asks => {
            logic.call(Call::Step(input, effects));
            answer(&mut logic, effects);
        }
        call => logic.call(call),
    })?)
}

/// Says yes to every commit, which then isn't sent.
fn answer(logic: &mut Logic, effects: &mut Vec<Effect>) {
    let is_commit = |effect: &Effect| matches!(effect, Effect::Commit { .. });
    while let Some(at) = effects.iter().position(is_commit) {
        if let Effect::Commit { commit, .. } = effects.remove(at) {
            let result = Ok(());
            logic.call(Call::Step(Input::Committed { commit, result }, effects));
        }
    }
}
