//! Topics that were joined are read apart and joined again: what the join has stored is stale for those
//! that were read in between. And what was committed may have expired meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use catalogue::plan::Plan;
use pipeline::LogGap;
use pipeline::TaskId;
use pipeline::name::EarlierName;
use pipeline::port::Notice;

use crate::carried::{counts, left, loses};
use crate::plans::{alone, apart, together};
use crate::rig::Rig;

/// The topics of each task of the plan, as the store calls them.
fn folders(plan: &Plan) -> BTreeMap<String, TaskId> {
    let groups = plan.groups.iter().enumerate();
    let named = groups.map(|(group, it)| {
        let topics = it.topics.iter();
        let names = topics.map(|topic| plan.topics[usize::from(topic.0)].name.as_str());
        let task = TaskId {
            group,
            partition: 0,
        };
        (names.collect::<Vec<_>>().join("+"), task)
    });
    named.collect()
}

/// The next process has another plan; `meanwhile` between the two. What is stored is in its folders.
fn becomes(mut rig: Rig, plan: &Arc<Plan>, meanwhile: impl FnOnce(&mut Rig)) -> Rig {
    let before = folders(&rig.plan);
    for ((task, name), head) in std::mem::take(&mut rig.world.heads) {
        let folder = before.iter().find(|one| *one.1 == task);
        let folder = folder.expect("a task of the plan").0;
        rig.world.earlier.insert(format!("{folder}/{name}"), head);
    }
    let after = folders(plan);
    for (name, head) in std::mem::take(&mut rig.world.earlier) {
        let parsed = EarlierName::parse(&name).expect("a name");
        match after.get(&parsed.topics.join("+")) {
            Some(task) => {
                let own = (*task, parsed.name.to_string());
                rig.world.heads.insert(own, head);
            }
            None => {
                rig.world.earlier.insert(name, head);
            }
        }
    }
    meanwhile(&mut rig);
    let mut rig = rig.restart_as(plan);
    rig.assign();
    rig.pass(2);
    rig
}

/// So many more orders, and as many fulfilled, are read, shown, committed and saved.
fn read_on(rig: &mut Rig, count: usize) {
    rig.append(0, "order.placed", count);
    rig.append(1, "order.fulfilled", count);
    rig.pass(20);
}

fn count_of(rig: &Rig, kpi: &str) -> Option<u64> {
    let counts = counts(rig);
    counts.iter().find(|one| one.0 == kpi).map(|one| one.1)
}

/// Ten orders of the join, then five that nobody counts, then three that are counted anew.
fn counted_anew_in_between() -> Rig {
    let mut rig = Rig::new(&together());
    rig.assign();
    read_on(&mut rig, 4);
    read_on(&mut rig, 6);
    assert_eq!(count_of(&rig, "orders"), Some(10));
    let mut rig = becomes(rig, &alone(false), |_| {});
    rig.append(0, "order.placed", 5);
    rig.pass(20);
    let mut rig = becomes(rig, &alone(true), |_| {});
    rig.append(0, "order.placed", 3);
    rig.pass(20);
    assert_eq!(count_of(&rig, "orders"), Some(3));
    rig
}

fn nothing_stored(notice: &Notice) -> bool {
    matches!(notice, Notice::TotalsLost { stored: 0, .. })
}

/// What is carried over, and what begins anew.
fn carried(rig: &Rig) -> Vec<(Vec<String>, Vec<String>)> {
    let told = rig.notices.iter().filter_map(|notice| match notice {
        Notice::Carried { from, anew, .. } => Some((from.clone(), anew.clone())),
        _ => None,
    });
    told.collect()
}

fn assert_each_goes_on_from_where_it_was_last(rig: &Rig) {
    let counts = ["orders", "fulfilled"].map(|kpi| count_of(rig, kpi));
    assert_eq!(counts, [Some(3), Some(10)], "not 18 orders");
    let from = ["placed/0", "placed+fulfilled/0"].map(str::to_owned);
    let anew = ["fulfilment", "paying"].map(str::to_owned);
    let [(told, begun)] = &carried(rig)[..] else {
        panic!("{:?}", rig.notices);
    };
    assert_eq!(BTreeSet::from_iter(told), BTreeSet::from_iter(&from));
    assert_eq!(BTreeSet::from_iter(begun), BTreeSet::from_iter(&anew));
    assert_eq!(rig.told(loses), 0);
}

#[test]
fn what_was_counted_anew_in_between_is_not_shown_with_the_totals_before() {
    let rig = becomes(counted_anew_in_between(), &together(), |_| {});
    assert_each_goes_on_from_where_it_was_last(&rig);
    let mut rig = becomes(rig, &together(), |_| {});
    read_on(&mut rig, 4);
    assert_eq!(count_of(&rig, "orders"), Some(7), "it goes on from its own");
    assert_eq!((rig.told(loses), carried(&rig).len()), (0, 0));
}

