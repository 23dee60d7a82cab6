//! One worker's way to the state store: orders out, answers in, both without waiting, and what is
//! measured of them.
//!
//! Without a store nothing is ordered: the pipeline is told so (`Options::state`).

mod outage;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use catalogue::Plan;
use events::Span;
use pipeline::port::SaveError;
use pipeline::{Effect, Input, TaskId};
use prometheus::{
    Gauge, GaugeVec, Histogram, HistogramOpts, IntCounterVec, IntGaugeVec, Opts, Registry,
};
use store::{Answer, Client, TaskFolder, What};

use crate::clock;
use outage::Outage;

/// Upper edges of `kept_snapshot_seconds`.
const SECONDS_EDGES: [f64; 9] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];

/// What is measured of snapshots; one for all workers. Cloning shares it.
#[derive(Clone)]
pub struct SnapshotMetrics {
    last_success: GaugeVec,
    bytes: IntGaugeVec,
    seconds: Histogram,
    failures: IntCounterVec,
    outage: Outage,
}

impl SnapshotMetrics {
    /// Registers all of them; fails if a name is taken.
    pub fn register(registry: &Registry) -> prometheus::Result<SnapshotMetrics> {
        let place = &["topic", "partition"];
        let last_success = GaugeVec::new(
            Opts::new(
                "kept_snapshot_last_success_timestamp_seconds",
                "When the task's last snapshot was saved; absent before the first one",
            ),
            place,
        )?;
        let bytes = IntGaugeVec::new(
            Opts::new(
                "kept_snapshot_bytes",
                "Bytes written for the task's last snapshot, compressed",
            ),
            place,
        )?;
        let seconds = HistogramOpts::new(
            "kept_snapshot_seconds",
            "From handing a snapshot to the store to its yes",
        );
        let seconds = Histogram::with_opts(seconds.buckets(SECONDS_EDGES.to_vec()))?;
        let failures = IntCounterVec::new(
            Opts::new(
                "kept_snapshot_failures_total",
                "Snapshots that were not saved, by reason",
            ),
            &["reason"],
        )?;
        for reason in ["unavailable", "differs", "incomplete"] {
            failures.with_label_values(&[reason]);
        }
        registry.register(Box::new(last_success.clone()))?;
        registry.register(Box::new(bytes.clone()))?;
        registry.register(Box::new(seconds.clone()))?;
        registry.register(Box::new(failures.clone()))?;
        Ok(SnapshotMetrics {
            last_success,
            bytes,
            seconds,
            failures,
            outage: Outage::default(),
        })
    }
}

/// See the file's header.
pub struct Keeper {
    plan: Arc<Plan>,
    client: Client,
    metrics: SnapshotMetrics,
    /// Saves that are under way, and tasks that have gauges.
    saves: BTreeMap<TaskId, Save>,
}

#[derive(Default)]
struct Save {
    sent: Option<Instant>,
    held_up: Duration,
    last_success: Option<Gauge>,
}

impl Keeper {
    /// Of a worker without tasks.
    pub fn new(plan: &Arc<Plan>, client: Client, metrics: SnapshotMetrics) -> Keeper {
        Keeper {
            plan: Arc::clone(plan),
            client,
            metrics,
            saves: BTreeMap::new(),
        }
    }

    /// Takes the store's orders out of `effects`. `held_up`: how long the call that made them took.
    pub fn take(&mut self, effects: &mut Vec<Effect>, held_up: Duration) {
        let ours = |effect: &mut Effect| {
            matches!(
                effect,
                Effect::List { .. } | Effect::Load { .. } | Effect::Save { .. }
            )
        };
        for effect in effects.extract_if(.., ours) {
            match effect {
                Effect::List { task } => self.client.list(self.folder(task)),
                Effect::Load { task, name } => self.client.load(self.folder(task), name),
                Effect::Save {
                    task,
                    name,
                    snapshot,
                } => {
                    let save = self.saves.entry(task).or_default();
                    (save.sent, save.held_up) = (Some(Instant::now()), held_up);
                    self.client.save(self.folder(task), name, snapshot);
                }
                _ => unreachable!("only these were taken"),
            }
        }
    }

