//! Records that are no events: what a topic holds when producers go wrong.

use events::{EventTime, Span};

use super::chance::Chance;
use super::write::{Envelope, cloud_event};

/// Something that must be rejected, made from a good event that happened at `time`.
pub fn spoil(good: &[u8], time: EventTime, chance: &mut Chance) -> Vec<u8> {
    match chance.below(8) {
        0 => b"hello, is this thing on?".to_vec(),
        1 => good[..good.len() / 2].to_vec(),
        2 => b"[1,2,3]".to_vec(),
        3 => vec![0xff, 0xfe, 0x00, 0x80],
        4 => br#"{"specversion":"1.0","id":"no-time","source":"/shop/web","type":"order.placed"}"#
            .to_vec(),
        5 => replace(good, b"\"time\":\"", b"\"time\":\"around "),
        6 => vec![0, 0, 0, 0, 7, 2, 6],
        _ => {
            let id = ("from-the-future", chance.below(u64::MAX));
            let time = time + Span::from_seconds(86_400);
            let type_name = "order.placed";
            let envelope = Envelope {
                type_name,
                source: "/shop/web",
                id,
                time,
            };
            cloud_event(envelope, |data| {
                data.text("order_id", "o-never").text("cart_id", "k-never");
            })
        }
    }
}

fn replace(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let at = bytes.windows(from.len()).position(|window| window == from);
    let at = at.expect("every event has a time");
    [&bytes[..at], to, &bytes[at + from.len()..]].concat()
}