#[test]
fn what_the_join_missed_is_read_again_where_nobody_else_has_read_it() {
    let mut rig = counted_anew_in_between();
    rig.append(1, "order.fulfilled", 5);
    let rig = becomes(rig, &together(), |_| {});
    assert_eq!(count_of(&rig, "fulfilled"), Some(15));
    assert_eq!(rig.told(loses), 0);
}

#[test]
fn without_a_snapshot_of_the_time_in_between_the_loss_is_told() {
    let forget = |rig: &mut Rig| {
        let earlier = &mut rig.world.earlier;
        earlier.clear();
    };
    let rig = becomes(counted_anew_in_between(), &together(), forget);
    assert_eq!(count_of(&rig, "orders"), Some(0), "told, and not 18");
    assert_eq!(rig.told(loses), 1);
}

#[test]
fn a_damaged_part_of_its_own_is_refused_by_its_name_and_the_one_before_goes_on() {
    let mut newest = String::new();
    let rig = becomes(counted_anew_in_between(), &together(), |rig| {
        let names = rig.world.heads.keys().map(|key| key.1.clone());
        let offsets = |name: &String| name.rsplit('-').next().map(str::to_owned);
        newest = names.max_by_key(offsets).expect("it has some");
        for (key, head) in &mut rig.world.heads {
            let middle = head.len() / 2;
            head[middle] ^= u8::from(key.1 == newest);
        }
    });
    let refused = |it: &Notice| matches!(it, Notice::Refused { name, .. } if *name == newest);
    assert_eq!(rig.told(refused), 1, "{:?}", rig.notices);
    assert_each_goes_on_from_where_it_was_last(&rig);
}

#[test]
fn a_log_that_lacks_what_only_the_stale_snapshot_needs_is_no_gap() {
    let mut rig = counted_anew_in_between();
    rig.options.log_gap = LogGap::Stop;
    let rig = becomes(rig, &together(), |rig| rig.log(0).start = 18);
    assert_eq!(rig.failed, None);
    assert_eq!(rig.told(|it| matches!(it, Notice::Gap { .. })), 0);
    assert_each_goes_on_from_where_it_was_last(&rig);
}

/// What is committed expires; a group without offsets would begin behind what is there.
fn expire(rig: &mut Rig) {
    rig.world.committed.clear();
    rig.world.fresh_start = 9;
}

#[test]
fn without_any_offset_the_snapshots_of_the_last_joins_are_gone_on_from() {
    for (before, after) in [(apart(), together()), (together(), apart())] {
        let mut rig = Rig::new(&before);
        rig.assign();
        read_on(&mut rig, 10);
        let shown = counts(&rig);
        let rig = becomes(rig, &after, expire);
        assert_eq!(counts(&rig), shown);
        let carried = rig.told(|it| matches!(it, Notice::Carried { .. }));
        assert_eq!((carried, rig.told(loses)), (after.groups.len(), 0));
    }
}

#[test]
fn without_any_offset_an_older_snapshot_of_its_own_does_not_go_before_the_last_joins() {
    let mut rig = Rig::new(&apart());
    rig.assign();
    read_on(&mut rig, 10);
    let mut rig = becomes(rig, &together(), |_| {});
    read_on(&mut rig, 6);
    let shown = counts(&rig);
    let rig = becomes(rig, &apart(), expire);
    assert_eq!(counts(&rig), shown);
    let restored = rig.told(|it| matches!(it, Notice::Restored { .. }));
    let carried = rig.told(|it| matches!(it, Notice::Carried { .. }));
    assert_eq!((restored, carried, rig.told(loses)), (0, 2, 0));
}

#[test]
fn without_any_offset_its_own_newest_snapshot_goes_before_older_ones_of_others() {
    let mut rig = Rig::new(&apart());
    rig.assign();
    read_on(&mut rig, 10);
    let mut rig = becomes(rig, &together(), |_| {});
    read_on(&mut rig, 6);
    let shown = counts(&rig);
    let rig = becomes(rig, &together(), expire);
    assert_eq!(counts(&rig), shown);
    let restored = rig.told(|it| matches!(it, Notice::Restored { .. }));
    assert_eq!((restored, rig.told(loses)), (1, 0));
}

#[test]
fn without_any_offset_and_any_snapshot_that_fits_the_loss_is_told() {
    let mut rig = Rig::new(&together());
    rig.assign();
    read_on(&mut rig, 10);
    let rig = becomes(rig, &alone(true), |rig| {
        expire(rig);
        // Made anew and shorter: no snapshot lies in it.
        rig.log(0).records.truncate(9);
    });
    assert_eq!(count_of(&rig, "orders"), Some(0));
    assert_eq!((rig.told(loses), rig.told(nothing_stored)), (1, 0));
    assert_eq!(left(&rig), Some(vec!["placed+fulfilled/0".to_owned()]));
}
