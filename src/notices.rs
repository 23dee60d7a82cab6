//! What happens to tasks, told: each occurrence is one count and one line in the log.
//!
//! What goes on while something is down (a commit refused each second) is counted each time and
//! logged at most once a minute; a task that waits for the store is not hushed by one that doesn't.

mod beginning;
mod lost;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use catalogue::Plan;
use catalogue::plan::TopicId;
use pipeline::TaskId;
use pipeline::port::Notice;
use prometheus::{IntCounter, IntCounterVec, Opts, Registry};
use tracing::{debug, error, info, warn};

use lost::LostTotals;

/// How long a notice that comes again and again stays silent in the log.
const QUIET: Duration = Duration::from_secs(60);
/// The closed list behind the `reason` label of `kept_snapshots_refused_total`: the words that a
/// refusal begins with; an object that is missing or damaged is torn.
const REFUSED: [&str; 4] = ["torn", "foreign", "version", "unsound"];
/// The closed list behind the `event` label of `kept_task_events_total`.
const EVENTS: [&str; 15] = [
    "kept",
    "restored",
    "adopted",
    "snapshot_refused",
    "rebuilding",
    "totals_lost",
    "log_gap",
    "log_recreated",
    "store_unavailable",
    "commit_failed",
    "fenced",
    "serving",
    "foreign_commit",
    "carried",
    "left_behind",
];

/// One for all workers of the process. Cloning shares it.
#[derive(Clone)]
pub struct Notices {
    plan: Arc<Plan>,
    /// Where snapshots are, for messages; empty without a store.
    store: Arc<str>,
    events: IntCounterVec,
    commit_failures: IntCounter,
    lost: LostTotals,
    refused: IntCounterVec,
    /// By event, and whether a task waits.
    quiet_until: Arc<Mutex<[[Option<Instant>; 2]; EVENTS.len()]>>,
}

/// How loud a notice is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Weight {
    /// As it should be.
    Good,
    /// Worth a look.
    Odd,
    /// Worth a look, and goes on for as long as something is down: not all are logged.
    Bad,
    /// Numbers are lost or began anew.
    Loss,
}

impl Notices {
    /// Registers the counters; fails if a name is taken. `store`: where snapshots are, empty without.
    pub fn register(
        plan: &Arc<Plan>,
        store: &str,
        registry: &Registry,
    ) -> prometheus::Result<Notices> {
        let counters = |name: &str, help: &str, label: &str, values: &[&str]| {
            let counters = IntCounterVec::new(Opts::new(name, help), &[label])?;
            registry.register(Box::new(counters.clone()))?;
            for value in values {
                counters.with_label_values(&[value]);
            }
            Ok::<_, prometheus::Error>(counters)
        };
        let commit_failures = IntCounter::new(
            "kept_commit_failures_total",
            "Commits that were refused, or not answered in time",
        )?;
        registry.register(Box::new(commit_failures.clone()))?;
        Ok(Notices {
            plan: Arc::clone(plan),
            store: store.into(),
            events: counters(
                "kept_task_events_total",
                "What happened to tasks, by kind; the log has a line for each",
                "event",
                &EVENTS,
            )?,
            commit_failures,
            lost: LostTotals::register(registry)?,
            refused: counters(
                "kept_snapshots_refused_total",
                "Snapshots that can't be used, by reason",
                "reason",
                &REFUSED,
            )?,
            quiet_until: Arc::default(),
        })
    }

