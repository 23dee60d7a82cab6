//! What is generated for the shipped packs lies in the repository, and is not stale.
//!
//! `KEPT_UPDATE_EXPECTED=1` writes it anew, for review.
#![allow(clippy::disallowed_methods, reason = "what is checked in is files")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use catalogue::Sources;
use generate::File;

#[test]
fn rules_of_the_shipped_packs_are_not_stale() {
    let (settings, plan) = shipped();
    let files = generate::rules(&plan, &settings.generation);
    compare("deploy", &["prometheus", "alertmanager"], &files);
}

#[test]
fn the_reference_of_the_shipped_packs_is_not_stale() {
    let (settings, plan) = shipped();
    let files = generate::reference(&plan, &settings.generation);
    compare("docs", &["runbooks"], &files);
}

#[test]
fn the_dashboards_of_the_shipped_packs_are_not_stale() {
    let (settings, plan) = shipped();
    let files = generate::dashboards(&plan, &settings.generation);
    assert_eq!(files.len(), 4, "overview, promises, carts, health");
    compare("deploy", &["grafana/dashboards"], &files);
}

fn shipped() -> (catalogue::Settings, catalogue::Plan) {
    let sources = Sources {
        path: "the shipped packs",
        text: generate::SHIPPED,
        environment: &[],
        files: &[],
    };
    catalogue::read(&sources).expect("the shipped packs are good")
}

/// In one of the folders that are ours alone, and yet written by hand.
const BY_HAND: &str = "prometheus/prometheus.yml";

/// Compares with what lies below a folder of the repository; the folders in it that are ours alone
/// hold nothing else.
#[track_caller]
fn compare(below: &str, ours: &[&str], files: &[File]) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(below);
    let update = std::env::var_os("KEPT_UPDATE_EXPECTED").is_some();
    let mut stale = Vec::new();
    for file in files {
        let path = root.join(&file.path);
        if update {
            let folder = path.parent().expect("a file is in a folder");
            fs::create_dir_all(folder).expect("the repository can be written");
            fs::write(&path, &file.text).expect("the repository can be written");
        }
        if fs::read_to_string(&path).ok().as_ref() != Some(&file.text) {
            stale.push(file.path.clone());
        }
    }
    let made: BTreeSet<PathBuf> = files.iter().map(|file| root.join(&file.path)).collect();
    for folder in ours {
        for found in below_folder(&root.join(folder)) {
            if !made.contains(&found) && found != root.join(BY_HAND) {
                stale.push(format!("{} is made no more", found.display()));
            }
        }
    }
    assert!(
        stale.is_empty(),
        "stale below {below}, run KEPT_UPDATE_EXPECTED=1 cargo test -p generate:\n{}",
        stale.join("\n")
    );
}

fn below_folder(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let Ok(entries) = fs::read_dir(folder) else {
        return files;
    };
    for entry in entries {
        let path = entry.expect("the folder can be read").path();
        if path.is_dir() {
            files.extend(below_folder(&path));
        } else {
            files.push(path);
        }
    }
    files
}
