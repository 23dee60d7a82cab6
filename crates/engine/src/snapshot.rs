//! A task's state as bytes that can be stored and read back.
//!
//! A snapshot is a head and sections. A section holds what doesn't change any more once it is
//! closed (old event ids, finished orders, old panes); the head refers to it by hash, so it is
//! stored once and shared by the snapshots after it. Same state, same bytes.

use std::sync::Arc;

/// How a head refers to a section.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SectionRef {
    /// XXH3-128 of the bytes.
    pub hash: u128,
    /// How many bytes.
    pub length: u64,
}

/// A part of a snapshot that is stored by itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Section {
    /// What it is called.
    pub reference: SectionRef,
    /// Its content.
    pub bytes: Arc<[u8]>,
}

/// See the file's header.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Snapshot {
    /// Everything else, and the references to all sections.
    pub head: Vec<u8>,
    /// On its way to the store: those that are not known to be there. Read back: all.
    pub sections: Vec<Section>,
}
