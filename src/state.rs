//! `kept state`: what snapshots there are, what is in one, whether they are sound, and the
//! deliberate reset.
//!
//! All but `reset` only read, and need no broker: a running `kept run` is not disturbed. A snapshot
//! that vanishes meanwhile was superseded, and is told like a damaged one.

mod describe;
mod list;
mod reset;
mod show;
pub(crate) mod sources;
mod verify;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use catalogue::{Plan, Settings};
use store::Store;

use crate::{config, logging};

/// The parts of `kept state`.
#[derive(clap::Subcommand)]
pub enum Part {
    /// A table of all snapshots of the group.
    ///
    /// By task, the last written at its end. "*" is before those that a restart with this
    /// configuration would go on from, unless what is committed says otherwise. The plan is "this"
    /// when it would go on from all of it, "another" when some KPIs would begin anew, "joined
    /// otherwise" when none of its tasks has just these topics: KPIs that are the same go on all the
    /// same. Exit codes: 0 after the table, 1 if the store doesn't answer or a
    /// problem of the configuration, 2 for wrong usage.
    List {
        /// The configuration file
        #[arg(long, value_name = "FILE", default_value = "kept.toml")]
        config: PathBuf,
    },
    /// What is in one snapshot: offsets, clocks, KPIs with their sizes and entries, sections.
    ///
    /// Exit codes: 0 after the page, 1 if there is no such snapshot or it can't be read, 2 for wrong
    /// usage.
    Show {
        /// The configuration file
        #[arg(long, value_name = "FILE", default_value = "kept.toml")]
        config: PathBuf,
        /// A snapshot's name, a task like shop.events/3 for its newest, or task/name as `verify` says it
        #[arg(value_name = "TASK|NAME")]
        which: String,
    },
    /// Read every snapshot with all its sections and say whether it is sound.
    ///
    /// Those of this plan are restored in memory as well. Exit codes: 0 if all are sound, 1 if one
    /// is not or the store doesn't answer, 2 for wrong usage.
    Verify {
        /// The configuration file
        #[arg(long, value_name = "FILE", default_value = "kept.toml")]
        config: PathBuf,
    },
    /// Delete all snapshots of the group and its committed offsets: totals begin at 0.
    ///
    /// The next `kept run` begins as a brand-new group, where `start` in [kafka] says. The group
    /// must have no members. Asks for the group's name first. Exit codes: 0 when all is deleted, 1
    /// when nothing or not all of it was, 2 for wrong usage.
    Reset {
        /// The configuration file
        #[arg(long, value_name = "FILE", default_value = "kept.toml")]
        config: PathBuf,
        /// Don't ask
        #[arg(long)]
        yes: bool,
    },
}

/// What all parts need.
struct Opened {
    settings: Settings,
    plan: Arc<Plan>,
    store: Arc<Store>,
}

/// Runs one part.
pub fn run(part: &Part) -> ExitCode {
    logging::start_at("warn");
    let (Part::List { config }
    | Part::Show { config, .. }
    | Part::Verify { config }
    | Part::Reset { config, .. }) = part;
    let (settings, plan) = match config::load(config) {
        Ok(read) => read,
        Err(problems) => {
            problems.iter().for_each(|problem| eprintln!("{problem}"));
            return ExitCode::FAILURE;
        }
    };
    let store = match Store::open(&settings.state, &settings.kafka.group) {
        Ok(store) => store,
        Err(problem) => return failed(&problem),
    };
    let opened = Opened {
        settings,
        plan: Arc::new(plan),
        store,
    };
    let mut out = io::stdout().lock();
    let done = match part {
        Part::List { .. } => list::list(&opened, &mut out),
        Part::Show { which, .. } => show::show(&opened, which, &mut out),
        Part::Verify { .. } => verify::verify(&opened, &mut out),
        Part::Reset { yes, .. } => reset::reset(&opened, *yes, io::stdin().lock(), &mut out),
    };
    // Whoever closed the pipe does not want the rest.
    let _ = out.flush();
    match done {
        Ok(code) => code,
        Err(problem) => failed(&problem),
    }
}

fn failed(problem: &str) -> ExitCode {
    eprintln!("kept state: {problem}");
    ExitCode::FAILURE
}
