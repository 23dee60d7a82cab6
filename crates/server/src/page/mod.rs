//! The live page at `/`: is the shop keeping its promise, said to people.
//!
//! One document made here, its pictures inline SVG; a style sheet of our own is all that it asks for,
//! and its policy lets the browser ask for nothing else. No script: it refreshes itself by a header
//! of HTML, which `?refresh=off` leaves out. It is rendered from the families of `/metrics`, so the
//! two can't differ, and by the same rule about leases: what isn't shown any more isn't shown here.

mod alerts;
mod as_of;
mod bounds;
mod chart;
mod figures;
mod funnel;
mod held;
mod history;
mod html;
mod markdown;
mod numbers;
mod painted;
mod prometheus;
mod promise;
pub mod runbooks;
mod shown;
mod state;
mod steps;
#[cfg(test)]
mod tests;
mod worst;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use catalogue::Plan;
use catalogue::plan::Kind;
use catalogue::settings::HttpUrl;
use engine::View;
use exposition::families;
use jiff::Timestamp;
use tokio::sync::Semaphore;

use crate::App;
use crate::trouble::Trouble;
use alerts::Alerts;
use bounds::Bounds;
use history::{History, Moment};
use html::Html;
use numbers::Numbers;
use painted::Painted;
use prometheus::Prometheus;
use runbooks::Runbook;

/// How often the page is loaded anew, in seconds.
const REFRESH_SECONDS: u32 = 10;
/// Nothing but our own style sheet, and the empty icon that keeps browsers from asking for one.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";
const STYLE: &str = include_str!("page.css");

/// What the page needs beside the other sources.
#[derive(Clone)]
pub struct PageSources {
    /// The runbooks of the catalogue's alerts.
    pub runbooks: Arc<[Runbook]>,
    /// The Prometheus that is asked for alerts.
    pub prometheus: Option<HttpUrl>,
    /// Its job that scrapes Kept: the label `job` of our alerts.
    pub job: String,
    /// How many partitions the topics have, as far as that is known. Must not block for long.
    pub partitions: Arc<dyn Fn() -> BTreeMap<String, i32> + Send + Sync>,
}

impl Default for PageSources {
    /// No runbooks, no Prometheus, nothing known of topics.
    fn default() -> PageSources {
        PageSources {
            runbooks: Arc::new([]),
            prometheus: None,
            job: String::new(),
            partitions: Arc::new(BTreeMap::new),
        }
    }
}

/// What the page remembers between two requests.
pub struct Memory {
    history: Mutex<History>,
    prometheus: Arc<Prometheus>,
    /// People wait for each other, never a scrape for them.
    turn: Arc<Semaphore>,
    painted: Painted,
}

impl Memory {
    /// Nothing yet.
    pub fn new(sources: &PageSources) -> Memory {
        Memory {
            history: Mutex::default(),
            prometheus: Prometheus::new(sources.prometheus.clone()),
            turn: Arc::new(Semaphore::new(1)),
            painted: Painted::default(),
        }
    }

    fn history(&self) -> MutexGuard<'_, History> {
        self.history
            .lock()
            .expect("nothing panics while it holds the history")
    }
}

/// Everything that one page shows.
pub struct Picture<'a> {
    plan: &'a Plan,
    numbers: &'a Numbers<'a>,
    history: &'a History,
    ready: &'a Result<(), String>,
    alerts: &'a Alerts,
    /// The label `job` of our alerts.
    job: &'a str,
    bounds: &'a Bounds,
    runbooks: &'a [Runbook],
    /// Group and partition of each task that is shown.
    tasks: BTreeSet<(usize, i32)>,
    partitions: BTreeMap<String, i32>,
    /// Wall time in seconds since 1970.
    now: f64,
    refresh: bool,
}

impl Picture<'_> {
    /// The places of the KPIs in the plan, core ones first.
    fn by_role(&self) -> impl Iterator<Item = usize> {
        let mut places: Vec<usize> = (0..self.plan.kpis.len()).collect();
        places.sort_by_key(|at| self.plan.kpis[*at].role);
        places.into_iter()
    }
}

