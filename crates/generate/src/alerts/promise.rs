//! Alerts on a promise: it has stalled, it is missed, its budget burns, its events are missing.
//!
//! All of them are silent while Kept is behind: then their numbers are old, and `KeptBehind` speaks.
//! They exist over all dimensions and, as far as they page at once, by dimensions; Alertmanager
//! silences the latter when the whole shop has the same trouble.

use catalogue::metrics::SeriesId;
use catalogue::plan::{Kpi, KpiId, Promise};
use events::Span;

use super::burn::{Burn, fewest, pairs};
use super::text::{place, shop_or_pipe, worst};
use super::{PAGE_KEEPS, PART_KEEPS, PROMISE_DASHBOARD, TICKET_KEEPS, missing, unless_behind};
use crate::book::{Book, FAST, HOUR};
use crate::promql::{Level, increase, minutes, number, sum};
use crate::recording::promise::{Shares, stall_window};
use crate::rule::{Alert, Severity};

/// A promise that alerts are made of.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The catalogue.
    pub book: &'a Book<'a>,
    /// Its place in the plan.
    pub id: KpiId,
    /// The promise's KPI.
    pub kpi: &'a Kpi,
    /// The promise itself.
    pub promise: &'a Promise,
}

/// All of one promise.
pub fn alerts<'a>(book: &'a Book<'a>, id: KpiId, kpi: &'a Kpi, promise: &'a Promise) -> Vec<Alert> {
    let subject = Subject {
        book,
        id,
        kpi,
        promise,
    };
    let mut alerts = Vec::new();
    for level in Level::of(kpi) {
        alerts.push(subject.stalled(*level));
        alerts.push(subject.missed(*level));
        let pairs = pairs(promise);
        let shown = match level {
            Level::All => &pairs[..],
            Level::Part => &pairs[..1],
        };
        let apart = shown.iter().filter(|burn| !subject.is_missed(burn));
        alerts.extend(apart.map(|burn| subject.burns(*level, burn)));
    }
    alerts.extend(missing::alerts(&subject));
    alerts
}

