//! Published = committed, and what is published is on a lease.
//!
//! Views are frozen at V about once a second, V is committed, and only when the brokers have said
//! yes for every partition are the views shown. The lease of all that is shown counts from the
//! sending of the last commit that went through.
//!
//! After a share was given back its views may stay until the next share says whose the tasks are, but
//! only for a moment at a time, for as long as the worker comes round: one that is stopped would
//! else show them once more when it goes on, before it hears of its next share. If the next owner
//! has published and died meanwhile, the counters would be seen to fall. What is left is a worker
//! that comes round, yet is cut off from the brokers between its release and its share: its views
//! end with the lease, so an owner would have to take over, publish, be scraped and die within what
//! is left of it. Taking them down at once would cost every hand-over a gap instead.

use std::collections::BTreeMap;
use std::sync::Arc;

use engine::View;
use events::Span;

use crate::port::{CommitOffset, Effect, LeaseTime, Notice, TaskId};
use crate::rules::{Options, Rules};

/// How often views are frozen.
const PUBLISH_EVERY: Span = Span::from_seconds(1);
/// How soon again for tasks that aren't shown yet: those that restore for a little longer than
/// others would else be missing on a scraper's side for a second more.
const SHOW_EVERY: Span = Span(200_000);
/// What was given back may be shown for so long after the worker last came round.
const RELEASED_FOR: Span = Span::from_seconds(1);
/// A commit that has no answer for so long won't get one.
const PATIENCE: Span = Span::from_seconds(15);

/// See the file's header.
#[derive(Debug)]
pub(crate) struct Publisher {
    lease: Span,
    rules: Rules,
    commits: u64,
    in_flight: Option<InFlight>,
    frozen_at: Option<LeaseTime>,
    until: LeaseTime,
    /// What is shown, and at which offsets.
    shown: BTreeMap<TaskId, Vec<i64>>,
    fenced: bool,
}

/// A commit on its way.
#[derive(Debug)]
struct InFlight {
    commit: u64,
    sent: LeaseTime,
    views: Vec<Arc<View>>,
}

/// What became of the commit on its way.
pub(crate) enum Outcome {
    /// Nothing: the answer is to another one.
    Stale,
    /// It went through; these views are shown now, those marked for the first time since the start.
    Done(Vec<(Arc<View>, bool)>),
    /// It did not.
    Failed,
}

impl Publisher {
    pub(crate) fn new(options: &Options, rules: Rules) -> Publisher {
        Publisher {
            lease: options.lease,
            rules,
            commits: 0,
            in_flight: None,
            frozen_at: None,
            until: LeaseTime(i64::MIN),
            shown: BTreeMap::new(),
            fenced: false,
        }
    }

    /// Whether views should be frozen now; `first`: whether there are some that aren't shown yet.
    pub(crate) fn is_due(&self, at: LeaseTime, first: bool) -> bool {
        let every = if first { SHOW_EVERY } else { PUBLISH_EVERY };
        let due = self
            .frozen_at
            .is_none_or(|frozen| at.0 - frozen.0 >= every.0);
        due && self.in_flight.is_none()
    }

    /// Whether a commit is on its way.
    pub(crate) fn is_busy(&self) -> bool {
        self.in_flight.is_some()
    }

    /// Sends a commit, with the views that it stands for. Returns its number.
    pub(crate) fn commit(
        &mut self,
        offsets: Vec<CommitOffset>,
        views: Vec<Arc<View>>,
        at: LeaseTime,
        effects: &mut Vec<Effect>,
    ) -> u64 {
        assert!(
            self.in_flight.is_none(),
            "one commit at a time is on its way"
        );
        assert!(!offsets.is_empty(), "a commit commits something");
        self.commits += 1;
        self.frozen_at = Some(at);
        if !self.rules.publish_after_commit && !views.is_empty() {
            self.show(&views, at, effects);
        }
        self.in_flight = Some(InFlight {
            commit: self.commits,
            sent: at,
            views,
        });
        effects.push(Effect::Commit {
            commit: self.commits,
            offsets,
        });
        self.commits
    }

    /// The answer to a commit.
    pub(crate) fn committed(
        &mut self,
        commit: u64,
        result: Result<(), String>,
        effects: &mut Vec<Effect>,
    ) -> Outcome {
        let Some(sent) = self.in_flight.take_if(|sent| sent.commit == commit) else {
            return Outcome::Stale;
        };
        if let Err(detail) = result {
            effects.push(Effect::Notice(Notice::CommitFailed { detail }));
            return Outcome::Failed;
        }
        let first = |view: &Arc<View>| !self.shown.contains_key(&task_of(view));
        let views = sent
            .views
            .iter()
            .map(|view| (Arc::clone(view), first(view)));
        let views = views.collect();
        if !sent.views.is_empty() {
            self.show(&sent.views, sent.sent, effects);
        }
        Outcome::Done(views)
    }

