//! How a task begins, in words.

use pipeline::port::Notice;
use pipeline::resume::Source;

use super::{Notices, Weight};

impl Notices {
    /// Which event it is, how loud, and in words: of those that say how a task begins.
    pub(super) fn describe_beginning(&self, notice: &Notice) -> (usize, Weight, String) {
        use Weight::{Good, Loss, Odd};
        match notice {
            Notice::Kept { task } => {
                let task = self.task(*task);
                (0, Good, format!("{task} goes on from memory"))
            }
            Notice::Restored { task, name, replay } => {
                let task = self.task(*task);
                let text = format!("{task} goes on from snapshot {name}: {replay} records to read");
                (1, Good, text)
            }
            Notice::Adopted { task, anew } => {
                let (task, anew) = (self.task(*task), listed(anew));
                let text =
                    format!("{task} takes over the state of another catalogue; anew: {anew}");
                (2, Odd, text)
            }
            Notice::Refused { task, name, reason } => {
                let task = self.task(*task);
                let text = format!("{task} can't use snapshot {name}: {reason}");
                (3, Odd, text)
            }
            Notice::Rebuilding {
                task,
                stored,
                replay,
            } => {
                let (task, why) = (self.task(*task), self.nothing_stored(*stored));
                let text = format!(
                    "{task} is rebuilt from the log, exactly: {replay} records to read{why}"
                );
                (4, Odd, text)
            }
            Notice::TotalsLost {
                task,
                from,
                stored,
                replay,
            } => {
                let (task, why) = (self.task(*task), self.nothing_stored(*stored));
                (5, Loss, totals_lost(&task, from, *replay, &why))
            }
            Notice::ForeignCommit {
                topic,
                partition,
                offset,
                end,
                used,
            } => {
                let place = self.place(*topic, *partition);
                (12, Odd, foreign_commit(&place, (*offset, *end), *used))
            }
            Notice::Carried {
                task,
                from,
                replay,
                anew,
            } => {
                let task = self.task(*task);
                (13, Odd, carried(&task, from, *replay, anew))
            }
            Notice::LeftBehind { task, tasks } => (14, Odd, left_behind(&self.task(*task), tasks)),
            other => unreachable!("{other:?} is no beginning"),
        }
    }
}

/// Its topics were in other company before.
fn carried(task: &str, from: &[String], replay: u64, anew: &[String]) -> String {
    let s = if from.len() == 1 { "" } else { "s" };
    format!(
        "{task} goes on from the snapshot{s} of task{s} {}, which had its topics before the \
         catalogue's joins changed: KPIs that are the same keep their totals, windows and open \
         orders; anew: {}; {replay} records to read",
        from.join(" and "),
        listed(anew)
    )
}

/// Totals are lost next; it isn't that the store is empty.
fn left_behind(task: &str, tasks: &[String]) -> String {
    format!(
        "{task}: the state store has snapshots of {}, which had some of its topics while the \
         catalogue joined others, but none that goes on from what is committed of each topic: all \
         KPIs on these topics begin anew",
        tasks.join(" and ")
    )
}

fn totals_lost(task: &str, from: &Source, replay: u64, why: &str) -> String {
    let state = match from {
        Source::Nothing => {
            return format!(
                "{task} has no usable snapshot, and the log doesn't reach back, or the catalogue was \
                 changed since, so that the log alone doesn't give it again: its totals begin at 0, \
                 windows and open orders are rebuilt from {replay} records{why}"
            );
        }
        Source::Snapshot(name) => format!("snapshot {name}"),
        Source::Carried(_) => "snapshots of tasks with other topics".to_owned(),
        Source::Memory => "memory".to_owned(),
    };
    format!(
        "{task}: its state lacks records that were in the totals shown, and they are gone from the \
         log: its totals begin at 0; windows and open orders go on from {state} and {replay} records \
         after it"
    )
}

fn foreign_commit(place: &str, (offset, end): (i64, Option<i64>), used: bool) -> String {
    let what = match used {
        true => {
            "no record is skipped or counted twice for it: a state that is saved goes on from where it \
             is, and is shown when it has read up to there; only without one, counting begins there"
        }
        false => {
            "it is ignored: the state has read further already, and totals that were shown are not \
             taken back"
        }
    };
    let beyond = end.map_or(String::new(), |end| {
        format!("; it is beyond the log's end, so {end} counts in its place")
    });
    format!(
        "{place}: the group's committed offset {offset} was not set by Kept (moved by hand, or does \
         another program use this group?){beyond}; {what}. To begin anew use `kept state reset`"
    )
}

fn listed(ids: &[String]) -> String {
    match ids {
        [] => "nothing".to_owned(),
        ids => ids.join(", "),
    }
}
