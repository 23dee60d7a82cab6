//! What a real Prometheus makes of the protobuf format: quantiles of native histograms beside the
//! exact ones, zeros where counting began, and no complaint.

use std::collections::BTreeMap;

use engine::native::RELATIVE_ERROR;
use events::parse_rfc3339;
use serde_json::Value;
use support::{Kept, Prometheus};

const DURATION: &str = "shop_fulfilment_duration_seconds";

/// Each quantile of the native histogram is within the stated error of the exact one.
pub fn answers_quantiles(prometheus: &Prometheus, durations: &[f64]) {
    let ask = |query: String| {
        let answer = prometheus.value(&query);
        answer.unwrap_or_else(|| panic!("no answer to {query}"))
    };
    let all = format!("sum({DURATION})");
    let count = ask(format!("histogram_count({all})"));
    assert_eq!(count, durations.len() as f64);
    let (sum, exact) = (
        ask(format!("histogram_sum({all})")),
        durations.iter().sum::<f64>(),
    );
    assert!((sum / exact - 1.0).abs() < 1e-9, "{sum}, exactly {exact}");
    for q in [0.01, 0.25, 0.5, 0.9, 0.95, 0.99] {
        let answer = ask(format!("histogram_quantile({q}, {all})"));
        let rank = (q * durations.len() as f64).ceil() as usize;
        let exact = durations[rank.max(1) - 1];
        let error = (answer / exact - 1.0).abs();
        assert!(error <= RELATIVE_ERROR, "q {q}: {answer}, exactly {exact}");
    }
}

/// The earliest sample of all series of `started` is a zero at the first order's Kafka timestamp,
/// so that `increase` sees every order though the first scrape came after them.
pub fn counting_began_with_the_first_order(prometheus: &Prometheus, lines: &[String]) {
    let series = "shop_fulfilment_started_total[40m]";
    let answer: Value = serde_json::from_str(&prometheus.query(series)).expect("JSON");
    let series_found = answer["data"]["result"].as_array().expect("a matrix");
    let first = |one: &Value| {
        let sample = &one["values"][0];
        (sample[0].as_f64().expect("a time"), sample[1].clone())
    };
    let firsts = series_found.iter().map(first);
    let earliest = firsts.min_by(|one, two| one.0.total_cmp(&two.0));
    let (at, value) = earliest.expect("there are series");
    let placed = lines.iter().filter_map(|line| placed_at(line));
    let placed: BTreeMap<String, i64> = placed.collect();
    let first = placed.values().min().expect("there are orders");
    // Kafka and Prometheus have milliseconds.
    assert_eq!((at * 1e3).round() as i64, first / 1000);
    assert_eq!(value, "0", "at {at}");
    let increase = prometheus.value(&format!("sum(increase({series}))"));
    let all = Some(placed.len() as f64);
    assert!(increase >= all, "{increase:?} of {all:?}");
}

/// Order and microseconds of an event that places one.
fn placed_at(line: &str) -> Option<(String, i64)> {
    let event: Value = serde_json::from_str(line).expect("an event is JSON");
    let time = parse_rfc3339(event["time"].as_str()?).expect("a good time");
    (event["type"] == "order.placed").then(|| (event["data"]["order_id"].to_string(), time.0))
}

/// Prometheus took everything as it came.
pub fn nothing_was_complained_about(prometheus: &Prometheus) {
    let log = prometheus.log();
    let bad = |line: &&str| line.contains("level=WARN") || line.contains("level=ERROR");
    let complaints: Vec<&str> = log.lines().filter(bad).collect();
    assert!(complaints.is_empty(), "{complaints:#?}");
    assert!(log.contains("level=INFO"), "the log is read: {log}");
    assert_eq!(prometheus.value("min_over_time(up[5m])"), Some(1.0));
}

/// The answer to the header that Prometheus 3.15 sends, plain and compressed.
pub fn is_asked_for_and_compressed(kept: &Kept) {
    const ACCEPT: &str = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;\
                          encoding=delimited;q=0.7,application/openmetrics-text;version=1.0.0;\
                          escaping=allow-utf-8;q=0.6,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
    let plain = kept.get("/metrics", &[("Accept", ACCEPT)]);
    assert_eq!(
        plain.header("content-type"),
        Some(
            "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; \
             encoding=delimited"
        )
    );
    let gzip = [("Accept", ACCEPT), ("Accept-Encoding", "gzip")];
    let compressed = kept.get("/metrics", &gzip);
    assert_eq!(compressed.header("content-encoding"), Some("gzip"));
    let (long, short) = (plain.body.len(), compressed.body.len());
    assert!(short < long / 2, "{long} bytes became {short}");
}
