//! A task that was saved and restored goes on as if nothing had happened: the same state, the same
//! views, the same next snapshots. And the same offsets give the same snapshot, whatever the
//! interleaving and whatever was saved before.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use catalogue::plan::{Kind, KpiId};
use engine::Task;
use engine::snapshot::{SectionRef, Snapshot, references};
use engine::view::{Entries, KindView, KpiView, View};
use simulator::shop::Chance;

use super::agreement::{Case, Run, Smallest};
use super::seeds;
use super::streams::describe;

/// Keeps sections as a store does.
#[derive(Default)]
struct Store(BTreeMap<SectionRef, Arc<[u8]>>);

impl Store {
    /// Puts what is new and returns the whole snapshot, as it would be read back.
    fn keep(&mut self, snapshot: Snapshot) -> Snapshot {
        for section in snapshot.sections {
            self.0.insert(section.reference, section.bytes);
        }
        let references = references(&snapshot.head).expect("a head that was just made");
        let once: BTreeSet<SectionRef> = references.iter().copied().collect();
        assert_eq!(
            once.len(),
            references.len(),
            "a section is referred to once"
        );
        let section = |reference: &SectionRef| engine::snapshot::Section {
            reference: *reference,
            bytes: Arc::clone(self.0.get(reference).expect("handed out or stored before")),
        };
        Snapshot {
            sections: references.iter().map(section).collect(),
            head: snapshot.head,
        }
    }
}

/// Saves as a worker does: sometimes it doesn't come through.
fn save(task: &mut Task, store: &mut Store, chance: &mut Chance) -> Snapshot {
    let whole = store.keep(task.save(b"a note"));
    match chance.below(5) {
        0 => {}
        1 => task.nothing_is_stored(),
        _ => {
            let references: Vec<SectionRef> =
                whole.sections.iter().map(|it| it.reference).collect();
            task.stored(&references);
        }
    }
    whole
}

/// What is published, without what memory holds.
fn published(mut view: View) -> String {
    view.entries = Entries {
        bytes: 0,
        finished: 0,
        ..view.entries
    };
    view.kpis = published_kpis(view.clone());
    format!("{view:?}")
}

/// The KPIs of a view in an order that doesn't depend on who came first.
pub fn published_kpis(view: View) -> Vec<KpiView> {
    let mut kpis = view.kpis;
    for kpi in &mut kpis {
        if let KindView::Promise(series) = &mut kpi.series {
            series.sort_by(|one, other| one.labels.cmp(&other.labels));
        }
    }
    kpis
}

fn restored(case: &Case, snapshot: &Snapshot, sections_from: usize) -> Task {
    let restored = Task::restore(Arc::clone(&case.plan), 0, 0, snapshot).expect("a sound snapshot");
    assert_eq!(restored.anew, Vec::<String>::new(), "the plan is the same");
    restored.task.with_sections_from(sections_from)
}

/// The first difference between a task and its restored copy, of which one goes on after another.
fn first_difference(run: &mut Run<'_>, copy: &mut Task, chance: &mut Chance) -> Option<String> {
    if run.task.encode() != copy.encode() {
        return Some("state".to_owned());
    }
    let display = run.display(chance);
    let (one, other) = (
        published(run.task.view(display)),
        published(copy.view(display)),
    );
    if one != other {
        let at = one.bytes().zip(other.bytes()).take_while(|(a, b)| a == b);
        let at = at.count().saturating_sub(300);
        let part = |text: &str| {
            text.get(at..)
                .map(|text| text[..text.len().min(500)].to_owned())
        };
        return Some(format!("view: {:?}\n  {:?}", part(&one), part(&other)));
    }
    let overdue = |task: &mut Task| format!("{:?}", task.overdue(KpiId(0), display, 20));
    let (one, other) = (overdue(&mut run.task), overdue(copy));
    if one != other {
        return Some(format!("overdue: {one}\n  {other}"));
    }
    (run.task.save(b"x").head != copy.save(b"x").head).then(|| "snapshot".to_owned())
}

