//! Single sign-on: what a provider, or somebody in its name, may send instead of what it should.

use aws_lc_rs::digest::{SHA256, SHA384, SHA512};
use chrono::TimeDelta;
use persona_gateway::auth::{EmailProof, OutboundError, SsoClient, SsoError};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use crate::identity_provider::{
    ACCESS_TOKEN, CALLBACK, CLIENT_ID, CLIENT_SECRET, IdentityProvider, SignIn, at_hash, signed_by,
};
use crate::kit::{EC, ED, NOW, RSA, Signer, b64};

const FORGED: SsoError = SsoError::Refused("id_token_refused");

#[tokio::test]
async fn an_id_token_of_every_algorithm_signs_in_with_and_without_at_hash() {
    let sign_in = SignIn::new().await;
    let p384 = Signer::p384();
    let mut rsa = RSA.jwk("rsa");
    rsa.as_object_mut().unwrap().remove("alg");
    let keys = [rsa, EC.jwk("ec"), p384.jwk("p384"), ED.jwk("ed")];
    sign_in.provider.keys(&keys);
    for (kid, signer, alg, hash) in [
        ("rsa", &*RSA, "RS256", &SHA256),
        ("rsa", &RSA, "RS384", &SHA384),
        ("rsa", &RSA, "RS512", &SHA512),
        ("rsa", &RSA, "PS256", &SHA256),
        ("rsa", &RSA, "PS384", &SHA384),
        ("rsa", &RSA, "PS512", &SHA512),
        ("ec", &EC, "ES256", &SHA256),
        ("p384", &p384, "ES384", &SHA384),
        ("ed", &ED, "EdDSA", &SHA512),
    ] {
        let bound = sign_in.claims_with("at_hash", json!(at_hash(hash)));
        for claims in [sign_in.claims(), bound] {
            let token = signed_by(signer, kid, alg, &claims);
            let identity = sign_in.with(&token).await.unwrap();
            assert_eq!(identity.subject, "id-of-ann", "{alg}");
            assert_eq!(identity.email.as_deref(), Some("ann@example.com"));
            assert_eq!(identity.email_proof, EmailProof::Verified);
            assert_eq!(identity.name.as_deref(), Some("Ann Lee"));
        }
    }
}

#[tokio::test]
async fn an_id_token_at_the_edges_signs_in() {
    let sign_in = SignIn::new().await;
    let year = json!(NOW + 31_536_000);
    for claims in [
        sign_in.claims_with("exp", json!(NOW - 59)),
        sign_in.claims_with("iat", json!(NOW + 60)),
        sign_in.claims_with("nbf", json!(NOW + 60)),
        sign_in.claims_with("exp", year),
        sign_in.claims_with("aud", json!([CLIENT_ID])),
        sign_in.claims_with("azp", json!(CLIENT_ID)),
    ] {
        let outcome = sign_in.with(&SignIn::signed(&claims)).await;
        assert!(outcome.is_ok(), "{claims}: {outcome:?}");
    }
    let nameless = EC.token(json!({"alg": "ES256"}), sign_in.claims());
    sign_in.with(&nameless).await.unwrap();
}

