//! Structured mode: the value is the whole CloudEvent.

use events::{KafkaTime, Record};

use crate::{MAX_BYTES, decode, event, start_of};

#[track_caller]
fn check(value: impl AsRef<[u8]>, expected: &str) {
    let value = value.as_ref();
    let record = Record {
        timestamp: None,
        key: None,
        value: Some(value),
        headers: &[],
    };
    assert_eq!(decode(&record), expected, "{}", start_of(value));
}

/// The `data` of an event of a type without entity keys.
#[track_caller]
fn check_data(data: &str, expected: &str) {
    let value = event("survey.answered", &format!(r#","data":{data}"#));
    check(
        value,
        format!("/s 1 survey.answered #2 1000000 {expected}").trim_end(),
    );
}

/// One member of the envelope in place of the good one; without it when `value` is empty.
#[track_caller]
fn check_member(name: &str, value: &str, expected: &str) {
    let good = [
        ("specversion", r#""1.0""#),
        ("id", r#""1""#),
        ("source", r#""/s""#),
        ("type", r#""x""#),
        ("time", r#""1970-01-01T00:00:01Z""#),
    ];
    let members = good.map(|(each, good)| (each, if each == name { value } else { good }));
    let members = members.iter().filter(|(_, value)| !value.is_empty());
    let members: Vec<String> = members
        .map(|(name, value)| format!(r#""{name}":{value}"#))
        .collect();
    check(format!("{{{}}}", members.join(",")), expected);
}

#[test]
fn an_event_comes_with_its_projected_fields() {
    check(
        r#"{"specversion":"1.0","id":"6f1c","source":"/shop/web","type":"order.placed","subject":"o-123",
            "time":"2026-01-05T10:00:00.123Z","datacontenttype":"application/json",
            "data":{"order_id":"o-123","cart_id":"k-77","session_id":"s-9","customer_id":"c-4",
            "region":"eu-west","channel":"web","currency":"EUR","total":"129.90","items":3}}"#,
        "/shop/web 6f1c order.placed #0 1767607200123000 order_id='o-123' cart_id='k-77' \
         region='eu-west' total='129.90' currency='EUR'",
    );
}

#[test]
fn members_may_come_in_any_order() {
    check(
        r#"{"data":{"total":1.50,"order_id":7},"time":"1970-01-01T00:00:01Z","type":"order.placed",
            "source":"/s","id":"1","specversion":"1.0"}"#,
        "/s 1 order.placed #0 1000000 order_id=7 total=1.50",
    );
    check(
        r#"{"data":{"order_id":7},"time":"1970-01-01T00:00:01Z","type":"other","source":"/s","id":"1",
            "specversion":"1.0"}"#,
        "/s 1 other 1000000",
    );
}

#[test]
fn numbers_stay_as_they_are_written() {
    check_data(
        r#"{"total":12345678901234567890.10}"#,
        "total=12345678901234567890.10",
    );
    check_data(r#"{"total":-0.0e-0}"#, "total=-0.0e-0");
    check_data(r#"{"total":1E+400}"#, "total=1E+400");
    let digits = "7".repeat(5000);
    check_data(
        &format!(r#"{{"total":{digits}}}"#),
        &format!("total={digits}"),
    );
}

#[test]
fn values_of_all_kinds_are_told_apart() {
    check_data(
        r#"{"new":true,"region":false,"total":null,"currency":""}"#,
        "region=false currency='' new=true",
    );
    check_data(
        r#"{"order_id":{"a":[1]},"cart_id":[],"region":{}}"#,
        "order_id=nested cart_id=nested region=nested",
    );
}

#[test]
fn escapes_are_resolved_in_names_and_values() {
    check_data(
        r#"{"\u0072egion":"\u00e9\ud83d\ude00\"\\\/\n"}"#,
        "region='é😀\"\\/\n'",
    );
    check_data(
        r#"{"region":"Zürich","total":"\u0031"}"#,
        "region='Zürich' total='1'",
    );
    check(
        r#"{"\u0073pecversion":"1\u002e0","i\u0064":"\u0031","source":"\/s","type":"order\u002eplaced",
            "time":"1970-01-01T00\u003a00:01Z","d\u0061ta":{"order_id":"o"}}"#,
        "/s 1 order.placed #0 1000000 order_id='o'",
    );
}

#[test]
fn of_members_that_come_twice_the_last_one_counts() {
    check_data(r#"{"region":"a","region":"b"}"#, "region='b'");
    check_data(r#"{"region":"a","region":null}"#, "");
    check_data(r#"{"region":"a"},"data":{"total":1}"#, "total=1");
    check_data(r#"{"region":"a"},"data":null"#, "");
    check_data(r#"7,"data":{"total":1}"#, "total=1");
    check(event("order.placed", r#","type":"x""#), "/s 1 x 1000000");
    check(
        event("x", r#","id":2,"type":"survey.answered""#),
        "/s 2 survey.answered #2 1000000",
    );
    check(event("x", r#","id":null"#), "missing_field");
}

#[test]
fn an_event_needs_a_whole_envelope() {
    check_member("id", r#""1""#, "/s 1 x 1000000");
    for absent in ["", "null", r#""""#, "true", "{}", r#"["1"]"#] {
        check_member("id", absent, "missing_field");
        check_member("source", absent, "missing_field");
        check_member("type", absent, "missing_field");
        check_member("specversion", absent, "unknown_format");
    }
    check_member("source", "7", "missing_field");
    check_member("type", "7", "missing_field");
    for other in ["1.0", r#""0.3""#, r#""1.0.2""#, r#""1""#, r#"" 1.0""#] {
        check_member("specversion", other, "unknown_format");
    }
}

#[test]
fn an_id_may_be_an_integer_of_64_bits() {
    check_member("id", "7", "/s 7 x 1000000");
    check_member("id", "9007199254740993", "/s 9007199254740993 x 1000000");
    check_member(
        "id",
        "18446744073709551615",
        "/s 18446744073709551615 x 1000000",
    );
    check_member(
        "id",
        "-9223372036854775808",
        "/s -9223372036854775808 x 1000000",
    );
    for no_integer in ["18446744073709551616", "1.0", "1e3", "-0"] {
        check_member("id", no_integer, "missing_field");
    }
}

#[test]
fn a_time_needs_a_zone() {
    check_member("time", r#""1970-01-01T01:00:01.5+01:00""#, "/s 1 x 1500000");
    for absent in ["", "null", r#""""#] {
        check_member("time", absent, "missing_field");
    }
    for bad in [
        "1767607200",
        "1767607200123",
        "true",
        "{}",
        r#""1970-01-01T00:00:01""#,
        r#""now""#,
    ] {
        check_member("time", bad, "bad_time");
    }
}

#[test]
fn an_event_may_not_be_ahead_of_its_record_by_more_than_max_future() {
    let value = event("x", "");
    let check = |timestamp: Option<i64>, expected: &str| {
        let timestamp = timestamp.map(KafkaTime);
        let record = Record {
            timestamp,
            key: None,
            value: Some(value.as_bytes()),
            headers: &[],
        };
        assert_eq!(decode(&record), expected, "{timestamp:?}");
    };
    check(None, "/s 1 x 1000000");
    check(Some(1_000_000), "/s 1 x 1000000");
    check(Some(-299_000_000), "/s 1 x 1000000");
    check(Some(-299_000_001), "future_time");
    check(Some(i64::MIN), "future_time");
    check(Some(i64::MAX), "/s 1 x 1000000");
}

#[test]
fn data_is_judged_only_if_the_plan_uses_the_type() {
    for bad in ["7", "true", "[]", r#""text""#, r#""{\"order_id\":1}""#] {
        check(event("x", &format!(r#","data":{bad}"#)), "/s 1 x 1000000");
        check(
            event("survey.answered", &format!(r#","data":{bad}"#)),
            "bad_data",
        );
    }
    let base64 = r#","data_base64":"eyAieHl6IjogMTIzIH0=""#;
    check(event("x", base64), "/s 1 x 1000000");
    check(event("survey.answered", base64), "bad_data");
    check(
        event("survey.answered", &format!(r#"{base64},"data":{{}}"#)),
        "bad_data",
    );
    for none in [
        "",
        r#","data":null"#,
        r#","data":{}"#,
        r#","data_base64":null"#,
    ] {
        check(
            event("survey.answered", none),
            "/s 1 survey.answered #2 1000000",
        );
    }
}

#[test]
fn an_entity_key_is_a_text_or_an_integer() {
    let placed = |data: &str| event("order.placed", &format!(r#","data":{{{data}}}"#));
    check(
        placed(r#""order_id":"o""#),
        "/s 1 order.placed #0 1000000 order_id='o'",
    );
    check(
        placed(r#""order_id":18446744073709551615"#),
        "/s 1 order.placed #0 1000000 order_id=18446744073709551615",
    );
    for missing in ["", r#""order_id":null"#, r#""order_id":"""#] {
        check(placed(missing), "missing_field");
    }
    for bad in ["1.5", "true", "{}", "[1]", "18446744073709551616", "1e2"] {
        check(placed(&format!(r#""order_id":{bad}"#)), "bad_key");
        check(
            placed(&format!(r#""order_id":1,"cart_id":{bad}"#)),
            "bad_key",
        );
    }
    check(
        placed(r#""order_id":1,"cart_id":"""#),
        "/s 1 order.placed #0 1000000 order_id=1 cart_id=''",
    );
    check(event("order.placed", ""), "missing_field");
}

#[test]
fn a_value_that_is_no_event_has_its_reason() {
    let null = Record {
        timestamp: None,
        key: Some(b"k"),
        value: None,
        headers: &[],
    };
    assert_eq!(decode(&null), "null_value");
    check("", "not_json");
    check("hello", "not_json");
    check("{}", "unknown_format");
    check(
        r#"{"event":"Order Completed","properties":{}}"#,
        "unknown_format",
    );
    for value in ["7", "null", "\"text\"", "[]", "[{}]", " [1, 2] "] {
        check(value, "not_an_object");
    }
    check(b"\0\0\0\0\x07payload", "schema_registry_payload");
    check(b"\0\0\0\0\x07", "schema_registry_payload");
    check(b"\0\0\0\0", "not_json");
    check("\u{feff}{}", "not_json");
}

#[test]
fn large_values_are_read_up_to_the_limit() {
    let with_length = |length: usize| {
        let short = event("survey.answered", r#","data":{"region":"","new":""}"#).len();
        let text = "x".repeat(length - short);
        event(
            "survey.answered",
            &format!(r#","data":{{"region":"","new":"{text}"}}"#),
        )
    };
    check(with_length(MAX_BYTES + 1), "too_large");
    let text = "x".repeat(1_000_000);
    check_data(
        &format!(r#"{{"total":"{text}"}}"#),
        &format!("total='{text}'"),
    );
    let escapes = r"\u00e9".repeat(170_000);
    let text = "é".repeat(170_000);
    check_data(
        &format!(r#"{{"total":"{escapes}"}}"#),
        &format!("total='{text}'"),
    );
    check_data(
        &format!(
            r#"{{"other":"{escapes}","others":[{}0]}}"#,
            "0,".repeat(300_000)
        ),
        "",
    );
}

#[test]
fn the_examples_of_the_specification_are_events() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/cloudevents/");
    let read = |name: &str| std::fs::read(format!("{folder}{name}.json")).unwrap();
    for (name, expected) in [
        (
            "base64",
            "/mycontext A234-1234-1234 com.example.someevent 1522949460000000",
        ),
        (
            "xml-text",
            "/mycontext B234-1234-1234 com.example.someevent 1522949460000000",
        ),
        (
            "json-object",
            "/mycontext C234-1234-1234 com.example.someevent 1522949460000000",
        ),
        (
            "json-number",
            "/mycontext C234-1234-1234 com.example.someevent 1522949460000000",
        ),
        (
            "json-text",
            "/mycontext D234-1234-1234 com.example.someevent 1522949460000000",
        ),
        // The specification does without a time; we can't.
        ("base64-without-type", "missing_field"),
        ("batch", "not_an_object"),
    ] {
        check(read(name), expected);
    }
}
