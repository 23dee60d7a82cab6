//! HTTP: what Prometheus scrapes, what an orchestrator probes, what a person on call asks.
//!
//! `Server::bind` takes an address and the `Sources` that the binary wires, `serve` answers until
//! it is told to stop. Nothing here holds state of the pipeline: every answer asks the sources; the
//! live page alone remembers an hour of what it published, for its charts.
//! Whatever blocks or computes runs on a blocking thread, so that the probes always answer; how
//! many connections, how long a request and how long a silence may be is limited.
#![allow(
    clippy::disallowed_methods,
    reason = "a shell crate: sockets and clocks"
)]

mod connection;
mod health;
mod metrics;
mod overdue;
mod page;
mod registry;
mod trouble;

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use catalogue::Plan;
use engine::View;
use engine::view::OverdueOrder;
use prometheus::Registry;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, oneshot};

pub use page::PageSources;
pub use page::runbooks::Runbook;
pub use registry::registry;

use connection::Connections;
use metrics::ScrapeSeconds;
use trouble::{Trouble, Troubles};

/// The longest that answering a request takes; after it the answer is 503. `/metrics` has its own,
/// shorter limit and an answer that is always there.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// The longest request target that is looked at.
const TARGET_BYTES: usize = 2048;

/// How many expositions are rendered at once; further scrapes wait for their turn.
const RENDERS: usize = 2;

/// Likewise of what the process says of itself alone, where the whole takes too long.
const OWN_RENDERS: usize = 1;

/// How many questions for overdue orders are open at once; further ones wait likewise.
const QUESTIONS: usize = 4;

/// How long open requests have after the shutdown signal.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(5);

/// Where answers come from. The functions are called on any thread and often at once.
#[derive(Clone)]
pub struct Sources {
    /// The catalogue in force.
    pub plan: Arc<Plan>,
    /// The current views of the tasks that this instance serves. Must not block for long.
    pub views: Arc<dyn Fn() -> Vec<Arc<View>> + Send + Sync>,
    /// The process' own metrics; the server adds its own to it.
    pub registry: Registry,
    /// Whether the instance serves what it should; if not, the reasons, one a line.
    pub ready: Arc<dyn Fn() -> Result<(), String> + Send + Sync>,
    /// Whether the process works at all; if not, the reasons, one a line, and it should be killed.
    pub alive: Arc<dyn Fn() -> Result<(), String> + Send + Sync>,
    /// Who is asked for overdue orders.
    pub overdue: Arc<OverdueQuestion>,
    /// What the live page needs besides.
    pub page: PageSources,
}

/// Gives the worst open orders of a promise (its id) in all tasks, at most so many of each task, in
/// any order. May block: it is called on a blocking thread. `Err` says why there is no answer.
pub type OverdueQuestion = dyn Fn(&str, usize) -> OverdueAnswer + Send + Sync;

/// The orders, or why there are none to be had now.
pub type OverdueAnswer = Result<Vec<OverdueOrder>, String>;

/// The server could not be set up.
#[derive(Debug)]
pub enum SetupError {
    /// The address can't be listened on.
    Bind {
        /// As it was given.
        address: String,
        /// What the system says.
        source: io::Error,
    },
    /// The registry has a metric of the server's name already.
    Metrics(prometheus::Error),
}

/// Without the cause, which is its `source`: whoever prints the chain has it once.
impl fmt::Display for SetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SetupError::Bind { address, .. } => {
                write!(f, "can't listen on {address} (http.listen)")
            }
            SetupError::Metrics(_) => f.write_str("can't register the server's metrics"),
        }
    }
}

impl std::error::Error for SetupError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            SetupError::Bind { source, .. } => Some(source),
            SetupError::Metrics(source) => Some(source),
        }
    }
}

/// What the handlers share.
struct App {
    sources: Sources,
    scrape_seconds: ScrapeSeconds,
    troubles: Troubles,
    renders: Arc<Semaphore>,
    own_renders: Arc<Semaphore>,
    questions: Arc<Semaphore>,
    memory: page::Memory,
}

