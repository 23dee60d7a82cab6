//! A logic that writes down what happens to it, and the small plans it runs on.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use catalogue::plan::{Group, Limits, Plan, TimeRules, Topic, TopicId};
use events::{Reject, Span};
use kafka::worker::Setup;
use kafka::{Board, Call, Metrics, Request, Settings, Start, WorkerHandle};
use pipeline::log_id::LogId;
use pipeline::port::{CommitOffset, Position};
use pipeline::{Assignment, Effect, Input};
use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use support::Kafka;

/// Generous: the machine may be busy with builds.
pub const LONG: Duration = Duration::from_secs(60);

/// A place in Kafka: the topic's index in the plan, and the partition.
pub type Place = (u16, i32);

/// What a worker was told.
#[derive(Default)]
pub struct Seen {
    /// Every record since the last assignment, in order of arrival: offset and value.
    pub records: BTreeMap<Place, Vec<(i64, Vec<u8>)>>,
    /// The starts of the assignment in force.
    pub assigned: BTreeMap<Place, i64>,
    /// The last end reached.
    pub reached: BTreeMap<Place, i64>,
    /// The last end observed.
    pub ends: BTreeMap<Place, i64>,
    /// Which topics these are, as last told while reading.
    pub logs: BTreeMap<u16, LogId>,
    /// How often an assignment came.
    pub assignments: usize,
    /// Its number.
    pub assignment: u64,
    /// What an assignment leaves out for now.
    pub left_out: Vec<Place>,
    /// What the brokers knew of the last share.
    pub positions: BTreeMap<Place, Position>,
    /// How often all was taken away.
    pub revocations: usize,
    /// The answers to commits, in order.
    pub committed: Vec<(u64, Result<(), String>)>,
    /// Whether it was asked to stop.
    pub stopping: bool,
    /// A share that is to be given back is kept until an order says otherwise.
    pub keep_share: bool,
    /// Effects to be returned with the next tick.
    pub orders: Vec<Effect>,
    /// An effect to be returned with the record at this place and offset, once.
    pub at_record: Option<(Place, i64, Effect)>,
    /// Records with this value are rejected.
    pub reject: Option<(Vec<u8>, Reject)>,
    /// Rejected records were rejected before.
    pub replayed: bool,
}

impl Seen {
    fn note(&mut self, input: Input<'_>, effects: &mut Vec<Effect>) {
        match input {
            Input::Assigned { assignment, .. } => {
                self.assignments += 1;
                self.assignment = assignment;
                self.records.clear();
                self.reached.clear();
                self.assigned.clear();
                let reach = Span::from_seconds(60);
                effects.push(Effect::LookUp { assignment, reach });
            }
            Input::LookedUp {
                assignment,
                positions,
            } => effects.push(self.assign(assignment, positions)),
            Input::Revoked => {
                self.revocations += 1;
                self.assigned.clear();
                self.give_back(effects);
            }
            Input::Stopping => {
                self.stopping = true;
                self.give_back(effects);
            }
            Input::Lost => {
                self.revocations += 1;
                self.assigned.clear();
            }
            Input::OutOfRange { .. } => effects.push(Effect::StartOver),
            Input::Committed { commit, result } => self.committed.push((commit, result)),
            Input::Listed { .. } | Input::Loaded { .. } | Input::Saved { .. } => {
                panic!("nobody asked a store")
            }
            Input::Record {
                topic,
                partition,
                offset,
                record,
            } => {
                let value = record.value.unwrap_or_default().to_vec();
                self.take((topic.0, partition), offset, value, effects);
            }
            Input::ReachedEnd {
                topic,
                partition,
                offset,
            } => {
                self.reached.insert((topic.0, partition), offset);
            }
            Input::EndObserved {
                topic,
                partition,
                end,
                ..
            } => {
                self.ends.insert((topic.0, partition), end);
            }
            Input::LogObserved { topic, log } => {
                self.logs.insert(topic.0, log);
            }
            Input::Tick { .. } => effects.append(&mut self.orders),
        }
    }

