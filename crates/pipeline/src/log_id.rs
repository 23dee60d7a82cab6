//! Kafka's own id of a topic (KIP-516): a topic that is deleted and made anew gets another one.
//!
//! A name says nothing about which log is behind it, an id does. Brokers before 2.8 have none and a
//! description may fail: no id is no evidence, neither that the log is the same nor that it isn't.
//! Written as Kafka's tools show it (`kafka-topics --describe`): 22 characters of base64url.

use std::fmt;

/// See the file's header.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LogId(u128);

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
/// 128 bits in digits of six, the last four bits of the last one zero.
const LENGTH: usize = 22;
const PADDING: u32 = 4;

impl LogId {
    /// From Kafka's 128 bits; `None` for zero, which stands for "has none".
    pub fn new(bits: u128) -> Option<LogId> {
        (bits != 0).then_some(LogId(bits))
    }

    /// Reads what `Display` wrote; `None` if it is something else.
    pub fn parse(text: &str) -> Option<LogId> {
        if text.len() != LENGTH {
            return None;
        }
        let mut bits = 0_u128;
        for (at, byte) in text.bytes().enumerate() {
            let digit = DIGITS.iter().position(|digit| *digit == byte)? as u128;
            bits = match at + 1 == LENGTH {
                false => (bits << 6) | digit,
                true if digit & 0xf == 0 => (bits << 2) | (digit >> PADDING),
                true => return None,
            };
        }
        LogId::new(bits)
    }
}

impl fmt::Display for LogId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for at in 0..LENGTH {
            let from_right = (LENGTH - 1 - at) as u32 * 6;
            let digit = match from_right {
                0 => self.0 << PADDING,
                bits => self.0 >> (bits - PADDING),
            };
            let digit = usize::from((digit & 0x3f) as u8);
            write!(out, "{}", char::from(DIGITS[digit]))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_written_as_kafka_writes_it_and_read_again() {
        let known = [
            (1, "AAAAAAAAAAAAAAAAAAAAAQ"),
            (u128::MAX, "_____________________w"),
            (
                0x0123_4567_89ab_cdef_fedc_ba98_7654_3210,
                "ASNFZ4mrze_-3LqYdlQyEA",
            ),
        ];
        for (bits, text) in known {
            let id = LogId::new(bits).expect("not zero");
            assert_eq!(id.to_string(), text);
            assert_eq!(LogId::parse(text), Some(id));
        }
    }

    #[test]
    fn zero_is_no_id_and_other_texts_are_none() {
        assert_eq!(LogId::new(0), None);
        for text in [
            "",
            "AAAAAAAAAAAAAAAAAAAAAA",
            "AAAAAAAAAAAAAAAAAAAAAR",
            "AAAAAAAAAAAAAAAAAAAAA+",
            "AAAAAAAAAAAAAAAAAAAAAQ=",
        ] {
            assert_eq!(LogId::parse(text), None, "{text}");
        }
    }
}
