//! What a case came to, and the table of all of them.

use std::time::Duration;

use crate::heard::Heard;

/// What a case came to.
#[derive(Debug)]
pub struct Outcome {
    name: &'static str,
    /// From the incident to the first page.
    pub paged_after: Option<Duration>,
    /// From the end of the incident to the message that it is over.
    pub resolved_after: Option<Duration>,
    /// All that was heard, the watchdog apart.
    pub heard: Vec<Heard>,
    failures: Vec<String>,
}

impl Outcome {
    /// Nothing happened yet.
    pub fn new(name: &'static str) -> Outcome {
        Outcome {
            name,
            paged_after: None,
            resolved_after: None,
            heard: Vec::new(),
            failures: Vec::new(),
        }
    }

    /// Something is not as it should be; the case goes on, so that all of it is told.
    pub fn fail(&mut self, what: impl Into<String>) {
        self.failures
            .push(format!("{}: {}", self.name, what.into()));
    }

    /// All that is not as it should be.
    pub fn failures(&self) -> impl Iterator<Item = String> + '_ {
        self.failures.iter().cloned()
    }
}

/// The times of all cases and all that was heard.
pub fn table(outcomes: &[Outcome]) -> String {
    let mut text = format!(
        "\n{:<34} {:>16} {:>16}  {}\n",
        "incident", "to first page", "end to resolved", "first page"
    );
    for outcome in outcomes {
        let time = |time: Option<Duration>| time.map_or_else(|| "-".to_owned(), minutes);
        let page = outcome.heard.iter().find(|heard| heard.is_page());
        let page = page.map_or_else(String::new, |page| {
            format!("{}: {}", page.path, page.alerts.join(", "))
        });
        text += &format!(
            "{:<34} {:>16} {:>16}  {page}\n",
            outcome.name,
            time(outcome.paged_after),
            time(outcome.resolved_after),
        );
    }
    text += "\nAll notifications, since the shop opened:\n";
    for outcome in outcomes.iter().filter(|outcome| !outcome.heard.is_empty()) {
        text += &format!("{}\n", outcome.name);
        for heard in &outcome.heard {
            text += &format!("  {heard}\n");
        }
    }
    text
}

/// Minutes and seconds.
pub fn minutes(time: Duration) -> String {
    let seconds = time.as_secs();
    format!("{}:{:02}", seconds / 60, seconds % 60)
}
