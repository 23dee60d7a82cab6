//! A task that is read: its state, how far it is, and what it still has to do before it is shown.
//!
//! ```text
//!                 ┌────────────► CatchingUp ──┐ at the log's end
//!  Start ─────────┼────────────► Replaying ───┼──────────────────► Serving
//!                 └► Rebuilding ──► Replaying ┘ at what is committed
//!                        └────────► Zeroed: begun again from memory
//! ```
//! A rebuilding task must have its totals set to zero at exactly the committed offsets. An input
//! that is there first is held: it is paused, and what the shell still delivers is turned away.
//! The shell delivers nothing twice, so a task that turned something away is begun again, from
//! memory, once it was set to zero; assigning in two stages would do the same with one more answer
//! to wait for.

use engine::Task;
use events::{Decoder, EventTime, Record, WallTime};

use crate::header::{Header, InputHeader, LastRecord};
use crate::known::{Known, OtherLog};
use crate::lineage::Lineage;
use crate::note::Note;
use crate::port::{Effect, TaskId};
use crate::progress::Progress;
use crate::resume::{Cause, InputFacts, Remembered, Shown, Start};
use crate::rules::Rules;
use crate::saves::Saves;

/// See the file's header.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) id: TaskId,
    pub(crate) task: Task,
    pub(crate) progress: Progress,
    pub(crate) lineage: Lineage,
    /// What is committed of it, as far as this worker knows.
    pub(crate) base: Option<Lineage>,
    pub(crate) stage: Stage,
    pub(crate) inputs: Vec<InputHeader>,
    pub(crate) saves: Saves,
    /// How each input's log is known again.
    pub(crate) known: Vec<Known>,
    /// Where it began, before what was gone of the log there.
    pub(crate) first_offsets: Vec<i64>,
    /// Rejects before these offsets were reported in an earlier life.
    replayed_below: Vec<i64>,
}

/// See the file's header.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Stage {
    /// Totals are lost: they are set to zero when all inputs are at these offsets. So many records
    /// of each were gone unread.
    Rebuilding {
        zero_at: Vec<i64>,
        unread: Vec<u64>,
        turned_away: bool,
    },
    /// Set to zero, but records were turned away.
    Zeroed,
    /// Never shown before: shown once it has been at the log's end.
    CatchingUp,
    /// Shown when it has reached these offsets.
    Replaying(Vec<i64>),
    /// Shown.
    Serving,
    /// Of no use any more, for one of its logs: it is dropped when the share is begun again.
    Forsaken,
}

impl Running {
    /// A state that isn't read yet: `begin` follows.
    pub(crate) fn new(
        id: TaskId,
        task: Task,
        inputs: Vec<InputHeader>,
        lineage: Lineage,
    ) -> Running {
        let count = inputs.len();
        Running {
            id,
            progress: Progress::new(count),
            task,
            lineage,
            base: None,
            stage: Stage::CatchingUp,
            inputs,
            saves: Saves::default(),
            known: vec![Known::default(); count],
            first_offsets: Vec::new(),
            replayed_below: vec![0; count],
        }
    }

