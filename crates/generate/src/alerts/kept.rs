//! Alerts on Kept itself: gone, not serving, behind, blind, or fed with what it can't use.
//!
//! Thresholds are constants here; what differs between shops is in `[generate]`.

use catalogue::metrics::kept;
use events::Span;

use super::text::asked;
use super::{BEHIND_KEEPS, HEALTH_DASHBOARD, PAGE_KEEPS, TICKET_KEEPS, skew, snapshot};
use crate::book::Book;
use crate::promql::{is, is_any, minutes, partition_max};
use crate::recording::kept as recorded;
use crate::rule::{Alert, Severity};

/// More rejected records than this are too many.
pub const REJECTED_SHARE: f64 = 0.01;
/// Likewise late events.
pub const LATE_SHARE: f64 = 0.05;
/// Likewise events beyond the dedupe horizon.
pub const TOO_LATE_SHARE: f64 = 0.001;

/// All of them. The Watchdog fires always: its silence is the alarm.
pub fn alerts(book: &Book<'_>) -> Vec<Alert> {
    let mut alerts = presence(book);
    alerts.extend(progress(book));
    alerts.push(unowned(book));
    alerts.push(no_events(book));
    alerts.extend(inputs(book));
    alerts.extend(skew::alerts(book));
    alerts.extend(losses(book));
    alerts.push(state_lost(book));
    alerts
}

/// What one alert on Kept says, and when.
pub struct Say<'a> {
    /// Its name.
    pub name: &'static str,
    /// How much it wants of a person.
    pub severity: Severity,
    /// It fires while this has values.
    pub expression: String,
    /// How long it must have had values.
    pub after: Span,
    /// One line; a template.
    pub summary: &'a str,
    /// What happened, with numbers; a template.
    pub description: &'a str,
}

/// The alert of that.
pub fn alert(book: &Book<'_>, say: Say<'_>) -> Alert {
    let keep_firing = match say.severity {
        Severity::Critical if say.name == "KeptBehind" => BEHIND_KEEPS,
        Severity::Critical => PAGE_KEEPS,
        Severity::Warning => TICKET_KEEPS,
        // The Watchdog never ends: there is nothing to keep.
        Severity::Info if say.name == "Watchdog" => Span::ZERO,
        Severity::Info => TICKET_KEEPS,
    };
    Alert {
        name: say.name,
        expression: say.expression,
        after: say.after,
        keep_firing,
        severity: say.severity,
        owner: book.generation.owner.clone(),
        labels: Vec::new(),
        summary: say.summary.to_owned(),
        description: say.description.to_owned(),
        dashboard: HEALTH_DASHBOARD.to_owned(),
    }
}

/// Of the instances that Prometheus knows, how many answer; two numbers as templates.
fn answering(matchers: &str, values: &str) -> [String; 2] {
    [
        counted(&format!("count(up{{{matchers}}} == 1)"), values),
        counted(&format!("count(up{{{matchers}}})"), values),
    ]
}

/// The number that a query has, 0 without any; each `%q` of it is one of the values.
fn counted(query: &str, values: &str) -> String {
    let query = match values {
        "" => format!("`{query}`"),
        _ => format!("(printf `{query}` {values})"),
    };
    format!("{{{{ with query {query} }}}}{{{{ . | first | value }}}}{{{{ else }}}}0{{{{ end }}}}")
}

/// What helps when nobody can open a link to Kept, since it is Kept that is gone.
const BY_HAND: &str = "Start it again with the same configuration: it goes on from its last \
                       snapshot and no number is lost; if it ends at once, the last line of its log \
                       says why (Kafka, the configuration, memory).";

