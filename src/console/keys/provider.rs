//! Anam's keys: adding, testing, retiring, deleting.

use actix_web::http::Method;
use serde::Deserialize;
use serde_json::json;

use super::page::{Outcome, render};
use crate::console::api::{Refused, Tagged, encode};
use crate::console::visit::{Answer, Form, Signed, see};

#[derive(Debug, Deserialize)]
struct Test {
    outcome: String,
    message: String,
}

/// Does what a button says.
pub async fn act(signed: Signed, form: Form) -> Answer {
    let path = format!("/v1/admin/provider-keys/{}", encode(form.get("id")));
    let (done, said) = match form.get("do") {
        "test" => return test(&signed, &path, &form).await,
        "retire" => {
            let path = format!("{path}:retire");
            let wish = json!({ "leaveNone": form.has("leave-none") });
            let call = signed.api.call(Method::POST, &path).body(&wish);
            (call.answered().await.map(drop), "provider-retired")
        }
        "delete" => (delete(&signed, &path).await, "provider-deleted"),
        _ => {
            let wish = json!({
                "label": form.get("name").trim(),
                "key": form.get("key").trim(),
                "skipTest": form.has("skip-test"),
            });
            let call = signed.api.call(Method::POST, "/v1/admin/provider-keys");
            (
                call.body(&wish).answered().await.map(drop),
                "provider-added",
            )
        }
    };
    match done {
        Ok(()) => Ok(see(&format!("/console/keys?said={said}"))),
        Err(refused) if refused.status == 403 || refused.is_signed_out() => Err(refused),
        Err(refused) => render(&signed, Outcome::refused("provider", &form, refused)).await,
    }
}

async fn delete(signed: &Signed, path: &str) -> Result<(), Refused> {
    let now: Tagged<serde_json::Value> = signed.api.tagged(path).await?;
    let call = signed.api.call(Method::DELETE, path).seen(&now.etag);
    call.answered().await.map(drop)
}

async fn test(signed: &Signed, path: &str, form: &Form) -> Answer {
    let path = format!("{path}:test");
    let outcome = match signed.api.call(Method::POST, &path).json::<Test>().await {
        Ok(test) => Outcome {
            form: "provider",
            tested: Some((
                matches!(test.outcome.as_str(), "good" | "noPermission"),
                test.message,
            )),
            ..Outcome::default()
        },
        Err(refused) => Outcome::refused("provider", form, refused),
    };
    render(signed, outcome).await
}
