//! The tools of Prometheus and Alertmanager accept what is generated, its unit tests pass, and
//! every alert reaches its owner. What they say is part of the failure.
#![allow(
    clippy::disallowed_methods,
    reason = "the tools are processes that read files"
)]

use std::path::{Path, PathBuf};
use std::process::Command;

use catalogue::{Plan, Settings, Sources};
use support::installed;

fn deployed(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../deploy")
        .join(path)
}

/// Runs a tool; all it says when it fails.
fn run(program: &Path, arguments: &[&str], file: &Path) -> Result<String, String> {
    let mut command = Command::new(program);
    let done = command.args(arguments).arg(file).output();
    let done = done.unwrap_or_else(|error| panic!("{}: {error}", program.display()));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let said = text(&done.stdout) + &text(&done.stderr);
    if done.status.success() {
        Ok(said)
    } else {
        Err(format!("{arguments:?} {}:\n{said}", file.display()))
    }
}

fn promtool() -> PathBuf {
    installed("prometheus/promtool")
}

#[test]
fn promtool_accepts_the_rules() {
    for file in ["prometheus/rules.yml", "prometheus/alerts.yml"] {
        let arguments = ["check", "rules", "--lint=all", "--lint-fatal"];
        if let Err(said) = run(&promtool(), &arguments, &deployed(file)) {
            panic!("{said}");
        }
    }
}

#[test]
fn every_unit_test_of_the_rules_passes() {
    let folder = deployed("prometheus/tests");
    let entries = std::fs::read_dir(&folder).expect("the tests are checked in");
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("the folder can be listed").path())
        .collect();
    files.sort();
    assert!(files.len() > 2, "too few: {files:?}");
    let failed: Vec<String> = files
        .iter()
        .filter_map(|file| run(&promtool(), &["test", "rules"], file).err())
        .collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn a_wrong_expectation_fails_the_unit_tests() {
    let folder = deployed("prometheus/tests");
    let text = std::fs::read_to_string(folder.join("kept.yml")).expect("it is checked in");
    let rules = deployed("prometheus").canonicalize().expect("it is there");
    let wrong = text
        .replace("../", &format!("{}/", rules.display()))
        .replacen("value: ", "value: 1", 1);
    let path = std::env::temp_dir().join(format!("kept-wrong-{}.yml", std::process::id()));
    std::fs::write(&path, wrong).expect("the temporary folder is writable");
    let said = run(&promtool(), &["test", "rules"], &path);
    std::fs::remove_file(&path).expect("it was just written");
    let said = said.expect_err("a wrong number passes");
    assert!(said.contains("FAILED"), "{said}");
}

#[test]
fn amtool_accepts_the_configuration() {
    let file = deployed("alertmanager/alertmanager.yml");
    if let Err(said) = run(&installed("alertmanager/amtool"), &["check-config"], &file) {
        panic!("{said}");
    }
}

#[test]
fn every_alert_reaches_its_owner() {
    let (settings, plan) = shipped();
    let routed = generate::expected_routes(&plan, &settings.generation);
    assert!(routed.len() > 20, "too few alerts: {}", routed.len());
    let amtool = installed("alertmanager/amtool");
    let file = format!(
        "--config.file={}",
        deployed("alertmanager/alertmanager.yml").display()
    );
    let mut wrong = Vec::new();
    for alert in routed {
        let receiver = format!("--verify.receivers={}", alert.receiver);
        let mut command = Command::new(&amtool);
        command.args(["config", "routes", "test", &file, &receiver]);
        let done = command
            .args(&alert.labels)
            .output()
            .expect("amtool can be started");
        if !done.status.success() {
            let said = String::from_utf8_lossy(&done.stdout).into_owned();
            wrong.push(format!("{:?}: {said}", alert.labels));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_page_goes_to_the_kpi_s_owner_and_a_ticket_to_the_step_s() {
    let (settings, plan) = shipped();
    let routed = generate::expected_routes(&plan, &settings.generation);
    let receivers = |name: &str| -> Vec<String> {
        let label = format!("alertname={name}");
        let found = routed.iter().filter(|alert| alert.labels.contains(&label));
        found.map(|alert| alert.receiver.clone()).collect()
    };
    assert_eq!(
        receivers("PromiseStalled"),
        ["page-fulfilment-team", "page-fulfilment-team"]
    );
    assert_eq!(
        receivers("PromiseEventsMissing"),
        [
            "ticket-payments-team",
            "ticket-warehouse-team",
            "ticket-fulfilment-team"
        ]
    );
    assert_eq!(receivers("KeptBehind"), ["page-kept-team"]);
    assert_eq!(receivers("Watchdog"), ["watchdog"]);
}

fn shipped() -> (Settings, Plan) {
    let sources = Sources {
        path: "the shipped packs",
        text: generate::SHIPPED,
        environment: &[],
        files: &[],
    };
    catalogue::read(&sources).expect("the shipped packs are good")
}
