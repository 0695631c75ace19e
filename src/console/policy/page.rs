//! The policy as a form, and the tenant's name.

use actix_web::http::{Method, StatusCode};
use askama::Template;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::allowances::{Allowance, allowances, put_allowances};
use super::rows::{
    Catalogue, Kind, Preference, Row, Setting, apply, preferences, preferences_of, rows, settings,
};
use crate::console::api::{Refused, Tagged};
use crate::console::frame::{Frame, page_with};
use crate::console::parts::{Faults, number, words_of};
use crate::console::users::form::choices;
use crate::console::visit::{Answer, Form, Signed, see};

const POLICY: &str = "/v1/admin/policy";
const TENANT: &str = "/v1/admin/tenant";

#[derive(Debug, Deserialize)]
struct Tenant {
    slug: String,
    name: String,
}

/// The members that stand by themselves.
#[derive(Debug)]
struct Plain {
    origins: String,
    time_zone: String,
    retain: String,
    approvals: String,
    second_factor: bool,
    sync: bool,
    every: String,
    allow_new: bool,
}

#[derive(Debug, Template)]
#[template(path = "policy/page.html")]
struct PolicyPage {
    frame: Frame,
    tenant: Tenant,
    tenant_etag: String,
    etag: String,
    plain: Plain,
    rows: Vec<Row>,
    preferences: Vec<Preference>,
    allowances: Vec<Allowance>,
    faults: Faults,
    /// Faults of the tenant's name.
    name_faults: Faults,
    changed: bool,
}

impl Plain {
    fn stored(policy: &Value) -> Self {
        let member = |name: &str| policy.get(name).map(words_of).unwrap_or_default();
        let sync = policy.get("catalogueSync").unwrap_or(&Value::Null);
        let origins = policy.get("allowedOrigins").and_then(Value::as_array);
        let origins: Vec<String> = origins.into_iter().flatten().map(words_of).collect();
        let flag = |name: &str| sync.get(name).and_then(Value::as_bool);
        Self {
            origins: origins.join("\n"),
            time_zone: member("timeZone"),
            retain: member("retainInputsDays"),
            approvals: member("requiredApprovals"),
            second_factor: policy.get("requireSecondFactor") == Some(&Value::Bool(true)),
            sync: !sync.is_null() && flag("enabled").unwrap_or(true),
            every: sync.get("everyHours").map(words_of).unwrap_or_default(),
            allow_new: flag("allowNew").unwrap_or(false),
        }
    }

    fn typed(form: &Form) -> Self {
        let field = |name| form.get(name).to_owned();
        Self {
            origins: field("allowedOrigins"),
            time_zone: field("timeZone"),
            retain: field("retainInputsDays"),
            approvals: field("requiredApprovals"),
            second_factor: form.has("requireSecondFactor"),
            sync: form.has("sync"),
            every: field("everyHours"),
            allow_new: form.has("allowNew"),
        }
    }
}

async fn fields(signed: &Signed) -> Result<Vec<Setting>, Refused> {
    Ok(settings(Catalogue {
        avatars: choices(signed, "avatar").await?,
        voices: choices(signed, "voice").await?,
        llms: choices(signed, "llm").await?,
        languages: choices(signed, "language").await?,
    }))
}

/// The form.
pub async fn show(signed: Signed) -> Answer {
    let none = Faults::default;
    render(&signed, None, None, none(), none()).await
}

async fn render(
    signed: &Signed,
    form: Option<&Form>,
    name: Option<&str>,
    faults: Faults,
    name_faults: Faults,
) -> Answer {
    let policy: Tagged<Value> = signed.api.tagged(POLICY).await?;
    let mut tenant: Tagged<Tenant> = signed.api.tagged(TENANT).await?;
    if let Some(name) = name {
        name.clone_into(&mut tenant.body.name);
    }
    let status = if faults.any() {
        faults.status()
    } else {
        name_faults.status()
    };
    let changed = status == StatusCode::PRECONDITION_FAILED;
    // Whoever corrects a fault still has to see what somebody else changed.
    let etag = form
        .filter(|_| !changed)
        .map(|form| form.get("etag").to_owned());
    Ok(page_with(
        status,
        &PolicyPage {
            frame: Frame::new(signed, signed.texts.say("policy")),
            tenant: tenant.body,
            tenant_etag: tenant.etag,
            etag: etag.unwrap_or(policy.etag),
            plain: form.map_or_else(|| Plain::stored(&policy.body), Plain::typed),
            rows: rows(fields(signed).await?, &policy.body, form, &faults),
            preferences: preferences(&policy.body, form, &faults),
            allowances: allowances(&policy.body, form, &faults),
            faults,
            name_faults,
            changed,
        },
    ))
}

fn with_plain(form: &Form, policy: &mut Map<String, Value>) {
    let origins = form.get("allowedOrigins").lines().map(str::trim);
    let origins: Vec<&str> = origins.filter(|line| !line.is_empty()).collect();
    policy.insert("allowedOrigins".to_owned(), origins.into());
    let mut put = |name: &str, value: Option<Value>| match value {
        Some(value) => policy.insert(name.to_owned(), value),
        None => policy.remove(name),
    };
    put("timeZone", form.filled("timeZone").map(Value::from));
    put(
        "retainInputsDays",
        form.filled("retainInputsDays").map(number),
    );
    put(
        "requiredApprovals",
        form.filled("requiredApprovals").map(number),
    );
    put(
        "requireSecondFactor",
        form.has("requireSecondFactor").then_some(true.into()),
    );
    let mut sync = Map::new();
    if form.has("sync") || form.has("allowNew") || form.filled("everyHours").is_some() {
        sync.insert("enabled".to_owned(), form.has("sync").into());
        sync.insert("allowNew".to_owned(), form.has("allowNew").into());
        if let Some(hours) = form.filled("everyHours") {
            sync.insert("everyHours".to_owned(), number(hours));
        }
    }
    let sync = (!sync.is_empty()).then_some(Value::Object(sync));
    put("catalogueSync", sync);
    let own = preferences_of(form);
    put(
        "preferences",
        (!own.is_empty()).then_some(Value::Object(own)),
    );
    put_allowances(form, policy);
}

/// Saves the policy.
pub async fn save(signed: Signed, form: Form) -> Answer {
    let mut policy: Map<String, Value> = signed.api.get(POLICY).await?;
    with_plain(&form, &mut policy);
    apply(&fields(&signed).await?, &form, &mut policy);
    let policy = Value::Object(policy);
    let call = signed.api.call(Method::PUT, POLICY);
    match call.seen(form.get("etag")).body(&policy).answered().await {
        Ok(_) => Ok(see("/console/policy?said=policy-saved")),
        Err(refused) if matches!(refused.status, 400 | 409 | 412 | 422) => {
            let faults = Faults::from(refused);
            render(&signed, Some(&form), None, faults, Faults::default()).await
        }
        Err(refused) => Err(refused),
    }
}

/// Saves the tenant's name.
pub async fn name(signed: Signed, form: Form) -> Answer {
    let change = json!({ "name": form.get("name").trim() });
    let call = signed.api.call(Method::PATCH, TENANT);
    match call.seen(form.get("etag")).body(&change).answered().await {
        Ok(_) => Ok(see("/console/policy?said=saved")),
        Err(refused) if matches!(refused.status, 400 | 412 | 422) => {
            let (name, faults) = (Some(form.get("name")), Faults::from(refused));
            render(&signed, None, name, Faults::default(), faults).await
        }
        Err(refused) => Err(refused),
    }
}
