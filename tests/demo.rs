//! `kept demo` as a newcomer starts it: it says where it serves, its numbers add up, and it ends
//! when it is told to.

#![allow(
    clippy::disallowed_methods,
    reason = "the test of a process starts one"
)]

use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use support::{Kafka, Process, Samples, get, until, within};

const KEPT: &str = env!("CARGO_BIN_EXE_kept");
const LONG: Duration = Duration::from_secs(90);

/// Starts a demo; its output goes to a file of this name.
fn start(name: &str, arguments: &[&str]) -> Process {
    let log = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let mut command = Command::new(KEPT);
    command.args(["demo", "--listen", "127.0.0.1:0"]);
    Process::start(command.args(arguments), &log)
}

/// The port that it says it serves on.
fn port(demo: &mut Process) -> u16 {
    within(LONG, "the demo says where to look", || {
        let ended = demo.ended();
        assert!(
            ended.is_none(),
            "it ended with {ended:?}:\n{}",
            demo.output()
        );
        let output = demo.output();
        let (_, rest) = output.split_once("http://127.0.0.1:")?;
        rest.split_once('/')?.0.parse().ok()
    })
}

fn scrape(port: u16) -> Option<Samples> {
    let answer = get(port, "/metrics", &[("Accept", "text/plain;version=0.0.4")])?;
    (answer.status == 200).then(|| Samples::parse(&answer.text()))
}

#[test]
fn its_numbers_add_up_and_it_ends_at_a_signal() {
    let mut demo = start("demo-signal.log", &["--seed", "7", "--rate", "20"]);
    let port = port(&mut demo);
    until(LONG, "orders are counted in every partition", || {
        let ready = get(port, "/readyz", &[]).is_some_and(|answer| answer.status == 200);
        let samples = scrape(port).unwrap_or_default();
        let started = |partition: &str| {
            samples.sum("shop_fulfilment_started_total", &[("partition", partition)])
        };
        ready
            && ["0", "1", "2", "3"]
                .iter()
                .all(|each| started(each) > Some(0.0))
    });
    let samples = scrape(port).expect("it serves");
    for partition in ["0", "1", "2", "3"] {
        let sum = |name: &str| {
            let name = format!("shop_fulfilment_{name}");
            let sum = samples.sum(&name, &[("partition", partition)]);
            sum.unwrap_or_else(|| panic!("no {name} of partition {partition}"))
        };
        let ended = sum("completed_total") + sum("cancelled_total") + sum("expired_total");
        assert_eq!(
            sum("started_total"),
            ended + sum("open"),
            "partition {partition}"
        );
    }
    // Five minutes of history at 20 orders a second, less by night: nothing of it was lost.
    let started = samples.sum("shop_fulfilment_started_total", &[]);
    assert!(
        started > Some(3500.0),
        "{started:?} orders:\n{}",
        demo.output()
    );
    demo.terminate();
    let status = demo.wait(LONG);
    assert!(status.success(), "{status}:\n{}", demo.output());
    assert!(
        demo.output().contains("| p95 with open "),
        "{}",
        demo.output()
    );
}

#[test]
fn it_ends_by_itself_when_its_time_is_over() {
    let mut demo = start("demo-duration.log", &["--duration", "2s", "--rate", "1"]);
    let status = demo.wait(LONG);
    assert!(status.success(), "{status}:\n{}", demo.output());
}

/// Runs it to its end with nothing but these arguments.
fn finish(arguments: &[&str]) -> (Output, String) {
    let output = Command::new(KEPT).arg("demo").args(arguments).output();
    let output = output.expect("the binary starts");
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    (output, errors)
}

#[test]
fn an_address_in_use_is_said_with_the_way_out() {
    let mut first = start("demo-address.log", &[]);
    let taken = format!("127.0.0.1:{}", port(&mut first));
    let (output, errors) = finish(&["--listen", &taken]);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(
        errors.contains(&taken) && errors.contains("--listen 127.0.0.1:0"),
        "{errors}"
    );
}

#[test]
fn wrong_arguments_are_refused() {
    for arguments in [
        ["--rate", "1000"],
        ["--duration", "soon"],
        ["--listen", "nowhere"],
    ] {
        let (output, errors) = finish(&arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {errors}");
        assert!(errors.contains(arguments[1]), "{arguments:?}: {errors}");
    }
}

#[test]
fn an_unreachable_kafka_is_said() {
    // Port 1 of loopback: nobody listens there.
    let (output, errors) = finish(&["--brokers", "127.0.0.1:1", "--listen", "127.0.0.1:0"]);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(errors.contains("asking Kafka at 127.0.0.1:1"), "{errors}");
}

/// The shop goes to the given Kafka, and everything that it sends is counted from there; a second
/// time it opens after the records of the first.
#[test]
fn it_plays_on_a_kafka_of_ones_own() {
    let kafka = Kafka::shared();
    let brokers = kafka.brokers();
    for round in ["first", "second"] {
        let log = format!("demo-brokers-{round}.log");
        let arguments = ["--brokers", &brokers, "--seed", "7", "--rate", "20"];
        let mut demo = start(&log, &arguments);
        let port = port(&mut demo);
        until(LONG, "orders are counted", || {
            let samples = scrape(port).unwrap_or_default();
            samples.sum("shop_fulfilment_started_total", &[]) > Some(0.0)
        });
        demo.terminate();
        let status = demo.wait(LONG);
        let output = demo.output();
        assert!(status.success(), "{round}: {status}:\n{output}");
        let created = output.contains("Created topic kept.demo with 4 partitions");
        assert_eq!(created, round == "first", "{output}");
    }
    assert!(kafka.records("kept.demo") > 0);
}

/// Runs `deploy/demo` with a `cargo` that tells what it was given.
#[test]
fn the_script_builds_a_binary_that_knows_its_commit() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("demo-script");
    std::fs::create_dir_all(&folder).expect("the folder is writable");
    let cargo = folder.join("cargo");
    std::fs::write(&cargo, "#!/bin/sh\necho \"revision=$KEPT_REVISION $*\"\n").expect("likewise");
    let made = Command::new("chmod").arg("+x").arg(&cargo).status();
    assert!(made.is_ok_and(|status| status.success()));
    let path = std::env::var("PATH").unwrap_or_default();
    let output = Command::new(root.join("deploy/demo"))
        .arg("--seed=7")
        .env("PATH", format!("{}:{path}", folder.display()))
        .output()
        .expect("bash is there");
    let output = String::from_utf8_lossy(&output.stdout);
    let commit = Command::new("git")
        .args(["rev-parse", "--short", "HEAD"])
        .current_dir(root)
        .output();
    let commit = commit.ok().filter(|commit| commit.status.success());
    let commit = commit.map_or("unknown".to_owned(), |commit| {
        String::from_utf8_lossy(&commit.stdout).trim().to_owned()
    });
    let expected = format!("revision={commit} run --release --locked --bin kept -- demo --seed=7");
    assert!(output.contains(&expected), "no {expected} in {output}");
}
