//! The series of one KPI: one state per combination of dimension values.

mod saved;

use std::sync::Arc;

use catalogue::plan::MAX_DIMENSIONS;
use events::KafkaTime;

use crate::dictionary::{Dictionary, OTHER, UNKNOWN, ValueId};
use crate::encode::Encoder;
use crate::table::SmallMap;
use crate::view::Labels;
use saved::NOT_CREATED;

/// Dimension values by number, of the dictionaries of the partition that gives the dimensions.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Debug)]
pub struct Dimensions(pub [ValueId; MAX_DIMENSIONS]);

impl Dimensions {
    /// As one number.
    pub fn packed(self) -> u64 {
        self.0
            .iter()
            .fold(0, |packed, value| packed << 16 | u64::from(*value))
    }
}

/// The dimensions of an event, and which of them are `other` for want of room.
#[derive(Clone, Copy, Debug)]
pub struct By {
    /// By number.
    pub dimensions: Dimensions,
    /// A bit per dimension.
    pub overflowed: u8,
}

/// A series' place in its table.
pub type SeriesId = u32;

/// See the file's header. Ids are in order of appearance; `encode` writes by dimensions, for the
/// order of appearance may depend on how partitions interleave.
#[derive(Clone, Debug)]
pub struct SeriesTable<S> {
    index: SmallMap<SeriesId>,
    entries: Vec<Entry<S>>,
    last: Option<(Dimensions, SeriesId)>,
    /// Label sets there is room for; events of further ones count under all `other`.
    limit: u64,
    /// Events that had a value or a label set beyond the limit, by dimension.
    overflow: [u64; MAX_DIMENSIONS],
}

#[derive(Clone, Debug)]
struct Entry<S> {
    dimensions: Dimensions,
    /// The least Kafka timestamp of the records that contributed: whatever their interleaving.
    created: KafkaTime,
    labels: Option<Labels>,
    state: S,
}

impl<S> SeriesTable<S> {
    /// No series yet; with room for `limit` label sets, which is `estimate::label_set_limit`.
    pub fn new(limit: u64) -> SeriesTable<S> {
        SeriesTable {
            index: SmallMap::default(),
            entries: Vec::new(),
            last: None,
            limit,
            overflow: [0; MAX_DIMENSIONS],
        }
    }

    /// The series of these dimensions, made if it is new and there is room.
    pub fn of(&mut self, by: By, at: KafkaTime, make: impl FnOnce() -> S) -> SeriesId {
        let By {
            mut dimensions,
            mut overflowed,
        } = by;
        let id = match self.last {
            Some((last, id)) if last == dimensions => id,
            _ => {
                if self.is_full_for(dimensions) {
                    dimensions = Dimensions([OTHER; MAX_DIMENSIONS]);
                    overflowed = u8::MAX;
                }
                self.find_or_make(dimensions, at, make)
            }
        };
        self.last = Some((dimensions, id));
        let entry = &mut self.entries[id as usize];
        entry.created = entry.created.min(at);
        if overflowed != 0 {
            for (dimension, count) in self.overflow.iter_mut().enumerate() {
                *count += u64::from(overflowed >> dimension & 1);
            }
        }
        id
    }

    /// Whether a new label set would be one too many. The one of unknown starts doesn't count: what
    /// makes it is not the partition that gives the dimensions.
    fn is_full_for(&self, dimensions: Dimensions) -> bool {
        let unknown = u64::from(self.index.contains_key(&NO_DIMENSIONS.dimensions.packed()));
        self.entries.len() as u64 - unknown >= self.limit
            && dimensions != NO_DIMENSIONS.dimensions
            && !self.index.contains_key(&dimensions.packed())
    }

    /// The state of a series.
    pub fn state(&mut self, id: SeriesId) -> &mut S {
        &mut self.entries[id as usize].state
    }

    /// All states.
    pub fn states(&mut self) -> impl Iterator<Item = &mut S> {
        self.entries.iter_mut().map(|entry| &mut entry.state)
    }

    /// An estimate of the bytes of all; `each`: those of one state outside of itself.
    pub fn bytes(&self, each: impl Fn(&S) -> usize) -> usize {
        let outside: usize = self.entries.iter().map(|entry| each(&entry.state)).sum();
        self.entries.capacity() * (size_of::<Entry<S>>() + 16) + outside
    }

    /// The label values of a series; `dictionaries` are those of the KPI's dimensions.
    pub fn labels(&mut self, id: SeriesId, dictionaries: &[&Dictionary]) -> Labels {
        let entry = &mut self.entries[id as usize];
        let make = || -> Labels {
            let values = dictionaries.iter().zip(entry.dimensions.0);
            values
                .map(|(dictionary, value)| Arc::clone(dictionary.value(value)))
                .collect()
        };
        Arc::clone(entry.labels.get_or_insert_with(make))
    }

    /// Label values, created time and state of each series.
    pub fn view<V>(
        &mut self,
        dictionaries: &[&Dictionary],
        mut each: impl FnMut(Labels, Option<KafkaTime>, &mut S) -> V,
    ) -> Vec<V> {
        (0..self.entries.len() as SeriesId)
            .map(|id| {
                let labels = self.labels(id, dictionaries);
                let entry = &mut self.entries[id as usize];
                let created = (entry.created != NOT_CREATED).then_some(entry.created);
                each(labels, created, &mut entry.state)
            })
            .collect()
    }

    /// Events with a value beyond the limit, for the first `count` dimensions.
    pub fn overflow(&self, count: usize) -> Vec<u64> {
        self.overflow[..count].to_vec()
    }

    /// The dimensions of a series, for the canonical encoding of what refers to it.
    pub fn dimensions(&self, id: SeriesId) -> Dimensions {
        self.entries[id as usize].dimensions
    }

    /// Writes all series, by dimensions.
    pub fn encode(&self, out: &mut Encoder, mut each: impl FnMut(&S, &mut Encoder)) {
        for overflow in self.overflow {
            out.unsigned(overflow);
        }
        let mut entries: Vec<&Entry<S>> = self.entries.iter().collect();
        entries.sort_unstable_by_key(|entry| entry.dimensions);
        out.length(entries.len());
        for entry in entries {
            out.unsigned(entry.dimensions.packed());
            out.signed(entry.created.0);
            each(&entry.state, out);
        }
    }

    fn find_or_make(
        &mut self,
        dimensions: Dimensions,
        created: KafkaTime,
        make: impl FnOnce() -> S,
    ) -> SeriesId {
        let next = self.entries.len() as SeriesId;
        let id = *self.index.entry(dimensions.packed()).or_insert(next);
        if id == next {
            self.entries.push(Entry {
                dimensions,
                created,
                labels: None,
                state: make(),
            });
        }
        id
    }
}

/// The dimensions of an entity whose start is not known.
pub const NO_DIMENSIONS: By = By {
    dimensions: Dimensions([UNKNOWN; MAX_DIMENSIONS]),
    overflowed: 0,
};
