//! The catalogue's joins change: the tasks have other topics, and the KPIs that are the same go on.

use std::sync::Arc;

use catalogue::plan::{Plan, TopicId};
use engine::view::KindView;
use pipeline::TaskId;
use pipeline::port::Notice;

use crate::plans::{MORNING, SECOND, apart, event_at, together};
use crate::rig::Rig;

/// Total and created timestamp of each count, by KPI.
pub fn counts(rig: &Rig) -> Vec<(String, u64, Option<i64>)> {
    let mut counts = Vec::new();
    for view in rig.board.values() {
        let group = &rig.plan.groups[view.group];
        for (kpi, view) in group.kpis.iter().zip(&view.kpis) {
            if let KindView::Count(series) = &view.series {
                let id = rig.plan.kpis[usize::from(kpi.0)].id.clone();
                let total = series.iter().map(|one| one.total).sum();
                let created = series
                    .iter()
                    .filter_map(|one| one.created)
                    .map(|at| at.0)
                    .min();
                counts.push((id, total, created));
            }
        }
    }
    counts.sort();
    counts
}

/// All that is shown of each KPI that both plans have, by id.
fn shown(rig: &Rig) -> Vec<(String, String)> {
    let mut shown = Vec::new();
    for view in rig.board.values() {
        for (kpi, view) in rig.plan.groups[view.group].kpis.iter().zip(&view.kpis) {
            let id = rig.plan.kpis[usize::from(kpi.0)].id.clone();
            shown.push((id, format!("{view:?}")));
        }
    }
    shown.retain(|(id, _)| id != "fulfilment");
    shown.sort();
    shown
}

/// Orders are placed on the first topic, and every second one is paid there.
fn place(rig: &mut Rig, count: i64) {
    for _ in 0..count {
        let log = rig.log(0);
        let offset = log.records.len() as i64;
        let (kind, number) = match offset % 3 {
            2 => ("payment.authorized", offset - 1),
            _ => ("order.placed", offset),
        };
        let time = MORNING + offset * SECOND;
        log.records
            .push(Some((event_at(kind, number, offset), time)));
    }
}

/// Ten orders, six of them fulfilled, read and saved under `before`; then three and two more come,
/// and are committed. The next process has another plan.
fn changed(before: &Arc<Plan>, after: &Arc<Plan>, meanwhile: impl FnOnce(&mut Rig)) -> Rig {
    let mut rig = read_by(before);
    rig.keep_for_others();
    meanwhile(&mut rig);
    let mut rig = rig.restart_as(after);
    rig.assign();
    rig
}

fn read_by(plan: &Arc<Plan>) -> Rig {
    let mut rig = Rig::new(plan);
    rig.append(0, "order.placed", 4);
    rig.append(1, "order.fulfilled", 1);
    rig.assign();
    rig.pass(20);
    rig.append(0, "order.placed", 6);
    rig.append(1, "order.fulfilled", 5);
    rig.pass(20);
    rig.append(0, "order.placed", 3);
    rig.append(1, "order.fulfilled", 2);
    rig.pass(2);
    assert_eq!(rig.committed(0), Some(13), "behind the last snapshot");
    rig
}

impl Rig {
    /// What is in the store, as tasks with other topics are told of it.
    fn keep_for_others(&mut self) {
        for ((task, name), head) in std::mem::take(&mut self.world.heads) {
            let topics = self.plan.groups[task.group].topics.iter();
            let names = topics.map(|topic| self.plan.topics[usize::from(topic.0)].name.as_str());
            let topics = names.collect::<Vec<_>>().join("+");
            self.world.earlier.insert(format!("{topics}/{name}"), head);
        }
    }

    fn carried(&self) -> Vec<(Vec<String>, Vec<String>)> {
        let told = self.notices.iter().filter_map(|notice| match notice {
            Notice::Carried { from, anew, .. } => Some((from.clone(), anew.clone())),
            _ => None,
        });
        told.collect()
    }
}

pub fn loses(notice: &Notice) -> bool {
    matches!(notice, Notice::TotalsLost { .. })
}

#[test]
fn counts_of_topics_that_are_joined_now_go_on_and_the_promise_begins_anew() {
    let before = counts(&read_by(&apart()));
    let mut rig = changed(&apart(), &together(), |_| {});
    assert!(
        rig.board.is_empty(),
        "nothing is shown before it is where it was"
    );
    rig.pass(2);
    let told = (
        vec!["fulfilled/0".to_owned(), "placed/0".to_owned()],
        vec!["fulfilment".to_owned()],
    );
    assert_eq!(rig.carried(), [told]);
    assert_eq!(rig.told(loses), 0);
    assert_eq!(counts(&rig), before, "totals and when they began");
    rig.append(0, "order.placed", 4);
    rig.pass(20);
    let mut rig = rig.restart();
    rig.assign();
    rig.pass(2);
    assert_eq!(rig.orders(), Some(17), "from a snapshot of its own");
    assert_eq!((rig.carried().len(), rig.told(loses)), (0, 0));
}

