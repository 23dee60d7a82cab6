//! What does Kept hold, and what does it cost? State, commits, snapshots, the process.

use catalogue::metrics::kept;

use super::{lines, newest_snapshots, trouble};
use crate::alerts::snapshot;
use crate::book::Book;
use crate::book::HOUR;
use crate::dashboards::model::{Color, Panel, Query, Unit};
use crate::dashboards::pick::{gauge, of_instances, of_job, own_increase, own_percentile};
use crate::recording::kept as recorded;

/// What it holds.
pub fn state() -> Vec<Panel> {
    vec![
        lines(
            Unit::Number,
            "entries held",
            "Open orders, carts, remembered event ids and what else the state holds, by kind.",
        )
        .query(Query::new(
            "{{kind}}",
            gauge(&kept::STATE_ENTRIES, &["kind"]),
        ))
        .runbooks(&["KeptInexact"]),
        lines(
            Unit::Bytes,
            "size of the state",
            "An estimate, over all tasks of a topic.",
        )
        .query(Query::new(
            "{{topic}}",
            gauge(&kept::STATE_BYTES, &["topic"]),
        )),
        lines(
            Unit::Number,
            "series",
            "Series on each instance's /metrics.",
        )
        .query(Query::new(
            "{{instance}}",
            format!(
                "sum by (instance) ({})",
                of_instances(kept::SERIES.name, &[])
            ),
        )),
    ]
}

/// What it stores.
pub fn snapshots(book: &Book<'_>) -> Vec<Panel> {
    let mut panels = stores(book);
    panels.push(failures());
    panels.push(
        lines(
            Unit::Number,
            "what happened to tasks",
            "Taken over, restored, handed on, and so on; the log has a line for each.",
        )
        .query(trouble(
            "{{event}}",
            own_increase(&kept::TASK_EVENTS, &["event"]),
        )),
    );
    panels
}

fn stores(book: &Book<'_>) -> Vec<Panel> {
    let percentiles = |family: &'static kept::OwnFamily| {
        [0.5, 0.95].map(|quantile| {
            let expression = own_percentile(family, quantile);
            Query::new(format!("p{}", quantile * 100.0), expression).empty("there was none")
        })
    };
    vec![
        lines(
            Unit::Seconds,
            "from a commit to its yes",
            "What is shown is committed first: numbers are at least this old.",
        )
        .queries(percentiles(&kept::COMMIT_SECONDS)),
        lines(
            Unit::Seconds,
            "from a snapshot to its yes",
            "How long the store takes.",
        )
        .queries(percentiles(&kept::SNAPSHOT_SECONDS)),
        lines(
            Unit::Seconds,
            "age of the snapshots",
            "A restart reads the log from there.",
        )
        .query(Query::new(
            "{{topic}}, oldest",
            format!("time() - min by (topic) ({})", newest_snapshots()),
        ))
        .colors(
            Color::Green,
            &[(snapshot::limit(book).seconds(), Color::Red)],
        )
        .runbooks(&["KeptSnapshotOld"]),
        lines(
            Unit::Bytes,
            "size of the snapshots",
            "Compressed, the last one of each task, over all tasks of a topic.",
        )
        .query(Query::new(
            "{{topic}}",
            gauge(&kept::SNAPSHOT_BYTES, &["topic"]),
        )),
    ]
}

fn failures() -> Panel {
    lines(
        Unit::Number,
        "what went wrong",
        "Commits and snapshots that failed, snapshots that can't be used, totals that began at zero.",
    )
    .query(trouble(
        "commits",
        own_increase(&kept::COMMIT_FAILURES, &[]),
    ))
    .query(trouble(
        "snapshots: {{reason}}",
        own_increase(&kept::SNAPSHOT_FAILURES, &["reason"]),
    ))
    .query(trouble(
        "refused: {{reason}}",
        own_increase(&kept::SNAPSHOTS_REFUSED, &["reason"]),
    ))
    .query(trouble(
        "totals began at zero",
        own_increase(&kept::STATE_LOST, &[]),
    ))
    .query(trouble(
        "tasks from zero, 1 h",
        of_job(&recorded::state_lost(), &[]),
    ))
    .runbooks(&["KeptSnapshotOld", "KeptStateLost"])
}

/// What it costs.
pub fn process() -> Vec<Panel> {
    let by_instance = |expression: String| Query::new("{{instance}}", expression);
    vec![
        lines(
            Unit::Number,
            "processors used",
            "Seconds of processor time in a second.",
        )
        .query(by_instance(format!(
            "sum by (instance) (rate({}[$__rate_interval]))",
            of_instances("process_cpu_seconds_total", &[])
        ))),
        lines(Unit::Bytes, "memory", "Resident memory of each instance.").query(by_instance(
            format!(
                "max by (instance) ({})",
                of_instances("process_resident_memory_bytes", &[])
            ),
        )),
        lines(Unit::Seconds, "time of a scrape", "Rendering /metrics.").query(Query::new(
            "p95",
            own_percentile(&kept::SCRAPE_SECONDS, 0.95),
        )),
        lines(
            Unit::Number,
            "troubles with Kafka and HTTP",
            "By kind; the log has the words.",
        )
        .query(trouble(
            "Kafka: {{kind}}",
            own_increase(&kept::KAFKA_ERRORS, &["kind"]),
        ))
        .query(trouble(
            "HTTP: {{reason}}",
            own_increase(&kept::HTTP_ERRORS, &["reason"]),
        )),
        lines(
            Unit::Number,
            "open files",
            "Sockets and files of each instance.",
        )
        .query(by_instance(format!(
            "max by (instance) ({})",
            of_instances("process_open_fds", &[])
        ))),
        lines(
            Unit::Number,
            "records in an hour, by topic",
            "What there was to read.",
        )
        .query(Query::new(
            "{{topic}}",
            format!(
                "sum by (topic) ({})",
                of_job(&recorded::topic_events(HOUR), &[])
            ),
        )),
    ]
}
