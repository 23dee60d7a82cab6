//! From views to what Prometheus reads. Pure: the same plan and views give the same bytes.
//!
//! `families` turns the views of the tasks that this instance serves, and the process' own gathered
//! families, into one sorted list of `Family`; `encode` writes that list in a format that
//! `negotiate` chose. What a KPI publishes is named in `catalogue::metrics` and nowhere else. Every
//! additive series has a `partition`; percentiles are merged over the tasks of the instance.

mod funnel;
mod kept;
mod kpi;
mod model;
mod negotiate;
mod percentile;
mod process;
mod promise;
mod protobuf;
mod rows;
mod text;

use std::sync::Arc;

use catalogue::Plan;
use engine::View;
use prometheus::proto::MetricFamily;
use text::Text;

pub use model::{Edges, Family, Histogram, Labels, MetricKind, Number, Sample, Value};
pub use negotiate::{Format, accepts_gzip, negotiate};

/// The families in the order given, as the body of an answer.
pub fn encode(format: Format, families: &[Family]) -> Vec<u8> {
    match format {
        Format::Text => text::encode(Text::Plain, families).into_bytes(),
        Format::OpenMetrics => text::encode(Text::OpenMetrics, families).into_bytes(),
        Format::Protobuf => protobuf::encode(families),
    }
}

/// Likewise in Prometheus' text format, for those who read it in process.
pub fn plain_text(families: &[Family]) -> String {
    text::encode(Text::Plain, families)
}

/// Everything on `/metrics`, sorted by name, each name once, none without series.
///
/// `views` are those of the serving tasks in any order, at most one per group and partition;
/// `process` is what the process' registry gathered. Two families of one name and type become one;
/// of two types under one name the first stays, KPIs before `kept_*` before the process.
pub fn families(plan: &Plan, views: &[Arc<View>], process: &[MetricFamily]) -> Vec<Family> {
    let mut views: Vec<&View> = views.iter().map(Arc::as_ref).collect();
    views.sort_by_key(|view| (view.group, view.partition));
    let mut families = kpi::families(plan, &views);
    families.extend(kept::families(plan, &views));
    families.extend(process.iter().filter_map(process::family));
    families.push(kept::series_family(0));
    let mut families = merged(families);
    let series = families.iter().map(Family::series).sum::<usize>() as u64;
    for family in families
        .iter_mut()
        .filter(|family| family.name == kept::SERIES)
    {
        *family = kept::series_family(series);
    }
    families
}

fn merged(mut families: Vec<Family>) -> Vec<Family> {
    families.retain(|family| !family.samples.is_empty());
    families.sort_by(|first, second| first.name.cmp(&second.name));
    families.dedup_by(|later, first| {
        if later.name != first.name {
            return false;
        }
        if later.kind == first.kind {
            first.samples.append(&mut later.samples);
        }
        true
    });
    families
}
