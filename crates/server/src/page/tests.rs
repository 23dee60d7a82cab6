//! Samples in, page out: `tests/pages/NAME.metrics` holds what `/metrics` says, `NAME.html` the page that
//! is made of it. `KEPT_UPDATE_EXPECTED=1` writes the pages anew, for review.

use std::fs;
use std::path::Path;

use catalogue::metrics::MetricKind;
use engine::survival::Survival;
use events::Span;
use exposition::{Family, Labels, Sample, Value};

use super::alerts::read;
use super::history::PromiseMoment;
use super::*;

mod alerts;
mod markdown;

/// The time of every page: 2026-01-05 10:00:00 UTC.
const NOW: f64 = 1_767_607_200.0;

/// The shipped packs.
fn plan() -> Plan {
    let text = "[kafka]\nbrokers = \"k:1\"\ntopic = [{ name = \"shop.events\" }]\n";
    let sources = catalogue::Sources {
        path: "kept.toml",
        text,
        environment: &[],
        files: &[],
    };
    catalogue::read(&sources).expect("a good configuration").1
}

/// Reads lines of `name{label="value"} number`; in values `\n`, `\"` and `\\` are escapes.
fn families_of(text: &str) -> Vec<Family> {
    let mut families: Vec<Family> = Vec::new();
    for line in text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        let (series, value) = line.rsplit_once(' ').expect("a number at the end");
        let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
        let kind = if name.ends_with("_total") {
            MetricKind::Counter
        } else {
            MetricKind::Gauge
        };
        let empty = Family::new(name, "", kind);
        let place = families.iter().position(|family| family.name == empty.name);
        let place = place.unwrap_or_else(|| {
            families.push(empty);
            families.len() - 1
        });
        let labels = Labels::of(pairs(labels.strip_suffix('}').expect("a closing brace")));
        let none = Labels::none();
        let value = Value::float(value.parse().expect("a number"));
        families[place]
            .samples
            .push(Sample::new([&labels, &none, &none], value));
    }
    families
}

fn pairs(mut text: &str) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    while let Some((name, rest)) = text.split_once("=\"") {
        let mut value = String::new();
        let mut characters = rest.char_indices();
        let end = loop {
            match characters.next().expect("a closing quote") {
                (at, '"') => break at,
                (_, '\\') => match characters.next().expect("something escaped").1 {
                    'n' => value.push('\n'),
                    other => value.push(other),
                },
                (_, other) => value.push(other),
            }
        };
        pairs.push((name.trim_start_matches(',').to_owned(), value));
        text = &rest[end + 1..];
    }
    pairs
}

/// What a page is made of beside the samples.
struct Scene {
    metrics: String,
    history: History,
    ready: Result<(), String>,
    alerts: Alerts,
    bounds: Bounds,
    tasks: BTreeSet<(usize, i32)>,
    partitions: BTreeMap<String, i32>,
}

impl Scene {
    fn of(metrics: &str) -> Scene {
        Scene {
            metrics: metrics.to_owned(),
            history: History::default(),
            ready: Ok(()),
            alerts: Alerts::NotConfigured,
            bounds: Bounds::default(),
            tasks: [(0, 0), (0, 1)].into(),
            partitions: [("shop.events".to_owned(), 4)].into(),
        }
    }

    /// The samples of a file of the folder with the pages.
    fn read(name: &str) -> Scene {
        let path = pages().join(format!("{name}.metrics"));
        Scene::of(&fs::read_to_string(path).expect("the scene is there"))
    }

    fn page(&self) -> String {
        let plan = plan();
        let families = families_of(&self.metrics);
        let runbooks = ["PromiseStalled", "PromiseMissed"].map(|alert| Runbook {
            alert: alert.to_owned(),
            text: String::new(),
        });
        let picture = Picture {
            plan: &plan,
            numbers: &Numbers::new(&families),
            history: &self.history,
            ready: &self.ready,
            alerts: &self.alerts,
            job: "kept",
            bounds: &self.bounds,
            runbooks: &runbooks,
            tasks: self.tasks.clone(),
            partitions: self.partitions.clone(),
            now: NOW,
            refresh: true,
        };
        render(&picture).finish()
    }
}

fn pages() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pages")
}

