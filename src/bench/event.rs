//! The text of one event of a benchmark: a CloudEvent of some 400 bytes, about what shops send.

use std::fmt::Write as _;

/// What differs between events.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    /// Two numbers that no other event has together.
    pub id: (u64, u64),
    /// The CloudEvents type.
    pub type_name: &'a str,
    /// Milliseconds since the epoch, not before it.
    pub millis: i64,
    /// The order's id.
    pub order: &'a str,
    /// Where it comes from.
    pub region: &'a str,
    /// By which way.
    pub channel: &'a str,
    /// What the other fields are made of.
    pub chance: u64,
}

impl Event<'_> {
    /// Puts the event's JSON in place of what is in `out`.
    pub fn write(&self, out: &mut String) {
        let Event { order, chance, .. } = self;
        let (first, second) = self.id;
        out.clear();
        write!(
            out,
            "{{\"specversion\":\"1.0\",\"id\":\"{first:016x}-{second:08x}\",\
             \"source\":\"/shop/orders\",\"type\":\"{}\",\"subject\":\"{order}\",\"time\":\"",
            self.type_name,
        )
        .expect("a String takes all");
        write_time(out, self.millis);
        write!(
            out,
            "\",\"datacontenttype\":\"application/json\",\"data\":{{\"order_id\":\"{order}\",\
             \"cart_id\":\"k-{:08x}\",\"session_id\":\"s-{:08x}\",\"customer_id\":\"c-{:06}\",\
             \"region\":\"{}\",\"channel\":\"{}\",\"device\":\"mobile\",\"currency\":\"EUR\",\
             \"total\":\"{}.{:02}\",\"items\":{}}}}}",
            first as u32,
            *chance as u32,
            chance % 1_000_000,
            self.region,
            self.channel,
            chance % 500 + 5,
            chance % 100,
            chance % 7 + 1,
        )
        .expect("a String takes all");
    }
}

/// RFC 3339 in UTC. Making a million events a second leaves no time for a calendar with zones, so
/// the date is Howard Hinnant's `civil_from_days` for days after 1970.
fn write_time(out: &mut String, millis: i64) {
    let (seconds, millis) = (millis / 1000, millis % 1000);
    // Days since 1st March of the year 0; eras of 400 years; years that begin in March.
    let days = seconds / 86_400 + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + year + i64::from(month <= 2);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    write!(
        out,
        "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z"
    )
    .expect("a String takes all");
}

#[cfg(test)]
mod tests {
    use events::parse_rfc3339;

    use super::*;

    #[test]
    fn times_are_read_as_they_were_written() {
        let mut text = String::new();
        // Steps of some 19 hours through sixty years: every month, leap days and a century's end.
        for step in 0..30_000_i64 {
            let millis = step * 70_000_007;
            text.clear();
            write_time(&mut text, millis);
            let read = parse_rfc3339(&text).map(|time| time.0);
            assert_eq!(read, Some(millis * 1000), "{text}");
        }
    }
}
