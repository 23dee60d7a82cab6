//! `kept produce`: JSON lines from a file or standard input onto the topics that the configuration
//! names, each line checked against the catalogue first, with the record key of its topic.
//!
//! Keys go to the partitions that Java's clients choose. The command ends when every record is
//! acknowledged or given up; a signal stops the reading and still waits for what was sent.

mod explain;
mod lines;
mod outlet;
mod report;
mod validate;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use std::{io, process, thread};

use anyhow::{Context as _, bail};
use catalogue::{Plan, Settings};
use clap::ValueEnum;
use crossbeam_channel::{Receiver, bounded, select, tick};
use events::KafkaTime;

use crate::signals::Signals;
use crate::{clock, config, logging};
use lines::Piece;
use outlet::Outlet;
use report::Report;
use validate::{Refusal, Validator};

/// How often progress is shown on a terminal.
const PROGRESS_EVERY: Duration = Duration::from_millis(500);
/// The longest line that is read at all; `record_bytes` is usually far below.
const LINE_BYTES: usize = 64 << 20;

/// The arguments of `kept produce`.
#[derive(clap::Args)]
pub struct Arguments {
    /// The configuration file
    #[arg(long, value_name = "FILE", default_value = "kept.toml")]
    config: PathBuf,
    /// Send everything to this topic of the configuration; without it the type decides
    #[arg(long, value_name = "NAME")]
    topic: Option<String>,
    /// The records' Kafka timestamp
    #[arg(long, value_enum, default_value_t = Timestamp::Now)]
    timestamp: Timestamp,
    /// Stop at the first bad line instead of skipping it
    #[arg(long)]
    fail_fast: bool,
    /// Check the lines and send nothing; needs no broker
    #[arg(long)]
    dry_run: bool,
    /// One CloudEvent (JSON) a line; - is standard input
    #[arg(value_name = "FILE.jsonl", default_value = "-")]
    file: PathBuf,
}

/// Where a record's Kafka timestamp comes from.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Timestamp {
    /// The moment it is sent
    Now,
    /// The event's own time, for events of the past; a topic for them has retention.ms=-1
    Event,
}

/// Runs the command.
pub fn main(arguments: &Arguments) -> ExitCode {
    let (settings, plan) = match config::load(&arguments.config) {
        Ok(read) => read,
        Err(problems) => {
            problems.iter().for_each(|problem| eprintln!("{problem}"));
            return ExitCode::FAILURE;
        }
    };
    logging::start_at("warn");
    match produce(arguments, &settings, &plan) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("kept produce: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn produce(arguments: &Arguments, settings: &Settings, plan: &Plan) -> anyhow::Result<ExitCode> {
    let chosen = arguments.topic.as_deref();
    let chosen = chosen.map(|name| find_topic(plan, name)).transpose()?;
    let pieces = lines::read(&arguments.file, LINE_BYTES)
        .with_context(|| format!("can't read {}", arguments.file.display()))?;
    let outlet = if arguments.dry_run {
        None
    } else {
        Some(Outlet::new(settings)?)
    };
    let signals = watch_signals()?;
    let mut session = Session {
        plan,
        arguments,
        validator: Validator::new(plan, chosen),
        outlet,
        report: Report::new(plan, &arguments.file),
    };
    let mut end = session.run(&pieces, &signals);
    if let Err(error) = &end {
        session.report.say(&format!("kept produce: {error:#}"));
    }
    if let Some(code) = session.settle(&signals) {
        end = Ok(End::Signal(code));
    }
    session.report.summary(session.outlet.as_ref());
    let failed = session.outlet.as_ref();
    let failed = failed.is_some_and(|outlet| outlet.failed().0 > 0);
    Ok(match end {
        Ok(End::Signal(code)) => ExitCode::from(code),
        Ok(End::Read) if session.report.is_clean() && !failed => ExitCode::SUCCESS,
        Ok(End::Read | End::BadLine) | Err(_) => ExitCode::FAILURE,
    })
}

/// Why reading ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// There is nothing more.
    Read,
    /// A bad line with `--fail-fast`.
    BadLine,
    /// A signal; its exit code.
    Signal(u8),
}

