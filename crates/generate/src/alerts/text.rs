//! What an alert says: templates with numbers, and for a promise whether it is the shop or the pipe.
//!
//! Templates ask Prometheus for what they show; each says "unknown" where there is nothing.

use catalogue::metrics::SeriesId;
use catalogue::plan::{Kpi, Promise};

use crate::book::{Book, HOUR};
use crate::promql::{Level, dimensions, increase, sum};
use crate::recording::promise;

/// The value of one series, shown by a function like `humanizeDuration`; each `%q` of the query is
/// one of the alert's labels.
pub fn asked(query: &str, labels: &str, shown: &str) -> String {
    format!(
        "{{{{ with query (printf `{query}` {labels}) }}}}\
         {{{{ . | first | value | {shown} }}}}{{{{ else }}}}unknown{{{{ end }}}}"
    )
}

/// ` in {{ $labels.region }}, {{ $labels.channel }}`, or nothing.
pub fn place(kpi: &Kpi, level: Level) -> String {
    let labels: Vec<String> = level
        .left(kpi)
        .iter()
        .map(|label| format!("{label} {{{{ $labels.{label} }}}}"))
        .collect();
    if labels.is_empty() {
        String::new()
    } else {
        format!(" for {}", labels.join(", "))
    }
}

/// Whether there are signs that it is the pipe, with the numbers that say so. Never that it is the
/// shop: events that are not sent at all leave no sign here.
pub fn shop_or_pipe(book: &Book<'_>, kpi: &Kpi, definition: &Promise) -> String {
    let (same, values) = (book.same(), book.same_values());
    let signs = promise::pipe_signs(book, kpi);
    format!(
        "{{{{ with query (printf `{signs}{{{same}}}` {values}) }}}}\
         {{{{ if gt (. | first | value) 0.0 }}}}It may be the pipe: look there first. \
         {{{{ else }}}}No sign of a late pipe; whether the events are sent at all, Kept can't see. \
         {{{{ end }}}}{{{{ end }}}}{}",
        pipe(book, kpi, definition)
    )
}

/// The numbers of the pipe that the promise hangs on, without a verdict.
pub fn pipe(book: &Book<'_>, kpi: &Kpi, definition: &Promise) -> String {
    let (same, values) = (book.same(), book.same_values());
    let lag = asked(
        &format!("{}{{{same}}}", promise::lag(book, kpi, definition)),
        &values,
        "humanizeDuration",
    );
    let too_early = increase("job", &book.metric(kpi, SeriesId::JudgedTooEarly), HOUR);
    let too_early = format!("{too_early}{{{same}}}");
    let too_early = asked(&too_early, &values, "humanize");
    let delay = format!(
        "{{{{ with query (printf `topk(1, {})` {values}) }}}}\
         {{{{ . | first | value | humanizeDuration }}}} from {{{{ . | first | label \"source\" }}}}\
         {{{{ else }}}}unknown{{{{ end }}}}",
        promise::delay(book, definition, Some(&same))
    );
    format!(
        "Pipe: lag {lag}, slowest source {delay}, judged too early in the last hour {too_early}."
    )
}

/// Which parts and which step have most that is overdue.
pub fn worst(book: &Book<'_>, kpi: &Kpi, definition: &Promise, level: Level) -> String {
    let (same, values) = (book.same(), book.same_values());
    let mut text = String::new();
    let dims = dimensions(kpi);
    if level == Level::All && !dims.is_empty() {
        let overdue = sum(
            &Level::Part.prefix(kpi),
            &book.metric(kpi, SeriesId::Overdue),
        );
        let names: Vec<String> = dims
            .iter()
            .map(|label| format!("{{{{ .Labels.{label} }}}}"))
            .collect();
        text += &format!(
            " Most overdue:{{{{ range $at, $part := query (printf `topk(3, {overdue}{{{same}}} > 0)` {values}) }}}}\
             {{{{ if $at }}}},{{{{ end }}}} {} {{{{ .Value | humanize }}}}{{{{ else }}}} none{{{{ end }}}}.",
            names.join("/")
        );
    }
    if level == Level::All && !definition.steps.is_empty() {
        let waiting = sum("job", &book.metric(kpi, SeriesId::OpenAtStep));
        text += &format!(
            " Most wait for step{{{{ range query (printf `topk(1, {waiting}{{{same}}} > 0)` {values}) }}}} \
             {{{{ .Labels.step }}}} ({{{{ .Value | humanize }}}}){{{{ else }}}} none{{{{ end }}}}."
        );
    }
    text
}
