//! What the workers are doing, for readiness and for the process' own metrics.
//!
//! Each worker writes its own row once a second from its own thread; readers take all of them.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard};

use catalogue::Plan;
use events::WallTime;
use pipeline::{TaskCounts, Worker};
use prometheus::{GaugeVec, IntGaugeVec, Opts, Registry};

/// See the file's header.
pub struct Status {
    /// Where snapshots are, for messages; empty without a store.
    store: String,
    rows: Mutex<Vec<Row>>,
    tasks: IntGaugeVec,
    lag_seconds: GaugeVec,
    /// By worker: the topics and partitions whose lag it shows.
    lag_rows: Mutex<Vec<BTreeSet<[String; 2]>>>,
}

/// One worker.
#[derive(Clone, Default)]
struct Row {
    /// The group has given it its share, which may be empty.
    joined: bool,
    tasks: TaskCounts,
    /// How many of them wait for a store that doesn't answer, and its last words.
    store_waits: Option<(usize, String)>,
}

impl Status {
    /// Registers `kept_tasks` and `kept_consumer_lag_seconds`; fails if a name is taken. `store`:
    /// where snapshots are, empty without.
    pub fn new(workers: usize, store: &str, registry: &Registry) -> prometheus::Result<Status> {
        let tasks = Opts::new(
            "kept_tasks",
            "Tasks (partitions with their state), by state",
        );
        let tasks = IntGaugeVec::new(tasks, &["state"])?;
        let lag = "How far the partition clock is behind now, 0 when everything there is was read";
        let lag = Opts::new("kept_consumer_lag_seconds", lag);
        let lag_seconds = GaugeVec::new(lag, &["topic", "partition"])?;
        registry.register(Box::new(tasks.clone()))?;
        registry.register(Box::new(lag_seconds.clone()))?;
        let status = Status {
            store: store.to_owned(),
            rows: Mutex::new(vec![Row::default(); workers]),
            tasks,
            lag_seconds,
            lag_rows: Mutex::new(vec![BTreeSet::new(); workers]),
        };
        status.show(&status.rows());
        Ok(status)
    }

    /// The group decided about this worker's share.
    pub fn joined(&self, worker: usize, joined: bool) {
        let mut rows = self.rows();
        rows[worker].joined = joined;
        if !joined {
            rows[worker] = Row::default();
        }
        self.show(&rows);
        drop(rows);
        if !joined {
            self.show_lags(worker, &[]);
        }
    }

    /// Takes a worker's standing down.
    pub fn update(&self, worker: usize, logic: &Worker, plan: &Plan, now: WallTime) {
        let mut rows = self.rows();
        rows[worker].tasks = logic.tasks();
        let waits = logic.waits_for_store();
        rows[worker].store_waits = waits.map(|(tasks, last)| (tasks, last.to_owned()));
        self.show(&rows);
        drop(rows);
        let mut lags = Vec::new();
        for (topic, partition, standing) in logic.standings() {
            let behind = standing.end.is_none_or(|end| standing.position < end);
            let since = standing
                .clock
                .map(|clock| (now.as_event_time() - clock).seconds());
            let lag = if behind {
                since.unwrap_or(0.0).max(0.0)
            } else {
                0.0
            };
            let topic = plan.topics[usize::from(topic.0)].name.clone();
            lags.push(([topic, partition.to_string()], lag));
        }
        self.show_lags(worker, &lags);
    }

    /// Shows how far this worker's partitions are behind, and no longer those that it had before,
    /// unless another worker of this process has them now.
    fn show_lags(&self, worker: usize, lags: &[([String; 2], f64)]) {
        let mut rows = self.lag_rows();
        let own = lags.iter().map(|(place, _)| place.clone()).collect();
        let before: BTreeSet<[String; 2]> = std::mem::replace(&mut rows[worker], own);
        for place in before {
            if !rows.iter().any(|row| row.contains(&place)) {
                let labels = place.each_ref().map(String::as_str);
                // It was set when it was this worker's.
                let _ = self.lag_seconds.remove_label_values(&labels);
            }
        }
        for (place, lag) in lags {
            let labels = place.each_ref().map(String::as_str);
            self.lag_seconds.with_label_values(&labels).set(*lag);
        }
    }

    /// Whether everything that this instance owns is shown; if not, why. `shown` is how many tasks
    /// are on the board: a worker that is held up has not noted yet that its lease is over.
    pub fn ready(&self, shown: usize) -> Result<(), String> {
        let rows = self.rows();
        let waiting = rows.iter().filter(|row| !row.joined).count();
        let sum = |count: fn(&TaskCounts) -> usize| -> usize {
            rows.iter().map(|row| count(&row.tasks)).sum()
        };
        let catching_up = sum(|tasks| tasks.catching_up);
        let restoring = sum(|tasks| tasks.restoring);
        let served = sum(|tasks| tasks.serving + tasks.fenced);
        let fenced = served.saturating_sub(shown);
        let mut reasons = Vec::new();
        if waiting > 0 {
            let all = rows.len();
            reasons.push(format!(
                "{waiting} of {all} workers wait for the group's assignment"
            ));
        }
        if catching_up > 0 {
            reasons.push(format!(
                "{catching_up} tasks are catching up with their partitions"
            ));
        }
        if restoring > 0 {
            reasons.push(format!(
                "{restoring} tasks are getting back to what is committed"
            ));
        }
        reasons.extend(self.store_waits(&rows));
        if fenced > 0 {
            reasons.push(format!(
                "{fenced} tasks are fenced: no commit went through for as long as a lease"
            ));
        }
        if reasons.is_empty() {
            Ok(())
        } else {
            Err(reasons.join("\n"))
        }
    }

    /// Who waits for the store, and what it says.
    fn store_waits(&self, rows: &[Row]) -> Option<String> {
        let waits: Vec<&(usize, String)> = rows
            .iter()
            .filter_map(|row| row.store_waits.as_ref())
            .collect();
        let (_, last) = waits.last()?;
        let tasks: usize = waits.iter().map(|wait| wait.0).sum();
        let store = &self.store;
        Some(format!(
            "{tasks} of them wait for the state store at {store}: {last}"
        ))
    }

    fn show(&self, rows: &[Row]) {
        let sum = |count: fn(&TaskCounts) -> usize| {
            rows.iter().map(|row| count(&row.tasks)).sum::<usize>() as i64
        };
        let show = |state: &str, count| self.tasks.with_label_values(&[state]).set(count);
        show("catching_up", sum(|tasks| tasks.catching_up));
        show("restoring", sum(|tasks| tasks.restoring));
        show("fenced", sum(|tasks| tasks.fenced));
        show("serving", sum(|tasks| tasks.serving));
    }

    fn lag_rows(&self) -> MutexGuard<'_, Vec<BTreeSet<[String; 2]>>> {
        self.lag_rows
            .lock()
            .expect("nothing panics while it holds the rows")
    }

    fn rows(&self) -> MutexGuard<'_, Vec<Row>> {
        self.rows
            .lock()
            .expect("nothing panics while it holds the rows")
    }
}
