//! Where `tests/install` puts what no Debian package has.

use std::path::PathBuf;

/// A file or folder below the tools' folder. One that is not there fails the test.
#[track_caller]
pub fn installed(path: &str) -> PathBuf {
    let tools = std::env::var_os("KEPT_TOOLS")
        .map(PathBuf::from)
        .or_else(|| {
            let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
            let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
            Some(cache.or_else(home)?.join("kept-tools"))
        });
    let found = tools.map(|tools| tools.join(path));
    found
        .filter(|found| found.exists())
        .unwrap_or_else(|| panic!("{path} is not installed: run `tests/install all`"))
}
