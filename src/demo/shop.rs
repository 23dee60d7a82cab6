//! The demo's shop: which one it is. (`feeder` sends it at the pace of the wall clock.)
//!
//! # Sized for the embedded broker
//! It keeps the newest 5 MiB of each partition, as sent, and every assignment reads from the oldest
//! record that is left. At 20 orders a second (the most we allow) the busiest of the 4 partitions
//! gets 25 kB a second before compression: a reader may be three minutes behind and is not
//! overtaken. The five minutes of history are 7.6 MB a partition and are sent at once, in batches
//! that lz4 makes a fifth of: 1.5 MB. (`rehearsal` holds us to the first number.)

use events::{EventTime, Span};
use simulator::shop::{Delay, Incident, Pace, ShopSettings};

/// Partitions of the topic where we create it.
pub const PARTITIONS: i32 = 4;
/// What is told before the demo begins, so that the windows aren't empty.
pub const HISTORY: Span = Span::from_seconds(300);
/// The incident, from the beginning of the demo.
pub const INCIDENT: (Span, Span) = (Span::from_seconds(60), Span::from_seconds(180));
/// How many times slower fulfilment is in the incident.
pub const SLOWER: f64 = 12.0;

/// A shop with `rate` orders a second at its peak that opened at `start`, its incident counted
/// from `begin`.
pub fn settings(rate: f64, start: EventTime, begin: EventTime) -> ShopSettings {
    ShopSettings {
        orders_per_second: rate,
        partitions: PARTITIONS,
        out_of_order: Delay {
            share: 0.02,
            most: Span::from_seconds(4),
        },
        late: Delay {
            share: 0.001,
            most: Span::from_seconds(60),
        },
        incident: Some(Incident {
            from: begin + INCIDENT.0,
            to: begin + INCIDENT.1,
            pace: Pace::Slower(SLOWER),
            region: None,
        }),
        ..ShopSettings::demo(start)
    }
}
