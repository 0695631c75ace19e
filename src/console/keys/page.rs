//! All keys of the tenant.

use actix_web::HttpResponse;
use askama::Template;
use serde::Deserialize;

use crate::console::api::Refused;
use crate::console::catalogue::EntryUse;
use crate::console::frame::{Frame, page_with};
use crate::console::parts::{At, Faults, Listed, query_of};
use crate::console::visit::{Answer, Form, Signed};

/// A key of Anam.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProviderKey {
    pub id: String,
    pub label: String,
    pub last_four: String,
    pub active: bool,
    pub in_use: bool,
    pub created_at: At,
}

impl ProviderKey {
    /// How it stands, as the end of a text's name.
    pub fn state(&self) -> &'static str {
        match (self.in_use, self.active) {
            (true, _) => "in-use",
            (false, true) => "active",
            (false, false) => "retired",
        }
    }
}

/// A key of the API.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApiKey {
    pub id: String,
    pub name: String,
    pub role: String,
    pub prefix: String,
    #[serde(default)]
    pub created_by: Option<String>,
    pub created_at: At,
    #[serde(default)]
    pub expires_at: Option<At>,
    #[serde(default)]
    pub revoked_at: Option<At>,
    #[serde(default)]
    pub last_used_at: Option<At>,
    #[serde(default)]
    pub key: Option<String>,
}

/// A secret of tools.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Secret {
    pub name: String,
    pub last_four: String,
    pub set_at: At,
    pub set_by: String,
    #[serde(default)]
    pub used_by: Vec<EntryUse>,
}

/// What happened to a form of the page.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The form: `provider`, `api` or `secret`.
    pub form: &'static str,
    pub faults: Faults,
    /// What was typed, but for what is secret.
    pub name: String,
    pub role: String,
    pub expires: String,
    /// A key that is shown this once.
    pub made: Option<ApiKey>,
    /// How a test ended: whether it is good, and in words.
    pub tested: Option<(bool, String)>,
}

impl Outcome {
    /// A refusal of what this form sent.
    pub fn refused(form: &'static str, sent: &Form, refused: Refused) -> Self {
        Self {
            form,
            faults: Faults::from(refused),
            name: sent.get("name").to_owned(),
            role: sent.get("role").to_owned(),
            expires: sent.get("expires").to_owned(),
            ..Self::default()
        }
    }

    /// Whether there can be nothing of that name.
    pub fn is_nowhere(&self) -> bool {
        let refused = self.faults.refused();
        refused.is_some_and(|refused| refused.status == 404)
    }

    /// Whether it is about this form.
    pub fn is_of(&self, form: &str) -> bool {
        self.form == form
    }
}

#[derive(Debug, Template)]
#[template(path = "keys/page.html")]
struct KeysPage {
    frame: Frame,
    provider_keys: Vec<ProviderKey>,
    api_keys: Listed<ApiKey>,
    next: Option<String>,
    secrets: Vec<Secret>,
    outcome: Outcome,
    /// What makes a form good for once.
    once: String,
}

/// The page.
pub async fn show(signed: Signed) -> Answer {
    render(&signed, Outcome::default()).await
}

/// The page, after a form was sent.
pub async fn render(signed: &Signed, outcome: Outcome) -> Result<HttpResponse, Refused> {
    let frame = Frame::new(signed, signed.texts.say("keys"));
    let provider_keys: Listed<ProviderKey> = signed.api.get("/v1/admin/provider-keys").await?;
    let secrets: Listed<Secret> = signed.api.get("/v1/admin/secrets").await?;
    let mut api_keys = Listed::default();
    if frame.owns() {
        let cursor = signed.parameter("cursor").unwrap_or_default();
        let query = query_of(&[("limit", "100"), ("cursor", &cursor)]);
        api_keys = signed
            .api
            .get(&format!("/v1/admin/api-keys?{query}"))
            .await?;
    }
    Ok(page_with(
        outcome.faults.status(),
        &KeysPage {
            frame,
            provider_keys: provider_keys.items,
            next: api_keys.next_page(signed),
            api_keys,
            secrets: secrets.items,
            outcome,
            once: signed.api.number(),
        },
    ))
}
