//! What bounds the state, under producers that would make it grow: the limits hold, say so, and
//! don't make the state depend on how partitions interleave.

use std::sync::Arc;

use catalogue::estimate::label_set_limit;
use catalogue::plan::Plan;
use engine::view::{KindView, View};
use engine::{EntityLimit, Task};
use events::{Event, EventTime, KafkaTime, TypeId, Value};

use super::plans::{Recipe, TYPES};

const NOW: i64 = 1_767_607_200;
const DAY: i64 = 86_400;

/// Orders on topic 0 end on `end_topic`; their second step is read from `step_topic`.
fn recipe(topics: usize, end_topic: usize, step_topic: usize) -> Recipe {
    Recipe {
        topics,
        end_topic,
        step_topics: [0, step_topic],
        lateness: vec![30; topics],
        within: 60,
        horizon: DAY,
        hold: 900,
        idle_timeout: 1800,
        recover: DAY,
        dedupe: 900,
        windows: vec![5, 60],
        label_values: 100,
    }
}

/// A task and the next offset of its inputs.
struct Feed {
    task: Task,
    plan: Arc<Plan>,
    offset: i64,
}

impl Feed {
    fn new(recipe: &Recipe, remembered: usize) -> Feed {
        let mut plan = recipe.plan();
        plan.limits.remembered_entities = remembered;
        Feed::of(plan)
    }

    fn of(plan: Plan) -> Feed {
        let plan = Arc::new(plan);
        Feed {
            task: Task::new(Arc::clone(&plan), 0, 0),
            plan,
            offset: 0,
        }
    }

    /// Another one that goes on from a snapshot of this one.
    fn restored(&mut self) -> Feed {
        let snapshot = self.task.save(b"");
        let restored = Task::restore(Arc::clone(&self.plan), 0, 0, &snapshot);
        Feed {
            task: restored.expect("a sound snapshot").task,
            plan: Arc::clone(&self.plan),
            offset: self.offset,
        }
    }

    /// One event, stamped by Kafka at `stamped`; times in seconds.
    fn put(
        &mut self,
        input: usize,
        type_name: &str,
        key: &str,
        region: &str,
        at: i64,
        stamped: i64,
    ) {
        let fields = [Value::Missing; 8];
        self.put_fields(input, type_name, key, region, (at, stamped), fields);
    }

    /// The same, with what else it says by `FIELDS`.
    fn put_fields<'a>(
        &mut self,
        input: usize,
        type_name: &str,
        key: &'a str,
        region: &'a str,
        (at, stamped): (i64, i64),
        mut fields: [Value<'a>; 8],
    ) {
        let number = TYPES
            .iter()
            .position(|name| *name == type_name)
            .expect("a type of the plan");
        let is_order = type_name.starts_with("order.") || type_name.starts_with("payment.");
        fields[if is_order { 0 } else { 1 }] = Value::Text(key);
        fields[2] = Value::Text(region);
        let id = self.offset.to_string();
        let event = Event {
            source: "/test",
            id: &id,
            type_name,
            type_id: Some(TypeId(number as u16)),
            time: EventTime(at * 1_000_000),
            fields: &fields,
        };
        let stamped = KafkaTime(stamped * 1_000_000);
        self.task
            .apply(input, self.offset, Some(stamped), Ok(&event));
        self.offset += 1;
    }

    fn view(&mut self, at: i64) -> View {
        self.task.view(EventTime(at * 1_000_000))
    }
}

fn started(view: &View) -> u64 {
    let promises = view.kpis.iter().filter_map(|kpi| match &kpi.series {
        KindView::Promise(series) => {
            Some(series.iter().map(|one| one.counters.started).sum::<u64>())
        }
        _ => None,
    });
    promises.sum()
}

/// A month of carts on one topic, one event of a later day on the other: whichever comes first.
#[test]
fn a_full_funnel_makes_room_by_its_own_clock_alone() {
    let bytes = [true, false].map(|other_first| {
        let mut feed = Feed::new(&recipe(2, 1, 0), 300);
        let other = |feed: &mut Feed| {
            feed.put(
                1,
                "order.fulfilled",
                "o",
                "a",
                NOW + 40 * DAY,
                NOW + 40 * DAY,
            )
        };
        if other_first {
            feed.offset = 3000;
            other(&mut feed);
            feed.offset = 0;
        }
        for cart in 0..3000 {
            let at = NOW + cart * 864;
            feed.put(0, "cart.item_added", &cart.to_string(), "a", at, at);
        }
        if !other_first {
            other(&mut feed);
        }
        let view = feed.view(NOW + 40 * DAY);
        assert!(view.exact, "a hundred carts a day fit into three hundred");
        feed.task.encode()
    });
    assert!(bytes[0] == bytes[1], "the same offsets, the same bytes");
}

