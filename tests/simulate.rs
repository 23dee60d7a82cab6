//! `kept simulate` as a process: what it prints, that a seed is one history, and its exit codes.

use support::{Finished, finish};

fn simulate(arguments: &[&str]) -> Finished {
    let all: Vec<&str> = ["simulate"].iter().chain(arguments).copied().collect();
    finish(env!("CARGO_BIN_EXE_kept"), &all, None)
}

#[test]
fn a_few_seeds_hold_and_say_what_was_looked_at() {
    let ended = simulate(&["--from", "0", "--seeds", "4"]);
    assert!(ended.status.success(), "{ended:?}");
    assert!(
        ended.stdout.contains("4 seeds from 0: nothing broke"),
        "{ended:?}"
    );
    for figure in [
        "records",
        "compared with the oracle",
        "serving: ",
        "digest ",
    ] {
        assert!(ended.stdout.contains(figure), "no {figure} in {ended:?}");
    }
    assert_eq!(ended.stderr, "", "no progress where nobody watches");
}

#[test]
fn a_seed_is_the_same_history_every_time() {
    let digest = |seed: &str| {
        let ended = simulate(&["--seed", seed]);
        assert!(ended.status.success(), "{ended:?}");
        let line = ended
            .stdout
            .lines()
            .find(|line| line.starts_with("digest "));
        line.expect("the digest is printed").to_owned()
    };
    assert_eq!(digest("3"), digest("3"));
    assert_ne!(digest("3"), digest("4"));
}

#[test]
fn no_seeds_at_all_are_refused() {
    let ended = simulate(&["--seeds", "0"]);
    assert_eq!(ended.status.code(), Some(2), "{ended:?}");
    assert!(ended.stderr.contains("0 is not in 1.."), "{ended:?}");
}

#[test]
fn one_seed_and_many_at_once_are_refused() {
    let ended = simulate(&["--seed", "1", "--seeds", "2"]);
    assert_eq!(ended.status.code(), Some(2), "{ended:?}");
    assert!(ended.stderr.contains("cannot be used with"), "{ended:?}");
}
