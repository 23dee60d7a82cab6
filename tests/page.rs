//! The live page as people see it: the real binary, the demo's shop, and Chromium.
//!
//! Its numbers are those of `/metrics`, it asks for nothing but itself, fits the narrowest phone, and
//! is dark where the reader's screen is. The runbooks are where the alerts' links lead.
#![allow(
    clippy::disallowed_methods,
    reason = "the test of a process and of a browser starts them"
)]

#[path = "page_support/browser.rs"]
mod browser;
#[path = "page_support/query.rs"]
mod query;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use browser::{Browser, Scheme};
use support::{Folder, Kafka, Kept, Process, Prometheus, Samples, get, until, within};

const LONG: Duration = Duration::from_secs(90);
/// A still picture, so that the browser has an end to wait for.
const STILL: &str = "/?refresh=off";

/// A demo whose shop has orders in every partition.
struct Demo {
    _process: Process,
    port: u16,
}

impl Demo {
    fn start(name: &str) -> Demo {
        let log = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let mut command = Command::new(env!("CARGO_BIN_EXE_kept"));
        command.args([
            "demo",
            "--listen",
            "127.0.0.1:0",
            "--seed",
            "7",
            "--rate",
            "20",
        ]);
        let mut process = Process::start(&mut command, &log);
        let port = within(LONG, "the demo says where to look", || {
            let ended = process.ended();
            assert!(ended.is_none(), "it ended:\n{}", process.output());
            let output = process.output();
            let (_, rest) = output.split_once("http://127.0.0.1:")?;
            rest.split_once('/')?.0.parse().ok()
        });
        let demo = Demo {
            _process: process,
            port,
        };
        until(LONG, "orders were judged and all is shown", || {
            let ready = get(port, "/readyz", &[]).is_some_and(|answer| answer.status == 200);
            let judged = [("window", "5m"), ("result", "kept")];
            let judged = demo
                .metrics()
                .sum("shop_fulfilment_promises_in_window", &judged);
            ready && judged > Some(100.0)
        });
        demo
    }

    fn text(&self, path: &str) -> String {
        let answer = get(self.port, path, &[]).expect("it answers");
        assert_eq!(answer.status, 200, "{path}");
        answer.text()
    }

    fn metrics(&self) -> Samples {
        Samples::parse(&self.text("/metrics"))
    }

    /// The page and the metrics of the same views: no view came in between.
    fn page_and_metrics(&self) -> (String, Samples) {
        let clocks = |samples: &Samples| -> Vec<String> {
            let all = samples
                .iter()
                .filter(|sample| sample.0.starts_with("shop_"));
            all.map(|sample| format!("{sample:?}")).collect()
        };
        within(LONG, "no view comes between two scrapes", || {
            let before = self.metrics();
            let page = self.text(STILL);
            let after = self.metrics();
            (clocks(&before) == clocks(&after)).then_some((page, after))
        })
    }
}

#[test]
fn every_number_is_that_of_metrics() {
    let demo = Demo::start("page-numbers.log");
    let (page, metrics) = demo.page_and_metrics();
    let mut compared = 0;
    for (query, value) in query::figures(&page) {
        // Of the process itself: it goes on between a page and a scrape.
        if query.contains("kept_") || query.contains("time()") {
            continue;
        }
        let expected = query::evaluate(&metrics, &query);
        let same =
            (expected - value).abs() <= 1e-9 * value.abs() || expected.is_nan() && value.is_nan();
        assert!(same, "{query}: {expected} on /metrics, {value} on the page");
        compared += 1;
    }
    assert!(compared > 60, "only {compared} numbers in\n{page}");
    for part in [
        "p95 with open orders",
        "payments-team",
        "Carts on their way to an order",
        "0-3 ",
    ] {
        assert!(page.contains(part), "{part} is not in\n{page}");
    }
    until(LONG, "the chart has begun", || {
        demo.text(STILL).contains("<path class=\"open\" d=\"M")
    });
    until(
        LONG,
        "the broker said how many partitions there are",
        || demo.text(STILL).contains("0-3 (4 of 4) of kept.demo"),
    );
}

