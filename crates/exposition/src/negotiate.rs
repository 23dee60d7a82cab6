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
    /// Messages `io.prometheus.client.MetricFamily`, each after its length: native histograms and
    /// created timestamps besides.
    Protobuf,
}

impl Format {
    /// In the order in which they are given to a client that likes several alike.
    const ALL: [Format; 3] = [Format::Text, Format::OpenMetrics, Format::Protobuf];

    /// The `Content-Type` of an answer.
    pub fn content_type(self) -> &'static str {
        match self {
            Format::Text => "text/plain; version=0.0.4; charset=utf-8",
            Format::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Format::Protobuf => {
                "application/vnd.google.protobuf; \
                 proto=io.prometheus.client.MetricFamily; encoding=delimited"
            }
        }
    }

    fn media_type(self) -> (&'static str, &'static str) {
        match self {
            Format::Text => ("text", "plain"),
            Format::OpenMetrics => ("application", "openmetrics-text"),
            Format::Protobuf => ("application", "vnd.google.protobuf"),
        }
    }

    /// Parameters that tell it from others of its media type.
    fn parameters(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Format::Text => &[("version", "0.0.4")],
            Format::OpenMetrics => &[("version", "1.0.0")],
            Format::Protobuf => &[
                ("proto", "io.prometheus.client.MetricFamily"),
                ("encoding", "delimited"),
            ],
        }
    }
}

/// How well a format fits: its q-value in thousandths, then how exactly it was named, then how
/// early in the header.
type Fit = (u16, u8, i32);

/// The format for this `Accept` header. Plain text without one; of those that fit equally well the
/// first of `Format::ALL`.
pub fn negotiate(accept: Option<&str>) -> Format {
    let accept = accept.unwrap_or("*/*");
    let mut best = (None, Format::Text);
    for format in Format::ALL {
        let fit = fit(accept, format);
        if fit.is_some_and(|fit| fit.0 > 0) && fit > best.0 {
            best = (fit, format);
        }
    }
    best.1
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

/// `text/plain`; one with its parameters is more exact, `text/*` and `*/*` are less.
const NAMED: u8 = 2;

/// Exactness and q-value of a media range that covers the format.
fn matches(range: &str, format: Format) -> Option<(u8, u16)> {
    let (main, sub) = format.media_type();
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
        let name = name.trim().to_ascii_lowercase();
        if name == "q" {
            quality = thousandths(value)?;
        }
        match format.parameters().iter().find(|known| known.0 == name) {
            Some(known) if known.1 == value => exactness += 1,
            Some(_) => return None,
            None => {}
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
            Format::Protobuf,
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
    fn protobuf_is_that_of_prometheus_or_none() {
        const TYPE: &str = "application/vnd.google.protobuf";
        let with = |rest: &str| format!("{TYPE}{rest},text/plain;version=0.0.4;q=0.3");
        let named = ";proto=io.prometheus.client.MetricFamily";
        check(
            &with(&format!("{named};encoding=delimited")),
            Format::Protobuf,
        );
        check(
            &with(&format!("; encoding=\"delimited\" {named}")),
            Format::Protobuf,
        );
        check(&with(""), Format::Protobuf);
        check(&with(&format!("{named};encoding=text")), Format::Text);
        check(
            &with(&format!("{named};encoding=compact-text")),
            Format::Text,
        );
        check(
            &with(";proto=some.other.Message;encoding=delimited"),
            Format::Text,
        );
        check(
            &with(&format!("{named};encoding=delimited;q=0.2")),
            Format::Text,
        );
        check(
            &with(&format!("{named};encoding=delimited;q=0")),
            Format::Text,
        );
        check(
            "application/openmetrics-text;q=0.8,application/vnd.google.protobuf;q=0.7,*/*",
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
