//! Whole shops through the real decoder, the shipped packs and the engine, against the oracle:
//! every counter and window equal, percentiles within their stated bounds.

use std::sync::Arc;

use catalogue::plan::{Plan, TopicId};
use engine::Task;
use events::decode::{Decoder, ProjectedType, Projection};
use events::{EventTime, Record, Span};
use simulator::oracle::Oracle;
use simulator::shop::{Chance, Delay, Incident, Layout, Pace, Produced, Shop, ShopSettings};

use super::seeds;
use simulator::compare::{differences, percentile_differences, with_open_differences};

const START: EventTime = EventTime(1_767_607_200_000_000);
fn after(seconds: i64) -> EventTime {
    START + Span::from_seconds(seconds)
}

/// The plan that `kept run` would make of the shipped packs for this layout.
fn plan(layout: Layout) -> Arc<Plan> {
    let packs = match layout {
        Layout::OneTopic | Layout::FulfilmentApart => r#"["promise", "cart"]"#,
        Layout::TwoTopics => r#"["promise"]"#,
    };
    let mut text = format!(
        "[kafka]\nbrokers = \"localhost:9092\"\ngroup = \"kept\"\n[catalogue]\nnamespace = \"shop\"\npacks = {packs}\n"
    );
    for topic in layout.topics() {
        text += &format!(
            "[[kafka.topic]]\nname = {:?}\nkey = {:?}\ntypes = {:?}\n",
            topic.name, topic.key, topic.types
        );
    }
    let sources = catalogue::Sources {
        path: "kept.toml",
        text: &text,
        environment: &[],
        files: &[],
    };
    let (_, plan) = catalogue::read(&sources).expect("the packs fit the shop's topics");
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

/// Feeds a shop to the tasks and the oracle and compares at each of these seconds. Returns how
/// many windows had enough orders to compare their percentiles with open ones.
fn agrees(seed: u64, settings: &ShopSettings, looks: &[i64]) -> usize {
    let plan = plan(settings.layout);
    let mut decoder = decoder(&plan);
    let mut oracle = Oracle::new(Arc::clone(&plan));
    assert_eq!(plan.groups.len(), 1, "the shop's topics are one group");
    let topics = plan.groups[0].topics.len();
    let mut tasks: Vec<Task> = (0..settings.partitions)
        .map(|it| Task::new(Arc::clone(&plan), 0, it))
        .collect();
    let mut next = vec![vec![0; topics]; tasks.len()];
    let mut shop = Shop::new(seed, settings.clone());
    let mut compared = 0;
    for look in looks {
        for record in shop.until(after(*look)) {
            let partition = record.partition as usize;
            let offset = &mut next[partition][record.topic];
            apply(&mut tasks[partition], &mut decoder, *offset, &record);
            let topic = TopicId(record.topic as u16);
            let stamp = Some(record.timestamp);
            oracle.record(topic, record.partition, *offset, stamp, Some(&record.value));
            *offset += 1;
        }
        for (partition, task) in tasks.iter_mut().enumerate() {
            let display = after(*look) - Span::from_seconds(30);
            let expected = oracle.expect(0, partition as i32, &next[partition], display);
            let view = task.view(display);
            let mut found = differences(&plan, &view, &expected);
            found.extend(percentile_differences(&view, &expected));
            let (count, differences) = with_open_differences(&plan, &view, &expected, START);
            compared += count;
            found.extend(differences);
            let found = found.join("\n  ");
            assert!(
                found.is_empty(),
                "seed {seed}, partition {partition} at {look}\n  {found}"
            );
        }
    }
    compared
}

fn apply(task: &mut Task, decoder: &mut Decoder, offset: i64, record: &Produced) {
    let timestamp = Some(record.timestamp);
    let raw = Record {
        timestamp,
        key: Some(&record.key),
        value: Some(&record.value),
        headers: &[],
    };
    match decoder.decode(&raw) {
        Ok(event) => task.apply(record.topic, offset, timestamp, Ok(&event)),
        Err(reject) => task.apply(record.topic, offset, timestamp, Err(reject)),
    }
}

#[test]
fn the_demo_shop_agrees_through_its_incident() {
    for seed in seeds(2) {
        let settings = ShopSettings {
            partitions: 1,
            orders_per_second: 40.0,
            ..ShopSettings::demo(START)
        };
        let compared = agrees(seed, &settings, &[20, 70, 120, 180, 200, 260, 400]);
        assert!(
            compared > 10,
            "{compared} windows with open orders were compared"
        );
    }
}

#[test]
fn orders_and_fulfilments_on_two_topics_agree() {
    for seed in seeds(2) {
        let settings = ShopSettings {
            partitions: 2,
            orders_per_second: 40.0,
            ..ShopSettings::proof(START)
        };
        let compared = agrees(seed, &settings, &[60, 300, 600]);
        assert!(
            compared > 10,
            "{compared} windows with open orders were compared"
        );
    }
}

#[test]
fn rough_shops_agree() {
    for seed in seeds(8) {
        let mut chance = Chance::new(seed);
        let mut upto = |most: u64| Span::from_seconds(chance.below(most) as i64);
        let (from, lasts) = (START + upto(200), upto(400));
        let delays = [upto(60), upto(1200)];
        let pace = if chance.happens(0.5) {
            Pace::Stopped
        } else {
            Pace::Slower(6.0)
        };
        let region = chance.happens(0.3).then_some("uk");
        let settings = ShopSettings {
            orders_per_second: 5.0,
            partitions: 1,
            layout: *chance.one_of(&[Layout::OneTopic, Layout::TwoTopics, Layout::FulfilmentApart]),
            duplicate_share: 0.05,
            garbage_share: 0.02,
            out_of_order: Delay {
                share: 0.2,
                most: delays[0],
            },
            late: Delay {
                share: 0.05,
                most: delays[1],
            },
            incident: Some(Incident {
                from,
                to: from + lasts,
                pace,
                region,
            }),
            ..ShopSettings::demo(START)
        };
        agrees(seed, &settings, &[90, 250, 333, 500, 900, 2500]);
    }
}
