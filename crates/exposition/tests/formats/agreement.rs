//! All formats decode to the same series and the same numbers, whatever the views hold: random
//! ones from a seed, which a failure prints. Text is read by a parser of this file's own, protobuf
//! by `reader`.

use std::collections::BTreeMap;
use std::sync::Arc;

use catalogue::plan::Buckets;
use engine::View;
use engine::view::KindView;
use events::{EventTime, KafkaTime, Span};
use exposition::{Family, Format, encode, families};

use crate::fixture::{amount, empty_view, histogram, plan, plan_of, view};
use crate::reader;

/// Every series by name and labels, as the text formats write them but for the value of `le`.
type Series = BTreeMap<String, f64>;

/// A series by name and labels; `le` by its value, so that spelling doesn't matter.
fn put(series: &mut Series, name: &str, labels: &[(String, String)], value: f64) {
    let mut key = name.to_owned();
    for (name, value) in labels {
        let value = match name.as_str() {
            "le" => format!("{:?}", value.parse::<f64>().expect("an edge is a number")),
            _ => value.clone(),
        };
        key.push_str(&format!("|{name}={value}"));
    }
    let before = series.insert(key.clone(), value);
    assert_eq!(before, None, "{key} is there twice");
}

fn of_text(text: &str) -> Series {
    let mut series = Series::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (head, value) = line.rsplit_once(' ').expect("a series has a value");
        let value = value.parse().expect("a value is a number");
        let (name, labels) = head.split_once('{').unwrap_or((head, ""));
        put(&mut series, name, &labels_of(labels), value);
    }
    series
}

/// `a="b",c="d"}`.
fn labels_of(mut text: &str) -> Vec<(String, String)> {
    let mut labels = Vec::new();
    while let Some((name, rest)) = text.split_once("=\"") {
        let (mut value, mut end, mut escaped) = (String::new(), rest.len(), false);
        for (at, character) in rest.char_indices() {
            match character {
                _ if escaped => {
                    value.push(if character == 'n' { '\n' } else { character });
                    escaped = false;
                }
                '\\' => escaped = true,
                '"' => {
                    end = at;
                    break;
                }
                other => value.push(other),
            }
        }
        labels.push((name.trim_start_matches(',').to_owned(), value));
        text = &rest[end + 1..];
    }
    labels
}

/// As Prometheus makes series of the messages.
fn of_protobuf(bytes: &[u8]) -> Series {
    let mut series = Series::new();
    for family in reader::read(bytes) {
        for metric in family.metrics {
            let (name, labels) = (&family.name, &metric.labels);
            match (family.kind, metric.counter, metric.gauge, metric.histogram) {
                (Some(0), Some(value), None, None) | (Some(1), None, Some(value), None) => {
                    put(&mut series, name, labels, value);
                }
                (Some(4), None, None, Some(histogram)) => {
                    let infinite = (f64::INFINITY, histogram.count);
                    for (bound, count) in histogram.classic.iter().chain([&infinite]) {
                        let mut labels = labels.clone();
                        labels.push(("le".to_owned(), bound.to_string()));
                        put(
                            &mut series,
                            &format!("{name}_bucket"),
                            &labels,
                            *count as f64,
                        );
                    }
                    put(&mut series, &format!("{name}_sum"), labels, histogram.sum);
                    put(
                        &mut series,
                        &format!("{name}_count"),
                        labels,
                        histogram.count as f64,
                    );
                }
                other => panic!("{name} is {other:?}"),
            }
        }
    }
    series
}

#[track_caller]
fn check_agreement(families: &[Family], context: &str) {
    let text = |format| String::from_utf8(encode(format, families)).expect("text is UTF-8");
    let plain = of_text(&text(Format::Text));
    let others = [
        of_text(&text(Format::OpenMetrics)),
        of_protobuf(&encode(Format::Protobuf, families)),
    ];
    assert!(plain.len() > 100, "{context}: only {} series", plain.len());
    for other in others {
        let names = |series: &Series| series.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&plain), names(&other), "{context}");
        for (name, value) in &plain {
            let same = value.total_cmp(&other[name]).is_eq();
            assert!(same, "{context}: {name} is {value} and {}", other[name]);
        }
    }
}

