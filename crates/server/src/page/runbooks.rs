//! `/runbooks/<Alert>.md`: the runbooks of the catalogue in force, where the alerts' links lead.
//!
//! A browser, which asks for HTML, gets a page whose links can be tapped on a phone at night; whoever
//! doesn't ask for it gets the Markdown as it was generated.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::html::Html;
use super::{document, html_response, markdown, secured};
use crate::App;

/// The runbook of one alert.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Runbook {
    /// The alert's name.
    pub alert: String,
    /// Markdown.
    pub text: String,
}

/// One of them, as HTML if that is asked for, else as it was generated; 404 for an alert that the catalogue has not.
pub async fn one(
    State(app): State<Arc<App>>,
    Path(file): Path<String>,
    headers: HeaderMap,
) -> Response {
    let mut runbooks = app.sources.page.runbooks.iter();
    let name = file.strip_suffix(".md");
    let found = runbooks.find(|runbook| Some(runbook.alert.as_str()) == name);
    match found {
        Some(runbook) => {
            let mut response = if wants_html(&headers) {
                html_response(as_page(runbook))
            } else {
                let markdown = (header::CONTENT_TYPE, "text/markdown; charset=utf-8");
                secured(([markdown], runbook.text.clone()).into_response())
            };
            let vary = HeaderValue::from_static("Accept");
            response.headers_mut().insert(header::VARY, vary);
            response
        }
        None => (
            StatusCode::NOT_FOUND,
            "no such runbook; /runbooks lists them\n",
        )
            .into_response(),
    }
}

/// Whether HTML is named and not refused; `*/*`, as scripts have it, doesn't name it.
fn wants_html(headers: &HeaderMap) -> bool {
    let accepts = headers.get_all(header::ACCEPT).iter();
    let mut ranges = accepts
        .filter_map(|accept| accept.to_str().ok())
        .flat_map(|accept| accept.split(','));
    ranges.any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let is_html = parts
            .next()
            .is_some_and(|kind| kind.eq_ignore_ascii_case("text/html"));
        let weight = parts.find_map(|part| part.strip_prefix("q="));
        let weight = weight.and_then(|weight| weight.parse::<f64>().ok());
        is_html && weight != Some(0.0)
    })
}

fn as_page(runbook: &Runbook) -> String {
    let mut page = Html::default();
    document(&mut page, &runbook.alert, None, |page| {
        page.add("<p class=\"soft\"><a href=\"/\">The live page</a>, <a href=\"/runbooks\">all runbooks</a></p>\n");
        markdown::show(page, &runbook.text);
    });
    page.finish()
}

/// All of them, as links.
pub async fn list(State(app): State<Arc<App>>) -> Response {
    let mut page = Html::default();
    document(&mut page, "Runbooks", None, |page| {
        page.add("<h1>Runbooks</h1>\n<p class=\"soft\">One for each alert of the catalogue in force. <a href=\"/\">The live page</a></p>\n<ul>\n");
        for runbook in app.sources.page.runbooks.iter() {
            page.add("<li><a href=\"/runbooks/")
                .text(&runbook.alert)
                .add(".md\">");
            page.text(&runbook.alert).add("</a></li>\n");
        }
        page.add("</ul>\n");
    });
    html_response(page.finish())
}
