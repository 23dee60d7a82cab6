//! Is a line an event that this catalogue can use, which topic does it go to, and with which key?
//!
//! Decoder and readers of fields are those of the service. The decoder's projection is wider: the canonical types' required
//! fields and the topics' key fields are in it, and types that nobody knows are added as they come.

use catalogue::canonical;
use catalogue::plan::{Plan, TopicId};
use engine::fields::FieldChecks;
use events::{
    Decoder, EventTime, FieldId, KafkaTime, ProjectedType, Projection, Record, Reject, Value,
};

use super::explain::{explain, explain_fields};

/// Types beyond the known ones that a file may have: each costs a new decoder.
const UNKNOWN_TYPES: usize = 1000;

/// A line that may be sent.
#[derive(PartialEq, Eq, Debug)]
pub struct Accepted<'l> {
    /// Index into `Plan::topics`.
    pub topic: usize,
    /// The record key; `None`: the event has no such field, or the topic no key.
    pub key: Option<&'l str>,
    /// When it happened.
    pub time: EventTime,
    /// Its type, if it is neither canonical nor used by a KPI.
    pub unknown_type: Option<&'l str>,
}

/// Why a line is not accepted.
#[derive(PartialEq, Eq, Debug)]
pub enum Refusal {
    /// It is no event, or not one for these topics: the reason, for a person.
    Bad(String),
    /// Its type has not been seen: call `learn` and check again.
    NewType(String),
    /// Several topics carry its type: the user has to choose.
    Ambiguous(String),
}

/// See the file's header.
pub struct Validator<'p> {
    plan: &'p Plan,
    /// The only topic that lines go to, if the user named it.
    chosen: Option<usize>,
    projection: Projection,
    decoder: Decoder,
    /// What the KPIs read: the plan's fields and types come first in the projection.
    checks: FieldChecks,
    /// By `TypeId`.
    rules: Vec<Rule>,
    known_types: usize,
}

/// What is asked of a type.
struct Rule {
    /// Fields that each event has.
    required: Vec<FieldId>,
    /// Topics that carry it.
    topics: Vec<usize>,
}

