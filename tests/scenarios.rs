//! Plain-text scenarios: events at times, then the series that have to be there.
//!
//! `tests/scenarios/*.scenario` are run through the production path (record, decoder, worker, task,
//! view, exposition text), each in two interleavings of its partitions, for the numbers must not
//! depend on it. The syntax is described in `tests/scenarios/README.md`. The numbers in them are
//! worked out by hand from the rules, never copied from the output.
#![allow(clippy::disallowed_methods, reason = "the scenarios are files")]

#[path = "scenario_support/mod.rs"]
mod scenario_support;

use std::fs;
use std::path::{Path, PathBuf};

use scenario_support::run::{Order, differences, run};
use scenario_support::script::Script;

#[test]
fn every_scenario_comes_out_as_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let files = scenarios(&folder);
    assert!(files.len() > 2, "the scenarios are in {}", folder.display());
    let mut failures = Vec::new();
    for file in &files {
        let name = file
            .strip_prefix(env!("CARGO_MANIFEST_DIR"))
            .unwrap_or(file);
        let text = fs::read_to_string(file).expect("it was just listed");
        failures.extend(check(&name.display().to_string(), &text));
    }
    assert!(
        failures.is_empty(),
        "{} failures in {} scenarios:\n\n{}",
        failures.len(),
        files.len(),
        failures.join("\n")
    );
}

#[test]
fn a_wrong_number_is_reported_with_its_line_and_its_neighbours() {
    let failures = check(
        "x.scenario",
        "10:00:00 order.placed order_id=o-1 region=eu channel=web total=1 currency=EUR\n\
         expect display 10:00:00\n  shop_fulfilment_started_total 2\n  shop_nothing 1\n",
    );
    let text = failures.join("\n");
    for part in [
        "x.scenario:3: expected shop_fulfilment_started_total 2, got 1",
        "shop_fulfilment_started_total{region=\"eu\",channel=\"web\",partition=\"0\"} 1",
        "x.scenario:4: expected shop_nothing 1, got no such series",
    ] {
        assert!(text.contains(part), "{part}\nis not in\n{text}");
    }
}

#[test]
fn a_line_must_name_one_series_and_absent_ones_must_be_absent() {
    let failures = check(
        "x.scenario",
        "10:00:00 order.placed order_id=o-1 region=eu channel=web total=1 currency=EUR\n\
         10:00:00 order.placed order_id=o-2 region=us channel=web total=1 currency=EUR\n\
         expect display 10:00:00\n  shop_fulfilment_started_total 1\n\
         \x20 shop_fulfilment_started_total{region=\"us\"} absent\n\
         \x20 shop_fulfilment_started_total{region=\"asia\"} absent\n",
    );
    let text = failures.join("\n");
    for part in [
        "x.scenario:4: expected shop_fulfilment_started_total 1, got 2 series that fit",
        "x.scenario:5: expected shop_fulfilment_started_total{region=\"us\"} absent, got 1",
    ] {
        assert!(text.contains(part), "{part}\nis not in\n{text}");
    }
    assert!(!text.contains("x.scenario:6"), "{text}");
}

#[test]
fn what_depends_on_the_interleaving_is_reported() {
    let outcome = |text: &str| {
        let script = Script::parse(text).expect("it is well-formed");
        run(&script, Order::AsWritten)
    };
    let one = outcome("10:00:00 order.placed order_id=o-1 region=eu\nexpect display 10:00:00\n");
    let two = outcome("10:00:00 order.placed order_id=o-1 region=us\nexpect display 10:00:00\n");
    assert_eq!(differences(&one, &one), [] as [String; 0]);
    let text = differences(&one, &two).join("\n");
    assert!(
        text.starts_with("2: depends on how partitions interleave"),
        "{text}"
    );
    assert!(text.contains("region=\"us\""), "{text}");
}

#[test]
fn a_line_that_is_neither_event_nor_expectation_is_refused() {
    for (text, message) in [
        ("10:00 order.placed", "x.scenario:1: `10:00` is not a time"),
        ("\nexpect display 10:00:00\n  shop_x\n", "x.scenario:3: "),
        ("config\n[time]\n", "x.scenario:1: `config` has no `end`"),
        (
            "10:00:00 order.placed @paritition=1",
            "x.scenario:1: there is no option `@paritition`",
        ),
        ("config\n[tme]\nend\n", "tme"),
    ] {
        let failures = check("x.scenario", text).join("\n");
        assert!(
            failures.contains(message),
            "{message}\nis not in\n{failures}"
        );
    }
}

/// Everything in which a scenario comes out differently from what is written.
fn check(name: &str, text: &str) -> Vec<String> {
    let script = match Script::parse(text) {
        Ok(script) => script,
        Err(problem) => return vec![format!("{name}:{problem}\n")],
    };
    let as_written = run(&script, Order::AsWritten);
    let mut failures = as_written.failures.clone();
    if failures.is_empty() {
        failures = differences(&as_written, &run(&script, Order::PartitionByPartition));
    }
    failures
        .iter()
        .map(|failure| format!("{name}:{failure}"))
        .collect()
}

fn scenarios(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("the folder is in the repository");
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("the folder can be listed").path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "scenario")
        })
        .collect();
    files.sort();
    files
}