#[test]
fn it_asks_for_nothing_but_itself() {
    let demo = Demo::start("page-requests.log");
    let answer = get(demo.port, "/", &[]).expect("it answers");
    let policy = answer.header("content-security-policy").unwrap_or_default();
    assert!(
        policy.starts_with("default-src 'none'; style-src 'self';"),
        "{policy}"
    );
    let page = answer.text();
    for foreign in [
        "<script",
        " style=\"",
        "=\"http",
        "=\"//",
        "url(",
        "@import",
    ] {
        assert!(!page.contains(foreign), "{foreign} is in\n{page}");
    }
    let style = demo.text("/page.css");
    assert!(
        !style.contains("url(") && !style.contains("@import"),
        "{style}"
    );
    let browser = Browser::new("page-requests");
    let seen = browser.visit(&format!("http://127.0.0.1:{}{STILL}", demo.port));
    assert!(
        seen.document.contains("Is the shop keeping its promise?"),
        "{}",
        seen.document
    );
    assert_eq!(seen.console, Vec::<String>::new(), "the console is empty");
    let own = format!("127.0.0.1:{}", demo.port);
    assert_eq!(seen.hosts(&own), [own.as_str()], "only we were asked");
}

/// What the test before relies on: a script that fails and a style that the policy forbids are said.
#[test]
fn a_broken_page_is_found_by_the_console() {
    let folder = Folder::new("page-broken");
    let policy = "<meta http-equiv=\"Content-Security-Policy\" content=\"style-src 'none'\">";
    let style = format!("{policy}<p style=\"color: red\">x</p>");
    let broken = [
        ("<script>nothing.here()</script>", "nothing is not defined"),
        (style.as_str(), "Content Security Policy"),
    ];
    let browser = Browser::new("page-broken-profile");
    let path = folder.path().join("broken.html");
    let url = format!("file://{}", path.display());
    for (body, expected) in broken {
        std::fs::write(&path, format!("<!doctype html>{body}")).expect("the folder is writable");
        let said = browser.visit(&url).console;
        assert!(
            said.iter().any(|line| line.contains(expected)),
            "{body}: {said:?}"
        );
    }
    std::fs::write(&path, "<!doctype html><p>whole</p>").expect("the folder is writable");
    assert_eq!(browser.visit(&url).console, Vec::<String>::new());
}

#[test]
fn it_fits_a_phone_and_is_dark_in_the_dark() {
    let demo = Demo::start("page-phone.log");
    let (page, style) = (demo.text(STILL), demo.text("/page.css"));
    let browser = Browser::new("page-phone");
    for (scheme, back) in [
        (Scheme::Light, "rgb(255, 255, 255)"),
        (Scheme::Dark, "rgb(18, 20, 23)"),
    ] {
        for width in [320, 360, 400, 800, 1400] {
            let layout = browser.layout(&page, &style, width, scheme);
            assert!(layout.scroll_width <= width, "{layout:?} at {width}");
            assert_eq!(layout.back, back, "{scheme:?}");
            assert!(layout.height > 1000, "{layout:?}: it is laid out");
        }
    }
    let wide = "<body><div style=\"width: 500px\">x</div></body>";
    let layout = browser.layout(wide, "", 360, Scheme::Light);
    assert!(layout.scroll_width >= 500, "{layout:?}: the check can fail");
}

