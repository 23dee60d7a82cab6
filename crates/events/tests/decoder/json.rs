//! What is JSON: the same as for serde_json, wherever in the record it stands.

use std::path::Path;

use events::{Decoder, Record, Reject};
use serde_json::Value;

use crate::{event, projection, start_of};

/// Whether the decoder takes `text` for JSON.
pub fn accepts(decoder: &mut Decoder, text: &[u8]) -> bool {
    let record = Record {
        timestamp: None,
        key: None,
        value: Some(text),
        headers: &[],
    };
    !matches!(
        decoder.decode(&record),
        Err(Reject::NotJson | Reject::SchemaRegistryPayload)
    )
}

/// A JSON text by itself, as a member that is wanted, and as one that is skipped, deep and not.
#[track_caller]
fn check(text: impl AsRef<[u8]>, expected: bool) {
    let text = text.as_ref();
    let mut decoder = Decoder::new(&projection());
    let mut check = |before: &str, after: &str| {
        let whole = [before.as_bytes(), text, after.as_bytes()].concat();
        assert_eq!(
            accepts(&mut decoder, &whole),
            expected,
            "{}",
            start_of(&whole)
        );
        let theirs = serde_json::from_slice::<Value>(&whole).is_ok();
        assert_eq!(theirs, expected, "serde_json: {}", start_of(&whole));
    };
    check("", "");
    check(" \t\r\n", "\n\r\t ");
    check(r#"{"id":"#, "}");
    check(r#"{"subject":"#, r#","id":"1"}"#);
    check(r#"{"data":{"region":"#, "}}");
    check(r#"{"data":{"other":"#, r#","region":""}}"#);
    check(r#"{"data":{"other":[0,{"a":"#, r#"},[]]}}"#);
}

/// The same as part of a string and of a name.
#[track_caller]
fn check_string(text: impl AsRef<[u8]>, expected: bool) {
    for padding in 0..20 {
        let padding = "x".repeat(padding);
        let string = [
            b"\"",
            padding.as_bytes(),
            text.as_ref(),
            padding.as_bytes(),
            b"\"",
        ]
        .concat();
        check(&string, expected);
        check([b"{", &string[..], b":0}"].concat(), expected);
    }
}

#[test]
fn scalars() {
    for text in [
        "0",
        "-0",
        "1",
        "10",
        "-1.5",
        "0.0",
        "1e1",
        "1E+1",
        "1e-1",
        "0e0",
        "1.0e0",
        "true",
        "false",
        "null",
        "123456789012345678901234567890",
        "\"\"",
        "[]",
        "{}",
        "[ ]",
        "{ }",
        "[0]",
        "[[]]",
        "[{}]",
        "[0,0]",
        r#"{"":0}"#,
        r#"{ "a" : 0 , "a" : [ 0 , { } ] }"#,
        r#"{"a":{"b":{}}}"#,
    ] {
        check(text, true);
    }
}

#[test]
fn scalars_that_only_look_like_json() {
    for text in [
        "00",
        "01",
        "-",
        "-a",
        "+1",
        ".5",
        "5.",
        "1.e1",
        "1e",
        "1e+",
        "0x1",
        "1_0",
        "--1",
        "1.5.5",
        "NaN",
        "Infinity",
        "-Infinity",
        "tru",
        "truE",
        "True",
        "nul",
        "nulll",
        "fals",
        "undefined",
        "'a'",
        "\"",
        "\"a",
        "é",
        "\"a\"b",
        "\"\"\"",
    ] {
        check(text, false);
    }
}

#[test]
fn arrays_and_objects_that_only_look_like_json() {
    for text in [
        "[",
        "]",
        "[0",
        "[0,",
        "[0,]",
        "[,0]",
        "[0 0]",
        "[0;0]",
        "[]]",
        "[[]",
        "[}",
        "{]",
        "{",
        "}",
        "{,}",
        r#"{"a"}"#,
        r#"{"a":}"#,
        r#"{"a":0,}"#,
        r#"{"a":0"#,
        "{0:0}",
        r#"{"a":0 "b":0}"#,
        r#"{"a" 0}"#,
        r#"{"a"::0}"#,
        r#"{"a":0,,"b":0}"#,
        "{a:0}",
        "{'a':0}",
        "{null:0}",
        "[\"a\":0]",
        "{\"a\":0]",
        "[0}",
    ] {
        check(text, false);
    }
}

#[test]
fn nothing_but_space_stands_around_a_value() {
    for text in [
        "{}{}",
        "{} {}",
        "0 0",
        "0,",
        "// c\n0",
        "0 /* c */",
        "\u{b}0",
        "\u{c}0",
        "\u{a0}0",
        "\u{2028}0",
        "\u{feff}0",
        "0\0",
        "\0",
        "0\u{feff}",
        "\u{85}0",
    ] {
        check(text, false);
    }
    // Alone they would be a value and space.
    let mut decoder = Decoder::new(&projection());
    assert!(!accepts(&mut decoder, b""));
    assert!(!accepts(&mut decoder, b" \n"));
}

#[test]
fn strings() {
    for text in [
        "",
        "é",
        "😀",
        "\u{7f}",
        "\u{80}",
        "\u{2028}",
        "\u{ffff}",
        "/",
        "'",
        r"\/",
        r"\\",
        r#"\""#,
        r"\b\f\n\r\t",
        r"\u0000",
        r"\u001f",
        r"\uD7FF",
        r"\ue000",
        r"\ud83d\ude00",
        r"\\u12",
    ] {
        check_string(text, true);
    }
    for text in [
        "\n",
        "\t",
        "\0",
        "\u{1f}",
        r"\a",
        r"\x41",
        r"\'",
        r"\u",
        r"\u12",
        r"\u12g4",
        r"\U0041",
        r"\ud83d",
        r"\ude00",
        r"\ud83d\ud83d",
        r"\ud83d\u0041",
        r"\ud83d\n",
        r"\ude00\ud83d",
        "\\\n",
        "\\\0",
        r"\u 123",
        r"\u+123",
        "\\é",
    ] {
        check_string(text, false);
    }
}

#[test]
fn invalid_utf8_is_refused_anywhere() {
    for bytes in [
        &b"\xff"[..],
        b"\x80",
        b"\xc3",
        b"\xc3\x28",
        b"\xc0\x80",
        b"\xe2\x82",
        b"\xed\xa0\x80",
        b"\xf0\x9f\x98",
        b"\xf4\x90\x80\x80",
        b"\xf8\x88\x80\x80\x80",
    ] {
        check_string(bytes, false);
        check(bytes, false);
        check([b"0", bytes].concat(), false);
    }
}

#[test]
fn nesting_ends_at_128() {
    let mut decoder = Decoder::new(&projection());
    let mut check = |open: &str, depth: usize, close: &str, expected: bool| {
        // The event's own object and `data` are two levels.
        let nested = format!("{}{}", open.repeat(depth), close.repeat(depth));
        let nested = nested.replace(":}", ":0}");
        let name = ["region", "other"];
        for name in name {
            let value = event(
                "survey.answered",
                &format!(r#","data":{{"{name}":{nested}}}"#),
            );
            assert_eq!(
                accepts(&mut decoder, value.as_bytes()),
                expected,
                "{open} {depth} {name}"
            );
        }
        let value = format!("[[{nested}]]");
        assert_eq!(
            accepts(&mut decoder, value.as_bytes()),
            expected,
            "{open} {depth}"
        );
    };
    for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
        check(open, 125, close, true);
        check(open, 126, close, true);
        check(open, 127, close, false);
        check(open, 100_000, close, false);
    }
    for text in [
        "[".repeat(1_000_000),
        r#"{"a":"#.repeat(300_000),
        "[{\"a\":".repeat(200_000),
    ] {
        assert!(!accepts(&mut decoder, text.as_bytes()));
    }
    assert!(accepts(
        &mut decoder,
        format!("[{}0]", "[{}],".repeat(200_000)).as_bytes()
    ));
}

#[test]
fn real_webhooks_are_json() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let mut decoder = Decoder::new(&projection());
    let mut files = 0;
    for folder in ["shopify", "segment"] {
        for entry in std::fs::read_dir(data.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let text = std::fs::read(&path).unwrap();
            let lines = path
                .extension()
                .is_some_and(|extension| extension == "jsonl");
            let documents = text.split(|&byte| lines && byte == b'\n');
            for document in documents.filter(|document| !document.is_empty()) {
                assert!(accepts(&mut decoder, document), "{}", path.display());
                let cut = &document[..document.trim_ascii_end().len() - 1];
                assert!(!accepts(&mut decoder, cut), "{}", path.display());
            }
            files += 1;
        }
    }
    assert_eq!(files, 16, "files in {}", data.display());
}
