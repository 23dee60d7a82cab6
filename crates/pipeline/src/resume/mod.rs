//! Where a task goes on: the decision, as a pure function of what the brokers and the store say.
//!
//! `attempts` gives the ways to begin in their order of preference; a worker takes the first that
//! can be had (a snapshot may turn out to be torn). The last one never needs the store, or is a
//! failure with what to do. Invariant: whatever is chosen, no counter that was published before is
//! shown lower without having been set to zero on purpose, in a new lineage.

mod belonging;
mod carried;
mod nothing;
#[cfg(test)]
mod tests;

pub(crate) use carried::{is_unknown, told_topics, topics, was_last};

use std::cmp::Reverse;
use std::collections::VecDeque;

use self::belonging::belongs;
use crate::lineage::Lineage;
use crate::log_id::LogId;
use crate::name::{EarlierName, SnapshotName};
use crate::note::Note;
use crate::rules::LogGap;

/// What is known of one input of a task.
#[derive(Clone, Debug)]
pub struct InputFacts {
    /// The topic's name, for messages.
    pub topic: String,
    /// The committed offset and its note, `None` for a note that isn't Kept's.
    pub committed: Option<(i64, Option<Note>)>,
    /// Where somebody has moved the offset, if that is beyond the log's end: `committed` is the end.
    pub beyond: Option<i64>,
    /// Which topic it is now, if that is known.
    pub log: Option<LogId>,
    /// The first offset that the log has.
    pub log_start: i64,
    /// The first that it doesn't have yet.
    pub log_end: i64,
    /// Where a brand-new group begins.
    pub fresh_start: i64,
    /// From where windows and open entities can be rebuilt.
    pub rebuild_start: i64,
    /// How many partitions the topic has.
    pub partitions: i32,
    /// What shows that the log isn't the one that was read before, if something does.
    pub other_log: Option<String>,
}

/// A task that is still in memory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Remembered {
    /// How its state began.
    pub lineage: Lineage,
    /// The lineage that was committed when this worker last knew, `None` if nothing was.
    pub base: Option<Lineage>,
    /// Its next offsets.
    pub offsets: Vec<i64>,
    /// The topics that it was made from, where they are known.
    pub logs: Vec<Option<LogId>>,
}

/// All that the decision depends on.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// Fingerprint of the group's plan.
    pub plan: u64,
    /// One per topic of the group.
    pub inputs: &'a [InputFacts],
    /// The task in memory, if it is there.
    pub memory: Option<&'a Remembered>,
    /// What the store has.
    pub names: &'a [SnapshotName],
    /// What it has of tasks that had some of these topics, and others.
    pub earlier: &'a [EarlierName],
    /// What to do about gaps.
    pub log_gap: LogGap,
    /// Whether the committed lineage decides (`Rules::same_lineage`).
    pub same_lineage: bool,
}

/// A way to begin, or the reason why there is none.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Attempt {
    /// Begin so.
    Go(Start),
    /// The worker can't go on: what to do, in the user's words.
    Fail(String),
}

/// Where the state comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Source {
    /// It is still there.
    Memory,
    /// From the store.
    Snapshot(SnapshotName),
    /// From the store, each of a task that had some of these topics: others, or itself.
    Carried(Vec<EarlierName>),
    /// An empty one.
    Nothing,
}

/// A way to begin.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Start {
    /// Where the state comes from.
    pub from: Source,
    /// Its next offsets.
    pub offsets: Vec<i64>,
    /// How many records from there on are gone, by input.
    pub skip: Vec<i64>,
    /// The lineage of what comes of it.
    pub lineage: Lineage,
    /// For an empty state that can be made again from its first offsets: those.
    pub origins: Option<Vec<i64>>,
    /// When it may be shown.
    pub shown: Shown,
    /// Whether the first offsets have to be committed before anything is read.
    pub commit: bool,
    /// Where the totals are set to zero, when all inputs are there; nothing is shown, committed or
    /// saved before.
    pub zero_at: Option<Vec<i64>>,
    /// Why so.
    pub cause: Cause,
}