/// The page.
pub async fn page(State(app): State<Arc<App>>, RawQuery(query): RawQuery) -> Response {
    let refresh = query.as_deref() != Some("refresh=off");
    let alerts = app.memory.prometheus.alerts().await;
    let painter = Arc::clone(&app);
    match blocking(&app, move || one_for_all(&painter, &alerts, refresh)).await {
        Some(page) => html_response(page),
        None => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// The page's style sheet.
pub async fn style() -> Response {
    secured(([(header::CONTENT_TYPE, "text/css; charset=utf-8")], STYLE).into_response())
}

/// Takes a moment for the charts now and then, for ever.
pub async fn remember(app: Arc<App>) {
    let first = tokio::time::Instant::now() + history::EVERY;
    let mut ticks = tokio::time::interval_at(first, history::EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let taker = Arc::clone(&app);
        blocking(&app, move || take(&taker, seconds(SystemTime::now()))).await;
    }
}

/// Runs it on a blocking thread when the page's turn is free; nothing if it panicked.
async fn blocking<T: Send + 'static>(
    app: &App,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let turn = Arc::clone(&app.memory.turn).acquire_owned().await;
    let turn = turn.expect("the semaphore is never closed");
    let working = tokio::task::spawn_blocking(move || {
        let done = work();
        drop(turn);
        done
    });
    let done = working.await;
    done.map_err(|error| {
        app.troubles
            .happened(Trouble::Render, &format!("rendering failed: {error}"));
    })
    .ok()
}

/// Adds what is published now to the history; nothing where nothing is.
fn take(app: &App, at: f64) {
    let views = (app.sources.views)();
    if views.is_empty() {
        return;
    }
    let families = families(&app.sources.plan, &views, &[]);
    let moment = Moment::of(&app.sources.plan, &Numbers::new(&families), at);
    app.memory.history().push(moment);
}

/// Group and partition of each task.
fn tasks(views: &[Arc<View>]) -> BTreeSet<(usize, i32)> {
    views
        .iter()
        .map(|view| (view.group, view.partition))
        .collect()
}

/// The page that was painted a moment ago of what is shown now, or a new one.
fn one_for_all(app: &App, alerts: &Alerts, refresh: bool) -> Bytes {
    let painted = &app.memory.painted;
    if let Some(page) = painted.find(refresh, &(app.sources.views)()) {
        return page;
    }
    let (page, views) = paint(app, alerts, refresh);
    let page = Bytes::from(page.finish());
    painted.keep(refresh, &views, page.clone());
    page
}

/// Renders it with the views that it shows, again if a task is not shown any more by then.
fn paint(app: &App, alerts: &Alerts, refresh: bool) -> (Html, Vec<Arc<View>>) {
    let sources = &app.sources;
    let history = app.memory.history().clone();
    let mut views = (sources.views)();
    loop {
        let families = families(&sources.plan, &views, &sources.registry.gather());
        let shown = tasks(&views);
        let picture = Picture {
            plan: &sources.plan,
            numbers: &Numbers::new(&families),
            history: &history,
            ready: &(sources.ready)(),
            alerts,
            job: &sources.page.job,
            bounds: &Bounds::of(&sources.plan, &views),
            runbooks: &sources.page.runbooks,
            tasks: shown.clone(),
            partitions: (sources.page.partitions)(),
            now: seconds(SystemTime::now()),
            refresh,
        };
        let page = render(&picture);
        let still = tasks(&(sources.views)());
        if shown.is_subset(&still) {
            return (page, views);
        }
        // Only those go on, so that the attempts end.
        views.retain(|view| still.contains(&(view.group, view.partition)));
    }
}

/// The whole document.
fn render(picture: &Picture<'_>) -> Html {
    let mut page = Html::default();
    let refresh = picture.refresh.then_some(REFRESH_SECONDS);
    document(&mut page, "Kept", refresh, |page| {
        head(page, picture);
        page.add("<main>\n");
        promises(page, picture);
        for at in picture.by_role() {
            if let Kind::Funnel(funnel) = &picture.plan.kpis[at].kind {
                funnel::show(page, picture, at, funnel);
            }
        }
        figures::show(page, picture);
        state::show(page, picture);
        page.add("</main>\n<footer>\n<p>Also here: <a href=\"/metrics\">/metrics</a> for Prometheus, <a href=\"/readyz\">/readyz</a>, <a href=\"/livez\">/livez</a>. Hover over a number for the query that it is. A window ends at a whole pane, a sixtieth of it, so a long one may lack what a short one has.</p>\n</footer>\n");
    });
    page
}

/// The promises with the alerts: in an incident right after the first promise, for a phone shows that
/// one first, and who has many would scroll far for what is wrong with them.
fn promises(page: &mut Html, picture: &Picture<'_>) {
    let is_urgent = alerts::is_urgent(picture);
    let mut is_shown = false;
    for at in picture.by_role() {
        if let Kind::Promise(promise) = &picture.plan.kpis[at].kind {
            promise::show(page, picture, at, promise);
            if is_urgent && !is_shown {
                alerts::show(page, picture);
                is_shown = true;
            }
        }
    }
    if !is_shown {
        alerts::show(page, picture);
    }
}

fn head(page: &mut Html, picture: &Picture<'_>) {
    page.add("<header>\n<h1>Is the shop keeping its promise?</h1>\n<p class=\"soft\">Kept, ");
    let time = Timestamp::from_second(picture.now as i64);
    page.text(time.map_or_else(|_| String::new(), |time| time.to_string()));
    if picture.refresh {
        page.add("; refreshes every ").text(REFRESH_SECONDS);
        page.add(" s (<a href=\"/?refresh=off\">stop</a>)</p>\n");
    } else {
        page.add("; a still picture (<a href=\"/\">refresh by itself</a>)</p>\n");
    }
    state::readiness(page, picture);
    alerts::notice(page, picture);
    held::notice(page, picture);
    page.add("</header>\n");
}

/// A document around its content.
fn document(
    page: &mut Html,
    title: &str,
    refresh_seconds: Option<u32>,
    content: impl FnOnce(&mut Html),
) {
    page.add("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    page.add("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    page.add("<meta name=\"color-scheme\" content=\"light dark\">\n");
    if let Some(seconds) = refresh_seconds {
        page.add("<meta http-equiv=\"refresh\" content=\"")
            .text(seconds)
            .add("\">\n");
    }
    page.add("<title>")
        .text(title)
        .add("</title>\n<link rel=\"icon\" href=\"data:,\">\n");
    page.add("<link rel=\"stylesheet\" href=\"/page.css\">\n</head>\n<body>\n");
    content(page);
    page.add("</body>\n</html>\n");
}

fn html_response(page: impl Into<Bytes>) -> Response {
    let html = (header::CONTENT_TYPE, "text/html; charset=utf-8");
    secured(([html], page.into()).into_response())
}

/// With the headers that keep a browser from doing more than it should.
fn secured(mut response: Response) -> Response {
    let headers = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    for (name, value) in headers {
        let name: HeaderName = name;
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}

/// A wall time in seconds since 1970; before that, 0.
fn seconds(time: SystemTime) -> f64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap_or(Duration::ZERO).as_secs_f64()
}
