//! What the tests, the demo and the benchmarks stand on: a seeded shop, and a naive oracle that
//! keeps every record and computes each number from its definition.
//!
//! Pure: chance and time are inputs.

pub mod compare;
pub mod oracle;
pub mod partition;
pub mod shop;
pub mod world;
