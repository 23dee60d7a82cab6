//! Members that come back with another topic list. Kafka hands one with a group.instance.id what it
//! had before, and deals members with different lists different partitions: neither ends a worker.

use kafka::Settings;
use support::Kafka;

use crate::recorder::{LONG, Recorded, fill, plan, settings};

/// As `settings`, with an identity that outlives a restart: the group waits for it longer than any
/// test, so that nothing here is healed by the session's end.
fn settings_of_a_static_member(kafka: &Kafka, group: &str) -> Settings {
    let mut settings = settings(kafka, group);
    let more = [
        ("group.instance.id", group),
        ("session.timeout.ms", "300000"),
    ];
    let more = more.map(|(name, value)| (name.to_owned(), value.to_owned()));
    settings.client.extend(more);
    settings
}

fn create(kafka: &Kafka, topics: &[&str]) {
    for topic in topics {
        kafka.create_topic(topic, 2, &[]);
        fill(kafka, topic, 2, 0, 10);
    }
}

/// Two workers of a process, which are restarted at once to read other topics.
fn restart_with(topics: [&[&str]; 2], group: &str) {
    let kafka = Kafka::shared();
    let all = topics.into_iter().max_by_key(|list| list.len());
    create(kafka, all.unwrap_or_default());
    let start = |topics| {
        let settings = settings_of_a_static_member(kafka, group);
        [0, 1].map(|number| Recorded::start(number, settings.clone(), plan(topics)))
    };
    let records = |workers: &[Recorded; 2]| workers.each_ref().map(|it| it.seen().count());
    let [before, after] = topics;
    let workers = start(before);
    support::until(LONG, "both read their half", || {
        records(&workers) == [10 * before.len(); 2]
    });
    workers.iter().for_each(Recorded::stop);
    drop(workers);
    let workers = start(after);
    support::until(LONG, "both read their half of the new list", || {
        records(&workers) == [10 * after.len(); 2]
    });
    let received = |worker: &Recorded| {
        let received = worker.metric("kept_rebalances_total", &[]);
        (received.unwrap_or_default(), worker.seen().assignments)
    };
    let turned_down = |worker: &Recorded| {
        let (received, accepted) = received(worker);
        received > accepted as f64
    };
    assert!(
        workers.iter().any(turned_down),
        "an earlier assignment came: {:?}",
        workers.each_ref().map(received)
    );
    workers.iter().for_each(Recorded::stop);
}

#[test]
fn static_members_that_come_back_with_a_topic_less_read_on() {
    restart_with([&["less.kept", "less.out"], &["less.kept"]], "less");
}

#[test]
fn static_members_that_come_back_with_a_joined_topic_more_read_on() {
    restart_with([&["more.kept"], &["more.kept", "more.new"]], "more");
}

#[test]
fn a_member_waits_until_those_with_another_topic_list_are_gone() {
    let kafka = Kafka::shared();
    let topics = ["rolled.kept", "rolled.new"];
    create(kafka, &topics);
    let old = Recorded::start(0, settings(kafka, "rolled"), plan(&topics[..1]));
    old.until("all of it", |seen| seen.count() == 20);
    let new = Recorded::start(1, settings(kafka, "rolled"), plan(&topics));
    support::until(LONG, "it is turned down twice", || {
        new.metric("kept_rebalances_total", &[]) >= Some(2.0)
    });
    assert_eq!(new.seen().assignments, 0, "half a task is not read");
    let told = new.metric("kept_kafka_errors_total", &["other"]);
    assert!(told >= Some(1.0), "what goes on is told: {told:?}");
    old.stop();
    new.until("all of both", |seen| seen.count() == 40);
    new.stop();
}
