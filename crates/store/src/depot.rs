//! Objects by path: created if absent, fetched with a limit, listed, deleted.
//!
//! Every request has an end: a store that hangs is noticed in about ten seconds, and more only for
//! the bytes to be moved. Errors are sorted by what the caller can do about them.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use object_store::path::Path;
use object_store::{
    Error, GetResult, ListResult, ObjectStore, ObjectStoreExt as _, PutMode, PutPayload,
};
use tokio::time::timeout;

use crate::address::Address;
use crate::folder::TaskFolder;

/// How long a request may take before its bytes count.
const PATIENCE: Duration = Duration::from_secs(10);
/// What a connection must carry per second at least.
const SLOWEST_BYTES_PER_SECOND: u64 = 1 << 20;

/// An object store, and the folder of one consumer group in it.
#[derive(Clone, Debug)]
pub(crate) struct Depot {
    store: Arc<dyn ObjectStore>,
    base: String,
    is_on_disk: bool,
}

/// Why an object could not be fetched.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum FetchError {
    /// The store says that it isn't there.
    Missing,
    /// It is there, but can't be what it should be.
    Unsound(String),
    /// The store doesn't answer.
    Unavailable(String),
}

/// What came of a creation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Created {
    /// It is there now.
    Now,
    /// One of that path was there before, and still is.
    Before,
}

impl Depot {
    /// `group` as a folder's name.
    pub fn new(address: &Address, group: &str) -> Depot {
        let base = match address.base.as_str() {
            "" => group.to_owned(),
            base => format!("{base}/{group}"),
        };
        Depot {
            store: Arc::clone(&address.store),
            base,
            is_on_disk: address.disk.is_some(),
        }
    }

    /// The group's folder.
    pub fn root(&self) -> Path {
        parsed(&self.base).expect("base and group are names of folders")
    }

    /// A task's folder, or one inside it.
    pub fn folder(&self, folder: &TaskFolder, inner: &str) -> Path {
        let path = format!("{}/{}/{inner}", self.base, folder.path());
        parsed(path.trim_end_matches('/')).expect("topics and numbers are names of folders")
    }

    /// A path inside a task's folder; `None` if the name can't be one.
    pub fn path(&self, folder: &TaskFolder, name: &str) -> Option<Path> {
        parsed(&format!("{}/{}/{name}", self.base, folder.path()))
    }

    /// Writes an object that isn't there.
    pub async fn create(&self, path: &Path, bytes: Vec<u8>) -> Result<Created, String> {
        match self.put(path, bytes, PutMode::Create).await {
            Ok(()) => Ok(Created::Now),
            Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => Ok(Created::Before),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Writes an object over one that is damaged.
    pub async fn replace(&self, path: &Path, bytes: Vec<u8>) -> Result<(), String> {
        let written = self.put(path, bytes, PutMode::Overwrite).await;
        written.map_err(|error| error.to_string())
    }

    async fn put(&self, path: &Path, bytes: Vec<u8>, mode: PutMode) -> Result<(), Error> {
        let patience = patience(bytes.len() as u64);
        let put = self
            .store
            .put_opts(path, PutPayload::from(bytes), mode.into());
        match timeout(patience, put).await {
            Ok(result) => result.map(|_| ()),
            Err(_) => Err(no_answer(patience)),
        }
    }

    /// Reads an object of at most `limit` bytes.
    pub async fn fetch(&self, path: &Path, limit: u64) -> Result<Vec<u8>, FetchError> {
        let found = timeout(PATIENCE, self.store.get(path)).await;
        let found: GetResult = found.unwrap_or_else(|_| Err(no_answer(PATIENCE)))?;
        let length = found.meta.size;
        if length > limit {
            let message = format!("has {length} bytes, more than the {limit} it may");
            return Err(FetchError::Unsound(message));
        }
        let patience = patience(length);
        let bytes = timeout(patience, found.bytes()).await;
        Ok(bytes.unwrap_or_else(|_| Err(no_answer(patience)))?.into())
    }

    /// What is directly inside a folder; empty for one that isn't there.
    pub async fn list(&self, path: &Path) -> Result<ListResult, String> {
        let listed = timeout(PATIENCE, self.store.list_with_delimiter(Some(path))).await;
        let listed = listed.unwrap_or_else(|_| Err(no_answer(PATIENCE)));
        listed.map_err(|error| error.to_string())
    }

    /// Where the files of a folder are, if they are on this machine.
    pub fn on_disk(&self, path: &Path) -> Option<PathBuf> {
        self.is_on_disk.then(|| PathBuf::from(format!("/{path}")))
    }

    /// Deletes an object; one that isn't there is fine.
    pub async fn delete(&self, path: &Path) -> Result<(), String> {
        let deleted = timeout(PATIENCE, self.store.delete(path)).await;
        match deleted.unwrap_or_else(|_| Err(no_answer(PATIENCE))) {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.to_string()),
        }
    }
}

impl From<Error> for FetchError {
    fn from(error: Error) -> FetchError {
        match error {
            Error::NotFound { .. } => FetchError::Missing,
            _ => FetchError::Unavailable(error.to_string()),
        }
    }
}

/// Names are ours or the store's own, so they are taken as they are, without another encoding.
fn parsed(path: &str) -> Option<Path> {
    Path::parse(path).ok()
}

fn patience(bytes: u64) -> Duration {
    PATIENCE + Duration::from_secs(bytes / SLOWEST_BYTES_PER_SECOND)
}

fn no_answer(patience: Duration) -> Error {
    Error::Generic {
        store: "object store",
        source: format!("no answer within {} s", patience.as_secs()).into(),
    }
}
