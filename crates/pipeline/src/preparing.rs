//! A share before it is read: its tasks wait for positions, for the list of snapshots, for one of
//! them; brand-new ones for the commit of where they begin.
//!
//! A store that doesn't answer is asked again for as long as it takes: beginning anew because a
//! store is down would lose what is in it. Only a task whose state is still in memory goes on
//! without its answer.

use std::collections::{BTreeMap, VecDeque};

use catalogue::plan::TopicId;
use engine::snapshot::Snapshot;
use events::Span;

use crate::name::{EarlierName, SnapshotName};
use crate::note::Note;
use crate::port::{Effect, LeaseTime, LoadError, Notice, Position, TaskId};
use crate::resume::{Attempt, InputFacts, Start};
use crate::running::Running;

/// A store that doesn't take a question is asked again after this long.
const RETRY: Span = Span::from_seconds(3);
/// A question to the store that has no answer for so long is asked again.
const PATIENCE: Span = Span::from_seconds(60);
/// Tasks that are ready wait for the others of their share for so long.
const TOGETHER: Span = Span::from_seconds(1);

/// See the file's header.
#[derive(Debug)]
pub(crate) struct Preparing {
    pub(crate) partitions: Vec<(TopicId, i32)>,
    pub(crate) positions: BTreeMap<(TopicId, i32), Position>,
    pub(crate) tasks: Vec<Pending>,
    /// The commit of the first offsets of brand-new tasks.
    pub(crate) first_commit: FirstCommit,
    /// Until then those that are ready wait for the others.
    pub(crate) together_until: LeaseTime,
}

/// See `Preparing::first_commit`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum FirstCommit {
    NotSent,
    /// By this number.
    Sent(u64),
    /// Refused: sent again at a tick from then on.
    Again(LeaseTime),
}

/// A task that isn't read yet.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) id: TaskId,
    pub(crate) names: Names,
    /// What the store has of tasks that had other topics; known with the names.
    pub(crate) earlier: Vec<EarlierName>,
    pub(crate) step: Step,
    /// Snapshots that could not be used: what is stored under these names has other bytes than the
    /// state they stand for.
    pub(crate) refused: Vec<String>,
    /// The format version of a snapshot that only a newer Kept reads, if there is one.
    pub(crate) newer: Option<u16>,
    /// The last words of a store that doesn't give what was asked for.
    pub(crate) trouble: Option<String>,
}

/// What the store has of a task.
#[derive(Debug)]
pub(crate) enum Names {
    Unasked,
    /// Since when.
    Asked(LeaseTime),
    /// To be asked again then.
    Unavailable(LeaseTime),
    Known(Vec<SnapshotName>),
}

/// How far a task is.
#[derive(Debug)]
pub(crate) enum Step {
    /// For positions or names.
    Waiting,
    /// For a snapshot.
    Loading(Box<Loading>),
    /// It could be read.
    Ready(Box<Running>, Begun),
}

/// A snapshot is awaited.
#[derive(Debug)]
pub(crate) struct Loading {
    pub(crate) name: String,
    /// What is asked for after it, and what came before it: where several make one state.
    more: VecDeque<String>,
    had: Vec<Snapshot>,
    pub(crate) start: Start,
    /// What comes after it if it can't be used.
    pub(crate) rest: VecDeque<Attempt>,
    /// When to ask again.
    pub(crate) again: LeaseTime,
}

/// Whether a task that is ready has its first offsets committed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Begun {
    Committed,
    BeingCommitted,
    ToBeCommitted,
}

impl Preparing {
    pub(crate) fn new(partitions: &[(TopicId, i32)], tasks: &[TaskId], at: LeaseTime) -> Preparing {
        let pending = |id: &TaskId| Pending {
            id: *id,
            names: Names::Unasked,
            earlier: Vec::new(),
            step: Step::Waiting,
            refused: Vec::new(),
            newer: None,
            trouble: None,
        };
        Preparing {
            partitions: partitions.to_vec(),
            positions: BTreeMap::new(),
            tasks: tasks.iter().map(pending).collect(),
            first_commit: FirstCommit::NotSent,
            together_until: LeaseTime(at.0.saturating_add(TOGETHER.0)),
        }
    }

    /// A task of it.
    pub(crate) fn pending(&mut self, task: TaskId) -> Option<&mut Pending> {
        self.tasks.iter_mut().find(|pending| pending.id == task)
    }

