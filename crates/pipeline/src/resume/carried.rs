//! A task whose topics are others than before: a promise joins two topics now, or none does any more.
//!
//! State is a function of each input's offset, and a KPI's of its own inputs alone. So the KPIs that
//! are the same go on from the snapshots of the tasks that had these topics last (for some perhaps the
//! task itself, where others had the rest in between), and only the others begin anew. All or
//! nothing: each input that numbers were shown of has to be in a snapshot of what is committed for
//! it. Otherwise totals are lost, and set to zero, as without snapshots.

use std::collections::BTreeMap;

use super::belonging::is_last;
use super::{Candidate, InputFacts, Question, Source};
use crate::lineage::Lineage;
use crate::name::EarlierName;

/// The snapshots of one task that are to be had, the furthest first.
type Versions = Vec<EarlierName>;

/// The states that other tasks' snapshots make together, the newest first: of each task the newest,
/// then of each the second, and so on. Asked again without one that turns out to be of no use: so no
/// task goes back to an older one because of another's.
pub(super) fn candidates(question: &Question<'_>) -> Vec<Candidate> {
    let parts = parts(question);
    let most = parts.iter().map(Vec::len).max().unwrap_or(0);
    let nth = |rank: usize| {
        let names = parts
            .iter()
            .filter_map(|part| part.get(rank.min(part.len() - 1)));
        carried(question, names.cloned().collect())
    };
    (0..most).filter_map(nth).collect()
}

/// By task and lineage, those of its snapshots that what is committed stands for, and that the log
/// goes on from. The task's own are among them: another one may have read some of its topics since.
fn parts(question: &Question<'_>) -> Vec<Versions> {
    let mut tasks: BTreeMap<(Vec<String>, Option<Lineage>), Versions> = BTreeMap::new();
    let unknown = is_unknown(question.inputs);
    let own = question.names.iter().filter(|_| !unknown);
    let own = own.map(|name| EarlierName {
        topics: topics(question.inputs),
        name: name.clone(),
    });
    for earlier in question.earlier.iter().cloned().chain(own) {
        if fits(question, &earlier) {
            let lineage = (!unknown).then_some(earlier.name.lineage);
            let part = tasks.entry((earlier.topics.clone(), lineage));
            part.or_default().push(earlier);
        }
    }
    let mut parts: Vec<Versions> = tasks.into_values().collect();
    for part in &mut parts {
        part.sort_by_key(|earlier| std::cmp::Reverse(offset_sum(earlier)));
    }
    parts
}

/// The task's own topics.
pub(crate) fn topics(inputs: &[InputFacts]) -> Vec<String> {
    inputs.iter().map(|input| input.topic.clone()).collect()
}

fn offset_sum(earlier: &EarlierName) -> i128 {
    earlier
        .name
        .offsets
        .iter()
        .map(|offset| i128::from(*offset))
        .sum()
}

/// Whether it has something to tell, and none of that lies beyond the log's end. Where nothing is
/// committed its task has to be the last that read them, too.
fn fits(question: &Question<'_>, earlier: &EarlierName) -> bool {
    if is_unknown(question.inputs) && !is_last(question, &earlier.topics) {
        return false;
    }
    let inputs = question.inputs.iter();
    let mut told =
        inputs.filter_map(|input| Some(told(input, earlier, question.inputs)? <= input.log_end));
    // At least one, and each of them.
    told.next() == Some(true) && told.all(|fits| fits)
}

/// Where it stands on an input, if what is committed of that is in its lineage.
fn told(input: &InputFacts, earlier: &EarlierName, inputs: &[InputFacts]) -> Option<i64> {
    let offset = earlier.offset_of(&input.topic)?;
    (is_unknown(inputs) || is_committed(input, earlier)).then_some(offset)
}

/// The topics that it tells of. Others that it has were read by another task since: what it says of
/// those is stale.
pub(crate) fn told_topics<'a>(inputs: &'a [InputFacts], earlier: &EarlierName) -> Vec<&'a str> {
    let told = inputs
        .iter()
        .filter(|input| told(input, earlier, inputs).is_some());
    told.map(|input| input.topic.as_str()).collect()
}

/// Whether no commit tells which state was shown: expired, or all moved by hand.
pub(crate) fn is_unknown(inputs: &[InputFacts]) -> bool {
    let noted = |input: &InputFacts| matches!(input.committed, Some((_, Some(_))));
    !inputs.iter().any(noted)
}

/// Whether the task that it is of was the last to commit an input: others are left from joins before.
/// Where nothing is committed any of them may have been.
pub(crate) fn was_last(inputs: &[InputFacts], earlier: &EarlierName) -> bool {
    let unknown = is_unknown(inputs);
    let mut told = inputs
        .iter()
        .filter(|input| earlier.topics.contains(&input.topic));
    told.any(|input| unknown || is_committed(input, earlier))
}

fn is_committed(input: &InputFacts, earlier: &EarlierName) -> bool {
    let note = input.committed.as_ref().and_then(|one| one.1);
    note.is_some_and(|note| note.lineage == earlier.name.lineage)
}

/// What they make, if nothing that was shown is missing, or told twice.
fn carried(question: &Question<'_>, names: Vec<EarlierName>) -> Option<Candidate> {
    let mut lineages: Vec<Option<Lineage>> = Vec::new();
    let mut offsets = Vec::new();
    for input in question.inputs {
        let mut told = names
            .iter()
            .filter_map(|name| Some((name, told(input, name, question.inputs)?)));
        let (lineage, offset) = match (told.next(), told.next()) {
            (Some((name, offset)), None) => (Some(name.name.lineage), offset),
            (Some(_), Some(_)) => return None,
            (None, _) => (None, unread_from(input)?),
        };
        lineages.push(lineage);
        offsets.push(offset);
    }
    let lineage = Lineage::carried(question.plan, &lineages, &offsets);
    Some(Candidate {
        plan: names.first()?.name.plan,
        from: Source::Carried(names),
        offsets,
        lineage,
        adopted: lineage,
    })
}

/// Where an input begins of which nothing was ever shown; `None` if something was.
fn unread_from(input: &InputFacts) -> Option<i64> {
    match &input.committed {
        None => Some(input.fresh_start.clamp(input.log_start, input.log_end)),
        Some((offset, Some(note))) if !note.served => Some(*offset),
        Some(_) => None,
    }
}

/// Whether an input is among those that nobody had read: it begins with history, which is no rush of
/// this minute.
pub(super) fn begins_with_history(inputs: &[InputFacts]) -> bool {
    let shown = |input: &InputFacts| {
        let note = input.committed.as_ref().and_then(|one| one.1);
        note.is_some_and(|note| note.served)
    };
    !inputs.iter().all(shown)
}
