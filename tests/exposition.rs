//! What others make of `/metrics` of a running `kept` with both packs: promtool, the reference
//! parser of OpenMetrics, and a real Prometheus whose answers are compared with numbers that are
//! computed here from the produced events alone.
#![allow(
    clippy::disallowed_methods,
    reason = "the test of processes has files and a clock"
)]

#[path = "proof_support/feed.rs"]
mod feed;
#[path = "proof_support/native.rs"]
mod native;
#[path = "proof_support/shop.rs"]
mod shop;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use events::Span;
use support::{Kafka, Kept, Prometheus, Samples, installed, until, within};

use feed::{await_events, produce};
use shop::Orders;

const LONG: Duration = Duration::from_secs(60);
const MINUTE: Span = Span::from_seconds(60);
/// A region that needs every escape there is.
const ODD_REGION: &str = "north \"1\" \\ é\n{},=";

#[test]
fn promtool_and_the_openmetrics_parser_accept_every_scrape() {
    let kafka = Kafka::shared();
    kafka.create_topic(shop::TOPIC.0, 3, &[]);
    let config = feed::config(kafka, "formats", &["promise", "cart"], &[], &[shop::TOPIC]);
    let mut kept = Kept::run(env!("CARGO_BIN_EXE_kept"), &config);
    check_with_promtool(&kept);
    parse_open_metrics(&kept);

    let mut lines = shop::lines(&mut shop::open(3, Span(10 * MINUTE.0)), Span::ZERO);
    lines.push(odd_order());
    produce(&kept, &lines);
    await_events(&kept, lines.len() as u64);
    check_with_promtool(&kept);
    let parsed = parse_open_metrics(&kept);
    let samples = kept.scrape();
    formats_agree(&parsed, &samples);
    state_is_observable(&kept);
    // A control character is never shown.
    let shown = ODD_REGION.replace('\n', "\u{FFFD}");
    let odd = [("region", shown.as_str())];
    assert_eq!(
        samples.sum("shop_fulfilment_started_total", &odd),
        Some(1.0)
    );
    assert!(kept.terminate().success(), "{}", kept.log());
}

#[test]
fn a_real_prometheus_answers_as_the_events_say() {
    let kafka = Kafka::shared();
    let topic = ("shop.history", shop::TOPIC.1, shop::TOPIC.2);
    kafka.create_topic(topic.0, 3, &[]);
    let config = feed::config(kafka, "prometheus", &["promise", "cart"], &[], &[topic]);
    let mut kept = Kept::run(env!("CARGO_BIN_EXE_kept"), &config);
    let mut shop = shop::open(4, Span(20 * MINUTE.0));
    let before = shop::lines(&mut shop, Span(10 * MINUTE.0));
    let after = shop::lines(&mut shop, Span::ZERO);
    let mut orders = Orders::default();

    produce(&kept, &before);
    orders.read(&before);
    let placed_before = orders.placed();
    await_events(&kept, before.len() as u64);
    let prometheus = Prometheus::start(kept.port());
    await_value(
        &prometheus,
        "sum(shop_fulfilment_started_total)",
        placed_before as f64,
    );
    produce(&kept, &after);
    orders.read(&after);
    await_value(
        &prometheus,
        "sum(shop_fulfilment_started_total)",
        orders.placed() as f64,
    );
    await_value(
        &prometheus,
        "sum(shop_fulfilment_completed_total)",
        orders.durations().len() as f64,
    );

    let samples = kept.scrape();
    let placed_after = (orders.placed() - placed_before) as f64;
    answers_increase(&prometheus, placed_after);
    answers_quantiles(&prometheus, &samples, &orders.durations());
    let used = "sum(kept_events_total{outcome=\"used\"})";
    assert_eq!(prometheus.value(used), Some(orders.used() as f64));
    assert!(kept.terminate().success(), "{}", kept.log());
}

#[test]
fn a_real_prometheus_takes_native_histograms_and_created_timestamps() {
    let kafka = Kafka::shared();
    let topic = ("shop.native", shop::TOPIC.1, shop::TOPIC.2);
    kafka.create_topic(topic.0, 3, &[]);
    let config = feed::config(kafka, "native", &["promise", "cart"], &[], &[topic]);
    let mut kept = Kept::run(env!("CARGO_BIN_EXE_kept"), &config);
    let mut shop = shop::open(5, Span(20 * MINUTE.0));
    let lines = shop::lines(&mut shop, Span::ZERO);
    let mut orders = Orders::default();
    produce(&kept, &lines);
    orders.read(&lines);
    await_events(&kept, lines.len() as u64);

    let prometheus = Prometheus::start_native(kept.port());
    let completed = "sum(shop_fulfilment_completed_total)";
    await_value(&prometheus, completed, orders.durations().len() as f64);
    native::answers_quantiles(&prometheus, &orders.durations());
    // The classic buckets of the same scrape, under the same names and edges as from text.
    answers_quantiles(&prometheus, &kept.scrape(), &orders.durations());
    native::counting_began_with_the_first_order(&prometheus, &lines);
    native::nothing_was_complained_about(&prometheus);
    native::is_asked_for_and_compressed(&kept);
    assert!(kept.terminate().success(), "{}", kept.log());
}

