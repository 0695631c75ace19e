//! One issuer: its state, its keys, whose its tokens are.

use actix_web::http::Method;
use actix_web::web;
use askama::Template;
use serde_json::json;

use super::check::Check;
use super::list::keys;
use super::{Issuer, Keys};
use crate::console::api::{Tagged, encode};
use crate::console::frame::{Frame, page_with};
use crate::console::parts::Faults;
use crate::console::visit::{Answer, Form, Signed, see};

#[derive(Debug, Template)]
#[template(path = "issuers/issuer.html")]
struct IssuerPage {
    frame: Frame,
    issuer: Issuer,
    etag: String,
    keys: Option<Keys>,
    config: String,
    tenant: String,
    check: Option<Check>,
    faults: Faults,
}

/// The issuer.
pub async fn show(signed: Signed, id: web::Path<String>) -> Answer {
    render(&signed, &id, None, Faults::default()).await
}

async fn render(signed: &Signed, id: &str, check: Option<Check>, faults: Faults) -> Answer {
    let path = format!("/v1/admin/issuers/{}", encode(id));
    let Tagged { body, etag } = signed.api.tagged::<Issuer>(&path).await?;
    Ok(page_with(
        faults.status(),
        &IssuerPage {
            frame: Frame::new(signed, body.name()),
            keys: keys(signed, &body).await,
            config: serde_json::to_string_pretty(&body.config).unwrap_or_default(),
            tenant: signed.account.tenant.clone().unwrap_or_default(),
            issuer: body,
            etag,
            check,
            faults,
        },
    ))
}

/// Does what a button of the page says.
pub async fn act(signed: Signed, id: web::Path<String>, form: Form) -> Answer {
    let path = format!("/v1/admin/issuers/{}", encode(&id));
    let verb = form.get("do");
    let there = |said: &str| format!("/console/issuers/{}?said={said}", encode(&id));
    let (done, next) = match verb {
        "enable" | "disable" => {
            let path = format!("{path}:{verb}");
            let done = signed.api.call(Method::POST, &path).answered().await;
            (done.map(drop), there(&format!("issuer-{verb}d")))
        }
        "prove" => {
            let path = format!("{path}:prove");
            let proof = json!({ "token": form.get("token").trim() });
            let call = signed.api.call(Method::POST, &path).body(&proof);
            (call.answered().await.map(drop), there("issuer-proven"))
        }
        "delete" => {
            let call = signed.api.call(Method::DELETE, &path);
            let done = call.seen(form.get("etag")).answered().await;
            let next = "/console/issuers?said=issuer-deleted".to_owned();
            (done.map(drop), next)
        }
        _ => {
            let path = format!("{path}:check");
            let checked = signed.api.post::<Check>(&path, &json!({})).await;
            return match checked {
                Ok(check) => render(&signed, &id, Some(check), Faults::default()).await,
                Err(refused) => render(&signed, &id, None, refused.into()).await,
            };
        }
    };
    match done {
        Ok(()) => Ok(see(&next)),
        Err(refused) if matches!(refused.status, 409 | 412 | 422 | 429) => {
            render(&signed, &id, None, refused.into()).await
        }
        Err(refused) => Err(refused),
    }
}
