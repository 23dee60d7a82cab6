//! The oracle against examples worked out by hand.

mod plans;
mod reading;
