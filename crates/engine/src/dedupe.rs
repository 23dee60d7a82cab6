//! The event ids of one topic-partition, remembered for a while of its clock.
//!
//! An id first seen at clock k with event time t is remembered until the clock passes
//! max(k, t) + `dedupe`. Entries that the clock has passed are logically gone at once; memory lets
//! go of them in sweeps, each a quarter of the horizon after the last.

mod saved;

use events::{EventTime, Key, Span};

use crate::encode::Encoder;
use crate::snapshot::Blocks;
use crate::table::{Identity, KeyMap};

/// See the file's header.
#[derive(Clone, Debug)]
pub struct Dedupe {
    horizon: Span,
    limit: usize,
    /// The last clock at which the id is still remembered, in two halves: 20 bytes an entry.
    until: KeyMap<[u32; 2]>,
    swept_at: EventTime,
    overflowed: bool,
    /// How much of `until` one block of a snapshot covers.
    block_length: Span,
    /// What the last snapshot made of closed blocks.
    saved: Blocks,
}

/// What the memory says of an event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Seen {
    /// Never, as far as is remembered.
    New,
    /// Before.
    Duplicate,
}

impl Dedupe {
    /// A zero horizon remembers nothing.
    pub fn new(horizon: Span, limit: usize) -> Dedupe {
        Dedupe {
            horizon,
            limit,
            until: KeyMap::default(),
            swept_at: EventTime::MIN,
            overflowed: false,
            block_length: saved::block_length(horizon),
            saved: Blocks::default(),
        }
    }

    /// Looks an id up at clock k and remembers it if it is new. A duplicate renews nothing.
    pub fn see(&mut self, id: Key, k: EventTime, time: EventTime) -> Seen {
        if self.horizon == Span::ZERO {
            return Seen::New;
        }
        let until = join(k.max(time) + self.horizon);
        match self.until.entry(Identity(id)) {
            hashbrown::hash_map::Entry::Occupied(mut entry) => {
                let before = split(*entry.get());
                if k <= before {
                    return Seen::Duplicate;
                }
                entry.insert(until);
                self.saved.touch(self.block_of(before));
            }
            hashbrown::hash_map::Entry::Vacant(entry) => {
                entry.insert(until);
                self.make_room(id, k);
            }
        }
        Seen::New
    }

    /// Lets go of what the clock has passed, now and then.
    pub fn sweep(&mut self, clock: EventTime) {
        if (clock - self.swept_at).0 >= self.horizon.0 / 4 {
            self.forget(clock);
        }
    }

    fn forget(&mut self, clock: EventTime) {
        self.until.retain(|_, until| split(*until) >= clock);
        self.swept_at = clock;
        self.saved.touch_before(self.block_of(clock) + 1);
    }

    /// True once an id could not be remembered.
    pub fn overflowed(&self) -> bool {
        self.overflowed
    }

    /// How many ids memory holds.
    pub fn len(&self) -> usize {
        self.until.len()
    }

    /// An estimate of the bytes they take.
    pub fn bytes(&self) -> usize {
        self.until.capacity() * 8 / 7 * 21
    }

    /// Writes the ids that are remembered at this clock.
    pub fn encode(&self, clock: EventTime, out: &mut Encoder) {
        let mut live: Vec<(Identity, EventTime)> = self
            .until
            .iter()
            .map(|(id, until)| (*id, split(*until)))
            .filter(|entry| entry.1 >= clock)
            .collect();
        live.sort_unstable();
        out.unsigned(u64::from(self.overflowed));
        out.length(live.len());
        for (id, until) in live {
            out.key(id.0);
            out.time(until);
        }
    }

    /// Beyond the limit the newest id is not remembered, unless a sweep makes room.
    fn make_room(&mut self, id: Key, k: EventTime) {
        if self.until.len() > self.limit {
            // A full table is swept now and then, not for every event: a sweep looks at all of it.
            if (k - self.swept_at).0 >= self.horizon.0 / 64 {
                self.forget(k);
            }
            if self.until.len() > self.limit {
                self.until.remove(&Identity(id));
                self.overflowed = true;
            }
        }
    }
}

fn join(time: EventTime) -> [u32; 2] {
    [time.0 as u32, (time.0 >> 32) as u32]
}

fn split(halves: [u32; 2]) -> EventTime {
    EventTime(i64::from(halves[0]) | i64::from(halves[1]) << 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> EventTime {
        EventTime(seconds * 1_000_000)
    }

    #[test]
    fn an_id_is_remembered_until_the_clock_passes_the_horizon() {
        let mut dedupe = Dedupe::new(Span::from_seconds(900), 10);
        let id = Key::of_pair("/shop", "1");
        assert_eq!(dedupe.see(id, at(100), at(90)), Seen::New);
        assert_eq!(
            dedupe.see(id, at(1000), at(90)),
            Seen::Duplicate,
            "renews nothing"
        );
        dedupe.sweep(at(1000));
        assert_eq!(dedupe.see(id, EventTime(at(1000).0 + 1), at(90)), Seen::New);
    }

    #[test]
    fn an_event_from_the_future_is_remembered_from_its_own_time_on() {
        let mut dedupe = Dedupe::new(Span::from_seconds(900), 10);
        let id = Key::of_pair("/shop", "1");
        assert_eq!(dedupe.see(id, at(100), at(300)), Seen::New);
        assert_eq!(dedupe.see(id, at(1200), at(300)), Seen::Duplicate);
    }

    #[test]
    fn beyond_the_limit_it_says_so_and_forgets_the_newest() {
        let mut dedupe = Dedupe::new(Span::from_seconds(900), 2);
        let ids = ["1", "2", "3"].map(|id| Key::of_pair("/shop", id));
        for id in ids {
            assert_eq!(dedupe.see(id, at(0), at(0)), Seen::New);
        }
        assert!(dedupe.overflowed());
        assert_eq!(dedupe.see(ids[0], at(0), at(0)), Seen::Duplicate);
        assert_eq!(dedupe.see(ids[2], at(0), at(0)), Seen::New);
    }
}
