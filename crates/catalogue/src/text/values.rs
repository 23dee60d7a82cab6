//! The small languages inside strings: durations, sizes, names, addresses. Each parser answers with
//! the value or with a sentence that says what is expected.

use events::Span;

/// `250ms`, `30s`, `5m`, `24h`, `7d`: a whole number and a unit.
pub(crate) fn duration(text: &str) -> Result<Span, String> {
    const UNITS: [(&str, i64); 5] = [
        ("ms", 1000),
        ("s", 1_000_000),
        ("m", 60_000_000),
        ("h", 3_600_000_000),
        ("d", 86_400_000_000),
    ];
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let size = UNITS
        .iter()
        .find(|(name, _)| *name == unit)
        .map(|(_, size)| *size);
    let micros = number
        .parse::<i64>()
        .ok()
        .zip(size)
        .and_then(|(n, size)| n.checked_mul(size));
    match micros {
        // A hundred years: sums of a few spans and an event time stay far from the edge of 64 bits.
        Some(micros) if micros <= 36_525 * 86_400_000_000 => Ok(Span(micros)),
        Some(_) => Err(format!("\"{text}\" is longer than 100 years")),
        None => Err(format!(
            "\"{text}\" is not a duration: write a whole number and ms, s, m, h or d, like \"30s\""
        )),
    }
}

/// `262144`, `256KiB`, `1MiB`: bytes.
pub(crate) fn bytes(text: &str) -> Result<i64, String> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let size = match unit.trim() {
        "" | "B" => Some(1),
        "KiB" => Some(1 << 10),
        "MiB" => Some(1 << 20),
        "GiB" => Some(1 << 30),
        _ => None,
    };
    number
        .parse::<i64>()
        .ok()
        .zip(size)
        .and_then(|(n, size)| n.checked_mul(size))
        .ok_or_else(|| {
            format!("\"{text}\" is not a size: write a whole number of bytes, or like \"256KiB\"")
        })
}

/// Kafka's rule for topics (and ours for groups): 1 to 249 of `a-z A-Z 0-9 . _ -`, not `.` or `..`.
pub(crate) fn kafka_name(text: &str) -> Result<(), String> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if text.is_empty()
        || text.len() > 249
        || text == "."
        || text == ".."
        || !text.chars().all(legal)
    {
        return Err(format!(
            "\"{text}\" is not a name for Kafka: use 1 to 249 of a-z A-Z 0-9 . _ -"
        ));
    }
    Ok(())
}

/// A part of a metric name: `[a-z][a-z0-9_]*`, no `__`, none of the endings that metrics own.
pub(crate) fn metric_name(text: &str) -> Result<(), String> {
    const ENDINGS: [&str; 6] = ["_total", "_bucket", "_sum", "_count", "_created", "_info"];
    let first = text.chars().next().is_some_and(|c| c.is_ascii_lowercase());
    let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if !first || !text.chars().all(legal) || text.contains("__") || text.ends_with('_') {
        return Err(format!(
            "\"{text}\" can't be part of a metric name: use a-z, 0-9 and single _, a letter first"
        ));
    }
    if text.len() > 100 {
        return Err(format!("\"{text}\" is longer than 100 letters"));
    }
    match ENDINGS.iter().find(|ending| text.ends_with(**ending)) {
        Some(ending) => Err(format!(
            "\"{text}\" must not end with {ending}: metrics get it by type"
        )),
        None => Ok(()),
    }
}

/// `host:port`, the host in brackets when it is an IPv6 address.
pub(crate) fn host_and_port(text: &str) -> Result<(), String> {
    let good = text.rsplit_once(':').is_some_and(|(host, port)| {
        let bracketed = host.starts_with('[') && host.ends_with(']') && host.len() > 2;
        let plain = !host.is_empty() && !host.contains([':', '/', ' ', '[', ']']);
        (bracketed || plain) && port.parse::<u16>().is_ok_and(|port| port > 0)
    });
    good.then_some(())
        .ok_or_else(|| format!("\"{text}\" is not host:port"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_a_number_and_a_unit() {
        assert_eq!(duration("250ms"), Ok(Span(250_000)));
        assert_eq!(duration("0s"), Ok(Span::ZERO));
        assert_eq!(duration("7d"), Ok(Span::from_seconds(7 * 86_400)));
        for bad in [
            "",
            "5",
            "s",
            "-5s",
            "1.5h",
            "5 m",
            "5minutes",
            "9223372036854775807d",
            "99999999d",
        ] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn sizes_are_bytes() {
        assert_eq!(bytes("256KiB"), Ok(262_144));
        assert_eq!(bytes("12"), Ok(12));
        assert!(bytes("256kb").is_err());
    }

    #[test]
    fn names_follow_kafka_and_prometheus() {
        assert!(kafka_name("shop.events").is_ok());
        assert!(kafka_name("shop events").is_err());
        assert!(kafka_name("..").is_err());
        assert!(metric_name("cart_item_adds").is_ok());
        for bad in ["", "1x", "Cart", "a__b", "a_", "orders_total", "a-b"] {
            assert!(metric_name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn addresses_have_a_port() {
        assert!(host_and_port("localhost:9092").is_ok());
        assert!(host_and_port("[::1]:9464").is_ok());
        for bad in [
            "localhost",
            "localhost:",
            ":9092",
            "a:b:1",
            "h:0",
            "h:70000",
            "http://h:1",
        ] {
            assert!(host_and_port(bad).is_err(), "{bad}");
        }
    }
}