impl<'p> Validator<'p> {
    /// For this plan; `chosen` is an index into its topics.
    pub fn new(plan: &'p Plan, chosen: Option<usize>) -> Validator<'p> {
        let mut projection = pipeline::projection(plan);
        let keys = plan.topics.iter().filter_map(|topic| topic.key.as_deref());
        let required = canonical::types().iter().flat_map(|known| known.required);
        for name in keys.chain(required.copied()) {
            if !projection.fields.iter().any(|known| known == name) {
                projection.fields.push(name.to_owned());
            }
        }
        for known in canonical::types() {
            if !projection.types.iter().any(|each| each.name == known.name) {
                projection.types.push(without_keys(known.name));
            }
        }
        let rules = projection.types.iter();
        let rules: Vec<Rule> = rules
            .map(|each| rule(plan, chosen, &projection, &each.name))
            .collect();
        Validator {
            plan,
            chosen,
            decoder: Decoder::new(&projection),
            checks: FieldChecks::new(plan),
            known_types: rules.len(),
            rules,
            projection,
        }
    }

    /// Looks at one line; `stamp` is the Kafka timestamp it would get, `None`: the event's own.
    pub fn check<'l>(
        &'l mut self,
        line: &'l [u8],
        stamp: Option<KafkaTime>,
    ) -> Result<Accepted<'l>, Refusal> {
        let record = Record {
            timestamp: stamp,
            key: None,
            value: Some(line),
            headers: &[],
        };
        let plan = self.plan;
        let event = self
            .decoder
            .decode(&record)
            .map_err(|reject| Refusal::Bad(explain(line, reject, plan)))?;
        let Some(type_id) = event.type_id else {
            return Err(Refusal::NewType(event.type_name.to_owned()));
        };
        let rule = &self.rules[usize::from(type_id.0)];
        let topic = match rule.topics[..] {
            [topic] => topic,
            [] => {
                let text = format!("no topic carries type \"{}\"", event.type_name);
                return Err(Refusal::Bad(text));
            }
            _ => return Err(ambiguous(plan, event.type_name, &rule.topics)),
        };
        let lacks =
            |field: &FieldId| matches!(event.field(*field), Value::Missing | Value::Text(""));
        let missing: Vec<FieldId> = rule.required.iter().copied().filter(lacks).collect();
        if !missing.is_empty() {
            return Err(missing_fields(&self.projection, event.type_name, &missing));
        }
        let bad = self.checks.bad_fields(TopicId(topic as u16), &event);
        if !bad.is_empty() {
            return Err(Refusal::Bad(explain_fields(plan, &event, &bad)));
        }
        let field = plan.topics[topic].key.as_deref();
        let value = field.map_or(Value::Missing, |name| {
            event.field(field_id(&self.projection, name))
        });
        let key = match (value, value.key()) {
            (Value::Missing | Value::Text(""), _) => None,
            (_, Some(key)) => Some(key),
            (_, None) => return Err(bad_key(field.unwrap_or_default())),
        };
        Ok(Accepted {
            topic,
            key,
            time: event.time,
            unknown_type: (usize::from(type_id.0) >= self.known_types).then_some(event.type_name),
        })
    }

    /// Takes a new type in. An error: there are too many of them for a file of events.
    pub fn learn(&mut self, type_name: &str) -> Result<(), String> {
        if self.projection.types.len() - self.known_types >= UNKNOWN_TYPES {
            return Err(format!(
                "type \"{type_name}\" is the {UNKNOWN_TYPES}th that nobody knows"
            ));
        }
        let rule = rule(self.plan, self.chosen, &self.projection, type_name);
        self.rules.push(rule);
        self.projection.types.push(without_keys(type_name));
        self.decoder = Decoder::new(&self.projection);
        Ok(())
    }
}

fn without_keys(name: &str) -> ProjectedType {
    ProjectedType {
        name: name.to_owned(),
        keys: Vec::new(),
    }
}

fn rule(plan: &Plan, chosen: Option<usize>, projection: &Projection, name: &str) -> Rule {
    let required = canonical::of(name).map_or(&[][..], |known| known.required);
    let carriers = plan.topics.iter().enumerate();
    let carriers = carriers.filter(|(_, topic)| topic.carries(name));
    Rule {
        required: required
            .iter()
            .map(|field| field_id(projection, field))
            .collect(),
        topics: match chosen {
            Some(topic) => vec![topic],
            None => carriers.map(|(at, _)| at).collect(),
        },
    }
}

fn field_id(projection: &Projection, name: &str) -> FieldId {
    let at = projection.fields.iter().position(|known| known == name);
    FieldId(at.expect("all key and required fields are projected") as u16)
}

fn ambiguous(plan: &Plan, type_name: &str, topics: &[usize]) -> Refusal {
    let names = topics.iter().map(|&at| plan.topics[at].name.as_str());
    let names: Vec<&str> = names.collect();
    Refusal::Ambiguous(format!(
        "type \"{type_name}\" is carried by {}: choose one with --topic",
        names.join(" and ")
    ))
}

fn missing_fields(projection: &Projection, type_name: &str, missing: &[FieldId]) -> Refusal {
    let names = missing
        .iter()
        .map(|field| format!("data.{}", projection.fields[usize::from(field.0)]));
    let names: Vec<String> = names.collect();
    let reason = Reject::MissingField.as_str();
    Refusal::Bad(format!(
        "{reason}: {type_name} needs {}",
        names.join(" and ")
    ))
}

