//! Signing in through a tenant's identity provider: for a program on the machine of whoever looks at the browser (RFC 8252).

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;
use url::Url;

use super::error::ClientError;
use super::transport::{Call, Client, ClientOptions, Repeat, segment};
use crate::crypto::digest::sha256;
use crate::crypto::token::{random_token, same_secret};
use crate::domain::text::clean_line;

/// Characters of what a page says of a sign-in that failed.
const MAX_WORDS: usize = 500;

/// A sign-in that has begun and waits for its code.
pub struct SignIn {
    client: Client,
    tenant: String,
    /// Proves at the end that it was this program that began (PKCE).
    verifier: SecretString,
    /// Comes back with the code.
    state: SecretString,
}

/// Who signed in, and with what to go on.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SignedIn {
    /// To be sent as a bearer token.
    pub token: SecretString,
    /// The end of the session; it ends earlier after half an hour without a request.
    pub expires_at: DateTime<Utc>,
    pub tenant: String,
    pub role: String,
}

impl fmt::Debug for SignIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignIn")
            .field("client", &self.client)
            .field("tenant", &self.tenant)
            .finish_non_exhaustive()
    }
}

impl SignIn {
    pub fn begin(server: &str, tenant: &str) -> Result<Self, ClientError> {
        let random = || random_token("").map_err(|error| ClientError::SetUp(error.to_string()));
        Ok(Self {
            client: Client::anonymous(server, ClientOptions::default())?,
            tenant: tenant.to_owned(),
            verifier: random()?,
            state: random()?,
        })
    }

    /// The gateway's address, as one way to write it.
    pub fn server(&self) -> &str {
        self.client.base().as_str()
    }

    /// What to open in a browser. Its last page leads to `http://127.0.0.1:PORT/` with `code` and `state`, and shows the code.
    pub fn address(&self, port: u16) -> Result<Url, ClientError> {
        let path = format!("v1/admin/sso/{}/start", segment(&self.tenant));
        let mut url = self
            .client
            .base()
            .join(&path)
            .map_err(|error| ClientError::SetUp(error.to_string()))?;
        let challenge = sha256(self.verifier.expose_secret().as_bytes());
        url.query_pairs_mut()
            .append_pair("redirect_uri", &format!("http://127.0.0.1:{port}/"))
            .append_pair("state", self.state.expose_secret())
            .append_pair("code_challenge", &URL_SAFE_NO_PAD.encode(challenge))
            .append_pair("code_challenge_method", "S256");
        Ok(url)
    }

    /// What a browser brings, where it comes from this sign-in: the code, or in words why there is none.
    pub fn brought(&self, target: &str) -> Option<Result<SecretString, String>> {
        let url = Url::parse("http://127.0.0.1/").ok()?.join(target).ok()?;
        let of = |wanted: &str| {
            let mut pairs = url.query_pairs().filter(|(name, _)| name == wanted);
            let value = pairs.next()?.1.into_owned();
            pairs.next().is_none().then_some(value)
        };
        let state = SecretString::from(of("state")?);
        same_secret(&state, &self.state).then_some(())?;
        match (of("code"), of("error_description")) {
            (Some(code), None) => Some(Ok(SecretString::from(code))),
            (None, Some(words)) => Some(Err(clean_line(&words, MAX_WORDS).into_owned())),
            _ => None,
        }
    }

    /// Whether a text may be the code of a last page: a code is good for one try, so what can't be one is not sent.
    pub fn is_code(text: &str) -> bool {
        text.strip_prefix("pgc_").is_some_and(|rest| {
            rest.len() == 43
                && rest
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        })
    }

    /// Gives the code for a token. A code is good for one try.
    pub async fn exchange(&self, code: &SecretString) -> Result<SignedIn, ClientError> {
        let path = format!("v1/admin/sso/{}/code", segment(&self.tenant));
        let body = json!({
            "code": code.expose_secret(), "codeVerifier": self.verifier.expose_secret(),
        });
        let call = Call::post(path, Repeat::Refused).body(&body);
        self.client.send(call).await?.read()
    }
}

impl Client {
    /// Ends the session whose token this client sends.
    pub async fn sign_out(&self) -> Result<(), ClientError> {
        let call = Call::post("v1/admin/sign-out", Repeat::Always);
        self.send(call).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_taken_only_with_the_state_of_its_sign_in() {
        let sign_in = SignIn::begin("https://gateway.example/base", "acme").unwrap();
        let address = sign_in.address(4711).unwrap();
        assert_eq!(address.path(), "/base/v1/admin/sso/acme/start");
        let state = sign_in.state.expose_secret();
        let brought = |target: &str| {
            let brought = sign_in.brought(target)?;
            Some(brought.map(|code| code.expose_secret().to_owned()))
        };
        assert_eq!(
            brought(&format!("/?code=one&state={state}")),
            Some(Ok("one".into()))
        );
        assert_eq!(
            brought(&format!(
                "/?error=sign_in_failed&error_description=Too+late.%1B%0A&state={state}"
            )),
            Some(Err("Too late.".into()))
        );
        for bad in [
            "/?code=one".to_owned(),
            "/?code=one&state=other".to_owned(),
            "/?error=x&error_description=Too+late&state=other".to_owned(),
            format!("/?code=one&error_description=Too+late&state={state}"),
            format!("/?state={state}"),
            format!("/?code=one&code=two&state={state}"),
            format!("/?code=one&state={state}&state=other"),
        ] {
            assert_eq!(brought(&bad), None, "{bad}");
        }
    }
}
