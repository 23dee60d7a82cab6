//! The endpoints over a real loopback socket.
#![allow(clippy::disallowed_methods, reason = "tests on real sockets")]

mod rig;

use std::io::{Read, Write};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};

use flate2::read::GzDecoder;
use rig::{Rig, order, runtime, showing, sources, view};
use server::{Runbook, Server, SetupError};

#[test]
fn metrics_are_answered_with_build_process_and_targets() {
    let rig = Rig::start(sources(&["fulfilment"]));
    let answer = rig.get("/metrics");
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.header("content-type"),
        "text/plain; version=0.0.4; charset=utf-8"
    );
    assert_eq!(answer.header("vary"), "Accept, Accept-Encoding");
    assert_eq!(
        answer.header("content-length"),
        answer.body.len().to_string()
    );
    let text = answer.text();
    // Whoever compiles may say which commit it is.
    let revision = option_env!("KEPT_REVISION").unwrap_or("unknown");
    let build = format!("kept_build_info{{revision=\"{revision}\",version=\"1.2.3\"}} 1\n");
    for start in [
        build.as_str(),
        "process_resident_memory_bytes ",
        "process_cpu_seconds_total ",
        "kept_http_errors_total{reason=\"timeout\"} 0\n",
        "kept_scrape_seconds_count 0\n",
        "shop_fulfilment_within_seconds 60\n",
    ] {
        assert!(
            text.contains(&format!("\n{start}")),
            "{start} is not in\n{text}"
        );
    }
    assert!(
        rig.get("/metrics")
            .text()
            .contains("\nkept_scrape_seconds_count 1\n")
    );
}

#[test]
fn metrics_come_in_the_format_that_is_asked_for() {
    let rig = Rig::start(sources(&[]));
    let accept = [(
        "Accept",
        "application/openmetrics-text;version=1.0.0,*/*;q=0.1",
    )];
    let answer = rig.ask("GET", "/metrics", &accept);
    let open_metrics = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!(answer.header("content-type"), open_metrics);
    assert!(answer.text().ends_with("\n# EOF\n"));
    let twice = [
        ("Accept", "text/plain;q=0.1"),
        ("Accept", "application/openmetrics-text"),
    ];
    let answer = rig.ask("GET", "/metrics", &twice);
    assert_eq!(answer.header("content-type"), open_metrics);
}

#[test]
fn metrics_are_compressed_only_when_asked() {
    let rig = Rig::start(sources(&["fulfilment"]));
    let answer = rig.ask("GET", "/metrics", &[("Accept-Encoding", "gzip")]);
    assert_eq!(answer.header("content-encoding"), "gzip");
    let mut text = String::new();
    GzDecoder::new(&answer.body[..])
        .read_to_string(&mut text)
        .expect("valid gzip");
    assert!(
        text.contains("\nshop_fulfilment_objective_ratio 0.95\n"),
        "{text}"
    );
    let answer = rig.ask(
        "GET",
        "/metrics",
        &[("Accept-Encoding", "gzip;q=0, identity")],
    );
    assert_eq!(answer.header("content-encoding"), "");
    assert!(
        answer
            .text()
            .contains("\nshop_fulfilment_objective_ratio 0.95\n")
    );
}

#[test]
fn head_has_the_head_of_get_and_no_body() {
    let rig = Rig::start(sources(&[]));
    let answer = rig.ask("HEAD", "/metrics", &[]);
    assert_eq!((answer.status, answer.body.len()), (200, 0));
    assert_eq!(
        answer.header("content-type"),
        "text/plain; version=0.0.4; charset=utf-8"
    );
    let length: usize = answer.header("content-length").parse().expect("a length");
    assert!(length > 1000);
}

#[test]
fn other_methods_are_refused_with_those_that_work() {
    let rig = Rig::start(sources(&[]));
    for path in ["/", "/metrics", "/livez", "/readyz", "/api/overdue"] {
        let answer = rig.ask("POST", path, &[("Content-Length", "0")]);
        assert_eq!(
            (answer.status, answer.header("allow")),
            (405, "GET,HEAD"),
            "{path}"
        );
    }
    assert_eq!(rig.get("/nothing").status, 404);
    assert_eq!(rig.get(&format!("/{}", "x".repeat(3000))).status, 414);
}