/// Compares a page with the expected one.
#[track_caller]
fn check(name: &str, page: &str) {
    let path = pages().join(format!("{name}.html"));
    if std::env::var_os("KEPT_UPDATE_EXPECTED").is_some() {
        fs::write(&path, page).expect("the folder can be written");
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    let differs = page
        .lines()
        .zip(expected.lines())
        .find(|(one, other)| one != other);
    assert!(
        page == expected,
        "{} differs, first here: {differs:?}\nKEPT_UPDATE_EXPECTED=1 writes it anew",
        path.display()
    );
}

#[track_caller]
fn has(page: &str, part: &str) {
    assert!(page.contains(part), "{part} is not in\n{page}");
}

/// An hour in which the p95 with open orders rises for the last ten minutes.
fn history(plan: &Plan) -> History {
    let mut history = History::default();
    for moment in 0..=240 {
        let late = f64::from((moment - 200).max(0));
        let promise = PromiseMoment {
            plain_p95: 48.0 + f64::from(moment % 5),
            with_open_p95: 50.0 + f64::from(moment % 7) + late * 6.0,
            share: 0.97,
            ..PromiseMoment::default()
        };
        let promises = plan.kpis.iter().map(|kpi| match kpi.kind {
            Kind::Promise(_) => Some(promise.clone()),
            _ => None,
        });
        history.push(Moment {
            at: NOW - f64::from(240 - moment) * 15.0,
            promises: promises.collect(),
        });
    }
    history
}

#[test]
fn a_shop_in_an_incident() {
    let mut scene = Scene::read("incident");
    scene.history = history(&plan());
    let body = br#"{"status":"success","data":{"alerts":[
        {"labels":{"alertname":"Watchdog","severity":"none"},"annotations":{},"state":"firing","activeAt":"2026-01-05T09:00:00Z"},
        {"labels":{"alertname":"Foreign","job":"kept"},"annotations":{},"state":"firing","activeAt":"2026-01-05T09:00:00Z"},
        {"labels":{"alertname":"PromiseMissed","job":"another"},"annotations":{},"state":"firing","activeAt":"2026-01-05T09:00:00Z"},
        {"labels":{"alertname":"PromiseMissed","job":"kept","severity":"warning"},"annotations":{},"state":"pending","activeAt":"2026-01-05T09:59:00Z"},
        {"labels":{"alertname":"PromiseStalled","job":"kept","severity":"critical","owner":"fulfilment-team","kpi":"fulfilment"},
         "annotations":{"summary":"<b>Nothing</b> was completed"},"state":"firing","activeAt":"2026-01-05T09:54:30Z"}]}}"#;
    scene.alerts = Alerts::Known(NOW - 3.0, read(body).expect("a whole answer"));
    let plan = plan();
    let mut kpis = plan.kpis.iter();
    let promise = kpis.position(|kpi| kpi.id == "fulfilment");
    let mut open = Survival::default();
    open.add_completed(Span::ZERO, Span::from_seconds(31), 10);
    open.add_left(Span::ZERO, Span::from_seconds(311), 9);
    open.fold();
    let exact = scene.page();
    assert!(!exact.contains("at least</small>"), "p95 may equal p99");
    let promise = promise.expect("the pack has it");
    scene.bounds.look(promise, 0, &open);
    let page = scene.page();
    has(&page, "Not kept");
    has(&page, "<small>at least</small>");
    has(&page, "&lt;b&gt;Nothing&lt;/b&gt; was completed");
    let [stalled, missed] = ["PromiseStalled.md", "PromiseMissed.md"].map(|name| page.find(name));
    assert!(stalled < missed, "firing ones come first");
    has(&page, "2 of other rules");
    has(&page, "</strong> firing, began 5 m 30 s ago, critical");
    // The oldest began 312 s ago, and what is overdue is so as of 31.5 s ago.
    has(&page, "<dt>oldest open waits</dt><dd><data value=\"280.5\"");
    has(&page, ">31.5 s</data> ago: events");
    let alerts = page.find("<h2>Alerts").expect("the section is there");
    let promise = page.find("Promised:").expect("the section is there");
    assert!(promise < alerts, "a phone shows the promise first");
    has(
        &page,
        "<a href=\"#alerts\">Firing</a>:</strong> PromiseStalled</p>",
    );
    has(&page, "within the limit, in 2 of 4 partitions</small>");
    has(
        &page,
        "Not the whole shop:</strong> partitions 0-1 (2 of 4) of shop.events. The rest",
    );
    has(
        &page,
        "0-1 (2 of 4) of shop.events; the rest is on other instances",
    );
    check("incident", &page);
}

#[test]
fn without_an_order_there_is_nothing_to_judge() {
    let page = Scene::read("no-orders").page();
    has(&page, "Nothing to judge");
    assert!(
        !page.contains("NaN</data>"),
        "NaN is no word for people:\n{page}"
    );
    check("no-orders", &page);
}