impl Subject<'_> {
    /// What all of them share; expression and texts are still empty.
    pub fn alert(&self, name: &'static str, level: Level, severity: Severity) -> Alert {
        Alert {
            name,
            expression: String::new(),
            after: Span::ZERO,
            keep_firing: match (severity, level) {
                (Severity::Critical, Level::All) => PAGE_KEEPS,
                (Severity::Critical, Level::Part) => PART_KEEPS,
                _ => TICKET_KEEPS,
            },
            severity,
            owner: self.book.owner(self.kpi),
            labels: vec![
                ("kpi", self.kpi.id.clone()),
                ("level", level.label().to_owned()),
            ],
            summary: String::new(),
            description: String::new(),
            dashboard: PROMISE_DASHBOARD.to_owned(),
        }
    }

    /// What every description ends with.
    fn why(&self, level: Level) -> String {
        let worst = worst(self.book, self.kpi, self.promise, level);
        format!("{}{worst}", shop_or_pipe(self.book, self.kpi, self.promise))
    }

    fn stalled(&self, level: Level) -> Alert {
        let Subject { book, kpi, .. } = self;
        let prefix = level.prefix(kpi);
        let window = stall_window(self.promise);
        let overdue = sum(&prefix, &book.metric(kpi, SeriesId::Overdue));
        let completed = increase(&prefix, &book.metric(kpi, SeriesId::Completed), window);
        // Lost orders of the day stay overdue: in a quiet night nothing completes because nothing
        // starts, and nobody need wake.
        let started = increase(&prefix, &book.metric(kpi, SeriesId::Started), window);
        let least = book.alerting(self.id).stalled_overdue;
        let (help, within, place) = (&kpi.help, self.promise.within, place(kpi, level));
        Alert {
            expression: format!(
                "{overdue} >= {least}\nand {completed} == 0\nand {started} > 0\n{}",
                unless_behind(kpi, level, &[])
            ),
            after: minutes(1),
            summary: format!(
                "{help}: nothing completed in {window}{place}, {{{{ $value }}}} overdue"
            ),
            description: format!(
                "Orders start, none was completed in the last {window}{place}, and {{{{ $value }}}} \
                 are open longer than {within}. {}",
                self.why(level)
            ),
            ..self.alert("PromiseStalled", level, Severity::Critical)
        }
    }

    fn missed(&self, level: Level) -> Alert {
        let Subject { book, kpi, .. } = self;
        let shares = Shares::new(book, kpi, level);
        let (errors, judged) = (shares.errors(FAST), shares.judged(FAST));
        let alerting = book.alerting(self.id);
        let share = number(alerting.missed_share);
        let least = fewest(alerting.minimum_orders, 1, alerting.missed_share);
        let (help, within, place) = (&kpi.help, self.promise.within, place(kpi, level));
        let promised = number(self.promise.objective * 100.0);
        Alert {
            expression: format!(
                "{errors} > {share}\nand {judged} >= {least}\n{}",
                unless_behind(kpi, level, &[])
            ),
            after: minutes(2),
            summary: format!(
                "{help}: {{{{ $value | humanizePercentage }}}} of orders broken{place}"
            ),
            description: format!(
                "In the last {FAST} {{{{ $value | humanizePercentage }}}} of the orders{place} took \
                 longer than {within}, or wait longer already; {promised} % are promised. {}",
                self.why(level)
            ),
            ..self.alert("PromiseMissed", level, Severity::Critical)
        }
    }

    /// Whether a pair asks what `PromiseMissed` asks already: so it is with a generous objective, or
    /// with a share that somebody has set so.
    fn is_missed(&self, burn: &Burn) -> bool {
        let missed = number(self.book.alerting(self.id).missed_share);
        burn.long == FAST && burn.short == FAST && number(burn.share) == missed
    }

    fn burns(&self, level: Level, burn: &Burn) -> Alert {
        let Subject { book, kpi, .. } = self;
        let shares = Shares::new(book, kpi, level);
        let (long, judged) = (shares.errors(burn.long), shares.judged(burn.long));
        let least = burn.minimum_orders(book.alerting(self.id).minimum_orders);
        let share = number(burn.share);
        let (name, severity, after) = match (burn.pages, level) {
            (true, Level::All) => ("PromiseBudgetBurnsFast", Severity::Critical, minutes(1)),
            // By chance some part of a shop in trouble is there before the whole: the whole, which
            // silences it, is to speak first.
            (true, Level::Part) => ("PromiseBudgetBurnsFast", Severity::Critical, minutes(2)),
            (false, _) => ("PromiseBudgetBurnsSlowly", Severity::Warning, minutes(15)),
        };
        let mut alert = self.alert(name, level, severity);
        alert.labels.push(("window", burn.long.to_string()));
        let (help, place) = (&kpi.help, place(kpi, level));
        let (allowed, rate) = (
            number((1.0 - self.promise.objective) * 100.0),
            number((burn.rate * 10.0).round() / 10.0),
        );
        let long_window = burn.long;
        // A young Prometheus fires it too: what it has of six hours may be ten minutes.
        let over = if long_window > HOUR {
            "In what is known of the last"
        } else {
            "Over"
        };
        let (and_short, goes_on) = goes_on(&shares, burn);
        Alert {
            expression: format!(
                "{long} > {share}\nand {judged} >= {least}{and_short}\n{}",
                unless_behind(kpi, level, &[])
            ),
            after,
            summary: format!(
                "{help}: {{{{ $value | humanizePercentage }}}} of orders broken in {long_window}{place}"
            ),
            description: format!(
                "{over} {long_window} {{{{ $value | humanizePercentage }}}} of the orders{place} broke \
                 the promise{goes_on}; {allowed} % may. More than \
                 {rate} times that fires this. {}",
                self.why(level)
            ),
            ..alert
        }
    }
}

/// What the short window adds to a pair's condition and to its text: nothing where it is the long one.
fn goes_on(shares: &Shares, burn: &Burn) -> (String, String) {
    if burn.short == burn.long {
        return (String::new(), String::new());
    }
    let (errors, judged) = (shares.errors(burn.short), shares.judged(burn.short));
    let (share, least) = (number(burn.share), burn.minimum_orders_short());
    (
        format!("\nand {errors} > {share}\nand {judged} >= {least}"),
        format!(", and it goes on in the last {}", burn.short),
    )
}
