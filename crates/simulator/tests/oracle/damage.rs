//! Snapshots of other plans, and bytes that are no snapshot: what can be kept is kept, what can't
//! is refused, and nothing ends the process.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use catalogue::plan::{Kind, KpiId, Plan};
use catalogue::{FileText, Sources, fingerprint};
use engine::Task;
use engine::snapshot::{Refusal, Section, SectionRef, Snapshot, note, outline, references};
use engine::view::View;
use events::EventTime;
use events::decode::{Decoder, ProjectedType, Projection};
use simulator::shop::{Chance, Produced, Shop, ShopSettings};
use xxhash_rust::xxh3::xxh3_128;

use super::agreement::{Case, Run};
use super::seeds;
use super::snapshots::published_kpis;

/// A snapshot somewhere in a case, with all its closed blocks as sections, and the run.
fn snapshot<'a>(case: &'a Case, chance: &mut Chance) -> (Run<'a>, Snapshot) {
    let mut run = Run::new(case);
    let order = case.interleaving(chance);
    let until = chance.below(order.len() as u64 + 1) as usize;
    for input in &order[..until] {
        run.step(*input);
    }
    let from = *chance.one_of(&[0, 1 << 20]);
    run.task = run.task.with_sections_from(from);
    let snapshot = run.task.save(b"whose it is");
    (run, snapshot)
}

/// Makes the checksum fit again.
fn seal(head: &mut [u8]) {
    let Some(body) = head.len().checked_sub(16) else {
        return;
    };
    let checksum = xxh3_128(&head[..body]).to_le_bytes();
    head[body..].copy_from_slice(&checksum);
}

/// Changes some bytes: a bit, a byte, a length that is huge, a piece cut out or doubled.
fn damage(bytes: &mut Vec<u8>, chance: &mut Chance) {
    if bytes.is_empty() {
        return;
    }
    let at = chance.below(bytes.len() as u64) as usize;
    match chance.below(6) {
        0 | 1 => bytes[at] ^= 1 << chance.below(8),
        2 => bytes[at] = *chance.one_of(&[0, 1, 2, 0x7f, 0x80, 0xff]),
        3 => {
            let huge = *chance.one_of(&[u64::MAX, 1 << 62, 1 << 40, 1 << 32, 70_000, 0]);
            let end = (at + 8).min(bytes.len());
            bytes[at..end].copy_from_slice(&huge.to_le_bytes()[..end - at]);
        }
        4 => {
            let end = (at + 1 + chance.below(40) as usize).min(bytes.len());
            bytes.drain(at..end);
        }
        _ => {
            let end = (at + 1 + chance.below(40) as usize).min(bytes.len());
            let piece = bytes[at..end].to_vec();
            bytes.splice(at..at, piece);
        }
    }
}

/// Damages a section and makes the head refer to what it is now.
fn damage_section(snapshot: &mut Snapshot, chance: &mut Chance) {
    let at = chance.below(snapshot.sections.len() as u64) as usize;
    let section = &mut snapshot.sections[at];
    let name = |reference: SectionRef| {
        let mut name = reference.hash.to_le_bytes().to_vec();
        name.extend(reference.length.to_le_bytes());
        name
    };
    let before = name(section.reference);
    let mut bytes = section.bytes.to_vec();
    damage(&mut bytes, chance);
    let reference = SectionRef {
        hash: xxh3_128(&bytes),
        length: bytes.len() as u64,
    };
    let found = snapshot.head.windows(24).position(|it| it == before);
    let found = found.expect("the head refers to its sections");
    snapshot.head[found..found + 24].copy_from_slice(&name(reference));
    *section = Section {
        reference,
        bytes: bytes.into(),
    };
}

