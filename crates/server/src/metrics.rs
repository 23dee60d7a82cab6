//! `/metrics`: always 200. Rendering takes milliseconds, on a blocking thread, and is timed.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Instant;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
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

fn render(app: &App, format: Format, gzip: bool) -> Vec<u8> {
    let start = Instant::now();
    let sources = &app.sources;
    let families = families(
        &sources.plan,
        &(sources.views)(),
        &sources.registry.gather(),
    );
    let text = encode(format, &families);
    let body = if gzip {
        compressed(&text).expect("writing to memory can't fail")
    } else {
        text.into_bytes()
    };
    app.scrape_seconds.observe(start.elapsed().as_secs_f64());
    body
}

fn compressed(text: &str) -> io::Result<Vec<u8>> {
    let room = Vec::with_capacity(text.len() / 8);
    let mut encoder = GzEncoder::new(room, Compression::fast());
    encoder.write_all(text.as_bytes())?;
    encoder.finish()
}
