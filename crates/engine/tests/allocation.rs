//! Bytes that are no sound snapshot never make `restore` take memory out of proportion to them:
//! lengths are checked against what is left before anything is made room for. Counted by the
//! allocator of this test binary, which therefore has one test only.

#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use catalogue::plan::Plan;
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
    let sources = catalogue::Sources {
        path: "kept.toml",
        text: "[kafka]\nbrokers = \"localhost:9092\"\n[[kafka.topic]]\nname = \"shop.events\"\n\
               key = \"cart_id\"\n[catalogue]\nnamespace = \"shop\"\npacks = [\"promise\", \"cart\"]\n",
        environment: &[],
        files: &[],
    };
    let (_, plan) = catalogue::read(&sources).expect("a sound catalogue");
    Arc::new(plan)
}

/// A task with open, finished and waited-for orders, carts, ids and windows.
fn task(plan: &Arc<Plan>) -> Task {
    const TYPES: [&str; 6] = [
        "cart.item_added",
        "checkout.started",
        "order.placed",
        "payment.authorized",
        "order.fulfilled",
        "order.fulfilled",
    ];
    let mut task = Task::new(Arc::clone(plan), 0, 0);
    for offset in 0..3000i64 {
        let step = offset as usize % TYPES.len();
        // The last one ends an order that nobody placed; every other order stays open.
        let unknown = step == 5 || step == 4 && offset % 4 == 0;
        let key = format!("{}-{}", if unknown { "x" } else { "o" }, offset / 6);
        let dimension = ["eu", "us", "asia"][offset as usize % 3];
        let value = |name: &String| match name.as_str() {
            "currency" => Value::Text("EUR"),
            name if name.ends_with("_id") => Value::Text(&key),
            "quantity" | "unit_price" | "total" => Value::Text("2"),
            _ => Value::Text(dimension),
        };
        let fields: Vec<Value<'_>> = plan.fields.iter().map(value).collect();
        let known = plan.types.iter().position(|it| it.name == TYPES[step]);
        let at = 1_767_607_200_000_000 + offset * 200_000;
        let event = Event {
            source: "/shop",
            id: &offset.to_string(),
            type_name: TYPES[step],
            type_id: known.map(|at| TypeId(at as u16)),
            time: EventTime(at),
            fields: &fields,
        };
        task.apply(0, offset, Some(KafkaTime(at)), Ok(&event));
    }
    task
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
    let checksum = xxh3_128(&head[..body]).to_le_bytes();
    head[body..].copy_from_slice(&checksum);
}

#[test]
fn restoring_takes_memory_in_proportion_to_the_bytes_whatever_they_are() {
    let plan = plan();
    for sections_from in [0, usize::MAX] {
        let mut task = task(&plan).with_sections_from(sections_from);
        let sound = task.save(b"note");
        let restore = |snapshot: &Snapshot| {
            let restored = Task::restore(Arc::clone(&plan), 0, 0, snapshot);
            restored.map(drop)
        };
        assert_eq!(restore(&sound), Ok(()));
        let sections: usize = sound.sections.iter().map(|it| it.bytes.len()).sum();
        let bound = (sound.head.len() + sections) * FACTOR + CONSTANT;
        let (mut refused, mut worst) = (0, 0);
        for round in 0..400 {
            let mut seed = round * 2 + u64::from(sections_from == 0);
            let mut snapshot = sound.clone();
            damage(&mut snapshot.head, &mut seed);
            let mut outcome = Ok(Ok(()));
            let peak = peak(|| {
                outcome = catch_unwind(AssertUnwindSafe(|| restore(&snapshot)));
            });
            let outcome = outcome.unwrap_or_else(|_| panic!("round {round} ends in a panic"));
            refused += usize::from(matches!(outcome, Err(Refusal::Unsound(_))));
            worst = worst.max(peak);
            assert!(peak <= bound, "round {round}: {peak} bytes, not {bound}");
        }
        assert!(refused > 100, "{refused} were refused as unsound");
        assert!(worst > sound.head.len(), "{worst}: the allocator counts");
    }
}
