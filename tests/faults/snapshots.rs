//! Faults 4 and 6 of issue 4: snapshots that are torn, truncated, flipped, foreign or of another
//! version; and a folder that was wiped, with and without a log that reaches back.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use support::{Kept, Samples, within};

use crate::agreement::Truth;
use crate::files::{await_heads, damage, heads, sections, wipe};
use crate::stage::{PACE, PARTITIONS, Stage, await_metrics};

const LONG: Duration = Duration::from_secs(60);

/// Each partition's newest snapshot has a damage of its own; the one before it is used.
#[test]
fn the_newest_snapshot_is_damaged_in_every_way() {
    let mut stage = Stage::new("torn", 104);
    let config = stage.config();
    let load = stage.sell(PACE);
    let mut kept = stage.run(&config);
    load.await_more(6000);
    await_heads(&stage, 2);
    kept.kill();
    load.await_more(2000);
    load.finish();
    let found = heads(&stage);
    let newest = |partition: i32| found[&partition].last().expect("there are snapshots");
    let flip = |bytes: &mut Vec<u8>, at: usize| bytes[at] ^= 0x10;
    damage(newest(0), |bytes| bytes.truncate(bytes.len() / 2));
    damage(newest(1), Vec::clear);
    damage(newest(2), |bytes| flip(bytes, bytes.len() / 2));
    damage(newest(3), |bytes| flip(bytes, bytes.len() - 1));
    damage(newest(4), |bytes| bytes.extend(b"more"));
    damage(newest(5), |bytes| bytes[..40].fill(0));
    fs::copy(newest(7), newest(6)).expect("the folder is ours");
    damage(newest(7), |bytes| bytes.truncate(1));
    let kept = stage.run(&config);
    let refused = sum(&kept.scrape(), "kept_snapshots_refused_total");
    assert!(
        refused >= f64::from(PARTITIONS),
        "{refused} are refused\n{}",
        kept.log()
    );
    Truth::at_the_end(&stage, &config).agrees(&stage, &[&kept]);
}

/// Sections are shared by the snapshots of a partition: without them only the log is left.
#[test]
fn sections_are_damaged_or_gone() {
    let mut stage = Stage::new("sections", 204);
    // Ids that are remembered for long make blocks that are large enough to be sections.
    let config = stage.config().replace("dedupe = \"1m\"", "dedupe = \"1h\"");
    stage.sell_at_once(80_000);
    let mut kept = stage.run(&config);
    await_heads(&stage, 1);
    kept.kill();
    let count: usize = (0..PARTITIONS)
        .map(|partition| sections(&stage, partition).len())
        .sum();
    assert!(count > 0, "there are sections");
    for partition in 0..PARTITIONS {
        for file in sections(&stage, partition) {
            if partition % 2 == 0 {
                damage(&file, |bytes| {
                    let middle = bytes.len() / 2;
                    bytes[middle] ^= 1;
                });
            } else {
                fs::remove_file(&file).expect("the folder is ours");
            }
        }
    }
    stage.sell_at_once(5000);
    let kept = stage.run(&config);
    let refused = sum(&kept.scrape(), "kept_snapshots_refused_total");
    assert!(refused > 0.0, "{}", kept.log());
    Truth::read(&stage, &config).agrees(&stage, &[&kept]);
    // What was damaged is written again, so that the next snapshots are good.
    let kept = await_good_snapshots(&mut stage, &config, kept);
    Truth::at_the_end(&stage, &config).agrees(&stage, &[&kept]);
}

/// Under the running process, and again while it is down.
#[test]
fn a_wiped_folder_is_rebuilt_from_the_log() {
    let mut stage = Stage::new("wiped", 106);
    let config = stage.config();
    let load = stage.sell(PACE);
    let mut kept = stage.run(&config);
    load.await_more(4000);
    await_heads(&stage, 2);
    wipe(&stage);
    load.await_more(6000);
    kept.kill();
    load.await_more(1000);
    let mut kept = stage.run(&config);
    load.await_more(2000);
    await_heads(&stage, 1);
    kept.kill();
    wipe(&stage);
    load.await_more(1000);
    let kept = stage.run(&config);
    load.await_more(2000);
    load.finish();
    Truth::at_the_end(&stage, &config).agrees(&stage, &[&kept]);
}

/// The log doesn't reach back either: windows and open orders are rebuilt, totals begin at zero
/// where the group had committed.
#[test]
fn a_wiped_folder_and_a_cut_log_lose_totals_and_nothing_else() {
    let mut stage = Stage::new("lost", 206);
    let config = stage.config();
    // More event time than any KPI looks back.
    stage.sell_at_once(100_000);
    let mut kept = stage.run(&config);
    let before = Truth::read(&stage, &config);
    before.agrees(&stage, &[&kept]);
    assert!(kept.terminate().success(), "{}", kept.log());
    wipe(&stage);
    for topic in stage.topics() {
        for partition in 0..PARTITIONS {
            stage.kafka().delete_records(&topic, partition, 10);
        }
    }
    stage.watcher.history().forget();
    let kept = stage.run(&config);
    await_metrics(&kept, "it says that totals were lost", |samples| {
        sum(samples, "kept_state_lost_total") >= f64::from(PARTITIONS)
    });
    stage.sell_at_once(8000);
    let after = Truth::read(&stage, &config).with(&before);
    after.agrees_since(&before, &stage, &kept);
}

fn sum(samples: &Samples, name: &str) -> f64 {
    samples.sum(name, &[]).unwrap_or(0.0)
}

/// Sells on until each partition has a new snapshot; a process that starts then refuses none.
#[track_caller]
fn await_good_snapshots(stage: &mut Stage, config: &str, mut kept: Kept) -> Kept {
    let before = newest(stage);
    stage.sell_at_once(5000);
    within(LONG, "each partition has a new snapshot", || {
        let now = newest(stage);
        let all = before
            .iter()
            .all(|(partition, file)| now[partition] != *file);
        all.then_some(())
    });
    kept.kill();
    let kept = stage.run(config);
    let refused = sum(&kept.scrape(), "kept_snapshots_refused_total");
    assert_eq!(refused, 0.0, "{}", kept.log());
    kept
}

/// Each partition's newest snapshot.
fn newest(stage: &Stage) -> BTreeMap<i32, PathBuf> {
    let all = await_heads(stage, 1).into_iter();
    all.filter_map(|(partition, mut files)| Some((partition, files.pop()?)))
        .collect()
}
