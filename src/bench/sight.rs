//! What a scraper of several instances sees of each partition: who shows it, and when nobody does.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::ensure;

use super::scrape::{by_partition, scrape};

/// The counter that is looked for.
const COUNTER: &str = "shop_fulfilment_started_total";

/// See the file's header.
pub struct Sight {
    partitions: Vec<Seen>,
}

/// Of one partition.
#[derive(Clone, Default)]
struct Seen {
    /// When it was last shown.
    last: Option<Instant>,
    missed: bool,
    /// The longest time between two scrapes that showed it, with one in between that did not.
    longest: Duration,
    /// The greatest value of its counter so far.
    count: usize,
    /// Who shows it.
    owner: Option<SocketAddr>,
}

impl Sight {
    /// Nothing is seen yet.
    pub fn new(partitions: usize) -> Sight {
        Sight {
            partitions: vec![Seen::default(); partitions],
        }
    }

    /// Forgets the gaps so far; who shows each partition.
    pub fn begin(&mut self) -> Vec<Option<SocketAddr>> {
        for seen in &mut self.partitions {
            seen.longest = Duration::ZERO;
        }
        self.partitions.iter().map(|seen| seen.owner).collect()
    }

    /// Scrapes the instances, one after the other; how many partitions each one shows. One that
    /// doesn't answer shows none.
    pub fn look(&mut self, instances: &[SocketAddr]) -> anyhow::Result<Vec<usize>> {
        let mut shown = Vec::new();
        let mut looks = vec![Look::default(); self.partitions.len()];
        for instance in instances {
            let counts = match scrape(*instance, false) {
                Ok(scrape) => counts(str::from_utf8(&scrape.body)?, self.partitions.len()),
                Err(_) => vec![None; self.partitions.len()],
            };
            shown.push(counts.iter().flatten().count());
            for (look, count) in looks.iter_mut().zip(counts) {
                look.add(*instance, count);
            }
        }
        for (seen, look) in self.partitions.iter_mut().zip(looks) {
            seen.take(look, Instant::now())?;
        }
        Ok(shown)
    }

    /// The gaps, in seconds and ascending, of the partitions that others show now than `owners`.
    pub fn gaps(&self, owners: &[Option<SocketAddr>]) -> Vec<f64> {
        let moved = self.partitions.iter().zip(owners);
        let moved = moved.filter(|(seen, owner)| seen.owner != **owner);
        let mut gaps: Vec<f64> = moved.map(|(seen, _)| seen.longest.as_secs_f64()).collect();
        gaps.sort_by(f64::total_cmp);
        gaps
    }
}

/// One partition on one round of scrapes: the greatest counter, and whose it is.
#[derive(Clone, Copy, Default)]
struct Look(Option<(usize, SocketAddr)>);

impl Look {
    fn add(&mut self, instance: SocketAddr, count: Option<usize>) {
        if let Some(count) = count
            && self.0.is_none_or(|(most, _)| count > most)
        {
            self.0 = Some((count, instance));
        }
    }
}

impl Seen {
    fn take(&mut self, look: Look, now: Instant) -> anyhow::Result<()> {
        let Some((count, owner)) = look.0 else {
            self.missed = true;
            return Ok(());
        };
        ensure!(
            count >= self.count,
            "{COUNTER} of a partition fell from {} to {count}",
            self.count
        );
        if let (true, Some(last)) = (self.missed, self.last) {
            self.longest = self.longest.max(now - last);
        }
        (self.last, self.missed) = (Some(now), false);
        (self.count, self.owner) = (count, Some(owner));
        Ok(())
    }
}

/// The counter's sum on each partition that is shown.
fn counts(text: &str, partitions: usize) -> Vec<Option<usize>> {
    let mut counts = vec![None; partitions];
    for (partition, count) in by_partition(text, COUNTER) {
        *counts[partition].get_or_insert(0) += count;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    #[test]
    fn a_gap_is_what_lies_between_two_scrapes_that_show_it() {
        let (mut seen, began) = (Seen::default(), Instant::now());
        let at = |tenths: u64| began + Duration::from_millis(tenths * 100);
        let mut take = |look: Look, tenths| {
            seen.take(look, at(tenths)).expect("nothing falls");
            seen.longest.as_millis()
        };
        let shown = |count, port| Look(Some((count, address(port))));
        assert_eq!(take(Look::default(), 0), 0, "before it is first shown");
        assert_eq!(take(shown(3, 1), 5), 0);
        assert_eq!(take(shown(4, 1), 10), 0);
        assert_eq!(take(Look::default(), 15), 0);
        assert_eq!(take(shown(4, 2), 20), 1_000);
        assert_eq!(take(Look::default(), 22), 1_000);
        assert_eq!(take(shown(4, 2), 24), 1_000);
        assert_eq!(seen.owner, Some(address(2)));
        let fell = seen.take(shown(3, 2), at(30));
        fell.expect_err("a counter fell");
    }

    #[test]
    fn the_greater_counter_is_the_partitions() {
        let mut look = Look::default();
        for (port, count) in [(1, Some(5)), (2, Some(7)), (3, None), (4, Some(7))] {
            look.add(address(port), count);
        }
        assert_eq!(look.0, Some((7, address(2))));
        let text = "shop_fulfilment_started_total{region=\"a\",partition=\"1\"} 2\n\
                    shop_fulfilment_started_total{region=\"b\",partition=\"1\"} 3\n";
        assert_eq!(counts(text, 2), [None, Some(5)]);
    }
}
