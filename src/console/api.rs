//! Calls to the API for a page, in its words: a path and JSON go in, a typed answer or a refusal comes out.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;

use actix_web::http::header::{
    AUTHORIZATION, CONTENT_TYPE, ETAG, FORWARDED, HeaderMap, HeaderName, HeaderValue, IF_MATCH,
    RETRY_AFTER, X_FORWARDED_FOR,
};
use actix_web::http::{Method, StatusCode, Uri};
use actix_web::{HttpRequest, ResponseError};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::asked;
use super::inside::{Answered, Ask, Inside};
use super::said::{self, Said, Wrong};
use super::texts::Texts;
use crate::web::trace::request_id;

/// The API, on behalf of whoever the page is for.
#[derive(Debug, Clone)]
pub struct Api {
    inside: Inside,
    request: HttpRequest,
    token: Option<SecretString>,
}

/// One fault of what was sent, and its place.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Fault {
    /// JSON pointer into the body.
    pub pointer: String,
    pub message: String,
    #[serde(flatten)]
    pub wrong: Wrong,
}

impl Fault {
    /// What is wrong, for people.
    pub fn said(&self, texts: Texts) -> Said {
        said::by_code(texts, &self.wrong, &self.message)
    }
}

/// Why the API did not do it.
#[derive(Debug, Clone, Deserialize)]
#[serde(transparent)]
pub struct Refused(Box<Details>);

impl Deref for Refused {
    type Target = Details;

    fn deref(&self) -> &Details {
        &self.0
    }
}

/// A problem (RFC 9457).
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Details {
    pub status: u16,
    pub code: String,
    pub title: String,
    #[serde(default)]
    pub detail: String,
    #[serde(default)]
    pub errors: Vec<Fault>,
    /// What was found in a document.
    #[serde(default)]
    pub findings: Vec<Value>,
    /// Where something changed meanwhile: what is there now.
    #[serde(default)]
    pub current: Option<Value>,
    /// Where two changed the same: each member, with `base`, `ours` and `theirs`.
    #[serde(default)]
    pub conflicts: Vec<Value>,
    /// Why, as a stable word, where the code stands for several reasons.
    #[serde(default)]
    pub reason: Option<String>,
    /// What belongs to the reason, by name.
    #[serde(default)]
    pub values: BTreeMap<String, String>,
    /// Seconds to wait.
    #[serde(skip)]
    pub retry_after: Option<String>,
    /// Methods that the address takes, where it does not take this one.
    #[serde(skip)]
    pub allow: Option<String>,
    /// What its page is headed with in the place of its status: the end of the name of a text, `refusal-...`.
    #[serde(skip)]
    pub heading: Option<&'static str>,
    /// The language of whoever reads it.
    #[serde(skip)]
    texts: Texts,
}

/// Codes of which the detail says more than a text for all of them can.
const WITH_DETAIL: [&str; 8] = [
    "malformed_request",
    "invalid_request",
    "forbidden",
    "already_exists",
    "conflict",
    "in_use",
    "document_invalid",
    "persona_config_rejected",
];

/// Codes whose words are about the API, for programs.
const FOR_PROGRAMS: [&str; 2] = ["preference_invalid", "metadata_invalid"];

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.detail)
    }
}

/// Rendered as a page by `guard`.
impl ResponseError for Refused {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

impl Refused {
    /// A refusal of the console itself.
    pub fn own(status: StatusCode, code: &str, detail: impl Into<String>) -> Self {
        Self(Box::new(Details {
            status: status.as_u16(),
            code: code.to_owned(),
            title: status.canonical_reason().unwrap_or_default().to_owned(),
            detail: detail.into(),
            errors: Vec::new(),
            findings: Vec::new(),
            current: None,
            conflicts: Vec::new(),
            reason: None,
            values: BTreeMap::new(),
            retry_after: None,
            allow: None,
            heading: None,
            texts: Texts::default(),
        }))
    }

    /// What somebody typed is wrong at this place of a form; the message is in the language of the page.
    pub fn faulty(texts: Texts, pointer: &str, message: &str) -> Self {
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        let mut refused = Self::own(status, "invalid_request", "").for_reader(texts);
        refused.0.errors.push(Fault {
            pointer: pointer.to_owned(),
            message: message.to_owned(),
            wrong: Wrong::own(),
        });
        refused
    }

