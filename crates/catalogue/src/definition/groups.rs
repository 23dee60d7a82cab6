//! Which topics must be read together: those that one promise joins, or one ratio counts on.
//!
//! Union-find over topics. Groups are in the order of their first topic; every topic is in one.

use crate::plan::{Group, Kind, Kpi, KpiId, Part, TopicId};

/// The groups of `topics` topics.
pub(crate) fn of(topics: usize, kpis: &[Kpi]) -> Vec<Group> {
    let mut parents: Vec<usize> = (0..topics).collect();
    for kpi in kpis {
        let used: Vec<usize> = own_topics(kpi)
            .iter()
            .map(|topic| usize::from(topic.0))
            .collect();
        for pair in used
            .windows(2)
            .filter(|pair| pair.iter().all(|&topic| topic < topics))
        {
            let (one, other) = (root(&parents, pair[0]), root(&parents, pair[1]));
            parents[one.max(other)] = one.min(other);
        }
    }
    let mut groups: Vec<Group> = Vec::new();
    let mut group_of = vec![0; topics];
    for topic in 0..topics {
        let first = root(&parents, topic);
        if first == topic {
            groups.push(Group {
                topics: Vec::new(),
                kpis: Vec::new(),
            });
            group_of[topic] = groups.len() - 1;
        }
        group_of[topic] = group_of[first];
        groups[group_of[first]].topics.push(TopicId(topic as u16));
    }
    for (at, kpi) in kpis.iter().enumerate() {
        let home = home(kpi, kpis).and_then(|topic| group_of.get(usize::from(topic.0)));
        if let Some(&group) = home {
            groups[group].kpis.push(KpiId(at as u16));
        }
    }
    groups
}

fn root(parents: &[usize], mut topic: usize) -> usize {
    while parents[topic] != topic {
        topic = parents[topic];
    }
    topic
}

/// The topics whose records change the KPI's state.
fn own_topics(kpi: &Kpi) -> Vec<TopicId> {
    match &kpi.kind {
        Kind::Count(count) => vec![count.event.topic],
        Kind::Promise(promise) => promise.topics(),
        Kind::Funnel(funnel) => vec![funnel.topic],
        Kind::Ratio(ratio) => [&ratio.numerator, &ratio.denominator]
            .into_iter()
            .filter_map(|part| match part {
                Part::Own(count) => Some(count.event.topic),
                Part::Of(_) => None,
            })
            .collect(),
    }
}

/// The topic whose group a KPI is in: a ratio of two references has no state and goes with the
/// first.
fn home(kpi: &Kpi, kpis: &[Kpi]) -> Option<TopicId> {
    if let Some(topic) = own_topics(kpi).first() {
        return Some(*topic);
    }
    let Kind::Ratio(ratio) = &kpi.kind else {
        return None;
    };
    let Part::Of(reference) = &ratio.numerator else {
        return None;
    };
    // A reference is never to a ratio, so this goes one step deep.
    own_topics(kpis.get(usize::from(reference.kpi.0))?)
        .first()
        .copied()
}
