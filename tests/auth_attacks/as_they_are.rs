//! Tokens and keys as issuers really make them, and what must not get in with them.

use persona_gateway::auth::{AuthError, Directory, IssuerEntry, JwksSettings, Refusal};
use persona_gateway::domain::ids::TenantId;
use secrecy::SecretSlice;
use serde_json::{Value, json};

use crate::cases::{all_accepted, all_refused, case, judge};
use crate::kit::{
    Bench, EC, ED, ISSUER, RSA, Server, Signer, claims, claims_with, claims_without, config, entry,
    key_set, tenant, tenants,
};

const DIRECTORY: &str = "0f3b5c1e-9a44-4d6f-8f53-2b7f2f6c1a10";
const OTHER_DIRECTORY: &str = "7d1e2f30-4b5a-4c6d-8e7f-90a1b2c3d4e5";

#[expect(clippy::needless_pass_by_value, reason = "written in place")]
fn rules(more: Value) -> persona_gateway::domain::issuer::IssuerConfig {
    let mut rules = json!({"issuer": ISSUER, "audiences": ["app"], "keys": {"jwks": key_set()}});
    let members = more.as_object().unwrap().clone();
    rules.as_object_mut().unwrap().extend(members);
    config(&rules)
}

fn bench(issuers: Vec<IssuerEntry>) -> Bench {
    let bench = Bench::new(JwksSettings::default());
    let directory = Directory {
        issuers,
        tenants: tenants(),
        ..Directory::default()
    };
    assert_eq!(bench.auth.replace_directory(directory), []);
    bench
}

async fn tenant_of(bench: &Bench, token: &str) -> Result<TenantId, AuthError> {
    let caller = bench.auth.authenticate(token).await;
    caller.map(|caller| caller.tenant)
}

fn signed(claims: &Value) -> String {
    ED.token(ED.header("ed"), claims)
}

#[test]
fn the_claim_that_plays_the_audience_decides_and_no_other() {
    for claim in ["client_id", "azp", "cid", "appid"] {
        let rules = rules(json!({"audienceClaim": claim}));
        let mut without = claims_without("aud");
        without[claim] = json!("app");
        let with = |name: &str, value: Value| {
            let mut claims = without.clone();
            claims[name] = value;
            signed(&claims)
        };
        all_accepted(
            &[
                ("without aud", signed(&without)),
                ("an empty aud", with("aud", json!([]))),
                ("an aud of somebody else", with("aud", json!("account"))),
            ],
            &rules,
        );
        all_refused(
            &[
                case("only aud", signed(&claims()), Refusal::Claims),
                case("another", with(claim, json!("app-9")), Refusal::Audience),
                case("a list", with(claim, json!(["app"])), Refusal::Claims),
                case("an object", with(claim, json!({"app": 1})), Refusal::Claims),
                case("null", with(claim, json!(null)), Refusal::Claims),
                case("empty", with(claim, json!("")), Refusal::Audience),
                case("an odd aud", with("aud", json!(5)), Refusal::Claims),
            ],
            &rules,
            7,
        );
    }
    let dedicated = rules(json!({"audienceClaim": "iss", "audiences": [ISSUER]}));
    assert_eq!(judge(&signed(&claims_without("aud")), &dedicated), Ok(()));
}

#[tokio::test]
async fn audiences_by_two_claims_of_one_issuer_are_kept_apart() {
    let by = |number, tenant, claim: &str, audience: &str| {
        let more = json!({"audienceClaim": claim, "audiences": [audience]});
        entry(number, tenant, rules(more))
    };
    let bench = bench(vec![by(1, 1, "aud", "api"), by(2, 2, "azp", "spa")]);
    let token = |aud: Value, azp: Value| {
        let mut claims = claims_with("aud", aud);
        claims["azp"] = azp;
        signed(&claims)
    };
    for (aud, azp, whose) in [
        (json!("api"), json!("x"), Ok(tenant(1))),
        (json!([]), json!("spa"), Ok(tenant(2))),
        (json!("x"), json!("spa"), Ok(tenant(2))),
        // Each is the other's name: neither plays the audience there.
        (json!("spa"), json!("api"), Err(Refusal::Audience)),
        (json!("api"), json!("spa"), Err(Refusal::AmbiguousAudience)),
    ] {
        assert_eq!(
            tenant_of(&bench, &token(aud.clone(), azp.clone())).await,
            whose.map_err(AuthError::Refused),
            "{aud} {azp}"
        );
    }
    let neither = signed(&claims_without("aud"));
    assert_eq!(
        tenant_of(&bench, &neither).await,
        Err(AuthError::Refused(Refusal::Claims))
    );
}

