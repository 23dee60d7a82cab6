//! A task as a snapshot, and back.

use std::collections::BTreeSet;
use std::sync::Arc;

use catalogue::fingerprint;
use catalogue::plan::Plan;
use events::EventTime;

use super::{KpiSlot, KpiState, Side, Task, dictionaries};
use crate::count::CountState;
use crate::decode::{Decoder, Read};
use crate::encode::Encoder;
use crate::input::{InputState, read_position};
use crate::snapshot::{Refusal, SectionRef, Sections, Snapshot, Writer, content};

/// A task that goes on where a snapshot left off.
#[derive(Debug)]
pub struct Restored {
    /// It.
    pub task: Task,
    /// Ids of the KPIs that begin anew at this point: they were not in the snapshot, or their
    /// definition is another one now.
    pub anew: Vec<String>,
}

impl Task {
    /// The state as a snapshot: equal states, equal bytes, but for the sections, of which only those
    /// that are not known to be stored are handed out. `note` is kept in the head as it is.
    pub fn save(&mut self, note: &[u8]) -> Snapshot {
        let mut writer = Writer::new(&self.stored, self.section_bytes);
        // About as large as the last one: a head that grows while it is written is moved each time.
        let expected = self.head_bytes + self.head_bytes / 8;
        let mut head = writer.begin(self.partition, note, expected);
        let plan = &self.plan;
        let all = head.begin_part();
        head.length(self.inputs.len());
        let topics = &plan.groups[self.group].topics;
        for (at, input) in self.inputs.iter_mut().enumerate() {
            let topic = &plan.topics[usize::from(topics[at].0)].name;
            writer.enter(topic);
            head.text(topic);
            let state = head.begin_part();
            input.save(plan, &mut writer, &mut head);
            head.time(self.forgotten_at[at]);
            head.end_part(state);
        }
        head.end_part(all);
        head.length(self.kpis.len());
        for slot in &mut self.kpis {
            let id = &plan.kpis[usize::from(slot.id.0)].id;
            head.text(id);
            head.unsigned(fingerprint::of_kpi(plan, slot.id));
            let state = head.begin_part();
            slot.save(id, &plan.fields, &self.clocks, &mut writer, &mut head);
            head.end_part(state);
        }
        let references = writer.references().to_vec();
        let snapshot = writer.finish(head);
        self.head_bytes = snapshot.head.len();
        // What this one doesn't refer to may be cleared away by the store.
        let referred: BTreeSet<SectionRef> = references.into_iter().collect();
        self.stored.retain(|known| referred.contains(known));
        snapshot
    }

    /// These sections are in the store: they needn't be handed out again.
    pub fn stored(&mut self, sections: &[SectionRef]) {
        self.stored.extend(sections);
    }

    /// The store has lost what it had: the next `save` hands out every section.
    pub fn nothing_is_stored(&mut self) {
        self.stored.clear();
    }

    /// Blocks become sections from so many bytes on; what is too small for an object of its own
    /// stays in the head. Tests make all of them sections.
    pub fn with_sections_from(mut self, bytes: usize) -> Task {
        self.section_bytes = bytes;
        self
    }

    /// State was lost and rebuilt from a part of the log only: cumulative counters begin at 0 here,
    /// created by the next record that counts; windows and open entities stay. `unread`: how many
    /// records of each input were gone before anybody had read them, which is counted from here on.
    pub fn zero_totals(&mut self, unread: &[u64]) {
        debug_assert_eq!(unread.len(), self.inputs.len());
        for (input, records) in self.inputs.iter_mut().zip(unread) {
            input.zero_totals(*records);
        }
        for slot in &mut self.kpis {
            match &mut slot.state {
                KpiState::Count { state, .. } => state.zero_totals(),
                KpiState::Ratio {
                    numerator,
                    denominator,
                } => {
                    let sides = numerator.iter_mut().chain(denominator);
                    sides.for_each(|side| side.1.zero_totals());
                }
                KpiState::Promise { state, .. } => state.zero_totals(),
                KpiState::Funnel { state, .. } => state.zero_totals(),
            }
        }
    }

    /// A task of the plan's group that goes on exactly where the saved one was. `snapshot` has all
    /// sections that `snapshot::references` names.
    pub fn restore(
        plan: Arc<Plan>,
        group: usize,
        partition: i32,
        snapshot: &Snapshot,
    ) -> Result<Restored, Refusal> {
        let sections = content(&snapshot.head)?.sections;
        let mut restored = Task::made_of(plan, group, partition, &[(snapshot, None)])?;
        restored.task.stored.extend(sections);
        Ok(restored)
    }