/// One run.
struct Session<'a> {
    plan: &'a Plan,
    arguments: &'a Arguments,
    validator: Validator<'a>,
    /// `None`: nothing is sent.
    outlet: Option<Outlet>,
    report: Report<'a>,
}

impl Session<'_> {
    fn run(&mut self, pieces: &Receiver<Piece>, signals: &Receiver<u8>) -> anyhow::Result<End> {
        let ticks = tick(PROGRESS_EVERY);
        loop {
            let piece = select! {
                recv(signals) -> code => return Ok(End::Signal(code?)),
                recv(ticks) -> _ => {
                    self.report.progress(self.outlet.as_ref());
                    continue;
                }
                recv(pieces) -> piece => piece,
            };
            let good = match piece {
                Err(_) => return Ok(End::Read),
                Ok(Piece::Lines { first, bytes }) => self.take_lines(first, &bytes)?,
                Ok(Piece::TooLong(line)) => {
                    let mebibytes = LINE_BYTES >> 20;
                    self.refuse(line, &format!("too_large: more than {mebibytes} MiB"))
                }
                Ok(Piece::Failed(line, error)) => bail!("{}: {error}", self.report.place(line)),
            };
            if !good {
                return Ok(End::BadLine);
            }
        }
    }

    /// False: stop here.
    fn take_lines(&mut self, first: u64, bytes: &[u8]) -> anyhow::Result<bool> {
        let stamp = match self.arguments.timestamp {
            Timestamp::Now => Some(KafkaTime(clock::now().0)),
            Timestamp::Event => None,
        };
        let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        for (line, text) in (first..).zip(bytes.split(|&byte| byte == b'\n')) {
            let text = text.trim_ascii();
            if text.is_empty() {
                self.report.blank();
            } else if !self.take_line(line, text, stamp)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn take_line(
        &mut self,
        line: u64,
        text: &[u8],
        stamp: Option<KafkaTime>,
    ) -> anyhow::Result<bool> {
        let accepted = loop {
            match self.validator.check(text, stamp) {
                Ok(accepted) => break accepted,
                Err(Refusal::Bad(reason)) => return Ok(self.refuse(line, &reason)),
                Err(Refusal::Ambiguous(reason)) => bail!("{}: {reason}", self.report.place(line)),
                Err(Refusal::NewType(name)) => {
                    if let Err(reason) = self.validator.learn(&name) {
                        return Ok(self.refuse(line, &reason));
                    }
                }
            }
        };
        if let Some(outlet) = &mut self.outlet {
            let time = (self.arguments.timestamp == Timestamp::Event).then_some(accepted.time);
            outlet.send(self.plan, &accepted, text, time)?;
        }
        self.report.good(line, &accepted);
        Ok(true)
    }

    /// Skips a line. False: stop here.
    fn refuse(&mut self, line: u64, reason: &str) -> bool {
        self.report.bad(line, reason);
        !self.arguments.fail_fast
    }

    /// Waits until every record is acknowledged or given up. A signal's exit code, if one came.
    fn settle(&mut self, signals: &Receiver<u8>) -> Option<u8> {
        if let Some(outlet) = &self.outlet {
            while !outlet.flush(PROGRESS_EVERY) {
                self.report.progress(Some(outlet));
            }
        }
        signals.try_recv().ok()
    }
}

fn find_topic(plan: &Plan, name: &str) -> anyhow::Result<usize> {
    let found = plan.topics.iter().position(|topic| topic.name == name);
    let Some(found) = found else {
        let names: Vec<&str> = plan
            .topics
            .iter()
            .map(|topic| topic.name.as_str())
            .collect();
        let names = names.join(", ");
        bail!("--topic {name}: the configuration has no such topic, but {names}");
    };
    Ok(found)
}

/// Gives the first signal's exit code; the second one ends the process.
fn watch_signals() -> io::Result<Receiver<u8>> {
    let (send, receive) = bounded(1);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let mut signals = runtime.block_on(async { Signals::new() })?;
    thread::Builder::new()
        .name("kept-signals".into())
        .spawn(move || {
            runtime.block_on(async {
                // The receiver may be gone: the command is ending anyway.
                let _ = send.send(signals.next().await);
                eprintln!(
                    "\nStopping when Kafka has what was sent; a second signal stops at once."
                );
                process::exit(signals.next().await.into());
            });
        })?;
    Ok(receive)
}