fn presence(book: &Book<'_>) -> Vec<Alert> {
    let job = is("job", &book.generation.job);
    let [all_alive, all_known] = answering(&job, "");
    let (same, values) = (book.same(), book.same_values());
    let [alive, known] = answering(&same, &values);
    let say = |name, expression: String, after, summary, description: &str| {
        let severity = match name {
            "Watchdog" => Severity::Info,
            _ => Severity::Critical,
        };
        let say = Say {
            name,
            severity,
            expression,
            after,
            summary,
            description,
        };
        alert(book, say)
    };
    let waiting = is_any("state", &["catching_up", "restoring", "fenced"]);
    let waiting = format!("sum({}{{{same},{waiting}}})", kept::TASKS.name);
    let waiting = counted(&waiting, &values);
    vec![
        say(
            "Watchdog",
            "vector(1)".to_owned(),
            Span::ZERO,
            "Alerts reach you",
            &format!(
                "Always firing. When it stops arriving, Prometheus or Alertmanager is down. \
                 {all_alive} of {all_known} instances of Kept answer."
            ),
        ),
        say(
            "KeptDown",
            format!("up{{{job}}} == 0"),
            minutes(2),
            "Kept on {{ $labels.instance }} is down",
            &format!(
                "Prometheus could not scrape {{{{ $labels.instance }}}} for 2m; {alive} of {known} \
                 instances answer. They take over its partitions; if none does, nobody watches the \
                 shop. {BY_HAND} The runbook's link may lead to Kept itself: the same text is \
                 docs/runbooks/KeptDown.md in its repository."
            ),
        ),
        absent(book, &job),
        say(
            "KeptNotReady",
            format!("{} == 0", recorded::serving()),
            minutes(5),
            "Kept runs, but serves no partition",
            &format!(
                "For 5m no instance of job {{{{ $labels.job }}}} has served a partition: the KPIs \
                 are absent. {alive} of {known} instances answer, and {waiting} tasks are restored, \
                 catch up or are fenced. /readyz of an instance says what it waits for."
            ),
        ),
    ]
}

/// A comparison leaves `absent` without labels: the job is set here, so that this alert and those
/// that it silences are of one group and one page.
fn absent(book: &Book<'_>, job: &str) -> Alert {
    let [_, known] = answering(job, "");
    let before = counted(&format!("count(up{{{job}}} offset 1h == 1)"), "");
    let description = format!(
        "Prometheus knows {known} targets of Kept and none has answered for 2m ({before} answered an \
         hour ago): the shop's promise is not watched, and alerts on its KPIs can't fire. With 0 \
         targets look at Prometheus' own configuration, else at what all instances share. {BY_HAND} \
         The runbook's link may lead to Kept itself: the same text is docs/runbooks/KeptAbsent.md in \
         its repository."
    );
    let mut alert = alert(
        book,
        Say {
            name: "KeptAbsent",
            severity: Severity::Critical,
            expression: format!("absent(up{{{job}}} == 1)"),
            after: minutes(2),
            summary: "No Kept is scraped at all",
            description: &description,
        },
    );
    alert.labels.push(("job", book.generation.job.clone()));
    alert
}

fn progress(book: &Book<'_>) -> Vec<Alert> {
    let say = |say| alert(book, say);
    let unfollowed = format!("sum({}{{{}}})", recorded::entities_overflow(), book.same());
    let unfollowed = asked(&unfollowed, &book.same_values(), "humanize");
    vec![
        say(Say {
            name: "KeptBehind",
            severity: Severity::Critical,
            expression: format!("{} > 0", recorded::behind()),
            after: minutes(3),
            summary: "Kept is behind: {{ $value }} tasks or partitions",
            description: "{{ $value }} signs: partitions that lag by more than 1m, and tasks that \
                          are not served yet (one may be both). Their numbers are old: alerts on \
                          all promises and targets are silent until it has caught up.",
        }),
        clock_stalled(book),
        snapshot::alert(book),
        say(Say {
            name: "KeptInexact",
            severity: Severity::Warning,
            expression: format!("min {} ({}) == 0", book.without(&[]), kept::EXACT.name),
            after: minutes(1),
            summary: "Numbers of {{ $labels.topic }}/{{ $labels.partition }} are not exact",
            description: &format!(
                "A limit of open or held entities was hit: {unfollowed} events were not followed in \
                 the last 1h, and counts may be too low until the task is rebuilt."
            ),
        }),
    ]
}

