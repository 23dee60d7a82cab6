//! Topics that are deleted and made anew: noticed by their id or by records, told once a task, and
//! begun anew by all tasks of a worker at once.

use catalogue::plan::TopicId;
use pipeline::Input;
use pipeline::log_id::LogId;
use pipeline::note::Note;
use pipeline::port::Notice;

use crate::plans::{joined, orders};
use crate::restarts::crashed;
use crate::rig::{Commits, Rig};

fn id(number: u128) -> LogId {
    LogId::new(number).expect("not zero")
}

/// What was told of logs that are other ones.
fn told(rig: &Rig) -> Vec<&str> {
    let told = rig.notices.iter().filter_map(|notice| match notice {
        Notice::Recreated { detail, .. } => Some(detail.as_str()),
        _ => None,
    });
    told.collect()
}

/// The topic is made anew, with these records and another id, or one that nobody tells.
fn recreate(rig: &mut Rig, topic: u16, told: Option<LogId>, kind: &str, count: usize) {
    let log = rig.log(topic);
    log.records.clear();
    log.id = told;
    rig.append(topic, kind, count);
}

fn observe(rig: &mut Rig, topic: u16, number: u128) {
    rig.step(Input::LogObserved {
        topic: TopicId(topic),
        log: id(number),
    });
}

/// Ten orders are read of a topic, which is then made anew and filled beyond them; the brokers say so.
pub fn live(rig: &mut Rig) {
    rig.log(0).id = Some(id(1));
    rig.append(0, "order.placed", 10);
    rig.assign();
    rig.pass(4);
    assert_eq!(rig.orders(), Some(10));
    recreate(rig, 0, Some(id(2)), "order.refunded", 10);
    rig.append(0, "order.placed", 5);
    rig.pass(1);
    observe(rig, 0, 2);
}

#[test]
fn a_topic_made_anew_while_it_is_read_begins_anew() {
    let mut rig = Rig::new(&orders());
    live(&mut rig);
    assert_eq!(rig.orders(), None, "nothing of two logs is shown");
    rig.pass(3);
    assert_eq!((rig.orders(), rig.committed(0)), (Some(5), Some(15)));
    assert_eq!((told(&rig).len(), rig.started_over), (1, 1));
    let said = told(&rig)[0];
    assert!(
        said.contains(&id(1).to_string()) && said.contains(&id(2).to_string()),
        "{said}"
    );
    // The old snapshots are of another lineage.
    let mut rig = rig.restart();
    rig.assign();
    rig.pass(3);
    assert_eq!((told(&rig).len(), rig.orders()), (0, Some(5)));
}

#[test]
fn the_same_topic_seen_again_changes_nothing() {
    let mut rig = Rig::new(&orders());
    rig.append(0, "order.placed", 10);
    rig.assign();
    rig.pass(2);
    // The first time that the brokers tell its id.
    for _ in 0..3 {
        observe(&mut rig, 0, 1);
        rig.pass(1);
    }
    assert_eq!((rig.started_over, rig.orders()), (0, Some(10)));
    let note = rig.sent.last().expect("it commits").last();
    let note = Note::parse(&note.expect("of one partition").note).expect("it is ours");
    assert_eq!(note.log, Some(id(1)), "it is remembered from then on");
    observe(&mut rig, 0, 2);
    rig.pass(1);
    assert_eq!(rig.started_over, 1);
}

#[test]
fn a_view_whose_commit_is_on_its_way_is_not_shown_after_all() {
    let mut rig = Rig::new(&orders());
    rig.log(0).id = Some(id(1));
    rig.append(0, "order.placed", 10);
    rig.assign();
    rig.pass(4);
    rig.append(0, "order.placed", 1);
    rig.deliver();
    rig.world.now += 1_000_000;
    // Sent, not answered.
    rig.tick();
    observe(&mut rig, 0, 2);
    let published = rig.published.iter().map(|it| it.0.len()).sum::<usize>();
    rig.settle();
    let after = rig.published.iter().map(|it| it.0.len()).sum::<usize>();
    assert_eq!((rig.orders(), published), (None, after));
}

#[test]
fn before_anything_was_read_the_topic_id_tells() {
    let mut rig = Rig::new(&orders());
    rig.log(0).id = Some(id(1));
    rig.assign();
    rig.pass(2);
    let mut rig = rig.restart();
    rig.world.heads.clear();
    recreate(&mut rig, 0, Some(id(2)), "order.placed", 3);
    rig.assign();
    rig.pass(3);
    assert_eq!((told(&rig).len(), rig.orders()), (1, Some(3)));
}