    /// Something happened to a task of this worker.
    pub fn tell(&self, worker: usize, notice: &Notice) {
        let (event, weight, text) = self.describe(notice);
        self.events.with_label_values(&[EVENTS[event]]).inc();
        match notice {
            Notice::CommitFailed { .. } => self.commit_failures.inc(),
            Notice::TotalsLost { task, .. } => self.lost.lost(*task, self.first_topic(*task)),
            Notice::Recreated {
                topic, partition, ..
            } => {
                let task = self.task_of(*topic, *partition);
                self.lost.lost(task, self.first_topic(task));
            }
            Notice::Serving { task, .. } => self.lost.shown(*task),
            Notice::Refused { reason, .. } => {
                let reason = refused(reason);
                self.refused.with_label_values(&[reason]).inc();
            }
            _ => {}
        }
        let event_name = EVENTS[event];
        match weight {
            Weight::Good => info!(worker, event = event_name, "{text}"),
            Weight::Odd => warn!(worker, event = event_name, "{text}"),
            Weight::Loss => error!(worker, event = event_name, "{text}"),
            Weight::Bad if self.is_due(event, notice) => {
                warn!(worker, event = event_name, "{text}")
            }
            Weight::Bad => debug!(worker, event = event_name, "{text}"),
        }
    }

    fn is_due(&self, event: usize, notice: &Notice) -> bool {
        let waits = matches!(notice, Notice::StoreUnavailable { waits: true, .. });
        let now = Instant::now();
        let mut quiet = self.quiet_until.lock().expect("nothing panics in here");
        let quiet = &mut quiet[event][usize::from(waits)];
        let due = quiet.is_none_or(|until| now >= until);
        if due {
            *quiet = Some(now + QUIET);
        }
        due
    }

    /// Which event it is, how loud, and in words.
    fn describe(&self, notice: &Notice) -> (usize, Weight, String) {
        use Weight::{Bad, Good, Loss};
        match notice {
            Notice::Gap {
                topic,
                partition,
                records,
                read_before,
            } => {
                let place = self.place(*topic, *partition);
                (6, Loss, gap(&place, *records, *read_before))
            }
            Notice::Recreated {
                topic,
                partition,
                detail,
            } => {
                let place = self.place(*topic, *partition);
                let task = self.task(self.task_of(*topic, *partition));
                let text = format!(
                    "{place} is not the log it was, it is read anew; all KPIs of {task} begin anew, \
                     its totals begin at 0: {detail}"
                );
                (7, Loss, text)
            }
            Notice::StoreUnavailable {
                task,
                detail,
                waits,
            } => {
                let (task, store) = (self.task(*task), &self.store);
                let text = match waits {
                    true => format!(
                        "{task} is not shown yet: it waits for its snapshots in the state store at \
                         {store}, which is asked again every few seconds: {detail}"
                    ),
                    false => format!(
                        "{task}: its snapshot could not be saved, it is tried again: {detail}"
                    ),
                };
                (8, Bad, text)
            }
            Notice::CommitFailed { detail } => {
                (9, Bad, format!("a commit did not go through: {detail}"))
            }
            Notice::Fenced => {
                let text = "no commit went through for as long as a lease: nothing is shown";
                (10, Bad, text.to_owned())
            }
            Notice::Serving { task, .. } => (11, Good, format!("{} is shown", self.task(*task))),
            other => self.describe_beginning(other),
        }
    }

    /// Why there is no snapshot, if the store has nothing of a task that was shown before.
    fn nothing_stored(&self, stored: usize) -> String {
        match stored {
            0 if !self.store.is_empty() => format!(
                "; the state store at {} has nothing of this task: wiped, or not mounted?",
                self.store
            ),
            _ => String::new(),
        }
    }

    /// The task that reads a partition of a topic, with all that its KPIs join.
    fn task_of(&self, topic: TopicId, partition: i32) -> TaskId {
        let mut groups = self.plan.groups.iter();
        let group = groups.position(|group| group.topics.contains(&topic));
        let group = group.expect("every topic of the plan is in a group");
        TaskId { group, partition }
    }

    fn first_topic(&self, task: TaskId) -> &str {
        let topic = self.plan.groups[task.group].topics[0];
        &self.plan.topics[usize::from(topic.0)].name
    }

