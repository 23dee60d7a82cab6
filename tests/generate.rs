//! `kept generate` as a process: it writes what differs, says so, and `--check` only looks.
#![allow(clippy::disallowed_methods, reason = "the test is about files")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn generate(what: &str, out: &Path, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kept"));
    command.args(["generate", what, "--out"]).arg(out);
    let done = command.args(more).output();
    done.expect("kept can be started")
}

fn said(done: &Output) -> String {
    let said = [&done.stdout[..], &done.stderr[..]].concat();
    String::from_utf8_lossy(&said).into_owned()
}

/// A folder of one test's own, gone at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let folder = format!("kept-generate-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(folder);
        fs::create_dir_all(&path).expect("the temporary folder is writable");
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn only_files_that_differ_are_written() {
    let folder = Folder::new("written");
    let first = generate("rules", &folder.0, &[]);
    assert!(first.status.success(), "{}", said(&first));
    assert!(
        said(&first).contains("prometheus/rules.yml"),
        "{}",
        said(&first)
    );
    let again = generate("rules", &folder.0, &[]);
    assert!(!said(&again).contains("wrote"), "{}", said(&again));

    let rules = folder.0.join("prometheus/rules.yml");
    let text = fs::read_to_string(&rules).expect("it was written");
    fs::write(&rules, "changed").expect("the folder is writable");
    let third = generate("rules", &folder.0, &[]);
    let wrote = said(&third)
        .lines()
        .filter(|line| line.starts_with("wrote"))
        .count();
    assert_eq!(wrote, 1, "{}", said(&third));
    assert_eq!(fs::read_to_string(&rules).ok(), Some(text));
}

#[test]
fn a_check_writes_nothing_and_fails_when_a_file_is_stale() {
    let folder = Folder::new("checked");
    let missing = generate("reference", &folder.0, &["--check"]);
    assert_eq!(missing.status.code(), Some(1), "{}", said(&missing));
    assert!(said(&missing).contains("stale: "), "{}", said(&missing));
    assert!(!folder.0.join("reference.md").exists());
    assert!(generate("reference", &folder.0, &[]).status.success());
    let current = generate("reference", &folder.0, &["--check"]);
    assert_eq!(current.status.code(), Some(0), "{}", said(&current));
}

#[test]
fn what_is_made_no_more_is_removed_and_what_is_somebody_s_is_left() {
    let folder = Folder::new("left");
    let own = [
        "prometheus/tests/mine.yml",
        "grafana/dashboards/kept-mine.json",
        "runbooks/Mine.md",
    ];
    // What people make of ours: the marks are in them.
    let copied = [
        (
            "prometheus/tests/kpi-fulfilment.yml",
            "prometheus/tests/kpi-fulfilment-ours.yml",
        ),
        (
            "grafana/dashboards/kept-promise.json",
            "grafana/dashboards/promise-ours.json",
        ),
        (
            "runbooks/PromiseStalled.md",
            "runbooks/PromiseStalled-ours.md",
        ),
    ];
    let gone = [
        ("rules", "prometheus/tests/kpi-fulfilment.yml"),
        ("dashboards", "grafana/dashboards/kept-promise.json"),
        ("reference", "runbooks/PromiseStalled.md"),
    ];
    for (what, _) in gone {
        let done = generate(what, &folder.0, &[]);
        assert!(done.status.success(), "{}", said(&done));
    }
    for path in own {
        fs::write(folder.0.join(path), "{ \"uid\": \"kept-mine\" }").expect("it is writable");
    }
    for (ours, copy) in copied {
        fs::copy(folder.0.join(ours), folder.0.join(copy)).expect("it is writable");
    }
    let config = folder.0.join("kept.toml");
    let text = "[kafka]\nbrokers = \"one:9092\"\ntopic = [{ name = \"events\" }]\n\
                [catalogue]\npacks = [\"cart\"]\n";
    fs::write(&config, text).expect("the folder is writable");
    let config = config.display().to_string();
    for (what, path) in gone {
        let checked = generate(what, &folder.0, &["--config", &config, "--check"]);
        assert_eq!(checked.status.code(), Some(1), "{}", said(&checked));
        let line = format!("{path}, which is made no more");
        assert!(said(&checked).contains(&line), "{}", said(&checked));
        assert!(folder.0.join(path).exists(), "a check removes nothing");
        let done = generate(what, &folder.0, &["--config", &config]);
        assert!(done.status.success(), "{}", said(&done));
        assert!(said(&done).contains(&line), "{}", said(&done));
        assert!(!folder.0.join(path).exists(), "{path}");
        let again = generate(what, &folder.0, &["--config", &config, "--check"]);
        assert!(again.status.success(), "{}", said(&again));
    }
    for path in own.into_iter().chain(copied.map(|(_, copy)| copy)) {
        assert!(folder.0.join(path).exists(), "{path} is not ours");
    }
}

#[test]
fn a_dashboard_that_does_not_say_where_it_is_from_is_left() {
    let folder = Folder::new("unmarked");
    let done = generate("dashboards", &folder.0, &[]);
    assert!(done.status.success(), "{}", said(&done));
    let path = folder.0.join("grafana/dashboards/kept-promise.json");
    let text = fs::read_to_string(&path).expect("it was written");
    let own = text.replace(
        "Made by `kept generate dashboards`",
        "Changed by us, not by it",
    );
    assert_ne!(own, text);
    fs::write(&path, &own).expect("the folder is writable");
    let config = folder.0.join("kept.toml");
    let text = "[kafka]\nbrokers = \"one:9092\"\ntopic = [{ name = \"events\" }]\n\
                [catalogue]\npacks = [\"cart\"]\n";
    fs::write(&config, text).expect("the folder is writable");
    let config = config.display().to_string();
    let done = generate("dashboards", &folder.0, &["--config", &config]);
    assert!(done.status.success(), "{}", said(&done));
    assert_eq!(fs::read_to_string(&path).ok(), Some(own));
}

#[test]
fn what_is_checked_in_is_what_the_command_writes() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (what, folder) in [
        ("rules", "deploy"),
        ("dashboards", "deploy"),
        ("reference", "docs"),
    ] {
        let done = generate(what, &root.join(folder), &["--check"]);
        assert!(done.status.success(), "{}", said(&done));
    }
}

#[test]
fn a_configuration_of_one_s_own_is_read_and_its_problems_are_told() {
    let folder = Folder::new("configured");
    let config = folder.0.join("kept.toml");
    let kafka = "[kafka]\nbrokers = \"one:9092\"\ntopic = [{ name = \"events\" }]\n";
    let text = format!("{kafka}[catalogue]\nnamespace = \"store\"\npacks = [\"promise\"]\n");
    fs::write(&config, &text).expect("the folder is writable");
    let path = config.display().to_string();
    let done = generate("rules", &folder.0, &["--config", &path]);
    assert!(done.status.success(), "{}", said(&done));
    let rules = fs::read_to_string(folder.0.join("prometheus/rules.yml")).expect("it is written");
    assert!(rules.contains("job:store_fulfilment_completed:increase5m"));
    assert!(!rules.contains("shop_"), "{rules}");

    fs::write(
        &config,
        text.replace("[catalogue]", "[generate]\njobs = \"x\"\n[catalogue]"),
    )
    .expect("the folder is writable");
    let refused = generate("rules", &folder.0, &["--config", &path]);
    assert_eq!(refused.status.code(), Some(1));
    let said = said(&refused);
    assert!(
        said.contains("kept.toml:5:1: unknown key \"jobs\""),
        "{said}"
    );
}
