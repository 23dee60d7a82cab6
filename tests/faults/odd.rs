//! Faults 15 and 17 to 19 of issue 4: records that no producer should write, partitions that say nothing,
//! and more keys than there is room for; each while an instance is killed, comes back, and another
//! one joins.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use events::Span;
use support::{Feeder, Folder, Kept, Samples, Sending, partitions, within};

use crate::agreement::{Truth, assert_letters};
use crate::mixed::{RECORD_BYTES, bad_records, churn};
use crate::stage::{PACE, PARTITIONS, Stage};

const LONG: Duration = Duration::from_secs(60);
/// The partition that says nothing any more after its first records.
const IDLE: i32 = 3;
/// The one that is silent for an hour.
const RESUMING: i32 = 6;
const SILENT_FOR: Span = Span::from_seconds(3600);
/// The least that is left of it: it fell silent somewhat after the begin.
const LEAP: Span = Span::from_seconds(3000);
/// A topic that nobody ever writes to.
const EMPTY: &str = "idle.flags";
/// What a task counts besides the KPIs.
const OF_TASKS: [&str; 9] = [
    "kept_events_",
    "kept_records_rejected_",
    "kept_field_errors_",
    "kept_label_overflow_",
    "kept_entities_overflow_",
    "kept_window_dropped_",
    "kept_partition_clock_",
    "kept_exact",
    "kept_event_delay_seconds",
];

#[test]
fn bad_records_and_dates_of_1970_and_2099_count_for_what_they_are() {
    let mut stage = Stage::new("odd", 117);
    let limits = format!("[limits]\nrecord_bytes = {RECORD_BYTES:?}\n[time]");
    let config = stage.config().replace("[time]", &limits);
    let load = stage.sell_mixed(PACE, bad_records());
    let all = disturbed(&mut stage, &config, &load, 40_000);
    load.finish();
    let truth = Truth::at_the_end(&stage, &config);
    truth.agrees(&stage, &refs(&all));
    assert_letters(&stage, &truth);
    let shown: Vec<Samples> = all.iter().map(Kept::scrape).collect();
    for reason in ["null_value", "too_large", "future_time", "not_json"] {
        let count = sum(&shown, "kept_records_rejected_total", &[("reason", reason)]);
        assert!(count >= f64::from(PARTITIONS), "{reason}: {count}");
    }
    let too_late = sum(&shown, "kept_events_too_late_total", &[]);
    let again = sum(&shown, "kept_events_total", &[("outcome", "duplicate")]);
    assert!(too_late > 1000.0 && again > 1000.0, "{too_late} {again}");
}

/// The windows of the idle partition empty themselves and its open orders become overdue all the
/// same; the one that comes back has a clock that leaps; no event is ever on the empty topic, which
/// could have a step of every order.
#[test]
fn partitions_that_are_silent_and_a_topic_without_events_hold_nothing_up() {
    let mut stage = Stage::new("idle", 118);
    stage.idle.push(IDLE);
    stage.kafka().create_topic(EMPTY, PARTITIONS, &[]);
    let plan = Folder::new("plan");
    let config = with_empty_topic(&stage, &plan);
    let mut later = stage.sold_from(stage.began + SILENT_FOR);
    let mut number = 0;
    let load = stage.sell_mixed(PACE, move |record: Sending| {
        number += 1;
        match record.partition {
            IDLE if number > 3000 => Vec::new(),
            RESUMING if number > 6000 && number < 20_000 => Vec::new(),
            // As many as the others get.
            RESUMING if number >= 20_000 => later
                .find(|record| record.partition == RESUMING)
                .into_iter()
                .collect(),
            _ => vec![record],
        }
    });
    let all = disturbed(&mut stage, &config, &load, 30_000);
    load.finish();
    let truth = Truth::at_the_end(&stage, &config);
    truth.agrees(&stage, &refs(&all));
    let leapt = truth.longest_silence(RESUMING);
    assert!(leapt >= LEAP, "{leapt:?}");
    let shown: Vec<Samples> = all.iter().map(Kept::scrape).collect();
    let partition = IDLE.to_string();
    let idle = [("partition", partition.as_str())];
    let [open, overdue] = ["shop_fulfilment_open", "shop_fulfilment_overdue"];
    let [open, overdue] = [open, overdue].map(|name| sum(&shown, name, &idle));
    assert!(
        open > 0.0 && open == overdue,
        "{open} open, {overdue} overdue"
    );
    let lately = sum(&shown, "shop_orders_in_window", &idle);
    assert!(lately == 0.0, "{lately} orders in windows");
}

