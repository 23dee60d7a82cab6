//! What goes wrong, and when: drawn from the seed before anything happens, so that it can be
//! printed and read.

use std::fmt;

use events::Span;
use pipeline::LogGap;

use super::objects::Damage;
use crate::shop::Chance;

/// One thing that goes wrong.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Fault {
    /// After the begin of the run.
    pub at: Span,
    /// For so long; meaningless for what is over at once.
    pub lasts: Span,
    /// What.
    pub kind: FaultKind,
}

/// What can go wrong. A process is named by its place among those that are there.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum FaultKind {
    /// kill -9; it is started again when the time is over.
    Crash(u64),
    /// SIGSTOP, and SIGCONT when the time is over.
    Freeze(u64),
    /// One worker of it doesn't come back from a call; its other threads go on.
    Stuck(u64),
    /// No packet between it and the brokers.
    Isolate(u64),
    /// One more process.
    Join,
    /// SIGTERM, and nobody starts it again.
    Leave(u64),
    /// SIGTERM and a new one at once.
    Restart(u64),
    /// The brokers are away.
    BrokerDown,
    /// Commits never arrive, with this probability.
    CommitsLost(f64),
    /// Commits arrive, their answers don't, with this probability.
    AnswersLost(f64),
    /// Every message to and from the brokers takes up to so much longer.
    SlowNetwork(Span),
    /// The store doesn't answer.
    StoreDown,
    /// What is asked of the store is not done, half done, or done but answered with an error.
    StoreTrouble(f64),
    /// Every call of the store takes up to so much longer.
    SlowStore(Span),
    /// The newest snapshot of a task is damaged: its head, or one of its sections.
    Damage {
        /// Which task.
        task: u64,
        /// How.
        how: Damage,
        /// Its head?
        head: bool,
    },
    /// All snapshots are gone.
    Wipe,
    /// The log keeps only so much of its history.
    Retention(Span),
    /// kill -9 for all of them; one is started again when the time is over.
    CrashAll,
    /// The folder of the snapshots isn't mounted: another one, empty, is in its place.
    Unmounted,
    /// The group's offsets are gone: they expired, or somebody deleted them. Nobody is there.
    Forget,
    /// A topic was deleted, made anew and filled again, with so many offsets before. Nobody is
    /// there.
    Recreate(u64, i64),
    /// Likewise, while it is read.
    RecreateUnderReaders(u64, i64),
    /// The KPIs are changed, or changed back. Nobody is there.
    ChangePlan,
    /// Somebody moves the offsets of a task by so much. Nobody is there.
    MoveOffsets(u64, i64),
    /// Every topic gets one partition more. Nobody is there.
    Repartition,
    /// One process' wall clock is set.
    ClockSet(u64, Span),
}

/// All that goes wrong in a run, and what the run looks like.
#[derive(Clone, PartialEq, Debug)]
pub struct FaultPlan {
    /// The seed it was drawn from.
    pub seed: u64,
    /// Partitions of each topic.
    pub partitions: i32,
    /// Processes at the begin.
    pub processes: u64,
    /// At most so many records are delivered in one round of a worker's loop.
    pub batch: u64,
    /// Orders a second.
    pub orders_per_second: f64,
    /// How much of the history that is there a brand-new group reads.
    pub fresh: Span,
    /// What is done when records are gone from the log.
    pub log_gap: LogGap,
    /// Whether the brokers tell a topic from another one of its name; mostly, even then.
    pub topic_ids: bool,
    /// In the order of their times.
    pub faults: Vec<Fault>,
}

/// So long things go wrong.
pub const TROUBLED: Span = Span::from_seconds(150);

impl FaultPlan {
    /// Draws a plan.
    pub fn draw(seed: u64) -> FaultPlan {
        let mut chance = Chance::new(seed ^ 0x5eed_fa17);
        let count = chance.below(12);
        let mut faults: Vec<Fault> = (0..count).map(|_| draw(&mut chance)).collect();
        if chance.happens(0.12) {
            storm(&mut faults, &mut chance);
        }
        if chance.happens(0.08) {
            disaster(&mut faults, &mut chance);
        }
        if chance.happens(0.1) {
            faults.push(operated(&mut chance));
        }
        // Draws of their own, so that they change no other.
        let mut topics = Chance::new(seed ^ 0x7091_c1d5);
        let topic_ids = topics.happens(0.85);
        if topic_ids && topics.happens(0.08) {
            faults.push(recreated(&mut topics));
        }
        faults.sort_by_key(|fault| fault.at);
        FaultPlan {
            seed,
            partitions: 1 + chance.below(3) as i32,
            processes: 1 + chance.below(3),
            batch: *chance.one_of(&[12, 40, 120, 400]),
            orders_per_second: chance.share(0.5, 2.5),
            fresh: Span::from_seconds(10 * chance.below(7) as i64),
            log_gap: match chance.happens(0.15) {
                true => LogGap::Stop,
                false => LogGap::Continue,
            },
            topic_ids,
            faults,
        }
    }
}

