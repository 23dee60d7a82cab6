//! Views in, text out, in both text formats.

use std::sync::Arc;

use engine::View;
use events::EventTime;
use exposition::{Family, Format, families};
use prometheus::proto::MetricFamily;

use crate::fixture::{amount, empty_view, plan, view, with_durations};

fn encode(format: Format, families: &[Family]) -> String {
    String::from_utf8(exposition::encode(format, families)).expect("text is UTF-8")
}

fn expose(format: Format, regions: &[&str], views: Vec<View>) -> String {
    let views: Vec<Arc<View>> = views.into_iter().map(Arc::new).collect();
    encode(format, &families(&plan(regions), &views, &[]))
}

/// The lines of the families whose name starts so, comments included.
fn lines_of(text: &str, start: &str) -> String {
    let lines = text.lines().filter(|line| {
        let words = line
            .strip_prefix("# ")
            .map_or(*line, |comment| comment.get(5..).unwrap_or(""));
        words.starts_with(start)
    });
    lines.map(|line| format!("{line}\n")).collect()
}

/// Exactly these lines are written of the families whose name starts so.
#[track_caller]
fn check(text: &str, start: &str, expected: &str) {
    let expected: String = expected
        .lines()
        .map(|line| format!("{}\n", line.trim()))
        .collect();
    assert_eq!(lines_of(text, start), expected);
}

fn two_tasks(format: Format) -> String {
    let revenue = [
        amount("EUR", 12_990, 2),
        amount("JPY", 500, 0),
        amount("KWD", 1_005, 3),
    ];
    expose(
        format,
        &[],
        vec![view(1, "us", &[]), view(0, "eu", &revenue)],
    )
}

#[test]
fn a_label_set_of_one_task_exists_in_all_at_zero() {
    check(
        &two_tasks(Format::Text),
        "shop_fulfilment_started",
        r#"# HELP shop_fulfilment_started_total From purchase to fulfilment: starts accepted
           # TYPE shop_fulfilment_started_total counter
           shop_fulfilment_started_total{region="eu",partition="0"} 7
           shop_fulfilment_started_total{region="eu",partition="1"} 0
           shop_fulfilment_started_total{region="us",partition="0"} 0
           shop_fulfilment_started_total{region="us",partition="1"} 7"#,
    );
}

#[test]
fn own_labels_are_between_dimensions_and_partition() {
    let text = two_tasks(Format::Text);
    for line in [
        "shop_fulfilment_promises_total{region=\"eu\",result=\"kept\",partition=\"0\"} 4",
        "shop_fulfilment_promises_total{region=\"eu\",result=\"broken\",partition=\"0\"} 1",
        "shop_fulfilment_open_at_step{region=\"eu\",step=\"end\",partition=\"0\"} 2",
        "shop_fulfilment_promises_in_window{region=\"eu\",window=\"1d\",result=\"pending\",\
         partition=\"0\"} 2",
        "shop_fulfilment_overdue{region=\"eu\",partition=\"0\"} 1",
        "shop_fulfilment_overdue_unjudged{region=\"us\",partition=\"0\"} 0",
        "shop_conversion_denominator_total{region=\"us\",partition=\"1\"} 7",
        "shop_orders_in_window{region=\"us\",window=\"5m\",partition=\"1\"} 2",
        "shop_cart_ended_total{region=\"us\",outcome=\"abandoned\",last_stage=\"add\",\
         partition=\"1\"} 3",
        "shop_cart_ended_total{region=\"us\",outcome=\"converted\",last_stage=\"order\",\
         partition=\"1\"} 2",
        "shop_cart_reached_in_window{region=\"us\",window=\"1d\",stage=\"checkout\",\
         partition=\"1\"} 5",
    ] {
        assert!(
            text.lines().any(|found| found == line),
            "{line}\nis not in\n{text}"
        );
    }
    assert!(
        !text.contains("shop_conversion_numerator"),
        "it refers to another KPI"
    );
}

#[test]
fn money_has_its_decimals_and_every_label_set_and_task_the_currencies_of_all() {
    check(
        &two_tasks(Format::Text),
        "shop_order_revenue",
        r#"# HELP shop_order_revenue_total Orders: sum
           # TYPE shop_order_revenue_total counter
           shop_order_revenue_total{region="eu",currency="EUR",partition="0"} 129.90
           shop_order_revenue_total{region="eu",currency="EUR",partition="1"} 0.00
           shop_order_revenue_total{region="eu",currency="JPY",partition="0"} 500
           shop_order_revenue_total{region="eu",currency="JPY",partition="1"} 0
           shop_order_revenue_total{region="eu",currency="KWD",partition="0"} 1.005
           shop_order_revenue_total{region="eu",currency="KWD",partition="1"} 0.000
           shop_order_revenue_total{region="us",currency="EUR",partition="0"} 0.00
           shop_order_revenue_total{region="us",currency="EUR",partition="1"} 0.00
           shop_order_revenue_total{region="us",currency="JPY",partition="0"} 0
           shop_order_revenue_total{region="us",currency="JPY",partition="1"} 0
           shop_order_revenue_total{region="us",currency="KWD",partition="0"} 0.000
           shop_order_revenue_total{region="us",currency="KWD",partition="1"} 0.000"#,
    );
}

