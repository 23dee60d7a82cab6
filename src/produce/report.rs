//! What the user is told: bad lines and new types as they come, progress on a terminal, and a
//! summary at the end. All of it goes to standard error.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _};
use std::path::Path;
use std::time::Instant;

use catalogue::Plan;
use events::shown;

use super::outlet::Outlet;
use super::validate::Accepted;

/// See the file's header.
pub struct Report<'a> {
    plan: &'a Plan,
    file: String,
    begin: Instant,
    terminal: bool,
    /// A progress line is on the terminal.
    drawn: bool,
    /// All lines, blank ones as well: the last one's number.
    lines: u64,
    blank: u64,
    skipped: u64,
    accepted: u64,
    /// By topic of the plan.
    without_key: BTreeMap<usize, u64>,
    unknown_types: BTreeMap<String, u64>,
}

impl<'a> Report<'a> {
    /// Of nothing yet, read from this file.
    pub fn new(plan: &'a Plan, file: &Path) -> Report<'a> {
        let file = if file == Path::new("-") {
            "standard input".to_owned()
        } else {
            file.display().to_string()
        };
        Report {
            plan,
            file,
            begin: Instant::now(),
            terminal: std::io::stderr().is_terminal(),
            drawn: false,
            lines: 0,
            blank: 0,
            skipped: 0,
            accepted: 0,
            without_key: BTreeMap::new(),
            unknown_types: BTreeMap::new(),
        }
    }

    /// What messages call a line.
    pub fn place(&self, line: u64) -> String {
        format!("{}:{line}", self.file)
    }

    /// A line that is skipped.
    pub fn bad(&mut self, line: u64, reason: &str) {
        self.lines += 1;
        self.skipped += 1;
        let place = self.place(line);
        self.say(&format!("{place}: {reason}"));
    }

    /// A line with nothing in it.
    pub fn blank(&mut self) {
        self.lines += 1;
        self.blank += 1;
    }

    /// A line that was accepted (and sent, unless nothing is).
    pub fn good(&mut self, line: u64, accepted: &Accepted<'_>) {
        self.lines += 1;
        self.accepted += 1;
        if accepted.key.is_none() {
            *self.without_key.entry(accepted.topic).or_default() += 1;
        }
        let Some(name) = accepted.unknown_type else {
            return;
        };
        match self.unknown_types.get_mut(name) {
            Some(count) => *count += 1,
            None => {
                self.unknown_types.insert(name.to_owned(), 1);
                let (place, name) = (self.place(line), shown(name));
                self.say(&format!(
                    "{place}: warning: type \"{name}\" is neither a canonical type nor used by a \
                     KPI; its events are sent and will be counted as ignored"
                ));
            }
        }
    }

    /// Whether every line was accepted.
    pub fn is_clean(&self) -> bool {
        self.skipped == 0
    }

    /// Draws the progress line, on a terminal.
    pub fn progress(&mut self, outlet: Option<&Outlet>) {
        if !self.terminal {
            return;
        }
        let rate = self.lines as f64 / self.begin.elapsed().as_secs_f64();
        let mut text = format!("{} lines, {rate:.0} a second", self.lines);
        if let Some(outlet) = outlet {
            put(&mut text, &format!(", {} acknowledged", outlet.delivered()));
        }
        put(&mut text, &format!(", {} skipped", self.skipped));
        eprint!("\r\x1b[2K{text}");
        // Whoever closed it does not want it.
        let _ = std::io::stderr().flush();
        self.drawn = true;
    }

    /// One line for the user.
    pub fn say(&mut self, text: &str) {
        if std::mem::take(&mut self.drawn) {
            eprint!("\r\x1b[2K");
        }
        eprintln!("{text}");
    }

    /// The last words.
    pub fn summary(&mut self, outlet: Option<&Outlet>) {
        for (topic, count) in std::mem::take(&mut self.without_key) {
            let topic = &self.plan.topics[topic];
            let why = match &topic.key {
                Some(key) => format!("no data.{key}"),
                None => "no \"key\" is configured for it".to_owned(),
            };
            let name = &topic.name;
            self.say(&format!(
                "warning: without a key on topic {name}: {count} ({why})"
            ));
        }
        for (name, count) in std::mem::take(&mut self.unknown_types) {
            let name = shown(&name);
            self.say(&format!("warning: of unknown type \"{name}\": {count}"));
        }
        let mut text = format!("{}: {} lines", self.file, self.lines);
        if self.blank > 0 {
            put(&mut text, &format!(" ({} blank)", self.blank));
        }
        match outlet {
            None => put(
                &mut text,
                &format!(", {} good, nothing sent", self.accepted),
            ),
            Some(outlet) => {
                put(
                    &mut text,
                    &format!(", {} acknowledged by Kafka", outlet.delivered()),
                );
                let (failed, error) = outlet.failed();
                if failed > 0 {
                    let error = error.unwrap_or_default();
                    put(&mut text, &format!(", {failed} NOT DELIVERED ({error})"));
                }
            }
        }
        put(&mut text, &format!(", {} skipped", self.skipped));
        self.say(&text);
    }
}

fn put(text: &mut String, more: &str) {
    text.write_str(more)
        .expect("writing to a String can't fail");
}
