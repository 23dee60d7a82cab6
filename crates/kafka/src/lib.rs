//! librdkafka's world, turned into the pipeline's inputs; the pipeline's effects, carried out.
//!
//! `worker` is a member of the consumer group on a thread of its own: it owns its consumer, shares
//! nothing with the other workers and hands out records borrowed from librdkafka's buffers. The
//! rest is around it: settings, leases and the board of published views, dead letters, metrics, the
//! checks of a broker against a plan, a producer for events, a mock cluster for the demo.
//!
//! This crate is shell: threads, clocks and sockets live here, decisions about events do not.
#![allow(
    clippy::disallowed_methods,
    reason = "a shell crate: clocks and threads are its business"
)]

pub mod admin;
mod agreed;
mod ask;
mod assignment;
mod backoff;
pub mod bare;
mod batch;
pub mod board;
pub mod check;
mod commit_queue;
mod commits;
pub mod compaction;
mod context;
mod coverage;
mod ends;
mod hands;
pub mod lease;
mod letters;
mod look_up;
mod metadata;
pub mod metrics;
pub mod mock;
mod offsets;
mod partitions;
pub mod produce;
pub mod properties;
mod quiet;
mod round;
pub mod settings;
mod topic_ids;
mod topics;
mod wait;
pub mod worker;

pub use board::Board;
pub use metrics::Metrics;
pub use settings::{Settings, Start};
pub use worker::{Call, Fatal, Request, WorkerHandle};
