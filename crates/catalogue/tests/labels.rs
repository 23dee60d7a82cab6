//! Labels that a dimension may not have, since rules and alerts set or drop them; and help texts that
//! a template would stumble over. Each is refused with its place and what to do.

use catalogue::{FileText, Sources};

/// What is said of a catalogue whose one KPI groups by these, with these lines in `[generate]`.
fn said(by: &str, help: &str, generate: &str) -> Vec<String> {
    let text = format!(
        "[kafka]\nbrokers = \"localhost:9092\"\n[[kafka.topic]]\nname = \"shop\"\n\
         types = [\"order.*\"]\n[catalogue]\nfiles = [\"own.toml\"]\n[generate]\n{generate}\n"
    );
    let kpis = format!(
        "[kpi.orders]\nkind = \"count\"\nhelp = \"{help}\"\nevent = \"order.placed\"\nby = [{by}]\n"
    );
    let files = [FileText {
        name: "own.toml".to_owned(),
        path: "own.toml".to_owned(),
        text: Ok(kpis),
    }];
    let sources = Sources {
        path: "kept.toml",
        text: &text,
        environment: &[],
        files: &files,
    };
    match catalogue::read(&sources) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn labels_that_alerts_set_are_refused() {
    let set = [
        "severity", "owner", "kpi", "level", "window", "step", "bound", "limit", "job",
    ];
    for label in set {
        let wanted = format!(
            "own.toml:5:7: label \"{label}\" is reserved for Prometheus or Kept: name the field otherwise"
        );
        assert_eq!(said(&format!("\"{label}\""), "Orders", ""), [wanted]);
    }
}

#[test]
fn labels_that_rules_drop_are_refused() {
    let wanted = |label: &str| {
        format!(
            "own.toml:5:7: label \"{label}\" is one of \"instance_labels\" in [generate], which rules \
             drop: name the field otherwise, or set \"instance_labels\" without it"
        )
    };
    for label in ["host", "node", "pod", "endpoint", "container"] {
        let by = format!("\"{label}\"");
        assert_eq!(said(&by, "Orders", ""), [wanted(label)]);
        let without = "instance_labels = [\"instance\"]";
        assert_eq!(said(&by, "Orders", without), Vec::<String>::new());
    }
    let own = "instance_labels = [\"instance\", \"region\"]";
    assert_eq!(said("\"region\"", "Orders", own), [wanted("region")]);
    assert_eq!(said("\"region\"", "Orders", ""), Vec::<String>::new());
}

#[test]
fn labels_that_tell_two_kepts_apart_are_refused() {
    let wanted = |label: &str| {
        format!(
            "own.toml:5:7: label \"{label}\" is one of \"deployment_labels\" in [generate], which tell \
             two Kepts apart: name the field otherwise, or set \"deployment_labels\" without it"
        )
    };
    for label in ["namespace", "cluster"] {
        let by = format!("\"{label}\"");
        assert_eq!(said(&by, "Orders", ""), [wanted(label)]);
        let without = "deployment_labels = []";
        assert_eq!(said(&by, "Orders", without), Vec::<String>::new());
    }
    let own = "deployment_labels = [\"region\"]";
    assert_eq!(said("\"region\"", "Orders", own), [wanted("region")]);
}

#[test]
fn a_help_that_begins_a_template_is_refused() {
    let said_of = said("\"region\"", "Orders {{ of today", "");
    assert_eq!(said_of.len(), 1, "{said_of:?}");
    assert!(said_of[0].starts_with("own.toml:3:8: "), "{said_of:?}");
    assert!(
        said_of[0].contains("texts of alerts are templates"),
        "{said_of:?}"
    );
    assert_eq!(
        said("\"region\"", "Orders {of today}", ""),
        Vec::<String>::new()
    );
}
