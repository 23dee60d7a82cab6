//! The whole service, wired: workers, board, metrics, HTTP. `kept run` and `kept demo` start the
//! same one.

mod page;

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use catalogue::{Plan, Settings};
use crossbeam_channel::RecvTimeoutError;
use engine::View;
use kafka::worker::{CHECK_GROUP_EVERY, Fatal, Request, Setup, WorkerHandle};
use kafka::{Board, Metrics, lease};
use pipeline::Options;
use prometheus::Registry;
use server::{Server, Sources};
use store::Store;
use tokio::sync::oneshot;

use crate::keeper::{Keeper, SnapshotMetrics};
use crate::logic::Logic;
use crate::notices::Notices;
use crate::overdue;
use crate::status::Status;

/// How long a worker may take to come round before `/livez` fails.
const STUCK_AFTER: Duration = Duration::from_secs(60);
/// How long draining and leaving the group may take.
const GRACE: Duration = Duration::from_secs(10);

/// A running service.
pub struct App {
    /// Set before `start` returns.
    workers: Arc<OnceLock<Vec<WorkerHandle>>>,
    board: Arc<Board>,
    status: Arc<Status>,
    address: SocketAddr,
    stop_http: oneshot::Sender<()>,
    http: JoinHandle<()>,
}

impl App {
    /// Starts everything; without a store no state survives. Errors are of the kind that waiting
    /// doesn't mend: a taken address, settings that librdkafka refuses.
    pub fn start(
        settings: &Settings,
        plan: &Arc<Plan>,
        store: Option<&Arc<Store>>,
    ) -> anyhow::Result<App> {
        let registry = server::registry(env!("CARGO_PKG_VERSION"));
        let crew = Crew::new(settings, plan, store, &registry)?;
        let (board, status) = (Arc::clone(&crew.board), Arc::clone(&crew.status));
        let workers: Arc<OnceLock<Vec<WorkerHandle>>> = Arc::default();
        let sources = sources(plan, &crew, registry, &workers);
        let (stop_http, stopped) = oneshot::channel();
        // First what can fail at once: a taken address must not leave members in the group.
        let (address, http) = serve(settings.http.listen, sources, stopped)?;
        let handles = (0..crew.count).map(|number| crew.start(number));
        let handles: Vec<WorkerHandle> = handles.collect::<Result<_, Fatal>>()?;
        assert!(workers.set(handles).is_ok(), "set once, here");
        Ok(App {
            workers,
            board,
            status,
            address,
            stop_http,
            http,
        })
    }

    /// Where HTTP is served.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What is published now.
    pub fn views(&self) -> Vec<Arc<View>> {
        self.board.views(lease::now())
    }

    /// Whether everything that this instance owns is shown; if not, why.
    pub fn ready(&self) -> Result<(), String> {
        ready(&self.status, self.views().len(), running(&self.workers))
    }

    /// Why a worker gave up, if one did.
    pub fn failure(&self) -> Option<anyhow::Error> {
        running(&self.workers)
            .iter()
            .find_map(|worker| match worker.ended().try_recv() {
                Ok(Err(fatal)) => Some(fatal.into()),
                Ok(Ok(())) => Some(anyhow!("a worker ended without being asked to")),
                Err(error) if error.is_disconnected() => Some(anyhow!("a worker panicked")),
                Err(_) => None,
            })
    }

    /// Drains, leaves the group, stops serving. `Err` if that took longer than the grace time.
    pub fn stop(self) -> anyhow::Result<()> {
        for worker in running(&self.workers).iter() {
            worker.request(Request::Stop);
        }
        let deadline = Instant::now() + GRACE;
        let mut result = Ok(());
        for worker in running(&self.workers).iter() {
            match worker.ended().recv_deadline(deadline) {
                Ok(Err(fatal)) => result = Err::<(), Fatal>(fatal).context("while stopping"),
                Err(RecvTimeoutError::Timeout) => {
                    result = Err(anyhow!("a worker did not end within {} s", GRACE.as_secs()));
                }
                Ok(Ok(())) | Err(RecvTimeoutError::Disconnected) => {}
            }
        }
        // An error means that HTTP has stopped already.
        let _ = self.stop_http.send(());
        let _ = self.http.join();
        result
    }
}

/// What all workers of the process share.
struct Crew {
    count: usize,
    settings: Settings,
    plan: Arc<Plan>,
    board: Arc<Board>,
    status: Arc<Status>,
    metrics: Metrics,
    notices: Notices,
    options: Options,
    store: Option<(Arc<Store>, SnapshotMetrics)>,
}

