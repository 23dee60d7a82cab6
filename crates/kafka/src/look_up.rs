//! What the brokers know of a share, looked up on a thread of its own: a slow broker stalls neither
//! the worker's loop nor the group.
//!
//! Asked again, after longer and longer pauses, until every partition is known or another share is
//! asked for. An answer carries the number of its share: one for a share that is over is dropped.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Instant;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, unbounded};
use events::{Span, WallTime};
use pipeline::note::Note;
use pipeline::port::Position;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::topic_partition_list::TopicPartitionListElem;
use rdkafka::{Offset, TopicPartitionList};

use crate::agreed::{Noted, Unsure, agreed_around};
use crate::backoff::Backoff;
use crate::context::Context;
use crate::metadata;
use crate::metrics::Trouble;
use crate::offsets::{Offsets, Place, TIMEOUT, Wanted};
use crate::topic_ids::topic_ids;
use crate::topics::partition_counts;
use crate::worker::{Setup, wall_time};

/// Which share, and how much history its state is made of.
#[derive(Clone)]
pub(crate) struct Question {
    pub(crate) assignment: u64,
    pub(crate) partitions: Vec<Place>,
    pub(crate) reach: Span,
}

/// The answer.
pub(crate) struct LookedUp {
    pub(crate) assignment: u64,
    pub(crate) positions: Vec<Position>,
}

/// The asking thread.
pub(crate) struct Looker {
    questions: Option<Sender<Option<Question>>>,
    answers: Receiver<LookedUp>,
    thread: Option<JoinHandle<()>>,
}

impl Looker {
    /// Starts the thread; it asks nothing until `ask`.
    pub(crate) fn start(consumer: Arc<BaseConsumer<Context>>, setup: Setup) -> Looker {
        let (questions, asked) = unbounded();
        let (answer, answers) = bounded(1);
        let thread = std::thread::Builder::new()
            .name("kept-look-up".into())
            .spawn(move || run(&consumer, &setup, &asked, &answer))
            .expect("the system gives a thread");
        Looker {
            questions: Some(questions),
            answers,
            thread: Some(thread),
        }
    }

    /// Asks this, and nothing else any more.
    pub(crate) fn ask(&self, question: Question) {
        self.send(Some(question));
    }

    /// Asks nothing any more.
    pub(crate) fn forget(&self) {
        self.send(None);
    }

    /// An answer, if one has come.
    pub(crate) fn answer(&self) -> Option<LookedUp> {
        self.answers.try_recv().ok()
    }

    fn send(&self, question: Option<Question>) {
        if let Some(questions) = &self.questions {
            // It can only fail when the thread is gone, which `drop` alone brings about.
            let _ = questions.send(question);
        }
    }
}

