//! A catalogue of one's own: targets on every kind, strict and generous objectives, ratios of sums,
//! no dimensions, several topics. What is generated from it passes the same tools, and nothing in
//! it goes unproven.
#![allow(
    clippy::disallowed_methods,
    reason = "the tools are processes that read files"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use catalogue::{FileText, Plan, Settings, Sources};
use generate::File;
use support::installed;

const CONFIG: &str = r#"
[kafka]
brokers = "localhost:9092"
[[kafka.topic]]
name = "shop.orders"
types = ["order.*", "payment.*", "cart.*", "checkout.*"]
[[kafka.topic]]
name = "shop.ends"
types = ["session.started"]
lateness = "2m"
[catalogue]
namespace = "store"
files = ["own.toml"]
[generate]
job = "kept"
interval = "30s"
query_offset = "0s"
instance_labels = ["instance", "pod"]
owner = "night-watch"
"#;

const KPIS: &str = r#"
[kpi.strict]
kind = "promise"
help = "From purchase to payment"
start = { type = "order.placed", key = "order_id" }
end = { type = ["payment.authorized", "payment.failed"], key = "order_id" }
within = "20m"
objective = 0.999
histogram = "classic"
target = { quantile = 0.5, max = "30s" }
alert = { stalled_overdue = 3, missed_share = 0.2, minimum_orders = 30, window = "5m" }

[kpi.generous]
kind = "promise"
help = "From purchase to delivery"
start = { type = "order.placed", key = "order_id" }
end = { type = "order.delivered", key = "order_id" }
within = "1h"
objective = 0.6
by = ["region"]
windows = ["10m", "2d"]
histogram = "native"
owner = "The delivery team"

[kpi.express]
kind = "promise"
help = "From purchase to express delivery"
start = { type = "order.placed", key = "order_id", where = { channel = "express" } }
end = { type = "order.delivered", key = "order_id", where = { carrier = ["swift", "air"] } }
within = "2m"
objective = 0.5
step = [
    { name = "payment", event = { type = "payment.authorized", key = "order_id", where = { method = "card" } } },
    { name = "shipment", event = { type = "order.shipped", key = "order_id", where = { carrier = ["swift", "air"] } }, owner = "carriers" },
]

[kpi.orders]
kind = "count"
help = "Orders"
event = "order.placed"
sum = "total"
sum_name = "revenue"
by = ["region", "channel"]
target = { min = 5, max = 100 }

[kpi.items_per_order]
kind = "ratio"
help = "Items in an order"
numerator = { type = "order.placed", sum = "items" }
denominator = "orders"
by = ["channel"]
target = { min = 1.5 }

[kpi.failed_payments]
kind = "ratio"
help = "Payments that fail"
numerator = { type = "payment.failed" }
denominator = { type = ["payment.authorized", "payment.failed"] }
target = { max = 0.03 }

[kpi.order_value]
kind = "ratio"
help = "Average order value"
numerator = "orders.sum"
denominator = "orders"
target = { min = 20, max = 200 }

[kpi.checkout]
kind = "funnel"
help = "Checkouts"
key = "cart_id"
mode = "ordered"
stage = [{ name = "start", event = "checkout.started" }, { name = "order", event = "order.placed" }]
target = { min = 0.97 }
"#;

#[test]
fn the_tools_accept_what_is_made_of_it() {
    let folder = Folder::new();
    let (settings, plan) = read();
    let files = generate::rules(&plan, &settings.generation);
    for file in &files {
        folder.write(file);
    }
    let promtool = installed("prometheus/promtool");
    let check = ["check", "rules", "--lint=all", "--lint-fatal"];
    for file in ["prometheus/rules.yml", "prometheus/alerts.yml"] {
        run(&promtool, &check, &folder.0.join(file));
    }
    let amtool = installed("alertmanager/amtool");
    let routes = folder.0.join("alertmanager/alertmanager.yml");
    run(&amtool, &["check-config"], &routes);
    // What the texts say of a promise that reads one of two topics.
    let texts = File {
        path: "prometheus/texts.yml".to_owned(),
        text: include_str!("texts/own.yml").to_owned(),
    };
    folder.write(&texts);
    run(&promtool, &["test", "rules"], &folder.0.join(&texts.path));
    // Each takes a processor for a while: two at a time.
    let tests: Vec<&File> = files.iter().filter(|file| is_test(file)).collect();
    let (promtool, folder) = (&promtool, &folder.0);
    std::thread::scope(|scope| {
        for half in 0..2 {
            let tests = tests.iter().skip(half).step_by(2);
            scope.spawn(move || {
                tests.for_each(|test| {
                    run(promtool, &["test", "rules"], &folder.join(&test.path));
                });
            });
        }
    });
}