#[test]
fn histograms_are_cumulative_with_an_exact_sum() {
    let text = expose(Format::Text, &[], vec![view(0, "eu", &[])]);
    check(
        &text,
        "shop_fulfilment_duration_seconds",
        r#"# HELP shop_fulfilment_duration_seconds From purchase to fulfilment: seconds from start to end, completed ones
           # TYPE shop_fulfilment_duration_seconds histogram
           shop_fulfilment_duration_seconds_bucket{region="eu",partition="0",le="5.0"} 1
           shop_fulfilment_duration_seconds_bucket{region="eu",partition="0",le="60.0"} 4
           shop_fulfilment_duration_seconds_bucket{region="eu",partition="0",le="+Inf"} 5
           shop_fulfilment_duration_seconds_sum{region="eu",partition="0"} 123.456789
           shop_fulfilment_duration_seconds_count{region="eu",partition="0"} 5"#,
    );
}

#[test]
fn openmetrics_differs_in_the_names_of_counters_units_and_the_end() {
    let text = expose(Format::OpenMetrics, &[], vec![view(0, "eu", &[])]);
    check(
        &text,
        "shop_fulfilment_started",
        r#"# HELP shop_fulfilment_started From purchase to fulfilment: starts accepted
           # TYPE shop_fulfilment_started counter
           shop_fulfilment_started_total{region="eu",partition="0"} 7"#,
    );
    check(
        &text,
        "shop_fulfilment_within",
        r#"# HELP shop_fulfilment_within_seconds From purchase to fulfilment: the time limit
           # TYPE shop_fulfilment_within_seconds gauge
           # UNIT shop_fulfilment_within_seconds seconds
           shop_fulfilment_within_seconds 60"#,
    );
    assert!(text.ends_with("\n# EOF\n"));
    assert!(!expose(Format::Text, &[], Vec::new()).contains("# EOF"));
}

#[test]
fn declared_values_are_at_zero_from_the_start() {
    let text = expose(Format::Text, &["eu", "us"], vec![empty_view(0)]);
    check(
        &text,
        "shop_orders_total",
        r#"# HELP shop_orders_total Orders: events
           # TYPE shop_orders_total counter
           shop_orders_total{region="eu",partition="0"} 0
           shop_orders_total{region="us",partition="0"} 0"#,
    );
    assert!(!expose(Format::Text, &[], vec![empty_view(0)]).contains("shop_orders_total"));
}

#[test]
fn percentiles_are_merged_over_tasks_and_nan_when_nothing_completed() {
    let text = two_tasks(Format::Text);
    let nan =
        "shop_fulfilment_duration_in_window_seconds{region=\"eu\",window=\"5m\",q=\"0.5\"} NaN";
    assert!(text.lines().any(|line| line == nan), "{text}");
    check(
        &text
            .lines()
            .filter(|line| !line.starts_with('#'))
            .collect::<Vec<_>>()
            .join("\n"),
        "shop_fulfilment_all_duration_with_open_seconds",
        r#"shop_fulfilment_all_duration_with_open_seconds{window="5m",q="0.5"} NaN
           shop_fulfilment_all_duration_with_open_seconds{window="5m",q="0.9"} NaN
           shop_fulfilment_all_duration_with_open_seconds{window="5m",q="0.95"} NaN
           shop_fulfilment_all_duration_with_open_seconds{window="5m",q="0.99"} NaN"#,
    );
}

/// The value of one series.
#[track_caller]
fn value(text: &str, series: &str) -> f64 {
    let mut lines = text.lines().filter_map(|line| line.rsplit_once(' '));
    let found = lines.find(|(name, _)| *name == series);
    let (_, value) = found.unwrap_or_else(|| panic!("{series} is not in\n{text}"));
    value.parse().expect("a value is a number")
}

#[track_caller]
fn check_near(text: &str, series: &str, expected: f64) {
    let found = value(text, series);
    let bound = expected * engine::sketch::RELATIVE_ERROR + 1e-6;
    assert!(
        (found - expected).abs() <= bound,
        "{series} is {found}, not {expected}"
    );
}

