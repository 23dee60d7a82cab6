//! The catalogues that the checks are run on.

use catalogue::{FileText, Plan, Settings, Sources};

const CONFIG: &str = r#"
[kafka]
brokers = "localhost:9092"
[[kafka.topic]]
name = "shop.orders"
types = ["order.*", "payment.*", "cart.*", "checkout.*", "page.*"]
[[kafka.topic]]
name = "shop.ends"
types = ["session.started"]
[catalogue]
namespace = "store"
files = ["own.toml"]
[generate]
job = "kept-store"
interval = "30s"
instance_labels = ["instance", "pod"]
dashboards_url = "https://grafana.example/d"
"#;

const KPIS: &str = r#"
[kpi.strict]
kind = "promise"
help = "From purchase to payment"
start = { type = "order.placed", key = "order_id" }
end = { type = ["payment.authorized", "payment.failed"], key = "order_id" }
within = "20m"
objective = 0.999
windows = ["2h"]
histogram = "classic"
role = "guardrail"
target = { quantile = 0.5, max = "30s" }

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
owner = "The \"delivery\" team"
step = [{ name = "pick_and_pack", event = { type = "order.picked", key = "order_id" }, owner = "warehouse" }]

[kpi.late]
kind = "promise"
help = "From picking to shipping"
start = { type = "order.picked", key = "order_id" }
end = { type = "order.shipped", key = "order_id" }
within = "1m"
objective = 0.5
by = ["region", "carrier"]

[kpi.orders]
kind = "count"
help = "Orders"
event = "order.placed"
sum = "total"
sum_name = "revenue"
by = ["region", "channel"]
target = { min = 5, max = 100, goal = 50 }

[kpi.pages]
kind = "count"
help = "Views"
event = "page.viewed"

[kpi.items_per_order]
kind = "ratio"
help = "Items in an order"
numerator = { type = "order.placed", sum = "items" }
denominator = "orders"
by = ["channel"]
target = { min = 1.5 }

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
target = { min = 0.25 }

[kpi.payment]
kind = "funnel"
help = "Payments"
key = "order_id"
mode = "reached"
by = ["device"]
stage = [{ name = "order", event = "order.placed" }, { name = "paid", event = "payment.authorized" }]
"#;

/// The shipped packs and a catalogue of one's own, each with a name for messages.
pub fn all() -> [(&'static str, Settings, Plan); 2] {
    let files = [FileText {
        name: "own.toml".to_owned(),
        path: "own.toml".to_owned(),
        text: Ok(KPIS.to_owned()),
    }];
    let shipped = read("the shipped packs", generate::SHIPPED, &[]);
    let own = read("kept.toml", CONFIG, &files);
    [("shipped", shipped.0, shipped.1), ("own", own.0, own.1)]
}

fn read(path: &str, text: &str, files: &[FileText]) -> (Settings, Plan) {
    let sources = Sources {
        path,
        text,
        environment: &[],
        files,
    };
    catalogue::read(&sources).unwrap_or_else(|problems| {
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        panic!("{}", lines.join("\n"))
    })
}
