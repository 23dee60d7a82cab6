//! Two real data sets through `kept produce`, a real Kafka and `kept run`, against their published
//! numbers.
//!
//! Clickstream (`tests/data/clickstream`): every row is an event, its id the hash of the row, so
//! that the 30 exact duplicates are duplicates; sent in order of time, ties in file order.
//!
//! Retail (`tests/data/retail`): lines of one invoice number are one event, at the time of its
//! first line and worth the sum of quantity x unit price. Numbers that begin with `C` are
//! cancellations (441, all below zero): refunds, their amounts made positive. Of the other 3,021
//! only the 2,769 with a positive worth are orders: the other 252 have no price on any line (stock
//! written off or found, no customer), worth exactly 0.00, and no order is made of them.
#![allow(clippy::disallowed_methods, reason = "the test of processes has files")]

#[path = "proof_support/csv.rs"]
mod csv;
#[path = "proof_support/feed.rs"]
mod feed;

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use serde_json::json;
use support::{Kafka, Kept, Samples};

use feed::{await_events, config, produce};

const STAGES: [&str; 6] = [
    "product_view",
    "add_to_cart",
    "cart",
    "shipping_details",
    "payment_details",
    "purchase",
];

#[test]
fn sessions_of_the_clickstream_reach_their_stages() {
    let kafka = Kafka::shared();
    kafka.create_topic("clicks", 4, &[]);
    let lines = clicks();
    let config = config(
        kafka,
        "clickstream",
        &[],
        &["clickstream/kpis.toml"],
        &[("clicks", "session_id", &["*"])],
    );
    let mut kept = Kept::start(env!("CARGO_BIN_EXE_kept"), &config);
    produce(&kept, &lines);
    kept.await_ready();
    let samples = await_events(&kept, 31_106);

    assert_eq!(
        samples.sum("kept_events_total", &[("outcome", "duplicate")]),
        Some(30.0)
    );
    assert_eq!(
        samples.sum("kept_events_total", &[("outcome", "rejected")]),
        Some(0.0)
    );
    assert_eq!(samples.sum("kept_events_late_total", &[]), Some(0.0));
    let reached = |kpi: &str| {
        STAGES.map(|stage| {
            total(
                &samples,
                &format!("shop_{kpi}_reached_total"),
                &[("stage", stage)],
            )
        })
    };
    assert_eq!(reached("reached"), [2868, 1213, 1022, 798, 632, 470]);
    assert_eq!(reached("in_order"), [2868, 944, 477, 194, 72, 15]);
    // Every session that has a stage is one entity, ended or still open.
    for (kpi, sessions) in [
        ("reached", sessions_with(&lines, &STAGES)),
        ("in_order", 2868),
    ] {
        let ended = total(&samples, &format!("shop_{kpi}_ended_total"), &[]);
        let open = total(&samples, &format!("shop_{kpi}_open"), &[]);
        assert_eq!(ended + open, sessions, "{kpi}");
        assert_eq!(
            total(&samples, &format!("shop_{kpi}_recovered_total"), &[]),
            0,
            "{kpi}"
        );
    }
    let used = samples.matching("kept_events_total", &[("outcome", "used")]);
    let partitions: Vec<_> = used.filter(|series| series.1 > 0.0).collect();
    assert!(
        partitions.len() > 4 * 3,
        "the sessions are spread: {partitions:?}"
    );
    assert!(kept.terminate().success(), "{}", kept.log());
}

#[test]
fn the_retail_shop_has_its_orders_revenue_and_refunds_to_the_penny() {
    let kafka = Kafka::shared();
    kafka.create_topic("invoices", 3, &[]);
    let config = config(
        kafka,
        "retail",
        &[],
        &["retail/kpis.toml"],
        &[("invoices", "order_id", &["*"])],
    );
    let mut kept = Kept::start(env!("CARGO_BIN_EXE_kept"), &config);
    produce(&kept, &invoices());
    kept.await_ready();
    let samples = await_events(&kept, 2_769 + 441);

    let kingdom = [("country", "United Kingdom")];
    assert_eq!(total(&samples, "shop_orders_total", &[]), 2_769);
    assert_eq!(total(&samples, "shop_orders_total", &kingdom), 2_490);
    assert_eq!(total(&samples, "shop_refunds_total", &[]), 441);
    assert_eq!(
        money(&samples, "shop_order_revenue_total", &[]),
        "1509496.33"
    );
    assert_eq!(
        money(&samples, "shop_order_revenue_total", &kingdom),
        "1325346.21"
    );
    assert_eq!(
        money(&samples, "shop_refunded_value_total", &[]),
        "47740.08"
    );
    let currencies = samples
        .matching("shop_order_revenue_total", &[("currency", "GBP")])
        .count();
    assert_eq!(
        currencies,
        samples.matching("shop_order_revenue_total", &[]).count()
    );
    assert_eq!(
        samples.sum("kept_field_errors_total", &[]).unwrap_or(0.0),
        0.0
    );
    assert_eq!(samples.sum("kept_label_overflow_total", &[]), Some(0.0));
    assert!(kept.terminate().success(), "{}", kept.log());
}

