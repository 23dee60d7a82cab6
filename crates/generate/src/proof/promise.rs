//! Alerts on a promise at their edges: just enough fires, just too little doesn't, and nothing does
//! while Kept is behind.

use catalogue::metrics::{SeriesId, kept as own};
use catalogue::plan::{Kpi, KpiId, Promise};
use events::Span;

use super::burn::{self, Limits};
use super::lab::{Test, constant, pairs, rising};
use super::world::World;
use super::{LONG_STEP, missing};
use crate::alerts::kept;
use crate::alerts::promise::alerts;
use crate::book::Book;
use crate::promql::{hours, minutes};
use crate::rule::Alert;

/// Orders of a step that shares are made of: an edge is as sharp as one of them.
const MANY: u64 = 10_000;

/// The tests over an hour and those over days.
pub fn tests(book: &Book<'_>, id: KpiId, kpi: &Kpi, promise: &Promise) -> (Vec<Test>, Vec<Test>) {
    let subject = Subject {
        book,
        id,
        kpi,
        promise,
        alerts: alerts(book, id, kpi, promise),
    };
    let alerting = book.alerting(id);
    let mut short = subject.stalled(alerting.stalled_overdue);
    short.extend(subject.missed(alerting.missed_share, alerting.minimum_orders));
    short.extend(missing::tests(&subject, alerting.minimum_orders));
    short.extend(subject.heard_again());
    let limits = Limits {
        missed_share: alerting.missed_share,
        least: alerting.minimum_orders,
    };
    let (of_hour, long) = burn::tests(&subject, limits);
    short.extend(of_hour);
    (short, long)
}

/// What a shop shows in one part, one partition.
#[derive(Clone, Copy, Default)]
pub struct Scene {
    /// Kept in each step.
    pub kept: u64,
    /// Broken in each step.
    pub broken: u64,
    /// Overdue all the time and not judged.
    pub unjudged: u64,
    /// Started in each step.
    pub started: u64,
    /// Completed in each step.
    pub completed: u64,
    /// Overdue all the time.
    pub overdue: u64,
    /// Tasks that catch up.
    pub behind: u64,
}

/// A promise with its alerts.
pub struct Subject<'a> {
    /// The catalogue.
    pub book: &'a Book<'a>,
    /// Its place in the plan.
    pub id: KpiId,
    /// The promise's KPI.
    pub kpi: &'a Kpi,
    /// The promise itself.
    pub promise: &'a Promise,
    alerts: Vec<Alert>,
}

