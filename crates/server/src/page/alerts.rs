//! What Prometheus' answer about alerts says, and how the page shows it.
//!
//! Only alerts of the catalogue in force are listed (those that have a runbook here); of others it is
//! said how many there are. An alert that always fires to show that paging works is no alert.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;

use super::Picture;
use super::html::Html;
use super::shown;

/// Fires always: it shows that the way to a person works.
const HEARTBEAT: &str = "Watchdog";
/// How many are listed.
const SHOWN: usize = 12;

/// What is known of Prometheus' alerts.
#[derive(Clone, Debug)]
pub enum Alerts {
    /// No Prometheus is configured.
    NotConfigured,
    /// It was asked for the first time and has not answered yet.
    Asked,
    /// The last answer, and when it came, in seconds since 1970.
    Known(f64, Vec<Alert>),
    /// The last question failed; the last answer before that, if there was one.
    Failed(Option<(f64, Vec<Alert>)>),
}

/// An alert that is pending or firing.
#[derive(Clone, PartialEq, Debug, Deserialize)]
pub struct Alert {
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
    state: String,
    #[serde(rename = "activeAt")]
    active_at: String,
}

impl Alert {
    fn label(&self, name: &str) -> &str {
        self.labels.get(name).map_or("", String::as_str)
    }

    /// Whether it is of the catalogue in force, and more than a sign of life. Others' alerts may have
    /// the same name: ours are about our job.
    fn is_ours(&self, picture: &Picture<'_>) -> bool {
        let name = self.label("alertname");
        let mut runbooks = picture.runbooks.iter();
        name != HEARTBEAT
            && self.label("job") == picture.job
            && runbooks.any(|runbook| runbook.alert == name)
    }

    /// Firing before pending, critical before warning before the rest.
    fn rank(&self) -> (bool, u8, &str) {
        let severity = match self.label("severity") {
            "critical" => 0,
            "warning" => 1,
            _ => 2,
        };
        (self.state != "firing", severity, self.label("alertname"))
    }
}

/// Prometheus' `/api/v1/alerts`.
#[derive(Deserialize)]
struct Answer {
    status: String,
    data: Option<Data>,
}

#[derive(Deserialize)]
struct Data {
    alerts: Vec<Alert>,
}

/// The alerts of an answer's body; `Err` says what is wrong with it.
pub fn read(body: &[u8]) -> Result<Vec<Alert>, String> {
    let answer: Answer = serde_json::from_slice(body)
        .map_err(|_| "the answer is not that of a Prometheus".to_owned())?;
    match answer {
        Answer {
            data: Some(data), ..
        } => Ok(data.alerts),
        Answer { status, data: None } => Err(format!("the answer's status is {status}")),
    }
}

impl Alerts {
    /// The last answer, and when it came, in seconds since 1970.
    pub fn last(&self) -> Option<(f64, &[Alert])> {
        match self {
            Alerts::Known(at, alerts) | Alerts::Failed(Some((at, alerts))) => Some((*at, alerts)),
            Alerts::NotConfigured | Alerts::Asked | Alerts::Failed(None) => None,
        }
    }
}

/// Whether there is one of the catalogue's to look at: the page then begins with them.
pub fn is_urgent(picture: &Picture<'_>) -> bool {
    let last = picture.alerts.last();
    last.is_some_and(|(_, alerts)| alerts.iter().any(|alert| alert.is_ours(picture)))
}

