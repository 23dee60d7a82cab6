//! Alerts on targets: a KPI's number is above its `max` or below its `min`. `goal` and `benchmark`
//! are only drawn.
//!
//! A share is judged by a least number of events. A count is its own number: when it is 0 there is
//! data that says so, without data there is no alert.

use catalogue::metrics::{LONGEST_WITH_OPEN, SeriesId};
use catalogue::plan::{Funnel, Kind, Kpi, KpiId, Ratio};

use super::burn::fewest;
use super::{OVERVIEW_DASHBOARD, PROMISE_DASHBOARD, TICKET_KEEPS, unless_behind};
use crate::book::Book;
use crate::promql::{Level, is, minutes, number, sum};
use crate::recording::ratio;
use crate::rule::{Alert, Severity};

/// Those of one KPI: none without `max` and `min`.
pub fn alerts(book: &Book<'_>, id: KpiId, kpi: &Kpi) -> Vec<Alert> {
    let target = kpi.target.unwrap_or_default();
    let bounds = [("max", ">", target.max), ("min", "<", target.min)];
    let mut alerts = Vec::new();
    for (bound, sign, limit) in bounds {
        if let Some(limit) = limit {
            alerts.push(alert(book, id, kpi, bound, sign, limit));
        }
    }
    alerts
}

fn alert(book: &Book<'_>, id: KpiId, kpi: &Kpi, bound: &str, sign: &str, limit: f64) -> Alert {
    let judged = judged(book, id, kpi, bound, limit);
    let window = &kpi.windows[book.alerting(id).window].label;
    let help = &kpi.help;
    let (limit, is_seconds) = (number(limit), matches!(kpi.kind, Kind::Promise(_)));
    let shown = if is_seconds {
        "{{ $value | humanizeDuration }}"
    } else {
        "{{ $value | humanize }}"
    };
    let unit = if is_seconds { " s" } else { "" };
    let side = if bound == "max" { "above" } else { "below" };
    let silent = unless_behind(kpi, Level::All, judged.extra);
    Alert {
        name: "TargetMissed",
        expression: format!("{} {sign} {limit}{}\n{silent}", judged.value, judged.enough),
        after: minutes(5),
        keep_firing: TICKET_KEEPS,
        severity: Severity::Warning,
        owner: book.owner(kpi),
        labels: vec![
            ("kpi", kpi.id.clone()),
            ("level", Level::All.label().to_owned()),
            ("bound", bound.to_owned()),
        ],
        summary: format!("{help}: {shown} over {window}, {side} {limit}{unit}"),
        description: format!(
            "{}: {shown} over the last {window}; the target's {bound} is {limit}{unit}.",
            judged.what
        ),
        dashboard: if is_seconds {
            PROMISE_DASHBOARD.to_owned()
        } else {
            OVERVIEW_DASHBOARD.to_owned()
        },
    }
}

/// What a target is compared with.
struct Judged {
    value: String,
    /// The condition that there is enough of it, or nothing.
    enough: String,
    /// Labels of the value that `kept_behind` doesn't have.
    extra: &'static [&'static str],
    what: String,
}

/// The least events of a share: a single one more, or less, must not reach the limit alone.
fn least_events(at_least: u64, bound: &str, limit: f64) -> u64 {
    let share = if bound == "max" { limit } else { 1.0 - limit };
    if share > 0.0 && share < 1.0 {
        fewest(at_least, 1, share)
    } else {
        at_least
    }
}

fn judged(book: &Book<'_>, id: KpiId, kpi: &Kpi, bound: &str, limit: f64) -> Judged {
    let alerting = book.alerting(id);
    let window = &kpi.windows[alerting.window];
    let in_window = is("window", &window.label);
    let least = least_events(alerting.minimum_events, bound, limit);
    match &kpi.kind {
        Kind::Count(_) => {
            let name = sum("job", &book.metric(kpi, SeriesId::EventsInWindow));
            // After a first start a window fills from nothing: it must have been there for its length.
            let enough = match bound {
                "min" => format!("\nand {name}{{{in_window}}} offset {}", window.length),
                _ => String::new(),
            };
            Judged {
                value: format!("{name}{{{in_window}}}"),
                enough,
                extra: &["window"],
                what: format!("{} (events)", kpi.help),
            }
        }
        Kind::Ratio(definition) => of_ratio(book, id, kpi, definition, least),
        Kind::Funnel(funnel) => of_funnel(book, kpi, funnel, &in_window, least),
        Kind::Promise(_) => {
            let (series, whose) = if window.length <= LONGEST_WITH_OPEN {
                (SeriesId::AllWithOpen, "orders, open ones with it")
            } else {
                (SeriesId::AllDurationInWindow, "completed orders")
            };
            let least = alerting.minimum_events;
            let quantile = kpi
                .target
                .and_then(|target| target.quantile)
                .unwrap_or(0.95);
            let percentile = is("q", &quantile.to_string());
            let orders = sum("job", &book.metric(kpi, SeriesId::PromisesInWindow));
            Judged {
                value: format!(
                    "max {} ({}{{{in_window}, {percentile}}})",
                    book.without(&[]),
                    book.metric(kpi, series)
                ),
                enough: format!(
                    "\nand ignoring (q) sum without (result) ({orders}{{{in_window}}}) >= {least}"
                ),
                extra: &["window", "q"],
                what: format!(
                    "{}, the slowest of {} % of the {whose}, on the worst instance",
                    kpi.help,
                    number(quantile * 100.0)
                ),
            }
        }
    }
}

fn of_ratio(book: &Book<'_>, id: KpiId, kpi: &Kpi, definition: &Ratio, least: u64) -> Judged {
    let alerting = book.alerting(id);
    let window = kpi.windows[alerting.window].length;
    let value = ratio::name(book, kpi, Level::All, window);
    let below = ratio::denominator(book, kpi, definition, window);
    let money = |part| ratio::has_currency(book, part);
    let (above_has, below_has) = (money(&definition.numerator), money(&definition.denominator));
    let (matching, extra): (&str, &'static [&'static str]) = match (above_has, below_has) {
        (true, false) => ("ignoring (currency) ", &["currency"]),
        (false, false) => ("", &[]),
        _ => ("", &["currency"]),
    };
    Judged {
        value,
        enough: format!("\nand {matching}{below} >= {least}"),
        extra,
        what: kpi.help.clone(),
    }
}

fn of_funnel(book: &Book<'_>, kpi: &Kpi, funnel: &Funnel, in_window: &str, least: u64) -> Judged {
    let value = ratio::converted_name(book, kpi, Level::All);
    let [first, _] = ratio::ends(book, kpi, funnel, Level::All);
    Judged {
        value: format!("{value}{{{in_window}}}"),
        enough: format!("\nand sum without (stage) ({first}) >= {least}"),
        extra: &["window"],
        what: format!("{}, from the first stage to the last", kpi.help),
    }
}
