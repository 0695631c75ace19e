//! The tenants of the installation.

use std::collections::BTreeMap;

use actix_web::http::Method;
use askama::Template;
use futures_util::join;
use serde::Deserialize;
use serde_json::json;

use crate::console::api::encode;
use crate::console::frame::{Frame, page_with};
use crate::console::parts::{At, Faults, Listed, mail_languages, number, query_of};
use crate::console::visit::{Answer, Form, Signed, see};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Tenant {
    slug: String,
    name: String,
    active: bool,
    created_at: At,
    quota: BTreeMap<String, Option<u32>>,
    places: Share,
}

impl Tenant {
    /// What is allowed of each, in the order of the form.
    fn quota(&self) -> impl Iterator<Item = (&'static str, String)> {
        QUOTA.into_iter().map(|name| {
            let most = self.quota.get(name).copied().flatten();
            (name, most.map(|most| most.to_string()).unwrap_or_default())
        })
    }
}

/// What a tenant has of the places of the installation's key.
#[derive(Debug, Deserialize)]
struct Share {
    guaranteed: u32,
    most: Option<u32>,
}

/// The places of the installation's key.
#[derive(Debug, Deserialize)]
struct Places {
    #[serde(rename = "places")]
    all: Option<u32>,
    taken: u32,
    waiting: u32,
}

#[derive(Debug, Deserialize)]
struct Made {
    slug: String,
    #[serde(default)]
    invitation: Option<String>,
}

/// What a quota limits.
const QUOTA: [&str; 4] = [
    "sessionsPerDay",
    "sessionsPerMonth",
    "minutesPerDay",
    "minutesPerMonth",
];

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
    /// Of the owner's mail, as chosen.
    language: String,
    made: Option<MadeNow>,
}

#[derive(Debug, Template)]
#[template(path = "operator/tenants.html")]
struct TenantsPage {
    frame: Frame,
    list: Listed<Tenant>,
    places: Places,
    next: Option<String>,
    outcome: Outcome,
    /// Of the first owner's mail, the preferred first.
    languages: Vec<&'static str>,
}

/// The list.
pub async fn show(signed: Signed) -> Answer {
    render(&signed, Outcome::default()).await
}

async fn render(signed: &Signed, outcome: Outcome) -> Answer {
    let cursor = signed.parameter("cursor").unwrap_or_default();
    let query = query_of(&[("limit", "100"), ("cursor", &cursor)]);
    let path = format!("/v1/operator/tenants?{query}");
    let (list, places) = join!(
        signed.api.get::<Listed<Tenant>>(&path),
        signed.api.get::<Places>("/v1/operator/places"),
    );
    let list = list?;
    Ok(page_with(
        outcome.faults.status(),
        &TenantsPage {
            frame: Frame::new(signed, signed.texts.say("operator-tenants")),
            next: list.next_page(signed),
            list,
            places: places?,
            languages: mail_languages(&[&outcome.language, signed.texts.tag()]),
            outcome,
        },
    ))
}

/// Makes a tenant, suspends one, lets one go on, or sets what it is allowed.
pub async fn act(signed: Signed, form: Form) -> Answer {
    let verb = form.get("do");
    if verb == "suspend" || verb == "resume" {
        let path = format!("/v1/operator/tenants/{}:{verb}", encode(form.get("slug")));
        signed.api.call(Method::POST, &path).answered().await?;
        return Ok(see(&format!(
            "/console/operator/tenants?said=tenant-{verb}"
        )));
    }
    if verb == "places" {
        return allow(&signed, &form, "places", &["guaranteed", "most"]).await;
    }
    if verb == "quotas" {
        return allow(&signed, &form, "quotas", &QUOTA).await;
    }
    let mut wish = json!({ "slug": form.get("slug").trim() });
    if let Some(members) = wish.as_object_mut() {
        for name in ["name", "owner", "language"] {
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
            language: form.get("language").to_owned(),
            made: None,
        },
        Err(refused) => return Err(refused),
    };
    render(&signed, outcome).await
}

/// Sets a tenant's places, or quotas.
async fn allow(signed: &Signed, form: &Form, what: &str, names: &[&str]) -> Answer {
    let mut wish = json!({});
    if let Some(members) = wish.as_object_mut() {
        for name in names {
            if let Some(typed) = form.filled(name) {
                members.insert((*name).to_owned(), number(typed));
            }
        }
    }
    let slug = encode(form.get("slug"));
    let path = format!("/v1/operator/tenants/{slug}/{what}");
    match signed
        .api
        .call(Method::PUT, &path)
        .body(&wish)
        .answered()
        .await
    {
        Ok(_) => Ok(see(&format!(
            "/console/operator/tenants?said=tenant-{what}"
        ))),
        Err(refused) if refused.status == 422 => {
            let outcome = Outcome {
                faults: refused.into(),
                ..Outcome::default()
            };
            render(signed, outcome).await
        }
        Err(refused) => Err(refused),
    }
}
