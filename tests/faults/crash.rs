//! Faults 1 and 15 to 16 of issue 4: `kill -9` at random moments, with the shop's duplicates, garbage
//! and records out of order in between.

use std::time::Instant;

use support::Kept;

use crate::agreement::{Truth, assert_letters, assert_shown_is_committed};
use crate::stage::{PACE, Stage};

const KILLS: u32 = 20;

/// The first half comes back as new members, which wait until the group has given up the dead ones;
/// the other half as static members, which go on at once.
#[test]
fn twenty_kills_at_random_moments_lose_nothing_and_count_nothing_twice() {
    let mut stage = Stage::new("killed", 101);
    let stranger = stage
        .config()
        .replace("workers = 1", "workers = 2")
        .replace("= 4000", "= 3000");
    let resident = stranger.replace(
        "[kafka.client]\n",
        "[kafka.client]\n\"group.instance.id\" = \"shop\"\n",
    );
    let load = stage.sell(PACE);
    let mut kept = stage.start(&stranger);
    let mut was_ready = 0;
    for kill in 0..KILLS {
        let is_static = kill >= KILLS / 2;
        load.await_more(stage.some(if is_static { 6 } else { 9 } * 1000));
        if is_ready(&kept) {
            was_ready += 1;
            assert_shown_is_committed(&stage, &kept);
        }
        kept.kill();
        let config = if is_static { &resident } else { &stranger };
        kept = stage.start(config);
    }
    assert!(
        was_ready > 2,
        "only {was_ready} of {KILLS} kills hit a service at work"
    );
    kept.await_ready();
    load.finish();
    let truth = Truth::at_the_end(&stage, &stranger);
    truth.agrees(&stage, &[&kept]);
    assert_letters(&stage, &truth);

    kept.kill();
    let begin = Instant::now();
    let kept = stage.run(&resident);
    truth.await_all(&[&kept]);
    eprintln!(
        "killed: kill -9 to the right numbers in {:?}",
        begin.elapsed()
    );
    stage.watcher.assert_nothing_fell();
}

fn is_ready(kept: &Kept) -> bool {
    support::get(kept.port(), "/readyz", &[]).is_some_and(|answer| answer.status == 200)
}