    /// Goes on as decided, with what is known of each input.
    pub(crate) fn begin(&mut self, start: &Start, facts: &[InputFacts], rules: Rules) {
        if self.lineage != start.lineage {
            self.lineage = start.lineage;
            self.inputs.iter_mut().for_each(|input| input.origin = None);
        }
        if let Some(origins) = &start.origins {
            let inputs = self.inputs.iter_mut().zip(origins);
            inputs.for_each(|(input, origin)| input.origin = Some(*origin));
        }
        self.first_offsets.clone_from(&start.offsets);
        let count = |records: &i64| u64::try_from(*records).expect("a gap isn't negative");
        for (input, records) in start.skip.iter().enumerate() {
            if *records > 0 {
                self.task.skip(input, count(records));
            }
        }
        if let (Shown::Reached(reached), false) = (&start.shown, rules.snapshot_offsets) {
            for (input, offset) in reached.iter().enumerate() {
                self.task.start_at(input, *offset);
            }
        }
        (self.stage, self.replayed_below) = match (&start.zero_at, &start.shown) {
            (Some(zero_at), _) => (
                Stage::Rebuilding {
                    zero_at: zero_at.clone(),
                    unread: start.unread(facts).iter().map(count).collect(),
                    turned_away: false,
                },
                zero_at.clone(),
            ),
            (None, Shown::Reached(reached)) => (Stage::Replaying(reached.clone()), reached.clone()),
            (None, Shown::CaughtUp) => (Stage::CatchingUp, vec![0; self.inputs.len()]),
        };
        let offsets: Vec<i64> = self.task.offsets().collect();
        for (input, offset) in offsets.iter().enumerate() {
            let anew = match &start.cause {
                Cause::Recreated(evidence) => evidence[input].is_some(),
                _ => false,
            };
            let last = self.inputs[input].last;
            self.known[input].begin(&facts[input], (*offset, last), anew, rules);
            self.progress.begins(input, *offset);
        }
        for (input, offset) in offsets.into_iter().enumerate() {
            self.arrived(input, offset, rules);
        }
    }

    /// Where the shell has to begin to deliver an input.
    pub(crate) fn deliver_from(&self, input: usize) -> i64 {
        let position = self.progress.position(input);
        self.known[input].from().unwrap_or(position)
    }

    /// Takes a record.
    pub(crate) fn record(
        &mut self,
        (input, offset): (usize, i64),
        record: &Record<'_>,
        decoder: &mut Decoder,
        rules: Rules,
        effects: &mut Vec<Effect>,
    ) -> Result<(), OtherLog> {
        if !self.known[input].is_certain() {
            self.known[input].compare(offset, Some(record))?;
        }
        if !self.progress.expects(input, offset) || self.turns_away(input, offset, rules) {
            return Ok(());
        }
        let decoded = decoder.decode(record);
        if let Err(reason) = decoded {
            let replayed = offset < self.replayed_below[input];
            effects.push(Effect::Reject { reason, replayed });
        }
        let decoded = decoded.as_ref().map_err(|reason| *reason);
        self.task.apply(input, offset, record.timestamp, decoded);
        self.progress.moved_to(input, offset + 1);
        self.inputs[input].last = Some(LastRecord::of(offset, record));
        if matches!(self.stage, Stage::Rebuilding { .. }) {
            self.arrived(input, offset + 1, rules);
        }
        Ok(())
    }

    /// Nothing is there before this offset that was not delivered.
    pub(crate) fn reached_end(
        &mut self,
        input: usize,
        offset: i64,
        rules: Rules,
    ) -> Result<(), OtherLog> {
        if !self.known[input].is_certain() {
            self.known[input].compare(offset, None)?;
        }
        let beyond = |zero_at: &[i64]| offset > zero_at[input];
        let turns_away = match &self.stage {
            Stage::Rebuilding { zero_at, .. } if beyond(zero_at) => {
                self.turns_away(input, offset, rules)
            }
            stage => matches!(stage, Stage::Zeroed | Stage::Forsaken),
        };
        if self.progress.expects(input, offset) && !turns_away {
            self.task.start_at(input, offset);
            self.progress.moved_to(input, offset);
            self.arrived(input, offset, rules);
        }
        Ok(())
    }

    /// Whether it may be shown.
    pub(crate) fn is_ready(&self, now: WallTime, rules: Rules) -> bool {
        let ready = match &self.stage {
            Stage::Rebuilding { .. } | Stage::Zeroed | Stage::Forsaken => false,
            Stage::CatchingUp => self.progress.caught_up(now) || !rules.catch_up_first,
            Stage::Replaying(reached) => {
                let mut inputs = self.task.offsets().zip(reached);
                inputs.all(|(offset, mark)| offset >= *mark) || !rules.wait_for_threshold
            }
            Stage::Serving => true,
        };
        ready && self.is_seen()
    }

