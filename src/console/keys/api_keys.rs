//! Keys of the API: making, rotating, revoking. A new one is shown once.

use actix_web::http::Method;
use actix_web::http::header::HeaderName;
use serde_json::json;

use super::page::{ApiKey, Outcome, render};
use crate::console::api::{Call, encode};
use crate::console::parts::{moment_of, number};
use crate::console::visit::{Answer, Form, Signed, see};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Does what a button says.
pub async fn act(signed: Signed, form: Form) -> Answer {
    let path = format!("/v1/admin/api-keys/{}", encode(form.get("id")));
    let made = match form.get("do") {
        "revoke" => {
            return match signed.api.call(Method::DELETE, &path).answered().await {
                Ok(_) => Ok(see("/console/keys?said=api-key-revoked")),
                Err(refused) => render(&signed, Outcome::refused("api", &form, refused)).await,
            };
        }
        "rotate" => {
            let path = format!("{path}:rotate");
            let grace = form
                .filled("grace")
                .map_or(json!({}), |grace| json!({ "graceSeconds": number(grace) }));
            let call = signed.api.call(Method::POST, &path).body(&grace);
            once(call, &form).json::<ApiKey>().await
        }
        _ => {
            let expires = form
                .filled("expires")
                .map(|field| moment_of(field, form.get("zone")));
            let mut wish = json!({ "name": form.get("name").trim(), "role": form.get("role") });
            if let (Some(expires), Some(members)) = (expires, wish.as_object_mut()) {
                members.insert("expiresAt".to_owned(), expires.into());
            }
            let call = signed.api.call(Method::POST, "/v1/admin/api-keys");
            once(call.body(&wish), &form).json::<ApiKey>().await
        }
    };
    let outcome = match made {
        Ok(made) => Outcome {
            form: "api",
            made: Some(made),
            ..Outcome::default()
        },
        Err(refused) if refused.status == 403 || refused.is_signed_out() => return Err(refused),
        Err(refused) => Outcome::refused("api", &form, refused),
    };
    render(&signed, outcome).await
}

/// A form that is sent a second time, by a reload, makes no second key.
fn once<'a>(call: Call<'a>, form: &Form) -> Call<'a> {
    match form.filled("once") {
        Some(once) => call.header(IDEMPOTENCY_KEY, once),
        None => call,
    }
}
