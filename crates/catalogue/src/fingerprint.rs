//! What a definition means for state, as a number: equal numbers, interchangeable state.
//!
//! XXH3-64 of a canonical text of everything that decides what a KPI's state holds: kind, events,
//! filters, keys, dimensions, windows, spans, steps. Types, fields and topics go by their names, so
//! that other KPIs coming and going change nothing. What is only shown (help, owner, role, targets,
//! names of sums) is left out. A new member of `Plan` that state depends on belongs here: the
//! patterns below name every member, so the compiler asks.

use std::fmt::Write;

use xxhash_rust::xxh3::xxh3_64;

use crate::estimate::label_set_limit;
use crate::plan::{
    CartValue, Count, Dimension, EventType, Filter, Funnel, FunnelMode, Keyed, Kind, Kpi, KpiId,
    Limits, Part, Plan, Promise, Selector, Span, Stage, Step, Sum, TimeRules, Unit,
};

/// Of one KPI. State of this KPI from a plan where it was the same can be gone on with.
pub fn of_kpi(plan: &Plan, kpi: KpiId) -> u64 {
    xxh3_64(kpi_text(plan, &plan.kpis[usize::from(kpi.0)]).as_bytes())
}

/// Of everything that decides the bytes of a task of this group: an equal plan reads equal records
/// into equal states.
pub fn of_plan(plan: &Plan, group: usize) -> u64 {
    let mut text = Text::new(plan);
    let TimeRules { max_future, dedupe } = plan.time;
    text.spans("time", &[max_future, dedupe]);
    let Limits {
        label_values,
        open_entities,
        remembered_entities,
        held_entities,
        dedupe_entries,
        record_bytes,
        // What it decides is the number of label sets of each KPI, below.
        max_series: _,
    } = plan.limits;
    for limit in [
        label_values,
        open_entities,
        remembered_entities,
        held_entities,
        dedupe_entries,
        record_bytes,
    ] {
        text.word("limit", &limit.to_string());
    }
    // Declared values and types number every task's dictionaries, whichever group they are of.
    for EventType { name, keys } in &plan.types {
        text.word("type", name);
        for key in keys {
            text.field("key", key.field);
            text.word("required", &key.required.to_string());
        }
    }
    for kpi in &plan.kpis {
        text.dimensions(&kpi.by);
    }
    let group = &plan.groups[group];
    for topic in &group.topics {
        text.topic(*topic);
    }
    for kpi in &group.kpis {
        let definition = &plan.kpis[usize::from(kpi.0)];
        text.word("kpi", &definition.id);
        text.word("is", &format!("{:016x}", of_kpi(plan, *kpi)));
        let label_sets = label_set_limit(plan, definition);
        text.word("label sets", &label_sets.to_string());
    }
    xxh3_64(text.text.as_bytes())
}

fn kpi_text(plan: &Plan, kpi: &Kpi) -> String {
    let Kpi {
        id: _,
        help: _,
        role: _,
        owner: _,
        by,
        windows,
        target: _,
        kind,
    } = kpi;
    let mut text = Text::new(plan);
    text.dimensions(by);
    for window in windows {
        text.spans("window", &[window.length]);
    }
    match kind {
        Kind::Count(count) => text.count("count", count),
        Kind::Ratio(ratio) => {
            text.side("numerator", &ratio.numerator);
            text.side("denominator", &ratio.denominator);
        }
        Kind::Promise(promise) => text.promise(promise),
        Kind::Funnel(funnel) => text.funnel(funnel),
    }
    text.text
}

/// Collects lines of a word and a quoted value: no two definitions give the same lines.
struct Text<'a> {
    plan: &'a Plan,
    text: String,
}

