//! How long does it take? Percentiles against the limit, how durations are spread, what was kept.

use catalogue::metrics::SeriesId;

use super::Subject;
use crate::book::{FAST, HOUR};
use crate::dashboards::model::{Line, Panel, Query, Show, Unit};
use crate::dashboards::pick::Pick;
use crate::dashboards::targets::{definition, lines};
use crate::promql::{is, number};

/// Why there is nothing.
const NO_ORDERS: &str = "there were no orders";
/// The percentiles that lines show.
const SHOWN: [f64; 2] = [0.5, 0.95];

/// All of the row.
pub fn panels(subject: &Subject<'_>) -> Vec<Panel> {
    vec![
        percentiles(subject).wide(12).high(9),
        kept_share(subject, &subject.chosen).wide(12).high(9),
        of_the_chosen(subject),
        spread(subject),
        windows(subject),
        results(subject),
        by_start(subject),
        open(subject),
    ]
}

/// Percentiles over all dimensions, plain and with open orders, against limit and target.
pub fn percentiles(subject: &Subject<'_>) -> Panel {
    let Pick { book, kpi, .. } = subject.all;
    let now = subject.now();
    let mut queries = Vec::new();
    for quantile in SHOWN {
        let p = format!("p{}", number(quantile * 100.0));
        let of = |series| subject.percentile(series, now, quantile);
        if subject.has_open() {
            let open = Query::new(format!("{p} with open"), of(SeriesId::AllWithOpen));
            queries.push(open.empty(NO_ORDERS));
        }
        let plain = of(SeriesId::AllDurationInWindow);
        queries.push(Query::new(format!("{p} completed"), plain).empty(NO_ORDERS));
    }
    let of_open = if subject.has_open() {
        "\"With open\" takes orders in that are still open: in an outage it rises, where that of \
         completed ones goes quiet."
    } else {
        "Orders that are still open are not in it: in an outage it goes quiet."
    };
    let text = format!(
        "Over all dimensions in windows of {now}, the worst instance. {of_open} Dashed: the limit of \
         the promise, and the target."
    );
    Panel::new(
        Show::Lines,
        Unit::Seconds,
        format!("{}: p50 and p95", kpi.help),
        text,
    )
    .queries(queries)
    .query(definition(
        book,
        kpi,
        SeriesId::Within,
        "limit",
        Line::Limit,
    ))
    .queries(lines(book, kpi))
    .runbooks(&["PromiseMissed"])
}

/// The share kept over five minutes and an hour, against the objective.
pub fn kept_share(subject: &Subject<'_>, pick: &Pick<'_>) -> Panel {
    let Pick { book, kpi, .. } = *pick;
    let chosen = Subject {
        chosen: *pick,
        ..*subject
    };
    let share = |window| {
        let kept = format!("1 - ({})", chosen.broken(window, &[]));
        Query::new(window.to_string(), kept).empty(NO_ORDERS)
    };
    Panel::new(
        Show::Lines,
        Unit::Share,
        format!("{}: share kept", kpi.help),
        "Of the orders judged in the window, those kept. Overdue ones that can't be judged yet count as \
         broken. Dashed: the objective.",
    )
    .query(share(FAST))
    .query(share(HOUR))
    .query(definition(
        book,
        kpi,
        SeriesId::Objective,
        "objective",
        Line::Limit,
    ))
    .runbooks(&["PromiseMissed", "PromiseBudgetBurnsFast"])
}

fn of_the_chosen(subject: &Subject<'_>) -> Panel {
    let pick = &subject.chosen;
    let queries = SHOWN.map(|quantile| {
        let expression = pick.percentile(quantile, SeriesId::Duration, &[], &[]);
        Query::new(format!("p{}", number(quantile * 100.0)), expression).empty(NO_ORDERS)
    });
    Panel::new(
        Show::Lines,
        Unit::Seconds,
        "completed orders of what is chosen",
        format!(
            "From the histogram of completed orders, for the values chosen above; {}.",
            pick.buckets_read()
        ),
    )
    .queries(queries)
    .query(definition(
        pick.book,
        pick.kpi,
        SeriesId::Within,
        "limit",
        Line::Limit,
    ))
}

fn spread(subject: &Subject<'_>) -> Panel {
    let pick = &subject.chosen;
    Panel::new(
        Show::Heat,
        Unit::Seconds,
        "how durations are spread",
        "Completed orders by how long they took, each moment a column. Two bands are two ways through the \
         shop.",
    )
    .query(Query::new("{{le}}", pick.spread(SeriesId::Duration, &[])))
    .wide(16)
}

fn windows(subject: &Subject<'_>) -> Panel {
    let windows = &subject.all.kpi.windows;
    let queries = windows.iter().flat_map(|window| {
        SHOWN.map(|quantile| {
            let expression =
                subject.percentile(SeriesId::AllDurationInWindow, &window.label, quantile);
            let legend = format!("p{} {}", number(quantile * 100.0), window.label);
            Query::new(legend, expression).empty(NO_ORDERS)
        })
    });
    Panel::new(
        Show::Lines,
        Unit::Seconds,
        "p50 and p95 of each window",
        "Of the orders completed in each window of event time, over all dimensions, the worst instance.",
    )
    .queries(queries)
}

fn results(subject: &Subject<'_>) -> Panel {
    let pick = &subject.chosen;
    let increase = pick.increase(SeriesId::Promises, FAST, &[]);
    Panel::new(
        Show::Stack,
        Unit::Number,
        "judged in 5 minutes",
        "Each order is judged once and for good, at the latest when its limit and the lateness are over.",
    )
    .query(Query::new(
        "{{result}}",
        format!("sum by (result) ({increase})"),
    ))
}

fn by_start(subject: &Subject<'_>) -> Panel {
    let pick = &subject.chosen;
    let now = subject.now();
    let gauge = pick.gauge(SeriesId::PromisesInWindow, &[is("window", now)]);
    Panel::new(
        Show::Stack,
        Unit::Number,
        format!("started in the last {now}: what became of them"),
        "Orders by when they started, so that a break is seen where it began: kept, broken, or still \
         pending.",
    )
    .query(Query::new(
        "{{result}}",
        format!("sum by (result) ({gauge})"),
    ))
}

fn open(subject: &Subject<'_>) -> Panel {
    let pick = &subject.chosen;
    let sum = |series| format!("sum({})", pick.gauge(series, &[]));
    Panel::new(
        Show::Lines,
        Unit::Number,
        "open and overdue",
        "Orders without an end, and those of them past the limit. \"Not judged\" are past limit and lateness, \
         but the partition clock of their ends stands still.",
    )
    .query(Query::new("open", sum(SeriesId::Open)))
    .query(Query::new("overdue", sum(SeriesId::Overdue)))
    .query(Query::new("not judged", sum(SeriesId::OverdueUnjudged)))
    .runbooks(&["PromiseStalled"])
}
