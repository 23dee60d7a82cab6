//! Which stored states are what is committed.
//!
//! A state leads to a lineage that is its own, or its own taken over by this plan, or that behind a
//! gap. Every input's note has to say one of these. Two lineages may come of a commit that went
//! through for some inputs only: then the one is made from the other, which stored names show.
//! Anything else is of another task, which has read that input in other company since: going on from
//! here would show again what was begun anew in between. Without any note the furthest is the last.

use super::{Candidate, Committed, Question};
use crate::lineage::Lineage;
use crate::name::{EarlierName, SnapshotName};

/// Whether a snapshot of the task itself is what is committed.
pub(super) fn belongs(
    question: &Question<'_>,
    committed: &Committed,
    candidate: &Candidate,
) -> bool {
    if !question.same_lineage {
        return true;
    }
    if committed.lineages.is_empty() {
        return is_furthest(question);
    }
    let after = [
        candidate.lineage,
        candidate.adopted,
        candidate.gapped(question),
    ];
    let leads = |lineage: &Lineage| after.contains(lineage);
    let mut lineages = committed.lineages.iter();
    committed.lineages.iter().any(leads)
        && lineages.all(|one| leads(one) || is_parent(question.names, *one, candidate))
}

/// Whether the candidate's state was made from one of this lineage that is stored too.
fn is_parent(names: &[SnapshotName], lineage: Lineage, candidate: &Candidate) -> bool {
    let same = names
        .iter()
        .filter(|name| name.lineage == candidate.lineage);
    let ends: Vec<&[i64]> = same.map(|name| &name.offsets[..]).collect();
    let mut parents = names.iter().filter(|name| name.lineage == lineage);
    parents.any(|parent| {
        let adopted = match parent.plan == candidate.plan {
            true => lineage,
            false => lineage.adopted(candidate.plan, &parent.offsets),
        };
        let gapped = |to: &&[i64]| adopted.gapped(&parent.offsets, to) == candidate.lineage;
        adopted == candidate.lineage || ends.iter().any(gapped)
    })
}

/// Whether no task with other topics was further on an input than the task itself was.
fn is_furthest(question: &Question<'_>) -> bool {
    (0..question.inputs.len()).all(|at| own_reach(question, at) >= reach_of_others(question, at))
}

/// Whether nobody was further than the task with these topics, on any input that it tells something
/// of: where nothing is committed.
pub(super) fn is_last(question: &Question<'_>, topics: &[String]) -> bool {
    let inputs = question.inputs.iter().enumerate();
    let mut told = inputs.filter(|(_, input)| topics.contains(&input.topic));
    told.all(|(at, input)| {
        let of_task = question.earlier.iter().filter(|it| it.topics == topics);
        let reached = of_task.filter_map(|it| reach(it, &input.topic, input.log_end));
        let others = reach_of_others(question, at).max(own_reach(question, at));
        reached.max() >= others
    })
}

/// How far the task itself was on an input, within its log.
fn own_reach(question: &Question<'_>, at: usize) -> Option<i64> {
    let end = question.inputs[at].log_end;
    let offsets = question.names.iter();
    let offsets = offsets.filter_map(|name| name.offsets.get(at).copied());
    offsets.filter(|offset| *offset <= end).max()
}

fn reach_of_others(question: &Question<'_>, at: usize) -> Option<i64> {
    let input = &question.inputs[at];
    let others = question.earlier.iter();
    others
        .filter_map(|it| reach(it, &input.topic, input.log_end))
        .max()
}

fn reach(earlier: &EarlierName, topic: &str, end: i64) -> Option<i64> {
    earlier.offset_of(topic).filter(|offset| *offset <= end)
}
