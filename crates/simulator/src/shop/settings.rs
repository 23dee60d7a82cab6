//! What a simulated shop is like: its pace, its topics, its bad habits and its bad hour.

use events::{EventTime, Span};

/// Everything that, with a seed, decides a shop.
#[derive(Clone, Debug)]
pub struct ShopSettings {
    /// Orders placed per second at the peak of the rhythm.
    pub orders_per_second: f64,
    /// When the shop opens: no event is older.
    pub start: EventTime,
    /// Which topics there are and how they are keyed.
    pub layout: Layout,
    /// Partitions of each topic.
    pub partitions: i32,
    /// The share of events that are sent twice, byte for byte, up to 20 s apart.
    pub duplicate_share: f64,
    /// Events that reach Kafka out of order: share and greatest delay.
    pub out_of_order: Delay,
    /// Events that reach Kafka really late: share and greatest delay.
    pub late: Delay,
    /// Records, per event, that are no events at all.
    pub garbage_share: f64,
    /// A time when fulfilment is slow.
    pub incident: Option<Incident>,
    /// The daily rhythm, sped up; `None`: always at the peak.
    pub rhythm: Option<Rhythm>,
}

impl ShopSettings {
    /// The shop of `kept demo`: about 20 orders a second at the peak, few late and duplicate
    /// events, and fulfilment four times slower from 60 s to 180 s after `start`.
    pub fn demo(start: EventTime) -> ShopSettings {
        ShopSettings {
            orders_per_second: 20.0,
            start,
            layout: Layout::OneTopic,
            partitions: 8,
            duplicate_share: 0.005,
            out_of_order: Delay {
                share: 0.02,
                most: Span::from_seconds(10),
            },
            late: Delay {
                share: 0.001,
                most: Span::from_seconds(90),
            },
            garbage_share: 0.0005,
            incident: Some(Incident {
                from: start + Span::from_seconds(60),
                to: start + Span::from_seconds(180),
                pace: Pace::Slower(4.0),
                region: None,
            }),
            rhythm: Some(Rhythm {
                period: Span::from_seconds(600),
                low: 0.6,
            }),
        }
    }

    /// The shop of the whole-job proof: orders and fulfilments on topics of their own, 8
    /// partitions, 1 % duplicates, 3 % out of order by up to 30 s, 0.1 % garbage, no incident.
    pub fn proof(start: EventTime) -> ShopSettings {
        ShopSettings {
            layout: Layout::TwoTopics,
            duplicate_share: 0.01,
            out_of_order: Delay {
                share: 0.03,
                most: Span::from_seconds(30),
            },
            late: Delay::NEVER,
            garbage_share: 0.001,
            incident: None,
            rhythm: None,
            ..ShopSettings::demo(start)
        }
    }
}

/// Which topics there are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Layout {
    /// `shop.events` carries everything, keyed by `cart_id`: a cart's orders are with it.
    OneTopic,
    /// `shop.orders` and `shop.fulfilments`, keyed by `order_id`, carry the orders' events only:
    /// a cart has no place of its own there.
    TwoTopics,
    /// `shop.events` without what the warehouse tells, which is on `shop.fulfilment`. Both are
    /// keyed by `cart_id`, so that carts and orders have a place and an order's events meet.
    FulfilmentApart,
}

/// A topic of a layout.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ShopTopic {
    /// Its name in Kafka.
    pub name: &'static str,
    /// The member of `data` that is the record key.
    pub key: &'static str,
    /// The event types it carries, as a configuration declares them.
    pub types: &'static [&'static str],
}

