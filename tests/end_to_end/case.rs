//! The cases: what goes wrong, who has to hear of it, and how soon.
//!
//! A case's incident comes after some healthy minutes, and Prometheus remembers healthy hours: the
//! windows are full of good orders, as they are in life; with empty ones every alert would come
//! sooner, and stay longer.

use std::time::{Duration, Instant};

use support::until;

use crate::heard::Heard;
use crate::outcome::Outcome;
use crate::queries;
use crate::stack::Stack;

/// How long all is well before an incident.
const WARM_UP: Duration = Duration::from_secs(5 * 60);
/// How long an incident lasts.
const LASTS: Duration = Duration::from_secs(6 * 60);
/// How long a page may take where the issue has no aim.
const PAGE_WITHIN: Duration = Duration::from_secs(12 * 60);
/// When a case stops waiting for a page: later than any may take, so that a late one is seen to be late.
const GIVE_UP: Duration = Duration::from_secs(15 * 60);
/// How long it may take from the incident's end until everybody was told that it is over.
const RESOLVED_WITHIN: Duration = Duration::from_secs(20 * 60);
/// How long nothing may happen in a healthy shop.
const CALM: Duration = Duration::from_secs(20 * 60);
/// How many orders the rules must have seen in the last five minutes of a calm that counts.
const JUDGED: f64 = 100.0;

/// Which topics the shop's events are on, as `kept shop --topics` has it.
#[derive(Clone, Copy, Debug)]
pub enum Topics {
    /// One for everything.
    One,
    /// Fulfilment has one of its own.
    Split,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug)]
pub enum Trouble {
    /// Nothing.
    None,
    /// Fulfilment, as these arguments of `kept shop` tell it.
    Fulfilment(&'static [&'static str]),
    /// Kafka is killed, and started again at the end.
    Kafka,
    /// Kept is killed, and started again at the end.
    Kept,
}

/// A case.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// For people.
    pub name: &'static str,
    /// Where the events are.
    pub topics: Topics,
    /// How long the shop was open before Kept came.
    pub history: Duration,
    /// Orders a second.
    pub rate: &'static str,
    /// What goes wrong.
    pub trouble: Trouble,
    /// The one receiver who is paged, and how soon.
    pub page: (&'static str, Duration),
    /// The whole shop has the trouble: no page is about a part of it.
    pub whole: bool,
}

/// The aim is for these two.
const AIM: Duration = Duration::from_secs(5 * 60);
const FULFILMENT: &str = "/page/fulfilment-team";
const KEPT: &str = "/page/kept-team";
const HEALTHY: Case = Case {
    name: "healthy",
    topics: Topics::One,
    history: Duration::from_secs(15 * 60),
    rate: "4",
    trouble: Trouble::None,
    page: ("", Duration::ZERO),
    whole: true,
};

/// All of them.
pub const CASES: [Case; 7] = [
    HEALTHY,
    Case {
        name: "an hour of backlog",
        history: Duration::from_secs(3600),
        ..HEALTHY
    },
    Case {
        name: "fulfilment 3 times slower",
        trouble: Trouble::Fulfilment(&["--incident", "slower:3"]),
        page: (FULFILMENT, AIM),
        ..HEALTHY
    },
    Case {
        name: "a total stop, on its own topic",
        topics: Topics::Split,
        trouble: Trouble::Fulfilment(&["--incident", "stop"]),
        page: (FULFILMENT, AIM),
        ..HEALTHY
    },
    Case {
        name: "one region 3 times slower",
        trouble: Trouble::Fulfilment(&["--incident", "slower:3", "--incident-region", "uk"]),
        page: (FULFILMENT, PAGE_WITHIN),
        whole: false,
        ..HEALTHY
    },
    Case {
        name: "Kafka down",
        trouble: Trouble::Kafka,
        page: (KEPT, PAGE_WITHIN),
        ..HEALTHY
    },
    Case {
        name: "Kept killed",
        trouble: Trouble::Kept,
        page: (KEPT, PAGE_WITHIN),
        ..HEALTHY
    },
];

impl Case {
    /// What `kept shop` is told of the incident.
    pub fn incident(&self) -> Vec<String> {
        let Trouble::Fulfilment(kind) = self.trouble else {
            return Vec::new();
        };
        let times = [("--incident-after", WARM_UP), ("--incident-for", LASTS)];
        let times = times.map(|(name, time)| [name.to_owned(), format!("{}s", time.as_secs())]);
        let kind = kind.iter().map(|part| (*part).to_owned());
        kind.chain(times.concat()).collect()
    }
}

/// Plays a case to its end.
pub fn play(case: &Case) -> Outcome {
    let mut play = Play {
        stack: Stack::start(case),
        outcome: Outcome::new(case.name),
        read: 0,
        watchdogs: 0,
    };
    match case.trouble {
        Trouble::None => play.calm(),
        _ => play.incident(case),
    }
    play.outcome
}

