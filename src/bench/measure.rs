//! What a process has used so far, as Linux tells, and plain tables of it.
//!
//! CPU time is user + system. A thread's is exact to the nanosecond, a process' to the hundredth of
//! a second; the latter holds all its threads, ended ones and librdkafka's included.

use std::fs;
use std::io::{self, IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use anyhow::Context as _;

/// What `/proc/self/stat` counts in: Linux shows it to programs as hundredths everywhere.
const TICKS_PER_SECOND: f64 = 100.0;

/// CPU time of this thread, in seconds.
pub fn thread_cpu_seconds() -> anyhow::Result<f64> {
    let text = fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanos = text.split(' ').next().unwrap_or_default();
    Ok(nanos.parse::<u64>().context("schedstat")? as f64 / 1e9)
}

/// CPU time of this process, in seconds.
pub fn process_cpu_seconds() -> anyhow::Result<f64> {
    let text = fs::read_to_string("/proc/self/stat")?;
    // The second field, in brackets, is a name and may hold anything; utime and stime are the
    // 14th and 15th of all.
    let rest = text.rsplit_once(") ").context("stat")?.1;
    let ticks = rest.split(' ').skip(11).take(2).map(str::parse::<u64>);
    Ok(ticks.sum::<Result<u64, _>>()? as f64 / TICKS_PER_SECOND)
}

/// The most memory that was in use at once, in bytes.
pub fn peak_resident_bytes() -> anyhow::Result<u64> {
    status_bytes("VmHWM:")
}

/// The memory that is in use now, in bytes.
pub fn resident_bytes() -> anyhow::Result<u64> {
    status_bytes("VmRSS:")
}

fn status_bytes(name: &str) -> anyhow::Result<u64> {
    let text = fs::read_to_string("/proc/self/status")?;
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
    Ok(kibibytes.context("status")?.trim().parse::<u64>()? * 1024)
}

/// Times one stage on this thread: wall and CPU.
pub struct Watch {
    began: Instant,
    cpu: f64,
}

impl Watch {
    /// Starts now.
    pub fn start() -> anyhow::Result<Watch> {
        Ok(Watch {
            cpu: thread_cpu_seconds()?,
            began: Instant::now(),
        })
    }

    /// What went by since.
    pub fn stop(&self) -> anyhow::Result<Lap> {
        let wall = self.began.elapsed();
        Ok(Lap {
            wall,
            cpu_seconds: thread_cpu_seconds()? - self.cpu,
        })
    }
}

/// One run of one stage.
#[derive(Clone, Copy, Default, Debug)]
pub struct Lap {
    /// By the clock on the wall.
    pub wall: Duration,
    /// User + system.
    pub cpu_seconds: f64,
}

/// The least, the middle and the greatest of some runs; all zero without any.
#[derive(Clone, Copy, Default, Debug)]
pub struct Spread {
    /// The least.
    pub min: f64,
    /// The middle; of an even number the lower of the two.
    pub median: f64,
    /// The greatest.
    pub max: f64,
}

impl Spread {
    /// Of these.
    pub fn of(values: impl Iterator<Item = f64>) -> Spread {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        Spread {
            min: quantile(&values, 0.0),
            median: quantile(&values, 0.5),
            max: quantile(&values, 1.0),
        }
    }

    /// `median (min-max)` with this many digits behind the point.
    pub fn show(self, digits: usize) -> String {
        let Spread { min, median, max } = self;
        format!("{median:.digits$} ({min:.digits$}-{max:.digits$})")
    }
}

/// The value at a quantile of ascending values (nearest rank); 0 without any.
pub fn quantile(sorted: &[f64], q: f64) -> f64 {
    let rank = (q * sorted.len() as f64).ceil() as usize;
    let at = rank.max(1).min(sorted.len().max(1)) - 1;
    sorted.get(at).copied().unwrap_or(0.0)
}

/// A quantile of a histogram's buckets as (upper edge, how many are not above it), ascending:
/// linear within a bucket, as Prometheus' `histogram_quantile` has it; 0 without any.
pub fn bucket_quantile(buckets: &[(f64, u64)], q: f64) -> f64 {
    let count = buckets.last().map_or(0, |bucket| bucket.1);
    let rank = q * count as f64;
    let (mut low, mut below) = (0.0, 0);
    for &(edge, up_to) in buckets {
        if up_to as f64 >= rank && up_to > below {
            if edge.is_infinite() {
                return low;
            }
            let part = (rank - below as f64) / (up_to - below) as f64;
            return low + (edge - low) * part;
        }
        (low, below) = (edge, up_to);
    }
    0.0
}

/// Rows of text under a heading, in columns.
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// With this heading.
    pub fn new(heading: &[&str]) -> Table {
        let heading = heading.iter().map(|&cell| cell.to_owned()).collect();
        Table {
            rows: vec![heading],
        }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// Writes it: the first column to the left, the others to the right.
    pub fn print(&self) {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for row in &self.rows {
            let mut line = String::new();
            for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
                if column == 0 {
                    line += &format!("{cell:width$}");
                } else {
                    line += &format!("  {cell:>width$}");
                }
            }
            say(&line);
        }
        say("");
    }
}

/// A line to standard output; whoever closed the pipe does not want it.
pub fn say(line: &str) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// One line that is overwritten, on a terminal only.
pub fn show(text: &str) {
    let mut out = io::stderr().lock();
    if out.is_terminal() {
        let _ = write!(out, "\r\x1b[K{text}").and_then(|()| out.flush());
    }
}

/// A number with commas between thousands.
pub fn grouped(number: f64) -> String {
    let digits = format!("{:.0}", number.abs());
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Bytes as MB.
pub fn megabytes(bytes: u64) -> String {
    format!("{:.0} MB", bytes as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_shows_in_the_cpu_time_of_thread_and_process() {
        let (thread, process) = (thread_cpu_seconds(), process_cpu_seconds());
        let (thread, process) = (thread.expect("Linux"), process.expect("Linux"));
        let mut sum = 0_u64;
        while thread_cpu_seconds().expect("Linux") < thread + 0.05 {
            sum = std::hint::black_box(sum + 1);
        }
        assert!(process_cpu_seconds().expect("Linux") >= process + 0.03);
    }

    #[test]
    fn a_spread_is_of_the_values_given() {
        let Spread { min, median, max } = Spread::of([3.0, 1.0, 2.0, 9.0].into_iter());
        assert_eq!((min, median, max), (1.0, 2.0, 9.0));
        assert_eq!(quantile(&[1.0, 2.0, 3.0, 4.0], 0.99), 4.0);
    }

    #[test]
    fn a_quantile_of_buckets_lies_within_its_bucket() {
        let buckets = [(1.0, 0), (2.0, 10), (4.0, 20), (f64::INFINITY, 20)];
        let at = |q| bucket_quantile(&buckets, q);
        assert_eq!([at(0.25), at(0.5), at(0.75), at(1.0)], [1.5, 2.0, 3.0, 4.0]);
        let above = [(1.0, 0), (f64::INFINITY, 5)];
        assert_eq!(bucket_quantile(&above, 0.5), 1.0);
        assert_eq!(bucket_quantile(&[], 0.5), 0.0);
    }

    #[test]
    fn thousands_are_set_apart() {
        let texts = [0.0, 999.4, 1000.0, 1234567.0].map(grouped);
        assert_eq!(texts, ["0", "999", "1,000", "1,234,567"]);
    }
}