impl Layout {
    /// The topics, by the index that `Produced::topic` holds.
    pub fn topics(self) -> &'static [ShopTopic] {
        const ONE: [ShopTopic; 1] = [ShopTopic {
            name: "shop.events",
            key: "cart_id",
            types: &["*"],
        }];
        const TWO: [ShopTopic; 2] = [
            ShopTopic {
                name: "shop.orders",
                key: "order_id",
                types: &["order.placed", "payment.*"],
            },
            ShopTopic {
                name: "shop.fulfilments",
                key: "order_id",
                types: &["order.picked", "order.fulfilled", "order.cancelled"],
            },
        ];
        const APART: [ShopTopic; 2] = [
            ShopTopic {
                name: "shop.events",
                key: "cart_id",
                types: &[
                    "session.*",
                    "product.*",
                    "cart.*",
                    "checkout.*",
                    "payment.*",
                    "order.placed",
                ],
            },
            ShopTopic {
                name: "shop.fulfilment",
                key: "cart_id",
                types: &["order.picked", "order.fulfilled", "order.cancelled"],
            },
        ];
        match self {
            Layout::OneTopic => &ONE,
            Layout::TwoTopics => &TWO,
            Layout::FulfilmentApart => &APART,
        }
    }
}

/// Some events take up to `most` longer to reach Kafka.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Delay {
    /// The share of events that do.
    pub share: f64,
    /// The greatest delay; drawn uniformly below it.
    pub most: Span,
}

impl Delay {
    /// No event is delayed.
    pub const NEVER: Delay = Delay {
        share: 0.0,
        most: Span::ZERO,
    };
}

/// A time when fulfilment is slow. Work in progress slows with it and goes on after it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Incident {
    /// Its begin.
    pub from: EventTime,
    /// Its end, not before `from`.
    pub to: EventTime,
    /// How slow.
    pub pace: Pace,
    /// The only region it hits; `None`: all of them.
    pub region: Option<&'static str>,
}

/// How fast fulfilment works during an incident.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Pace {
    /// A second's work takes this many seconds; at least 1.
    Slower(f64),
    /// Nothing moves: an order that is cancelled meanwhile is told of at the end.
    Stopped,
}

/// The pace of a day: a cosine from 1 (at the start) to `low` and back in `period`.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Rhythm {
    /// The length of a day.
    pub period: Span,
    /// The pace at night as a share of the peak's.
    pub low: f64,
}

impl Rhythm {
    /// The pace at this time after the start, as a share of the peak's.
    pub fn pace(&self, since_start: Span) -> f64 {
        let turn = since_start.seconds() / self.period.seconds() * std::f64::consts::TAU;
        self.low + (1.0 - self.low) * (0.5 + 0.5 * turn.cos())
    }
}

impl Incident {
    /// When `work`, begun at `begin`, is done: time inside the incident counts for less or nothing.
    pub fn done_at(&self, begin: EventTime, work: Span) -> EventTime {
        let free = (self.from - begin).0.max(0);
        if begin >= self.to || work.0 <= free {
            return begin + work;
        }
        let slow_begin = begin.max(self.from);
        let rest = work.0 - free;
        let slow = match self.pace {
            Pace::Slower(factor) => (rest as f64 * factor / 1000.0).round() as i64 * 1000,
            Pace::Stopped => i64::MAX,
        };
        let inside = (self.to - slow_begin).0;
        if slow <= inside {
            return slow_begin + Span(slow);
        }
        let done = match self.pace {
            Pace::Slower(factor) => (inside as f64 / factor / 1000.0).round() as i64 * 1000,
            Pace::Stopped => 0,
        };
        self.to + Span((rest - done).max(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_incident_stretches_only_the_work_inside_it() {
        let at = |seconds: i64| EventTime(seconds * 1_000_000);
        let incident = |pace| Incident {
            from: at(100),
            to: at(200),
            pace,
            region: None,
        };
        let done = |pace, begin, work| {
            incident(pace)
                .done_at(at(begin), Span::from_seconds(work))
                .0
                / 1_000_000
        };
        let slow = Pace::Slower(4.0);
        for (pace, begin, work, expected) in [
            (slow, 10, 50, 60),
            (slow, 90, 20, 140),
            (slow, 100, 25, 200),
            (slow, 160, 20, 210),
            (slow, 250, 20, 270),
            (Pace::Stopped, 90, 20, 210),
            (Pace::Stopped, 150, 20, 220),
            (Pace::Stopped, 90, 10, 100),
        ] {
            assert_eq!(
                done(pace, begin, work),
                expected,
                "{pace:?} from {begin} for {work}"
            );
        }
    }
}