/// Goes through a case with saves and restores; what went wrong, and after how many records.
fn goes_on(case: &Case, chance: &mut Chance, counts: &mut [usize; 2]) -> Option<(usize, String)> {
    let sections_from = *chance.one_of(&[0, 0, 200, 1 << 20]);
    let often = *chance.one_of(&[0.02, 0.1, 0.3]);
    let mut run = Run::new(case);
    run.task = run.task.with_sections_from(sections_from);
    let mut store = Store::default();
    let mut copy: Option<Task> = None;
    for (done, input) in case.interleaving(chance).into_iter().enumerate() {
        run.step(input);
        if let Some(copy) = &mut copy {
            let mut follower = Run {
                case,
                task: copy.clone(),
                next: run.next.clone(),
            };
            follower.next[input] -= 1;
            follower.step(input);
            *copy = follower.task;
            if chance.happens(0.2)
                && let Some(found) = first_difference(&mut run, copy, chance)
            {
                return Some((done, found));
            }
        }
        if chance.happens(often) {
            let snapshot = save(&mut run.task, &mut store, chance);
            let mut fresh = restored(case, &snapshot, sections_from);
            counts[0] += 1;
            counts[1] += snapshot.sections.len();
            if let Some(found) = first_difference(&mut run, &mut fresh, chance) {
                return Some((done, format!("at once: {found}")));
            }
            if copy.is_none() || chance.happens(0.3) {
                copy = Some(fresh);
            }
        }
    }
    None
}

#[test]
fn a_restored_task_goes_on_as_the_saved_one() {
    let mut smallest = Smallest::default();
    let mut counts = [0; 2];
    for seed in seeds(1500) {
        let mut chance = Chance::new(seed);
        let case = Case::of(&mut chance);
        if let Some((done, found)) = goes_on(&case, &mut chance, &mut counts) {
            let kind: String = found
                .chars()
                .take_while(|letter| *letter != '\n')
                .take(20)
                .collect();
            smallest.add(&kind, done, || {
                let log = describe(&case.logs);
                format!(
                    "seed {seed} after {done}: {found}\n{:?}\n{log}",
                    case.recipe
                )
            });
        }
    }
    smallest.report();
    assert!(
        counts.iter().all(|count| *count > 100),
        "restored, sections: {counts:?}"
    );
}

#[test]
fn a_snapshot_is_the_same_bytes_for_any_interleaving_and_history_of_saves() {
    let mut smallest = Smallest::default();
    for seed in seeds(1000) {
        let mut chance = Chance::new(seed);
        let case = Case::of(&mut chance);
        let finish = |order: &[usize], saves: f64, chance: &mut Chance| {
            let mut run = Run::new(&case);
            run.task = run.task.with_sections_from(0);
            let mut store = Store::default();
            for input in order {
                run.step(*input);
                if chance.happens(saves) {
                    save(&mut run.task, &mut store, chance);
                }
            }
            store.keep(run.task.save(b"a note"))
        };
        let first = case.interleaving(&mut chance);
        let expected = finish(&first, 0.0, &mut chance);
        for saves in [0.0, 0.05, 0.5] {
            let order = case.interleaving(&mut chance);
            if finish(&order, saves, &mut chance) != expected {
                smallest.add("snapshot", case.records(), || {
                    let log = describe(&case.logs);
                    format!("seed {seed}, order {order:?}\n{:?}\n{log}", case.recipe)
                });
            }
        }
    }
    smallest.report();
}

/// Of state that one partition owns, memory is a function of the offsets, so full tables are too.
#[test]
fn full_tables_of_ids_and_carts_are_restored_as_full() {
    let mut smallest = Smallest::default();
    let (mut counts, mut full) = ([0; 2], 0);
    for seed in seeds(600) {
        let mut chance = Chance::new(seed);
        let mut case = Case::of(&mut chance);
        let plan = Arc::make_mut(&mut case.plan);
        plan.limits.dedupe_entries = chance.below(12) as usize;
        plan.limits.open_entities = 1 + chance.below(3) as usize;
        plan.limits.remembered_entities = 1 + chance.below(4) as usize;
        let is_promise =
            |kpi: &KpiId| matches!(plan.kpis[usize::from(kpi.0)].kind, Kind::Promise(_));
        let kpis = plan.groups[0].kpis.clone();
        plan.groups[0].kpis = kpis.into_iter().filter(|kpi| !is_promise(kpi)).collect();
        if let Some((done, found)) = goes_on(&case, &mut chance, &mut counts) {
            smallest.add("full", done, || {
                let log = describe(&case.logs);
                format!(
                    "seed {seed} after {done}: {found}\n{:?}\n{log}",
                    case.recipe
                )
            });
        }
        let mut run = Run::new(&case);
        for input in case.interleaving(&mut chance) {
            run.step(input);
        }
        full += usize::from(!run.task.view(run.display(&mut chance)).exact);
    }
    smallest.report();
    assert!(full > 100, "{full} cases hit a limit");
}
