//! Plans made by hand, so that every span can be set to something small and awkward.
//!
//! One group of one to three topics with a promise (two steps, a cancel), two funnels (reached, and
//! ordered with a value), a count with a sum and a ratio.

use catalogue::plan::{
    Buckets, CartValue, Count, Dimension, EntityKey, EventType, FieldId, Filter, Funnel,
    FunnelMode, Group, Keyed, Kind, Kpi, KpiId, Limits, Part, Plan, Promise, Ratio, Role, Selector,
    Span, Stage, Step, Sum, TimeRules, Topic, TopicId, TypeId, Unit, Window,
};

/// What differs between the plans of the tests. Spans are in seconds.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// Topics in all.
    pub topics: usize,
    /// The topic of ends and cancels; starts and carts are on topic 0.
    pub end_topic: usize,
    /// The topics of the two steps.
    pub step_topics: [usize; 2],
    /// Of each topic.
    pub lateness: Vec<i64>,
    /// The promise's spans.
    pub within: i64,
    /// Likewise.
    pub horizon: i64,
    /// Likewise.
    pub hold: i64,
    /// The funnels' spans.
    pub idle_timeout: i64,
    /// Likewise.
    pub recover: i64,
    /// How long ids are remembered.
    pub dedupe: i64,
    /// Windows in minutes, ascending.
    pub windows: Vec<i64>,
    /// Label values per dimension.
    pub label_values: usize,
}

/// Event types: their index is their `TypeId`.
pub const TYPES: [&str; 11] = [
    "order.placed",
    "order.fulfilled",
    "order.cancelled",
    "payment.authorized",
    "order.picked",
    "cart.item_added",
    "checkout.started",
    "cart.bought",
    "cart.viewed",
    "cart.quantity_changed",
    "cart.item_removed",
];
const FIELDS: [&str; 8] = [
    "order_id",
    "cart_id",
    "region",
    "product_id",
    "quantity",
    "price",
    "currency",
    "total",
];
const ORDER: FieldId = FieldId(0);
const CART: FieldId = FieldId(1);
const REGION: FieldId = FieldId(2);

impl Recipe {
    /// The topic that a type is on.
    pub fn topic_of(&self, type_index: usize) -> usize {
        match type_index {
            1 | 2 => self.end_topic,
            3 => self.step_topics[0],
            4 => self.step_topics[1],
            _ => 0,
        }
    }

    /// The plan.
    pub fn plan(&self) -> Plan {
        let topic = |index: usize| Topic {
            name: format!("topic-{index}"),
            key: None,
            types: vec!["*".to_owned()],
            lateness: seconds(self.lateness[index]),
        };
        let kpis = vec![
            self.kpi("fulfilment", Kind::Promise(self.promise())),
            self.kpi("reached", Kind::Funnel(self.funnel(FunnelMode::Reached))),
            self.kpi("ordered", Kind::Funnel(self.funnel(FunnelMode::Ordered))),
            self.kpi("orders", Kind::Count(self.count(&[0], Some(7)))),
            self.kpi("share", Kind::Ratio(self.ratio())),
        ];
        let topics: Vec<Topic> = (0..self.topics).map(topic).collect();
        Plan {
            namespace: "shop".to_owned(),
            time: TimeRules {
                max_future: seconds(300),
                dedupe: seconds(self.dedupe),
            },
            limits: Limits {
                label_values: self.label_values,
                open_entities: 1 << 20,
                remembered_entities: 1 << 20,
                held_entities: 1 << 20,
                dedupe_entries: 1 << 20,
                record_bytes: 1 << 20,
                max_series: 1 << 20,
            },
            groups: vec![Group {
                topics: (0..topics.len())
                    .map(|index| TopicId(index as u16))
                    .collect(),
                kpis: (0..kpis.len()).map(|index| KpiId(index as u16)).collect(),
            }],
            topics,
            types: (0..TYPES.len()).map(event_type).collect(),
            fields: FIELDS.map(str::to_owned).to_vec(),
            kpis,
        }
    }

