//! The KPIs of the simulated worlds: one of each kind that exists, over two topics that one promise
//! joins, with spans short enough that everything that can expire does within a run.

use std::sync::Arc;

use catalogue::plan::Plan;
use catalogue::{FileText, Sources};

use crate::shop::Layout;

const KPIS: &str = r#"
[kpi.fulfilment]
kind = "promise"
help = "From purchase to fulfilment"
start = { type = "order.placed", key = "order_id" }
end = { type = "order.fulfilled", key = "order_id" }
cancel = { type = "order.cancelled", key = "order_id" }
within = "25s"
objective = 0.95
horizon = "90s"
hold = "20s"
by = ["region"]
windows = ["1m", "10m"]

[[kpi.fulfilment.step]]
name = "payment"
event = { type = "payment.authorized", key = "order_id" }

[kpi.orders]
kind = "count"
help = "Orders placed"
event = { type = "order.placed" }
sum = "total"
sum_name = "order_revenue"
by = ["channel"]
windows = ["2m"]

[kpi.picked_by_app]
kind = "ratio"
help = "Picked orders that came from the app"
numerator = { type = "order.picked", where = { channel = "app" } }
denominator = { type = "order.picked" }
windows = ["1m"]

[kpi.paying]
kind = "funnel"
help = "Orders on their way to a payment"
key = "order_id"
mode = "ordered"
idle_timeout = "20s"
recover = "1m"
by = ["device"]
windows = ["1m"]

[[kpi.paying.stage]]
name = "placed"
event = { type = "order.placed" }

[[kpi.paying.stage]]
name = "paid"
event = { type = "payment.authorized" }
"#;

/// The plan as it is at first, and as somebody changes it: a window of one KPI is longer.
pub fn plans() -> [Arc<Plan>; 2] {
    let changed = KPIS.replace("windows = [\"2m\"]", "windows = [\"3m\"]");
    [plan(KPIS), plan(&changed)]
}

/// As `kept run` would read it.
fn plan(kpis: &str) -> Arc<Plan> {
    let mut text = "[kafka]\nbrokers = \"localhost:9092\"\ngroup = \"kept\"\n\
                    [time]\nlateness = \"5s\"\ndedupe = \"30s\"\n\
                    [catalogue]\nnamespace = \"shop\"\nfiles = [\"kpis.toml\"]\n"
        .to_owned();
    for topic in Layout::TwoTopics.topics() {
        text += &format!(
            "[[kafka.topic]]\nname = {:?}\nkey = {:?}\ntypes = {:?}\n",
            topic.name, topic.key, topic.types
        );
    }
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
    let (_, plan) = catalogue::read(&sources).expect("the world's KPIs fit the shop's topics");
    Arc::new(plan)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_task_joins_both_topics() {
        let [plan, changed] = plans();
        assert_eq!(plan.fields, changed.fields);
        let names =
            |plan: &Plan| -> Vec<String> { plan.types.iter().map(|it| it.name.clone()).collect() };
        assert_eq!(names(&plan), names(&changed));
        assert_eq!(plan.groups.len(), 1);
        assert_eq!(plan.groups[0].topics.len(), 2);
        assert_eq!(plan.groups[0].kpis.len(), 4);
    }
}