/// The next number of a series that depends on the seed alone.
fn next(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
    *seed >> 24
}

/// Any duration: most between a millisecond and hours, some zero, some of years.
fn durations(seed: &mut u64) -> Vec<i64> {
    let count = next(seed) % 200;
    let one = |_| match next(seed) % 20 {
        0 => 0,
        1 => (next(seed) & ((1 << 50) - 1)) as i64,
        _ => (1000 + (next(seed) >> (4 + next(seed) % 28))) as i64,
    };
    (0..count).map(one).collect()
}

/// A view with everything that may differ from one to the next drawn from the seed.
fn random_view(partition: i32, seed: &mut u64) -> View {
    const REGIONS: [&str; 4] = ["eu", "us", "a\"b\\c\nd 東京 {},=", ""];
    let revenue = [
        amount("EUR", i128::from(next(seed)), 2),
        amount("KWD", i128::from(next(seed)) << (next(seed) % 80), 3),
    ];
    let region = REGIONS[next(seed) as usize % REGIONS.len()];
    let mut view = view(partition, region, &revenue);
    let created = (!next(seed).is_multiple_of(4))
        .then(|| KafkaTime(1_767_607_200_000_000 + next(seed) as i64));
    view.display = EventTime(1_767_607_200_000_000 + next(seed) as i64);
    view.inputs[0].created = created;
    view.inputs[0].rejected[0] = u64::MAX / 4;
    for (_, delay) in &mut view.inputs[0].delay {
        let edges = [Span(5); 10];
        *delay = histogram(&edges, &durations(seed));
    }
    if let KindView::Promise(series) = &mut view.kpis[0].series {
        let edges = [5, 60].map(Span::from_seconds);
        series[0].created = created;
        series[0].counters.started = next(seed);
        series[0].duration = histogram(&edges, &durations(seed));
        for step in &mut series[0].steps {
            *step = histogram(&edges, &durations(seed));
        }
    }
    if let KindView::Count(series) = &mut view.kpis[1].series {
        series[0].created = created;
        series[0].total = next(seed) << (next(seed) % 20);
    }
    view
}

#[test]
fn all_formats_decode_to_the_same_numbers() {
    for round in 0..200 {
        let mut seed = round;
        let views = (0..1 + round as i32 % 4).map(|partition| match next(&mut seed) % 5 {
            0 => empty_view(partition),
            _ => random_view(partition, &mut seed),
        });
        let views: Vec<Arc<View>> = views.map(Arc::new).collect();
        let published = [Buckets::Both, Buckets::Classic, Buckets::Native];
        let plan = plan_of(&["eu", "us"], published[round as usize % 3]);
        let families = families(&plan, &views, &[]);
        check_agreement(&families, &format!("seed {round}"));
    }
}

#[test]
fn the_process_own_histograms_agree_too() {
    let registry = prometheus::Registry::new();
    let options = prometheus::HistogramOpts::new("kept_scrape_seconds", "Rendering");
    let scrapes = prometheus::Histogram::with_opts(options.buckets(vec![0.5, 1.0]));
    let scrapes = scrapes.expect("valid options");
    registry
        .register(Box::new(scrapes.clone()))
        .expect("registered once");
    scrapes.observe(0.25);
    scrapes.observe(2.0);
    let views = [Arc::new(view(0, "eu", &[]))];
    let families = families(&plan(&[]), &views, &registry.gather());
    check_agreement(&families, "process");
    let read = reader::read(&encode(Format::Protobuf, &families));
    let own = read
        .iter()
        .find(|family| family.name == "kept_scrape_seconds");
    let histogram = own.and_then(|family| family.metrics[0].histogram.as_ref());
    let histogram = histogram.expect("it is there");
    assert_eq!(
        (histogram.count, histogram.schema),
        (2, None),
        "classic only"
    );
}
