//! What is cleared away after a save, so that two writers of one task can't hurt each other.
//!
//! Of the lineage just written the newest few snapshots by offset stay, and the one just written.
//! Of other lineages (a plan before, a zombie, a new owner) everything younger than an hour stays,
//! and the newest one of each of the few written last. Sections go when no snapshot that stays
//! refers to them and they are older than an hour: a save in progress writes them before its head.
//! Files that a killed process was in the middle of (`leftovers`) go at the same age.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime};

use engine::snapshot::{Refusal, SectionRef};
use pipeline::name::SnapshotName;
use pipeline::port::LoadError;
use tracing::warn;

use crate::depot::Depot;
use crate::folder::{SECTIONS, TaskFolder, section_name};
use crate::head::references;
use crate::inspect::{Stored, heads, list};
use crate::leftovers;
use crate::load::load_head;

/// How old an object must be before somebody who may not know its use deletes it. Far longer than
/// any save takes, and than clocks of writer and store are apart.
pub(crate) const GRACE: Duration = Duration::from_secs(3600);
/// Between two looks at the sections of a task: what is to go is an hour old anyway.
const SWEEP_EVERY: Duration = Duration::from_secs(300);

/// The rule and what it has done.
pub(crate) struct Retention {
    keep: usize,
    /// When the sections of a task were last looked at.
    swept: Mutex<BTreeMap<TaskFolder, Instant>>,
}

impl Retention {
    /// Keeps that many snapshots of a lineage, at least 1.
    pub fn new(keep: usize) -> Retention {
        Retention {
            keep: keep.max(1),
            swept: Mutex::default(),
        }
    }

    /// Clears away after `written` was saved. Trouble is logged and left to the next save.
    pub async fn tidy(
        &self,
        depot: &Depot,
        folder: &TaskFolder,
        written: &str,
        uses: &[SectionRef],
    ) {
        if let Err(reason) = self.try_tidy(depot, folder, written, uses).await {
            warn!(
                task = folder.path(),
                reason, "old snapshots can't be cleared away"
            );
        }
    }

    async fn try_tidy(
        &self,
        depot: &Depot,
        folder: &TaskFolder,
        written: &str,
        uses: &[SectionRef],
    ) -> Result<(), String> {
        let heads = heads(depot, folder).await?;
        let gone = superseded(&heads, written, self.keep, SystemTime::now());
        for name in &gone {
            if let Some(path) = depot.path(folder, name) {
                depot.delete(&path).await?;
            }
        }
        let staying = heads.iter().map(|head| head.name.as_str());
        let others: Vec<&str> = staying
            .filter(|name| *name != written && !gone.contains(*name))
            .collect();
        if self.sweep_is_due(folder) {
            sweep(depot, folder, uses, &others).await?;
            for inner in ["", SECTIONS] {
                if let Some(files) = depot.on_disk(&depot.folder(folder, inner)) {
                    leftovers::clear(files).await?;
                }
            }
        }
        Ok(())
    }

    /// Says so once, and then not for a while.
    fn sweep_is_due(&self, folder: &TaskFolder) -> bool {
        let mut swept = self
            .swept
            .lock()
            .expect("nothing panics while it holds this");
        let now = Instant::now();
        let due = swept
            .get(folder)
            .is_none_or(|before| now.duration_since(*before) >= SWEEP_EVERY);
        if due {
            swept.insert(folder.clone(), now);
        }
        due
    }
}

/// Snapshots of one writer ascend in every offset; of two the one that read more counts as newer.
fn progress(offsets: &[i64]) -> (i128, &[i64]) {
    (
        offsets.iter().map(|offset| i128::from(*offset)).sum(),
        offsets,
    )
}

/// The names that may go. Names of another make are left alone.
fn superseded(heads: &[Stored], written: &str, keep: usize, now: SystemTime) -> BTreeSet<String> {
    let Some(own) = SnapshotName::parse(written) else {
        return BTreeSet::new();
    };
    let mut lineages: BTreeMap<_, Vec<(SnapshotName, &Stored)>> = BTreeMap::new();
    for head in heads {
        if let Some(name) = SnapshotName::parse(&head.name) {
            lineages.entry(name.lineage).or_default().push((name, head));
        }
    }
    for list in lineages.values_mut() {
        list.sort_by(|(one, _), (other, _)| progress(&other.offsets).cmp(&progress(&one.offsets)));
    }
    let mut gone = BTreeSet::new();
    if let Some(list) = lineages.remove(&own.lineage) {
        let older = list.iter().skip(keep).map(|(_, head)| head.name.clone());
        gone.extend(older.filter(|name| name != written));
    }
    let mut others: Vec<_> = lineages.into_values().collect();
    others.sort_by_key(|list| Reverse(list.iter().map(|(_, head)| head.modified).max()));
    for (rank, list) in others.iter().enumerate() {
        let stay = usize::from(rank < keep);
        let older = list.iter().skip(stay).map(|(_, head)| head);
        let forgotten = older.filter(|head| is_old(head.modified, now));
        gone.extend(forgotten.map(|head| head.name.clone()));
    }
    gone
}

pub(crate) fn is_old(modified: SystemTime, now: SystemTime) -> bool {
    now.duration_since(modified).is_ok_and(|age| age > GRACE)
}

/// Deletes old sections that neither `uses` nor a snapshot of `others` has.
async fn sweep(
    depot: &Depot,
    folder: &TaskFolder,
    uses: &[SectionRef],
    others: &[&str],
) -> Result<(), String> {
    let mut used: BTreeSet<String> = uses.iter().map(section_name).collect();
    let now = SystemTime::now();
    let objects = list(depot, folder, SECTIONS).await?;
    let mut old: Vec<(&str, _)> = objects
        .iter()
        .filter(|object| is_old(object.last_modified.into(), now))
        .filter_map(|object| Some((object.location.filename()?, &object.location)))
        .filter(|(name, _)| !used.contains(*name))
        .collect();
    if old.is_empty() {
        return Ok(());
    }
    for name in others {
        let head = match load_head(depot, folder, name).await {
            Ok(head) => head,
            Err(LoadError::Unavailable(reason)) => return Err(reason),
            // Nobody can ever use it.
            Err(LoadError::Unsound(_) | LoadError::Newer(_)) => continue,
        };
        let uses = match references(&head) {
            Ok(uses) => uses,
            // What one of another version uses is not known.
            Err(Refusal::Version(_)) => return Ok(()),
            Err(_) => continue,
        };
        used.extend(uses.iter().map(section_name));
    }
    old.retain(|(name, _)| !used.contains(*name));
    for (_, path) in &old {
        depot.delete(path).await?;
    }
    Ok(())
}
