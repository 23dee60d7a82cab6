//! The dashboard of promises: are they kept, how long does it take, where are the gaps?
//!
//! One set of rows a promise. The first one's are open, those of others wait to be opened: their
//! queries cost nothing until then.

mod bookkeeping;
mod gaps;
mod state;
mod time;

use catalogue::metrics::{LONGEST_WITH_OPEN, SeriesId};
use catalogue::plan::{Kind, Kpi, KpiId, Promise};
use events::Span;

use super::model::{Dashboard, Row};
use super::pick::{Pick, of_instances, summed};
use super::variables;
use crate::alerts::PROMISE_DASHBOARD;
use crate::book::Book;
use crate::promql::{is, is_any};
use crate::recording::promise::Shares;

pub use state::{FIRST_HOURS, stats};
pub use time::{kept_share, percentiles};

/// The dashboard; none without a promise.
pub fn dashboard(book: &Book<'_>) -> Option<Dashboard> {
    let promises: Vec<(KpiId, &Kpi, &Promise)> = all(book).collect();
    let (_, first, _) = promises.first()?;
    let mut rows = Vec::new();
    for (id, kpi, promise) in &promises {
        let folded = kpi.id != first.id;
        let subject = Subject {
            chosen: Pick::chosen(book, kpi),
            all: Pick::all(book, kpi),
            id: *id,
            promise,
        };
        rows.extend(subject.rows(folded));
    }
    let dims: Vec<(&Kpi, String)> = promises
        .iter()
        .map(|(_, kpi, _)| (*kpi, book.metric(kpi, SeriesId::Started)))
        .collect();
    let ids: Vec<&str> = promises.iter().map(|(_, kpi, _)| &kpi.id[..]).collect();
    let mut variables = variables::base(book);
    variables.extend(variables::of_dimensions(&dims));
    Some(Dashboard {
        uid: PROMISE_DASHBOARD,
        title: "Kept: promises",
        description: "Is the shop keeping its promise, how long does it take, and where are the gaps?",
        variables,
        annotations: variables::annotations(&[is_any("kpi", &ids)]),
        rows,
    })
}

/// All promises of the catalogue.
pub fn all<'a>(book: &Book<'a>) -> impl Iterator<Item = (KpiId, &'a Kpi, &'a Promise)> {
    book.kpis().filter_map(|(id, kpi)| match &kpi.kind {
        Kind::Promise(promise) => Some((id, kpi, promise)),
        _ => None,
    })
}

/// A promise that panels are made of.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// Its series of the chosen values of the dimensions.
    pub chosen: Pick<'a>,
    /// Its series over all dimensions.
    pub all: Pick<'a>,
    /// Its id.
    pub id: KpiId,
    /// Its definition.
    pub promise: &'a Promise,
}

impl<'a> Subject<'a> {
    fn rows(&self, folded: bool) -> Vec<Row> {
        let kpi = self.all.kpi;
        let row = |title: &str, folded: bool, panels| Row {
            title: format!("{}: {title}", kpi.help),
            folded,
            panels,
        };
        let mut rows = vec![
            row("is it kept?", folded, state::panels(self)),
            row("how long does it take?", folded, time::panels(self)),
            row("where are the gaps?", folded, gaps::panels(self)),
        ];
        for label in self.chosen.level().left(kpi) {
            let panels = gaps::by_dimension(self, label);
            rows.push(row(&format!("by {label}"), folded, panels));
        }
        rows.push(row("bookkeeping", true, bookkeeping::panels(self)));
        rows
    }

    /// The shortest window: what "now" is.
    pub fn now(&self) -> &'a str {
        let first = self.all.kpi.windows.first();
        &first.expect("a promise has a window").label
    }

    /// Whether percentiles with open orders are there: the shortest window is short enough.
    pub fn has_open(&self) -> bool {
        let first = self.all.kpi.windows.first();
        first.is_some_and(|window| window.length <= LONGEST_WITH_OPEN)
    }

    /// A percentile gauge over all dimensions, the worst of the instances.
    pub fn percentile(&self, series: SeriesId, window: &str, quantile: f64) -> String {
        let name = self.all.metric(series);
        let more = [is("window", window), is("q", &quantile.to_string())];
        format!("max({})", of_instances(&name, &more))
    }

    /// The share of broken ones over five minutes or an hour, by labels. Overdue ones that are not
    /// judged yet are broken; without orders it is absent.
    pub fn broken(&self, window: Span, by: &[&str]) -> String {
        let pick = &self.chosen;
        let shares = Shares::new(pick.book, pick.kpi, pick.level());
        let broken = pick.increase(SeriesId::Promises, window, &[is("result", "broken")]);
        let (unjudged, judged) = (
            pick.select(&shares.unjudged, &[]),
            pick.select(&shares.judged(window), &[]),
        );
        let sum = summed(by);
        format!("({sum} ({broken}) + {sum} ({unjudged}))\n/ ({sum} ({judged}) > 0)")
    }

    /// Who owns the way to each step and to the end: step, owner.
    pub fn steps(&self) -> Vec<(&'a str, String)> {
        let owner = self.all.book.owner(self.all.kpi);
        let steps = self.promise.steps.iter().map(|step| {
            let owner = step.owner.as_ref().unwrap_or(&owner);
            (&step.name[..], owner.clone())
        });
        steps
            .chain([(catalogue::plan::END_STEP, owner.clone())])
            .collect()
    }
}
