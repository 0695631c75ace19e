//! The issuer files of docs/issuers, each run against tokens and key sets of its provider's shape: as the provider documents them,
//! with keys made here.

use std::path::Path;

use persona_gateway::auth::{KeySet, Refusal, peek, verify};
use persona_gateway::authoring::bundle::Bundle;
use persona_gateway::authoring::yaml::Source;
use persona_gateway::domain::issuer::IssuerConfig;
use serde_json::{Value, json};

use crate::kit::{EC, NOW, RSA, Signer, now};

const DIRECTORY: &str = "0f3b5c1e-9a44-4d6f-8f53-2b7f2f6c1a10";
const APP: &str = "6e74172b-be56-4843-9ff4-e66a39bb12e3";

/// The issuer files of a page, in its order, read as `apply` reads them.
pub(crate) fn files(page: &str) -> Vec<IssuerConfig> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("docs/issuers/{page}.md"));
    let text = std::fs::read_to_string(path).unwrap();
    let blocks = text.split("```yaml\n").skip(1);
    blocks
        .map(|block| {
            let yaml = block.split("```").next().unwrap();
            let item = yaml.trim_end().replace('\n', "\n    ");
            let bundle = format!("tenant: acme\nissuers:\n  - {item}\n");
            let source = Source::parse(&bundle).unwrap();
            let mut read = Bundle::parse(&source.value)
                .unwrap_or_else(|faults| panic!("{page}: {faults:?}\n{bundle}"));
            read.issuers.take().unwrap().remove(0).parsed
        })
        .collect()
}

/// The members that providers add to a public key.
#[expect(clippy::needless_pass_by_value, reason = "written in place")]
fn rsa_key(kid: &str, more: Value) -> Value {
    let mut jwk = RSA.jwk(kid);
    for (name, value) in more.as_object().unwrap() {
        if value.is_null() {
            jwk.as_object_mut().unwrap().remove(name);
        } else {
            jwk[name] = value.clone();
        }
    }
    jwk
}

fn with_times(mut claims: Value) -> Value {
    claims["iat"] = json!(NOW);
    claims["exp"] = json!(NOW + 3600);
    claims
}

/// Judges a token by a page's file and the provider's key set, as it comes over the wire.
fn facts(
    rules: &IssuerConfig,
    keys: &[Value],
    header: Value,
    claims: Value,
) -> Result<Value, Refusal> {
    facts_by(&RSA, rules, keys, header, claims)
}

fn facts_by(
    signer: &Signer,
    rules: &IssuerConfig,
    keys: &[Value],
    header: Value,
    claims: Value,
) -> Result<Value, Refusal> {
    let set = KeySet::parse(json!({ "keys": keys }).to_string().as_bytes()).unwrap();
    let token = signer.token(header, with_times(claims));
    let token = peek(&token)?;
    let verified = verify(&token, rules, &set, now())?;
    Ok(json!(verified.facts))
}

fn header(kid: &str) -> Value {
    json!({"alg": "RS256", "typ": "JWT", "kid": kid})
}

fn changed(claims: &Value, name: &str, value: Value) -> Value {
    let mut claims = claims.clone();
    claims[name] = value;
    claims
}

#[test]
fn auth0() {
    let [rules] = &files("auth0")[..] else {
        panic!("one file")
    };
    let keys = [rsa_key(
        "NjVBRjY5MDlCMUIwNzU4RTA2QzZFMDQ4QzQ2MDAyQjVDNjk1RTM2Qg",
        json!({"x5t": "NjVB", "x5c": ["MIIC"]}),
    )];
    let header = header("NjVBRjY5MDlCMUIwNzU4RTA2QzZFMDQ4QzQ2MDAyQjVDNjk1RTM2Qg");
    let claims = json!({
        "iss": "https://acme.eu.auth0.com/", "sub": "auth0|507f1f77bcf86cd799439011",
        "aud": ["https://api.acme.example", "https://acme.eu.auth0.com/userinfo"],
        "scope": "openid profile email", "azp": "my_client_id",
        "https://acme.example/plan": "pro", "https://acme.example/roles": ["editor"],
    });
    assert_eq!(
        facts(rules, &keys, header.clone(), claims.clone()),
        Ok(json!({"plan": "pro", "roles": ["editor"]}))
    );
    let rfc9068 = json!({"alg": "RS256", "typ": "at+jwt", "kid": header["kid"]});
    assert!(facts(rules, &keys, rfc9068, claims.clone()).is_ok());
    let id_token = changed(&claims, "aud", json!("my_client_id"));
    assert_eq!(
        facts(rules, &keys, header, id_token),
        Err(Refusal::Audience)
    );
}

