//! What silences what, asked of a real Alertmanager with the routes as shipped.
//!
//! Each case has a job of its own, so that one Alertmanager serves all; the last pair of alerts is
//! known to silence, so that "nothing is silenced" is not said before Alertmanager has looked.
#![allow(clippy::disallowed_methods, reason = "amtool is a process")]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use support::{Alertmanager, get, installed, until};

/// How long Alertmanager may take to say what is expected.
const PATIENCE: Duration = Duration::from_secs(60);

/// The name of an alert and its labels besides the job.
type Firing = (&'static str, &'static [(&'static str, &'static str)]);

/// What fires together, and which of it is silenced, by place.
struct Case {
    what: &'static str,
    firing: &'static [Firing],
    silenced: &'static [usize],
}

const STALLED: Firing = ("PromiseStalled", &PAGE);
const PAGE: [(&str, &str); 3] = [
    ("severity", "critical"),
    ("kpi", "fulfilment"),
    ("level", "all"),
];
const ENTITIES: Firing = (
    "KeptEntitiesOverflow",
    &[
        ("severity", "warning"),
        ("kpi", "fulfilment"),
        ("limit", "open"),
    ],
);
const LABELS: Firing = (
    "KeptLabelOverflow",
    &[
        ("severity", "info"),
        ("kpi", "fulfilment"),
        ("label", "region"),
    ],
);
const MISSING: Firing = (
    "PromiseEventsMissing",
    &[
        ("severity", "warning"),
        ("kpi", "fulfilment"),
        ("level", "all"),
        ("step", "payment"),
    ],
);
const BURNS_SLOWLY: Firing = (
    "PromiseBudgetBurnsSlowly",
    &[
        ("severity", "warning"),
        ("kpi", "fulfilment"),
        ("level", "all"),
        ("window", "1d"),
    ],
);
const TARGET: Firing = (
    "TargetMissed",
    &[
        ("severity", "warning"),
        ("kpi", "fulfilment"),
        ("level", "all"),
        ("bound", "max"),
    ],
);
const EUROPE: Firing = (
    "PromiseMissed",
    &[
        ("severity", "critical"),
        ("kpi", "fulfilment"),
        ("level", "part"),
        ("region", "eu"),
        ("channel", "web"),
    ],
);
const EUROPE_BURNS: Firing = (
    "PromiseBudgetBurnsFast",
    &[
        ("severity", "critical"),
        ("kpi", "fulfilment"),
        ("level", "part"),
        ("window", "5m"),
        ("region", "eu"),
        ("channel", "web"),
    ],
);
const AMERICA_BURNS: Firing = (
    "PromiseBudgetBurnsFast",
    &[
        ("severity", "critical"),
        ("kpi", "fulfilment"),
        ("level", "part"),
        ("window", "5m"),
        ("region", "us"),
        ("channel", "web"),
    ],
);
const OTHER_PAGE: Firing = (
    "PromiseMissed",
    &[
        ("severity", "critical"),
        ("kpi", "delivery"),
        ("level", "all"),
    ],
);
const OTHER_PART: Firing = (
    "PromiseStalled",
    &[
        ("severity", "critical"),
        ("kpi", "delivery"),
        ("level", "part"),
        ("region", "eu"),
    ],
);
const OTHER_TICKET: Firing = (
    "PromiseBudgetBurnsSlowly",
    &[
        ("severity", "warning"),
        ("kpi", "delivery"),
        ("level", "all"),
        ("window", "1d"),
    ],
);
const BEHIND: Firing = ("KeptBehind", &[("severity", "critical")]);
const NOT_READY: Firing = ("KeptNotReady", &[("severity", "critical")]);
const ABSENT: Firing = ("KeptAbsent", &[("severity", "critical")]);
const DOWN: Firing = (
    "KeptDown",
    &[("severity", "critical"), ("instance", "a:9464")],
);
/// Another Kept, which has the same job.
const STAGING_BEHIND: Firing = (
    "KeptBehind",
    &[("severity", "critical"), ("namespace", "staging")],
);
const STAGING_STALLED: Firing = (
    "PromiseStalled",
    &[
        ("severity", "critical"),
        ("kpi", "fulfilment"),
        ("level", "all"),
        ("namespace", "staging"),
    ],
);
const PROD_MISSED: Firing = (
    "PromiseMissed",
    &[
        ("severity", "critical"),
        ("kpi", "fulfilment"),
        ("level", "all"),
        ("namespace", "prod"),
    ],
);
const PROD_BURNS_SLOWLY: Firing = (
    "PromiseBudgetBurnsSlowly",
    &[
        ("severity", "warning"),
        ("kpi", "fulfilment"),
        ("level", "all"),
        ("window", "1d"),
        ("namespace", "prod"),
    ],
);
const STAGING_DOWN: Firing = (
    "KeptDown",
    &[
        ("severity", "critical"),
        ("instance", "b:9464"),
        ("namespace", "staging"),
    ],
);
const REJECTS: Firing = ("KeptRejects", &[("severity", "warning"), ("topic", "t")]);

