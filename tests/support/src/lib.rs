//! The real tools that tests drive: a Kafka broker, a Prometheus, the `kept` process itself.
//!
//! Each is a value that starts a process and ends it, by its id, when dropped. A tool that is not
//! installed fails the test with the command that installs it: nothing is skipped. Waiting is
//! always for an event, with a deadline.
#![allow(
    clippy::disallowed_methods,
    clippy::missing_panics_doc,
    reason = "tests: processes, clocks and sleeps live here so that they live nowhere else"
)]

mod broker;
mod process;
mod wait;

pub use broker::Kafka;
pub use process::Process;
pub use wait::{until, within};
