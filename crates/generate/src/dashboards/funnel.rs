//! The dashboard of funnels: how many get how far, how long it takes, and what is left behind; with
//! the counts and ratios that are about the same events.

use catalogue::metrics::SeriesId;
use catalogue::plan::{Funnel, Kind, Kpi, KpiId, Part, Selector, TypeId};

use super::kpi::{of_funnel, of_ratio, together};
use super::model::{Color, Dashboard, Panel, Query, Row, Show, Unit};
use super::pick::Pick;
use super::variables;
use crate::alerts::FUNNEL_DASHBOARD;
use crate::book::{Book, HOUR};
use crate::promql::{dimensions, is, number};

/// Why there is nothing.
const NONE: &str = "no entity went this way";
/// The percentiles of times between stages.
const SHOWN: [f64; 2] = [0.5, 0.95];

/// The dashboard; none without a funnel.
pub fn dashboard(book: &Book<'_>) -> Option<Dashboard> {
    let funnels: Vec<Subject> = all(book).collect();
    let first = funnels.first()?.pick.kpi;
    let mut rows = Vec::new();
    for subject in &funnels {
        let folded = subject.pick.kpi.id != first.id;
        rows.extend(subject.rows(folded));
    }
    let reached = |subject: &Subject<'_>| book.metric(subject.pick.kpi, SeriesId::Reached);
    let mut dims: Vec<(&Kpi, String)> = funnels
        .iter()
        .map(|subject| (subject.pick.kpi, reached(subject)))
        .collect();
    // A dimension that no funnel has comes from the counts beside it.
    let known: Vec<&str> = dims.iter().flat_map(|(kpi, _)| dimensions(kpi)).collect();
    for (_, kpi) in funnels.iter().flat_map(Subject::counts) {
        if dimensions(kpi).iter().any(|label| !known.contains(label)) {
            dims.push((kpi, book.metric(kpi, SeriesId::Events)));
        }
    }
    let mut variables = variables::base(book);
    variables.extend(variables::of_dimensions(&dims));
    Some(Dashboard {
        uid: FUNNEL_DASHBOARD,
        title: "Kept: carts and funnels",
        description: "How many get from the first stage to the last, where do they stop, and what is left behind?",
        variables,
        annotations: variables::annotations(&[]),
        rows,
    })
}

fn all<'a>(book: &'a Book<'a>) -> impl Iterator<Item = Subject<'a>> {
    book.kpis().filter_map(|(id, kpi)| match &kpi.kind {
        Kind::Funnel(funnel) => Some(Subject {
            pick: Pick::chosen(book, kpi),
            id,
            funnel,
        }),
        _ => None,
    })
}

/// A funnel that panels are made of.
struct Subject<'a> {
    pick: Pick<'a>,
    id: KpiId,
    funnel: &'a Funnel,
}

impl<'a> Subject<'a> {
    fn rows(&self, folded: bool) -> Vec<Row> {
        let Pick { book, kpi, .. } = self.pick;
        let row = |title: &str, panels| Row {
            title: format!("{}: {title}", kpi.help),
            folded,
            panels,
        };
        let mut rows = vec![
            row("how far do they get?", self.conversion()),
            row("how long does it take?", self.times()),
            row("what is left behind?", self.ends()),
        ];
        for label in self.pick.level().left(kpi) {
            rows.push(row(&format!("by {label}"), self.by_dimension(label)));
        }
        let counts = self.counts();
        if !counts.is_empty() {
            let prefix = |kpi: &Kpi| Pick::chosen(book, kpi).prefix();
            let panel = Panel::new(
                Show::Lines,
                Unit::Number,
                "what people do",
                "Counts of the same events, over the window of each, by arrival; a KPI without one of the \
                 dimensions above is shown as it is.",
            );
            let queries = together(book, &counts, prefix);
            rows.push(row(
                "what people do",
                vec![panel.queries(queries).wide(24).high(10)],
            ));
        }
        rows
    }