/// What is matched is never named: a namespace that tells two Kepts of one job apart stays.
fn clock_stalled(book: &Book<'_>) -> Alert {
    let clock = partition_max(kept::CLOCK.name);
    let ten = recorded::TEN;
    let (same, values) = (book.same(), book.same_values());
    let records = format!("{}{{{same},topic=%q}}", recorded::topic_events(ten));
    let records = asked(&records, &format!("{values} $labels.topic"), "humanize");
    let age = format!("time() - {clock}{{{same},topic=%q,partition=%q}}");
    let place = format!("{values} $labels.topic $labels.partition");
    let age = asked(&age, &place, "humanizeDuration");
    alert(
        book,
        Say {
            name: "KeptClockStalled",
            severity: Severity::Warning,
            expression: format!(
                "{clock} - {clock} offset {ten} == 0\n\
                 and ignoring (partition) {events}\n  / count without (partition) ({clock}) >= 50\n\
                 unless ignoring (topic, partition) {behind} > 0",
                events = recorded::topic_events(ten),
                behind = recorded::behind()
            ),
            after: minutes(5),
            summary: "The clock of {{ $labels.topic }}/{{ $labels.partition }} stands still",
            description: &format!(
                "Partition {{{{ $labels.partition }}}} of {{{{ $labels.topic }}}} has had no newer \
                 event for 10m, while its topic had {records} records; its clock is {age} behind: its \
                 orders are not judged, those past their limit stay overdue, and its windows go on \
                 and empty."
            ),
        },
    )
}

/// The group is content and some partitions are nobody's: nothing of them lags, nothing of them is
/// shown, and no other alert knows of them. Joining anew mends it within a minute or two, if it can.
fn unowned(book: &Book<'_>) -> Alert {
    alert(
        book,
        Say {
            name: "KeptPartitionsUnowned",
            severity: Severity::Critical,
            expression: format!(
                "max {} ({}) > 0",
                book.without(&[]),
                kept::WITHOUT_OWNER.name
            ),
            after: minutes(3),
            summary: "Nobody reads {{ $value }} partitions",
            description: "The group of job {{ $labels.job }} has given {{ $value }} partitions to \
                          none of its members for 3m: their orders are in no number, and alerts on \
                          KPIs don't see them. The log of an instance names them.",
        },
    )
}

/// Nothing at all arrives, and much did within the hour: every alert on a KPI is silent then, since
/// nothing starts.
fn no_events(book: &Book<'_>) -> Alert {
    let all = |window| format!("sum without (topic) ({})", recorded::topic_events(window));
    let (ten, hour) = (all(recorded::TEN), all(crate::book::HOUR));
    alert(
        book,
        Say {
            name: "KeptNoEvents",
            severity: Severity::Warning,
            expression: format!(
                "{hour} >= 100\nand {ten} == 0\nunless {} > 0",
                recorded::behind()
            ),
            after: minutes(5),
            summary: "Not one record has arrived for 10m",
            description: "All topics are silent for 10m, after {{ $value | humanize }} records in \
                          the last 1h: either nobody uses the shop, or no producer reaches Kafka. \
                          Alerts on KPIs can't tell. It ends by itself after an hour of silence.",
        },
    )
}