#[test]
fn all_that_is_shown_of_a_kpi_is_as_if_the_catalogue_had_not_changed() {
    for (before, after) in [(apart(), together()), (together(), apart())] {
        let [changed, unchanged] = [&after, &before].map(|plan| {
            let mut rig = Rig::new(&before);
            place(&mut rig, 30);
            rig.append(1, "order.fulfilled", 10);
            rig.assign();
            rig.pass(20);
            place(&mut rig, 31);
            // Delivered before it is fulfilled: held until the next process has the rest.
            let delivered = event_at("order.delivered", 11, 10);
            let log = rig.log(1);
            log.records.push(Some((delivered, MORNING + 10 * SECOND)));
            rig.pass(20);
            if !Arc::ptr_eq(plan, &before) {
                rig.keep_for_others();
            }
            let mut rig = rig.restart_as(plan);
            rig.assign();
            rig.pass(5);
            place(&mut rig, 32);
            rig.append(1, "order.fulfilled", 10);
            rig.pass(5);
            assert_eq!(rig.told(loses), 0);
            shown(&rig)
        });
        assert_eq!(changed.len(), 5, "counts, promises and a funnel");
        assert_eq!(changed, unchanged);
    }
}

#[test]
fn counts_of_a_join_that_is_given_up_go_on_apart() {
    let before = counts(&read_by(&together()));
    let mut rig = changed(&together(), &apart(), |_| {});
    rig.pass(2);
    assert_eq!(counts(&rig), before);
    let joined = || vec!["placed+fulfilled/0".to_owned()];
    assert_eq!(rig.carried(), [(joined(), vec![]), (joined(), vec![])]);
    assert_eq!(rig.told(loses), 0);
}

/// The names of a task's snapshots for others, the newest first: at least two.
fn versions(rig: &Rig, task: &str) -> Vec<String> {
    let names = rig.world.earlier.keys();
    let mut names: Vec<String> = names.filter(|it| it.starts_with(task)).cloned().collect();
    names.sort_by_key(|name| std::cmp::Reverse(name.rsplit('-').next().map(str::to_owned)));
    assert!(names.len() >= 2, "{names:?}");
    names
}

fn damage(rig: &mut Rig, name: &str) {
    let head = rig.world.earlier.get_mut(name).expect("it was saved");
    let middle = head.len() / 2;
    head[middle] ^= 1;
}

fn refused(rig: &Rig) -> Vec<String> {
    let told = rig.notices.iter().filter_map(|notice| match notice {
        Notice::Refused { name, .. } => Some(name.clone()),
        _ => None,
    });
    told.collect()
}

/// Both counts go on from just these two snapshots, and these were refused, in this order.
fn assert_carried(mut rig: Rig, from: [&String; 2], without: &[&String]) {
    rig.pass(2);
    let last_two = &rig.loads[rig.loads.len() - 2..];
    assert_eq!(last_two.iter().collect::<Vec<_>>(), from);
    assert_eq!(refused(&rig).iter().collect::<Vec<_>>(), without);
    assert_eq!(counts(&rig), counts(&read_by(&apart())));
    assert_eq!((rig.carried().len(), rig.told(loses)), (1, 0));
}

#[test]
fn a_task_does_not_go_back_to_an_older_snapshot_because_of_anothers() {
    for torn_first in [true, false] {
        let (mut ends, mut starts) = (Vec::new(), Vec::new());
        let rig = changed(&apart(), &together(), |rig| {
            (ends, starts) = (versions(rig, "fulfilled/"), versions(rig, "placed/"));
            let (newest, other) = match torn_first {
                true => (&ends[0], &starts[1]),
                false => (&starts[0], &ends[1]),
            };
            damage(rig, newest);
            damage(rig, other);
        });
        match torn_first {
            true => assert_carried(rig, [&ends[1], &starts[0]], &[&ends[0]]),
            false => assert_carried(rig, [&ends[0], &starts[1]], &[&starts[0]]),
        }
    }
}

#[test]
fn two_damaged_parts_are_refused_once_each_by_their_own_names() {
    let (mut ends, mut starts) = (Vec::new(), Vec::new());
    let rig = changed(&apart(), &together(), |rig| {
        (ends, starts) = (versions(rig, "fulfilled/"), versions(rig, "placed/"));
        damage(rig, &ends[0]);
        damage(rig, &starts[0]);
    });
    let from = [&ends[1], &starts[1]];
    assert_carried(rig, from, &[&ends[0], &starts[0]]);
}