    fn kpi(&self, id: &str, kind: Kind) -> Kpi {
        let window = |minutes: &i64| Window {
            label: format!("{minutes}m"),
            length: seconds(minutes * 60),
        };
        Kpi {
            id: id.to_owned(),
            help: id.to_owned(),
            role: Role::Core,
            owner: None,
            by: vec![Dimension {
                name: "region".to_owned(),
                field: REGION,
                values: Vec::new(),
            }],
            windows: self.windows.iter().map(window).collect(),
            target: None,
            kind,
        }
    }

    fn selector(&self, types: &[usize]) -> Selector {
        let topic = self.topic_of(types[0]);
        Selector {
            types: types.iter().map(|index| TypeId(*index as u16)).collect(),
            topic: TopicId(topic as u16),
            filters: Vec::new(),
        }
    }

    fn promise(&self) -> Promise {
        let keyed = |index| Keyed {
            event: self.selector(&[index]),
            key: ORDER,
        };
        let step = |name: &str, index| Step {
            name: name.to_owned(),
            event: keyed(index),
            owner: None,
        };
        let read = [0, self.end_topic, self.step_topics[0], self.step_topics[1]];
        let lateness = read
            .iter()
            .map(|index| self.lateness[*index])
            .max()
            .unwrap_or(0);
        Promise {
            start: keyed(0),
            end: keyed(1),
            cancel: Some(keyed(2)),
            steps: vec![step("payment", 3), step("picking", 4)],
            within: seconds(self.within),
            objective: 0.95,
            horizon: seconds(self.horizon),
            hold: seconds(self.hold),
            lateness: seconds(lateness),
            edges: edges(self.within),
            buckets: Buckets::Both,
        }
    }

    fn funnel(&self, mode: FunnelMode) -> Funnel {
        let stage = |name: &str, index| Stage {
            name: name.to_owned(),
            event: self.selector(&[index]),
        };
        Funnel {
            key: CART,
            topic: TopicId(0),
            mode,
            idle_timeout: seconds(self.idle_timeout),
            recover: seconds(self.recover),
            stages: vec![stage("add", 5), stage("checkout", 6), stage("bought", 7)],
            touch: vec![self.selector(&[8, 9, 10])],
            value: Some(CartValue {
                name: "left_behind".to_owned(),
                add: self.selector(&[5]),
                set: Some(self.selector(&[9])),
                remove: Some(self.selector(&[10])),
                product: FieldId(3),
                quantity: FieldId(4),
                price: FieldId(5),
                currency: FieldId(6),
            }),
            lateness: seconds(self.lateness[0]),
            edges: edges(self.idle_timeout),
        }
    }

    fn count(&self, types: &[usize], sum: Option<u16>) -> Count {
        let unit = Unit::Money {
            currency: FieldId(6),
        };
        let sum = sum.map(|field| Sum {
            field: FieldId(field),
            name: "revenue".to_owned(),
            unit,
        });
        Count {
            event: self.selector(types),
            sum,
        }
    }

    fn ratio(&self) -> Ratio {
        let mut numerator = self.count(&[5, 6], None);
        let values = vec!["a".to_owned(), "unknown".to_owned()];
        numerator.event.filters = vec![Filter {
            field: REGION,
            values,
        }];
        let denominator = self.count(&[5, 6, 7, 8], None);
        Ratio {
            numerator: Part::Own(numerator),
            denominator: Part::Own(denominator),
        }
    }
}

fn event_type(index: usize) -> EventType {
    let field = if index < 5 { ORDER } else { CART };
    EventType {
        name: TYPES[index].to_owned(),
        keys: vec![EntityKey {
            field,
            required: true,
        }],
    }
}

fn edges(within: i64) -> Vec<Span> {
    [1, 2, 4, 8]
        .iter()
        .map(|part| Span(within * 1_000_000 * part / 4))
        .collect()
}

fn seconds(seconds: i64) -> Span {
    Span::from_seconds(seconds)
}
