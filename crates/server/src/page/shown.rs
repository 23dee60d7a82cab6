//! Numbers as people read them. What is not a number is a word, never `NaN`.

use std::fmt::Write;

/// A length of time in seconds: `8.2 s`, `52 s`, `3 m 12 s`, `1 h 5 m`, `2 d 3 h`. Seconds have a
/// decimal below two minutes, or 60.3 would look like the limit of 60 that it is over.
pub fn duration(seconds: f64) -> String {
    if !seconds.is_finite() {
        return "none".to_owned();
    }
    let sign = if seconds < 0.0 { "-" } else { "" };
    let seconds = seconds.abs();
    if seconds < 119.95 {
        let text = format!("{seconds:.1}");
        return format!("{sign}{} s", text.strip_suffix(".0").unwrap_or(&text));
    }
    let whole = seconds.round() as u64;
    let (minutes, hours) = (whole / 60, whole / 3600);
    let [(most, unit), (rest, smaller)] = match whole {
        0..3600 => [(minutes, "m"), (whole % 60, "s")],
        3600..172_800 => [(hours, "h"), (minutes % 60, "m")],
        _ => [(hours / 24, "d"), (hours % 24, "h")],
    };
    match rest {
        0 => format!("{sign}{most} {unit}"),
        _ => format!("{sign}{most} {unit} {rest} {smaller}"),
    }
}

/// A share of 1 in percent, never rounded up: 94.96 % of an objective of 95 % is `94.9 %`.
pub fn share(share: f64) -> String {
    if !share.is_finite() {
        return "none".to_owned();
    }
    // A millionth: 0.29 * 1000 is a little less than 290.
    let digits = if share > 0.99 && share < 1.0 { 2 } else { 1 };
    let factor = 10f64.powi(digits + 2);
    let floored = (share * factor + 1e-6).floor() / factor * 100.0;
    format!("{floored:.*} %", digits as usize)
}

/// A whole number with commas: `12,345`.
pub fn count(count: f64) -> String {
    if !count.is_finite() {
        return "none".to_owned();
    }
    let digits = format!("{:.0}", count.abs());
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if count < 0.0 {
        format!("-{text}")
    } else {
        text
    }
}

/// A number with two decimals, commas before them.
pub fn decimal(number: f64) -> String {
    if !number.is_finite() {
        return "none".to_owned();
    }
    let cents = (number.abs() * 100.0).round();
    let sign = if number < 0.0 { "-" } else { "" };
    format!(
        "{sign}{}.{:02}",
        count((cents / 100.0).floor()),
        cents % 100.0
    )
}

/// Numbers in ascending order, neighbours joined: `0-3, 7`.
pub fn ranges(numbers: impl IntoIterator<Item = i32>) -> String {
    let mut runs: Vec<(i32, i32)> = Vec::new();
    for number in numbers {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => runs.push((number, number)),
        }
    }
    let mut text = String::new();
    for (first, last) in runs {
        let comma = if text.is_empty() { "" } else { ", " };
        let written = match last - first {
            0 => write!(text, "{comma}{first}"),
            _ => write!(text, "{comma}{first}-{last}"),
        };
        written.expect("writing to a string can't fail");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_two_units_at_most() {
        let expected = [
            (0.0, "0 s"),
            (8.24, "8.2 s"),
            (9.96, "10 s"),
            (52.34, "52.3 s"),
            (60.3, "60.3 s"),
            (119.96, "2 m"),
            (192.0, "3 m 12 s"),
            (3599.7, "1 h"),
            (90_060.0, "25 h 1 m"),
            (190_000.0, "2 d 4 h"),
            (-3.0, "-3 s"),
            (f64::NAN, "none"),
            (f64::INFINITY, "none"),
        ];
        for (seconds, text) in expected {
            assert_eq!(duration(seconds), text, "{seconds}");
        }
    }

    #[test]
    fn a_share_just_below_its_objective_does_not_look_like_it() {
        let expected = [
            (0.9496, "94.9 %"),
            (0.95, "95.0 %"),
            (0.29, "29.0 %"),
            (0.99949, "99.94 %"),
            (1.0, "100.0 %"),
            (0.0, "0.0 %"),
            (f64::NAN, "none"),
        ];
        for (value, text) in expected {
            assert_eq!(share(value), text, "{value}");
        }
    }

    #[test]
    fn counts_and_amounts_have_commas() {
        assert_eq!(count(999.0), "999");
        assert_eq!(count(1000.0), "1,000");
        assert_eq!(count(1_234_567.0), "1,234,567");
        assert_eq!(decimal(1_234.567), "1,234.57");
        assert_eq!(decimal(0.999), "1.00");
        assert_eq!(decimal(-0.5), "-0.50");
    }

    #[test]
    fn neighbours_are_joined() {
        assert_eq!(ranges([0, 1, 2, 3, 7, 9, 10]), "0-3, 7, 9-10");
        assert_eq!(ranges([]), "");
    }
}