    /// The window that a target speaks of.
    fn window(&self) -> &'a str {
        let at = self.pick.book.alerting(self.id).window;
        &self.pick.kpi.windows[at].label
    }

    fn reached(&self, stage: &str) -> String {
        let more = [is("window", self.window()), is("stage", stage)];
        let gauge = self.pick.gauge(SeriesId::ReachedInWindow, &more);
        format!("sum({gauge})")
    }

    fn stages(&self) -> impl Iterator<Item = &'a str> {
        self.funnel.stages.iter().map(|stage| &stage.name[..])
    }

    fn conversion(&self) -> Vec<Panel> {
        let Pick { book, kpi, .. } = self.pick;
        let window = self.window();
        let bars = self
            .stages()
            .map(|stage| Query::new(stage, self.reached(stage)));
        let first = &self.funnel.stages[0].name;
        let shares = self.stages().skip(1).map(|stage| {
            let share = format!("{}\n/ ({} > 0)", self.reached(stage), self.reached(first));
            Query::new(format!("{first} to {stage}"), share).empty(NONE)
        });
        let mut panels = vec![
            Panel::new(
                Show::Bars,
                Unit::Number,
                format!("reached in {window}"),
                "Each entity once a stage, by event time, of what is chosen above.",
            )
            .queries(bars),
            Panel::new(
                Show::Lines,
                Unit::Share,
                format!("share that gets on, in {window}"),
                format!(
                    "Those that reach each stage in the window, by those that reach {first} in it."
                ),
            )
            .queries(shares),
            of_funnel(&Pick::all(book, kpi), self.funnel),
        ];
        panels[2].leads_to = None;
        panels.extend(self.ratios());
        panels
    }

    /// The ratios of this funnel's stages and of the counts beside it, over all dimensions.
    fn ratios(&self) -> Vec<Panel> {
        let book = self.pick.book;
        let counts: Vec<KpiId> = self.counts().iter().map(|(id, _)| *id).collect();
        let ours = |part: &Part| match part {
            Part::Of(reference) => reference.kpi == self.id || counts.contains(&reference.kpi),
            Part::Own(count) => self.reads(&count.event),
        };
        let mut panels = Vec::new();
        for (_, kpi) in book.kpis() {
            if let Kind::Ratio(ratio) = &kpi.kind
                && ours(&ratio.numerator)
                && ours(&ratio.denominator)
            {
                panels.push(of_ratio(&Pick::all(book, kpi), ratio));
            }
        }
        panels
    }

    fn times(&self) -> Vec<Panel> {
        let pick = &self.pick;
        let later: Vec<&str> = self.stages().skip(1).collect();
        let queries = later.iter().flat_map(|stage| {
            SHOWN.map(|quantile| {
                let more = [is("stage", stage)];
                let expression = pick.percentile(quantile, SeriesId::StageDuration, &[], &more);
                let legend = format!("p{} to {stage}", number(quantile * 100.0));
                Query::new(legend, expression).empty(NONE)
            })
        });
        let mut panels = vec![
            Panel::new(
                Show::Lines,
                Unit::Seconds,
                "time from the stage before",
                format!(
                    "Half of them and 95 of 100 take so long at most; {}.",
                    pick.buckets_read()
                ),
            )
            .queries(queries),
        ];
        for stage in later {
            let spread = pick.spread(SeriesId::StageDuration, &[is("stage", stage)]);
            let panel = Panel::new(
                Show::Heat,
                Unit::Seconds,
                format!("how long it takes to {stage}"),
                "Entities by the time from the stage before, each moment a column.",
            );
            panels.push(panel.query(Query::new("{{le}}", spread)));
        }
        panels
    }

    fn ends(&self) -> Vec<Panel> {
        let pick = &self.pick;
        let sum_by = |label: &str, series: SeriesId, more: &[String]| {
            let increase = pick.increase(series, HOUR, more);
            let expression = format!("sum by ({label}) ({increase})");
            Query::new(format!("{{{{{label}}}}}"), expression)
        };
        let idle = self.funnel.idle_timeout;
        let mut panels = vec![
            Panel::new(
                Show::Stack,
                Unit::Number,
                "ended in an hour",
                format!("Converted, or abandoned: silent for {idle}."),
            )
            .query(sum_by("outcome", SeriesId::Ended, &[]).empty(NONE)),
            Panel::new(
                Show::Stack,
                Unit::Number,
                "abandoned in an hour, by the last stage",
                "Where they stopped.",
            )
            .query(
                sum_by("last_stage", SeriesId::Ended, &[is("outcome", "abandoned")]).empty(NONE),
            ),
            Panel::new(
                Show::Lines,
                Unit::Number,
                "open now, and back again in an hour",
                format!(
                    "Not ended yet; and abandoned ones that came back within {}.",
                    self.funnel.recover
                ),
            )
            .query(Query::new(
                "open",
                format!("sum({})", pick.gauge(SeriesId::FunnelOpen, &[])),
            ))
            .query(Query::new(
                "came back",
                format!("sum({})", pick.increase(SeriesId::Recovered, HOUR, &[])),
            )),
        ];
        if let Some(value) = &self.funnel.value {
            panels.push(
                Panel::new(
                    Show::Lines,
                    Unit::Number,
                    format!("{} in an hour", value.name.replace('_', " ")),
                    "What abandoned ones were worth, by currency.",
                )
                .query(
                    sum_by("currency", SeriesId::AbandonedValue, &[])
                        .empty("nothing was abandoned"),
                ),
            );
        }
        panels
    }

    fn by_dimension(&self, label: &str) -> Vec<Panel> {
        let pick = &self.pick;
        let legend = format!("{{{{{label}}}}}");
        let (window, last) = (self.window(), self.funnel.stages.len() - 1);
        let reached = |at: usize| {
            let more = [
                is("window", window),
                is("stage", &self.funnel.stages[at].name),
            ];
            let gauge = pick.gauge(SeriesId::ReachedInWindow, &more);
            format!("sum by ({label}) ({gauge})")
        };
        let lost = pick.increase(SeriesId::Ended, HOUR, &[is("outcome", "abandoned")]);
        let [first, end] = [0, last].map(|at| &self.funnel.stages[at].name);
        vec![
            Panel::new(
                Show::Lines,
                Unit::Share,
                format!("{first} to {end} in {window}, by {label}"),
                "Those that reach the last stage by those that reach the first.",
            )
            .query(
                Query::new(
                    &legend,
                    format!("{}\n/ ({} > 0)", reached(last), reached(0)),
                )
                .empty(NONE),
            ),
            Panel::new(
                Show::Bars,
                Unit::Number,
                format!("{first} in {window}, by {label}"),
                "How many reached the first stage.",
            )
            .query(Query::new(&legend, reached(0))),
            Panel::new(
                Show::Lines,
                Unit::Number,
                format!("abandoned in an hour, by {label}"),
                "Entities that ended without the last stage.",
            )
            .query(Query::new(&legend, format!("sum by ({label}) ({lost})")).empty(NONE))
            .colors(Color::Blue, &[]),
        ]
    }

    /// The counts of events that the funnel reads too.
    fn counts(&self) -> Vec<(KpiId, &'a Kpi)> {
        let kpis = self.pick.book.kpis();
        kpis.filter(|(_, kpi)| match &kpi.kind {
            Kind::Count(count) => self.reads(&count.event),
            _ => false,
        })
        .collect()
    }

    /// Whether all of these types are events of the funnel.
    fn reads(&self, selector: &Selector) -> bool {
        let Funnel { stages, touch, .. } = self.funnel;
        let stages = stages.iter().map(|stage| &stage.event);
        let ours: Vec<TypeId> = stages
            .chain(touch)
            .flat_map(|selector| selector.types.iter().copied())
            .collect();
        selector.types.iter().all(|id| ours.contains(id))
    }
}
