//! One question to an introspection endpoint, and what it answers (RFC 7662, 2).

use chrono::{DateTime, Utc};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Request, StatusCode};
use secrecy::SecretString;
use serde_json::{Map, Value};

use super::super::client_auth::Client;
use super::super::outbound::{Answered, Outbound, OutboundError};
use crate::domain::issuer::{Introspection, RootCertificates};
use crate::domain::json;
use crate::domain::text::clean_line;

/// Longest text of an answer that is shown, in characters.
const MAX_TOLD_CHARS: usize = 100;

/// Why an endpoint did not say whether a token is good.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum IntrospectionError {
    /// It may not be reached, or did not answer as it should.
    #[error("the endpoint: {0}")]
    Outbound(#[from] OutboundError),
    /// The issuer's root certificates can't be taken by the client.
    #[error("the issuer's root certificate {0}")]
    Roots(String),
    /// It does not know the gateway.
    #[error("the endpoint refused our client id and secret (status {status}{})", in_words(.code))]
    Credentials {
        /// 401, or 400 with `invalid_client`.
        status: u16,
        /// Its `error`, one clean line; empty where it says none.
        code: String,
    },
    /// It knows the gateway, which may not ask.
    #[error(
        "the endpoint does not let our client introspect tokens (status 403{}): the authorization server has a right for that",
        in_words(.code)
    )]
    Forbidden {
        /// Its `error`, one clean line; empty where it says none.
        code: String,
    },
    /// An error of its own.
    #[error("the endpoint answered with status {status} instead of 200{}", in_words(.code))]
    Status {
        status: u16,
        /// Its `error`, one clean line; empty where it says none.
        code: String,
    },
    /// It answers with a signed document.
    #[error(
        "the endpoint answered with a JWT (RFC 9701), which is not read here: let it answer with JSON"
    )]
    Jwt,
    /// The answer is no strict JSON object.
    #[error("the endpoint's answer is no JSON object, or holds a name twice")]
    Malformed,
    /// The answer has no `active` that is true or false.
    #[error(
        "the endpoint's answer has no `active` that is true or false: is it the introspection endpoint?"
    )]
    NoActive,
}

fn in_words(code: &str) -> String {
    match code {
        "" => String::new(),
        code => format!(", {code:?}"),
    }
}

impl IntrospectionError {
    /// Stable name for logs and metrics.
    pub(super) fn as_label(&self) -> &'static str {
        match self {
            Self::Outbound(error) => error.as_label(),
            Self::Roots(_) => "root_certificate",
            Self::Credentials { .. } => "credentials",
            Self::Forbidden { .. } => "forbidden",
            Self::Status { .. } => "status",
            Self::Jwt => "jwt_answer",
            Self::Malformed => "malformed",
            Self::NoActive => "no_active",
        }
    }
}

/// An endpoint's answer about a token.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum IntrospectionAnswer {
    /// It is good, and this is who it is for.
    Active(Map<String, Value>),
    /// It is not.
    Inactive,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Endpoint<'a> {
    pub(super) about: &'a Introspection,
    /// What its server is believed by; `None` is what everybody's is.
    pub(super) roots: Option<&'a RootCertificates>,
    pub(super) secret: &'a SecretString,
}

impl Endpoint<'_> {
    /// Asks about a token.
    pub(super) async fn introspect(
        self,
        outbound: &Outbound,
        token: &str,
        now: DateTime<Utc>,
    ) -> Result<IntrospectionAnswer, IntrospectionError> {
        let question = question(self.about, self.secret, token)?;
        let answered = match self.roots {
            None => outbound.execute(question).await?,
            Some(roots) => {
                let good = roots.good_at(now).map_err(IntrospectionError::Roots)?;
                let trusting = outbound.trusting(&good);
                let unusable = |_error| IntrospectionError::Roots("can't be used".to_owned());
                trusting.map_err(unusable)?.execute(question).await?
            }
        };
        read(answered)
    }
}

fn question(
    about: &Introspection,
    secret: &SecretString,
    token: &str,
) -> Result<Request, OutboundError> {
    let client = Client {
        id: about.client_id(),
        secret: Some(secret),
        authentication: about.authentication(),
    };
    let form = [("token", token), ("token_type_hint", "access_token")];
    client.post(about.endpoint(), &form)
}

fn read(answered: Answered) -> Result<IntrospectionAnswer, IntrospectionError> {
    let Answered {
        status,
        headers,
        body,
    } = answered;
    if status != StatusCode::OK {
        return Err(refused(status, &headers, &body));
    }
    let is_jwt = headers.get(CONTENT_TYPE).is_some_and(|kind| {
        let kind = kind.as_bytes().to_ascii_lowercase();
        kind.starts_with(b"application/token-introspection+jwt")
    });
    if is_jwt {
        return Err(IntrospectionError::Jwt);
    }
    let mut members = json::object(&body).ok_or(IntrospectionError::Malformed)?;
    match members.remove("active") {
        Some(Value::Bool(true)) => {
            split_scope(&mut members);
            Ok(IntrospectionAnswer::Active(members))
        }
        Some(Value::Bool(false)) => Ok(IntrospectionAnswer::Inactive),
        _ => Err(IntrospectionError::NoActive),
    }
}

