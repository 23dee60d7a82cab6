//! Is Kept up to date? Tasks, lag, clocks, and what is shown.

use catalogue::metrics::kept;

use super::lines;
use crate::dashboards::model::{Color, Panel, Query, Show, Unit};
use crate::dashboards::pick::{gauge, of_instances, of_job, own_increase};
use crate::promql::partition_max;

/// All of the row.
pub fn panels() -> Vec<Panel> {
    let tasks = of_instances(kept::TASKS.name, &[]);
    let lag = of_instances(kept::LAG_SECONDS.name, &[]);
    let clock = of_job(&partition_max(kept::CLOCK.name), &[]);
    let display = of_instances(kept::DISPLAY.name, &[]);
    vec![
        Panel::new(
            Show::Stack,
            Unit::Number,
            "tasks by state",
            "Only those that serve show their numbers; the others come up to what was published before.",
        )
        .query(Query::new("{{state}}", format!("sum by (state) ({tasks})"))),
        lines(
            Unit::Seconds,
            "lag by topic",
            "How far the slowest partition's clock is behind now; 0 when everything there is was read.",
        )
        .query(Query::new("{{topic}}", format!("max by (topic) ({lag})")))
        .runbooks(&["KeptBehind"]),
        lines(
            Unit::Number,
            "messages not read yet",
            "Messages in the log behind the position, over all partitions of a topic.",
        )
        .query(Query::new("{{topic}}", gauge(&kept::LAG_MESSAGES, &["topic"]))),
        lines(
            Unit::Seconds,
            "age of the partition clocks",
            "How old the newest event of the quietest partition is. One that stands still while others move \
             holds its orders back.",
        )
        .query(Query::new("{{topic}}, oldest", format!("time() - min by (topic) ({clock})")))
        .query(Query::new("{{topic}}, newest", format!("time() - max by (topic) ({clock})")))
        .runbooks(&["KeptClockStalled", "KeptNoEvents"]),
        lines(
            Unit::Seconds,
            "age of what is shown",
            "Gauges and windows stand for this moment of event time: as long ago as the lateness, when all is \
             well.",
        )
        .query(Query::new("{{topic}}", format!("time() - min by (topic) ({display})"))),
        lines(
            Unit::Number,
            "assignments",
            "How often the group gave partitions to an instance; each moves tasks.",
        )
        .query(Query::new(
            "{{instance}}",
            own_increase(&kept::REBALANCES, &["instance"]),
        )),
        unowned(),
    ]
}

fn unowned() -> Panel {
    let expression = of_instances(kept::WITHOUT_OWNER.name, &[]);
    lines(
        Unit::Number,
        "partitions that nobody reads",
        "The group has given them to none of its members: their orders are in no number.",
    )
    .query(Query::new("partitions", format!("max({expression})")))
    .colors(Color::Green, &[(1.0, Color::Red)])
    .runbooks(&["KeptPartitionsUnowned"])
}
