//! Fault 5 of issue 4: a disk that is full or read-only, a store that is not there for a while. The
//! service goes on counting and showing, the age of its snapshots grows, and it recovers by itself.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use support::{Bucket, Feeder, Kept, Mood, Samples, partitions, within};

use crate::agreement::Truth;
use crate::files::{Disk, await_heads};
use crate::stage::{PACE, PARTITIONS, Stage, await_metrics, await_words, now};

const LONG: Duration = Duration::from_secs(60);
/// How long a store is away, at least.
const AWAY: Duration = Duration::from_secs(60);

#[test]
fn a_full_disk_holds_nothing_up() {
    let mut stage = Stage::new("full", 105);
    let folder = stage.state.path().to_owned();
    let disk = Disk::mount(&folder, "24m");
    let (mut kept, load, config) = begin(&mut stage);
    let filler = disk.fill();
    trouble_for_long(&kept, &load);
    // It dies now: what could be saved is old, and the log makes up for it.
    kept.kill();
    let kept = stage.run(&config);
    trouble(&kept, &load);
    fs::remove_file(filler).expect("it is ours");
    recovers(&kept);
    load.finish();
    Truth::at_the_end(&stage, &config).agrees(&stage, &[&kept]);
}

#[test]
fn a_read_only_disk_holds_nothing_up() {
    let mut stage = Stage::new("readonly", 205);
    let folder = stage.state.path().to_owned();
    let disk = Disk::mount(&folder, "64m");
    let (mut kept, load, config) = begin(&mut stage);
    disk.set_read_only(true);
    trouble_for_long(&kept, &load);
    kept.kill();
    let kept = stage.run(&config);
    trouble(&kept, &load);
    disk.set_read_only(false);
    recovers(&kept);
    load.finish();
    Truth::at_the_end(&stage, &config).agrees(&stage, &[&kept]);
}

/// A process that starts without its folder says so and ends; it never begins anew. (A bucket that
/// is down is waited for: see the next test.)
#[test]
fn a_folder_that_is_gone_for_a_while_holds_nothing_up() {
    let mut stage = Stage::new("down", 305);
    let (mut kept, load, config) = begin(&mut stage);
    let folder = stage.state.path().to_owned();
    let aside = folder.with_extension("aside");
    // A file where the folder was: every request fails, and none says that nothing is there.
    fs::rename(&folder, &aside).expect("the folder is ours");
    fs::write(&folder, "").expect("the place is free");
    trouble_for_long(&kept, &load);
    kept.kill();
    let mut kept = stage.start(&config);
    let status = within(LONG, "it ends", || kept.process().ended());
    let log = kept.log();
    assert!(!status.success(), "{status}: {log}");
    let place = folder.display().to_string();
    assert!(log.contains(&place), "it names {place}:\n{log}");
    fs::remove_file(&folder).expect("it is ours");
    fs::rename(&aside, &folder).expect("the place is free again");
    let kept = stage.run(&config);
    recovers(&kept);
    load.finish();
    Truth::at_the_end(&stage, &config).agrees(&stage, &[&kept]);
}

/// Faults 3 and 5 on an object store: 503 for everything, and objects that are put while the reply
/// is lost. What was put is found there and is good.
#[test]
fn a_bucket_answers_503_and_loses_replies() {
    let mut stage = Stage::new("bucket", 405);
    let (bucket, config) = with_bucket(&stage);
    let load = stage.sell(PACE);
    let mut kept = stage.run(&config);
    await_keys(&bucket);
    bucket.set_mood(Mood::Unavailable);
    trouble_for_long(&kept, &load);
    kept.kill();
    let mut kept = stage.start(&config);
    let asked = bucket.requests();
    within(LONG, "it asks the bucket", || {
        (bucket.requests() > asked + 4).then_some(())
    });
    assert_eq!(kept.get("/readyz", &[]).status, 503, "{}", kept.log());
    bucket.set_mood(Mood::LosesReplies);
    kept.await_ready();
    load.await_more(4000);
    recovers(&kept);
    kept.kill();
    bucket.set_mood(Mood::Well);
    let kept = stage.run(&config);
    let refused = kept.scrape().sum("kept_snapshots_refused_total", &[]);
    assert_eq!(refused.unwrap_or(0.0), 0.0, "{}", kept.log());
    load.finish();
    Truth::at_the_end(&stage, &config).agrees(&stage, &[&kept]);
}

/// Partitions come and go while the bucket answers 503: those that stay with the first instance go on
/// being counted and shown, the others wait for it, and say so.
#[test]
fn a_rebalance_without_the_bucket_holds_up_only_what_needs_it() {
    let mut stage = Stage::new("away", 505);
    let (bucket, config) = with_bucket(&stage);
    let load = stage.sell(PACE);
    let mut first = stage.run(&config);
    await_keys(&bucket);
    bucket.set_mood(Mood::Unavailable);

    let mut second = stage.start(&config);
    await_words(
        &second,
        "waits for its snapshots in the state store at s3://",
    );
    let stayed = grows(&first, &load);
    await_reason(&second);
    assert_eq!(partitions(&second.scrape()).count(), 0);

    assert!(second.terminate().success(), "{}", second.log());
    await_words(
        &first,
        "waits for its snapshots in the state store at s3://",
    );
    let still = grows(&first, &load);
    assert_eq!(stayed, still, "{}", first.log());
    await_reason(&first);
    let restoring = first.scrape().get("kept_tasks", &[("state", "restoring")]);
    assert_eq!(restoring, Some(4.0));

    bucket.set_mood(Mood::Well);
    first.await_ready();
    load.finish();
    Truth::at_the_end(&stage, &config).agrees(&stage, &[&first]);
}

