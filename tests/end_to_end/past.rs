//! What Prometheus would remember of the hours before an incident, had it watched the shop.
//!
//! Alerts compare minutes with hours. To a Prometheus that has just been started an incident of
//! minutes is most of what it ever saw, and the long windows would speak before their time. So each
//! counter of judged promises is drawn back into the past at the rate that the shop's history had.
//! It is below zero there; only its increase is ever looked at.

use std::fmt::Write as _;
use std::time::SystemTime;

use support::Samples;

/// The counter that all shares are made of, and the series that is recorded of it.
const COUNTER: &str = "shop_fulfilment_promises_total";
const RECORDED: &str = "partition:shop_fulfilment_promises_total:max";
/// How far back, in seconds: the longest window that pages.
const HOURS: i64 = 6 * 3600;
/// Between two samples, in seconds.
const EVERY: usize = 30;

/// The samples until now, as OpenMetrics; `seconds` is how long the history is that Kept has
/// counted.
pub fn past(now: &Samples, seconds: f64) -> String {
    let time = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let time = i64::try_from(time.expect("it is after 1970").as_secs()).expect("it fits");
    let mut text = format!("# TYPE {RECORDED} gauge\n");
    let mut series = 0;
    for (labels, value) in now.matching(COUNTER, &[]) {
        series += 1;
        let labels: String = labels
            .iter()
            .map(|(label, value)| format!(",{label}=\"{value}\""))
            .collect();
        for ago in (EVERY as i64..=HOURS).rev().step_by(EVERY) {
            let then = value * (1.0 - ago as f64 / seconds);
            writeln!(
                text,
                "{RECORDED}{{job=\"kept\"{labels}}} {then} {}",
                time - ago
            )
            .expect("a string takes all");
        }
    }
    assert!(series > 0, "Kept shows no {COUNTER}");
    text + "# EOF\n"
}
