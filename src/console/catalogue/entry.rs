//! One entry of the catalogue: who uses it, its name, and removing it.

use actix_web::http::Method;
use actix_web::web;
use askama::Template;
use serde_json::{Value, json};

use super::Entry;
use crate::console::api::{Tagged, encode};
use crate::console::frame::Frame;
use crate::console::media;
use crate::console::parts::Faults;
use crate::console::visit::{Answer, Form, Signed, see};

#[derive(Debug, Template)]
#[template(path = "catalogue/entry.html")]
struct EntryPage {
    frame: Frame,
    entry: Entry,
    etag: String,
    /// The name as it was typed, where that was refused.
    typed: Option<String>,
    faults: Faults,
}

fn api_path(kind: &str, id: &str) -> String {
    format!("/v1/admin/catalogue/{}/{}", encode(kind), encode(id))
}

/// The entry.
pub async fn show(signed: Signed, path: web::Path<(String, String)>) -> Answer {
    let (kind, id) = path.into_inner();
    render(&signed, &kind, &id, None, Faults::default()).await
}

async fn render(
    signed: &Signed,
    kind: &str,
    id: &str,
    typed: Option<String>,
    faults: Faults,
) -> Answer {
    let Tagged { body, etag } = signed.api.tagged::<Entry>(&api_path(kind, id)).await?;
    let shown = EntryPage {
        frame: Frame::new(signed, body.name.clone()),
        entry: body,
        etag,
        typed,
        faults,
    };
    let attributes = std::iter::once(&shown.entry.attributes);
    Ok(media::page(shown.faults.status(), &shown, attributes))
}

/// Names it anew, or removes it.
pub async fn change(signed: Signed, path: web::Path<(String, String)>, form: Form) -> Answer {
    let (kind, id) = path.into_inner();
    let address = api_path(&kind, &id);
    let etag = form.get("etag");
    let removes = form.get("do") == "delete";
    let sent = if removes {
        signed.api.call(Method::DELETE, &address).seen(etag)
    } else {
        let now: Value = signed.api.get(&address).await?;
        let wish = json!({
            "name": form.get("name").trim(),
            "attributes": now.get("attributes"),
            "enabled": now.get("enabled"),
        });
        signed
            .api
            .call(Method::PUT, &address)
            .seen(etag)
            .body(&wish)
    };
    match sent.answered().await {
        Ok(_) if removes => Ok(see(&format!(
            "/console/catalogue/{}?said=catalogue-removed",
            encode(&kind)
        ))),
        Ok(_) => Ok(see(&format!(
            "/console/catalogue/{}/{}?said=saved",
            encode(&kind),
            encode(&id)
        ))),
        Err(refused) if matches!(refused.status, 409 | 412 | 422) => {
            let typed = (!removes).then(|| form.get("name").to_owned());
            render(&signed, &kind, &id, typed, Faults::from(refused)).await
        }
        Err(refused) => Err(refused),
    }
}
