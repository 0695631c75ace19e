//! The policy as JSON.

use actix_web::HttpResponse;
use actix_web::http::{Method, StatusCode};
use askama::Template;
use serde_json::Value;

use crate::console::api::Tagged;
use crate::console::frame::{Frame, page_with};
use crate::console::parts::Faults;
use crate::console::visit::{Answer, Form, Signed, see};

#[derive(Debug, Template)]
#[template(path = "policy/document.html")]
struct DocumentPage {
    frame: Frame,
    etag: String,
    text: String,
    faults: Faults,
    /// Why the text is no JSON.
    broken: Option<String>,
}

/// The document.
pub async fn show(signed: Signed) -> Answer {
    let policy: Tagged<Value> = signed.api.tagged("/v1/admin/policy").await?;
    let text = serde_json::to_string_pretty(&policy.body).unwrap_or_default();
    let faults = Faults::default();
    Ok(render(&signed, policy.etag, text, faults, None))
}

fn render(
    signed: &Signed,
    etag: String,
    text: String,
    faults: Faults,
    broken: Option<String>,
) -> HttpResponse {
    let status = faults.status_or(broken.is_some());
    page_with(
        status,
        &DocumentPage {
            frame: Frame::new(signed, signed.texts.say("policy-json")),
            etag,
            text,
            faults,
            broken,
        },
    )
}

/// Saves it.
pub async fn save(signed: Signed, form: Form) -> Answer {
    let (etag, text) = (form.get("etag"), form.get("text").to_owned());
    let policy: Value = match serde_json::from_str(&text) {
        Ok(policy) => policy,
        Err(error) => {
            let broken = Some(error.to_string());
            let (etag, faults) = (etag.to_owned(), Faults::default());
            return Ok(render(&signed, etag, text, faults, broken));
        }
    };
    let call = signed.api.call(Method::PUT, "/v1/admin/policy");
    match call.seen(etag).body(&policy).answered().await {
        Ok(_) => Ok(see("/console/policy/json?said=policy-saved")),
        Err(refused) if matches!(refused.status, 400 | 409 | 412 | 422) => {
            // Whoever saves once more knows that somebody changed it.
            let etag = if refused.status == StatusCode::PRECONDITION_FAILED.as_u16() {
                let now: Tagged<Value> = signed.api.tagged("/v1/admin/policy").await?;
                now.etag
            } else {
                etag.to_owned()
            };
            Ok(render(&signed, etag, text, Faults::from(refused), None))
        }
        Err(refused) => Err(refused),
    }
}
