//! The series of a KPI in a snapshot. Their dimensions are numbers of dictionaries, which the same
//! snapshot has.

use catalogue::estimate::MOST_LABEL_SETS;
use catalogue::plan::MAX_DIMENSIONS;
use events::KafkaTime;

use super::{Dimensions, Entry, SeriesId, SeriesTable};
use crate::decode::{Decoder, Read, Unsound};
use crate::dictionary::{Dictionary, ValueId};
use crate::encode::Encoder;

impl Dimensions {
    /// What `packed` packed.
    pub fn unpack(packed: u64) -> Dimensions {
        let mut values = [0; MAX_DIMENSIONS];
        for (at, value) in values.iter_mut().rev().enumerate() {
            *value = (packed >> (16 * at)) as ValueId;
        }
        Dimensions(values)
    }

    /// Whether each value is in its dictionary. Where there is none only the set of all `other`,
    /// which stands for those beyond the limit, has one.
    fn are_in(self, dictionaries: &[&Dictionary]) -> bool {
        let values = self.0.into_iter().enumerate();
        values.into_iter().all(|(at, value)| {
            let known = dictionaries.get(at).map_or(2, |known| known.len());
            usize::from(value) < known
        })
    }
}

impl<S> SeriesTable<S> {
    /// The series by their dimensions: an order that doesn't depend on who came first.
    pub fn by_dimensions(&self) -> Vec<SeriesId> {
        let mut ids = self.in_order();
        ids.sort_unstable_by_key(|id| self.dimensions(*id));
        ids
    }

    /// The series as they appeared.
    pub fn in_order(&self) -> Vec<SeriesId> {
        (0..self.entries.len() as SeriesId).collect()
    }

    /// The state of a series, to be read.
    pub fn get(&self, id: SeriesId) -> &S {
        &self.entries[id as usize].state
    }

    /// The series of exactly these dimensions.
    pub fn find(&self, dimensions: Dimensions) -> Option<SeriesId> {
        self.index.get(&dimensions.packed()).copied()
    }

    /// Writes these series, which are all, in this order.
    pub fn save(
        &self,
        ids: &[SeriesId],
        out: &mut Encoder,
        mut each: impl FnMut(&S, &mut Encoder),
    ) {
        for overflow in self.overflow {
            out.unsigned(overflow);
        }
        out.length(ids.len());
        for id in ids {
            let entry = &self.entries[*id as usize];
            out.unsigned(entry.dimensions.packed());
            out.signed(entry.created.0);
            each(&entry.state, out);
        }
    }

    /// Takes over what was written, with these dictionaries of the KPI's dimensions.
    pub fn read(
        &mut self,
        dictionaries: &[&Dictionary],
        from: &mut Decoder<'_>,
        mut each: impl FnMut(&mut Decoder<'_>) -> Read<S>,
    ) -> Read<()> {
        for overflow in &mut self.overflow {
            *overflow = from.count()?;
        }
        let count = from.length(16)?;
        // All `other` and all `unknown` come on top. A plan with a greater limit may have written it.
        if count as u64 > MOST_LABEL_SETS + 2 {
            return Err(Unsound("more series than there can be"));
        }
        for _ in 0..count {
            let dimensions = Dimensions::unpack(from.number()?);
            let created = KafkaTime(from.signed()?);
            let is_new = self.find(dimensions).is_none();
            if !is_new || !dimensions.are_in(dictionaries) {
                return Err(Unsound("dimensions that can't be"));
            }
            let id = self.entries.len() as SeriesId;
            self.index.insert(dimensions.packed(), id);
            self.entries.push(Entry {
                dimensions,
                created,
                labels: None,
                state: each(from)?,
            });
        }
        Ok(())
    }

    /// Begins all counting at 0: the next record that counts for a series creates it.
    pub fn zero(&mut self, mut each: impl FnMut(&mut S)) {
        self.overflow.fill(0);
        for entry in &mut self.entries {
            entry.created = NOT_CREATED;
            each(&mut entry.state);
        }
    }
}

/// Later than every record.
pub(super) const NOT_CREATED: KafkaTime = KafkaTime(i64::MAX);