impl Start {
    /// How many of the records that are gone were never read, by input: where totals are set to
    /// zero, those up to what is committed were in what was published. They can't be read again,
    /// but nobody missed them.
    pub fn unread(&self, inputs: &[InputFacts]) -> Vec<i64> {
        match self.zero_at {
            Some(_) => unread(inputs, &self.offsets, &self.skip),
            None => self.skip.clone(),
        }
    }

    /// What has to be got from the store for it, in order; `own`: the task's topics.
    pub(crate) fn stored_names(&self, own: &[String]) -> VecDeque<String> {
        match &self.from {
            Source::Snapshot(name) => VecDeque::from([name.to_string()]),
            Source::Carried(names) => names.iter().map(|name| name.for_task(own)).collect(),
            Source::Memory | Source::Nothing => VecDeque::new(),
        }
    }

    /// Whether numbers that may have been shown are given up by beginning so.
    pub fn loses(&self) -> bool {
        let unread = self.skip.iter().any(|records| *records > 0);
        self.zero_at.is_some() || unread || (self.cause == Cause::Fresh && self.commit)
    }
}

/// When a task may be shown.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Shown {
    /// Once it has caught up with the log's end: it was never shown before.
    CaughtUp,
    /// When it has reached these offsets.
    Reached(Vec<i64>),
}

/// Why a task begins as it does.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Cause {
    /// It is new.
    Fresh,
    /// It is still in memory.
    Kept,
    /// From a snapshot.
    Restored,
    /// From snapshots of tasks that had other topics.
    Carried,
    /// From its first offsets, exactly.
    Rebuilding,
    /// From as far back as windows reach.
    TotalsLost,
    /// The logs of these inputs are other ones: what shows it, by input.
    Recreated(Vec<Option<String>>),
}

/// See the file's header. Never empty.
pub fn attempts(question: &Question<'_>) -> Vec<Attempt> {
    if let Some(message) = question.inputs.iter().find_map(repartitioned) {
        return vec![Attempt::Fail(message)];
    }
    let committed = Committed::of(question.inputs);
    if let Some(attempt) = nothing::recreated(question, &committed) {
        return vec![attempt];
    }
    let mut candidates = candidates(question, &committed);
    // Without a committed lineage a snapshot of this plan goes before a newer one of another.
    let own =
        |candidate: &Candidate| committed.lineages.is_empty() && candidate.plan == question.plan;
    candidates.sort_by_key(|candidate| {
        let newest: i128 = candidate
            .offsets
            .iter()
            .map(|offset| i128::from(*offset))
            .sum();
        let memory = candidate.from == Source::Memory;
        Reverse((own(candidate), newest, memory, candidate.offsets.clone()))
    });
    let (covered, gapped): (Vec<_>, Vec<_>) = candidates
        .into_iter()
        .partition(|candidate| candidate.gap(question).iter().all(|records| *records == 0));
    let carried = match covered.is_empty() && gapped.is_empty() {
        true => carried::candidates(question),
        false => Vec::new(),
    };
    let mut attempts: Vec<Attempt> = Vec::new();
    for candidate in covered.iter().chain(&gapped).chain(&carried) {
        attempts.push(candidate.attempt(question, &committed));
        if matches!(attempts.last(), Some(Attempt::Fail(_))) {
            return attempts;
        }
    }
    attempts.push(nothing::attempt(question, &committed));
    attempts
}

/// Whether the task in memory is what is committed, so that the store needn't be asked.
pub fn memory_is_current(question: &Question<'_>) -> bool {
    let Some(memory) = question.memory else {
        return false;
    };
    let mut inputs = question.inputs.iter().zip(&memory.offsets);
    memory_will_do(question)
        && inputs
            .all(|(input, offset)| input.committed.as_ref().is_some_and(|one| one.0 == *offset))
}

/// Whether the task in memory can go on without a look at the store.
pub fn memory_will_do(question: &Question<'_>) -> bool {
    let alone = Question {
        names: &[],
        earlier: &[],
        ..*question
    };
    let first = attempts(&alone).swap_remove(0);
    let gapless = |start: &Start| start.skip.iter().all(|records| *records == 0);
    matches!(first, Attempt::Go(start) if start.from == Source::Memory && gapless(&start))
}

