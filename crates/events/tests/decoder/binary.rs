//! Binary mode: the envelope is in `ce_` headers, the value is `data`.

use events::Record;

use crate::decode;

const GOOD: [(&str, &str); 5] = [
    ("ce_specversion", "1.0"),
    ("ce_id", "1"),
    ("ce_source", "/s"),
    ("ce_type", "order.placed"),
    ("ce_time", "1970-01-01T00:00:01Z"),
];

/// These headers after the good ones, of which the last of a name counts; `None` is a null.
#[track_caller]
fn check(headers: &[(&str, Option<&[u8]>)], value: &[u8], expected: &str) {
    let good = GOOD
        .iter()
        .map(|&(name, value)| (name, Some(value.as_bytes())));
    let headers: Vec<_> = good.chain(headers.iter().copied()).collect();
    let record = Record {
        timestamp: None,
        key: None,
        value: Some(value),
        headers: &headers,
    };
    assert_eq!(decode(&record), expected, "{headers:?}");
}

const ORDER: &[u8] = br#" {"order_id": "o-1", "total": 9.50, "extra": [1]} "#;
const PLACED: &str = "/s 1 order.placed #0 1000000 order_id='o-1' total=9.50";

#[test]
fn the_value_is_the_data() {
    check(&[], ORDER, PLACED);
    check(
        &[("content-type", Some(b"application/json; charset=utf-8"))],
        ORDER,
        PLACED,
    );
    check(
        &[("Content-Type", Some(b"application/vnd.shop.order+json"))],
        ORDER,
        PLACED,
    );
    check(
        &[("ce_subject", None), ("traceparent", Some(b"\xff"))],
        ORDER,
        PLACED,
    );
    check(
        &[("ce_type", Some(b"survey.answered"))],
        b"",
        "/s 1 survey.answered #2 1000000",
    );
    check(
        &[("ce_type", Some(b"survey.answered"))],
        b"null",
        "/s 1 survey.answered #2 1000000",
    );
}

#[test]
fn header_values_are_plain_utf8() {
    check(
        &[("ce_id", Some("é%20".as_bytes()))],
        ORDER,
        &PLACED.replace(" 1 ", " é%20 "),
    );
}

#[test]
fn an_event_needs_all_headers() {
    for name in ["ce_id", "ce_source", "ce_type", "ce_time"] {
        check(&[(name, None)], ORDER, "missing_field");
        check(&[(name, Some(b""))], ORDER, "missing_field");
    }
    for name in ["ce_id", "ce_source", "ce_type"] {
        check(&[(name, Some(b"\xff"))], ORDER, "missing_field");
    }
    check(&[("ce_time", Some(b"\xff"))], ORDER, "bad_time");
    check(&[("ce_time", Some(b"1767607200"))], ORDER, "bad_time");
    check(&[("ce_specversion", Some(b"0.3"))], ORDER, "unknown_format");
    check(
        &[("ce_specversion", Some(b"\xff"))],
        ORDER,
        "unknown_format",
    );
    // Without it the record is taken for a structured event.
    check(&[("ce_specversion", None)], ORDER, "unknown_format");
}

#[test]
fn data_is_judged_only_if_the_plan_uses_the_type() {
    for (value, expected) in [
        (&b"7"[..], "bad_data"),
        (b"[]", "bad_data"),
        (br#""{}""#, "bad_data"),
        (b"{", "not_json"),
        (b"{} x", "not_json"),
        (b"\xff", "not_json"),
        (b"{}", "missing_field"),
        (b"", "missing_field"),
        (br#"{"order_id":true}"#, "bad_key"),
    ] {
        check(&[], value, expected);
        check(&[("ce_type", Some(b"x"))], value, "/s 1 x 1000000");
    }
    let avro = ("content-type", Some(&b"application/avro"[..]));
    check(&[avro], b"\x02o", "unknown_format");
    check(&[avro, ("ce_type", Some(b"x"))], b"\x02o", "/s 1 x 1000000");
    check(&[avro], b"\0\0\0\0\x07\x02o", "schema_registry_payload");
}

#[test]
fn a_structured_event_may_carry_the_headers_too() {
    let value =
        br#"{"specversion":"1.0","id":"2","source":"/t","type":"x","time":"1970-01-01T00:00:02Z"}"#;
    let structured = (
        "content-type",
        Some(&b"application/cloudevents+json; charset=UTF-8"[..]),
    );
    check(&[structured], value, "/t 2 x 2000000");
}
