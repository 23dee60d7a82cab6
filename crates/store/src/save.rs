//! Saving a snapshot: its sections, then its head, each created only if it isn't there.
//!
//! One that is there already is what we meant to write (a reply that was lost, another process with
//! the same state) or it is damaged, and then it is written over: equal names mean equal bytes. Two
//! sound heads of one name that differ are a bug, and nothing is overwritten.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use engine::snapshot::{Refusal, Section, SectionRef, Snapshot, VERSION};
use object_store::path::Path;
use pipeline::port::{LoadError, SaveError};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::client::Saved;
use crate::depot::{Created, Depot};
use crate::folder::{HEAD_SUFFIX, SECTIONS, TaskFolder, section_name};
use crate::head::{HEAD_BYTES_MOST, references};
use crate::inspect::list;
use crate::load::{load_head, load_section};
use crate::packing::pack;
use crate::retention::GRACE;

/// Sections that are compressed and written at the same time.
const WRITES: usize = 4;
/// A section that nobody used for longer may be cleared away at any moment: it is written again.
const FRESH: Duration = Duration::from_secs(GRACE.as_secs() / 2);
/// Before the suffix of a name: the task said that its state depends on more than offsets.
const INEXACT: char = '~';

/// Saves all of it, or says why not.
pub(crate) async fn save(
    depot: &Depot,
    folder: &TaskFolder,
    name: &str,
    snapshot: Snapshot,
) -> Result<Saved, SaveError> {
    let unavailable = |reason: String| SaveError::Unavailable(format!("{name}: {reason}"));
    let Some(path) = depot.path(folder, name) else {
        return Err(unavailable("can't be a name".to_owned()));
    };
    let length = snapshot.head.len() as u64;
    if length > HEAD_BYTES_MOST {
        let message = format!("its head has {length} bytes, above the limit of {HEAD_BYTES_MOST}");
        return Err(unavailable(message));
    }
    let wanted = references(&snapshot.head)
        .map_err(|refusal| unavailable(format!("its own head is {refusal}")))?;
    let stored = stored_sections(depot, folder)
        .await
        .map_err(SaveError::Unavailable)?;
    complete(folder, &wanted, &snapshot.sections, &stored)?;
    let mut bytes = save_sections(depot, folder, snapshot.sections, &stored).await?;
    bytes += save_head(depot, folder, (name, &path), snapshot.head).await?;
    Ok(Saved {
        bytes,
        sections: wanted,
    })
}

/// The sections that are there, by name, and when they were written.
type Sections = BTreeMap<String, SystemTime>;

async fn stored_sections(depot: &Depot, folder: &TaskFolder) -> Result<Sections, String> {
    let objects = list(depot, folder, SECTIONS).await?.into_iter();
    let named = objects.filter_map(|object| {
        let name = object.location.filename()?.to_owned();
        Some((name, object.last_modified.into()))
    });
    Ok(named.collect())
}

/// A head must not be written when a section of it is neither there nor comes with it.
fn complete(
    folder: &TaskFolder,
    wanted: &[SectionRef],
    handed_over: &[Section],
    stored: &Sections,
) -> Result<(), SaveError> {
    let coming: BTreeSet<SectionRef> = handed_over.iter().map(|one| one.reference).collect();
    let gone =
        |one: &&SectionRef| !coming.contains(one) && !stored.contains_key(&section_name(one));
    let gone: Vec<String> = wanted.iter().filter(gone).map(section_name).collect();
    match gone.first() {
        None => Ok(()),
        Some(first) => {
            let (path, count) = (folder.path(), gone.len());
            let message = format!(
                "{count} sections are gone from the store, {path}/{SECTIONS}/{first} first"
            );
            Err(SaveError::Incomplete(message))
        }
    }
}

