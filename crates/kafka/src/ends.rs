//! Where the partitions end, asked once a second on a thread of its own, so that a slow broker
//! never stalls the worker's loop; and now and then which topics these are, so that one that is
//! deleted and made anew is noticed while it is read. A broker may be behind the others: an id counts
//! when two answers in a row agree.
//!
//! An answer carries the time at which the question was sent and the number of the assignment it
//! was asked for: answers for another assignment are dropped by the worker.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use catalogue::plan::TopicId;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};
use events::WallTime;
use pipeline::log_id::LogId;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::{Offset, TopicPartitionList};

use crate::context::{Context, classify, gone};
use crate::metrics::{Metrics, Trouble};
use crate::topic_ids::topic_ids;
use crate::worker::{Setup, wall_time};

/// How often is asked.
const EVERY: Duration = Duration::from_secs(1);
/// How often is asked which topics these are.
const TOPICS_EVERY: Duration = Duration::from_secs(10);
/// The same while an end isn't known, as while a topic is away. It may take as long as `topic_ids`
/// waits, in which no ends are asked for: those that are known mustn't get old over it.
const TOPICS_WITHOUT_ENDS: Duration = Duration::from_secs(5);
/// How long the brokers may take.
const TIMEOUT: Duration = Duration::from_secs(2);

/// How long they may take for one partition asked for by itself.
const ALONE: Duration = Duration::from_millis(300);

/// Which partitions to ask for from now on.
struct Question {
    assignment: u64,
    partitions: Vec<(TopicId, String, i32)>,
}

/// What the brokers said.
pub(crate) struct Ends {
    /// The number of the assignment it is about.
    pub(crate) assignment: u64,
    /// When the question was sent.
    pub(crate) at: WallTime,
    /// The end of each partition.
    pub(crate) ends: Vec<(TopicId, i32, i64)>,
    /// The ids of the topics, of those that are known and if they were asked for.
    pub(crate) logs: BTreeMap<TopicId, LogId>,
}

/// Holds the newest answer until it is taken: a worker that was busy for a while must not be shown
/// where the partitions ended then.
#[derive(Clone, Default)]
struct Newest(Arc<Mutex<Option<Ends>>>);

impl Newest {
    /// Ids that weren't taken yet are kept: they aren't asked for each time.
    fn put(&self, mut ends: Ends) {
        let mut newest = self.0.lock().expect("nothing panics in here");
        if let Some(before) = newest.take()
            && before.assignment == ends.assignment
        {
            ends.logs = before.logs;
        }
        *newest = Some(ends);
    }

    /// Adds the ids of topics to what isn't taken yet.
    fn put_logs(&self, assignment: u64, at: WallTime, logs: BTreeMap<TopicId, LogId>) {
        let mut newest = self.0.lock().expect("nothing panics in here");
        match &mut *newest {
            Some(before) if before.assignment == assignment => before.logs.extend(logs),
            _ => {
                *newest = Some(Ends {
                    assignment,
                    at,
                    ends: Vec::new(),
                    logs,
                });
            }
        }
    }

    fn take(&self) -> Option<Ends> {
        self.0.lock().expect("nothing panics in here").take()
    }
}

/// When to ask which topics these are, and what to believe of it.
struct Topics {
    asked: Instant,
    last: BTreeMap<TopicId, LogId>,
    disputed: bool,
}

impl Topics {
    fn new(now: Instant) -> Topics {
        Topics {
            asked: now,
            last: BTreeMap::new(),
            disputed: false,
        }
    }

    /// `all_known`: every end is.
    fn are_due(&self, all_known: bool, now: Instant) -> bool {
        let pause = match (self.disputed, all_known) {
            (true, _) => EVERY,
            (false, true) => TOPICS_EVERY,
            (false, false) => TOPICS_WITHOUT_ENDS,
        };
        now.saturating_duration_since(self.asked) >= pause
    }

    /// The brokers' answer at `now`: what the one before said too.
    fn agreed(&mut self, told: BTreeMap<TopicId, LogId>, now: Instant) -> BTreeMap<TopicId, LogId> {
        let same = |(topic, log): &(&TopicId, &LogId)| self.last.get(topic) == Some(log);
        let agreed: BTreeMap<TopicId, LogId> = told
            .iter()
            .filter(same)
            .map(|(topic, log)| (*topic, *log))
            .collect();
        self.asked = now;
        self.disputed = agreed.len() < told.len();
        self.last.extend(told);
        agreed
    }
}

