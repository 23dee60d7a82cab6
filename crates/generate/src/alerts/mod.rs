//! The alerts: on promises, on targets, on Kept itself. Each has a runbook of its name.

pub mod burn;
pub mod kept;
pub mod missing;
pub mod promise;
mod skew;
pub mod snapshot;
pub mod target;
mod text;

use catalogue::plan::{Kind, Kpi};
use events::Span;

use crate::book::Book;
use crate::promql::{Level, minutes};
use crate::recording::kept::behind;
use crate::rule::{Alert, Group, Rule};

/// The dashboard of promises.
pub const PROMISE_DASHBOARD: &str = "kept-promise";
/// The dashboard of all KPIs.
pub const OVERVIEW_DASHBOARD: &str = "kept-overview";
/// The dashboard of carts and other funnels.
pub const FUNNEL_DASHBOARD: &str = "kept-cart";
/// The dashboard of Kept itself.
pub const HEALTH_DASHBOARD: &str = "kept-health";

/// A page goes on for so long after its condition ended: a gap of that length is no new page.
pub const PAGE_KEEPS: Span = minutes(5);
/// Likewise `KeptBehind`, which silences the pages on promises: the expressions of those speak again
/// as soon as Kept has caught up, and none may be held back when it has waited for its `for`.
pub const BEHIND_KEEPS: Span = minutes(1);
/// Likewise a page for a part of the shop: shorter, so that the parts are silent before the whole
/// that silences them is over.
pub const PART_KEEPS: Span = minutes(3);
/// Likewise a ticket.
pub const TICKET_KEEPS: Span = minutes(15);

/// All groups.
pub fn groups(book: &Book<'_>) -> Vec<Group> {
    let mut groups = vec![group(book, "kept:alerts".to_owned(), kept::alerts(book))];
    for (id, kpi) in book.kpis() {
        let mut alerts = match &kpi.kind {
            Kind::Promise(definition) => promise::alerts(book, id, kpi, definition),
            _ => Vec::new(),
        };
        alerts.extend(target::alerts(book, id, kpi));
        if !alerts.is_empty() {
            let name = format!("{}_{}:alerts", book.plan.namespace, kpi.id);
            groups.push(group(book, name, alerts));
        }
    }
    groups
}

fn group(book: &Book<'_>, name: String, alerts: Vec<Alert>) -> Group {
    Group {
        name,
        interval: book.generation.interval,
        rules: alerts.into_iter().map(Rule::Alert).collect(),
    }
}

