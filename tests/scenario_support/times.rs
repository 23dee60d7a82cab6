//! Times as scenarios write them: `10:00:00`, `10:00:00.250`, a day later `1d+10:00:00`; `90s`, `2m`.
//!
//! All are on or after 2026-01-05, UTC.

use events::{EventTime, Span, parse_rfc3339};

/// The instant that a scenario's time names.
pub fn time(text: &str) -> Result<EventTime, String> {
    let (days, clock) = match text.split_once("d+") {
        Some((days, clock)) => (days.parse::<i64>().ok(), clock),
        None => (Some(0), text),
    };
    let whole = parse_rfc3339(&format!("2026-01-05T{clock}Z"));
    let (Some(days), Some(first_day)) = (days, whole) else {
        return Err(format!(
            "`{text}` is not a time like 10:00:00 or 1d+10:00:00"
        ));
    };
    Ok(first_day + Span::from_seconds(days * 86_400))
}

/// The length of time that a text like `90s` names.
pub fn span(text: &str) -> Result<Span, String> {
    let unit_at = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let micros = match unit {
        "ms" => 1_000,
        "s" => 1_000_000,
        "m" => 60_000_000,
        "h" => 3_600_000_000,
        "d" => 86_400_000_000,
        _ => return Err(format!("`{text}` is not a duration like 90s")),
    };
    let number: i64 = number
        .parse()
        .map_err(|_| format!("`{text}` is not a duration like 90s"))?;
    Ok(Span(number * micros))
}

/// As an event writes it.
pub fn rfc3339(time: EventTime) -> String {
    let midnight = parse_rfc3339("2026-01-05T00:00:00Z").expect("it is a date");
    let micros = (time - midnight).0;
    let (day, rest) = (5 + micros / 86_400_000_000, micros % 86_400_000_000);
    let (seconds, fraction) = (rest / 1_000_000, rest % 1_000_000);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("2026-01-{day:02}T{hour:02}:{minute:02}:{second:02}.{fraction:06}Z")
}
