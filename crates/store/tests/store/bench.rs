//! A store in a folder of its own, one worker's door to it, and snapshots to put there.
//!
//! The heads are made by the engine's page of the format, so that each test says what they refer to.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use catalogue::settings::{LogGap, State};
use engine::snapshot::{Section, SectionRef, Snapshot, VERSION};
use events::Span;
use pipeline::port::{LoadError, SaveError};
use store::{Answer, Client, Saved, Store, TaskFolder, What};
use xxhash_rust::xxh3::xxh3_128;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// See the file's header.
pub struct Bench {
    pub client: Client,
    pub store: Arc<Store>,
}

/// A folder that goes with the test.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new() -> Folder {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("kept-store-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).expect("the temporary folder can be written");
        Folder(path)
    }

    /// Where the objects of the test's task are.
    pub fn task(&self) -> PathBuf {
        self.0.join("group/orders+ends/7")
    }

    pub fn settings(&self) -> State {
        settings(&format!("file://{}", self.0.display()))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The defaults but for the URL.
pub fn settings(url: &str) -> State {
    State {
        url: url.to_owned(),
        snapshot_every: Span::from_seconds(10),
        keep: 3,
        log_gap: LogGap::Continue,
        options: Vec::new(),
    }
}

/// The task of all tests.
pub fn task() -> TaskFolder {
    TaskFolder {
        topics: vec!["orders".to_owned(), "ends".to_owned()],
        partition: 7,
    }
}

/// The name of a snapshot of a lineage at an offset.
pub fn name(lineage: u64, offset: u64) -> String {
    format!("{:016x}-{lineage:016x}-{offset:020}.{:020}.kept", 1, 5)
}

pub fn section(text: &str) -> Section {
    let bytes = text.as_bytes().repeat(100);
    Section {
        reference: SectionRef {
            hash: xxh3_128(&bytes),
            length: bytes.len() as u64,
        },
        bytes: bytes.into(),
    }
}

/// A sound head with this note that refers to these sections.
pub fn head(note: &str, sections: &[Section]) -> Vec<u8> {
    let mut head = b"KEPTSNAP".to_vec();
    head.extend(VERSION.to_le_bytes());
    head.extend(7_i32.to_le_bytes());
    head.extend((note.len() as u64).to_le_bytes());
    head.extend(note.as_bytes());
    head.extend(0_u64.to_le_bytes());
    head.extend(0_u64.to_le_bytes());
    head.extend((sections.len() as u64).to_le_bytes());
    for section in sections {
        head.extend(section.reference.hash.to_le_bytes());
        head.extend(section.reference.length.to_le_bytes());
    }
    let checksum = xxh3_128(&head);
    head.extend(checksum.to_le_bytes());
    head
}

/// A snapshot that hands over all its sections.
pub fn snapshot(note: &str, sections: &[&str]) -> Snapshot {
    let sections: Vec<Section> = sections.iter().map(|text| section(text)).collect();
    Snapshot {
        head: head(note, &sections),
        sections,
    }
}

/// The same without them: they are known to be stored.
pub fn without_sections(snapshot: &Snapshot) -> Snapshot {
    Snapshot {
        head: snapshot.head.clone(),
        sections: Vec::new(),
    }
}

impl Bench {
    pub fn new(settings: &State) -> Bench {
        let store = Store::open(settings, "group").expect("the settings are good");
        Bench {
            client: store.client(),
            store,
        }
    }

    pub fn save(&self, name: &str, snapshot: &Snapshot) -> Result<Saved, SaveError> {
        self.client.save(task(), name.to_owned(), snapshot.clone());
        match self.answer() {
            What::Saved {
                name: saved,
                result,
            } if saved == name => result,
            other => panic!("the answer to a save is {other:?}"),
        }
    }

    pub fn load(&self, name: &str) -> Result<Snapshot, LoadError> {
        self.client.load(task(), name.to_owned());
        match self.answer() {
            What::Loaded {
                name: loaded,
                result,
            } if loaded == name => result,
            other => panic!("the answer to a load is {other:?}"),
        }
    }

    pub fn list(&self) -> Result<Vec<String>, String> {
        self.client.list(task());
        match self.answer() {
            What::Listed(names) => names,
            other => panic!("the answer to a list is {other:?}"),
        }
    }

    /// The next answer, which is about our task.
    pub fn answer(&self) -> What {
        let answer = self.client.answers().recv_timeout(PATIENCE);
        let Answer { folder, what } = answer.expect("every order has an answer");
        assert_eq!(folder, task());
        what
    }
}