#[test]
fn entra() {
    let [second, first, any, b2c] = &files("entra")[..] else {
        panic!("four files")
    };
    let key = |issuer: Value| {
        rsa_key(
            "nOo3ZDrODXEK1jKWhXslHR_KXEg",
            json!({
                "alg": null, "x5t": "nOo3ZDrODXEK1jKWhXslHR_KXEg", "x5c": ["MIIC"],
                "cloud_instance_name": "microsoftonline.com", "issuer": issuer,
            }),
        )
    };
    let header = header("nOo3ZDrODXEK1jKWhXslHR_KXEg");
    let of = |id: &str| format!("https://login.microsoftonline.com/{id}/v2.0");
    let all = [key(json!(of("{tenantid}")))];
    let v2 = |directory: &str| {
        json!({
            "aud": APP, "iss": of(directory), "nbf": NOW, "aio": "AXQAi", "azp": APP, "azpacr": "0",
            "name": "Ann", "oid": "690222be-ff1a-4d56-abd1-7e4f7d38e474", "preferred_username": "ann@acme.example",
            "rh": "I", "scp": "access_as_user", "sub": "HKZpfaHyWadeOouYlitjrI-KffTm222X5rrV3xDqfKQ",
            "tid": directory, "uti": "fqiBqXLPj0eQa82S-IYFAA", "ver": "2.0", "roles": ["Editor"],
        })
    };
    let expected =
        |directory: &str| Ok(json!({"name": "Ann", "roles": ["Editor"], "directory": directory}));
    let own = v2(DIRECTORY);
    assert_eq!(
        facts(second, &all, header.clone(), own.clone()),
        expected(DIRECTORY)
    );
    let another = [key(json!(of("7d1e2f30-4b5a-4c6d-8e7f-90a1b2c3d4e5")))];
    assert_eq!(
        facts(second, &another, header.clone(), own.clone()),
        Err(Refusal::KeyIssuer)
    );
    let mut v1 = changed(
        &own,
        "iss",
        json!(format!("https://sts.windows.net/{DIRECTORY}/")),
    );
    v1["aud"] = json!(format!("api://{APP}"));
    v1["ver"] = json!("1.0");
    v1["appid"] = json!(APP);
    assert_eq!(
        facts(second, &all, header.clone(), v1.clone()),
        Err(Refusal::Issuer)
    );
    for keys in [&all, &[key(json!(null))]] {
        assert_eq!(
            facts(first, keys, header.clone(), v1.clone()),
            expected(DIRECTORY)
        );
    }
    for directory in [DIRECTORY, "7d1e2f30-4b5a-4c6d-8e7f-90a1b2c3d4e5"] {
        assert_eq!(
            facts(any, &all, header.clone(), v2(directory)),
            expected(directory)
        );
    }
    assert_eq!(
        facts(
            any,
            &all,
            header.clone(),
            v2("00000000-4b5a-4c6d-8e7f-90a1b2c3d4e5")
        ),
        Err(Refusal::RequiredClaim)
    );
    let b2c_token = json!({
        "iss": format!("https://acme.b2clogin.com/{DIRECTORY}/v2.0/"), "sub": "884408e1-2918-4cz0-b12d-3aa027d7563b",
        "aud": APP, "acr": "b2c_1_signin", "nbf": NOW, "ver": "1.0", "auth_time": NOW, "name": "Ann", "extension_plan": "pro",
    });
    let b2c_key = [rsa_key(
        "X5eXk4xyojNFum1kl2Ytv8dlNP4-c57dO6QGTVBwaNk",
        json!({"alg": null, "nbf": 1_493_763_266}),
    )];
    let b2c_header =
        json!({"alg": "RS256", "typ": "JWT", "kid": "X5eXk4xyojNFum1kl2Ytv8dlNP4-c57dO6QGTVBwaNk"});
    assert_eq!(
        facts(b2c, &b2c_key, b2c_header, b2c_token),
        Ok(json!({"name": "Ann", "plan": "pro"}))
    );
}