/// Brokers that don't tell topics apart, and no snapshot: the log has as many records as before.
#[test]
fn without_snapshots_and_ids_the_committed_record_tells() {
    let mut rig = crashed();
    rig.world.heads.clear();
    rig.log(0).records.clear();
    rig.append(0, "order.refunded", 15);
    rig.append(0, "order.placed", 6);
    rig.assign();
    rig.pass(4);
    assert_eq!(told(&rig), ["the record at offset 14 is another one"]);
    assert_eq!((rig.orders(), rig.committed(0)), (Some(6), Some(21)));
}

#[test]
fn with_its_own_id_a_topic_is_the_one_it_was() {
    let mut rig = Rig::new(&orders());
    rig.log(0).id = Some(id(1));
    rig.append(0, "order.placed", 10);
    rig.assign();
    rig.pass(4);
    let mut rig = rig.restart();
    // Unknown is no evidence.
    rig.log(0).id = None;
    rig.assign();
    rig.pass(2);
    let mut rig = rig.restart();
    rig.log(0).id = Some(id(1));
    rig.assign();
    rig.pass(2);
    assert_eq!((told(&rig).len(), rig.orders()), (0, Some(10)));
    // What was known is still known after it could not be asked for once.
    let mut rig = rig.restart();
    rig.log(0).id = Some(id(2));
    rig.assign();
    rig.pass(2);
    assert_eq!(told(&rig).len(), 1);
}

#[test]
fn both_topics_of_a_join_made_anew_are_one_notice_and_one_beginning() {
    for ids in [true, false] {
        let mut rig = Rig::new(&joined());
        let told_id = |number| ids.then(|| id(number));
        for topic in [0, 1] {
            rig.log(topic).id = told_id(1 + u128::from(topic));
        }
        rig.append(0, "order.placed", 10);
        rig.append(1, "order.fulfilled", 4);
        rig.assign();
        rig.pass(4);
        let mut rig = rig.restart();
        recreate(&mut rig, 0, told_id(11), "order.fulfilled", 12);
        rig.append(0, "order.placed", 3);
        recreate(&mut rig, 1, told_id(12), "order.placed", 6);
        rig.assign();
        rig.pass(4);
        assert_eq!(told(&rig).len(), 1, "{:?}", rig.notices);
        assert!(told(&rig)[0].contains("; and topic"), "{:?}", rig.notices);
        assert_eq!(
            rig.started_over,
            usize::from(!ids),
            "both are looked at in one go"
        );
        assert_eq!((rig.committed(0), rig.committed(1)), (Some(15), Some(6)));
    }
}

#[test]
fn a_topic_made_anew_while_its_task_was_given_back_is_noticed_in_memory() {
    let mut rig = Rig::new(&orders());
    rig.log(0).id = Some(id(1));
    rig.append(0, "order.placed", 10);
    rig.assign();
    rig.pass(4);
    let place = rig.share[0];
    rig.step(Input::Revoked);
    rig.settle();
    // Its offset has expired meanwhile, too.
    rig.world.committed.remove(&place);
    recreate(&mut rig, 0, Some(id(2)), "order.placed", 12);
    rig.assign();
    rig.pass(3);
    assert_eq!((told(&rig).len(), rig.orders()), (1, Some(12)));
}

#[test]
fn an_offset_moved_beyond_the_end_of_the_same_log_is_the_end() {
    let mut rig = crashed();
    rig.log(0).id = Some(id(1));
    let place = rig.share[0];
    rig.world.committed.insert(place, (1000, String::new()));
    rig.assign();
    rig.pass(3);
    let said = rig.told(|notice| {
        matches!(
            notice,
            Notice::ForeignCommit {
                offset: 1000,
                end: Some(15),
                ..
            }
        )
    });
    assert_eq!((said, told(&rig).len()), (1, 0), "{:?}", rig.notices);
    assert_eq!((rig.orders(), rig.committed(0)), (Some(15), Some(15)));
    rig.append(0, "order.placed", 2);
    rig.pass(2);
    assert_eq!(rig.orders(), Some(17));
}

#[test]
fn a_brand_new_group_moved_beyond_the_end_begins_at_the_end() {
    let mut rig = Rig::new(&orders());
    rig.log(0).id = Some(id(1));
    rig.append(0, "order.placed", 5);
    let place = rig.share[0];
    rig.world.committed.insert(place, (1000, String::new()));
    rig.assign();
    rig.append(0, "order.placed", 2);
    rig.pass(3);
    assert_eq!(
        (rig.orders(), rig.committed(0)),
        (Some(2), Some(7)),
        "{:?}",
        rig.notices
    );
}

/// The other worker goes on in this one's world until it is given back.
fn meanwhile(rig: &mut Rig, seconds: i64) -> Rig {
    let mut other = Rig::new(&rig.plan);
    std::mem::swap(&mut other.world, &mut rig.world);
    other.assign();
    other.pass(seconds);
    other.step(Input::Stopping);
    other.settle();
    std::mem::swap(&mut other.world, &mut rig.world);
    other
}

