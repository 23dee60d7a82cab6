//! Burn rates of a promise's objective at their edges: each pair fires just above its share and is
//! silent just below it, with too few orders in either window, and when its long window is still bad
//! but its short one good again.
//!
//! Rates, windows, shares and the least orders are worked out here from the objective alone; nothing
//! of them is read from the rules, so that a rule with another number is found.

use catalogue::plan::Promise;
use events::Span;

use super::lab::Test;
use super::promise::{Scene, Subject, around, fewest};
use super::{LONG_STEP, SHORT_AT};
use crate::promql::{Level, days, hours, minutes, number};
use crate::recording::promise::Shares;
use crate::rule::Alert;

/// What the settings say of a promise's alerts.
#[derive(Clone, Copy)]
pub struct Limits {
    /// The share that `PromiseMissed` fires for.
    pub missed_share: f64,
    /// The least orders of the settings.
    pub least: u64,
}

/// A pair of windows as it should be.
#[derive(Clone, Copy)]
struct Pair {
    long: Span,
    short: Span,
    share: f64,
    /// So many broken orders must be less than the share of the least orders.
    broken: u64,
    pages: bool,
}

/// The workbook's: rate, windows, and whether it wakes somebody.
const WORKBOOK: [(f64, Span, Span, bool); 4] = [
    (14.4, minutes(60), minutes(5), true),
    (6.0, minutes(6 * 60), minutes(30), true),
    (3.0, minutes(24 * 60), minutes(2 * 60), false),
    (1.0, minutes(72 * 60), minutes(6 * 60), false),
];

/// Those of an objective, fastest first: a share beyond one half is out of reach of its window, and
/// is taken half way to it (or to all, where half may break) over five minutes and of ten orders.
fn pairs(promise: &Promise) -> [Pair; 4] {
    let may_break = 1.0 - promise.objective;
    WORKBOOK.map(|(rate, long, short, pages)| {
        let plain = rate * may_break;
        let ceiling = if may_break < 0.5 { 0.5 } else { 1.0 };
        let is_beyond = plain > 0.5;
        let share = if is_beyond {
            (may_break + ceiling) / 2.0
        } else {
            plain
        };
        let is_fastest = long == minutes(60);
        let (long, short, broken) = if is_beyond && is_fastest {
            (minutes(5), minutes(5), 10)
        } else {
            (long, short, 1)
        };
        Pair {
            long,
            short,
            share,
            broken,
            pages,
        }
    })
}

/// The tests over an hour and those over days.
pub fn tests(subject: &Subject<'_>, limits: Limits) -> (Vec<Test>, Vec<Test>) {
    let pairs = pairs(subject.promise);
    let (mut short, mut long) = (Vec::new(), Vec::new());
    for pair in &pairs {
        // With a generous objective `PromiseMissed` asks the same.
        let is_missed =
            pair.long == minutes(5) && number(pair.share) == number(limits.missed_share);
        if is_missed {
            continue;
        }
        let mut tests = edges(subject, pair, limits.least);
        if pair.short < pair.long {
            tests.extend(after_an_incident(subject, pair));
        }
        if pair.long > minutes(60) {
            long.extend(tests);
        } else {
            short.extend(tests);
            short.push(it_is_over(subject, pair));
            short.extend(the_whole_speaks_first(subject, pair));
        }
    }
    (short, long)
}

/// The alerts of a pair, at every level. A pair without any is a mistake in the rules.
fn alerts<'a>(subject: &'a Subject<'_>, pair: &Pair) -> Vec<&'a Alert> {
    let name = if pair.pages {
        "PromiseBudgetBurnsFast"
    } else {
        "PromiseBudgetBurnsSlowly"
    };
    let found = subject.named(name, Some(pair.long));
    assert!(!found.is_empty(), "no {name} looks at {}", pair.long);
    found
}

fn edges(subject: &Subject<'_>, pair: &Pair, least: u64) -> Vec<Test> {
    let alerts = alerts(subject, pair);
    let at = match pair.long {
        long if long > minutes(60) => Span(long.0 + hours(2).0),
        long if long == minutes(60) => SHORT_AT,
        _ => minutes(9),
    };
    let window = pair.long;
    let edge = |what: &str, scene, yes| {
        subject.edge(&alerts, &format!("{what} over {window}"), scene, at, yes)
    };
    let (above, below) = around(pair.share);
    // A single broken order (or the tenth) among these is below the share: so many, and one more.
    let fewest = least.max(fewest(pair.broken, pair.share));
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
    if pair.long <= days(1) {
        tests.push(edge("just enough wait unjudged", waiting(fewest), true));
        let blind = Scene { behind: 1, ..above };
        tests.push(edge("Kept is behind", blind, false));
    }
    tests
}

