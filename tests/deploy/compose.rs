//! `docker-compose.yml`, read by Docker's own library, and the rules of this repository about it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use support::Folder;

use crate::tools::{KEPT, members, root, run, texts, tool};

const FILE: &str = "docker-compose.yml";

/// The project that compose makes of a file, or what it has against it.
fn resolve(file: &Path) -> Result<Value, String> {
    let json = run(tool("compose/compose").arg(file))?;
    Ok(serde_json::from_str(&json).expect("the tool writes JSON"))
}

/// The project as shipped.
#[track_caller]
pub fn project() -> Value {
    resolve(&root().join(FILE)).unwrap_or_else(|said| panic!("{said}"))
}

/// What a host file or folder is in the container, and where it is here.
pub fn mounts(service: &Value) -> BTreeMap<String, PathBuf> {
    let volumes = service["volumes"].as_array().into_iter().flatten();
    let binds = volumes.filter(|volume| volume["type"] == "bind");
    let text = |value: &Value| value.as_str().expect("a path").to_owned();
    binds
        .map(|bind| (text(&bind["target"]), PathBuf::from(text(&bind["source"]))))
        .collect()
}

/// Breaches of this repository's rules.
fn problems(project: &Value) -> Vec<String> {
    let mut problems = Vec::new();
    for (name, service) in members(&project["services"]) {
        let mut say = |what: String| problems.push(format!("{name}: {what}"));
        for port in service["ports"].as_array().into_iter().flatten() {
            if port["host_ip"] != "127.0.0.1" {
                say(format!("port {} is not on loopback", port["target"]));
            }
        }
        let image = service["image"].as_str().unwrap_or_default();
        if !is_pinned(image) {
            say(format!("the version of \"{image}\" is not pinned"));
        }
        for source in mounts(service).values().filter(|path| !path.exists()) {
            say(format!("{} is not there", source.display()));
        }
        if let Some(file) = service["build"]["dockerfile"].as_str() {
            let context = service["build"]["context"].as_str().unwrap_or_default();
            if !Path::new(context).join(file).exists() {
                say(format!("{file} is not there"));
            }
        }
        for key in ["/restart", "/deploy/resources/limits/memory"] {
            if service.pointer(key).is_none() {
                say(format!("it has no {key}"));
            }
        }
        for (other, how) in service["depends_on"].as_object().into_iter().flatten() {
            let healthy = how["condition"] == "service_healthy";
            if healthy && project["services"][other]["healthcheck"].is_null() {
                say(format!("nobody knows whether {other} is healthy"));
            }
        }
    }
    problems
}

/// A tag that begins like a version: `v3.15.0`, `3.13-slim`.
fn is_pinned(image: &str) -> bool {
    let tag = image
        .rsplit('/')
        .next()
        .and_then(|name| name.split_once(':'));
    tag.is_some_and(|(_, tag)| {
        let version = tag.strip_prefix('v').unwrap_or(tag);
        version.starts_with(|c: char| c.is_ascii_digit()) && version.contains('.')
    })
}

#[test]
fn compose_accepts_the_project_and_it_keeps_our_rules() {
    let project = project();
    assert_eq!(problems(&project), [""; 0]);
    let services: Vec<&String> = members(&project["services"])
        .map(|(name, _)| name)
        .collect();
    let all = [
        "alertmanager",
        "grafana",
        "kafka",
        "kept",
        "pager",
        "prometheus",
        "shop",
    ];
    assert_eq!(services, all);
    // One image, built once.
    assert_eq!(
        project["services"]["shop"]["image"],
        project["services"]["kept"]["image"]
    );
}

#[test]
fn compose_refuses_a_broken_copy() {
    for (from, to, expected) in [
        ("kafka: {condition", "cafka: {condition", "cafka"),
        ("    healthcheck:", "    healthchek:", "healthchek"),
        (
            "'127.0.0.1:9090:9090'",
            "'127.0.0.1:9090:x'",
            "Invalid containerPort: x",
        ),
        (
            "  kafka-data:\n  kept-state",
            "  kept-state",
            "undefined volume",
        ),
    ] {
        let said = broken(from, to).expect_err(to);
        assert!(said.contains(expected), "{expected}: {said}");
    }
}