    /// Takes over an input.
    pub(super) fn read_input<'a>(
        &mut self,
        at: usize,
        from: &mut Decoder<'a>,
        sections: &Sections<'a>,
    ) -> Read<()> {
        let plan = Arc::clone(&self.plan);
        self.inputs[at].read(&plan, from, sections)?;
        self.clocks[at] = self.inputs[at].clock();
        self.forgotten_at[at] = from.time()?;
        Ok(())
    }
}

pub(super) fn foreign_topics(found: &str, wanted: &[&str]) -> Refusal {
    Refusal::Foreign(format!("of {found}, not of {}", wanted.join(", ")))
}

/// Name and state of each input.
pub(super) fn each_input(bytes: &[u8]) -> Read<Vec<(&str, Decoder<'_>)>> {
    let mut from = Decoder::new(bytes);
    let count = from.length(16)?;
    let input = |_| Ok((from.text(usize::MAX)?, Decoder::new(from.block()?)));
    let inputs = (0..count).map(input).collect::<Read<_>>()?;
    from.end()?;
    Ok(inputs)
}

/// Topic, next offset and clock of each input.
pub(crate) fn outline_inputs(bytes: &[u8]) -> Read<Vec<(String, i64, Option<i64>)>> {
    let inputs = each_input(bytes)?.into_iter();
    let outline = inputs.map(|(name, mut from)| {
        let (offset, clock) = read_position(&mut from)?;
        let clock = (clock > EventTime::MIN).then_some(clock.0);
        Ok((name.to_owned(), offset, clock))
    });
    outline.collect()
}

/// What a KPI's state is read with.
pub(super) struct Known<'a> {
    pub fields: &'a [String],
    pub inputs: &'a [InputState],
    pub numbered: &'a [usize],
    pub clocks: &'a [EventTime],
}

impl KpiSlot {
    fn save(
        &mut self,
        id: &str,
        fields: &[String],
        clocks: &[EventTime],
        writer: &mut Writer<'_>,
        out: &mut Encoder,
    ) {
        writer.enter(id);
        match &mut self.state {
            KpiState::Count { input, state } => state.save(clocks[*input], fields, writer, out),
            KpiState::Ratio {
                numerator,
                denominator,
            } => {
                for (scope, (input, state)) in sides(id, numerator, denominator) {
                    writer.enter(&scope);
                    state.save(clocks[*input], fields, writer, out);
                }
            }
            KpiState::Promise { state, .. } => state.save(clocks, writer, out),
            KpiState::Funnel { input, state } => state.save(clocks[*input], fields, writer, out),
        }
    }

    pub(super) fn read<'a>(
        &mut self,
        id: &str,
        known: &Known<'_>,
        from: &mut Decoder<'a>,
        sections: &mut Sections<'a>,
    ) -> Read<()> {
        sections.enter(id);
        let by = &self.by;
        let dictionaries = |input: usize| dictionaries(&known.inputs[input], by);
        match &mut self.state {
            KpiState::Count { input, state } => {
                state.read(known.fields, &dictionaries(*input), from, sections)
            }
            KpiState::Ratio {
                numerator,
                denominator,
            } => {
                for (scope, (input, state)) in sides(id, numerator, denominator) {
                    sections.enter(&scope);
                    state.read(known.fields, &dictionaries(*input), from, sections)?;
                }
                Ok(())
            }
            KpiState::Promise { start_input, state } => {
                let dictionaries = dictionaries(*start_input);
                state.read(known.numbered, known.clocks, &dictionaries, from, sections)
            }
            KpiState::Funnel { input, state } => {
                state.read(known.fields, &dictionaries(*input), from, sections)
            }
        }
    }
}

/// The sides of a ratio that count for themselves, with the names of their sections.
fn sides<'a>(
    id: &str,
    numerator: &'a mut Side,
    denominator: &'a mut Side,
) -> impl Iterator<Item = (String, &'a mut (usize, Box<CountState>))> {
    let named = |name: &str| format!("{id} {name}");
    let above = numerator.as_mut().map(|side| (named("numerator"), side));
    let below = denominator
        .as_mut()
        .map(|side| (named("denominator"), side));
    above.into_iter().chain(below)
}