/// The end of each expression on a KPI: silent while Kept is behind. `more` are labels of the
/// expression besides the level's dimensions.
fn unless_behind(kpi: &Kpi, level: Level, more: &[&str]) -> String {
    let ignored: Vec<&str> = level
        .left(kpi)
        .into_iter()
        .chain(more.iter().copied())
        .collect();
    let behind = behind();
    if ignored.is_empty() {
        format!("unless {behind} > 0")
    } else {
        format!("unless ignoring ({}) {behind} > 0", ignored.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use catalogue::{FileText, Sources};

    use super::burn::pairs;
    use super::*;
    use crate::rule::Severity;

    const CONFIG: &str = "[kafka]\nbrokers = \"a:1\"\n[[kafka.topic]]\nname = \"shop\"\n\
        [catalogue]\nnamespace = \"shop\"\nfiles = [\"own.toml\"]\n";

    /// What `look` sees in the alerts of one promise with this objective and these settings.
    fn with_promise(
        objective: f64,
        alert: &str,
        look: impl Fn(&catalogue::plan::Promise, &[Alert]),
    ) {
        let text = format!(
            "[kpi.x]\nkind = \"promise\"\nhelp = \"Orders\"\nwithin = \"60s\"\nby = [\"region\"]\n\
             start = {{ type = \"order.placed\", key = \"order_id\" }}\n\
             end = {{ type = \"order.fulfilled\", key = \"order_id\" }}\n\
             objective = {objective}\nalert = {{ {alert} }}\n"
        );
        let files = [FileText {
            name: "own.toml".to_owned(),
            path: "own.toml".to_owned(),
            text: Ok(text),
        }];
        let sources = Sources {
            path: "kept.toml",
            text: CONFIG,
            environment: &[],
            files: &files,
        };
        let (settings, plan) = catalogue::read(&sources).expect("the promise is good");
        let book = Book {
            plan: &plan,
            generation: &settings.generation,
        };
        let (id, kpi) = book.kpis().next().expect("there is one");
        let Kind::Promise(promise) = &kpi.kind else {
            panic!("it is a promise");
        };
        look(promise, &promise::alerts(&book, id, kpi, promise));
    }

    #[test]
    fn every_text_has_a_number_that_was_measured() {
        let sources = Sources {
            path: "the shipped packs",
            text: crate::SHIPPED,
            environment: &[],
            files: &[],
        };
        let (settings, plan) = catalogue::read(&sources).expect("the shipped packs are good");
        let book = Book {
            plan: &plan,
            generation: &settings.generation,
        };
        let alerts = crate::alertmanager::all(&book);
        assert!(alerts.len() > 20, "too few: {}", alerts.len());
        for alert in alerts {
            let measured = ["{{ $value", "| value"];
            let has_number = measured.iter().any(|it| alert.description.contains(it));
            assert!(has_number, "{}: {}", alert.name, alert.description);
        }
    }

    /// 0.01 to 0.99, and the strict ones.
    fn objectives() -> impl Iterator<Item = f64> {
        let hundredths = (1..100).map(|percent| f64::from(percent) / 100.0);
        hundredths.chain([0.995, 0.999, 0.9995, 0.9999])
    }

    /// The numbers behind each `sign` of an expression.
    fn limits(expression: &str, sign: &str) -> Vec<f64> {
        let behind = expression.split(sign).skip(1);
        let number = |text: &str| text.split_whitespace().next()?.parse().ok();
        behind.filter_map(number).collect()
    }

    #[test]
    fn no_two_alerts_ask_the_same_whatever_the_objective() {
        // With 0.275 the share is that of the fastest pair at 95 %.
        for settings in [
            "",
            "minimum_orders = 5",
            "missed_share = 0.275, minimum_orders = 50",
        ] {
            for objective in objectives() {
                with_promise(objective, settings, |_, alerts| {
                    let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
                    for alert in alerts {
                        let twin = seen.insert(&alert.expression, alert.name);
                        assert_eq!(twin, None, "{objective} {settings}: {alert:#?}");
                    }
                    let missed = alerts.iter().filter(|alert| alert.name == "PromiseMissed");
                    assert_eq!(missed.count(), 2, "{objective}: the whole and its parts");
                });
            }
        }
    }

    #[test]
    fn a_pair_that_asks_what_is_asked_already_has_no_alert() {
        let five_minutes = |objective, settings: &str, wanted: usize| {
            with_promise(objective, settings, |_, alerts| {
                let of_pair = |alert: &&Alert| alert.labels.contains(&("window", "5m".to_owned()));
                let found = alerts.iter().filter(of_pair).count();
                assert_eq!(found, wanted, "{objective} {settings}");
            });
        };
        five_minutes(0.5, "", 0);
        five_minutes(0.5, "minimum_orders = 5", 0);
        five_minutes(0.95, "", 2);
        five_minutes(0.95, "missed_share = 0.275", 0);
    }

    #[test]
    fn every_share_is_within_reach_whatever_the_objective() {
        for objective in objectives() {
            with_promise(objective, "", |promise, _| {
                let budget = 1.0 - objective;
                for burn in pairs(promise) {
                    let share = burn.share;
                    assert!(share > budget * 0.999_999, "{objective}: {burn:?}");
                    // Half is too little where half and more may break.
                    let reachable = if budget < 0.5 {
                        0.5
                    } else {
                        (1.0 + budget) / 2.0
                    };
                    assert!(share <= reachable + 1e-9, "{objective}: {burn:?}");
                }
            });
        }
    }

    #[test]
    fn no_page_on_a_promise_is_due_while_kept_that_has_caught_up_still_silences_it() {
        for objective in objectives() {
            with_promise(objective, "", |_, alerts| {
                let pages = alerts.iter().filter(|it| it.severity == Severity::Critical);
                for alert in pages {
                    assert!(alert.after >= BEHIND_KEEPS, "{objective}: {alert:#?}");
                }
            });
        }
    }

    #[test]
    fn so_few_broken_orders_as_don_t_count_are_below_every_share_whatever_the_objective() {
        for settings in ["", "minimum_orders = 1"] {
            for objective in objectives() {
                with_promise(objective, settings, |_, alerts| {
                    let of_share = [
                        "PromiseMissed",
                        "PromiseBudgetBurnsFast",
                        "PromiseBudgetBurnsSlowly",
                    ];
                    for alert in alerts.iter().filter(|alert| of_share.contains(&alert.name)) {
                        let share = limits(&alert.expression, " > ")[0];
                        let windows = limits(&alert.expression, " > ").len() - 1;
                        let least = limits(&alert.expression, " >= ");
                        // `behind > 0` is no window.
                        assert_eq!(least.len(), windows, "{}", alert.expression);
                        for least in least {
                            assert!(
                                1.0 / share < least - 1e-6,
                                "{objective}: one of {least} is {share}: {}",
                                alert.expression
                            );
                        }
                    }
                });
            }
        }
    }
}
