//! The kustomizations: what they build, against Kubernetes' schemas, the Prometheus operator's own
//! types, promtool, `kept check`; and that the resources mean the same pods, ports and volumes.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use support::Folder;

use crate::image;
use crate::tools::{Broken, KEPT, members, read, root, run, texts, tool, yaml};

const FOLDER: &str = "deploy/kubernetes";
const KINDS: [&str; 2] = ["base", "object-store"];
/// What the rules call Kept's job.
pub const JOB: &str = "kept";

/// What kustomize makes of a folder.
fn build(folder: &Path) -> Result<String, String> {
    run(tool("kustomize/kustomize").arg("build").arg(folder))
}

/// All that is wrong with what a kustomization builds; the first tool that refuses ends it.
fn check(folder: &Path) -> Result<(), String> {
    let built = build(folder)?;
    let work = Folder::new("kubernetes");
    let file = work.path().join("built.yml");
    fs::write(&file, &built).expect("the folder is writable");
    run(tool("python/bin/kubernetes-validate")
        .arg("--strict")
        .arg(&file))?;
    let operator = run(tool("operator/operator").arg(&file))?;
    if operator != "PodMonitor kept\nPrometheusRule kept\n" {
        return Err(format!("the operator gets: {operator}"));
    }
    let resources = yaml(&built);
    promtool(&resources)?;
    kept_check(&resources)?;
    let problems = problems(&resources);
    if problems.is_empty() {
        Ok(())
    } else {
        Err(problems.join("\n"))
    }
}

#[track_caller]
fn one<'a>(resources: &'a [Value], kind: &str) -> &'a Value {
    let mut found = resources.iter().filter(|resource| resource["kind"] == kind);
    let first = found.next().unwrap_or_else(|| panic!("no {kind}"));
    assert!(found.next().is_none(), "two of {kind}");
    first
}

/// The rules that the operator hands to Prometheus.
fn promtool(resources: &[Value]) -> Result<String, String> {
    let work = Folder::new("rules");
    // JSON is YAML.
    let file = work.path().join("rules.yml");
    let spec = one(resources, "PrometheusRule")["spec"].to_string();
    fs::write(&file, spec).expect("the folder is writable");
    let lint = ["check", "rules", "--lint=all", "--lint-fatal"];
    run(tool("prometheus/promtool").args(lint).arg(file))
}

/// The configuration in the ConfigMap that the pod mounts, with the pod's environment.
fn kept_check(resources: &[Value]) -> Result<String, String> {
    let pod = &one(resources, "StatefulSet")["spec"]["template"]["spec"];
    let config = one(resources, "ConfigMap");
    if pod["volumes"][0]["configMap"]["name"] != config["metadata"]["name"] {
        return Err("the pod mounts another ConfigMap".into());
    }
    let work = Folder::new("config");
    for (name, text) in members(&config["data"]) {
        let text = text.as_str().expect("a text");
        fs::write(work.path().join(name), text).expect("the folder is writable");
    }
    let mut command = Command::new(KEPT);
    command
        .args(["check", "--config", "kept.toml"])
        .current_dir(work.path());
    for variable in pod["containers"][0]["env"].as_array().into_iter().flatten() {
        let name = variable["name"].as_str().expect("a name");
        assert_eq!(
            variable["valueFrom"]["fieldRef"]["fieldPath"],
            "metadata.name"
        );
        command.env(name, "kept-0");
    }
    run(&mut command)
}

