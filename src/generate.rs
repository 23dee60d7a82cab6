//! `kept generate`: writes what is made from the catalogue, or says which of it is stale.
//!
//! Only files that differ are written, so that a build that watches them has nothing to do. What an
//! earlier catalogue left (the runbook of an alert that is gone) is removed, but only in the folders
//! where names come from the catalogue, and only what has a name and a mark of the generator's.

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
    /// Write nothing; exit with 1 when a file is missing, differs, or is left of another catalogue.
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
        check(&arguments.out, arguments.what, &files)
    } else {
        write(&arguments.out, arguments.what, &files)
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

fn check(out: &Path, what: What, files: &[File]) -> anyhow::Result<Report> {
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
    for path in left_over(out, what, files)? {
        report.text += &format!("stale: {}, which is made no more\n", path.display());
        report.stale = true;
    }
    if !report.stale {
        report.text = format!("{} files are up to date\n", files.len());
    }
    Ok(report)
}

fn write(out: &Path, what: What, files: &[File]) -> anyhow::Result<Report> {
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
    for path in left_over(out, what, files)? {
        let shown = path.display();
        fs::remove_file(&path).with_context(|| format!("can't remove {shown}"))?;
        report.text += &format!("removed {shown}, which is made no more\n");
        report.stale = true;
    }
    report.text += &format!("{same} of {} files were up to date\n", files.len());
    Ok(report)
}

/// Where names of files come from the catalogue.
fn named_by_catalogue(what: What) -> &'static str {
    match what {
        What::Rules => "prometheus/tests",
        What::Dashboards => "grafana/dashboards",
        What::Reference => "runbooks",
    }
}

/// What an earlier catalogue left and this one doesn't make, in the order of their names.
fn left_over(out: &Path, what: What, files: &[File]) -> anyhow::Result<Vec<PathBuf>> {
    let below = named_by_catalogue(what);
    let folder = out.join(below);
    let shown = || format!("can't read {}", folder.display());
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(shown),
    };
    let mut left = Vec::new();
    for entry in entries {
        let entry = entry.with_context(shown)?;
        let path = entry.path();
        let is_made = files.iter().any(|file| out.join(&file.path) == path);
        if is_made || !entry.file_type().with_context(shown)?.is_file() {
            continue;
        }
        // What is no text is somebody else's.
        let bytes = fs::read(&path).with_context(|| format!("can't read {}", path.display()))?;
        let name = entry.file_name();
        let known = name.to_str().zip(std::str::from_utf8(&bytes).ok());
        if known.is_some_and(|(name, text)| generate::is_made(&format!("{below}/{name}"), text)) {
            left.push(path);
        }
    }
    left.sort();
    Ok(left)
}

/// The file's text; nothing if it isn't there.
fn current(path: &Path) -> anyhow::Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("can't read {}", path.display())),
    }
}
