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
use crate::lineage::Lineage;
use crate::note::Note;
use crate::port::{Effect, TaskId};
use crate::progress::Progress;
use crate::resume::{Remembered, Shown, Start};
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
    /// The last record before where reading begins: it has to come first, and be the same.
    expected: Vec<Option<LastRecord>>,
    /// Rejects before these offsets were reported in an earlier life.
    replayed_below: Vec<i64>,
}

/// See the file's header.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Stage {
    /// Totals are lost: they are set to zero when all inputs are at these offsets.
    Rebuilding {
        zero_at: Vec<i64>,
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
}

/// The log of an input isn't the one the state was made from: what shows it.
pub(crate) struct OtherLog(pub(crate) String);

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
            expected: vec![None; count],
            replayed_below: vec![0; count],
        }
    }

    /// Goes on as decided. `log_starts`: the first offset of each log; `committed`: what is.
    pub(crate) fn begin(&mut self, start: &Start, log_starts: &[i64], rules: Rules) {
        if self.lineage != start.lineage {
            self.lineage = start.lineage;
            self.inputs.iter_mut().for_each(|input| input.origin = None);
        }
        if let Some(origins) = &start.origins {
            let inputs = self.inputs.iter_mut().zip(origins);
            inputs.for_each(|(input, origin)| input.origin = Some(*origin));
        }
        for (input, records) in start.skip.iter().enumerate() {
            let records = u64::try_from(*records).expect("a gap isn't negative");
            if records > 0 {
                self.task.skip(input, records);
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
                    turned_away: false,
                },
                zero_at.clone(),
            ),
            (None, Shown::Reached(reached)) => (Stage::Replaying(reached.clone()), reached.clone()),
            (None, Shown::CaughtUp) => (Stage::CatchingUp, vec![0; self.inputs.len()]),
        };
        let offsets: Vec<i64> = self.task.offsets().collect();
        for (input, offset) in offsets.iter().enumerate() {
            let last = self.inputs[input].last;
            let there = last.filter(|last| {
                rules.compare_records && last.offset >= log_starts[input] && last.offset < *offset
            });
            self.expected[input] = there;
            self.progress.begins(input, *offset);
        }
        for (input, offset) in offsets.into_iter().enumerate() {
            self.arrived(input, offset, rules);
        }
    }

    /// Where the shell has to begin to deliver an input.
    pub(crate) fn deliver_from(&self, input: usize) -> i64 {
        let position = self.progress.position(input);
        self.expected[input].map_or(position, |last| last.offset)
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
        if self.expected[input].is_some() {
            self.compare(input, offset, Some(record))?;
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
        if self.expected[input].is_some() {
            self.compare(input, offset, None)?;
        }
        let beyond = |zero_at: &[i64]| offset > zero_at[input];
        let turns_away = match &self.stage {
            Stage::Rebuilding { zero_at, .. } if beyond(zero_at) => {
                self.turns_away(input, offset, rules)
            }
            stage => *stage == Stage::Zeroed,
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
            Stage::Rebuilding { .. } | Stage::Zeroed => false,
            Stage::CatchingUp => self.progress.caught_up(now) || !rules.catch_up_first,
            Stage::Replaying(reached) => {
                let mut inputs = self.task.offsets().zip(reached);
                inputs.all(|(offset, mark)| offset >= *mark) || !rules.wait_for_threshold
            }
            Stage::Serving => true,
        };
        ready && self.is_known_again()
    }

    /// Whether totals still have to be set to zero: no lineage stands for what it is now.
    pub(crate) fn is_between_states(&self) -> bool {
        matches!(self.stage, Stage::Rebuilding { .. })
    }

    /// Whether its state is one that may be saved: one that its lineage and offsets stand for.
    pub(crate) fn is_sound(&self) -> bool {
        !self.is_between_states() && self.is_known_again()
    }

    /// What a later assignment needs to know of it.
    pub(crate) fn remembered(&self) -> Remembered {
        Remembered {
            lineage: self.lineage,
            base: self.base,
            offsets: self.task.offsets().collect(),
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
        }
    }

    /// Every input's log showed the record that was read last.
    fn is_known_again(&self) -> bool {
        self.expected.iter().all(Option::is_none)
    }

    /// The first that is delivered has to be the record that was read last.
    fn compare(
        &mut self,
        input: usize,
        offset: i64,
        record: Option<&Record<'_>>,
    ) -> Result<(), OtherLog> {
        let Some(last) = self.expected[input].filter(|last| offset >= last.offset) else {
            return Ok(());
        };
        match record {
            Some(record) if offset == last.offset => {
                if LastRecord::of(offset, record) != last {
                    return Err(OtherLog(format!(
                        "the record at offset {offset} is another one"
                    )));
                }
                self.expected[input] = None;
                Ok(())
            }
            None if offset == last.offset => Ok(()),
            _ => Err(OtherLog(format!(
                "the record at offset {} isn't there",
                last.offset
            ))),
        }
    }

    /// Whether what comes at `offset` has to wait until the totals were set to zero.
    fn turns_away(&mut self, input: usize, offset: i64, rules: Rules) -> bool {
        match &self.stage {
            Stage::Zeroed => return true,
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
        self.task.zero_totals();
        (0..self.inputs.len()).for_each(|input| self.progress.hold(input, false));
        self.stage = match turned_away {
            true => Stage::Zeroed,
            false => Stage::Replaying(zero_at.clone()),
        };
    }
}
