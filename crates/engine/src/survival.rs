//! The percentile with open orders in it: a period life table (Kaplan-Meier with delayed entry).
//!
//! Over a window (T - w, T] an order is at risk at age a if at some moment of the window it was
//! open at that age: it enters at max(0, T - w - start) and leaves at the age it had when it
//! completed, was taken out, or T came. The hazard at age a is completions at a / at risk at a;
//! the quantile q is the first age where the product of (1 - hazard) falls to 1 - q. Where too few
//! completed for that, it is the greatest age at risk: a lower bound (DESIGN 3.4).
//! Tables of several tasks merge by addition.

use events::Span;

use crate::sketch::bucket_of;

/// Entries, completions and departures by age bucket.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Survival {
    rows: Vec<Row>,
}

/// What happened at one age.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
struct Row {
    age: u64,
    entered: u64,
    completed: u64,
    left: u64,
}
