//! The families that Kept publishes about itself, whatever the catalogue says.
//!
//! The exposition and the shell register them; rules, alerts and the reference read this list, and
//! a test compares it with the names in the sources.

use super::MetricKind;

/// One family of Kept's own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OwnFamily {
    /// The full name, with `_total` for counters and without `_bucket`, `_sum`, `_count`.
    pub name: &'static str,
    /// Counter, gauge or histogram.
    pub kind: MetricKind,
    /// Its labels.
    pub labels: &'static [&'static str],
    /// What it says, in a line.
    pub help: &'static str,
    /// Derived from records and part of a task's state: during a hand-over two instances may show
    /// it, so the greatest per partition counts. Else each instance has its own.
    pub of_task: bool,
}

const fn task(
    name: &'static str,
    kind: MetricKind,
    labels: &'static [&'static str],
    help: &'static str,
) -> OwnFamily {
    OwnFamily {
        name,
        kind,
        labels,
        help,
        of_task: true,
    }
}

const fn process(
    name: &'static str,
    kind: MetricKind,
    labels: &'static [&'static str],
    help: &'static str,
) -> OwnFamily {
    OwnFamily {
        name,
        kind,
        labels,
        help,
        of_task: false,
    }
}

use MetricKind::{Counter, Gauge, Histogram};

