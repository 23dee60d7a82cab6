//! Chance as an input: every draw comes from one seeded generator, so a seed is a whole shop.
//!
//! The generator is `fastrand`'s (wyrand) and never its thread-local one, which is seeded by the
//! machine. Times are drawn in whole milliseconds, Kafka's unit.

use events::Span;
use fastrand::Rng;

/// A seeded generator with the distributions that a shop needs.
#[derive(Clone, Debug)]
pub struct Chance {
    rng: Rng,
}

impl Chance {
    /// The same seed gives the same draws.
    pub fn new(seed: u64) -> Chance {
        Chance {
            rng: Rng::with_seed(seed),
        }
    }

    /// True with this probability.
    pub fn happens(&mut self, share: f64) -> bool {
        share > 0.0 && self.rng.f64() < share
    }

    /// A whole number below `end`, which is above zero.
    pub fn below(&mut self, end: u64) -> u64 {
        self.rng.u64(0..end)
    }

    /// One of these, each as likely.
    pub fn one_of<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.rng.usize(0..choices.len())]
    }

    /// The index of one of these weights, with a probability in proportion to it.
    pub fn weighted(&mut self, weights: &[f64]) -> usize {
        let mut rest = self.rng.f64() * weights.iter().sum::<f64>();
        for (index, weight) in weights.iter().enumerate() {
            rest -= weight;
            if rest < 0.0 {
                return index;
            }
        }
        weights.len() - 1
    }

    /// Uniform in [low, high).
    pub fn share(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.rng.f64()
    }

    /// Uniform in [low, high), in seconds, as whole milliseconds.
    pub fn uniform(&mut self, low: f64, high: f64) -> Span {
        milliseconds(self.share(low, high))
    }

    /// Exponential with this mean in seconds: the gap to the next arrival of a Poisson process.
    pub fn exponential(&mut self, mean: f64) -> Span {
        milliseconds(self.exponential_seconds(mean))
    }

    /// The same, not rounded, so that high rates stay exact.
    pub fn exponential_seconds(&mut self, mean: f64) -> f64 {
        -(1.0 - self.rng.f64()).ln() * mean
    }

    /// Log-normal with this median in seconds and this deviation of the logarithm.
    pub fn log_normal(&mut self, median: f64, deviation: f64) -> Span {
        milliseconds(median * (deviation * self.normal()).exp())
    }

    /// Pareto: at least `least` seconds, with a tail of index `shape`, cut at `most`.
    pub fn pareto(&mut self, least: f64, shape: f64, most: f64) -> Span {
        let value = least / (1.0 - self.rng.f64()).powf(1.0 / shape);
        milliseconds(value.min(most))
    }

    /// Standard normal, by Box and Muller.
    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.rng.f64()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.rng.f64()).cos()
    }
}

fn milliseconds(seconds: f64) -> Span {
    Span((seconds * 1000.0).round() as i64 * 1000)
}