    /// Time passed: an answer that is too late is given up, a lease may have ended. Returns the
    /// commit that was given up, if one was.
    pub(crate) fn tick(&mut self, at: LeaseTime, effects: &mut Vec<Effect>) -> Option<u64> {
        let late = |sent: &mut InFlight| at.0 - sent.sent.0 > PATIENCE.0;
        let gave_up = self.in_flight.take_if(late).map(|sent| sent.commit);
        if gave_up.is_some() {
            let detail = format!("no answer within {} s", PATIENCE.0 / 1_000_000);
            effects.push(Effect::Notice(Notice::CommitFailed { detail }));
        }
        if self.is_fenced(at) && !self.fenced {
            self.fenced = true;
            effects.push(Effect::Notice(Notice::Fenced));
        }
        gave_up
    }

    /// Whether what was shown may not be shown any more.
    pub(crate) fn is_fenced(&self, at: LeaseTime) -> bool {
        at > self.until && !self.shown.is_empty()
    }

    /// The share was given back: what is shown may stay for a moment more.
    pub(crate) fn released(&self, effects: &mut Vec<Effect>, at: LeaseTime) {
        if self.rules.released_by_the_moment {
            let moment = LeaseTime(at.0.saturating_add(RELEASED_FOR.0));
            self.lease_until(self.until.min(moment), effects, at);
        }
    }

    /// The next share is there: what is left of the one before stays for the rest of the lease.
    pub(crate) fn goes_on(&self, effects: &mut Vec<Effect>, at: LeaseTime) {
        self.lease_until(self.until, effects, at);
    }

    fn lease_until(&self, until: LeaseTime, effects: &mut Vec<Effect>, at: LeaseTime) {
        if !self.shown.is_empty() && !self.is_fenced(at) {
            let views = Vec::new();
            effects.push(Effect::Publish { views, until });
        }
    }

    /// Whether a task's view is shown, as long as the lease lasts.
    pub(crate) fn shows(&self, task: TaskId) -> bool {
        self.shown.contains_key(&task)
    }

    /// Whether a view of the task is shown that somebody has published beyond.
    pub(crate) fn is_overtaken(&self, task: TaskId, committed: &[i64]) -> bool {
        let behind =
            |offsets: &Vec<i64>| offsets.iter().zip(committed).any(|(own, mark)| own < mark);
        self.shown.get(&task).is_some_and(behind)
    }

    /// The task's view is shown no more.
    pub(crate) fn withdraw(&mut self, task: TaskId, effects: &mut Vec<Effect>) {
        if self.shown.remove(&task).is_some() {
            effects.push(Effect::Withdraw { task });
        }
    }

    /// A view of the task that waits for its commit won't be shown when that has gone through.
    pub(crate) fn forget(&mut self, task: TaskId) {
        if let Some(in_flight) = &mut self.in_flight {
            in_flight.views.retain(|view| task_of(view) != task);
        }
    }

    /// Which tasks' views are shown.
    pub(crate) fn shown(&self) -> Vec<TaskId> {
        self.shown.keys().copied().collect()
    }

    /// The share is over: the answer to a commit on its way is of no use any more.
    pub(crate) fn forget_commit(&mut self) {
        self.in_flight = None;
        self.frozen_at = None;
    }

    fn show(&mut self, views: &[Arc<View>], sent: LeaseTime, effects: &mut Vec<Effect>) {
        self.until = match self.rules.lease {
            true => LeaseTime(sent.0.saturating_add(self.lease.0)),
            false => LeaseTime(i64::MAX),
        };
        self.fenced = false;
        for view in views {
            self.shown.insert(task_of(view), view.offsets.clone());
        }
        effects.push(Effect::Publish {
            views: views.to_vec(),
            until: self.until,
        });
    }
}

/// Whose view it is.
pub(crate) fn task_of(view: &View) -> TaskId {
    TaskId {
        group: view.group,
        partition: view.partition,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::LogGap;

    #[test]
    fn what_is_not_shown_yet_does_not_wait_for_the_next_second() {
        let options = Options {
            lease: Span::from_seconds(8),
            snapshot_every: Span::from_seconds(10),
            log_gap: LogGap::Continue,
            state: false,
        };
        let mut publisher = Publisher::new(&options, Rules::default());
        let (mut effects, soon) = (Vec::new(), LeaseTime(SHOW_EVERY.0));
        let offset = CommitOffset {
            topic: catalogue::plan::TopicId(0),
            partition: 0,
            offset: 1,
            note: String::new(),
        };
        publisher.commit(vec![offset], Vec::new(), LeaseTime(0), &mut effects);
        assert!(!publisher.is_due(soon, true), "one commit is in flight");
        publisher.committed(1, Ok(()), &mut effects);
        assert!(publisher.is_due(soon, true));
        assert!(!publisher.is_due(soon, false));
        assert!(!publisher.is_due(LeaseTime(soon.0 - 1), true));
        assert!(publisher.is_due(LeaseTime(PUBLISH_EVERY.0), false));
    }
}