const CASES: [Case; 11] = [
    Case {
        what: "a page of the whole silences its parts and tickets, but not a step's owner",
        firing: &[STALLED, EUROPE, BURNS_SLOWLY, TARGET, MISSING],
        silenced: &[1, 2, 3],
    },
    Case {
        what: "a page of one promise leaves another promise alone",
        firing: &[STALLED, OTHER_PAGE, OTHER_PART, OTHER_TICKET],
        // The other promise's page silences its own part and ticket, no more.
        silenced: &[2, 3],
    },
    Case {
        what: "a part and a ticket of another promise are heard without a page of their own",
        firing: &[STALLED, OTHER_PART, OTHER_TICKET],
        silenced: &[],
    },
    Case {
        what: "a page of a promise leaves Kept's health alone, though it names the KPI",
        firing: &[STALLED, ENTITIES, LABELS, REJECTS],
        silenced: &[],
    },
    Case {
        what: "a part that is missed silences that its own budget burns, not another part's",
        firing: &[EUROPE, EUROPE_BURNS, AMERICA_BURNS],
        silenced: &[1],
    },
    Case {
        what: "while Kept is behind nobody is paged about the shop, and its health is told",
        firing: &[BEHIND, STALLED, EUROPE, MISSING, ENTITIES, LABELS],
        silenced: &[1, 2, 3],
    },
    Case {
        what: "while Kept isn't ready it speaks for itself and for the shop",
        firing: &[NOT_READY, BEHIND, STALLED, TARGET, ENTITIES],
        silenced: &[1, 2, 3],
    },
    Case {
        what: "without any Kept there is one page",
        firing: &[ABSENT, DOWN, NOT_READY, BEHIND, STALLED, LABELS],
        silenced: &[1, 2, 3, 4],
    },
    Case {
        what: "a Kept that is behind in one namespace mutes that one's shop, not the other's",
        firing: &[STAGING_BEHIND, STAGING_STALLED, PROD_MISSED],
        silenced: &[1],
    },
    Case {
        what: "a page of a promise in one namespace leaves the same promise in another alone",
        firing: &[
            STAGING_STALLED,
            PROD_MISSED,
            BURNS_SLOWLY,
            PROD_BURNS_SLOWLY,
        ],
        // By the page of its own namespace; the one without a namespace has no page.
        silenced: &[3],
    },
    Case {
        what: "without any Kept of a job there is one page, wherever they were",
        firing: &[ABSENT, DOWN, STAGING_DOWN, PROD_MISSED],
        silenced: &[1, 2, 3],
    },
];

#[test]
fn a_page_silences_what_it_explains_and_nothing_else() {
    let config =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/alertmanager/alertmanager.yml");
    let alertmanager = Alertmanager::start(&config);
    let mut expected = BTreeSet::new();
    for (at, case) in CASES.iter().enumerate() {
        let job = format!("case-{at}");
        for firing in case.firing {
            add(&alertmanager, &job, *firing);
        }
        let silenced = case.silenced.iter().map(|place| case.firing[*place]);
        expected.extend(silenced.map(|firing| shown(&job, firing)));
    }
    // What comes last is seen last.
    for firing in [ABSENT, DOWN] {
        add(&alertmanager, "last", firing);
    }
    expected.insert(shown("last", DOWN));
    let last = shown("last", DOWN);
    until(PATIENCE, "Alertmanager has looked at all", || {
        silenced(&alertmanager).contains(&last)
    });
    let found = silenced(&alertmanager);
    for (at, case) in CASES.iter().enumerate() {
        let of_case = |all: &BTreeSet<String>| -> BTreeSet<String> {
            let prefix = format!("case-{at} ");
            let found = all.iter().filter(|alert| alert.starts_with(&prefix));
            found.cloned().collect()
        };
        assert_eq!(of_case(&found), of_case(&expected), "{}", case.what);
    }
    assert_eq!(found, expected);
}

/// The labels as amtool takes them and as they are compared: the alert's name, then the others.
fn labels(job: &str, (name, more): Firing) -> Vec<String> {
    let mut labels: Vec<String> = more
        .iter()
        .map(|(label, value)| format!("{label}={value}"))
        .collect();
    labels.push(format!("alertname={name}"));
    labels.push(format!("job={job}"));
    labels.sort();
    labels
}

fn shown(job: &str, firing: Firing) -> String {
    format!("{job} {}", labels(job, firing).join(" "))
}

#[track_caller]
fn add(alertmanager: &Alertmanager, job: &str, firing: Firing) {
    let mut command = Command::new(installed("alertmanager/amtool"));
    command
        .args(["alert", "add"])
        .args(labels(job, firing))
        .arg(format!(
            "--alertmanager.url=http://{}",
            alertmanager.address()
        ));
    let done = command.output().expect("amtool can be started");
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
}

/// The alerts that another one silences.
fn silenced(alertmanager: &Alertmanager) -> BTreeSet<String> {
    let address = alertmanager.address();
    let port = address
        .split(':')
        .next_back()
        .and_then(|it| it.parse().ok());
    let port = port.expect("the address has a port");
    let answer = get(port, "/api/v2/alerts", &[]).expect("Alertmanager answers");
    let alerts: Vec<Value> =
        serde_json::from_slice(&answer.body).expect("Alertmanager answers in JSON");
    let is_silenced = |alert: &&Value| alert["status"]["state"] == "suppressed";
    alerts.iter().filter(is_silenced).map(as_shown).collect()
}

fn as_shown(alert: &Value) -> String {
    let labels = alert["labels"].as_object().expect("an alert has labels");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut all: Vec<String> = labels
        .iter()
        .map(|(label, value)| format!("{label}={}", text(value)))
        .collect();
    all.sort();
    format!("{} {}", text(&labels["job"]), all.join(" "))
}