/// A server that listens and does not answer yet.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    app: Arc<App>,
}

impl Server {
    /// Listens on `address` (`host:port`, port 0 for any free one). Needs a tokio runtime with
    /// its clock and its sockets enabled. Registers `kept_scrape_seconds` and
    /// `kept_http_errors_total`.
    pub async fn bind(address: &str, sources: Sources) -> Result<Server, SetupError> {
        let scrape_seconds = metrics::scrape_seconds(&sources.registry);
        let scrape_seconds = scrape_seconds.map_err(SetupError::Metrics)?;
        let troubles = Troubles::register(&sources.registry).map_err(SetupError::Metrics)?;
        let bind = |source| SetupError::Bind {
            address: address.to_owned(),
            source,
        };
        let listener = TcpListener::bind(address).await.map_err(bind)?;
        let address = listener.local_addr().map_err(bind)?;
        let renders = Arc::new(Semaphore::new(RENDERS));
        let own_renders = Arc::new(Semaphore::new(OWN_RENDERS));
        let questions = Arc::new(Semaphore::new(QUESTIONS));
        let memory = page::Memory::new(&sources.page);
        let app = Arc::new(App {
            sources,
            memory,
            scrape_seconds,
            troubles,
            renders,
            own_renders,
            questions,
        });
        Ok(Server {
            listener,
            address,
            app,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `shutdown` completes, then lets open requests end, for 5 s at most. What then
    /// still runs on a blocking thread runs on: end the runtime with a timeout.
    pub async fn serve(self, shutdown: impl Future<Output = ()> + Send + 'static) {
        tracing::info!(address = %self.address, "http: listening");
        let connections = Connections::new(self.listener, self.app.troubles.clone());
        let remembering = page::remember(Arc::clone(&self.app));
        let (stopping, stopped) = oneshot::channel();
        let signal = async move {
            shutdown.await;
            // Nobody waits any more only if serving has ended already.
            let _ = stopping.send(());
        };
        let serving = axum::serve(connections, routes(self.app)).with_graceful_shutdown(signal);
        let grace = async move {
            // An error means that serving ended without a signal; the other branch is then done.
            if stopped.await.is_ok() {
                tokio::time::sleep(SHUTDOWN_GRACE).await;
            } else {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            // Accepting retries for ever, so serving only ends by the signal.
            _ = serving.into_future() => {}
            () = grace => {}
            // Never ends by itself.
            () = remembering => {}
        }
        tracing::info!("http: stopped");
    }
}

fn routes(app: Arc<App>) -> Router {
    Router::new()
        .route("/", get(page::page))
        .route("/page.css", get(page::style))
        .route("/runbooks", get(page::runbooks::list))
        .route("/runbooks/{file}", get(page::runbooks::one))
        .route("/metrics", get(metrics::metrics))
        .route("/livez", get(health::live))
        .route("/readyz", get(health::ready))
        .route("/api/overdue", get(overdue::overdue))
        .fallback(not_found)
        .layer(middleware::from_fn_with_state(Arc::clone(&app), limit))
        .with_state(app)
}

async fn not_found() -> (StatusCode, &'static str) {
    (StatusCode::NOT_FOUND, "not found; / lists what there is\n")
}

/// The limits of every request, and what every answer says about caching.
async fn limit(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let target = request.uri().path_and_query();
    if target.is_some_and(|target| target.as_str().len() > TARGET_BYTES) {
        return StatusCode::URI_TOO_LONG.into_response();
    }
    let path = request.uri().path().to_owned();
    let mut response = match tokio::time::timeout(REQUEST_TIMEOUT, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            let seconds = REQUEST_TIMEOUT.as_secs();
            app.troubles.happened(
                Trouble::Timeout,
                &format!("no answer to {path} in {seconds} s"),
            );
            (StatusCode::SERVICE_UNAVAILABLE, "no answer in time\n").into_response()
        }
    };
    let no_store = HeaderValue::from_static("no-store");
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, no_store);
    response
}