/// The sum over all series of the name with these labels.
#[track_caller]
fn total(samples: &Samples, name: &str, labels: &[(&str, &str)]) -> u64 {
    let sum = samples.sum(name, labels);
    sum.unwrap_or_else(|| panic!("there is no {name} with {labels:?}")) as u64
}

/// The same of amounts with two decimals, added up without floats.
#[track_caller]
fn money(samples: &Samples, name: &str, labels: &[(&str, &str)]) -> String {
    let mut pence = 0_u64;
    for (_, of_series, text) in samples.iter().filter(|series| series.0 == name) {
        let has = |(key, value): &(&str, &str)| {
            of_series
                .iter()
                .any(|label| label.0 == *key && label.1 == *value)
        };
        if labels.iter().all(has) {
            let (pounds, rest) = text.split_once('.').expect("two decimals");
            assert_eq!(rest.len(), 2, "{text}");
            pence += pounds.parse::<u64>().expect("whole pounds") * 100;
            pence += rest.parse::<u64>().expect("whole pence");
        }
    }
    format!("{}.{:02}", pence / 100, pence % 100)
}

/// The clickstream as CloudEvents, one a line, in order of time.
fn clicks() -> Vec<String> {
    let mut rows = csv::rows("clickstream/ecom.csv.gz");
    // The sort is stable: ties stay in file order.
    rows.sort_by(|one, other| one.1[3].cmp(&other.1[3]));
    let event = |(line, row): &(String, Vec<String>)| {
        let mut hasher = DefaultHasher::new();
        line.hash(&mut hasher);
        let event = json!({
            "specversion": "1.0",
            "id": format!("{:016x}", hasher.finish()),
            "source": format!("/{}", row[4]),
            "type": format!("click.{}", row[2]),
            "time": format!("{}Z", row[3].replace(' ', "T")),
            "data": { "session_id": row[1], "customer_id": row[0], "device": row[4] },
        });
        event.to_string()
    };
    rows.iter().map(event).collect()
}

/// How many sessions have at least one event of these stages.
fn sessions_with(lines: &[String], stages: &[&str]) -> u64 {
    let mut sessions = std::collections::BTreeSet::new();
    for line in lines {
        let event: serde_json::Value = serde_json::from_str(line).expect("it was just written");
        let stage = event["type"]
            .as_str()
            .and_then(|name| name.strip_prefix("click."));
        if stage.is_some_and(|stage| stages.contains(&stage)) {
            sessions.insert(event["data"]["session_id"].to_string());
        }
    }
    sessions.len() as u64
}

/// An invoice: when, where, and its worth in pence.
struct Invoice {
    time: String,
    country: String,
    pence: i64,
}

/// The orders and refunds as CloudEvents, one a line, in order of time.
fn invoices() -> Vec<String> {
    let mut invoices: BTreeMap<String, Invoice> = BTreeMap::new();
    for (_, row) in csv::rows("retail/online_retail_2011-11.csv.gz") {
        let [number, _, _, quantity, time, price, _, country] = &row[..] else {
            panic!("not an invoice line: {row:?}");
        };
        let invoice = invoices.entry(number.clone()).or_insert_with(|| Invoice {
            time: time.clone(),
            country: country.clone(),
            pence: 0,
        });
        invoice.pence += quantity.parse::<i64>().expect("a quantity") * pence(price);
    }
    let mut in_order: Vec<(String, Invoice)> = invoices.into_iter().collect();
    in_order.sort_by(|one, other| one.1.time.cmp(&other.1.time));
    in_order
        .iter()
        .filter_map(|(number, invoice)| order_or_refund(number, invoice))
        .collect()
}

fn order_or_refund(number: &str, invoice: &Invoice) -> Option<String> {
    let cancelled = number.starts_with('C');
    if !cancelled && invoice.pence == 0 {
        return None;
    }
    let pence = if cancelled {
        -invoice.pence
    } else {
        invoice.pence
    };
    assert!(pence > 0, "invoice {number} is worth {pence} pence");
    let amount = format!("{}.{:02}", pence / 100, pence % 100);
    let (type_name, field) = if cancelled {
        ("order.refunded", "amount")
    } else {
        ("order.placed", "total")
    };
    let mut event = json!({
        "specversion": "1.0",
        "id": number,
        "source": "/invoices",
        "type": type_name,
        "time": format!("{}Z", invoice.time.replace(' ', "T")),
        "data": { "order_id": number, "currency": "GBP", "country": invoice.country },
    });
    event["data"][field] = amount.into();
    if !cancelled {
        event["data"]["items"] = 1.into();
    }
    Some(event.to_string())
}

/// `2.1` is 210 pence.
fn pence(price: &str) -> i64 {
    let (pounds, rest) = price.split_once('.').unwrap_or((price, ""));
    assert!(rest.len() <= 2, "a price in pence: {price}");
    let number = |text: &str| text.parse::<i64>().expect("a price");
    number(pounds) * 100 + number(&format!("{rest:0<2}"))
}