#[test]
fn a_part_with_anothers_content_is_refused_by_its_own_name() {
    let (mut ends, mut starts) = (Vec::new(), Vec::new());
    let rig = changed(&apart(), &together(), |rig| {
        (ends, starts) = (versions(rig, "fulfilled/"), versions(rig, "placed/"));
        let other = rig.world.earlier[&starts[0]].clone();
        rig.world.earlier.insert(ends[0].clone(), other);
    });
    assert_carried(rig, [&ends[1], &starts[0]], &[&ends[0]]);
}

#[test]
fn parts_that_make_no_task_together_are_refused_by_all_their_names() {
    let (mut ends, mut starts) = (Vec::new(), Vec::new());
    let rig = changed(&apart(), &together(), |rig| {
        (ends, starts) = (versions(rig, "fulfilled/"), versions(rig, "placed/"));
        let older = rig.world.earlier[&ends[1]].clone();
        rig.world.earlier.insert(ends[0].clone(), older);
    });
    let both = format!("{} with {}", ends[0], starts[0]);
    assert_carried(rig, [&ends[1], &starts[1]], &[&both]);
}

#[test]
fn a_task_whose_only_part_is_damaged_is_asked_for_it_once_and_the_store_is_not_called_empty() {
    let mut newest = String::new();
    let mut rig = changed(&apart(), &together(), |rig| {
        newest = versions(rig, "placed/").remove(0);
        let kept = newest.clone();
        let earlier = &mut rig.world.earlier;
        earlier.retain(|name, _| !name.starts_with("placed/") || *name == kept);
        damage(rig, &newest);
    });
    rig.pass(2);
    assert_eq!(refused(&rig), [newest]);
    let both = vec!["fulfilled/0".to_owned(), "placed/0".to_owned()];
    assert_eq!(left(&rig), Some(both));
    let empty = |notice: &Notice| matches!(notice, Notice::TotalsLost { stored: 0, .. });
    assert_eq!((rig.told(loses), rig.told(empty)), (1, 0));
}

pub fn left(rig: &Rig) -> Option<Vec<String>> {
    rig.notices.iter().find_map(|notice| match notice {
        Notice::LeftBehind { tasks, .. } => Some(tasks.clone()),
        _ => None,
    })
}

#[test]
fn snapshots_from_before_an_old_join_are_no_reason_for_what_is_lost_later() {
    let mut rig = changed(&apart(), &together(), |_| {});
    rig.pass(2);
    rig.append(0, "order.placed", 4);
    rig.pass(20);
    assert!(!rig.world.earlier.is_empty() && !rig.world.heads.is_empty());
    rig.world.heads.clear();
    let mut rig = rig.restart();
    rig.assign();
    rig.pass(2);
    let empty = |notice: &Notice| matches!(notice, Notice::TotalsLost { stored: 0, .. });
    assert_eq!((left(&rig), rig.told(empty)), (None, 1));
}

#[test]
fn where_one_part_is_gone_totals_begin_anew_and_the_earlier_tasks_are_named() {
    let forget = |rig: &mut Rig| {
        rig.world
            .earlier
            .retain(|name, _| name.starts_with("placed/"))
    };
    let mut rig = changed(&apart(), &together(), forget);
    rig.pass(2);
    assert_eq!(left(&rig), Some(vec!["placed/0".to_owned()]));
    let empty = |notice: &Notice| matches!(notice, Notice::TotalsLost { stored: 0, .. });
    assert_eq!(
        (rig.told(loses), rig.told(empty)),
        (1, 0),
        "the store is not called empty"
    );
    assert_eq!(rig.orders(), Some(0));
}

#[test]
fn nothing_is_committed_before_the_carried_state_is_saved() {
    let mut rig = changed(&apart(), &together(), |_| {});
    let task = TaskId {
        group: 0,
        partition: 0,
    };
    while rig.sent.is_empty() {
        rig.pass_a_tenth();
    }
    assert!(rig.world.heads.keys().any(|one| one.0 == task));
}

#[test]
fn a_first_commit_behind_a_gap_counts_the_gap_again() {
    let mut rig = Rig::new(&apart());
    rig.append(0, "order.placed", 10);
    rig.log(0).start = 4;
    let place = (TopicId(0), 0);
    rig.world.committed.insert(place, (1, "by hand".to_owned()));
    rig.assign();
    assert_eq!(rig.committed(0), Some(1), "before the gap");
    let mut rig = rig.restart();
    rig.assign();
    rig.pass(2);
    let gaps: Vec<u64> = rig.board.values().map(|view| view.inputs[0].gap).collect();
    assert_eq!(gaps, [3, 0]);
    rig.pass(20);
}
