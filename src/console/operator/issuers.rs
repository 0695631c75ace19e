//! Shared issuers, and which tenant an issuer's audience belongs to.

use actix_web::http::Method;
use askama::Template;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::console::api::{Refused, encode};
use crate::console::frame::{Frame, page_with};
use crate::console::parts::{At, Faults, Listed, query_of, words_of};
use crate::console::visit::{Answer, Form, Signed, see};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Shared {
    id: String,
    config: Map<String, Value>,
    tenant_claim: String,
}

impl Shared {
    fn issuer(&self) -> String {
        self.config.get("issuer").map(words_of).unwrap_or_default()
    }

    fn audiences(&self) -> String {
        self.config
            .get("audiences")
            .map(words_of)
            .unwrap_or_default()
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Pair {
    tenant: String,
    issuer: String,
    audience: String,
    state: String,
    #[serde(default)]
    claimed_by: Option<String>,
    #[serde(default)]
    claimed_at: Option<At>,
}

impl Pair {
    fn is_pending(&self) -> bool {
        self.state == "pending"
    }
}

#[derive(Debug, Default)]
struct Outcome {
    faults: Faults,
    /// Why the configuration is no JSON.
    broken: Option<String>,
    config: String,
    claim: String,
}

#[derive(Debug, Template)]
#[template(path = "operator/issuers.html")]
struct OperatorIssuersPage {
    frame: Frame,
    shared: Vec<Shared>,
    pairs: Listed<Pair>,
    next: Option<String>,
    outcome: Outcome,
}

/// The page.
pub async fn show(signed: Signed) -> Answer {
    render(&signed, Outcome::default()).await
}

async fn render(signed: &Signed, outcome: Outcome) -> Answer {
    let shared: Listed<Shared> = signed
        .api
        .get("/v1/operator/shared-issuers?limit=100")
        .await?;
    let cursor = signed.parameter("cursor").unwrap_or_default();
    let query = query_of(&[("limit", "100"), ("cursor", &cursor)]);
    let path = format!("/v1/operator/issuer-pairs?{query}");
    let pairs: Listed<Pair> = signed.api.get(&path).await?;
    let status = outcome.faults.status_or(outcome.broken.is_some());
    Ok(page_with(
        status,
        &OperatorIssuersPage {
            frame: Frame::new(signed, signed.texts.say("operator-issuers")),
            shared: shared.items,
            next: pairs.next_page(signed),
            pairs,
            outcome,
        },
    ))
}

/// Does what a button says.
pub async fn act(signed: Signed, form: Form) -> Answer {
    let verb = form.get("do");
    let done = match verb {
        "assign" | "withdraw" => {
            let pair = json!({
                "tenant": form.get("tenant"),
                "issuer": form.get("issuer"),
                "audience": form.get("audience"),
            });
            let path = format!("/v1/operator/issuer-pairs:{verb}");
            let call = signed.api.call(Method::POST, &path).body(&pair);
            call.answered().await.map(drop)
        }
        "remove" => {
            let path = format!("/v1/operator/shared-issuers/{}", encode(form.get("id")));
            signed
                .api
                .call(Method::DELETE, &path)
                .answered()
                .await
                .map(drop)
        }
        _ => match serde_json::from_str::<Value>(form.get("config")) {
            Ok(config) => add(&signed, config, form.get("claim").trim()).await,
            Err(error) => {
                let outcome = Outcome {
                    broken: Some(error.to_string()),
                    ..typed(&form, Faults::default())
                };
                return render(&signed, outcome).await;
            }
        },
    };
    match done {
        Ok(()) => Ok(see("/console/operator/issuers?said=saved")),
        Err(refused) if matches!(refused.status, 404 | 409 | 422) => {
            render(&signed, typed(&form, refused.into())).await
        }
        Err(refused) => Err(refused),
    }
}

async fn add(signed: &Signed, config: Value, claim: &str) -> Result<(), Refused> {
    let wish = json!({ "config": config, "tenantClaim": claim });
    let call = signed.api.call(Method::POST, "/v1/operator/shared-issuers");
    call.body(&wish).answered().await.map(drop)
}

fn typed(form: &Form, faults: Faults) -> Outcome {
    Outcome {
        faults,
        broken: None,
        config: form.get("config").to_owned(),
        claim: form.get("claim").to_owned(),
    }
}
