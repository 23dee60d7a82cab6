//! Recording rules of Kept's own health: what alerts on Kept and the texts of all others read.

use catalogue::metrics::kept;
use events::Span;

use super::counters::{of_partitions, record};
use crate::book::{Book, HOUR};
use crate::promql::{base, is, minutes, partition_max};
use crate::rule::Rule;

/// A lag that means that Kept is behind.
pub const BEHIND: Span = minutes(1);
/// A lag that a promise's alert mentions as a sign of the pipe.
pub const SIGN_OF_LAG: Span = Span::from_seconds(30);
/// The window of events by type, rejects and delays.
pub const TEN: Span = minutes(10);
/// States of a task that is not shown as it should be.
const NOT_SERVING: &str = "state=~\"catching_up|restoring|fenced\"";

/// Task counters that are first taken per partition.
const TASK_COUNTERS: [kept::OwnFamily; 7] = [
    kept::EVENTS,
    kept::REJECTED,
    kept::LATE,
    kept::TOO_LATE,
    kept::LABEL_OVERFLOW,
    kept::ENTITIES_OVERFLOW,
    kept::LOG_GAP,
];

/// All of them, in order.
pub fn rules(book: &Book<'_>) -> Vec<Rule> {
    let mut rules: Vec<Rule> = TASK_COUNTERS
        .iter()
        .map(|family| of_partitions(book, family.name))
        .collect();
    rules.extend(pipe(book));
    rules.extend(tasks(book));
    rules.extend(inputs());
    rules.extend(totals(book));
    rules
}

/// Lag and delay.
fn pipe(book: &Book<'_>) -> Vec<Rule> {
    let lag = kept::LAG_SECONDS.name;
    let (sums, counts) = (
        format!("{}_sum", kept::DELAY.name),
        format!("{}_count", kept::DELAY.name),
    );
    let by_source = "without (partition)";
    let place = book.without(&["topic", "partition"]);
    vec![
        record(worst_lag(), format!("max {place} ({lag})")),
        of_partitions(book, &sums),
        of_partitions(book, &counts),
        // The sum of delays falls when clocks run ahead: it is no counter, so its delta is taken. Of
        // the number too: an increase is guessed otherwise at its beginning, and the mean would err.
        record(
            mean_delay(),
            format!(
                "sum {by_source} (delta({}[{TEN}]))\n/ (sum {by_source} (delta({}[{TEN}])) >= 20)",
                partition_max(&sums),
                partition_max(&counts)
            ),
        ),
        of_partitions(book, kept::CLOCK.name),
    ]
}

/// How many tasks are not shown as they should be, and how many partitions lag, each counted once
/// however many instances show it.
fn tasks(book: &Book<'_>) -> Vec<Rule> {
    let tasks = kept::TASKS.name;
    let lag = kept::LAG_SECONDS.name;
    let (state, instances) = (book.without(&["state"]), book.without(&[]));
    let limit = BEHIND.seconds();
    let serving = is("state", "serving");
    vec![
        record(
            behind(),
            format!(
                "(sum {state} ({tasks}{{{NOT_SERVING}}}) or sum {state} ({tasks}) * 0)\n\
                 + (count without (topic, partition) (max {instances} ({lag}) > {limit}) or sum {state} ({tasks}) * 0)"
            ),
        ),
        record(
            self::serving(),
            format!("sum {state} ({tasks}{{{serving}}})"),
        ),
    ]
}

/// Events by type and by topic, and the shares of late and rejected ones.
fn inputs() -> Vec<Rule> {
    let events = partition_max(kept::EVENTS.name);
    let share = |of: &str, window: Span| format!("{of}\n/ ({} > 0)", topic_events(window));
    let sum = |family: &kept::OwnFamily, window: Span| {
        let gone: Vec<&str> = family
            .labels
            .iter()
            .copied()
            .filter(|l| *l != "topic")
            .collect();
        let per_partition = partition_max(family.name);
        format!(
            "sum without ({}) (increase({per_partition}[{window}]))",
            gone.join(", ")
        )
    };
    vec![
        record(
            events_by_type(),
            format!(
                "sum without (topic, partition, source, outcome) (increase({events}{{outcome!=\"rejected\"}}[{TEN}]))"
            ),
        ),
        record(topic_events(TEN), sum(&kept::EVENTS, TEN)),
        record(topic_events(HOUR), sum(&kept::EVENTS, HOUR)),
        record(rejected_share(), share(&sum(&kept::REJECTED, TEN), TEN)),
        record(late_share(), share(&sum(&kept::LATE, HOUR), HOUR)),
        record(too_late_share(), share(&sum(&kept::TOO_LATE, HOUR), HOUR)),
    ]
}

