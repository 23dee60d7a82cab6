//! Escapes in JSON strings (RFC 8259, section 7).
//!
//! One reader serves the check and the decoding, so that a text which was accepted always decodes.
//! Surrogates must come in pairs, in strings that nobody reads too: a lone one is not JSON here,
//! as in `serde_json::from_slice::<Value>`.

use bumpalo::Bump;
use bumpalo::collections::String as ScratchString;

/// The character that the escape at the start of `bytes` stands for, and the escape's length in
/// bytes. `None` if it is not an escape, is cut off, or is half of a surrogate pair.
pub(crate) fn read(bytes: &[u8]) -> Option<(char, usize)> {
    let character = match bytes.get(1)? {
        b'"' => '"',
        b'\\' => '\\',
        b'/' => '/',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => return read_unicode(bytes),
        _ => return None,
    };
    Some((character, 2))
}

fn read_unicode(bytes: &[u8]) -> Option<(char, usize)> {
    let unit = hexadecimal(bytes.get(2..6)?)?;
    if !(0xd800..0xdc00).contains(&unit) {
        // `from_u32` refuses the low half of a pair.
        return Some((char::from_u32(unit)?, 6));
    }
    if bytes.get(6..8)? != b"\\u" {
        return None;
    }
    let low = hexadecimal(bytes.get(8..12)?)?;
    if !(0xdc00..0xe000).contains(&low) {
        return None;
    }
    let character = char::from_u32(0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00))?;
    Some((character, 12))
}

fn hexadecimal(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |number, &digit| {
        Some(number << 4 | char::from(digit).to_digit(16)?)
    })
}

/// The text behind `raw`, in the scratch space. What is no escape is taken as it stands.
pub(crate) fn unescape<'d>(raw: &str, scratch: &'d Bump) -> &'d str {
    let mut text = ScratchString::with_capacity_in(raw.len(), scratch);
    let mut rest = raw;
    while let Some(at) = rest.find('\\') {
        text.push_str(&rest[..at]);
        let (character, length) = read(&rest.as_bytes()[at..]).unwrap_or(('\\', 1));
        text.push(character);
        rest = &rest[at + length..];
    }
    text.push_str(rest);
    text.into_bump_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(raw: &str, expected: Option<(char, usize)>) {
        assert_eq!(read(raw.as_bytes()), expected, "{raw}");
    }

    #[test]
    fn reads_every_escape_and_nothing_else() {
        check(r#"\"x"#, Some(('"', 2)));
        check(r"\\", Some(('\\', 2)));
        check(r"\/", Some(('/', 2)));
        check(r"\b", Some(('\u{8}', 2)));
        check(r"\f", Some(('\u{c}', 2)));
        check(r"\n", Some(('\n', 2)));
        check(r"\r", Some(('\r', 2)));
        check(r"\t", Some(('\t', 2)));
        check(r"\u00e9", Some(('é', 6)));
        check(r"\u00E9", Some(('é', 6)));
        check(r"\u0000", Some(('\0', 6)));
        check(r"\uffff", Some(('\u{ffff}', 6)));
        check(r"\", None);
        check(r"\a", None);
        check(r"\U00e9", None);
        check(r"\u00e", None);
        check(r"\u00eg", None);
        check(r"\u+0e9", None);
    }

    #[test]
    fn surrogates_come_in_pairs_only() {
        check(r"\ud83d\ude00", Some(('😀', 12)));
        check(r"\uD800\uDC00", Some(('\u{10000}', 12)));
        check(r"\udbff\udfff", Some(('\u{10ffff}', 12)));
        check(r"\ud83d", None);
        check(r"\ude00", None);
        check(r"\ud83dxude00", None);
        check(r"\ud83d\n", None);
        check(r"\ud83d\u0041", None);
        check(r"\ud83d\ud83d", None);
        check(r"\ud83d\ude0", None);
    }

    #[test]
    fn unescapes_into_the_scratch_space() {
        let scratch = Bump::new();
        assert_eq!(unescape(r"a\u00e9\n\ud83d\ude00é z", &scratch), "aé\n😀é z");
        assert_eq!(unescape(r"\\u0041", &scratch), r"\u0041");
        assert_eq!(unescape("", &scratch), "");
    }
}
