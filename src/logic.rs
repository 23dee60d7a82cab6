//! A worker's logic as the Kafka shell calls it: the pipeline, the store beside it, and the notes
//! it leaves for readiness, log and metrics. All on the worker's own thread.

use std::sync::Arc;
use std::time::{Duration, Instant};

use catalogue::Plan;
use catalogue::plan::TopicId;
use events::{Span, WallTime};
use kafka::worker::Call;
use pipeline::{Effect, Input, Options, Rules, TaskId, Worker};

use crate::keeper::Keeper;
use crate::notices::Notices;
use crate::status::Status;

/// How often a worker's standing is noted.
const NOTE_EVERY: Span = Span::from_seconds(1);

/// See the file's header.
pub struct Logic {
    number: usize,
    plan: Arc<Plan>,
    worker: Worker,
    keeper: Option<Keeper>,
    notices: Notices,
    status: Arc<Status>,
    noted_at: WallTime,
}

impl Logic {
    /// Worker number `number`; without a keeper nothing is saved.
    pub fn new(
        number: usize,
        plan: &Arc<Plan>,
        options: Options,
        keeper: Option<Keeper>,
        notices: Notices,
        status: Arc<Status>,
    ) -> Logic {
        Logic {
            number,
            plan: Arc::clone(plan),
            worker: Worker::new(Arc::clone(plan), options, Rules::default()),
            keeper,
            notices,
            status,
            noted_at: WallTime(0),
        }
    }

    /// Takes one call.
    pub fn call(&mut self, call: Call<'_, '_>) {
        match call {
            // The hot path: hardly a record has any effect.
            Call::Step(input @ Input::Record { .. }, effects) => {
                self.worker.step(input, effects);
                self.keep_ours(effects, Duration::ZERO);
            }
            Call::Step(input, effects) => self.step(input, effects),
            Call::Overdue { kpi, limit, reply } => reply(self.worker.overdue(kpi, limit)),
        }
    }

    fn step(&mut self, input: Input<'_>, effects: &mut Vec<Effect>) {
        let after = self.before(&input);
        self.take(input, effects);
        if let After::Tick(_) = after {
            while let Some(answer) = self.keeper.as_mut().and_then(Keeper::answer) {
                self.take(answer, effects);
            }
        }
        match after {
            After::Joined(joined) => {
                self.status.joined(self.number, joined);
                self.note();
            }
            After::Tick(now) if now < self.noted_at || now.0 - self.noted_at.0 >= NOTE_EVERY.0 => {
                self.noted_at = now;
                self.note();
            }
            After::Tick(_) | After::Nothing => {}
        }
    }

    /// One step of the pipeline; what is none of Kafka's is done here.
    fn take(&mut self, input: Input<'_>, effects: &mut Vec<Effect>) {
        let before = Instant::now();
        self.worker.step(input, effects);
        self.keep_ours(effects, before.elapsed());
    }

    /// Takes what is the store's or worth a note out of the effects of a step that took `held_up`.
    fn keep_ours(&mut self, effects: &mut Vec<Effect>, held_up: Duration) {
        if effects.is_empty() {
            return;
        }
        if let Some(keeper) = &mut self.keeper {
            keeper.take(effects, held_up);
        }
        let is_notice = |effect: &mut Effect| matches!(effect, Effect::Notice(_));
        for effect in effects.extract_if(.., is_notice) {
            if let Effect::Notice(notice) = effect {
                self.notices.tell(self.number, &notice);
            }
        }
    }

    /// What has to be seen to after this input; a new share is told to the keeper.
    fn before(&mut self, input: &Input<'_>) -> After {
        match input {
            Input::Assigned { partitions, .. } => {
                let plan = &self.plan;
                if let Some(keeper) = &mut self.keeper {
                    keeper.share(|task| is_in(plan, partitions, task));
                }
                After::Joined(true)
            }
            Input::Revoked | Input::Lost | Input::Stopping => After::Joined(false),
            Input::Tick { now, .. } => After::Tick(*now),
            _ => After::Nothing,
        }
    }

    fn note(&self) {
        self.status
            .update(self.number, &self.worker, &self.plan, self.noted_at);
    }
}

/// See `Logic::before`.
enum After {
    Joined(bool),
    Tick(WallTime),
    Nothing,
}

fn is_in(plan: &Plan, partitions: &[(TopicId, i32)], task: TaskId) -> bool {
    let topics = &plan.groups[task.group].topics;
    let first = topics.first();
    first.is_some_and(|topic| partitions.contains(&(*topic, task.partition)))
}
