//! Orders for restarts: a past with many that are open, then bursts. The same calls, the same
//! bytes, so what is sent to a broker can be given to a `Reference` too.
//!
//! Of two orders one is fulfilled and one stays open. A fulfilment is sent a fixed time after its
//! order, stamped up to twenty seconds earlier: out of order, and on time.

use super::event::Event;
use super::work::{PARTITIONS, REGIONS, mix};

/// From placing an order to sending its fulfilment.
const FULFILLED_AFTER_MS: i64 = 25_000;
/// How much earlier than it is sent a fulfilment may have happened; below `[time] lateness`.
const OUT_OF_ORDER_MS: u64 = 20_000;
/// The time that the past is spread over: a window of five minutes has something to forget.
const PAST_MS: i64 = 600_000;
const CHANNELS: [&str; 6] = ["web", "app", "phone", "store", "partner", "kiosk"];

/// One record.
#[derive(Clone, Copy, Debug)]
pub struct Made<'a> {
    /// Its partition.
    pub partition: i32,
    /// Its Kafka timestamp, in milliseconds since the epoch; ascends.
    pub sent_at: i64,
    /// The order's id.
    pub key: &'a str,
    /// The event as JSON.
    pub value: &'a str,
}

/// See the file's header.
#[derive(Default)]
pub struct Orders {
    placed: u64,
    fulfilled: u64,
    /// All records; numbers them.
    made: u64,
    text: String,
}

impl Orders {
    /// The past up to `now`, in milliseconds since the epoch: so many orders that stay open, as
    /// many that are fulfilled, and those of the last seconds that are about to be.
    pub fn past<E>(
        &mut self,
        open: u64,
        now: i64,
        mut take: impl FnMut(Made<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let count = open * 2;
        let placed_at = |number: u64| now - PAST_MS + number as i64 * PAST_MS / count as i64;
        for number in 0..count {
            let at = placed_at(number);
            loop {
                let sent_at = placed_at(nth_to_fulfil(self.fulfilled)) + FULFILLED_AFTER_MS;
                if sent_at > at {
                    break;
                }
                self.fulfil(sent_at, &mut take)?;
            }
            self.place(at, &mut take)?;
        }
        Ok(())
    }

    /// So many events at `now`: of three, two place orders and one fulfils an earlier one.
    pub fn burst<E>(
        &mut self,
        events: u64,
        now: i64,
        mut take: impl FnMut(Made<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        for number in 0..events {
            if number % 3 == 2 {
                self.fulfil(now, &mut take)?;
            } else {
                self.place(now, &mut take)?;
            }
        }
        Ok(())
    }

    /// Records made so far.
    pub fn made(&self) -> u64 {
        self.made
    }

    /// Orders that are open now.
    pub fn open(&self) -> u64 {
        self.placed - self.fulfilled
    }

    fn place<E>(
        &mut self,
        at: i64,
        take: &mut impl FnMut(Made<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let number = self.placed;
        self.placed += 1;
        self.make(number, "order.placed", at, at, take)
    }

    fn fulfil<E>(
        &mut self,
        sent_at: i64,
        take: &mut impl FnMut(Made<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let number = nth_to_fulfil(self.fulfilled);
        assert!(number < self.placed, "only what was placed is fulfilled");
        self.fulfilled += 1;
        let at = sent_at - (mix(number) % OUT_OF_ORDER_MS) as i64;
        self.make(number, "order.fulfilled", at, sent_at, take)
    }

    fn make<E>(
        &mut self,
        number: u64,
        type_name: &str,
        at: i64,
        sent_at: i64,
        take: &mut impl FnMut(Made<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let chance = mix(number);
        let key = format!("o-{number:012x}");
        self.made += 1;
        let event = Event {
            id: (mix(self.made), self.made),
            type_name,
            millis: at,
            order: &key,
            region: REGIONS[(chance >> 8) as usize % REGIONS.len()],
            channel: CHANNELS[(chance >> 24) as usize % CHANNELS.len()],
            chance,
        };
        event.write(&mut self.text);
        take(Made {
            partition: (number % PARTITIONS as u64) as i32,
            sent_at,
            key: &key,
            value: &self.text,
        })
    }
}

/// The number of the n-th order that is fulfilled: of each partition every other one.
fn nth_to_fulfil(n: u64) -> u64 {
    let lanes = PARTITIONS as u64;
    n / lanes * lanes * 2 + n % lanes
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::convert::Infallible;

    use super::*;

    #[test]
    fn half_of_the_past_is_open_on_every_partition_and_time_ascends() {
        let (mut orders, now) = (Orders::default(), 1_800_000_000_000);
        let (mut last, mut fulfilled, mut ids) = (0, [0; PARTITIONS as usize], BTreeSet::new());
        let mut take = |made: Made<'_>| {
            assert!(made.sent_at >= last && made.sent_at <= now);
            last = made.sent_at;
            let is_end = made.value.contains("order.fulfilled");
            fulfilled[made.partition as usize] += u32::from(is_end);
            let id = made.value.split("\"id\":\"").nth(1).expect("it has an id");
            assert!(ids.insert(id[..25].to_owned()), "two of {id}");
            Ok::<(), Infallible>(())
        };
        orders.past(8_000, now, &mut take).expect("nothing fails");
        orders.burst(300, now, &mut take).expect("nothing fails");
        assert_eq!(orders.made(), 16_000 + 300 + orders.fulfilled - 100);
        // Half of 16,000, the fulfilments that are still to come, and one in three of the burst.
        assert!((8_300..8_500).contains(&orders.open()), "{}", orders.open());
        assert!(fulfilled.iter().all(|count| *count > 900), "{fulfilled:?}");
    }
}
