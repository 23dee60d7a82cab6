//! How the log of an input is known again: by its topic's id, and by records that were read before.
//!
//! Two records are looked for. The last one that the state was made from has to come first. The last
//! one before what is committed (from the commit's note) has to come by: it speaks where the state
//! itself remembers nothing, or the logs part only after it. Not to be had any more (retention took
//! it) is no evidence. A task isn't shown before the first was seen; the other one comes before the
//! offsets that are waited for anyway.

use events::Record;

use crate::header::LastRecord;
use crate::lineage::Lineage;
use crate::log_id::LogId;
use crate::resume::InputFacts;
use crate::rules::Rules;

/// See the file's header.
#[derive(Clone, Default, Debug)]
pub(crate) struct Known {
    /// The topic that is read, as far as it was ever told.
    pub(crate) log: Option<LogId>,
    /// The last record before where reading begins.
    first: Option<LastRecord>,
    /// The last record before what is committed, if that is still to be read.
    mark: Option<LastRecord>,
}

/// The log of an input isn't the one the state was made from: what shows it.
#[derive(Debug)]
pub(crate) struct OtherLog(pub(crate) String);

/// What showed that logs of a task are other ones, kept until it begins anew.
#[derive(Debug)]
pub(crate) struct Evidence {
    /// How the state began that it was found against, and what was committed then.
    found_on: Vec<Lineage>,
    /// By input.
    details: Vec<Option<String>>,
}

impl Evidence {
    /// Nothing yet, against a state of this lineage; `base` is what was committed.
    pub(crate) fn on(lineage: Lineage, base: Option<Lineage>, inputs: usize) -> Evidence {
        Evidence {
            found_on: std::iter::once(lineage).chain(base).collect(),
            details: vec![None; inputs],
        }
    }

    /// The first thing that shows it counts.
    pub(crate) fn add(&mut self, input: usize, OtherLog(detail): OtherLog) {
        self.details[input].get_or_insert(detail);
    }

    /// What is known against an input's log.
    pub(crate) fn of(&self, input: usize) -> Option<String> {
        self.details[input].clone()
    }

    /// Whether the task was begun anew by somebody since: every input is committed, and none in a
    /// lineage that this was found against. Half a commit settles nothing.
    pub(crate) fn is_settled(&self, inputs: &[InputFacts]) -> bool {
        inputs.iter().all(|input| {
            let note = input.committed.as_ref().and_then(|one| one.1);
            note.is_some_and(|note| !self.found_on.contains(&note.lineage))
        })
    }
}

impl Known {
    /// Reading begins at `position`; `last` is the last record of the state. `anew`: nothing that was
    /// known before is of this log.
    pub(crate) fn begin(
        &mut self,
        facts: &InputFacts,
        (position, last): (i64, Option<LastRecord>),
        anew: bool,
        rules: Rules,
    ) {
        let note = facts.committed.as_ref().and_then(|one| one.1);
        let note = note.filter(|_| !anew);
        let before = self.log.filter(|_| !anew);
        self.log = facts.log.or(note.and_then(|note| note.log)).or(before);
        let there = |last: &LastRecord| rules.compare_records && last.offset >= facts.log_start;
        let committed = note.and_then(|note| note.last);
        self.first = last
            .or(committed)
            .filter(|last| there(last) && last.offset < position);
        self.mark = committed.filter(|last| there(last) && last.offset >= position);
    }

    /// The offset that has to be delivered first, if it isn't the next one.
    pub(crate) fn from(&self) -> Option<i64> {
        self.first.map(|last| last.offset)
    }

    /// Whether the record before where reading began was seen.
    pub(crate) fn is_seen(&self) -> bool {
        self.first.is_none()
    }

    /// Whether all that is looked for was seen.
    pub(crate) fn is_certain(&self) -> bool {
        self.first.is_none() && self.mark.is_none()
    }

    /// Nothing is looked for any more.
    pub(crate) fn give_up(&mut self) {
        (self.first, self.mark) = (None, None);
    }

    /// A record comes, or `None`: nothing is there before this offset that hasn't come.
    pub(crate) fn compare(
        &mut self,
        offset: i64,
        record: Option<&Record<'_>>,
    ) -> Result<(), OtherLog> {
        for wanted in [&mut self.first, &mut self.mark] {
            let Some(last) = wanted.filter(|last| offset >= last.offset) else {
                continue;
            };
            match record {
                Some(record) if offset == last.offset => {
                    if LastRecord::of(offset, record) != last {
                        return Err(OtherLog(format!(
                            "the record at offset {offset} is another one"
                        )));
                    }
                    *wanted = None;
                }
                None if offset == last.offset => {}
                _ => {
                    return Err(OtherLog(format!(
                        "the record at offset {} isn't there",
                        last.offset
                    )));
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use events::EventTime;

    use super::*;
    use crate::note::Note;

    fn record(value: &'static [u8]) -> Record<'static> {
        Record {
            timestamp: None,
            key: None,
            value: Some(value),
            headers: &[],
        }
    }

    fn last(offset: i64) -> Option<LastRecord> {
        Some(LastRecord::of(offset, &record(b"as it was")))
    }

    /// Begun at 5 after `first`, with 9 committed after `mark`; the log begins at `log_start`.
    fn begun(first: Option<LastRecord>, mark: Option<LastRecord>, log_start: i64) -> Known {
        let note = Note {
            lineage: Lineage(1),
            origin: None,
            clock: Some(EventTime(0)),
            served: true,
            partitions: 1,
            log: LogId::new(7),
            last: mark,
        };
        let facts = InputFacts {
            topic: "shop".into(),
            committed: Some((9, Some(note))),
            beyond: None,
            log: None,
            log_start,
            log_end: 20,
            fresh_start: 0,
            rebuild_start: 0,
            partitions: 1,
            other_log: None,
        };
        let mut known = Known::default();
        known.begin(&facts, (5, first), false, Rules::default());
        known
    }

    #[test]
    fn the_same_records_make_a_log_known_again() {
        let mut known = begun(last(3), last(8), 0);
        assert_eq!((known.from(), known.log), (Some(3), LogId::new(7)));
        for (offset, seen, certain) in [(3, true, false), (5, true, false), (8, true, true)] {
            let same = known.compare(offset, Some(&record(b"as it was")));
            assert!(same.is_ok(), "{same:?}");
            assert_eq!((known.is_seen(), known.is_certain()), (seen, certain));
        }
    }

    #[test]
    fn another_record_or_none_shows_another_log() {
        for (first, mark) in [(last(3), None), (None, last(8))] {
            let at = first.or(mark).map_or(0, |last| last.offset);
            let compare = |offset, value: Option<&'static [u8]>| {
                let record = value.map(record);
                let mut known = begun(first, mark, 0);
                known.compare(offset, record.as_ref()).is_err()
            };
            assert!(compare(at, Some(b"other")));
            assert!(compare(at + 1, Some(b"as it was")), "it isn't there");
            assert!(compare(at + 1, None), "the end comes after it");
            assert!(!compare(at, Some(b"as it was")) && !compare(at, None));
            assert!(!compare(at - 1, Some(b"other")));
        }
    }

    #[test]
    fn what_is_committed_speaks_for_a_state_that_has_read_nothing() {
        let known = begun(None, last(4), 0);
        assert_eq!((known.from(), known.is_certain()), (Some(4), false));
    }

    #[test]
    fn what_retention_took_is_no_evidence() {
        let known = begun(last(3), last(4), 5);
        assert!(known.is_certain());
    }
}
