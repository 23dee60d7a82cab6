//! `/api/overdue?kpi=&limit=`: the worst open orders of a promise, oldest first, as JSON.
//!
//! An empty list says that nobody waits, so it is only said of partitions that are shown: without any
//! the answer is 503, with some the header `Kept-Partitions` says how many it is of.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use catalogue::Plan;
use catalogue::plan::{END_STEP, Kind, Kpi, KpiId, Promise, TopicId};
use engine::view::OverdueOrder;
use jiff::Timestamp;
use serde::Serialize;

use crate::trouble::Trouble;
use crate::{App, Sources};

const DEFAULT_LIMIT: usize = 20;
const MAX_LIMIT: usize = 1000;

type Parameters = Result<Query<Vec<(String, String)>>, QueryRejection>;

/// 200 with an array of orders; 400 for bad parameters; 404 for an unknown KPI; 503 while no task of
/// the KPI is shown or the tasks don't answer. Errors are objects with `error`, and `kpis` where one
/// has to be chosen. With 200 come the headers of `Standing`.
pub async fn overdue(State(app): State<Arc<App>>, parameters: Parameters) -> Response {
    let question = match Question::read(&app.sources.plan, parameters) {
        Ok(question) => question,
        Err(problem) => return problem.into_response(),
    };
    let (sources, at, limit) = (app.sources.clone(), question.kpi, question.limit);
    let turn = Arc::clone(&app.questions).acquire_owned().await;
    let turn = turn.expect("the semaphore is never closed");
    let asking = tokio::task::spawn_blocking(move || {
        let answer = ask(&sources, at, limit);
        drop(turn);
        answer
    });
    let answer = asking.await;
    match answer.unwrap_or_else(|error| Err(error.to_string())) {
        Ok((found, standing)) => {
            let listed = listed(&app.sources.plan, &question, found);
            standing.beside(json(StatusCode::OK, &listed))
        }
        Err(reason) => {
            app.troubles
                .happened(Trouble::Overdue, &format!("no overdue orders: {reason}"));
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, reason).into_response()
        }
    }
}

/// The orders, if anything of the KPI is shown before they are asked for and still is after it.
fn ask(
    sources: &Sources,
    at: usize,
    limit: usize,
) -> Result<(Vec<OverdueOrder>, Standing), String> {
    Standing::now(sources, at)?;
    let found = (sources.overdue)(&sources.plan.kpis[at].id, limit)?;
    Ok((found, Standing::now(sources, at)?))
}

/// Of how much of the shop an answer is.
struct Standing {
    /// Partitions that this instance shows.
    shown: usize,
    /// Those that the topics have, where that is known.
    all: Option<i32>,
    /// What `/readyz` says is missing, one reason a line.
    missing: Option<String>,
}

impl Standing {
    /// Of the KPI at this place in the plan; `Err` says why nothing of it is shown.
    fn now(sources: &Sources, at: usize) -> Result<Standing, String> {
        let plan = &sources.plan;
        let has = |kpi: &KpiId| usize::from(kpi.0) == at;
        let mut groups = plan.groups.iter();
        let group = groups.position(|group| group.kpis.iter().any(has));
        let group = group.expect("every KPI is in a group");
        let views = (sources.views)();
        let shown = views.iter().filter(|view| view.group == group).count();
        let missing = (sources.ready)().err();
        if shown == 0 {
            return Err(missing.unwrap_or_else(|| {
                "this instance has no partition of it: ask the others of its group".to_owned()
            }));
        }
        let counts = (sources.page.partitions)();
        let mut topics = plan.groups[group].topics.iter();
        let name = |topic: &TopicId| plan.topics[usize::from(topic.0)].name.as_str();
        let all = topics.find_map(|topic| counts.get(name(topic)).copied());
        Ok(Standing {
            shown,
            all,
            missing,
        })
    }

    /// `Kept-Partitions: 3 of 4` (or `3`), and `Kept-Not-Ready` with the reasons in a line.
    fn beside(&self, mut response: Response) -> Response {
        let headers = response.headers_mut();
        let partitions = match self.all {
            Some(all) => format!("{} of {all}", self.shown),
            None => self.shown.to_string(),
        };
        headers.insert("kept-partitions", in_a_header(&partitions));
        if let Some(missing) = &self.missing {
            let reasons: Vec<&str> = missing.lines().collect();
            headers.insert("kept-not-ready", in_a_header(&reasons.join("; ")));
        }
        response
    }
}

/// What a header can't hold becomes `?`.
fn in_a_header(text: &str) -> HeaderValue {
    let legal = |c: char| {
        if c == ' ' || c.is_ascii_graphic() {
            c
        } else {
            '?'
        }
    };
    let text: String = text.chars().map(legal).collect();
    HeaderValue::from_str(&text).expect("it is printable ASCII")
}

/// What is asked for.
struct Question {
    /// Index into the plan's KPIs: a promise.
    kpi: usize,
    limit: usize,
}

