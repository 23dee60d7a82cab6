//! The store of one consumer group: its depot, its rules, and the runtime that its requests run on.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use catalogue::settings::State;
use engine::snapshot::Snapshot;
use pipeline::name::{EarlierName, SnapshotName};
use pipeline::port::{LoadError, SaveError};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::Semaphore;

use crate::address;
use crate::client::{Client, Saved};
use crate::depot::Depot;
use crate::folder::{TaskFolder, encoded};
use crate::inspect::{self, Listing};
use crate::retention::Retention;
use crate::{load, save, trial};

/// Snapshots that are loaded, or saved, at the same time: each is in memory as a whole.
const AT_ONCE: usize = 4;
/// How long work that is still under way holds up the end of the process.
const END_WITHIN: Duration = Duration::from_secs(1);

/// Snapshots of one consumer group. Its requests run on two threads of its own.
pub struct Store {
    /// `None` only while it is dropped.
    runtime: Option<Runtime>,
    inner: Arc<Inner>,
    location: String,
}

/// What runs on the runtime.
pub(crate) struct Inner {
    depot: Depot,
    /// The folder that the URL names, if it is one on this machine.
    folder: Option<PathBuf>,
    retention: Retention,
    loads: Semaphore,
    saves: Semaphore,
}

impl Store {
    /// Opens the store that the settings name. Connects to nothing and writes nothing: errors are
    /// about the settings, a store that is down shows when it is used.
    pub fn open(settings: &State, kafka_group: &str) -> Result<Arc<Store>, String> {
        let address = address::open(&settings.url, &settings.options)?;
        let group = encoded(kafka_group);
        let depot = Depot::new(&address, &group);
        let runtime = Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("store")
            .enable_all()
            .build()
            .map_err(|error| format!("can't start threads for the state store: {error}"))?;
        Ok(Arc::new(Store {
            runtime: Some(runtime),
            inner: Arc::new(Inner {
                retention: Retention::new(settings.keep),
                depot,
                folder: address.disk,
                loads: Semaphore::new(AT_ONCE),
                saves: Semaphore::new(AT_ONCE),
            }),
            location: format!("{}/{group}", settings.url.trim_end_matches('/')),
        }))
    }

    /// Makes the folder of a `file://` URL if it isn't there: better an error now than none of the
    /// snapshots later. Other stores are only tried when they are used.
    pub fn make_folder(&self) -> Result<(), String> {
        let Some(folder) = &self.inner.folder else {
            return Ok(());
        };
        let made = std::fs::create_dir_all(folder);
        made.map_err(|error| {
            format!(
                "{} can't be made: {error}; set url in [state] to a folder of its own, like \
                 \"file:///home/me/kept-state\", or to a bucket",
                folder.display()
            )
        })
    }

    /// Whether it is a folder on this machine: looking into it asks no network.
    pub fn is_folder(&self) -> bool {
        self.inner.folder.is_some()
    }

    /// Whether the folder of a `file://` URL is there and can be written to, or could be made: why
    /// not. Leaves nothing behind; other stores are not asked.
    pub fn try_folder(&self) -> Result<(), String> {
        match &self.inner.folder {
            Some(folder) => trial::folder(folder),
            None => Ok(()),
        }
    }

    /// Whether snapshots could be listed, written and deleted now: why not. Leaves nothing behind.
    pub fn try_all(&self) -> Result<(), String> {
        self.try_folder()?;
        match &self.inner.folder {
            Some(_) => Ok(()),
            None => self.runtime().block_on(trial::bucket(&self.inner.depot)),
        }
    }

    /// A door for one worker.
    pub fn client(self: &Arc<Store>) -> Client {
        Client::new(Arc::clone(self))
    }

    /// The group's folder, for messages.
    pub fn location(&self) -> &str {
        &self.location
    }

    /// The tasks that have a folder, in order. Waits for the answer, like all that follow.
    pub fn tasks(&self) -> Result<Vec<TaskFolder>, String> {
        self.runtime().block_on(inspect::tasks(&self.inner.depot))
    }

    /// What a task's folder holds.
    pub fn listing(&self, folder: &TaskFolder) -> Result<Listing, String> {
        self.runtime()
            .block_on(inspect::listing(&self.inner.depot, folder))
    }

    /// A snapshot's head, decompressed; nobody looked at it yet.
    pub fn head(&self, folder: &TaskFolder, name: &str) -> Result<Vec<u8>, LoadError> {
        self.runtime()
            .block_on(load::load_head(&self.inner.depot, folder, name))
    }

    /// All of a snapshot.
    pub fn load(&self, folder: &TaskFolder, name: &str) -> Result<Snapshot, LoadError> {
        self.runtime().block_on(self.inner.load(folder, name))
    }

    /// Deletes everything of the group and says how many objects that were.
    pub fn clear(&self) -> Result<u64, String> {
        self.runtime().block_on(inspect::clear(&self.inner.depot))
    }

    pub(crate) fn runtime(&self) -> &Handle {
        let runtime = self.runtime.as_ref();
        runtime.expect("only a drop takes it").handle()
    }

    pub(crate) fn inner(&self) -> Arc<Inner> {
        Arc::clone(&self.inner)
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(END_WITHIN);
        }
    }
}

impl Inner {
    pub async fn names(&self, folder: &TaskFolder) -> Result<Vec<String>, String> {
        let heads = inspect::heads(&self.depot, folder).await?;
        let own = heads.into_iter().map(|head| head.name);
        Ok(own.chain(self.earlier_names(folder).await?).collect())
    }

    /// Those of tasks that had some of its topics, and others, as `pipeline::name` says them.
    async fn earlier_names(&self, folder: &TaskFolder) -> Result<Vec<String>, String> {
        let mut names = Vec::new();
        for earlier in inspect::related(&self.depot, folder).await? {
            let heads = inspect::heads(&self.depot, &earlier).await?;
            let own = heads.iter().filter_map(|it| SnapshotName::parse(&it.name));
            let topics = &earlier.topics;
            names.extend(own.map(|name| {
                let topics = topics.clone();
                EarlierName { topics, name }.to_string()
            }));
        }
        Ok(names)
    }

    pub async fn load(&self, folder: &TaskFolder, name: &str) -> Result<Snapshot, LoadError> {
        let _slot = self.loads.acquire().await.expect("it is never closed");
        match folder.of_earlier(name) {
            Some((earlier, name)) => load::load(&self.depot, &earlier, &name.to_string()).await,
            None => load::load(&self.depot, folder, name).await,
        }
    }

    /// Answers when old ones are cleared away too, so that two of these never overlap in a task.
    pub async fn save(
        &self,
        folder: &TaskFolder,
        name: &str,
        snapshot: Snapshot,
    ) -> Result<Saved, SaveError> {
        let _slot = self.saves.acquire().await.expect("it is never closed");
        let saved = save::save(&self.depot, folder, name, snapshot).await?;
        let (retention, depot) = (&self.retention, &self.depot);
        retention.tidy(depot, folder, name, &saved.sections).await;
        Ok(saved)
    }
}
