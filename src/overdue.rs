//! The worst open orders, asked of all workers of the process.
//!
//! A worker answers from its own tasks by the time it knows, and that may be old: it was stopped, or
//! its task is another's by now. So what it says counts only for tasks that it shows at this moment,
//! by the lease's clock: nobody sees an order here whose series are not on `/metrics`.

use std::time::{Duration, Instant};

use catalogue::Plan;
use catalogue::plan::KpiId;
use crossbeam_channel::bounded;
use engine::view::OverdueOrder;
use kafka::worker::{Request, WorkerHandle};
use kafka::{Board, lease};
use pipeline::LeaseTime;

/// How long all workers have to answer a question.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// Asks all workers and waits for their answers; not sorted.
pub fn ask(
    workers: &[WorkerHandle],
    board: &Board,
    plan: &Plan,
    kpi: &str,
    limit: usize,
) -> Result<Vec<OverdueOrder>, String> {
    let at = plan.kpis.iter().position(|one| one.id == kpi);
    let at = at.ok_or_else(|| format!("there is no KPI {kpi}"))?;
    let kpi = KpiId(at as u16);
    let (answer, answers) = bounded(workers.len());
    for (number, worker) in workers.iter().enumerate() {
        let answer = answer.clone();
        // Nobody listens any more after the time-out below.
        let reply = Box::new(move |orders| drop(answer.send((number, orders))));
        worker.request(Request::Overdue { kpi, limit, reply });
    }
    drop(answer);
    let deadline = Instant::now() + ANSWER_WITHIN;
    let mut all = Vec::with_capacity(workers.len());
    for _ in workers {
        let answered = answers.recv_deadline(deadline);
        all.push(answered.map_err(|_| "a worker did not answer in time".to_owned())?);
    }
    let group = plan.groups.iter().position(|one| one.kpis.contains(&kpi));
    let group = group.expect("every KPI is in a group");
    Ok(shown(board, group, all, lease::now()))
}

/// What workers said of tasks of `group` that each of them shows at `now`.
fn shown(
    board: &Board,
    group: usize,
    answers: Vec<(usize, Vec<OverdueOrder>)>,
    now: LeaseTime,
) -> Vec<OverdueOrder> {
    let kept = answers.into_iter().flat_map(|(worker, mut orders)| {
        let partitions = board.shown_by(worker, group, now);
        orders.retain(|order| partitions.contains(&order.partition));
        orders
    });
    kept.collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use catalogue::plan::TopicId;
    use engine::View;
    use events::{EventTime, Span};

    use super::*;

    fn view(partition: i32) -> Arc<View> {
        Arc::new(View {
            group: 1,
            partition,
            offsets: Vec::new(),
            display: EventTime(0),
            exact: true,
            inputs: Vec::new(),
            kpis: Vec::new(),
            entries: engine::view::Entries::default(),
        })
    }

    fn order(partition: i32, key: &str) -> OverdueOrder {
        OverdueOrder {
            key: key.into(),
            start: EventTime(0),
            age: Span(1),
            waiting_for: 0,
            labels: Arc::from([]),
            topic: TopicId(0),
            partition,
            offset: 0,
        }
    }

    #[test]
    fn only_who_shows_a_task_is_believed_about_it() {
        let board = Board::new();
        board.publish(0, vec![view(3), view(4)], LeaseTime(100));
        // Partition 4 has moved to the other worker, whose lease is longer.
        board.publish(1, vec![view(4)], LeaseTime(200));
        let said = || {
            let first = vec![order(3, "a"), order(4, "old")];
            vec![(0, first), (1, vec![order(4, "b"), order(5, "not shown")])]
        };
        let keys = |group, now| -> Vec<String> {
            let orders = shown(&board, group, said(), LeaseTime(now));
            orders.iter().map(|order| order.key.to_string()).collect()
        };
        assert_eq!(keys(1, 99), ["a", "b"]);
        assert_eq!(keys(1, 100), ["b"], "the first one's lease is over");
        assert!(keys(0, 99).is_empty(), "another group's partitions");
    }
}