#[test]
fn cognito() {
    let [rules] = &files("cognito")[..] else {
        panic!("one file")
    };
    let keys = [
        rsa_key("1234example=", json!({})),
        Signer::ec().jwk("other="),
    ];
    let header = json!({"kid": "1234example=", "alg": "RS256"});
    let claims = json!({
        "sub": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", "device_key": "aaaa", "cognito:groups": ["testgroup"],
        "iss": "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_AbCdEfGhI", "version": 2,
        "client_id": "1example23456789", "origin_jti": "aaaa", "event_id": "bbbb", "token_use": "access",
        "scope": "phone openid profile email", "auth_time": NOW, "jti": "cccc", "username": "my-test-user",
    });
    assert_eq!(
        facts(rules, &keys, header.clone(), claims.clone()),
        Ok(json!({"roles": ["testgroup"], "username": "my-test-user"}))
    );
    let mut id_token = changed(&claims, "token_use", json!("id"));
    id_token["aud"] = json!("1example23456789");
    assert_eq!(
        facts(rules, &keys, header.clone(), id_token.clone()),
        Err(Refusal::RequiredClaim)
    );
    id_token.as_object_mut().unwrap().remove("client_id");
    assert_eq!(
        facts(rules, &keys, header.clone(), id_token),
        Err(Refusal::Claims)
    );
    let other_app = changed(&claims, "client_id", json!("another"));
    assert_eq!(
        facts(rules, &keys, header, other_app),
        Err(Refusal::Audience)
    );
}

#[test]
fn clerk() {
    let [rules] = &files("clerk")[..] else {
        panic!("one file")
    };
    let keys = [rsa_key("ins_2GIoQhbUpy0hX7B2cVkuTMinXoD", json!({}))];
    let header = json!({"alg": "RS256", "cat": "cl_B7d4PD111AAA", "kid": "ins_2GIoQhbUpy0hX7B2cVkuTMinXoD", "typ": "JWT"});
    let claims = json!({
        "azp": "https://acme.example", "fva": [7, -1], "iss": "https://clerk.acme.example", "nbf": NOW - 10,
        "o": {"id": "org_1", "rol": "admin", "slg": "acme"}, "pla": "u:free", "sid": "sess_1", "sts": "active",
        "sub": "user_123", "v": 2,
    });
    assert_eq!(
        facts(rules, &keys, header.clone(), claims.clone()),
        Ok(json!({"plan": "u:free", "role": "admin"}))
    );
    let elsewhere = changed(&claims, "azp", json!("https://evil.example"));
    assert_eq!(
        facts(rules, &keys, header, elsewhere),
        Err(Refusal::Audience)
    );
}

#[test]
fn firebase() {
    let [rules] = &files("firebase")[..] else {
        panic!("one file")
    };
    let keys = [rsa_key(
        "f90fb1ae048a548fb681ad6092b0b869ea467ac6",
        json!({}),
    )];
    let header = header("f90fb1ae048a548fb681ad6092b0b869ea467ac6");
    let claims = json!({
        "name": "Ann", "picture": "https://lh3.example/photo.jpg", "plan": "pro", "iss": "https://securetoken.google.com/acme-app",
        "aud": "acme-app", "auth_time": NOW, "user_id": "u1", "sub": "u1", "email": "ann@acme.example",
        "email_verified": true, "firebase": {"identities": {"google.com": ["1"]}, "sign_in_provider": "google.com"},
    });
    assert_eq!(
        facts(rules, &keys, header.clone(), claims.clone()),
        Ok(json!({"name": "Ann", "plan": "pro", "provider": "google.com"}))
    );
    let other = changed(&claims, "aud", json!("another-app"));
    assert_eq!(facts(rules, &keys, header, other), Err(Refusal::Audience));
}

