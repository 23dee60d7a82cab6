//! A disk that takes nothing more, and a folder that isn't one: said as such, and over when it is
//! over. Both also hold for a user who may write everywhere.

use std::env;
use std::fs;
use std::process::Command;

use pipeline::port::{LoadError, SaveError};

use crate::bench::{Bench, Folder, name, snapshot};

/// Set for the process whose files can't grow; its value is the folder.
const LIMITED: &str = "KEPT_TEST_LIMITED_FOLDER";

#[test]
fn a_folder_that_cannot_be_used_is_unavailable_until_it_can() {
    let folder = Folder::new();
    let in_the_way = folder.0.join("group");
    fs::write(&in_the_way, "a file").expect("the folder can be written");
    let bench = Bench::new(&folder.settings());
    let state = snapshot("one", &["a"]);
    let refused = bench.save(&name(1, 10), &state);
    assert!(
        matches!(refused, Err(SaveError::Unavailable(_))),
        "{refused:?}"
    );
    let refused = bench.load(&name(1, 10));
    assert!(
        matches!(refused, Err(LoadError::Unavailable(_))),
        "{refused:?}"
    );
    fs::remove_file(in_the_way).expect("it is there");
    bench.save(&name(1, 10), &state).expect("it recovers");
    assert_eq!(bench.load(&name(1, 10)), Ok(state));
}

#[test]
fn a_write_that_ends_half_way_leaves_no_snapshot() {
    if let Some(folder) = env::var_os(LIMITED) {
        return limited(Folder(folder.into()));
    }
    let folder = Folder::new();
    // Files may have one block; a write beyond fails like one on a full disk.
    let script = "trap '' XFSZ; ulimit -f 1; exec \"$@\"";
    // Through pipes: the limit would hold for a file that the test's output goes to, too.
    let output = Command::new("sh")
        .args(["-c", script, "sh"])
        .arg(env::current_exe().expect("this is a process"))
        .args([
            "--exact",
            "full::a_write_that_ends_half_way_leaves_no_snapshot",
        ])
        .env(LIMITED, &folder.0)
        .output()
        .expect("sh is there");
    assert!(output.status.success(), "{output:?}");
    let bench = Bench::new(&folder.settings());
    assert_eq!(
        bench.list(),
        Ok(vec![name(1, 10)]),
        "the disk has room again"
    );
    let state = incompressible();
    bench.save(&name(1, 20), &state).expect("it recovers");
    assert_eq!(bench.load(&name(1, 20)), Ok(state));
}

/// In the process whose files can't grow.
fn limited(folder: Folder) {
    let bench = Bench::new(&folder.settings());
    let small = snapshot("small", &["a"]);
    bench.save(&name(1, 10), &small).expect("it fits");
    let refused = bench.save(&name(1, 20), &incompressible());
    assert!(
        matches!(refused, Err(SaveError::Unavailable(_))),
        "{refused:?}"
    );
    assert_eq!(bench.list(), Ok(vec![name(1, 10)]));
    assert_eq!(bench.load(&name(1, 10)), Ok(small));
    std::mem::forget(folder);
}

fn incompressible() -> engine::snapshot::Snapshot {
    let mut state = 1_u64;
    let mut next = || {
        state = state
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        char::from(b' ' + (state >> 60) as u8)
    };
    let text: String = (0..50_000).map(|_| next()).collect();
    snapshot("large", &[&text])
}