#[test]
fn the_runbooks_are_where_alerts_lead() {
    let demo = Demo::start("page-runbooks.log");
    let list = demo.text("/runbooks");
    let names: Vec<&str> = list
        .split("href=\"/runbooks/")
        .skip(1)
        .filter_map(|rest| rest.split_once('"'))
        .map(|(name, _)| name)
        .collect();
    assert!(names.contains(&"PromiseStalled.md"), "{list}");
    for name in &names {
        let path = format!("/runbooks/{name}");
        let answer = get(demo.port, &path, &[]).expect("it answers");
        let kind = answer.header("content-type");
        assert_eq!(
            (answer.status, kind),
            (200, Some("text/markdown; charset=utf-8"))
        );
        let title = format!("# {}\n", name.trim_end_matches(".md"));
        assert!(answer.text().starts_with(&title), "{name}");
    }
    let checked_in = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/runbooks");
    let files = std::fs::read_dir(checked_in).expect("the runbooks are checked in");
    assert_eq!(names.len(), files.count(), "as many as are checked in");
    for unknown in [
        "/runbooks/None.md",
        "/runbooks/PromiseStalled",
        "/runbooks/..%2fx.md",
    ] {
        let answer = get(demo.port, unknown, &[]).expect("it answers");
        assert_eq!(answer.status, 404, "{unknown}");
    }
}

/// One of Kept's alerts, one of somebody else's, and the one that always fires.
const RULES: &str = r#"
groups:
  - name: test
    rules:
      - alert: PromiseStalled
        expr: vector(1)
        labels: { job: kept, severity: critical, owner: fulfilment-team, kpi: fulfilment }
        annotations: { summary: "Nothing <was> completed" }
      - alert: PromiseMissed
        expr: vector(1)
        for: 1h
        labels: { job: kept, severity: warning }
      - alert: Watchdog
        expr: vector(1)
      - alert: DiskFull
        expr: vector(1)
"#;

/// On a real Kafka whose topic is empty, with a real Prometheus that goes away.
#[test]
fn firing_alerts_are_listed_with_their_runbooks() {
    let folder = Folder::new("page-rules");
    let rules = folder.path().join("rules.yml");
    std::fs::write(&rules, RULES).expect("the folder is writable");
    let config = format!(
        "global:\n  evaluation_interval: 1s\nrule_files: [\"{}\"]\n",
        rules.display()
    );
    let prometheus = Prometheus::start_with(&config);
    let flags = prometheus.ask("/api/v1/status/flags", &[]).text();
    let (_, address) = flags
        .split_once("\"web.listen-address\":\"")
        .expect("it says where it listens");
    let (address, _) = address.split_once('"').expect("the end of an address");
    let kafka = Kafka::shared();
    kafka.create_topic("page.events", 2, &[]);
    let kept = Kept::run(
        env!("CARGO_BIN_EXE_kept"),
        &format!(
            "[kafka]\nbrokers = \"{}\"\ngroup = \"page\"\n[[kafka.topic]]\nname = \"page.events\"\n\
             [http]\nprometheus_url = \"http://{address}\"\n",
            kafka.brokers()
        ),
    );
    let page = || kept.get(STILL, &[]).text();
    let stalled = "<a href=\"/runbooks/PromiseStalled.md\">PromiseStalled</a></strong> firing";
    until(LONG, "both alerts are listed", || {
        page().contains(stalled) && page().contains("PromiseMissed</a></strong> pending")
    });
    let listed = page();
    for part in [
        "Nothing &lt;was&gt; completed",
        "1 of other rules",
        "fulfilment-team",
    ] {
        assert!(listed.contains(part), "{part} is not in\n{listed}");
    }
    assert!(
        !listed.contains("Watchdog") && !listed.contains("DiskFull"),
        "{listed}"
    );
    let runbook = kept.get("/runbooks/PromiseStalled.md", &[]);
    assert!(runbook.text().starts_with("# PromiseStalled\n"));
    assert!(
        listed.contains("0-1"),
        "an empty topic's partitions are shown:\n{listed}"
    );
    drop(prometheus);
    until(LONG, "the page says that nobody answers", || {
        page().contains("Unknown: Prometheus does not answer. What it said last:")
    });
}
