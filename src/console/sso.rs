//! Sign-in with the tenant's identity provider. The console is a program like the command line (RFC 8252): it shows a challenge when it
//! begins, and the code at the end is worth something only in the browser that holds the verifier.

use actix_web::HttpResponse;
use actix_web::cookie::time::Duration;
use actix_web::http::StatusCode;
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::json;

use super::api::{Refused, encode};
use super::visit::{Answer, Form, Visitor, own_path, see};
use crate::crypto::token::{random_token, s256, same_secret};

/// Holds the state, the verifier and the page that somebody wanted, until they come back.
const COOKIE: &str = "persona-gateway-console-sso";

/// How long somebody may take at the provider.
const PATIENCE: Duration = Duration::minutes(10);

/// The most bytes of the page's address: cookies take 4 kB, and each byte may take three.
const LONGEST_NEXT: usize = 1_000;

#[derive(Debug, Deserialize)]
struct Session {
    token: String,
}

/// Sends the browser to the provider of the tenant that somebody named.
pub async fn begin(visitor: Visitor, sent: Form) -> Answer {
    let random = || {
        random_token("").map_err(|error| {
            tracing::error!(%error, "no sign-in without random numbers");
            Refused::own(StatusCode::INTERNAL_SERVER_ERROR, "internal", "")
        })
    };
    let (state, verifier) = (random()?, random()?);
    let tenant = sent.get("tenant").trim();
    let start = format!(
        "/v1/admin/sso/{}/start?code_challenge={}&code_challenge_method=S256&redirect_uri={}&state={}",
        encode(tenant),
        encode(&s256(&verifier)),
        encode(&visitor.own().console_sso()),
        encode(state.expose_secret()),
    );
    let mut answer = see(&start);
    let (state, verifier) = (state.expose_secret(), verifier.expose_secret());
    let next = Some(sent.get("next").to_owned());
    let next = own_path(next.filter(|next| next.len() <= LONGEST_NEXT));
    let held = encode(&format!("{tenant} {state} {verifier} {next}"));
    let cookie = visitor.own().cookie(COOKIE, held, Some(PATIENCE));
    _ = answer.add_cookie(&cookie);
    Ok(answer)
}

/// Opens the session of somebody who comes back.
pub async fn finish(visitor: Visitor) -> Answer {
    let lost = || {
        Refused::own(
            StatusCode::BAD_REQUEST,
            "sso_lost",
            visitor.texts.say("sso-lost"),
        )
    };
    let held = visitor.other_cookie(COOKIE).ok_or_else(lost)?;
    let held = percent_encoding::percent_decode_str(&held).decode_utf8_lossy();
    let mut parts = held.split(' ');
    let (Some(tenant), Some(state), Some(verifier)) = (parts.next(), parts.next(), parts.next())
    else {
        return Err(lost());
    };
    let next = own_path(parts.next().map(str::to_owned));
    let told = visitor.parameter("state").unwrap_or_default();
    if !same_secret(&told.into(), &state.to_owned().into()) {
        return Err(lost());
    }
    if let Some(words) = visitor.parameter("error_description") {
        return Err(not_in(words));
    }
    let code = visitor.parameter("code").unwrap_or_default();
    let path = format!("/v1/admin/sso/{}/code", encode(tenant));
    let sent = json!({ "code": code, "codeVerifier": verifier });
    let session = visitor.api.post::<Session>(&path, &sent).await;
    let session = session.map_err(|refused| {
        if refused.is_signed_out() {
            not_in(refused.words())
        } else {
            refused
        }
    })?;
    let mut answer: HttpResponse = see(&next);
    _ = answer.add_cookie(&visitor.cookie(&session.token));
    let over = visitor
        .own()
        .cookie(COOKIE, String::new(), Some(Duration::ZERO));
    _ = answer.add_cookie(&over);
    Ok(answer)
}

/// Not 401, after which the console asks to sign in: somebody just tried.
fn not_in(words: impl Into<String>) -> Refused {
    Refused::own(StatusCode::FORBIDDEN, "sign_in_failed", words)
}
