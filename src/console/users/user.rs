//! One user: preferences and sessions.

use actix_web::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpResponse, web};
use askama::Template;
use serde_json::{Map, Value};

use super::form::{Field, Kind, kinds, patch, stored, typed};
use crate::console::api::encode;
use crate::console::frame::{Frame, page_with};
use crate::console::parts::{Faults, Listed, Quota, Quotas};
use crate::console::sessions::list::{Session, of_user};
use crate::console::visit::{Answer, Form, Signed, see};

#[derive(Debug, Template)]
#[template(path = "users/user.html")]
struct UserPage {
    frame: Frame,
    /// The subject as a part of addresses.
    encoded: String,
    etag: String,
    fields: Vec<Field>,
    faults: Faults,
    /// Whether somebody changed them meanwhile.
    changed: bool,
    /// Whether there is no trace of them.
    is_unknown: bool,
    list: Listed<Session>,
    quotas: Vec<Quota>,
}

fn preferences(subject: &str) -> String {
    format!("/v1/admin/users/{}/preferences", encode(subject))
}

/// A user.
pub async fn show(signed: Signed, subject: web::Path<String>) -> Answer {
    let subject = subject.into_inner();
    let kinds = kinds(&signed).await?;
    let now = signed.api.tagged(&preferences(&subject)).await?;
    let fields = stored(kinds, &now.body);
    let faults = Faults::default();
    Ok(render(&signed, subject, now.etag, fields, faults).await)
}

async fn render(
    signed: &Signed,
    subject: String,
    etag: String,
    fields: Vec<Field>,
    faults: Faults,
) -> HttpResponse {
    let path = format!("/v1/admin/users/{}/quotas", encode(&subject));
    // The page has other things to say where this can't be read.
    let quotas: Result<Quotas, _> = signed.api.get(&path).await;
    let status = faults.status();
    let changed = status == StatusCode::PRECONDITION_FAILED;
    let list = of_user(signed, &subject).await;
    let nothing = fields.iter().all(|field| field.value.is_empty());
    let name = list.items.iter().find_map(|session| {
        let name = session.user_name.as_deref();
        name.filter(|_| session.test_by.is_none())
    });
    let called = name.map_or_else(|| subject.clone(), |name| format!("{name} ({subject})"));
    page_with(
        status,
        &UserPage {
            frame: Frame::new(signed, signed.texts.with("user-title", "subject", &called)),
            encoded: encode(&subject),
            is_unknown: nothing && list.items.is_empty() && !faults.any(),
            list,
            quotas: quotas.map(|read| read.quotas).unwrap_or_default(),
            etag,
            fields,
            faults,
            changed,
        },
    )
}

/// Changes what a user chose.
pub async fn save(signed: Signed, subject: web::Path<String>, form: Form) -> Answer {
    let subject = subject.into_inner();
    let kinds = kinds(&signed).await?;
    let path = preferences(&subject);
    let change = patch(&kinds, &form);
    let sent = signed
        .api
        .call(Method::PATCH, &path)
        .seen(form.get("etag"))
        .body(&change);
    let Err(refused) = sent.answered().await else {
        let address = format!("/console/users/{}?said=user-saved", encode(&subject));
        return Ok(see(&address));
    };
    if !matches!(refused.status, 412 | 422 | 400) {
        return Err(refused);
    }
    let changed = refused.status == StatusCode::PRECONDITION_FAILED.as_u16();
    let now: crate::console::api::Tagged<Map<String, Value>> = signed.api.tagged(&path).await?;
    let faults = Faults::from(refused);
    let etag = if changed {
        now.etag
    } else {
        form.get("etag").to_owned()
    };
    let fields = typed(kinds, &form, &faults, changed.then_some(&now.body));
    Ok(render(&signed, subject, etag, fields, faults).await)
}

/// Everything that is stored of a user, as a file.
pub async fn export(signed: Signed, subject: web::Path<String>, _form: Form) -> Answer {
    let path = format!("/v1/admin/users/{}:export", encode(&subject));
    let told = signed.api.call(Method::POST, &path).answered().await?;
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "application/json"))
        .insert_header((CONTENT_DISPOSITION, "attachment; filename=\"user.json\""))
        .body(told.body))
}
