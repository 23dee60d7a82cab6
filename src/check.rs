//! `kept check`: every problem of the configuration and its catalogue files, or a summary of what
//! the plan will make; with a broker also what is wrong with its topics. The folder of the state is
//! tried; a store elsewhere only with a broker, when the network may be used. Without one a folder
//! that can't be used is a warning: configurations are checked on other machines too.
//!
//! How many series and how much memory is said for one partition, or, with a broker, for those that
//! the topics have, on one instance.

mod continuation;

use std::fmt::Write as _;
use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use catalogue::estimate::{
    AtLimits, Estimate, assumptions, at_limits, estimate, partitions_of_kpis, total_series,
};
use catalogue::plan::{Kind, Plan, TopicId};
use catalogue::{Settings, warnings};
use events::{Decoder, Record};
use kafka::check::{Finding, Level, check_broker};
use store::Store;

use crate::config;

/// Runs the command. Problems and warnings go to standard error, the rest to standard output; exit
/// code 1 if there is a problem.
pub fn run(path: &Path, ask_broker: bool) -> ExitCode {
    let (settings, plan) = match read(path) {
        Ok(read) => read,
        Err(code) => return code,
    };
    write(io::stdout().lock(), &summary(&settings, &plan));
    let store = Store::open(&settings.state, &settings.kafka.group);
    let state = state(&settings, &store, ask_broker);
    if ask_broker {
        return broker(&settings, &plan, store.ok().as_deref(), state);
    }
    let unknown = vec![None; plan.topics.len()];
    let mut findings: Vec<Finding> = state.into_iter().collect();
    if let Ok(store) = &store
        && store.is_folder()
    {
        findings.extend(goes_on(&plan, store, &unknown));
    }
    let text: String = findings.iter().map(line).collect();
    write(io::stderr().lock(), &text);
    write(io::stdout().lock(), &estimates(&plan, &unknown));
    exit_code(&findings)
}

