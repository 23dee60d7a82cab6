//! Which topics these are, at an assignment. A broker may be behind the others and still tell of a
//! topic that was deleted: then a share would begin anew on what is gone.
//!
//! What every commit's note says too is believed at once, so an ordinary start waits for nothing.
//! Otherwise two answers that have the id, one after the other, have to agree; ids on which they don't
//! in time are not known, which is no evidence of anything: records are compared, and the ids asked for
//! every ten seconds. An id is that of the log that was looked at only if it is still told afterwards.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use catalogue::plan::TopicId;
use pipeline::log_id::LogId;

/// So many answers are asked for at most.
const ANSWERS: usize = 4;
/// Between two of them, if the notes say something else: brokers tell each other within a moment.
const OTHERWISE: Duration = Duration::from_secs(1);
/// Between two of them, if no note says anything: a group that begins has nothing to lose.
const UNNOTED: Duration = Duration::from_millis(200);

/// The ids that topics have, as the brokers told.
pub(crate) type Ids = BTreeMap<TopicId, LogId>;

/// What the commits' notes say of each topic: one id, or several if partitions of it were committed
/// before and after it was made anew.
#[derive(Default)]
pub(crate) struct Noted(BTreeMap<TopicId, BTreeSet<LogId>>);

impl Noted {
    /// A note says so.
    pub(crate) fn add(&mut self, topic: TopicId, log: LogId) {
        self.0.entry(topic).or_default().insert(log);
    }

    fn confirms(&self, topic: TopicId, log: LogId) -> bool {
        let said = self.0.get(&topic);
        said.is_some_and(|said| said.len() == 1 && said.contains(&log))
    }
}

/// Why nothing is known of the logs yet.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum Unsure {
    /// The look at them failed.
    NotFound(String),
    /// One was deleted or made anew meanwhile.
    Changed(TopicId),
}

/// What is to be believed of `told`, as `agreed`, and then what `look` finds in the logs. With the old
/// id and what is found of the new log a task would be told twice, and begun anew twice.
pub(crate) fn agreed_around<T>(
    told: &Ids,
    noted: &Noted,
    mut ask: impl FnMut(Duration) -> Ids,
    look: impl FnOnce() -> Result<T, String>,
) -> Result<(Ids, T), Unsure> {
    let sure = agreed(told.clone(), noted, &mut ask);
    let found = look().map_err(Unsure::NotFound)?;
    match made_anew(told, &sure, &ask(Duration::ZERO)) {
        Some(topic) => Err(Unsure::Changed(topic)),
        None => Ok((sure, found)),
    }
}

/// What is to be believed of `told` by `noted`, after asking again where they differ. `ask` waits
/// for so long and gives what the brokers tell then.
fn agreed(told: Ids, noted: &Noted, mut ask: impl FnMut(Duration) -> Ids) -> Ids {
    let believed = |one: &(TopicId, LogId)| noted.confirms(one.0, one.1);
    let (mut sure, mut last): (Ids, Ids) = told.into_iter().partition(believed);
    for _ in 1..ANSWERS {
        if last.is_empty() {
            break;
        }
        let differ = last.keys().any(|topic| noted.0.contains_key(topic));
        let mut next = ask(if differ { OTHERWISE } else { UNNOTED });
        last.retain(|topic, before| match next.remove(topic) {
            Some(now) if now == *before || noted.confirms(*topic, now) => {
                sure.insert(*topic, now);
                false
            }
            Some(now) => {
                *before = now;
                true
            }
            None => true,
        });
    }
    sure
}