#[test]
fn every_rule_and_both_sides_of_every_alert_are_proven() {
    let shipped = Sources {
        path: "the shipped packs",
        text: generate::SHIPPED,
        environment: &[],
        files: &[],
    };
    let shipped = catalogue::read(&shipped).expect("the shipped packs are good");
    for (settings, plan) in [shipped, read()] {
        let files = generate::rules(&plan, &settings.generation);
        let proof: String = files
            .iter()
            .filter(|file| is_test(file))
            .map(|file| file.text.as_str())
            .collect();
        let mut unproven = Vec::new();
        for name in values(&files, "prometheus/rules.yml", "- record: ") {
            // Native histograms: their percentiles stand for them, see the README of the tests.
            let found = [format!("expr: '{name}'"), format!("expr: 'round({name}, ")];
            if !found.iter().any(|found| proof.contains(found)) && !is_native(&name) {
                unproven.push(name);
            }
        }
        for name in values(&files, "prometheus/alerts.yml", "- alert: ") {
            let of_alert = |yes: &str| {
                let head = format!("ALERTS{{alertname=\"{name}\"");
                let blocks = proof.split("- expr: ").skip(1);
                blocks
                    .filter(|block| block.contains(&head))
                    .any(|block| block.contains("exp_samples: []") == (yes == "silent"))
            };
            let sides = if name == "Watchdog" {
                &["fires"][..]
            } else {
                &["fires", "silent"][..]
            };
            let missing = sides.iter().filter(|side| !of_alert(side));
            unproven.extend(missing.map(|side| format!("{name} {side}")));
        }
        assert!(unproven.is_empty(), "{unproven:#?}");
    }
}

/// `strict` publishes classic buckets alone, `generous` native ones alone.
#[test]
fn nothing_reads_buckets_that_are_not_published() {
    let (settings, plan) = read();
    let mut files = generate::rules(&plan, &settings.generation);
    files.extend(generate::dashboards(&plan, &settings.generation));
    // Proofs give what they read.
    files.retain(|file| !is_test(file));
    let count = |text: &str| -> usize {
        let of_file = |file: &File| file.text.matches(text).count();
        files.iter().map(of_file).sum()
    };
    for (present, absent) in [
        (
            "store_strict_duration_seconds_bucket",
            "store_generous_duration_seconds_bucket",
        ),
        (
            "rate(store_generous_duration_seconds[",
            "rate(store_strict_duration_seconds[",
        ),
        (
            "rate(store_generous_duration_seconds{",
            "rate(store_strict_duration_seconds{",
        ),
        (
            ":store_generous_duration_seconds:rate5m",
            ":store_strict_duration_seconds:rate5m",
        ),
    ] {
        assert!(count(present) > 0, "nothing reads {present}");
        assert_eq!(count(absent), 0, "{absent}");
    }
}

/// `job:x_seconds:rate5m`, of which `job:x_seconds_bucket:rate5m` is the classic twin.
fn is_native(name: &str) -> bool {
    name.ends_with("_seconds:rate5m")
}

fn is_test(file: &File) -> bool {
    file.path.starts_with("prometheus/tests/")
}

/// What stands behind a key, without quotes.
fn values(files: &[File], path: &str, key: &str) -> BTreeSet<String> {
    let file = files.iter().find(|file| file.path == path);
    let text = &file.expect("the file is made").text;
    let lines = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix(key));
    lines
        .map(|value| value.trim_matches('\'').to_owned())
        .collect()
}

fn read() -> (Settings, Plan) {
    let files = [FileText {
        name: "own.toml".to_owned(),
        path: "own.toml".to_owned(),
        text: Ok(KPIS.to_owned()),
    }];
    let sources = Sources {
        path: "kept.toml",
        text: CONFIG,
        environment: &[],
        files: &files,
    };
    catalogue::read(&sources).unwrap_or_else(|problems| {
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        panic!("{}", lines.join("\n"))
    })
}

#[track_caller]
fn run(program: &Path, arguments: &[&str], file: &Path) {
    let done = Command::new(program).args(arguments).arg(file).output();
    let done = done.unwrap_or_else(|error| panic!("{}: {error}", program.display()));
    let said = [done.stdout, done.stderr].concat();
    assert!(
        done.status.success(),
        "{arguments:?} {}:\n{}",
        file.display(),
        String::from_utf8_lossy(&said)
    );
}

/// A folder of this test's own, gone at the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        let name = format!("kept-own-catalogue-{}", std::process::id());
        Folder(std::env::temp_dir().join(name))
    }

    fn write(&self, file: &File) {
        let path = self.0.join(&file.path);
        let folder = path.parent().expect("a file is in a folder");
        std::fs::create_dir_all(folder).expect("the temporary folder is writable");
        std::fs::write(&path, &file.text).expect("the temporary folder is writable");
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