fn bad_key(field: &str) -> Refusal {
    let reason = Reject::BadKey.as_str();
    Refusal::Bad(format!(
        "{reason}: data.{field} is the record key, but neither a string nor a 64-bit integer"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(topics: &str) -> Plan {
        let text = format!("[kafka]\nbrokers = \"one:9092\"\n{topics}");
        let sources = catalogue::Sources {
            path: "kept.toml",
            text: &text,
            environment: &[],
            files: &[],
        };
        catalogue::read(&sources).expect("a good configuration").1
    }

    const ONE: &str = "[[kafka.topic]]\nname = \"shop\"\nkey = \"cart_id\"";
    const TWO: &str = "[[kafka.topic]]\nname = \"orders\"\nkey = \"order_id\"\n\
                       types = [\"order.*\", \"payment.*\", \"checkout.*\", \"cart.*\"]\n\
                       [[kafka.topic]]\nname = \"pages\"\nkey = \"session_id\"\ntypes = [\"page.*\"]";

    fn event(type_name: &str, data: &str) -> String {
        format!(
            r#"{{"specversion":"1.0","id":"1","source":"/s","type":"{type_name}","time":"2026-01-05T10:00:00Z","data":{data}}}"#
        )
    }

    /// Topic and key of an accepted line, or the refusal.
    #[track_caller]
    fn check(
        topics: &str,
        chosen: Option<usize>,
        line: &str,
        expected: Result<(usize, Option<&str>), &str>,
    ) {
        let plan = plan(topics);
        let mut validator = Validator::new(&plan, chosen);
        let found = validator.check(line.as_bytes(), None);
        let found = found.map(|accepted| (accepted.topic, accepted.key));
        match (found, expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{line}"),
            (Err(Refusal::Bad(text) | Refusal::Ambiguous(text)), Err(expected)) => {
                assert!(text.contains(expected), "{text:?} for {line}");
            }
            (found, _) => panic!("{found:?} for {line}"),
        }
    }

    #[test]
    fn the_type_decides_the_topic_and_the_topic_the_key() {
        let viewed = event("cart.viewed", r#"{"cart_id":"k-1"}"#);
        check(ONE, None, &viewed, Ok((0, Some("k-1"))));
        let number = event("cart.viewed", r#"{"cart_id":9007199254740993}"#);
        check(ONE, None, &number, Ok((0, Some("9007199254740993"))));
        let page = event("page.viewed", r#"{"page_type":"home","session_id":"s-1"}"#);
        check(TWO, None, &page, Ok((1, Some("s-1"))));
        check(TWO, Some(0), &page, Ok((0, None)));
        let fulfilled = event("order.fulfilled", r#"{"order_id":"o-1"}"#);
        check(ONE, None, &fulfilled, Ok((0, None)));
        let survey = event("survey.answered", r#"{"kind":"nps","score":9}"#);
        check(TWO, None, &survey, Err("no topic carries type"));
    }

    #[test]
    fn several_topics_for_a_type_need_a_choice() {
        let both = TWO.replace("\"page.*\"", "\"page.*\", \"survey.answered\"");
        let both = both.replace("\"cart.*\"", "\"cart.*\", \"survey.*\"");
        let survey = event("survey.answered", r#"{"kind":"nps","score":9}"#);
        check(
            &both,
            None,
            &survey,
            Err("carried by orders and pages: choose one with --topic"),
        );
        check(&both, Some(1), &survey, Ok((1, None)));
    }

    #[test]
    fn refusals_say_what_is_wrong() {
        check(ONE, None, "{", Err("not_json"));
        check(ONE, None, "[]", Err("not_an_object"));
        check(
            ONE,
            None,
            r#"{"specversion":"1.0","source":"/s"}"#,
            Err("missing_field: id"),
        );
        let placed = event("order.placed", r#"{"order_id":"o-1","total":"1"}"#);
        check(
            ONE,
            None,
            &placed,
            Err("missing_field: order.placed needs data.currency and data.items"),
        );
        let nested = event("order.fulfilled", r#"{"order_id":"o-1","cart_id":[1]}"#);
        check(ONE, None, &nested, Err("bad_key: data.cart_id"));
        let entity = event("order.fulfilled", r#"{"order_id":1.5}"#);
        check(ONE, None, &entity, Err("bad_key: data.order_id"));
        let time = event("cart.viewed", "{}").replace("10:00:00Z", "10:00");
        check(ONE, None, &time, Err("bad_time: \"2026-01-05T10:00\""));
    }

    /// With both packs: `orders` sums the total, `cart` the value of its items.
    #[test]
    fn what_a_kpi_would_not_take_is_refused_with_the_value_and_what_is_wanted() {
        let placed = |total: &str, currency: &str| {
            let data = format!(
                r#"{{"order_id":"o-1","cart_id":"k-1","items":1,"total":{total},"currency":{currency}}}"#
            );
            event("order.placed", &data)
        };
        let euro = r#""EUR""#;
        for good in [r#""129.90""#, "129.9", "0", "1e2"] {
            check(ONE, None, &placed(good, euro), Ok((0, Some("k-1"))));
        }
        for (bad, shown) in [
            (
                r#""12,50""#,
                r#"data.total is "12,50", but kpi orders reads an amount of money"#,
            ),
            ("-5", "data.total is -5, but"),
            (
                "1.999",
                "with no more decimals than EUR has (data.currency)",
            ),
            ("[1]", "data.total is an object or a list, but"),
            ("true", "data.total is true, but"),
        ] {
            check(ONE, None, &placed(bad, euro), Err(shown));
        }
        let currency = r#"data.currency is "Euro", but kpi orders reads an ISO 4217 currency"#;
        check(ONE, None, &placed("1", r#""Euro""#), Err(currency));
        let added = |quantity: &str, price: &str| {
            let data = format!(
                r#"{{"cart_id":"k-1","product_id":"p-1","quantity":{quantity},"unit_price":{price},"currency":"EUR","origin":"direct"}}"#
            );
            event("cart.item_added", &data)
        };
        check(ONE, None, &added("2", "9.99"), Ok((0, Some("k-1"))));
        let price = r#"data.unit_price is "9.99 EUR", but kpi cart reads"#;
        check(ONE, None, &added("2", r#""9.99 EUR""#), Err(price));
        let quantity = r#"data.quantity is "two", but kpi cart reads a number"#;
        check(ONE, None, &added(r#""two""#, "9.99"), Err(quantity));
        let changed = r#"{"cart_id":"k-1","product_id":1.5,"quantity":1}"#;
        let changed = event("cart.quantity_changed", changed);
        check(
            ONE,
            None,
            &changed,
            Err("data.product_id is 1.5, but kpi cart reads an id"),
        );
    }

    #[test]
    fn what_is_no_json_is_said_with_its_column() {
        for (line, said) in [
            (
                "not json",
                r#"at column 1 there is "not": no JSON value begins like that"#,
            ),
            (r#"{"a": nil}"#, r#"at column 7 there is "nil""#),
            (r#"{"a": tru}"#, r#"at column 7 there is "tru""#),
            (
                r#"{"ä": 1 x}"#,
                r#"at column 9 there is "x": expected `,` or `}`"#,
            ),
            (
                r#"{"a": 1"#,
                "the line ends after column 7, but something in it is still open",
            ),
            (
                r#"{"a": 1,}"#,
                r#"at column 9 there is "}": trailing comma"#,
            ),
            (
                r#"{"a": 1} {}"#,
                r#"at column 10 there is "{": trailing characters"#,
            ),
        ] {
            check(ONE, None, line, Err(said));
        }
    }

    #[test]
    fn a_type_that_nobody_knows_is_learnt_and_keyed() {
        let plan = plan(ONE);
        let mut validator = Validator::new(&plan, None);
        let line = event("loyalty.earned", r#"{"cart_id":"k-7"}"#);
        let new = Refusal::NewType("loyalty.earned".into());
        assert_eq!(validator.check(line.as_bytes(), None), Err(new));
        validator.learn("loyalty.earned").expect("there is room");
        let accepted = validator.check(line.as_bytes(), None);
        assert_eq!(accepted.map(|accepted| accepted.key), Ok(Some("k-7")));
    }
}