#[test]
fn while_nothing_is_shown_the_page_says_why() {
    let mut scene = Scene::of("");
    scene.ready = Err("2 tasks are catching up with their partitions\n<x>".into());
    scene.tasks.clear();
    scene.alerts = Alerts::Failed(None);
    let page = scene.page();
    has(
        &page,
        "<li>2 tasks are catching up with their partitions</li>",
    );
    has(&page, "<li>&lt;x&gt;</li>");
    has(&page, "No numbers");
    has(&page, "Unknown: Prometheus does not answer.");
    check("not-ready", &page);
}

#[test]
fn the_whole_shop_needs_no_word_about_partitions() {
    let mut scene = Scene::read("incident");
    scene.tasks = (0..4).map(|partition| (0, partition)).collect();
    let page = scene.page();
    assert!(!page.contains("Not the whole shop"), "{page}");
    has(&page, "within the limit</small>");
    scene.partitions.clear();
    let page = scene.page();
    has(
        &page,
        "within the limit, in this instance's partitions</small>",
    );
    has(&page, "other instances may have more");
}

/// An order on a partition that is behind has not waited for longer by the time that is shown of it.
#[test]
fn a_wait_is_measured_to_the_display_time_of_its_own_partition() {
    let lines = [
        ("open", 0, 1.0),
        ("overdue", 0, 0.0),
        ("oldest_open_start_timestamp_seconds", 0, NOW - 66.4),
        ("oldest_open_start_timestamp_seconds", 1, NOW - 500.0),
    ];
    let series = lines.map(|(name, partition, value)| {
        format!(
            "shop_fulfilment_{name}{{region=\"a\",channel=\"b\",partition=\"{partition}\"}} {value}"
        )
    });
    let display = [(0, NOW - 30.0), (1, NOW - 490.0), (2, NOW - 3.0)].map(|(partition, value)| {
        format!("kept_display_timestamp_seconds{{topic=\"shop.events\",partition=\"{partition}\"}} {value}")
    });
    let page = Scene::of(&[&series[..], &display[..]].concat().join("\n")).page();
    has(&page, ">36.4 s</data></dd>");
    has(&page, "As of <data value=\"490\"");
    let none = Scene::of(&[&series[..1], &display[..]].concat().join("\n")).page();
    has(
        &none,
        "group_right shop_fulfilment_oldest_open_start_timestamp_seconds)\">none</data>",
    );
}

#[test]
fn an_average_over_several_currencies_is_not_called_that_of_each() {
    let mixed = Scene::read("incident").page();
    has(&mixed, "EUR + <data");
    has(&mixed, "not the average of those in one");
    let mut scene = Scene::read("incident");
    let lines = scene.metrics.lines();
    let one: Vec<&str> = lines.filter(|line| !line.contains("USD")).collect();
    scene.metrics = one.join("\n");
    let one = scene.page();
    assert!(!one.contains("not the average of those in one"), "{one}");
}

#[test]
fn a_page_is_for_everybody_while_its_views_are_shown() {
    let view = || {
        Arc::new(View {
            group: 0,
            partition: 0,
            offsets: vec![0],
            display: events::EventTime(0),
            exact: true,
            inputs: Vec::new(),
            kpis: Vec::new(),
            entries: engine::view::Entries::default(),
        })
    };
    let (one, other) = (view(), view());
    let alone = std::slice::from_ref;
    let painted = Painted::default();
    let page = Bytes::from("a page");
    painted.keep(true, alone(&one), page.clone());
    assert_eq!(painted.find(true, alone(&one)), Some(page));
    assert_eq!(painted.find(false, alone(&one)), None);
    assert_eq!(painted.find(true, alone(&other)), None);
    assert_eq!(painted.find(true, &[one.clone(), other]), None);
    assert_eq!(painted.find(true, &[]), None, "nothing is shown any more");
    assert_eq!(Arc::weak_count(&one), 1, "the view itself is not held");
    assert_eq!(Arc::strong_count(&one), 1);
}

#[test]
fn an_instance_without_partitions_says_that_others_have_them() {
    let mut scene = Scene::of("");
    scene.tasks.clear();
    has(&scene.page(), "Ready, without a partition");
}

