//! A topic-partition in a snapshot. Fields and reasons go by their names, values by the numbers of
//! dictionaries that are written with them.

use catalogue::plan::Plan;
use events::{EventTime, KafkaTime, Reject};

use super::{InputState, Outcomes};
use crate::decode::{Decoder, Read, Unsound};
use crate::dictionary::Dictionary;
use crate::encode::Encoder;
use crate::snapshot::{Sections, Writer};
use crate::view::{DELAY_EDGES, Histogram};

impl InputState {
    /// Writes it.
    pub fn save(&mut self, plan: &Plan, writer: &mut Writer<'_>, out: &mut Encoder) {
        out.signed(self.next_offset);
        out.time(self.clock);
        out.byte(u8::from(self.created.is_some()));
        out.signed(self.created.map_or(0, |created| created.0));
        out.unsigned(self.gap);
        let known = plan.fields.iter().zip(&self.dictionaries);
        let known: Vec<_> = known.filter(|entry| entry.1.len() > 2).collect();
        out.length(known.len());
        for (name, dictionary) in known {
            out.text(name);
            dictionary.encode(out);
        }
        self.type_names.encode(out);
        self.sources.encode(out);
        out.length(self.counts.len());
        for by_source in &self.counts {
            out.length(by_source.len());
            for outcomes in by_source {
                out.unsigned(outcomes.used);
                out.unsigned(outcomes.ignored);
                out.unsigned(outcomes.duplicate);
            }
        }
        out.length(self.rejected.len());
        for (reason, count) in Reject::ALL.iter().zip(self.rejected) {
            out.text(reason.as_str());
            out.unsigned(count);
        }
        out.unsigned(self.late);
        out.length(self.too_late.len());
        self.too_late.iter().for_each(|count| out.unsigned(*count));
        out.length(self.delay.len());
        self.delay.iter().for_each(|delay| delay.encode(out));
        self.dedupe.save(self.clock, writer, out);
    }

    /// Takes over what was written; `self` is as the plan makes it.
    pub fn read<'a>(
        &mut self,
        plan: &Plan,
        from: &mut Decoder<'a>,
        sections: &Sections<'a>,
    ) -> Read<()> {
        (self.next_offset, self.clock) = read_position(from)?;
        let is_created = from.flag()?;
        self.created = Some(KafkaTime(from.signed()?)).filter(|_| is_created);
        self.gap = from.count()?;
        let count = from.length(16)?;
        for _ in 0..count {
            let name = from.text(usize::MAX)?;
            match plan.fields.iter().position(|field| field == name) {
                Some(at) => {
                    self.dictionaries[at] = Dictionary::read(from, &self.dictionaries[at])?;
                }
                // No KPI of this plan reads it.
                None => drop(Dictionary::read(from, &Dictionary::new(0))?),
            }
        }
        self.type_names = Dictionary::read(from, &self.type_names)?;
        self.sources = Dictionary::read(from, &self.sources)?;
        let types = plan.types.iter();
        self.type_numbers = types
            .map(|known| self.type_names.intern(Some(&known.name)).0)
            .collect();
        self.read_counts(from)?;
        self.dedupe.read(from, sections)
    }

    fn read_counts(&mut self, from: &mut Decoder<'_>) -> Read<()> {
        let (types, sources) = (self.type_names.len(), self.sources.len());
        let numbers = |from: &mut Decoder<'_>, each: usize, most: usize| match from.length(each)? {
            count if count <= most => Ok(count),
            _ => Err(Unsound("counts without a name")),
        };
        for _ in 0..numbers(from, 8, types)? {
            let count = numbers(from, 24, sources)?;
            let outcomes = (0..count).map(|_| {
                Ok(Outcomes {
                    used: from.count()?,
                    ignored: from.count()?,
                    duplicate: from.count()?,
                })
            });
            self.counts.push(outcomes.collect::<Read<_>>()?);
        }
        for _ in 0..from.length(16)? {
            let name = from.text(usize::MAX)?;
            let reason = Reject::ALL.iter().find(|known| known.as_str() == name);
            let reason = *reason.ok_or(Unsound("a reason that is none"))?;
            self.rejected[reason as usize] = from.count()?;
        }
        self.late = from.count()?;
        let count = numbers(from, 8, types)?;
        self.too_late = (0..count).map(|_| from.count()).collect::<Read<_>>()?;
        let count = numbers(from, 8 * DELAY_EDGES.len() + 16, sources)?;
        let delay = (0..count).map(|_| Histogram::read(from, DELAY_EDGES.len()));
        self.delay = delay.collect::<Read<_>>()?;
        Ok(())
    }

    /// Begins all counting at 0, but for `unread` records that the log had lost.
    pub fn zero_totals(&mut self, unread: u64) {
        self.created = None;
        self.gap = unread;
        self.counts.clear();
        self.rejected.fill(0);
        self.late = 0;
        self.too_late.fill(0);
        self.delay.clear();
    }
}

/// The next offset and the clock, which every input begins with.
pub fn read_position(from: &mut Decoder<'_>) -> Read<(i64, EventTime)> {
    Ok((from.offset()?, from.time()?))
}