    /// The states that are ready.
    pub(crate) fn ready(&mut self) -> impl Iterator<Item = &mut Running> {
        self.tasks
            .iter_mut()
            .filter_map(|pending| match &mut pending.step {
                Step::Ready(running, _) => Some(&mut **running),
                Step::Waiting | Step::Loading(_) => None,
            })
    }

    /// Takes the tasks out that can be read.
    pub(crate) fn take_begun(&mut self) -> Vec<Running> {
        let begun = self.tasks.extract_if(.., |it| it.step.has_begun());
        begun
            .filter_map(|pending| match pending.step {
                Step::Ready(running, _) => Some(*running),
                Step::Waiting | Step::Loading(_) => None,
            })
            .collect()
    }

    /// What became of the commit of first offsets.
    pub(crate) fn committed(&mut self, outcome: Begun) {
        for pending in &mut self.tasks {
            if let Step::Ready(running, begun @ Begun::BeingCommitted) = &mut pending.step {
                if outcome == Begun::Committed {
                    running.base = Some(running.lineage);
                }
                *begun = outcome;
            }
        }
    }

    /// Whether the position of every partition is known.
    pub(crate) fn is_located(&self) -> bool {
        self.partitions
            .iter()
            .all(|place| self.positions.contains_key(place))
    }

    /// Takes the answer to `List`; unknown names are somebody else's objects.
    pub(crate) fn listed(
        &mut self,
        task: TaskId,
        names: Result<Vec<String>, String>,
        at: LeaseTime,
        effects: &mut Vec<Effect>,
    ) {
        let Some(pending) = self.pending(task) else {
            return;
        };
        if matches!(pending.names, Names::Known(_)) {
            return;
        }
        pending.names = match names {
            Ok(names) => {
                let earlier = names.iter().filter_map(|name| EarlierName::parse(name));
                pending.earlier = earlier.collect();
                let names = names.iter().filter_map(|name| SnapshotName::parse(name));
                pending.trouble = None;
                Names::Known(names.collect())
            }
            Err(detail) => {
                pending.waits(detail, effects);
                Names::Unavailable(LeaseTime(at.0 + RETRY.0))
            }
        };
    }

    /// Takes the answer to `Load`: the snapshots that were awaited, once all are there, with how to
    /// begin from them, and what comes next if they can't be used.
    pub(crate) fn loaded(
        &mut self,
        task: TaskId,
        name: &str,
        snapshot: Result<Snapshot, LoadError>,
        at: LeaseTime,
        effects: &mut Vec<Effect>,
    ) -> Option<(Loading, Result<Vec<Snapshot>, LoadError>)> {
        let pending = self.pending(task)?;
        let Step::Loading(loading) = &mut pending.step else {
            return None;
        };
        if loading.name != name {
            return None;
        }
        let snapshots = match snapshot {
            Err(LoadError::Unavailable(detail)) => {
                loading.again = LeaseTime(at.0 + RETRY.0);
                pending.waits(detail, effects);
                return None;
            }
            Err(error) => Err(error),
            Ok(snapshot) => {
                loading.had.push(snapshot);
                if let Some(name) = loading.more.pop_front() {
                    loading.name.clone_from(&name);
                    loading.again = LeaseTime(at.0 + PATIENCE.0);
                    pending.trouble = None;
                    effects.push(Effect::Load { task, name });
                    return None;
                }
                Ok(std::mem::take(&mut loading.had))
            }
        };
        pending.trouble = None;
        match std::mem::replace(&mut pending.step, Step::Waiting) {
            Step::Loading(loading) => Some((*loading, snapshots)),
            _ => None,
        }
    }

    /// Asks again what was not answered.
    pub(crate) fn ask_again(&mut self, at: LeaseTime, effects: &mut Vec<Effect>) {
        for pending in &mut self.tasks {
            let task = pending.id;
            match &mut pending.names {
                Names::Unavailable(again) if at >= *again => pending.names = Names::Unasked,
                Names::Asked(since) if at.0 - since.0 > PATIENCE.0 => {
                    pending.names = Names::Unasked;
                    pending.waits(no_answer(), effects);
                }
                _ => {}
            }
            let Step::Loading(loading) = &mut pending.step else {
                continue;
            };
            if at >= loading.again {
                loading.again = LeaseTime(at.0 + PATIENCE.0);
                let name = loading.name.clone();
                effects.push(Effect::Load { task, name });
                if pending.trouble.is_none() {
                    pending.waits(no_answer(), effects);
                }
            }
        }
    }
}

