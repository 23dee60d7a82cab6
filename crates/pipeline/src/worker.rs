//! A worker: decodes the records of its partitions, feeds its tasks, publishes their views.
//!
//! A task begins when its partitions are assigned, catches up with the log's end once before its
//! first view is shown (hours of history must not look like one minute's rush), and is let go
//! when they are revoked. Nothing is committed yet: every assignment begins anew at its start.

use std::sync::Arc;

use catalogue::plan::{KpiId, Plan, TopicId};
use engine::Task;
use engine::view::OverdueOrder;
use events::{Decoder, ProjectedType, Projection, Record, Span, WallTime};

use crate::port::{Assignment, Effect, Input};
use crate::progress::{Progress, Standing};

/// How often a task's view is published.
const PUBLISH_EVERY: Span = Span::from_seconds(1);

/// See the file's header.
pub struct Worker {
    plan: Arc<Plan>,
    decoder: Decoder,
    tasks: Vec<Option<Running>>,
    /// For each topic, for each partition: the task and the input it feeds.
    routes: Vec<Vec<Option<Route>>>,
}

#[derive(Clone, Copy, Debug)]
struct Route {
    task: usize,
    input: usize,
}

/// A task and how far it is.
#[derive(Debug)]
struct Running {
    group: usize,
    partition: i32,
    task: Task,
    progress: Progress,
    serving: bool,
    published_at: Option<WallTime>,
}

/// How many tasks are in which state: `kept_tasks{state}`.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct TaskCounts {
    /// Reading history, not shown yet.
    pub catching_up: usize,
    /// Shown.
    pub serving: usize,
}

impl Worker {
    /// A worker without partitions.
    pub fn new(plan: Arc<Plan>) -> Worker {
        Worker {
            decoder: Decoder::new(&projection(&plan)),
            tasks: Vec::new(),
            routes: vec![Vec::new(); plan.topics.len()],
            plan,
        }
    }

    /// Takes one thing that happened and appends what is to be done about it.
    pub fn step(&mut self, input: Input<'_>, effects: &mut Vec<Effect>) {
        match input {
            Input::Record {
                topic,
                partition,
                offset,
                record,
            } => {
                self.record(topic, partition, offset, record, effects);
            }
            Input::Assigned(assignments) => {
                for assignment in assignments {
                    self.assign(*assignment);
                }
            }
            Input::Revoked => self.revoke(effects),
            Input::ReachedEnd {
                topic,
                partition,
                offset,
            } => {
                if let Some((running, at)) = self.running(topic, partition) {
                    running.progress.moved_to(at, offset);
                }
            }
            Input::EndObserved {
                topic,
                partition,
                end,
                at,
            } => {
                if let Some((running, input)) = self.running(topic, partition) {
                    running.progress.end_observed(input, end, at);
                }
            }
            Input::Tick { now } => self.tick(now, effects),
        }
    }

    /// The worst overdue orders of a promise in this worker's tasks that are shown, oldest first.
    pub fn overdue(&mut self, kpi: KpiId, limit: usize) -> Vec<OverdueOrder> {
        let shown = self
            .tasks
            .iter_mut()
            .flatten()
            .filter(|running| running.serving);
        let mut all: Vec<OverdueOrder> = shown
            .flat_map(|running| {
                let display = running.progress.display();
                running.task.overdue(kpi, display, limit)
            })
            .collect();
        all.sort_by_key(|order| (order.start, order.partition, order.offset));
        all.truncate(limit);
        all
    }

    /// How many tasks are in which state.
    pub fn tasks(&self) -> TaskCounts {
        let mut counts = TaskCounts::default();
        for running in self.tasks.iter().flatten() {
            match running.serving {
                true => counts.serving += 1,
                false => counts.catching_up += 1,
            }
        }
        counts
    }

    /// Where each owned partition stands: what lag is computed from.
    pub fn standings(&self) -> impl Iterator<Item = (TopicId, i32, Standing)> {
        self.tasks.iter().flatten().flat_map(|running| {
            let topics = &self.plan.groups[running.group].topics;
            let standings = topics.iter().zip(running.progress.standings(&running.task));
            standings.map(|(topic, standing)| (*topic, running.partition, standing))
        })
    }