/// A topic that was deleted or made anew while its log was looked at: what was found is of one log,
/// the id of another, or of none. `told` was the first answer before, `sure` what was believed of
/// it, `after` is the answer afterwards.
fn made_anew(told: &Ids, sure: &Ids, after: &Ids) -> Option<TopicId> {
    // Brokers that tell nothing say nothing; ids that never agreed are not known afterwards either.
    let appeared = |topic: &&TopicId| !told.contains_key(topic) && !sure.contains_key(topic);
    let differs = |(topic, log): &(&TopicId, &LogId)| after.get(topic) != Some(log);
    let changed = sure.iter().filter(|_| !after.is_empty()).find(differs);
    let changed = changed.map(|(topic, _)| topic);
    changed.or_else(|| after.keys().find(appeared)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(of: &[(u16, u128)]) -> Ids {
        let id = |bits| LogId::new(bits).expect("not zero");
        of.iter()
            .map(|(topic, bits)| (TopicId(*topic), id(*bits)))
            .collect()
    }

    /// What is believed of these answers, and how long was waited for them in milliseconds.
    fn believed(notes: &[(u16, u128)], answers: &[&[(u16, u128)]]) -> (Ids, Vec<u128>) {
        let mut noted = Noted::default();
        for (topic, bits) in notes {
            noted.add(TopicId(*topic), LogId::new(*bits).expect("not zero"));
        }
        let mut waited = Vec::new();
        let mut answers = answers.iter().map(|answer| ids(answer));
        let told = answers.next().expect("the first answer");
        let sure = agreed(told, &noted, |pause| {
            waited.push(pause.as_millis());
            answers.next().expect("one more answer")
        });
        (sure, waited)
    }

    #[test]
    fn what_the_notes_say_too_is_believed_at_once() {
        let told: &[(u16, u128)] = &[(0, 7), (1, 8)];
        let notes = [(0, 7), (0, 7), (1, 8)];
        assert_eq!(believed(&notes, &[told]), (ids(told), vec![]));
        // A broker that tells nothing isn't asked again.
        assert_eq!(believed(&notes, &[&[]]), (ids(&[]), vec![]));
        assert_eq!(believed(&[], &[&[]]), (ids(&[]), vec![]));
    }

    #[test]
    fn another_id_counts_when_two_answers_agree() {
        let made_anew = believed(&[(0, 7), (1, 8)], &[&[(0, 9), (1, 8)], &[(0, 9), (1, 8)]]);
        assert_eq!(made_anew, (ids(&[(0, 9), (1, 8)]), vec![1000]));
    }

    #[test]
    fn a_broker_that_is_behind_is_not_believed() {
        // The note has the new one already.
        let behind = believed(&[(0, 9)], &[&[(0, 7)], &[(0, 9)]]);
        assert_eq!(behind, (ids(&[(0, 9)]), vec![1000]));
        // Half of the notes have: either may be the old one.
        let half = believed(&[(0, 7), (0, 9)], &[&[(0, 7)], &[(0, 9)], &[(0, 9)]]);
        assert_eq!(half, (ids(&[(0, 9)]), vec![1000, 1000]));
    }

    #[test]
    fn without_a_note_two_answers_agree_soon() {
        let first = believed(&[], &[&[(0, 7), (1, 8)], &[(0, 7), (1, 8)]]);
        assert_eq!(first, (ids(&[(0, 7), (1, 8)]), vec![200]));
        let behind = believed(&[], &[&[(0, 7)], &[(0, 9)], &[], &[(0, 9)]]);
        assert_eq!(behind, (ids(&[(0, 9)]), vec![200, 200, 200]));
    }

    #[test]
    fn ids_that_never_agree_are_not_known() {
        let answers: [&[(u16, u128)]; 4] = [&[(0, 1)], &[(0, 2)], &[(0, 1)], &[(0, 2)]];
        assert_eq!(believed(&[], &answers), (ids(&[]), vec![200; 3]));
    }

    #[test]
    fn a_topic_made_anew_while_it_was_looked_at_is_found() {
        let before = ids(&[(0, 7), (1, 8)]);
        let found = |after: &[(u16, u128)]| made_anew(&before, &before, &ids(after));
        assert_eq!(found(&[(0, 7), (1, 8)]), None);
        assert_eq!(found(&[(0, 7), (1, 9)]), Some(TopicId(1)));
        // Deleted, and not there again yet.
        assert_eq!(found(&[(0, 7)]), Some(TopicId(1)));
        // Brokers that don't answer say nothing of any.
        assert_eq!(found(&[]), None);
    }

    #[test]
    fn a_topic_that_was_not_there_before_it_was_looked_at_is_found() {
        let before = ids(&[(0, 7)]);
        let after = ids(&[(0, 7), (1, 8)]);
        assert_eq!(made_anew(&before, &before, &after), Some(TopicId(1)));
        // It was told before, but never twice the same.
        assert_eq!(made_anew(&after, &before, &after), None);
    }

    #[test]
    fn what_was_found_of_a_log_made_anew_meanwhile_is_not_believed() {
        for (now, wanted) in [(8, None), (9, Some(Unsure::Changed(TopicId(1))))] {
            let mut noted = Noted::default();
            noted.add(TopicId(1), LogId::new(8).expect("not zero"));
            let second = std::cell::Cell::new(8);
            let ask = |_| ids(&[(0, 7), (1, second.get())]);
            let found = agreed_around(&ids(&[(0, 7), (1, 8)]), &noted, ask, || {
                second.set(now);
                Ok("its end")
            });
            match wanted {
                None => assert_eq!(found, Ok((ids(&[(0, 7), (1, 8)]), "its end"))),
                Some(unsure) => assert_eq!(found, Err(unsure)),
            }
        }
    }
}
