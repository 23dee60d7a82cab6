//! Which partitions this instance shows, of how many: a page speaks of no more than those.
//!
//! The numbers of a promise are this instance's share of it. Where others hold the rest, or some of
//! ours isn't shown now, the page says so beside each verdict, not only at its end.

use std::collections::BTreeSet;

use catalogue::plan::KpiId;

use super::Picture;
use super::html::Html;
use super::shown;

/// The partitions of a group of topics.
pub struct Held<'a> {
    topics: Vec<&'a str>,
    own: BTreeSet<i32>,
    all: Option<i32>,
}

impl<'a> Held<'a> {
    /// Of a group of the plan, by its place.
    pub fn of(picture: &'a Picture<'_>, group: usize) -> Held<'a> {
        let own = picture.tasks.iter().filter(|task| task.0 == group);
        let topics = picture.plan.groups[group].topics.iter();
        let topics: Vec<&str> = topics
            .map(|topic| picture.plan.topics[usize::from(topic.0)].name.as_str())
            .collect();
        let mut counts = topics
            .iter()
            .filter_map(|name| picture.partitions.get(*name));
        Held {
            own: own.map(|task| task.1).collect(),
            all: counts.next().copied(),
            topics,
        }
    }

    /// Of the group that a KPI's events are in, by the KPI's place in the plan.
    pub fn of_kpi(picture: &'a Picture<'_>, at: usize) -> Option<Held<'a>> {
        let has = |kpi: &KpiId| usize::from(kpi.0) == at;
        let mut groups = picture.plan.groups.iter();
        let group = groups.position(|group| group.kpis.iter().any(has))?;
        Some(Held::of(picture, group))
    }

    /// Whether some are known not to be shown here.
    fn is_part(&self) -> bool {
        self.all
            .is_some_and(|all| self.own.len() < usize::try_from(all).unwrap_or(0))
    }

    /// `0-1 (2 of 4) of shop.events`.
    fn list<'h>(&self, page: &'h mut Html) -> &'h mut Html {
        if self.own.is_empty() {
            page.add("none");
        } else {
            page.text(shown::ranges(self.own.iter().copied()));
        }
        if let Some(all) = self.all {
            page.add(" (").text(self.own.len()).add(" of ");
            page.text(all).add(")");
        }
        page.add(" of ").text(self.topics.join(", "))
    }

    /// With what is known of the rest.
    pub fn show<'h>(&self, page: &'h mut Html) -> &'h mut Html {
        self.list(page).add(match self.all {
            Some(_) if self.is_part() => "; the rest is on other instances, or not shown now",
            Some(_) => "",
            None => "; other instances may have more",
        })
    }

    /// Behind a number: of how many partitions it is; nothing where it is of all.
    pub fn beside(&self, page: &mut Html) {
        match self.all {
            Some(all) if self.is_part() => {
                page.add(", in ").text(self.own.len()).add(" of ");
                page.text(all).add(" partitions");
            }
            Some(_) => {}
            None => {
                page.add(", in this instance's partitions");
            }
        }
    }
}

/// At the head of the page: that it isn't the whole shop, where that is known.
pub fn notice(page: &mut Html, picture: &Picture<'_>) {
    if picture.tasks.is_empty() {
        return;
    }
    let groups = 0..picture.plan.groups.len();
    let held = groups.map(|group| Held::of(picture, group));
    let parts: Vec<Held<'_>> = held.filter(Held::is_part).collect();
    if parts.is_empty() {
        return;
    }
    page.add("<p class=\"soft\"><strong class=\"warn\">Not the whole shop:</strong> partitions ");
    for (at, held) in parts.iter().enumerate() {
        page.add(if at > 0 { "; " } else { "" });
        held.list(page);
    }
    page.add(". The rest is on other instances, or not shown now; Grafana's dashboards add all up.</p>\n");
}