#[test]
fn hostile_label_values_stay_text() {
    const HOSTILE: [&str; 5] = [
        "</td><script>alert(1)</script>",
        "\\\" onmouseover=\\\"alert(1)",
        "<img src=x onerror=alert(1)>",
        "javascript:alert(1)",
        "&lt;b&gt;",
    ];
    let mut metrics = String::new();
    for (at, value) in HOSTILE.iter().enumerate() {
        let labels = format!("region=\"{value}\",channel=\"{value}\"");
        metrics += &format!("shop_fulfilment_open{{{labels},partition=\"0\"}} 3\n");
        metrics += &format!("shop_fulfilment_overdue{{{labels},partition=\"0\"}} {at}\n");
        metrics += &format!(
            "shop_cart_value_abandoned_total{{channel=\"a\",device=\"b\",currency=\"{value}\",partition=\"0\"}} 1\n"
        );
        metrics +=
            &format!("shop_cart_open{{channel=\"{value}\",device=\"b\",partition=\"0\"}} 1\n");
    }
    let page = Scene::of(&metrics).page();
    has(&page, "&lt;script&gt;alert(1)&lt;/script&gt;");
    for broken in [
        "<script",
        "<img",
        "onmouseover=\"",
        "href=\"javascript",
        "onerror=alert(1)>",
    ] {
        assert!(!page.contains(broken), "{broken} is in\n{page}");
    }
    assert_eq!(well_formed(&page), Ok(()), "{page}");
}

#[test]
fn of_hundreds_of_label_sets_the_worst_are_shown() {
    let mut metrics = String::new();
    for region in 0..500 {
        let labels = format!("region=\"r{region}\",channel=\"web\",partition=\"0\"");
        metrics += &format!("shop_fulfilment_open{{{labels}}} 1\n");
        metrics += &format!("shop_fulfilment_overdue{{{labels}}} {region}\n");
    }
    let long = "x".repeat(5000);
    metrics += &format!(
        "shop_fulfilment_overdue{{region=\"{long}\",channel=\"web\",partition=\"0\"}} 1000\n"
    );
    let page = Scene::of(&metrics).page();
    let places = ["xxxx", "r499, web", "r498, web", "r495, web"].map(|text| page.find(text));
    assert!(places.is_sorted() && places[0].is_some(), "{places:?}");
    assert!(!page.contains("r494, web"));
    has(&page, "and 495 more, none of them worse");
    assert!(!page.contains(&"x".repeat(500)), "it is cut");
    assert!(page.len() < 60_000, "{} bytes", page.len());
}

#[test]
fn every_page_is_well_formed() {
    for name in ["incident", "no-orders"] {
        assert_eq!(well_formed(&Scene::read(name).page()), Ok(()), "{name}");
    }
    let nested = "<p><b>x</p></b>";
    assert!(well_formed(nested).is_err(), "the check can fail");
}

/// Every tag is closed in the order in which it was opened.
fn well_formed(page: &str) -> Result<(), String> {
    const ALONE: [&str; 5] = ["!doctype", "meta", "link", "br", "hr"];
    let mut open: Vec<&str> = Vec::new();
    for tag in page.split('<').skip(1) {
        let (tag, _) = tag.split_once('>').ok_or("a tag without an end")?;
        let name = tag
            .trim_start_matches('/')
            .split([' ', '/', '\n'])
            .next()
            .unwrap_or_default();
        if tag.starts_with('/') {
            let last = open.pop();
            if last != Some(name) {
                return Err(format!("</{name}> closes {last:?}"));
            }
        } else if !ALONE.contains(&name) && !tag.ends_with('/') {
            open.push(name);
        }
    }
    if open.is_empty() {
        Ok(())
    } else {
        Err(format!("{open:?} stay open"))
    }
}

/// The formula is that of WCAG 2.2, "contrast ratio"; 4.5 is asked of text.
#[test]
fn text_can_be_read_by_day_and_by_night() {
    let (light, dark) = STYLE
        .split_once("@media (prefers-color-scheme: dark)")
        .expect("both");
    for palette in [light, dark] {
        for text in ["text", "soft", "link", "good", "warn", "bad", "plain"] {
            for back in ["back", "card"] {
                let [one, other] = [text, back].map(|name| luminance(palette, name));
                let ratio = (one.max(other) + 0.05) / (one.min(other) + 0.05);
                assert!(ratio >= 4.5, "{text} on {back}: {ratio:.2}");
            }
        }
    }
}

/// The relative luminance of a colour of the palette.
fn luminance(palette: &str, name: &str) -> f64 {
    let (_, rest) = palette
        .split_once(&format!("--{name}: #"))
        .expect("a colour of that name");
    let channel = |at: usize| {
        let value = u8::from_str_radix(&rest[at..at + 2], 16).expect("six digits");
        let value = f64::from(value) / 255.0;
        if value <= 0.04045 {
            value / 12.92
        } else {
            ((value + 0.055) / 1.055).powf(2.4)
        }
    };
    0.2126 * channel(0) + 0.7152 * channel(2) + 0.0722 * channel(4)
}
