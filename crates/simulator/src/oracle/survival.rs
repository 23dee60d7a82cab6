//! The percentile with open orders in it, from the orders themselves (DESIGN 3.4): Kaplan-Meier
//! with delayed entry, exact ages, no buckets.

use events::{EventTime, Span};

/// An order's time at risk within a window, in ages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Spell {
    /// Its age when the window first saw it open: 0 if it started in the window.
    pub enter: Span,
    /// Its age when it completed, left, or the window ended.
    pub leave: Span,
    /// Whether it completed then.
    pub completed: bool,
}

impl Spell {
    /// The spell of an order in the window (`begin`, `end`]; `None` where they don't meet.
    /// `left` is when it stopped being open, if it did, and whether it completed then.
    pub fn within(
        start: EventTime,
        left: Option<(EventTime, bool)>,
        begin: EventTime,
        end: EventTime,
    ) -> Option<Spell> {
        if start > end || left.is_some_and(|(left, _)| left <= begin) {
            return None;
        }
        let enter = Span((begin - start).0.max(0));
        Some(match left {
            Some((left, completed)) if left <= end => Spell {
                enter,
                leave: Span((left - start).0.max(0)),
                completed,
            },
            _ => Spell {
                enter,
                leave: end - start,
                completed: false,
            },
        })
    }

    /// At risk at this age: in the window it was open at it, just before.
    fn is_at_risk(&self, age: Span) -> bool {
        (self.enter < age || self.enter == Span::ZERO) && age <= self.leave
    }
}

/// The first age where the share that would still be open falls to 1 - q; where too few
/// completed, the greatest age at risk. `None` without any order.
pub fn quantile_with_open(spells: &[Spell], q: f64) -> Option<Span> {
    let mut completions: Vec<Span> = spells
        .iter()
        .filter(|spell| spell.completed)
        .map(|spell| spell.leave)
        .collect();
    completions.sort_unstable();
    let mut entries: Vec<Span> = spells.iter().map(|spell| spell.enter).collect();
    entries.sort_unstable();
    let mut departures: Vec<Span> = spells.iter().map(|spell| spell.leave).collect();
    departures.sort_unstable();
    let mut open_share = 1.0;
    for group in completions.chunk_by(|one, other| one == other) {
        let age = group[0];
        let entered = entries.partition_point(|enter| *enter < age || *enter == Span::ZERO);
        let departed = departures.partition_point(|leave| *leave < age);
        let at_risk = entered - departed;
        debug_assert!(
            spells.len() > 500
                || at_risk == spells.iter().filter(|spell| spell.is_at_risk(age)).count()
        );
        open_share *= 1.0 - group.len() as f64 / at_risk as f64;
        if open_share <= 1.0 - q + 1e-12 {
            return Some(age);
        }
    }
    departures.last().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spell(enter: i64, leave: i64, completed: bool) -> Spell {
        Spell {
            enter: Span(enter),
            leave: Span(leave),
            completed,
        }
    }

    #[test]
    fn without_open_orders_it_is_the_plain_percentile() {
        let spells: Vec<Spell> = (1..=100).map(|age| spell(0, age, true)).collect();
        assert_eq!(quantile_with_open(&spells, 0.5), Some(Span(50)));
        assert_eq!(quantile_with_open(&spells, 0.95), Some(Span(95)));
    }

    #[test]
    fn where_too_few_completed_it_is_the_greatest_age_at_risk() {
        let spells = [
            spell(0, 10, true),
            spell(0, 30, false),
            spell(20, 70, false),
        ];
        assert_eq!(quantile_with_open(&spells, 0.95), Some(Span(70)));
        assert_eq!(quantile_with_open(&[], 0.95), None);
    }

    #[test]
    fn an_order_that_entered_old_is_not_at_risk_young() {
        let mut spells = vec![spell(0, 10, true), spell(0, 20, true)];
        spells.extend([spell(50, 60, false); 100]);
        assert_eq!(quantile_with_open(&spells, 0.95), Some(Span(20)));
    }
}
