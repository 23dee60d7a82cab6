//! Amounts and numbers out of fields, exactly: integers of minor units or of millionths.
//!
//! Whether a field is a JSON number or a string with one in it makes no difference. Nothing is a
//! float on the way. What has no exact place (more decimals than the currency, beyond the limits)
//! is refused for money; a plain number is rounded at its sixth decimal, half to even.

use std::fmt;

use crate::currency;
use crate::decimal::{Decimal, Rest};

/// Why a text is not an amount of money.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MoneyError {
    /// Not an active ISO 4217 code, or one without a minor unit.
    UnknownCurrency,
    /// Not a decimal number: empty, separators, spaces, a sign other than minus.
    NotANumber,
    /// A digit other than zero behind the currency's last decimal.
    TooPrecise,
    /// More than 10^18 minor units: so any 10^20 amounts have a sum that fits an `i128`.
    TooLarge,
}

impl fmt::Display for MoneyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            MoneyError::UnknownCurrency => "not an ISO 4217 currency with a minor unit",
            MoneyError::NotANumber => "not a decimal number",
            MoneyError::TooPrecise => "more decimals than the currency has",
            MoneyError::TooLarge => "more than 10^18 minor units",
        })
    }
}

impl std::error::Error for MoneyError {}

const MAX_MINOR_UNITS: u128 = 10u128.pow(18);

/// The amount in minor units (may be negative), the currency's code in capitals, and how many of
/// the units' digits are decimals: `("129.90", "eur")` is `(12990, "EUR", 2)`.
pub fn parse_money(text: &str, currency: &str) -> Result<(i128, &'static str, u8), MoneyError> {
    let (code, decimals) = currency::find(currency).ok_or(MoneyError::UnknownCurrency)?;
    let amount = Decimal::parse(text).ok_or(MoneyError::NotANumber)?;
    let (units, rest) = amount
        .scaled(i64::from(decimals))
        .ok_or(MoneyError::TooLarge)?;
    if units.unsigned_abs() > MAX_MINOR_UNITS {
        return Err(MoneyError::TooLarge);
    }
    if rest != Rest::Nothing {
        return Err(MoneyError::TooPrecise);
    }
    Ok((units, code, decimals))
}

/// A plain number in millionths; further decimals are rounded half to even. `None` if `text` is not
/// a number or its size is 10^18 or more: so any 10^14 of them have a sum that fits an `i128`.
pub fn parse_number(text: &str) -> Option<i128> {
    let number = Decimal::parse(text)?;
    let (millionths, rest) = number.scaled(6)?;
    let up = match rest {
        Rest::Nothing | Rest::BelowHalf => false,
        Rest::Half => millionths % 2 != 0,
        Rest::AboveHalf => true,
    };
    let away_from_zero = if number.negative() { -1 } else { 1 };
    Some(millionths + i128::from(up) * away_from_zero)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, currency: &str, expected: Result<(i128, &'static str, u8), MoneyError>) {
        assert_eq!(parse_money(text, currency), expected, "{text} {currency}");
    }

    #[track_caller]
    fn check_number(text: &str, millionths: impl Into<Option<i128>>) {
        assert_eq!(parse_number(text), millionths.into(), "{text}");
    }

    #[test]
    fn an_amount_is_an_exact_number_of_minor_units() {
        check("129.90", "EUR", Ok((12990, "EUR", 2)));
        check("129.9", "eur", Ok((12990, "EUR", 2)));
        check("0.1", "Usd", Ok((10, "USD", 2)));
        check("0", "EUR", Ok((0, "EUR", 2)));
        check("-0.00", "EUR", Ok((0, "EUR", 2)));
        check("-5", "GBP", Ok((-500, "GBP", 2)));
        check("1.2e2", "EUR", Ok((12000, "EUR", 2)));
        check("12990E-2", "EUR", Ok((12990, "EUR", 2)));
        check("0.000129e+5", "EUR", Ok((1290, "EUR", 2)));
        check("1500", "JPY", Ok((1500, "JPY", 0)));
        check("1500.000", "JPY", Ok((1500, "JPY", 0)));
        check("1.234", "KWD", Ok((1234, "KWD", 3)));
        check("1.2345", "CLF", Ok((12345, "CLF", 4)));
        check(
            "90071992547409.93",
            "EUR",
            Ok((9_007_199_254_740_993, "EUR", 2)),
        );
    }

    #[test]
    fn trailing_zeros_are_no_decimals() {
        check(
            "1.2300000000000000000000000000000000000000000",
            "EUR",
            Ok((123, "EUR", 2)),
        );
        check("1.234", "EUR", Err(MoneyError::TooPrecise));
        check("0.001", "EUR", Err(MoneyError::TooPrecise));
        check("1e-400", "EUR", Err(MoneyError::TooPrecise));
        check("10e-1", "JPY", Ok((1, "JPY", 0)));
        check("1500.5", "JPY", Err(MoneyError::TooPrecise));
        check("1.2345", "KWD", Err(MoneyError::TooPrecise));
    }

    #[test]
    fn huge_amounts_are_refused_without_overflow() {
        check("10000000000000000", "EUR", Ok((10i128.pow(18), "EUR", 2)));
        check(
            "-10000000000000000",
            "EUR",
            Ok((-(10i128.pow(18)), "EUR", 2)),
        );
        check("10000000000000000.01", "EUR", Err(MoneyError::TooLarge));
        check("1e400", "EUR", Err(MoneyError::TooLarge));
        check("1e99999999999999999999", "EUR", Err(MoneyError::TooLarge));
        check("0e99999999999999999999", "EUR", Ok((0, "EUR", 2)));
        check(
            "1e-99999999999999999999",
            "EUR",
            Err(MoneyError::TooPrecise),
        );
        check(&"9".repeat(100_000), "EUR", Err(MoneyError::TooLarge));
        check(
            &format!("0.{}1", "0".repeat(100_000)),
            "EUR",
            Err(MoneyError::TooPrecise),
        );
        check(
            &format!("1{}e-100000", "0".repeat(100_000)),
            "EUR",
            Ok((100, "EUR", 2)),
        );
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for text in [
            "", "-", "+5", " 5", "5 ", "1,000.00", "1.000,00", "1 000", "1_000", "EUR 5", "5€",
            "NaN", "Infinity", "-inf", "0x10", ".5", "5.", "05", "-05", "00", "1e", "1e+", "1.e2",
            "1e2.5", "--5", "١", "５", "null",
        ] {
            check(text, "EUR", Err(MoneyError::NotANumber));
            check_number(text, None);
        }
        check("5", "XAU", Err(MoneyError::UnknownCurrency));
        check("5", "", Err(MoneyError::UnknownCurrency));
    }

    #[test]
    fn a_plain_number_is_rounded_at_its_sixth_decimal() {
        check_number("3", 3_000_000);
        check_number("-2.5", -2_500_000);
        check_number("0.1", 100_000);
        check_number("0.0000005", 0);
        check_number("0.0000015", 2);
        check_number("-0.0000015", -2);
        check_number("0.0000025", 2);
        check_number("0.00000250000001", 3);
        check_number("0.0000024999", 2);
        check_number("0.00000051", 1);
        check_number("-0.00000051", -1);
        check_number("0.00000005", 0);
        check_number("0.9999999", 1_000_000);
        check_number("1e-400", 0);
        check_number("1.5e3", 1_500_000_000);
        check_number("999999999999999999", 999_999_999_999_999_999_000_000);
        check_number("1e18", None);
        check_number("9007199254740993", 9_007_199_254_740_993_000_000);
    }
}
