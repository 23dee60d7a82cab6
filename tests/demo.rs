//! `kept demo` as a newcomer starts it: it says where it serves, its numbers add up, and it ends
//! when it is told to.

#![allow(
    clippy::disallowed_methods,
    reason = "the test of a process starts one"
)]

use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use support::{Process, Samples, get, until, within};

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
