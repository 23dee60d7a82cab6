//! What snapshots and commits cost a service that holds many open orders: bytes, and time.

use std::fs;
use std::path::Path;

use super::feed::Feed;
use super::measure::{Spread, Table, bucket_quantile, grouped, say};
use super::reference::Made;
use super::scrape::buckets;
use super::service::Folder;

/// Histograms of all processes of a service, added up: see `scrape::buckets`.
#[derive(Default)]
pub struct Costs {
    commits: Vec<(f64, u64)>,
    snapshots: Vec<(f64, u64)>,
}

impl Costs {
    /// Adds what one process shows at its end.
    pub fn add(&mut self, text: &str) {
        add(&mut self.commits, buckets(text, "kept_commit_seconds"));
        add(&mut self.snapshots, buckets(text, "kept_snapshot_seconds"));
    }
}

fn add(sum: &mut Vec<(f64, u64)>, more: Vec<(f64, u64)>) {
    if sum.is_empty() {
        *sum = more;
        return;
    }
    for ((_, sum), (_, count)) in sum.iter_mut().zip(more) {
        *sum += count;
    }
}

/// Prints what the service showed and left behind, and what making snapshots costs a worker that
/// holds the same: all of it once, then again after a burst of `events`.
pub fn print_costs(
    feed: &mut Feed,
    folder: &Folder,
    costs: &Costs,
    events: u64,
) -> anyhow::Result<()> {
    let first = feed.save_all();
    feed.burst(events)?;
    let next = feed.save_all();
    let mut table = Table::new(&[
        "a snapshot of one task: median (min-max)",
        "tasks",
        "holds the worker up, ms",
        "head, kB",
        "new sections, kB",
    ]);
    let after = format!("after {} more events", grouped(events as f64));
    for (what, made) in [("the first", &first), (after.as_str(), &next)] {
        let of = |field: fn(&Made) -> f64, digits| Spread::of(made.iter().map(field)).show(digits);
        table.row(vec![
            what.to_owned(),
            made.len().to_string(),
            of(|one| one.held_up.as_secs_f64() * 1e3, 1),
            of(|one| one.head_bytes as f64 / 1e3, 0),
            of(|one| one.new_section_bytes as f64 / 1e3, 0),
        ]);
    }
    table.print();
    let stored = Stored::of(&folder.path().join("state"))?;
    say(&format!(
        "the store holds {} heads of {} kB on average and {} sections, {} kB altogether, compressed",
        stored.heads,
        grouped(stored.head_bytes as f64 / stored.heads.max(1) as f64 / 1e3),
        stored.sections,
        grouped((stored.section_bytes + stored.head_bytes) as f64 / 1e3),
    ));
    let of = |what: &str, buckets: &[(f64, u64)]| {
        let count = buckets.last().map_or(0, |bucket| bucket.1);
        let [p50, p99] = [0.5, 0.99].map(|q| bucket_quantile(buckets, q) * 1e3);
        say(&format!(
            "{what}: p50 {p50:.1} ms, p99 {p99:.1} ms of {count}"
        ));
    };
    of("kept_commit_seconds", &costs.commits);
    of("kept_snapshot_seconds (writing, fsync)", &costs.snapshots);
    say("");
    Ok(())
}

/// Files of a state folder.
#[derive(Default)]
struct Stored {
    heads: u64,
    head_bytes: u64,
    sections: u64,
    section_bytes: u64,
}

impl Stored {
    fn of(folder: &Path) -> anyhow::Result<Stored> {
        let mut stored = Stored::default();
        let mut folders = vec![folder.to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder)? {
                let entry = entry?;
                let (path, about) = (entry.path(), entry.metadata()?);
                if about.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|end| end == "kept") {
                    stored.heads += 1;
                    stored.head_bytes += about.len();
                } else {
                    stored.sections += 1;
                    stored.section_bytes += about.len();
                }
            }
        }
        Ok(stored)
    }
}
