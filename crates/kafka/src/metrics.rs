//! What this crate counts, and each trouble as one occurrence: its counter and its log line.
//!
//! A trouble that goes on is counted each time and logged about once a minute (`quiet`), so that a
//! broker that is down for an hour fills neither the disk nor the reader's patience.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use events::Reject;
use prometheus::{
    Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
};
use tracing::{debug, error, info, warn};

use crate::quiet::{Detail, Quiet};

/// How long no broker was found unreachable until that is over.
const SETTLED: Duration = Duration::from_secs(5);

/// Upper edges of `kept_commit_seconds`.
const COMMIT_EDGES: [f64; 10] = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

/// The closed list behind the `kind` label of `kept_kafka_errors_total`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trouble {
    /// A broker can't be reached.
    BrokerUnreachable,
    /// A configured topic does not exist.
    TopicMissing,
    /// TLS or SASL said no.
    Authentication,
    /// The start offsets could not be looked up.
    StartOffsets,
    /// The ends of the partitions could not be looked up.
    EndOffsets,
    /// The offset to read from is not in the log any more.
    OffsetOutOfRange,
    /// A partition could not be read.
    Fetch,
    /// A partition could not be paused or resumed.
    Flow,
    /// A dead letter could not be written.
    DeadLetter,
    /// Something else that librdkafka reports.
    Other,
}

impl Trouble {
    const ALL: [Trouble; 10] = [
        Trouble::BrokerUnreachable,
        Trouble::TopicMissing,
        Trouble::Authentication,
        Trouble::StartOffsets,
        Trouble::EndOffsets,
        Trouble::OffsetOutOfRange,
        Trouble::Fetch,
        Trouble::Flow,
        Trouble::DeadLetter,
        Trouble::Other,
    ];

    /// The label's value.
    pub fn as_str(self) -> &'static str {
        match self {
            Trouble::BrokerUnreachable => "broker_unreachable",
            Trouble::TopicMissing => "topic_missing",
            Trouble::Authentication => "authentication",
            Trouble::StartOffsets => "start_offsets",
            Trouble::EndOffsets => "end_offsets",
            Trouble::OffsetOutOfRange => "offset_out_of_range",
            Trouble::Fetch => "fetch",
            Trouble::Flow => "flow",
            Trouble::DeadLetter => "dead_letter",
            Trouble::Other => "other",
        }
    }
}

/// One set for all workers of the process. Cloning shares it.
#[derive(Clone, Debug)]
pub struct Metrics {
    /// `kept_consumer_lag_messages{topic,partition}`.
    pub(crate) lag: IntGaugeVec,
    /// `kept_partitions_without_owner`.
    without_owner: IntGauge,
    commits: Histogram,
    rebalances: IntCounter,
    letters: IntCounter,
    letters_lost: IntCounter,
    troubles: IntCounterVec,
    quiet: Arc<Mutex<[Quiet; Trouble::ALL.len()]>>,
}

impl Metrics {
    /// Registers all of them; fails if one of the names is taken.
    pub fn register(registry: &Registry) -> prometheus::Result<Metrics> {
        let lag = IntGaugeVec::new(
            Opts::new(
                "kept_consumer_lag_messages",
                "Records not yet read, up to the partition's end",
            ),
            &["topic", "partition"],
        )?;
        let troubles = IntCounterVec::new(
            Opts::new("kept_kafka_errors_total", "Troubles with Kafka, by kind"),
            &["kind"],
        )?;
        for trouble in Trouble::ALL {
            troubles.with_label_values(&[trouble.as_str()]);
        }
        let without_owner = IntGauge::new(
            "kept_partitions_without_owner",
            "Partitions that the group has given to nobody, as this instance last saw it",
        )?;
        registry.register(Box::new(without_owner.clone()))?;
        let commits = HistogramOpts::new(
            "kept_commit_seconds",
            "From sending a commit to the broker's yes for all its partitions",
        );
        let commits = Histogram::with_opts(commits.buckets(COMMIT_EDGES.to_vec()))?;
        registry.register(Box::new(commits.clone()))?;
        registry.register(Box::new(lag.clone()))?;
        registry.register(Box::new(troubles.clone()))?;
        let counter = |name: &str, help: &str| {
            let counter = IntCounter::new(name, help)?;
            registry.register(Box::new(counter.clone()))?;
            Ok::<_, prometheus::Error>(counter)
        };
        Ok(Metrics {
            rebalances: counter(
                "kept_rebalances_total",
                "Assignments received from the group",
            )?,
            letters: counter(
                "kept_dead_letters_total",
                "Records written to the dead-letter topic",
            )?,
            letters_lost: counter(
                "kept_dead_letters_lost_total",
                "Rejected records that did not reach the dead-letter topic",
            )?,
            lag,
            without_owner,
            commits,
            troubles,
            quiet: Arc::default(),
        })
    }

    /// Something went wrong, and the detail says what.
    pub(crate) fn trouble(&self, trouble: Trouble, detail: &str) {
        self.tell(trouble, Detail::Telling, detail);
    }

