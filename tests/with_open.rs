//! The percentile with open orders in it, on the orders behind the table of DESIGN 3.4: ten a
//! second, nothing completes from 900 s to 1,300 s, then the backlog drains.

use std::io::Read as _;
use std::sync::Arc;

use catalogue::{Plan, Sources};
use engine::Task;
use engine::view::{KindView, PromiseWindow};
use events::{Event, EventTime, FieldId, KafkaTime, TypeId, Value};

const CONFIG: &str = r#"
[kafka]
brokers = "localhost:9092"
group = "kept"
[[kafka.topic]]
name = "orders"
key = "order_id"
[catalogue]
namespace = "shop"
files = ["kpis.toml"]
"#;

const KPIS: &str = r#"
[kpi.fulfilment]
kind = "promise"
help = "From purchase to fulfilment"
start = { type = "order.placed", key = "order_id" }
end = { type = "order.fulfilled", key = "order_id" }
within = "60s"
objective = 0.95
windows = ["5m", "1h"]
"#;

/// (time, plain p95 of completed, with open orders), seconds; 0: none.
const TABLE: [(i64, f64, f64); 9] = [
    (600, 103.8, 103.6),
    (905, 100.3, 107.4),
    (930, 99.5, 125.5),
    (960, 99.4, 190.9),
    (990, 98.5, 294.9),
    (1020, 99.5, 341.3),
    (1200, 0.0, 521.3),
    (1400, 456.9, 462.2),
    (1800, 103.0, 103.5),
];

#[test]
fn the_table_of_the_design_is_reproduced_within_three_per_cent() {
    let plan = Arc::new(plan());
    let mut task = Task::new(Arc::clone(&plan), 0, 0);
    let mut events = events();
    events.sort_by(|one, other| one.0.total_cmp(&other.0));
    let mut next = events.iter().enumerate().peekable();
    for (time, plain, with_open) in TABLE {
        while let Some((offset, event)) = next.next_if(|event| event.1.0 <= time as f64) {
            apply(&plan, &mut task, offset as i64, event);
        }
        let window = five_minutes(&mut task, EventTime(time * 1_000_000));
        let shown = window
            .completed
            .quantiles([0.95])
            .map_or(0.0, |quantiles| quantiles[0]);
        check(time, "plain", shown, plain);
        let table = window.with_open.expect("five minutes have a life table");
        let [shown] = table.quantiles([0.95]).expect("orders were at risk");
        check(time, "with open", shown, with_open);
    }
}

fn check(time: i64, what: &str, shown: f64, expected: f64) {
    let close = (shown - expected).abs() <= 0.03 * expected;
    assert!(
        close,
        "{what} p95 at {time} s: {shown:.1}, the table has {expected}"
    );
}

fn plan() -> Plan {
    let files = [catalogue::FileText {
        name: "kpis.toml".into(),
        path: "kpis.toml".into(),
        text: Ok(KPIS.into()),
    }];
    let sources = Sources {
        path: "kept.toml",
        text: CONFIG,
        environment: &[],
        files: &files,
    };
    catalogue::read(&sources)
        .expect("the test's definitions are sound")
        .1
}

/// (seconds, order, whether it is the end).
fn events() -> Vec<(f64, usize, bool)> {
    let compressed = include_bytes!("data/with-open/orders.csv.gz");
    let mut text = String::new();
    flate2::read::GzDecoder::new(&compressed[..])
        .read_to_string(&mut text)
        .expect("it is gzip");
    let mut events = Vec::new();
    for (order, line) in text.lines().skip(1).enumerate() {
        let (placed, fulfilled) = line.split_once(',').expect("two columns");
        events.push((placed.parse().expect("seconds"), order, false));
        if let Ok(fulfilled) = fulfilled.parse() {
            events.push((fulfilled, order, true));
        }
    }
    assert!(events.len() > 40_000, "the file has 24,028 orders");
    events
}

fn apply(plan: &Plan, task: &mut Task, offset: i64, (seconds, order, is_end): &(f64, usize, bool)) {
    let type_name = if *is_end {
        "order.fulfilled"
    } else {
        "order.placed"
    };
    let type_id = plan
        .types
        .iter()
        .position(|definition| definition.name == type_name);
    let key = plan
        .fields
        .iter()
        .position(|field| field == "order_id")
        .expect("the key is read");
    let (id, order) = (offset.to_string(), order.to_string());
    let mut fields = vec![Value::Missing; plan.fields.len()];
    fields[usize::from(FieldId(key as u16).0)] = Value::Text(&order);
    let time = EventTime((seconds * 1e6) as i64);
    let type_id = type_id.map(|index| TypeId(index as u16));
    let event = Event {
        source: "/test",
        id: &id,
        type_name,
        type_id,
        time,
        fields: &fields,
    };
    task.apply(0, offset, Some(KafkaTime(time.0)), Ok(&event));
}

fn five_minutes(task: &mut Task, display: EventTime) -> PromiseWindow {
    let view = task.view(display);
    let KindView::Promise(series) = &view.kpis[0].series else {
        panic!("it is a promise")
    };
    series[0].windows[0].clone()
}
