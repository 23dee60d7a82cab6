//! From a URL and options to a store. Opening connects to nothing: a store that is down shows when
//! it is used.
//!
//! Credentials come from the options, or else from where each cloud's own tools look for them
//! (environment variables, instance metadata). A key that the store doesn't know is refused, so
//! that a misspelt one doesn't end as a default.

use std::fmt::Display;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{BackoffConfig, ClientOptions, ObjectStore, RetryConfig};

/// How long connecting may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(3);
/// How long a connection may be silent.
const READ_WITHIN: Duration = Duration::from_secs(8);
/// No request is sent again after this; the worker's own pauses come after that.
const RETRY_WITHIN: Duration = Duration::from_secs(6);

/// A store, and the path inside it that the URL names, without slashes at its ends.
pub(crate) struct Address {
    pub store: Arc<dyn ObjectStore>,
    pub base: String,
    /// The folder on this machine that the URL names, if it names one.
    pub disk: Option<PathBuf>,
}

/// Opens the store of a URL. Errors name what is wrong with URL or options.
pub(crate) fn open(url: &str, options: &[(String, String)]) -> Result<Address, String> {
    let wrong = |reason: String| format!("\"{url}\" in [state]: {reason}");
    let (scheme, rest) = url
        .split_once("://")
        .ok_or_else(|| wrong("not a URL".to_owned()))?;
    let in_bucket = rest.split_once('/').map_or("", |(_, path)| path);
    let (store, path): (Arc<dyn ObjectStore>, &str) = match scheme {
        "file" => (Arc::new(folder(options).map_err(wrong)?), rest),
        "memory" => (Arc::new(memory(options).map_err(wrong)?), rest),
        "s3" | "s3a" => (Arc::new(amazon(url, options).map_err(wrong)?), in_bucket),
        "gs" => (Arc::new(google(url, options).map_err(wrong)?), in_bucket),
        "az" | "abfs" | "abfss" => (Arc::new(azure(url, options).map_err(wrong)?), in_bucket),
        _ => return Err(wrong(format!("there is no store for \"{scheme}://\""))),
    };
    let path = Path::from_url_path(path).map_err(|error| wrong(error.to_string()))?;
    let base = path.to_string();
    Ok(Address {
        disk: (scheme == "file").then(|| PathBuf::from(format!("/{base}"))),
        store,
        base,
    })
}

/// Written files and their folders are forced to the disk: a snapshot that was said to be saved is
/// there after a power failure.
fn folder(options: &[(String, String)]) -> Result<LocalFileSystem, String> {
    no_options(options)?;
    Ok(LocalFileSystem::new().with_fsync(true))
}

fn memory(options: &[(String, String)]) -> Result<InMemory, String> {
    no_options(options)?;
    Ok(InMemory::new())
}

fn no_options(options: &[(String, String)]) -> Result<(), String> {
    match options.first() {
        Some((key, _)) => Err(format!("\"{key}\" in [state.options]: it takes none")),
        None => Ok(()),
    }
}

fn amazon(url: &str, options: &[(String, String)]) -> Result<impl ObjectStore, String> {
    let mut builder = AmazonS3Builder::from_env()
        .with_client_options(client())
        .with_retry(retry())
        .with_url(url);
    for (key, value) in options {
        builder = builder.with_config(key_of::<AmazonS3ConfigKey>(key)?, value);
    }
    builder.build().map_err(text)
}

fn google(url: &str, options: &[(String, String)]) -> Result<impl ObjectStore, String> {
    let mut builder = GoogleCloudStorageBuilder::from_env()
        .with_client_options(client())
        .with_retry(retry())
        .with_url(url);
    for (key, value) in options {
        builder = builder.with_config(key_of::<GoogleConfigKey>(key)?, value);
    }
    builder.build().map_err(text)
}

fn azure(url: &str, options: &[(String, String)]) -> Result<impl ObjectStore, String> {
    let mut builder = MicrosoftAzureBuilder::from_env()
        .with_client_options(client())
        .with_retry(retry())
        .with_url(url);
    for (key, value) in options {
        builder = builder.with_config(key_of::<AzureConfigKey>(key)?, value);
    }
    builder.build().map_err(text)
}

fn key_of<K: FromStr>(key: &str) -> Result<K, String> {
    let unknown = |_| format!("unknown key \"{key}\" in [state.options]");
    key.parse().map_err(unknown)
}

fn text(error: impl Display) -> String {
    error.to_string()
}

fn client() -> ClientOptions {
    ClientOptions::new()
        .with_connect_timeout(CONNECT_WITHIN)
        .with_read_timeout(READ_WITHIN)
        .with_timeout_disabled()
}

fn retry() -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig {
            init_backoff: Duration::from_millis(100),
            max_backoff: Duration::from_secs(2),
            base: 2.0,
        },
        max_retries: 10,
        retry_timeout: RETRY_WITHIN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(url: &str, options: &[(&str, &str)], expected: Result<&str, &str>) {
        let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        let options: Vec<(String, String)> = options.iter().map(owned).collect();
        let base = open(url, &options).map(|address| address.base);
        let expected = expected.map(str::to_owned).map_err(str::to_owned);
        assert_eq!(base, expected, "{url}");
    }

    #[test]
    fn every_kind_of_store_opens_without_connecting() {
        check("file:///var/lib/kept", &[], Ok("var/lib/kept"));
        check(
            "file:///var/lib/with%20space/",
            &[],
            Ok("var/lib/with space"),
        );
        check("memory:///", &[], Ok(""));
        let region = ("aws_region", "eu-west-1");
        check("s3://bucket/deep/kept", &[region], Ok("deep/kept"));
        check("s3://bucket", &[region], Ok(""));
        let account = ("azure_storage_account_name", "shop");
        check("az://container/kept", &[account], Ok("kept"));
    }

    #[test]
    fn what_a_store_does_not_know_is_refused() {
        let wrong = "\"s3://b/k\" in [state]: unknown key \"aws_regoin\" in [state.options]";
        check("s3://b/k", &[("aws_regoin", "eu")], Err(wrong));
        let wrong = "\"file:///k\" in [state]: \"fsync\" in [state.options]: it takes none";
        check("file:///k", &[("fsync", "false")], Err(wrong));
        let wrong = "\"ftp://k\" in [state]: there is no store for \"ftp://\"";
        check("ftp://k", &[], Err(wrong));
    }
}