/// Errors are a failure, warnings aren't.
fn exit_code(findings: &[Finding]) -> ExitCode {
    let is_error = |finding: &Finding| finding.level == Level::Error;
    if findings.iter().any(is_error) {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

/// Says what goes on and what begins anew; what is wrong with that is returned.
fn goes_on(plan: &Plan, store: &Store, partitions: &[Option<usize>]) -> Vec<Finding> {
    let told = continuation::continuation(plan, store, partitions);
    // What a store doesn't say is no problem of the configuration: it was tried by itself.
    let (lines, findings) = told.unwrap_or_default();
    for line in lines {
        write(io::stdout().lock(), &format!("{line}\n"));
    }
    findings
}

/// The configuration, or the exit code after all its problems.
fn read(path: &Path) -> Result<(Settings, Plan), ExitCode> {
    let (settings, plan) = config::load(path).map_err(|problems| {
        let mut text: String = problems
            .iter()
            .map(|problem| format!("{problem}\n"))
            .collect();
        let plural = if problems.len() == 1 {
            "problem"
        } else {
            "problems"
        };
        text += &format!("{}: {} {plural}\n", path.display(), problems.len());
        write(io::stderr().lock(), &text);
        ExitCode::FAILURE
    })?;
    let warned: String = warnings(&plan)
        .iter()
        .map(|text| format!("warning: {text}\n"))
        .collect();
    write(io::stderr().lock(), &warned);
    Ok((settings, plan))
}

/// What is wrong with the state store, if something is.
fn state(
    settings: &Settings,
    opened: &Result<Arc<Store>, String>,
    try_all: bool,
) -> Option<Finding> {
    let (result, level) = match (opened, try_all) {
        (Err(problem), _) => (Err(problem.clone()), Level::Error),
        (Ok(store), true) => (store.try_all(), Level::Error),
        (Ok(store), false) => (store.try_folder(), Level::Warning),
    };
    let problem = result.err()?;
    let url = &settings.state.url;
    let message = format!(
        "no snapshot can be saved in the state store, url in [state] is \"{url}\": {problem}"
    );
    Some(Finding { level, message })
}

fn line(finding: &Finding) -> String {
    match finding.level {
        Level::Error => format!("error: {}\n", finding.message),
        Level::Warning => format!("warning: {}\n", finding.message),
    }
}

/// Asks the broker about the topics and a sample of their records; exit code 1 if it finds an error
/// or one was found in the state store, which is there if it could be opened.
fn broker(
    settings: &Settings,
    plan: &Plan,
    store: Option<&Store>,
    state: Option<Finding>,
) -> ExitCode {
    let mut decoder = Decoder::new(&pipeline::projection(plan));
    let mut keys = |_: TopicId, record: &Record<'_>, found: &mut Vec<(String, String)>| {
        let Ok(event) = decoder.decode(record) else {
            return;
        };
        let Some(type_id) = event.type_id else { return };
        for key in &plan.types[usize::from(type_id.0)].keys {
            let name = &plan.fields[usize::from(key.field.0)];
            found.extend(
                event
                    .field(key.field)
                    .key()
                    .map(|key| (name.clone(), key.to_owned())),
            );
        }
    };
    let checked = check_broker(&settings.kafka, plan, &mut keys);
    let mut state: Vec<Finding> = state.into_iter().collect();
    if let Some(store) = store
        && state.is_empty()
    {
        state = goes_on(plan, store, &checked.partitions);
    }
    write(io::stdout().lock(), &estimates(plan, &checked.partitions));
    let stored = state.len();
    let findings: Vec<Finding> = state.into_iter().chain(checked.findings).collect();
    let errors = findings
        .iter()
        .filter(|finding| finding.level == Level::Error)
        .count();
    let text: String = findings.iter().map(line).collect();
    write(io::stderr().lock(), &text);
    let (brokers, warnings) = (&settings.kafka.brokers, findings.len() - errors);
    let plural = |count: usize| if count == 1 { "" } else { "s" };
    let place = match stored {
        0 => format!("broker {brokers}"),
        _ => format!("broker {brokers} and state store"),
    };
    let verdict = format!(
        "{place}: {errors} error{}, {warnings} warning{}\n",
        plural(errors),
        plural(warnings)
    );
    write(io::stdout().lock(), &verdict);
    exit_code(&findings)
}

/// Whoever closed the pipe does not want the rest: that is no failure of the check.
fn write(mut out: impl io::Write, text: &str) {
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// The plan in a page.
fn summary(settings: &Settings, plan: &Plan) -> String {
    let mut text = String::new();
    for line in &settings.replaced {
        put(&mut text, line);
    }
    for topic in &plan.topics {
        let key = topic.key.as_deref().unwrap_or("not named");
        let types = topic.types.join(", ");
        let line = format!("types {types} · key {key} · late after {}", topic.lateness);
        put(&mut text, &format!("topic {}: {line}", topic.name));
    }
    for group in plan.groups.iter().filter(|group| group.topics.len() > 1) {
        let names = group
            .topics
            .iter()
            .map(|id| plan.topics[usize::from(id.0)].name.as_str());
        let names = names.collect::<Vec<_>>().join(", ");
        put(
            &mut text,
            &format!("joined, so with equal partition counts: {names}"),
        );
    }
    text
}

/// What the numbers are for.
fn described(plan: &Plan, partitions: &[Option<usize>]) -> String {
    let topics = plan.topics.iter().zip(partitions);
    let known = topics.filter_map(|(topic, count)| count.map(|count| (&topic.name, count)));
    let known: Vec<String> = known
        .map(|(name, count)| format!("{count} of {name}"))
        .collect();
    if known.is_empty() {
        "one partition".to_owned()
    } else {
        format!("all partitions on one instance ({})", known.join(", "))
    }
}

/// Series and memory.
fn estimates(plan: &Plan, partitions: &[Option<usize>]) -> String {
    let mut text = String::new();
    let (all, of_kpis) = (estimate(plan), partitions_of_kpis(plan, partitions));
    let width = all
        .iter()
        .map(|one| one.kpi.len())
        .max()
        .unwrap_or(0)
        .max(3);
    let head = "kind     series per partition  + per instance";
    put(&mut text, &format!("\n{:width$}  {head}", "KPI"));
    for (kpi, one) in plan.kpis.iter().zip(&all) {
        let Estimate {
            per_partition,
            per_instance,
            ..
        } = one;
        let kind = kind_name(&kpi.kind);
        put(
            &mut text,
            &format!(
                "{:width$}  {kind:7}  {per_partition:20}  {per_instance:14}",
                kpi.id
            ),
        );
    }
    if let Some(taking) = assumptions(&all) {
        let line = format!("{taking} where a KPI declares none; declare `values` to be exact");
        put(&mut text, &line);
    }
    let what = described(plan, partitions);
    let (total, most) = (total_series(&all, &of_kpis), plan.limits.max_series);
    put(
        &mut text,
        &format!(
            "\nwith {what}: about {total} series (max_series = {most} is for one KPI in one \
             partition)"
        ),
    );
    let windows = all.iter().zip(&of_kpis);
    let windows = windows.map(|(one, count)| one.state_bytes.saturating_mul(*count));
    let windows: u64 = windows.fold(0, u64::saturating_add);
    let follows = |kind: &Kind| matches!(kind, Kind::Promise(_) | Kind::Funnel(_));
    let followed = plan.kpis.iter().zip(&of_kpis);
    let followed = followed.filter(|(kpi, _)| follows(&kpi.kind));
    let followed: u64 = followed.map(|(_, count)| count).sum();
    let inputs = partitions.iter().map(|count| count.unwrap_or(1) as u64);
    let AtLimits { entities, dedupe } = at_limits(&plan.limits);
    put(
        &mut text,
        &format!(
            "state: about {} for windows; at their limits {} for entities and {} for event ids",
            megabytes(windows),
            megabytes(entities.saturating_mul(followed)),
            megabytes(dedupe.saturating_mul(inputs.sum()))
        ),
    );
    text
}

fn put(text: &mut String, line: &str) {
    writeln!(text, "{line}").expect("writing to a String can't fail");
}

fn kind_name(kind: &Kind) -> &'static str {
    match kind {
        Kind::Count(_) => "count",
        Kind::Ratio(_) => "ratio",
        Kind::Promise(_) => "promise",
        Kind::Funnel(_) => "funnel",
    }
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;
    use catalogue::{Sources, read};

    #[test]
    fn the_summary_names_topics_that_are_joined_and_every_kpi() {
        let text = "[kafka]\nbrokers = \"one:9092\"\n\
             [[kafka.topic]]\nname = \"orders\"\ntypes = [\"order.placed\", \"payment.*\"]\n\
             [[kafka.topic]]\nname = \"ends\"\ntypes = [\"order.fulfilled\", \"order.cancelled\", \
             \"order.picked\"]\n[catalogue]\npacks = [\"promise\"]\n";
        let sources = Sources {
            path: "kept.toml",
            text,
            environment: &[],
            files: &[],
        };
        let (mut settings, plan) = read(&sources).expect("the configuration is good");
        let replaced = "kpi cart of own.toml, line 1, takes the place of pack cart's";
        settings.replaced = vec![replaced.to_owned()];
        let summary = summary(&settings, &plan);
        assert!(summary.contains(replaced), "{summary}");
        assert!(
            summary.contains("equal partition counts: orders, ends\n"),
            "{summary}"
        );
        let unknown = estimates(&plan, &[None, None]);
        let line = unknown.lines().find(|line| line.starts_with("fulfilment"));
        let line = line.unwrap_or_else(|| panic!("no line for the KPI in {unknown}"));
        assert!(line.contains("promise"), "{unknown}");
        assert!(unknown.contains("with one partition: "), "{unknown}");
        let taken = "\ntaking 10 values of region, 5 of channel where a KPI declares none; declare \
                     `values` to be exact\n";
        assert_eq!(
            unknown.matches(taken).count(),
            1,
            "{taken:?} once in {unknown}"
        );
        assert_eq!(unknown.matches("taking").count(), 1, "{unknown}");
        assert!(!unknown.contains("allowed"), "{unknown}");
    }

    #[test]
    fn with_a_broker_the_series_are_those_of_its_partitions() {
        let text = "[kafka]\nbrokers = \"one:9092\"\ntopic = [{ name = \"shop\" }]\n\
             [catalogue]\npacks = [\"promise\"]\n";
        let sources = Sources {
            path: "kept.toml",
            text,
            environment: &[],
            files: &[],
        };
        let (_, plan) = read(&sources).expect("the configuration is good");
        let (all, one) = (estimate(&plan), partitions_of_kpis(&plan, &[None]));
        let of_seven = partitions_of_kpis(&plan, &[Some(7)]);
        let more: u64 = all.iter().map(|kpi| 6 * kpi.per_partition).sum();
        let total = total_series(&all, &of_seven);
        assert_eq!(total, total_series(&all, &one) + more);
        let shown = estimates(&plan, &[Some(7)]);
        let expected = format!("on one instance (7 of shop): about {total} series");
        assert!(shown.contains(&expected), "no {expected:?} in {shown}");
    }
}