    fn task(&self, task: TaskId) -> String {
        let topics = self.plan.groups[task.group].topics.iter();
        let names: Vec<&str> = topics
            .map(|topic| self.plan.topics[usize::from(topic.0)].name.as_str())
            .collect();
        format!("task {}/{}", names.join("+"), task.partition)
    }

    fn place(&self, topic: TopicId, partition: i32) -> String {
        let topic = &self.plan.topics[usize::from(topic.0)].name;
        format!("{topic} partition {partition}")
    }
}

fn gap(place: &str, unread: u64, read_before: u64) -> String {
    match (unread, read_before) {
        (_, 0) => format!("{place}: {unread} records were gone before they were read"),
        (0, _) => format!(
            "{place}: no record is missed, but {read_before} that were read before are gone and can't \
             be read again"
        ),
        _ => format!(
            "{place}: {unread} records were gone before they were read, and {read_before} that were \
             read before can't be read again"
        ),
    }
}

/// Which reason of the closed list it is.
fn refused(reason: &str) -> &'static str {
    let words = |part: &str| {
        REFUSED
            .iter()
            .find(|word| part.starts_with(**word))
            .copied()
    };
    reason.split(": ").find_map(words).unwrap_or(REFUSED[0])
}

#[cfg(test)]
mod tests {
    use pipeline::resume::Source;

    use super::*;

    fn notices() -> (Notices, Registry) {
        let registry = Registry::new();
        let files = [];
        let sources = catalogue::Sources {
            path: "test",
            text: "[kafka]\nbrokers = \"one:9092\"\ntopic = [{ name = \"events\" }]\n",
            environment: &[],
            files: &files,
        };
        let (_, plan) = catalogue::read(&sources).expect("a good configuration");
        let notices = Notices::register(&Arc::new(plan), "file:///state/group", &registry);
        (notices.expect("an empty registry"), registry)
    }

    fn counted(registry: &Registry, name: &str, label: &str) -> f64 {
        let families = registry.gather();
        let family = families.iter().find(|family| family.name() == name);
        let metrics = family.expect("it is registered").get_metric().iter();
        let labelled = metrics.filter(|metric| {
            let labels = metric.get_label();
            label.is_empty() || labels.iter().any(|one| one.value() == label)
        });
        labelled.map(|one| one.get_counter().get_value()).sum()
    }

    #[test]
    fn each_notice_has_its_counter_and_names_its_task() {
        let (notices, registry) = notices();
        let task = TaskId {
            group: 0,
            partition: 3,
        };
        let lost = Notice::TotalsLost {
            task,
            from: Source::Nothing,
            stored: 0,
            replay: 7,
        };
        assert!(notices.describe(&lost).2.contains("task events/3"));
        notices.tell(0, &lost);
        let detail = "timed out".to_owned();
        notices.tell(0, &Notice::CommitFailed { detail });
        notices.tell(0, &Notice::Fenced);
        assert_eq!(counted(&registry, "kept_state_lost_total", ""), 1.0);
        assert_eq!(counted(&registry, "kept_commit_failures_total", ""), 1.0);
        let events = |event| counted(&registry, "kept_task_events_total", event);
        assert_eq!(
            ["totals_lost", "commit_failed", "fenced"].map(events),
            [1.0; 3]
        );
        assert_eq!(events(""), 3.0);
    }

    #[test]
    fn a_topic_made_anew_is_a_loss_of_its_task_until_it_is_shown() {
        let (notices, registry) = notices();
        let task = TaskId {
            group: 0,
            partition: 3,
        };
        let recreated = Notice::Recreated {
            topic: TopicId(0),
            partition: 3,
            detail: "its topic id was one and is two".to_owned(),
        };
        let text = notices.describe(&recreated).2;
        for says in [
            "events partition 3 is not the log it was",
            "all KPIs of task events/3 begin anew, its totals begin at 0",
            "its topic id was one and is two",
        ] {
            assert!(text.contains(says), "{text}");
        }
        let lost = || counted(&registry, "kept_state_lost_total", "");
        notices.tell(0, &recreated);
        notices.tell(1, &recreated);
        assert_eq!(lost(), 1.0);
        notices.lost.shown(task);
        notices.tell(0, &recreated);
        assert_eq!(lost(), 2.0);
    }