#[test]
fn keycloak() {
    let [by_audience, by_client] = &files("keycloak")[..] else {
        panic!("two files")
    };
    let mut encryption = rsa_key(
        "enc",
        json!({"alg": "RSA-OAEP", "use": "enc", "x5c": ["MIIC"]}),
    );
    encryption["x5t#S256"] = json!("abc");
    let keys = [
        encryption,
        rsa_key("nnniBrxL0qhG79pkF3ccQj", json!({"x5c": ["MIIC"]})),
    ];
    let header = header("nnniBrxL0qhG79pkF3ccQj");
    let claims = json!({
        "jti": "d58f5dc8", "iss": "https://id.acme.example/realms/acme", "aud": "account",
        "sub": "36fa0f91-f94d-4a0c-afed-6b7d952e47da", "typ": "Bearer", "azp": "acme-web", "sid": "2a88c258", "acr": "1",
        "allowed-origins": ["https://acme.example"], "realm_access": {"roles": ["editor", "offline_access"]},
        "resource_access": {"account": {"roles": ["view-profile"]}}, "scope": "email profile", "email_verified": true,
        "name": "Ann", "preferred_username": "ann",
    });
    let expected = json!({"name": "Ann", "roles": ["editor", "offline_access"], "username": "ann"});
    assert_eq!(
        facts(by_client, &keys, header.clone(), claims.clone()),
        Ok(expected.clone())
    );
    assert_eq!(
        facts(by_audience, &keys, header.clone(), claims.clone()),
        Err(Refusal::Audience)
    );
    let mapped = changed(&claims, "aud", json!(["persona-gateway", "account"]));
    assert_eq!(
        facts(by_audience, &keys, header.clone(), mapped),
        Ok(expected)
    );
    let mut id_token = changed(&claims, "typ", json!("ID"));
    id_token["aud"] = json!("acme-web");
    assert_eq!(
        facts(by_client, &keys, header, id_token),
        Err(Refusal::RequiredClaim)
    );
}

#[test]
fn okta() {
    let [rules] = &files("okta")[..] else {
        panic!("one file")
    };
    let keys = [rsa_key("45js03w0djwedsw", json!({}))];
    let header = json!({"alg": "RS256", "kid": "45js03w0djwedsw"});
    let claims = json!({
        "ver": 1, "jti": "AT.0mP4JKAZX1iACIT4vbEDF7LpvDVjxypPMf0D7uX39RE", "iss": "https://acme.okta.com/oauth2/default",
        "aud": "api://default", "sub": "ann@acme.example", "cid": "nmdP1fcyvdVO11AL7ECm", "uid": "00ulthapbErVUwVJy4x6",
        "scp": ["openid", "email"], "groups": ["Editors"],
    });
    assert_eq!(
        facts(rules, &keys, header, claims),
        Ok(json!({"roles": ["Editors"]}))
    );
}