fn inputs(book: &Book<'_>) -> Vec<Alert> {
    let say = |say| alert(book, say);
    let hour = crate::book::HOUR;
    let topic_hour = recorded::topic_events(hour);
    vec![
        say(Say {
            name: "KeptRejects",
            severity: Severity::Warning,
            expression: format!(
                "{} > {REJECTED_SHARE}\nand {} >= 100",
                recorded::rejected_share(),
                recorded::topic_events(recorded::TEN)
            ),
            after: minutes(5),
            summary: "{{ $value | humanizePercentage }} of the records of {{ $labels.topic }} are rejected",
            description: "In the last 10m {{ $value | humanizePercentage }} of the records of \
                          {{ $labels.topic }} could not be read as events. The dead-letter topic \
                          has them with their reasons.",
        }),
        say(Say {
            name: "KeptEventsLate",
            severity: Severity::Warning,
            expression: format!(
                "{} > {LATE_SHARE}\nand {topic_hour} >= 100",
                recorded::late_share()
            ),
            after: minutes(15),
            summary: "{{ $value | humanizePercentage }} of the events of {{ $labels.topic }} are late",
            description: "In the last 1h {{ $value | humanizePercentage }} of the events of \
                          {{ $labels.topic }} came later than the lateness allows: promises may be \
                          judged broken too early.",
        }),
        say(Say {
            name: "KeptEventsTooLate",
            severity: Severity::Warning,
            expression: format!(
                "{} > {TOO_LATE_SHARE}\nand {topic_hour} >= 1001",
                recorded::too_late_share()
            ),
            after: minutes(15),
            summary: "{{ $value | humanizePercentage }} of the events of {{ $labels.topic }} are too late to count",
            description: "In the last 1h {{ $value | humanizePercentage }} of the events of \
                          {{ $labels.topic }} were older than the dedupe horizon: counts leave them \
                          out.",
        }),
        say(Say {
            name: "KeptLabelOverflow",
            severity: Severity::Info,
            expression: format!("{} > 0", recorded::label_overflow()),
            after: Span::ZERO,
            summary: "{{ $labels.label }} of {{ $labels.kpi }} has too many values",
            description: "In the last 1h {{ $value | humanize }} events got `other` as \
                          {{ $labels.label }} of {{ $labels.kpi }}: totals are right, the split is not.",
        }),
    ]
}

fn losses(book: &Book<'_>) -> Vec<Alert> {
    let say = |say| alert(book, say);
    vec![
        say(Say {
            name: "KeptEntitiesOverflow",
            severity: Severity::Warning,
            expression: format!("{} > 0", recorded::entities_overflow()),
            after: Span::ZERO,
            summary: "{{ $labels.kpi }} has reached its limit of {{ $labels.limit }} entities",
            description: "In the last 1h {{ $value | humanize }} events of {{ $labels.kpi }} were \
                          not followed because the limit was reached.",
        }),
        say(Say {
            name: "KeptDeadLettersLost",
            severity: Severity::Warning,
            expression: format!("{} > 0", recorded::letters_lost()),
            after: Span::ZERO,
            summary: "{{ $value | humanize }} rejected records were lost",
            description: "In the last 1h {{ $value | humanize }} rejected records could not be \
                          written to the dead-letter topic. They are counted, but gone.",
        }),
        say(Say {
            name: "KeptLogGap",
            severity: Severity::Warning,
            expression: format!("{} > 0", recorded::log_gap()),
            after: Span::ZERO,
            summary: "{{ $value | humanize }} records of {{ $labels.topic }} were gone before they were read",
            description: "In the last 1h {{ $value | humanize }} records of {{ $labels.topic }} had \
                          left the log before Kept read them: its numbers lack them for good.",
        }),
    ]
}

/// Increases are right across it, since a fall to zero is a restart to them; what is since ever is
/// not.
fn state_lost(book: &Book<'_>) -> Alert {
    alert(
        book,
        Say {
            name: "KeptStateLost",
            severity: Severity::Warning,
            expression: format!("{} > 0", recorded::state_lost()),
            after: Span::ZERO,
            summary: "The totals of {{ $value }} tasks began at zero",
            description: "In the last 1h {{ $value }} tasks (partitions with their state) had to \
                          begin their totals at zero: no snapshot and no log reached back to what \
                          was shown. Rates and increases stay right; totals since ever begin anew, \
                          and orders from before the log's beginning are not followed.",
        },
    )
}