/// On one topic also a task that has refused something is a function of its offsets: instances that
/// were killed and came back show what one shows that was left alone. What no limit touches, the
/// oracle knows too.
#[test]
fn keys_and_labels_beyond_their_limits_are_refused_alike() {
    let mut stage = Stage::with_one_topic("churned", 119);
    let limits = "[limits]\nlabel_values = 6\nopen_entities = 60\nremembered_entities = 500\n\
                  held_entities = 15\n[time]";
    let config = stage.config().replace("[time]", limits);
    let load = stage.sell_mixed(PACE, churn());
    let all = disturbed(&mut stage, &config, &load, 25_000);
    load.finish();
    let truth = Truth::at_the_end(&stage, &config);
    let is_without_entities = |name: &str| {
        let kinds = ["shop_fulfilment_", "shop_packing_"];
        !kinds.iter().any(|begin| name.starts_with(begin))
    };
    let shown = truth.agrees_on(&stage, &refs(&all), is_without_entities);
    for partition in 0..PARTITIONS {
        let partition = partition.to_string();
        let of = ("partition", partition.as_str());
        assert_eq!(sum(&shown, "kept_exact", &[of]), 0.0, "{partition}");
        for (kpi, limit) in [
            ("fulfilment", "open"),
            ("fulfilment", "held"),
            ("packing", "open"),
        ] {
            let labels = [of, ("kpi", kpi), ("limit", limit)];
            let refused = sum(&shown, "kept_entities_overflow_total", &labels);
            assert!(refused > 0.0, "{labels:?} is not reached");
        }
        let overflow = sum(&shown, "kept_label_overflow_total", &[of]);
        assert!(overflow > 0.0, "{partition}: there were labels enough");
        let of_orders = |suffix: &str| sum(&shown, &format!("shop_fulfilment_{suffix}"), &[of]);
        let closed = [
            "completed_total",
            "cancelled_total",
            "expired_total",
            "open",
        ];
        let sum: f64 = closed.iter().map(|suffix| of_orders(suffix)).sum();
        assert_eq!(of_orders("started_total"), sum, "{partition}");
    }
    let state = stage.state.path().display().to_string();
    let apart = Folder::new("apart");
    let left_alone = config
        .replace("group = \"churned\"", "group = \"left-alone\"")
        .replace(&state, &apart.path().display().to_string());
    let mut alone = Kept::start(env!("CARGO_BIN_EXE_kept"), &left_alone);
    alone.await_ready();
    truth.await_all(&[&alone]);
    assert_alike(&refs(&all), &alone);
    stage.watcher.assert_nothing_fell();
}

/// Two instances at work; one is killed at a random moment and comes back, then another one joins;
/// until so many records were sent.
fn disturbed(stage: &mut Stage, config: &str, load: &Feeder, records: u64) -> [Kept; 3] {
    let mut first = stage.run(config);
    let second = stage.run(config);
    load.await_more(stage.some(3000));
    first.kill();
    load.await_more(stage.some(1500));
    let first = stage.run(config);
    load.await_more(stage.some(3000));
    let third = stage.run(config);
    load.await_more(2000.max(records.saturating_sub(load.sent())));
    [first, second, third]
}

fn refs(all: &[Kept]) -> Vec<&Kept> {
    all.iter().collect()
}

fn sum(shown: &[Samples], name: &str, labels: &[(&str, &str)]) -> f64 {
    let each = shown.iter().filter_map(|scrape| scrape.sum(name, labels));
    each.sum()
}

/// The stage's configuration with a topic more, from which a step of the promise would come.
fn with_empty_topic(stage: &Stage, folder: &Folder) -> String {
    let kpis = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/faults/kpis.toml");
    let text = fs::read_to_string(kpis).expect("the file is there");
    let step = "[[kpi.fulfilment.step]]\nname = \"cleared\"\n\
                event = { type = \"fraud.cleared\", key = \"order_id\" }\n\n[kpi.orders]";
    let file = folder.path().join("kpis.toml");
    fs::write(&file, text.replace("[kpi.orders]", step)).expect("the folder is ours");
    let config = stage.config().replace(kpis, &file.display().to_string());
    config
        + &format!("[[kafka.topic]]\nname = {EMPTY:?}\nkey = \"order_id\"\ntypes = [\"fraud.*\"]\n")
}

/// Each task of these instances shows what it shows in the other one, to the byte: counters at once,
/// all of it when both have got to the same second.
#[track_caller]
fn assert_alike(kepts: &[&Kept], other: &Kept) {
    let mut wanted: Vec<i32> = (0..PARTITIONS).collect();
    within(LONG, "both show the same second of each task", || {
        let other = other.scrape();
        for kept in kepts {
            let shown = kept.scrape();
            for partition in partitions(&shown).collect::<Vec<_>>() {
                let [here, there] = [&shown, &other].map(|it| of_task(it, partition));
                let same_second = second(&shown, partition) == second(&other, partition);
                let differ: Vec<&String> = here
                    .symmetric_difference(&there)
                    .filter(|line| same_second || line.contains("_total"))
                    .collect();
                assert!(differ.is_empty(), "partition {partition}: {differ:#?}");
                wanted.retain(|it| !same_second || *it != partition);
            }
        }
        wanted.is_empty().then_some(())
    });
}

/// The series of a task, with their values, as lines; without those at 0: what one task knows is there
/// at 0 for the others of its instance.
fn of_task(scrape: &Samples, partition: i32) -> BTreeSet<String> {
    let label = ("partition".to_owned(), partition.to_string());
    let ours = scrape.iter().filter(|(name, labels, value)| {
        let begins = |begin: &&str| name.starts_with(*begin);
        let is_of_task = begins(&"shop_") || OF_TASKS.iter().any(begins);
        is_of_task && labels.contains(&label) && value.parse() != Ok(0.0)
    });
    ours.map(|(name, labels, value)| format!("{name}{labels:?} {value}"))
        .collect()
}

/// The second that a task shows; a moment on the edge of two is a second of its own.
fn second(scrape: &Samples, partition: i32) -> i64 {
    let partition = partition.to_string();
    let labels = [("partition", partition.as_str())];
    let seconds = scrape.sum("kept_display_timestamp_seconds", &labels);
    let seconds = seconds.expect("the task has had an event");
    seconds.floor() as i64 + seconds.ceil() as i64
}
