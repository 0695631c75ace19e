//! Secrets of tools: setting and deleting.

use actix_web::http::Method;
use serde_json::{Value, json};

use super::page::{Outcome, render};
use crate::console::api::{Refused, Tagged, encode};
use crate::console::visit::{Answer, Form, Signed, see};

/// Does what a button says.
pub async fn act(signed: Signed, form: Form) -> Answer {
    let path = format!("/v1/admin/secrets/{}", encode(form.get("name").trim()));
    let (done, said) = if form.get("do") == "delete" {
        (delete(&signed, &path).await, "secret-deleted")
    } else {
        let wish = json!({ "value": form.get("value") });
        let call = signed.api.call(Method::PUT, &path).body(&wish);
        (call.answered().await.map(drop), "secret-set")
    };
    match done {
        Ok(()) => Ok(see(&format!("/console/keys?said={said}"))),
        Err(refused) if refused.status == 403 || refused.is_signed_out() => Err(refused),
        Err(refused) => render(&signed, Outcome::refused("secret", &form, refused)).await,
    }
}

async fn delete(signed: &Signed, path: &str) -> Result<(), Refused> {
    let now: Tagged<Value> = signed.api.tagged(path).await?;
    let call = signed.api.call(Method::DELETE, path).seen(&now.etag);
    call.answered().await.map(drop)
}
