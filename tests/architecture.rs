//! The arrows of ARCHITECTURE.md, checked against `cargo metadata` and the sources.
//!
//! A crate may use only the crates that stand in its row. The pure crates may besides depend on
//! nothing that brings in a clock, a thread, a file or a socket, not even indirectly.
#![allow(
    clippy::disallowed_methods,
    reason = "the sources are files, cargo is a process"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// Which of our crates each of them may use.
const ARROWS: [(&str, &[&str]); 11] = [
    ("events", &[]),
    ("catalogue", &["events"]),
    ("engine", &["events", "catalogue"]),
    ("pipeline", &["events", "catalogue", "engine"]),
    ("exposition", &["events", "catalogue", "engine"]),
    ("generate", &["events", "catalogue"]),
    ("simulator", &["events", "catalogue", "engine", "pipeline"]),
    ("kafka", &["events", "catalogue", "engine", "pipeline"]),
    ("store", &["events", "catalogue", "engine", "pipeline"]),
    ("server", &["events", "catalogue", "engine", "exposition"]),
    ("support", &[]),
];

const PURE: [&str; 7] = [
    "events",
    "catalogue",
    "engine",
    "pipeline",
    "exposition",
    "generate",
    "simulator",
];

/// What no pure crate may reach. (`prometheus`, whose registry's families the exposition renders,
/// brings in files of /proc: it is allowed there and nowhere else.)
const FORBIDDEN: [&str; 12] = [
    "tokio",
    "rdkafka",
    "axum",
    "hyper",
    "mio",
    "socket2",
    "crossbeam-channel",
    "rayon",
    "rand",
    "getrandom",
    "tracing",
    "tracing-subscriber",
];

#[test]
fn crates_use_only_what_their_row_allows() {
    let graph = Graph::read();
    for (name, _) in ARROWS {
        assert!(
            graph.ours.contains(name),
            "{name} is in the table but not in the workspace"
        );
    }
    let mut problems = Vec::new();
    for name in graph.ours.iter().filter(|name| *name != "kept") {
        let row = ARROWS.iter().find(|row| row.0 == name);
        let Some((_, allowed)) = row else {
            problems.push(format!("{name} has no row in the table"));
            continue;
        };
        for used in graph.normal[name].intersection(&graph.ours) {
            if !allowed.contains(&used.as_str()) {
                problems.push(format!("{name} uses {used}"));
            }
        }
    }
    assert!(problems.is_empty(), "{problems:#?}");
}

#[test]
fn pure_crates_reach_no_clock_thread_file_or_socket() {
    let graph = Graph::read();
    for name in PURE {
        let reached = graph.reachable(name);
        let found: Vec<&str> = FORBIDDEN
            .into_iter()
            .filter(|crate_| reached.contains(*crate_))
            .collect();
        assert!(found.is_empty(), "{name} reaches {found:?}");
        if name != "exposition" {
            assert!(!reached.contains("prometheus"), "{name} reaches prometheus");
        }
    }
    assert!(
        graph.reachable("kafka").contains("rdkafka"),
        "the graph is read"
    );
}

#[test]
fn pure_crates_do_not_lift_the_ban_on_clocks() {
    for name in PURE {
        for (file, text) in sources(&Path::new("crates").join(name).join("src")) {
            assert!(
                !text.contains("disallowed_methods"),
                "{file} lifts clippy.toml's ban"
            );
            assert!(
                !text.contains("unsafe_code"),
                "{file} lifts the ban on unsafe code"
            );
        }
    }
}

#[test]
fn unsafe_code_is_in_few_files() {
    let mut found = Vec::new();
    for folder in ["src", "crates", "tests/support"] {
        let files = sources(Path::new(folder));
        let lifting = files
            .iter()
            .filter(|file| file.1.contains("allow(unsafe_code)"));
        found.extend(lifting.map(|file| file.0.clone()));
    }
    found.sort();
    let allowed = [
        "engine/tests/allocation.rs",
        "kafka/src/batch.rs",
        "kafka/src/commit_queue.rs",
        "kafka/src/metadata.rs",
        "kafka/src/topic_ids.rs",
        "kafka/tests/broker/commits.rs",
    ];
    let allowed = allowed.map(|file| format!("crates/{file}"));
    assert_eq!(found, allowed);
}

/// Who depends on whom, by package name, without dev dependencies.
struct Graph {
    ours: BTreeSet<String>,
    normal: BTreeMap<String, BTreeSet<String>>,
}

impl Graph {
    /// Not `--offline`: a fresh machine has built for its own platform only, and the graph names the
    /// crates of every platform.
    fn read() -> Graph {
        let output = Command::new(env!("CARGO"))
            .args(["metadata", "--format-version", "1", "--locked"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .expect("cargo can be started");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let metadata: Value = serde_json::from_slice(&output.stdout).expect("metadata is JSON");
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let list = |value: &Value| value.as_array().expect("a list").clone();
        let packages = list(&metadata["packages"]);
        let name_of: BTreeMap<String, String> = packages
            .iter()
            .map(|package| (text(&package["id"]), text(&package["name"])))
            .collect();
        let members = list(&metadata["workspace_members"]);
        let ours = members
            .iter()
            .map(|id| name_of[&text(id)].clone())
            .collect();
        let mut normal: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for node in list(&metadata["resolve"]["nodes"]) {
            let users = normal
                .entry(name_of[&text(&node["id"])].clone())
                .or_default();
            for used in list(&node["deps"]) {
                let kinds = list(&used["dep_kinds"]);
                if kinds.iter().any(|kind| kind["kind"].is_null()) {
                    users.insert(name_of[&text(&used["pkg"])].clone());
                }
            }
        }
        Graph { ours, normal }
    }

    fn reachable(&self, from: &str) -> BTreeSet<String> {
        let mut reached = BTreeSet::new();
        let mut waiting = vec![from.to_owned()];
        while let Some(name) = waiting.pop() {
            for used in self.normal.get(&name).into_iter().flatten() {
                if reached.insert(used.clone()) {
                    waiting.push(used.clone());
                }
            }
        }
        reached
    }
}

/// Every Rust file below a folder of the repository, with its text, in order.
fn sources(folder: &Path) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for entry in fs::read_dir(root.join(folder)).expect("the folder exists") {
        let entry = entry.expect("the folder can be read");
        let path = folder.join(entry.file_name());
        if entry.file_type().expect("it has a type").is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(root.join(&path)).expect("a Rust file is text");
            files.push((path.display().to_string(), text));
        }
    }
    files.sort();
    files
}