/// The asking thread.
pub(crate) struct EndsAsker {
    questions: Option<Sender<Question>>,
    newest: Newest,
    thread: Option<JoinHandle<()>>,
}

impl EndsAsker {
    /// Starts the thread; it asks nothing until `ask`.
    pub(crate) fn start(consumer: Arc<BaseConsumer<Context>>, setup: Setup) -> EndsAsker {
        let (questions, asked) = unbounded();
        let newest = Newest::default();
        let answer = newest.clone();
        let thread = std::thread::Builder::new()
            .name("kept-ends".into())
            .spawn(move || run(&consumer, &setup, &asked, &answer))
            .expect("the system gives a thread");
        EndsAsker {
            questions: Some(questions),
            newest,
            thread: Some(thread),
        }
    }

    /// Replaces the partitions that are asked for.
    pub(crate) fn ask(&self, assignment: u64, partitions: Vec<(TopicId, String, i32)>) {
        if let Some(questions) = &self.questions {
            // It can only fail when the thread is gone, which `drop` alone brings about.
            let _ = questions.send(Question {
                assignment,
                partitions,
            });
        }
    }

    /// The newest answer, if one has come since the last call.
    pub(crate) fn answer(&self) -> Option<Ends> {
        self.newest.take()
    }
}

impl Drop for EndsAsker {
    fn drop(&mut self) {
        self.questions = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(
    consumer: &BaseConsumer<Context>,
    setup: &Setup,
    asked: &Receiver<Question>,
    answer: &Newest,
) {
    let metrics = &setup.metrics;
    let mut question = Question {
        assignment: 0,
        partitions: Vec::new(),
    };
    let mut next = Instant::now();
    let mut topics = Topics::new(next);
    loop {
        match asked.recv_deadline(next) {
            Ok(newer) => {
                question = newer;
                next = Instant::now();
                continue;
            }
            Err(RecvTimeoutError::Disconnected) => return,
            Err(RecvTimeoutError::Timeout) => {}
        }
        next = Instant::now() + EVERY;
        if question.partitions.is_empty() {
            continue;
        }
        let ends = ask(consumer, &question, metrics);
        let (assignment, at) = (ends.assignment, ends.at);
        let all_known = ends.ends.len() == question.partitions.len();
        // Whoever waits for the ends doesn't wait for the topics too.
        answer.put(ends);
        if all_known {
            let detail = "the ends of the partitions are known again";
            metrics.recovered(Trouble::EndOffsets, detail);
            metrics.answered();
        }
        if topics.are_due(all_known, Instant::now()) {
            let told = topic_ids(consumer, &setup.plan);
            answer.put_logs(assignment, at, topics.agreed(told, Instant::now()));
        }
    }
}

/// The ends that can be had. One partition without a leader must not hide those of the others: what
/// is wrong with it is a trouble of its own, and if it fails the question as a whole, each
/// partition is asked for by itself for as long as there is time.
fn ask(consumer: &BaseConsumer<Context>, question: &Question, metrics: &Metrics) -> Ends {
    let mut partitions = TopicPartitionList::with_capacity(question.partitions.len());
    for (_, topic, partition) in &question.partitions {
        partitions
            .add_partition_offset(topic, *partition, Offset::End)
            .expect("End is an offset");
    }
    let at = wall_time();
    let mut ends = Vec::with_capacity(question.partitions.len());
    let trouble = |name: &str, partition: i32, error: &KafkaError| {
        let detail = match classify(error.rdkafka_error_code()) {
            Trouble::TopicMissing => gone(name, partition, &error.to_string()),
            _ => format!("asking where {name} partition {partition} ends: {error}"),
        };
        metrics.trouble(Trouble::EndOffsets, &detail);
    };
    match consumer.offsets_for_times(partitions, TIMEOUT) {
        Ok(answer) => {
            for (topic, name, partition) in &question.partitions {
                let Some(found) = answer.find_partition(name, *partition) else {
                    continue;
                };
                match (found.error(), found.offset()) {
                    (Ok(()), Offset::Offset(end)) => ends.push((*topic, *partition, end)),
                    (Ok(()), _) => {}
                    (Err(error), _) => trouble(name, *partition, &error),
                }
            }
        }
        Err(_) => {
            let began = Instant::now();
            for (topic, name, partition) in &question.partitions {
                if began.elapsed() > TIMEOUT {
                    break;
                }
                match consumer.fetch_watermarks(name, *partition, ALONE) {
                    Ok((_, end)) => ends.push((*topic, *partition, end)),
                    Err(error) => trouble(name, *partition, &error),
                }
            }
        }
    }
    Ends {
        assignment: question.assignment,
        at,
        ends,
        logs: BTreeMap::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(of: &[(u16, u128)]) -> BTreeMap<TopicId, LogId> {
        let id = |bits| LogId::new(bits).expect("not zero");
        of.iter()
            .map(|(topic, bits)| (TopicId(*topic), id(*bits)))
            .collect()
    }

    fn ends(second: i64, ends: &[i64]) -> Ends {
        Ends {
            assignment: 1,
            at: WallTime(second),
            ends: ends.iter().map(|end| (TopicId(0), 0, *end)).collect(),
            logs: BTreeMap::new(),
        }
    }

    #[test]
    fn a_worker_that_comes_late_finds_the_newest_answer_once() {
        let newest = Newest::default();
        for second in 1..=10 {
            newest.put(ends(second, &[second]));
            if second == 4 {
                newest.put_logs(1, WallTime(second), ids(&[(0, 7), (1, 8)]));
            }
            if second == 6 {
                newest.put_logs(1, WallTime(second), ids(&[(1, 9)]));
            }
        }
        let taken = newest.take().expect("an answer is there");
        assert_eq!(taken.at, WallTime(10));
        assert_eq!(taken.ends, [(TopicId(0), 0, 10)]);
        let kept = ids(&[(0, 7), (1, 9)]);
        assert_eq!(taken.logs, kept, "what is asked for rarely is kept");
        assert!(newest.take().is_none());
    }

    #[test]
    fn ids_come_after_the_ends_and_are_of_one_assignment() {
        let newest = Newest::default();
        newest.put(ends(1, &[5]));
        newest.put_logs(1, WallTime(1), ids(&[(0, 7)]));
        let taken = newest.take().expect("both");
        assert_eq!((taken.ends.len(), taken.logs), (1, ids(&[(0, 7)])));
        newest.put_logs(1, WallTime(2), ids(&[(0, 7)]));
        let later = Ends {
            assignment: 2,
            ..ends(3, &[6])
        };
        newest.put(later);
        let taken = newest.take().expect("the ends");
        assert_eq!((taken.assignment, taken.logs), (2, ids(&[])));
    }

    #[test]
    fn an_id_counts_when_two_answers_agree() {
        let start = Instant::now();
        let mut topics = Topics::new(start);
        assert!(!topics.are_due(true, start + EVERY));
        assert!(topics.are_due(true, start + TOPICS_EVERY));
        assert_eq!(topics.agreed(ids(&[(0, 1), (1, 5)]), start), ids(&[]));
        // The second one soon.
        assert!(topics.are_due(true, start + EVERY));
        // A topic that isn't told is not disputed.
        assert_eq!(topics.agreed(ids(&[(0, 1)]), start), ids(&[(0, 1)]));
        assert!(!topics.are_due(true, start + EVERY));
        // A broker that is behind says something else, once.
        assert_eq!(topics.agreed(ids(&[(0, 9), (1, 5)]), start), ids(&[(1, 5)]));
        assert!(topics.are_due(true, start + EVERY));
        assert_eq!(topics.agreed(ids(&[(0, 1), (1, 5)]), start), ids(&[(1, 5)]));
        assert_eq!(topics.agreed(ids(&[(0, 1)]), start), ids(&[(0, 1)]));
    }

    #[test]
    fn while_an_end_is_unknown_topics_are_asked_for_sooner_but_not_each_time() {
        let start = Instant::now();
        let topics = Topics::new(start);
        assert!(!topics.are_due(false, start + EVERY * 4));
        assert!(topics.are_due(false, start + TOPICS_WITHOUT_ENDS));
        assert!(!topics.are_due(true, start + TOPICS_WITHOUT_ENDS));
    }
}
