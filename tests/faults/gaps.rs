//! Fault 14 of issue 4: retention took records that were never read. They are counted exactly, or
//! the service stops and says so, as it was told. And its neighbours: topics that were deleted and
//! created again, and a group whose offsets have expired.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use support::{Kept, within};

use crate::agreement::Truth;
use crate::files;
use crate::stage::{PARTITIONS, Stage, await_metrics, await_words};

const LONG: Duration = Duration::from_secs(60);
/// Longer than a broker holds a fetch for which there is nothing.
const FETCHED: Duration = Duration::from_secs(2);
/// From a fetch that found another log until its look-up waits for the second answer.
const LOOKED_UP: Duration = Duration::from_millis(600);
/// One partition of each half of them.
const CUT: [i32; 2] = [1, 6];

#[test]
fn retention_overtakes_the_snapshot_and_the_gap_is_counted_exactly() {
    let mut stage = Stage::new("gap", 114);
    let config = stage.config();
    let (before, gap) = overtaken(&mut stage, &config, End::Stopped);
    let kept = stage.run(&config);
    await_metrics(&kept, "the gap is counted", |samples| {
        samples.sum("kept_log_gap_records_total", &[]) == Some(gap as f64)
    });
    stage.sell_at_once(4000);
    let truth = Truth::at_the_end(&stage, &config).with(&before);
    truth.agrees(&stage, &[&kept]);
}

/// What was committed after the last snapshot was read once: only what comes after it is a gap. The
/// totals that begin at 0 are saved before anybody sees them, so that another crash changes nothing.
#[test]
fn retention_overtakes_a_crash_and_only_what_nobody_had_read_is_a_gap() {
    let mut stage = Stage::new("crashed", 714);
    let seldom = |config: String| config.replace("_every = \"1s\"", "_every = \"1h\"");
    let config = seldom(stage.config());
    let (_, gap) = overtaken(&mut stage, &config, End::Killed);
    let counted = |kept: &Kept| {
        await_metrics(kept, "the gap is counted", |samples| {
            samples.sum("kept_log_gap_records_total", &[]) == Some(gap as f64)
        });
    };
    let mut kept = stage.run(&config);
    counted(&kept);
    await_words(&kept, "that were read before");
    await_words(&kept, "no record is missed");
    kept.kill();
    let kept = stage.run(&config);
    counted(&kept);
    let log = kept.log();
    assert!(!log.contains("totals begin at 0"), "once more:\n{log}");
}

#[test]
fn retention_overtakes_the_snapshot_and_the_service_stops() {
    let mut stage = Stage::new("halt", 214);
    let config = stage
        .config()
        .replace("[state]\n", "[state]\nlog_gap = \"stop\"\n");
    overtaken(&mut stage, &config, End::Stopped);
    let mut kept = stage.start(&config);
    let status = within(LONG, "it ends", || kept.process().ended());
    let log = kept.log();
    assert!(!status.success(), "{status}: {log}");
    for words in ["halt.", "log_gap"] {
        assert!(log.contains(words), "it says {words:?}:\n{log}");
    }
}

/// The new log is shorter than what was read of the old one, or longer: then only the record before
/// the next one tells that it is another log.
#[test]
fn a_topic_that_was_created_again_begins_anew() {
    for (name, first, then) in [("shorter", 8000, 3000), ("longer", 4000, 12_000)] {
        let mut stage = Stage::new(name, 314);
        let config = stage.config();
        recreated(&mut stage, &config, first, then);
        let kept = stage.run(&config);
        let truth = Truth::read(&stage, &config);
        assert_eq!(truth.len(), then);
        truth.agrees(&stage, &[&kept]);
        await_words(&kept, &format!("{name}.orders"));
    }
}

#[test]
fn a_topic_that_was_created_again_stops_the_service_that_was_told_so() {
    let mut stage = Stage::new("replaced", 414);
    let config = stage
        .config()
        .replace("[state]\n", "[state]\nlog_gap = \"stop\"\n");
    recreated(&mut stage, &config, 4000, 8000);
    let mut kept = stage.start(&config);
    let status = within(LONG, "it ends", || kept.process().ended());
    let log = kept.log();
    assert!(!status.success(), "{status}: {log}");
    assert!(log.contains("replaced."), "it names the topic:\n{log}");
}