    /// A record came: rejects it, or says something with it, if that was asked for.
    fn take(&mut self, place: Place, offset: i64, value: Vec<u8>, effects: &mut Vec<Effect>) {
        if let Some((poison, reason)) = &self.reject
            && *poison == value
        {
            effects.push(Effect::Reject {
                reason: *reason,
                replayed: self.replayed,
            });
        }
        let now = self
            .at_record
            .take_if(|one| (one.0, one.1) == (place, offset));
        effects.extend(now.map(|one| one.2));
        self.records.entry(place).or_default().push((offset, value));
    }

    /// Every partition from where the group is, else from where a new group begins.
    fn assign(&mut self, assignment: u64, positions: &[Position]) -> Effect {
        let begins = |it: &&Position| !self.left_out.contains(&(it.topic.0, it.partition));
        let starts: Vec<Assignment> = positions
            .iter()
            .filter(begins)
            .map(|position| Assignment {
                topic: position.topic,
                partition: position.partition,
                start: position
                    .committed
                    .as_ref()
                    .map_or(position.fresh_start, |committed| committed.0),
            })
            .collect();
        self.positions = positions
            .iter()
            .map(|one| ((one.topic.0, one.partition), one.clone()))
            .collect();
        self.assigned = starts
            .iter()
            .map(|one| ((one.topic.0, one.partition), one.start))
            .collect();
        Effect::Assign { assignment, starts }
    }

    fn give_back(&self, effects: &mut Vec<Effect>) {
        if !self.keep_share {
            effects.push(Effect::Release);
        }
    }

    /// How many records of this place came since the last assignment.
    pub fn count_of(&self, place: Place) -> usize {
        self.records.get(&place).map_or(0, Vec::len)
    }

    /// How many records came since the last assignment.
    pub fn count(&self) -> usize {
        self.records.values().map(Vec::len).sum()
    }
}

/// A worker whose logic is a recorder.
pub struct Recorded {
    pub handle: WorkerHandle,
    pub registry: prometheus::Registry,
    seen: Arc<Mutex<Seen>>,
}

impl Recorded {
    /// Starts it.
    pub fn start(number: usize, settings: Settings, plan: Plan) -> Recorded {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let registry = prometheus::Registry::new();
        let setup = Setup {
            number,
            settings,
            plan: Arc::new(plan),
            board: Arc::new(Board::new()),
            metrics: Metrics::register(&registry).expect("an empty registry"),
            check_group_every: Duration::from_secs(1),
        };
        let notes = Arc::clone(&seen);
        let handle = kafka::worker::spawn(setup, move |call| match call {
            Call::Step(input, effects) => {
                notes
                    .lock()
                    .expect("no test panics in here")
                    .note(input, effects);
            }
            Call::Overdue { reply, .. } => reply(Vec::new()),
        });
        Recorded {
            handle: handle.expect("good settings"),
            registry,
            seen,
        }
    }