    /// Whether no lineage stands for what it is now: totals still have to be set to zero, or it is
    /// made from two logs.
    pub(crate) fn is_between_states(&self) -> bool {
        matches!(self.stage, Stage::Rebuilding { .. } | Stage::Forsaken)
    }

    /// Whether its state is one that may be saved: one that its lineage and offsets stand for.
    pub(crate) fn is_sound(&self) -> bool {
        !self.is_between_states() && self.is_seen()
    }

    /// What a later assignment needs to know of it.
    pub(crate) fn remembered(&self) -> Remembered {
        Remembered {
            lineage: self.lineage,
            base: self.base,
            offsets: self.task.offsets().collect(),
            logs: self.known.iter().map(|known| known.log).collect(),
        }
    }

    /// The pipeline's part of its snapshot.
    pub(crate) fn header(&self) -> Header {
        Header {
            lineage: self.lineage,
            inputs: self.inputs.clone(),
        }
    }

    /// What is committed with the offset of an input.
    pub(crate) fn note(&self, input: usize, served: bool) -> Note {
        let clock = self.task.clocks().nth(input).map(|entry| entry.0);
        Note {
            lineage: self.lineage,
            origin: self.inputs[input].origin,
            clock: clock.filter(|clock| *clock > EventTime::MIN),
            served,
            partitions: self.inputs[input].partitions,
            log: self.known[input].log,
            last: self.inputs[input].last,
        }
    }

    /// Whether every input's log showed the record before where reading began.
    pub(crate) fn is_seen(&self) -> bool {
        self.known.iter().all(Known::is_seen)
    }

    /// The log of this input is another one: nothing of the state is of use any more. Its other
    /// inputs are still looked at.
    pub(crate) fn forsake(&mut self, input: usize) {
        self.known[input].give_up();
        self.stage = Stage::Forsaken;
    }

    /// The log has lost what comes next. A state that still has to be set to zero would never get
    /// there: it is built once more.
    pub(crate) fn is_cut(&mut self) {
        if matches!(self.stage, Stage::Rebuilding { .. }) {
            self.stage = Stage::Forsaken;
        }
    }

    /// Whether what comes at `offset` has to wait until the totals were set to zero.
    fn turns_away(&mut self, input: usize, offset: i64, rules: Rules) -> bool {
        match &self.stage {
            Stage::Zeroed | Stage::Forsaken => return true,
            Stage::Rebuilding { zero_at, .. } if offset >= zero_at[input] => {
                let mark = zero_at[input];
                self.task.start_at(input, mark);
                self.progress.moved_to(input, mark);
                self.arrived(input, mark, rules);
            }
            _ => return false,
        }
        match &mut self.stage {
            Stage::Rebuilding { turned_away, .. } if rules.hold_lost_totals => {
                *turned_away = true;
                true
            }
            Stage::Zeroed => true,
            _ => false,
        }
    }

    /// An input is at `offset`: perhaps it has to be held, perhaps it was the last.
    fn arrived(&mut self, input: usize, offset: i64, rules: Rules) {
        let Stage::Rebuilding {
            zero_at,
            unread,
            turned_away,
        } = &self.stage
        else {
            return;
        };
        if offset < zero_at[input] {
            return;
        }
        let waits = |(offset, mark): (i64, &i64)| offset < *mark;
        if self.task.offsets().zip(zero_at).any(waits) {
            self.progress.hold(input, rules.hold_lost_totals);
            return;
        }
        self.task.zero_totals(unread);
        (0..self.inputs.len()).for_each(|input| self.progress.hold(input, false));
        self.stage = match turned_away {
            true => Stage::Zeroed,
            false => Stage::Replaying(zero_at.clone()),
        };
    }
}