/// Filled beyond what was read before anybody looks: each task notices both of its logs by their
/// topics' ids, at once and once, and counts the new ones only. The two workers notice each by
/// itself: the tasks of one may be shown again, from the start, before those of the other are told.
#[test]
fn a_topic_that_is_created_again_while_it_is_read_begins_anew() {
    let mut stage = Stage::new("underneath", 614);
    let config = stage.config().replace("workers = 1", "workers = 2");
    stage.sell_at_once(4000);
    let kept = stage.run(&config);
    Truth::read(&stage, &config).agrees(&stage, &[&kept]);
    // A second time would be a fall.
    stage.watcher.history().allow_anew(0..PARTITIONS);
    create_again(&stage);
    stage.sell_at_once(20_000);
    await_noticed(&stage, &kept);
    let truth = Truth::read(&stage, &config);
    assert_eq!(truth.len(), 20_000);
    truth.agrees(&stage, &[&kept]);
    let noticed = noticed(&stage, &kept);
    assert!(noticed.values().all(|lines| *lines == 1), "{noticed:?}");
    let log = kept.log();
    let told = log.matches("is not the log it was").count();
    assert_eq!(told, PARTITIONS as usize, "one line for both:\n{log}");
    await_words(&kept, "its topic id was");
}

/// The second topic is gone and there again while it is looked up where the new first one begins. A
/// look-up with its old id and its new offsets would be told twice, and begun anew twice.
#[test]
fn a_topic_that_is_created_again_while_another_one_is_looked_up_is_told_once() {
    let mut stage = Stage::new("meanwhile", 914);
    let config = stage.config();
    stage.sell_at_once(4000);
    let kept = stage.run(&config);
    Truth::read(&stage, &config).agrees(&stage, &[&kept]);
    stage.watcher.history().allow_anew(0..PARTITIONS);
    let [first, second] = &stage.topics()[..] else {
        panic!("the shop has two topics");
    };
    for topic in [first, second] {
        stage.kafka().delete_topic(topic);
        stage.kafka().await_gone(topic);
        stage.kafka().create_topic(topic, PARTITIONS, &[]);
        if topic == first {
            // Then it is looked up, and its id asked for a second time a second later. Nothing tells
            // when: not every run hits it, and in each the other topic is told once.
            await_words(&kept, "requested offset not available");
            let seen = Instant::now();
            within(LONG, "it is looked up", || {
                (seen.elapsed() > LOOKED_UP).then_some(())
            });
        }
    }
    // Nothing is counted between two beginnings.
    await_noticed(&stage, &kept);
    stage.sell_at_once(12_000);
    Truth::read(&stage, &config).agrees(&stage, &[&kept]);
    let noticed = noticed(&stage, &kept);
    assert!(noticed.values().all(|lines| *lines == 1), "{noticed:?}");
}

/// One task of each of two workers has lost what comes next while both stood still. The other tasks
/// are not concerned, and those two lose nothing but what nobody had read: the group isn't left, so
/// what is in memory and not saved stays with the worker that it belongs to.
#[test]
fn a_log_that_is_cut_while_it_is_read_concerns_no_other_task() {
    let mut stage = Stage::new("cut", 814);
    let config = stage.config();
    let config = config.replace("workers = 1", "workers = 2");
    let config = config.replace("_every = \"1s\"", "_every = \"1h\"");
    // Longer than the process stands still: the group never takes it for gone.
    let config = config.replace("timeout.ms\" = 4000", "timeout.ms\" = 45000");
    stage.sell_at_once(8000);
    let kept = stage.run(&config);
    Truth::read(&stage, &config).agrees(&stage, &[&kept]);
    files::await_heads(&stage, 1);
    stage.sell_at_once(4000);
    let before = Truth::read(&stage, &config);
    before.agrees(&stage, &[&kept]);
    let rebalances = kept.scrape().sum("kept_rebalances_total", &[]);
    assert!(rebalances >= Some(2.0), "two workers: {rebalances:?}");

    kept.pause();
    let paused = Instant::now();
    // What a fetch that is under way brings would be read as soon as the process goes on.
    within(LONG, "no fetch waits for records", || {
        (paused.elapsed() > FETCHED).then_some(())
    });
    let topic = stage.topics().remove(1);
    let read = stage.kafka().marks(&topic);
    stage.sell_at_once(8000);
    let there = stage.kafka().marks(&topic);
    let mut gap = 0;
    for partition in CUT {
        let (read, there) = (read[&partition].1, there[&partition].1);
        let cut = read + (there - read) / 2;
        assert!(cut > read, "something is lost");
        stage.kafka().delete_records(&topic, partition, cut);
        gap += cut - read;
    }
    kept.resume();

    await_metrics(&kept, "the gap is counted", |samples| {
        samples.sum("kept_log_gap_records_total", &[]) == Some(gap as f64)
    });
    let truth = Truth::at_the_end(&stage, &config).with(&before);
    truth.agrees(&stage, &[&kept]);
    let now = kept.scrape();
    let count = |name: &str| now.sum(name, &[]);
    assert_eq!(count("kept_rebalances_total"), rebalances, "nobody left");
    assert_eq!(count("kept_state_lost_total"), Some(0.0), "{}", kept.log());
    assert_eq!(count("kept_log_gap_records_total"), Some(gap as f64));
}