fn refused(
    status: StatusCode,
    headers: &reqwest::header::HeaderMap,
    body: &[u8],
) -> IntrospectionError {
    if status.is_redirection() {
        return OutboundError::of_status(status, headers).into();
    }
    let members = json::object(body).unwrap_or_default();
    let code = members.get("error").and_then(Value::as_str);
    let code = clean_line(code.unwrap_or_default(), MAX_TOLD_CHARS).into_owned();
    match status {
        StatusCode::UNAUTHORIZED => IntrospectionError::Credentials {
            status: status.as_u16(),
            code,
        },
        StatusCode::BAD_REQUEST if code == "invalid_client" => IntrospectionError::Credentials {
            status: status.as_u16(),
            code,
        },
        StatusCode::FORBIDDEN => IntrospectionError::Forbidden { code },
        _ => IntrospectionError::Status {
            status: status.as_u16(),
            code,
        },
    }
}

/// RFC 7662, 2.2: `scope` is a list, written as one text with spaces. As a list, rules can ask for one of them, and `admin` is not in
/// `admin-read`.
fn split_scope(members: &mut Map<String, Value>) {
    if let Some(scope) = members.get_mut("scope")
        && let Value::String(text) = scope
    {
        let names = text.split(' ').filter(|name| !name.is_empty());
        *scope = names.map(|name| Value::String(name.to_owned())).collect();
    }
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderMap;
    use serde_json::json;

    use super::*;

    fn answered(status: u16, kind: &str, body: &str) -> Answered {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, kind.parse().unwrap());
        Answered {
            status: StatusCode::from_u16(status).unwrap(),
            headers,
            body: body.into(),
        }
    }

    #[test]
    fn only_true_is_active_and_what_is_no_answer_is_no_answer() {
        let read = |body: &str| read(answered(200, "application/json", body));
        let active = IntrospectionAnswer::Active(json!({"sub": "u"}).as_object().unwrap().clone());
        assert_eq!(read(r#"{"active": true, "sub": "u"}"#), Ok(active));
        assert_eq!(
            read(r#"{"active": false, "sub": "u"}"#),
            Ok(IntrospectionAnswer::Inactive)
        );
        for none in [
            r#"{"active": "true"}"#,
            r#"{"active": 1}"#,
            r#"{"active": null}"#,
            r#"{"active": [true]}"#,
            r#"{"Active": true}"#,
            "{}",
        ] {
            assert_eq!(read(none), Err(IntrospectionError::NoActive), "{none}");
        }
        for broken in [
            "",
            "true",
            "[]",
            r#"[{"active": true}]"#,
            r#"{"active": false, "active": true}"#,
            r#"{"active": true, "sub": "a", "sub": "b"}"#,
            r#"{"active": true"#,
            "<html>active</html>",
        ] {
            assert_eq!(read(broken), Err(IntrospectionError::Malformed), "{broken}");
        }
    }

    #[test]
    fn refusals_and_other_answers_have_words_of_their_own() {
        for (answer, label, words) in [
            (
                answered(401, "text/plain", "no"),
                "credentials",
                "refused our client id and secret",
            ),
            (
                answered(400, "application/json", r#"{"error": "invalid_client"}"#),
                "credentials",
                "\"invalid_client\"",
            ),
            (
                answered(403, "text/html", ""),
                "forbidden",
                "does not let our client",
            ),
            (
                answered(
                    400,
                    "application/json",
                    r#"{"error": "invalid\u0000request"}"#,
                ),
                "status",
                "status 400",
            ),
            (answered(503, "text/html", "down"), "status", "status 503"),
            (
                answered(
                    200,
                    "application/token-introspection+jwt; charset=utf-8",
                    "a.b.c",
                ),
                "jwt_answer",
                "RFC 9701",
            ),
        ] {
            let error = read(answer).unwrap_err();
            assert_eq!(error.as_label(), label);
            assert!(error.to_string().contains(words), "{error}");
        }
    }

    #[test]
    fn a_scope_is_a_list_of_its_names() {
        let Ok(IntrospectionAnswer::Active(members)) = read(answered(
            200,
            "application/json",
            r#"{"active": true, "scope": "openid  admin-read"}"#,
        )) else {
            panic!("not active");
        };
        assert_eq!(members["scope"], json!(["openid", "admin-read"]));
    }
}