    /// What the store answered, if it did.
    pub fn answer(&mut self) -> Option<Input<'static>> {
        let Answer { folder, what } = self.client.answers().try_recv().ok()?;
        let task = self.task(&folder);
        Some(match what {
            What::Listed(names) => Input::Listed { task, names },
            What::Loaded { name, result } => Input::Loaded {
                task,
                name,
                snapshot: result,
            },
            What::Saved { name, result } => {
                let result = result.map(|saved| saved.bytes).map_err(explained);
                let held_up = self.saved(task, &folder, &result);
                Input::Saved {
                    task,
                    name,
                    result,
                    held_up,
                }
            }
        })
    }

    /// The worker's share is another one: what isn't in it has no age any more.
    pub fn share(&mut self, is_ours: impl Fn(TaskId) -> bool) {
        let gone: Vec<TaskId> = self
            .saves
            .keys()
            .copied()
            .filter(|t| !is_ours(*t))
            .collect();
        for task in gone {
            self.metrics.outage.gone(task);
            let had = self.saves.remove(&task);
            if had.is_some_and(|save| save.last_success.is_some()) {
                let labels = self.labels(&self.folder(task));
                let labels = labels.each_ref().map(String::as_str);
                // Another worker of this process may have it by now, and sets it anew.
                let _ = self.metrics.last_success.remove_label_values(&labels);
                let _ = self.metrics.bytes.remove_label_values(&labels);
            }
        }
    }

    /// Measures, and says how long the snapshot had held the worker up.
    fn saved(
        &mut self,
        task: TaskId,
        folder: &TaskFolder,
        result: &Result<u64, SaveError>,
    ) -> Span {
        let labels = self.labels(folder);
        let labels = labels.each_ref().map(String::as_str);
        // The task was given away while it was saved: its age is its next owner's to show.
        let Some(save) = self.saves.get_mut(&task) else {
            return Span::ZERO;
        };
        match result {
            Ok(bytes) => {
                let now = clock::now().as_event_time().seconds();
                let gauge = self.metrics.last_success.with_label_values(&labels);
                gauge.set(now);
                save.last_success = Some(gauge);
                let bytes = i64::try_from(*bytes).unwrap_or(i64::MAX);
                self.metrics.bytes.with_label_values(&labels).set(bytes);
                if let Some(tasks) = self.metrics.outage.saved(task, Instant::now()) {
                    tracing::info!("snapshots are saved again: {tasks} tasks had failed");
                }
                if let Some(sent) = save.sent {
                    self.metrics.seconds.observe(sent.elapsed().as_secs_f64());
                }
            }
            Err(error) => {
                self.metrics.outage.failed(task, Instant::now());
                let reason = match error {
                    SaveError::Unavailable(_) => "unavailable",
                    SaveError::Differs(_) => "differs",
                    SaveError::Incomplete(_) => "incomplete",
                };
                self.metrics.failures.with_label_values(&[reason]).inc();
            }
        }
        save.sent = None;
        Span(i64::try_from(save.held_up.as_micros()).unwrap_or(i64::MAX))
    }

    /// The values of `topic` (the first one of the task) and `partition`.
    fn labels(&self, folder: &TaskFolder) -> [String; 2] {
        [folder.topics[0].clone(), folder.partition.to_string()]
    }

    fn folder(&self, task: TaskId) -> TaskFolder {
        TaskFolder {
            topics: self.topics(task.group),
            partition: task.partition,
        }
    }

    fn topics(&self, group: usize) -> Vec<String> {
        let topics = self.plan.groups[group].topics.iter();
        topics
            .map(|topic| self.plan.topics[usize::from(topic.0)].name.clone())
            .collect()
    }

    fn task(&self, folder: &TaskFolder) -> TaskId {
        let mut groups = 0..self.plan.groups.len();
        let group = groups.find(|group| self.topics(*group) == folder.topics);
        TaskId {
            group: group.expect("only the plan's tasks are asked for"),
            partition: folder.partition,
        }
    }
}

/// What a store that was emptied means, for the line that says so.
fn explained(error: SaveError) -> SaveError {
    match error {
        SaveError::Incomplete(detail) => SaveError::Incomplete(format!(
            "{detail}: was it emptied, or another disk mounted? No number is lost while Kept runs, and \
             the next snapshot of each task is written whole"
        )),
        other => other,
    }
}
