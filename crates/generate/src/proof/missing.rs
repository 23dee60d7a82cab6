//! Events of a promise that are missing, at their edges: fires when what should follow has stopped,
//! also where others of its type go on, and is silent when it flows or nothing is due.

use catalogue::metrics::{SeriesId, kept as own};
use catalogue::plan::{END_STEP, Keyed, Promise};
use events::Span;

use super::lab::{Test, pairs, rising};
use super::promise::{Scene, Subject};
use super::world::World;
use crate::alerts::missing::is_shared;
use crate::promql::minutes;
use crate::recording::promise::stall_window;
use crate::rule::Alert;

/// An event that should follow, with its step's name and that of the step before.
struct Follower<'a> {
    event: &'a Keyed,
    step: &'a str,
    before: Option<&'a str>,
}

/// What flows besides the starts.
#[derive(Clone, Copy, PartialEq)]
enum Flow {
    Nothing,
    /// Any events of its types.
    Types,
    /// What orders took, in classic buckets where it is a step.
    Taken,
    /// Likewise in native ones.
    Native,
}

struct Case {
    what: &'static str,
    /// Starts of a step; 0 is a few, all at once.
    started: u64,
    flow: Flow,
    /// Whether the step before flows.
    before: bool,
    at: Span,
    yes: bool,
}

/// Those of every event that should follow.
pub fn tests(subject: &Subject<'_>, least: u64) -> Vec<Test> {
    let promise = subject.promise;
    let alerts = subject.named("PromiseEventsMissing", None);
    let mut tests = Vec::new();
    for (alert, follower) in alerts.into_iter().zip(followers(promise)) {
        for case in cases(subject, &follower, least) {
            tests.push(test(subject, alert, &follower, &case, least));
        }
    }
    tests
}

fn followers(promise: &Promise) -> Vec<Follower<'_>> {
    let steps = promise.steps.iter().enumerate();
    let mut followers: Vec<Follower<'_>> = steps
        .map(|(at, step)| Follower {
            event: &step.event,
            step: &step.name,
            before: at.checked_sub(1).map(|at| &promise.steps[at].name[..]),
        })
        .collect();
    followers.push(Follower {
        event: &promise.end,
        step: END_STEP,
        before: None,
    });
    followers
}

fn cases(subject: &Subject<'_>, follower: &Follower<'_>, least: u64) -> Vec<Case> {
    let (within, window) = (subject.promise.within, stall_window(subject.promise));
    // All are due, and have been for as long as is waited.
    let late = Span(within.0 + window.max(minutes(10)).0 + minutes(10).0);
    let shared = is_shared(subject.book, subject.promise, follower.event);
    let case = |what, flow, yes| Case {
        what,
        started: least,
        flow,
        before: true,
        at: late,
        yes,
    };
    let flows = if shared { Flow::Taken } else { Flow::Types };
    let mut cases = vec![
        case("starts flow, it doesn't", Flow::Nothing, true),
        case("it flows", flows, false),
        Case {
            started: 0,
            ..case("too few starts", Flow::Nothing, false)
        },
        Case {
            // Long enough for an alert that forgets the limit: it waits for five minutes.
            at: Span(within.0 + minutes(5).0),
            ..case("starts are younger than the limit", Flow::Nothing, false)
        },
    ];
    if shared {
        let what = "others of its type flow, those that are meant don't";
        cases.push(case(what, Flow::Types, true));
    }
    let is_step = shared && follower.step != END_STEP;
    if is_step && subject.kpi.buckets().has_native() {
        cases.push(case("it flows, in native buckets", Flow::Native, false));
    }
    if is_step && follower.before.is_some() {
        cases.push(Case {
            before: false,
            ..case("the step before is missing too", Flow::Nothing, false)
        });
    }
    cases
}

fn test(
    subject: &Subject<'_>,
    alert: &Alert,
    follower: &Follower<'_>,
    case: &Case,
    least: u64,
) -> Test {
    let verdict = if case.yes { "fires" } else { "is silent" };
    let types = subject.book.types(&follower.event.event);
    let names = types.join(", ");
    let what = format!("{} of {names} {verdict}: {}", alert.name, case.what);
    let is_end = follower.step == END_STEP;
    let scene = Scene {
        started: case.started,
        completed: u64::from(is_end && case.flow == Flow::Taken),
        ..Scene::default()
    };
    let interval = subject.book.generation.interval;
    let mut test = subject.scene(&what, interval, case.at, scene);
    let steps = test.steps(case.at);
    if case.started == 0 {
        give_few_starts(subject, &mut test, least * 9 / 10, steps);
    }
    if case.flow == Flow::Types {
        give_events(&mut test, types[types.len() - 1], rising(1, steps));
    }
    if is_shared(subject.book, subject.promise, follower.event) && !is_end {
        let here = case.flow == Flow::Taken || case.flow == Flow::Native;
        let native = case.flow == Flow::Native || !subject.kpi.buckets().has_classic();
        give_times(subject, &mut test, follower.step, u64::from(here), native);
        if let Some(before) = follower.before {
            give_times(subject, &mut test, before, u64::from(case.before), native);
        }
    }
    test.fires(case.at, alert, case.yes);
    test
}

/// The labels of one part, in a partition of one instance.
fn place(subject: &Subject<'_>, partition: &str) -> Vec<(String, String)> {
    let part = World::parts(subject.kpi).swap_remove(0);
    let fixed = [
        ("job", "kept"),
        ("instance", "one:9464"),
        ("partition", partition),
    ];
    let fixed = fixed.map(|(name, value)| (name.to_owned(), value.to_owned()));
    part.into_iter().chain(fixed).collect()
}

/// Fewer than are needed, all at once and early enough to be seen for long; a tenth less, since
/// an increase is drawn out to the whole window.
fn give_few_starts(subject: &Subject<'_>, test: &mut Test, some: u64, steps: u64) {
    let jump = test.steps(minutes(8));
    let few = format!("0+0x{jump} {some}+0x{}", steps - jump - 1);
    let name = subject.book.metric(subject.kpi, SeriesId::Started);
    test.give(&name, &pairs(&place(subject, "1")), few);
}

/// Times that were measured to a step, so many in each step of the test.
fn give_times(subject: &Subject<'_>, test: &mut Test, step: &str, count: u64, native: bool) {
    let name = subject.book.metric(subject.kpi, SeriesId::StepDuration);
    let mut labels = place(subject, "0");
    labels.push(("step".to_owned(), step.to_owned()));
    let steps = test.steps(minutes(120));
    if native {
        let more = format!("{{{{schema:0 sum:{count} count:{count} buckets:[{count}]}}}}");
        let values = format!("{{{{schema:0 sum:0 count:0 buckets:[0]}}}}+{more}x{steps}");
        test.give(&name, &pairs(&labels), values);
    } else {
        labels.push(("le".to_owned(), "+Inf".to_owned()));
        let name = format!("{name}_bucket");
        test.give(&name, &pairs(&labels), rising(count, steps));
    }
}

/// Events of a type that the promise may read or not.
fn give_events(test: &mut Test, type_name: &str, values: String) {
    let labels = [
        ("job", "kept"),
        ("instance", "one:9464"),
        ("topic", "shop.events"),
        ("partition", "0"),
        ("type", type_name),
        ("source", "/shop"),
        ("outcome", "used"),
    ];
    test.give(own::EVENTS.name, &labels, values);
}
