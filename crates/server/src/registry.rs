//! The registry of the process' own metrics.

use prometheus::process_collector::ProcessCollector;
use prometheus::{IntGauge, Opts, Registry};

/// A registry with `process_*` and `kept_build_info{version,revision}`. The revision is that of
/// the environment variable `KEPT_REVISION` when Kept was compiled, else `unknown`.
pub fn registry(version: &str) -> Registry {
    let registry = Registry::new();
    let revision = option_env!("KEPT_REVISION").unwrap_or("unknown");
    let options = Opts::new("kept_build_info", "Always 1; the labels say what runs")
        .const_label("version", version)
        .const_label("revision", revision);
    let info = IntGauge::with_opts(options).expect("the name and the labels are valid");
    info.set(1);
    registry
        .register(Box::new(info))
        .expect("the registry is empty");
    let process = ProcessCollector::for_self();
    registry
        .register(Box::new(process))
        .expect("nothing else is named process_");
    registry
}
