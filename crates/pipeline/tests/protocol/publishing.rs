//! Published is committed, and a view is on a lease.

use events::EventTime;
use pipeline::Input;
use pipeline::note::Note;
use pipeline::port::Notice;

use crate::plans::{MORNING, SECOND, orders};
use crate::rig::{Commits, Rig};

fn reading(records: usize) -> Rig {
    let mut rig = Rig::new(&orders());
    rig.append(0, "order.placed", records);
    rig.assign();
    rig.pass(2);
    rig
}

#[test]
fn a_new_group_commits_where_it_begins_before_it_reads() {
    let mut rig = Rig::new(&orders());
    rig.append(0, "order.placed", 5);
    rig.world.fresh_start = 2;
    rig.world.commits = Commits::Refused;
    rig.assign();
    rig.pass(3);
    assert!(
        rig.positions.is_empty(),
        "nothing is read before the start is committed"
    );
    rig.world.commits = Commits::Taken;
    rig.pass(2);
    assert_eq!(rig.sent[0][0].offset, 2);
    assert!(
        rig.sent[0][0].note.contains(" 0 1"),
        "{}: not served yet",
        rig.sent[0][0].note
    );
    assert_eq!(rig.orders(), Some(3));
}

#[test]
fn a_new_task_is_shown_when_it_has_caught_up_once() {
    let mut rig = Rig::new(&orders());
    rig.append(0, "order.placed", 50);
    rig.world.batch = 1;
    rig.assign();
    rig.pass(3);
    assert_eq!(rig.orders(), None, "30 of 50 are no picture of now");
    assert_eq!(rig.worker.tasks().catching_up, 1);
    rig.pass(4);
    assert_eq!(rig.orders(), Some(50));
    assert_eq!(rig.worker.tasks().serving, 1);
    assert_eq!(
        rig.told(|notice| matches!(notice, Notice::Serving { .. })),
        1
    );
}

#[test]
fn a_view_is_shown_only_when_its_offsets_are_committed() {
    let mut rig = reading(5);
    assert_eq!((rig.orders(), rig.committed(0)), (Some(5), Some(5)));
    rig.append(0, "order.placed", 5);
    rig.world.commits = Commits::Silent;
    rig.pass(2);
    let shown = rig.published.len();
    rig.pass(2);
    assert_eq!((rig.orders(), rig.published.len()), (Some(5), shown));
    assert_eq!(rig.sent.last().expect("one was sent")[0].offset, 10);
}

#[test]
fn a_refused_commit_publishes_nothing_and_the_next_one_does() {
    let mut rig = reading(5);
    rig.append(0, "order.placed", 1);
    rig.world.commits = Commits::Refused;
    rig.pass(3);
    assert_eq!(rig.orders(), Some(5));
    let refusals = rig.told(|notice| matches!(notice, Notice::CommitFailed { .. }));
    assert!(
        (2..=4).contains(&refusals),
        "{refusals} in 3 s: about one a second"
    );
    rig.world.commits = Commits::Taken;
    rig.pass(2);
    assert_eq!(rig.orders(), Some(6));
}

#[test]
fn one_commit_is_in_flight_and_an_unanswered_one_is_given_up() {
    let mut rig = reading(5);
    rig.world.commits = Commits::Silent;
    rig.pass(2);
    let sent = rig.sent.len();
    rig.pass(10);
    assert_eq!(rig.sent.len(), sent, "it waits for the answer");
    rig.world.commits = Commits::Taken;
    rig.pass(10);
    assert!(rig.sent.len() > sent, "not for ever");
    assert_eq!(rig.orders(), Some(5));
}

#[test]
fn the_answer_to_a_commit_that_was_given_up_publishes_nothing() {
    let mut rig = reading(5);
    rig.world.commits = Commits::Silent;
    rig.pass(20);
    let shown = rig.published.len();
    rig.step(Input::Committed {
        commit: 3,
        result: Ok(()),
    });
    assert_eq!(rig.published.len(), shown);
}

#[test]
fn the_lease_counts_from_the_sending_of_the_commit() {
    let mut rig = reading(5);
    rig.world.commits = Commits::Silent;
    let sent = rig.sent.len();
    while rig.sent.len() == sent {
        rig.pass(1);
    }
    let frozen = rig.world.now;
    // The answer comes three seconds later.
    rig.pass(3);
    rig.step(Input::Committed {
        commit: rig.sent.len() as u64,
        result: Ok(()),
    });
    let until = rig.until.0;
    assert!(
        until <= frozen + 8 * SECOND,
        "{} s too long",
        (until - frozen) / SECOND - 8
    );
    assert!(until > frozen + 6 * SECOND);
}

#[test]
fn without_commits_the_lease_ends_and_is_told_once() {
    let mut rig = reading(5);
    rig.world.commits = Commits::Refused;
    rig.pass(12);
    assert_eq!(rig.orders(), None);
    assert_eq!(rig.told(|notice| matches!(notice, Notice::Fenced)), 1);
    let tasks = rig.worker.tasks();
    assert_eq!((tasks.fenced, tasks.serving), (1, 0));
    rig.world.commits = Commits::Taken;
    rig.pass(2);
    assert_eq!(rig.orders(), Some(5));
    assert_eq!(rig.worker.tasks().serving, 1);
}

#[test]
fn an_idle_worker_renews_its_lease() {
    let mut rig = reading(5);
    rig.pass(30);
    assert_eq!(rig.orders(), Some(5));
}

#[test]
fn control_records_are_committed_past() {
    let mut rig = reading(5);
    rig.log(0).records.push(None);
    rig.pass(2);
    assert_eq!(rig.committed(0), Some(6));
}

/// By it a later owner finds how far back it has to read if the state is lost.
#[test]
fn a_commit_says_where_the_clock_stood() {
    let rig = reading(5);
    let sent = &rig.sent.last().expect("a view was published")[0];
    let note = Note::parse(&sent.note).expect("a note of ours");
    let fourth = EventTime(MORNING + 4 * SECOND);
    assert_eq!((sent.offset, note.clock), (5, Some(fourth)));
}
