//! `/`: what this is, how it is, and where to go. Without scripts; dark where the reader's screen
//! is; one column that fits a phone.

use std::fmt::Write;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Html;
use catalogue::plan::Kind;

use crate::App;

const HEAD: &str = r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Kept</title>
<style>
:root { color-scheme: light dark; --back: #fff; --text: #1a1a1a; --soft: #595959; --link: #0b57d0; --good: #146c2e; --bad: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --back: #14161a; --text: #e8e8e8; --soft: #a6a6a6; --link: #8ab4f8; --good: #7bd88f; --bad: #ff8a80; } }
body { background: var(--back); color: var(--text); font: 1rem/1.5 system-ui, sans-serif; max-width: 40rem; margin: 0 auto; padding: 1.5rem 1rem; overflow-wrap: anywhere; }
h1 { margin: 0; } h2 { font-size: 1.1rem; margin: 1.5rem 0 .25rem; }
a { color: var(--link); } p { margin: .25rem 0; } ul { margin: 0; padding-left: 1.25rem; } li { padding: .2rem 0; }
.soft { color: var(--soft); } .good { color: var(--good); } .bad { color: var(--bad); } pre { white-space: pre-wrap; margin: .25rem 0; }
</style>
</head>
<body>
<h1>Kept</h1>
<p class="soft">Reads the shop's events from Kafka and says, live, whether the shop keeps its promise to customers.</p>
"#;

const TAIL: &str = "</body>\n</html>\n";

/// The page.
pub async fn index(State(app): State<Arc<App>>) -> Html<String> {
    let mut page = HEAD.to_owned();
    state(&mut page, &app);
    endpoints(&mut page);
    promises(&mut page, &app);
    page.push_str(TAIL);
    Html(page)
}

fn state(page: &mut String, app: &App) {
    page.push_str("<h2>State</h2>\n");
    match (app.sources.ready)() {
        Ok(()) => page.push_str("<p class=\"good\">Ready</p>\n"),
        Err(reasons) => {
            page.push_str("<p class=\"bad\">Not ready</p>\n<pre>");
            escape(page, reasons.trim_end());
            page.push_str("</pre>\n");
        }
    }
    let tasks = (app.sources.views)().len();
    let noun = if tasks == 1 { "task" } else { "tasks" };
    writeln!(page, "<p class=\"soft\">{tasks} {noun} served</p>").expect(IN_MEMORY);
}

fn endpoints(page: &mut String) {
    page.push_str("<h2>Endpoints</h2>\n<ul>\n");
    let endpoints = [
        ("/metrics", "for Prometheus: text or OpenMetrics"),
        (
            "/readyz",
            "200 when everything that this instance owns is served, else the reasons",
        ),
        ("/livez", "200 while the process works"),
    ];
    for (path, text) in endpoints {
        writeln!(
            page,
            "<li><a href=\"{path}\">{path}</a> <span class=\"soft\">{text}</span></li>"
        )
        .expect(IN_MEMORY);
    }
    page.push_str("</ul>\n");
}

fn promises(page: &mut String, app: &App) {
    let kpis = app.sources.plan.kpis.iter();
    let mut promises = kpis
        .filter(|kpi| matches!(kpi.kind, Kind::Promise(_)))
        .peekable();
    if promises.peek().is_none() {
        return;
    }
    page.push_str("<h2>Worst open orders</h2>\n<ul>\n");
    for kpi in promises {
        page.push_str("<li><a href=\"/api/overdue?kpi=");
        escape(page, &kpi.id);
        page.push_str("\">");
        escape(page, &kpi.id);
        page.push_str("</a> <span class=\"soft\">");
        escape(page, &kpi.help);
        page.push_str("</span></li>\n");
    }
    page.push_str("</ul>\n");
}

const IN_MEMORY: &str = "writing to a string can't fail";

fn escape(page: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '&' => page.push_str("&amp;"),
            '<' => page.push_str("&lt;"),
            '>' => page.push_str("&gt;"),
            '"' => page.push_str("&quot;"),
            other => page.push(other),
        }
    }
}
