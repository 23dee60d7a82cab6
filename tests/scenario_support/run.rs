//! Runs a script through a worker, as the shell of `kept run` would, and compares what it exposes.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use catalogue::plan::{Plan, TopicId};
use catalogue::{FileText, Sources};
use engine::View;
use events::{EventTime, Record, Span, WallTime};
use exposition::{families, plain_text};
use pipeline::port::Position;
use pipeline::{Effect, Input, LeaseTime, LogGap, Options, Rules, Worker};

use super::record::Sent;
use super::script::{At, Expect, Script, Step};
use super::series::Line;

/// In which order the records between two expectations are delivered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Order {
    /// Line by line.
    AsWritten,
    /// The last partition of the last topic first: each partition's own order stays.
    PartitionByPartition,
}

const TOPIC: &str = "[[kafka.topic]]\nname = \"shop.events\"\n";
const FILE: &str = "definitions.toml";
/// Nothing is saved, and a scenario's time may leap: a lease is long.
const OPTIONS: Options = Options {
    lease: Span::from_seconds(1_000_000_000),
    snapshot_every: Span::from_seconds(10),
    log_gap: LogGap::Continue,
    state: false,
};
/// How many series a failure shows.
const NEARBY: usize = 12;

/// What came of a run.
#[derive(Default)]
pub struct Outcome {
    /// `LINE: what differs`, for everything that does.
    pub failures: Vec<String>,
    /// The line of each expectation and the series it saw, but for those about memory.
    pub seen: Vec<(usize, Vec<String>)>,
}

/// Runs a script to its end.
pub fn run(script: &Script, order: Order) -> Outcome {
    let mut outcome = Outcome::default();
    let plan = match plan(script) {
        Ok(plan) => Arc::new(plan),
        Err(problems) => {
            outcome.failures.push(format!("1: {problems}"));
            return outcome;
        }
    };
    let mut runner = Runner::new(plan, script.partitions);
    let mut waiting: Vec<&Sent> = Vec::new();
    for step in &script.steps {
        match step {
            Step::Send(sent) => waiting.extend(sent),
            Step::Expect(expect) => {
                let delivered = runner.deliver(std::mem::take(&mut waiting), order);
                match delivered.and_then(|()| runner.look(expect)) {
                    Ok(found) => {
                        outcome.failures.extend(compare(expect, &found));
                        outcome.seen.push((expect.line, without_memory(found)));
                    }
                    Err(problem) => {
                        let failure = format!("{}: {problem}\n", expect.line);
                        outcome.failures.push(failure);
                    }
                }
            }
        }
    }
    outcome
}

/// How much memory is held may depend on the order of delivery; nothing else may.
fn without_memory(found: Vec<Line>) -> Vec<String> {
    let lines = found.into_iter();
    let lines = lines.filter(|line| !line.series.name.starts_with("kept_state_"));
    lines.map(|line| line.text).collect()
}

/// `LINE: what differs` between runs of one script in two orders.
pub fn differences(one: &Outcome, other: &Outcome) -> Vec<String> {
    if one.seen.len() != other.seen.len() {
        return other.failures.clone();
    }
    let mut differences = Vec::new();
    for ((line, one), (_, other)) in one.seen.iter().zip(&other.seen) {
        let pairs = one.iter().zip(other).filter(|(one, other)| one != other);
        let pairs: Vec<_> = pairs.take(NEARBY).collect();
        if one.len() != other.len() || !pairs.is_empty() {
            let mut text = format!("{line}: depends on how partitions interleave\n");
            for (one, other) in pairs {
                text.push_str(&format!("    {one}\n    {other}\n"));
            }
            differences.push(text);
        }
    }
    differences
}

