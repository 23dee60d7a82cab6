//! Alerts on targets at their edges: at the limit they are silent, beyond it they fire, and a share
//! of too few events is no share.

use catalogue::metrics::{LONGEST_WITH_OPEN, SeriesId};
use catalogue::plan::{Kind, Kpi, KpiId, Part, Ratio};
use events::Span;

use super::lab::{Labels, Test, constant, pairs};
use super::promise::fewest;
use super::world::{World, label};
use crate::alerts::target::alerts;
use crate::book::{Book, HOUR};
use crate::promql::minutes;
use crate::rule::Alert;

/// Events of a step below the line of a ratio.
const MANY: u64 = 10_000;

/// Those of one KPI.
pub fn tests(book: &Book<'_>, id: KpiId, kpi: &Kpi) -> Vec<Test> {
    let target = kpi.target.unwrap_or_default();
    let limits = [("max", target.max), ("min", target.min)];
    let limits = limits
        .into_iter()
        .filter_map(|(bound, limit)| limit.map(|limit| (bound, limit)));
    let mut tests = Vec::new();
    for (alert, (bound, limit)) in alerts(book, id, kpi).iter().zip(limits) {
        let subject = Subject {
            book,
            id,
            kpi,
            alert,
            sign: if bound == "max" { 1.0 } else { -1.0 },
            limit,
        };
        tests.extend(match &kpi.kind {
            Kind::Count(_) => subject.count(),
            Kind::Promise(_) => subject.percentile(),
            Kind::Funnel(_) => subject.funnel(),
            Kind::Ratio(ratio) => subject.ratio(ratio),
        });
    }
    tests
}

struct Subject<'a> {
    book: &'a Book<'a>,
    id: KpiId,
    kpi: &'a Kpi,
    alert: &'a Alert,
    /// Which way is worse.
    sign: f64,
    limit: f64,
}

