//! Ways to begin without a state: brand-new, rebuilt, with totals lost, or on another log.

use super::{
    Attempt, Cause, Committed, InputFacts, Question, Shown, Source, Start, changed, gap_message,
};
use crate::lineage::Lineage;
use crate::note::Note;
use crate::rules::LogGap;

/// An empty state, when nothing better is left.
pub(super) fn attempt(question: &Question<'_>, committed: &Committed) -> Attempt {
    if committed.served
        && let Some(start) = rebuilt(question, committed)
    {
        return Attempt::Go(start);
    }
    let Base { offsets, skip } = Base::of(question.inputs);
    if question.log_gap == LogGap::Stop && skip.iter().any(|records| *records > 0) {
        return Attempt::Fail(gap_message(question.inputs, &skip));
    }
    Attempt::Go(match committed.served {
        true => lost(question, &Base { offsets, skip }),
        false => fresh(question, committed, Base { offsets, skip }),
    })
}

/// If one of the logs isn't the one that was read before: the state and its totals are of no use.
pub(super) fn recreated(question: &Question<'_>, committed: &Committed) -> Option<Attempt> {
    let inputs = 0..question.inputs.len();
    let evidence: Vec<Option<String>> = inputs.map(|input| evidence(question, input)).collect();
    let (at, detail) = evidence
        .iter()
        .enumerate()
        .find_map(|(at, one)| Some((at, one.as_ref()?)))?;
    let topic = &question.inputs[at].topic;
    if question.log_gap == LogGap::Stop {
        return Some(Attempt::Fail(format!(
            "the log of topic {topic} isn't the one that this state was made from: {detail}; [state] \
             log_gap is \"stop\": set it to \"continue\" to begin anew on the new log, or begin anew \
             with `kept state reset`"
        )));
    }
    let Base {
        mut offsets,
        mut skip,
    } = Base::of(question.inputs);
    // The inputs whose logs are whole go on where they were: what lies before was counted already.
    for (input, facts) in question.inputs.iter().enumerate() {
        if evidence[input].is_some() {
            (offsets[input], skip[input]) = (facts.log_start, 0);
        }
    }
    // All that its bytes depend on: what was gone of the other inputs is counted.
    let gone = skip.iter().copied();
    let ends = question.inputs.iter().map(|input| input.log_end);
    let marks: Vec<i64> = offsets.iter().copied().chain(gone).chain(ends).collect();
    let parent = committed.lineages.first().copied().unwrap_or(Lineage(0));
    Some(Attempt::Go(Start {
        from: Source::Nothing,
        offsets,
        skip,
        lineage: parent.recreated(question.plan, &marks),
        origins: None,
        shown: Shown::CaughtUp,
        commit: true,
        zero_at: None,
        cause: Cause::Recreated(evidence),
    }))
}

/// What shows that the log of an input is another one: a record, the topic's id, or its end.
fn evidence(question: &Question<'_>, at: usize) -> Option<String> {
    let input = &question.inputs[at];
    let committed = input.committed.as_ref();
    let note = committed.and_then(|one| one.1);
    // What is in memory counts unless somebody else has begun anew since.
    let remembered = question
        .memory
        .filter(|memory| note.is_none_or(|note| note.lineage == memory.lineage))
        .and_then(|memory| memory.logs[at]);
    let before = note.and_then(|note| note.log).or(remembered);
    let shorter = committed.filter(|one| one.0 > input.log_end);
    let ends_before = |one: &(i64, _)| {
        let (end, committed) = (input.log_end, one.0);
        format!("it ends at {end}, but {committed} is committed")
    };
    input
        .other_log
        .clone()
        .or_else(|| changed(before, input.log))
        .or_else(|| shorter.map(ends_before))
}

/// Where each input goes on, and how much of it is gone.
struct Base {
    offsets: Vec<i64>,
    skip: Vec<i64>,
}

