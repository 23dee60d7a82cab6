//! Adversarial logs: few keys, times that sit on the edges of every rule, and producers that do
//! everything wrong. A seed is a plan and a log.

use std::fmt::Write;

use catalogue::plan::{Plan, TopicId};
use events::{EventTime, KafkaTime};
use simulator::oracle::{Oracle, Read, read};
use simulator::shop::Chance;

use super::plans::{Recipe, TYPES};

/// A record of one topic, as bytes and as the oracle's decoder reads it.
#[derive(Clone, Debug)]
pub struct Line {
    /// Kafka's stamp.
    pub timestamp: Option<KafkaTime>,
    /// The record's value.
    pub value: Vec<u8>,
    /// Decoded, or the reject.
    pub content: Result<Read, events::Reject>,
}

/// Where every log begins, in seconds.
const BASE: i64 = 1_767_607_200;

/// A plan drawn by chance.
pub fn recipe(chance: &mut Chance) -> Recipe {
    let topics = 1 + chance.below(3) as usize;
    let any = |chance: &mut Chance| chance.below(topics as u64) as usize;
    let within = *chance.one_of(&[1, 2, 5, 10, 30]);
    Recipe {
        topics,
        end_topic: any(chance),
        step_topics: [any(chance), any(chance)],
        lateness: (0..topics)
            .map(|_| *chance.one_of(&[0, 1, 2, 5, 30]))
            .collect(),
        within,
        horizon: within + *chance.one_of(&[0, 5, 30, 60, 3600]),
        hold: *chance.one_of(&[0, 2, 10, 60]),
        idle_timeout: *chance.one_of(&[2, 5, 20, 120]),
        recover: *chance.one_of(&[0, 10, 100, 3600]),
        dedupe: *chance.one_of(&[0, 5, 30, 900, 900]),
        windows: chance
            .one_of(&[vec![1], vec![1, 5], vec![5, 60], vec![1, 5, 120]])
            .clone(),
        label_values: *chance.one_of(&[1, 2, 10, 10]),
    }
}

/// A log for each topic of the plan.
pub fn logs(plan: &Plan, recipe: &Recipe, chance: &mut Chance) -> Vec<Vec<Line>> {
    let mut author = Author {
        plan,
        recipe,
        keys: *chance.one_of(&[1, 2, 3, 8]),
        most: *chance.one_of(&[4, 12, 40, 120]),
        edges: *chance.one_of(&[0.0, 0.2, 0.5]),
        ids: 0,
        times: vec![BASE * 1_000_000],
        spans: spans(recipe),
    };
    let topics = 0..recipe.topics;
    topics.map(|topic| author.log(topic, chance)).collect()
}

/// Makes the logs, and remembers when things happened so that others happen just when it matters.
struct Author<'a> {
    plan: &'a Plan,
    recipe: &'a Recipe,
    keys: u64,
    most: u64,
    /// The share of records that sit on an edge.
    edges: f64,
    ids: u64,
    times: Vec<i64>,
    spans: Vec<i64>,
}

impl Author<'_> {
    fn log(&mut self, topic: usize, chance: &mut Chance) -> Vec<Line> {
        let on_topic = |index: &usize| self.recipe.topic_of(*index) == topic;
        let types: Vec<usize> = (0..TYPES.len()).filter(on_topic).collect();
        let idle = chance.happens(0.1);
        let count = if idle { 0 } else { chance.below(self.most + 1) };
        let mut cursor = BASE * 1_000_000;
        let mut lines: Vec<Line> = Vec::new();
        for _ in 0..count {
            // An edge in the past is a late event; one in the future moves the clock to it.
            let edge = self.edge(chance);
            cursor = edge.map_or_else(|| cursor + advance(chance), |edge| cursor.max(edge));
            let time = edge.unwrap_or_else(|| cursor + shift(chance));
            let value = if !lines.is_empty() && chance.happens(0.08) {
                chance.one_of(&lines).value.clone()
            } else {
                self.ids += 1;
                self.times.push(time);
                let name = type_name(&types, chance);
                value(name, time, self.ids, self.keys, chance)
            };
            let stamp = cursor + *chance.one_of(&[0, 0, 0, 0, 500_000, -3_000_000]);
            let stamp = KafkaTime(stamp + (-stamp).rem_euclid(1000));
            let timestamp = (!chance.happens(0.02)).then_some(stamp);
            let content = read(self.plan, timestamp, Some(&value));
            lines.push(Line {
                timestamp,
                value,
                content,
            });
        }
        lines
    }

    /// Some time after something, by just what a rule says, or a little more or less.
    fn edge(&self, chance: &mut Chance) -> Option<i64> {
        if !chance.happens(self.edges) {
            return None;
        }
        let nudge = *chance.one_of(&[0, 0, 0, 1, -1, 1_000_000, -1_000_000]);
        Some(chance.one_of(&self.times) + chance.one_of(&self.spans) + nudge)
    }
}

fn type_name(types: &[usize], chance: &mut Chance) -> &'static str {
    if types.is_empty() || chance.happens(0.03) {
        let misplaced = *chance.one_of(&["nobody.cares", "order.placed", "order.fulfilled"]);
        return misplaced;
    }
    TYPES[*chance.one_of(types)]
}

