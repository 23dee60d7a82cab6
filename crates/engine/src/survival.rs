//! The percentile with open orders in it: a period life table (Kaplan-Meier with delayed entry).
//!
//! Over a window (T - w, T] an order is at risk at age a if at some moment of the window it was
//! open at that age: it enters at max(0, T - w - start) and leaves at the age it had when it
//! completed, was taken out, or T came. The hazard at age a is completions at a / at risk at a;
//! the quantile q is the first age where the product of (1 - hazard) falls to 1 - q. Where too few
//! completed for that, it is the greatest age at risk: a lower bound (DESIGN 3.4).
//! Tables of several tasks merge by addition.

use events::Span;

use crate::sketch::Bucket;

/// Entries, completions and departures by age bucket, ascending.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Survival {
    rows: Vec<Row>,
}

/// What happened at one age.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Row {
    age: Bucket,
    entered: u64,
    completed: u64,
    left: u64,
}

impl Survival {
    /// Orders that were at risk from one age to another and then completed.
    pub fn add_completed(&mut self, entry: Span, exit: Span, count: u64) {
        self.rows.push(Row {
            age: Bucket::of(entry),
            entered: count,
            completed: 0,
            left: 0,
        });
        self.rows.push(Row {
            age: Bucket::of(exit),
            entered: 0,
            completed: count,
            left: 0,
        });
    }

    /// Orders that were at risk from one age to another and then left the window, open or not.
    pub fn add_left(&mut self, entry: Span, exit: Span, count: u64) {
        self.rows.push(Row {
            age: Bucket::of(entry),
            entered: count,
            completed: 0,
            left: 0,
        });
        self.rows.push(Row {
            age: Bucket::of(exit),
            entered: 0,
            completed: 0,
            left: count,
        });
    }

    /// As `add_left` for each (from, to, count). Neighbours are of like ages: they are added up on
    /// the way, for there may be a day of seconds and the rows have to be sorted.
    pub fn add_all_left(&mut self, orders: impl Iterator<Item = (Span, Span, u64)>) {
        let mut run: Option<(Bucket, Bucket, u64)> = None;
        for (entry, exit, count) in orders {
            let (entry, exit) = (Bucket::of(entry), Bucket::of(exit));
            match &mut run {
                Some((from, to, sum)) if *from == entry && *to == exit => *sum += count,
                _ => {
                    self.add_run(run.replace((entry, exit, count)));
                }
            }
        }
        self.add_run(run);
    }

    /// One order more in a folded table that was at risk from one age to another and then left.
    pub fn put_left(&mut self, entry: Span, exit: Span) {
        self.row(Bucket::of(entry)).entered += 1;
        self.row(Bucket::of(exit)).left += 1;
    }

    /// Takes back what `put_left` or `add_left` added of one order; `fold` drops empty rows.
    pub fn take_left(&mut self, entry: Span, exit: Span) {
        self.row(Bucket::of(entry)).entered -= 1;
        self.row(Bucket::of(exit)).left -= 1;
    }

    /// The row of an age in a folded table, made if it isn't there.
    fn row(&mut self, age: Bucket) -> &mut Row {
        let at = self.rows.binary_search_by_key(&age, |row| row.age);
        let at = at.unwrap_or_else(|at| {
            let (entered, completed, left) = (0, 0, 0);
            let row = Row {
                age,
                entered,
                completed,
                left,
            };
            self.rows.insert(at, row);
            at
        });
        &mut self.rows[at]
    }

    /// Adds all of `other` without folding.
    pub fn append(&mut self, other: &Survival) {
        self.rows.extend_from_slice(&other.rows);
    }

    fn add_run(&mut self, run: Option<(Bucket, Bucket, u64)>) {
        if let Some((entry, exit, count)) = run {
            let nothing = Row {
                age: entry,
                entered: 0,
                completed: 0,
                left: 0,
            };
            self.rows.push(Row {
                entered: count,
                ..nothing
            });
            self.rows.push(Row {
                age: exit,
                left: count,
                ..nothing
            });
        }
    }

    /// Brings the rows in order after a series of `add_...`; one row per age, none that is empty.
    pub fn fold(&mut self) {
        self.rows.sort_by_key(|row| row.age);
        self.rows.dedup_by(|later, kept| {
            let same = later.age == kept.age;
            if same {
                kept.entered += later.entered;
                kept.completed += later.completed;
                kept.left += later.left;
            }
            same
        });
        self.rows
            .retain(|row| row.entered + row.completed + row.left > 0);
    }

    /// Adds all of `other`; both folded, the result folded.
    pub fn merge(&mut self, other: &Survival) {
        if other.rows.is_empty() {
            return;
        }
        self.rows.extend_from_slice(&other.rows);
        self.fold();
    }

