//! A task's state as bytes that can be stored and read back.
//!
//! A snapshot is a head and sections. A section holds what doesn't change any more once it is
//! closed (old event ids, finished orders, old panes); the head refers to it by hash, so it is
//! stored once and shared by the snapshots after it. Same state, same bytes.
//!
//! # The head
//!
//! Integers are little-endian; a text or a part is its length (u64) and its bytes.
//!
//! ```text
//! magic       "KEPTSNAP"
//! version     u16
//! partition   i32   of every topic of the task
//! note        part  the pipeline's, kept as it is
//! inputs      part  by topic name: next offset, clock, dictionaries, counts, event ids
//! kpis        u64   how many; each: id (text), fingerprint of the definition (u64), state (part)
//! sections    u64   how many; each: xxh3-128 (16 bytes), length (u64)
//! checksum    xxh3-128 of everything before
//! ```
//!
//! What closes (event ids, finished orders, window panes) is written in blocks. A block is either
//! here (tag 0, part) or, once it is closed and large enough, a section (tag 1, its index in
//! `sections`, u32). Dimension values are numbers of the dictionaries under `inputs`.
//!
//! # Versions
//!
//! A reader reads its own version only. An older one is refused: the task is then rebuilt from the
//! log or from an older rule's fallback, as without a snapshot. A newer one is refused too: the
//! newer Kept has to go on with it. A changed plan is no other version: KPIs whose fingerprint is
//! the same keep their state, the others begin anew.
//!
//! 2: histograms have their native buckets, which the classic ones of version 1 don't tell.

mod read;
mod sort;
mod write;

use std::fmt;
use std::sync::Arc;

use crate::decode::Unsound;
pub(crate) use read::{Content, KpiContent, Sections, content};
pub use read::{Outline, note, outline, references};
pub(crate) use sort::{blocks, by_key, by_time};
pub(crate) use write::{Blocks, KnownTimes, SECTION_BYTES, Writer};

/// The first bytes of a head.
const MAGIC: &[u8; 8] = b"KEPTSNAP";
/// The version that is written and read.
pub const VERSION: u16 = 2;

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

/// Why bytes are not the snapshot that was asked for. `Display` says it for people.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// Cut off, or a bit is another one: the checksum doesn't fit, or a section is missing.
    Torn(String),
    /// No snapshot at all, or one of another task.
    Foreign(String),
    /// Of a version that this Kept doesn't read.
    Version(u16),
    /// The checksum fits, but what was written makes no sense: a bug, or somebody's work.
    Unsound(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Torn(detail) => write!(f, "torn: {detail}"),
            Refusal::Foreign(detail) => write!(f, "foreign: {detail}"),
            Refusal::Version(found) if *found > VERSION => write!(
                f,
                "version {found}, written by a newer Kept (this one reads {VERSION}): go on with \
                 that one, or `kept state reset`"
            ),
            Refusal::Version(found) => write!(
                f,
                "version {found}, written by an older Kept (this one reads {VERSION}): the state \
                 is made anew from the log"
            ),
            Refusal::Unsound(detail) => write!(f, "unsound: {detail}"),
        }
    }
}

impl std::error::Error for Refusal {}

impl From<Unsound> for Refusal {
    fn from(unsound: Unsound) -> Refusal {
        Refusal::Unsound(unsound.0.to_owned())
    }
}