/// The spans that rules of this plan compare with, in microseconds.
fn spans(recipe: &Recipe) -> Vec<i64> {
    let longest = recipe.windows.last().map_or(0, |minutes| minutes * 60);
    let mut spans = vec![0, recipe.hold, recipe.within, recipe.dedupe];
    for lateness in &recipe.lateness {
        let silent = recipe.idle_timeout + lateness;
        spans.extend([
            *lateness,
            recipe.within + lateness,
            recipe.horizon + lateness,
        ]);
        spans.extend([silent, silent + recipe.recover, longest + lateness]);
    }
    spans.iter().map(|seconds| seconds * 1_000_000).collect()
}

/// How far time goes on until the next record.
fn advance(chance: &mut Chance) -> i64 {
    let whole = match chance.weighted(&[0.5, 0.3, 0.1, 0.08, 0.02]) {
        0 => chance.below(2),
        1 => chance.below(6),
        2 => chance.below(40),
        3 => 60 + chance.below(300),
        _ => 3600 * chance.below(4),
    };
    whole as i64 * 1_000_000
        + if chance.happens(0.2) {
            chance.below(1_000_000) as i64
        } else {
            0
        }
}

/// How far an event's time is from now.
fn shift(chance: &mut Chance) -> i64 {
    let seconds = match chance.weighted(&[0.55, 0.25, 0.08, 0.06, 0.04, 0.02]) {
        0 => 0,
        1 => -(chance.below(8) as i64),
        2 => -(chance.below(120) as i64),
        3 => chance.below(8) as i64,
        4 => -(chance.below(8000) as i64),
        _ => *chance.one_of(&[120, 300, 301, 86_400]),
    };
    seconds * 1_000_000
}

fn value(name: &str, time: i64, id: u64, keys: u64, chance: &mut Chance) -> Vec<u8> {
    if chance.happens(0.01) {
        return b"{ not json".to_vec();
    }
    let instant = jiff::Timestamp::from_microsecond(time).expect("a time of this century");
    let source = chance.one_of(&["/one", "/two"]);
    let mut text = format!(
        r#"{{"specversion":"1.0","id":"{id}","source":"{source}","type":"{name}","time":"{instant:.6}","data":{{"#
    );
    let number = 1 + chance.below(keys);
    let key = match chance.weighted(&[0.7, 0.28, 0.01, 0.01]) {
        0 => format!("\"{number}\""),
        1 => number.to_string(),
        2 => "1.5".to_owned(),
        _ => "null".to_owned(),
    };
    let member = if name.starts_with("cart") || name.starts_with("checkout") {
        "cart_id"
    } else {
        "order_id"
    };
    write!(text, "\"{member}\":{key}").expect("memory");
    match chance.below(6) {
        0 => {}
        1 => text.push_str(",\"region\":\"\""),
        other => write!(
            text,
            ",\"region\":\"{}\"",
            ["a", "a", "b", "c"][other as usize - 2]
        )
        .expect("memory"),
    }
    if chance.happens(0.8) {
        write!(text, ",\"quantity\":{}", chance.below(4)).expect("memory");
    }
    let (product, cents) = (chance.below(2), chance.below(1000));
    let money = format!("{}.{:02}", cents / 100, cents % 100);
    write!(
        text,
        r#","product_id":"p{product}","price":"{money}","total":"{money}","currency":"EUR"}}}}"#
    )
    .expect("memory");
    text.into_bytes()
}

/// An oracle that knows all of these records.
pub fn oracle(plan: &std::sync::Arc<Plan>, logs: &[Vec<Line>]) -> Oracle {
    let mut oracle = Oracle::new(std::sync::Arc::clone(plan));
    for (topic, lines) in logs.iter().enumerate() {
        for (offset, line) in lines.iter().enumerate() {
            let content = line.content.clone();
            let place = (TopicId(topic as u16), 0);
            oracle.record_read(place, offset as i64, line.timestamp, content);
        }
    }
    oracle
}

/// The log as a person reads it: offsets, Kafka's second and the event.
pub fn describe(logs: &[Vec<Line>]) -> String {
    let mut text = String::new();
    for (topic, lines) in logs.iter().enumerate() {
        for (offset, line) in lines.iter().enumerate() {
            let stamp = line.timestamp.map(|stamp| since_base(stamp.0));
            let event = match &line.content {
                Ok(event) => {
                    let values: Vec<_> = event.values().iter().map(|it| it.text()).collect();
                    let time = since_base(event.time.0);
                    format!("at {time} {} id {} {values:?}", event.type_name, event.id)
                }
                Err(reject) => format!("{reject:?}"),
            };
            writeln!(text, "  {topic}@{offset} kafka {stamp:?} {event}").expect("memory");
        }
    }
    text
}

fn since_base(micros: i64) -> f64 {
    (micros - BASE * 1_000_000) as f64 / 1e6
}

/// A display time after the base.
pub fn after_base(seconds: i64) -> EventTime {
    EventTime((BASE + seconds) * 1_000_000)
}
