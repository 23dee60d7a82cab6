//! A worker's door to the store: orders return at once, answers come through a channel.
//!
//! Every order has exactly one answer. A task has at most one save under way; another one is
//! refused, so that a slow store makes nothing pile up.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::{Arc, Mutex};

use crossbeam_channel::{Receiver, Sender, unbounded};
use engine::snapshot::{SectionRef, Snapshot};
use pipeline::port::{LoadError, SaveError};

use crate::folder::TaskFolder;
use crate::store::{Inner, Store};

/// What came of an order.
#[derive(Debug)]
pub struct Answer {
    /// Which task it was about.
    pub folder: TaskFolder,
    /// The order, and what came of it.
    pub what: What,
}

/// See `Answer`.
#[derive(Debug)]
pub enum What {
    /// To `list`: the names of all snapshots of the task, or why the store doesn't say.
    Listed(Result<Vec<String>, String>),
    /// To `load`.
    Loaded {
        /// Which snapshot.
        name: String,
        /// All of it.
        result: Result<Snapshot, LoadError>,
    },
    /// To `save`.
    Saved {
        /// Which snapshot.
        name: String,
        /// What was written.
        result: Result<Saved, SaveError>,
    },
}

/// A snapshot that is in the store now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Saved {
    /// How many bytes were written, compressed; what was there already is not in it.
    pub bytes: u64,
    /// Every section that the snapshot refers to: they need not be handed over again.
    pub sections: Vec<SectionRef>,
}

/// One worker's door. What it was asked goes on in the background, also when the door is dropped.
pub struct Client {
    store: Arc<Store>,
    sender: Sender<Answer>,
    answers: Receiver<Answer>,
    saving: Arc<Mutex<BTreeSet<TaskFolder>>>,
}

impl Client {
    pub(crate) fn new(store: Arc<Store>) -> Client {
        let (sender, answers) = unbounded();
        Client {
            store,
            sender,
            answers,
            saving: Arc::default(),
        }
    }

    /// Where the answers come.
    pub fn answers(&self) -> &Receiver<Answer> {
        &self.answers
    }

    /// Asks for the names of the task's snapshots.
    pub fn list(&self, folder: TaskFolder) {
        let inner = self.inner();
        let asked = folder.clone();
        let work = async move { inner.names(&asked).await };
        self.answer(folder, work, |result| {
            What::Listed(result.unwrap_or_else(Err))
        });
    }

    /// Asks for all of a snapshot.
    pub fn load(&self, folder: TaskFolder, name: String) {
        let inner = self.inner();
        let (asked, wanted) = (folder.clone(), name.clone());
        let work = async move { inner.load(&asked, &wanted).await };
        self.answer(folder, work, |result| What::Loaded {
            name,
            result: result.unwrap_or_else(|reason| Err(LoadError::Unavailable(reason))),
        });
    }

    /// Saves a snapshot: sections, then the head, then what is too old is cleared away.
    pub fn save(&self, folder: TaskFolder, name: String, snapshot: Snapshot) {
        if !lock(&self.saving).insert(folder.clone()) {
            let message = "a save of the same task is still under way".to_owned();
            let result = Err(SaveError::Unavailable(message));
            let what = What::Saved { name, result };
            // The door itself holds the other end.
            let _ = self.sender.send(Answer { folder, what });
            return;
        }
        let inner = self.inner();
        let (asked, given) = (folder.clone(), name.clone());
        let work = async move { inner.save(&asked, &given, snapshot).await };
        let (saving, done) = (Arc::clone(&self.saving), folder.clone());
        self.answer(folder, work, move |result| {
            lock(&saving).remove(&done);
            What::Saved {
                name,
                result: result.unwrap_or_else(|reason| Err(SaveError::Unavailable(reason))),
            }
        });
    }

    fn inner(&self) -> Arc<Inner> {
        self.store.inner()
    }

    /// Runs `work` in the background and sends what `what` makes of its result; a panic of it is
    /// an answer too, or the worker would wait for ever.
    fn answer<T: Send + 'static>(
        &self,
        folder: TaskFolder,
        work: impl Future<Output = T> + Send + 'static,
        what: impl FnOnce(Result<T, String>) -> What + Send + 'static,
    ) {
        let sender = self.sender.clone();
        let runtime = self.store.runtime();
        let work = runtime.spawn(work);
        runtime.spawn(async move {
            let result = work.await.map_err(|error| error.to_string());
            // A worker that is gone wants no answer.
            let _ = sender.send(Answer {
                folder,
                what: what(result),
            });
        });
    }
}

fn lock(saving: &Mutex<BTreeSet<TaskFolder>>) -> std::sync::MutexGuard<'_, BTreeSet<TaskFolder>> {
    saving.lock().expect("nothing panics while it holds this")
}