/// The section.
pub fn show(page: &mut Html, picture: &Picture<'_>) {
    page.add("<section>\n<h2>Alerts</h2>\n");
    match picture.alerts {
        Alerts::NotConfigured => {
            page.add("<p>Unknown: no Prometheus to ask. Set <code>prometheus_url</code> under <code>[http]</code>, for example <code>prometheus_url = \"http://localhost:9090\"</code>.</p>\n");
        }
        Alerts::Asked => {
            page.add("<p>Prometheus is being asked.</p>\n");
        }
        Alerts::Failed(None) => {
            page.add("<p class=\"warn\">Unknown: Prometheus does not answer.</p>\n");
        }
        Alerts::Failed(Some(_)) => {
            page.add(
                "<p class=\"warn\">Unknown: Prometheus does not answer. What it said last:</p>\n",
            );
        }
        Alerts::Known(..) => {}
    }
    if let Some((at, alerts)) = picture.alerts.last() {
        list(page, picture, at, alerts);
    }
    if !picture.runbooks.is_empty() {
        page.add("<p><a href=\"/runbooks\">All runbooks</a></p>\n");
    }
    page.add("</section>\n");
}

fn list(page: &mut Html, picture: &Picture<'_>, at: f64, alerts: &[Alert]) {
    let known = alerts
        .iter()
        .filter(|alert| alert.label("alertname") != HEARTBEAT);
    let (mut ours, others): (Vec<&Alert>, Vec<&Alert>) =
        known.partition(|alert| alert.is_ours(picture));
    ours.sort_by_key(|alert| alert.rank());
    if ours.is_empty() {
        let class = match picture.alerts {
            Alerts::Failed(_) => "<p class=\"soft\">",
            _ => "<p class=\"good\">",
        };
        page.add(class).add("None is firing or pending.</p>\n");
    } else {
        page.add("<ul class=\"alerts\">\n");
        for alert in ours.iter().take(SHOWN) {
            one(page, picture.now, alert);
        }
        page.add("</ul>\n");
    }
    page.add("<p class=\"soft\">");
    if ours.len() > SHOWN {
        page.add("and ").text(ours.len() - SHOWN).add(" more; ");
    }
    if !others.is_empty() {
        page.text(others.len()).add(" of other rules; ");
    }
    page.add("as Prometheus said ")
        .text(shown::duration(picture.now - at))
        .add(" ago</p>\n");
}

fn one(page: &mut Html, now: f64, alert: &Alert) {
    let is_firing = alert.state == "firing";
    page.add(if is_firing {
        "<li class=\"bad\">"
    } else {
        "<li class=\"warn\">"
    });
    page.add("<strong><a href=\"/runbooks/")
        .text(alert.label("alertname"))
        .add(".md\">");
    page.text(alert.label("alertname"))
        .add("</a></strong> ")
        .text(&alert.state);
    if let Some(since) = age(now, &alert.active_at) {
        page.add(" for ").text(shown::duration(since));
    }
    for (before, name) in [(", ", "severity"), (", ", "owner"), (", ", "kpi")] {
        if !alert.label(name).is_empty() {
            page.add(before).text(alert.label(name));
        }
    }
    if let Some(summary) = alert.annotations.get("summary") {
        page.add("<br><span class=\"plain\">")
            .text(summary)
            .add("</span>");
    }
    page.add("</li>\n");
}

/// Seconds since a time in RFC 3339.
fn age(now: f64, time: &str) -> Option<f64> {
    let time: Timestamp = time.parse().ok()?;
    Some((now - time.as_microsecond() as f64 / 1e6).max(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_or_refused() {
        let body = br#"{"status":"success","data":{"alerts":[{"labels":{"alertname":"PromiseStalled","severity":"critical"},"annotations":{"summary":"x"},"state":"firing","activeAt":"2026-01-05T10:00:00.5Z","value":"1e+00"}]}}"#;
        let alerts = read(body).expect("a whole answer");
        assert_eq!(alerts[0].rank(), (false, 0, "PromiseStalled"));
        assert_eq!(age(1_767_607_260.5, &alerts[0].active_at), Some(60.0));
        assert_eq!(
            read(br#"{"status":"success","data":{"alerts":[]}}"#),
            Ok(vec![])
        );
        let refused = read(br#"{"status":"error","error":"no"}"#);
        assert_eq!(refused, Err("the answer's status is error".to_owned()));
        assert!(read(b"<html>").is_err());
    }
}
