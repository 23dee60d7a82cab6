//! Bytes that are no sound snapshot never make `restore` take memory out of proportion to them:
//! lengths are checked against what is left before anything is made room for. Counted by the
//! allocator of this test binary, which therefore has one test only.

#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use catalogue::plan::Plan;
use catalogue::{FileText, Sources};
use engine::Task;
use engine::snapshot::{Refusal, Snapshot};
use events::{Event, EventTime, KafkaTime, TypeId, Value};
use xxhash_rust::xxh3::xxh3_128;

/// The most bytes of memory for a byte of a snapshot: an open order of 33 bytes has its place, its
/// entry in the table, its seconds and what it waits for.
const FACTOR: usize = 24;
/// A task before its first record, and one entry of anything.
const CONSTANT: usize = 512 * 1024;

struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

fn took(bytes: usize) {
    let live = LIVE.fetch_add(bytes, Relaxed) + bytes;
    PEAK.fetch_max(live, Relaxed);
}

// SAFETY: every call goes to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        took(layout.size());
        // SAFETY: the caller keeps the contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller keeps the contract.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How many bytes more than before were in use at the worst moment.
fn peak(work: impl FnOnce()) -> usize {
    let before = LIVE.load(Relaxed);
    PEAK.store(before, Relaxed);
    work();
    PEAK.load(Relaxed) - before
}

fn plan() -> Arc<Plan> {
    read("packs = [\"promise\", \"cart\"]", "")
}

/// Orders are all that its snapshots are about.
fn one_promise() -> Arc<Plan> {
    let kpis = "[kpi.fulfilment]\nkind = \"promise\"\nhelp = \"From purchase to fulfilment\"\n\
                start = { type = \"order.placed\", key = \"order_id\" }\n\
                end = { type = \"order.fulfilled\", key = \"order_id\" }\n\
                within = \"60s\"\nobjective = 0.95\nwindows = [\"5m\"]\n";
    read("files = [\"kpis.toml\"]\n[time]\ndedupe = \"0s\"", kpis)
}

fn read(kpis_of: &str, kpis: &str) -> Arc<Plan> {
    let text = format!(
        "[kafka]\nbrokers = \"localhost:9092\"\n[[kafka.topic]]\nname = \"shop.events\"\n\
         key = \"cart_id\"\n[catalogue]\nnamespace = \"shop\"\n{kpis_of}\n"
    );
    let file = FileText {
        name: "kpis.toml".to_owned(),
        path: "kpis.toml".to_owned(),
        text: Ok(kpis.to_owned()),
    };
    let files = [file];
    let sources = Sources {
        path: "kept.toml",
        text: &text,
        environment: &[],
        files: if kpis.is_empty() { &[] } else { &files },
    };
    let (_, plan) = catalogue::read(&sources).expect("a sound catalogue");
    Arc::new(plan)
}

/// A task with open, finished and waited-for orders, carts, ids and windows, of so many records.
fn task(plan: &Arc<Plan>, records: i64) -> Task {
    const TYPES: [&str; 6] = [
        "cart.item_added",
        "checkout.started",
        "order.placed",
        "payment.authorized",
        "order.fulfilled",
        "order.fulfilled",
    ];
    let mut task = Task::new(Arc::clone(plan), 0, 0);
    for offset in 0..records {
        let step = offset as usize % TYPES.len();
        // The last one ends an order that nobody placed; every other order stays open.
        let unknown = step == 5 || step == 4 && offset % 4 == 0;
        let key = format!("{}-{}", if unknown { "x" } else { "o" }, offset / 6);
        put(&mut task, plan, offset, TYPES[step], &key);
    }
    task
}

/// One record, five of which are a second.
fn put(task: &mut Task, plan: &Plan, offset: i64, type_name: &str, key: &str) {
    let dimension = ["eu", "us", "asia"][offset as usize % 3];
    let value = |name: &String| match name.as_str() {
        "currency" => Value::Text("EUR"),
        name if name.ends_with("_id") => Value::Text(key),
        "quantity" | "unit_price" | "total" => Value::Text("2"),
        _ => Value::Text(dimension),
    };
    let fields: Vec<Value<'_>> = plan.fields.iter().map(value).collect();
    let known = plan.types.iter().position(|it| it.name == type_name);
    let at = 1_767_607_200_000_000 + offset * 200_000;
    let event = Event {
        source: "/shop",
        id: &offset.to_string(),
        type_name,
        type_id: known.map(|at| TypeId(at as u16)),
        time: EventTime(at),
        fields: &fields,
    };
    task.apply(0, offset, Some(KafkaTime(at)), Ok(&event));
}

