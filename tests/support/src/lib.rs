//! The real tools that tests drive: a Kafka broker, a Prometheus, an Alertmanager, the `kept` process
//! itself.
//!
//! Each is a value that starts a process and ends it, by its id, when dropped. A tool that is not
//! installed fails the test with the command that installs it: nothing is skipped. Waiting is
//! always for an event, with a deadline.
#![allow(
    clippy::disallowed_methods,
    clippy::missing_panics_doc,
    reason = "tests: processes, clocks and sleeps live here so that they live nowhere else"
)]

mod alertmanager;
mod broker;
mod bucket;
mod feeder;
mod freezer;
mod history;
mod http;
mod kept;
mod offsets;
mod process;
mod prometheus;
mod proxy;
mod read;
mod samples;
mod secure;
mod tools;
mod wait;
mod watcher;
mod webhook;

pub use alertmanager::Alertmanager;
pub use broker::Kafka;
pub use bucket::{Bucket, Mood};
pub use feeder::{Ending, Feeder, Sending, Transactions};
pub use freezer::Frozen;
pub use history::{History, partitions};
pub use http::{Response, get};
pub use kept::{Finished, Kept, finish};
pub use offsets::Logged;
pub use process::{Folder, Process};
pub use prometheus::Prometheus;
pub use proxy::Proxy;
pub use read::Written;
pub use samples::Samples;
pub use secure::Secure;
pub use tools::installed;
pub use wait::{until, within};
pub use watcher::Watcher;
pub use webhook::{Notification, Webhook};