    /// The ages at these quantiles, in seconds; `None` where no order was at risk.
    /// The quantiles ascend.
    pub fn quantiles<const N: usize>(&self, quantiles: [f64; N]) -> Option<[f64; N]> {
        let greatest = self.rows.last()?.age.lowest().seconds();
        let mut found = [greatest; N];
        let mut next = 0;
        for (age, surviving) in self.curve() {
            while next < N && is_reached(surviving, quantiles[next]) {
                found[next] = age.lowest().seconds();
                next += 1;
            }
        }
        Some(found)
    }

    /// Whether so many completed that the quantile is an age, and not the greatest age at risk as
    /// a lower bound. True where no order was at risk: then there is no quantile either.
    pub fn reaches(&self, quantile: f64) -> bool {
        let end = self.curve().last();
        end.is_none_or(|(_, surviving)| is_reached(surviving, quantile))
    }

    /// The share that is open still after each age.
    fn curve(&self) -> impl Iterator<Item = (Bucket, f64)> {
        let rows = self.rows.iter();
        rows.scan((0u64, 1.0), |(at_risk, surviving), row| {
            if row.completed > 0 {
                *surviving *= 1.0 - row.completed as f64 / exposed(row, *at_risk);
            }
            *at_risk = (*at_risk + row.entered).saturating_sub(row.completed + row.left);
            Some((row.age, *surviving))
        })
    }
}

/// A tenth of a millionth: the product's rounding must not hide a quantile just reached.
fn is_reached(surviving: f64, quantile: f64) -> bool {
    surviving <= 1.0 - quantile + 1e-7
}

/// How many were at risk in a bucket, given those at risk at its beginning. Ages within a bucket
/// are not known: who entered or left in it is taken to have been there for half of it, as
/// actuaries do; age zero is an instant, so who entered there was there for all of it.
fn exposed(row: &Row, at_risk: u64) -> f64 {
    let entered = if row.age == Bucket(0) { 1.0 } else { 0.5 } * row.entered as f64;
    let exposed = at_risk as f64 + entered - 0.5 * row.left as f64;
    exposed.max(row.completed as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: i64) -> Span {
        Span::from_seconds(seconds)
    }

    #[test]
    fn without_open_orders_it_is_the_plain_percentile() {
        let mut table = Survival::default();
        for age in 1..=100 {
            table.add_completed(Span::ZERO, seconds(age), 1);
        }
        table.fold();
        let [median, p95] = table.quantiles([0.5, 0.95]).expect("orders were at risk");
        assert!((median / 50.0 - 1.0).abs() < 0.01, "{median}");
        assert!((p95 / 95.0 - 1.0).abs() < 0.01, "{p95}");
    }

    #[test]
    fn open_orders_push_it_up_to_the_greatest_age_at_risk() {
        let mut table = Survival::default();
        table.add_completed(Span::ZERO, seconds(10), 50);
        table.add_left(Span::ZERO, seconds(300), 50);
        table.fold();
        let [p25, p95] = table.quantiles([0.25, 0.95]).expect("orders were at risk");
        assert!((p25 / 10.0 - 1.0).abs() < 0.01, "{p25}");
        assert!((p95 / 300.0 - 1.0).abs() < 0.01, "{p95}");
    }

    #[test]
    fn merging_is_adding() {
        let (mut one, mut two, mut both) = Default::default();
        for (number, age) in [3i64, 8, 8, 20, 90].into_iter().enumerate() {
            let table: &mut Survival = if number % 2 == 0 { &mut one } else { &mut two };
            table.add_completed(seconds(age / 3), seconds(age), 2);
            both = {
                let mut b: Survival = both;
                b.add_completed(seconds(age / 3), seconds(age), 2);
                b
            };
        }
        one.fold();
        two.fold();
        both.fold();
        one.merge(&two);
        assert_eq!(one, both);
        assert_eq!(Survival::default().quantiles([0.5]), None);
        assert!(Survival::default().reaches(0.5));
    }

    #[test]
    fn a_lower_bound_is_told_from_a_quantile() {
        // Ten that completed within one bucket: p95 and p99 are the same age, and exact.
        let mut table = Survival::default();
        table.add_completed(Span::ZERO, seconds(60), 10);
        table.fold();
        let [p95, p99] = table.quantiles([0.95, 0.99]).expect("orders were at risk");
        assert_eq!(p95, p99);
        assert!(table.reaches(0.95) && table.reaches(0.99));
        // As many that are open at a greater age: half of them are known to take longer.
        table.add_left(Span::ZERO, seconds(90), 10);
        table.fold();
        assert!(table.reaches(0.5));
        assert!(!table.reaches(0.95));
    }
}
