//! What can go wrong between a worker and the state store, sorted by what the worker does about it.
//!
//! A store that is down says nothing about what is in it: it is asked again. What is in it and
//! can't be used is passed over, and never taken for an empty store when that would lose totals.

use std::fmt;

use engine::snapshot::{Refusal, VERSION};

/// Why a snapshot could not be had.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LoadError {
    /// The store doesn't answer: ask again later. Its words.
    Unavailable(String),
    /// An object of it is missing, torn or foreign: use another one. What is wrong.
    Unsound(String),
    /// It is of this format version, which only a newer Kept reads. A loss to begin without it.
    Newer(u16),
}

impl From<Refusal> for LoadError {
    fn from(refusal: Refusal) -> LoadError {
        match refusal {
            Refusal::Version(version) if version > VERSION => LoadError::Newer(version),
            other => LoadError::Unsound(other.to_string()),
        }
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LoadError::Unavailable(detail) | LoadError::Unsound(detail) => out.write_str(detail),
            LoadError::Newer(version) => Refusal::Version(*version).fmt(out),
        }
    }
}

/// Why a snapshot was not saved.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SaveError {
    /// The store doesn't take it now (full, read-only, unreachable). Its words.
    Unavailable(String),
    /// Another snapshot of this name is there with other bytes: a bug, since equal names mean equal
    /// states. What differs.
    Differs(String),
    /// Sections that the head refers to and that were not handed over are gone from the store:
    /// somebody emptied it. Nothing counts as stored any more; the next save hands out everything.
    Incomplete(String),
}