    /// What it was told so far.
    pub fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().expect("no test panics in here")
    }

    /// Waits until what it was told is as wanted.
    #[track_caller]
    pub fn until(&self, what: &str, mut holds: impl FnMut(&Seen) -> bool) {
        support::until(LONG, what, || holds(&self.seen()));
    }

    /// Stops it and waits for its end.
    pub fn stop(&self) {
        self.handle.request(Request::Stop);
        let end = self.handle.ended().recv_timeout(LONG);
        end.expect("it ends in time").expect("nothing went wrong");
    }

    /// Orders a commit of these offsets and waits for its answer.
    #[track_caller]
    pub fn commit(&self, commit: u64, offsets: &[(Place, i64)], note: &str) -> Result<(), String> {
        let offsets = offsets
            .iter()
            .map(|((topic, partition), offset)| CommitOffset {
                topic: TopicId(*topic),
                partition: *partition,
                offset: *offset,
                note: note.to_owned(),
            });
        let offsets = offsets.collect();
        self.seen().orders.push(Effect::Commit { commit, offsets });
        let of = |seen: &Seen| seen.committed.iter().find(|one| one.0 == commit).cloned();
        self.until("the commit's answer", |seen| of(seen).is_some());
        let answer = of(&self.seen()).expect("it was just there");
        answer.1
    }

    /// The value of a counter or gauge by name and label values; the count of a histogram.
    pub fn metric(&self, name: &str, labels: &[&str]) -> Option<f64> {
        let families = self.registry.gather();
        let family = families.iter().find(|family| family.name() == name)?;
        let metric = family.get_metric().iter().find(|metric| {
            let values = metric.get_label().iter().map(|label| label.value());
            let mut values: Vec<&str> = values.collect();
            let mut wanted = labels.to_vec();
            values.sort_unstable();
            wanted.sort_unstable();
            values == wanted
        })?;
        let gauge = metric.get_gauge().get_value();
        let observed = metric.get_histogram().get_sample_count() as f64;
        Some(gauge + metric.get_counter().get_value() + observed)
    }
}

/// Settings that read everything.
pub fn settings(kafka: &Kafka, group: &str) -> Settings {
    Settings {
        brokers: kafka.brokers(),
        group: group.into(),
        start: Start::Earliest,
        dead_letter_topic: None,
        workers: None,
        client: vec![("reconnect.backoff.max.ms".into(), "500".into())],
    }
}

/// A plan that reads these topics, all joined.
pub fn plan(topics: &[&str]) -> Plan {
    let topic = |name: &&str| Topic {
        name: (*name).into(),
        key: None,
        types: vec!["*".into()],
        lateness: Span::from_seconds(30),
    };
    let ids = (0_u16..).take(topics.len()).map(TopicId).collect();
    Plan {
        namespace: "shop".into(),
        time: TimeRules {
            max_future: Span::from_seconds(300),
            dedupe: Span::ZERO,
        },
        limits: Limits {
            label_values: 10,
            open_entities: 10,
            remembered_entities: 100,
            held_entities: 10,
            dedupe_entries: 10,
            record_bytes: 1 << 20,
            max_series: 100,
        },
        topics: topics.iter().map(topic).collect(),
        groups: vec![Group {
            topics: ids,
            kpis: Vec::new(),
        }],
        types: Vec::new(),
        fields: Vec::new(),
        kpis: Vec::new(),
    }
}

/// Writes `count` records to each of the partitions: their values count up from `from`.
pub fn fill(kafka: &Kafka, topic: &str, partitions: i32, from: usize, count: usize) {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", kafka.brokers())
        .set("enable.idempotence", "true");
    let producer: BaseProducer = config.create().expect("plain settings");
    for number in from..from + count {
        let value = number.to_string();
        for partition in 0..partitions {
            let record = BaseRecord::<(), str>::to(topic)
                .partition(partition)
                .payload(&value);
            producer
                .send(record)
                .map_err(|error| error.0)
                .expect("room in the queue");
        }
        producer.poll(Duration::ZERO);
    }
    producer.flush(LONG).expect("the broker takes them");
}

/// Asserts that the values of a partition count up from 0 to `count`, each once.
#[track_caller]
pub fn assert_counted(seen: &Seen, place: Place, count: usize) {
    let records = seen
        .records
        .get(&place)
        .map(Vec::as_slice)
        .unwrap_or_default();
    let ascend = records.windows(2).all(|pair| pair[0].0 < pair[1].0);
    assert!(ascend, "{place:?}: the offsets do not ascend");
    let text = |record: &(i64, Vec<u8>)| String::from_utf8_lossy(&record.1).into_owned();
    let values: Vec<String> = records.iter().map(text).collect();
    let expected: Vec<String> = (0..count).map(|number| number.to_string()).collect();
    assert!(
        values == expected,
        "{place:?}: {} values, {count} expected",
        values.len()
    );
}
