//! Snapshots of tasks that had a task's topics in other company: what can't be put together is
//! refused with the reason.

use std::sync::Arc;

use catalogue::Sources;
use engine::Task;
use engine::snapshot::Refusal;

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
    let saved = || Task::new(Arc::clone(&plan), 0, 0).save(b"whose it is");
    assert!(Task::carry(Arc::clone(&plan), 0, 0, &[saved()]).is_ok());
    let refused = Task::carry(Arc::clone(&plan), 0, 0, &[saved(), saved()]).map(|it| it.anew);
    let reason = Refusal::Foreign("orders is in two of them".to_owned());
    assert_eq!(refused, Err(reason));
}