/// Overflows by KPI and label, and what each instance counts for itself.
fn totals(book: &Book<'_>) -> Vec<Rule> {
    let overflow = |family: &kept::OwnFamily| {
        format!(
            "sum without (partition) (increase({}[{HOUR}]))",
            partition_max(family.name)
        )
    };
    let own = |family: &kept::OwnFamily| {
        format!(
            "sum {} (increase({}[{HOUR}]))",
            book.without(&[]),
            family.name
        )
    };
    vec![
        record(label_overflow(), overflow(&kept::LABEL_OVERFLOW)),
        record(entities_overflow(), overflow(&kept::ENTITIES_OVERFLOW)),
        record(letters_lost(), own(&kept::DEAD_LETTERS_LOST)),
        record(log_gap(), overflow(&kept::LOG_GAP)),
        record(state_lost(), lost_tasks(book)),
    ]
}

/// Tasks whose totals began at zero within the hour, each once, whichever instance did it and even
/// if that one was started again since: a counter of it would be at 0 again, the time is still there.
fn lost_tasks(book: &Book<'_>) -> String {
    format!(
        "count without (topic, partition) (\n  max {} (max_over_time({}[{HOUR}])) > time() - {}\n)",
        book.without(&[]),
        kept::STATE_LOST_AT.name,
        HOUR.seconds(),
    )
}

/// The greatest lag in seconds.
pub fn worst_lag() -> String {
    format!("job:{}:max", kept::LAG_SECONDS.name)
}

/// The mean delay of a source's events over ten minutes, in seconds; absent below 20 events.
pub fn mean_delay() -> String {
    format!("topic_source:{}:mean{TEN}", kept::DELAY.name)
}

/// Tasks and partitions that are behind.
pub fn behind() -> String {
    "job:kept_behind:count".to_owned()
}

/// Tasks that serve.
pub fn serving() -> String {
    format!("job:{}:serving", kept::TASKS.name)
}

/// Events that are not rejected, by type.
pub fn events_by_type() -> String {
    format!("type:{}:increase{TEN}", base(kept::EVENTS.name))
}

/// Records of a topic.
pub fn topic_events(window: Span) -> String {
    format!("topic:{}:increase{window}", base(kept::EVENTS.name))
}

/// The share of rejected records.
pub fn rejected_share() -> String {
    format!("topic:{}:ratio{TEN}", base(kept::REJECTED.name))
}

/// The share of late events.
pub fn late_share() -> String {
    format!("topic:{}:ratio{HOUR}", base(kept::LATE.name))
}

/// The share of events beyond the dedupe horizon.
pub fn too_late_share() -> String {
    format!("topic:{}:ratio{HOUR}", base(kept::TOO_LATE.name))
}

/// Events whose label became `other`.
pub fn label_overflow() -> String {
    format!(
        "kpi_label:{}:increase{HOUR}",
        base(kept::LABEL_OVERFLOW.name)
    )
}

/// Events that were not followed.
pub fn entities_overflow() -> String {
    format!(
        "kpi_limit:{}:increase{HOUR}",
        base(kept::ENTITIES_OVERFLOW.name)
    )
}

/// Dead letters that were lost.
pub fn letters_lost() -> String {
    format!("job:{}:increase{HOUR}", base(kept::DEAD_LETTERS_LOST.name))
}

/// Records that were gone before they were read.
pub fn log_gap() -> String {
    format!("topic:{}:increase{HOUR}", base(kept::LOG_GAP.name))
}

/// Tasks whose totals began at zero.
pub fn state_lost() -> String {
    format!("job:{}:count{HOUR}", base(kept::STATE_LOST.name))
}
