//! The fault suite of issue 4, on a real Kafka and real processes: whatever breaks, the numbers at
//! the end are those of an oracle over the whole log, and no counter of a partition was ever seen
//! lower than before by whoever scraped all instances and took the max.
//!
//! Each test prints its seed. What real processes can't be brought to do on time (a kill between
//! encode and put, a lost reply) is the simulator's: `kept simulate`.
#![allow(
    clippy::disallowed_methods,
    reason = "the test of processes has files, threads, a clock"
)]

mod agreement;
mod changes;
mod crash;
#[path = "../proof_support/expected.rs"]
mod expected;
mod files;
mod gaps;
mod members;
mod mixed;
mod network;
mod odd;
#[path = "../proof_support/percentiles.rs"]
mod percentiles;
mod since;
mod snapshots;
mod stage;
mod store;