impl Base {
    fn of(inputs: &[InputFacts]) -> Base {
        let fresh = |input: &InputFacts| input.fresh_start.clamp(input.log_start, input.log_end);
        let begin = |input: &InputFacts| match &input.committed {
            Some((offset, _)) => *offset,
            None => fresh(input),
        };
        let offsets: Vec<i64> = inputs.iter().map(begin).collect();
        let gone = inputs.iter().zip(&offsets);
        let skip = gone
            .map(|(input, offset)| (input.log_start - offset).max(0))
            .collect();
        Base { offsets, skip }
    }

    fn after_gap(&self) -> Vec<i64> {
        self.offsets
            .iter()
            .zip(&self.skip)
            .map(|(from, gap)| from + gap)
            .collect()
    }
}

/// A task that was never shown. Its first offsets are committed before it reads, so that the next
/// owner begins at the same ones: those before a gap, which the next owner has to count as well.
fn fresh(question: &Question<'_>, committed: &Committed, base: Base) -> Start {
    let known = committed.notes.as_ref().and_then(|notes| {
        let [lineage] = committed.lineages[..] else {
            return None;
        };
        let origins = origins(notes);
        let ours = |starts: &Vec<i64>| Lineage::origin(question.plan, starts) == lineage;
        // Origins of another plan: committed anew, so that they can be rebuilt from.
        origins
            .as_ref()
            .is_none_or(ours)
            .then_some((lineage, origins))
    });
    let commit = known.is_none();
    let origin = || {
        (
            Lineage::origin(question.plan, &base.offsets),
            Some(base.offsets.clone()),
        )
    };
    let (mut lineage, mut origins) = known.unwrap_or_else(origin);
    if base.skip.iter().any(|records| *records > 0) {
        lineage = lineage.gapped(&base.offsets, &base.after_gap());
        origins = None;
    }
    Start {
        from: Source::Nothing,
        offsets: base.offsets,
        skip: base.skip,
        lineage,
        origins,
        shown: Shown::CaughtUp,
        commit,
        zero_at: None,
        cause: Cause::Fresh,
    }
}

/// Everything since the task began, if the log still has it and the same plan read it.
fn rebuilt(question: &Question<'_>, committed: &Committed) -> Option<Start> {
    let [lineage] = committed.lineages[..] else {
        return None;
    };
    let origins = origins(committed.notes.as_ref()?)?;
    let mut inputs = question.inputs.iter().zip(&origins);
    let there = inputs.all(|(input, origin)| (input.log_start..=input.log_end).contains(origin));
    (there && Lineage::origin(question.plan, &origins) == lineage).then(|| Start {
        from: Source::Nothing,
        skip: vec![0; origins.len()],
        offsets: origins.clone(),
        lineage,
        origins: Some(origins),
        shown: committed.shown(),
        commit: false,
        zero_at: None,
        cause: Cause::Rebuilding,
    })
}

/// Windows and open entities from as far back as they reach, totals from zero where the published
/// ones stood.
fn lost(question: &Question<'_>, base: &Base) -> Start {
    let zero_at = base.after_gap();
    let begin = |at: usize| {
        let input = &question.inputs[at];
        match base.skip[at] > 0 {
            true => base.offsets[at],
            false => input.rebuild_start.max(input.log_start).min(zero_at[at]),
        }
    };
    let offsets: Vec<i64> = (0..zero_at.len()).map(begin).collect();
    Start {
        from: Source::Nothing,
        lineage: Lineage::lost(question.plan, &offsets, &base.skip, &zero_at),
        offsets,
        skip: base.skip.clone(),
        origins: None,
        shown: Shown::Reached(zero_at.clone()),
        commit: false,
        zero_at: Some(zero_at),
        cause: Cause::TotalsLost,
    }
}

fn origins(notes: &[Note]) -> Option<Vec<i64>> {
    notes.iter().map(|note| note.origin).collect()
}