impl Subject<'_> {
    /// Those of a name, at every level; of one window, if it is named.
    pub fn named(&self, name: &str, window: Option<Span>) -> Vec<&Alert> {
        let window = window.map(|window| window.to_string());
        let fits = |alert: &&Alert| {
            let found = alert.labels.iter().find(|label| label.0 == "window");
            alert.name == name
                && (window.is_none() || found.map(|label| &label.1) == window.as_ref())
        };
        self.alerts.iter().filter(fits).collect()
    }

    /// A shop that goes on in one way until the end.
    pub fn scene(&self, what: &str, step: Span, until: Span, scene: Scene) -> Test {
        let name = format!("{}: {what}", self.kpi.id);
        let mut test = Test::new(name, step);
        let steps = test.steps(until);
        let part = World::parts(self.kpi).swap_remove(0);
        let mut labels = vec![("job", "kept"), ("instance", "one:9464")];
        labels.extend(pairs(&part));
        labels.push(("partition", "0"));
        let metric = |series| self.book.metric(self.kpi, series);
        for (result, rate) in [("kept", scene.kept), ("broken", scene.broken)] {
            let mut labels = labels.clone();
            labels.push(("result", result));
            test.give(&metric(SeriesId::Promises), &labels, rising(rate, steps));
        }
        for (series, rate) in [
            (SeriesId::Started, scene.started),
            (SeriesId::Completed, scene.completed),
        ] {
            test.give(&metric(series), &labels, rising(rate, steps));
        }
        for (series, value) in [
            (SeriesId::OverdueUnjudged, scene.unjudged),
            (SeriesId::Overdue, scene.overdue),
        ] {
            test.give(&metric(series), &labels, constant(value as f64, steps));
        }
        for (state, tasks) in [("catching_up", scene.behind), ("serving", 1)] {
            let labels = [("job", "kept"), ("instance", "one:9464"), ("state", state)];
            test.give(own::TASKS.name, &labels, constant(tasks as f64, steps));
        }
        test
    }

    /// A scene in which the alerts fire, or don't, at some time.
    pub fn edge(&self, alerts: &[&Alert], what: &str, scene: Scene, at: Span, yes: bool) -> Test {
        let verdict = if yes { "fires" } else { "is silent" };
        let name = alerts.first().map_or("", |alert| alert.name);
        let what = format!("{name} {verdict}: {what}");
        let step = if at > hours(2) {
            LONG_STEP
        } else {
            self.book.generation.interval
        };
        let mut test = self.scene(&what, step, at, scene);
        for alert in alerts {
            test.fires(at, alert, yes);
        }
        test
    }

    fn stalled(&self, least: u64) -> Vec<Test> {
        let alerts = self.named("PromiseStalled", None);
        let scene = Scene {
            overdue: least,
            started: 1,
            ..Scene::default()
        };
        // Lost orders of the day stay overdue at night, when nobody orders any more.
        let quiet = Scene {
            started: 0,
            ..scene
        };
        let edge = |what: &str, scene, at, yes| self.edge(&alerts, what, scene, at, yes);
        let fewer = Scene {
            overdue: least - 1,
            ..scene
        };
        let completing = Scene {
            completed: 1,
            ..scene
        };
        let blind = Scene { behind: 1, ..scene };
        vec![
            edge("just enough are overdue", scene, minutes(4), true),
            edge("not for long enough", scene, minutes(1), false),
            edge("one too few is overdue", fewer, minutes(4), false),
            edge(
                "nothing starts, nothing completes",
                quiet,
                minutes(4),
                false,
            ),
            edge("orders complete", completing, minutes(4), false),
            edge("Kept is behind", blind, minutes(4), false),
        ]
    }

    fn missed(&self, share: f64, least: u64) -> Vec<Test> {
        let alerts = self.named("PromiseMissed", None);
        let (above, below) = around(share);
        // A single broken order among the fewest must be less than the share.
        let least = least.max(fewest(1, share));
        let at = minutes(9);
        let edge = |what: &str, scene, yes| self.edge(&alerts, what, scene, at, yes);
        let waiting = |unjudged| Scene {
            unjudged,
            ..Scene::default()
        };
        let blind = Scene { behind: 1, ..above };
        vec![
            edge("the share is just above", above, true),
            edge("the share is just below", below, false),
            edge("just enough wait unjudged", waiting(least), true),
            edge("one too few waits unjudged", waiting(least - 1), false),
            edge("Kept is behind", blind, false),
        ]
    }

    /// Nothing completes while Kept is behind for ten minutes and after: `KeptBehind`, which silences
    /// all pages on promises, is over before the first of them is due again.
    fn heard_again(&self) -> Option<Test> {
        let health = kept::alerts(self.book);
        let behind = health.iter().find(|alert| alert.name == "KeptBehind")?;
        let stalled = self.named("PromiseStalled", None);
        let scene = Scene {
            overdue: self.book.alerting(self.id).stalled_overdue,
            started: 1,
            ..Scene::default()
        };
        let what = "a page is not held back by Kept, which has caught up";
        let step = self.book.generation.interval;
        let mut test = self.scene(what, step, minutes(14), scene);
        let (bad, good) = (test.steps(minutes(10)), test.steps(minutes(4)));
        let labels = [
            ("job", "kept"),
            ("instance", "two:9464"),
            ("state", "catching_up"),
        ];
        test.give(own::TASKS.name, &labels, format!("1+0x{bad} 0+0x{good}"));
        test.fires(minutes(10), behind, true);
        test.fires(minutes(12), behind, false);
        for alert in stalled {
            test.fires(minutes(10), alert, false);
            test.fires(minutes(12), alert, true);
        }
        Some(test)
    }

    /// In another partition, on another instance: so many orders break in each step until the first
    /// time, and so many are kept in each from then on until the second.
    pub fn give_incident(&self, test: &mut Test, broken: u64, kept: u64, [over, until]: [Span; 2]) {
        let part = World::parts(self.kpi).swap_remove(0);
        let mut labels = vec![("job", "kept"), ("instance", "two:9464")];
        labels.extend(pairs(&part));
        labels.push(("partition", "1"));
        let bad = test.steps(over);
        let good = test.steps(until) - bad;
        let broken = format!("0+{broken}x{bad} {}+0x{good}", broken * bad);
        let kept = format!("0+0x{bad} 0+{kept}x{good}");
        for (result, values) in [("kept", kept), ("broken", broken)] {
            let mut labels = labels.clone();
            labels.push(("result", result));
            let name = self.book.metric(self.kpi, SeriesId::Promises);
            test.give(&name, &labels, values);
        }
        let unjudged = self.book.metric(self.kpi, SeriesId::OverdueUnjudged);
        test.give(&unjudged, &labels, constant(0.0, bad + good));
    }
}

/// The least orders of which so many are less than the share, found by counting.
pub fn fewest(some: u64, share: f64) -> u64 {
    let is_less = |all: &u64| (some as f64) < *all as f64 * share * (1.0 - 1e-9);
    let found = (some..).find(is_less);
    found.expect("a share is above 0")
}

/// The least broken orders of many that are more than the share, and the most that are fewer.
pub fn around(share: f64) -> (Scene, Scene) {
    let scene = |broken: u64| Scene {
        kept: MANY - broken,
        broken,
        completed: MANY,
        ..Scene::default()
    };
    let exactly = share * MANY as f64;
    let above = (exactly + 1e-6).floor() as u64 + 1;
    let below = ((exactly - 1e-6).ceil() as u64).saturating_sub(1);
    (scene(above), scene(below))
}