/// Waits until it was said of every partition of every topic that it isn't the log it was.
fn await_noticed(stage: &Stage, kept: &Kept) {
    within(2 * LONG, "every log is noticed", || {
        let noticed = noticed(stage, kept);
        noticed.values().all(|lines| *lines > 0).then_some(())
    });
}

/// How many lines say of a partition of a topic that it isn't the log it was.
fn noticed(stage: &Stage, kept: &Kept) -> BTreeMap<(String, i32), usize> {
    let log = kept.log();
    let mut noticed = BTreeMap::new();
    for topic in stage.topics() {
        for partition in 0..PARTITIONS {
            let words = format!("partition {partition} is not the log it was");
            let first = format!("{topic} {words}");
            let also = format!("and topic {topic}:");
            let lines = log.lines().filter(|line| line.contains(&words));
            let lines = lines.filter(|line| line.contains(&first) || line.contains(&also));
            noticed.insert((topic.clone(), partition), lines.count());
        }
    }
    noticed
}

/// Nothing is committed any more, but the snapshots say how far it was.
#[test]
fn a_group_whose_offsets_have_expired_goes_on_from_its_snapshots() {
    let mut stage = Stage::new("expired", 514);
    let config = stage.config();
    stage.sell_at_once(8000);
    let mut kept = stage.run(&config);
    Truth::read(&stage, &config).agrees(&stage, &[&kept]);
    assert!(kept.terminate().success(), "{}", kept.log());
    stage.kafka().forget_group(stage.name);
    stage.sell_at_once(4000);
    // Without its snapshots it would count from here: the beginning is gone.
    let cut: Vec<_> = files::heads(&stage)
        .into_iter()
        .map(|(partition, heads)| (partition, files::offsets(heads.last().expect("one"))))
        .collect();
    let before = Truth::read(&stage, &config);
    for (partition, offsets) in cut {
        for (topic, offset) in stage.topics().iter().zip(offsets) {
            stage.kafka().delete_records(topic, partition, offset);
        }
    }
    let kept = stage.run(&config);
    Truth::at_the_end(&stage, &config)
        .with(&before)
        .agrees(&stage, &[&kept]);
}

/// All is read, the service stops, and its topics are deleted and created with other records.
fn recreated(stage: &mut Stage, config: &str, first: usize, then: usize) {
    stage.sell_at_once(first);
    let mut kept = stage.run(config);
    Truth::read(stage, config).agrees(stage, &[&kept]);
    assert!(kept.terminate().success(), "{}", kept.log());
    create_again(stage);
    stage.sell_at_once(then);
    stage.watcher.history().forget();
}

/// All are gone before the first is there again: a task that had begun anew on one of them would
/// do so once more for the next, and the records that it had counted in between count no more.
fn create_again(stage: &Stage) {
    for topic in stage.topics() {
        stage.kafka().delete_topic(&topic);
    }
    for topic in stage.topics() {
        stage.kafka().await_gone(&topic);
    }
    for topic in stage.topics() {
        stage.kafka().create_topic(&topic, PARTITIONS, &[]);
    }
}

/// How a service ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// It is asked to: what is committed is saved.
    Stopped,
    /// kill -9: more is committed than saved.
    Killed,
}

/// All is read, the service ends, the shop sells on, and half of what is new is deleted. Gives
/// what was read, and how many records were never.
fn overtaken(stage: &mut Stage, config: &str, end: End) -> (Truth, i64) {
    stage.sell_at_once(10_000);
    let mut kept = stage.run(config);
    let before = Truth::read(stage, config);
    before.agrees(stage, &[&kept]);
    match end {
        End::Stopped => assert!(kept.terminate().success(), "{}", kept.log()),
        End::Killed => {
            files::await_heads(stage, 1);
            stage.sell_at_once(4000);
            Truth::read(stage, config).agrees(stage, &[&kept]);
            kept.kill();
        }
    }
    let ends: Vec<_> = stage
        .topics()
        .iter()
        .map(|topic| stage.kafka().marks(topic))
        .collect();
    stage.sell_at_once(10_000);
    let mut gap = 0;
    for (topic, ends) in stage.topics().iter().zip(&ends) {
        let marks = stage.kafka().marks(topic);
        for partition in 0..PARTITIONS {
            let (read, there) = (ends[&partition].1, marks[&partition].1);
            let cut = match (partition % 3, end) {
                // Not all partitions are hit.
                (0, End::Stopped) => continue,
                (0, End::Killed) => read,
                _ => read + (there - read) / 2,
            };
            assert!(cut > read || partition % 3 == 0, "something is lost");
            stage.kafka().delete_records(topic, partition, cut);
            gap += cut - read;
        }
    }
    eprintln!("{}: {gap} records are gone unread", stage.name);
    (before, gap)
}