    #[test]
    fn an_empty_store_is_named() {
        let (notices, _) = notices();
        let task = TaskId {
            group: 0,
            partition: 3,
        };
        let text = |stored| {
            let replay = 7;
            let rebuilding = Notice::Rebuilding {
                task,
                stored,
                replay,
            };
            notices.describe(&rebuilding).2
        };
        let why = "the state store at file:///state/group has nothing of this task";
        assert!(text(0).contains(why), "{}", text(0));
        assert!(!text(2).contains(why), "{}", text(2));
    }

    #[test]
    fn tasks_that_had_the_topics_before_are_named() {
        let (notices, registry) = notices();
        let task = TaskId {
            group: 0,
            partition: 3,
        };
        let earlier = || vec!["events+ends/3".to_owned()];
        let carried = Notice::Carried {
            task,
            from: earlier(),
            replay: 7,
            anew: vec!["fulfilment".to_owned()],
        };
        let tasks = earlier();
        let left = Notice::LeftBehind { task, tasks };
        for (notice, event, says) in [
            (&carried, "carried", "anew: fulfilment; 7 records"),
            (&left, "left_behind", "all KPIs on these topics begin anew"),
        ] {
            notices.tell(0, notice);
            assert_eq!(counted(&registry, "kept_task_events_total", event), 1.0);
            let text = notices.describe(notice).2;
            assert!(text.starts_with("task events/3"), "{text}");
            assert!(
                text.contains("events+ends/3") && text.contains(says),
                "{text}"
            );
        }
    }

    #[test]
    fn a_task_that_waits_for_the_store_names_it_and_is_not_hushed_by_others() {
        let (notices, _) = notices();
        let unavailable = |waits| Notice::StoreUnavailable {
            task: TaskId {
                group: 0,
                partition: 3,
            },
            detail: "503".to_owned(),
            waits,
        };
        let due = |waits| notices.is_due(8, &unavailable(waits));
        assert_eq!(
            [due(false), due(false), due(true), due(true)],
            [true, false, true, false]
        );
        let text = notices.describe(&unavailable(true)).2;
        assert!(text.contains("waits for its snapshots in the state store at file:///state/group"));
        assert!(
            text.starts_with("task events/3 is not shown yet") && text.ends_with("503"),
            "{text}"
        );
    }

    #[test]
    fn an_offset_moved_by_hand_is_counted_and_says_what_comes_of_it() {
        let (notices, registry) = notices();
        for (used, expected) in [(true, "counting begins there"), (false, "it is ignored")] {
            let moved = Notice::ForeignCommit {
                topic: TopicId(0),
                partition: 3,
                offset: 17,
                end: used.then_some(12),
                used,
            };
            notices.tell(0, &moved);
            let text = notices.describe(&moved).2;
            let offset = "events partition 3: the group's committed offset 17 was not set by Kept";
            assert!(text.starts_with(offset), "{text}");
            assert!(text.contains(expected), "{text}");
            assert_eq!(
                text.contains("beyond the log's end, so 12 counts"),
                used,
                "{text}"
            );
        }
        let told = counted(&registry, "kept_task_events_total", "foreign_commit");
        assert_eq!(told, 2.0);
    }

    #[test]
    fn a_refusal_counts_under_its_reason() {
        let reasons = [
            ("torn: 5 bytes are missing", "torn"),
            ("version 9, written by a newer Kept", "version"),
            ("events/3/abc.kept: foreign: no snapshot at all", "foreign"),
            ("unsound: counts below zero", "unsound"),
            ("sections/abc: its checksum is wrong", "torn"),
        ];
        for (text, reason) in reasons {
            assert_eq!(refused(text), reason, "{text}");
        }
    }
}
