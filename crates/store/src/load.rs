//! Reading a snapshot back: its head, then every section that the head refers to, each checked by
//! its length and hash. Whatever is missing or damaged makes the snapshot unsound; the reason names
//! the section if it is one, the snapshot is named by whoever asked for it. A store that doesn't
//! answer says nothing about the snapshot.

use std::sync::Arc;

use engine::snapshot::{Section, SectionRef, Snapshot};
use object_store::path::Path;
use pipeline::port::LoadError;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use xxhash_rust::xxh3::xxh3_128;

use crate::depot::{Depot, FetchError};
use crate::folder::{SECTIONS, TaskFolder, section_name};
use crate::head::{HEAD_BYTES_MOST, references};
use crate::packing::unpack;

/// Sections of one snapshot that are fetched at the same time.
const FETCHES: usize = 8;
/// What compression may add to bytes that can't be compressed.
const FRAME_BYTES: u64 = 1 << 10;

/// All of a snapshot.
pub(crate) async fn load(
    depot: &Depot,
    folder: &TaskFolder,
    name: &str,
) -> Result<Snapshot, LoadError> {
    let head = load_head(depot, folder, name).await?;
    let wanted = references(&head)?;
    let slots = Arc::new(Semaphore::new(FETCHES));
    let mut fetches = JoinSet::new();
    for reference in wanted.iter().copied() {
        let (depot, folder, slots) = (depot.clone(), folder.clone(), Arc::clone(&slots));
        fetches.spawn(async move {
            let _slot = slots.acquire().await.expect("it is never closed");
            load_section(&depot, &folder, reference).await
        });
    }
    let mut sections = Vec::with_capacity(wanted.len());
    while let Some(fetched) = fetches.join_next().await {
        let fetched = fetched.map_err(|error| LoadError::Unavailable(error.to_string()))?;
        sections.push(fetched?);
    }
    let place = |section: &Section| wanted.iter().position(|want| *want == section.reference);
    sections.sort_by_cached_key(place);
    Ok(Snapshot { head, sections })
}

/// Only the head, decompressed but not looked at.
pub(crate) async fn load_head(
    depot: &Depot,
    folder: &TaskFolder,
    name: &str,
) -> Result<Vec<u8>, LoadError> {
    let Some(path) = depot.path(folder, name) else {
        return Err(LoadError::Unsound(format!("\"{name}\" can't be a name")));
    };
    object(depot, &path, HEAD_BYTES_MOST).await
}

/// One section, checked.
pub(crate) async fn load_section(
    depot: &Depot,
    folder: &TaskFolder,
    reference: SectionRef,
) -> Result<Section, LoadError> {
    let name = format!("{SECTIONS}/{}", section_name(&reference));
    let path = depot
        .path(folder, &name)
        .expect("a number in hexadecimal is a name");
    let unsound = |reason: String| LoadError::Unsound(format!("{name}: {reason}"));
    let bytes = object(depot, &path, reference.length).await;
    let bytes = bytes.map_err(|error| match error {
        LoadError::Unsound(reason) => unsound(reason),
        other => other,
    })?;
    let found = bytes.len() as u64;
    if found != reference.length {
        let wanted = reference.length;
        return Err(unsound(format!(
            "holds {found} bytes, not the {wanted} it should"
        )));
    }
    if xxh3_128(&bytes) != reference.hash {
        return Err(unsound("its checksum is wrong".to_owned()));
    }
    Ok(Section {
        reference,
        bytes: bytes.into(),
    })
}

/// An object, decompressed.
async fn object(depot: &Depot, path: &Path, limit: u64) -> Result<Vec<u8>, LoadError> {
    // A frame of bytes that can't be compressed is a little longer than they are.
    let most = limit.saturating_add(limit / 128 + FRAME_BYTES);
    let packed = depot.fetch(path, most).await.map_err(|error| match error {
        FetchError::Missing => LoadError::Unsound("is not there".to_owned()),
        FetchError::Unsound(reason) => LoadError::Unsound(reason),
        FetchError::Unavailable(reason) => LoadError::Unavailable(reason),
    })?;
    let unpacked = tokio::task::spawn_blocking(move || unpack(&packed, limit)).await;
    unpacked
        .map_err(|error| LoadError::Unavailable(error.to_string()))?
        .map_err(LoadError::Unsound)
}
