//! One call: bounded in time, tried again where that is safe.

use std::fmt;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, ETAG, HeaderMap, HeaderValue, IF_MATCH, RETRY_AFTER};
use reqwest::{Method, StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::error::{ClientError, Problem};
use crate::clock::Clock;
use crate::domain::web_url;

#[derive(Debug, Clone, Copy)]
pub struct ClientOptions {
    /// Longest wait for one answer.
    pub timeout: Duration,
    /// How many more tries after a failure that is worth one.
    pub retries: u32,
    /// The wait before the second try, where the gateway names none; it doubles with each.
    pub backoff: Duration,
    /// Longest wait that is taken from the gateway.
    pub longest_wait: Duration,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(30),
            retries: 3,
            backoff: Duration::from_millis(250),
            longest_wait: Duration::from_secs(30),
        }
    }
}

/// A client of one gateway with one credential. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
    credential: Option<HeaderValue>,
    options: ClientOptions,
    clock: Clock,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("base", &self.base.as_str())
            .finish_non_exhaustive()
    }
}

/// What may be done where a try failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeat {
    /// Whatever happened: another try does no harm.
    Always,
    /// With an `Idempotency-Key`, which makes it so.
    Keyed,
    /// Only where nothing was done.
    Refused,
}

#[derive(Debug)]
pub(super) struct Call<'a> {
    pub(super) method: Method,
    /// Escaped segments, without a slash at the start; may hold a query.
    pub(super) path: String,
    pub(super) body: Option<Value>,
    pub(super) if_match: Option<&'a str>,
    pub(super) repeat: Repeat,
}

/// An answer's body and its `ETag`.
#[derive(Debug)]
pub(super) struct Answer {
    call: String,
    body: Vec<u8>,
    pub(super) etag: Option<String>,
}

impl Answer {
    pub(super) fn read<T: DeserializeOwned>(&self) -> Result<T, ClientError> {
        serde_json::from_slice(&self.body).map_err(|error| ClientError::Unreadable {
            call: self.call.clone(),
            why: error.to_string(),
        })
    }
}

impl<'a> Call<'a> {
    pub(super) fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path, Repeat::Always)
    }

    pub(super) fn post(path: impl Into<String>, repeat: Repeat) -> Self {
        Self::new(Method::POST, path, repeat)
    }

    pub(super) fn new(method: Method, path: impl Into<String>, repeat: Repeat) -> Self {
        Self {
            method,
            path: path.into(),
            body: None,
            if_match: None,
            repeat,
        }
    }

    pub(super) fn body(mut self, body: &impl Serialize) -> Self {
        self.body = serde_json::to_value(body).ok();
        self
    }

    pub(super) fn if_match(mut self, etag: &'a str) -> Self {
        self.if_match = Some(etag);
        self
    }
}

impl Client {
    /// A client with the usual patience. `credential` is an API key (`pgk_...`), the token of a sign-in (`pgs_...`), or a
    /// user's JWT.
    pub fn new(server: &str, credential: impl Into<SecretString>) -> Result<Self, ClientError> {
        Self::with(server, credential, ClientOptions::default())
    }

    /// An address of a gateway as a client writes it, if one may send a credential there.
    pub fn address(server: &str) -> Result<String, ClientError> {
        address(server).map(String::from)
    }

    /// A client that is as patient as you say.
    pub fn with(
        server: &str,
        credential: impl Into<SecretString>,
        options: ClientOptions,
    ) -> Result<Self, ClientError> {
        let credential: SecretString = credential.into();
        let mut value =
            HeaderValue::try_from(format!("Bearer {}", credential.expose_secret().trim()))
                .map_err(|_unprintable| {
                    ClientError::SetUp("the credential can't be sent in a header".into())
                })?;
        value.set_sensitive(true);
        Ok(Self {
            credential: Some(value),
            ..Self::anonymous(server, options)?
        })
    }

