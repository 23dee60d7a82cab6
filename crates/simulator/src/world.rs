//! A virtual world for the production code: `pipeline` and `engine` under virtual brokers, a
//! virtual store and a shop, while things go wrong.
//!
//! One thread, one virtual clock, everything from one seed: the same seed is the same history to
//! the byte. Processes with one or two workers each join a group, are killed, stopped, cut off and
//! replaced; a scraper looks at what they show; an oracle that has every record says what is true.
//! After a while nothing goes wrong any more: then everything must be served, and exact.

mod asks;
mod broker;
mod calls;
mod carry;
mod faults;
mod follow;
mod group;
mod hand;
mod malformed;
mod moment;
mod objects;
mod operator;
mod outcome;
mod plan;
mod reasons;
mod scraper;
mod trouble;
mod truth;
mod wake;
mod watch;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use catalogue::plan::{Plan, TopicId};
use events::{EventTime, Span};
use pipeline::lineage::Lineage;
use pipeline::port::TaskId;
use pipeline::{LogGap, Rules};

use crate::shop::{Chance, Delay, Shop, ShopSettings};
use broker::Broker;
use faults::TROUBLED;
use group::Coordinator;
use hand::{Ask, Call, Hand, Process, Reply};
use moment::{Agenda, Moment};
use objects::Objects;
use reasons::Reasons;
use scraper::Scraper;
use trouble::{Conditions, Excuse};
use truth::{History, Truth};

pub use faults::{Fault, FaultKind, FaultPlan};
pub use objects::Damage;
pub use outcome::{Check, Failure, Report};

/// A member that isn't heard of for so long is thrown out.
const SESSION: Span = Span::from_seconds(6);
/// A member that doesn't poll for so long leaves; and so long a rebalance waits for a member.
const MAX_POLL: Span = Span::from_seconds(10);
/// Views may be shown for so long: two thirds of the lesser.
const LEASE: Span = Span::from_seconds(4);
/// A commit without an answer has failed after so long.
const COMMIT_TIMEOUT: Span = Span::from_seconds(3);
/// The shell gives back what the worker doesn't release for so long.
const DRAIN: Span = Span::from_seconds(5);
/// The setting.
const SNAPSHOT_EVERY: Span = Span::from_seconds(5);
/// So much history is in the log when the world begins.
const HISTORY: Span = Span::from_seconds(60);
/// After the last fault everything must be served within this time.
const SETTLE: Span = Span::from_seconds(90);
/// How much of what happened is told with a failure.
const TRAIL: usize = 60;
/// When every world begins: 2026-01-05T10:00:00Z.
const BEGIN: Moment = Moment(1_767_607_200_000_000);

/// What happens next.
enum Event {
    /// A worker's thread comes round.
    Wake(u64),
    /// A worker's client sends a heartbeat.
    Beat(u64),
    /// Something comes back to a worker.
    Reply(u64, Reply),
    /// A worker's question reaches the brokers.
    Ask(u64, Ask),
    /// A worker's question reaches the store.
    Call(u64, Call),
    /// The coordinator looks round.
    Coordinate,
    /// Prometheus comes by.
    Scrape,
    /// A fault begins.
    Begin(usize),
    /// A fault ends.
    End(usize),
    /// A process starts.
    Spawn,
    /// Somebody resets the state.
    Reset,
    /// A task that is ready should be read by now: by this worker, in this share.
    Look(u64, u64, TaskId),
    /// From now on nothing goes wrong.
    Settle,
}

