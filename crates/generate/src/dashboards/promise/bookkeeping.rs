//! What became of all starts and ends: started = completed + cancelled + expired + open.

use catalogue::metrics::SeriesId;

use super::Subject;
use crate::book::HOUR;
use crate::dashboards::model::{Panel, Query, Show, Unit};

/// All of the row.
pub fn panels(subject: &Subject<'_>) -> Vec<Panel> {
    let pick = &subject.chosen;
    let query = |(legend, series)| {
        let increase = pick.increase(series, HOUR, &[]);
        Query::new(legend, format!("sum({increase})"))
    };
    let flow = [
        ("started", SeriesId::Started),
        ("completed", SeriesId::Completed),
        ("cancelled", SeriesId::Cancelled),
        ("expired", SeriesId::Expired),
    ];
    let odd = [
        ("ends without a start", SeriesId::EndsWithoutStart),
        ("repeated starts or ends", SeriesId::Repeated),
        ("ends before their start", SeriesId::NegativeDurations),
        ("judged too early", SeriesId::JudgedTooEarly),
    ];
    vec![
        Panel::new(
            Show::Lines,
            Unit::Number,
            "orders in an hour",
            "Starts accepted, ends matched to a start, orders taken out by a cancel, and those that had no end \
             within the horizon.",
        )
        .queries(flow.map(query))
        .wide(12),
        Panel::new(
            Show::Lines,
            Unit::Number,
            "what should not be, in an hour",
            "Ends that found no start, starts or ends after the first, ends before their start (taken as 0 \
             seconds), and orders judged broken whose end came late and shows that they were kept.",
        )
        .queries(odd.map(query))
        .wide(12),
    ]
}