impl Crew {
    fn new(
        settings: &Settings,
        plan: &Arc<Plan>,
        store: Option<&Arc<Store>>,
        registry: &Registry,
    ) -> anyhow::Result<Crew> {
        let count = settings.kafka.workers.unwrap_or_else(cores);
        let store = match store {
            Some(store) => Some((Arc::clone(store), SnapshotMetrics::register(registry)?)),
            None => None,
        };
        let location = store.as_ref().map_or("", |(store, _)| store.location());
        Ok(Crew {
            count,
            settings: settings.clone(),
            plan: Arc::clone(plan),
            board: Arc::new(Board::new()),
            status: Arc::new(Status::new(count, location, registry)?),
            metrics: Metrics::register(registry)?,
            notices: Notices::register(plan, location, registry)?,
            options: Options {
                lease: lease::length(&settings.kafka)?,
                snapshot_every: settings.state.snapshot_every,
                log_gap: settings.state.log_gap,
                state: store.is_some(),
            },
            store,
        })
    }

    fn start(&self, number: usize) -> Result<WorkerHandle, Fatal> {
        let setup = Setup {
            number,
            settings: self.settings.kafka.clone(),
            plan: Arc::clone(&self.plan),
            board: Arc::clone(&self.board),
            metrics: self.metrics.clone(),
            check_group_every: CHECK_GROUP_EVERY,
        };
        let keeper = self
            .store
            .as_ref()
            .map(|(store, metrics)| Keeper::new(&self.plan, store.client(), metrics.clone()));
        let (notices, status) = (self.notices.clone(), Arc::clone(&self.status));
        let mut logic = Logic::new(number, &self.plan, self.options, keeper, notices, status);
        kafka::worker::spawn(setup, move |call| logic.call(call))
    }
}

/// Where HTTP gets its answers.
fn sources(
    plan: &Arc<Plan>,
    crew: &Crew,
    registry: Registry,
    workers: &Arc<OnceLock<Vec<WorkerHandle>>>,
) -> Sources {
    let (board, status) = (Arc::clone(&crew.board), Arc::clone(&crew.status));
    let shown = Arc::clone(&crew.board);
    let [asked, probed, owning] = [(); 3].map(|()| Arc::clone(workers));
    let (of_plan, on_board) = (Arc::clone(plan), Arc::clone(&crew.board));
    let page = page::sources(&crew.settings, plan);
    Sources {
        plan: Arc::clone(plan),
        views: Arc::new(move || board.views(lease::now())),
        registry,
        ready: Arc::new(move || {
            let views = shown.views(lease::now()).len();
            ready(&status, views, running(&owning))
        }),
        alive: Arc::new(move || alive(running(&probed))),
        overdue: Arc::new(move |kpi: &str, limit| {
            overdue::ask(running(&asked), &on_board, &of_plan, kpi, limit)
        }),
        page,
    }
}

/// Whether everything is shown that should be, or why not. `shown`: tasks on the board.
fn ready(status: &Status, shown: usize, workers: &[WorkerHandle]) -> Result<(), String> {
    let uncovered = workers.iter().find_map(WorkerHandle::uncovered);
    match (status.ready(shown), uncovered) {
        (ready, None) => ready,
        (Ok(()), Some(uncovered)) => Err(uncovered),
        (Err(reasons), Some(uncovered)) => Err(format!("{reasons}\n{uncovered}")),
    }
}

/// The workers; none before they have started.
fn running(workers: &OnceLock<Vec<WorkerHandle>>) -> &[WorkerHandle] {
    workers.get().map_or(&[], Vec::as_slice)
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn alive(workers: &[WorkerHandle]) -> Result<(), String> {
    let stuck = workers.iter().enumerate().filter_map(|(number, worker)| {
        let age = worker.liveness().age();
        if worker.is_finished() {
            Some(format!("worker {number} has ended"))
        } else if age > STUCK_AFTER {
            Some(format!(
                "worker {number} has not come round for {} s",
                age.as_secs()
            ))
        } else {
            None
        }
    });
    let stuck: Vec<String> = stuck.collect();
    if stuck.is_empty() {
        Ok(())
    } else {
        Err(stuck.join("\n"))
    }
}

/// Serves HTTP on a thread of its own until `stopped`.
fn serve(
    listen: SocketAddr,
    sources: Sources,
    stopped: oneshot::Receiver<()>,
) -> anyhow::Result<(SocketAddr, JoinHandle<()>)> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(8)
        .build()
        .context("can't start the HTTP runtime")?;
    let server = runtime.block_on(Server::bind(&listen.to_string(), sources))?;
    let address = server.address();
    let thread = std::thread::Builder::new()
        .name("kept-http".into())
        .spawn(move || {
            let shutdown = async move { drop(stopped.await) };
            runtime.block_on(server.serve(shutdown));
            runtime.shutdown_timeout(Duration::from_secs(1));
        });
    Ok((address, thread.context("no thread for HTTP")?))
}
