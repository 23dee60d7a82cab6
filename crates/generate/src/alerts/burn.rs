//! Burn rates of a promise's objective: which share of broken orders over which pair of windows is
//! worth a page or a ticket.
//!
//! The pairs are those of the Google SRE workbook, chapter "Alerting on SLOs". A burn rate times
//! the share that may break can be more than there is: at 95 % a rate of 14.4 means 72 % broken,
//! which a total failure reaches after 43 minutes of an hour. Such a pair gets the share half way
//! between what may break and one half, and the fastest of them looks at five minutes with at least
//! ten broken orders in them: a total failure is there four minutes after it began.
//!
//! Each window has a least number of orders, so that a single broken one is no share. The long one
//! says how much was lost and asks for the orders of the settings; the short one only says that it
//! goes on, and asks for no more than its share needs: a quiet shop is still heard.

use catalogue::plan::Promise;
use events::Span;

use crate::book::{FAST, HOUR};
use crate::promql::{days, hours, minutes};

/// A pair of windows and the share over both that fires.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Burn {
    /// The window that must have lost so much.
    pub long: Span,
    /// The window that shows that it goes on.
    pub short: Span,
    /// The least broken orders that it fires for.
    pub broken: u64,
    /// How often the allowed share of broken orders.
    pub rate: f64,
    /// The share of broken orders.
    pub share: f64,
    /// Whether it wakes somebody.
    pub pages: bool,
}

impl Burn {
    /// The least orders in the long window: a single broken one (or nine) must not reach the share.
    pub fn minimum_orders(&self, at_least: u64) -> u64 {
        fewest(at_least, self.broken, self.share)
    }

    /// The least orders in the short window: hours after an incident a single broken one is no sign
    /// that it goes on.
    pub fn minimum_orders_short(&self) -> u64 {
        fewest(1, 1, self.share)
    }
}

/// The least orders, never below `at_least`, among which so many broken ones are less than the share.
pub fn fewest(at_least: u64, broken: u64, share: f64) -> u64 {
    // `1 - 0.95` is a little more than 0.05: one of twenty is that share all the same, not less.
    let most = broken as f64 / share * (1.0 + 1e-9);
    at_least.max(most.floor() as u64 + 1)
}

/// A share above this is out of reach within the windows.
const REACHABLE: f64 = 0.5;

const PAIRS: [(f64, Span, Span, bool); 4] = [
    (14.4, HOUR, FAST, true),
    (6.0, hours(6), minutes(30), true),
    (3.0, days(1), hours(2), false),
    (1.0, days(3), hours(6), false),
];

/// The pairs of a promise, fastest first.
pub fn pairs(promise: &Promise) -> [Burn; 4] {
    let budget = 1.0 - promise.objective;
    PAIRS.map(|(rate, long, short, pages)| {
        let share = reachable(rate, budget);
        let is_late = rate * budget > REACHABLE && long == HOUR;
        let (long, short, broken) = if is_late {
            (FAST, FAST, 10)
        } else {
            (long, short, 1)
        };
        Burn {
            long,
            short,
            broken,
            rate: share / budget,
            share,
            pages,
        }
    })
}

fn reachable(rate: f64, budget: f64) -> f64 {
    if rate * budget <= REACHABLE {
        rate * budget
    } else if budget < REACHABLE {
        (budget + REACHABLE) / 2.0
    } else {
        (budget + 1.0) / 2.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strict_objective_keeps_the_textbook_rates() {
        let shares = [14.4, 6.0, 3.0, 1.0].map(|rate| reachable(rate, 0.001));
        let expected = [0.0144, 0.006, 0.003, 0.001];
        for (share, expected) in shares.into_iter().zip(expected) {
            assert!((share - expected).abs() < 1e-12, "{share} {expected}");
        }
    }

    #[test]
    fn total_failure_reaches_every_share_of_a_page_within_its_window() {
        for objective in [0.3, 0.5, 0.8, 0.9, 0.95, 0.99, 0.999] {
            for (rate, _, _, _) in PAIRS {
                let budget: f64 = 1.0 - objective;
                let share = reachable(rate, budget);
                assert!(share < 1.0, "{objective} {rate}: {share}");
                assert!(share >= budget * 0.999, "{objective} {rate}: {share}");
            }
        }
        // Half way from 5 % to 50 %.
        assert!((reachable(14.4, 0.05) - 0.275).abs() < 1e-12);
    }

    #[test]
    fn one_broken_order_among_the_fewest_is_below_the_share() {
        for share in [0.001, 1.0 - 0.95, 0.05, 0.275, 0.72] {
            let burn = Burn {
                long: HOUR,
                short: FAST,
                broken: 1,
                rate: 1.0,
                share,
                pages: true,
            };
            let fewest = burn.minimum_orders(1);
            assert!(1.0 / (fewest as f64) < share - 1e-9, "{fewest} {share}");
        }
    }
}
