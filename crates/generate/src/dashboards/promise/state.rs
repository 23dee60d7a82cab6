//! Is the promise kept? Now, over the time shown, and how near the alerts are.

use catalogue::metrics::SeriesId;
use catalogue::plan::Promise;

use super::Subject;
use crate::alerts::burn::pairs;
use crate::book::{FAST, HOUR};
use crate::dashboards::model::{Color, Panel, Query, Show, Unit};
use crate::dashboards::pick::{Pick, of_job};
use crate::dashboards::targets::colored;
use crate::promql::{is, number};
use crate::recording::counters::is_long;
use crate::recording::promise::{Shares, oldest_name, pipe_signs};

/// Why there is no oldest order.
const NONE_OPEN: &str = "no order is open";
/// Why there is no share.
const NO_ORDERS: &str = "there were no orders";
/// Why there is nothing over days.
pub const FIRST_HOURS: &str = "the rules over days begin at a full hour";

/// All of the row.
pub fn panels(subject: &Subject<'_>) -> Vec<Panel> {
    let mut panels = stats(subject, &subject.chosen);
    panels.extend(shown(subject));
    panels.push(budget(subject));
    panels.push(burns(subject));
    panels
}

/// How it stands now, in six numbers.
pub fn stats(subject: &Subject<'_>, pick: &Pick<'_>) -> Vec<Panel> {
    let (series, orders, of_open) = if subject.has_open() {
        let of_open = "Orders that are still open count with their age: it rises in an outage.";
        (SeriesId::AllWithOpen, "open orders in it", of_open)
    } else {
        let of_open = "Orders that are still open are not in it: in an outage it goes quiet.";
        (SeriesId::AllDurationInWindow, "completed orders", of_open)
    };
    let percentile = |quantile: f64| {
        let title = format!("p{}, {orders}", number(quantile * 100.0));
        let text = format!(
            "So long take {} % of the orders at most, over all dimensions, in the last {}. {of_open}",
            number(quantile * 100.0),
            subject.now()
        );
        let panel = Panel::new(Show::Stat, Unit::Seconds, title, text);
        let expression = subject.percentile(series, subject.now(), quantile);
        panel.query(Query::new("", expression).empty(NO_ORDERS))
    };
    let target = pick.kpi.target;
    let aim = target.and_then(|target| target.quantile).unwrap_or(0.95);
    let within = subject.promise.within.seconds();
    let median = percentile(0.5).colors(Color::Green, &[(within, Color::Red)]);
    vec![
        kept(subject, pick, FAST, "kept, last 5 minutes"),
        kept(subject, pick, HOUR, "kept, last hour"),
        colored(percentile(aim), target).runbooks(&["TargetMissed"]),
        median,
        overdue(subject, pick),
        oldest(subject, pick),
    ]
}

/// The share that was kept, coloured as its alerts see it.
fn kept(subject: &Subject<'_>, pick: &Pick<'_>, window: events::Span, title: &str) -> Panel {
    let text = format!(
        "Of the orders that were judged in this time, those kept; overdue ones that can't be judged \
         yet count as broken. {} % are promised.",
        number(subject.promise.objective * 100.0)
    );
    let subject = Subject {
        chosen: *pick,
        ..*subject
    };
    let missed = 1.0 - pick.book.alerting(subject.id).missed_share;
    let panel = Panel::new(Show::Stat, Unit::Share, title, text);
    panel
        .query(
            Query::new("", format!("1 - {}", grouped(&subject.broken(window, &[]))))
                .empty(NO_ORDERS),
        )
        .colors(
            Color::Red,
            &[
                (missed, Color::Orange),
                (subject.promise.objective, Color::Green),
            ],
        )
        .runbooks(&["PromiseMissed"])
}

fn grouped(expression: &str) -> String {
    format!("({expression})")
}

fn overdue(subject: &Subject<'_>, pick: &Pick<'_>) -> Panel {
    let text = format!(
        "Orders that are open longer than {}. Red from where the promise counts as stalled if \
         nothing completes.",
        subject.promise.within
    );
    let stalled = pick.book.alerting(subject.id).stalled_overdue as f64;
    Panel::new(Show::Stat, Unit::Number, "overdue now", text)
        .query(Query::new(
            "",
            format!("sum({})", pick.gauge(SeriesId::Overdue, &[])),
        ))
        .colors(
            Color::Green,
            &[(1.0_f64.min(stalled), Color::Orange), (stalled, Color::Red)],
        )
        .runbooks(&["PromiseStalled"])
}

