//! Who is calling: the bearer token of a request, and the organisation that an API key stands for.

use actix_web::HttpRequest;
use actix_web::http::header::AUTHORIZATION;
use aws_lc_rs::digest::{SHA256, digest};
use secrecy::ExposeSecret;
use uuid::{Builder, Uuid};

use super::answer::Refusal;
use super::config::ApiKeys;

/// The organisation of one API key. Derived from the key by a one-way hash, so it may be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Account(pub(super) Uuid);

impl Account {
    fn of_key(key: &str) -> Self {
        Self(derived_id("api-key", key))
    }
}

/// A UUID (version 8) that is the same for the same words in every run.
pub(super) fn derived_id(kind: &str, name: &str) -> Uuid {
    let hash = digest(&SHA256, format!("{kind}/{name}").as_bytes());
    let mut bytes = [0; 16];
    for (byte, hashed) in bytes.iter_mut().zip(hash.as_ref()) {
        *byte = *hashed;
    }
    Builder::from_custom_bytes(bytes).into_uuid()
}

/// The request's bearer token, if it carries a non-empty one.
pub(super) fn bearer(request: &HttpRequest) -> Option<&str> {
    let value = request.headers().get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

/// Admits a request that carries a known API key; 401 otherwise.
pub(super) fn account(keys: &ApiKeys, request: &HttpRequest) -> Result<Account, Refusal> {
    let Some(key) = bearer(request) else {
        return Err(Refusal::unauthorised(
            "Send the API key as `Authorization: Bearer <key>`.",
        ));
    };
    let known = match keys {
        ApiKeys::Any => true,
        ApiKeys::Only(keys) => keys.iter().any(|known| known.expose_secret() == key),
    };
    if known {
        Ok(Account::of_key(key))
    } else {
        Err(Refusal::unauthorised("Unknown API key."))
    }
}
