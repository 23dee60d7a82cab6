//! A minimal configuration with the shipped packs gives the plan that users are promised.

use catalogue::plan::{Kind, Part, Plan, ReferenceSeries, Unit};
use catalogue::{Settings, Sources};
use events::Span;

const MINIMAL: &str = "
[kafka]
brokers = \"localhost:9092\"
[[kafka.topic]]
name = \"shop.events\"
key = \"cart_id\"
";

fn read(text: &str) -> (Settings, Plan) {
    let sources = Sources {
        path: "kept.toml",
        text,
        environment: &[],
        files: &[],
    };
    catalogue::read(&sources).unwrap_or_else(|problems| {
        panic!(
            "{}",
            problems
                .iter()
                .map(|p| format!("{p}\n"))
                .collect::<String>()
        )
    })
}

#[test]
fn the_promise_pack_follows_an_order_from_purchase_to_fulfilment() {
    let (_, plan) = read(&format!("{MINIMAL}[catalogue]\npacks = [\"promise\"]"));
    let kpi = &plan.kpis[0];
    assert_eq!(kpi.id, "fulfilment");
    let labels: Vec<&str> = kpi
        .by
        .iter()
        .map(|dimension| dimension.name.as_str())
        .collect();
    assert_eq!(labels, ["region", "channel"]);
    let windows: Vec<&str> = kpi
        .windows
        .iter()
        .map(|window| window.label.as_str())
        .collect();
    assert_eq!(windows, ["5m", "1h", "1d"]);
    let Kind::Promise(promise) = &kpi.kind else {
        panic!("a promise, not {:?}", kpi.kind)
    };
    assert_eq!(promise.within, Span::from_seconds(60));
    assert_eq!(promise.lateness, Span::from_seconds(30));
    let edges: Vec<f64> = promise.edges.iter().map(|edge| edge.seconds()).collect();
    assert_eq!(edges, [5.0, 15.0, 30.0, 45.0, 60.0, 120.0, 600.0, 3600.0]);
    let steps: Vec<&str> = promise
        .steps
        .iter()
        .map(|step| step.name.as_str())
        .collect();
    assert_eq!(steps, ["payment", "picked"]);
    for event_type in &plan.types {
        let keys = &event_type.keys;
        assert!(keys.len() == 1 && keys[0].required, "{event_type:?}");
        assert_eq!(plan.fields[usize::from(keys[0].field.0)], "order_id");
    }
}

#[test]
fn the_cart_pack_counts_sums_and_follows_carts() {
    let (_, plan) = read(MINIMAL);
    let kpi = |id: &str| {
        plan.kpis
            .iter()
            .find(|kpi| kpi.id == id)
            .expect("it is in a pack")
    };
    let Kind::Count(orders) = &kpi("orders").kind else {
        panic!("orders is a count")
    };
    let sum = orders.sum.as_ref().expect("orders have a revenue");
    assert_eq!(sum.name, "order_revenue");
    assert!(matches!(sum.unit, Unit::Money { .. }));
    let Kind::Funnel(cart) = &kpi("cart").kind else {
        panic!("cart is a funnel")
    };
    assert_eq!(cart.stages.len(), 3);
    assert_eq!(cart.touch.len(), 4);
    let value = cart.value.as_ref().expect("carts have a value");
    assert_eq!(
        value.remove.as_ref().map(|selector| selector.types.len()),
        Some(2)
    );
    let Kind::Ratio(ratio) = &kpi("cart_to_order").kind else {
        panic!("a ratio")
    };
    let Part::Of(numerator) = &ratio.numerator else {
        panic!("it refers to the funnel")
    };
    assert_eq!(numerator.series, ReferenceSeries::Stage(2));
    assert_eq!(plan.kpis[usize::from(numerator.kpi.0)].id, "cart");
    assert_eq!(plan.groups.len(), 1);
    assert_eq!(plan.groups[0].kpis.len(), plan.kpis.len());
}

#[test]
fn an_order_without_a_cart_is_no_reject() {
    let (_, plan) = read(MINIMAL);
    let placed = plan
        .types
        .iter()
        .find(|known| known.name == "order.placed")
        .expect("used");
    let required = |field: &str| {
        let key = placed
            .keys
            .iter()
            .find(|key| plan.fields[usize::from(key.field.0)] == field);
        key.expect("both packs follow it").required
    };
    assert!(required("order_id"));
    assert!(!required("cart_id"));
}
