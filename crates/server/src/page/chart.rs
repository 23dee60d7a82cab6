//! The picture of a promise: its p95 over the last hour, or as much of it as is remembered, plain and
//! with open orders, against the limit.
//!
//! An SVG with a text alternative; lines differ by stroke, not only by colour. Where nothing was
//! published the line has a gap. Sizes are for a phone; a wider screen scales it up.

use std::fmt::Write;

use super::history::{PromiseMoment, SPAN_SECONDS};
use super::html::Html;
use super::shown;

const LEFT: f64 = 44.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 130.0;
const RIGHT: f64 = 352.0;

/// A gap of more than this many seconds between two moments is shown as one.
const GAP_SECONDS: f64 = 40.0;
/// The least that the time axis spans.
const LEAST_SECONDS: f64 = 600.0;

/// What is drawn.
pub struct Chart<'a> {
    /// Wall time at the right edge, in seconds since 1970.
    pub now: f64,
    /// The limit, in seconds.
    pub limit: f64,
    /// The moments, oldest first.
    pub moments: Vec<(f64, &'a PromiseMoment)>,
}

impl Chart<'_> {
    /// Writes it with its legend.
    pub fn show(&self, page: &mut Html) {
        let top = self.top();
        page.add("<figure>\n<svg viewBox=\"0 0 360 150\" role=\"img\" aria-label=\"")
            .text(self.said())
            .add("\">\n");
        for seconds in [0.0, top / 2.0, top] {
            let y = height(seconds, top);
            page.add("<line class=\"grid\" x1=\"44\" x2=\"352\" y1=\"")
                .text(y);
            page.add("\" y2=\"").text(y).add("\"/>");
            page.add("<text x=\"40\" text-anchor=\"end\" y=\"")
                .text(y + 3.0);
            page.add("\">").text(tick(seconds)).add("</text>\n");
        }
        let limit = height(self.limit, top);
        page.add("<line class=\"limit\" x1=\"44\" x2=\"352\" y1=\"")
            .text(limit);
        page.add("\" y2=\"").text(limit).add("\"/>\n");
        page.add("<path class=\"plain\" d=\"")
            .points(&self.path(top, |one| one.plain_p95));
        page.add("\"/>\n<path class=\"open\" d=\"")
            .points(&self.path(top, |one| one.with_open_p95));
        page.add("\"/>\n<text x=\"44\" y=\"145\">")
            .text(shown::duration(self.span()))
            .add(" ago</text><text x=\"352\" y=\"145\" text-anchor=\"end\">now</text>\n</svg>\n");
        page.add("<figcaption><span class=\"key\"><svg viewBox=\"0 0 24 8\" aria-hidden=\"true\"><path class=\"open\" d=\"M0 4H24\"/></svg> p95 with open orders</span> ");
        page.add("<span class=\"key\"><svg viewBox=\"0 0 24 8\" aria-hidden=\"true\"><path class=\"plain\" d=\"M0 4H24\"/></svg> p95 of completed</span> ");
        page.add("<span class=\"key\"><svg viewBox=\"0 0 24 8\" aria-hidden=\"true\"><path class=\"limit\" d=\"M0 4H24\"/></svg> limit ");
        page.text(shown::duration(self.limit))
            .add("</span></figcaption>\n</figure>\n");
    }

    /// The greatest value that the axis has, a round one.
    fn top(&self) -> f64 {
        let values = self
            .moments
            .iter()
            .flat_map(|(_, one)| [one.plain_p95, one.with_open_p95]);
        let greatest = values
            .filter(|value| value.is_finite())
            .fold(self.limit * 1.25, f64::max);
        let magnitude = 10f64.powf(greatest.log10().floor());
        let steps = [1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0];
        let round = steps.iter().map(|step| step * magnitude);
        round
            .into_iter()
            .find(|value| *value >= greatest)
            .unwrap_or(greatest)
    }

    /// How far back the time axis goes, in whole minutes.
    fn span(&self) -> f64 {
        let oldest = self.moments.first().map_or(0.0, |(at, _)| self.now - at);
        ((oldest / 60.0).ceil() * 60.0).clamp(LEAST_SECONDS, SPAN_SECONDS)
    }

    /// A path through the known values.
    fn path(&self, top: f64, value: fn(&PromiseMoment) -> f64) -> String {
        let mut path = String::new();
        let mut before: Option<f64> = None;
        for (at, moment) in &self.moments {
            let value = value(moment);
            if !value.is_finite() {
                before = None;
                continue;
            }
            let joined = before.is_some_and(|before| at - before <= GAP_SECONDS);
            let command = if joined { 'L' } else { 'M' };
            let x = RIGHT - (RIGHT - LEFT) * ((self.now - at) / self.span()).clamp(0.0, 1.0);
            let y = height(value, top);
            // A point alone is a dot: the line's ends are round.
            let dot = if joined { "" } else { "h0" };
            write!(path, "{command}{x:.1} {y:.1}{dot}").expect("writing to a string can't fail");
            before = Some(*at);
        }
        path
    }

    /// What it shows, in a sentence.
    fn said(&self) -> String {
        let Some((_, last)) = self.moments.last() else {
            return "p95 over the last hour: nothing was published yet".to_owned();
        };
        let open = self.moments.iter().map(|(_, one)| one.with_open_p95);
        let greatest = open
            .filter(|value| value.is_finite())
            .fold(f64::NAN, f64::max);
        format!(
            "p95 over the last hour: now {} with open orders, {} of completed ones; \
             at most {} with open orders; the limit is {}",
            shown::duration(last.with_open_p95),
            shown::duration(last.plain_p95),
            shown::duration(greatest),
            shown::duration(self.limit),
        )
    }
}