#[test]
fn supabase() {
    let [rules, moving] = &files("supabase")[..] else {
        panic!("two files")
    };
    let kid = "4b62eb87-76a6-4b4a-9a0c-8a1b5f1a2c3d";
    let mut key = EC.jwk(kid);
    key["ext"] = json!(true);
    key["key_ops"] = json!(["verify"]);
    let header = json!({"alg": "ES256", "kid": kid, "typ": "JWT"});
    let claims = json!({
        "iss": "https://abcdefghijklmnopqrst.supabase.co/auth/v1", "sub": "123e4567-e89b-12d3-a456-426614174000",
        "aud": "authenticated", "email": "ann@acme.example", "phone": "",
        "app_metadata": {"provider": "email", "providers": ["email"], "plan": "pro"},
        "user_metadata": {"full_name": "Ann"}, "role": "authenticated", "aal": "aal1",
        "amr": [{"method": "password", "timestamp": NOW}], "session_id": "123e4567-e89b-12d3-a456-426614174001",
        "is_anonymous": false,
    });
    let expected = Ok(json!({"name": "Ann", "plan": "pro"}));
    for rules in [rules, moving] {
        let keys = std::slice::from_ref(&key);
        assert_eq!(
            facts_by(&EC, rules, keys, header.clone(), claims.clone()),
            expected
        );
        let service = changed(&claims, "role", json!("service_role"));
        assert_eq!(
            facts_by(&EC, rules, keys, header.clone(), service),
            Err(Refusal::RequiredClaim)
        );
    }
    let secret = b"super-secret-jwt-token-with-at-least-32-characters-long".as_slice();
    let legacy = Signer::Hmac(secret.to_vec());
    let token = legacy.token(json!({"alg": "HS256", "typ": "JWT"}), with_times(claims));
    let token = peek(&token).unwrap();
    let set = KeySet::shared_secrets([secret]).unwrap();
    assert!(verify(&token, moving, &set, now()).is_ok());
    assert_eq!(
        verify(&token, rules, &set, now()).err(),
        Some(Refusal::AlgorithmNotAllowed)
    );
}

#[test]
fn google() {
    let [rules] = &files("google")[..] else {
        panic!("one file")
    };
    let keys = [rsa_key(
        "f833e8a7fe3fe4b878948219a1684afa373ca86f",
        json!({}),
    )];
    let header = header("f833e8a7fe3fe4b878948219a1684afa373ca86f");
    let client = "1234987819200.apps.googleusercontent.com";
    let claims = json!({
        "iss": "https://accounts.google.com", "azp": client, "aud": client, "sub": "10769150350006150715113082367",
        "at_hash": "HK6E_P6Dh8Y93mRNtsDB1Q", "hd": "acme.example", "email": "ann@acme.example", "email_verified": true,
        "nonce": "0394852-3190485-2490358", "name": "Ann", "picture": "https://lh3.example/a", "given_name": "Ann",
    });
    assert_eq!(
        facts(rules, &keys, header, claims),
        Ok(json!({"company": "acme.example", "name": "Ann"}))
    );
}

#[test]
fn zitadel() {
    let [rules] = &files("zitadel")[..] else {
        panic!("one file")
    };
    let keys = [rsa_key("284356339122085070", json!({}))];
    let claims = json!({
        "iss": "https://acme-ab12cd.zitadel.cloud", "sub": "252853000000000001",
        "aud": ["252856053933356542@acme", "252855756087375358"], "nbf": NOW, "client_id": "252856053933356542@acme",
        "jti": "V2_284372262897903968-at_284372262897969504",
        "urn:zitadel:iam:org:project:roles": {"admin": {"252855702316398001": "acme.example"}},
    });
    assert_eq!(
        facts(rules, &keys, header("284356339122085070"), claims),
        Ok(json!({"isAdmin": "acme.example"}))
    );
}

#[test]
fn ory() {
    let [rules] = &files("ory")[..] else {
        panic!("one file")
    };
    let keys = [rsa_key("d8b91298-466f-4f75-a4de-f6ed8fb8a91c", json!({}))];
    let header = header("d8b91298-466f-4f75-a4de-f6ed8fb8a91c");
    let claims = json!({
        "aud": [], "client_id": "c2c7f5a0-6d6f-4f0c-9d0e-0e6a0a1d2b3c", "ext": {"plan": "pro", "roles": ["editor"]},
        "iss": "https://acme.projects.oryapis.com", "jti": "8d33c6ba", "nbf": NOW, "scp": ["openid", "offline"],
        "sub": "b3a3f3a0-2d2f-4f0c-9d0e-0e6a0a1d2b3c",
    });
    assert_eq!(
        facts(rules, &keys, header, claims),
        Ok(json!({"plan": "pro", "roles": ["editor"]}))
    );
}