#[test]
fn what_was_found_before_another_worker_began_anew_counts_no_more() {
    let mut rig = Rig::new(&orders());
    live(&mut rig);
    // Out of the group before the share is begun again.
    rig.step(Input::Lost);
    rig.settle();
    let other = meanwhile(&mut rig, 12);
    assert_eq!((told(&other).len(), other.orders()), (1, Some(5)));
    // Read from its start again, the log would give fewer.
    rig.log(0).start = 12;
    rig.assign();
    rig.pass(3);
    assert_eq!((told(&rig).len(), rig.orders()), (0, Some(5)));
}

#[test]
fn what_was_found_counts_if_the_other_worker_went_on_as_before() {
    let mut rig = Rig::new(&orders());
    live(&mut rig);
    rig.step(Input::Lost);
    rig.settle();
    // Nobody has committed anything since.
    rig.log(0).id = None;
    rig.assign();
    rig.pass(3);
    assert_eq!((told(&rig).len(), rig.orders()), (1, Some(5)));
}

#[test]
fn of_a_join_half_a_new_beginning_settles_nothing() {
    let mut rig = Rig::new(&joined());
    rig.log(0).id = Some(id(1));
    rig.log(1).id = Some(id(2));
    rig.append(0, "order.placed", 10);
    rig.append(1, "order.fulfilled", 4);
    rig.assign();
    rig.pass(4);
    let before = rig.world.committed.clone();
    recreate(&mut rig, 0, Some(id(3)), "order.placed", 12);
    observe(&mut rig, 0, 3);
    rig.step(Input::Lost);
    rig.settle();
    meanwhile(&mut rig, 3);
    let place = rig.share[1];
    rig.world.committed.insert(place, before[&place].clone());
    rig.assign();
    rig.pass(3);
    assert_eq!(told(&rig).len(), 1, "{:?}", rig.notices);
}

#[test]
fn a_broker_that_is_behind_does_not_bring_an_old_topic_back() {
    let mut rig = Rig::new(&orders());
    live(&mut rig);
    rig.pass(3);
    assert_eq!((rig.orders(), rig.started_over), (Some(5), 1));
    // While it is read.
    observe(&mut rig, 0, 1);
    rig.pass(3);
    assert_eq!((rig.orders(), rig.started_over), (Some(5), 1));
    // And at an assignment.
    rig.log(0).id = Some(id(1));
    rig.assign();
    rig.pass(3);
    assert_eq!((rig.orders(), told(&rig).len()), (Some(5), 1));
    // One that is really another one is still noticed.
    recreate(&mut rig, 0, Some(id(3)), "order.placed", 20);
    observe(&mut rig, 0, 3);
    rig.pass(3);
    assert_eq!((rig.orders(), told(&rig).len()), (Some(20), 2));
}

#[test]
fn a_topic_that_was_left_at_an_assignment_does_not_come_back() {
    let mut rig = Rig::new(&orders());
    rig.log(0).id = Some(id(1));
    rig.append(0, "order.placed", 10);
    rig.assign();
    rig.pass(4);
    let mut rig = rig.restart();
    recreate(&mut rig, 0, Some(id(2)), "order.placed", 3);
    rig.assign();
    rig.pass(3);
    observe(&mut rig, 0, 1);
    rig.pass(3);
    let told = told(&rig).len();
    assert_eq!((rig.orders(), told, rig.started_over), (Some(3), 1, 0));
}

/// What is committed of a topic goes with it: nothing but memory tells that it is another one.
#[test]
fn a_second_topic_whose_offsets_went_with_it_is_read_from_its_start() {
    let mut rig = Rig::new(&joined());
    rig.log(0).id = Some(id(1));
    rig.log(1).id = Some(id(2));
    rig.append(0, "order.placed", 10);
    rig.append(1, "order.fulfilled", 4);
    rig.assign();
    rig.pass(4);
    recreate(&mut rig, 0, Some(id(3)), "order.placed", 12);
    recreate(&mut rig, 1, Some(id(4)), "order.fulfilled", 6);
    rig.world.committed.clear();
    // As `latest` means it.
    rig.world.fresh_start = 6;
    observe(&mut rig, 0, 3);
    rig.world.commits = Commits::Refused;
    rig.tick();
    rig.settle();
    rig.world.commits = Commits::Taken;
    rig.pass(4);
    assert_eq!(told(&rig).len(), 1, "{:?}", rig.notices);
    assert!(told(&rig)[0].contains("; and topic"), "{:?}", rig.notices);
    assert_eq!(rig.orders(), Some(12));
    assert_eq!((rig.committed(0), rig.committed(1)), (Some(12), Some(6)));
}