/// The next number of a series that depends on the seed alone.
fn next(seed: &mut u64) -> usize {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
    (*seed >> 33) as usize
}

/// Puts a length or a number where there was another one, and makes the checksum fit.
fn damage(head: &mut [u8], seed: &mut u64) {
    const LENGTHS: [u64; 7] = [u64::MAX, 1 << 62, 1 << 40, 1 << 32, 1 << 24, 70_000, 0];
    let body = head.len() - 16;
    for _ in 0..1 + next(seed) % 3 {
        let at = 14 + next(seed) % (body - 22);
        let length = LENGTHS[next(seed) % LENGTHS.len()].to_le_bytes();
        head[at..at + 8].copy_from_slice(&length);
    }
    seal(head);
}

/// What became of a restore, and the most memory that it took.
fn tried(plan: &Arc<Plan>, snapshot: &Snapshot, what: &str) -> (Result<(), Refusal>, usize) {
    let mut outcome = Ok(Ok(()));
    let peak = peak(|| {
        outcome = catch_unwind(AssertUnwindSafe(|| {
            Task::restore(Arc::clone(plan), 0, 0, snapshot).map(drop)
        }));
    });
    let outcome = outcome.unwrap_or_else(|_| panic!("{what} ends in a panic"));
    (outcome, peak)
}

fn bytes(snapshot: &Snapshot) -> usize {
    let sections = snapshot.sections.iter();
    snapshot.head.len() + sections.map(|it| it.bytes.len()).sum::<usize>()
}

/// Makes the checksum fit.
fn seal(head: &mut [u8]) {
    let body = head.len() - 16;
    let checksum = xxh3_128(&head[..body]).to_le_bytes();
    head[body..].copy_from_slice(&checksum);
}

/// Lengths at random places of a large snapshot.
fn random_damage(plan: &Arc<Plan>) {
    for sections_from in [0, usize::MAX] {
        let mut task = task(plan, 3000).with_sections_from(sections_from);
        let sound = task.save(b"note");
        assert_eq!(tried(plan, &sound, "a sound one").0, Ok(()));
        let bound = bytes(&sound) * FACTOR + CONSTANT;
        let (mut refused, mut worst) = (0, 0);
        for round in 0..400 {
            let mut seed = round * 2 + u64::from(sections_from == 0);
            let mut snapshot = sound.clone();
            damage(&mut snapshot.head, &mut seed);
            let (outcome, peak) = tried(plan, &snapshot, &format!("round {round}"));
            refused += usize::from(matches!(outcome, Err(Refusal::Unsound(_))));
            worst = worst.max(peak);
            assert!(peak <= bound, "round {round}: {peak} bytes, not {bound}");
        }
        assert!(refused > 100, "{refused} were refused as unsound");
        assert!(worst > sound.head.len(), "{worst}: the allocator counts");
    }
}

/// Every place of a small snapshot where there is a length, and others that look like one: one that
/// is too large for a sum, one that is merely huge, and the greatest that the bytes behind it allow.
fn each_length_in_turn(plan: &Arc<Plan>) {
    let empty = Task::new(Arc::clone(plan), 0, 0).save(b"");
    let sound = task(plan, 36).save(b"note");
    let bound = sound.head.len() * FACTOR + 2 * tried(plan, &empty, "an empty one").1;
    let body = sound.head.len() - 16;
    let mut lengths = 0;
    for at in 14..body - 8 {
        let place = at..at + 8;
        let before: [u8; 8] = sound.head[place.clone()].try_into().expect("eight bytes");
        if u64::from_le_bytes(before) > body as u64 {
            continue;
        }
        for length in [u64::MAX, 1 << 24, (body - at - 8) as u64] {
            let mut snapshot = sound.clone();
            snapshot.head[place.clone()].copy_from_slice(&length.to_le_bytes());
            seal(&mut snapshot.head);
            let what = format!("{length} at {at}");
            let (outcome, peak) = tried(plan, &snapshot, &what);
            assert!(peak <= bound, "{what}: {peak} bytes, not {bound}");
            let beyond = |text: &String| text == "a length beyond the end";
            lengths += usize::from(matches!(outcome, Err(Refusal::Unsound(text)) if beyond(&text)));
        }
    }
    assert!(lengths > 100, "{lengths} were refused as lengths");
}