/// `increase()` extrapolates to the whole range from the n samples it has: at each end by at most
/// 1.1 times their average distance, so by less than 2.2 / (n - 1) of what it saw.
fn answers_increase(prometheus: &Prometheus, placed: f64) {
    let series = "shop_fulfilment_started_total[5m]";
    let count = format!("min(count_over_time({series}))");
    let scrapes = within(LONG, "Prometheus has a dozen samples", || {
        prometheus.value(&count).filter(|count| *count >= 12.0)
    });
    let increase = prometheus
        .value(&format!("sum(increase({series}))"))
        .expect("there are samples");
    let most = placed * (1.0 + 2.2 / (scrapes - 1.0));
    assert!(
        (placed..=most).contains(&increase),
        "increase {increase}, placed {placed}, at most {most}"
    );
}

/// The quantile that Prometheus must find: linear inside the bucket that holds the rank.
fn answers_quantiles(prometheus: &Prometheus, samples: &Samples, durations: &[f64]) {
    let buckets = samples.matching("shop_fulfilment_duration_seconds_bucket", &[]);
    let mut edges: Vec<f64> = buckets.map(|(labels, _)| edge(labels)).collect();
    edges.sort_by(f64::total_cmp);
    edges.dedup();
    assert!(edges.contains(&60.0), "an edge at the promise: {edges:?}");
    let up_to = |edge: f64| {
        durations
            .iter()
            .filter(|duration| **duration <= edge)
            .count() as f64
    };
    for q in [0.5, 0.9, 0.95, 0.99] {
        let rank = q * durations.len() as f64;
        let at = edges
            .iter()
            .position(|edge| up_to(*edge) >= rank)
            .expect("+Inf has all");
        let low = at.checked_sub(1).map_or(0.0, |before| edges[before]);
        let below = at.checked_sub(1).map_or(0.0, |before| up_to(edges[before]));
        let expected = low + (edges[at] - low) * (rank - below) / (up_to(edges[at]) - below);
        let query = format!(
            "histogram_quantile({q}, sum by (le) (shop_fulfilment_duration_seconds_bucket))"
        );
        let answer = prometheus.value(&query).expect("there are buckets");
        assert!(
            (answer - expected).abs() < 1e-6 * expected,
            "q {q}: {answer}, expected {expected}"
        );
        let exact = durations[(rank.ceil() as usize).max(1) - 1];
        assert!(
            low <= exact && exact <= edges[at],
            "q {q} is {exact}, not in its bucket"
        );
    }
    let within = prometheus.value("sum(shop_fulfilment_duration_seconds_bucket{le=\"60.0\"})");
    assert_eq!(within, Some(up_to(60.0)));
}

fn edge(labels: &[(String, String)]) -> f64 {
    let le = labels
        .iter()
        .find(|label| label.0 == "le")
        .expect("a bucket has an edge");
    le.1.parse().expect("an edge is a number")
}

fn await_value(prometheus: &Prometheus, query: &str, expected: f64) {
    let mut last = None;
    until(LONG, &format!("{query} is {expected}"), || {
        let value = prometheus.value(query);
        if value != last {
            eprintln!("{query}: {value:?} of {expected}");
            last = value;
        }
        value == Some(expected)
    });
}

