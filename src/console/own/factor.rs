//! The page of one's own second factor.

use actix_web::http::Method;
use askama::Template;
use serde::Deserialize;
use serde_json::{Value, json};

use super::qr;
use crate::console::api::Refused;
use crate::console::frame::{Frame, page_after};
use crate::console::parts::{At, Faults};
use crate::console::visit::{Answer, Arriving, Form, own_path, see};

const FACTOR: &str = "/v1/admin/second-factor";
const CONFIRM: &str = "/v1/admin/second-factor:confirm";
const RENEW: &str = "/v1/admin/second-factor:renew-recovery-codes";

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Factor {
    enrolled: bool,
    #[serde(default)]
    since: Option<At>,
    recovery_codes: i64,
}

/// A new secret, shown this once.
#[derive(Debug, Deserialize)]
struct Secret {
    secret: String,
    uri: String,
}

impl Secret {
    /// In groups of four, as people type it.
    fn grouped(&self) -> String {
        let letters: Vec<char> = self.secret.chars().collect();
        let groups = letters.chunks(4).map(|group| group.iter().collect());
        groups.collect::<Vec<String>>().join(" ")
    }

    fn image(&self) -> String {
        qr::image(&self.uri).unwrap_or_default()
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RecoveryCodes {
    recovery_codes: Vec<String>,
}

/// What was just done.
#[derive(Debug, Default)]
struct Outcome {
    secret: Option<Secret>,
    /// A code of a secret that is shown no more is asked for again.
    again: bool,
    codes: Vec<String>,
    faults: Faults,
}

#[derive(Debug, Template)]
#[template(path = "own/factor.html")]
struct FactorPage {
    frame: Frame,
    factor: Factor,
    outcome: Outcome,
    /// Whether the tenant demands it, so that nothing else can be done before.
    demanded: bool,
    /// Whether an identity provider vouches for them.
    single_sign_on: bool,
    next: String,
}

/// The page.
pub async fn show(arriving: Arriving) -> Answer {
    let next = own_path(arriving.parameter("next"));
    render(&arriving, next, Outcome::default()).await
}

async fn render(arriving: &Arriving, next: String, outcome: Outcome) -> Answer {
    let factor: Factor = arriving.api.get(FACTOR).await?;
    let title = arriving.texts.say("factor");
    let demanded = arriving.account.missing.is_some() && !factor.enrolled;
    let frame = if demanded {
        Frame::bare(arriving, title)
    } else {
        Frame::of(arriving, &arriving.account, title)
    };
    let refused = outcome.faults.refused().cloned();
    Ok(page_after(
        refused.as_ref(),
        &FactorPage {
            frame,
            factor,
            outcome,
            demanded,
            single_sign_on: arriving.account.single_sign_on,
            next,
        },
    ))
}

/// Enrols, confirms, renews or removes.
pub async fn act(arriving: Arriving, form: Form) -> Answer {
    let next = own_path(Some(form.get("next").to_owned()));
    let api = &arriving.api;
    let done = match form.get("do") {
        "enrol" => api.post(FACTOR, &json!({})).await.map(|secret| Outcome {
            secret: Some(secret),
            ..Outcome::default()
        }),
        "confirm" => {
            codes(
                &arriving,
                CONFIRM,
                &json!({ "code": form.get("code").trim() }),
            )
            .await
        }
        "renew" => codes(&arriving, RENEW, &json!({})).await,
        "remove" => {
            api.call(Method::DELETE, FACTOR).answered().await?;
            return Ok(see("/console/second-factor?said=factor-removed"));
        }
        _ => Ok(Outcome::default()),
    };
    let outcome = match done {
        Ok(outcome) => outcome,
        Err(refused) if matches!(refused.status, 409 | 422 | 429) => Outcome {
            again: form.get("do") == "confirm",
            faults: refused.into(),
            ..Outcome::default()
        },
        Err(refused) => return Err(refused),
    };
    render(&arriving, next, outcome).await
}

async fn codes(arriving: &Arriving, path: &str, sent: &Value) -> Result<Outcome, Refused> {
    let made: RecoveryCodes = arriving.api.post(path, sent).await?;
    Ok(Outcome {
        codes: made.recovery_codes,
        ..Outcome::default()
    })
}
