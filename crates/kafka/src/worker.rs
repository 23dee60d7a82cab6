//! A worker: one member of the group, one thread, one loop.
//!
//! Each round of the loop serves requests and the group, starts an assignment whose offsets are
//! known, hands out one batch of records, and lets time pass. The logic (crate `pipeline`) is
//! called with every input and its effects are carried out before the next input. Nothing is
//! committed: every assignment reads from `kafka.start`.

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

use crate::assignment::Assigner;
use crate::batch::BatchQueue;
use crate::board::Board;
use crate::context::{Context, Rebalance};
use crate::ends::EndsAsker;
use crate::hands::Hands;
use crate::letters::DeadLetters;
use crate::metrics::{Liveness, Metrics};
use crate::partitions::Partitions;
use crate::settings::{Settings, consumer_config};
use crate::topics::Topics;

/// How long a batch may take to fill: also the longest wait for a rebalance or a request.
const BATCH_WAIT: Duration = Duration::from_millis(100);
/// Group events served in one round.
const GROUP_EVENTS: usize = 16;

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
    /// Finish what is in hand, leave the group, end.
    Stop,
}

/// Why a worker gave up. Everything else it waits out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fatal {
    /// librdkafka does not take the settings.
    Settings(String),
    /// Topics that one promise joins have different numbers of partitions.
    PartitionCounts(String),
    /// librdkafka reports that this client can't go on, such as a fenced `group.instance.id`.
    Client(String),
}

impl std::fmt::Display for Fatal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Fatal::Settings(text) => write!(f, "Kafka settings: {text}"),
            Fatal::PartitionCounts(text) => f.write_str(text),
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
}

/// A running worker.
pub struct WorkerHandle {
    requests: Sender<Request>,
    ended: Receiver<Result<(), Fatal>>,
    liveness: Arc<Liveness>,
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
        } = self;
        let queue = BatchQueue::new(&consumer);
        let mut hands = Hands {
            partitions: Partitions::new(&setup.plan),
            letters,
            logic,
            effects: Vec::new(),
            setup: &setup,
            consumer: &consumer,
            reassign: false,
        };
        let asker = EndsAsker::start(Arc::clone(&consumer), setup.metrics.clone());
        let result = Loop {
            topics: Topics::new(&setup),
            assigner: Assigner::new(&setup),
            asker: &asker,
            queue,
            hands: &mut hands,
        }
        .run(requests, liveness);
        hands.end();
        drop(asker);
        consumer.context().close();
        setup.board.withdraw_all(setup.number);
        result
    }
}

/// The loop and what only it needs.
struct Loop<'s, 'h, L> {
    topics: Topics<'s>,
    assigner: Assigner<'s>,
    asker: &'h EndsAsker,
    queue: BatchQueue,
    hands: &'h mut Hands<'s, L>,
}

impl<L: FnMut(Call<'_, '_>)> Loop<'_, '_, L> {
    fn run(mut self, requests: &Receiver<Request>, liveness: &Liveness) -> Result<(), Fatal> {
        loop {
            liveness.beat();
            for request in requests.try_iter() {
                match request {
                    Request::Stop => return Ok(()),
                    Request::Overdue { kpi, limit, reply } => {
                        (self.hands.logic)(Call::Overdue { kpi, limit, reply });
                    }
                }
            }
            self.topics.subscribe(self.hands.consumer)?;
            self.serve_group()?;
            self.start_assignment()?;
            self.take_ends();
            self.read_batch();
            self.hands.step(Input::Tick { now: wall_time() }, None);
            self.hands
                .partitions
                .retry_flow(self.hands.consumer, &self.hands.setup.metrics);
            if let Some(letters) = &self.hands.letters {
                letters.serve();
            }
        }
    }

    /// Serves the group's own queue, which holds rebalances and errors but never records.
    fn serve_group(&mut self) -> Result<(), Fatal> {
        for _ in 0..GROUP_EVENTS {
            match self.hands.consumer.poll(Duration::ZERO) {
                None => {}
                // Counted and logged by the context already.
                Some(Err(KafkaError::MessageConsumptionFatal(code))) => {
                    return Err(Fatal::Client(code.to_string()));
                }
                Some(Err(_)) => {}
                Some(Ok(_)) => panic!("a record came on the group's queue: it would be lost"),
            }
        }
        while let Some(rebalance) = self.hands.consumer.context().next_rebalance() {
            match rebalance {
                Rebalance::Assigned(partitions) => self.assigner.begin(partitions),
                Rebalance::Revoked => {
                    self.assigner.forget();
                    self.asker.ask(self.assigner.number(), Vec::new());
                    self.hands.revoked();
                }
            }
        }
        if std::mem::take(&mut self.hands.reassign) {
            self.topics.start_over(self.hands.consumer);
        }
        Ok(())
    }

    /// Looks up where to start, if the group has decided and it is time to try (again).
    fn start_assignment(&mut self) -> Result<(), Fatal> {
        let consumer = self.hands.consumer;
        let Some(assigned) = self.assigner.try_start(consumer, &self.queue)? else {
            return Ok(());
        };
        let metrics = &self.hands.setup.metrics;
        metrics.assigned(self.hands.setup.number, assigned.len());
        self.hands.partitions.assign(&assigned, metrics);
        self.asker
            .ask(self.assigner.number(), self.hands.partitions.named());
        self.hands.step(Input::Assigned(&assigned), None);
        Ok(())
    }

    fn take_ends(&mut self) {
        while let Some(ends) = self.asker.answer() {
            if ends.assignment != self.assigner.number() {
                continue;
            }
            for (topic, partition, end) in ends.ends {
                self.hands.partitions.observe_end(topic, partition, end);
                let input = Input::EndObserved {
                    topic,
                    partition,
                    end,
                    at: ends.at,
                };
                self.hands.step(input, None);
            }
        }
    }

    fn read_batch(&mut self) {
        let hands = &mut *self.hands;
        self.queue.read(BATCH_WAIT, |position, delivered| {
            hands.deliver(position, delivered)
        });
    }
}
