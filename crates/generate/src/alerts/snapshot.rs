//! `KeptSnapshotOld`: after a crash so much has to be read again, and the log must reach so far back.
//!
//! What is old follows `[state] snapshot_every`: a task that nothing changes is saved only every tenth
//! time, so a fixed limit would be passed in each quiet night of a shop with a slow cadence.

use catalogue::metrics::kept;
use catalogue::settings::UNCHANGED_SAVED_AFTER;
use events::Span;

use super::kept::Say;
use crate::book::Book;
use crate::promql::minutes;
use crate::rule::{Alert, Severity};

/// Sooner no snapshot is old: with the usual cadence that is sixty times as long.
const LEAST: Span = minutes(10);
/// So many snapshots in a row are missing of a task that nothing changes.
const MISSING: i64 = 3;

/// A snapshot older than this is old.
pub fn limit(book: &Book<'_>) -> Span {
    let quiet = book.generation.snapshot_every.0;
    let quiet = quiet.saturating_mul(UNCHANGED_SAVED_AFTER * MISSING);
    Span(quiet.max(LEAST.0))
}

/// See the file's header.
pub fn alert(book: &Book<'_>) -> Alert {
    super::kept::alert(
        book,
        Say {
            name: "KeptSnapshotOld",
            severity: Severity::Warning,
            expression: no_snapshot(book),
            after: minutes(5),
            summary: "{{ if $labels.partition }}The last snapshot is {{ $value | humanizeDuration }} \
                      old{{ else }}No snapshot can be stored: {{ $value | humanize }} failed{{ end }}",
            description: "{{ if $labels.partition }}No snapshot of {{ $labels.topic }}/\
                          {{ $labels.partition }} was stored for {{ $value | humanizeDuration }}\
                          {{ else }}In 15m {{ $value | humanize }} snapshots failed and none was \
                          stored{{ end }}: after a crash so much has to be read again, and once the \
                          log is shorter than that, it can't.",
        },
    )
}

/// Old by partition; or, where a store never worked and no partition has a time to be old by, only
/// failures in all that time.
fn no_snapshot(book: &Book<'_>) -> String {
    let (success, failures) = (kept::SNAPSHOT_SUCCESS.name, kept::SNAPSHOT_FAILURES.name);
    let window = minutes(15);
    format!(
        "time() - max {instances} ({success}) > {age}\n\
         or sum {reasons} (increase({failures}[{window}])) > 0\n\
         unless max {job} ({success})",
        instances = book.without(&[]),
        reasons = book.without(&["reason"]),
        job = book.without(&["topic", "partition"]),
        age = limit(book).seconds(),
    )
}

#[cfg(test)]
mod tests {
    use catalogue::Sources;

    use super::*;

    /// The limit in the rule of a configuration with this cadence, in seconds.
    fn limit_with(cadence: &str) -> String {
        let text = format!(
            "{}[state]\nsnapshot_every = \"{cadence}\"\n",
            crate::SHIPPED
        );
        let sources = Sources {
            path: "kept.toml",
            text: &text,
            environment: &[],
            files: &[],
        };
        let (settings, plan) = catalogue::read(&sources).expect("the cadence is good");
        let book = Book {
            plan: &plan,
            generation: &settings.generation,
        };
        let expression = alert(&book).expression;
        let first = expression.lines().next().expect("it has lines");
        let (_, limit) = first.split_once(" > ").expect("it has a limit");
        limit.to_owned()
    }

    #[test]
    fn an_old_snapshot_is_older_than_three_that_a_quiet_task_makes() {
        assert_eq!(limit_with("10s"), "600");
        assert_eq!(limit_with("20s"), "600");
        assert_eq!(limit_with("30s"), "900");
        assert_eq!(limit_with("2m"), "3600");
    }
}
