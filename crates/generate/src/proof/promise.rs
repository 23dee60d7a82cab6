//! Alerts on a promise at their edges: just enough fires, just too little doesn't, and nothing does
//! while Kept is behind.

use catalogue::metrics::{SeriesId, kept as own};
use catalogue::plan::{Kpi, KpiId, Promise};
use events::Span;

use super::lab::{Test, constant, pairs, rising};
use super::world::World;
use super::{LONG_STEP, SHORT_AT, missing};
use crate::alerts::burn::{Burn, pairs as burns};
use crate::alerts::promise::alerts;
use crate::book::{Book, HOUR};
use crate::promql::{days, hours, minutes};
use crate::rule::Alert;

/// Orders of a step that shares are made of: an edge is as sharp as one of them.
const MANY: u64 = 10_000;

/// The tests over an hour and those over days.
pub fn tests(book: &Book<'_>, id: KpiId, kpi: &Kpi, promise: &Promise) -> (Vec<Test>, Vec<Test>) {
    let subject = Subject {
        book,
        kpi,
        promise,
        alerts: alerts(book, id, kpi, promise),
    };
    let alerting = book.alerting(id);
    let mut short = subject.stalled(alerting.stalled_overdue);
    short.extend(subject.missed(alerting.missed_share, alerting.minimum_orders));
    short.extend(missing::tests(&subject, alerting.minimum_orders));
    let mut long = Vec::new();
    for burn in subject.pairs() {
        let tests = subject.burns(&burn, alerting.minimum_orders);
        if burn.long > HOUR {
            long.extend(tests);
        } else {
            short.extend(tests);
        }
    }
    short.extend(subject.burn_is_over());
    short.extend(subject.the_whole_speaks_first());
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

    /// The pairs that have an alert: one that asks what `PromiseMissed` asks has none.
    fn pairs(&self) -> Vec<Burn> {
        let has_alert = |burn: &Burn| {
            let window = Some(burn.long);
            let names = ["PromiseBudgetBurnsFast", "PromiseBudgetBurnsSlowly"];
            names
                .iter()
                .any(|name| !self.named(name, window).is_empty())
        };
        burns(self.promise).into_iter().filter(has_alert).collect()
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
    fn edge(&self, alerts: &[&Alert], what: &str, scene: Scene, at: Span, yes: bool) -> Test {
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

    fn burns(&self, burn: &Burn, least: u64) -> Vec<Test> {
        let name = if burn.pages {
            "PromiseBudgetBurnsFast"
        } else {
            "PromiseBudgetBurnsSlowly"
        };
        let alerts = self.named(name, Some(burn.long));
        let at = match burn.long {
            long if long > HOUR => Span(long.0 + hours(2).0),
            HOUR => SHORT_AT,
            _ => minutes(9),
        };
        let window = burn.long;
        let edge = |what: &str, scene, yes| {
            self.edge(&alerts, &format!("{what} over {window}"), scene, at, yes)
        };
        let (above, below) = around(burn.share);
        // A single broken order (or the tenth) among these is below the share: so many, and one more.
        let fewest = least.max(fewest(burn.broken, burn.share));
        let waiting = |unjudged| Scene {
            unjudged,
            ..Scene::default()
        };
        let mut tests = vec![
            edge("the share is just above", above, true),
            edge("the share is just below", below, false),
            edge("one too few waits unjudged", waiting(fewest - 1), false),
        ];
        // Days take long to evaluate: what a day shows is not shown again by three.
        if burn.long <= days(1) {
            tests.push(edge("just enough wait unjudged", waiting(fewest), true));
            let blind = Scene { behind: 1, ..above };
            tests.push(edge("Kept is behind", blind, false));
        }
        tests
    }

    /// All orders broke for half an hour, then none for a quarter: an hour has not forgotten, five
    /// minutes say that it is over.
    fn burn_is_over(&self) -> Option<Test> {
        let fastest = burns(self.promise)[0].long;
        let alerts = self.named("PromiseBudgetBurnsFast", Some(fastest));
        if alerts.is_empty() {
            return None;
        }
        let what = "PromiseBudgetBurnsFast is silent: the trouble is over";
        let step = self.book.generation.interval;
        let mut test = self.scene(what, step, minutes(4), Scene::default());
        let part = World::parts(self.kpi).swap_remove(0);
        let mut labels = vec![("job", "kept"), ("instance", "two:9464")];
        labels.extend(pairs(&part));
        let (half_hour, rest) = (test.steps(minutes(30)), test.steps(minutes(35)));
        let broken = format!("0+100x{half_hour} {}+0x{rest}", 100 * half_hour);
        let kept = format!("0+0x{half_hour} 0+100x{rest}");
        for (result, values) in [("kept", kept), ("broken", broken)] {
            let mut labels = labels.clone();
            labels.extend([("result", result), ("partition", "1")]);
            let name = self.book.metric(self.kpi, SeriesId::Promises);
            test.give(&name, &labels, values);
        }
        labels.push(("partition", "1"));
        let unjudged = self.book.metric(self.kpi, SeriesId::OverdueUnjudged);
        test.give(&unjudged, &labels, constant(0.0, half_hour + rest));
        for alert in &alerts {
            test.fires(minutes(29), alert, true);
            test.fires(minutes(45), alert, false);
        }
        // The five minutes are below the share after so much of them; the whole goes on for five
        // more, a part for three.
        let below = 5.0 * (1.0 - burns(self.promise)[0].share);
        let between = minutes((30.0 + below + 4.0).round() as i64);
        if let [whole, part] = alerts[..] {
            test.fires(between, whole, true);
            test.fires(between, part, false);
        }
        Some(test)
    }

    /// All and a part have the same trouble since the same moment; nothing to show where a promise
    /// has no parts.
    fn the_whole_speaks_first(&self) -> Option<Test> {
        let fastest = burns(self.promise)[0];
        let alerts = self.named("PromiseBudgetBurnsFast", Some(fastest.long));
        let [whole, part] = alerts[..] else {
            return None;
        };
        let what = "PromiseBudgetBurnsFast of the whole fires before that of a part";
        let (above, _) = around(fastest.share);
        let step = self.book.generation.interval;
        let mut test = self.scene(what, step, minutes(4), above);
        test.fires(minutes(2), whole, true);
        test.fires(minutes(2), part, false);
        test.fires(minutes(4), part, true);
        Some(test)
    }
}

/// The least orders of which so many are less than the share, found by counting.
pub fn fewest(some: u64, share: f64) -> u64 {
    let is_less = |all: &u64| (some as f64) < *all as f64 * share * (1.0 - 1e-9);
    let found = (some..).find(is_less);
    found.expect("a share is above 0")
}

/// The least broken orders of many that are more than the share, and the most that are fewer.
fn around(share: f64) -> (Scene, Scene) {
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