#[test]
fn a_key_started_again_and_again_in_the_past_leaves_no_chain() {
    let mut feed = Feed::new(&recipe(1, 0, 0), 1 << 20);
    feed.put(0, "cart.item_added", "c", "a", NOW, NOW);
    for _ in 0..2000 {
        feed.put(0, "order.placed", "0", "a", 0, NOW);
    }
    let view = feed.view(NOW);
    assert_eq!(
        started(&view),
        2000,
        "each is past the horizon of the one before"
    );
    assert!(
        view.entries.finished <= 2,
        "{} are remembered",
        view.entries.finished
    );
    assert!(view.exact);
}

#[test]
fn a_silent_topic_of_a_step_does_not_keep_orders_for_ever() {
    let mut feed = Feed::new(&recipe(2, 0, 1), 5000);
    for order in 0..20_000 {
        let at = NOW + order * 60;
        let key = order.to_string();
        feed.put(0, "order.placed", &key, "a", at, at);
        feed.put(0, "order.fulfilled", &key, "a", at + 1, at + 1);
    }
    let view = feed.view(NOW + 20_000 * 60);
    assert_eq!(started(&view), 20_000, "all of them are counted");
    assert!(
        view.entries.finished <= 5000,
        "{} are remembered",
        view.entries.finished
    );
    assert!(!view.exact, "a step may come for one that was let go of");
}

#[test]
fn label_sets_beyond_their_limit_are_other_and_the_total_stays() {
    let recipe = Recipe {
        label_values: 20_000,
        ..recipe(1, 0, 0)
    };
    let mut feed = Feed::new(&recipe, 1 << 20);
    for order in 0..10_500 {
        let key = order.to_string();
        feed.put(0, "order.placed", &key, &key, NOW, NOW);
    }
    let view = feed.view(NOW);
    assert_eq!(started(&view), 10_500);
    let overflow = view.kpis.iter().find_map(|kpi| match &kpi.series {
        KindView::Promise(series) => Some((series.len(), kpi.label_overflow.clone())),
        _ => None,
    });
    let (sets, overflow) = overflow.expect("the plan has a promise");
    assert_eq!((sets, overflow[0]), (10_001, 500));
}

/// 400 series are room for only so many label sets of each KPI, by the lines that one has.
#[test]
fn label_sets_beyond_max_series_are_other_and_counted() {
    let mut plan = recipe(1, 0, 0).plan();
    plan.limits.max_series = 400;
    let room: Vec<u64> = plan
        .kpis
        .iter()
        .map(|kpi| label_set_limit(&plan, kpi))
        .collect();
    assert!(room.iter().all(|room| (2..90).contains(room)), "{room:?}");
    let mut feed = Feed::of(plan);
    for order in 0..90 {
        let key = order.to_string();
        feed.put(0, "order.placed", &key, &key, NOW, NOW);
    }
    let view = feed.view(NOW);
    assert_eq!(started(&view), 90, "the total stays right");
    for (kpi, room) in view.kpis.iter().zip(&room) {
        let KindView::Promise(series) = &kpi.series else {
            continue;
        };
        let found = (series.len() as u64, kpi.label_overflow[0]);
        let expected = (room + 1, 90 - room);
        assert_eq!(found, expected, "label sets with `other`, overflow");
    }
}

/// Two tasks with as many events of one cart, which differ in how many products there are.
#[test]
fn the_lines_of_carts_are_part_of_the_bytes() {
    let bytes = [1, 400].map(|products| {
        let mut feed = Feed::new(&recipe(1, 0, 0), 1 << 20);
        for event in 0..400 {
            let product = (event % products).to_string();
            let mut fields = [Value::Missing; 8];
            fields[3] = Value::Text(&product);
            fields[5] = Value::Text("1.00");
            fields[6] = Value::Text("EUR");
            feed.put_fields(0, "cart.item_added", "c", "a", (NOW, NOW), fields);
        }
        feed.view(NOW).entries.bytes
    });
    assert!(
        bytes[1] >= bytes[0] + 399 * 64,
        "one product: {}, 400: {}",
        bytes[0],
        bytes[1]
    );
}

