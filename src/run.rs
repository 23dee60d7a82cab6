//! `kept run`: the service until a signal ends it.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use catalogue::{Plan, Settings};
use store::Store;

use crate::app::App;
use crate::compaction::Watch;
use crate::signals::Signals;
use crate::{config, logging};

/// How often a running service looks whether a worker gave up.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Runs the service until a signal or until it can't go on.
pub fn run(path: &Path) -> ExitCode {
    let (settings, plan) = match config::load(path) {
        Ok(read) => read,
        Err(problems) => {
            problems.iter().for_each(|problem| eprintln!("{problem}"));
            return ExitCode::FAILURE;
        }
    };
    logging::start();
    crash_on_panic();
    let brokers = &settings.kafka.brokers;
    let kpis = plan.kpis.len();
    tracing::info!(version = env!("CARGO_PKG_VERSION"), %brokers, group = settings.kafka.group, kpis, "kept starts");
    let result = serve(&settings, &Arc::new(plan));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// A bug ends the whole process, at once: a worker that unwinds would wait in its consumer's drop for
/// callbacks that nobody serves any more, and the rest would go on without it.
fn crash_on_panic() {
    let tell = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        tell(panic);
        std::process::abort();
    }));
}

fn serve(settings: &Settings, plan: &Arc<Plan>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    // First of all: the kernel drops a signal that the first process of a container doesn't catch.
    let signals = runtime.block_on(async { Signals::new() })?;
    let store = Store::open(&settings.state, &settings.kafka.group)
        .map_err(|error| anyhow!("the state store ([state] url): {error}"))?;
    store
        .make_folder()
        .map_err(|error| anyhow!("the folder of the state store ([state] url): {error}"))?;
    tracing::info!(state = store.location(), "snapshots are kept");
    let app = App::start(settings, plan, Some(&store))?;
    let watch = Watch::start(settings, plan)?;
    runtime.block_on(until_signal(signals, app, &watch))
}

/// Waits for a signal, drains and stops; a second signal ends the process at once.
async fn until_signal(mut signals: Signals, app: App, watch: &Watch) -> anyhow::Result<()> {
    loop {
        tokio::select! {
            _ = signals.next() => break,
            () = tokio::time::sleep(LOOK_EVERY) => {
                if let Some(failure) = app.failure().or_else(|| watch.verdict()) {
                    drop(app.stop());
                    return Err(failure);
                }
            }
        }
    }
    tracing::info!("stopping: a second signal stops at once");
    signals.exit_during(move || app.stop()).await?;
    tracing::info!("stopped");
    Ok(())
}
