//! Producers whose events come from the future, or so late that all of them are late.
//!
//! The limit is each topic's own lateness. That of most topics is asked of all topics that no other
//! rule names, whatever they are called: the rules as shipped serve topics of other names too.

use events::Span;

use super::kept::{Say, alert};
use crate::book::Book;
use crate::promql::{is_any, is_none, minutes};
use crate::recording::kept::mean_delay;
use crate::rule::{Alert, Severity};

/// Clocks of servers differ by milliseconds; of those without time synchronisation by more.
const AHEAD_SECONDS: i64 = 2;

/// One for each lateness, in the order of the topics.
pub fn alerts(book: &Book<'_>) -> Vec<Alert> {
    let limits = limits(book);
    let most = limits.iter().map(|(_, topics)| topics.len()).max();
    let usual = limits
        .iter()
        .position(|(_, topics)| Some(topics.len()) == most);
    let matcher = |at: usize| {
        if Some(at) != usual {
            return format!("{{{}}}", is_any("topic", &limits[at].1));
        }
        let others = limits.iter().enumerate().filter(|(other, _)| *other != at);
        let others: Vec<&str> = others.flat_map(|(_, (_, topics))| topics.clone()).collect();
        if others.is_empty() {
            String::new()
        } else {
            format!("{{{}}}", is_none("topic", &others))
        }
    };
    let all = limits.iter().enumerate();
    all.map(|(at, (lateness, _))| skewed(book, *lateness, &matcher(at)))
        .collect()
}

/// The topics of each lateness.
fn limits<'a>(book: &Book<'a>) -> Vec<(Span, Vec<&'a str>)> {
    let mut limits: Vec<(Span, Vec<&str>)> = Vec::new();
    for topic in &book.plan.topics {
        let of_same = limits.iter_mut().find(|limit| limit.0 == topic.lateness);
        match of_same {
            Some((_, topics)) => topics.push(&topic.name),
            None => limits.push((topic.lateness, vec![&topic.name])),
        }
    }
    limits
}

fn skewed(book: &Book<'_>, lateness: Span, matcher: &str) -> Alert {
    let delay = format!("{}{matcher}", mean_delay());
    let mut alert = alert(
        book,
        Say {
            name: "KeptProducerSkewed",
            severity: Severity::Warning,
            expression: format!(
                "{delay} > {}\nor {delay} < -{AHEAD_SECONDS}",
                lateness.seconds()
            ),
            after: minutes(5),
            // `slice` takes the sign off.
            summary: "Events of {{ $labels.source }} \
                      {{ if lt $value 0.0 }}arrive {{ slice (humanizeDuration $value) 1 }} before \
                      they happen\
                      {{ else }}are {{ $value | humanizeDuration }} old on arrival{{ end }}",
            description: "Over 10m the events of {{ $labels.source }} on {{ $labels.topic }} reached \
                          Kafka {{ if lt $value 0.0 }}{{ slice (humanizeDuration $value) 1 }} before \
                          they happened, by the producer's own clock: that clock is fast\
                          {{ else }}{{ $value | humanizeDuration }} after they happened, by the \
                          producer's own clock: that clock is slow, or it holds events back\
                          {{ end }}. It is the pipe, not the shop.",
        },
    );
    alert.labels.push(("limit", lateness.to_string()));
    alert
}
