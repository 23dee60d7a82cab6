//! A worker: one member of the group, one thread, one loop (`round`).
//!
//! The logic (crate `pipeline`) is called with every input and its effects are carried out before
//! the next input. Those that are none of Kafka's (`List`, `Load`, `Save`, `Notice`) the logic has
//! to take out of the list itself: whoever wires a store to it answers them on the same thread.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use catalogue::plan::{KpiId, Plan};
use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use engine::view::OverdueOrder;
use events::WallTime;
use pipeline::{Effect, Input};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;

use crate::assignment::Share;
use crate::batch::BatchQueue;
use crate::board::Board;
use crate::commit_queue::CommitQueue;
use crate::commits::Commits;
use crate::context::Context;
use crate::coverage::{CoverageAsker, Uncovered};
use crate::ends::EndsAsker;
use crate::hands::{Hands, Orders};
use crate::letters::DeadLetters;
use crate::look_up::Looker;
use crate::metrics::{Liveness, Metrics};
use crate::partitions::Partitions;
use crate::round::Rounds;
use crate::settings::{Settings, consumer_config};
use crate::topics::Topics;

/// `Setup::check_group_every` of a service.
pub const CHECK_GROUP_EVERY: Duration = Duration::from_secs(30);

/// What the loop asks of the logic.
pub enum Call<'a, 'b> {
    /// Something happened: append what is to be done.
    Step(Input<'a>, &'b mut Vec<Effect>),
    /// The worst open orders of a KPI.
    Overdue {
        /// Which KPI.
        kpi: KpiId,
        /// How many at most.
        limit: usize,
        /// Where they go.
        reply: OverdueReply,
    },
}

/// Takes the overdue orders of one worker.
pub type OverdueReply = Box<dyn FnOnce(Vec<OverdueOrder>) + Send>;

/// What others ask of a worker.
pub enum Request {
    /// The worst open orders of a KPI among this worker's tasks.
    Overdue {
        /// Which KPI.
        kpi: KpiId,
        /// How many at most.
        limit: usize,
        /// Called on the worker's thread.
        reply: OverdueReply,
    },
    /// Publish, save and commit what is in hand, leave the group, end.
    Stop,
}

/// Why a worker gave up. Everything else it waits out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fatal {
    /// librdkafka does not take the settings.
    Settings(String),
    /// Topics that one promise joins have different numbers of partitions.
    PartitionCounts(String),
    /// librdkafka reports that this client can't go on.
    Client(String),
    /// Another process has taken this one's place in the group: who this one is there.
    Fenced(String),
    /// The logic refuses to go on: what has to be done, in the user's words.
    Refused(String),
}

impl std::fmt::Display for Fatal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Fatal::Settings(text) => write!(f, "Kafka settings: {text}"),
            Fatal::PartitionCounts(text) | Fatal::Refused(text) => f.write_str(text),
            Fatal::Fenced(instance) => write!(
                f,
                "another process uses this group.instance.id (\"{instance}\") and has taken this \
                 one's place in the group: give each process its own in [kafka.client]"
            ),
            Fatal::Client(text) => write!(f, "the Kafka client can't go on: {text}"),
        }
    }
}

impl std::error::Error for Fatal {}

/// What a worker needs besides its logic.
#[derive(Clone)]
pub struct Setup {
    /// The worker's number within the process.
    pub number: usize,
    /// How to reach Kafka.
    pub settings: Settings,
    /// Which topics to read, and which of them belong together.
    pub plan: Arc<Plan>,
    /// Where views go.
    pub board: Arc<Board>,
    /// Where troubles are counted.
    pub metrics: Metrics,
    /// How often the first worker of the process looks whether the group has all partitions.
    pub check_group_every: Duration,
}

/// A running worker.
pub struct WorkerHandle {
    requests: Sender<Request>,
    ended: Receiver<Result<(), Fatal>>,
    liveness: Arc<Liveness>,
    uncovered: Arc<Uncovered>,
    thread: JoinHandle<()>,
}

impl WorkerHandle {
    /// Asks something of the worker; dropped if it has ended.
    pub fn request(&self, request: Request) {
        let _ = self.requests.send(request);
    }

