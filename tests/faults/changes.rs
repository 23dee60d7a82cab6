//! Fault 20 of issue 4: another Kept, another plan, more partitions, transactions.

use std::fs;
use std::time::Duration;

use support::{Ending, Folder, Transactions, within};

use crate::agreement::Truth;
use crate::files::{await_heads, damage, heads};
use crate::stage::{PACE, PARTITIONS, Stage, await_words};

const LONG: Duration = Duration::from_secs(60);
/// The version's place in an unpacked head: after the magic.
const VERSION: usize = 8;

/// Both are refused with a message that says so, and nothing is lost: the log is there.
#[test]
fn snapshots_of_an_older_and_of_a_newer_kept_are_refused() {
    let mut stage = Stage::new("versions", 120);
    let config = stage.config();
    stage.sell_at_once(10_000);
    let mut kept = stage.run(&config);
    for (other, whose) in [(0_u16, "an older Kept"), (999, "a newer Kept")] {
        await_heads(&stage, 1);
        kept.kill();
        for file in heads(&stage).into_values().flatten() {
            damage(&file, |bytes| {
                let mut head = zstd::decode_all(bytes.as_slice()).expect("a zstd frame");
                assert_eq!(&head[..VERSION], b"KEPTSNAP");
                head[VERSION..VERSION + 2].copy_from_slice(&other.to_le_bytes());
                *bytes = zstd::encode_all(head.as_slice(), 1).expect("it fits into memory");
            });
        }
        kept = stage.run(&config);
        await_words(&kept, &format!("version {other}, written by {whose}"));
        let reason = [("reason", "version")];
        let refused = kept.scrape().sum("kept_snapshots_refused_total", &reason);
        assert!(
            refused >= Some(f64::from(PARTITIONS)),
            "{refused:?}: {}",
            kept.log()
        );
        stage.sell_at_once(2000);
        Truth::at_the_end(&stage, &config).agrees(&stage, &[&kept]);
    }
}

/// `orders` gets another window: it begins anew, and says so; the others go on as they were.
#[test]
fn a_changed_kpi_begins_anew_and_the_others_keep_their_counters() {
    let mut stage = Stage::new("replanned", 220);
    let config = stage.config();
    stage.sell_at_once(20_000);
    let mut kept = stage.run(&config);
    let before = Truth::read(&stage, &config);
    before.agrees(&stage, &[&kept]);
    assert!(kept.terminate().success(), "{}", kept.log());

    let folder = Folder::new("plan");
    let changed = folder.path().join("kpis.toml");
    let kpis = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/faults/kpis.toml");
    let text = fs::read_to_string(kpis).expect("the file is there");
    let orders = text.find("[kpi.orders]").expect("the KPI is there");
    let (head, tail) = text.split_at(orders);
    let tail = tail.replacen("[\"1m\", \"5m\"]", "[\"2m\"]", 1);
    fs::write(&changed, format!("{head}{tail}")).expect("the folder is ours");
    let config = config.replace(kpis, &changed.display().to_string());
    stage.watcher.history().forget();
    let kept = stage.run(&config);
    await_words(&kept, "orders");
    stage.sell_at_once(5000);
    let after = Truth::read(&stage, &config);
    after.agrees_but_for(
        &["shop_orders_", "shop_order_revenue_"],
        &before,
        &stage,
        &kept,
    );
}

#[test]
fn more_partitions_are_refused_with_what_to_do() {
    let mut stage = Stage::new("grown", 320);
    let config = stage.config();
    stage.sell_at_once(5000);
    let mut kept = stage.run(&config);
    await_heads(&stage, 1);
    assert!(kept.terminate().success(), "{}", kept.log());
    for topic in stage.topics() {
        stage.kafka().grow_topic(&topic, 2 * PARTITIONS);
    }
    let mut kept = stage.start(&config);
    let status = within(LONG, "it ends", || kept.process().ended());
    let log = kept.log();
    assert!(!status.success(), "{status}: {log}");
    for words in ["8 partitions", "16", "kept state reset"] {
        assert!(log.contains(words), "it says {words:?}:\n{log}");
    }
}

/// Records of aborted transactions never were; the offsets of control records count for nothing.
#[test]
fn aborted_transactions_are_not_counted() {
    let mut stage = Stage::new("transactions", 420);
    let config = stage.config();
    let producer = Transactions::new(&stage.kafka().brokers(), "transactions");
    let mut kept = stage.run(&config);
    for round in 0..12 {
        let ending = if round % 3 == 1 {
            Ending::Abort
        } else {
            Ending::Commit
        };
        producer.send(&stage.take(1000), &ending);
        if round % 4 == 3 {
            kept.kill();
            kept = stage.start(&config);
        }
    }
    kept.await_ready();
    let truth = Truth::read(&stage, &config);
    assert_eq!(truth.len(), 8000, "what was aborted is not read");
    truth.agrees(&stage, &[&kept]);
    let load = stage.sell(PACE);
    load.await_more(2000);
    load.finish();
    Truth::at_the_end(&stage, &config).agrees(&stage, &[&kept]);
}