    /// Something went wrong, and the detail is no more than the name of an error: what really
    /// happened is still to come, and is not kept back then.
    pub(crate) fn vague_trouble(&self, trouble: Trouble, detail: &str) {
        self.tell(trouble, Detail::Vague, detail);
    }

    fn tell(&self, trouble: Trouble, detail: Detail, text: &str) {
        self.troubles.with_label_values(&[trouble.as_str()]).inc();
        let mut quiet = self.quiet.lock().expect("nothing panics in here");
        if quiet[trouble as usize].is_due(detail, text, Instant::now()) {
            error!(kind = trouble.as_str(), "{text}");
        }
    }

    /// It works again: says so if it was said to be broken.
    pub(crate) fn recovered(&self, trouble: Trouble, detail: &str) {
        let mut quiet = self.quiet.lock().expect("nothing panics in here");
        if std::mem::take(&mut quiet[trouble as usize]).was_said() {
            info!(kind = trouble.as_str(), "{detail}");
        }
    }

    /// The brokers answer: that one could not be reached is over, unless it was just now. (An answer
    /// may have been on its way still, and of several brokers one may be down.)
    pub(crate) fn answered(&self) {
        let trouble = Trouble::BrokerUnreachable;
        let last = self.quiet.lock().expect("nothing panics in here")[trouble as usize].last();
        if last.is_some_and(|last| last.elapsed() >= SETTLED) {
            self.recovered(trouble, "the broker answers again");
        }
    }

    /// All topics are there: a worker asks to be a member of the group.
    pub(crate) fn joining(&self, worker: usize, group: &str, topics: &[(&str, usize)]) {
        let listed: Vec<String> = topics
            .iter()
            .map(|(name, partitions)| format!("{name} ({partitions})"))
            .collect();
        info!(
            worker,
            "joining group \"{group}\" to read {} topics (with so many partitions): {}",
            topics.len(),
            listed.join(", ")
        );
    }

    /// The group gave a worker its partitions.
    pub(crate) fn assigned(&self, worker: usize, partitions: usize) {
        self.rebalances.inc();
        info!(worker, partitions, "assigned");
    }

    /// The group gave a worker what is no share of its topics: it joins anew after this pause. Once
    /// is usual after a restart with another list; what goes on is a trouble.
    pub(crate) fn turned_down(&self, worker: usize, group: &str, why: &str, pause: Duration) {
        self.rebalances.inc();
        let text = format!(
            "group \"{group}\" gave an assignment that doesn't fit the topics that are read: {why}. It \
             is of an earlier topic list, or another member has another one"
        );
        match pause.as_secs() {
            0 => warn!(worker, "{text}; joining anew"),
            seconds => self.trouble(
                Trouble::Other,
                &format!("worker {worker}: {text}; that goes on, joining anew in {seconds} s"),
            ),
        }
    }

    /// The group has given so many partitions to nobody.
    pub(crate) fn without_owner(&self, partitions: usize) {
        let partitions = i64::try_from(partitions).unwrap_or(i64::MAX);
        self.without_owner.set(partitions);
    }

    /// What was said of partitions without an owner is over.
    pub(crate) fn covered(&self, worker: usize) {
        self.without_owner(0);
        info!(worker, "every partition has an owner again");
    }

    /// A share was not given back in time by the logic.
    pub(crate) fn released_late(&self, worker: usize) {
        warn!(
            worker,
            "partitions are given back without a last commit: it took too long"
        );
    }

    /// A commit went through.
    pub(crate) fn committed(&self, took: Duration) {
        self.commits.observe(took.as_secs_f64());
    }

    /// A record can't be an event. Counted by the pipeline (`kept_records_rejected_total`), per
    /// record it is only worth a line for someone who looks closely.
    pub(crate) fn rejected(&self, reason: Reject, topic: &str, partition: i32, offset: i64) {
        debug!(
            reason = reason.as_str(),
            topic, partition, offset, "rejected"
        );
    }

    /// A dead letter was acknowledged.
    pub(crate) fn letter_written(&self) {
        self.letters.inc();
        self.recovered(Trouble::DeadLetter, "dead letters are written again");
    }

    /// A dead letter is lost.
    pub(crate) fn letter_lost(&self, detail: &str) {
        self.letters_lost.inc();
        self.trouble(
            Trouble::DeadLetter,
            &format!("a dead letter is lost: {detail}"),
        );
    }
}

/// When a worker's loop last came round: what `/livez` asks.
#[derive(Debug)]
pub struct Liveness {
    since: Instant,
    last_millis: AtomicU64,
}

impl Liveness {
    /// Alive now.
    pub(crate) fn new() -> Liveness {
        Liveness {
            since: Instant::now(),
            last_millis: AtomicU64::new(0),
        }
    }

    /// The loop came round.
    pub(crate) fn beat(&self) {
        let millis = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last_millis.store(millis, Ordering::Relaxed);
    }

    /// How long ago the loop last came round.
    pub fn age(&self) -> Duration {
        let last = Duration::from_millis(self.last_millis.load(Ordering::Relaxed));
        self.since.elapsed().saturating_sub(last)
    }
}
