//! Commits in flight: one at a time, one answer for each, in good time or as a failure.
//!
//! librdkafka retries a commit for a minute and more. A later one that overtook it would be undone
//! by it, so nothing is sent while librdkafka still has one in hand, even if its answer was given
//! up on; what then comes of it is nobody's business any more.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// The answer to a commit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Answer {
    /// Its number.
    pub(crate) commit: u64,
    /// Yes for every partition, or why not.
    pub(crate) result: Result<(), String>,
    /// From sending to this answer; zero for what was never sent.
    pub(crate) took: Duration,
}

/// See the file's header.
#[derive(Default)]
pub(crate) struct Commits {
    in_flight: Option<InFlight>,
    ready: VecDeque<Answer>,
}

struct InFlight {
    commit: u64,
    sent: Instant,
    answered: bool,
}

impl Commits {
    /// Whether another one may be sent; if not, `refuse` it.
    pub(crate) fn is_free(&self) -> bool {
        self.in_flight.is_none()
    }

    /// Whether an answer is to be expected soon.
    pub(crate) fn is_waiting(&self) -> bool {
        let waiting = self.in_flight.as_ref().is_some_and(|one| !one.answered);
        waiting || !self.ready.is_empty()
    }

    /// A commit is on its way.
    pub(crate) fn sent(&mut self, commit: u64, now: Instant) {
        debug_assert!(self.is_free(), "one at a time");
        self.in_flight = Some(InFlight {
            commit,
            sent: now,
            answered: false,
        });
    }

    /// A commit was not sent.
    pub(crate) fn refuse(&mut self, commit: u64, reason: String) {
        self.ready.push_back(Answer {
            commit,
            result: Err(reason),
            took: Duration::ZERO,
        });
    }

    /// librdkafka knows what became of a commit.
    pub(crate) fn settled(&mut self, commit: u64, result: Result<(), String>, now: Instant) {
        if let Some(one) = self.in_flight.take_if(|one| one.commit == commit)
            && !one.answered
        {
            self.ready.push_back(Answer {
                commit,
                result,
                took: now - one.sent,
            });
        }
    }

    /// The next answer.
    pub(crate) fn next(&mut self, now: Instant) -> Option<Answer> {
        if let Some(one) = &mut self.in_flight
            && !one.answered
            && now - one.sent >= PATIENCE
        {
            one.answered = true;
            let seconds = PATIENCE.as_secs();
            self.ready.push_back(Answer {
                commit: one.commit,
                result: Err(format!("no answer within {seconds} s")),
                took: now - one.sent,
            });
        }
        self.ready.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(commits: &mut Commits, now: Instant) -> Vec<(u64, bool)> {
        std::iter::from_fn(|| commits.next(now))
            .map(|answer| (answer.commit, answer.result.is_ok()))
            .collect()
    }

    #[test]
    fn a_commit_is_answered_once() {
        let (mut commits, start) = (Commits::default(), Instant::now());
        commits.sent(1, start);
        assert!(!commits.is_free() && commits.is_waiting());
        assert_eq!(answers(&mut commits, start), []);
        let later = start + Duration::from_millis(7);
        commits.settled(1, Ok(()), later);
        let answer = commits.next(later).expect("it is settled");
        assert_eq!((answer.commit, answer.took.as_millis()), (1, 7));
        assert!(commits.is_free());
        assert_eq!(answers(&mut commits, start + 2 * PATIENCE), []);
    }

    #[test]
    fn one_that_takes_too_long_has_failed_and_its_late_yes_is_dropped() {
        let (mut commits, start) = (Commits::default(), Instant::now());
        commits.sent(1, start);
        let late = start + PATIENCE;
        assert_eq!(answers(&mut commits, late), [(1, false)]);
        assert_eq!(answers(&mut commits, late + PATIENCE), []);
        assert!(!commits.is_free(), "librdkafka still has it in hand");
        assert!(!commits.is_waiting());
        commits.refuse(2, "the one before is still in hand".into());
        commits.settled(1, Ok(()), late);
        assert_eq!(answers(&mut commits, late), [(2, false)]);
        assert!(commits.is_free());
    }

    #[test]
    fn the_outcome_of_another_commit_is_none_of_this_one() {
        let (mut commits, start) = (Commits::default(), Instant::now());
        commits.sent(2, start);
        commits.settled(1, Ok(()), start);
        assert_eq!(answers(&mut commits, start), []);
        commits.settled(2, Err("not the owner".into()), start);
        assert_eq!(answers(&mut commits, start), [(2, false)]);
    }
}