/// Where a value is; above the axis it is at its top.
fn height(seconds: f64, top: f64) -> f64 {
    let share = (seconds / top).clamp(0.0, 1.0);
    let y = BOTTOM - (BOTTOM - TOP) * share;
    (y * 10.0).round() / 10.0
}

/// A tick's label: whole units where they are.
fn tick(seconds: f64) -> String {
    match seconds {
        0.0 => "0".to_owned(),
        _ if seconds >= 3600.0 => format!("{:.1} h", seconds / 3600.0),
        _ if seconds >= 600.0 => format!("{:.0} m", seconds / 60.0),
        _ if seconds >= 120.0 => format!("{:.1} m", seconds / 60.0),
        _ if seconds >= 10.0 => format!("{seconds:.0} s"),
        _ => format!("{seconds:.1} s"),
    }
}

/// Bars of shares of 1: an SVG that is as wide as there is room.
pub fn bar(page: &mut Html, share: f64) {
    let width = if share.is_finite() {
        (share.clamp(0.0, 1.0) * 1000.0).round() / 10.0
    } else {
        0.0
    };
    page.add("<svg class=\"bar\" viewBox=\"0 0 100 6\" preserveAspectRatio=\"none\" aria-hidden=\"true\"><rect class=\"track\" width=\"100\" height=\"6\"/><rect class=\"fill\" height=\"6\" width=\"")
        .text(width)
        .add("\"/></svg>");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(plain: f64, open: f64) -> PromiseMoment {
        PromiseMoment {
            plain_p95: plain,
            with_open_p95: open,
            ..PromiseMoment::default()
        }
    }

    #[test]
    fn a_line_has_gaps_where_nothing_was_published() {
        let moments = [
            (0.0, moment(60.0, 60.0)),
            (15.0, moment(f64::NAN, 60.0)),
            (30.0, moment(60.0, 60.0)),
            (3600.0, moment(60.0, 120.0)),
        ];
        let chart = Chart {
            now: 3600.0,
            limit: 60.0,
            moments: moments.iter().map(|(at, one)| (*at, one)).collect(),
        };
        assert_eq!(chart.top(), 150.0);
        let path = |value| chart.path(150.0, value);
        assert_eq!(
            path(|one| one.plain_p95),
            "M44.0 82.0h0M46.6 82.0h0M352.0 82.0h0"
        );
        assert_eq!(
            path(|one| one.with_open_p95),
            "M44.0 82.0h0L45.3 82.0L46.6 82.0M352.0 34.0h0"
        );
    }

    #[test]
    fn a_chart_says_what_it_shows() {
        let one = moment(f64::NAN, 90.0);
        let chart = Chart {
            now: 10.0,
            limit: 60.0,
            moments: vec![(0.0, &one)],
        };
        let said = chart.said();
        assert!(
            said.contains("now 90 s with open orders, none of completed ones"),
            "{said}"
        );
        let empty = Chart {
            now: 10.0,
            limit: 60.0,
            moments: vec![],
        };
        let mut page = Html::default();
        empty.show(&mut page);
        assert!(page.finish().contains("nothing was published yet"));
    }
}