impl Pending {
    /// The task, if it is there already.
    pub(crate) fn running(&self) -> Option<&Running> {
        match &self.step {
            Step::Ready(running, _) => Some(running),
            Step::Waiting | Step::Loading(_) => None,
        }
    }

    /// The snapshots that the store has, if it said so.
    pub(crate) fn names(&self) -> Option<&[SnapshotName]> {
        match &self.names {
            Names::Known(names) => Some(names),
            Names::Unasked | Names::Asked(_) | Names::Unavailable(_) => None,
        }
    }

    /// Those of them that could be used, as far as it was tried.
    pub(crate) fn usable_names(&self) -> Option<Vec<SnapshotName>> {
        let usable = |it: &&SnapshotName| !self.refused.contains(&it.to_string());
        Some(self.names()?.iter().filter(usable).cloned().collect())
    }

    /// What it has of tasks that had other topics, without those that could not be used.
    pub(crate) fn usable_earlier(&self) -> Vec<EarlierName> {
        let usable = |it: &&EarlierName| !self.refused.contains(&it.to_string());
        self.earlier.iter().filter(usable).cloned().collect()
    }

    /// Whether the store was asked for names and doesn't say.
    pub(crate) fn is_kept_waiting(&self, at: LeaseTime) -> bool {
        match self.names {
            Names::Asked(since) => at.0 - since.0 >= RETRY.0 || self.trouble.is_some(),
            Names::Unavailable(_) => true,
            Names::Unasked | Names::Known(_) => false,
        }
    }

    /// The store doesn't give what the task waits for.
    fn waits(&mut self, detail: String, effects: &mut Vec<Effect>) {
        self.trouble = Some(detail.clone());
        effects.push(Effect::Notice(Notice::StoreUnavailable {
            task: self.id,
            detail,
            waits: true,
        }));
    }

    /// Asks for what the store has.
    pub(crate) fn ask(&mut self, at: LeaseTime, effects: &mut Vec<Effect>) {
        if matches!(self.names, Names::Unasked) {
            self.names = Names::Asked(at);
            effects.push(Effect::List { task: self.id });
        }
    }

    /// Waits for the snapshots of these names, one after the other; at least one.
    pub(crate) fn load(
        &mut self,
        mut names: VecDeque<String>,
        start: Start,
        rest: VecDeque<Attempt>,
        at: LeaseTime,
        effects: &mut Vec<Effect>,
    ) {
        let name = names
            .pop_front()
            .expect("a start from the store has a name");
        effects.push(Effect::Load {
            task: self.id,
            name: name.clone(),
        });
        self.step = Step::Loading(Box::new(Loading {
            name,
            more: names,
            had: Vec::new(),
            start,
            rest,
            again: LeaseTime(at.0 + PATIENCE.0),
        }));
    }
}

impl Step {
    /// Whether it could be read.
    pub(crate) fn is_ready(&self) -> bool {
        matches!(self, Step::Ready(..))
    }

    /// Whether nothing has to be committed before it is read.
    pub(crate) fn has_begun(&self) -> bool {
        matches!(self, Step::Ready(_, Begun::Committed))
    }
}

fn no_answer() -> String {
    format!("no answer within {} s", PATIENCE.0 / 1_000_000)
}

/// What the decision needs to know of an input. Somebody's offset beyond the end of a log that is
/// known to be the same counts as the end; without a topic id it may as well be another log.
pub(crate) fn facts(topic: &str, position: &Position) -> InputFacts {
    let committed = position.committed.as_ref();
    let mut committed = committed.map(|(offset, note)| (*offset, Note::parse(note)));
    let mut beyond = None;
    if let Some((offset, None)) = &mut committed
        && position.log.is_some()
        && *offset > position.log_end
    {
        beyond = Some(std::mem::replace(offset, position.log_end));
    }
    InputFacts {
        topic: topic.to_owned(),
        committed,
        beyond,
        log: position.log,
        log_start: position.log_start,
        log_end: position.log_end,
        fresh_start: position.fresh_start,
        rebuild_start: position.rebuild_start,
        partitions: position.partitions,
        other_log: None,
    }
}
