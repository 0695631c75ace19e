//! The local issuer: its tokens are verified by another library, from its published keys.

use std::net::{Ipv4Addr, SocketAddr};

use chrono::TimeDelta;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{DecodingKey, Validation, decode, decode_header};
use persona_gateway::clock::Clock;
use persona_gateway::dev::issuer::{DevIssuer, DevIssuerHandle, DevIssuerKeys};
use reqwest::Client;
use serde_json::{Map, Value, json};

use crate::driver::{Answer, answer_to};

const AUDIENCE: &str = "persona-gateway";

fn start_with(keys: DevIssuerKeys, clock: Clock) -> DevIssuerHandle {
    let bind = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    DevIssuer::start(bind, AUDIENCE, keys, clock).expect("starts")
}

fn start() -> DevIssuerHandle {
    start_with(DevIssuerKeys::generate().expect("keys"), Clock::system())
}

fn http() -> Client {
    Client::builder().no_proxy().build().expect("client")
}

async fn ask(issuer: &DevIssuerHandle, body: &Value) -> Answer {
    answer_to(http().post(format!("{}/token", issuer.url())).json(body)).await
}

async fn key_set(issuer: &DevIssuerHandle) -> JwkSet {
    let answer = answer_to(http().get(format!("{}/jwks.json", issuer.url()))).await;
    serde_json::from_value(answer.body).expect("a key set")
}

/// The token's claims, if one of the published keys has signed it.
fn verified(token: &str, keys: &JwkSet, issuer: &str, audience: &str) -> Result<Value, String> {
    let header = decode_header(token).map_err(|error| error.to_string())?;
    let kid = header.kid.ok_or("no kid")?;
    let key = keys.find(&kid).ok_or("unknown kid")?;
    let key = DecodingKey::from_jwk(key).map_err(|error| error.to_string())?;
    let mut rules = Validation::new(header.alg);
    rules.set_issuer(&[issuer]);
    rules.set_audience(&[audience]);
    rules.validate_nbf = true;
    rules.leeway = 0;
    decode::<Value>(token, &key, &rules)
        .map(|token| token.claims)
        .map_err(|error| error.to_string())
}