struct Play {
    stack: Stack,
    outcome: Outcome,
    /// How many notifications were looked at.
    read: usize,
    watchdogs: usize,
}

impl Play {
    /// Nothing is heard, although everything works.
    fn calm(&mut self) {
        self.pass(CALM);
        if let Some(heard) = self.outcome.heard.first() {
            let what = format!("heard in a healthy shop: {heard}");
            self.outcome.fail(what);
        }
        if self.watchdogs == 0 {
            self.outcome.fail("not even the watchdog was heard");
        }
        let prometheus = &self.stack.prometheus;
        let judged = prometheus.value("job:shop_fulfilment_promises:judged5m");
        if judged.is_none_or(|judged| judged < JUDGED) {
            let what = format!("the rules saw {judged:?} orders in 5 minutes");
            self.outcome.fail(what);
        }
        for fault in queries::faults(&self.stack.prometheus) {
            self.outcome.fail(fault);
        }
    }

    /// One page to the right people, in time, and the message that it is over.
    fn incident(&mut self, case: &Case) {
        self.pass(WARM_UP);
        if let Some(heard) = self.outcome.heard.first() {
            let what = format!("heard before the incident: {heard}");
            self.outcome.fail(what);
        }
        self.strike(case.trouble);
        let began = Instant::now();
        self.wait(began, GIVE_UP, |play| play.pages().next().is_some());
        let opened = self.stack.opened;
        let page = self.pages().next().map(|page| opened + page.at);
        self.outcome.paged_after = page.map(|page| page.saturating_duration_since(began));
        self.wait(began, LASTS, |_| false);
        self.mend(case.trouble);
        let ended = Instant::now();
        self.wait(ended, RESOLVED_WITHIN, |play| play.last_over().is_some());
        let over = self.last_over().map(|over| opened + over);
        self.outcome.resolved_after = over.map(|over| over.saturating_duration_since(ended));
        self.judge(case);
    }

    fn strike(&mut self, trouble: Trouble) {
        match trouble {
            Trouble::None | Trouble::Fulfilment(_) => {}
            Trouble::Kafka => self.stack.kafka.stop(),
            Trouble::Kept => self.stack.kept.kill(),
        }
    }

    fn mend(&mut self, trouble: Trouble) {
        match trouble {
            Trouble::None | Trouble::Fulfilment(_) => {}
            Trouble::Kafka => self.stack.kafka.restart(),
            Trouble::Kept => self.stack.kept.restart(),
        }
    }

    fn judge(&mut self, case: &Case) {
        let (to, within) = case.page;
        match self.outcome.paged_after {
            None => self.outcome.fail("nobody was paged"),
            Some(after) if after > within => {
                let what = format!("paged after {} s only", after.as_secs());
                self.outcome.fail(what);
            }
            Some(_) => {}
        }
        if self.outcome.resolved_after.is_none() {
            self.outcome.fail("nobody was told that it is over");
        }
        let of_a_part = self.pages().find(|page| page.of_a_part);
        if let (true, Some(page)) = (case.whole, of_a_part) {
            let what = format!("a part was paged for: {page}");
            self.outcome.fail(what);
        }
        let mut groups: Vec<(String, String)> = self
            .pages()
            .map(|page| (page.path.clone(), page.group.clone()))
            .collect();
        groups.sort();
        groups.dedup();
        if groups.len() > 1 || groups.iter().any(|group| group.0 != to) {
            let what = format!("pages to others than {to}, or more than one: {groups:?}");
            self.outcome.fail(what);
        }
    }

    /// When the last of the groups that were paged was told to be over; `None`: not yet, or paged
    /// again after it.
    fn last_over(&self) -> Option<Duration> {
        let last = self.outcome.heard.iter().rfind(|heard| heard.is_page())?;
        (!last.firing).then_some(last.at)
    }

    fn pages(&self) -> impl Iterator<Item = &Heard> {
        let heard = self.outcome.heard.iter();
        heard.filter(|heard| heard.is_page() && heard.firing)
    }

    /// Lets `time` pass since the shop opened.
    fn pass(&mut self, time: Duration) {
        self.wait(self.stack.opened, time, |_| false);
    }

    /// Reads notifications until `enough` or until `limit` after `since`.
    fn wait(&mut self, since: Instant, limit: Duration, enough: impl Fn(&Play) -> bool) {
        let slack = Duration::from_secs(60);
        until(limit + slack, "time passes", || {
            self.stack.assert_open();
            self.read();
            enough(self) || since.elapsed() >= limit
        });
    }

    fn read(&mut self) {
        let heard = self.stack.webhook.heard();
        for notification in &heard[self.read..] {
            let at = notification.at;
            let at = at.saturating_duration_since(self.stack.opened);
            let heard = Heard::read(notification, at);
            if heard.is_watchdog() {
                self.watchdogs += 1;
            } else {
                self.outcome.heard.push(heard);
            }
        }
        self.read = heard.len();
    }
}
