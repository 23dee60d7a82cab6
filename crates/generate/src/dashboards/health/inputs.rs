//! What does Kept get, and what of it could it not use?

use catalogue::metrics::kept;

use super::{lines, trouble};
use crate::alerts::kept::{LATE_SHARE, REJECTED_SHARE, TOO_LATE_SHARE};
use crate::book::Book;
use crate::dashboards::model::{Color, Panel, Query, Show, Unit};
use crate::dashboards::pick::{increases, of_job, own_increase};
use crate::recording::kept as recorded;

/// What arrives.
pub fn inputs(book: &Book<'_>) -> Vec<Panel> {
    let mut panels = arrivals(book);
    panels.extend(quality());
    panels
}

fn arrivals(book: &Book<'_>) -> Vec<Panel> {
    vec![
        lines(
            Unit::Number,
            "events in 10 minutes, by type",
            "Accepted events. A type that stops while others go on has lost its producer.",
        )
        .query(Query::new(
            "{{type}}",
            format!(
                "sum by (type) ({})",
                of_job(&recorded::events_by_type(), &[])
            ),
        )),
        Panel::new(
            Show::Stack,
            Unit::Number,
            "records by what became of them",
            "Used, ignored because no KPI needs them, duplicates, rejected.",
        )
        .query(Query::new(
            "{{outcome}}",
            increases(book, &kept::EVENTS, &["outcome"]),
        ))
        .by_minutes(),
        lines(
            Unit::Number,
            "records by source",
            "Which producers send how much; there is a limit to the names, then they are `other`.",
        )
        .query(Query::new(
            "{{source}}",
            increases(book, &kept::EVENTS, &["source"]),
        ))
        .by_minutes(),
    ]
}

/// How late it is, and how much of it is of no use.
fn quality() -> Vec<Panel> {
    vec![
        lines(
            Unit::Seconds,
            "delay by source",
            "Kafka timestamp minus event time, the mean of ten minutes. Below 0 a producer's clock is ahead; \
             far above, its events are late.",
        )
        .query(
            Query::new(
                "{{topic}} {{source}}",
                of_job(&recorded::mean_delay(), &[]),
            )
            .empty("fewer than 20 events in ten minutes"),
        )
        .runbooks(&["KeptProducerSkewed"]),
        lines(
            Unit::Share,
            "late events",
            "The share of events behind their partition clock by more than the lateness, and of those too old \
             to be checked for duplicates, which counts don't take.",
        )
        .query(share("{{topic}}, late", &recorded::late_share()))
        .query(share("{{topic}}, too late", &recorded::too_late_share()))
        .colors(
            Color::Green,
            &[(TOO_LATE_SHARE, Color::Orange), (LATE_SHARE, Color::Red)],
        )
        .runbooks(&["KeptEventsLate", "KeptEventsTooLate"]),
        lines(
            Unit::Share,
            "rejected records",
            "The share of records that can't be an event, over ten minutes.",
        )
        .query(share("{{topic}}", &recorded::rejected_share()))
        .colors(Color::Green, &[(REJECTED_SHARE, Color::Red)])
        .runbooks(&["KeptRejects"]),
    ]
}

fn share(legend: &str, name: &str) -> Query {
    Query::new(legend, of_job(name, &[])).empty("no records arrived, or none of this kind")
}

/// What was lost of it.
pub fn losses(book: &Book<'_>) -> Vec<Panel> {
    let recorded = |legend: &str, name: String| trouble(legend, of_job(&name, &[]));
    vec![
        lines(
            Unit::Number,
            "rejected records, by reason",
            "Their bytes, position and reason are on the dead-letter topic.",
        )
        .query(trouble(
            "{{topic}} {{reason}}",
            increases(book, &kept::REJECTED, &["topic", "reason"]),
        ))
        .by_minutes()
        .runbooks(&["KeptRejects"]),
        lines(
            Unit::Number,
            "dead letters",
            "Rejected records that the dead-letter topic has acknowledged, and in an hour those that could not \
             be written there.",
        )
        .query(Query::new("written", own_increase(&kept::DEAD_LETTERS, &[])))
        .query(recorded("lost, 1 h", recorded::letters_lost()))
        .runbooks(&["KeptDeadLettersLost"]),
        lines(
            Unit::Number,
            "malformed fields",
            "Events that one KPI did not take because of a field; others did.",
        )
        .query(trouble(
            "{{kpi}} {{field}}",
            increases(book, &kept::FIELD_ERRORS, &["kpi", "field"]),
        ))
        .by_minutes(),
        lines(
            Unit::Number,
            "over a limit, in an hour",
            "Events whose label became `other`, and events whose order or cart was not followed.",
        )
        .query(recorded("{{kpi}} {{label}}", recorded::label_overflow()))
        .query(recorded("{{kpi}} {{limit}}", recorded::entities_overflow()))
        .runbooks(&["KeptLabelOverflow", "KeptEntitiesOverflow"]),
        lines(
            Unit::Number,
            "too late for a window",
            "Contributions that came when their window was closed; totals have them.",
        )
        .query(trouble("{{kpi}}", increases(book, &kept::WINDOW_DROPPED, &["kpi"])))
        .by_minutes(),
        lines(
            Unit::Number,
            "gone from the log, in an hour",
            "Records that were deleted before they were read.",
        )
        .query(recorded("{{topic}}", recorded::log_gap()))
        .runbooks(&["KeptLogGap"]),
    ]
}
