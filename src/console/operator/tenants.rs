//! The tenants of the installation.

use actix_web::http::Method;
use askama::Template;
use serde::Deserialize;
use serde_json::json;

use crate::console::api::encode;
use crate::console::frame::{Frame, page_with};
use crate::console::parts::{At, Faults, Listed, query_of};
use crate::console::visit::{Answer, Form, Signed, see};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Tenant {
    slug: String,
    name: String,
    active: bool,
    created_at: At,
}

#[derive(Debug, Deserialize)]
struct Made {
    slug: String,
    #[serde(default)]
    invitation: Option<String>,
}

/// A tenant that was just made.
#[derive(Debug)]
struct MadeNow {
    slug: String,
    link: Option<String>,
}

#[derive(Debug, Default)]
struct Outcome {
    faults: Faults,
    slug: String,
    name: String,
    owner: String,
    made: Option<MadeNow>,
}

#[derive(Debug, Template)]
#[template(path = "operator/tenants.html")]
struct TenantsPage {
    frame: Frame,
    list: Listed<Tenant>,
    next: Option<String>,
    outcome: Outcome,
}

/// The list.
pub async fn show(signed: Signed) -> Answer {
    shown(&signed, Outcome::default()).await
}

async fn shown(signed: &Signed, outcome: Outcome) -> Answer {
    let cursor = signed.parameter("cursor").unwrap_or_default();
    let query = query_of(&[("limit", "100"), ("cursor", &cursor)]);
    let path = format!("/v1/operator/tenants?{query}");
    let list: Listed<Tenant> = signed.api.get(&path).await?;
    Ok(page_with(
        outcome.faults.status(),
        &TenantsPage {
            frame: Frame::new(signed, signed.texts.say("operator-tenants")),
            next: list.next_page(signed),
            list,
            outcome,
        },
    ))
}

/// Makes a tenant, suspends one, or lets one go on.
pub async fn act(signed: Signed, form: Form) -> Answer {
    let verb = form.get("do");
    if verb == "suspend" || verb == "resume" {
        let path = format!("/v1/operator/tenants/{}:{verb}", encode(form.get("slug")));
        signed.api.call(Method::POST, &path).told().await?;
        return Ok(see(&format!(
            "/console/operator/tenants?said=tenant-{verb}"
        )));
    }
    let mut wish = json!({ "slug": form.get("slug").trim() });
    if let Some(members) = wish.as_object_mut() {
        for name in ["name", "owner"] {
            if let Some(value) = form.filled(name) {
                members.insert(name.to_owned(), value.into());
            }
        }
    }
    let outcome = match signed.api.post::<Made>("/v1/operator/tenants", &wish).await {
        Ok(made) => Outcome {
            made: Some(MadeNow {
                link: made
                    .invitation
                    .map(|token| format!("{}/console/join#{token}", signed.origin())),
                slug: made.slug,
            }),
            ..Outcome::default()
        },
        Err(refused) if matches!(refused.status, 409 | 422) => Outcome {
            faults: refused.into(),
            slug: form.get("slug").to_owned(),
            name: form.get("name").to_owned(),
            owner: form.get("owner").to_owned(),
            made: None,
        },
        Err(refused) => return Err(refused),
    };
    shown(&signed, outcome).await
}