/// A damaged snapshot is refused, or makes a task that can be worked with.
fn survives(run: &Run<'_>, snapshot: &Snapshot, chance: &mut Chance) -> bool {
    let plan = Arc::clone(&run.case.plan);
    let _ = outline(&snapshot.head);
    let Ok(restored) = Task::restore(plan, 0, 0, snapshot) else {
        return false;
    };
    let mut task = restored.task;
    task.view(EventTime(1_767_607_200_000_000));
    task.encode();
    task.save(b"");
    let mut copy = Run {
        case: run.case,
        task,
        next: run.next.clone(),
    };
    for input in 0..copy.next.len() {
        while copy.next[input] < run.case.logs[input].len() {
            copy.step(input);
        }
    }
    copy.task.view(copy.display(chance));
    copy.task.save(b"");
    true
}

#[test]
fn damaged_snapshots_are_refused_or_harmless() {
    let mut accepted = 0;
    for seed in seeds(400) {
        let mut chance = Chance::new(seed);
        let case = Case::of(&mut chance);
        let (run, sound) = snapshot(&case, &mut chance);
        for round in 0..40 {
            let mut broken = sound.clone();
            let in_section = !broken.sections.is_empty() && chance.happens(0.4);
            if in_section {
                damage_section(&mut broken, &mut chance);
            } else {
                // Past magic and version: those have a test of their own.
                let mut body = broken.head.split_off(10);
                damage(&mut body, &mut chance);
                broken.head.extend(body);
            }
            seal(&mut broken.head);
            let mut later = Chance::new(seed * 1000 + round);
            let survived = catch_unwind(AssertUnwindSafe(|| survives(&run, &broken, &mut later)));
            let survived = survived.unwrap_or_else(|_| {
                panic!("seed {seed}, round {round}: a damaged snapshot ended in a panic")
            });
            accepted += usize::from(survived);
        }
    }
    assert!(
        accepted > 100,
        "{accepted} came through: the others tested only refusals"
    );
}

#[test]
fn a_torn_snapshot_is_refused_with_a_reason() {
    for seed in seeds(50) {
        let mut chance = Chance::new(seed);
        let case = Case::of(&mut chance);
        let (_, sound) = snapshot(&case, &mut chance);
        assert_eq!(note(&sound.head), Ok(&b"whose it is"[..]));
        for _ in 0..20 {
            let mut head = sound.head.clone();
            if chance.happens(0.5) {
                head.truncate(chance.below(head.len() as u64) as usize);
            } else {
                let at = 10 + chance.below(head.len() as u64 - 10) as usize;
                head[at] ^= 1 << chance.below(8);
            }
            let refused = references(&head);
            assert!(
                matches!(refused, Err(Refusal::Torn(_))),
                "seed {seed}: {refused:?}"
            );
        }
        let restore = |snapshot: &Snapshot, partition| {
            let restored = Task::restore(Arc::clone(&case.plan), 0, partition, snapshot);
            restored.err().map(|refusal| refusal.to_string())
        };
        let foreign = restore(&sound, 1);
        assert_eq!(foreign.as_deref(), Some("foreign: of partition 0, not 1"));
        if !sound.sections.is_empty() {
            let mut missing = sound.clone();
            missing.sections.pop();
            let refused = restore(&missing, 0).expect("a section is missing");
            assert!(refused.starts_with("torn: section "), "{refused}");
        }
        let mut newer = sound.clone();
        newer.head[8] = 9;
        seal(&mut newer.head);
        let refused = restore(&newer, 0).expect("a newer version");
        assert!(refused.contains("written by a newer Kept"), "{refused}");
        newer.head[0] = b'X';
        let refused = restore(&newer, 0);
        assert_eq!(
            refused.as_deref(),
            Some("foreign: it doesn't begin like a snapshot")
        );
    }
}

/// The shipped packs, with definitions of a file's before and over theirs.
fn plan(definitions: &str) -> Arc<Plan> {
    let text = "[kafka]\nbrokers = \"localhost:9092\"\n[[kafka.topic]]\nname = \"shop.events\"\n\
                key = \"cart_id\"\n[catalogue]\nnamespace = \"shop\"\npacks = [\"promise\", \"cart\"]\n\
                files = [\"own.toml\"]\n";
    let own = FileText {
        name: "own.toml".into(),
        path: "own.toml".into(),
        text: Ok(definitions.into()),
    };
    let sources = Sources {
        path: "kept.toml",
        text,
        environment: &[],
        files: &[own],
    };
    let (_, plan) = catalogue::read(&sources).expect("a sound catalogue");
    Arc::new(plan)
}

