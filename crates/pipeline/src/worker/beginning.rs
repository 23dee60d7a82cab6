//! Tasks that are ready begin to be read, once brand-new ones have their first offsets committed.
//!
//! Those that are ready first wait for the others of the share for a moment, so that mostly all
//! begin with one `Assign`. Then they begin without them: a task that waits for a store that is
//! down, or for a large snapshot, is added later by an `Assign` of its own.

use super::{Phase, Worker};
use crate::port::{Assignment, CommitOffset, Effect, LeaseTime};
use crate::preparing::{Begun, FirstCommit, Preparing, Step};

/// When the commit of first offsets is sent again after it was refused or lost.
const COMMIT_AGAIN: i64 = 1_000_000;

impl Worker {
    /// Begins what can begin.
    pub(super) fn begin_ready(&mut self, effects: &mut Vec<Effect>) {
        let Some(preparing) = &self.preparing else {
            return;
        };
        let together = !self.rules.ready_first || self.at < preparing.together_until;
        let all_are = |is: fn(&Step) -> bool| preparing.tasks.iter().all(|it| is(&it.step));
        let all_begun = all_are(Step::has_begun);
        if together && !all_are(Step::is_ready) {
            return;
        }
        self.commit_first(effects);
        if all_begun || !together {
            self.read(effects);
        }
    }

    /// Commits the first offsets of brand-new tasks.
    fn commit_first(&mut self, effects: &mut Vec<Effect>) {
        let Some(preparing) = &mut self.preparing else {
            return;
        };
        let send = match preparing.first_commit {
            FirstCommit::NotSent => true,
            FirstCommit::Sent(_) => false,
            FirstCommit::Again(at) => self.at >= at,
        };
        if !send || self.publisher.is_busy() {
            return;
        }
        let mut offsets = first_offsets(&self.plan, preparing);
        if !offsets.is_empty() {
            offsets.sort_by_key(|entry| (entry.topic, entry.partition));
            let commit = self.publisher.commit(offsets, Vec::new(), self.at, effects);
            preparing.first_commit = FirstCommit::Sent(commit);
        }
    }

    /// Reads those that have begun.
    fn read(&mut self, effects: &mut Vec<Effect>) {
        let Some(preparing) = &mut self.preparing else {
            return;
        };
        let begun = preparing.take_begun();
        let is_over = preparing.tasks.is_empty();
        if begun.is_empty() && !is_over {
            return;
        }
        if is_over {
            self.preparing = None;
        }
        self.phase = Phase::Reading;
        let mut starts = Vec::new();
        for mut running in begun {
            for (input, topic) in self.plan.groups[running.id.group].topics.iter().enumerate() {
                starts.push(Assignment {
                    topic: *topic,
                    partition: running.id.partition,
                    start: running.deliver_from(input),
                });
            }
            self.memory.remove(&running.id);
            self.doubts.settle(running.id);
            running.saves.begin(self.at);
            self.tasks.push(running);
        }
        self.open_routes();
        starts.sort_by_key(|start| (start.topic, start.partition));
        let assignment = self.assignment;
        effects.push(Effect::Assign { assignment, starts });
    }

    /// A commit was refused or lost: perhaps that of first offsets.
    pub(super) fn first_commit_failed(&mut self, commit: u64) {
        if let Some(preparing) = &mut self.preparing
            && preparing.first_commit == FirstCommit::Sent(commit)
        {
            preparing.first_commit = FirstCommit::Again(LeaseTime(self.at.0 + COMMIT_AGAIN));
            preparing.committed(Begun::ToBeCommitted);
        }
    }

    /// A commit went through: if it was that of first offsets, their tasks have begun.
    pub(super) fn first_commit_done(&mut self, commit: u64, effects: &mut Vec<Effect>) {
        if let Some(preparing) = &mut self.preparing
            && preparing.first_commit == FirstCommit::Sent(commit)
        {
            preparing.first_commit = FirstCommit::NotSent;
            preparing.committed(Begun::Committed);
            self.begin_ready(effects);
        }
    }
}

/// What has to be committed before brand-new tasks are read; they count as being committed now.
fn first_offsets(plan: &catalogue::plan::Plan, preparing: &mut Preparing) -> Vec<CommitOffset> {
    let mut offsets = Vec::new();
    for pending in &mut preparing.tasks {
        let Step::Ready(running, begun @ Begun::ToBeCommitted) = &mut pending.step else {
            continue;
        };
        *begun = Begun::BeingCommitted;
        let topics = plan.groups[running.id.group].topics.iter().enumerate();
        offsets.extend(
            topics
                .zip(&running.first_offsets)
                .map(|((input, topic), offset)| CommitOffset {
                    topic: *topic,
                    partition: running.id.partition,
                    offset: *offset,
                    note: running.note(input, false).to_string(),
                }),
        );
    }
    offsets
}
