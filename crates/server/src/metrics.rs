//! `/metrics`: always 200. Rendering takes milliseconds, on a blocking thread, and is timed.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Instant;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use engine::View;
use exposition::{Format, accepts_gzip, encode, families, negotiate};
use flate2::Compression;
use flate2::write::GzEncoder;
use prometheus::{Histogram, HistogramOpts, Registry};

use crate::App;
use crate::trouble::Trouble;

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

/// Everything, in the format and encoding that the client likes best.
pub async fn metrics(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    let format = negotiate(joined(&headers, &header::ACCEPT).as_deref());
    let gzip = accepts_gzip(joined(&headers, &header::ACCEPT_ENCODING).as_deref());
    let turn = Arc::clone(&app.renders).acquire_owned().await;
    let turn = turn.expect("the semaphore is never closed");
    let renderer = Arc::clone(&app);
    let rendering = tokio::task::spawn_blocking(move || {
        let body = render(&renderer, format, gzip);
        // Held by the thread, not by the request: a client that goes away frees no turn.
        drop(turn);
        body
    });
    let body = rendering.await;
    let body = match body {
        Ok(body) => body,
        Err(error) => {
            app.troubles
                .happened(Trouble::Render, &format!("rendering failed: {error}"));
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
    };
    let vary = (header::VARY, "Accept, Accept-Encoding");
    let content = (header::CONTENT_TYPE, format.content_type());
    if gzip {
        ([content, vary, (header::CONTENT_ENCODING, "gzip")], body).into_response()
    } else {
        ([content, vary], body).into_response()
    }
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
        let families = families(&sources.plan, &views, &sources.registry.gather());
        let plain = encode(format, &families);
        let body = if gzip {
            compressed(&plain).expect("writing to memory can't fail")
        } else {
            plain
        };
        let rendered = views.len();
        retain_shown(&mut views, &(sources.views)());
        if views.len() == rendered {
            app.scrape_seconds.observe(start.elapsed().as_secs_f64());
            return body;
        }
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