/// Waits until the instance isn't ready because half of the tasks wait for the bucket.
#[track_caller]
fn await_reason(kept: &Kept) {
    let reason = format!(
        "{} of them wait for the state store at s3://",
        PARTITIONS / 2
    );
    within(LONG, &reason, || {
        let ready = kept.get("/readyz", &[]);
        (ready.status == 503 && ready.text().contains(&reason)).then_some(())
    });
}

/// A bucket, and the stage's configuration with it.
fn with_bucket(stage: &Stage) -> (Bucket, String) {
    let bucket = Bucket::start();
    let url = format!("url = \"file://{}\"\n", stage.state.path().display());
    let every = "snapshot_every = \"1s\"\n";
    let settings = format!("{every}{}", bucket.settings());
    let config = stage.config().replace(&url, "").replace(every, &settings);
    (bucket, config)
}

/// Waits until the instance shows half of the partitions, and until the orders of each of them have
/// grown; which they are.
#[track_caller]
fn grows(kept: &Kept, load: &Feeder) -> Vec<i32> {
    let orders = || -> BTreeMap<i32, u64> {
        let samples = kept.scrape();
        let shown: Vec<i32> = partitions(&samples).collect();
        let of = |partition: i32| {
            let label = partition.to_string();
            samples.sum("shop_orders_total", &[("partition", &label)])
        };
        let each = shown.into_iter();
        each.map(|it| (it, of(it).unwrap_or(0.0) as u64)).collect()
    };
    let half = PARTITIONS as usize / 2;
    let before = within(LONG, "half of them are shown", || {
        Some(orders()).filter(|orders| orders.len() == half)
    });
    load.await_more(4000);
    within(LONG, "they have grown", || {
        let now = orders();
        assert!(now.keys().eq(before.keys()), "{before:?} became {now:?}");
        let grown = before.iter().all(|(it, orders)| now[it] > *orders);
        grown.then_some(())
    });
    before.into_keys().collect()
}

/// Waits until each partition has a snapshot in the bucket.
fn await_keys(bucket: &Bucket) {
    within(LONG, "there are snapshots", || {
        let keys = bucket.keys();
        let has_head = |partition: i32| {
            let folder = format!("/{partition}/");
            let mut heads = keys.iter().filter(|key| key.ends_with(".kept"));
            heads.any(|key| key.contains(&folder))
        };
        (0..PARTITIONS).all(has_head).then_some(())
    });
}

/// A service at work, with snapshots, under load.
fn begin(stage: &mut Stage) -> (Kept, Feeder, String) {
    let config = stage.config();
    let load = stage.sell(PACE);
    let kept = stage.run(&config);
    load.await_more(3000);
    await_heads(stage, 1);
    (kept, load, config)
}

/// Snapshots fail and are counted; records are taken and shown all the same; the last success stays
/// where it was.
#[track_caller]
fn trouble(kept: &Kept, load: &Feeder) {
    await_metrics(kept, "a snapshot fails", |samples| {
        samples.sum("kept_snapshot_failures_total", &[]) > Some(0.0)
    });
    let before = kept.scrape();
    load.await_more(4000);
    await_metrics(kept, "records are shown", |samples| {
        events(samples) >= events(&before) + 3000.0
    });
    let after = kept.scrape();
    assert_eq!(
        last_success(&after),
        last_success(&before),
        "nothing could be saved"
    );
}

/// The same from the begin of `AWAY` to its end: the age of what was saved grows by all of it.
#[track_caller]
fn trouble_for_long(kept: &Kept, load: &Feeder) {
    let begin = Instant::now();
    trouble(kept, load);
    let saved = last_success(&kept.scrape());
    while begin.elapsed() < AWAY {
        load.await_more(PACE);
    }
    trouble(kept, load);
    let age = now().seconds() - last_success(&kept.scrape());
    assert_eq!(
        last_success(&kept.scrape()),
        saved,
        "nothing could be saved"
    );
    assert!(age > AWAY.as_secs_f64(), "the age of {age} s is shown");
}

/// Every task's snapshots go on.
#[track_caller]
fn recovers(kept: &Kept) {
    let begin = now().seconds();
    await_metrics(kept, "snapshots are saved again", |samples| {
        saved(samples).len() == PARTITIONS as usize && last_success(samples) > begin
    });
}

fn events(samples: &Samples) -> f64 {
    samples.sum("kept_events_total", &[]).unwrap_or(0.0)
}

/// When each task was saved last; a process that has saved none says nothing.
fn saved(samples: &Samples) -> Vec<f64> {
    let all = samples.matching("kept_snapshot_last_success_timestamp_seconds", &[]);
    all.map(|(_, seconds)| seconds).collect()
}

/// The oldest of them.
fn last_success(samples: &Samples) -> f64 {
    saved(samples).into_iter().fold(f64::INFINITY, f64::min)
}