/// Where resources don't mean the same.
fn problems(resources: &[Value]) -> Vec<String> {
    let set = &one(resources, "StatefulSet")["spec"];
    let (labels, pod) = (
        &set["template"]["metadata"]["labels"],
        &set["template"]["spec"],
    );
    let container = &pod["containers"][0];
    let mut problems = Vec::new();
    let mut want = |holds: bool, what: &str| {
        if !holds {
            problems.push(what.to_owned());
        }
    };
    let selectors = [
        ("Service", "/spec/selector"),
        ("StatefulSet", "/spec/selector/matchLabels"),
        ("PodMonitor", "/spec/selector/matchLabels"),
        ("PodDisruptionBudget", "/spec/selector/matchLabels"),
        ("NetworkPolicy", "/spec/podSelector/matchLabels"),
    ];
    for (kind, pointer) in selectors {
        let selector = one(resources, kind).pointer(pointer).expect("it selects");
        let selected = members(selector).all(|(name, value)| labels[name] == *value);
        want(selected, &format!("{kind} selects other pods"));
    }
    let monitor = &one(resources, "PodMonitor")["spec"];
    let label = monitor["jobLabel"].as_str().unwrap_or_default();
    want(
        labels[label] == JOB,
        "the job has another name than in the rules",
    );
    let port = &container["ports"][0]["name"];
    let mut used = vec![&monitor["podMetricsEndpoints"][0]["port"]];
    used.push(&one(resources, "Service")["spec"]["ports"][0]["targetPort"]);
    used.push(&one(resources, "NetworkPolicy")["spec"]["ingress"][0]["ports"][0]["port"]);
    let probes = ["startupProbe", "livenessProbe", "readinessProbe"];
    used.extend(
        probes
            .iter()
            .map(|probe| &container[*probe]["httpGet"]["port"]),
    );
    want(
        used.iter().all(|name| *name == port),
        "a port has another name",
    );
    want(
        container["livenessProbe"]["httpGet"]["path"] == "/livez",
        "what is asked whether it lives",
    );
    want(
        container["readinessProbe"]["httpGet"]["path"] == "/readyz",
        "what is asked whether it is ready",
    );
    let name = &one(resources, "Service")["metadata"]["name"];
    want(
        set["serviceName"] == *name,
        "the set is named by another service",
    );
    problems.extend(hardening(pod));
    problems.extend(storage(
        set,
        &one(resources, "ConfigMap")["data"]["kept.toml"],
    ));
    problems
}

/// What the image and the pod agree on, and what a pod must not be allowed.
fn hardening(pod: &Value) -> Vec<String> {
    let (user, group) = image::user(&read("deploy/docker/Dockerfile"));
    let container = &pod["containers"][0];
    let wanted = [
        (&pod["securityContext"]["runAsUser"], json!(user)),
        (&pod["securityContext"]["fsGroup"], json!(group)),
        (&pod["securityContext"]["runAsNonRoot"], json!(true)),
        (&pod["automountServiceAccountToken"], json!(false)),
        (
            &container["securityContext"]["readOnlyRootFilesystem"],
            json!(true),
        ),
        (
            &container["securityContext"]["allowPrivilegeEscalation"],
            json!(false),
        ),
        (
            &container["securityContext"]["capabilities"]["drop"],
            json!(["ALL"]),
        ),
        (&container["args"], json!(image::default_arguments())),
    ];
    let differs = wanted.iter().filter(|(found, wanted)| *found != wanted);
    differs
        .map(|(found, wanted)| format!("{found} should be {wanted}"))
        .collect()
}

/// Whatever is mounted is there; state on a volume belongs to one pod, so several need a store.
fn storage(set: &Value, config: &Value) -> Vec<String> {
    let mut problems = Vec::new();
    let names = |list: &Value, pointer: &str| -> BTreeSet<String> {
        let items = list.as_array().into_iter().flatten();
        let name = |item: &Value| item.pointer(pointer).map(|name| name.to_string());
        items.filter_map(name).collect()
    };
    let pod = &set["template"]["spec"];
    let mut volumes = names(&pod["volumes"], "/name");
    volumes.extend(names(&set["volumeClaimTemplates"], "/metadata/name"));
    if names(&pod["containers"][0]["volumeMounts"], "/name") != volumes {
        problems.push(format!("mounted are not just {volumes:?}"));
    }
    let config = config.as_str().expect("a text");
    let on_disk = config.contains("url = \"file:");
    if on_disk && set["replicas"] != 1 {
        problems.push("several pods, each with a state of its own".into());
    }
    if on_disk != volumes.contains("\"state\"") {
        problems.push("a volume for the state, or a store".into());
    }
    problems
}

#[test]
fn what_is_built_is_accepted_by_every_tool_and_fits_together() {
    for kind in KINDS {
        if let Err(said) = check(&root().join(FOLDER).join(kind)) {
            panic!("{kind}: {said}");
        }
    }
}

/// One definition: the operator's rules are the files that a plain Prometheus reads.
#[test]
fn the_rules_are_those_of_the_rule_files() {
    let mut groups = Vec::new();
    for file in ["rules.yml", "alerts.yml"] {
        let document = yaml(&read(&format!("deploy/prometheus/{file}"))).remove(0);
        groups.extend(document["groups"].as_array().expect("a list").clone());
    }
    assert!(groups.len() > 4, "too few groups");
    for kind in KINDS {
        let built = build(&root().join(FOLDER).join(kind)).expect("it builds");
        let resources = yaml(&built);
        assert_eq!(
            one(&resources, "PrometheusRule")["spec"],
            json!({ "groups": groups })
        );
    }
    let alerts = read("deploy/prometheus/alerts.yml");
    assert!(alerts.contains(&format!("up{{job=\"{JOB}\"}}")), "{alerts}");
}

