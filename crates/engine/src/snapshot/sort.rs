//! Puts the entries of hash tables in an order that depends on nothing but the entries.
//!
//! Sorting was most of what a snapshot cost. So what is sorted is one number for each entry, its
//! rank's bits above its index: comparing is an instruction, and the entries stay where they are.

use events::{EventTime, Span};

use crate::table::Identity;

/// The indices of entries by time, those of one time by their identity. `entries`: time and
/// identity of each.
pub(crate) fn by_time<T>(entries: &[T], of: impl Fn(&T) -> (EventTime, Identity)) -> Vec<u32> {
    // Times ascend as unsigned numbers with the sign turned over.
    let time_bits = |time: EventTime| u128::from(time.0 as u64 ^ 1 << 63) << 64;
    let rank = |(index, entry): (usize, &T)| {
        let (time, identity) = of(entry);
        time_bits(time) | u128::from(identity.0.low() as u32) << 32 | index as u128
    };
    let mut ranks: Vec<u128> = entries.iter().enumerate().map(rank).collect();
    ranks.sort_unstable();
    let mut order: Vec<u32> = ranks.iter().map(|rank| *rank as u32).collect();
    // The rank has a third of the identity only: what is still a tie is settled by all of it.
    let mut first = 0;
    for ties in ranks.chunk_by(|one, next| one >> 32 == next >> 32) {
        let tied = &mut order[first..first + ties.len()];
        if tied.len() > 1 {
            tied.sort_unstable_by_key(|index| of(&entries[*index as usize]).1);
        }
        first += ties.len();
    }
    order
}

/// The indices of entries by their identity, which no two share.
pub(crate) fn by_key<T>(entries: &[T], of: impl Fn(&T) -> Identity) -> Vec<u32> {
    let rank = |(index, entry): (usize, &T)| {
        let mut bytes = [0; 16];
        bytes[..12].copy_from_slice(&of(entry).0.to_bytes());
        u128::from_be_bytes(bytes) | index as u128
    };
    let mut ranks: Vec<u128> = entries.iter().enumerate().map(rank).collect();
    ranks.sort_unstable();
    ranks.iter().map(|rank| *rank as u32).collect()
}

/// Cuts indices of entries that are ordered by `time` into blocks of this length: number and indices
/// of each.
pub(crate) fn blocks(
    mut order: &[u32],
    length: Span,
    time: impl Fn(u32) -> EventTime,
) -> Vec<(i64, &[u32])> {
    let mut blocks = Vec::new();
    while let Some(first) = order.first() {
        let number = time(*first).0.div_euclid(length.0);
        let end = EventTime((number + 1).saturating_mul(length.0));
        let (block, rest) = order.split_at(order.partition_point(|at| time(*at) < end));
        blocks.push((number, block));
        order = rest;
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;
    use events::Key;

    fn identity(last: u8, first: u8) -> Identity {
        let mut bytes = [0; 12];
        (bytes[0], bytes[11]) = (first, last);
        Identity(Key::from_bytes(bytes))
    }

    #[test]
    fn entries_come_by_time_and_those_of_one_time_by_all_of_their_identity() {
        let mut entries = vec![
            (EventTime(-5), identity(0, 9)),
            (EventTime(3), identity(0, 0)),
            (EventTime(3), identity(1, 0)),
            (EventTime(3), identity(2, 0)),
            (EventTime(3), identity(0, 1)),
            (EventTime(4), identity(0, 0)),
        ];
        let expected = entries.clone();
        for _ in 0..entries.len() {
            entries.rotate_left(1);
            let order = by_time(&entries, |entry| *entry);
            let sorted: Vec<_> = order.iter().map(|at| entries[*at as usize]).collect();
            assert_eq!(sorted, expected);
        }
    }

    #[test]
    fn an_order_by_key_depends_on_the_keys_alone() {
        let mut keys: Vec<Identity> = (0..7).map(|at| identity(at % 3, at / 3)).collect();
        let sorted = |keys: &[Identity]| -> Vec<Identity> {
            let order = by_key(keys, |key| *key);
            order.iter().map(|at| keys[*at as usize]).collect()
        };
        let expected = sorted(&keys);
        keys.reverse();
        assert_eq!(sorted(&keys), expected);
    }
}