/// Records by what became of them.
pub const EVENTS: OwnFamily = task(
    "kept_events_total",
    Counter,
    &["topic", "partition", "type", "source", "outcome"],
    "Records by what became of them: used, ignored, duplicate, rejected",
);
/// Records that can't be an event.
pub const REJECTED: OwnFamily = task(
    "kept_records_rejected_total",
    Counter,
    &["topic", "partition", "reason"],
    "Records that can't be an event, by reason",
);
/// Behind the lateness.
pub const LATE: OwnFamily = task(
    "kept_events_late_total",
    Counter,
    &["topic", "partition"],
    "Events further behind their partition clock than the lateness",
);
/// Behind the dedupe horizon.
pub const TOO_LATE: OwnFamily = task(
    "kept_events_too_late_total",
    Counter,
    &["topic", "partition", "type"],
    "Events older than the dedupe horizon, which counts don't take",
);
/// How long events are on their way.
pub const DELAY: OwnFamily = task(
    "kept_event_delay_seconds",
    Histogram,
    &["topic", "partition", "source"],
    "Kafka timestamp minus event time; below 0 the producer's clock is ahead",
);
/// Partition clocks.
pub const CLOCK: OwnFamily = task(
    "kept_partition_clock_timestamp_seconds",
    Gauge,
    &["topic", "partition"],
    "The greatest event time accepted so far, absent before the first event",
);
/// Whether the numbers are exact.
pub const EXACT: OwnFamily = task(
    "kept_exact",
    Gauge,
    &["topic", "partition"],
    "0 after a limit was hit that the numbers can't show, until the task is rebuilt",
);
/// Display times.
pub const DISPLAY: OwnFamily = task(
    "kept_display_timestamp_seconds",
    Gauge,
    &["topic", "partition"],
    "The event time that gauges and windows of the task stand for",
);
/// What the state holds.
pub const STATE_ENTRIES: OwnFamily = task(
    "kept_state_entries",
    Gauge,
    &["topic", "partition", "kind"],
    "Entries held in the task's state, by kind",
);
/// How large the state is.
pub const STATE_BYTES: OwnFamily = task(
    "kept_state_bytes",
    Gauge,
    &["topic", "partition"],
    "An estimate of the bytes of the task's state",
);
/// Malformed fields.
pub const FIELD_ERRORS: OwnFamily = task(
    "kept_field_errors_total",
    Counter,
    &["kpi", "field", "partition"],
    "Events that a KPI did not take because of a malformed field",
);
/// Too many label values.
pub const LABEL_OVERFLOW: OwnFamily = task(
    "kept_label_overflow_total",
    Counter,
    &["kpi", "label", "partition"],
    "Events whose label value became `other` because there were too many",
);
/// Too many entities.
pub const ENTITIES_OVERFLOW: OwnFamily = task(
    "kept_entities_overflow_total",
    Counter,
    &["kpi", "limit", "partition"],
    "Events that were not followed because the KPI's limit of entities was reached",
);
/// Too late for windows.
pub const WINDOW_DROPPED: OwnFamily = task(
    "kept_window_dropped_total",
    Counter,
    &["kpi", "partition"],
    "Contributions to windows that came after these were closed; totals have them",
);
/// What runs.
pub const BUILD_INFO: OwnFamily = process(
    "kept_build_info",
    Gauge,
    &["version"],
    "Always 1; the labels say what runs",
);
/// Tasks by state.
pub const TASKS: OwnFamily = process(
    "kept_tasks",
    Gauge,
    &["state"],
    "Tasks (partitions with their state): catching_up, restoring, serving, fenced",
);
/// Lag in time.
pub const LAG_SECONDS: OwnFamily = process(
    "kept_consumer_lag_seconds",
    Gauge,
    &["topic", "partition"],
    "How far the partition clock is behind now, 0 when everything there is was read",
);
/// Lag in messages.
pub const LAG_MESSAGES: OwnFamily = process(
    "kept_consumer_lag_messages",
    Gauge,
    &["topic", "partition"],
    "Messages in the partition that are not read yet",
);
/// Rebalances.
pub const REBALANCES: OwnFamily = process(
    "kept_rebalances_total",
    Counter,
    &[],
    "Assignments that the group has given to this instance's workers",
);
/// Partitions that nobody has.
pub const WITHOUT_OWNER: OwnFamily = process(
    "kept_partitions_without_owner",
    Gauge,
    &[],
    "Partitions that the group has given to nobody, as this instance last saw it",
);
/// Troubles with Kafka.
pub const KAFKA_ERRORS: OwnFamily = process(
    "kept_kafka_errors_total",
    Counter,
    &["kind"],
    "Troubles with Kafka, by kind",
);
/// Dead letters sent.
pub const DEAD_LETTERS: OwnFamily = process(
    "kept_dead_letters_total",
    Counter,
    &[],
    "Rejected records that the dead-letter topic has acknowledged",
);
/// Dead letters lost.
pub const DEAD_LETTERS_LOST: OwnFamily = process(
    "kept_dead_letters_lost_total",
    Counter,
    &[],
    "Rejected records that could not be written to the dead-letter topic",
);
/// Commits.
pub const COMMIT_SECONDS: OwnFamily = process(
    "kept_commit_seconds",
    Histogram,
    &[],
    "From sending a commit to the broker's yes",
);
/// Snapshots.
pub const SNAPSHOT_SUCCESS: OwnFamily = process(
    "kept_snapshot_last_success_timestamp_seconds",
    Gauge,
    &["topic", "partition"],
    "When the task's last snapshot was stored",
);
/// Snapshots that failed.
pub const SNAPSHOT_FAILURES: OwnFamily = process(
    "kept_snapshot_failures_total",
    Counter,
    &["reason"],
    "Snapshots that could not be stored or restored, by reason",
);
/// Commits that went wrong.
pub const COMMIT_FAILURES: OwnFamily = process(
    "kept_commit_failures_total",
    Counter,
    &[],
    "Commits that were refused, or not answered in time",
);
/// How large snapshots are.
pub const SNAPSHOT_BYTES: OwnFamily = process(
    "kept_snapshot_bytes",
    Gauge,
    &["topic", "partition"],
    "Bytes written for the task's last snapshot, compressed",
);
/// How long snapshots take.
pub const SNAPSHOT_SECONDS: OwnFamily = process(
    "kept_snapshot_seconds",
    Histogram,
    &[],
    "From handing a snapshot to the store to its yes",
);
/// Snapshots that can't be used.
pub const SNAPSHOTS_REFUSED: OwnFamily = process(
    "kept_snapshots_refused_total",
    Counter,
    &["reason"],
    "Snapshots that can't be used, by reason",
);
/// Totals that began anew.
pub const STATE_LOST: OwnFamily = process(
    "kept_state_lost_total",
    Counter,
    &[],
    "How often totals of a task began at zero since the process began",
);
/// When that was last, by task.
pub const STATE_LOST_AT: OwnFamily = process(
    "kept_state_lost_timestamp_seconds",
    Gauge,
    &["topic", "partition"],
    "When the process last began the totals of a task at zero; absent if it never did",
);
/// What happened to tasks.
pub const TASK_EVENTS: OwnFamily = process(
    "kept_task_events_total",
    Counter,
    &["event"],
    "What happened to tasks, by kind; the log has a line for each",
);
/// Records that were gone before they were read.
pub const LOG_GAP: OwnFamily = task(
    "kept_log_gap_records_total",
    Counter,
    &["topic", "partition"],
    "Records that were gone from the log before they were read",
);
/// Troubles with HTTP.
pub const HTTP_ERRORS: OwnFamily = process(
    "kept_http_errors_total",
    Counter,
    &["reason"],
    "Requests that went wrong, by reason",
);
/// Scrapes.
pub const SCRAPE_SECONDS: OwnFamily = process(
    "kept_scrape_seconds",
    Histogram,
    &[],
    "Time to render the metrics",
);
/// How many series there are.
pub const SERIES: OwnFamily = process("kept_series", Gauge, &[], "Series in this exposition");

/// All of them, in the order of the reference page.
pub const OWN_FAMILIES: [OwnFamily; 37] = [
    BUILD_INFO,
    TASKS,
    LAG_SECONDS,
    LAG_MESSAGES,
    CLOCK,
    DISPLAY,
    EXACT,
    EVENTS,
    REJECTED,
    DEAD_LETTERS,
    DEAD_LETTERS_LOST,
    LATE,
    TOO_LATE,
    DELAY,
    FIELD_ERRORS,
    LABEL_OVERFLOW,
    ENTITIES_OVERFLOW,
    WINDOW_DROPPED,
    LOG_GAP,
    STATE_ENTRIES,
    STATE_BYTES,
    SNAPSHOT_SUCCESS,
    SNAPSHOT_BYTES,
    SNAPSHOT_SECONDS,
    SNAPSHOT_FAILURES,
    SNAPSHOTS_REFUSED,
    STATE_LOST,
    STATE_LOST_AT,
    TASK_EVENTS,
    COMMIT_SECONDS,
    COMMIT_FAILURES,
    REBALANCES,
    WITHOUT_OWNER,
    KAFKA_ERRORS,
    HTTP_ERRORS,
    SCRAPE_SECONDS,
    SERIES,
];
