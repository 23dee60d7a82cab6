//! Which format a client gets, by its `Accept` and `Accept-Encoding` headers (RFC 9110, 12.5).
//!
//! A scrape is always answered: where nothing of ours is acceptable, it is plain text.

/// What an exposition can be written in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// Prometheus' text format 0.0.4.
    Text,
    /// OpenMetrics text 1.0.0.
    OpenMetrics,
}

impl Format {
    /// The `Content-Type` of an answer.
    pub fn content_type(self) -> &'static str {
        match self {
            Format::Text => "text/plain; version=0.0.4; charset=utf-8",
            Format::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    fn media_type(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Format::Text => ("text", "plain", "0.0.4"),
            Format::OpenMetrics => ("application", "openmetrics-text", "1.0.0"),
        }
    }
}

/// How well a format fits: its q-value in thousandths, then how exactly it was named, then how
/// early in the header.
type Fit = (u16, u8, i32);

/// The format for this `Accept` header. Plain text without one, and where two fit equally well.
pub fn negotiate(accept: Option<&str>) -> Format {
    let accept = accept.unwrap_or("*/*");
    let (text, open_metrics) = (fit(accept, Format::Text), fit(accept, Format::OpenMetrics));
    if open_metrics.is_some_and(|fit| fit.0 > 0) && open_metrics > text {
        Format::OpenMetrics
    } else {
        Format::Text
    }
}

/// The most exact range that names a format decides its q-value.
fn fit(accept: &str, format: Format) -> Option<Fit> {
    let mut best: Option<(u8, Fit)> = None;
    for (position, range) in accept.split(',').enumerate() {
        let Some((exactness, quality)) = matches(range, format) else {
            continue;
        };
        if best.is_none_or(|(before, _)| exactness > before) {
            // Ranges with a wildcard say nothing about order.
            let order = if exactness >= NAMED {
                -(position as i32)
            } else {
                i32::MIN
            };
            best = Some((exactness, (quality, exactness.min(NAMED), order)));
        }
    }
    best.map(|(_, fit)| fit)
}

/// `text/plain`; one with the version is more exact, `text/*` and `*/*` are less.
const NAMED: u8 = 2;

/// Exactness and q-value of a media range that covers the format.
fn matches(range: &str, format: Format) -> Option<(u8, u16)> {
    let (main, sub, version) = format.media_type();
    let mut parts = range.split(';').map(str::trim);
    let (range_main, range_sub) = parts.next()?.split_once('/')?;
    let mut exactness = match (range_main, range_sub) {
        ("*", "*") => 0,
        (first, "*") if first.eq_ignore_ascii_case(main) => 1,
        (first, second) if first.eq_ignore_ascii_case(main) && second.eq_ignore_ascii_case(sub) => {
            NAMED
        }
        _ => return None,
    };
    let mut quality = 1000;
    for (name, value) in parts.filter_map(|part| part.split_once('=')) {
        let value = value.trim().trim_matches('"');
        match name.trim().to_ascii_lowercase().as_str() {
            "q" => quality = thousandths(value)?,
            "version" if value == version => exactness += 1,
            "version" => return None,
            _ => {}
        }
    }
    Some((exactness, quality))
}

/// A q-value; `None` for what isn't one, which drops the whole range.
fn thousandths(value: &str) -> Option<u16> {
    let value: f64 = value.parse().ok()?;
    (0.0..=1.0)
        .contains(&value)
        .then(|| (value * 1000.0).round() as u16)
}

/// Whether this `Accept-Encoding` header asks for gzip.
pub fn accepts_gzip(accept_encoding: Option<&str>) -> bool {
    let mut wildcard = false;
    for coding in accept_encoding.unwrap_or("").split(',') {
        let mut parts = coding.split(';').map(str::trim);
        let name = parts.next().unwrap_or("").to_ascii_lowercase();
        let quality = parts.filter_map(|part| part.split_once('='));
        let mut quality = quality.filter(|(name, _)| name.trim().eq_ignore_ascii_case("q"));
        let asked = quality
            .next()
            .is_none_or(|(_, value)| thousandths(value.trim()) > Some(0));
        match name.as_str() {
            "gzip" | "x-gzip" => return asked,
            "*" => wildcard = asked,
            _ => {}
        }
    }
    wildcard
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(accept: &str, expected: Format) {
        assert_eq!(negotiate(Some(accept)), expected, "{accept}");
    }

    #[test]
    fn prometheus_gets_the_format_it_likes_best() {
        check(
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
             application/openmetrics-text;version=0.0.1;q=0.5,\
             text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,\
             text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
            Format::OpenMetrics,
        );
        check(
            "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;\
             encoding=delimited;q=0.7,application/openmetrics-text;version=1.0.0;\
             escaping=allow-utf-8;q=0.6,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
            Format::OpenMetrics,
        );
        check(
            "application/openmetrics-text; version=1.0.0,\
             application/openmetrics-text; version=0.0.1;q=0.75,\
             text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            Format::OpenMetrics,
        );
        check(
            "text/plain;version=0.0.4;q=0.6,application/openmetrics-text;version=1.0.0;q=0.5",
            Format::Text,
        );
        check(
            "application/openmetrics-text;version=0.0.1,text/plain;q=0.5",
            Format::Text,
        );
    }

    #[test]
    fn browsers_and_tools_get_plain_text() {
        assert_eq!(negotiate(None), Format::Text);
        check("*/*", Format::Text);
        check(
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            Format::Text,
        );
        check("text/*;q=0.5", Format::Text);
        check("", Format::Text);
        check("application/json", Format::Text);
    }

    #[test]
    fn the_most_exact_range_decides() {
        check("application/openmetrics-text;q=0.5,*/*;q=0.9", Format::Text);
        check("application/openmetrics-text,*/*", Format::OpenMetrics);
        check(
            "*/*,application/openmetrics-text;version=1.0.0",
            Format::OpenMetrics,
        );
        check("application/*;q=0.9,text/plain;q=0.5", Format::OpenMetrics);
        check(
            "Application/OpenMetrics-Text; Version=\"1.0.0\"",
            Format::OpenMetrics,
        );
    }

    #[test]
    fn the_first_of_two_equals_wins() {
        check(
            "application/openmetrics-text,text/plain",
            Format::OpenMetrics,
        );
        check("text/plain,application/openmetrics-text", Format::Text);
    }

    #[test]
    fn nothing_is_given_at_quality_zero() {
        check("application/openmetrics-text;q=0", Format::Text);
        check(
            "application/openmetrics-text;q=0.000,text/plain;q=0",
            Format::Text,
        );
        check(
            "application/openmetrics-text;q=2,text/plain;q=0.1",
            Format::Text,
        );
        check("application/openmetrics-text;q=x", Format::Text);
    }

    #[test]
    fn gzip_only_when_asked_for() {
        for asks in [
            "gzip",
            "deflate, gzip;q=0.5",
            "GZIP;q=1.0",
            "br;q=1, *;q=0.1",
            "*",
        ] {
            assert!(accepts_gzip(Some(asks)), "{asks}");
        }
        for refuses in [
            "",
            "identity",
            "gzip;q=0",
            "gzip; q=0.0, *",
            "gzip;q=0, br",
            "*;q=0",
        ] {
            assert!(!accepts_gzip(Some(refuses)), "{refuses}");
        }
        assert!(!accepts_gzip(None));
    }
}
