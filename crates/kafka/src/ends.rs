//! Where the partitions end, asked once a second on a thread of its own, so that a slow broker
//! never stalls the worker's loop.
//!
//! An answer carries the time at which the question was sent and the number of the assignment it
//! was asked for: answers for another assignment are dropped by the worker.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use catalogue::plan::TopicId;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, unbounded};
use events::WallTime;
use rdkafka::consumer::BaseConsumer;
use rdkafka::{Offset, TopicPartitionList};

use crate::context::Context;
use crate::metrics::{Metrics, Trouble};
use crate::start::look_up;
use crate::worker::wall_time;

/// How often is asked.
const EVERY: Duration = Duration::from_secs(1);
/// How long the brokers may take.
const TIMEOUT: Duration = Duration::from_secs(2);

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
}

/// The asking thread.
pub(crate) struct EndsAsker {
    questions: Option<Sender<Question>>,
    answers: Receiver<Ends>,
    thread: Option<JoinHandle<()>>,
}

impl EndsAsker {
    /// Starts the thread; it asks nothing until `ask`.
    pub(crate) fn start(consumer: Arc<BaseConsumer<Context>>, metrics: Metrics) -> EndsAsker {
        let (questions, asked) = unbounded();
        let (answer, answers) = bounded(4);
        let thread = std::thread::Builder::new()
            .name("kept-ends".into())
            .spawn(move || run(&consumer, &metrics, &asked, &answer))
            .expect("the system gives a thread");
        EndsAsker {
            questions: Some(questions),
            answers,
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

    /// An answer, if one has come.
    pub(crate) fn answer(&self) -> Option<Ends> {
        self.answers.try_recv().ok()
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
    metrics: &Metrics,
    asked: &Receiver<Question>,
    answer: &Sender<Ends>,
) {
    let mut question = Question {
        assignment: 0,
        partitions: Vec::new(),
    };
    let mut next = Instant::now();
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
        match ask(consumer, &question) {
            Ok(ends) => {
                metrics.recovered(
                    Trouble::EndOffsets,
                    "the ends of the partitions are known again",
                );
                // A full channel means that the worker is busy: the next answer is fresher anyway.
                let _ = answer.try_send(ends);
            }
            Err(error) => {
                let detail = format!("asking where the partitions end: {error}");
                metrics.trouble(Trouble::EndOffsets, &detail);
            }
        }
    }
}

fn ask(consumer: &BaseConsumer<Context>, question: &Question) -> rdkafka::error::KafkaResult<Ends> {
    let mut partitions = TopicPartitionList::with_capacity(question.partitions.len());
    for (_, topic, partition) in &question.partitions {
        partitions.add_partition(topic, *partition);
    }
    let at = wall_time();
    let answer = look_up(consumer, &partitions, Offset::End, TIMEOUT)?;
    let mut ends = Vec::with_capacity(question.partitions.len());
    for (topic, name, partition) in &question.partitions {
        let found = answer
            .find_partition(name, *partition)
            .map(|element| element.offset());
        if let Some(Offset::Offset(end)) = found {
            ends.push((*topic, *partition, end));
        }
    }
    Ok(Ends {
        assignment: question.assignment,
        at,
        ends,
    })
}