fn decoder(plan: &Plan) -> Decoder {
    let types = plan.types.iter().map(|it| ProjectedType {
        name: it.name.clone(),
        keys: it
            .keys
            .iter()
            .map(|key| (key.field, key.required))
            .collect(),
    });
    Decoder::new(&Projection {
        types: types.collect(),
        fields: plan.fields.clone(),
        max_future: plan.time.max_future,
        max_bytes: plan.limits.record_bytes,
    })
}

fn feed(task: &mut Task, plan: &Plan, records: &[Produced]) {
    let mut decoder = decoder(plan);
    for record in records {
        let timestamp = Some(record.timestamp);
        let raw = events::Record {
            timestamp,
            key: Some(&record.key),
            value: Some(&record.value),
            headers: &[],
        };
        let offset = task.offsets().next().expect("one topic");
        match decoder.decode(&raw) {
            Ok(event) => task.apply(0, offset, timestamp, Ok(&event)),
            Err(reject) => task.apply(0, offset, timestamp, Err(reject)),
        }
    }
}

/// What a view shows of a KPI, in the order of labels.
fn shown(plan: &Plan, view: View, id: &str) -> String {
    let mut group = plan.groups[view.group].kpis.iter();
    let at = group.position(|kpi| plan.kpis[usize::from(kpi.0)].id == id);
    let view = published_kpis(view).swap_remove(at.expect("a KPI of the plan"));
    format!("{:?}", view.series)
}

#[test]
fn another_plan_keeps_the_kpis_that_are_the_same() {
    let start = EventTime(1_767_607_200_000_000);
    let settings = ShopSettings {
        partitions: 1,
        ..ShopSettings::demo(start)
    };
    let mut shop = Shop::new(7, settings);
    let minutes = |minutes: i64| EventTime(start.0 + minutes * 60_000_000);
    let first: Vec<Produced> = shop.until(minutes(5)).collect();
    let second: Vec<Produced> = shop.until(minutes(10)).collect();
    let definition = |within: &str| {
        format!(
            "[kpi.own]\nkind = \"promise\"\nhelp = \"Own\"\nwithin = \"{within}\"\nobjective = 0.9\n\
             by = [\"device\"]\n\
             start = {{ type = \"order.placed\", key = \"order_id\" }}\n\
             end = {{ type = \"order.shipped\", key = \"order_id\" }}\n"
        )
    };
    let added = "[kpi.added]\nkind = \"count\"\nhelp = \"Added\"\nevent = \"page.viewed\"\n\
                 by = [\"page_type\"]\n";
    let (before, after) = (
        plan(&definition("60s")),
        plan(&(added.to_owned() + &definition("61s"))),
    );
    let mut task = Task::new(Arc::clone(&before), 0, 0);
    feed(&mut task, &before, &first);
    let snapshot = task.save(b"");
    let restored = Task::restore(Arc::clone(&after), 0, 0, &snapshot).expect("a sound snapshot");
    let mut anew = restored.anew;
    anew.sort();
    assert_eq!(anew, ["added", "own"]);
    let mut copy = restored.task;
    let compare = |display: EventTime, task: &mut Task, copy: &mut Task| {
        let (one, other) = (task.view(display), copy.view(display));
        for kpi in &before.kpis {
            let same =
                shown(&before, one.clone(), &kpi.id) == shown(&after, other.clone(), &kpi.id);
            assert_eq!(same, kpi.id != "own", "{} at {display:?}", kpi.id);
        }
    };
    compare(minutes(5), &mut task, &mut copy);
    feed(&mut task, &before, &second);
    feed(&mut copy, &after, &second);
    compare(minutes(10), &mut task, &mut copy);
}

