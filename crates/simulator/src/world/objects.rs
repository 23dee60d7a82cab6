//! The virtual object store: objects by path, create-if-absent, and everything that can be wrong.
//!
//! A snapshot is stored as the real store does it: its sections first, each under its hash, then
//! its head, which makes it one. A head that is there already with the same bytes is a success,
//! one that is damaged is replaced, one with other bytes is a bug of those who wrote it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use engine::snapshot::{Section, SectionRef, Snapshot, references};
use pipeline::port::{LoadError, SaveError, TaskId};
use xxhash_rust::xxh3::xxh3_128;

use crate::shop::Chance;

/// How many snapshots of a task are kept.
const KEEP: usize = 3;

/// What damages an object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Damage {
    /// Its end is missing.
    Truncate,
    /// A bit of it is another one.
    FlipBit,
    /// It is gone.
    Vanish,
}

/// One task's folder.
#[derive(Default, Debug)]
struct Folder {
    /// By name; the number tells which was written last.
    heads: BTreeMap<String, (u64, Vec<u8>)>,
    sections: BTreeMap<u128, Arc<[u8]>>,
}

/// See the file's header.
#[derive(Default, Debug)]
pub struct Objects {
    folders: BTreeMap<TaskId, Folder>,
    written: u64,
}

impl Objects {
    /// The names of all snapshots of a task.
    pub fn list(&self, task: TaskId) -> Vec<String> {
        let folder = self.folders.get(&task);
        folder.map_or_else(Vec::new, |folder| folder.heads.keys().cloned().collect())
    }

    /// Writes one section, if it isn't there.
    pub fn put_section(&mut self, task: TaskId, section: &Section) {
        let folder = self.folders.entry(task).or_default();
        let bytes = Arc::clone(&section.bytes);
        folder
            .sections
            .entry(section.reference.hash)
            .or_insert(bytes);
    }

    /// Writes the head: the snapshot is there. Returns its length.
    pub fn put_head(&mut self, task: TaskId, name: &str, head: &[u8]) -> Result<u64, SaveError> {
        let folder = self.folders.entry(task).or_default();
        let needed = references(head).map_err(|it| SaveError::Differs(it.to_string()))?;
        let missing = |it: &&SectionRef| !folder.sections.contains_key(&it.hash);
        if let Some(gone) = needed.iter().find(missing) {
            return Err(SaveError::Incomplete(format!("section {:032x}", gone.hash)));
        }
        if let Some((_, there)) = folder.heads.get(name)
            && references(there).is_ok()
            && there != head
            && !name.contains('~')
        {
            let detail = format!("{name}: {} bytes there, {} now", there.len(), head.len());
            return Err(SaveError::Differs(detail));
        }
        self.written += 1;
        let entry = (self.written, head.to_vec());
        folder.heads.insert(name.to_owned(), entry);
        folder.prune();
        Ok(head.len() as u64)
    }

    /// Everything that a snapshot consists of.
    pub fn load(&self, task: TaskId, name: &str) -> Result<Snapshot, LoadError> {
        let gone = || LoadError::Unsound(format!("{name} is gone"));
        let folder = self.folders.get(&task).ok_or_else(gone)?;
        let (_, head) = folder.heads.get(name).ok_or_else(gone)?;
        let needed = references(head).map_err(|it| LoadError::Unsound(it.to_string()))?;
        let section = |reference: &SectionRef| {
            let bytes = folder.sections.get(&reference.hash);
            let sound = bytes.filter(|bytes| xxh3_128(bytes) == reference.hash);
            let lost = || LoadError::Unsound(format!("section {:032x}", reference.hash));
            Ok(Section {
                reference: *reference,
                bytes: Arc::clone(sound.ok_or_else(lost)?),
            })
        };
        let sections: Result<Vec<Section>, LoadError> = needed.iter().map(section).collect();
        Ok(Snapshot {
            head: head.clone(),
            sections: sections?,
        })
    }

    /// Damages the newest snapshot of a task: its head or one of its sections.
    pub fn damage(
        &mut self,
        task: TaskId,
        damage: Damage,
        head: bool,
        chance: &mut Chance,
    ) -> bool {
        let Some(folder) = self.folders.get_mut(&task) else {
            return false;
        };
        let newest = folder.heads.iter().max_by_key(|(_, entry)| entry.0);
        let Some((name, (number, bytes))) = newest else {
            return false;
        };
        let (name, number) = (name.clone(), *number);
        let sections = references(bytes).unwrap_or_default();
        if head || sections.is_empty() {
            match damaged(bytes, damage, chance) {
                Some(bytes) => folder.heads.insert(name, (number, bytes)),
                None => folder.heads.remove(&name),
            };
            return true;
        }
        let hash = chance.one_of(&sections).hash;
        let Some(bytes) = folder.sections.get(&hash) else {
            return false;
        };
        match damaged(bytes, damage, chance) {
            Some(bytes) => folder.sections.insert(hash, bytes.into()),
            None => folder.sections.remove(&hash),
        };
        true
    }

    /// Somebody deleted everything.
    pub fn wipe(&mut self) {
        self.folders.clear();
    }
}

impl Folder {
    /// Only the last few heads stay, and what they refer to.
    fn prune(&mut self) {
        let mut numbers: Vec<u64> = self.heads.values().map(|entry| entry.0).collect();
        numbers.sort_unstable();
        let oldest = numbers[numbers.len().saturating_sub(KEEP)];
        self.heads.retain(|_, entry| entry.0 >= oldest);
        // What another writer has put for a head that it is about to write stays a while in the
        // real store; here it may go, and the writer is told that its snapshot is incomplete.
        let heads = self.heads.values();
        let used: BTreeSet<u128> = heads
            .flat_map(|(_, head)| references(head).unwrap_or_default())
            .map(|reference| reference.hash)
            .collect();
        self.sections.retain(|hash, _| used.contains(hash));
    }
}

fn damaged(bytes: &[u8], damage: Damage, chance: &mut Chance) -> Option<Vec<u8>> {
    let mut bytes = bytes.to_vec();
    let at = chance.below(bytes.len().max(1) as u64) as usize;
    match damage {
        Damage::Vanish => return None,
        Damage::Truncate => bytes.truncate(at),
        Damage::FlipBit if bytes.is_empty() => {}
        Damage::FlipBit => bytes[at] ^= 1 << chance.below(8),
    }
    Some(bytes)
}
