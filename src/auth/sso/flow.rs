//! The code flow's requests and answers (RFC 6749, 4.1; OIDC Core, 3.1 and 5.3).

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Method, Request, StatusCode};
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};
use url::Url;

use super::provider::Endpoints;
use super::{SsoAttempt, SsoClient, SsoError};
use crate::auth::client_auth::Client;
use crate::auth::outbound::{Answered, Outbound, OutboundError};
use crate::crypto::token::s256;
use crate::domain::json;
use crate::domain::text::clean_line;

/// Longest error code of a provider that is logged, in characters.
const MAX_CODE_CHARS: usize = 100;

/// Where to send a browser.
pub(super) fn authorization_url(
    endpoint: &Url,
    client_id: &str,
    redirect_uri: &str,
    attempt: &SsoAttempt,
) -> Url {
    let mut url = endpoint.clone();
    url.query_pairs_mut()
        .append_pair("response_type", "code")
        .append_pair("client_id", client_id)
        .append_pair("redirect_uri", redirect_uri)
        .append_pair("scope", "openid email profile")
        .append_pair("state", attempt.state.expose_secret())
        .append_pair("nonce", attempt.nonce.expose_secret())
        .append_pair("code_challenge", &s256(&attempt.pkce_verifier))
        .append_pair("code_challenge_method", "S256");
    if attempt.signed_in_since.is_some() {
        // Asks for a sign-in, and for `auth_time` in the ID token, which proves it (OIDC Core, 3.1.2.1).
        url.query_pairs_mut()
            .append_pair("prompt", "login")
            .append_pair("max_age", "0");
    }
    url
}

/// A code to be exchanged for tokens.
pub(super) struct Exchange<'a> {
    pub(super) endpoints: &'a Endpoints,
    pub(super) client: &'a SsoClient,
    pub(super) redirect_uri: &'a str,
    pub(super) code: &'a str,
    pub(super) pkce_verifier: &'a SecretString,
}

/// The tokens that a code was exchanged for.
#[derive(Debug)]
pub(super) struct Tokens {
    pub(super) access_token: SecretString,
    pub(super) id_token: String,
}

impl Exchange<'_> {
    /// Asks the token endpoint.
    pub(super) async fn send(&self, outbound: &Outbound) -> Result<Tokens, SsoError> {
        let client = Client {
            id: &self.client.client_id,
            secret: self.client.client_secret.as_ref(),
            authentication: self.endpoints.authentication,
        };
        let form = [
            ("grant_type", "authorization_code"),
            ("code", self.code),
            ("redirect_uri", self.redirect_uri),
            ("code_verifier", self.pkce_verifier.expose_secret()),
        ];
        let request = client.post(&self.endpoints.token, &form)?;
        read_tokens(outbound.execute(request).await?)
    }
}

/// OIDC Core, 3.1.3.3: the type must be Bearer, and an ID token must be there.
fn read_tokens(answered: Answered) -> Result<Tokens, SsoError> {
    let body = Zeroizing::new(answered.body);
    let members = json::object(&body);
    if answered.status != StatusCode::OK {
        let status = answered.status;
        return Err(not_exchanged(status, &answered.headers, members.as_ref()));
    }
    let unreadable = SsoError::Refused("token_answer_unreadable");
    let Some(mut members) = members else {
        return Err(unreadable);
    };
    let mut text = |name: &str| match members.remove(name) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    };
    let (kind, access_token, id_token) =
        (text("token_type"), text("access_token"), text("id_token"));
    let is_bearer = kind.is_some_and(|kind| kind.eq_ignore_ascii_case("bearer"));
    let Some(access_token) = access_token.filter(|_| is_bearer) else {
        return Err(unreadable);
    };
    Ok(Tokens {
        access_token: SecretString::from(access_token),
        id_token: id_token.ok_or(SsoError::Refused("no_id_token"))?,
    })
}

/// RFC 6749, 5.2: a provider that refuses says why. One that fails, or is at another address, is unreachable.
fn not_exchanged(
    status: StatusCode,
    headers: &HeaderMap,
    members: Option<&Map<String, Value>>,
) -> SsoError {
    if !status.is_client_error() {
        return OutboundError::of_status(status, headers).into();
    }
    let code = members.and_then(|members| members.get("error"));
    let code = code.and_then(Value::as_str).unwrap_or_default();
    let code = clean_line(code, MAX_CODE_CHARS);
    tracing::info!(status = status.as_u16(), %code, "an identity provider refused a code");
    SsoError::Refused("code_refused")
}

/// What the userinfo endpoint answered.
#[derive(Debug)]
pub(super) enum Userinfo {
    Plain(Map<String, Value>),
    /// A JWT that is yet to be judged.
    Signed(String),
}

/// Asks for the claims of whom the access token is about.
pub(super) async fn userinfo(
    outbound: &Outbound,
    endpoint: &Url,
    access_token: &SecretString,
) -> Result<Userinfo, SsoError> {
    let refused = || SsoError::Refused("userinfo_refused");
    let mut request = Request::new(Method::GET, endpoint.clone());
    let header = Zeroizing::new(format!("Bearer {}", access_token.expose_secret()));
    let mut header = HeaderValue::from_str(&header).map_err(|_unwritable| refused())?;
    header.set_sensitive(true);
    request.headers_mut().insert(AUTHORIZATION, header);
    let accept = HeaderValue::from_static("application/json");
    request.headers_mut().insert(ACCEPT, accept);
    let answered = outbound.execute(request).await?;
    if answered.status != StatusCode::OK {
        return Err(refused());
    }
    read_userinfo(&answered).ok_or_else(refused)
}

fn read_userinfo(answered: &Answered) -> Option<Userinfo> {
    let kind = match answered.headers.get(CONTENT_TYPE) {
        Some(kind) => kind.to_str().ok()?.split(';').next()?.trim(),
        None => "application/json",
    };
    if kind.eq_ignore_ascii_case("application/json") {
        json::object(&answered.body).map(Userinfo::Plain)
    } else if kind.eq_ignore_ascii_case("application/jwt") {
        let text = std::str::from_utf8(&answered.body).ok()?;
        Some(Userinfo::Signed(text.trim().to_owned()))
    } else {
        None
    }
}
