//! The plans and records of these tests.

use std::sync::Arc;

use catalogue::plan::Plan;
use catalogue::{FileText, Sources};

/// 2026-01-05T10:00:00Z in microseconds.
pub const MORNING: i64 = 1_767_607_200_000_000;
pub const SECOND: i64 = 1_000_000;

const ORDERS: &str = "[kpi.orders]\nkind = \"count\"\nhelp = \"Orders\"\n\
    event = { type = \"order.placed\" }\nwindows = [\"5m\"]\n";
const OTHER: &str = "[kpi.refunds]\nkind = \"count\"\nhelp = \"Refunds\"\n\
    event = { type = \"order.refunded\" }\nwindows = [\"5m\"]\n";
const PROMISE: &str = "[kpi.fulfilment]\nkind = \"promise\"\nhelp = \"From purchase to fulfilment\"\n\
    start = { type = \"order.placed\", key = \"order_id\" }\n\
    end = { type = \"order.fulfilled\", key = \"order_id\" }\n\
    within = \"60s\"\nobjective = 0.95\nhorizon = \"1h\"\nhold = \"1m\"\nwindows = [\"5m\"]\n";
const ENDS: &str = "[kpi.fulfilled]\nkind = \"count\"\nhelp = \"Orders fulfilled\"\n\
    event = { type = \"order.fulfilled\" }\nwindows = [\"5m\"]\n";
const PAYMENT: &str = "[kpi.payment]\nkind = \"promise\"\nhelp = \"From purchase to payment\"\n\
    start = { type = \"order.placed\", key = \"order_id\" }\n\
    end = { type = \"payment.authorized\", key = \"order_id\" }\n\
    within = \"60s\"\nobjective = 0.95\nhorizon = \"1h\"\nhold = \"1m\"\nwindows = [\"5m\"]\n";
const CHECKOUT: &str = "[kpi.paying]\nkind = \"funnel\"\nhelp = \"Orders to payments\"\n\
    key = \"order_id\"\nmode = \"reached\"\nidle_timeout = \"30m\"\nwindows = [\"5m\"]\n\
    [[kpi.paying.stage]]\nname = \"placed\"\nevent = { type = \"order.placed\" }\n\
    [[kpi.paying.stage]]\nname = \"paid\"\nevent = { type = \"payment.authorized\" }\n";
const DELIVERY: &str = "[kpi.delivery]\nkind = \"promise\"\nhelp = \"From fulfilment to delivery\"\n\
    start = { type = \"order.fulfilled\", key = \"order_id\" }\n\
    end = { type = \"order.delivered\", key = \"order_id\" }\n\
    within = \"60s\"\nobjective = 0.95\nhorizon = \"1h\"\nhold = \"1m\"\nwindows = [\"5m\"]\n";
const PLACED_TOPIC: &str = "[[kafka.topic]]\nname = \"placed\"\n\
    types = [\"order.placed\", \"payment.authorized\"]\n";
const PAID_TOPICS: &str = "[[kafka.topic]]\nname = \"placed\"\n\
    types = [\"order.placed\", \"payment.authorized\"]\n\
    [[kafka.topic]]\nname = \"fulfilled\"\n\
    types = [\"order.fulfilled\", \"order.delivered\"]\n";
const ONE_TOPIC: &str = "[[kafka.topic]]\nname = \"shop\"\n";
const TWO_TOPICS: &str = "[[kafka.topic]]\nname = \"placed\"\ntypes = [\"order.placed\"]\n\
    [[kafka.topic]]\nname = \"fulfilled\"\ntypes = [\"order.fulfilled\"]\n";

/// One topic, orders are counted.
pub fn orders() -> Arc<Plan> {
    plan(ONE_TOPIC, ORDERS)
}

/// The same with another KPI: another plan.
pub fn orders_and_refunds() -> Arc<Plan> {
    plan(ONE_TOPIC, &format!("{ORDERS}{OTHER}"))
}

/// Two topics that a promise joins; orders are counted too.
pub fn joined() -> Arc<Plan> {
    plan(TWO_TOPICS, &format!("{ORDERS}{PROMISE}"))
}

/// Two topics, what is on each is counted, a promise is on each too, a funnel on the first, and nothing
/// joins them.
pub fn apart() -> Arc<Plan> {
    plan(
        PAID_TOPICS,
        &format!("{ORDERS}{ENDS}{PAYMENT}{CHECKOUT}{DELIVERY}"),
    )
}

/// The same, and a promise joins them.
pub fn together() -> Arc<Plan> {
    plan(
        PAID_TOPICS,
        &format!("{ORDERS}{ENDS}{PAYMENT}{CHECKOUT}{DELIVERY}{PROMISE}"),
    )
}

/// The first of these topics alone; without `with_orders` nothing counts its orders.
pub fn alone(with_orders: bool) -> Arc<Plan> {
    let orders = if with_orders { ORDERS } else { "" };
    plan(PLACED_TOPIC, &format!("{orders}{PAYMENT}"))
}

fn plan(topics: &str, kpis: &str) -> Arc<Plan> {
    let text = format!(
        "[kafka]\nbrokers = \"localhost:9092\"\ngroup = \"kept\"\n\
         [catalogue]\nnamespace = \"shop\"\nfiles = [\"kpis.toml\"]\n{topics}"
    );
    let kpis = FileText {
        name: "kpis.toml".to_owned(),
        path: "kpis.toml".to_owned(),
        text: Ok(kpis.to_owned()),
    };
    let sources = Sources {
        path: "kept.toml",
        text: &text,
        environment: &[],
        files: &[kpis],
    };
    let (_, plan) = catalogue::read(&sources).expect("the plan of these tests is sound");
    Arc::new(plan)
}

/// An event of order `number`, `number` seconds after ten.
pub fn event(kind: &str, number: i64) -> String {
    event_at(kind, number, number)
}

/// An event of order `number`, so many seconds after ten.
pub fn event_at(kind: &str, number: i64, seconds: i64) -> String {
    let (minute, second) = (seconds / 60, seconds % 60);
    format!(
        "{{\"specversion\":\"1.0\",\"id\":\"{kind}-{number}\",\"source\":\"/shop\",\"type\":\"{kind}\",\
         \"time\":\"2026-01-05T10:{minute:02}:{second:02}Z\",\"data\":{{\"order_id\":\"o-{number}\"}}}}"
    )
}
