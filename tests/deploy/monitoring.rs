//! Prometheus, Alertmanager and Grafana as compose provisions them: each file by its own tool, and
//! what one of them must know of another.

use std::path::Path;

use serde_json::Value;

use crate::compose::{mounts, project};
use crate::tools::{Broken, read, root, run, texts, tool, yaml};

fn promtool(file: &Path) -> Result<String, String> {
    run(tool("prometheus/promtool")
        .args(["check", "config", "--lint=all", "--lint-fatal"])
        .arg(file))
}

fn amtool(file: &Path) -> Result<String, String> {
    run(tool("alertmanager/amtool").arg("check-config").arg(file))
}

/// The one document of a YAML file of the repository.
#[track_caller]
fn document(path: &str) -> Value {
    let mut documents = yaml(&read(path));
    assert_eq!(documents.len(), 1, "{path}");
    documents.remove(0)
}

#[test]
fn promtool_accepts_the_configuration_with_all_rules() {
    let file = root().join("deploy/prometheus/prometheus.yml");
    let said = promtool(&file).unwrap_or_else(|said| panic!("{said}"));
    assert!(said.contains("2 rule files found"), "{said}");
}

#[test]
fn promtool_refuses_a_broken_copy() {
    for (from, to, expected) in [
        (
            "  - rules.yml",
            "  - rulez.yml",
            "rulez.yml\" does not point to an existing file",
        ),
        (
            "scrape_native_histograms",
            "scrape_native_histogram",
            "scrape_native_histogram not found",
        ),
        (
            "job_name: prometheus",
            "job_name: kept",
            "job name \"kept\"",
        ),
        ("15s", "15", "not a valid duration"),
    ] {
        let broken = Broken::new("deploy/prometheus", "prometheus.yml", from, to);
        let said = promtool(&broken.path.join("prometheus.yml")).expect_err(to);
        assert!(said.contains(expected), "{expected}: {said}");
    }
    let broken = Broken::new("deploy/prometheus", "alerts.yml", "up{job=", "up{{job=");
    let said = promtool(&broken.path.join("prometheus.yml")).expect_err("a broken rule");
    assert!(said.contains("alerts.yml"), "{said}");
}

#[test]
fn amtool_accepts_the_routes_and_refuses_a_broken_copy() {
    let file = "deploy/alertmanager/alertmanager.yml";
    if let Err(said) = amtool(&root().join(file)) {
        panic!("{said}");
    }
    let broken = Broken::new(file, "", "name: watchdog", "name: watchcat");
    let said = amtool(&broken.path).expect_err("nobody is called watchdog");
    assert!(said.contains("undefined receiver \"watchdog\""), "{said}");
}

#[test]
fn prometheus_scrapes_the_job_and_the_address_that_the_others_know() {
    let config = document("deploy/prometheus/prometheus.yml");
    let jobs = config["scrape_configs"].as_array().expect("a list");
    let kept = jobs
        .iter()
        .find(|job| job["job_name"] == crate::kubernetes::JOB);
    let targets = &kept.expect("a job of the rules' name")["static_configs"][0]["targets"];
    assert_eq!(texts(targets), ["kept:9464"]);
    let alertmanagers = &config["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"];
    assert_eq!(texts(alertmanagers), ["alertmanager:9093"]);
    for histograms in [
        "scrape_native_histograms",
        "always_scrape_classic_histograms",
    ] {
        assert_eq!(config["global"][histograms], true, "{histograms}");
    }
    let kept = read("deploy/compose/kept.toml");
    assert!(kept.contains("listen = \"0.0.0.0:9464\""), "{kept}");
    assert!(kept.contains("brokers = \"kafka:9092\""), "{kept}");
}

#[test]
fn grafana_finds_prometheus_and_the_dashboards() {
    let sources = document("deploy/grafana/provisioning/datasources/prometheus.yml");
    let source = &sources["datasources"][0];
    assert_eq!(source["type"], "prometheus");
    assert_eq!(source["url"], "http://prometheus:9090");
    // A rate over less than four scrapes is a guess: Grafana reckons with this number.
    let config = document("deploy/prometheus/prometheus.yml");
    assert_eq!(
        source["jsonData"]["timeInterval"],
        config["global"]["scrape_interval"]
    );

    let providers = document("deploy/grafana/provisioning/dashboards/kept.yml");
    let path = providers["providers"][0]["options"]["path"]
        .as_str()
        .expect("a path");
    let project = project();
    let folder = mounts(&project["services"]["grafana"]).remove(path);
    let folder = folder.expect("the dashboards' folder is mounted where Grafana looks");
    let home = "GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH";
    let home = project["services"]["grafana"]["environment"][home].as_str();
    let home = home.and_then(|home| Path::new(home).strip_prefix(path).ok());
    assert!(
        home.is_some_and(|home| folder.join(home).exists()),
        "{home:?}"
    );
    let dashboards = std::fs::read_dir(&folder)
        .expect("it is there")
        .filter(|entry| {
            let path = entry.as_ref().expect("it can be listed").path();
            path.extension()
                .is_some_and(|extension| extension == "json")
        });
    assert!(
        dashboards.count() > 1,
        "no dashboards in {}",
        folder.display()
    );
}
