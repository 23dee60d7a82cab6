//! `kept generate`: writes what is made from the catalogue, or says which of it is stale.
//!
//! Only files that differ are written, so that a build that watches them has nothing to do.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use catalogue::generation::Generation;
use catalogue::{Plan, Problem, Settings, Sources};
use clap::{Args, ValueEnum};
use generate::File;

use crate::config;

/// What to make.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum What {
    /// prometheus/ (recording rules, alerts, their tests), kubernetes/ (both as a PrometheusRule) and
    /// alertmanager/ (routes, inhibition).
    Rules,
    /// grafana/dashboards/: the overview, promises, carts, and Kept's own health.
    Dashboards,
    /// reference.md (every KPI, metric, label and alert) and runbooks/, one per alert.
    Reference,
}

/// The command line of `kept generate`.
#[derive(Args)]
pub struct Arguments {
    /// What to make.
    #[arg(value_enum)]
    what: What,
    /// The folder that it is written below.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The configuration file; without it the shipped packs are taken as they are.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Write nothing; exit with 1 when a file is missing or differs.
    #[arg(long)]
    check: bool,
}

/// Runs it; exit code 1 for problems of the configuration, files that can't be written, and, with
/// `--check`, stale ones.
pub fn main(arguments: &Arguments) -> ExitCode {
    let (settings, plan) = match read(arguments.config.as_deref()) {
        Ok(read) => read,
        Err(problems) => {
            problems.iter().for_each(|problem| eprintln!("{problem}"));
            return ExitCode::FAILURE;
        }
    };
    let files = files(arguments.what, &plan, &settings.generation);
    let result = if arguments.check {
        check(&arguments.out, &files)
    } else {
        write(&arguments.out, &files)
    };
    match result {
        Ok(report) => {
            // Whoever closed the pipe does not want the report: the files are there.
            let _ = io::stdout().write_all(report.text.as_bytes());
            if report.stale && arguments.check {
                ExitCode::FAILURE
            } else {
                ExitCode::SUCCESS
            }
        }
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn read(config: Option<&Path>) -> Result<(Settings, Plan), Vec<Problem>> {
    let Some(config) = config else {
        return catalogue::read(&Sources {
            path: "the shipped packs",
            text: generate::SHIPPED,
            environment: &[],
            files: &[],
        });
    };
    config::load(config)
}

fn files(what: What, plan: &Plan, generation: &Generation) -> Vec<File> {
    match what {
        What::Rules => generate::rules(plan, generation),
        What::Dashboards => generate::dashboards(plan, generation),
        What::Reference => generate::reference(plan, generation),
    }
}

/// What happened, for people.
struct Report {
    text: String,
    stale: bool,
}

fn check(out: &Path, files: &[File]) -> anyhow::Result<Report> {
    let mut report = Report {
        text: String::new(),
        stale: false,
    };
    for file in files {
        let path = out.join(&file.path);
        if current(&path)?.as_ref() != Some(&file.text) {
            report.text += &format!("stale: {}\n", path.display());
            report.stale = true;
        }
    }
    if !report.stale {
        report.text = format!("{} files are up to date\n", files.len());
    }
    Ok(report)
}

fn write(out: &Path, files: &[File]) -> anyhow::Result<Report> {
    let mut report = Report {
        text: String::new(),
        stale: false,
    };
    let mut same = 0;
    for file in files {
        let path = out.join(&file.path);
        if current(&path)?.as_ref() == Some(&file.text) {
            same += 1;
            continue;
        }
        let shown = path.display();
        let folder = path.parent().unwrap_or(out);
        fs::create_dir_all(folder).with_context(|| format!("can't make {}", folder.display()))?;
        fs::write(&path, &file.text).with_context(|| format!("can't write {shown}"))?;
        report.text += &format!("wrote {shown}\n");
        report.stale = true;
    }
    report.text += &format!("{same} of {} files were up to date\n", files.len());
    Ok(report)
}

/// The file's text; nothing if it isn't there.
fn current(path: &Path) -> anyhow::Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("can't read {}", path.display())),
    }
}
