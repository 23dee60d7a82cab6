//! Alerts on the page: those of the whole promise first, those of its parts folded, at the head a line
//! of what fires, and nothing that Prometheus didn't say.

use super::super::alerts::{Alert, read};
use super::*;

#[test]
fn what_prometheus_said_last_is_shown_with_its_age() {
    let body = br#"{"status":"success","data":{"alerts":[
        {"labels":{"alertname":"PromiseStalled","job":"kept"},"annotations":{},"state":"firing","activeAt":"2026-01-05T09:54:30Z"}]}}"#;
    let mut scene = Scene::of("");
    let alerts = read(body).expect("a whole answer");
    scene.alerts = Alerts::Failed(Some((NOW - 120.0, alerts)));
    let page = scene.page();
    has(&page, "does not answer. What it said last:");
    has(&page, "PromiseStalled</a></strong> firing");
    has(&page, "as Prometheus said 2 m ago");
    let notice =
        "<a href=\"#alerts\">Firing</a>:</strong> PromiseStalled (as Prometheus said 2 m ago)";
    has(&page, notice);
}

/// Alerts of the whole promise and of twenty parts of it, the last of which is pending only.
fn of_parts(wholes: bool) -> Vec<Alert> {
    let alert = |name: &str, level: &str, state: &str, region: usize| {
        format!(
            r#"{{"labels":{{"alertname":"{name}","job":"kept","severity":"critical","owner":"fulfilment-team","kpi":"fulfilment","level":"{level}","region":"r{region:02}"}},
            "annotations":{{"summary":"From purchase to fulfilment: nothing completes for region r{region:02}"}},"state":"{state}","activeAt":"2026-01-05T09:58:00Z"}}"#
        )
    };
    let mut alerts: Vec<String> = (0..40)
        .map(|at| alert("PromiseStalled", "part", "firing", at))
        .collect();
    alerts.push(alert("PromiseMissed", "part", "pending", 40));
    if wholes {
        alerts.push(alert("PromiseStalled", "all", "firing", 0));
        alerts.push(alert("PromiseMissed", "all", "pending", 0));
    }
    let body = format!(
        r#"{{"status":"success","data":{{"alerts":[{}]}}}}"#,
        alerts.join(",")
    );
    read(body.as_bytes()).expect("a whole answer")
}

#[test]
fn alerts_of_parts_are_folded_below_those_of_the_whole() {
    let mut scene = Scene::read("incident");
    scene.alerts = Alerts::Known(NOW - 3.0, of_parts(true));
    let page = scene.page();
    has(
        &page,
        "Firing</a>:</strong> PromiseStalled, and 40 for parts of the shop</p>",
    );
    has(
        &page,
        "<details>\n<summary>41 for parts of the shop: 40 firing, 1 pending</summary>",
    );
    let (before, folded) = page.split_once("<details>").expect("it is folded");
    assert_eq!(before.matches("<li class=\"bad\">").count(), 1);
    assert_eq!(before.matches("<li class=\"warn\">").count(), 1);
    let (folded, _) = folded.split_once("</details>").expect("its end");
    assert_eq!(folded.matches("<li ").count(), 30, "of all of them some");
    has(folded, "and 11 more");
    has(folded, "stop that");
    assert_eq!(well_formed(&page), Ok(()), "{page}");
}

#[test]
fn alerts_of_parts_are_open_where_nothing_is_said_of_the_whole() {
    let mut scene = Scene::read("incident");
    scene.alerts = Alerts::Known(NOW - 3.0, of_parts(false));
    let page = scene.page();
    has(&page, "Firing</a>:</strong> 40 for parts of the shop</p>");
    has(&page, "<details open>\n<summary>41 for parts");
    assert!(!page.contains("stop that"), "it stays open by itself");
    let order = ["r00", "r01", "r29"].map(|region| page.find(region));
    assert!(order.is_sorted() && order[0].is_some(), "{order:?}");
}

#[test]
fn what_is_only_pending_is_said_at_the_head_too() {
    let mut scene = Scene::read("incident");
    let alerts = of_parts(true).into_iter();
    let pending = alerts.filter(|alert| !alert.is_firing());
    scene.alerts = Alerts::Known(NOW - 3.0, pending.collect());
    let notice = "<p class=\"notice warn\"><strong><a href=\"#alerts\">Pending</a>:</strong> PromiseMissed, and 1 for parts";
    has(&scene.page(), notice);
}
