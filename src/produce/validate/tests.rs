//! Which lines `kept produce` takes, where they go, and what it says of the others. What it refuses
//! for a field is what the engine drops and counts, no more and no less.

use std::sync::Arc;

use engine::Task;

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
fn a_type_cannot_write_to_the_terminal() {
    let plan = plan(ONE);
    let mut validator = Validator::new(&plan, None);
    for number in 0..UNKNOWN_TYPES {
        validator.learn(&format!("new.{number}")).expect("room");
    }
    let full = validator.learn("red\u{1b}[31m\r").expect_err("no room");
    assert!(full.contains(r"red\u{1b}[31m\r"), "{full}");
    let nobody = event(r"new.red\u001b[31m", "{}");
    let plan = self::plan(TWO);
    let mut validator = Validator::new(&plan, None);
    let Err(Refusal::NewType(name)) = validator.check(nobody.as_bytes(), None) else {
        panic!("it is new");
    };
    validator.learn(&name).expect("there is room");
    let refused = validator.check(nobody.as_bytes(), None);
    let Err(Refusal::Bad(text)) = refused else {
        panic!("{refused:?}");
    };
    assert!(text.contains(r"red\u{1b}[31m"), "{text}");
    assert!(!text.contains(char::is_control), "{text:?}");
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
    check(ONE, None, &item("2", "9.99"), Ok((0, Some("k-1"))));
    let price = r#"data.unit_price is "9.99 EUR", but kpi cart reads"#;
    check(ONE, None, &item("2", r#""9.99 EUR""#), Err(price));
    let quantity = r#"data.quantity is "two", but kpi cart reads a number"#;
    check(ONE, None, &item(r#""two""#, "9.99"), Err(quantity));
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

/// What the engine counts as field errors after this line, as (KPI, field). A cart with one item is
/// there already.
fn dropped(plan: &Plan, line: &str) -> Vec<(String, String)> {
    let plan = Arc::new(plan.clone());
    let mut decoder = Decoder::new(&pipeline::projection(&plan));
    let mut task = Task::new(Arc::clone(&plan), 0, 0);
    let first = item("1", "1").replace(r#""id":"1""#, r#""id":"0""#);
    let mut end = EventTime::MIN;
    for (offset, line) in (0..).zip([first.as_str(), line]) {
        let record = Record {
            timestamp: None,
            key: None,
            value: Some(line.as_bytes()),
            headers: &[],
        };
        let event = decoder.decode(&record).expect("an event");
        end = event.time;
        task.apply(0, offset, None, Ok(&event));
    }
    let view = task.view(end);
    let kpis = plan.groups[0].kpis.iter().zip(&view.kpis);
    let counted = kpis.flat_map(|(kpi, view)| {
        let id = &plan.kpis[usize::from(kpi.0)].id;
        let fields = view.field_errors.iter().filter(|error| error.1 > 0);
        fields.map(|(field, _)| (id.clone(), field.to_string()))
    });
    counted.collect()
}

#[test]
fn what_is_refused_for_a_field_is_what_the_engine_drops() {
    let plan = plan(ONE);
    let values = [
        r#""1.50""#,
        "1.5",
        "0",
        "-1",
        "1.999",
        "1e3",
        r#""""#,
        r#""1,5""#,
        "null",
        "true",
        "[]",
        "1.5e-7",
        r#""1e19""#,
    ];
    let mut refused = 0;
    for value in values {
        let order = |total: &str, currency: &str| {
            let data =
                format!(r#"{{"order_id":"o-1","items":1,"total":{total},"currency":{currency}}}"#);
            event("order.placed", &data)
        };
        let change = |kind: &str, product: &str, quantity: &str| {
            let data =
                format!(r#"{{"cart_id":"k-1","product_id":{product},"quantity":{quantity}}}"#);
            event(kind, &data)
        };
        for line in [
            order(value, r#""EUR""#),
            order(value, r#""JPY""#),
            order("1", value),
            item(value, "1"),
            item("1", value),
            change("cart.quantity_changed", r#""p-1""#, value),
            change("cart.item_removed", r#""p-1""#, value),
            change("cart.item_removed", value, "1"),
        ] {
            let mut decoder = Decoder::new(&pipeline::projection(&plan));
            let record = Record {
                timestamp: None,
                key: None,
                value: Some(line.as_bytes()),
                headers: &[],
            };
            let event = decoder.decode(&record).expect("an event");
            let bad = FieldChecks::new(&plan).bad_fields(TopicId(0), &event);
            let named = bad.iter().map(|bad| {
                let kpi = plan.kpis[usize::from(bad.kpi.0)].id.clone();
                (kpi, plan.fields[usize::from(bad.field.0)].clone())
            });
            let named: Vec<(String, String)> = named.collect();
            refused += named.len();
            assert_eq!(named, dropped(&plan, &line), "{line}");
        }
    }
    assert!(refused > 20, "only {refused} were refused at all");
}

fn item(quantity: &str, price: &str) -> String {
    let data = format!(
        r#"{{"cart_id":"k-1","product_id":"p-1","quantity":{quantity},"unit_price":{price},"currency":"EUR","origin":"direct"}}"#
    );
    event("cart.item_added", &data)
}
