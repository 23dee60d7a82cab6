//! Log lines on standard error: for a person on a terminal, one JSON object a line elsewhere.
//!
//! `KEPT_LOG` sets what is logged, as tracing's filters do (`debug`, `kafka=debug,info`).

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

/// Sets logging up for a service. rdkafka's own lines repeat what comes as an error anyway, some of
/// them when a client is dropped after an error that has ended the worker.
pub fn start() {
    start_at("info,rdkafka=off");
}

/// Sets logging up for the process, with what is logged unless `KEPT_LOG` says otherwise. A filter
/// that can't be read is said so and the default is used.
pub fn start_at(default: &str) {
    let wanted = std::env::var("KEPT_LOG").unwrap_or_else(|_| default.into());
    let (filter, problem) = match EnvFilter::try_new(&wanted) {
        Ok(filter) => (filter, None),
        Err(error) => (EnvFilter::new(default), Some(error)),
    };
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    if std::io::stderr().is_terminal() {
        builder.with_target(false).init();
    } else {
        builder.json().flatten_event(true).init();
    }
    if let Some(error) = problem {
        tracing::warn!("KEPT_LOG={wanted:?} is not a filter ({error}): using {default}");
    }
}
