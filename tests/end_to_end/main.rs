//! From an incident to the person who is woken: real processes, the rules, alerts and routes as
//! they are shipped, and the times that it took.
//!
//! Each case is a stack of its own: Kafka, `kept shop`, `kept run`, Prometheus, Alertmanager and the
//! receivers. Alerts look at minutes, so a case takes up to half an hour; all cases run side by side, at
//! a low rate, within one test. Its table of times is printed at the end, also when it passes.
#![allow(
    clippy::disallowed_methods,
    reason = "the test is about processes and about minutes that pass"
)]

mod case;
mod heard;
mod outcome;
mod past;
mod queries;
mod stack;

use std::io::Write as _;
use std::thread;

use case::{CASES, Case};
use outcome::Outcome;

#[test]
fn incidents_page_their_owner_and_nothing_else_does() {
    let running: Vec<_> = CASES
        .iter()
        .map(|case| {
            let thread = thread::Builder::new().name(case.name.to_owned());
            let thread = thread.spawn(|| case::play(case));
            (case, thread.expect("a thread can be started"))
        })
        .collect();
    let outcomes: Vec<Outcome> = running
        .into_iter()
        .map(|(case, thread)| thread.join().unwrap_or_else(|_| ended_early(case)))
        .collect();
    let table = outcome::table(&outcomes);
    // Not by `println!`, whose text a passing test keeps to itself.
    let _ = std::io::stderr().write_all(table.as_bytes());
    let failures: Vec<String> = outcomes.iter().flat_map(Outcome::failures).collect();
    assert!(failures.is_empty(), "{}\n{table}", failures.join("\n"));
}

/// What was wrong is said above, by the thread of that name.
fn ended_early(case: &Case) -> Outcome {
    let mut outcome = Outcome::new(case.name);
    outcome.fail("it could not be played to its end");
    outcome
}