/// How many bytes were written.
async fn save_sections(
    depot: &Depot,
    folder: &TaskFolder,
    sections: Vec<Section>,
    stored: &Sections,
) -> Result<u64, SaveError> {
    let slots = Arc::new(Semaphore::new(WRITES));
    let mut writes = JoinSet::new();
    for section in sections {
        let written = stored.get(&section_name(&section.reference)).copied();
        let (depot, folder, slots) = (depot.clone(), folder.clone(), Arc::clone(&slots));
        writes.spawn(async move {
            let _slot = slots.acquire().await.expect("it is never closed");
            save_section(&depot, &folder, section, written).await
        });
    }
    let mut bytes = 0;
    while let Some(written) = writes.join_next().await {
        let written = written.map_err(|error| SaveError::Unavailable(error.to_string()))?;
        bytes += written.map_err(SaveError::Unavailable)?;
    }
    Ok(bytes)
}

/// `written`: when the one that is there was.
async fn save_section(
    depot: &Depot,
    folder: &TaskFolder,
    section: Section,
    written: Option<SystemTime>,
) -> Result<u64, String> {
    let reference = section.reference;
    let age = written.map(|at| at.elapsed().unwrap_or_default());
    if age.is_some_and(|age| age < FRESH) && is_sound(depot, folder, reference).await? {
        return Ok(0);
    }
    let name = format!("{SECTIONS}/{}", section_name(&reference));
    let path = depot
        .path(folder, &name)
        .expect("a number in hexadecimal is a name");
    let packed = packed(move || pack(&section.bytes)).await?;
    let length = packed.len() as u64;
    if age.is_none() {
        let is_new = depot.create(&path, packed.clone()).await? == Created::Now;
        if is_new || is_sound(depot, folder, reference).await? {
            return Ok(if is_new { length } else { 0 });
        }
    }
    depot.replace(&path, packed).await?;
    Ok(length)
}

/// Whether a section that is there is what its name says.
async fn is_sound(
    depot: &Depot,
    folder: &TaskFolder,
    reference: SectionRef,
) -> Result<bool, String> {
    match load_section(depot, folder, reference).await {
        Ok(_) => Ok(true),
        Err(LoadError::Unsound(_) | LoadError::Newer(_)) => Ok(false),
        Err(LoadError::Unavailable(reason)) => Err(reason),
    }
}

/// How many bytes were written.
async fn save_head(
    depot: &Depot,
    folder: &TaskFolder,
    (name, path): (&str, &Path),
    head: Vec<u8>,
) -> Result<u64, SaveError> {
    let head: Arc<[u8]> = head.into();
    let again = Arc::clone(&head);
    let packed = packed(move || pack(&head))
        .await
        .map_err(SaveError::Unavailable)?;
    let length = packed.len() as u64;
    let created = depot.create(path, packed.clone()).await;
    if created.map_err(SaveError::Unavailable)? == Created::Now {
        return Ok(length);
    }
    let there = match load_head(depot, folder, name).await {
        Ok(there) if *there == *again => return Ok(0),
        Ok(there) => there,
        Err(LoadError::Unsound(_) | LoadError::Newer(_)) => Vec::new(),
        Err(LoadError::Unavailable(reason)) => return Err(SaveError::Unavailable(reason)),
    };
    match references(&there) {
        Ok(_) => {}
        Err(Refusal::Version(found)) if found > VERSION => {
            let message = format!("{path}: there is one of a newer Kept (version {found})");
            return Err(SaveError::Unavailable(message));
        }
        // Nobody can use it: it is torn, or of a version before ours.
        Err(_) => {
            let replaced = depot.replace(path, packed).await;
            return replaced.map(|()| length).map_err(SaveError::Unavailable);
        }
    }
    if name.trim_end_matches(HEAD_SUFFIX).ends_with(INEXACT) {
        return Ok(0);
    }
    Err(SaveError::Differs(differs(path, &there, &again)))
}

fn differs(path: &Path, there: &[u8], ours: &[u8]) -> String {
    let same = there.iter().zip(ours).take_while(|(a, b)| a == b).count();
    format!(
        "{path}: the one in the store has {} bytes, ours {}; they differ from byte {same} on",
        there.len(),
        ours.len()
    )
}

/// Compression takes a while: it must not hold up other answers.
async fn packed(work: impl FnOnce() -> Vec<u8> + Send + 'static) -> Result<Vec<u8>, String> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| error.to_string())
}