/// See the file's header.
struct World {
    now: Moment,
    agenda: Agenda<Event>,
    /// For latencies and interleavings; the shop and the fault plan have their own.
    chance: Chance,
    /// The KPIs in force, and which of `Truth`'s plans they are.
    plan: Arc<Plan>,
    version: usize,
    rules: Rules,
    /// For what the brokers tell of topics.
    topic_chance: Chance,
    /// For amounts that can't be read.
    amount_chance: Chance,
    /// What processes that start are told to do at a gap.
    log_gap: LogGap,
    /// Of each topic.
    partitions: i32,
    /// How many there were when the state was made, until it is reset.
    repartitioned_from: Option<i32>,
    resetting: bool,
    faults: FaultPlan,
    conditions: Conditions,
    excuse: Excuse,
    reasons: Reasons,
    shop: Shop,
    broker: Broker,
    group: Coordinator,
    store: Objects,
    /// What the store was before its folder went away.
    unmounted: Vec<Objects>,
    truth: Truth,
    scraper: Scraper,
    processes: BTreeMap<u64, Process>,
    hands: BTreeMap<u64, Hand>,
    /// Numbers of processes and workers; never used twice.
    numbers: u64,
    /// The history of every lineage that was used.
    lineages: BTreeMap<(TaskId, Lineage), History>,
    /// The history of every snapshot that was handed out.
    saved: BTreeMap<(TaskId, String), History>,
    /// The counters of every view, by what they are a function of.
    states: BTreeMap<(TaskId, History, Vec<i64>), u64>,
    epochs: BTreeMap<TaskId, u32>,
    /// Where each task began to be read before it was first shown: which logs, and their offsets.
    origins: BTreeMap<TaskId, (Vec<u32>, Vec<i64>)>,
    /// Tasks that were ever shown.
    shown: BTreeSet<TaskId>,
    /// The lineages that were committed of each task, in their order.
    committed: BTreeMap<TaskId, Vec<Lineage>>,
    settling: bool,
    done: bool,
    failure: Option<(Check, String)>,
    trail: Option<VecDeque<String>>,
    report: Report,
}

/// Runs one world with all rules in force.
pub fn run(seed: u64) -> Result<Report, Box<Failure>> {
    run_with(seed, Rules::default())
}

/// Runs one world with these rules: all true in production, one broken in the proof that the world
/// finds it out.
pub fn run_with(seed: u64, rules: Rules) -> Result<Report, Box<Failure>> {
    let plan = FaultPlan::draw(seed);
    run_plan(&plan, rules)
}

/// Runs one world with these faults. One that fails is run once more to tell what happened.
pub fn run_plan(plan: &FaultPlan, rules: Rules) -> Result<Report, Box<Failure>> {
    World::new(plan.clone(), rules, false)
        .run()
        .or_else(|_| World::new(plan.clone(), rules, true).run())
}

impl World {
    fn new(faults: FaultPlan, rules: Rules, tells: bool) -> World {
        let plans = plan::plans();
        let plan = Arc::clone(&plans[0]);
        let start = EventTime(BEGIN.0) - HISTORY;
        World {
            now: BEGIN,
            agenda: Agenda::new(),
            chance: Chance::new(faults.seed),
            topic_chance: Chance::new(faults.seed ^ 0x70_91c5),
            amount_chance: Chance::new(faults.seed ^ 0xa_3000_7bad),
            rules,
            version: 0,
            log_gap: faults.log_gap,
            partitions: faults.partitions,
            repartitioned_from: None,
            resetting: false,
            conditions: Conditions::default(),
            excuse: Excuse::default(),
            reasons: Reasons::default(),
            shop: Shop::new(faults.seed, shop_settings(&faults, start)),
            broker: Broker::new(plan.topics.len(), faults.partitions),
            group: Coordinator::new(SESSION, MAX_POLL),
            store: Objects::default(),
            unmounted: Vec::new(),
            truth: Truth::new(plans),
            scraper: Scraper::default(),
            processes: BTreeMap::new(),
            hands: BTreeMap::new(),
            numbers: 0,
            lineages: BTreeMap::new(),
            saved: BTreeMap::new(),
            states: BTreeMap::new(),
            epochs: BTreeMap::new(),
            origins: BTreeMap::new(),
            shown: BTreeSet::new(),
            committed: BTreeMap::new(),
            settling: false,
            done: false,
            failure: None,
            trail: tells.then(VecDeque::new),
            report: Report::default(),
            faults,
            plan,
        }
    }

