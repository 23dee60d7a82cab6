//! Plan + events -> state -> view. Pure: state is a function of the consumed offsets alone.
//!
//! A `Task` is the state of partition p of every topic of a group. `Task::apply` takes one record
//! of one of its partitions; `Task::view` freezes what is published at a display time;
//! `Task::encode` writes the state as canonical bytes; `Task::save` writes a snapshot that
//! `Task::restore` makes a task of which goes on exactly as this one. Every decision uses event times and the
//! prefix of the record's own partition only (DESIGN 3.1).

mod count;
mod decode;
mod dedupe;
mod dictionary;
pub mod encode;
mod field_errors;
pub mod fields;
mod funnel;
mod input;
pub mod native;
mod panes;
mod promise;
mod refused;
mod series;
pub mod sketch;
pub mod snapshot;
pub mod survival;
mod table;
mod task;
mod uses;
pub mod view;

pub use promise::OVERDUE_KEY_BYTES;
pub use refused::EntityLimit;
pub use task::{Restored, Task};
pub use view::View;
