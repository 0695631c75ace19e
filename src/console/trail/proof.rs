//! What proves that a trail was not rewritten: checkpoints, keys, and the file to verify.

use actix_web::HttpResponse;
use actix_web::http::Method;
use actix_web::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use askama::Template;
use serde::Deserialize;

use super::Trail;
use crate::console::api::Refused;
use crate::console::frame::{Frame, page};
use crate::console::inside::Answered;
use crate::console::parts::{At, Listed, query_of};
use crate::console::visit::{Answer, Form, Signed, see};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Checkpoint {
    seq: i64,
    hash: String,
    at: At,
    key_id: String,
    signature: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct VerifyingKey {
    id: String,
    algorithm: String,
    public_key: String,
}

#[derive(Debug, Template)]
#[template(path = "trail/proof.html")]
struct ProofPage {
    frame: Frame,
    list: Listed<Checkpoint>,
    keys: Vec<VerifyingKey>,
    next: Option<String>,
}

/// The tenant's checkpoints.
pub async fn show(signed: Signed) -> Answer {
    let cursor = signed.parameter("cursor").unwrap_or_default();
    let query = query_of(&[("limit", "50"), ("cursor", &cursor)]);
    let path = format!("/v1/admin/audit/checkpoints?{query}");
    let list: Listed<Checkpoint> = signed.api.get(&path).await?;
    let keys: Listed<VerifyingKey> = signed.api.get("/v1/admin/audit/keys").await?;
    Ok(page(&ProofPage {
        frame: Frame::new(&signed, signed.texts.say("audit-proof")),
        next: list.next_page(&signed),
        list,
        keys: keys.items,
    }))
}

/// Signs the newest row of the tenant's trail.
pub async fn sign(signed: Signed, _form: Form) -> Answer {
    make(&signed, Trail::Tenant).await?;
    Ok(see("/console/audit/checkpoints?said=audit-signed"))
}

/// Signs the newest row of the platform's trail.
pub async fn sign_platform(signed: Signed, _form: Form) -> Answer {
    make(&signed, Trail::Platform).await?;
    Ok(see("/console/operator/audit?said=audit-signed"))
}

async fn make(signed: &Signed, trail: Trail) -> Result<Answered, Refused> {
    let path = format!("{}/checkpoints", trail.api());
    signed.api.call(Method::POST, &path).answered().await
}

/// The tenant's whole trail, as a file.
pub async fn export(signed: Signed, _form: Form) -> Answer {
    file(&signed, Trail::Tenant).await
}

/// The platform's whole trail, as a file.
pub async fn export_platform(signed: Signed, _form: Form) -> Answer {
    file(&signed, Trail::Platform).await
}

async fn file(signed: &Signed, trail: Trail) -> Answer {
    let path = format!("{}/export", trail.api());
    let told = signed.api.call(Method::GET, &path).answered().await?;
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "application/x-ndjson"))
        .insert_header((CONTENT_DISPOSITION, "attachment; filename=\"audit.ndjson\""))
        .body(told.body))
}
