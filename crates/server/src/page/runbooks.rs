//! `/runbooks/<Alert>.md`: the runbooks of the catalogue in force, where the alerts' links lead.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::html::Html;
use super::{document, secured};
use crate::App;

/// The runbook of one alert.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Runbook {
    /// The alert's name.
    pub alert: String,
    /// Markdown.
    pub text: String,
}

/// One of them, as it was generated; 404 for an alert that the catalogue has not.
pub async fn one(State(app): State<Arc<App>>, Path(file): Path<String>) -> Response {
    let mut runbooks = app.sources.page.runbooks.iter();
    let name = file.strip_suffix(".md");
    let found = runbooks.find(|runbook| Some(runbook.alert.as_str()) == name);
    match found {
        Some(runbook) => {
            let markdown = (header::CONTENT_TYPE, "text/markdown; charset=utf-8");
            secured(([markdown], runbook.text.clone()).into_response())
        }
        None => (
            StatusCode::NOT_FOUND,
            "no such runbook; /runbooks lists them\n",
        )
            .into_response(),
    }
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
    super::html_response(page.finish())
}
