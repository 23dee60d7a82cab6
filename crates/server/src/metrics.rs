//! `/metrics`: always 200. Rendering takes milliseconds, on a blocking thread, and is timed.
//!
//! Where it takes so long that the scraper would give up (nothing gives its views, all blocking
//! threads are held, the machine stands still), the answer is what the process says of itself, made
//! on a thread of its own: no KPI, but a Prometheus that sees Kept is up and what it counts.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use engine::View;
use exposition::{Format, accepts_gzip, encode, families, negotiate};
use flate2::Compression;
use flate2::write::GzEncoder;
use prometheus::{Histogram, HistogramOpts, Registry};
use tokio::sync::oneshot;

use crate::App;
use crate::trouble::Trouble;

/// How long the whole exposition may take: Prometheus gives up after ten seconds unless told otherwise.
const WHOLE_WITHIN: Duration = Duration::from_secs(8);
/// What of the time that a scraper has is for the whole exposition; the rest for the process' own.
const SHARE_OF_TIMEOUT: f64 = 0.8;
/// By which Prometheus says how long it waits, in seconds.
const TIMEOUT_HEADER: HeaderName = HeaderName::from_static("x-prometheus-scrape-timeout-seconds");

/// `kept_scrape_seconds`: how long rendering took, compression included.
pub type ScrapeSeconds = Histogram;

/// Registers it.
pub fn scrape_seconds(registry: &Registry) -> Result<ScrapeSeconds, prometheus::Error> {
    let help = "How long rendering an exposition took, compression included";
    let edges = vec![0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0];
    let histogram =
        Histogram::with_opts(HistogramOpts::new("kept_scrape_seconds", help).buckets(edges))?;
    registry.register(Box::new(histogram.clone()))?;
    Ok(histogram)
}

/// Everything, in the format and encoding that the client likes best; or what there is of it.
pub async fn metrics(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    let format = negotiate(joined(&headers, &header::ACCEPT).as_deref());
    let gzip = accepts_gzip(joined(&headers, &header::ACCEPT_ENCODING).as_deref());
    let within = whole_within(&headers);
    let body = match tokio::time::timeout(within, whole(&app, format, gzip)).await {
        Ok(body) => body,
        Err(_) => {
            let what = format!(
                "/metrics was not rendered in {} s: it has the process' own metrics only",
                within.as_secs_f64()
            );
            app.troubles.happened(Trouble::Timeout, &what);
            of_process(&app, format, gzip).await
        }
    };
    let Some(body) = body else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let vary = (header::VARY, "Accept, Accept-Encoding");
    let content = (header::CONTENT_TYPE, format.content_type());
    if gzip {
        ([content, vary, (header::CONTENT_ENCODING, "gzip")], body).into_response()
    } else {
        ([content, vary], body).into_response()
    }
}

/// A scraper that says how long it waits has its answer before.
fn whole_within(headers: &HeaderMap) -> Duration {
    let wanted = headers.get(TIMEOUT_HEADER).and_then(|it| it.to_str().ok());
    let seconds = wanted.and_then(|text| text.parse::<f64>().ok());
    let share = seconds.map(|seconds| Duration::try_from_secs_f64(seconds * SHARE_OF_TIMEOUT));
    let share = share.and_then(Result::ok).filter(|it| !it.is_zero());
    share.map_or(WHOLE_WITHIN, |share| share.min(WHOLE_WITHIN))
}

/// Everything that is shown; nothing if rendering panicked.
async fn whole(app: &Arc<App>, format: Format, gzip: bool) -> Option<Vec<u8>> {
    let turn = Arc::clone(&app.renders).acquire_owned().await;
    let turn = turn.expect("the semaphore is never closed");
    let renderer = Arc::clone(app);
    let rendering = tokio::task::spawn_blocking(move || {
        let body = render(&renderer, format, gzip);
        // Held by the thread, not by the request: a client that goes away frees no turn.
        drop(turn);
        body
    });
    rendered(app, rendering.await)
}

/// What the process says of itself, without the blocking threads, which all may be held.
async fn of_process(app: &Arc<App>, format: Format, gzip: bool) -> Option<Vec<u8>> {
    let turn = Arc::clone(&app.own_renders).acquire_owned().await;
    let turn = turn.expect("the semaphore is never closed");
    let (sender, receiver) = oneshot::channel();
    let renderer = Arc::clone(app);
    let thread = std::thread::Builder::new().name("kept-metrics".into());
    let thread = thread.spawn(move || {
        let body = encoded(&renderer, &[], format, gzip);
        drop(turn);
        // The client may have gone.
        let _ = sender.send(body);
    });
    match thread {
        Ok(_) => rendered(app, receiver.await),
        Err(error) => rendered(app, Err(error)),
    }
}

fn rendered(app: &App, body: Result<Vec<u8>, impl std::fmt::Display>) -> Option<Vec<u8>> {
    let failed = |error| {
        let what = format!("rendering failed: {error}");
        app.troubles.happened(Trouble::Render, &what);
    };
    body.map_err(failed).ok()
}

/// A header that may be there several times is one list.
fn joined(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let values: Vec<&str> = headers
        .get_all(name)
        .iter()
        .flat_map(|v| v.to_str())
        .collect();
    (!values.is_empty()).then(|| values.join(","))
}

/// Rendered, and then seen to be shown still: while it was rendered, or the process was stopped in
/// the middle of it, somebody else may have come to own a task. What isn't shown any more is left
/// out of the next attempt, so the attempts end.
fn render(app: &App, format: Format, gzip: bool) -> Vec<u8> {
    let start = Instant::now();
    let sources = &app.sources;
    let mut views = (sources.views)();
    loop {
        let body = encoded(app, &views, format, gzip);
        let rendered = views.len();
        retain_shown(&mut views, &(sources.views)());
        if views.len() == rendered {
            app.scrape_seconds.observe(start.elapsed().as_secs_f64());
            return body;
        }
    }
}

fn encoded(app: &App, views: &[Arc<View>], format: Format, gzip: bool) -> Vec<u8> {
    let sources = &app.sources;
    let families = families(&sources.plan, views, &sources.registry.gather());
    let plain = encode(format, &families);
    match gzip {
        true => compressed(&plain).expect("writing to memory can't fail"),
        false => plain,
    }
}

/// Keeps the views of the tasks that are shown, be it by another view.
fn retain_shown(views: &mut Vec<Arc<View>>, shown: &[Arc<View>]) {
    let task = |view: &View| (view.group, view.partition);
    let shown: BTreeSet<(usize, i32)> = shown.iter().map(|view| task(view)).collect();
    views.retain(|view| shown.contains(&task(view)));
}

fn compressed(plain: &[u8]) -> io::Result<Vec<u8>> {
    let room = Vec::with_capacity(plain.len() / 8);
    let mut encoder = GzEncoder::new(room, Compression::fast());
    encoder.write_all(plain)?;
    encoder.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scraper_s_patience_counts_if_it_is_less_than_ours() {
        let within = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(TIMEOUT_HEADER, value.parse().expect("plain text"));
            whole_within(&headers)
        };
        assert_eq!(whole_within(&HeaderMap::new()), WHOLE_WITHIN);
        assert_eq!(within("5"), Duration::from_secs(4));
        for without_sense in ["60", "0", "-1", "NaN", "inf", "soon", ""] {
            assert_eq!(within(without_sense), WHOLE_WITHIN, "{without_sense}");
        }
    }
}
