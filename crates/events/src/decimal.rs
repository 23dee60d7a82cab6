//! Exact reading of decimal numbers as they are written: no float, no rounding on the way.
//!
//! The grammar is that of JSON numbers (RFC 8259, section 6), for numbers and for strings alike:
//! no plus sign, no leading zeros, no bare point, no separators, no spaces, no NaN.

/// A number as written: +/- 0.DIGITS x 10^`point`, without zeros before and after its digits.
pub(crate) struct Decimal<'a> {
    negative: bool,
    /// The digits before the point, then those behind it; trimmed as one row.
    whole: &'a [u8],
    fraction: &'a [u8],
    /// Where the point is: this many digits from the first one on are before it.
    point: i64,
}

/// Longer exponents are cut to this: past all limits anyway, and sums of it can't overflow.
const EXPONENT_LIMIT: i64 = 1 << 40;

impl<'a> Decimal<'a> {
    /// Reads all of `text`; `None` if it is not a JSON number.
    pub(crate) fn parse(text: &'a str) -> Option<Decimal<'a>> {
        let (negative, rest) = match text.as_bytes() {
            [b'-', rest @ ..] => (true, rest),
            rest => (false, rest),
        };
        let (whole, rest) = digits(rest)?;
        if whole.len() > 1 && whole[0] == b'0' {
            return None;
        }
        let (fraction, rest) = match rest {
            [b'.', rest @ ..] => digits(rest)?,
            rest => (&rest[..0], rest),
        };
        let exponent = match rest {
            [] => 0,
            [b'e' | b'E', rest @ ..] => exponent(rest)?,
            _ => return None,
        };
        Some(Decimal::trimmed(negative, whole, fraction, exponent))
    }

    fn trimmed(
        negative: bool,
        mut whole: &'a [u8],
        mut fraction: &'a [u8],
        exponent: i64,
    ) -> Decimal<'a> {
        let mut point = exponent + whole.len() as i64;
        fraction = trim_end(fraction);
        if fraction.is_empty() {
            whole = trim_end(whole);
        }
        if whole == b"0" {
            whole = &[];
            let zeros = fraction.iter().take_while(|&&digit| digit == b'0').count();
            fraction = &fraction[zeros..];
            point = exponent - zeros as i64;
        }
        Decimal {
            negative,
            whole,
            fraction,
            point,
        }
    }

    /// The integer part of the number times 10^`shift`, and what was cut off. `None` if it has more
    /// than `MAX_DIGITS` digits.
    pub(crate) fn scaled(&self, shift: i64) -> Option<(i128, Rest)> {
        let count = (self.whole.len() + self.fraction.len()) as i64;
        if count == 0 {
            return Some((0, Rest::Nothing));
        }
        let kept = self.point + shift;
        if kept > MAX_DIGITS {
            return None;
        }
        let mut digits = self.whole.iter().chain(self.fraction).copied();
        let mut number = 0;
        for _ in 0..kept {
            number = number * 10 + i128::from(digits.next().unwrap_or(b'0') - b'0');
        }
        let rest = match digits.next() {
            None => Rest::Nothing,
            Some(_) if kept < 0 => Rest::BelowHalf,
            Some(b'5') if digits.next().is_none() => Rest::Half,
            Some(b'0'..b'5') => Rest::BelowHalf,
            Some(_) => Rest::AboveHalf,
        };
        Some((if self.negative { -number } else { number }, rest))
    }

    /// Whether it is below zero.
    pub(crate) fn negative(&self) -> bool {
        self.negative
    }
}

/// What `scaled` gives has at most this many digits: far from the end of an i128.
pub(crate) const MAX_DIGITS: i64 = 24;

/// The part of a number behind its integer part.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Rest {
    /// It is an integer.
    Nothing,
    /// Less than a half.
    BelowHalf,
    /// Exactly a half.
    Half,
    /// More than a half.
    AboveHalf,
}

/// One or more digits, and what follows them.
fn digits(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = bytes
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    (length > 0).then(|| bytes.split_at(length))
}

fn exponent(bytes: &[u8]) -> Option<i64> {
    let (negative, bytes) = match bytes {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    let (digits, b"") = digits(bytes)? else {
        return None;
    };
    let size = digits.iter().fold(0, |size: i64, digit| {
        (size * 10 + i64::from(digit - b'0')).min(EXPONENT_LIMIT)
    });
    Some(if negative { -size } else { size })
}

fn trim_end(digits: &[u8]) -> &[u8] {
    let zeros = digits
        .iter()
        .rev()
        .take_while(|&&digit| digit == b'0')
        .count();
    &digits[..digits.len() - zeros]
}
