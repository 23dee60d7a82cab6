//! Snapshots of tasks in an object store: a folder, S3, Google Cloud Storage or Azure, by URL.
//!
//! A snapshot is a head and sections (`engine::snapshot`). An object is written once and never
//! changed: sections first, the head last, so a head that is there refers to sections that are
//! there. Every object is compressed by itself; checksums are of the bytes before compression.
//!
//! ```text
//! <url>/<kafka group>/<topics of the task, joined by +>/<partition>/<name>.kept
//!                                                                  /sections/<hash>
//! ```
//!
//! This crate is shell: it owns a runtime for its requests and answers through channels. Which
//! snapshot is used and when one is saved is decided elsewhere (`pipeline`).
#![allow(
    clippy::disallowed_methods,
    reason = "a shell crate: clocks, files and sockets are its business"
)]

mod address;
mod client;
mod depot;
mod folder;
mod head;
mod inspect;
mod leftovers;
mod load;
mod packing;
mod retention;
mod save;
mod store;
mod trial;

pub use client::{Answer, Client, Saved, What};
pub use folder::TaskFolder;
pub use inspect::{Listing, Stored};
pub use store::Store;
