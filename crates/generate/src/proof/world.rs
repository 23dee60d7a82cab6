//! A shop of two parts, two partitions and two instances, for the recording rules of one KPI.
//!
//! Every counter rises by its own number a step and every gauge has its own, so that a rule which
//! adds up over the wrong label, or reads the wrong series, gives a wrong number.

use catalogue::plan::Kpi;
use events::Span;

use super::lab::{Labels, Test, constant, pairs, rising};
use crate::book::{Book, HOUR};
use crate::promql::{Level, dimensions, increase, partition_max, sum};
use crate::recording::counters::{percentile, rate};

/// What was given: in all, and in each part.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// Over all dimensions.
    pub all: u64,
    /// By part.
    pub parts: Vec<u64>,
}

/// See the file's header.
pub struct World<'a> {
    /// The catalogue.
    pub book: &'a Book<'a>,
    /// The KPI whose rules are proven.
    pub kpi: &'a Kpi,
    /// When all of it is looked at.
    pub at: Span,
    /// Only windows of more than an hour, or only shorter ones.
    pub long: bool,
    /// The test so far.
    pub test: Test,
    numbers: u64,
}

const INSTANCES: [&str; 2] = ["one:9464", "two:9464"];

impl<'a> World<'a> {
    /// Nothing given yet.
    pub fn new(book: &'a Book<'a>, kpi: &'a Kpi, long: bool) -> World<'a> {
        let what = if long { "days" } else { "an hour" };
        let name = format!("{}: recording rules over {what}", kpi.id);
        let (step, at) = if long {
            (super::LONG_STEP, super::LONG_AT)
        } else {
            (book.generation.interval, super::SHORT_AT)
        };
        World {
            book,
            kpi,
            at,
            long,
            test: Test::new(name, step),
            numbers: 0,
        }
    }

    /// Numbers that differ, and whose sums differ.
    fn next(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers * self.numbers + self.numbers + 1
    }

    /// The windows that this world looks at.
    pub fn windows(&self, all: &[Span]) -> Vec<Span> {
        let fits = |window: &&Span| (**window > HOUR) == self.long;
        all.iter().filter(fits).copied().collect()
    }

    /// The labels of the two parts of a KPI; one without labels when it has no dimensions.
    pub fn parts(kpi: &Kpi) -> Vec<Labels> {
        let part = |value: &str| {
            let labels = dimensions(kpi).into_iter();
            labels
                .map(|label| (label.to_owned(), value.to_owned()))
                .collect()
        };
        if kpi.by.is_empty() {
            vec![Labels::new()]
        } else {
            vec![part("a"), part("b")]
        }
    }

    /// The last sample that rules see, counted in steps.
    fn seen(&self) -> u64 {
        let looked = self.at.0 - self.book.generation.query_offset.0;
        (looked / self.test.step.0) as u64
    }

    /// Gives one kind of series of `kpi` in all parts and partitions; the values are made of a
    /// number of its own each.
    fn give(
        &mut self,
        kpi: &Kpi,
        name: &str,
        own: &Labels,
        values: impl Fn(u64, u64) -> String,
        per_partition: impl Fn(u64, u64) -> f64,
    ) -> Given {
        let mut given = Given::default();
        let steps = self.test.steps(self.at);
        for part in World::parts(kpi) {
            let mut of_part = 0;
            for (partition, instance) in INSTANCES.iter().enumerate() {
                let number = self.next();
                of_part += number;
                let partition = partition.to_string();
                let mut labels = vec![("job", "kept")];
                labels.extend(pairs(&part));
                labels.extend(pairs(own));
                labels.push(("partition", &partition));
                if !self.long {
                    let (recorded, seen) = (partition_max(name), self.seen());
                    let value = per_partition(number, seen);
                    self.test.records(self.at, &recorded, &labels, value);
                }
                labels.push(("instance", instance));
                self.test.give(name, &labels, values(number, steps));
            }
            given.all += of_part;
            given.parts.push(of_part);
        }
        given
    }

    /// Expects a recorded number at both levels, or only over all.
    pub fn recorded(
        &mut self,
        level: Level,
        name: &str,
        own: &Labels,
        given: &Given,
        value: impl Fn(u64) -> f64,
    ) {
        let at = self.at;
        let parts = World::parts(self.kpi);
        let rows: Vec<(Labels, u64)> = match level {
            Level::All => vec![(Labels::new(), given.all)],
            Level::Part => parts.into_iter().zip(given.parts.iter().copied()).collect(),
        };
        for (part, number) in rows {
            let mut labels = vec![("job", "kept")];
            labels.extend(pairs(&part));
            labels.extend(pairs(own));
            self.test.records(at, name, &labels, value(number));
        }
    }

    /// Expects one number for each row of a level.
    pub fn recorded_each(&mut self, level: Level, name: &str, own: &Labels, values: &[f64]) {
        let rows = match level {
            Level::All => vec![Labels::new()],
            Level::Part => World::parts(self.kpi),
        };
        for (part, value) in rows.iter().zip(values) {
            let mut labels = vec![("job", "kept")];
            labels.extend(pairs(part));
            labels.extend(pairs(own));
            // Two ways to divide differ in the last digit.
            let expression = format!("round({name}, 0.000001)");
            let value = (value * 1e6).round() / 1e6;
            self.test.expect(self.at, &expression, "", &labels, value);
        }
    }

    /// Gives a counter without expecting anything but the rule per partition.
    pub fn given_counter(&mut self, kpi: &Kpi, name: &str, own: &Labels) -> Given {
        self.give(kpi, name, own, rising, |rate, seen| (rate * seen) as f64)
    }

    /// Gives a counter of `kpi` and expects its increases.
    pub fn counter(&mut self, name: &str, own: &Labels, windows: &[(Level, Span)]) -> Given {
        let kpi = self.kpi;
        let given = self.given_counter(kpi, name, own);
        self.increases(name, own, windows, &given);
        given
    }

    /// Expects the increases of a counter that was given.
    pub fn increases(
        &mut self,
        name: &str,
        own: &Labels,
        windows: &[(Level, Span)],
        given: &Given,
    ) {
        for (level, window) in windows {
            let steps = self.test.steps(*window);
            let recorded = increase(&level.prefix(self.kpi), name, *window);
            self.recorded(*level, &recorded, own, given, |rate| (rate * steps) as f64);
        }
    }

    /// Gives a gauge and expects its sums.
    pub fn gauge(&mut self, name: &str, own: &Labels) -> Given {
        let kpi = self.kpi;
        let stays = |value: u64, steps: u64| constant(value as f64, steps);
        let given = self.give(kpi, name, own, stays, |value, _| value as f64);
        if !self.long {
            for level in Level::of(self.kpi) {
                let recorded = sum(&level.prefix(self.kpi), name);
                self.recorded(*level, &recorded, own, &given, |value| value as f64);
            }
        }
        given
    }

    /// Gives a histogram with all of its observations in the bucket from the first edge to the
    /// second: a quantile lies as far between them as it says.
    pub fn histogram(&mut self, name: &str, own: &Labels, edges: &[Span], quantiles: &[f64]) {
        if self.long {
            return;
        }
        if !self.kpi.buckets().has_classic() {
            return self.native(name, own, quantiles);
        }
        let kpi = self.kpi;
        let (first, second) = (edges[0].seconds(), edges[1].seconds());
        let buckets = format!("{name}_bucket");
        let seconds = self.test.step.seconds();
        let mut own_and_edge = own.clone();
        own_and_edge.push(("le".to_owned(), first.to_string()));
        let zero = |_: u64, steps: u64| rising(0, steps);
        let none = self.give(kpi, &buckets, &own_and_edge, zero, |_, _| 0.0);
        let numbers = self.numbers;
        for le in [second.to_string(), "+Inf".to_owned()] {
            // Buckets count what is in the ones before them: the same numbers again.
            self.numbers = numbers;
            let at = own_and_edge.len() - 1;
            own_and_edge[at].1 = le;
            let given = self.given_counter(kpi, &buckets, &own_and_edge);
            for level in Level::of(kpi) {
                let recorded = rate(&level.prefix(kpi), &buckets);
                self.recorded(*level, &recorded, &own_and_edge, &given, |rate| {
                    rate as f64 / seconds
                });
            }
        }
        let at = own_and_edge.len() - 1;
        own_and_edge[at].1 = first.to_string();
        for level in Level::of(kpi) {
            let prefix = level.prefix(kpi);
            let recorded = rate(&prefix, &buckets);
            self.recorded(*level, &recorded, &own_and_edge, &none, |_| 0.0);
            for quantile in quantiles {
                let recorded = percentile(&prefix, name, *quantile);
                let value = first + (second - first) * quantile;
                self.recorded(*level, &recorded, own, &none, |_| value);
            }
        }
    }

    /// Gives a histogram that has native buckets alone, with all of its observations between half a
    /// second and one: a quantile lies as far between them as it says, by ratio.
    fn native(&mut self, name: &str, own: &Labels, quantiles: &[f64]) {
        let parts = World::parts(self.kpi);
        let steps = self.test.steps(self.at);
        for part in &parts {
            for (partition, instance) in INSTANCES.iter().enumerate() {
                let (number, partition) = (self.next(), partition.to_string());
                let mut labels = vec![("job", "kept")];
                labels.extend(pairs(part));
                labels.extend(pairs(own));
                labels.extend([("partition", partition.as_str()), ("instance", instance)]);
                // Bucket 0 of schema 0 is from 1/2 to 1.
                let more =
                    format!("{{{{schema:0 sum:{number} count:{number} buckets:[{number}]}}}}");
                let values = format!("{{{{schema:0 sum:0 count:0 buckets:[0]}}}}+{more}x{steps}");
                self.test.give(name, &labels, values);
            }
        }
        for level in Level::of(self.kpi) {
            for quantile in quantiles {
                let recorded = percentile(&level.prefix(self.kpi), name, *quantile);
                let values = vec![(quantile - 1.0).exp2(); parts.len()];
                self.recorded_each(*level, &recorded, own, &values);
            }
        }
    }

    /// The windows with both levels.
    pub fn at_levels(&self, windows: &[Span]) -> Vec<(Level, Span)> {
        let windows = self.windows(windows);
        let levels = Level::of(self.kpi).iter();
        levels
            .flat_map(|level| windows.iter().map(|window| (*level, *window)))
            .collect()
    }
}

/// One label.
pub fn label(name: &str, value: &str) -> Labels {
    vec![(name.to_owned(), value.to_owned())]
}