impl Drop for Looker {
    fn drop(&mut self) {
        self.questions = None;
        // The thread may be waiting for room.
        while self.answers.try_recv().is_ok() {}
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(
    consumer: &BaseConsumer<Context>,
    setup: &Setup,
    asked: &Receiver<Option<Question>>,
    answer: &Sender<LookedUp>,
) {
    let mut open: Option<(Question, Backoff)> = None;
    loop {
        let next = match &open {
            Some((_, backoff)) => asked.recv_deadline(backoff.due()),
            None => asked.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match next {
            Ok(question) => {
                open = question.map(|question| (question, Backoff::new()));
                continue;
            }
            Err(RecvTimeoutError::Disconnected) => return,
            Err(RecvTimeoutError::Timeout) => {}
        }
        let Some((question, backoff)) = &mut open else {
            continue;
        };
        match look_up(consumer, setup, question) {
            Ok(positions) => {
                let detail = "the start offsets are known";
                setup.metrics.recovered(Trouble::StartOffsets, detail);
                let assignment = question.assignment;
                open = None;
                let answered = LookedUp {
                    assignment,
                    positions,
                };
                if answer.send(answered).is_err() {
                    return;
                }
            }
            Err(error) => {
                let detail = format!("looking up where to start: {error}");
                setup.metrics.trouble(Trouble::StartOffsets, &detail);
                backoff.failed();
            }
        }
    }
}

/// Everything, or what is missing.
fn look_up(
    consumer: &BaseConsumer<Context>,
    setup: &Setup,
    question: &Question,
) -> Result<Vec<Position>, String> {
    let offsets = Offsets {
        consumer,
        plan: &setup.plan,
    };
    let places = &question.partitions;
    if places.is_empty() {
        return Ok(Vec::new());
    }
    let now = wall_time();
    let began = Instant::now();
    let ids = || topic_ids(consumer, &setup.plan);
    let told = ids();
    let counts = partition_counts(consumer, &setup.plan, TIMEOUT)
        .map_err(|error| format!("the numbers of partitions: {error}"))?;
    let committed = committed(&offsets, places)?;
    let ask = |pause| {
        std::thread::sleep(pause);
        ids()
    };
    let found = agreed_around(&told, &noted(&committed), ask, || {
        Bounds::ask(&offsets, setup, question, &committed, now)
    });
    let (logs, bounds) = found.map_err(|unsure| match unsure {
        Unsure::NotFound(error) => error,
        Unsure::Changed(topic) => {
            let name = &setup.plan.topics[usize::from(topic.0)].name;
            format!("topic {name} was made anew or is gone just now")
        }
    })?;
    tracing::debug!(took = ?began.elapsed(), partitions = places.len(), "looked up");
    let mut positions = Vec::with_capacity(places.len());
    for place in places {
        let fresh_start = bounds.fresh[place];
        let partitions = counts[usize::from(place.0.0)]
            .and_then(|count| i32::try_from(count).ok())
            .ok_or_else(|| format!("{}: the topic is gone", offsets.name(*place)))?;
        positions.push(Position {
            topic: place.0,
            partition: place.1,
            committed: committed.get(place).cloned(),
            log_start: bounds.start[place],
            log_end: bounds.end[place],
            fresh_start,
            rebuild_start: bounds.rebuild.get(place).copied().unwrap_or(fresh_start),
            partitions,
            log: logs.get(&place.0).copied(),
        });
    }
    Ok(positions)
}

/// Offsets of the logs of a share.
struct Bounds {
    start: BTreeMap<Place, i64>,
    end: BTreeMap<Place, i64>,
    /// Where a brand-new group begins.
    fresh: BTreeMap<Place, i64>,
    /// Where the history begins that a state is made of, of what is committed.
    rebuild: BTreeMap<Place, i64>,
}

impl Bounds {
    fn ask(
        offsets: &Offsets<'_, Context>,
        setup: &Setup,
        question: &Question,
        committed: &BTreeMap<Place, (i64, String)>,
        now: WallTime,
    ) -> Result<Bounds, String> {
        let places = &question.partitions;
        let all = |wanted: Wanted| -> Vec<(Place, Wanted)> {
            places.iter().map(|place| (*place, wanted)).collect()
        };
        let start = offsets.ask(&all(Wanted::Oldest))?;
        let end = offsets.ask(&all(Wanted::Next))?;
        let fresh = match Wanted::start(setup.settings.start, now) {
            Wanted::Oldest => start.clone(),
            Wanted::Next => end.clone(),
            at => offsets.ask(&all(at))?,
        };
        let rebuild = offsets.ask(&rebuild_times(committed, now, question.reach))?;
        Ok(Bounds {
            start,
            end,
            fresh,
            rebuild,
        })
    }
}

/// What the group has committed, where it has.
fn committed(
    offsets: &Offsets<'_, Context>,
    places: &[Place],
) -> Result<BTreeMap<Place, (i64, String)>, String> {
    let mut list = TopicPartitionList::with_capacity(places.len());
    for (topic, partition) in places {
        let name = &offsets.plan.topics[usize::from(topic.0)].name;
        list.add_partition(name, *partition);
    }
    let answer = offsets
        .consumer
        .committed_offsets(list, TIMEOUT)
        .map_err(|error| format!("what the group has committed: {error}"))?;
    let elements = answer.elements();
    let mut notes = metadata::all(&answer);
    let mut found = BTreeMap::new();
    for place in places {
        let name = &offsets.plan.topics[usize::from(place.0.0)].name;
        let is_it = |element: &TopicPartitionListElem<'_>| {
            element.topic() == name && element.partition() == place.1
        };
        let at = elements.iter().position(is_it);
        let at = at.ok_or_else(|| format!("{}: no answer", offsets.name(*place)))?;
        let element = &elements[at];
        if let Err(error) = element.error() {
            let place = offsets.name(*place);
            return Err(format!("what the group has committed of {place}: {error}"));
        }
        if let Offset::Offset(offset) = element.offset() {
            found.insert(*place, (offset, std::mem::take(&mut notes[at])));
        }
    }
    Ok(found)
}

/// Where the history begins that a state is made of, which only matters of what was committed:
/// `reach` before the clock of its note, or before now without one.
fn rebuild_times(
    committed: &BTreeMap<Place, (i64, String)>,
    now: WallTime,
    reach: Span,
) -> Vec<(Place, Wanted)> {
    let wanted = committed.iter().map(|(place, (_, note))| {
        let clock = clock_of(note).unwrap_or(now);
        (*place, Wanted::back(clock, reach))
    });
    wanted.collect()
}

/// Which topics the notes speak of.
fn noted(committed: &BTreeMap<Place, (i64, String)>) -> Noted {
    let mut noted = Noted::default();
    for ((topic, _), (_, note)) in committed {
        if let Some(log) = Note::parse(note).and_then(|note| note.log) {
            noted.add(*topic, log);
        }
    }
    noted
}

fn clock_of(note: &str) -> Option<WallTime> {
    let clock = Note::parse(note)?.clock?;
    Some(WallTime(clock.0))
}