#[test]
fn the_probes_say_why_not() {
    let well = Arc::new(AtomicBool::new(true));
    let mut sources = sources(&[]);
    let (ready, alive) = (Arc::clone(&well), Arc::clone(&well));
    sources.ready = Arc::new(move || match ready.load(Ordering::SeqCst) {
        true => Ok(()),
        false => Err("task 0/3 catches up\nno broker\n".into()),
    });
    sources.alive = Arc::new(move || match alive.load(Ordering::SeqCst) {
        true => Ok(()),
        false => Err("worker 1 is gone".into()),
    });
    let rig = Rig::start(sources);
    let probe = |path| {
        let answer = rig.get(path);
        (answer.status, answer.text().to_owned())
    };
    assert_eq!(probe("/readyz"), (200, "ready\n".into()));
    assert_eq!(probe("/livez"), (200, "alive\n".into()));
    well.store(false, Ordering::SeqCst);
    assert_eq!(
        probe("/readyz"),
        (503, "task 0/3 catches up\nno broker\n".into())
    );
    assert_eq!(probe("/livez"), (503, "worker 1 is gone\n".into()));
    assert_eq!(probe("/metrics").0, 200);
}

#[test]
fn overdue_orders_are_listed_oldest_first() {
    let mut sources = showing(1, &["fulfilment"]);
    sources.overdue = Arc::new(|kpi, limit| {
        assert_eq!((kpi, limit), ("fulfilment", 2));
        Ok(vec![
            order("o-2", 200, 1),
            order("o-3", 300, 0),
            order("o-\"1\"", 100, 0),
        ])
    });
    let rig = Rig::start(sources);
    let answer = rig.get("/api/overdue?kpi=fulfilment&limit=2");
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (200, "application/json")
    );
    let expected = concat!(
        r#"[{"kpi":"fulfilment","key":"o-\"1\"","age_seconds":90.5,"#,
        r#""start":"1970-01-01T00:01:40Z","waiting_for":"payment","labels":{"region":"eu"},"#,
        r#""topic":"shop.events","partition":3,"offset":41},"#,
        r#"{"kpi":"fulfilment","key":"o-2","age_seconds":90.5,"#,
        r#""start":"1970-01-01T00:03:20Z","waiting_for":"end","labels":{"region":"eu"},"#,
        r#""topic":"shop.events","partition":3,"offset":41}]"#,
    );
    assert_eq!(answer.text(), expected);
}

#[test]
fn the_only_promise_needs_no_name_and_the_limit_is_20() {
    let asked = Arc::new(AtomicUsize::new(0));
    let mut sources = showing(1, &["fulfilment"]);
    let limit = Arc::clone(&asked);
    sources.overdue = Arc::new(move |_, limit_asked| {
        limit.store(limit_asked, Ordering::SeqCst);
        Ok(Vec::new())
    });
    let rig = Rig::start(sources);
    assert_eq!(rig.get("/api/overdue").text(), "[]");
    assert_eq!(asked.load(Ordering::SeqCst), 20);
}

