//! Events of a promise that are missing: starts flow, and what should follow has stopped.
//!
//! What has arrived is counted by its type. Where a type may have more events than the promise's
//! orders wait for (a `where`, of the start too, or another topic that carries it), what its orders
//! took is counted: ends by the orders they completed, steps by the times that were measured to them.
//! A time is measured from the step before: while that is missing too, its owner alone is told.

use catalogue::metrics::SeriesId;
use catalogue::plan::{END_STEP, Keyed, Kpi, Promise};
use events::Span;

use super::promise::Subject;
use super::text::pipe;
use super::unless_behind;
use crate::book::{Book, FAST};
use crate::promql::{Level, increase, is, is_any, minutes};
use crate::recording::counters::rate;
use crate::recording::kept::{TEN, events_by_type};
use crate::recording::promise::missing_window;
use crate::rule::{Alert, Severity};

/// An event that should follow a start.
struct Follower<'a> {
    event: &'a Keyed,
    step: &'a str,
    /// The step before, if there is one.
    before: Option<&'a str>,
    owner: Option<String>,
}

/// One for each event that ends the promise or one of its steps.
pub fn alerts(subject: &Subject<'_>) -> Vec<Alert> {
    let promise = subject.promise;
    let mut before = None;
    let mut followers = Vec::new();
    for step in &promise.steps {
        followers.push(Follower {
            event: &step.event,
            step: &step.name,
            before,
            owner: step.owner.clone(),
        });
        before = Some(step.name.as_str());
    }
    followers.push(Follower {
        event: &promise.end,
        step: END_STEP,
        before: None,
        owner: None,
    });
    followers.iter().map(|it| alert(subject, it)).collect()
}

/// Whether there may be events of its types that are not for the promise's orders.
pub fn is_shared(book: &Book<'_>, promise: &Promise, event: &Keyed) -> bool {
    let carriers = |name: &&str| {
        let topics = book.plan.topics.iter();
        topics.filter(|topic| topic.carries(name)).count()
    };
    let has_filter = |keyed: &Keyed| !keyed.event.filters.is_empty();
    has_filter(&promise.start)
        || has_filter(event)
        || book
            .types(&event.event)
            .iter()
            .any(|name| carriers(name) > 1)
}

fn alert(subject: &Subject<'_>, follower: &Follower<'_>) -> Alert {
    let Subject { book, kpi, .. } = subject;
    let (window, within) = (missing_window(subject.promise), subject.promise.within);
    // Those that started a limit ago: what should follow them is due by now.
    let started = increase("job", &book.metric(kpi, SeriesId::Started), window);
    let least = book.alerting(subject.id).minimum_orders;
    let names = book.types(&follower.event.event).join(", ");
    let is_shared = is_shared(book, subject.promise, follower.event);
    let ([none, not_one], arrived) = if is_shared {
        (
            ["none of its", "not one of its"],
            taken(subject, follower, window),
        )
    } else {
        (["no", "not one"], of_types(book, follower.event, window))
    };
    let mut alert = subject.alert("PromiseEventsMissing", Level::All, Severity::Warning);
    alert.labels.push(("step", follower.step.to_owned()));
    alert.owner = follower.owner.clone().unwrap_or(alert.owner);
    let help = &kpi.help;
    Alert {
        expression: format!(
            "{started} offset {within} >= {least}\n{arrived} > 0\n{}",
            unless_behind(kpi, Level::All, &[])
        ),
        after: minutes(5),
        summary: format!("{help}: {none} {names} for {window}"),
        description: format!(
            "{{{{ $value | humanize }}}} orders that started in {window} are due since their limit \
             of {within}, and in the last {window} {not_one} {names} arrived: either that service \
             has stopped, or its events don't reach Kafka. {}",
            pipe(book, kpi, subject.promise)
        ),
        ..alert
    }
}

/// Unless events of the types have arrived.
fn of_types(book: &Book<'_>, event: &Keyed, window: Span) -> String {
    let types = book.types(&event.event);
    let arrived = format!("{}{{{}}}", events_by_type(), is_any("type", &types));
    let arrived = if window == TEN {
        arrived
    } else {
        format!("max_over_time({arrived}[{window}])")
    };
    format!("unless sum without (type) ({arrived})")
}

/// Unless orders took them.
fn taken(subject: &Subject<'_>, follower: &Follower<'_>, window: Span) -> String {
    let Subject { book, kpi, .. } = subject;
    if follower.step == END_STEP {
        let completed = book.metric(kpi, SeriesId::Completed);
        return format!("unless {}", increase("job", &completed, window));
    }
    let here = measured(book, kpi, follower.step, window);
    match follower.before {
        None => format!("unless {here}"),
        Some(before) => {
            let before = measured(book, kpi, before, window);
            format!("and {before} > 0\nunless {here}")
        }
    }
}

/// The greatest rate of times to a step over a window; a rate looks five minutes back by itself.
fn measured(book: &Book<'_>, kpi: &Kpi, step: &str, window: Span) -> String {
    let name = book.metric(kpi, SeriesId::StepDuration);
    let (step, range) = (is("step", step), Span(window.0 - FAST.0));
    let (native, classic) = (rate("job", &name), rate("job", &format!("{name}_bucket")));
    let native = format!(
        "max_over_time(histogram_count({native}{{{step}}})[{range}:{}])",
        book.generation.interval
    );
    let classic = format!("max_over_time({classic}{{{step}, le=\"+Inf\"}}[{range}])");
    let buckets = kpi.buckets();
    let times = match (buckets.has_native(), buckets.has_classic()) {
        (true, true) => format!("\n  {native}\n  or ignoring (le) {classic}\n"),
        (true, false) => native,
        _ => classic,
    };
    format!("sum without (step, le) ({times})")
}