fn draw(chance: &mut Chance) -> Fault {
    let at = chance.uniform(0.0, TROUBLED.seconds());
    let lasts = match chance.weighted(&[0.4, 0.4, 0.2]) {
        0 => chance.uniform(0.2, 4.0),
        1 => chance.uniform(3.0, 15.0),
        _ => chance.uniform(15.0, 45.0),
    };
    let share = *chance.one_of(&[0.1, 0.5, 1.0]);
    let slow = chance.uniform(0.1, 4.0);
    let who = chance.below(1 << 16);
    let weights = [
        3.0, 3.0, 2.0, 2.0, 1.5, 1.0, 1.0, 0.7, 1.0, 1.5, 1.0, 0.7, 1.5, 0.7, 1.5, 0.25, 0.4, 0.4,
        0.5, 0.2, 0.1, 0.15,
    ];
    let kind = match chance.weighted(&weights) {
        0 => FaultKind::Crash(who),
        1 => FaultKind::Freeze(who),
        2 => FaultKind::Stuck(who),
        3 => FaultKind::Isolate(who),
        4 => FaultKind::Join,
        5 => FaultKind::Leave(who),
        6 => FaultKind::Restart(who),
        7 => FaultKind::BrokerDown,
        8 => FaultKind::CommitsLost(share),
        9 => FaultKind::AnswersLost(share),
        10 => FaultKind::SlowNetwork(slow),
        11 => FaultKind::StoreDown,
        12 => FaultKind::StoreTrouble(share),
        13 => FaultKind::SlowStore(slow),
        14 => FaultKind::Damage {
            task: who,
            how: *chance.one_of(&[Damage::Truncate, Damage::FlipBit, Damage::Vanish]),
            head: chance.happens(0.6),
        },
        15 => FaultKind::Wipe,
        16 => FaultKind::Retention(chance.uniform(5.0, 60.0)),
        17 => FaultKind::ClockSet(who, chance.uniform(-30.0, 30.0)),
        18 => FaultKind::CrashAll,
        19 => FaultKind::Unmounted,
        20 => FaultKind::Forget,
        _ => FaultKind::Recreate(who, 1 + chance.below(40) as i64),
    };
    Fault { at, lasts, kind }
}

/// Somebody changes what is deployed.
fn operated(chance: &mut Chance) -> Fault {
    let kind = match chance.below(3) {
        0 => FaultKind::ChangePlan,
        1 => FaultKind::MoveOffsets(chance.below(1 << 16), chance.below(80) as i64 - 40),
        _ => FaultKind::Repartition,
    };
    Fault {
        at: chance.uniform(10.0, TROUBLED.seconds() - 20.0),
        lasts: chance.uniform(0.2, 8.0),
        kind,
    }
}

/// A topic is made anew in the middle of everything.
fn recreated(chance: &mut Chance) -> Fault {
    let before = 1 + chance.below(80) as i64;
    Fault {
        at: chance.uniform(5.0, TROUBLED.seconds() - 10.0),
        lasts: Span::ZERO,
        kind: FaultKind::RecreateUnderReaders(chance.below(1 << 16), before),
    }
}

/// Somebody joins or leaves every two seconds.
fn storm(faults: &mut Vec<Fault>, chance: &mut Chance) {
    let begin = chance.uniform(0.0, 90.0);
    for step in 0..20 {
        let kind = match chance.happens(0.5) {
            true => FaultKind::Join,
            false => FaultKind::Leave(chance.below(1 << 16)),
        };
        faults.push(Fault {
            at: begin + Span::from_seconds(2 * step),
            lasts: Span::ZERO,
            kind,
        });
    }
}

/// Everything is restarted while its snapshots can't be seen and the log is short; and once more
/// when the old ones are there again.
fn disaster(faults: &mut Vec<Fault>, chance: &mut Chance) {
    let begin = chance.uniform(10.0, 60.0);
    let lasts = chance.uniform(15.0, 50.0);
    let down = chance.uniform(0.5, 4.0);
    let mut put = |at: Span, lasts: Span, kind: FaultKind| faults.push(Fault { at, lasts, kind });
    put(begin, lasts, FaultKind::Unmounted);
    let reach = chance.uniform(5.0, 40.0);
    put(begin, Span::ZERO, FaultKind::Retention(reach));
    put(begin + Span::from_seconds(1), down, FaultKind::CrashAll);
    if chance.happens(0.7) {
        put(
            begin + lasts + Span::from_seconds(1),
            down,
            FaultKind::CrashAll,
        );
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (at, lasts) = (self.at.seconds(), self.lasts.seconds());
        write!(f, "{at:7.1} s, for {lasts:4.1} s: {:?}", self.kind)
    }
}

impl fmt::Display for FaultPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "seed {}: {} partitions, {} processes, {:.1} orders/s, history {}, batches of {}, at gaps {:?}, topic ids {}",
            self.seed,
            self.partitions,
            self.processes,
            self.orders_per_second,
            self.fresh,
            self.batch,
            self.log_gap,
            self.topic_ids
        )?;
        for fault in &self.faults {
            writeln!(f, "  {fault}")?;
        }
        Ok(())
    }
}
