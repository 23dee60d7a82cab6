//! What a worker does with what happens to it: `step(input) -> effects`. Pure, single-threaded.
//!
//! A worker owns the tasks of the partitions that its consumer was assigned. Everything that can
//! happen to it is an `Input`, everything it wants done is an `Effect`; the shell (crate `kafka`)
//! turns librdkafka's world into inputs and carries effects out, a simulator does the same with a
//! virtual broker. Wall time comes in as data and goes into the display time only.

pub mod header;
mod known;
pub mod lineage;
pub mod log_id;
pub mod name;
pub mod note;
pub mod port;
mod preparing;
mod progress;
mod publish;
pub mod resume;
mod rules;
mod running;
mod saves;
mod storing;
mod worker;

pub use port::{Assignment, Effect, Input, LeaseTime, TaskId};
pub use progress::Standing;
pub use rules::{LogGap, Options, Rules};
pub use worker::{TaskCounts, Worker, projection};
