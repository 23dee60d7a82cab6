//! Snapshots of tasks that had a task's topics in other company: what can't be put together is
//! refused with the reason.

use std::sync::Arc;

use catalogue::Sources;
use engine::Task;
use engine::snapshot::{Refusal, Snapshot};

const CATALOGUE: &str = "[kafka]\nbrokers = \"localhost:9092\"\n[[kafka.topic]]\n\
    name = \"orders\"\nkey = \"cart_id\"\n[catalogue]\nnamespace = \"shop\"\npacks = [\"cart\"]\n";

#[test]
fn an_input_that_two_snapshots_have_is_named() {
    let sources = Sources {
        path: "kept.toml",
        text: CATALOGUE,
        environment: &[],
        files: &[],
    };
    let (_, plan) = catalogue::read(&sources).expect("a sound catalogue");
    let plan = Arc::new(plan);
    let saved = Task::new(Arc::clone(&plan), 0, 0).save(b"whose it is");
    let carry = |parts: &[(&Snapshot, Vec<&str>)]| {
        Task::carry(Arc::clone(&plan), 0, 0, parts).map(|it| it.anew)
    };
    let (whole, nothing) = ((&saved, vec!["orders"]), (&saved, vec![]));
    let begun_anew = |parts: &[(&Snapshot, Vec<&str>)]| carry(parts).map(|anew| !anew.is_empty());
    assert_eq!(begun_anew(&[whole.clone(), nothing.clone()]), Ok(false));
    assert_eq!(begun_anew(&[nothing]), Ok(true));
    let refused = carry(&[whole.clone(), whole]);
    let reason = Refusal::Foreign("orders is in two of them".to_owned());
    assert_eq!(refused, Err(reason));
}