    fn record(
        &mut self,
        topic: TopicId,
        partition: i32,
        offset: i64,
        record: Record<'_>,
        effects: &mut Vec<Effect>,
    ) {
        let Some(Route { task, input }) = self.route(topic, partition) else {
            return;
        };
        let running = self.tasks[task].as_mut().expect("a route leads to a task");
        if !running.progress.expects(input, offset) {
            return;
        }
        let decoded = self.decoder.decode(&record);
        if let Err(reason) = decoded {
            effects.push(Effect::Reject(reason));
        }
        let decoded = decoded.as_ref().map_err(|reason| *reason);
        running.task.apply(input, offset, record.timestamp, decoded);
        running.progress.moved_to(input, offset + 1);
    }

    fn assign(
        &mut self,
        Assignment {
            topic,
            partition,
            start,
        }: Assignment,
    ) {
        let group = self
            .plan
            .groups
            .iter()
            .position(|group| group.topics.contains(&topic))
            .expect("every topic of the plan is in a group");
        let topics = &self.plan.groups[group].topics;
        let input = topics
            .iter()
            .position(|other| *other == topic)
            .expect("it is in this group");
        let of_group = |slot: &Option<Running>| {
            slot.as_ref()
                .is_some_and(|one| one.group == group && one.partition == partition)
        };
        let task = self.tasks.iter().position(of_group).unwrap_or_else(|| {
            self.tasks.push(Some(Running {
                group,
                partition,
                task: Task::new(Arc::clone(&self.plan), group, partition),
                progress: Progress::new(topics.len()),
                serving: false,
                published_at: None,
            }));
            self.tasks.len() - 1
        });
        let running = self.tasks[task].as_mut().expect("found or made just above");
        running.task.start_at(input, start);
        running.progress.begins(input, start);
        let routes = &mut self.routes[usize::from(topic.0)];
        let at = usize::try_from(partition).expect("partitions count from zero");
        if routes.len() <= at {
            routes.resize(at + 1, None);
        }
        routes[at] = Some(Route { task, input });
    }

    fn revoke(&mut self, effects: &mut Vec<Effect>) {
        for running in self
            .tasks
            .drain(..)
            .flatten()
            .filter(|running| running.serving)
        {
            let Running {
                group, partition, ..
            } = running;
            effects.push(Effect::Withdraw { group, partition });
        }
        self.routes.iter_mut().for_each(Vec::clear);
    }

    fn tick(&mut self, now: WallTime, effects: &mut Vec<Effect>) {
        for running in self.tasks.iter_mut().flatten() {
            let display = running.progress.advance(&running.task, now);
            let topics = &self.plan.groups[running.group].topics;
            for (input, paused) in running.progress.balance(&running.task, now) {
                let (topic, partition) = (topics[input], running.partition);
                effects.push(match paused {
                    true => Effect::Pause { topic, partition },
                    false => Effect::Resume { topic, partition },
                });
            }
            running.serving |= running.progress.caught_up(now);
            // A clock that was set back must not stop the publishing until it is where it was.
            let due = running
                .published_at
                .is_none_or(|at| now < at || now.0 - at.0 >= PUBLISH_EVERY.0);
            if running.serving && due {
                running.published_at = Some(now);
                effects.push(Effect::Publish(Arc::new(running.task.view(display))));
            }
        }
    }

    fn route(&self, topic: TopicId, partition: i32) -> Option<Route> {
        let partition = usize::try_from(partition).ok()?;
        *self.routes[usize::from(topic.0)].get(partition)?
    }

    fn running(&mut self, topic: TopicId, partition: i32) -> Option<(&mut Running, usize)> {
        let Route { task, input } = self.route(topic, partition)?;
        Some((self.tasks[task].as_mut()?, input))
    }
}

/// What the decoder has to look for.
pub fn projection(plan: &Plan) -> Projection {
    let types = plan.types.iter().map(|definition| ProjectedType {
        name: definition.name.clone(),
        keys: definition
            .keys
            .iter()
            .map(|key| (key.field, key.required))
            .collect(),
    });
    Projection {
        types: types.collect(),
        fields: plan.fields.clone(),
        max_future: plan.time.max_future,
        max_bytes: plan.limits.record_bytes,
    }
}
