//! The probes: `/livez` (kill me if not) and `/readyz` (send me no one if not).

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;

use crate::App;

type Answer = (StatusCode, String);

/// 200 while the process works, else 503 with the reasons.
pub async fn live(State(app): State<Arc<App>>) -> Answer {
    answer((app.sources.alive)(), "alive")
}

/// 200 while every task that this instance owns is served, else 503 with the reasons.
pub async fn ready(State(app): State<Arc<App>>) -> Answer {
    answer((app.sources.ready)(), "ready")
}

fn answer(state: Result<(), String>, well: &str) -> Answer {
    match state {
        Ok(()) => (StatusCode::OK, format!("{well}\n")),
        Err(reasons) => (
            StatusCode::SERVICE_UNAVAILABLE,
            format!("{}\n", reasons.trim_end()),
        ),
    }
}