/// The message when a topic's number of partitions isn't what it was.
pub fn repartitioned_message(topic: &str, before: i32, now: i32) -> String {
    format!(
        "topic {topic} had {before} partitions when this state was made and has {now} now: keys have \
         moved to other partitions, so orders and carts that were open can't be followed and totals \
         per partition don't go on; begin anew with `kept state reset`, or with another kafka.group"
    )
}

fn repartitioned(input: &InputFacts) -> Option<String> {
    let (_, note) = input.committed.as_ref()?;
    let before = note.as_ref()?.partitions;
    (before != input.partitions)
        .then(|| repartitioned_message(&input.topic, before, input.partitions))
}

/// The message when records are gone and the policy is to stop.
fn gap_message(inputs: &[InputFacts], gap: &[i64]) -> String {
    let lost: Vec<String> = inputs
        .iter()
        .zip(gap)
        .filter(|entry| *entry.1 > 0)
        .map(|(input, records)| format!("{records} of topic {}", input.topic))
        .collect();
    format!(
        "records that this state has not read are gone from the log ({}), and [state] log_gap is \
         \"stop\": set it to \"continue\" to go on without them (they are counted in \
         kept_log_gap_records_total), or begin anew with `kept state reset`",
        lost.join(", ")
    )
}

/// Of the `skip` records from `offsets` on, how many lie behind what is committed, by input.
fn unread(inputs: &[InputFacts], offsets: &[i64], skip: &[i64]) -> Vec<i64> {
    let gone = inputs.iter().zip(offsets.iter().zip(skip));
    gone.map(|(input, (offset, skip))| {
        let committed = input.committed.as_ref().map_or(*offset, |one| one.0);
        (offset + skip - committed.max(*offset)).max(0)
    })
    .collect()
}

/// What the commits of a task say together.
struct Committed {
    /// Of all notes, each once. Several if a commit went through for some partitions, or if other
    /// tasks had some of the topics last.
    lineages: Vec<Lineage>,
    offsets: Vec<Option<i64>>,
    /// By input, if every input has a note.
    notes: Option<Vec<Note>>,
    served: bool,
    /// Whether an offset was committed by somebody else.
    by_hand: bool,
}

impl Committed {
    fn of(inputs: &[InputFacts]) -> Committed {
        let notes: Vec<Option<Note>> = inputs
            .iter()
            .map(|input| input.committed.as_ref().and_then(|one| one.1))
            .collect();
        let mut lineages: Vec<Lineage> = notes.iter().flatten().map(|note| note.lineage).collect();
        lineages.sort_unstable();
        lineages.dedup();
        Committed {
            lineages,
            offsets: inputs
                .iter()
                .map(|input| input.committed.as_ref().map(|one| one.0))
                .collect(),
            served: notes.iter().flatten().any(|note| note.served),
            by_hand: inputs
                .iter()
                .any(|input| matches!(input.committed, Some((_, None)))),
            notes: notes.into_iter().collect(),
        }
    }

    /// When a state that goes on may be shown. An offset that was moved by hand doesn't tell how far
    /// was published before: the log's end is certainly far enough.
    fn shown(&self) -> Shown {
        if !self.served || self.by_hand {
            return Shown::CaughtUp;
        }
        Shown::Reached(
            self.offsets
                .iter()
                .map(|offset| offset.unwrap_or(0))
                .collect(),
        )
    }
}

/// What shows that a topic is another one than before, as far as both are known.
pub(crate) fn changed(before: Option<LogId>, now: Option<LogId>) -> Option<String> {
    let (before, now) = (before?, now?);
    (before != now).then(|| format!("its topic id was {before} and is {now}"))
}

/// A state that could be gone on from.
struct Candidate {
    from: Source,
    plan: u64,
    offsets: Vec<i64>,
    /// Its own, and after this plan has taken it over.
    lineage: Lineage,
    adopted: Lineage,
}

