//! The engine against the naive oracle, and the oracle against examples worked out by hand.

mod agreement;
mod damage;
mod limits;
mod plans;
mod reading;
mod shops;
mod snapshots;
mod streams;

/// How many seeds: the test's own number, or what the environment says.
#[expect(clippy::disallowed_methods, reason = "a test asks how long to run")]
pub fn seeds(usual: u64) -> std::ops::Range<u64> {
    let asked = std::env::var("KEPT_SEEDS").ok();
    let count = asked.map(|text| text.parse().expect("KEPT_SEEDS is a number"));
    0..count.unwrap_or(usual)
}
