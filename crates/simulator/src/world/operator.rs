//! What people do to a deployment, and what they do when a worker gives up as it should: they read
//! its message and follow it. A worker that gives up for any other reason is a failure.

use events::Span;
use pipeline::LogGap;
use pipeline::note::Note;
use pipeline::port::{Assignment, TaskId};

use super::broker::{Log, Place};
use super::outcome::Check;
use super::reasons::Reasons;
use super::{Event, SESSION, World};

impl World {
    /// A worker can't go on and says what has to be done.
    pub(super) fn gave_up(&mut self, worker: u64, message: &str) {
        self.tell(|_| format!("worker {worker} gives up: {message}"));
        let gap = message.contains("[state] log_gap is \"stop\"");
        let lost = self.excuse.retention || self.excuse.anew;
        if gap && lost && self.log_gap == LogGap::Stop {
            *self.report.notices.entry("stopped at a gap").or_default() += 1;
            self.log_gap = LogGap::Continue;
            self.kill_all();
            return self.later(Span::from_seconds(1), Event::Spawn);
        }
        let moved = self.repartitioned_from.is_some_and(|before| {
            let now = self.partitions;
            message.contains(&format!("had {before} partitions when"))
                && message.contains(&format!("and has {now} now"))
                && message.contains("kept state reset")
        });
        if moved {
            *self.report.notices.entry("partitions changed").or_default() += 1;
            self.kill_all();
            // The group has to be without members.
            if !std::mem::replace(&mut self.resetting, true) {
                self.later(SESSION + Span::from_seconds(5), Event::Reset);
            }
            return;
        }
        self.fail(Check::Failed, format!("worker {worker}: {message}"));
    }

    /// `kept state reset`: no snapshots, no offsets; what comes is another history.
    pub(super) fn reset(&mut self) {
        self.tell(|_| "kept state reset".to_owned());
        self.kill_all();
        self.resetting = false;
        self.store.wipe();
        self.unmounted.iter_mut().for_each(|it| it.wipe());
        self.group.committed.clear();
        self.lineages.clear();
        self.saved.clear();
        self.states.clear();
        self.epochs.clear();
        self.origins.clear();
        self.shown.clear();
        self.committed.clear();
        self.scraper.forget_all();
        self.reasons = Reasons::default();
        self.repartitioned_from = None;
        self.spawn();
    }

    /// Every topic gets one more partition. Nobody is there.
    pub(super) fn repartition(&mut self) {
        self.kill_all();
        self.repartitioned_from.get_or_insert(self.partitions);
        for topic in self.topics() {
            let place = (topic, self.partitions);
            self.broker.logs.insert(place, Log::default());
        }
        self.partitions += 1;
    }

    /// Reads what it must not: its keys have moved to other partitions.
    pub(super) fn check_partitions(&mut self, worker: u64, starts: &[Assignment]) {
        let moved = |it: &Assignment| {
            let committed = self.group.committed.get(&(it.topic, it.partition));
            let note = committed.and_then(|entry| Note::parse(&entry.1));
            note.is_some_and(|note| note.partitions != self.partitions)
        };
        if starts.iter().any(moved) {
            let detail = format!("worker {worker} reads although keys have moved: {starts:?}");
            self.fail(Check::Kept, detail);
        }
    }

    /// Somebody set the offsets of a task, all its inputs by as much. Nobody is there.
    pub(super) fn move_offsets(&mut self, which: u64, by: i64) {
        let partition = which as i32 % self.partitions;
        let task = TaskId {
            group: 0,
            partition,
        };
        let places: Vec<Place> = self.topics().iter().map(|it| (*it, partition)).collect();
        for place in places {
            let log = self.broker.log(place);
            if let Some((offset, note)) = self.group.committed.get_mut(&place) {
                // A tool of its own may set it beyond the end.
                let most = match self.faults.topic_ids {
                    true => i64::MAX,
                    false => log.end,
                };
                *offset = (*offset + by).clamp(log.start, most);
                note.clear();
            }
        }
        // What was shown before is not known any more to anybody but the scraper.
        self.excuse.anew = true;
        self.committed.remove(&task);
        self.scraper.forget(task);
    }

    /// The KPIs are changed. Nobody is there.
    pub(super) fn change_plan(&mut self) {
        self.kill_all();
        self.version = 1 - self.version;
        self.plan = self.truth.plan(self.version);
        self.scraper.forget_kpis(&self.truth.changed);
        self.excuse.plan = true;
    }
}