    fn run(mut self) -> Result<Report, Box<Failure>> {
        for _ in 0..self.faults.processes {
            let at = BEGIN.after(self.chance.uniform(0.0, 5.0));
            self.agenda.put(at, Event::Spawn);
        }
        for (index, fault) in self.faults.faults.iter().enumerate() {
            let end = fault.at + fault.lasts;
            self.agenda.put(BEGIN.after(fault.at), Event::Begin(index));
            self.agenda
                .put(BEGIN.after(end.min(TROUBLED)), Event::End(index));
        }
        self.agenda.put(BEGIN, Event::Coordinate);
        self.agenda.put(BEGIN, Event::Scrape);
        self.agenda.put(BEGIN.after(TROUBLED), Event::Settle);
        while !self.done && self.failure.is_none() {
            let (at, event) = self.agenda.next().expect("the scraper never ends");
            self.now = at;
            self.produce();
            self.happen(event);
        }
        match self.failure {
            None => Ok(self.report),
            Some((check, detail)) => Err(Box::new(Failure {
                plan: self.faults,
                at: self.now.since(BEGIN),
                check,
                detail,
                trail: self.trail.unwrap_or_default().into(),
            })),
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Wake(worker) => self.wake(worker),
            Event::Beat(worker) => self.beat(worker),
            Event::Reply(worker, reply) => self.reply(worker, reply),
            Event::Ask(worker, ask) => self.asked(worker, ask),
            Event::Call(worker, call) => self.called(worker, call),
            Event::Coordinate => self.coordinate(),
            Event::Scrape => {
                self.scrape();
                let pause = self.chance.uniform(0.7, 2.5);
                self.later(pause, Event::Scrape);
            }
            Event::Begin(index) => self.fault_begins(index),
            Event::End(index) => self.fault_ends(index),
            Event::Spawn => self.spawn(),
            Event::Reset => self.reset(),
            Event::Look(worker, share, task) => self.look(worker, share, task),
            Event::Settle => self.settle(),
        }
    }

    /// What the shop sent until now is in the log, unless the brokers are away.
    fn produce(&mut self) {
        if self.conditions.brokers_away > 0 {
            return;
        }
        let until = self.now.min(BEGIN.after(TROUBLED)).as_event_time();
        for mut record in self.shop.until(until) {
            malformed::spoil(&mut record.value, &mut self.amount_chance);
            let (place, offset) = self.broker.append(&record, &mut self.chance);
            self.truth.record(place, offset, &record);
            self.report.records += 1;
        }
    }

    fn later(&mut self, wait: Span, event: Event) {
        self.agenda.put(self.now.after(wait), event);
    }

    fn topics(&self) -> Vec<TopicId> {
        self.plan.groups[0].topics.clone()
    }

    fn fail(&mut self, check: Check, detail: impl Into<String>) {
        self.failure.get_or_insert((check, detail.into()));
    }

    /// For the trail; costs nothing in a run that isn't told.
    fn tell(&mut self, line: impl FnOnce(&World) -> String) {
        if self.trail.is_none() {
            return;
        }
        let line = format!("{:9.3} s  {}", self.now.since(BEGIN).seconds(), line(self));
        let trail = self.trail.as_mut().expect("looked at just above");
        trail.push_back(line);
        if trail.len() > TRAIL {
            trail.pop_front();
        }
    }
}

fn shop_settings(faults: &FaultPlan, start: EventTime) -> ShopSettings {
    ShopSettings {
        orders_per_second: faults.orders_per_second,
        partitions: faults.partitions,
        duplicate_share: 0.03,
        out_of_order: Delay {
            share: 0.05,
            most: Span::from_seconds(8),
        },
        late: Delay {
            share: 0.01,
            most: Span::from_seconds(60),
        },
        garbage_share: 0.01,
        ..ShopSettings::proof(start)
    }
}