#[test]
fn a_fingerprint_changes_with_what_state_depends_on_and_with_nothing_else() {
    let text = "[kpi.own]\nkind = \"count\"\nhelp = \"Own\"\nevent = \"order.placed\"\n";
    let of = |plan: &Plan| {
        let at = plan.kpis.iter().position(|kpi| kpi.id == "own");
        let id = KpiId(at.expect("it is defined") as u16);
        (fingerprint::of_kpi(plan, id), fingerprint::of_plan(plan, 0))
    };
    let base = of(&plan(text));
    let shown_only = of(&plan(&(text.replace("Own", "Other") + "owner = \"us\"\n")));
    assert_eq!(base, shown_only);
    for more in ["by = [\"region\"]\n", "windows = [\"7m\"]\n"] {
        let changed = of(&plan(&(text.to_owned() + more)));
        assert!(base.0 != changed.0 && base.1 != changed.1, "{more}");
    }
    let filtered = text.replace(
        "\"order.placed\"",
        "{ type = \"order.placed\", where = { channel = \"web\" } }",
    );
    assert_ne!(base.0, of(&plan(&filtered)).0);
    let other = of(&plan(
        &(text.to_owned()
            + "[kpi.two]\nkind = \"count\"\nhelp = \"Two\"\nevent = \"page.viewed\"\n"),
    ));
    assert!(
        base.0 == other.0 && base.1 != other.1,
        "another KPI is another plan"
    );
}

/// A snapshot of a task that has lost its totals has the open orders still.
#[test]
fn totals_that_were_lost_begin_at_zero_and_the_rest_stays() {
    for seed in seeds(100) {
        let mut chance = Chance::new(seed);
        let case = Case::of(&mut chance);
        let (mut run, _) = snapshot(&case, &mut chance);
        let display = run.display(&mut chance);
        let before = run.task.view(display);
        let unread = vec![0; run.task.offsets().count()];
        run.task.zero_totals(&unread);
        let zeroed = run.task.save(b"");
        let plan = Arc::clone(&case.plan);
        let mut copy = Task::restore(plan, 0, 0, &zeroed).expect("sound").task;
        let after = copy.view(display);
        for (kpi, definition) in after.kpis.iter().zip(&case.plan.kpis) {
            let (engine::view::KindView::Promise(series), Kind::Promise(_)) =
                (&kpi.series, &definition.kind)
            else {
                continue;
            };
            let started: u64 = series.iter().map(|one| one.counters.started).sum();
            assert_eq!(started, 0, "seed {seed}");
            assert!(
                series.iter().all(|one| one.created.is_none()),
                "seed {seed}"
            );
        }
        assert_eq!(before.entries.open, after.entries.open, "seed {seed}");
        assert_eq!(before.offsets, after.offsets, "seed {seed}");
        assert_eq!(run.task.encode(), copy.encode(), "seed {seed}");
    }
}

/// What later sums would overflow with: the next offset and the clock of the first input.
#[test]
fn offsets_and_clocks_that_can_not_be_are_refused() {
    let case = Case::of(&mut Chance::new(1));
    let mut task = Task::new(Arc::clone(&case.plan), 0, 0);
    let sound = task.save(b"");
    // Behind magic, version, partition, an empty note, two lengths, the topic's name and another.
    let next_offset = 14 + 8 + 8 + 8 + (8 + case.plan.topics[0].name.len()) + 8;
    for (at, values) in [
        (next_offset, [-1, i64::MAX]),
        (next_offset + 8, [i64::MIN, i64::MAX]),
    ] {
        for value in values {
            let mut broken = sound.clone();
            broken.head[at..at + 8].copy_from_slice(&value.to_le_bytes());
            seal(&mut broken.head);
            let restored = Task::restore(Arc::clone(&case.plan), 0, 0, &broken);
            let refused = matches!(restored, Err(Refusal::Unsound(_)));
            assert!(refused, "{value} at {at}");
        }
    }
}
