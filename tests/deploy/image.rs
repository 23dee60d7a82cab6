//! The image: hadolint's rules, what it copies, who it runs as.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use support::Folder;

use crate::tools::{Broken, KEPT, copy, read, root, run, tool};

const FILE: &str = "deploy/docker/Dockerfile";

fn hadolint(file: &Path) -> Result<String, String> {
    run(tool("python/bin/hadolint").arg(file))
}

#[test]
fn hadolint_accepts_the_dockerfile() {
    if let Err(said) = hadolint(&root().join(FILE)) {
        panic!("{said}");
    }
}

#[test]
fn hadolint_refuses_a_broken_copy() {
    for (from, to, rule) in [
        ("FROM debian:bookworm-slim", "FROM debian", "DL3006"),
        ("WORKDIR /src", "WORKDIR src", "DL3000"),
        ("--no-install-recommends ", "", "DL3015"),
        (
            "CMD [\"run\", \"--config\", \"/etc/kept/kept.toml\"]",
            "CMD run",
            "DL3025",
        ),
    ] {
        let broken = Broken::new(FILE, "", from, to);
        let said = hadolint(&broken.path).expect_err("a broken copy");
        assert!(said.contains(rule), "{rule}: {said}");
    }
}

/// The words after each instruction of that name.
fn instructions<'a>(text: &'a str, name: &str) -> Vec<Vec<&'a str>> {
    let lines = text.lines().filter_map(|line| line.strip_prefix(name));
    lines
        .filter(|rest| rest.starts_with(' '))
        .map(|rest| rest.split_whitespace().collect())
        .collect()
}

/// The files and folders of the repository that are copied into the builder.
fn copied(text: &str) -> Vec<&str> {
    let all = instructions(text, "COPY");
    let of_repository = all.iter().filter(|words| !words[0].starts_with("--from="));
    of_repository
        .flat_map(|words| &words[..words.len() - 1])
        .copied()
        .collect()
}

/// What the compiler read of the repository to make `kept` and its crates, by its own notes beside
/// what it made. Notes of older builds may be there too; what they name and is gone doesn't count.
fn compiled() -> BTreeSet<String> {
    let made = Path::new(KEPT).parent().expect("it is in a folder");
    let notes = fs::read_dir(made.join("deps")).expect("the crates are there");
    let notes = notes.map(|entry| entry.expect("it can be read").path());
    let notes = notes.filter(|path| path.extension().is_some_and(|suffix| suffix == "d"));
    let mut sources = BTreeSet::new();
    for path in notes {
        let text = fs::read_to_string(path).expect("it is text");
        let Some((_, files)) = text.lines().next().and_then(|line| line.split_once(": ")) else {
            continue;
        };
        let files: Vec<&str> = files.split_whitespace().collect();
        if files.first().is_some_and(|first| is_of_kept(first)) {
            sources.extend(files.into_iter().map(str::to_owned));
        }
    }
    sources.retain(|file| root().join(file).exists());
    sources
}

/// The source with which a crate of ours begins: relative, as cargo names those of a workspace.
fn is_of_kept(first: &str) -> bool {
    first == "src/main.rs" || first.starts_with("crates/") && first.ends_with("/src/lib.rs")
}

/// What is compiled and not below one of these.
fn missing(below: &[&str]) -> Vec<String> {
    let covered = |file: &String| below.iter().any(|top| Path::new(file).starts_with(top));
    compiled()
        .into_iter()
        .filter(|file| !covered(file))
        .collect()
}

#[test]
fn every_source_that_is_compiled_is_copied_into_the_builder() {
    let sources = compiled();
    assert!(sources.len() > 100, "too few sources: {sources:?}");
    let text = read(FILE);
    assert_eq!(missing(&copied(&text)), [""; 0]);
    // The same by a Dockerfile that forgets the crates.
    let forgetful = text.replace("COPY crates crates\n", "");
    assert!(!missing(&copied(&forgetful)).is_empty());
}

#[test]
fn what_is_copied_exists_and_is_sent_to_the_builder() {
    let ignored = read(".dockerignore");
    let lines: Vec<&str> = ignored.lines().collect();
    assert!(
        lines.contains(&"*"),
        "everything is left out but what is named"
    );
    let sent = |path: &str| {
        let top = path.split('/').next().expect("a path has a part");
        lines.contains(&format!("!{top}").as_str())
            && (!lines.contains(&format!("{top}/*").as_str())
                || lines.contains(&format!("!{path}").as_str()))
    };
    for path in copied(&read(FILE)) {
        assert!(root().join(path).exists(), "{path} is not there");
        assert!(sent(path), "{path} is not sent to the builder");
    }
    for path in ["target", "deploy", "tests/faults", ".git"] {
        assert!(!sent(path), "{path} is sent to the builder");
    }
}

/// Manifests name members, tests and benches: cargo must find all of it where only this is copied.
#[test]
fn the_workspace_can_be_loaded_from_what_is_copied() {
    let loads = |leave_out: &str| {
        let folder = Folder::new("context");
        for path in copied(&read(FILE))
            .into_iter()
            .filter(|path| *path != leave_out)
        {
            let to = folder.path().join(path);
            fs::create_dir_all(to.parent().expect("below the folder")).expect("it is writable");
            copy(&root().join(path), &to);
        }
        let cargo = std::env::var("CARGO").expect("cargo runs the tests");
        let mut command = Command::new(cargo);
        command.args(["metadata", "--locked", "--offline", "--format-version=1"]);
        run(command.current_dir(folder.path()))
    };
    if let Err(said) = loads("") {
        panic!("{said}");
    }
    let said = loads("tests/support").expect_err("a member is missing");
    assert!(said.contains("tests/support"), "{said}");
}

#[test]
fn it_runs_as_a_number_that_is_not_root() {
    let user = user(&read(FILE));
    assert!(user.0 > 0 && user.1 > 0, "{user:?}");
}

/// The last `USER`, as numbers of user and group.
pub fn user(text: &str) -> (u64, u64) {
    let all = instructions(text, "USER");
    let last = all.last().expect("there is a USER")[0];
    let (user, group) = last.split_once(':').expect("user and group");
    let number = |text: &str| text.parse().expect("a number, for Kubernetes to see");
    (number(user), number(group))
}

/// What the image runs when it is told nothing: `kept` and these.
pub fn default_arguments() -> Vec<String> {
    let text = read(FILE);
    let line = text.lines().find_map(|line| line.strip_prefix("CMD "));
    serde_json::from_str(line.expect("there is a CMD")).expect("in the form of a list")
}

#[test]
fn the_revision_reaches_the_compiler() {
    let text = read(FILE);
    let build = text.find("cargo build").expect("it builds");
    let revision = text.find("ENV KEPT_REVISION=${KEPT_REVISION}");
    assert!(revision.is_some_and(|at| at < build), "{text}");
    assert_eq!(instructions(&text, "ARG"), [["KEPT_REVISION=unknown"]]);
}