/// More orders than the bytes behind their count can hold, though fewer than there are bytes.
fn more_orders_than_fit() {
    let plan = &one_promise();
    const ORDERS: i64 = 2003;
    let mut task = Task::new(Arc::clone(plan), 0, 0);
    (0..ORDERS)
        .for_each(|number| put(&mut task, plan, number, "order.placed", &number.to_string()));
    let sound = task.save(b"");
    let bound = bytes(&sound) * FACTOR + CONSTANT;
    let body = sound.head.len() - 16;
    let is_count = |at: &usize| sound.head[*at..].starts_with(&ORDERS.to_le_bytes());
    let counts: Vec<usize> = (14..body - 8).filter(is_count).collect();
    assert!(!counts.is_empty(), "the orders are counted");
    for (at, eighths) in counts
        .iter()
        .flat_map(|at| (1..=8).map(move |it| (*at, it)))
    {
        let mut snapshot = sound.clone();
        let length = (body - at - 8) as u64 * eighths / 8;
        snapshot.head[at..at + 8].copy_from_slice(&length.to_le_bytes());
        seal(&mut snapshot.head);
        let (_, peak) = tried(plan, &snapshot, &format!("{length} at {at}"));
        assert!(peak <= bound, "{length} at {at}: {peak} bytes, not {bound}");
    }
}

/// Tables that are nearly all of a snapshot have room for what is there and hardly more.
fn sound_tables(plan: &Arc<Plan>) {
    // Just below what makes a table double: 7/8 of a power of two.
    let ids = |task: &mut Task, number: i64| put(task, plan, number, "nobody.asks", "x");
    let finished = |task: &mut Task, number: i64| {
        let key = (number / 2).to_string();
        let name = ["order.placed", "order.fulfilled"][number as usize % 2];
        put(task, plan, number, name, &key);
    };
    let empty = Task::new(Arc::clone(plan), 0, 0).save(b"");
    let empty = tried(plan, &empty, "an empty one").1;
    for (what, records, factor) in [("ids", 28_000, 3), ("finished orders", 28_000, 4)] {
        let mut task = Task::new(Arc::clone(plan), 0, 0);
        for number in 0..records {
            match what {
                "ids" => ids(&mut task, number),
                _ => finished(&mut task, number),
            }
        }
        let sound = task.save(b"");
        let (outcome, peak) = tried(plan, &sound, what);
        assert_eq!(outcome, Ok(()), "{what}");
        let bound = bytes(&sound) * factor + 2 * empty;
        assert!(peak <= bound, "{what}: {peak} bytes, not {bound}");
    }
}

/// One closed block of ids is referred to again and again: it would count each time.
fn a_section_many_times(plan: &Arc<Plan>) {
    const TIMES: usize = 4000;
    const REFERENCE: usize = 8 + 1 + 4;
    let sound = task(plan, 12_000).with_sections_from(0).save(b"");
    // Number, tag and index of the first section and of the next one; sections of ids come first.
    let is_first = |at: &usize| {
        let (one, other) = (&sound.head[at + 8..], &sound.head[at + REFERENCE + 8..]);
        one.starts_with(&[1, 0, 0, 0, 0]) && other.starts_with(&[1, 1, 0, 0, 0])
    };
    let first = (14..sound.head.len() - 2 * REFERENCE).find(is_first);
    let first = first.expect("two closed blocks of ids");
    let mut snapshot = sound.clone();
    let reference = sound.head[first..first + REFERENCE].repeat(TIMES);
    snapshot.head.splice(first..first, reference);
    let mut grow = |at: usize, by: usize| {
        let length: [u8; 8] = sound.head[at..at + 8].try_into().expect("eight bytes");
        let length = u64::from_le_bytes(length) + by as u64;
        snapshot.head[at..at + 8].copy_from_slice(&length.to_le_bytes());
    };
    // The number of blocks, and before them the lengths of all inputs and of this one's state.
    grow(first - 8, TIMES);
    let inputs = 14 + 8;
    grow(inputs, TIMES * REFERENCE);
    grow(inputs + 8 + 8 + 8 + "shop.events".len(), TIMES * REFERENCE);
    seal(&mut snapshot.head);
    let (outcome, peak) = tried(plan, &snapshot, "a section many times");
    let expected = Refusal::Unsound("blocks that don't ascend".into());
    assert_eq!(outcome, Err(expected));
    let bound = bytes(&snapshot) * FACTOR + CONSTANT;
    assert!(peak <= bound, "{peak} bytes, not {bound}");
}

#[test]
fn restoring_takes_memory_in_proportion_to_the_bytes_whatever_they_are() {
    let plan = plan();
    random_damage(&plan);
    each_length_in_turn(&plan);
    more_orders_than_fit();
    sound_tables(&plan);
    a_section_many_times(&plan);
}