fn oldest(subject: &Subject<'_>, pick: &Pick<'_>) -> Panel {
    let Promise {
        within, lateness, ..
    } = subject.promise;
    let text = format!(
        "How long the oldest open order has waited. /api/overdue names the worst ones. Orange from \
         {within}, red when {lateness} more are over: then it is broken."
    );
    let within = within.seconds();
    let name = oldest_name(&pick.prefix(), pick.book, pick.kpi);
    let expression = format!("time() - min({})", pick.select(&name, &[]));
    Panel::new(Show::Stat, Unit::Seconds, "oldest open order", text)
        .query(Query::new("", expression).empty(NONE_OPEN))
        .colors(
            Color::Green,
            &[
                (within, Color::Orange),
                (within + lateness.seconds(), Color::Red),
            ],
        )
        .runbooks(&["PromiseStalled"])
}

/// What the weekly review asks: over the time shown.
fn shown(subject: &Subject<'_>) -> Vec<Panel> {
    let pick = &subject.chosen;
    let percentile = |quantile: f64| {
        let title = format!("p{}, time shown", number(quantile * 100.0));
        let text = "Of the orders that were completed in the time shown, from the histogram; \
                    choose the last seven days for the weekly review.";
        let expression = pick.percentile_shown(quantile, SeriesId::Duration);
        Panel::new(Show::Stat, Unit::Seconds, title, text)
            .query(Query::new("", expression).at_end().empty(NO_ORDERS))
    };
    let all = pick.increase(SeriesId::Promises, FAST, &[]);
    let kept = pick.increase(SeriesId::Promises, FAST, &[is("result", "kept")]);
    let over = |series: &str| format!("sum(sum_over_time({series}[$__range]))");
    let share = format!("{}\n/ ({} > 0)", over(&kept), over(&all));
    let objective = subject.promise.objective;
    vec![
        percentile(0.5),
        percentile(0.95),
        Panel::new(
            Show::Stat,
            Unit::Share,
            "kept, time shown",
            "Of the orders that were judged in the time shown, those kept.",
        )
        .query(Query::new("", share).at_end().empty(NO_ORDERS))
        .colors(Color::Red, &[(objective, Color::Green)]),
        pipe(subject),
    ]
}

/// Whether it is the shop or the pipe.
fn pipe(subject: &Subject<'_>) -> Panel {
    let Pick { book, kpi, .. } = subject.all;
    let text = "Signs that events are late rather than the shop: a lag, a source whose events are old \
                on arrival, orders judged broken too early. Without any it is the shop.";
    Panel::new(Show::Stat, Unit::Number, "shop or pipe?", text)
        .query(Query::new("", of_job(&pipe_signs(book, kpi), &[])))
        .colors(Color::Green, &[(1.0, Color::Orange)])
        .word(0.0, Some(0.5), "pipe on time")
        .word(0.5, None, "pipe late")
}

/// How much of what may break is left.
fn budget(subject: &Subject<'_>) -> Panel {
    let Pick { book, kpi, .. } = subject.all;
    let allowed = 1.0 - subject.promise.objective;
    let longest = crate::promql::days(3);
    let errors = of_job(
        &Shares::new(book, kpi, subject.all.level()).errors(longest),
        &[],
    );
    let text = format!(
        "Of the {} % that may be broken, how much the last {longest} left, over all dimensions. Below \
         0 more broke than may.",
        number(allowed * 100.0)
    );
    Panel::new(Show::Stat, Unit::Share, "error budget left", text)
        .query(Query::new("", format!("1 - {errors} / {}", number(allowed))).empty(FIRST_HOURS))
        .colors(Color::Red, &[(0.0, Color::Orange), (0.5, Color::Green)])
        .wide(8)
        .runbooks(&["PromiseBudgetBurnsSlowly"])
}

/// How near each of the budget's alerts is.
fn burns(subject: &Subject<'_>) -> Panel {
    let Pick { book, kpi, .. } = subject.all;
    let shares = Shares::new(book, kpi, subject.all.level());
    let queries = pairs(subject.promise).map(|burn| {
        let who = if burn.pages { "pages" } else { "ticket" };
        let errors = of_job(&shares.errors(burn.long), &[]);
        let legend = format!(
            "{} ({who} from {} % broken)",
            burn.long,
            number(burn.share * 100.0)
        );
        let query = Query::new(legend, format!("{errors} / {}", number(burn.share)));
        if is_long(burn.long) {
            query.empty(FIRST_HOURS)
        } else {
            query.empty(NO_ORDERS)
        }
    });
    let text = "The share of broken orders over each alert's long window, as a part of the share that \
                fires it: from 100 % on it fires, if it goes on.";
    Panel::new(Show::Bars, Unit::Share, "way to the budget alerts", text)
        .queries(queries)
        .colors(Color::Green, &[(0.5, Color::Orange), (1.0, Color::Red)])
        .wide(24)
        .high(5)
        .runbooks(&["PromiseBudgetBurnsFast", "PromiseBudgetBurnsSlowly"])
}
