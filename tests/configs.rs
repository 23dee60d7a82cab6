//! Every file in `configs/bad` is refused with the expected problems, all of them at once, and every
//! file in `configs/good` gives the expected settings and metrics.
//!
//! `NAME.toml` is the configuration, `NAME.env` holds its environment variables, and
//! `NAME.expected` what is to come out. `KEPT_UPDATE_EXPECTED=1` writes the latter anew, for review.
#![allow(clippy::disallowed_methods, reason = "the configurations are files")]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use catalogue::estimate::estimate;
use catalogue::metrics::families;
use catalogue::plan::Plan;
use catalogue::{FileText, Problem, Settings, Sources};

#[test]
fn bad_configurations_are_refused_with_every_problem() {
    check("bad", |outcome| match outcome {
        Ok(_) => "no problem at all\n".to_owned(),
        Err(problems) => lines(problems),
    });
}

#[test]
fn good_configurations_give_the_expected_settings_and_metrics() {
    check("good", |outcome| match outcome {
        Ok((settings, plan)) => describe(settings, plan),
        Err(problems) => lines(problems),
    });
}

type Outcome = Result<(Settings, Plan), Vec<Problem>>;

/// Compares what `show` says of each configuration of a folder with its `.expected`.
fn check(folder: &str, show: impl Fn(&Outcome) -> String) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/configs")
        .join(folder);
    let configurations = configurations(&folder);
    assert!(
        !configurations.is_empty(),
        "no configurations in {}",
        folder.display()
    );
    let mut differing = Vec::new();
    for config in configurations {
        let found = show(&read(&folder, &config));
        let expected_path = config.with_extension("expected");
        if std::env::var_os("KEPT_UPDATE_EXPECTED").is_some() {
            fs::write(&expected_path, &found).expect("the test folder can be written");
        }
        let expected = fs::read_to_string(&expected_path).unwrap_or_default();
        if found != expected {
            let name = config
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            differing.push(format!(
                "{name}\n--- expected\n{expected}--- found\n{found}"
            ));
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

/// The `.toml` files but for those with KPIs.
fn configurations(folder: &Path) -> BTreeSet<PathBuf> {
    let entries = fs::read_dir(folder).expect("the folder is in the repository");
    entries
        .map(|entry| entry.expect("the folder can be listed").path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "toml")
        })
        .filter(|path| !path.to_string_lossy().ends_with(".kpis.toml"))
        .collect()
}

fn read(folder: &Path, config: &Path) -> Outcome {
    let text = fs::read_to_string(config).expect("it was just listed");
    let variables = fs::read_to_string(config.with_extension("env")).unwrap_or_default();
    let environment: Vec<(String, String)> = variables
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let names = catalogue::wanted_files(&text, &environment);
    let files: Vec<FileText> = names
        .into_iter()
        .map(|name| FileText {
            text: fs::read_to_string(folder.join(&name)).map_err(|_| "it isn't there".to_owned()),
            path: name.clone(),
            name,
        })
        .collect();
    let path = config
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let sources = Sources {
        path: &path,
        text: &text,
        environment: &environment,
        files: &files,
    };
    catalogue::read_for(&sources, &kafka::properties::RULES)
}

fn lines(problems: &[Problem]) -> String {
    problems
        .iter()
        .map(|problem| format!("{problem}\n"))
        .collect()
}

fn describe(settings: &Settings, plan: &Plan) -> String {
    let mut text = format!("{settings:#?}\n{:?}\n{:?}\n", plan.time, plan.limits);
    for client in &settings.kafka.client {
        put(&mut text, &format!("client {} = {}", client.0, client.1));
    }
    for option in &settings.state.options {
        put(&mut text, &format!("option {} = {}", option.0, option.1));
    }
    for topic in &plan.topics {
        put(&mut text, &format!("{topic:?}"));
    }
    for group in &plan.groups {
        put(&mut text, &format!("{group:?}"));
    }
    for used in &plan.types {
        let keys = used.keys.iter().map(|key| {
            let optional = if key.required { "" } else { "?" };
            format!(" {}{optional}", plan.fields[usize::from(key.field.0)])
        });
        put(
            &mut text,
            &format!("type {}:{}", used.name, keys.collect::<String>()),
        );
    }
    for (kpi, one) in plan.kpis.iter().zip(estimate(plan)) {
        let (partition, instance) = (one.per_partition, one.per_instance);
        put(
            &mut text,
            &format!("\nkpi {}: {partition} + {instance} series", kpi.id),
        );
        for family in families(plan, kpi) {
            let labels = family.labels.join(",");
            let (name, kind, scope) = (&family.name, family.kind, family.scope);
            put(
                &mut text,
                &format!("  {name}{{{labels}}} {kind:?} {scope:?}: {}", family.help),
            );
        }
    }
    for warning in catalogue::warnings(plan) {
        put(&mut text, &format!("\nwarning: {warning}"));
    }
    text
}

fn put(text: &mut String, line: &str) {
    writeln!(text, "{line}").expect("writing to a String can't fail");
}
