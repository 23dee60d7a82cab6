//! Where are the gaps? Which step, whose, and which part of the shop.

use catalogue::metrics::SeriesId;

use super::Subject;
use crate::book::{FAST, HOUR};
use crate::dashboards::model::{Color, Line, Panel, Query, Show, Unit};
use crate::dashboards::pick::{of_instances, of_job};
use crate::dashboards::targets::definition;
use crate::promql::{dimensions, is, is_any};
use crate::recording::kept::events_by_type;
use crate::recording::promise::oldest_name;

/// Why there is nothing.
const NO_ORDERS: &str = "there were no orders";

/// All of the row.
pub fn panels(subject: &Subject<'_>) -> Vec<Panel> {
    let mut panels = Vec::new();
    if !subject.promise.steps.is_empty() {
        panels.push(steps_now(subject));
        panels.push(steps(subject));
        panels.push(waiting(subject));
    }
    panels.push(events(subject));
    if !subject.all.kpi.by.is_empty() {
        panels.push(parts(subject));
    }
    panels
}

/// Step and owner.
fn legend(step: &str, owner: &str) -> String {
    format!("{step} ({owner})")
}

fn step_queries(subject: &Subject<'_>, quantile: f64) -> Vec<Query> {
    let steps = subject.steps();
    let query = |(step, owner): &(&str, String)| {
        let more = [is("step", step)];
        let pick = &subject.chosen;
        let expression = pick.percentile(quantile, SeriesId::StepDuration, &[], &more);
        Query::new(legend(step, owner), expression).empty(NO_ORDERS)
    };
    steps.iter().map(query).collect()
}

fn steps_now(subject: &Subject<'_>) -> Panel {
    Panel::new(
        Show::Bars,
        Unit::Seconds,
        "where the time goes: p95 of each step",
        "From the step before to this one, with the team that owns the way; the last bar is the way to \
         the end.",
    )
    .queries(step_queries(subject, 0.95))
}

fn steps(subject: &Subject<'_>) -> Panel {
    Panel::new(
        Show::Lines,
        Unit::Seconds,
        "p95 of each step",
        "The step that has grown is where to look first; its owner is in the legend.",
    )
    .queries(step_queries(subject, 0.95))
}

fn waiting(subject: &Subject<'_>) -> Panel {
    let steps = subject.steps();
    let queries = steps.iter().map(|(step, owner)| {
        let gauge = subject
            .chosen
            .gauge(SeriesId::OpenAtStep, &[is("step", step)]);
        Query::new(legend(step, owner), format!("sum({gauge})"))
    });
    Panel::new(
        Show::Stack,
        Unit::Number,
        "open orders by the step they wait for",
        "A step whose orders pile up doesn't let them pass, or its events don't arrive.",
    )
    .queries(queries)
}

fn events(subject: &Subject<'_>) -> Panel {
    let (book, promise) = (subject.all.book, subject.promise);
    let mut types: Vec<&str> = book.types(&promise.start.event);
    for step in &promise.steps {
        types.extend(book.types(&step.event.event));
    }
    types.extend(book.types(&promise.end.event));
    types.dedup();
    let events = of_job(&events_by_type(), &[is_any("type", &types)]);
    Panel::new(
        Show::Lines,
        Unit::Number,
        "events that the promise needs, in 10 minutes",
        "Accepted events by type. Where one stops and the others go on, its service has stopped or its \
         events don't reach Kafka.",
    )
    .query(Query::new("{{type}}", format!("sum by (type) ({events})")))
    .wide(24)
    .runbooks(&["PromiseEventsMissing"])
}

/// All parts in a table.
fn parts(subject: &Subject<'_>) -> Panel {
    let pick = &subject.chosen;
    let dims = dimensions(pick.kpi);
    let by = dims.join(", ");
    let sum = |series: String| format!("sum by ({by}) ({series})");
    let oldest = pick.select(&oldest_name(&pick.prefix(), pick.book, pick.kpi), &[]);
    let (gauge, column) = if subject.has_open() {
        (SeriesId::WithOpen, "p95 with open")
    } else {
        (SeriesId::DurationInWindow, "p95 completed")
    };
    let percentile = of_instances(
        &pick.metric(gauge),
        &pick.matchers(&[is("window", subject.now()), is("q", "0.95")]),
    );
    Panel::new(
        Show::Table,
        Unit::Number,
        format!("by {}", dims.join(" and ")),
        "Each part of the shop; sort by a column to see the worst first. Overdue orders that can't be judged \
         yet count as broken.",
    )
    .query(Query::new(
        "started, 1 h",
        sum(pick.increase(SeriesId::Started, HOUR, &[])),
    ))
    .query(
        Query::new("kept, 1 h", format!("1 - ({})", subject.broken(HOUR, &dims)))
            .unit(Unit::Share)
            .empty(NO_ORDERS),
    )
    .query(Query::new(
        "overdue",
        sum(pick.gauge(SeriesId::Overdue, &[])),
    ))
    .query(
        Query::new("oldest", format!("time() - min by ({by}) ({oldest})"))
            .unit(Unit::Seconds)
            .empty("no order is open"),
    )
    .query(
        Query::new(column, format!("max by ({by}) ({percentile})"))
            .unit(Unit::Seconds)
            .empty(NO_ORDERS),
    )
}

/// One dimension's values beside each other.
pub fn by_dimension(subject: &Subject<'_>, label: &str) -> Vec<Panel> {
    let pick = &subject.chosen;
    let legend = format!("{{{{{label}}}}}");
    let overdue = pick.gauge(SeriesId::Overdue, &[]);
    let stalled = pick.book.alerting(subject.id).stalled_overdue as f64;
    let missed = pick.book.alerting(subject.id).missed_share;
    vec![
        Panel::new(
            Show::Lines,
            Unit::Share,
            format!("broken in 5 minutes, by {label}"),
            "The share of orders that were judged broken, or are overdue and can't be judged yet.",
        )
        .query(Query::new(&legend, subject.broken(FAST, &[label])).empty(NO_ORDERS))
        .colors(
            Color::Green,
            &[
                (1.0 - subject.promise.objective, Color::Orange),
                (missed, Color::Red),
            ],
        )
        .runbooks(&["PromiseMissed"]),
        Panel::new(
            Show::Bars,
            Unit::Number,
            format!("overdue now, by {label}"),
            "Open orders past the limit. Red from where the promise counts as stalled if nothing completes.",
        )
        .query(Query::new(&legend, format!("sum by ({label}) ({overdue})")))
        .colors(Color::Green, &[(1.0_f64.min(stalled), Color::Orange), (stalled, Color::Red)])
        .runbooks(&["PromiseStalled"]),
        Panel::new(
            Show::Lines,
            Unit::Seconds,
            format!("p95 of completed orders, by {label}"),
            format!("From the histogram; {}.", pick.buckets_read()),
        )
        .query(
            Query::new(&legend, pick.percentile(0.95, SeriesId::Duration, &[label], &[]))
                .empty(NO_ORDERS),
        )
        .query(definition(pick.book, pick.kpi, SeriesId::Within, "limit", Line::Limit)),
    ]
}