#[test]
fn a_label_of_a_prometheus_of_ones_own_can_be_added() {
    let broken = Broken::new(
        FOLDER,
        "base/kustomization.yml",
        "      app.kubernetes.io/name: kept",
        "      app.kubernetes.io/name: kept\n      release: monitoring",
    );
    let built = build(&broken.path.join("base")).expect("it builds");
    for kind in ["PodMonitor", "PrometheusRule"] {
        let resources = yaml(&built);
        assert_eq!(
            one(&resources, kind)["metadata"]["labels"]["release"],
            "monitoring"
        );
    }
    check(&broken.path.join("base")).expect("selectors stay as they are");
}

/// A file below `base/`, a text in it, what it is replaced by, and what is said about that.
const BROKEN: [(&str, &str, &str, &str); 18] = [
    (
        "kustomization.yml",
        "  - service.yml",
        "  - services.yml",
        "services.yml",
    ),
    (
        "statefulset.yml",
        "periodSeconds: 10",
        "periodSeconds: often",
        "is not of type 'integer'",
    ),
    (
        "statefulset.yml",
        "      containers:",
        "      containerz:",
        "'containers' is a required property",
    ),
    (
        "statefulset.yml",
        "GROUP_INSTANCE_ID",
        "GROUP_INSTANCE",
        "group.instance",
    ),
    (
        "statefulset.yml",
        "replicas: 1",
        "replicas: 2",
        "several pods, each",
    ),
    (
        "statefulset.yml",
        "runAsUser: 10001",
        "runAsUser: 1000",
        "1000 should be 10001",
    ),
    (
        "statefulset.yml",
        "- name: http\n",
        "- name: web\n",
        "a port has another name",
    ),
    (
        "statefulset.yml",
        "name: state\n              mount",
        "name: data\n              mount",
        "mounted are not just",
    ),
    (
        "service.yml",
        "name: kept\n  ports",
        "name: other\n  ports",
        "Service selects other pods",
    ),
    (
        "poddisruptionbudget.yml",
        "maxUnavailable",
        "maxUnavailabel",
        "'maxUnavailabel' was unexpected",
    ),
    (
        "networkpolicy.yml",
        "name: kept\n  policyTypes",
        "name: other\n  policyTypes",
        "NetworkPolicy selects other pods",
    ),
    (
        "networkpolicy.yml",
        "port: http",
        "port: web",
        "a port has another name",
    ),
    (
        "podmonitor.yml",
        "scrapeClassicHistograms",
        "scrapeClassic",
        "unknown field \"scrapeClassic\"",
    ),
    (
        "podmonitor.yml",
        "scrapeTimeout: 10s",
        "scrapeTimeout: 10",
        "scrapeTimeout",
    ),
    (
        "podmonitor.yml",
        "jobLabel: app.kubernetes.io/name",
        "jobLabel: app",
        "the job has another name",
    ),
    (
        "prometheusrule.yml",
        "keep_firing_for",
        "keep_firing",
        "unknown field",
    ),
    (
        "prometheusrule.yml",
        "max without (",
        "max without ((",
        "could not parse expression",
    ),
    (
        "kept.toml",
        "brokers = ",
        "borkers = ",
        "unknown key \"borkers\"",
    ),
];

#[test]
fn a_broken_copy_is_refused() {
    for (file, from, to, expected) in BROKEN {
        let copy = Broken::new(FOLDER, &format!("base/{file}"), from, to);
        let said = check(&copy.path.join("base")).expect_err(to);
        assert!(said.contains(expected), "{file} {to}: {expected}: {said}");
    }
}

#[test]
fn several_pods_share_their_state() {
    let built = build(&root().join(FOLDER).join("object-store")).expect("it builds");
    let resources = yaml(&built);
    let set = &one(&resources, "StatefulSet")["spec"];
    assert!(
        set["replicas"].as_u64().is_some_and(|count| count > 1),
        "{set}"
    );
    assert!(set["volumeClaimTemplates"].is_null(), "{set}");
    // The one that is left is the configuration.
    let mounts = &set["template"]["spec"]["containers"][0]["volumeMounts"];
    assert_eq!(mounts.as_array().map(Vec::len), Some(1));
    assert_eq!(mounts[0]["mountPath"], "/etc/kept");
    assert_eq!(
        texts(&set["template"]["spec"]["containers"][0]["args"])[0],
        "run"
    );
}
