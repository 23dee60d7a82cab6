//! `/api/overdue` while not everything is shown: an empty list must not be taken for "nobody waits".
#![allow(clippy::disallowed_methods, reason = "tests on real sockets")]

mod rig;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use rig::{Rig, order, showing, sources, view};
use server::Sources;

const FENCED: &str = "2 tasks are fenced: no commit went through for as long as a lease";

/// With topics of so many partitions, and not ready for this reason.
fn lacking(mut sources: Sources, partitions: i32, reason: &'static str) -> Sources {
    let known = BTreeMap::from([("shop.events".to_owned(), partitions)]);
    sources.page.partitions = Arc::new(move || known.clone());
    sources.ready = Arc::new(move || Err(reason.to_owned()));
    sources
}

#[test]
fn while_nothing_is_shown_nobody_is_said_to_wait_for_nothing() {
    let mut sources = lacking(sources(&["fulfilment"]), 2, FENCED);
    sources.overdue = Arc::new(|_, _| panic!("no task is asked"));
    let rig = Rig::start(sources);
    let answer = rig.get("/api/overdue");
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (503, "application/json")
    );
    assert_eq!(answer.text(), format!("{{\"error\":\"{FENCED}\"}}"));
    // Which question it is, is said first.
    assert_eq!(rig.get("/api/overdue?kpi=x").status, 404);
}

#[test]
fn an_instance_without_a_partition_sends_to_the_others() {
    let answer = Rig::start(sources(&["fulfilment"])).get("/api/overdue");
    assert_eq!(answer.status, 503);
    let error = "this instance has no partition of it: ask the others of its group";
    assert_eq!(answer.text(), format!("{{\"error\":\"{error}\"}}"));
}

#[test]
fn a_lease_that_ends_while_tasks_are_asked_makes_the_answer_void() {
    let left = Arc::new(AtomicI32::new(1));
    let mut sources = lacking(sources(&["fulfilment"]), 2, FENCED);
    let shown = Arc::clone(&left);
    sources.views = Arc::new(move || (0..shown.load(Ordering::SeqCst)).map(view).collect());
    sources.overdue = Arc::new(move |_, _| {
        left.store(0, Ordering::SeqCst);
        Ok(Vec::new())
    });
    assert_eq!(Rig::start(sources).get("/api/overdue").status, 503);
}

#[test]
fn an_answer_says_of_how_many_partitions_it_is() {
    let mut sources = lacking(
        showing(3, &["fulfilment"]),
        4,
        "1 tasks are catching up\nbröken\r\n",
    );
    sources.overdue = Arc::new(|_, _| Ok(vec![order("o-1", 100, 1)]));
    let answer = Rig::start(sources).get("/api/overdue");
    assert_eq!(answer.status, 200);
    assert!(answer.text().starts_with("[{\"kpi\":"), "{answer:?}");
    assert_eq!(answer.header("kept-partitions"), "3 of 4");
    let reasons = "1 tasks are catching up; br?ken";
    assert_eq!(answer.header("kept-not-ready"), reasons);
}

#[test]
fn what_the_topics_have_is_left_out_while_it_is_not_known() {
    let answer = Rig::start(showing(2, &["fulfilment"])).get("/api/overdue");
    assert_eq!((answer.status, answer.text()), (200, "[]"));
    assert_eq!(answer.header("kept-partitions"), "2");
    assert_eq!(answer.header("kept-not-ready"), "");
}