/// What alerts about commits, snapshots and hand-overs rest on: there from the start, so that a
/// `rate` sees the first increase, and of the kind that it says.
fn state_is_observable(kept: &Kept) {
    let snapshot = "kept_snapshot_last_success_timestamp_seconds";
    until(LONG, "the first snapshots are saved", || {
        kept.scrape().sum(snapshot, &[("partition", "2")]).is_some()
    });
    let answer = kept.get("/metrics", &[("Accept", "text/plain")]);
    let text = String::from_utf8(answer.body).expect("metrics are text");
    let kinds = [
        ("kept_tasks", "gauge"),
        ("kept_rebalances_total", "counter"),
        ("kept_commit_seconds", "histogram"),
        ("kept_commit_failures_total", "counter"),
        ("kept_task_events_total", "counter"),
        ("kept_state_lost_total", "counter"),
        ("kept_log_gap_records_total", "counter"),
        (snapshot, "gauge"),
        ("kept_snapshot_bytes", "gauge"),
        ("kept_snapshot_seconds", "histogram"),
        ("kept_snapshot_failures_total", "counter"),
        ("kept_snapshots_refused_total", "counter"),
    ];
    for (name, kind) in kinds {
        let line = format!("# TYPE {name} {kind}");
        assert!(text.lines().any(|found| found == line), "no {line}");
    }
    let samples = kept.scrape();
    let tasks = |state| samples.get("kept_tasks", &[("state", state)]);
    let of_tasks = ["serving", "catching_up", "restoring", "fenced"].map(tasks);
    assert_eq!(of_tasks, [Some(3.0), Some(0.0), Some(0.0), Some(0.0)]);
    let events = |event| samples.get("kept_task_events_total", &[("event", event)]);
    // Where the second worker joins late, a task is served by one and then by the other.
    let served = events("serving");
    assert!(served.is_some_and(|count| count >= 3.0), "{served:?}");
    let of_tasks = ["foreign_commit", "totals_lost"].map(events);
    assert_eq!(of_tasks, [Some(0.0), Some(0.0)]);
    let gap = [("topic", shop::TOPIC.0)];
    assert_eq!(samples.sum("kept_log_gap_records_total", &gap), Some(0.0));
    let commits = samples.get("kept_commit_seconds_count", &[]);
    assert!(commits.is_some_and(|count| count >= 1.0), "{commits:?}");
    check_with_promtool(kept);
}

#[track_caller]
fn check_with_promtool(kept: &Kept) {
    let answer = kept.get("/metrics", &[("Accept", "text/plain")]);
    let content = answer.header("content-type").expect("a content type");
    assert!(
        content.starts_with("text/plain; version=0.0.4"),
        "{content}"
    );
    let file = kept.folder().join("metrics.txt");
    fs::write(&file, &answer.body).expect("the folder is writable");
    let mut promtool = Command::new(installed("prometheus/promtool"));
    promtool
        .args(["check", "metrics"])
        .stdin(File::open(&file).expect("it was just written"));
    let Ok(done) = promtool.output() else {
        panic!("promtool is not installed: run `tests/install all`");
    };
    let said = [done.stdout, done.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(
        done.status.success() && said.is_empty(),
        "promtool {}:\n{said}",
        done.status
    );
}

/// What the reference parser reads: by name and sorted labels, type and value.
type Parsed = BTreeMap<(String, Vec<(String, String)>), (String, f64)>;

#[track_caller]
fn parse_open_metrics(kept: &Kept) -> Parsed {
    let answer = kept.get(
        "/metrics",
        &[("Accept", "application/openmetrics-text;version=1.0.0")],
    );
    let content = answer.header("content-type").expect("a content type");
    assert!(
        content.starts_with("application/openmetrics-text; version=1.0.0"),
        "{content}"
    );
    let file = kept.folder().join("metrics.om");
    fs::write(&file, &answer.body).expect("the folder is writable");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/proof_support/openmetrics.py");
    let mut python = Command::new(installed("python/bin/python"));
    python
        .arg(script)
        .stdin(File::open(&file).expect("it was just written"));
    let done = python.output().expect("python can be started");
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    let read: Vec<(String, String, BTreeMap<String, String>, String)> =
        serde_json::from_slice(&done.stdout).expect("the script writes JSON");
    let entries = read.into_iter().map(|(kind, name, labels, value)| {
        let value = value.parse().expect("a float");
        ((name, labels.into_iter().collect()), (kind, value))
    });
    entries.collect()
}

/// Both formats have the same series, and what only events change has the same value in both
/// (windows and ages move from one scrape to the next).
fn formats_agree(parsed: &Parsed, samples: &Samples) {
    let mut compared = 0;
    for (name, labels, text) in samples.iter() {
        let series = (name.to_owned(), labels.to_vec());
        let (kind, value) = parsed
            .get(&series)
            .unwrap_or_else(|| panic!("only in text: {series:?}"));
        let of_events = name.starts_with("shop_") || name == "kept_events_total";
        if of_events && (kind == "counter" || kind == "histogram") {
            compared += 1;
            let shown: f64 = text.parse().expect("a float");
            assert_eq!(shown, *value, "{series:?}");
        }
    }
    assert!(compared > 500, "only {compared} series were compared");
    for series in parsed.keys() {
        let labels: Vec<(&str, &str)> = series
            .1
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .collect();
        assert!(
            samples.get(&series.0, &labels).is_some(),
            "only in OpenMetrics: {series:?}"
        );
    }
}

fn odd_order() -> String {
    let event = serde_json::json!({
        "specversion": "1.0", "id": "odd", "source": "/odd \"source\"\\", "type": "order.placed",
        "time": "2026-01-05T10:00:00Z",
        "data": { "order_id": "o-odd", "cart_id": "k-odd", "region": ODD_REGION, "channel": "web",
                  "device": "mobile", "total": "1.00", "currency": "EUR", "items": 1 },
    });
    event.to_string()
}