    /// For asking from elsewhere.
    pub fn requests(&self) -> Sender<Request> {
        self.requests.clone()
    }

    /// When its loop last came round.
    pub fn liveness(&self) -> Arc<Liveness> {
        Arc::clone(&self.liveness)
    }

    /// Which partitions nobody of the group has, if this worker has none, looks and found that out.
    pub fn uncovered(&self) -> Option<String> {
        self.uncovered.get()
    }

    /// How often it looked whether the group has all partitions.
    pub fn group_checks(&self) -> u64 {
        self.uncovered.checks()
    }

    /// Receives once, when the worker has ended: why, if it gave up. Disconnected: it panicked.
    pub fn ended(&self) -> &Receiver<Result<(), Fatal>> {
        &self.ended
    }

    /// True once the thread is gone.
    pub fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }
}

/// Starts a worker on a thread of its own. `logic` lives and dies there.
pub fn spawn<L>(setup: Setup, logic: L) -> Result<WorkerHandle, Fatal>
where
    L: FnMut(Call<'_, '_>) + Send + 'static,
{
    let (requests, asked) = unbounded();
    let (end, ended) = bounded(1);
    let liveness = Arc::new(Liveness::new());
    let worker = Connected::new(setup)?;
    let beat = Arc::clone(&liveness);
    let uncovered = Arc::clone(&worker.uncovered);
    let thread = std::thread::Builder::new()
        .name("kept-worker".into())
        .spawn(move || {
            let result = worker.run(logic, &asked, &beat);
            // The receiver may be gone: then nobody wants to know.
            let _ = end.send(result);
        })
        .map_err(|error| Fatal::Settings(format!("no thread for a worker: {error}")))?;
    Ok(WorkerHandle {
        requests,
        ended,
        liveness,
        uncovered,
        thread,
    })
}

/// Now, in microseconds since the epoch.
pub(crate) fn wall_time() -> WallTime {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    WallTime(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// The clients, made on the caller's thread so that bad settings are an error at once.
struct Connected {
    setup: Setup,
    consumer: Arc<BaseConsumer<Context>>,
    letters: Option<DeadLetters>,
    uncovered: Arc<Uncovered>,
}

impl Connected {
    fn new(setup: Setup) -> Result<Connected, Fatal> {
        let fatal = |error: KafkaError| Fatal::Settings(error.to_string());
        let context = Context::new(setup.metrics.clone(), &setup.settings.brokers);
        let consumer = consumer_config(&setup.settings, setup.number)
            .create_with_context::<_, BaseConsumer<Context>>(context)
            .map_err(fatal)?;
        let letters = DeadLetters::new(&setup.settings, &setup.metrics).map_err(fatal)?;
        Ok(Connected {
            setup,
            consumer: Arc::new(consumer),
            letters,
            uncovered: Arc::default(),
        })
    }

    fn run<L>(
        self,
        logic: L,
        requests: &Receiver<Request>,
        liveness: &Liveness,
    ) -> Result<(), Fatal>
    where
        L: FnMut(Call<'_, '_>),
    {
        let Connected {
            setup,
            consumer,
            letters,
            uncovered,
        } = self;
        let queue = BatchQueue::new(&consumer);
        let mut hands = Hands {
            partitions: Partitions::new(&setup.plan),
            letters,
            logic,
            effects: Vec::new(),
            setup: &setup,
            consumer: &consumer,
            share: Share::default(),
            commits: Commits::default(),
            commit_queue: CommitQueue::new(&consumer),
            orders: Orders::default(),
        };
        let asker = EndsAsker::start(Arc::clone(&consumer), setup.clone());
        let looker = Looker::start(Arc::clone(&consumer), setup.clone());
        let coverage = CoverageAsker::start(Arc::clone(&consumer), setup.clone(), uncovered);
        let result = Rounds {
            topics: Topics::new(&setup),
            asker: &asker,
            looker: &looker,
            coverage: &coverage,
            queue,
            hands: &mut hands,
            stop_by: None,
        }
        .run(requests, liveness);
        hands.end();
        drop((asker, looker, coverage, hands));
        consumer.context().close();
        // Before the group hears of it: nobody else shows these tasks yet.
        setup.board.withdraw_all(setup.number);
        result
    }
}
