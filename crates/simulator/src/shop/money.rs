//! Amounts of money as whole minor units, written as decimal strings.

use std::fmt;

/// A currency and how many decimals its minor unit has (ISO 4217).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Currency {
    /// Its code.
    pub code: &'static str,
    /// Digits behind the decimal point.
    pub decimals: u32,
    /// Minor units that are worth about one euro cent, times 100.
    pub worth: u64,
}

/// Two decimals.
pub const EUR: Currency = Currency {
    code: "EUR",
    decimals: 2,
    worth: 100,
};
/// Two decimals.
pub const GBP: Currency = Currency {
    code: "GBP",
    decimals: 2,
    worth: 86,
};
/// No decimals.
pub const JPY: Currency = Currency {
    code: "JPY",
    decimals: 0,
    worth: 163,
};
/// Three decimals.
pub const KWD: Currency = Currency {
    code: "KWD",
    decimals: 3,
    worth: 330,
};

/// An amount that is never negative.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Money {
    /// Minor units.
    pub units: u64,
    /// Their currency.
    pub currency: Currency,
}

impl Money {
    /// About this many euro cents; never nothing.
    pub fn about(cents: u64, currency: Currency) -> Money {
        Money {
            units: (cents * currency.worth / 100).max(1),
            currency,
        }
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scale = 10u64.pow(self.currency.decimals);
        let (whole, rest) = (self.units / scale, self.units % scale);
        match usize::try_from(self.currency.decimals) {
            Ok(0) | Err(_) => write!(f, "{whole}"),
            Ok(width) => write!(f, "{whole}.{rest:0width$}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_have_the_decimals_of_their_currency() {
        for (units, currency, expected) in [
            (12_990, EUR, "129.90"),
            (5, GBP, "0.05"),
            (1200, JPY, "1200"),
            (1_005, KWD, "1.005"),
        ] {
            assert_eq!(Money { units, currency }.to_string(), expected);
        }
    }
}
