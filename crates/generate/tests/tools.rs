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
    // Each takes a processor for a while: two at a time.
    let (promtool, files) = (&promtool(), &files);
    let failed: Vec<String> = std::thread::scope(|scope| {
        let half = |half: usize| {
            let files = files.iter().skip(half).step_by(2);
            let test = move |file: &PathBuf| run(promtool, &["test", "rules"], file).err();
            scope.spawn(move || files.filter_map(test).collect::<Vec<String>>())
        };
        let halves = [half(0), half(1)];
        let done = halves.map(|half| half.join().expect("it returns what it finds"));
        done.into_iter().flatten().collect()
    });
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
fn a_stalled_promise_says_whether_it_is_the_shop_or_the_pipe() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/texts/promise.yml");
    if let Err(said) = run(&promtool(), &["test", "rules"], &file) {
        panic!("{said}");
    }
}

#[test]
fn what_kept_says_of_itself_has_numbers_and_serves_topics_of_other_names() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/texts/kept.yml");
    if let Err(said) = run(&promtool(), &["test", "rules"], &file) {
        panic!("{said}");
    }
}

/// promtool shows the texts of alerts that it does not expect: each alert fires once, unexpected.
#[test]
fn every_template_of_an_alert_can_be_filled_in() {
    let rules = deployed("prometheus").canonicalize().expect("it is there");
    let mut seen = std::collections::BTreeSet::new();
    for file in ["kept.yml", "kpi-fulfilment.yml"] {
        let text = std::fs::read_to_string(rules.join("tests").join(file)).expect("it is there");
        let (head, tests) = text.split_once("\ntests:\n").expect("it has tests");
        let mut wanted = head.replace("../", &format!("{}/", rules.display())) + "\ntests:\n";
        for test in tests.split("  - name: ").skip(1) {
            let Some((name, at)) = fires(test).filter(|(name, _)| seen.insert(name.clone())) else {
                continue;
            };
            wanted += &format!(
                "  - name: {}\n    alert_rule_test:\n      - alertname: {name}\n        \
                 eval_time: {at}\n        exp_alerts: []\n",
                test.trim_end()
            );
        }
        let path = std::env::temp_dir().join(format!("kept-texts-{}-{file}", std::process::id()));
        std::fs::write(&path, wanted).expect("the temporary folder is writable");
        let said = run(&promtool(), &["test", "rules"], &path);
        std::fs::remove_file(&path).expect("it was just written");
        let said = said.expect_err("alerts fire that are not expected");
        assert!(said.contains("Annotations:"), "{said}");
        assert!(!said.contains("error expanding"), "{said}");
        assert!(!said.contains("<no value>"), "{said}");
    }
    assert!(seen.len() > 20, "too few alerts fire: {seen:?}");
}

/// The alert that a test wants to fire, and when.
fn fires(test: &str) -> Option<(String, String)> {
    test.lines()
        .next()
        .filter(|name| name.contains(" fires: "))?;
    let (_, rest) = test.split_once("alertname=\"")?;
    let (name, rest) = rest.split_once('"')?;
    let (_, rest) = rest.split_once("eval_time: ")?;
    let at = rest.lines().next()?.trim_matches('\'');
    Some((name.to_owned(), at.to_owned()))
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