/// One open order and one fact that waits are all there is room for.
#[test]
fn what_a_full_promise_refused_is_restored() {
    let mut plan = recipe(1, 0, 0).plan();
    plan.limits.open_entities = 1;
    plan.limits.held_entities = 1;
    let mut feed = Feed::of(plan);
    for (type_name, key) in [
        ("order.placed", "1"),
        ("order.placed", "2"),
        ("order.placed", "3"),
        ("order.fulfilled", "4"),
        ("order.fulfilled", "5"),
    ] {
        feed.put(0, type_name, key, "a", NOW, NOW);
    }
    let mut copy = feed.restored();
    for feed in [&mut feed, &mut copy] {
        let view = feed.view(NOW);
        let expected = [
            (EntityLimit::Open, 2),
            (EntityLimit::Held, 1),
            (EntityLimit::Remembered, 0),
        ];
        assert_eq!(view.kpis[0].entities_overflow, expected);
        assert!(!view.exact, "three events found no room");
    }
}

/// An order a minute, each finished at once, but for a step on a silent topic: a full table. After
/// a day the first can be let go of, at the next look through the table, which are 23 orders apart:
/// a restored task has to look when the saved one does.
#[test]
fn a_full_table_of_orders_makes_room_when_it_would_have_without_the_restart() {
    let mut feed = Feed::new(&recipe(2, 0, 1), 1000);
    let put = |feed: &mut Feed, order: i64| {
        let (at, key) = (NOW + order * 60, order.to_string());
        feed.put(0, "order.placed", &key, "a", at, at);
        feed.put(0, "order.fulfilled", &key, "a", at + 1, at + 1);
    };
    let mut copies: Vec<Feed> = Vec::new();
    for order in 0..1500 {
        put(&mut feed, order);
        copies.iter_mut().for_each(|copy| put(copy, order));
        if order >= 1440 {
            copies.push(feed.restored());
        }
    }
    let at = NOW + 1500 * 60;
    let expected = feed.view(at);
    let refused = expected.kpis[0].entities_overflow[2];
    assert!(refused.0 == EntityLimit::Remembered && refused.1 > 400);
    assert!(started(&expected) > 1010, "room was made after a day");
    for (number, copy) in copies.iter_mut().enumerate() {
        let view = copy.view(at);
        let found = (started(&view), view.kpis[0].entities_overflow[2].1);
        let expected = (started(&expected), refused.1);
        assert_eq!(found, expected, "restored after order {}", 1440 + number);
    }
}

#[test]
fn that_orders_were_let_go_of_is_restored() {
    let mut feed = Feed::new(&recipe(2, 0, 1), 50);
    for order in 0..200 {
        let (at, key) = (NOW + order * 3600, order.to_string());
        feed.put(0, "order.placed", &key, "a", at, at);
        feed.put(0, "order.fulfilled", &key, "a", at + 1, at + 1);
    }
    let mut copy = feed.restored();
    let at = NOW + 200 * 3600;
    let (view, again) = (feed.view(at), copy.view(at));
    let refused = |view: &View| view.kpis[0].entities_overflow.iter().any(|it| it.1 > 0);
    assert!(!refused(&view) && !refused(&again), "all found room");
    assert!(!view.exact && !again.exact, "a step may still come for one");
}

#[test]
fn an_id_that_found_no_room_is_told() {
    let mut plan = recipe(1, 0, 0).plan();
    plan.limits.dedupe_entries = 2;
    let mut feed = Feed::of(plan);
    let exact = [0, 1, 2].map(|cart| {
        feed.put(0, "cart.viewed", &cart.to_string(), "a", NOW, NOW);
        feed.view(NOW).exact
    });
    assert_eq!(exact, [true, true, false]);
}

/// The same source and id on two topics of one task are two events.
#[test]
fn ids_are_remembered_by_topic() {
    let mut feed = Feed::new(&recipe(2, 1, 0), 1 << 20);
    feed.put(0, "order.placed", "o", "a", NOW, NOW);
    feed.offset = 0;
    feed.put(1, "order.fulfilled", "o", "a", NOW, NOW);
    let view = feed.view(NOW);
    let duplicates = view.inputs.iter().flat_map(|input| &input.events);
    assert_eq!(duplicates.map(|events| events.duplicate).sum::<u64>(), 0);
    let KindView::Promise(series) = &view.kpis[0].series else {
        panic!("the first is a promise")
    };
    assert_eq!(series[0].counters.completed, 1);
}