#[tokio::test]
async fn an_id_token_with_wrong_claims_is_refused() {
    let sign_in = SignIn::new().await;
    let issuer = &sign_in.provider.issuer;
    for (name, value) in [
        ("iss", json!(format!("{issuer}/"))),
        ("iss", json!(issuer.to_uppercase())),
        ("iss", json!("https://other.example")),
        ("iss", json!([issuer])),
        ("aud", json!("another-client")),
        ("aud", json!([])),
        ("aud", json!([CLIENT_ID, "another-client"])),
        ("aud", json!(CLIENT_ID.to_uppercase())),
        ("aud", json!({"client": CLIENT_ID})),
        ("azp", json!("another-client")),
        ("azp", Value::Null),
        ("azp", json!([CLIENT_ID])),
        ("exp", json!(NOW - 60)),
        ("exp", json!((NOW + 600).to_string())),
        ("iat", json!(NOW + 61)),
        ("iat", Value::Null),
        ("nbf", json!(NOW + 61)),
        ("nonce", json!("another")),
        ("nonce", json!("")),
        ("nonce", Value::Null),
        ("nonce", json!([sign_in.attempt.nonce.expose_secret()])),
        ("sub", json!("")),
        ("sub", json!(7)),
        ("sub", json!("a".repeat(256))),
        ("sub", json!("id\u{202e}nna-fo")),
    ] {
        let claims = sign_in.claims_with(name, value);
        let outcome = sign_in.with(&SignIn::signed(&claims)).await;
        assert_eq!(outcome, Err(FORGED), "{claims}");
    }
    for name in ["iss", "aud", "exp", "iat", "nonce", "sub"] {
        let token = SignIn::signed(&sign_in.claims_without(name));
        assert_eq!(sign_in.with(&token).await, Err(FORGED), "without {name}");
    }
    let twice = sign_in
        .claims()
        .to_string()
        .replacen('{', r#"{"sub":"id-of-bob","#, 1);
    let token = EC.token(EC.header("ec"), twice);
    assert_eq!(sign_in.with(&token).await, Err(FORGED), "two subjects");
}

#[tokio::test]
async fn where_a_sign_in_was_asked_for_the_id_token_must_say_that_there_was_one() {
    let mut sign_in = SignIn::new().await;
    for claims in [sign_in.claims(), sign_in.claims_with("auth_time", json!(7))] {
        let outcome = sign_in.with(&SignIn::signed(&claims)).await;
        assert!(outcome.is_ok(), "it was not asked for: {outcome:?}");
    }
    sign_in.attempt.signed_in_since = chrono::DateTime::from_timestamp(NOW, 0);
    for at in [NOW - 60, NOW, NOW + 5] {
        let claims = sign_in.claims_with("auth_time", json!(at));
        let outcome = sign_in.with(&SignIn::signed(&claims)).await;
        assert!(outcome.is_ok(), "{at}: {outcome:?}");
    }
    let not_again = Err(SsoError::Refused("sso_not_again"));
    let without = SignIn::signed(&sign_in.claims_without("auth_time"));
    assert_eq!(sign_in.with(&without).await, not_again);
    for at in [
        json!(NOW - 61),
        json!(0),
        json!(NOW.to_string()),
        Value::Null,
        json!([NOW]),
    ] {
        let claims = sign_in.claims_with("auth_time", at);
        let outcome = sign_in.with(&SignIn::signed(&claims)).await;
        assert_eq!(outcome, not_again, "{claims}");
    }
}

#[tokio::test]
async fn an_id_token_for_another_access_token_is_refused() {
    let sign_in = SignIn::new().await;
    let other = b64(&aws_lc_rs::digest::digest(&SHA256, b"another token").as_ref()[..16]);
    let whole = b64(aws_lc_rs::digest::digest(&SHA256, ACCESS_TOKEN.as_bytes()));
    for hash in [
        json!(other),
        json!(at_hash(&SHA512)),
        json!(whole),
        json!(""),
        Value::Null,
    ] {
        let token = SignIn::signed(&sign_in.claims_with("at_hash", hash));
        let outcome = sign_in.with(&token).await;
        assert_eq!(outcome, Err(SsoError::Refused("access_token_swapped")));
    }
}

#[tokio::test]
async fn an_id_token_that_the_providers_keys_did_not_sign_is_refused() {
    let sign_in = SignIn::new().await;
    let claims = sign_in.claims();
    let (mallory, mallory_rsa) = (Signer::ec(), Signer::rsa(aws_lc_rs::rsa::KeySize::Rsa2048));
    let good = SignIn::signed(&claims);
    let (head, signature) = good.rsplit_once('.').unwrap();
    let (header, _) = head.split_once('.').unwrap();
    let swapped = sign_in.claims_with("email", json!("owner@example.com"));
    let none = |alg: &str| {
        format!(
            "{}.{}.",
            b64(json!({"alg": alg}).to_string()),
            b64(claims.to_string())
        )
    };
    let hmac = |secret: &[u8], kid: &str| {
        let signer = Signer::Hmac(secret.to_vec());
        signer.token(json!({"alg": "HS256", "kid": kid}), &claims)
    };
    let pem = format!(
        "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----",
        base64::Engine::encode(&base64::engine::general_purpose::STANDARD, RSA.public())
    );
    let with_header = |header: Value| mallory.token(header, &claims);
    let of_type = |typ: &str| EC.token(json!({"alg": "ES256", "kid": "ec", "typ": typ}), &claims);
    for (name, token) in [
        (
            "another's key under the same id",
            mallory.token(mallory.header("ec"), &claims),
        ),
        (
            "another's RSA key under the same id",
            mallory_rsa.token(mallory_rsa.header("rsa"), &claims),
        ),
        (
            "another's key under an id of its own",
            mallory.token(mallory.header("mallory"), &claims),
        ),
        (
            "another's key without an id",
            with_header(json!({"alg": "ES256"})),
        ),
        (
            "another's key along in the header",
            with_header(json!({"alg": "ES256", "kid": "ec", "jwk": mallory.jwk("ec")})),
        ),
        (
            "another's keys by address",
            with_header(
                json!({"alg": "ES256", "kid": "ec", "jku": "https://mallory.example/keys"}),
            ),
        ),
        (
            "the right key, another algorithm",
            RSA.token(json!({"alg": "ES256", "kid": "rsa"}), &claims),
        ),
        (
            "the right key, an algorithm that nobody uses",
            EC.token(json!({"alg": "ES256K", "kid": "ec"}), &claims),
        ),
        ("no algorithm", none("none")),
        ("no algorithm, in other letters", none("nOnE")),
        ("an algorithm, no signature", none("ES256")),
        ("a secret that is the public key", hmac(&EC.public(), "ec")),
        (
            "a secret that is the public key in PEM",
            hmac(pem.as_bytes(), "rsa"),
        ),
        (
            "the client's own secret",
            hmac(CLIENT_SECRET.as_bytes(), "ec"),
        ),
        (
            "other claims under the signature",
            format!("{header}.{}.{signature}", b64(swapped.to_string())),
        ),
        ("an access token by its type", of_type("at+jwt")),
        ("a logout token by its type", of_type("logout+jwt")),
        (
            "an extension that must be understood",
            EC.token(
                json!({"alg": "ES256", "kid": "ec", "crit": ["exp"]}),
                &claims,
            ),
        ),
        ("no token", "opaque".to_owned()),
        ("four parts", format!("{good}.{signature}")),
    ] {
        assert_eq!(sign_in.with(&token).await, Err(FORGED), "{name}");
    }
    sign_in.with(&good).await.unwrap();
}

#[tokio::test]
async fn new_keys_are_found_and_unknown_ones_ask_the_provider_once_per_cool_down() {
    let sign_in = SignIn::new().await;
    sign_in.sso.check(&sign_in.provider.issuer).await.unwrap();
    let fetches = || sign_in.provider.requests_to("/keys");
    assert_eq!(fetches(), 1);
    let next = Signer::ec();
    let token = next.token(next.header("next"), sign_in.claims());
    for _ in 0..5 {
        assert_eq!(sign_in.with(&token).await, Err(FORGED));
    }
    assert_eq!(fetches(), 1, "within the cool-down");
    sign_in.provider.keys(&[next.jwk("next")]);
    sign_in.bench.advance(31);
    sign_in.with(&token).await.unwrap();
    let old = SignIn::signed(&sign_in.claims());
    for _ in 0..5 {
        assert_eq!(sign_in.with(&old).await, Err(FORGED), "withdrawn");
    }
    assert_eq!(fetches(), 2);
    // Behind a failed fetch a key may well exist.
    sign_in.provider.answer("/keys", 500, &json!({}));
    sign_in.bench.advance(31);
    let outcome = sign_in.with(&old).await;
    assert_eq!(
        outcome,
        Err(SsoError::Unreachable(OutboundError::Status(500)))
    );
}

#[tokio::test]
async fn keys_are_fetched_when_the_browser_leaves_and_kept_while_the_description_is_asked_for_again()
 {
    let sign_in = SignIn::new().await;
    let begin = async || {
        sign_in
            .sso
            .begin(&sign_in.client, CALLBACK, &sign_in.attempt)
            .await
    };
    begin().await.unwrap();
    sign_in.bench.settled().await;
    assert_eq!(sign_in.provider.requests_to("/keys"), 1);
    sign_in.bench.advance(500);
    begin().await.unwrap();
    let description = "/.well-known/openid-configuration";
    assert_eq!(sign_in.provider.requests_to(description), 1);
    // Now the description is too old; the keys were renewed on the way.
    sign_in.bench.settled().await;
    sign_in.bench.advance(101);
    begin().await.unwrap();
    assert_eq!(sign_in.provider.requests_to(description), 2);
    sign_in.bench.settled().await;
    let fetched = sign_in.provider.requests_to("/keys");
    sign_in
        .sso
        .finish(&sign_in.client, CALLBACK, "a code", &sign_in.attempt)
        .await
        .unwrap_err();
    assert_eq!(sign_in.provider.requests_to("/keys"), fetched);
}

#[tokio::test]
async fn a_provider_must_be_whom_it_was_asked_as_and_lead_where_the_guard_lets() {
    let sign_in = SignIn::new().await;
    let provider = &sign_in.provider;
    let check = async || sign_in.sso.check(&provider.issuer).await;
    check().await.unwrap();
    for (name, value, words) in [
        (
            "issuer",
            json!(format!("{}/", provider.issuer)),
            "another issuer",
        ),
        (
            "issuer",
            json!(provider.issuer.to_uppercase()),
            "another issuer",
        ),
        ("issuer", Value::Null, "another issuer"),
        (
            "authorization_endpoint",
            Value::Null,
            "no authorization endpoint",
        ),
        (
            "authorization_endpoint",
            json!("/authorize"),
            "no authorization endpoint",
        ),
        (
            "token_endpoint",
            json!("javascript:alert(1)"),
            "no token endpoint",
        ),
        ("jwks_uri", json!(7), "no jwks_uri"),
    ] {
        let mut description = provider.description();
        description[name] = value;
        provider.describe(&description);
        let Err(SsoError::Misconfigured(message)) = check().await else {
            panic!("{description} was taken");
        };
        assert!(message.contains(words), "{message}");
    }
    for name in ["authorization_endpoint", "token_endpoint", "jwks_uri"] {
        for inside in [
            "http://10.0.0.1/",
            "https://169.254.169.254/",
            "https://user@id.example/",
        ] {
            let mut description = provider.description();
            description[name] = json!(inside);
            provider.describe(&description);
            let outcome = check().await;
            let not_allowed = SsoError::Unreachable(OutboundError::NotAllowed);
            assert_eq!(outcome, Err(not_allowed), "{name} {inside}");
        }
    }
    let issuer = provider.description().to_string().replacen(
        '{',
        r#"{"issuer":"https://other.example","#,
        1,
    );
    provider.answer_text(
        "/.well-known/openid-configuration",
        200,
        "application/json",
        &issuer,
    );
    assert!(
        matches!(check().await, Err(SsoError::Misconfigured(_))),
        "two issuers"
    );
    provider.describe(&provider.description());
    provider.answer("/keys", 200, &json!({"keys": []}));
    assert!(
        matches!(check().await, Err(SsoError::Misconfigured(_))),
        "no keys"
    );
    provider.answer_text("/.well-known/openid-configuration", 302, "text/html", "");
    let Err(SsoError::Unreachable(OutboundError::Redirect { .. })) = check().await else {
        panic!("a redirect was followed");
    };
}

#[tokio::test]
async fn a_browser_is_sent_with_what_ties_its_way_back_to_it() {
    let sign_in = SignIn::new().await;
    let sent = sign_in
        .sso
        .begin(&sign_in.client, CALLBACK, &sign_in.attempt)
        .await
        .unwrap();
    let pairs: Vec<(String, String)> = sent.query_pairs().into_owned().collect();
    let verifier = sign_in.attempt.pkce_verifier.expose_secret();
    let challenge = b64(aws_lc_rs::digest::digest(&SHA256, verifier.as_bytes()));
    let expected = [
        ("tenant", "a"),
        ("response_type", "code"),
        ("client_id", CLIENT_ID),
        ("redirect_uri", CALLBACK),
        ("scope", "openid email profile"),
        ("state", sign_in.attempt.state.expose_secret()),
        ("nonce", sign_in.attempt.nonce.expose_secret()),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(pairs, expected);
    assert!(
        sent.as_str()
            .starts_with(&format!("{}/authorize?", sign_in.provider.issuer))
    );
    assert!(!sent.as_str().contains(verifier) && !sent.as_str().contains(CLIENT_SECRET));
}

#[tokio::test]
async fn a_code_is_exchanged_by_the_client_in_the_way_that_the_provider_takes() {
    let mut sign_in = SignIn::new().await;
    let methods = |methods: Value, provider: &IdentityProvider| {
        let mut description = provider.description();
        description["token_endpoint_auth_methods_supported"] = methods;
        provider.describe(&description);
    };
    let verifier = sign_in.attempt.pkce_verifier.expose_secret().to_owned();
    let form = format!(
        "grant_type=authorization_code&code=a+code&redirect_uri=https%3A%2F%2Fgateway.example%2Fv1%2Fadmin%2Fsso%2Fdemo%2Fcallback&code_verifier={verifier}"
    );
    // RFC 6749, 2.3.1: "persona%3Agateway:a+secret".
    let basic = "authorization: Basic cGVyc29uYSUzQWdhdGV3YXk6YStzZWNyZXQ=";
    let in_body = "&client_id=persona%3Agateway&client_secret=a+secret";
    let both = json!(["client_secret_post", "client_secret_basic"]);
    for (supported, has_header, body) in [
        (Value::Null, true, ""),
        (both, true, ""),
        (json!(["private_key_jwt"]), true, ""),
        (json!(["client_secret_post"]), false, in_body),
    ] {
        methods(supported, &sign_in.provider);
        sign_in.sso.check(&sign_in.provider.issuer).await.unwrap();
        let token = SignIn::signed(&sign_in.claims());
        sign_in.with(&token).await.unwrap();
        let (head, sent) = sign_in.provider.last_request();
        assert!(head.starts_with("POST /token "), "{head}");
        assert_eq!(head.contains(basic), has_header, "{head}");
        assert_eq!(sent, format!("{form}{body}"));
    }
    sign_in.client.client_secret = None;
    let token = SignIn::signed(&sign_in.claims());
    sign_in.with(&token).await.unwrap();
    let (head, sent) = sign_in.provider.last_request();
    assert!(!head.contains("authorization:"), "{head}");
    assert_eq!(sent, format!("{form}&client_id=persona%3Agateway"));
}

#[tokio::test]
async fn an_answer_of_the_token_endpoint_that_is_none_is_refused() {
    let sign_in = SignIn::new().await;
    let id_token = SignIn::signed(&sign_in.claims());
    let refused = SsoError::Refused;
    let with = |name: &str, value: Value| {
        let mut tokens =
            json!({ "access_token": "a", "token_type": "Bearer", "id_token": id_token });
        tokens[name] = value;
        tokens.to_string()
    };
    for (status, body, error) in [
        (
            400,
            r#"{"error": "invalid_grant"}"#.to_owned(),
            refused("code_refused"),
        ),
        (401, "<html>".to_owned(), refused("code_refused")),
        (
            503,
            "down".to_owned(),
            SsoError::Unreachable(OutboundError::Status(503)),
        ),
        (
            201,
            with("access_token", json!("a")),
            SsoError::Unreachable(OutboundError::Status(201)),
        ),
        (200, "<html>".to_owned(), refused("token_answer_unreadable")),
        (
            200,
            with("access_token", Value::Null),
            refused("token_answer_unreadable"),
        ),
        (
            200,
            with("token_type", json!("mac")),
            refused("token_answer_unreadable"),
        ),
        (
            200,
            with("token_type", Value::Null),
            refused("token_answer_unreadable"),
        ),
        (200, with("id_token", Value::Null), refused("no_id_token")),
        (
            200,
            with("id_token", json!([id_token])),
            refused("no_id_token"),
        ),
        (
            200,
            with("scope", json!("a".repeat(300_000))),
            SsoError::Unreachable(OutboundError::TooLarge),
        ),
    ] {
        sign_in
            .provider
            .answer_text("/token", status, "application/json", &body);
        assert_eq!(sign_in.finish().await, Err(error), "{status} {body:.80}");
    }
    sign_in.provider.answer_text("/token", 302, "text/html", "");
    let outcome = sign_in.finish().await;
    assert!(
        matches!(
            outcome,
            Err(SsoError::Unreachable(OutboundError::Redirect { .. }))
        ),
        "{outcome:?}"
    );
    assert_eq!(sign_in.provider.requests_to("/elsewhere"), 0);
}

#[tokio::test]
async fn what_the_userinfo_endpoint_says_counts_for_the_same_person_alone() {
    let sign_in = SignIn::new().await;
    let token = SignIn::signed(&sign_in.claims_without("email"));
    let said = json!({ "sub": "id-of-ann", "email": "ann@example.com", "email_verified": true });
    let userinfo = |kind: &'static str, body: &str| {
        sign_in.provider.answer_text("/userinfo", 200, kind, body);
    };
    userinfo("application/json; charset=utf-8", &said.to_string());
    let identity = sign_in.with(&token).await.unwrap();
    assert_eq!(
        (identity.email.as_deref(), identity.name.as_deref()),
        (Some("ann@example.com"), Some("Ann Lee"))
    );
    assert!(
        sign_in
            .provider
            .last_request()
            .0
            .contains("authorization: Bearer an-access-token\r\n")
    );

    let mut signed = said.clone();
    signed["iss"] = json!(sign_in.provider.issuer);
    signed["aud"] = json!(CLIENT_ID);
    userinfo("application/jwt", &SignIn::signed(&signed));
    assert_eq!(
        sign_in.with(&token).await.unwrap().email.as_deref(),
        Some("ann@example.com")
    );

    let refused = Err(SsoError::Refused("userinfo_refused"));
    let other = |name: &str, value: Value| {
        let mut other = signed.clone();
        other[name] = value;
        other
    };
    let mallory = Signer::ec();
    for forged in [
        SignIn::signed(&other("sub", json!("id-of-bob"))),
        SignIn::signed(&other("iss", json!("https://other.example"))),
        SignIn::signed(&other("aud", json!("another-client"))),
        mallory.token(mallory.header("ec"), &signed),
        format!("{}.{}.", b64(r#"{"alg":"none"}"#), b64(signed.to_string())),
        signed.to_string(),
    ] {
        userinfo("application/jwt", &forged);
        assert_eq!(sign_in.with(&token).await, refused, "{forged}");
    }
    let mut bob = said.clone();
    bob["sub"] = json!("id-of-bob");
    for (kind, body) in [
        ("application/json", bob.to_string()),
        (
            "application/json",
            r#"{"email": "ann@example.com"}"#.to_owned(),
        ),
        (
            "application/json",
            r#"{"sub": "id-of-bob", "sub": "id-of-ann"}"#.to_owned(),
        ),
        ("text/html", said.to_string()),
    ] {
        userinfo(kind, &body);
        assert_eq!(sign_in.with(&token).await, refused, "{kind} {body}");
    }
    sign_in.provider.answer("/userinfo", 403, &said);
    assert_eq!(sign_in.with(&token).await, refused);

    let mut description = sign_in.provider.description();
    description
        .as_object_mut()
        .unwrap()
        .remove("userinfo_endpoint");
    sign_in.provider.describe(&description);
    sign_in.sso.check(&sign_in.provider.issuer).await.unwrap();
    assert_eq!(
        sign_in.with(&token).await,
        Err(SsoError::Refused("no_email"))
    );
}

#[tokio::test]
async fn an_address_is_verified_where_the_provider_says_so_in_one_of_the_ways_that_providers_have()
{
    use EmailProof::{Denied, Unsaid, Verified};
    let sign_in = SignIn::new().await;
    for (claims, wanted) in [
        (json!({ "email_verified": true }), Verified),
        // As Cognito writes it.
        (json!({ "email_verified": "true" }), Verified),
        (json!({ "email_verified": false }), Denied),
        (json!({ "email_verified": "false" }), Denied),
        (json!({ "email_verified": 1 }), Denied),
        (json!({ "email_verified": [true] }), Denied),
        (json!({ "email_verified": null }), Denied),
        // As Entra writes it.
        (json!({ "xms_edov": true }), Verified),
        (json!({ "xms_edov": "true" }), Verified),
        (json!({ "xms_edov": 1 }), Verified),
        (json!({ "xms_edov": "1" }), Verified),
        (json!({ "xms_edov": false }), Denied),
        (json!({ "xms_edov": "0" }), Denied),
        (json!({ "xms_edov": ["1"] }), Denied),
        // What denies is not outvoted.
        (json!({ "email_verified": false, "xms_edov": true }), Denied),
        (json!({}), Unsaid),
    ] {
        let mut all = sign_in.claims_without("email_verified");
        for (name, value) in claims.as_object().unwrap() {
            all[name] = value.clone();
        }
        let identity = sign_in.with(&SignIn::signed(&all)).await;
        // Where the token does not say it, the userinfo endpoint is asked, which knows nobody here.
        let got = identity.map(|identity| identity.email_proof);
        match wanted {
            Unsaid => assert_eq!(got, Err(SsoError::Refused("userinfo_refused")), "{claims}"),
            said => assert_eq!(got, Ok(said), "{claims}"),
        }
    }
}

#[tokio::test]
async fn a_token_with_an_address_alone_is_completed_by_the_userinfo_endpoint() {
    let sign_in = SignIn::new().await;
    let token = SignIn::signed(&sign_in.claims_without("email_verified"));
    for (said, wanted) in [
        (
            json!({ "email": "ann@example.com", "email_verified": true }),
            ("ann@example.com", EmailProof::Verified),
        ),
        (
            json!({ "email": "ann@example.com" }),
            ("ann@example.com", EmailProof::Unsaid),
        ),
        // What is said of another address says nothing of this one.
        (
            json!({ "email": "lee@example.com", "email_verified": true }),
            ("lee@example.com", EmailProof::Verified),
        ),
        (
            json!({ "email_verified": true }),
            ("ann@example.com", EmailProof::Unsaid),
        ),
    ] {
        let mut answer = said.clone();
        answer["sub"] = json!("id-of-ann");
        sign_in.provider.answer("/userinfo", 200, &answer);
        let identity = sign_in.with(&token).await.unwrap();
        let got = (identity.email.as_deref().unwrap(), identity.email_proof);
        assert_eq!(got, wanted, "{said}");
    }
    let mut description = sign_in.provider.description();
    let members = description.as_object_mut().unwrap();
    members.remove("userinfo_endpoint");
    sign_in.provider.describe(&description);
    sign_in.sso.check(&sign_in.provider.issuer).await.unwrap();
    let identity = sign_in.with(&token).await.unwrap();
    assert_eq!(identity.email_proof, EmailProof::Unsaid);
}

#[tokio::test]
async fn two_providers_never_share_keys() {
    let (one, other) = (SignIn::new().await, IdentityProvider::start().await);
    let theirs = Signer::ec();
    other.keys(&[theirs.jwk("ec")]);
    let elsewhere = SsoClient {
        issuer: other.issuer.clone(),
        client_secret: Some(SecretString::from(CLIENT_SECRET)),
        ..one.client.clone()
    };
    one.with(&SignIn::signed(&one.claims())).await.unwrap();
    // A token of the first provider's key that says it is the other's.
    let claims = one.claims_with("iss", json!(other.issuer));
    let tokens =
        json!({ "access_token": "a", "token_type": "bearer", "id_token": SignIn::signed(&claims) });
    other.answer("/token", 200, &tokens);
    let finish = async || {
        one.sso
            .finish(&elsewhere, CALLBACK, "a code", &one.attempt)
            .await
    };
    assert_eq!(finish().await, Err(FORGED));
    one.bench.advance(TimeDelta::minutes(1).num_seconds());
    let tokens = json!({ "access_token": "a", "token_type": "bearer", "id_token": theirs.token(theirs.header("ec"), &claims) });
    other.answer("/token", 200, &tokens);
    finish().await.unwrap();
}