impl Question {
    fn read(plan: &Plan, parameters: Parameters) -> Result<Question, Problem> {
        let bad = |text| Problem::new(StatusCode::BAD_REQUEST, text);
        let Query(parameters) = parameters.map_err(|error| bad(error.body_text()))?;
        let (mut kpi, mut limit) = (None, DEFAULT_LIMIT);
        for (name, value) in &parameters {
            match name.as_str() {
                "kpi" => kpi = Some(value.as_str()),
                "limit" => limit = read_limit(value).map_err(bad)?,
                _ => {
                    return Err(bad(format!(
                        "no parameter `{name}`: there are `kpi` and `limit`"
                    )));
                }
            }
        }
        Ok(Question {
            kpi: find(plan, kpi)?,
            limit,
        })
    }
}

fn read_limit(value: &str) -> Result<usize, String> {
    let limit = value
        .parse()
        .ok()
        .filter(|limit| (1..=MAX_LIMIT).contains(limit));
    limit.ok_or_else(|| format!("`limit` is a whole number from 1 to {MAX_LIMIT}, not `{value}`"))
}

/// The promise of this id; without one, the only promise.
fn find(plan: &Plan, id: Option<&str>) -> Result<usize, Problem> {
    let promises = plan
        .kpis
        .iter()
        .enumerate()
        .filter(|(_, kpi)| promise(kpi).is_some());
    let mut chosen = promises
        .clone()
        .filter(|(_, kpi)| id.is_none_or(|id| kpi.id == id));
    if let (Some((index, _)), None) = (chosen.next(), chosen.next()) {
        return Ok(index);
    }
    let (status, error) = match id {
        Some(id) => (
            StatusCode::NOT_FOUND,
            format!("no promise has the id `{id}`"),
        ),
        None if promises.clone().next().is_none() => (
            StatusCode::NOT_FOUND,
            "the catalogue has no promise".to_owned(),
        ),
        None => (
            StatusCode::BAD_REQUEST,
            "there are several promises: say which by `kpi`".into(),
        ),
    };
    let kpis = promises.map(|(_, kpi)| kpi.id.clone()).collect();
    Err(Problem {
        status,
        body: ProblemBody {
            error,
            kpis: Some(kpis),
        },
    })
}

fn promise(kpi: &Kpi) -> Option<&Promise> {
    match &kpi.kind {
        Kind::Promise(promise) => Some(promise),
        Kind::Count(_) | Kind::Ratio(_) | Kind::Funnel(_) => None,
    }
}

/// An order as the answer shows it.
#[derive(Serialize)]
struct Order<'a> {
    kpi: &'a str,
    key: String,
    /// At the display time of its task.
    age_seconds: f64,
    /// RFC 3339, UTC.
    start: String,
    waiting_for: &'a str,
    labels: BTreeMap<&'a str, String>,
    topic: &'a str,
    partition: i32,
    offset: i64,
}

/// The oldest ones of all tasks.
fn listed<'a>(plan: &'a Plan, question: &Question, mut found: Vec<OverdueOrder>) -> Vec<Order<'a>> {
    found.sort_by_key(|order| (order.start, order.topic, order.partition, order.offset));
    found.truncate(question.limit);
    let kpi = &plan.kpis[question.kpi];
    let steps = promise(kpi)
        .map(|promise| &promise.steps[..])
        .unwrap_or_default();
    let orders = found.into_iter().map(|order| Order {
        kpi: &kpi.id,
        age_seconds: order.age.seconds(),
        start: rfc3339(order.start.0),
        waiting_for: steps
            .get(order.waiting_for)
            .map_or(END_STEP, |step| &step.name),
        labels: labels(kpi, &order),
        topic: &plan.topics[usize::from(order.topic.0)].name,
        partition: order.partition,
        offset: order.offset,
        key: order.key.into(),
    });
    orders.collect()
}

fn labels<'a>(kpi: &'a Kpi, order: &OverdueOrder) -> BTreeMap<&'a str, String> {
    let names = kpi.by.iter().map(|dimension| dimension.name.as_str());
    names
        .zip(order.labels.iter().map(ToString::to_string))
        .collect()
}

/// A time beyond what RFC 3339 can write (the year 9999) is shown as its number of microseconds.
fn rfc3339(micros: i64) -> String {
    Timestamp::from_microsecond(micros).map_or_else(|_| micros.to_string(), |time| time.to_string())
}

/// An answer that is not 200.
struct Problem {
    status: StatusCode,
    body: ProblemBody,
}

#[derive(Serialize)]
struct ProblemBody {
    error: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    kpis: Option<Vec<String>>,
}

impl Problem {
    fn new(status: StatusCode, error: String) -> Problem {
        Problem {
            status,
            body: ProblemBody { error, kpis: None },
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        json(self.status, &self.body)
    }
}

fn json(status: StatusCode, body: &impl Serialize) -> Response {
    let body = serde_json::to_vec(body).expect("texts and numbers can always be written");
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}