#[test]
fn our_rules_refuse_a_broken_copy() {
    for (from, to, expected) in [
        (
            "127.0.0.1:9090:9090",
            "9090:9090",
            "prometheus: port 9090 is not on loopback",
        ),
        (
            "127.0.0.1:3000:3000",
            "0.0.0.0:3000:3000",
            "grafana: port 3000 is not on loopback",
        ),
        (
            "apache/kafka:4.1.1",
            "apache/kafka",
            "\"apache/kafka\" is not pinned",
        ),
        (
            "prom/prometheus:v3.15.0",
            "prom/prometheus:latest",
            "is not pinned",
        ),
        (
            "./deploy/prometheus:",
            "./deploy/nothing:",
            "nothing is not there",
        ),
        (
            "deploy/docker/Dockerfile",
            "deploy/docker/File",
            "File is not there",
        ),
        (
            "{condition: service_started}",
            "{condition: service_healthy}",
            "whether shop is healthy",
        ),
        (
            "{resources: {limits: {memory: 64m}}}",
            "{}",
            "pager: it has no /deploy",
        ),
    ] {
        let found = broken(from, to).unwrap_or_else(|said| panic!("{said}"));
        assert_eq!(found.len(), 1, "{found:?}");
        let found = &found[0];
        assert!(found.contains(expected), "{expected}: {found}");
    }
}

/// Our rules about the project with one text replaced, beside the same `deploy/`; or compose's
/// refusal.
fn broken(from: &str, to: &str) -> Result<Vec<String>, String> {
    let folder = Folder::new("compose");
    let deploy = folder.path().join("deploy");
    std::os::unix::fs::symlink(root().join("deploy"), deploy).expect("the folder is writable");
    let text = fs::read_to_string(root().join(FILE)).expect("it is there");
    assert!(text.contains(from), "no {from:?}");
    let file = folder.path().join(FILE);
    fs::write(&file, text.replace(from, to)).expect("the folder is writable");
    Ok(problems(&resolve(&file)?))
}

/// A service's arguments, paths of the container turned into ours.
pub fn arguments(service: &Value, key: &str) -> Vec<String> {
    let mounts = mounts(service);
    let translate = |word: &str| {
        let found = mounts.iter().find_map(|(target, source)| {
            let (before, after) = word.split_once(target.as_str())?;
            let whole = after.is_empty() || after.starts_with('/');
            whole.then(|| format!("{before}{}{after}", source.display()))
        });
        found.unwrap_or_else(|| word.to_owned())
    };
    let words = service.pointer(key).expect("it is there");
    texts(words).into_iter().map(translate).collect()
}

/// Gives `kept` these arguments: what it says.
fn kept(arguments: &[String]) -> Result<String, String> {
    run(Command::new(KEPT).args(arguments))
}

#[test]
fn kept_takes_what_compose_gives_it() {
    let project = project();
    let service = &project["services"]["kept"];
    let mut check = arguments(service, "/command");
    assert_eq!(check[0], "run");
    assert!(check[2].ends_with("/deploy/compose/kept.toml"), "{check:?}");
    "check".clone_into(&mut check[0]);
    let said = kept(&check).unwrap_or_else(|said| panic!("{said}"));
    assert!(said.contains("fulfilment"), "{said}");

    let probe = arguments(service, "/healthcheck/test");
    assert_eq!(probe[..3], ["CMD", "kept", "probe"]);
    let help: Vec<String> = probe[2..]
        .iter()
        .cloned()
        .chain(["--help".to_owned()])
        .collect();
    assert!(kept(&help).is_ok_and(|said| said.contains("health check")));
}

/// `--help` behind the arguments: those before it are still looked at.
#[test]
fn the_shop_takes_what_compose_gives_it() {
    let project = project();
    let mut shop = arguments(&project["services"]["shop"], "/command");
    shop.push("--help".into());
    let said = kept(&shop).unwrap_or_else(|said| panic!("{said}"));
    assert!(said.contains("--brokers"), "{said}");
    for (from, to) in [
        ("--rate", "--rata"),
        ("5", "five"),
        ("slower:12", "slowest"),
    ] {
        let wrong: Vec<String> = shop
            .iter()
            .map(|word| {
                if word == from {
                    to.to_owned()
                } else {
                    word.clone()
                }
            })
            .collect();
        assert_ne!(wrong, shop, "{from}");
        let said = kept(&wrong).expect_err(to);
        assert!(said.contains(to) && said.contains("Some(2)"), "{said}");
    }
}
