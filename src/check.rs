//! `kept check` without a broker: every problem of the configuration and its catalogue files, or a
//! summary of what the plan will make.

use std::fmt::Write as _;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use catalogue::estimate::{AtLimits, Estimate, at_limits, estimate, total_series};
use catalogue::plan::{Kind, Plan, TopicId};
use catalogue::{Settings, warnings};
use events::{Decoder, Record};
use kafka::check::{Finding, Level, check_broker};

use crate::config;

/// Writes problems to standard error, or the summary to standard output. `Ok` holds what was read,
/// for the checks that need a broker; `Err` is the exit code after problems.
pub fn run(path: &Path) -> Result<(Settings, Plan), ExitCode> {
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
    write(io::stdout().lock(), &summary(&plan));
    let warned: String = warnings(&plan)
        .iter()
        .map(|text| format!("warning: {text}\n"))
        .collect();
    write(io::stderr().lock(), &warned);
    Ok((settings, plan))
}

/// Asks the broker about the topics and a sample of their records; exit code 1 if it finds an error.
pub fn broker(settings: &Settings, plan: &Plan) -> ExitCode {
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
    let findings = check_broker(&settings.kafka, plan, &mut keys);
    let errors = findings
        .iter()
        .filter(|finding| finding.level == Level::Error)
        .count();
    let line = |finding: &Finding| match finding.level {
        Level::Error => format!("error: {}\n", finding.message),
        Level::Warning => format!("warning: {}\n", finding.message),
    };
    let text: String = findings.iter().map(line).collect();
    write(io::stderr().lock(), &text);
    let (brokers, warnings) = (&settings.kafka.brokers, findings.len() - errors);
    let plural = |count: usize| if count == 1 { "" } else { "s" };
    let verdict = format!(
        "broker {brokers}: {errors} error{}, {warnings} warning{}\n",
        plural(errors),
        plural(warnings)
    );
    write(io::stdout().lock(), &verdict);
    if errors == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Whoever closed the pipe does not want the rest: that is no failure of the check.
fn write(mut out: impl io::Write, text: &str) {
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// The plan in a page.
fn summary(plan: &Plan) -> String {
    let mut text = String::new();
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
    put_estimates(&mut text, plan);
    text
}

fn put_estimates(text: &mut String, plan: &Plan) {
    let estimates = estimate(plan);
    let width = estimates
        .iter()
        .map(|one| one.kpi.len())
        .max()
        .unwrap_or(0)
        .max(3);
    put(
        text,
        &format!(
            "\n{:width$}  kind     series per partition  + per instance",
            "KPI"
        ),
    );
    for (kpi, one) in plan.kpis.iter().zip(&estimates) {
        let Estimate {
            per_partition,
            per_instance,
            ..
        } = one;
        let kind = kind_name(&kpi.kind);
        put(
            text,
            &format!(
                "{:width$}  {kind:7}  {per_partition:20}  {per_instance:14}",
                kpi.id
            ),
        );
    }
    let total = total_series(&estimates);
    let bytes: u64 = estimates.iter().map(|one| one.state_bytes).sum();
    let AtLimits { entities, dedupe } = at_limits(&plan.limits);
    put(
        text,
        &format!(
            "\nabout {total} series with one partition, of {} allowed",
            plan.limits.max_series
        ),
    );
    put(
        text,
        &format!(
            "state per partition: about {} for windows; at their limits {} per KPI with entities and {} per topic for event ids",
            megabytes(bytes),
            megabytes(entities),
            megabytes(dedupe)
        ),
    );
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
        let (_, plan) = read(&sources).expect("the configuration is good");
        let summary = summary(&plan);
        assert!(
            summary.contains("equal partition counts: orders, ends\n"),
            "{summary}"
        );
        let line = summary.lines().find(|line| line.starts_with("fulfilment"));
        let line = line.unwrap_or_else(|| panic!("no line for the KPI in {summary}"));
        assert!(line.contains("promise"), "{summary}");
    }
}
