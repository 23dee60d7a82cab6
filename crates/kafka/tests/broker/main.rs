//! Workers against a real Kafka: what arrives, in which order, and what happens in trouble.
//!
//! The logic is a recorder, so that each test sees every input as the pipeline would.

mod commits;
mod coverage;
mod letters;
mod parked;
mod recorder;
mod tools;
mod topic_ids;
mod topic_list;
mod trouble;
mod worker;
