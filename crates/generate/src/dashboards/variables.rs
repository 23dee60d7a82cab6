//! What is chosen on a dashboard, and what is marked on all of its panels.

use catalogue::metrics::kept;
use catalogue::plan::Kpi;

use super::model::{Annotation, Variable};
use super::pick::of_job;
use crate::book::Book;
use crate::promql::{dimensions, is_any};

/// Data source, job and instances.
pub fn base(book: &Book<'_>) -> Vec<Variable> {
    vec![
        Variable::DataSource,
        Variable::One {
            name: "job".to_owned(),
            series: kept::BUILD_INFO.name.to_owned(),
            first: book.generation.job.clone(),
        },
        Variable::Many {
            name: "instance".to_owned(),
            series: of_job(kept::BUILD_INFO.name, &[]),
        },
    ]
}

/// The dimensions of KPIs, each once, with the family that shows a KPI's values of them.
pub fn of_dimensions(kpis: &[(&Kpi, String)]) -> Vec<Variable> {
    let mut names: Vec<&str> = Vec::new();
    for label in kpis.iter().flat_map(|(kpi, _)| dimensions(kpi)) {
        if !names.contains(&label) {
            names.push(label);
        }
    }
    let variable = |name: &&str| {
        let having = kpis
            .iter()
            .filter(|(kpi, _)| dimensions(kpi).contains(name));
        let families: Vec<&str> = having.map(|(_, family)| &family[..]).collect();
        let series = match families[..] {
            [one] => of_job(one, &[]),
            _ => of_job("", &[is_any("__name__", &families)]),
        };
        Variable::Many {
            name: (*name).to_owned(),
            series,
        }
    };
    names.iter().map(variable).collect()
}

/// Alerts that fire, and new versions of Kept. `which` matches the alerts.
pub fn annotations(which: &[String]) -> Vec<Annotation> {
    let mut matchers = vec![
        "alertstate=\"firing\"".to_owned(),
        "severity!=\"info\"".to_owned(),
        // Without a job: that there is no instance at all.
        "job=~\"$job|\"".to_owned(),
    ];
    matchers.extend_from_slice(which);
    let alerts = format!("ALERTS{{{}}}", matchers.join(", "));
    let running = |before: &str| {
        let info = of_job(kept::BUILD_INFO.name, &[]);
        format!("count by (version) ({info}{before})")
    };
    vec![
        Annotation {
            name: "Alerts",
            expression: alerts,
            title: "{{alertname}} {{kpi}}",
            tags: "severity,owner,level,step,window",
            color: "red",
        },
        Annotation {
            name: "New versions of Kept",
            expression: format!("{}\nunless {}", running(""), running(" offset 5m")),
            title: "Kept {{version}}",
            tags: "version",
            color: "blue",
        },
    ]
}
