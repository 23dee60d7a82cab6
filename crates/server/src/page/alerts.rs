//! What Prometheus' answer about alerts says, and how the page shows it.
//!
//! Only alerts of the catalogue in force are listed (those that have a runbook here); of others it is
//! said how many there are. An alert that always fires to show that paging works is no alert. Those
//! about a part of the shop (a region, a channel) are folded: in an incident of the whole there may
//! be dozens. Prometheus says when an alert's condition began, not since when it fires.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;

use super::Picture;
use super::html::Html;
use super::shown;

/// Fires always: it shows that the way to a person works.
const HEARTBEAT: &str = "Watchdog";
/// How many are listed, of the whole and of its parts.
const SHOWN: [usize; 2] = [12, 30];

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

    /// Whether it fires; else it is pending.
    pub fn is_firing(&self) -> bool {
        self.state == "firing"
    }

    /// Whether it is about some label values of a KPI, not about all of it.
    fn is_of_part(&self) -> bool {
        self.label("level") == "part"
    }

    /// Firing before pending, critical before warning before the rest; then by name and place.
    fn rank(&self) -> (bool, u8, &str, &BTreeMap<String, String>) {
        let severity = match self.label("severity") {
            "critical" => 0,
            "warning" => 1,
            _ => 2,
        };
        let name = self.label("alertname");
        (!self.is_firing(), severity, name, &self.labels)
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

/// The catalogue's alerts, the worst first, and how many there are of others.
fn ours<'a>(picture: &Picture<'_>, alerts: &'a [Alert]) -> (Vec<&'a Alert>, usize) {
    let known = alerts
        .iter()
        .filter(|alert| alert.label("alertname") != HEARTBEAT);
    let (mut ours, others): (Vec<&Alert>, Vec<&Alert>) =
        known.partition(|alert| alert.is_ours(picture));
    ours.sort_by_key(|alert| alert.rank());
    (ours, others.len())
}

/// Whether there is one of the catalogue's to look at: the page then begins with the first promise
/// and them.
pub fn is_urgent(picture: &Picture<'_>) -> bool {
    let last = picture.alerts.last();
    last.is_some_and(|(_, alerts)| alerts.iter().any(|alert| alert.is_ours(picture)))
}

/// At the head of the page: what fires or, if nothing does, is pending, in a line.
pub fn notice(page: &mut Html, picture: &Picture<'_>) {
    let Some((at, alerts)) = picture.alerts.last() else {
        return;
    };
    let (ours, _) = ours(picture, alerts);
    let Some(first) = ours.first() else { return };
    let is_firing = first.is_firing();
    page.add(if is_firing {
        "<p class=\"notice bad\"><strong><a href=\"#alerts\">Firing</a>:</strong> "
    } else {
        "<p class=\"notice warn\"><strong><a href=\"#alerts\">Pending</a>:</strong> "
    });
    let same = ours.iter().filter(|alert| alert.is_firing() == is_firing);
    let (parts, wholes): (Vec<&Alert>, Vec<&Alert>) = same.partition(|alert| alert.is_of_part());
    let mut names: Vec<&str> = Vec::new();
    for name in wholes.iter().map(|alert| alert.label("alertname")) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    page.text(names.join(", "));
    if !parts.is_empty() {
        page.add(if names.is_empty() { "" } else { ", and " });
        page.text(parts.len()).add(" for parts of the shop");
    }
    if matches!(picture.alerts, Alerts::Failed(_)) {
        page.add(" (as Prometheus said ");
        page.text(shown::duration(picture.now - at)).add(" ago)");
    }
    page.add("</p>\n");
}

/// The section.
pub fn show(page: &mut Html, picture: &Picture<'_>) {
    // On a wide screen it then is beside the promise, not below it.
    page.add(if is_urgent(picture) {
        "<section id=\"alerts\" class=\"urgent\">\n<h2>Alerts</h2>\n"
    } else {
        "<section id=\"alerts\">\n<h2>Alerts</h2>\n"
    });
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
    let (ours, others) = ours(picture, alerts);
    let (parts, wholes): (Vec<&Alert>, Vec<&Alert>) =
        ours.into_iter().partition(|alert| alert.is_of_part());
    if parts.is_empty() && wholes.is_empty() {
        let class = match picture.alerts {
            Alerts::Failed(_) => "<p class=\"soft\">",
            _ => "<p class=\"good\">",
        };
        page.add(class).add("None is firing or pending.</p>\n");
    }
    some(page, picture.now, &wholes, SHOWN[0]);
    folded(page, picture, &parts, wholes.is_empty());
    page.add("<p class=\"soft\">");
    if others > 0 {
        page.text(others).add(" of other rules; ");
    }
    page.add("as Prometheus said ")
        .text(shown::duration(picture.now - at))
        .add(" ago</p>\n");
}

/// At most so many of them, and how many more there are; nothing without any.
fn some(page: &mut Html, now: f64, alerts: &[&Alert], most: usize) {
    if alerts.is_empty() {
        return;
    }
    page.add("<ul class=\"alerts\">\n");
    for alert in alerts.iter().take(most) {
        one(page, now, alert);
    }
    page.add("</ul>\n");
    if alerts.len() > most {
        page.add("<p class=\"soft\">and ");
        page.text(alerts.len() - most).add(" more</p>\n");
    }
}

/// Those of parts behind their number; open where there is nothing but them.
fn folded(page: &mut Html, picture: &Picture<'_>, parts: &[&Alert], is_open: bool) {
    if parts.is_empty() {
        return;
    }
    let firing = parts.iter().filter(|alert| alert.is_firing()).count();
    page.add(if is_open {
        "<details open>\n<summary>"
    } else {
        "<details>\n<summary>"
    });
    page.text(parts.len()).add(" for parts of the shop: ");
    for (number, word) in [(firing, " firing"), (parts.len() - firing, " pending")] {
        if number > 0 {
            let is_second = word == " pending" && firing > 0;
            page.add(if is_second { ", " } else { "" });
            page.text(number).add(word);
        }
    }
    page.add("</summary>\n");
    if picture.refresh && !is_open {
        page.add("<p class=\"soft\">This folds again when the page refreshes: <a href=\"/?refresh=off#alerts\">stop that</a>.</p>\n");
    }
    some(page, picture.now, parts, SHOWN[1]);
    page.add("</details>\n");
}

fn one(page: &mut Html, now: f64, alert: &Alert) {
    page.add(if alert.is_firing() {
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
        page.add(", began ")
            .text(shown::duration(since))
            .add(" ago");
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
        let (is_pending, severity, name, _) = alerts[0].rank();
        assert_eq!((is_pending, severity, name), (false, 0, "PromiseStalled"));
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