/// Every state that belongs to what is committed and lies before the log's end.
fn candidates(question: &Question<'_>, committed: &Committed) -> Vec<Candidate> {
    let in_log = |offsets: &[i64]| {
        offsets.len() == question.inputs.len()
            && offsets
                .iter()
                .zip(question.inputs)
                .all(|(offset, input)| *offset <= input.log_end)
    };
    let memory = question.memory.filter(|memory| {
        let known = match memory.base {
            Some(base) => committed.lineages.contains(&base),
            None => committed.lineages.is_empty(),
        };
        known || committed.lineages.contains(&memory.lineage) || !question.same_lineage
    });
    let same_logs = |memory: &&Remembered| {
        let mut logs = memory.logs.iter().zip(question.inputs);
        logs.all(|(before, input)| changed(*before, input.log).is_none())
    };
    let memory = memory.filter(same_logs);
    let memory = memory.map(|memory| Candidate {
        from: Source::Memory,
        plan: question.plan,
        offsets: memory.offsets.clone(),
        lineage: memory.lineage,
        adopted: memory.lineage,
    });
    let stored = question.names.iter().map(|name| Candidate {
        from: Source::Snapshot(name.clone()),
        plan: name.plan,
        offsets: name.offsets.clone(),
        lineage: name.lineage,
        adopted: match name.plan == question.plan {
            true => name.lineage,
            false => name.lineage.adopted(question.plan, &name.offsets),
        },
    });
    let stored = stored
        .filter(|candidate| in_log(&candidate.offsets))
        .filter(|candidate| belongs(question, committed, candidate));
    memory
        .into_iter()
        .filter(|candidate| in_log(&candidate.offsets))
        .chain(stored)
        .collect()
}

impl Candidate {
    /// How many records after it are gone, by input.
    fn gap(&self, question: &Question<'_>) -> Vec<i64> {
        let inputs = question.inputs.iter().zip(&self.offsets);
        inputs
            .map(|(input, offset)| (input.log_start - offset).max(0))
            .collect()
    }

    /// The lineage after the gap, if there is one.
    fn gapped(&self, question: &Question<'_>) -> Lineage {
        let gap = self.gap(question);
        if gap.iter().all(|records| *records == 0) {
            return self.adopted;
        }
        let to: Vec<i64> = self
            .offsets
            .iter()
            .zip(&gap)
            .map(|(from, gap)| from + gap)
            .collect();
        self.adopted.gapped(&self.offsets, &to)
    }

    /// Goes on from here.
    fn attempt(&self, question: &Question<'_>, committed: &Committed) -> Attempt {
        let skip = self.gap(question);
        let gapped = skip.iter().any(|records| *records > 0);
        if gapped && question.log_gap == LogGap::Stop {
            return Attempt::Fail(gap_message(question.inputs, &skip));
        }
        let shown = committed.shown();
        let mut start = Start {
            from: self.from.clone(),
            offsets: self.offsets.clone(),
            skip,
            lineage: self.gapped(question),
            origins: None,
            shown,
            commit: false,
            zero_at: None,
            cause: match self.from {
                Source::Memory => Cause::Kept,
                Source::Carried(_) => Cause::Carried,
                Source::Snapshot(_) | Source::Nothing => Cause::Restored,
            },
        };
        if let Shown::Reached(reached) = &start.shown
            && self.lacks_published(&start.skip, reached)
            && !committed.lineages.contains(&start.lineage)
        {
            let after = start
                .offsets
                .iter()
                .zip(&start.skip)
                .map(|(from, gap)| from + gap);
            let zero_at: Vec<i64> = after
                .zip(reached)
                .map(|(after, mark)| after.max(*mark))
                .collect();
            let unread = unread(question.inputs, &start.offsets, &start.skip);
            start.lineage = start.lineage.zeroed(&zero_at, &unread);
            start.shown = Shown::Reached(zero_at.clone());
            start.zero_at = Some(zero_at);
        } else if start.cause == Cause::Carried && carried::begins_with_history(question.inputs) {
            start.shown = Shown::CaughtUp;
        }
        Attempt::Go(start)
    }

    /// Whether records that are gone were counted in what was published: the totals without them
    /// would be lower, and a fall is taken for a reset by whoever reads them.
    fn lacks_published(&self, skip: &[i64], reached: &[i64]) -> bool {
        let mut inputs = self.offsets.iter().zip(skip).zip(reached);
        inputs.any(|((offset, records), mark)| *records > 0 && mark > offset)
    }
}