    /// For this reason, which there may be a text for.
    #[must_use]
    pub fn because(mut self, reason: Option<String>) -> Self {
        self.0.reason = reason;
        self
    }

    /// On a page with this heading, `refusal-...`.
    #[must_use]
    pub fn headed(mut self, heading: &'static str) -> Self {
        self.0.heading = Some(heading);
        self
    }

    /// For a page in this language.
    #[must_use]
    pub fn for_reader(mut self, texts: Texts) -> Self {
        self.0.texts = texts;
        self
    }

    /// With what else is wrong.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.0.errors.extend(other.0.errors);
        self
    }

    /// With the methods that the address takes.
    #[must_use]
    pub fn allowing(mut self, methods: &str) -> Self {
        self.0.allow = Some(methods.to_owned());
        self
    }

    /// Whether the session has ended, or there is none.
    pub fn is_signed_out(&self) -> bool {
        self.status == StatusCode::UNAUTHORIZED.as_u16()
    }

    /// The reason in a sentence, where it is one that a text says.
    fn said_reason(&self) -> Option<Said> {
        let wrong = Wrong {
            code: self.reason.clone().filter(|_| !self.detail.is_empty())?,
            values: self.values.clone(),
        };
        let said = said::by_code(self.texts, &wrong, &self.detail);
        (!said.is_foreign).then(|| said.as_sentence())
    }

    /// The refusal in a sentence, for people.
    pub fn said(&self) -> Said {
        if let Some(said) = self.said_reason() {
            return said;
        }
        let reason = self.reason.as_deref();
        let own = reason
            .and_then(|reason| self.texts.find(&format!("sso-refused-{reason}")))
            .or_else(|| self.texts.find(&format!("problem-{}", self.code)));
        match own {
            Some(text)
                if self.detail.is_empty()
                    || !self.texts.is_english()
                    || FOR_PROGRAMS.contains(&self.code.as_str()) =>
            {
                Said {
                    text,
                    is_foreign: false,
                }
            }
            _ if self.detail.is_empty() => said::english(self.texts, &self.title),
            _ => said::english(self.texts, &self.detail),
        }
    }

    /// The same without its language.
    pub fn words(&self) -> String {
        self.said().text
    }

    /// What is wrong, place by place; else the words of the refusal.
    pub fn all_words(&self) -> String {
        let faults = self.errors.iter().map(|fault| self.said_of(fault).text);
        let faults: Vec<String> = faults.collect();
        if faults.is_empty() {
            self.words()
        } else {
            faults.join("; ")
        }
    }

    /// What the API says beside that, where it says more.
    pub fn aside(&self) -> Option<&str> {
        let detail = Some(self.detail.as_str()).filter(|detail| !detail.is_empty());
        detail.filter(|_| {
            WITH_DETAIL.contains(&self.code.as_str())
                && self.said_reason().is_none()
                && !self.said().is_foreign
                && !self.texts.is_english()
        })
    }

    /// What is wrong with a value, for people.
    pub fn said_of(&self, fault: &Fault) -> Said {
        fault.said(self.texts)
    }

    fn unreadable(told: &Answered) -> Self {
        Self::own(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            format!(
                "The API answered {} in a form that this page does not know.",
                told.status
            ),
        )
    }
}

/// An answer, and the state that it shows.
#[derive(Debug)]
pub struct Tagged<T> {
    pub body: T,
    /// The `ETag`, for the change that follows.
    pub etag: String,
}

impl Api {
    /// The API in the name of nobody yet.
    pub fn new(inside: Inside, request: HttpRequest) -> Self {
        Self {
            inside,
            request,
            token: None,
        }
    }

    /// In the name of whose session token this is.
    #[must_use]
    pub fn with_token(mut self, token: SecretString) -> Self {
        self.token = Some(token);
        self
    }

    /// The number of the page's request, which no other has.
    pub fn number(&self) -> String {
        request_id(&self.request).map_or_else(String::new, |id| id.to_string())
    }

    /// The page's own request.
    pub fn request(&self) -> &HttpRequest {
        &self.request
    }