#[test]
fn percentiles_are_those_of_all_tasks_together() {
    let views = vec![
        with_durations(view(0, "eu", &[]), 1, 10),
        with_durations(view(1, "eu", &[]), 3, 30),
        with_durations(view(2, "us", &[]), 16, 60),
    ];
    let text = expose(Format::Text, &[], views);
    for name in ["duration_in_window", "duration_with_open"] {
        let of = |region: &str, q: &str| {
            format!("shop_fulfilment_{name}_seconds{{region=\"{region}\",window=\"5m\",q=\"{q}\"}}")
        };
        check_near(&text, &of("eu", "0.5"), 30.0);
        check_near(&text, &of("us", "0.5"), 60.0);
        let all = format!("shop_fulfilment_all_{name}_seconds{{window=\"5m\",q=\"0.5\"}}");
        check_near(&text, &all, 60.0);
    }
    let day = "shop_fulfilment_duration_in_window_seconds{region=\"eu\",window=\"1d\",q=\"0.99\"}";
    check_near(&text, day, 30.0);
    let with_open = text
        .lines()
        .filter(|line| line.contains("_with_open_seconds{"));
    assert!(with_open.clone().count() > 0);
    assert!(
        with_open.clone().all(|line| line.contains("window=\"5m\"")),
        "only up to an hour"
    );
}

#[test]
fn before_the_first_event_a_task_has_no_clock_and_no_display_time() {
    let mut unborn = empty_view(0);
    unborn.display = EventTime::MIN;
    let text = expose(Format::Text, &[], vec![unborn]);
    assert!(!text.contains("kept_partition_clock_timestamp_seconds{"));
    assert!(!text.contains("kept_display_timestamp_seconds{"));
    assert!(text.contains("\nkept_exact{topic=\"shop.events\",partition=\"0\"} 1\n"));
}

#[test]
fn the_oldest_start_is_absent_where_none_is_open() {
    check(
        &two_tasks(Format::Text),
        "shop_fulfilment_oldest",
        r#"# HELP shop_fulfilment_oldest_open_start_timestamp_seconds From purchase to fulfilment: start of the oldest open one, absent when none is open
           # TYPE shop_fulfilment_oldest_open_start_timestamp_seconds gauge
           shop_fulfilment_oldest_open_start_timestamp_seconds{region="eu",partition="0"} 1767607100.25
           shop_fulfilment_oldest_open_start_timestamp_seconds{region="us",partition="1"} 1767607100.25"#,
    );
}

#[test]
fn without_views_only_the_definitions_are_shown() {
    let text = expose(Format::Text, &["eu"], Vec::new());
    let series: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    let expected = [
        "kept_series 5",
        "shop_fulfilment_objective_ratio 0.95",
        "shop_fulfilment_target_max_seconds 60",
        "shop_fulfilment_target_quantile 0.95",
        "shop_fulfilment_within_seconds 60",
    ];
    assert_eq!(series, expected);
}

#[test]
fn what_was_read_is_counted_by_outcome() {
    let text = expose(Format::Text, &[], vec![view(0, "eu", &[])]);
    let series: String = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .fold(String::new(), |all, line| all + line + "\n");
    check(
        &series,
        "kept_events",
        r#"kept_events_total{topic="shop.events",partition="0",type="order.placed",source="/shop/web",outcome="used"} 7
           kept_events_total{topic="shop.events",partition="0",type="order.placed",source="/shop/web",outcome="ignored"} 0
           kept_events_total{topic="shop.events",partition="0",type="order.placed",source="/shop/web",outcome="duplicate"} 1
           kept_events_total{topic="shop.events",partition="0",type="unknown",source="unknown",outcome="rejected"} 3
           kept_events_late_total{topic="shop.events",partition="0"} 2
           kept_events_too_late_total{topic="shop.events",partition="0",type="order.placed"} 1"#,
    );
    for line in [
        "kept_records_rejected_total{topic=\"shop.events\",partition=\"0\",reason=\"not_json\"} 3",
        "kept_records_rejected_total{topic=\"shop.events\",partition=\"0\",reason=\"bad_key\"} 0",
        "kept_field_errors_total{kpi=\"orders\",field=\"total\",partition=\"0\"} 9",
        "kept_entities_overflow_total{kpi=\"fulfilment\",limit=\"held\",partition=\"0\"} 6",
        "kept_label_overflow_total{kpi=\"fulfilment\",label=\"region\",partition=\"0\"} 4",
        "kept_window_dropped_total{kpi=\"fulfilment\",partition=\"0\"} 5",
        "kept_exact{topic=\"shop.events\",partition=\"0\"} 1",
        "kept_event_delay_seconds_bucket{topic=\"shop.events\",partition=\"0\",\
         source=\"/shop/web\",le=\"0.1\"} 6",
        "kept_event_delay_seconds_sum{topic=\"shop.events\",partition=\"0\",source=\"/shop/web\"} 0.25",
        "kept_partition_clock_timestamp_seconds{topic=\"shop.events\",partition=\"0\"} 1767607230.5",
        "kept_display_timestamp_seconds{topic=\"shop.events\",partition=\"0\"} 1767607200.5",
        "kept_state_entries{topic=\"shop.events\",partition=\"0\",kind=\"open\"} 2",
        "kept_state_bytes{topic=\"shop.events\",partition=\"0\"} 4096",
    ] {
        assert!(
            series.lines().any(|found| found == line),
            "{line}\nis not in\n{series}"
        );
    }
}

