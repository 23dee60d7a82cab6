//! Giving a share back: what can still be committed and saved is, within a deadline.

use events::Span;

use super::{Phase, Worker};
use crate::port::{Effect, LeaseTime};

/// How long an answer to a commit is waited for.
const COMMIT_WITHIN: Span = Span::from_seconds(2);
/// How long snapshots are waited for when the process stops.
const SAVE_WITHIN: Span = Span::from_seconds(4);

/// How far the giving back is.
#[derive(Debug)]
pub(super) struct Draining {
    commits: Commits,
    /// When waiting for the present commit ends.
    commit_until: LeaseTime,
    /// When waiting for snapshots ends; `None`: nothing is saved.
    save_until: Option<LeaseTime>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Commits {
    /// One from before is on its way.
    Before,
    /// The last one is.
    Last,
    Done,
}

impl Worker {
    /// The share is about to be taken away, or the process is asked to stop.
    pub(super) fn revoked(&mut self, stopping: bool, effects: &mut Vec<Effect>) {
        match &mut self.phase {
            Phase::Reading => {
                self.stop_preparing();
                self.phase = Phase::Draining(Draining {
                    commits: Commits::Before,
                    commit_until: LeaseTime(self.at.0.saturating_add(COMMIT_WITHIN.0)),
                    save_until: stopping
                        .then_some(LeaseTime(self.at.0.saturating_add(SAVE_WITHIN.0))),
                });
                self.drain(effects);
            }
            Phase::Draining(draining) => {
                if stopping {
                    let until = LeaseTime(self.at.0.saturating_add(SAVE_WITHIN.0));
                    draining.save_until.get_or_insert(until);
                }
                self.drain(effects);
            }
            _ => self.release(effects),
        }
    }

    /// Goes on with the giving back.
    pub(super) fn drain(&mut self, effects: &mut Vec<Effect>) {
        self.drain_commits(effects);
        let Phase::Draining(draining) = &self.phase else {
            return;
        };
        let (commits, save_until) = (draining.commits, draining.save_until);
        let saved = match save_until {
            Some(until) => self.save_all(effects) || self.at >= until,
            None => true,
        };
        if commits == Commits::Done && saved {
            self.release(effects);
        }
    }

    /// Gives the share back. Its tasks stay in memory, and what is shown stays until the next share
    /// doesn't have it or the lease ends.
    pub(super) fn release(&mut self, effects: &mut Vec<Effect>) {
        self.stop_preparing();
        self.freeze_tasks();
        self.phase = Phase::Idle;
        self.publisher.released(effects, self.at);
        effects.push(Effect::Release);
    }

    fn drain_commits(&mut self, effects: &mut Vec<Effect>) {
        let busy = self.publisher.is_busy();
        let Phase::Draining(draining) = &self.phase else {
            return;
        };
        let (commits, until) = (draining.commits, draining.commit_until);
        if busy && self.at < until {
            return;
        }
        let next = match commits {
            Commits::Before if !busy && self.freeze(effects) => Commits::Last,
            _ => Commits::Done,
        };
        if let Phase::Draining(draining) = &mut self.phase {
            draining.commits = next;
            draining.commit_until = LeaseTime(self.at.0.saturating_add(COMMIT_WITHIN.0));
        }
    }
}
