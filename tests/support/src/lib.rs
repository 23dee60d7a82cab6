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
mod http;
mod kept;
mod process;
mod prometheus;
mod read;
mod samples;
mod secure;
mod tools;
mod wait;

pub use broker::Kafka;
pub use http::{Response, get};
pub use kept::{Finished, Kept, finish};
pub use process::Process;
pub use prometheus::Prometheus;
pub use read::Written;
pub use samples::Samples;
pub use secure::Secure;
pub use tools::installed;
pub use wait::{until, within};
