//! Grafana's own TypeScript types, as JSON Schemas, accept every dashboard: those of Grafana 10 and
//! those of Grafana 13. An unknown key or a wrong type is refused.

use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};
use support::{Folder, installed};

use super::{catalogues, parsed};

/// What the checker says about files; nothing when it accepts them.
fn check(files: &[PathBuf]) -> Option<String> {
    let mut command = Command::new("node");
    command.arg(installed("grafana/check.mjs")).args(files);
    let done = command.output().expect("node can be started");
    let said = [done.stdout, done.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    (!done.status.success()).then_some(said)
}

#[test]
fn grafana_s_types_accept_every_dashboard() {
    let folder = Folder::new("dashboards");
    let mut files = Vec::new();
    for (name, settings, plan) in catalogues::all() {
        for file in generate::dashboards(&plan, &settings.generation) {
            let flat = file.path.replace('/', "-");
            let path = folder.path().join(format!("{name}-{flat}"));
            std::fs::write(&path, &file.text).expect("the folder is writable");
            files.push(path);
        }
    }
    assert_eq!(files.len(), 8, "four a catalogue");
    assert_eq!(check(&files), None);
}

#[test]
fn a_wrong_key_or_type_is_refused() {
    let (_, settings, plan) = &catalogues::all()[0];
    let files = generate::dashboards(plan, &settings.generation);
    let file = files.iter().find(|file| file.path.contains("promise"));
    let dashboard = parsed(file.expect("there is one of promises"));
    let first = |kind: &str| {
        let panels = super::items(&dashboard["panels"]);
        let at = panels.iter().position(|panel| panel["type"] == kind);
        format!("/panels/{}", at.expect("there is one"))
    };
    let (lines, stat, heat) = (first("timeseries"), first("stat"), first("heatmap"));
    let broken = [
        ("".to_owned(), "titel", json!("x"), "titel"),
        (
            "/templating/list/1".to_owned(),
            "multy",
            json!(true),
            "multy",
        ),
        (
            format!("{stat}/options"),
            "colourMode",
            json!("x"),
            "colourMode",
        ),
        (stat.clone(), "type", json!("stats"), "stats"),
        (stat, "title", json!(1), "string"),
        (format!("{lines}/targets/0"), "exprs", json!("x"), "exprs"),
        (
            format!("{lines}/fieldConfig/defaults/custom"),
            "drawStyle",
            json!("lines"),
            "drawStyle",
        ),
        (format!("{heat}/gridPos"), "x", json!("0"), "number"),
    ];
    // One run for all of them: compiling the schemas takes most of the time.
    let folder = Folder::new("broken");
    let path = |at: usize| folder.path().join(format!("broken-{at}-.json"));
    for (at, (place, key, value, _)) in broken.iter().enumerate() {
        let mut copy: Value = dashboard.clone();
        copy.pointer_mut(place).expect("the place exists")[*key] = value.clone();
        std::fs::write(path(at), copy.to_string()).expect("the folder is writable");
    }
    let files: Vec<PathBuf> = (0..broken.len()).map(path).collect();
    let found = check(&files).expect("something is refused");
    for (at, (place, key, _, said)) in broken.iter().enumerate() {
        for version in ["Grafana 10", "Grafana 13"] {
            let lines = found
                .lines()
                .filter(|line| line.contains(&format!("broken-{at}-")) && line.contains(version));
            assert!(
                lines.clone().any(|line| line.contains(said)),
                "{place} {key}, {version}: {found}"
            );
        }
    }
}