    /// What is there.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Refused> {
        self.call(Method::GET, path).json().await
    }

    /// What is there, and its state.
    pub async fn tagged<T: DeserializeOwned>(&self, path: &str) -> Result<Tagged<T>, Refused> {
        self.call(Method::GET, path).tagged().await
    }

    /// Sends something, and reads the answer.
    pub async fn post<T: DeserializeOwned>(&self, path: &str, body: &Value) -> Result<T, Refused> {
        self.call(Method::POST, path).body(body).json().await
    }

    /// A call with more to it.
    pub fn call<'a>(&'a self, method: Method, path: &'a str) -> Call<'a> {
        Call {
            api: self,
            method,
            path,
            headers: HeaderMap::new(),
            body: Vec::new(),
        }
    }
}

/// A call that is being put together.
#[derive(Debug)]
pub struct Call<'a> {
    api: &'a Api,
    method: Method,
    path: &'a str,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Call<'_> {
    /// With a JSON body.
    #[must_use]
    pub fn body(self, body: &Value) -> Self {
        let bytes = serde_json::to_vec(body).unwrap_or_default();
        self.bytes("application/json", bytes)
    }

    /// With a body of this media type.
    #[must_use]
    pub fn bytes(mut self, media_type: &str, bytes: Vec<u8>) -> Self {
        self.set(CONTENT_TYPE, media_type);
        self.body = bytes;
        self
    }

    /// Only if this is still its state.
    #[must_use]
    pub fn seen(mut self, etag: &str) -> Self {
        self.set(IF_MATCH, etag);
        self
    }

    /// With a header.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: &str) -> Self {
        self.set(name, value);
        self
    }

    fn set(&mut self, name: HeaderName, value: &str) {
        if let Ok(value) = HeaderValue::try_from(value) {
            self.headers.insert(name, value);
        }
    }

    /// Makes it, and reads the answer.
    pub async fn json<T: DeserializeOwned>(self) -> Result<T, Refused> {
        Ok(self.tagged().await?.body)
    }

    /// Makes it, and reads the answer and its state.
    pub async fn tagged<T: DeserializeOwned>(self) -> Result<Tagged<T>, Refused> {
        let told = self.answered().await?;
        let body = if told.body.is_empty() {
            b"null"
        } else {
            told.body.as_ref()
        };
        let body = serde_json::from_slice(body).map_err(|error| {
            tracing::error!(%error, "the console does not know an answer of the API");
            Refused::unreadable(&told)
        })?;
        let etag = told.headers.get(ETAG).and_then(|etag| etag.to_str().ok());
        Ok(Tagged {
            body,
            etag: etag.unwrap_or_default().to_owned(),
        })
    }

    /// Makes it; an answer that is an error is a refusal.
    pub async fn answered(mut self) -> Result<Answered, Refused> {
        if let Some(token) = &self.api.token {
            let bearer = format!("Bearer {}", token.expose_secret());
            self.set(AUTHORIZATION, &bearer);
        }
        // Whoever asks is known by them.
        for name in [X_FORWARDED_FOR, FORWARDED] {
            for value in self.api.request.headers().get_all(&name) {
                self.headers.append(name.clone(), value.clone());
            }
        }
        let uri = Uri::try_from(self.path).map_err(|error| {
            tracing::error!(%error, "the console asks at no address");
            Refused::own(StatusCode::NOT_FOUND, "not_found", "")
        })?;
        let told = self
            .api
            .inside
            .ask(Ask {
                method: self.method,
                uri,
                headers: self.headers,
                body: self.body.into(),
                peer: self.api.request.peer_addr(),
                request: request_id(&self.api.request),
            })
            .await;
        if told.status.is_success() {
            return Ok(told);
        }
        let mut refused: Refused =
            serde_json::from_slice(&told.body).unwrap_or_else(|_other| Refused::unreadable(&told));
        let wait = told.headers.get(RETRY_AFTER);
        if refused.code == "insufficient_user_authentication" {
            asked::ask(&self.api.request, None);
        }
        refused.0.texts = Texts::of(&self.api.request);
        refused.0.retry_after = wait.and_then(|wait| Some(wait.to_str().ok()?.to_owned()));
        Err(refused)
    }
}

/// A part of a path, or a value of a query, percent-encoded.
pub fn encode(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// A document's key in a path; whatever else somebody typed into an address stays one segment.
pub fn encode_key(key: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if key.bytes().all(plain) {
        key.to_owned()
    } else {
        encode(key)
    }
}