#[test]
fn kept_series_counts_every_line_that_is_a_series() {
    let text = two_tasks(Format::Text);
    let lines = text.lines().filter(|line| !line.starts_with('#')).count();
    check(
        &text,
        "kept_series",
        &format!(
            "# HELP kept_series Series in this exposition\n# TYPE kept_series gauge\nkept_series {lines}"
        ),
    );
}

#[test]
fn label_values_may_be_any_text() {
    let text = expose(Format::Text, &[], vec![view(0, "a\"b\\c\nd 東京", &[])]);
    let line = "shop_orders_total{region=\"a\\\"b\\\\c\\nd 東京\",partition=\"0\"} 7";
    assert!(text.lines().any(|found| found == line), "{text}");
}

#[test]
fn help_is_escaped_as_the_format_wants() {
    let mut plan = plan(&[]);
    plan.kpis[0].help = "a \"b\" \\ c\nd".into();
    let text = |format| encode(format, &families(&plan, &[], &[]));
    let start = "# HELP shop_fulfilment_within_seconds a";
    assert!(text(Format::Text).contains(&format!("{start} \"b\" \\\\ c\\nd: ")));
    assert!(text(Format::OpenMetrics).contains(&format!("{start} \\\"b\\\" \\\\ c\\nd: ")));
}

#[test]
fn families_are_sorted_once_each_and_contiguous() {
    for format in [Format::Text, Format::OpenMetrics] {
        let text = two_tasks(format);
        let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
        let names: Vec<&str> = types
            .map(|line| line.split(' ').next().unwrap_or(""))
            .collect();
        let mut sorted = names.clone();
        sorted.sort_by_key(|name| name.strip_suffix("_total").unwrap_or(name).to_owned());
        sorted.dedup();
        assert_eq!(names, sorted);
        let mut current = "";
        for line in text.lines() {
            match line.strip_prefix("# ") {
                Some(comment) => current = comment.split(' ').nth(1).unwrap_or(current),
                None => assert!(line.starts_with(current), "{line} is under {current}"),
            }
        }
    }
}

#[test]
fn the_order_of_views_does_not_matter() {
    let views = || vec![view(0, "eu", &[]), view(1, "us", &[]), empty_view(2)];
    let mut turned = views();
    turned.reverse();
    assert_eq!(
        expose(Format::Text, &[], views()),
        expose(Format::Text, &[], turned)
    );
}

#[test]
fn the_process_own_families_join_in() {
    let registry = prometheus::Registry::new();
    let scrapes = prometheus::Histogram::with_opts(
        prometheus::HistogramOpts::new("kept_scrape_seconds", "Rendering").buckets(vec![0.5, 1.0]),
    );
    let scrapes = scrapes.expect("valid options");
    let lost = prometheus::IntCounter::new("kept_dead_letters_lost_total", "Lost");
    let lost = lost.expect("valid name");
    registry
        .register(Box::new(scrapes.clone()))
        .expect("registered once");
    registry
        .register(Box::new(lost.clone()))
        .expect("registered once");
    scrapes.observe(0.25);
    scrapes.observe(2.0);
    lost.inc_by(3);
    let gathered: Vec<MetricFamily> = registry.gather();
    let text = encode(Format::OpenMetrics, &families(&plan(&[]), &[], &gathered));
    check(
        &text,
        "kept_dead",
        "# HELP kept_dead_letters_lost Lost
         # TYPE kept_dead_letters_lost counter
         kept_dead_letters_lost_total 3",
    );
    check(
        &text,
        "kept_scrape",
        r#"# HELP kept_scrape_seconds Rendering
           # TYPE kept_scrape_seconds histogram
           # UNIT kept_scrape_seconds seconds
           kept_scrape_seconds_bucket{le="0.5"} 1
           kept_scrape_seconds_bucket{le="1.0"} 1
           kept_scrape_seconds_bucket{le="+Inf"} 2
           kept_scrape_seconds_sum 2.25
           kept_scrape_seconds_count 2"#,
    );
}