#[tokio::test]
async fn each_algorithm_verifies_from_the_published_keys() {
    let issuer = start();
    let keys = key_set(&issuer).await;
    assert_eq!(keys.keys.len(), 3);
    for alg in ["RS256", "ES256", "EdDSA"] {
        let body = json!({"sub": "ada", "claims": {"plan": "pro", "roles": ["a"]}, "alg": alg, "expiresIn": 60});
        let answer = ask(&issuer, &body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let token = answer.body["token"].as_str().unwrap();
        let claims = verified(token, &keys, issuer.url(), AUDIENCE).expect(alg);
        assert_eq!(claims["sub"], "ada");
        assert_eq!(claims["plan"], "pro");
        assert_eq!(claims["roles"], json!(["a"]));
        let at = |name: &str| claims[name].as_i64().unwrap();
        assert_eq!(at("exp") - at("iat"), 60);
        assert_eq!(at("nbf"), at("iat"));
        let forged = token.replacen('.', ".e30", 1);
        assert!(verified(&forged, &keys, issuer.url(), AUDIENCE).is_err());
    }
}

#[tokio::test]
async fn discovery_names_the_issuer_and_the_key_set() {
    let issuer = start();
    let url = issuer.url();
    let answer = answer_to(http().get(format!("{url}/.well-known/openid-configuration"))).await;
    assert_eq!(answer.body["issuer"], url);
    assert_eq!(answer.body["jwks_uri"], format!("{url}/jwks.json"));
    let algorithms = &answer.body["id_token_signing_alg_values_supported"];
    assert_eq!(*algorithms, json!(["RS256", "ES256", "EdDSA"]));
}

#[tokio::test]
async fn only_the_subject_is_needed_and_the_audience_can_be_chosen() {
    let issuer = start();
    let keys = key_set(&issuer).await;
    let token = ask(&issuer, &json!({"sub": "ada"})).await.body["token"].clone();
    assert!(verified(token.as_str().unwrap(), &keys, issuer.url(), AUDIENCE).is_ok());
    let token = ask(&issuer, &json!({"sub": "ada", "aud": ["x", "y"]}))
        .await
        .body["token"]
        .clone();
    let token = token.as_str().unwrap();
    assert!(verified(token, &keys, issuer.url(), "y").is_ok());
    assert!(verified(token, &keys, issuer.url(), AUDIENCE).is_err());
}

#[tokio::test]
async fn a_token_expires_when_it_was_asked_to_or_has_already() {
    let clock = Clock::manual(Clock::system().now() - TimeDelta::seconds(100));
    let issuer = start_with(DevIssuerKeys::generate().unwrap(), clock);
    let keys = key_set(&issuer).await;
    for (expires_in, good) in [(3600, true), (50, false), (-1, false)] {
        let body = json!({"sub": "ada", "expiresIn": expires_in});
        let token = ask(&issuer, &body).await.body["token"].clone();
        let result = verified(token.as_str().unwrap(), &keys, issuer.url(), AUDIENCE);
        assert_eq!(result.is_ok(), good, "{expires_in}: {result:?}");
    }
}

#[tokio::test]
async fn a_body_that_makes_no_sense_is_refused_with_what_to_mend() {
    let issuer = start();
    for (body, told) in [
        (json!({}), "missing field `sub`"),
        (json!({"sub": ""}), "`sub` is empty"),
        (
            json!({"sub": "ada", "subject": "ada"}),
            "unknown field `subject`",
        ),
        (
            json!({"sub": "ada", "expires_in": 60}),
            "unknown field `expires_in`",
        ),
        (
            json!({"sub": "ada", "alg": "none"}),
            "unknown variant `none`",
        ),
        (
            json!({"sub": "ada", "alg": "HS256"}),
            "unknown variant `HS256`",
        ),
        (json!({"sub": "ada", "claims": []}), "invalid type"),
        (
            json!({"sub": "ada", "claims": {"iss": "https://elsewhere.example"}}),
            "`claims.iss` is written by the issuer",
        ),
        (json!({"sub": "ada", "claims": {"exp": 1}}), "`claims.exp`"),
        (
            json!({"sub": "ada", "expiresIn": 99_999_999}),
            "`expiresIn` is 99999999",
        ),
        (json!("ada"), "an object with sub"),
    ] {
        let answer = ask(&issuer, &body).await;
        assert_eq!(answer.status, 400, "{body}");
        assert_eq!(answer.body["error"], "invalid_request");
        let description = answer.body["error_description"].as_str().unwrap();
        assert!(description.contains(told), "{body}: {description}");
    }
}

#[tokio::test]
async fn pages_may_call_it_and_caches_may_keep_its_keys() {
    let issuer = start();
    let fetch = |path: &str| http().get(format!("{}{path}", issuer.url())).send();
    let keys = fetch("/jwks.json").await.unwrap();
    assert_eq!(keys.headers()["cache-control"], "public, max-age=300");
    for answer in [keys, fetch("/nowhere").await.unwrap()] {
        assert_eq!(answer.headers()["access-control-allow-origin"], "*");
    }
    assert_eq!(issuer.key_set_fetches(), 1);
}

#[tokio::test]
async fn after_a_rotation_old_tokens_verify_until_the_next() {
    let issuer = start();
    let old = issuer.token("ada", Map::new()).unwrap();
    let before = key_set(&issuer).await;
    issuer.rotate().unwrap();
    let new = issuer.token("ada", Map::new()).unwrap();
    let after = key_set(&issuer).await;
    let check = |token: &str, keys: &JwkSet| verified(token, keys, issuer.url(), AUDIENCE);
    assert_eq!(check(&new, &before).unwrap_err(), "unknown kid");
    assert!(check(&new, &after).is_ok());
    assert!(check(&old, &after).is_ok());
    issuer.rotate().unwrap();
    assert_eq!(
        check(&old, &key_set(&issuer).await).unwrap_err(),
        "unknown kid"
    );
}

#[tokio::test]
async fn kept_keys_verify_the_tokens_of_an_earlier_run() {
    let directory = std::env::temp_dir().join(format!("dev-issuer-{}", Clock::system().new_id()));
    assert!(DevIssuerKeys::load(&directory).unwrap().is_none());
    let keys = DevIssuerKeys::generate().unwrap();
    keys.save(&directory).unwrap();
    let first = start_with(keys, Clock::system());
    let again = DevIssuerKeys::load(&directory).unwrap().expect("keys");
    let second = start_with(again, Clock::system());
    let published = key_set(&second).await;
    for alg in ["RS256", "ES256", "EdDSA"] {
        let answer = ask(&first, &json!({"sub": "ada", "alg": alg})).await;
        let token = answer.body["token"].as_str().unwrap();
        assert!(
            verified(token, &published, first.url(), AUDIENCE).is_ok(),
            "{alg}"
        );
    }
    #[cfg(unix)]
    for file in std::fs::read_dir(&directory).unwrap() {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = file.unwrap().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    std::fs::write(directory.join("es256.p8"), "nonsense").unwrap();
    let error = DevIssuerKeys::load(&directory).unwrap_err().to_string();
    assert!(error.contains("es256.p8 holds no key"), "{error}");
    std::fs::remove_dir_all(&directory).unwrap();
}
