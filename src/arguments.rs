//! Values of the command line that several commands read the same way.

use std::time::Duration;

/// A whole number with its unit: `90s`, `5m`, `1h`.
pub fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return Err("write a number with its unit: 90s, 5m, 1h".into()),
    };
    let number: u64 = digits
        .parse()
        .map_err(|_| "write a whole number with its unit: 90s, 5m, 1h")?;
    Ok(Duration::from_secs(number.saturating_mul(unit)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_unit() {
        for (text, expected) in [
            ("0s", Some(0)),
            ("90s", Some(90)),
            ("5m", Some(300)),
            ("1h", Some(3600)),
            ("5", None),
            ("m", None),
            ("1.5h", None),
            ("1d", None),
        ] {
            let seconds = duration(text).ok().map(|duration| duration.as_secs());
            assert_eq!(seconds, expected, "{text}");
        }
    }
}
