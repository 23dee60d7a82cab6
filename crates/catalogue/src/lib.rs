//! From definitions in TOML to a validated plan. Pure: texts in, a `Plan` or all problems out.

pub mod metrics;
pub mod plan;

pub use plan::Plan;