#[test]
fn other_claims_must_have_the_values_that_are_asked_for() {
    let rules = rules(json!({"requiredClaims": {"token_use": "access", "groups": ["a", "b"]}}));
    let token = |token_use: Value, groups: Value| {
        let mut claims = claims_with("token_use", token_use);
        claims["groups"] = groups;
        signed(&claims)
    };
    all_accepted(
        &[
            ("a list", token(json!("access"), json!(["x", "b"]))),
            ("one", token(json!("access"), json!("a"))),
        ],
        &rules,
    );
    let refused = |name: &str, token| case(name, token, Refusal::RequiredClaim);
    all_refused(
        &[
            refused("an ID token", token(json!("id"), json!("a"))),
            refused("a list of it", token(json!(["id"]), json!("a"))),
            refused("another group", token(json!("access"), json!(["c"]))),
            refused("nothing", signed(&claims())),
            refused("another case", token(json!("ACCESS"), json!("a"))),
        ],
        &rules,
        5,
    );
}

#[test]
fn more_algorithms_pass_where_the_issuer_lists_them_and_nowhere_else() {
    let unnamed = |signer: &Signer, kid: &str| {
        let mut jwk = signer.jwk(kid);
        jwk.as_object_mut().unwrap().remove("alg");
        jwk
    };
    let p384 = Signer::p384();
    let keys = json!({"keys": [unnamed(&RSA, "rsa"), unnamed(&p384, "p384"), unnamed(&ED, "ed")]});
    let header = |kid: &str| json!({"kid": kid});
    for alg in [
        "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES384",
    ] {
        let (signer, kid) = if alg == "ES384" {
            (&p384, "p384")
        } else {
            (&*RSA, "rsa")
        };
        let listed = rules(json!({"algorithms": [alg], "keys": {"jwks": keys}}));
        let token = signer.token_by(alg, header(kid), claims());
        assert_eq!(judge(&token, &listed), Ok(()), "{alg}");
        let mut named = signer.jwk(kid);
        named["alg"] = json!(alg);
        let by_name = rules(json!({"algorithms": [alg], "keys": {"jwks": {"keys": [named]}}}));
        assert_eq!(judge(&token, &by_name), Ok(()), "{alg} named");
        let usual = rules(json!({"keys": {"jwks": keys}}));
        let expected = if alg == "RS256" {
            Ok(())
        } else {
            Err(Refusal::AlgorithmNotAllowed)
        };
        assert_eq!(judge(&token, &usual), expected, "{alg} not listed");
        // The name does not make the signature.
        let crossed = if alg == "PS256" { "RS256" } else { "PS256" };
        if alg != "ES384" {
            let both = rules(json!({"algorithms": [alg, crossed], "keys": {"jwks": keys}}));
            let (start, _) = token.rsplit_once('.').unwrap();
            let other = signer.token_by(crossed, header(kid), claims());
            let (_, signature) = other.rsplit_once('.').unwrap();
            let forged = format!("{start}.{signature}");
            assert_eq!(judge(&forged, &both), Err(Refusal::Signature), "{alg}");
        }
    }
    // A key that names one algorithm serves no other, whatever the issuer lists.
    let named = rules(
        json!({"algorithms": ["RS256", "PS256"], "keys": {"jwks": {"keys": [RSA.jwk("rsa")]}}}),
    );
    assert_eq!(
        judge(&RSA.token_by("PS256", header("rsa"), claims()), &named),
        Err(Refusal::KeyAlgorithm)
    );
}