    /// A client without a credential.
    pub(super) fn anonymous(server: &str, options: ClientOptions) -> Result<Self, ClientError> {
        let base = address(server)?;
        let mut builder = reqwest::Client::builder()
            .timeout(options.timeout)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("persona-gateway/", env!("CARGO_PKG_VERSION")));
        if is_local(&base) {
            // No proxy is between this machine and itself, and it needs no certificates.
            builder = builder.no_proxy();
            if base.scheme() == "http" {
                builder = builder.tls_certs_only([]);
            }
        }
        let http = builder
            .build()
            .map_err(|error| ClientError::SetUp(error.to_string()))?;
        Ok(Self {
            http,
            base,
            credential: None,
            options,
            clock: Clock::system(),
        })
    }

    /// The gateway's address; its path ends with a slash.
    pub(crate) fn base(&self) -> &Url {
        &self.base
    }

    /// Makes a call, again where it failed in a way that may pass.
    pub(super) async fn send(&self, call: Call<'_>) -> Result<Answer, ClientError> {
        let named = format!("{} /{}", call.method, call.path);
        let url = self
            .base
            .join(&call.path)
            .map_err(|error| ClientError::SetUp(error.to_string()))?;
        let mut headers = HeaderMap::new();
        if let Some(credential) = &self.credential {
            headers.insert(AUTHORIZATION, credential.clone());
        }
        if let Some(etag) = call.if_match {
            let value = HeaderValue::try_from(etag).map_err(|_unprintable| {
                ClientError::SetUp("the ETag can't be sent in a header".into())
            })?;
            headers.insert(IF_MATCH, value);
        }
        if call.repeat == Repeat::Keyed {
            let key = self.clock.new_id().to_string();
            if let Ok(value) = HeaderValue::try_from(key) {
                headers.insert("idempotency-key", value);
            }
        }
        let mut tries = 0;
        let mut unheard = false;
        loop {
            let mut request = self
                .http
                .request(call.method.clone(), url.clone())
                .headers(headers.clone());
            if let Some(body) = &call.body {
                request = request.json(body);
            }
            let (error, may_repeat) = match request.send().await {
                Ok(answer) => {
                    let status = answer.status();
                    let etag = header(answer.headers(), &ETAG);
                    let retry_after = header(answer.headers(), &RETRY_AFTER)
                        .and_then(|text| text.parse().ok())
                        .map(Duration::from_secs);
                    match answer.bytes().await {
                        Ok(body) if status.is_success() => {
                            return Ok(Answer {
                                call: named,
                                body: body.to_vec(),
                                etag,
                            });
                        }
                        Ok(body) => {
                            let refused = status == StatusCode::TOO_MANY_REQUESTS;
                            let passing = refused || status == StatusCode::SERVICE_UNAVAILABLE;
                            let may_repeat = refused || (passing && call.repeat != Repeat::Refused);
                            (error_of(&named, status, &body, retry_after), may_repeat)
                        }
                        Err(error) => (unreachable(&error), call.repeat != Repeat::Refused),
                    }
                }
                Err(error) => {
                    unheard = error.is_timeout();
                    let nothing_was_sent = error.is_connect();
                    let may_repeat = nothing_was_sent || call.repeat != Repeat::Refused;
                    (unreachable(&error), may_repeat)
                }
            };
            // A server that did not answer for that long would not answer a retry either, and a person waits.
            if unheard || !may_repeat || tries >= self.options.retries {
                return Err(error);
            }
            let asked = match &error {
                ClientError::Problem(problem) => problem.retry_after,
                _ => None,
            };
            let usual = self.options.backoff.saturating_mul(1 << tries.min(10));
            tokio::time::sleep(asked.unwrap_or(usual).min(self.options.longest_wait)).await;
            tries += 1;
        }
    }
}

/// `https` everywhere; `http` on this machine only, since the credential goes along.
fn address(server: &str) -> Result<Url, ClientError> {
    let mut base = web_url::parse(server)
        .map_err(|fault| ClientError::SetUp(format!("`{server}` is no address: it {fault}")))?;
    let safe = base.scheme() == "https" || (base.scheme() == "http" && is_local(&base));
    if !safe {
        return Err(ClientError::SetUp(format!(
            "`{server}` must start with https://: over http the key could be read on the way (only this machine may be addressed so)"
        )));
    }
    base.set_query(None);
    base.set_fragment(None);
    if !base.path().ends_with('/') {
        let path = format!("{}/", base.path());
        base.set_path(&path);
    }
    Ok(base)
}

fn is_local(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn header(headers: &HeaderMap, name: &reqwest::header::HeaderName) -> Option<String> {
    headers.get(name)?.to_str().ok().map(ToOwned::to_owned)
}

fn unreachable(error: &reqwest::Error) -> ClientError {
    // The innermost reason says most; the address is known to who asks.
    let mut reason: &dyn std::error::Error = error;
    while let Some(inner) = reason.source() {
        reason = inner;
    }
    ClientError::Unreachable(reason.to_string())
}

fn error_of(
    call: &str,
    status: StatusCode,
    body: &[u8],
    retry_after: Option<Duration>,
) -> ClientError {
    match serde_json::from_slice::<Problem>(body) {
        Ok(mut problem) => {
            problem.retry_after = retry_after;
            Box::new(problem).into()
        }
        Err(_) => ClientError::Unreadable {
            call: call.to_owned(),
            why: format!("status {status} without a problem: is it a gateway's address?"),
        },
    }
}

/// A text as one segment of a path.
pub(super) fn segment(text: &str) -> String {
    let escaped: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
    escaped.replace('+', "%20")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_goes_over_https_or_stays_on_this_machine() {
        for good in [
            "https://gateway.example",
            "http://localhost:8080/",
            "http://127.0.0.1:1",
            "http://[::1]:1",
        ] {
            assert!(address(good).is_ok(), "{good}");
        }
        for bad in [
            "http://gateway.example",
            "http://localhost.evil.example",
            "ftp://localhost",
            "gateway",
        ] {
            assert!(address(bad).is_err(), "{bad}");
        }
        assert_eq!(
            address("https://a.example/base?x#y").unwrap().as_str(),
            "https://a.example/base/"
        );
    }

    #[test]
    fn a_clients_debug_form_holds_no_credential() {
        let client = Client::new("http://localhost:1", "pgk_secret").unwrap();
        assert!(!format!("{client:?}").contains("pgk_secret"));
    }

    #[test]
    fn a_segment_stays_one() {
        assert_eq!(segment("a/b c?d:e"), "a%2Fb%20c%3Fd%3Ae");
    }
}