/// The plan of a scenario: its own configuration, completed with what it leaves out.
fn plan(script: &Script) -> Result<Plan, String> {
    let mut text = script.config.clone();
    if !text.contains("[[kafka.topic]]") {
        text = format!("{text}\n{TOPIC}");
    }
    if script.definitions.is_some() && !text.contains("[catalogue]") {
        text = format!("{text}\n[catalogue]\nfiles = [\"{FILE}\"]\n");
    }
    let files = script.definitions.iter().map(|definitions| FileText {
        name: FILE.to_owned(),
        path: FILE.to_owned(),
        text: Ok(definitions.clone()),
    });
    let sources = Sources {
        path: "config",
        text: &text,
        environment: &[(
            "KEPT__KAFKA__BROKERS".to_owned(),
            "localhost:9092".to_owned(),
        )],
        files: &files.collect::<Vec<_>>(),
    };
    match catalogue::read(&sources) {
        Ok((_, plan)) => Ok(plan),
        Err(problems) => Err(problems
            .iter()
            .map(|problem| format!("{problem}\n"))
            .collect()),
    }
}

/// A worker and what the world around it knows.
struct Runner {
    plan: Arc<Plan>,
    worker: Worker,
    /// The next offset of each partition of all topics.
    ends: BTreeMap<(TopicId, i32), i64>,
    partitions: i32,
    /// The views that are shown.
    views: HashMap<(usize, i32), Arc<View>>,
    now: WallTime,
}

impl Runner {
    fn new(plan: Arc<Plan>, partitions: i32) -> Runner {
        let topics = (0..plan.topics.len()).map(|topic| TopicId(topic as u16));
        let places =
            topics.flat_map(|topic| (0..partitions).map(move |partition| (topic, partition)));
        let ends: BTreeMap<_, _> = places.map(|place| (place, 0)).collect();
        let share: Vec<(TopicId, i32)> = ends.keys().copied().collect();
        let mut runner = Runner {
            worker: Worker::new(Arc::clone(&plan), OPTIONS, Rules::default()),
            plan,
            ends,
            partitions,
            views: HashMap::new(),
            now: WallTime(0),
        };
        runner.step(Input::Assigned {
            assignment: 1,
            partitions: &share,
        });
        runner
    }

    fn deliver(&mut self, sent: Vec<&Sent>, order: Order) -> Result<(), String> {
        let placed = sent.into_iter().map(|one| {
            let topic = match &one.topic {
                Some(name) => self
                    .topic(name)
                    .ok_or(format!("there is no topic `{name}`"))?,
                None => TopicId(0),
            };
            Ok(((topic, one.partition), one))
        });
        let mut placed = placed.collect::<Result<Vec<_>, String>>()?;
        if order == Order::PartitionByPartition {
            placed.sort_by_key(|entry| std::cmp::Reverse(entry.0));
        }
        for (place, one) in placed {
            self.record(place, one);
        }
        Ok(())
    }

