//! The burn rates of a promise, as literals: shares, windows, least orders, severity and the time
//! that must pass, for an objective of 95 % and one of 99.9 %.
//!
//! Worked out by hand from the workbook's pairs (14.4 over 1 h and 5 m, 6 over 6 h and 30 m, 3 over
//! 1 d and 2 h, 1 over 3 d and 6 h). At 95 % the first would be a share of 0.72: half way from 0.05
//! to one half is taken, 0.275. The least orders of a window are more than 1 / share; those of the
//! long one are 20 or more, and ten broken ones of them don't reach 0.275.

use catalogue::{FileText, Sources};

const CONFIG: &str = "[kafka]\nbrokers = \"a:1\"\n[[kafka.topic]]\nname = \"shop\"\n\
    [catalogue]\nnamespace = \"shop\"\nfiles = [\"own.toml\"]\n";

/// What is generated for a promise with this objective and these settings of its alerts.
fn generated(objective: &str, alert: &str) -> Vec<generate::File> {
    let text = format!(
        "[kpi.x]\nkind = \"promise\"\nhelp = \"Orders\"\nwithin = \"60s\"\n\
         start = {{ type = \"order.placed\", key = \"order_id\" }}\n\
         end = {{ type = \"order.fulfilled\", key = \"order_id\" }}\n\
         objective = {objective}\nalert = {{ {alert} }}\n"
    );
    let files = [FileText {
        name: "own.toml".to_owned(),
        path: "own.toml".to_owned(),
        text: Ok(text),
    }];
    let sources = Sources {
        path: "kept.toml",
        text: CONFIG,
        environment: &[],
        files: &files,
    };
    let (settings, plan) = catalogue::read(&sources).expect("the promise is good");
    generate::rules(&plan, &settings.generation)
}

/// The alerts on budgets over the whole shop, in the form `name severity for: conditions`.
fn burns(objective: &str) -> Vec<String> {
    let files = generated(objective, "");
    let alerts = files.iter().find(|it| it.path == "prometheus/alerts.yml");
    let alerts = &alerts.expect("there are alerts").text;
    let rules = alerts.split("- alert: ").skip(1);
    rules
        .filter(|rule| rule.starts_with("PromiseBudget"))
        .map(shown)
        .collect()
}

/// One rule of the file in one line.
fn shown(rule: &str) -> String {
    let name = rule.lines().next().unwrap_or_default();
    let value = |key: &str| {
        let found = rule.lines().find_map(|line| line.trim().strip_prefix(key));
        found.unwrap_or_default().trim_matches([' ', '\''])
    };
    let conditions: Vec<&str> = rule
        .lines()
        .map(|line| line.trim().trim_start_matches("and "))
        .take_while(|line| !line.starts_with("unless "))
        .filter_map(|line| line.strip_prefix("job:shop_x_promises:"))
        .collect();
    let (severity, wait) = (value("severity:"), value("for:"));
    format!("{name} {severity} {wait}: {}", conditions.join(", "))
}

#[test]
fn at_95_percent() {
    let expected = [
        "PromiseBudgetBurnsFast critical 1m: error_ratio5m > 0.275, judged5m >= 37",
        "PromiseBudgetBurnsFast critical 1m: error_ratio6h > 0.3, judged6h >= 20, \
         error_ratio30m > 0.3, judged30m >= 4",
        "PromiseBudgetBurnsSlowly warning 15m: error_ratio1d > 0.15, judged1d >= 20, \
         error_ratio2h > 0.15, judged2h >= 7",
        "PromiseBudgetBurnsSlowly warning 15m: error_ratio3d > 0.05, judged3d >= 21, \
         error_ratio6h > 0.05, judged6h >= 21",
    ];
    assert_eq!(burns("0.95"), expected);
}

#[test]
fn at_99_9_percent() {
    let expected = [
        "PromiseBudgetBurnsFast critical 1m: error_ratio1h > 0.0144, judged1h >= 70, \
         error_ratio5m > 0.0144, judged5m >= 70",
        "PromiseBudgetBurnsFast critical 1m: error_ratio6h > 0.006, judged6h >= 167, \
         error_ratio30m > 0.006, judged30m >= 167",
        "PromiseBudgetBurnsSlowly warning 15m: error_ratio1d > 0.003, judged1d >= 334, \
         error_ratio2h > 0.003, judged2h >= 334",
        "PromiseBudgetBurnsSlowly warning 15m: error_ratio3d > 0.001, judged3d >= 1001, \
         error_ratio6h > 0.001, judged6h >= 1001",
    ];
    assert_eq!(burns("0.999"), expected);
}

/// A pair that the proofs expect and the rules lack stops the generator, and the other way round a
/// pair without a proof is found here.
#[test]
fn every_pair_has_its_proof_whatever_the_objective() {
    let hundredths = (1..100).map(|percent| format!("0.{percent:02}"));
    let strict = ["0.995", "0.999", "0.9999"].map(str::to_owned);
    for objective in hundredths.chain(strict) {
        for settings in ["", "missed_share = 0.275, minimum_orders = 50"] {
            let files = generated(&objective, settings);
            let text = |wanted: &str| -> String {
                let fits = files.iter().filter(|it| it.path.contains(wanted));
                fits.map(|it| it.text.as_str()).collect()
            };
            let (alerts, proofs) = (text("prometheus/alerts.yml"), text("tests/kpi-x"));
            for window in ["5m", "1h", "6h", "1d", "3d"] {
                let is_there = alerts.contains(&format!("window: '{window}'"));
                let is_proven = proofs.contains(&format!("above over {window}"));
                assert_eq!(is_there, is_proven, "{objective} {settings}: {window}");
            }
        }
    }
}