impl<'a> Text<'a> {
    fn new(plan: &'a Plan) -> Text<'a> {
        Text {
            plan,
            text: String::new(),
        }
    }

    fn word(&mut self, word: &str, value: &str) {
        writeln!(self.text, "{word} {value:?}").expect("a String takes everything");
    }

    fn spans(&mut self, word: &str, spans: &[Span]) {
        for span in spans {
            self.word(word, &span.0.to_string());
        }
    }

    fn field(&mut self, word: &str, field: events::FieldId) {
        let plan = self.plan;
        self.word(word, &plan.fields[usize::from(field.0)]);
    }

    fn topic(&mut self, topic: crate::plan::TopicId) {
        let topic = &self.plan.topics[usize::from(topic.0)];
        self.word("topic", &topic.name);
        self.spans("lateness", &[topic.lateness]);
    }

    fn dimensions(&mut self, by: &[Dimension]) {
        for Dimension {
            name,
            field,
            values,
        } in by
        {
            self.word("by", name);
            self.field("from", *field);
            for value in values {
                self.word("value", value);
            }
        }
    }

    fn selector(&mut self, word: &str, selector: &Selector) {
        let Selector {
            types,
            topic,
            filters,
        } = selector;
        self.word("selector", word);
        self.topic(*topic);
        for type_id in types {
            let plan = self.plan;
            self.word("type", &plan.types[usize::from(type_id.0)].name);
        }
        for Filter { field, values } in filters {
            self.field("where", *field);
            for value in values {
                self.word("is", value);
            }
        }
    }

    fn keyed(&mut self, word: &str, keyed: &Keyed) {
        self.selector(word, &keyed.event);
        self.field("key", keyed.key);
    }

    fn count(&mut self, word: &str, count: &Count) {
        let Count { event, sum } = count;
        self.selector(word, event);
        if let Some(Sum {
            field,
            name: _,
            unit,
        }) = sum
        {
            self.field("sum", *field);
            match unit {
                Unit::Money { currency } => self.field("currency", *currency),
                Unit::Number => self.word("unit", "number"),
            }
        }
    }

    fn side(&mut self, word: &str, side: &Part) {
        match side {
            Part::Own(count) => self.count(word, count),
            // What another KPI counts is not this one's state.
            Part::Of(_) => self.word(word, "of another"),
        }
    }

    fn promise(&mut self, promise: &Promise) {
        let Promise {
            start,
            end,
            cancel,
            steps,
            within,
            objective: _,
            horizon,
            hold,
            lateness,
            edges,
            // State has both kinds.
            buckets: _,
        } = promise;
        self.keyed("start", start);
        self.keyed("end", end);
        if let Some(cancel) = cancel {
            self.keyed("cancel", cancel);
        }
        for Step {
            name,
            event,
            owner: _,
        } in steps
        {
            self.word("step", name);
            self.keyed("event", event);
        }
        self.spans("promise", &[*within, *horizon, *hold, *lateness]);
        self.spans("edge", edges);
    }

    fn funnel(&mut self, funnel: &Funnel) {
        let Funnel {
            key,
            topic: _,
            mode,
            idle_timeout,
            recover,
            stages,
            touch,
            value,
            lateness,
            edges,
        } = funnel;
        self.field("key", *key);
        let mode = match mode {
            FunnelMode::Reached => "reached",
            FunnelMode::Ordered => "ordered",
        };
        self.word("mode", mode);
        for Stage { name, event } in stages {
            self.word("stage", name);
            self.selector("event", event);
        }
        for selector in touch {
            self.selector("touch", selector);
        }
        if let Some(value) = value {
            self.value(value);
        }
        self.spans("funnel", &[*idle_timeout, *recover, *lateness]);
        self.spans("edge", edges);
    }

    fn value(&mut self, value: &CartValue) {
        let CartValue {
            name: _,
            add,
            set,
            remove,
            product,
            quantity,
            price,
            currency,
        } = value;
        self.selector("add", add);
        for (word, selector) in [("set", set), ("remove", remove)] {
            if let Some(selector) = selector {
                self.selector(word, selector);
            }
        }
        for field in [product, quantity, price, currency] {
            self.field("value", *field);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Buckets;
    use crate::{Sources, read};

    /// Of the packs that are read where none are named.
    fn plan() -> Plan {
        let text = "[kafka]\nbrokers = \"one:9092\"\ntopic = [{ name = \"events\" }]\n";
        let sources = Sources {
            path: "kept.toml",
            text,
            environment: &[],
            files: &[],
        };
        read(&sources).expect("the configuration is good").1
    }

    /// The plan may be another one: fewer series of a label set leave room for more label sets.
    #[test]
    fn a_promise_goes_on_with_its_state_whichever_buckets_it_publishes() {
        let mut plan = plan();
        let promises = |kpi: &Kpi| matches!(kpi.kind, Kind::Promise(_));
        let at = plan.kpis.iter().position(promises);
        let at = at.expect("a pack has a promise");
        let before = of_kpi(&plan, KpiId(at as u16));
        for other in [Buckets::Classic, Buckets::Native] {
            if let Kind::Promise(promise) = &mut plan.kpis[at].kind {
                assert_ne!(promise.buckets, other);
                promise.buckets = other;
            }
            assert_eq!(of_kpi(&plan, KpiId(at as u16)), before, "{other:?}");
        }
    }

    #[test]
    fn a_plan_with_room_for_other_label_sets_is_another_one() {
        let mut plan = plan();
        let of = |plan: &Plan| (of_plan(plan, 0), of_kpi(plan, KpiId(0)));
        let before = of(&plan);
        plan.limits.max_series = 3000;
        let after = of(&plan);
        assert_ne!(before.0, after.0, "another state from the same records");
        assert_eq!(before.1, after.1, "the KPI goes on with the state it has");
    }
}
