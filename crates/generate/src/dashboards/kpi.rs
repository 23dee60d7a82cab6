//! The panels of a count, a ratio or a funnel's conversion: its number against its target.

use catalogue::metrics::{SeriesId, target_unit};
use catalogue::plan::{Count, Funnel, Kpi, KpiId, Ratio, Unit as Summed};
use events::Span;

use super::model::{Panel, Query, Show, Unit};
use super::pick::{Pick, short};
use super::promise::FIRST_HOURS;
use super::targets::{colored, lines};
use crate::alerts::FUNNEL_DASHBOARD;
use crate::book::Book;
use crate::promql::{increase, is};
use crate::recording::counters::is_long;
use crate::recording::ratio;

/// Why there is nothing.
const NONE: &str = "nothing was counted below the line";

/// Nothing counts orders by currency.
const PARTS: &str = " Each currency over what is counted in all of them: where there are several, the \
                     lines are parts of one average, not the average of each.";

/// What the description of every KPI says.
fn about(book: &Book<'_>, kpi: &Kpi, text: &str) -> String {
    let owner = book.owner(kpi);
    format!("{}. {text} Owner: {owner}.", kpi.help)
}

/// Whether it has something to alert on.
fn runbooks(kpi: &Kpi) -> &'static [&'static str] {
    let target = kpi.target.unwrap_or_default();
    if target.max.is_some() || target.min.is_some() {
        &["TargetMissed"]
    } else {
        &[]
    }
}

/// Events in the window that the target speaks of, and the sum of it if there is one.
pub fn count(id: KpiId, pick: &Pick<'_>, count: &Count) -> Vec<Panel> {
    let Pick { book, kpi, .. } = *pick;
    let window = &kpi.windows[book.alerting(id).window];
    let in_window = pick.gauge(SeriesId::EventsInWindow, &[is("window", &window.label)]);
    let text = format!(
        "By event time in windows of {}, late events with it.",
        window.label
    );
    let title = format!("{}, in {}", kpi.help, window.label);
    let panel = Panel::new(Show::Lines, Unit::Number, title, about(book, kpi, &text))
        .query(Query::new("events", format!("sum({in_window})")))
        .queries(lines(book, kpi))
        .runbooks(runbooks(kpi));
    let mut panels = vec![colored(panel, kpi.target)];
    if let Some(sum) = &count.sum {
        let (by, legend) = match sum.unit {
            Summed::Money { .. } => ("sum by (currency)", "{{currency}}"),
            Summed::Number => ("sum", "sum"),
        };
        let series = pick.increase(SeriesId::Sum, window.length, &[]);
        let name = short(&pick.metric(SeriesId::Sum), &book.plan.namespace);
        let title = format!("{}: {name}, in {}", kpi.help, window.label);
        let text = about(book, kpi, "The sum, by arrival.");
        let panel = Panel::new(Show::Lines, Unit::Number, title, text);
        let query = Query::new(legend, format!("{by} ({series})"));
        panels.push(panel.query(long(query, window.length)));
    }
    panels
}

/// The empty first hours of long windows.
fn long(query: Query, window: Span) -> Query {
    if is_long(window) {
        query.empty(FIRST_HOURS)
    } else {
        query
    }
}

/// The unit of a KPI that has no time in it.
fn unit(kpi: &Kpi) -> Unit {
    match target_unit(kpi) {
        Some("ratio") => Unit::Share,
        Some("seconds") => Unit::Seconds,
        _ => Unit::Number,
    }
}

/// A ratio over each of its windows, over all dimensions.
pub fn of_ratio(pick: &Pick<'_>, definition: &Ratio) -> Panel {
    let Pick { book, kpi, .. } = *pick;
    let money = |part| ratio::has_currency(book, part);
    let sides = [&definition.numerator, &definition.denominator].map(money);
    let by_currency = sides[0] || sides[1];
    let all = Pick::all(book, kpi);
    let queries = kpi.windows.iter().map(|window| {
        let name = ratio::name(book, kpi, all.level(), window.length);
        let legend = match by_currency {
            true => format!("{{{{currency}}}}, {}", window.label),
            false => window.label.clone(),
        };
        let query = Query::new(legend, all.select(&name, &[])).empty(NONE);
        long(query, window.length)
    });
    let mut text = "Over all dimensions, by arrival, a line a window.".to_owned();
    if sides == [true, false] {
        text += PARTS;
    }
    let panel = Panel::new(
        Show::Lines,
        unit(kpi),
        kpi.help.clone(),
        about(book, kpi, &text),
    )
    .queries(queries)
    .queries(lines(book, kpi))
    .runbooks(runbooks(kpi));
    colored(panel, kpi.target)
}

/// How many of a funnel's first stage reach its last, over all dimensions.
pub fn of_funnel(pick: &Pick<'_>, funnel: &Funnel) -> Panel {
    let Pick { book, kpi, .. } = *pick;
    let all = Pick::all(book, kpi);
    let [first, last] = [0, funnel.stages.len() - 1].map(|at| &funnel.stages[at].name);
    let queries = kpi.windows.iter().map(|window| {
        let name = ratio::converted_name(book, kpi, all.level());
        let more = [is("window", &window.label)];
        Query::new(&window.label, all.select(&name, &more)).empty(NONE)
    });
    let text = format!("Those that reach {last} among those that reach {first}, by event time.");
    let title = format!("{}: {first} to {last}", kpi.help);
    let panel = Panel::new(Show::Lines, Unit::Share, title, about(book, kpi, &text))
        .queries(queries)
        .queries(lines(book, kpi))
        .runbooks(runbooks(kpi))
        .leads_to(FUNNEL_DASHBOARD);
    colored(panel, kpi.target)
}

/// One number of several counts as lines of one panel: what people do on a page.
pub fn together(
    book: &Book<'_>,
    counts: &[(KpiId, &Kpi)],
    pick: impl Fn(&Kpi) -> String,
) -> Vec<Query> {
    let query = |(id, kpi): &(KpiId, &Kpi)| {
        let window = &kpi.windows[book.alerting(*id).window];
        let name = increase(
            &pick(kpi),
            &book.metric(kpi, SeriesId::Events),
            window.length,
        );
        let series = Pick::chosen(book, kpi).select(&name, &[]);
        let legend = format!("{}, {}", kpi.help, window.label);
        long(Query::new(legend, format!("sum({series})")), window.length)
    };
    counts.iter().map(query).collect()
}
