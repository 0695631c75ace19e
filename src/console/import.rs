//! Preferences of many users at once: a file is tried first, and then taken.

mod table;

use actix_web::http::Method;
use askama::Template;
use serde::Deserialize;
use serde_json::json;

use super::api::{Fault, Refused};
use super::frame::{Frame, page_with};
use super::parts::Faults;
use super::said::Said;
use super::visit::{Answer, Form, Signed};

/// What came of it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    imported: u64,
    unchanged: u64,
    failed_lines: u64,
    failed: Vec<Failed>,
    dry_run: bool,
}

#[derive(Debug, Deserialize)]
struct Failed {
    line: u64,
    errors: Vec<Fault>,
}

#[derive(Debug, Template)]
#[template(path = "import.html")]
struct ImportPage {
    frame: Frame,
    text: String,
    report: Option<Report>,
    /// Whether the lines came from a table, in which the first line has the names.
    is_table: bool,
    faults: Faults,
}

/// The page.
pub async fn show(signed: Signed) -> Answer {
    Ok(rendered(
        &signed,
        String::new(),
        None,
        false,
        Faults::default(),
    ))
}

fn rendered(
    signed: &Signed,
    text: String,
    report: Option<Report>,
    is_table: bool,
    faults: Faults,
) -> actix_web::HttpResponse {
    let shown = ImportPage {
        frame: Frame::new(signed, signed.texts.say("import")),
        text,
        report,
        is_table,
        faults,
    };
    page_with(shown.faults.status(), &shown)
}

/// Tries or takes what was sent: the button says it.
pub async fn import(signed: Signed, form: Form) -> Answer {
    let text = form.get("text").to_owned();
    let is_table = !text.trim_start().starts_with('{');
    let lines = if is_table {
        match table::lines(&text) {
            Ok(lines) => lines,
            Err(fault) => {
                let message = signed.texts.with("import-table-fault", "line", fault.0);
                let refused = Refused::faulty(signed.texts, "/text", &message);
                return Ok(rendered(&signed, text, None, true, refused.into()));
            }
        }
    } else {
        text.clone()
    };
    let tries = form.get("do") != "import";
    let path = format!("/v1/admin/preferences:import?dryRun={}", json!(tries));
    let call = signed.api.call(Method::POST, &path);
    let sent = call.bytes("application/x-ndjson", lines.into_bytes());
    match sent.json::<Report>().await {
        Ok(report) => Ok(rendered(
            &signed,
            text,
            Some(report),
            is_table,
            Faults::default(),
        )),
        Err(refused) if refused.is_signed_out() || refused.status == 403 => Err(refused),
        Err(refused) => Ok(rendered(&signed, text, None, is_table, refused.into())),
    }
}

impl ImportPage {
    fn said_of(&self, fault: &Fault) -> Said {
        fault.said(self.frame.texts())
    }

    /// The line of what was sent.
    fn line(&self, failed: &Failed) -> u64 {
        failed.line.saturating_add(u64::from(self.is_table))
    }
}
