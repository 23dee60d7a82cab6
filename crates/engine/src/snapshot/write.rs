//! Puts a head and its sections together.
//!
//! What becomes a section depends on the state alone: a block that is closed, by the clocks, and
//! is large enough. What was written last time and is known to be unchanged and stored
//! is only referred to.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use events::{EventTime, Span};
use xxhash_rust::xxh3::xxh3_128;

use super::{MAGIC, Section, SectionRef, Snapshot, VERSION};
use crate::encode::Encoder;

/// Smaller blocks stay in the head: an object of their own would cost more than their bytes.
pub(crate) const SECTION_BYTES: usize = 32 * 1024;

/// The tag of a block in the head.
pub(super) const HERE: u8 = 0;
/// The tag of a block that is a section.
pub(super) const SECTION: u8 = 1;

/// The sections that a state's closed blocks were last written as, by the block's number; without
/// those that changed since.
#[derive(Clone, Default, Debug)]
pub(crate) struct Blocks(BTreeMap<i64, SectionRef>);

impl Blocks {
    /// The block with this number is another one now.
    pub fn touch(&mut self, number: i64) {
        self.0.remove(&number);
    }

    /// All blocks before this one may have changed.
    pub fn touch_before(&mut self, number: i64) {
        self.0 = self.0.split_off(&number);
    }

    /// Those that are unchanged and in the store, ascending.
    pub fn known(&self, writer: &Writer<'_>) -> impl Iterator<Item = i64> {
        let stored = |entry: &(&i64, &SectionRef)| writer.stored.contains(entry.1);
        self.0.iter().filter(stored).map(|entry| *entry.0)
    }

    /// The block with this number is this section.
    pub(super) fn put(&mut self, number: i64, section: SectionRef) {
        self.0.insert(number, section);
    }

    /// The number after the newest one, if there is one.
    pub fn end(&self) -> Option<i64> {
        self.0.last_key_value().map(|last| last.0 + 1)
    }
}

/// The times that known blocks cover, to be asked for each entry of a table: nearly always they are
/// one stretch.
#[derive(Debug)]
pub(crate) struct KnownTimes(Vec<Range<EventTime>>);

impl KnownTimes {
    /// Of blocks of this length; their numbers ascend.
    pub fn of(numbers: &[i64], length: Span) -> KnownTimes {
        let time = |number: i64| EventTime(number.saturating_mul(length.0));
        let mut stretches: Vec<Range<EventTime>> = Vec::new();
        for number in numbers {
            let (from, to) = (time(*number), time(*number + 1));
            match stretches.last_mut() {
                Some(last) if last.end == from => last.end = to,
                _ => stretches.push(from..to),
            }
        }
        KnownTimes(stretches)
    }

    /// Whether this time is in a known block.
    pub fn has(&self, time: EventTime) -> bool {
        let at = self.0.partition_point(|stretch| stretch.end <= time);
        self.0.get(at).is_some_and(|stretch| stretch.start <= time)
    }
}

/// See the file's header.
#[derive(Debug)]
pub(crate) struct Writer<'a> {
    stored: &'a BTreeSet<SectionRef>,
    section_bytes: usize,
    directory: Vec<SectionRef>,
    sections: Vec<Section>,
    /// What is being written, for the labels of sections.
    scope: String,
}

impl<'a> Writer<'a> {
    /// `stored`: sections that needn't be handed out again. Smaller blocks than `section_bytes`
    /// stay in the head.
    pub fn new(stored: &'a BTreeSet<SectionRef>, section_bytes: usize) -> Writer<'a> {
        Writer {
            stored,
            section_bytes,
            directory: Vec::new(),
            sections: Vec::new(),
            scope: String::new(),
        }
    }

    /// Begins a head of about so many bytes.
    pub fn begin(&self, partition: i32, note: &[u8], bytes: usize) -> Encoder {
        let mut head = Encoder::default();
        head.reserve(bytes);
        head.raw(MAGIC);
        head.raw(&VERSION.to_le_bytes());
        head.raw(&partition.to_le_bytes());
        head.part(note);
        head
    }

    /// What comes now: a topic or a KPI. Sections begin with it, so that no two are the same.
    pub fn enter(&mut self, scope: &str) {
        scope.clone_into(&mut self.scope);
    }

    /// Writes the block with this number. `what` names its kind within the scope; `closed`: by the
    /// clocks; `encode` writes its content. It is written in its place, for most are not closed.
    pub fn block(
        &mut self,
        out: &mut Encoder,
        (what, number, closed): (&str, i64, bool),
        blocks: &mut Blocks,
        encode: impl FnOnce(&mut Encoder),
    ) {
        out.signed(number);
        let known = blocks.0.get(&number).copied();
        if let Some(reference) = known.filter(|section| closed && self.stored.contains(section)) {
            return self.refer(reference, out);
        }
        blocks.touch(number);
        let tag = out.bytes().len();
        out.byte(HERE);
        let begin = out.begin_part();
        out.text(&self.scope);
        out.text(what);
        out.signed(number);
        encode(out);
        let bytes = &out.bytes()[begin..];
        if !closed || bytes.len() < self.section_bytes {
            return out.end_part(begin);
        }
        let reference = SectionRef {
            hash: xxh3_128(bytes),
            length: bytes.len() as u64,
        };
        blocks.put(number, reference);
        if !self.stored.contains(&reference) {
            let bytes = bytes.into();
            self.sections.push(Section { reference, bytes });
        }
        out.truncate(tag);
        self.refer(reference, out);
    }

    /// The sections that were referred to so far.
    pub fn references(&self) -> &[SectionRef] {
        &self.directory
    }

    /// The whole snapshot, once everything else of the head was written.
    pub fn finish(self, mut head: Encoder) -> Snapshot {
        head.length(self.directory.len());
        for reference in &self.directory {
            head.raw(&reference.hash.to_le_bytes());
            head.unsigned(reference.length);
        }
        let checksum = xxh3_128(head.bytes());
        head.raw(&checksum.to_le_bytes());
        Snapshot {
            head: head.into_bytes(),
            sections: self.sections,
        }
    }

    fn refer(&mut self, reference: SectionRef, out: &mut Encoder) {
        out.byte(SECTION);
        out.short(self.directory.len() as u32);
        self.directory.push(reference);
    }
}
