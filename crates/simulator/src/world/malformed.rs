//! Events whose amounts can't be read: good for every KPI that doesn't read them.

use crate::shop::Chance;

/// The share of the orders whose amount is spoilt.
const SHARE: f64 = 0.03;
const AMOUNT: &[u8] = b"\"total\":\"";
const CURRENCY: &[u8] = b"\"currency\":\"";

/// Spoils the amount of an event, now and then: no number, a negative one, none, or no currency.
pub fn spoil(value: &mut Vec<u8>, chance: &mut Chance) {
    let Some(amount) = find(value, AMOUNT) else {
        return;
    };
    if !chance.happens(SHARE) {
        return;
    }
    let digits = amount + AMOUNT.len();
    match chance.below(4) {
        0 => value.insert(digits, b'~'),
        1 => value.insert(digits, b'-'),
        2 => value[amount + 1] = b'T',
        _ => {
            if let Some(currency) = find(value, CURRENCY) {
                value[currency + 1] = b'C';
            }
        }
    }
}

fn find(value: &[u8], what: &[u8]) -> Option<usize> {
    value.windows(what.len()).position(|part| part == what)
}
