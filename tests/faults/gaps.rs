//! Fault 14 of issue 4: retention took records that were never read. They are counted exactly, or
//! the service stops and says so, as it was told.

use std::time::Duration;

use support::within;

use crate::agreement::Truth;
use crate::stage::{PARTITIONS, Stage, await_metrics};

const LONG: Duration = Duration::from_secs(60);

#[test]
fn retention_overtakes_the_snapshot_and_the_gap_is_counted_exactly() {
    let mut stage = Stage::new("gap", 114);
    let config = stage.config();
    let (before, gap) = overtaken(&mut stage, &config);
    let kept = stage.run(&config);
    await_metrics(&kept, "the gap is counted", |samples| {
        samples.sum("kept_log_gap_records_total", &[]) == Some(gap as f64)
    });
    stage.sell_at_once(4000);
    let truth = Truth::read(&stage, &config).with(&before);
    truth.agrees(&stage, &[&kept]);
}

#[test]
fn retention_overtakes_the_snapshot_and_the_service_stops() {
    let mut stage = Stage::new("halt", 214);
    let config = stage
        .config()
        .replace("[state]\n", "[state]\nlog_gap = \"stop\"\n");
    overtaken(&mut stage, &config);
    let mut kept = stage.start(&config);
    let status = within(LONG, "it ends", || kept.process().ended());
    let log = kept.log();
    assert!(!status.success(), "{status}: {log}");
    for words in ["halt.", "log_gap"] {
        assert!(log.contains(words), "it says {words:?}:\n{log}");
    }
}

/// All is read, the service stops, the shop sells on, and half of what is new is deleted. Gives
/// what was read, and how many records were never.
fn overtaken(stage: &mut Stage, config: &str) -> (Truth, i64) {
    stage.sell_at_once(10_000);
    let mut kept = stage.run(config);
    let before = Truth::read(stage, config);
    before.agrees(stage, &[&kept]);
    assert!(kept.terminate().success(), "{}", kept.log());
    let ends: Vec<_> = stage
        .topics()
        .iter()
        .map(|topic| stage.kafka().marks(topic))
        .collect();
    stage.sell_at_once(10_000);
    let mut gap = 0;
    for (topic, ends) in stage.topics().iter().zip(&ends) {
        let marks = stage.kafka().marks(topic);
        // Not all partitions are hit.
        for partition in (0..PARTITIONS).filter(|partition| partition % 3 != 0) {
            let (read, there) = (ends[&partition].1, marks[&partition].1);
            let cut = read + (there - read) / 2;
            assert!(cut > read, "something is lost");
            stage.kafka().delete_records(topic, partition, cut);
            gap += cut - read;
        }
    }
    eprintln!("{}: {gap} records are gone unread", stage.name);
    (before, gap)
}
