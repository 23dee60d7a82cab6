//! The canonical bytes of state: equal states, equal bytes.
//!
//! Maps are written in the order of their keys, queues as sets, and only what is logically there:
//! entries that the clocks have passed are skipped even if memory still holds them. Integers are
//! little-endian and fixed width. Invariant 3.1 is tested on these bytes; snapshots are made of
//! them too (`crate::decode` reads them back), with more of what memory holds.

use events::{EventTime, Key};

use crate::series::Dimensions;

/// Collects the bytes.
#[derive(Default, Debug)]
pub struct Encoder {
    bytes: Vec<u8>,
}

impl Encoder {
    /// What was written.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// What was written so far.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The length of what follows.
    pub fn length(&mut self, length: usize) {
        self.unsigned(length as u64);
    }

    /// Bytes as they are, without their length.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Bytes with their length before them.
    pub fn part(&mut self, bytes: &[u8]) {
        self.length(bytes.len());
        self.raw(bytes);
    }

    /// Room for so many bytes more, so that they are written without moving what is there.
    pub fn reserve(&mut self, bytes: usize) {
        self.bytes.reserve(bytes);
    }

    /// Begins a part whose length is not known yet; give what this returns to `end_part`.
    pub fn begin_part(&mut self) -> usize {
        self.length(0);
        self.bytes.len()
    }

    /// Ends the part that began there.
    pub fn end_part(&mut self, begin: usize) {
        let length = (self.bytes.len() - begin) as u64;
        self.bytes[begin - 8..begin].copy_from_slice(&length.to_le_bytes());
    }

    /// Takes back everything after the first so many bytes.
    pub fn truncate(&mut self, length: usize) {
        self.bytes.truncate(length);
    }

    /// A small number, a tag or a flag.
    pub fn byte(&mut self, value: u8) {
        self.bytes.push(value);
    }

    /// A number of 32 bits.
    pub fn short(&mut self, value: u32) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    /// A count, an index or a flag.
    pub fn unsigned(&mut self, value: u64) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    /// An offset or a pane's number.
    pub fn signed(&mut self, value: i64) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    /// An exact sum.
    pub fn wide(&mut self, value: i128) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    /// An instant.
    pub fn time(&mut self, time: EventTime) {
        self.signed(time.0);
    }

    /// An identity.
    pub fn key(&mut self, key: Key) {
        self.bytes.extend_from_slice(&key.to_bytes());
    }

    /// Dimension values by number.
    pub(crate) fn dimensions(&mut self, dimensions: Dimensions) {
        dimensions
            .0
            .iter()
            .for_each(|value| self.unsigned(u64::from(*value)));
    }

    /// A text.
    pub fn text(&mut self, text: &str) {
        self.length(text.len());
        self.bytes.extend_from_slice(text.as_bytes());
    }
}