fn with_secrets(number: u128, secrets: &[&[u8]], more: Value) -> IssuerEntry {
    IssuerEntry {
        secrets: secrets
            .iter()
            .map(|secret| SecretSlice::from(secret.to_vec()))
            .collect(),
        ..entry(number, 1, rules(more))
    }
}

const OLD: &[u8] = b"an old secret of 32 bytes, 012345";
const NEW: &[u8] = b"a new secret that has sixty-four bytes, which are enough for HS512";

#[tokio::test]
async fn a_secret_beside_public_keys_serves_symmetric_algorithms_alone() {
    let server = Server::with_keys(&[EC.jwk("ec")]).await;
    let keys = json!({"jwksUrl": server.url("/keys"), "sharedSecret": true});
    let bench = bench(vec![with_secrets(1, &[OLD], json!({"keys": keys}))]);
    let secret = Signer::Hmac(OLD.to_vec());
    assert_eq!(tenant_of(&bench, &EC.good("ec")).await, Ok(tenant(1)));
    assert_eq!(tenant_of(&bench, &secret.good("any")).await, Ok(tenant(1)));
    let refused = |refusal| Err(AuthError::Refused(refusal));
    for form in [
        EC.public(),
        EC.jwk("ec").to_string().into_bytes(),
        server.url("/keys").into_bytes(),
    ] {
        let forger = Signer::Hmac(form);
        let token = forger.good("ec");
        assert_eq!(tenant_of(&bench, &token).await, refused(Refusal::Signature));
    }
    // A published secret is none.
    server.keys(&[EC.jwk("ec"), Signer::Hmac(NEW.to_vec()).jwk("oct")]);
    bench.advance(1000);
    let published = bench.fresh_token(&Signer::Hmac(NEW.to_vec()), "oct");
    assert_eq!(
        tenant_of(&bench, &published).await,
        refused(Refusal::Signature)
    );
    assert_eq!(server.hits(), 1, "a secret's tokens fetch nothing");
}

#[tokio::test]
async fn two_secrets_overlap_and_each_is_long_enough_for_its_hash() {
    let more = json!({"keys": {"sharedSecret": true}, "algorithms": ["HS256", "HS384", "HS512"]});
    let bench = bench(vec![with_secrets(1, &[NEW, OLD], more)]);
    let token = |secret: &[u8], alg: &str| {
        Signer::Hmac(secret.to_vec()).token_by(alg, json!({"kid": "k"}), claims())
    };
    for (secret, alg, passes) in [
        (NEW, "HS256", true),
        (NEW, "HS384", true),
        (NEW, "HS512", true),
        (OLD, "HS256", true),
        // 33 bytes are too few for the longer hashes.
        (OLD, "HS384", false),
        (OLD, "HS512", false),
        (&NEW[..40], "HS256", false),
    ] {
        let judged = tenant_of(&bench, &token(secret, alg)).await;
        assert_eq!(judged.is_ok(), passes, "{} bytes, {alg}", secret.len());
    }
}

fn of_directory(id: &str, tid: &Value) -> Value {
    let mut claims = claims_with("iss", json!(format!("https://login.example/{id}/v2.0")));
    claims["tid"] = tid.clone();
    claims
}

