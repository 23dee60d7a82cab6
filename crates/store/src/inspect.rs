//! What lies in the group's folder, for the commands that look at it or clear it away.

use std::time::SystemTime;

use object_store::ObjectMeta;
use object_store::path::Path;

use crate::depot::Depot;
use crate::folder::{HEAD_SUFFIX, SECTIONS, TaskFolder};
use crate::leftovers;

/// A snapshot as the store lists it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stored {
    /// The object's name within the task's folder.
    pub name: String,
    /// The head's size as stored: compressed, without sections.
    pub bytes: u64,
    /// When it was written, by the store's clock.
    pub modified: SystemTime,
}

/// All of a task.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listing {
    /// By name.
    pub snapshots: Vec<Stored>,
    /// Each section's hash and its size as stored, by hash.
    pub sections: Vec<(u128, u64)>,
}

/// The tasks that have a folder, in order.
pub(crate) async fn tasks(depot: &Depot) -> Result<Vec<TaskFolder>, String> {
    let mut tasks = Vec::new();
    for topics in depot.list(&depot.root()).await?.common_prefixes {
        for partition in depot.list(&topics).await?.common_prefixes {
            let names = topics.filename().zip(partition.filename());
            tasks.extend(names.and_then(|(topics, number)| TaskFolder::parse(topics, number)));
        }
    }
    tasks.sort();
    Ok(tasks)
}

/// The tasks of the same partition that have some of the task's topics, and others or not all; in
/// order. Some of them may have no folder.
pub(crate) async fn related(depot: &Depot, task: &TaskFolder) -> Result<Vec<TaskFolder>, String> {
    let folders = depot.list(&depot.root()).await?.common_prefixes;
    let number = task.partition.to_string();
    let folders = folders.iter().filter_map(|topics| topics.filename());
    let folders = folders.filter_map(|topics| TaskFolder::parse(topics, &number));
    let mut related: Vec<TaskFolder> = folders
        .filter(|other| task.is_related(&other.topics))
        .collect();
    related.sort();
    Ok(related)
}

/// What a task's folder holds; what isn't ours is left out.
pub(crate) async fn listing(depot: &Depot, folder: &TaskFolder) -> Result<Listing, String> {
    let mut sections: Vec<(u128, u64)> = list(depot, folder, SECTIONS)
        .await?
        .iter()
        .filter_map(|object| {
            let hash = u128::from_str_radix(object.location.filename()?, 16).ok()?;
            Some((hash, object.size))
        })
        .collect();
    sections.sort_unstable();
    Ok(Listing {
        snapshots: heads(depot, folder).await?,
        sections,
    })
}

/// The snapshots of a task, by name.
pub(crate) async fn heads(depot: &Depot, folder: &TaskFolder) -> Result<Vec<Stored>, String> {
    let objects = list(depot, folder, "").await?;
    let mut heads: Vec<Stored> = objects.iter().filter_map(stored).collect();
    heads.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(heads)
}

fn stored(object: &ObjectMeta) -> Option<Stored> {
    let name = object.location.filename()?;
    name.ends_with(HEAD_SUFFIX).then(|| Stored {
        name: name.to_owned(),
        bytes: object.size,
        modified: object.last_modified.into(),
    })
}

/// The objects directly in a task's folder, or in one inside it.
pub(crate) async fn list(
    depot: &Depot,
    folder: &TaskFolder,
    inner: &str,
) -> Result<Vec<ObjectMeta>, String> {
    let path = depot.folder(folder, inner);
    Ok(depot.list(&path).await?.objects)
}

/// Deletes every object of the group and the folders that are empty then; says how many there were. Snapshots go before their sections,
/// so that an end half way leaves no snapshot without them.
pub(crate) async fn clear(depot: &Depot) -> Result<u64, String> {
    let mut waiting = vec![depot.root()];
    let mut levels: Vec<Vec<Path>> = Vec::new();
    while !waiting.is_empty() {
        let (mut inner, mut objects) = (Vec::new(), Vec::new());
        for folder in &waiting {
            let listed = depot.list(folder).await?;
            inner.extend(listed.common_prefixes);
            objects.extend(listed.objects.into_iter().map(|object| object.location));
        }
        waiting = inner;
        levels.push(objects);
    }
    let mut deleted = 0;
    for path in levels.iter().flatten() {
        depot.delete(path).await?;
        deleted += 1;
    }
    if let Some(folder) = depot.on_disk(&depot.root()) {
        leftovers::remove_empty(folder).await?;
    }
    Ok(deleted)
}