/// All orders broke for a while, and the long window has not forgotten: the short one is good again,
/// or has so few orders that a broken one says nothing, or just enough of them.
fn after_an_incident(subject: &Subject<'_>, pair: &Pair) -> [Test; 3] {
    let few = fewest(1, pair.share);
    let (long, short) = (pair.long, pair.short);
    let case = |what: String, kept, unjudged, yes| {
        incident(
            subject,
            pair,
            &what,
            Incident {
                kept,
                unjudged,
                yes,
            },
        )
    };
    [
        case(
            format!("{long} are still bad, {short} good again"),
            few,
            0,
            false,
        ),
        case(
            format!("{long} are still bad, one too few broke in {short}"),
            0,
            few - 1,
            false,
        ),
        case(
            format!("{long} are still bad, just enough broke in {short}"),
            0,
            few,
            true,
        ),
    ]
}

/// What there is after the incident.
#[derive(Clone, Copy)]
struct Incident {
    /// Kept in each step.
    kept: u64,
    /// Overdue all the time and not judged.
    unjudged: u64,
    yes: bool,
}

fn incident(subject: &Subject<'_>, pair: &Pair, what: &str, after: Incident) -> Test {
    let alerts = alerts(subject, pair);
    // Three hours, since increases of days are made of whole ones; then the short window, and what an
    // alert is kept firing.
    let (step, over, keeps) = match pair.long {
        long if long > hours(6) => (LONG_STEP, hours(3), minutes(60)),
        long if long > minutes(60) => (LONG_STEP, hours(1), minutes(60)),
        _ => (subject.book.generation.interval, minutes(30), minutes(10)),
    };
    let at = Span(over.0 + pair.short.0 + keeps.0);
    let verdict = if after.yes { "fires" } else { "is silent" };
    let name = alerts.first().map_or("", |alert| alert.name);
    let what = format!("{name} {verdict}: {what}");
    let scene = Scene {
        unjudged: after.unjudged,
        ..Scene::default()
    };
    let mut test = subject.scene(&what, step, at, scene);
    // So many that the long window is bad whatever follows.
    let broken = 1000 * fewest(1, pair.share);
    subject.give_incident(&mut test, broken, after.kept, [over, at]);
    let errors = Shares::new(subject.book, subject.kpi, Level::All).errors(pair.long);
    let is_bad = format!("{errors} > bool {}", number(pair.share));
    test.expect(at, &is_bad, "", &[("job", "kept")], 1.0);
    for alert in alerts {
        test.fires(over, alert, true);
        test.fires(at, alert, after.yes);
    }
    test
}

/// All orders broke for half an hour, then none for a quarter: an hour has not forgotten, five
/// minutes say that it is over.
fn it_is_over(subject: &Subject<'_>, pair: &Pair) -> Test {
    let alerts = alerts(subject, pair);
    let what = "PromiseBudgetBurnsFast is silent: the trouble is over";
    let step = subject.book.generation.interval;
    let mut test = subject.scene(what, step, minutes(65), Scene::default());
    subject.give_incident(&mut test, 100, 100, [minutes(30), minutes(65)]);
    for alert in &alerts {
        test.fires(minutes(29), alert, true);
        test.fires(minutes(45), alert, false);
    }
    // The five minutes are below the share after so much of them; the whole goes on for five more, a
    // part for three.
    let below = 5.0 * (1.0 - pair.share);
    let between = minutes((30.0 + below + 4.0).round() as i64);
    if let [whole, part] = alerts[..] {
        test.fires(between, whole, true);
        test.fires(between, part, false);
    }
    test
}

/// All and a part have the same trouble since the same moment; nothing to show where a promise has
/// no parts.
fn the_whole_speaks_first(subject: &Subject<'_>, pair: &Pair) -> Option<Test> {
    let alerts = alerts(subject, pair);
    let [whole, part] = alerts[..] else {
        return None;
    };
    let what = "PromiseBudgetBurnsFast of the whole fires before that of a part";
    let (above, _) = around(pair.share);
    let step = subject.book.generation.interval;
    let mut test = subject.scene(what, step, minutes(4), above);
    test.fires(minutes(2), whole, true);
    test.fires(minutes(2), part, false);
    test.fires(minutes(4), part, true);
    Some(test)
}
