//! Judges an endpoint's answer about a token by the rules of its issuer.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::super::refusal::Refusal;
use super::super::verify;
use crate::domain::caller::{Facts, LeftOut, Subject};
use crate::domain::issuer::IssuerConfig;

/// The caller that an active token names.
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) struct Introspected {
    pub(in super::super) subject: Subject,
    pub(in super::super) facts: Facts,
    pub(in super::super) left_out: BTreeMap<String, LeftOut>,
    /// Until when it is good, by its `exp`.
    pub(super) expires: DateTime<Utc>,
}

/// Judges the members of an answer whose `active` is true. They are what the claims of a JWT are, but `iss`, which may be missing: that
/// the endpoint is the issuer's was decided when it was registered.
pub(super) fn judge(
    answer: &Map<String, Value>,
    rules: &IssuerConfig,
    now: DateTime<Utc>,
) -> Result<Introspected, Refusal> {
    check_issuer(answer, rules)?;
    verify::check_audience(answer, rules)?;
    check_type(answer)?;
    verify::check_kind(answer, false, rules)?;
    verify::check_required(answer, rules)?;
    verify::check_dates(answer, rules, now)?;
    let subject = verify::check_subject(answer)?;
    let expires = verify::date(answer, "exp")?.ok_or(Refusal::Claims)?;
    let (facts, left_out) = rules.claims().facts(answer);
    Ok(Introspected {
        subject,
        facts,
        left_out,
        expires: DateTime::from_timestamp(expires, 0).unwrap_or(DateTime::<Utc>::MAX_UTC),
    })
}

pub(super) fn check_issuer(
    answer: &Map<String, Value>,
    rules: &IssuerConfig,
) -> Result<(), Refusal> {
    match answer.get("iss") {
        None => Ok(()),
        Some(_) => verify::check_issuer(answer, rules),
    }
}

/// RFC 6749, 5.1: a type that is no bearer's asks for a proof that does not come with it.
pub(super) fn check_type(answer: &Map<String, Value>) -> Result<(), Refusal> {
    match answer.get("token_type") {
        None => Ok(()),
        Some(Value::String(name)) if name.eq_ignore_ascii_case("bearer") => Ok(()),
        Some(Value::String(_)) => Err(Refusal::Kind),
        Some(_) => Err(Refusal::Claims),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn rules(more: &Value) -> IssuerConfig {
        let mut config = json!({
            "issuer": "https://id.example.com", "audiences": ["app"], "audienceClaim": "client_id",
            "keys": {"introspection": {"endpoint": "https://id.example.com/introspect", "clientId": "gateway"}},
        });
        for (name, value) in more.as_object().unwrap() {
            config[name] = value.clone();
        }
        IssuerConfig::parse(&config).unwrap()
    }

    fn judge_claims(more: &Value, rules: &IssuerConfig) -> Result<Introspected, Refusal> {
        let mut answer =
            json!({"sub": "user-1", "client_id": "app", "exp": NOW + 60, "token_type": "Bearer"});
        for (name, value) in more.as_object().unwrap() {
            match value {
                Value::Null => _ = answer.as_object_mut().unwrap().remove(name),
                value => answer[name] = value.clone(),
            }
        }
        let now = DateTime::from_timestamp(NOW, 0).unwrap();
        judge(answer.as_object().unwrap(), rules, now)
    }

    #[test]
    fn an_answer_is_judged_as_strictly_as_the_claims_of_a_jwt() {
        let rules = rules(&json!({"requiredClaims": {"scope": "persona"}, "leewaySeconds": 0}));
        let scope = json!({"scope": ["openid", "persona"]});
        let with = |more: Value| {
            let mut all = scope.clone();
            for (name, value) in more.as_object().unwrap() {
                all[name] = value.clone();
            }
            judge_claims(&all, &rules).map(|known| known.subject.as_str().to_owned())
        };
        for good in [
            json!({}),
            json!({"iss": "https://id.example.com"}),
            json!({"token_type": null}),
            json!({"token_type": "bearer"}),
            json!({"exp": json!(1_800_000_001.9)}),
            json!({"aud": ["somebody", "else"]}),
        ] {
            assert_eq!(with(good.clone()), Ok("user-1".to_owned()), "{good}");
        }
        for (bad, why) in [
            (json!({"iss": "https://id.example.com/"}), Refusal::Issuer),
            (json!({"iss": 1}), Refusal::Claims),
            (json!({"client_id": "another"}), Refusal::Audience),
            (json!({"client_id": ["app"]}), Refusal::Claims),
            (json!({"client_id": null, "aud": "app"}), Refusal::Claims),
            (json!({"scope": ["openid"]}), Refusal::RequiredClaim),
            (json!({"scope": "persona-admin"}), Refusal::RequiredClaim),
            (json!({"token_type": "DPoP"}), Refusal::Kind),
            (json!({"token_type": "refresh_token"}), Refusal::Kind),
            (json!({"token_type": true}), Refusal::Claims),
            (json!({"events": {}}), Refusal::Kind),
            (json!({"exp": NOW}), Refusal::Expired),
            (json!({"exp": NOW - 3600}), Refusal::Expired),
            (json!({"exp": null}), Refusal::Claims),
            (json!({"exp": "1800000060"}), Refusal::Claims),
            (json!({"exp": -1}), Refusal::Claims),
            (json!({"exp": NOW + 90_000}), Refusal::Lifetime),
            (json!({"nbf": NOW + 10}), Refusal::NotYetValid),
            (json!({"iat": NOW + 10}), Refusal::IssuedInFuture),
            (json!({"sub": null}), Refusal::Claims),
            (json!({"sub": 7}), Refusal::Claims),
            (json!({"sub": ""}), Refusal::Subject),
        ] {
            assert_eq!(with(bad.clone()), Err(why), "{bad}");
        }
    }
}