#[test]
fn bad_questions_get_an_answer_that_helps() {
    let rig = Rig::start(sources(&["delivery", "fulfilment"]));
    let check = |query: &str, status: u16, body: &str| {
        let answer = rig.get(&format!("/api/overdue?{query}"));
        assert_eq!(answer.header("content-type"), "application/json", "{query}");
        assert_eq!((answer.status, answer.text()), (status, body), "{query}");
    };
    let valid = r#""kpis":["delivery","fulfilment"]}"#;
    check(
        "kpi=x",
        404,
        &format!(r#"{{"error":"no promise has the id `x`",{valid}"#),
    );
    check(
        "",
        400,
        &format!(r#"{{"error":"there are several promises: say which by `kpi`",{valid}"#),
    );
    for limit in ["0", "1001", "-1", "many", "", "99999999999999999999999"] {
        let error = format!("`limit` is a whole number from 1 to 1000, not `{limit}`");
        check(
            &format!("kpi=delivery&limit={limit}"),
            400,
            &format!(r#"{{"error":"{error}"}}"#),
        );
    }
    let error = "no parameter `sort`: there are `kpi` and `limit`";
    check("sort=age", 400, &format!(r#"{{"error":"{error}"}}"#));
    let none = Rig::start(sources(&[]));
    assert_eq!(none.get("/api/overdue").status, 404);
}

#[test]
fn without_an_answer_from_the_tasks_overdue_is_unavailable_and_counted() {
    let shown = Arc::new(AtomicBool::new(true));
    let is_shown = Arc::clone(&shown);
    let mut sources = sources(&["fulfilment"]);
    sources.views = Arc::new(move || match is_shown.load(Ordering::SeqCst) {
        true => vec![view(0)],
        false => Vec::new(),
    });
    sources.overdue = Arc::new(|_, _| Err("worker 1 did not answer".into()));
    let rig = Rig::start(sources);
    let answer = rig.get("/api/overdue");
    assert_eq!(answer.status, 503);
    assert_eq!(answer.text(), r#"{"error":"worker 1 did not answer"}"#);
    // The view has nothing in it that `/metrics` could show of the promise.
    shown.store(false, Ordering::SeqCst);
    let metrics = rig.get("/metrics");
    assert!(
        metrics
            .text()
            .contains("\nkept_http_errors_total{reason=\"overdue\"} 1\n")
    );
}

#[test]
fn a_bug_in_rendering_is_counted_and_the_server_lives_on() {
    let broken = Arc::new(AtomicBool::new(true));
    let mut sources = sources(&[]);
    let once = Arc::clone(&broken);
    sources.views = Arc::new(move || {
        assert!(!once.swap(false, Ordering::SeqCst), "meant to fail once");
        Vec::new()
    });
    let rig = Rig::start(sources);
    assert_eq!(rig.get("/metrics").status, 500);
    let answer = rig.get("/metrics");
    assert_eq!(answer.status, 200);
    assert!(
        answer
            .text()
            .contains("\nkept_http_errors_total{reason=\"render\"} 1\n")
    );
}

/// Nothing gives its views and every turn to render is taken: scrapers that come meanwhile, and those
/// that wait in front of them, have what the process says of itself.
#[test]
fn metrics_are_answered_with_the_process_own_while_nothing_gives_its_views() {
    let (release, held) = mpsc::channel::<()>();
    let held = std::sync::Mutex::new(held);
    let hangs = Arc::new(AtomicBool::new(true));
    let mut sources = sources(&[]);
    let still = Arc::clone(&hangs);
    sources.views = Arc::new(move || {
        if still.load(Ordering::SeqCst) {
            // Until the test lets go of the other end.
            let _ = held.lock().expect("nothing panics in here").recv();
        }
        vec![view(0)]
    });
    let mut rig = Rig::start(sources);
    let patience = [("X-Prometheus-Scrape-Timeout-Seconds", "0.25")];
    let open_metrics = [patience[0], ("Accept", "application/openmetrics-text")];
    for scrape in 1..=5 {
        let answer = match scrape {
            5 => rig.ask("GET", "/metrics", &open_metrics),
            _ => rig.ask("GET", "/metrics", &patience),
        };
        let text = answer.text();
        assert_eq!(answer.status, 200, "{text}");
        let counted = format!("\nkept_http_errors_total{{reason=\"timeout\"}} {scrape}");
        for own in [
            "\nkept_build_info{",
            "\nprocess_resident_memory_bytes ",
            &counted,
        ] {
            assert!(text.contains(own), "{own} is not in\n{text}");
        }
        assert!(!text.contains("\nkept_exact{"), "{text}");
        assert_eq!(text.ends_with("# EOF\n"), scrape == 5);
    }
    hangs.store(false, Ordering::SeqCst);
    drop(release);
    let answer = rig.get("/metrics");
    assert!(answer.text().contains("\nkept_exact{"), "{}", answer.text());
    rig.stop();
}

/// A lease that ends while the exposition is made: the task is shown when it begins, not when it
/// is done.
#[test]
fn a_task_that_is_not_shown_any_more_when_rendered_is_left_out() {
    let asked = Arc::new(AtomicUsize::new(0));
    let mut sources = sources(&[]);
    let times = Arc::clone(&asked);
    sources.views = Arc::new(move || {
        let first = times.fetch_add(1, Ordering::SeqCst) == 0;
        let shown = if first { vec![0, 1] } else { vec![1] };
        shown.into_iter().map(view).collect()
    });
    let rig = Rig::start(sources);
    let answer = rig.get("/metrics");
    let of = |partition: i32| {
        let labels = format!("topic=\"shop.events\",partition=\"{partition}\"");
        answer
            .text()
            .contains(&format!("\nkept_exact{{{labels}}} 1\n"))
    };
    assert_eq!([of(0), of(1)], [false, true], "{}", answer.text());
    assert_eq!(asked.load(Ordering::SeqCst), 3, "rendered twice");
}

#[test]
fn the_page_leads_everywhere_and_runs_no_script() {
    let mut sources = sources(&["fulfilment"]);
    sources.ready = Arc::new(|| Err("<catching up>".into()));
    let rig = Rig::start(sources);
    let page = rig.get("/");
    assert_eq!(
        (page.status, page.header("content-type")),
        (200, "text/html; charset=utf-8")
    );
    for part in [
        "href=\"/metrics\"",
        "href=\"/readyz\"",
        "href=\"/livez\"",
        "href=\"/api/overdue?kpi=fulfilment\"",
        "&lt;catching up&gt;",
        "Purchase &lt;to&gt; &quot;fulfilment&quot; &amp; back",
        "name=\"viewport\"",
        "http-equiv=\"refresh\"",
    ] {
        assert!(
            page.text().contains(part),
            "{part} is not in\n{}",
            page.text()
        );
    }
    assert!(!page.text().contains("<script"));
}

#[test]
fn a_runbook_is_a_page_for_browsers_and_markdown_for_others() {
    let mut sources = sources(&[]);
    sources.page.runbooks = Arc::new([Runbook {
        alert: "Slow".to_owned(),
        text: "# Slow\n\n[dashboard](https://g/d)\n".to_owned(),
    }]);
    let rig = Rig::start(sources);
    let ask = |accept| {
        let answer = rig.ask("GET", "/runbooks/Slow.md", &[("Accept", accept)]);
        assert_eq!((answer.status, answer.header("vary")), (200, "Accept"));
        let policy = answer.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none';"), "{policy}");
        (
            answer.header("content-type").to_owned(),
            answer.text().to_owned(),
        )
    };
    for browser in [
        "text/html,application/xhtml+xml,*/*;q=0.8",
        "*/*, Text/HTML; q=0.9",
    ] {
        let (kind, text) = ask(browser);
        assert_eq!(kind, "text/html; charset=utf-8", "{browser}");
        assert!(text.contains("<title>Slow</title>"), "{text}");
        assert!(
            text.contains("<a href=\"https://g/d\">dashboard</a>"),
            "{text}"
        );
    }
    for other in ["*/*", "text/markdown", "text/html;q=0"] {
        let (kind, text) = ask(other);
        assert_eq!(kind, "text/markdown; charset=utf-8", "{other}");
        assert!(text.starts_with("# Slow\n"), "{text}");
    }
}

#[test]
fn one_connection_serves_many_requests() {
    let rig = Rig::start(sources(&[]));
    let mut stream = rig.connect();
    for _ in 0..3 {
        stream
            .write_all(b"GET /livez HTTP/1.1\r\nHost: kept\r\n\r\n")
            .expect("it is open");
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\nalive\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).expect("a whole answer");
            answer.push(byte[0]);
        }
    }
}

#[test]
fn the_probes_answer_while_a_question_hangs() {
    let (release, held) = mpsc::channel::<()>();
    let held = std::sync::Mutex::new(held);
    let (asked_sender, asked) = mpsc::channel();
    let mut sources = showing(1, &["fulfilment"]);
    sources.overdue = Arc::new(move |_, _| {
        asked_sender.send(()).expect("the test waits");
        let _ = held.lock().expect("only one asks").recv();
        Ok(Vec::new())
    });
    let mut rig = Rig::start(sources);
    let mut stream = rig.connect();
    stream
        .write_all(b"GET /api/overdue HTTP/1.0\r\n\r\n")
        .expect("it is open");
    asked.recv().expect("the question arrives");
    assert_eq!(rig.get("/livez").status, 200);
    drop(release);
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it is answered");
    assert!(answer.ends_with("[]"), "{answer}");
    rig.stop();
}

#[test]
fn stopping_ends_idle_connections_and_frees_the_port() {
    let mut rig = Rig::start(sources(&[]));
    let mut idle = rig.connect();
    idle.write_all(b"GET /livez HTTP/1.1\r\nHost: kept\r\n\r\n")
        .expect("it is open");
    let mut byte = [0];
    idle.read_exact(&mut byte).expect("it is answered");
    rig.stop();
    let mut rest = Vec::new();
    idle.read_to_end(&mut rest).expect("it is closed");
    assert!(rest.ends_with(b"alive\n"));
    std::net::TcpListener::bind(rig.address).expect("the port is free again");
}

#[test]
fn an_address_in_use_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("it listens").to_string();
    let bound = runtime().block_on(Server::bind(&address, sources(&[])));
    let error = bound.err().expect("the port is taken");
    assert!(matches!(error, SetupError::Bind { .. }));
    let text = error.to_string();
    assert_eq!(text, format!("can't listen on {address} (http.listen)"));
    // The cause is the chain's next one, and not in the text as well.
    assert!(std::error::Error::source(&error).is_some());
}