#[tokio::test]
async fn a_form_takes_every_directory_and_nobody_elses_iss() {
    let metadata = "https://login.example/common/.well-known/openid-configuration";
    let more = json!({
        "issuer": "https://login.example/{tenantid}/v2.0", "keys": {"jwks": key_set()},
    });
    assert!(
        persona_gateway::domain::issuer::IssuerConfig::parse(
            &json!({"issuer": "https://login.example/{tenantid}/v2.0", "audiences": ["app"], "keys": {"metadataUrl": metadata}})
        )
        .is_ok()
    );
    let bench = bench(vec![entry(1, 1, rules(more.clone()))]);
    for id in [DIRECTORY, OTHER_DIRECTORY] {
        let token = signed(&of_directory(id, &json!(id)));
        assert_eq!(tenant_of(&bench, &token).await, Ok(tenant(1)));
    }
    for (name, claims) in [
        ("no tid", of_directory(DIRECTORY, &json!(null))),
        (
            "another's tid",
            of_directory(DIRECTORY, &json!(OTHER_DIRECTORY)),
        ),
        ("no id", of_directory("common", &json!("common"))),
        (
            "the form itself",
            of_directory("{tenantid}", &json!("{tenantid}")),
        ),
        (
            "an id in capitals",
            of_directory(&DIRECTORY.to_uppercase(), &json!(DIRECTORY.to_uppercase())),
        ),
        (
            "another host",
            claims_with("iss", json!("https://login.evil.example/x/v2.0")),
        ),
    ] {
        let judged = tenant_of(&bench, &signed(&claims)).await;
        assert!(
            matches!(judged, Err(AuthError::Refused(_))),
            "{name}: {judged:?}"
        );
    }
    // Whoever is registered for one directory's issuer takes nobody's pair away.
    let own = json!({"issuer": format!("https://login.example/{DIRECTORY}/v2.0")});
    let both = crate::as_they_are::bench(vec![entry(1, 1, rules(more)), entry(2, 2, rules(own))]);
    let token = signed(&of_directory(DIRECTORY, &json!(DIRECTORY)));
    assert_eq!(
        tenant_of(&both, &token).await,
        Err(AuthError::Refused(Refusal::AmbiguousAudience))
    );
}

#[test]
fn a_key_signs_for_the_issuer_that_it_is_published_for() {
    let entra = |id: &str| format!("https://login.microsoftonline.com/{id}/v2.0");
    let keys = |issuer: String| {
        let mut jwk = ED.jwk("ed");
        jwk.as_object_mut().unwrap().remove("alg");
        jwk["issuer"] = json!(issuer);
        json!({"jwks": {"keys": [jwk]}})
    };
    let token = |iss: String| {
        let mut claims = claims_with("iss", json!(iss));
        claims["tid"] = json!(DIRECTORY);
        signed(&claims)
    };
    let first = format!("https://sts.windows.net/{DIRECTORY}/");
    for (iss, of_key, judged) in [
        (entra(DIRECTORY), entra("{tenantid}"), Ok(())),
        (entra(DIRECTORY), entra(DIRECTORY), Ok(())),
        (
            entra(DIRECTORY),
            entra(OTHER_DIRECTORY),
            Err(Refusal::KeyIssuer),
        ),
        (first.clone(), entra("{tenantid}"), Ok(())),
        (first.clone(), entra(DIRECTORY), Ok(())),
        (first, entra(OTHER_DIRECTORY), Err(Refusal::KeyIssuer)),
        (
            ISSUER.to_owned(),
            entra("{tenantid}"),
            Err(Refusal::KeyIssuer),
        ),
    ] {
        let rules = rules(json!({"issuer": iss, "keys": keys(of_key.clone())}));
        assert_eq!(judge(&token(iss.clone()), &rules), judged, "{iss} {of_key}");
    }
}

#[tokio::test]
async fn metadata_may_stand_apart_from_the_issuer_and_must_name_it() {
    let server = Server::with_keys(&[ED.jwk("ed")]).await;
    let at = |path: &str| rules(json!({"keys": {"metadataUrl": server.url(path)}}));
    let document = json!({"issuer": ISSUER, "jwks_uri": server.url("/keys")});
    server.answer(
        "/policy/openid-configuration",
        crate::kit::Answer::Json(document.to_string(), ""),
    );
    let good = Bench::with(JwksSettings::default(), at("/policy/openid-configuration"));
    assert_eq!(tenant_of(&good, &ED.good("ed")).await, Ok(tenant(1)));
    let lie = json!({"issuer": server.url(""), "jwks_uri": server.url("/keys")});
    server.answer("/lie", crate::kit::Answer::Json(lie.to_string(), ""));
    let bad = Bench::with(JwksSettings::default(), at("/lie"));
    let judged = tenant_of(&bad, &ED.good("ed")).await;
    assert!(
        matches!(judged, Err(AuthError::KeysUnavailable { .. })),
        "{judged:?}"
    );
}