impl Subject<'_> {
    fn window(&self) -> Labels {
        label(
            "window",
            &self.kpi.windows[self.book.alerting(self.id).window].label,
        )
    }

    fn least(&self) -> u64 {
        self.book.alerting(self.id).minimum_events
    }

    /// So many that a single one more, or less, is below the limit alone.
    fn least_of_share(&self) -> u64 {
        let share = if self.sign > 0.0 {
            self.limit
        } else {
            1.0 - self.limit
        };
        if share > 0.0 && share < 1.0 {
            self.least().max(fewest(1, share))
        } else {
            self.least()
        }
    }

    fn edge(&self, what: &str, at: Span, yes: bool) -> (Test, Span) {
        let verdict = if yes { "fires" } else { "is silent" };
        let bound = if self.sign > 0.0 { "max" } else { "min" };
        let name = format!(
            "{}: {} of {bound} {verdict}: {what}",
            self.kpi.id, self.alert.name
        );
        let mut test = Test::new(name, self.book.generation.interval);
        test.fires(at, self.alert, yes);
        (test, at)
    }

    /// A gauge of one partition.
    fn give(&self, test: &mut Test, series: SeriesId, own: &Labels, value: f64, at: Span) {
        let part = World::parts(self.kpi).swap_remove(0);
        let mut labels = vec![("job", "kept"), ("instance", "one:9464")];
        labels.extend(pairs(&part));
        labels.push(("partition", "0"));
        labels.extend(pairs(own));
        let steps = test.steps(at);
        let name = self.book.metric(self.kpi, series);
        test.give(&name, &labels, constant(value, steps));
    }

    fn count(&self) -> Vec<Test> {
        // Too few are too few once the window has been there for its own length.
        let length = self.kpi.windows[self.book.alerting(self.id).window].length;
        let full = match self.alert.labels.contains(&("bound", "min".to_owned())) {
            true => Span(length.0 + minutes(8).0),
            false => minutes(8),
        };
        let beyond = self.limit + self.sign;
        let mut cases = vec![
            ("at the limit", self.limit, full, false),
            ("one beyond it", beyond, full, true),
        ];
        if full > length {
            cases.push(("the window is still filling", beyond, length, false));
        }
        let case = |(what, value, at, yes)| {
            let (mut test, at) = self.edge(what, at, yes);
            let window = self.window();
            self.give(&mut test, SeriesId::EventsInWindow, &window, value, at);
            test
        };
        cases.into_iter().map(case).collect()
    }

    fn percentile(&self) -> Vec<Test> {
        let alerting = self.book.alerting(self.id);
        let window = &self.kpi.windows[alerting.window];
        let series = if window.length <= LONGEST_WITH_OPEN {
            SeriesId::AllWithOpen
        } else {
            SeriesId::AllDurationInWindow
        };
        let quantile = self
            .kpi
            .target
            .and_then(|target| target.quantile)
            .unwrap_or(0.95);
        let beyond = self.limit + self.sign * 0.001;
        let cases = [
            ("at the limit", self.limit, self.least(), false),
            ("a millisecond beyond it", beyond, self.least(), true),
            ("one order too few", beyond, self.least() - 1, false),
        ];
        let case = |(what, value, orders, yes)| {
            let (mut test, at) = self.edge(what, minutes(8), yes);
            let mut own = self.window();
            own.extend(label("result", "kept"));
            self.give(
                &mut test,
                SeriesId::PromisesInWindow,
                &own,
                orders as f64,
                at,
            );
            let quantile = quantile.to_string();
            let labels = [
                ("job", "kept"),
                ("instance", "one:9464"),
                ("window", window.label.as_str()),
                ("q", quantile.as_str()),
            ];
            let steps = test.steps(at);
            let name = self.book.metric(self.kpi, series);
            test.give(&name, &labels, constant(value, steps));
            test
        };
        cases.map(case).into()
    }

    fn funnel(&self) -> Vec<Test> {
        let Kind::Funnel(funnel) = &self.kpi.kind else {
            return Vec::new();
        };
        let stages = [&funnel.stages[0], &funnel.stages[funnel.stages.len() - 1]];
        let at_limit = self.limit * MANY as f64;
        let worst = if self.sign > 0.0 { 1e6 } else { 0.0 };
        let least = self.least_of_share() as f64;
        let cases = [
            ("at the limit", MANY as f64, at_limit, false),
            ("one beyond it", MANY as f64, at_limit + self.sign, true),
            ("just enough entities", least, worst, true),
            ("one entity too few", least - 1.0, worst, false),
        ];
        let case = |(what, first, last, yes)| {
            let (mut test, at) = self.edge(what, minutes(8), yes);
            for (stage, value) in stages.iter().zip([first, last]) {
                let mut own = self.window();
                own.extend(label("stage", &stage.name));
                self.give(&mut test, SeriesId::ReachedInWindow, &own, value, at);
            }
            test
        };
        cases.map(case).into()
    }

    fn ratio(&self, ratio: &Ratio) -> Vec<Test> {
        let window = self.kpi.windows[self.book.alerting(self.id).window].length;
        if window > HOUR {
            // Its alert is the same expression over another window.
            return Vec::new();
        }
        let many = MANY as f64;
        let at_limit = (self.limit * many).round();
        // Spread evenly over the steps of the window, so that an increase is just so many.
        let in_window = |events: f64| {
            let steps = window.0 / self.book.generation.interval.0;
            events / steps as f64
        };
        let least = self.least_of_share() as f64;
        let (enough, few) = (in_window(least + 0.01), in_window(least - 0.01));
        let worst = |below: f64| {
            if self.sign > 0.0 {
                below * (self.limit * 2.0).max(1.0)
            } else {
                0.0
            }
        };
        let good = "on the good side of the limit";
        let cases = [
            (good, at_limit - self.sign, many, false),
            ("beyond the limit", at_limit + self.sign, many, true),
            ("just enough events", worst(enough), enough, true),
            ("just too few events", worst(few), few, false),
        ];
        let case = |(what, above, below, yes): (&str, f64, f64, bool)| {
            let (mut test, at) = self.edge(what, Span(window.0 + minutes(8).0), yes);
            let steps = test.steps(at);
            for (part, is_above, rate) in [
                (&ratio.numerator, true, above),
                (&ratio.denominator, false, below),
            ] {
                self.side(&mut test, part, is_above, format!("0+{rate}x{steps}"));
            }
            test
        };
        cases.map(case).into()
    }

    fn side(&self, test: &mut Test, part: &Part, above: bool, values: String) {
        let (kpi, name, own) = match part {
            Part::Of(reference) => {
                let (name, stage) = self.book.referred(reference);
                let own = stage
                    .map(|stage| label("stage", &stage))
                    .unwrap_or_default();
                (self.book.kpi(reference.kpi), name, own)
            }
            Part::Own(count) => {
                let series = match (above, count.sum.is_some()) {
                    (true, false) => SeriesId::NumeratorEvents,
                    (true, true) => SeriesId::NumeratorSum,
                    (false, false) => SeriesId::DenominatorEvents,
                    (false, true) => SeriesId::DenominatorSum,
                };
                (self.kpi, self.book.metric(self.kpi, series), Labels::new())
            }
        };
        let part_labels = World::parts(kpi).swap_remove(0);
        let mut labels = vec![("job", "kept"), ("instance", "one:9464")];
        labels.extend(pairs(&part_labels));
        labels.extend(pairs(&own));
        if crate::recording::ratio::has_currency(self.book, part) {
            labels.push(("currency", "EUR"));
        }
        labels.push(("partition", "0"));
        test.give(&name, &labels, values);
    }
}
