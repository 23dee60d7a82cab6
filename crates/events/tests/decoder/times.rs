//! Event times against jiff: hundreds of thousands of random texts, and every day there is. Offsets
//! stay below 24 hours: jiff takes up to 25, RFC 3339 does not (a table beside the parser has that).

use events::parse_rfc3339;
use fastrand::Rng;
use jiff::Timestamp;

const SEED: u64 = 3339;

fn random_time(random: &mut Rng) -> String {
    let years = if random.bool() { 0..10_000 } else { 1890..2110 };
    let mut text = format!(
        "{:04}-{:02}-{:02}{}{:02}:{:02}:{:02}",
        random.u32(years),
        random.u32(0..14),
        random.u32(0..33),
        random.choice(['T', 't', ' ']).unwrap(),
        random.u32(0..25),
        random.u32(0..61),
        random.u32(0..60),
    );
    if random.bool() {
        text.push('.');
        for _ in 0..random.u32(1..10) {
            text.push(random.digit(10));
        }
    }
    if random.bool() {
        text.push(random.choice(['Z', 'z']).unwrap());
    } else {
        let sign = random.choice(['+', '-']).unwrap();
        text.push_str(&format!(
            "{sign}{:02}:{:02}",
            random.u32(0..24),
            random.u32(0..61)
        ));
    }
    text
}

/// What jiff says; cut to microseconds towards the past, as ours is.
fn expected(text: &str) -> Option<i64> {
    let nanoseconds = text.parse::<Timestamp>().ok()?.as_nanosecond();
    i64::try_from(nanoseconds.div_euclid(1000)).ok()
}

#[test]
fn random_times_are_read_as_jiff_reads_them() {
    eprintln!("seed {SEED}");
    let mut random = Rng::with_seed(SEED);
    let mut valid = 0;
    for _ in 0..200_000 {
        let text = random_time(&mut random);
        let found = parse_rfc3339(&text).map(|time| time.0);
        // jiff's timestamps end a day before the year 10000 does, and begin earlier than year 0.
        let theirs = expected(&text);
        if theirs.is_none() && (text.starts_with("9999-12-3") || text.starts_with("0000-01-01")) {
            continue;
        }
        assert_eq!(found, theirs, "{text}");
        valid += u32::from(found.is_some());
    }
    assert!(valid > 50_000, "{valid}");
}

#[test]
fn every_day_of_ten_thousand_years_has_its_number() {
    let mut micros = parse_rfc3339("0000-01-01T00:00:00Z").unwrap().0;
    for year in 0..10_000 {
        for month in 1..=12 {
            let last = jiff::civil::date(year, month, 1).days_in_month();
            for day in 1..=last {
                let text = format!("{year:04}-{month:02}-{day:02}T00:00:00Z");
                assert_eq!(
                    parse_rfc3339(&text).map(|time| time.0),
                    Some(micros),
                    "{text}"
                );
                micros += 86_400_000_000;
            }
            let text = format!("{year:04}-{month:02}-{:02}T00:00:00Z", last + 1);
            assert_eq!(parse_rfc3339(&text), None, "{text}");
        }
    }
}
