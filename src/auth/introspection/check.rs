//! Trying an introspection endpoint out: does it know the gateway, and would a token pass?

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretSlice, SecretString};

use super::super::Authenticator;
use super::super::check::CheckReport;
use super::super::explain::{ISSUERS_OWN, ITS_TENANT, TokenReport};
use super::super::jws::MAX_TOKEN_BYTES;
use super::super::lenient::{Lenient, text_member};
use super::{
    Endpoint, IntrospectionAnswer, IntrospectionError, check_form, check_issuer, check_type,
    is_opaque, judge,
};
use crate::crypto::token::random_token;
use crate::domain::fault::Fault;
use crate::domain::issuer::{Introspection, IssuerConfig};
use crate::domain::wrong::{Words, Wrong};

/// What a made-up token begins with, for whoever reads the authorization server's log.
const MADE_UP: &str = "persona-gateway-check-";

impl Authenticator {
    /// Asks the endpoint about a made-up token, which must not be good, and about a given one, as it would be done in earnest. Nothing
    /// is remembered.
    pub(in super::super) async fn check_opaque(
        &self,
        config: &IssuerConfig,
        about: &Introspection,
        secrets: &[SecretSlice<u8>],
        token: Option<&str>,
    ) -> CheckReport {
        let mut report = CheckReport {
            keys: Vec::new(),
            skipped: Vec::new(),
            offered: BTreeSet::new(),
            problems: Vec::new(),
            notes: Vec::new(),
            token: None,
        };
        let secret = secrets
            .first()
            .and_then(|secret| std::str::from_utf8(secret.expose_secret()).ok());
        let secret = secret.map(SecretString::from);
        let endpoint = secret.as_ref().map(|secret| Endpoint {
            about,
            roots: config.root_certificates(),
            secret,
        });
        let asked = match endpoint {
            None => Err(Fault::new(
                "/keys/introspection",
                Wrong::Missing.worded("no client secret is given, and none is stored that may be shown to this endpoint"),
            )),
            Some(endpoint) => self.probe(endpoint).await.map(|()| endpoint),
        };
        if about.cache_seconds() > 0 {
            report.notes.push(format!(
                "a token that is revoked is taken for up to {} seconds more (cacheSeconds)",
                about.cache_seconds()
            ));
        }
        if let Some(text) = token {
            let mut read = Lenient::undressed(text);
            form(&mut read);
            let now = self.fetcher.clock.now();
            let said = match asked {
                Ok(endpoint) if check_form(&read.token).is_ok() && is_opaque(&read.token) => {
                    let said = endpoint.introspect(&self.fetcher.outbound, &read.token, now);
                    Some(said.await)
                }
                _ => None,
            };
            report.token = Some(explain(text, &read, said, config, now));
        }
        report.problems.extend(asked.err());
        report
    }

    /// An endpoint that calls every token active would admit everybody.
    async fn probe(&self, endpoint: Endpoint<'_>) -> Result<(), Fault> {
        let at = |member: &str| format!("/keys/introspection/{member}");
        let made_up = random_token(MADE_UP).map_err(|error| {
            Fault::new(at("endpoint"), Wrong::EndpointAnswer(error.to_string()))
        })?;
        let (outbound, now) = (&self.fetcher.outbound, self.fetcher.clock.now());
        match endpoint
            .introspect(outbound, made_up.expose_secret(), now)
            .await
        {
            Ok(IntrospectionAnswer::Inactive) => Ok(()),
            Ok(IntrospectionAnswer::Active(_)) => Err(Fault::new(at("endpoint"), Wrong::LetsAllIn)),
            Err(
                error @ (IntrospectionError::Credentials { .. }
                | IntrospectionError::Forbidden { .. }),
            ) => Err(Fault::new(at("clientId"), failed(&error))),
            Err(IntrospectionError::Roots(why)) => {
                Err(Fault::new("/rootCertificate", Wrong::RootsBad(why)))
            }
            Err(error) => Err(Fault::new(at("endpoint"), failed(&error))),
        }
    }
}

fn failed(error: &IntrospectionError) -> Words {
    Wrong::EndpointAnswer(error.to_string()).into()
}

/// What keeps a text from being an opaque token.
fn form(read: &mut Lenient) {
    let length = read.token.len();
    if read.token.is_empty() {
        read.faults
            .push("is empty: paste the token alone".to_owned());
    } else if length > MAX_TOKEN_BYTES {
        read.faults.push(format!(
            "has {length} bytes, and at most {MAX_TOKEN_BYTES} are taken"
        ));
    } else if check_form(&read.token).is_err() {
        read.faults.push(
            "has characters that no bearer token has (RFC 6750): letters, digits, `-._~+/`, and `=` at the end are taken".to_owned(),
        );
    } else if !is_opaque(&read.token) {
        read.faults.push(
            "is a JWT, which is judged by its issuer's keys and never introspected: register an issuer with keys for it".to_owned(),
        );
    }
}

fn explain(
    text: &str,
    read: &Lenient,
    said: Option<Result<IntrospectionAnswer, IntrospectionError>>,
    rules: &IssuerConfig,
    now: DateTime<Utc>,
) -> TokenReport {
    let mut report = TokenReport::default();
    let is_sound = read.faults.is_empty();
    if is_sound {
        let length = read.token.len();
        report.right("form", format!("is an opaque token of {length} characters"));
    } else {
        report.wrong("form", Wrong::TokenForm.worded(read.faults.join("; ")));
    }
    let members = match said {
        None => {
            report.unjudged(
                "introspection",
                Wrong::Unjudged.worded("could not be judged: no request was made to the endpoint"),
            );
            return report;
        }
        Some(Err(error)) => {
            let text = format!("could not be judged: {error}");
            report.unjudged(
                "introspection",
                Wrong::EndpointAnswer(error.to_string()).worded(text),
            );
            return report;
        }
        Some(Ok(IntrospectionAnswer::Inactive)) => {
            report.wrong("introspection", Wrong::Inactive);
            return report;
        }
        Some(Ok(IntrospectionAnswer::Active(members))) => members,
    };
    report.right("introspection", "the endpoint says `active: true`");

    let judged = check_issuer(&members, rules);
    let judged = match (judged, members.contains_key("iss")) {
        (Ok(()), false) => Ok("the answer names no iss, which it need not".to_owned()),
        (Ok(()), true) => Ok(ISSUERS_OWN.to_owned()),
        (Err(_), _) => Err(Wrong::IssuerOther {
            name: text_member(&members, "iss").unwrap_or_else(|| "no text".to_owned()),
            issuer: format!("{:?}", rules.issuer()),
        }
        .into()),
    };
    report.judge("issuer", judged);
    let judged = check_type(&members);
    let name = text_member(&members, "token_type");
    let judged =
        match (judged, name) {
            (Ok(()), None) => Ok("the answer names no token_type that is a text".to_owned()),
            (Ok(()), Some(name)) => Ok(format!("token_type is {name}")),
            (Err(_), None) => Err(Wrong::NoBearer(String::new())
                .worded("the answer names a token_type that is no text")),
            (Err(_), Some(name)) => Err(Wrong::NoBearer(name).into()),
        };
    report.judge("type", judged);
    report.claims_but_issuer(&members, false, rules, now);

    let judged = judge(&members, rules, now)
        .ok()
        .filter(|_| is_sound && text.trim() == read.token);
    if let Some(known) = judged {
        report.accepted = true;
        report.right("tenant", ITS_TENANT);
        report.subject = Some(known.subject.as_str().to_owned());
    }
    report.facts_of(&members, rules);
    report
}
