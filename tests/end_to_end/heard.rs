//! Notifications as the people behind the receivers get them: which path, which group, which
//! alerts begin or end.

use std::fmt;
use std::time::Duration;

use serde_json::Value;
use support::Notification;

/// One notification.
#[derive(Clone, Debug)]
pub struct Heard {
    /// Since the shop opened.
    pub at: Duration,
    /// The receiver's path, such as `/page/fulfilment-team`.
    pub path: String,
    /// Tells the groups of a receiver apart.
    pub group: String,
    /// Some alert of the group fires.
    pub firing: bool,
    /// Its alerts, the firing ones first.
    pub alerts: Vec<String>,
    /// Some firing alert is about a part of the shop only.
    pub of_a_part: bool,
}

impl Heard {
    /// Reads it; a body that is not Alertmanager's fails the test.
    pub fn read(notification: &Notification, at: Duration) -> Heard {
        let body: Value =
            serde_json::from_str(&notification.body).expect("Alertmanager sends JSON");
        let text = |value: &Value| value.as_str().expect("a string").to_owned();
        let alerts = body["alerts"].as_array().expect("a list of alerts");
        let of_a_part = alerts
            .iter()
            .any(|alert| alert["status"] == "firing" && alert["labels"]["level"] == "part");
        let mut alerts: Vec<(bool, String)> = alerts.iter().map(alert).collect();
        alerts.sort();
        alerts.dedup();
        Heard {
            at,
            path: notification.path.clone(),
            group: text(&body["groupKey"]),
            firing: text(&body["status"]) == "firing",
            alerts: alerts.into_iter().map(|(_, name)| name).collect(),
            of_a_part,
        }
    }

    /// Somebody is woken.
    pub fn is_page(&self) -> bool {
        self.path.starts_with("/page/")
    }

    /// The sign that alerts arrive at all.
    pub fn is_watchdog(&self) -> bool {
        self.path == "/watchdog"
    }
}

/// Whether it is over, and its name with the labels that tell it from others of the name.
fn alert(alert: &Value) -> (bool, String) {
    let over = alert["status"] == "resolved";
    let labels = &alert["labels"];
    let mut name = labels["alertname"].as_str().unwrap_or("?").to_owned();
    for label in ["region", "channel", "step", "window", "instance", "topic"] {
        if let Some(value) = labels[label].as_str() {
            // An instance's port differs from run to run.
            let value = value.split(':').next().unwrap_or(value);
            name += &format!(" {value}");
        }
    }
    if over {
        name += " (over)";
    }
    (over, name)
}

impl fmt::Display for Heard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.firing { "fires" } else { "is over" };
        let (at, path) = (crate::outcome::minutes(self.at), &self.path);
        write!(f, "{at} {path} {state}: {}", self.alerts.join(", "))
    }
}
