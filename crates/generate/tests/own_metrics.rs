//! The list of Kept's own metrics is the one that the sources register.
#![allow(clippy::disallowed_methods, reason = "the sources are files")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use catalogue::metrics::kept::OWN_FAMILIES;

#[test]
fn every_registered_metric_is_listed_and_the_other_way_round() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut registered = BTreeSet::new();
    for folder in ["exposition", "kafka", "server", "pipeline", "store"] {
        collect(
            &root.join("crates").join(folder).join("src"),
            &mut registered,
        );
    }
    collect(&root.join("src"), &mut registered);
    let listed: BTreeSet<String> = OWN_FAMILIES
        .iter()
        .map(|family| family.name.to_owned())
        .collect();
    assert_eq!(listed.len(), OWN_FAMILIES.len(), "a name is listed twice");
    let unlisted: Vec<&String> = registered.difference(&listed).collect();
    let unregistered: Vec<&String> = listed.difference(&registered).collect();
    assert!(
        unlisted.is_empty() && unregistered.is_empty(),
        "not listed {unlisted:?}, not registered {unregistered:?}"
    );
}

/// The text literals that are a metric's name: headers of dead letters begin with `kept_` too.
const HEADERS: [&str; 5] = [
    "kept_reason",
    "kept_topic",
    "kept_partition",
    "kept_offset",
    "kept_timestamp",
];

fn collect(folder: &Path, found: &mut BTreeSet<String>) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries {
        let path = entry.expect("the folder can be read").path();
        if path.is_dir() {
            collect(&path, found);
            continue;
        }
        let text = fs::read_to_string(&path).expect("a Rust file is text");
        // What follows the tests' beginning is no registration.
        let text = text.split("#[cfg(test)]").next().unwrap_or_default();
        for literal in text.split('"').skip(1).step_by(2) {
            let named = literal.starts_with("kept_")
                && literal.chars().all(|c| c.is_ascii_lowercase() || c == '_');
            if named && !HEADERS.contains(&literal) {
                found.insert(literal.to_owned());
            }
        }
    }
}
