//! The active currency codes of ISO 4217 and how many decimals their amounts have.
//!
//! List one of the SIX maintenance agency, with the codes withdrawn since 2023 (ANG, BGN, HRK), so
//! that history can be replayed. Codes without a minor unit (gold, XDR, test codes) are no money.

/// Codes with two decimals, ascending.
const TWO_DECIMALS: &[u8] = b"\
    AEDAFNALLAMDANGAOAARSAUDAWGAZNBAMBBDBDTBGNBMDBNDBOBBOVBRLBSDBTNBWPBYNBZDCADCDFCHECHFCHWCNYCOP\
    COUCRCCUPCVECZKDKKDOPDZDEGPERNETBEURFJDFKPGBPGELGHSGIPGMDGTQGYDHKDHNLHRKHTGHUFIDRILSINRIRRJMD\
    KESKGSKHRKPWKYDKZTLAKLBPLKRLRDLSLMADMDLMGAMKDMMKMNTMOPMRUMURMVRMWKMXNMXVMYRMZNNADNGNNIONOKNPR\
    NZDPABPENPGKPHPPKRPLNQARRONRSDRUBSARSBDSCRSDGSEKSGDSHPSLESOSSRDSSPSTNSVCSYPSZLTHBTJSTMTTOPTRY\
    TTDTWDTZSUAHUSDUSNUYUUZSVEDVESWSTXADXCDXCGYERZARZMWZWG";

/// Those with another number of them, ascending by code.
const OTHER_DECIMALS: &[(&[u8; 3], u8)] = &[
    (b"BHD", 3),
    (b"BIF", 0),
    (b"CLF", 4),
    (b"CLP", 0),
    (b"DJF", 0),
    (b"GNF", 0),
    (b"IQD", 3),
    (b"ISK", 0),
    (b"JOD", 3),
    (b"JPY", 0),
    (b"KMF", 0),
    (b"KRW", 0),
    (b"KWD", 3),
    (b"LYD", 3),
    (b"OMR", 3),
    (b"PYG", 0),
    (b"RWF", 0),
    (b"TND", 3),
    (b"UGX", 0),
    (b"UYI", 0),
    (b"UYW", 4),
    (b"VND", 0),
    (b"VUV", 0),
    (b"XAF", 0),
    (b"XOF", 0),
    (b"XPF", 0),
];

/// The code as ISO writes it, and its decimals. Takes codes in any case.
pub(crate) fn find(code: &str) -> Option<(&'static str, u8)> {
    let code: [u8; 3] = code.as_bytes().try_into().ok()?;
    let code = code.map(|byte| byte.to_ascii_uppercase());
    let (codes, _) = TWO_DECIMALS.as_chunks::<3>();
    let (found, decimals) = match codes.binary_search(&code) {
        Ok(at) => (&codes[at], 2),
        Err(_) => {
            let at = OTHER_DECIMALS
                .binary_search_by_key(&code, |entry| *entry.0)
                .ok()?;
            OTHER_DECIMALS[at]
        }
    };
    Some((str::from_utf8(found).ok()?, decimals))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(code: &str, expected: Option<(&'static str, u8)>) {
        assert_eq!(find(code), expected, "{code}");
    }

    #[test]
    fn every_code_is_found_in_the_sorted_lists() {
        let (two, rest) = TWO_DECIMALS.as_chunks::<3>();
        assert!(rest.is_empty());
        assert!(two.is_sorted_by(|left, right| left < right));
        assert!(OTHER_DECIMALS.is_sorted_by(|left, right| left.0 < right.0));
        let all = two
            .iter()
            .map(|code| (code, 2))
            .chain(OTHER_DECIMALS.iter().copied());
        for (code, decimals) in all {
            let code = str::from_utf8(code).unwrap();
            check(code, Some((code, decimals)));
            check(&code.to_lowercase(), Some((code, decimals)));
        }
        assert_eq!(two.len() + OTHER_DECIMALS.len(), 168);
    }

    #[test]
    fn what_is_no_money_is_not_found() {
        for code in [
            "", "E", "EU", "EURO", "XXX", "XAU", "XTS", "XDR", "BTC", "€", "EÜ", "€€",
        ] {
            check(code, None);
        }
    }
}