    fn record(&mut self, place: (TopicId, i32), one: &Sent) {
        let offset = self
            .ends
            .get_mut(&place)
            .expect("all partitions of all topics are there");
        let headers: Vec<(&str, Option<&[u8]>)> = one
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), Some(value.as_bytes())))
            .collect();
        let record = Record {
            timestamp: Some(one.kafka),
            key: None,
            value: one.value.as_deref(),
            headers: &headers,
        };
        let (topic, partition) = place;
        let input = Input::Record {
            topic,
            partition,
            offset: *offset,
            record,
        };
        *offset += 1;
        self.step(input);
    }

    /// The exposition at the time of an expectation.
    fn look(&mut self, expect: &Expect) -> Result<Vec<Line>, String> {
        let lateness = self.plan.topics.iter().map(|topic| topic.lateness).max();
        let now = match expect.at {
            At::Display(display) => WallTime((display + lateness.unwrap_or_default()).0),
            At::Wall(now) => now,
        };
        if now.0 - self.now.0 < Span::from_seconds(1).0 {
            return Err("less than a second after the last one".to_owned());
        }
        self.now = now;
        for (topic, partition) in self.ends.keys().copied().collect::<Vec<_>>() {
            let name = &self.plan.topics[usize::from(topic.0)].name;
            let behind = expect.behind.contains(&(name.clone(), partition));
            let end = self.ends[&(topic, partition)] + if behind { 1000 } else { 0 };
            self.step(Input::EndObserved {
                topic,
                partition,
                end,
                at: now,
            });
        }
        self.step(Input::Tick {
            now,
            at: LeaseTime(now.0),
        });
        if let Some(problem) = self.wrong_display(expect.at) {
            return Err(problem);
        }
        let views: Vec<Arc<View>> = self.views.values().cloned().collect();
        let text = plain_text(&families(&self.plan, &views, &[]));
        Ok(Line::all(&text))
    }

    /// A display time can't be had where a clock went on further already.
    fn wrong_display(&self, at: At) -> Option<String> {
        let At::Display(wanted) = at else { return None };
        let found: Vec<EventTime> = self.views.values().map(|view| view.display).collect();
        let wrong = found.into_iter().find(|display| *display != wanted)?;
        let ahead = (wrong - wanted).seconds();
        Some(format!(
            "the display time is {ahead} s further: events are ahead of it"
        ))
    }

    /// A step in a world where every answer comes at once and is yes.
    fn step(&mut self, input: Input<'_>) {
        let mut effects = Vec::new();
        self.worker.step(input, &mut effects);
        for effect in effects {
            match effect {
                Effect::LookUp { assignment, .. } => self.look_up(assignment),
                Effect::Commit { commit, .. } => self.step(Input::Committed {
                    commit,
                    result: Ok(()),
                }),
                Effect::Publish { views, .. } => {
                    let views = views.into_iter();
                    self.views
                        .extend(views.map(|view| ((view.group, view.partition), view)));
                }
                Effect::Withdraw { task } => {
                    self.views.remove(&(task.group, task.partition));
                }
                Effect::Fail(reason) => panic!("the worker gave up: {reason}"),
                _ => {}
            }
        }
    }

    /// A brand-new group on logs that begin at 0.
    fn look_up(&mut self, assignment: u64) {
        let position = |&(topic, partition): &(TopicId, i32)| Position {
            topic,
            partition,
            committed: None,
            log_start: 0,
            log_end: 0,
            fresh_start: 0,
            rebuild_start: 0,
            partitions: self.partitions,
            log: None,
        };
        let positions: Vec<Position> = self.ends.keys().map(position).collect();
        self.step(Input::LookedUp {
            assignment,
            positions: &positions,
        });
    }

    fn topic(&self, name: &str) -> Option<TopicId> {
        let at = self
            .plan
            .topics
            .iter()
            .position(|topic| topic.name == name)?;
        Some(TopicId(at as u16))
    }
}

fn compare(expect: &Expect, found: &[Line]) -> Vec<String> {
    let mut failures = Vec::new();
    for wanted in &expect.wanted {
        let Some(difference) = wanted.differs(found) else {
            continue;
        };
        let mut failure = format!("{}: expected {wanted}, got {difference}\n", wanted.line);
        for line in nearby(&wanted.series.name, found) {
            failure.push_str(&format!("    {}\n", line.text));
        }
        failures.push(failure);
    }
    failures
}

/// The series of that name; if there are none, those whose name begins most alike.
fn nearby<'a>(name: &str, found: &'a [Line]) -> Vec<&'a Line> {
    let alike = |line: &&Line| {
        let pairs = line.series.name.bytes().zip(name.bytes());
        pairs.take_while(|(one, other)| one == other).count()
    };
    let most = found.iter().map(|line| alike(&line)).max().unwrap_or(0);
    let mut nearby: Vec<&Line> = found
        .iter()
        .filter(|line| line.series.name == name)
        .collect();
    if nearby.is_empty() {
        nearby = found.iter().filter(|line| alike(line) == most).collect();
    }
    nearby.truncate(NEARBY);
    nearby
}
