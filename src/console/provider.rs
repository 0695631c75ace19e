//! The tenant's single sign-on: who may sign in at the console with the company's identity provider.

use actix_web::http::Method;
use actix_web::http::header::IF_NONE_MATCH;
use askama::Template;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::api::{Refused, Tagged};
use super::frame::{Frame, page_with};
use super::parts::Faults;
use super::visit::{Answer, Form, Signed, see};

const PATH: &str = "/v1/admin/sso";
const PAGE: &str = "/console/single-sign-on";

/// The provider, as the API shows it.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Provider {
    issuer: String,
    client_id: String,
    has_client_secret: bool,
    allowed_domains: Vec<String>,
    trust_addresses: bool,
    new_person_role: Option<String>,
}

/// What the form says.
#[derive(Debug, Default)]
struct Typed {
    issuer: String,
    client_id: String,
    domains: String,
    /// Empty where newcomers are turned away.
    role: String,
    is_public: bool,
    trusts: bool,
}

#[derive(Debug, Template)]
#[template(path = "provider.html")]
struct ProviderPage {
    frame: Frame,
    /// What is stored; its state for the next change is empty where there is none.
    etag: String,
    has_secret: bool,
    typed: Typed,
    faults: Faults,
    /// Where the provider sends browsers back to.
    callback: String,
}

impl Typed {
    fn of(provider: &Provider) -> Self {
        Self {
            issuer: provider.issuer.clone(),
            client_id: provider.client_id.clone(),
            domains: provider.allowed_domains.join("\n"),
            role: provider.new_person_role.clone().unwrap_or_default(),
            is_public: !provider.issuer.is_empty() && !provider.has_client_secret,
            trusts: provider.trust_addresses,
        }
    }

    fn sent(form: &Form) -> Self {
        let text = |name| form.get(name).trim().to_owned();
        Self {
            issuer: text("issuer"),
            client_id: text("client"),
            domains: form.get("domains").to_owned(),
            role: text("role"),
            is_public: form.has("public"),
            trusts: form.has("trusts"),
        }
    }

    fn body(&self, secret: &str) -> Value {
        let domains = self.domains.split([',', ' ', '\n']).map(str::trim);
        let domains: Vec<&str> = domains.filter(|domain| !domain.is_empty()).collect();
        let role = Some(self.role.as_str()).filter(|role| !role.is_empty());
        let mut body = Map::new();
        body.insert("issuer".to_owned(), self.issuer.clone().into());
        body.insert("clientId".to_owned(), self.client_id.clone().into());
        body.insert("allowedDomains".to_owned(), domains.into());
        body.insert("trustAddresses".to_owned(), self.trusts.into());
        body.insert("newPersonRole".to_owned(), role.into());
        if self.is_public {
            body.insert("clientSecret".to_owned(), Value::Null);
        } else if !secret.is_empty() {
            body.insert("clientSecret".to_owned(), secret.into());
        }
        body.into()
    }
}

/// What is stored, and its state; nothing where there is no provider.
async fn stored(signed: &Signed) -> Result<(Provider, String), Refused> {
    match signed.api.tagged::<Provider>(PATH).await {
        Ok(Tagged { body, etag }) => Ok((body, etag)),
        Err(refused) if refused.status == 404 => Ok((Provider::default(), String::new())),
        Err(refused) => Err(refused),
    }
}

/// The settings.
pub async fn show(signed: Signed) -> Answer {
    let (provider, etag) = stored(&signed).await?;
    let typed = Typed::of(&provider);
    Ok(rendered(&signed, &provider, etag, typed, Faults::default()))
}

fn rendered(
    signed: &Signed,
    provider: &Provider,
    etag: String,
    typed: Typed,
    faults: Faults,
) -> actix_web::HttpResponse {
    let tenant = signed.account.tenant.as_deref().unwrap_or_default();
    let shown = ProviderPage {
        frame: Frame::new(signed, signed.texts.say("single-sign-on")),
        etag,
        has_secret: provider.has_client_secret,
        typed,
        faults,
        callback: format!("{}/v1/admin/sso/{tenant}/callback", signed.origin()),
    };
    page_with(shown.faults.status(), &shown)
}

/// Sets the provider, or removes it: the button says it.
pub async fn change(signed: Signed, form: Form) -> Answer {
    let etag = form.get("etag");
    let typed = Typed::sent(&form);
    let (done, said) = if form.get("do") == "remove" {
        let call = signed.api.call(Method::DELETE, PATH).seen(etag);
        (call.answered().await, "sso-removed")
    } else {
        let call = signed.api.call(Method::PUT, PATH);
        let call = match etag {
            "" => call.header(IF_NONE_MATCH, "*"),
            etag => call.seen(etag),
        };
        let body = typed.body(form.get("secret"));
        (call.body(&body).answered().await, "sso-set")
    };
    match done {
        Ok(_) => Ok(see(&format!("{PAGE}?said={said}"))),
        Err(refused) if matches!(refused.status, 409 | 412 | 422 | 429) => {
            let (provider, _) = stored(&signed).await?;
            Ok(rendered(
                &signed,
                &provider,
                etag.to_owned(),
                typed,
                refused.into(),
            ))
        }
        Err(refused) => Err(refused),
    }
}
