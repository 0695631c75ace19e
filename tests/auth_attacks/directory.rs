//! Whose token is it? Tenants next to one another, shared issuers, and changes of the directory.

use persona_gateway::auth::{
    AuthError, Claimed, Directory, DirectoryFault, FaultReason, IssuerEntry, JwksSettings, Refusal,
    RegisteredUrl, SetRefusal, Skip, SkippedKey,
};
use persona_gateway::domain::ids::{IssuerId, TenantId};
use persona_gateway::domain::issuer::{ClaimPath, IssuerConfig, TenantBinding};
use secrecy::SecretSlice;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::kit::{
    Bench, ED, HMAC, ISSUER, SECRET, Server, Signer, claims, claims_with, config, entry, tenant,
    tenants,
};

fn inline(issuer: &str, audiences: &[&str], keys: &[Value]) -> IssuerConfig {
    config(&json!({"issuer": issuer, "audiences": audiences, "keys": {"jwks": {"keys": keys}}}))
}

fn bench(issuers: Vec<IssuerEntry>) -> (Bench, Vec<DirectoryFault>) {
    let bench = Bench::new(JwksSettings::default());
    let faults = bench.auth.replace_directory(Directory {
        issuers,
        tenants: tenants(),
        ..Directory::default()
    });
    (bench, faults)
}

async fn tenant_of(bench: &Bench, token: &str) -> Result<TenantId, AuthError> {
    bench
        .auth
        .authenticate(token)
        .await
        .map(|caller| caller.tenant)
}

fn refused(refusal: Refusal) -> Result<TenantId, AuthError> {
    Err(AuthError::Refused(refusal))
}

fn token(signer: &Signer, kid: &str, issuer: &str, audience: Value) -> String {
    let mut claims = claims();
    claims["iss"] = json!(issuer);
    claims["aud"] = audience;
    signer.token(signer.header(kid), claims)
}

#[tokio::test]
async fn one_key_id_at_two_tenants_is_two_keys() {
    let (a, b) = (Signer::ed(), Signer::ed());
    let (bench, faults) = bench(vec![
        entry(1, 1, inline("https://a.example", &["app"], &[a.jwk("k")])),
        entry(2, 2, inline("https://b.example", &["app"], &[b.jwk("k")])),
    ]);
    assert_eq!(faults, []);
    let (at_a, at_b) = ("https://a.example", "https://b.example");
    // Twice, so that whatever the first round left in memory meets the second.
    for _ in 0..2 {
        assert_eq!(
            tenant_of(&bench, &token(&a, "k", at_a, json!("app"))).await,
            Ok(tenant(1))
        );
        assert_eq!(
            tenant_of(&bench, &token(&b, "k", at_b, json!("app"))).await,
            Ok(tenant(2))
        );
        assert_eq!(
            tenant_of(&bench, &token(&a, "k", at_b, json!("app"))).await,
            refused(Refusal::Signature)
        );
        assert_eq!(
            tenant_of(&bench, &token(&b, "k", at_a, json!("app"))).await,
            refused(Refusal::Signature)
        );
    }
}

#[tokio::test]
async fn one_issuer_may_serve_two_tenants_by_audience() {
    let signer = Signer::ed();
    let (bench, faults) = bench(vec![
        entry(1, 1, inline(ISSUER, &["a", "a2"], &[signer.jwk("k")])),
        entry(2, 2, inline(ISSUER, &["b"], &[signer.jwk("k")])),
    ]);
    assert_eq!(faults, []);
    for (audience, expected) in [
        (json!("a"), Ok(tenant(1))),
        (json!(["x", "a2", "a"]), Ok(tenant(1))),
        (json!("b"), Ok(tenant(2))),
        (json!(["a", "b"]), refused(Refusal::AmbiguousAudience)),
        (json!(["b", "x", "a2"]), refused(Refusal::AmbiguousAudience)),
        (json!("c"), refused(Refusal::Audience)),
        (json!(["A"]), refused(Refusal::Audience)),
    ] {
        assert_eq!(
            tenant_of(&bench, &token(&signer, "k", ISSUER, audience.clone())).await,
            expected,
            "{audience}"
        );
    }
}

#[tokio::test]
async fn a_contested_pair_belongs_to_nobody() {
    let (a, b) = (Signer::ed(), Signer::ed());
    let (bench, faults) = bench(vec![
        entry(1, 1, inline(ISSUER, &["app", "own"], &[a.jwk("k")])),
        entry(2, 2, inline(ISSUER, &["app"], &[b.jwk("k")])),
    ]);
    let contested = |number| DirectoryFault {
        issuer: IssuerId(Uuid::from_u128(number)),
        reason: FaultReason::Contested("app".to_owned()),
    };
    assert_eq!(faults, [contested(1), contested(2)]);
    for signer in [&a, &b] {
        assert_eq!(
            tenant_of(&bench, &token(signer, "k", ISSUER, json!("app"))).await,
            refused(Refusal::UnknownIssuer)
        );
    }
    assert_eq!(
        tenant_of(&bench, &token(&a, "k", ISSUER, json!("own"))).await,
        Ok(tenant(1))
    );
}

fn shared(number: u128, claim: &str, config: IssuerConfig) -> IssuerEntry {
    IssuerEntry {
        pending: Vec::new(),
        binding: TenantBinding::ByClaim {
            claim: ClaimPath::parse(claim).unwrap(),
        },
        ..entry(number, 0, config)
    }
}

#[tokio::test]
async fn a_shared_issuer_names_the_tenant_by_slug_or_id() {
    let config = || inline(ISSUER, &["app"], &[ED.jwk("ed")]);
    let (bench, _) = bench(vec![shared(1, "/org/slug", config())]);
    let by = |org: Value| ED.token(ED.header("ed"), claims_with("org", org));
    let id = |number| tenant(number).to_string();
    for (org, expected) in [
        (json!({"slug": "acme"}), Ok(tenant(1))),
        (json!({"slug": "globex"}), Ok(tenant(2))),
        (json!({"slug": id(2)}), Ok(tenant(2))),
        (json!({"slug": id(9)}), refused(Refusal::UnknownTenant)),
        (json!({"slug": "Acme"}), refused(Refusal::UnknownTenant)),
        (json!({"slug": "acme "}), refused(Refusal::UnknownTenant)),
        (json!({"slug": ""}), refused(Refusal::UnknownTenant)),
        (json!({"slug": ["acme"]}), refused(Refusal::UnknownTenant)),
        (json!({"slug": null}), refused(Refusal::UnknownTenant)),
        (json!({}), refused(Refusal::UnknownTenant)),
        (json!("acme"), refused(Refusal::UnknownTenant)),
        (json!([{"slug": "acme"}]), refused(Refusal::UnknownTenant)),
    ] {
        assert_eq!(tenant_of(&bench, &by(org.clone())).await, expected, "{org}");
    }
    let none = ED.good("ed");
    assert_eq!(
        tenant_of(&bench, &none).await,
        refused(Refusal::UnknownTenant)
    );
}

/// Whose a refused token would be.
fn claimed(bench: &Bench, issuer: &str, audience: Value) -> Option<TenantId> {
    let token = token(&Signer::ed(), "any", issuer, audience);
    bench.auth.claimed(&token).tenant
}

#[tokio::test]
async fn a_refused_token_is_told_to_one_tenant_or_to_none() {
    let bench = Bench::new(JwksSettings::default());
    let own = |number, tenant, issuer: &str, audience: &str| {
        entry(number, tenant, inline(issuer, &[audience], &[ED.jwk("ed")]))
    };
    let directory = Directory {
        issuers: vec![
            own(1, 1, "https://one.example", "a"),
            own(2, 1, "https://both.example", "a"),
            own(3, 2, "https://both.example", "b"),
            own(4, 1, "https://also-shared.example", "a"),
            shared(
                5,
                "org",
                inline("https://also-shared.example", &["s"], &[ED.jwk("ed")]),
            ),
            shared(
                6,
                "org",
                inline("https://shared.example", &["s"], &[ED.jwk("ed")]),
            ),
        ],
        registered: [
            ("https://one.example", 1, true),
            // Anybody can register it; that keeps nothing from tenant 1.
            ("https://one.example", 2, false),
            ("https://both.example", 1, true),
            ("https://both.example", 2, true),
            ("https://also-shared.example", 1, true),
            // Tenant 2 has switched its issuer off.
            ("https://disabled.example", 2, true),
            ("https://unproven.example", 2, false),
        ]
        .map(|(issuer, number, is_proven)| RegisteredUrl {
            issuer: issuer.to_owned(),
            tenant: tenant(number),
            is_proven,
        })
        .into(),
        tenants: tenants(),
    };
    assert_eq!(bench.auth.replace_directory(directory), []);
    for (issuer, audience, whose) in [
        ("https://one.example", json!("a"), Some(tenant(1))),
        ("https://one.example", json!("wrong"), Some(tenant(1))),
        ("https://one.example", json!([]), Some(tenant(1))),
        ("https://one.example/", json!("a"), None),
        ("https://both.example", json!("b"), Some(tenant(2))),
        ("https://both.example", json!("wrong"), None),
        ("https://both.example", json!(["a", "b"]), None),
        ("https://also-shared.example", json!("wrong"), None),
        ("https://shared.example", json!("s"), None),
        ("https://disabled.example", json!("any"), Some(tenant(2))),
        ("https://unproven.example", json!("any"), Some(tenant(2))),
        ("https://nobody.example", json!("a"), None),
        ("", json!("a"), None),
    ] {
        assert_eq!(
            claimed(&bench, issuer, audience.clone()),
            whose,
            "{issuer} {audience}"
        );
    }
    let mut of_shared = claims_with("org", json!("globex"));
    of_shared["iss"] = json!("https://shared.example");
    of_shared["aud"] = json!("s");
    let token = ED.token(ED.header("ed"), of_shared);
    assert_eq!(bench.auth.claimed(&token).tenant, Some(tenant(2)));
}

#[tokio::test]
async fn what_a_refused_token_claims_is_cleaned_and_cut_and_never_its_subject() {
    let (bench, _) = bench(vec![entry(1, 1, inline(ISSUER, &["app"], &[ED.jwk("ed")]))]);
    let long = "x".repeat(3_000);
    for audience in ["\u{0}\u{1b}[2J\u{202e}\napp", long.as_str()] {
        let mut header = ED.header("ed");
        header["alg"] = json!("none");
        header["kid"] = json!(format!("\u{7}{audience}"));
        let mut claims = claims_with("sub", json!("a-secret-subject"));
        claims["aud"] = json!([audience, audience]);
        let claimed = bench.auth.claimed(&ED.token(header, claims));
        for text in [&claimed.audience, &claimed.kid, &claimed.issuer] {
            assert!(text.chars().count() <= 200, "{text}");
            assert!(
                !text.contains(|c: char| c.is_control() || c == '\u{202e}'),
                "{text:?}"
            );
            assert!(!text.contains("secret"));
        }
    }
    for nothing in ["", ".", "..", "a.b.c", "undefined", long.as_str()] {
        assert_eq!(bench.auth.claimed(nothing), Claimed::default());
    }
}

#[tokio::test]
async fn a_tenants_own_issuer_never_names_another_tenant() {
    let (bench, _) = bench(vec![entry(1, 1, inline(ISSUER, &["app"], &[ED.jwk("ed")]))]);
    for name in ["tenant", "tenant_id", "tid", "org", "org_id"] {
        for value in [json!("globex"), json!(tenant(2).to_string())] {
            let token = ED.token(ED.header("ed"), claims_with(name, value));
            assert_eq!(tenant_of(&bench, &token).await, Ok(tenant(1)));
        }
    }
}

#[tokio::test]
async fn no_tenant_can_call_itself_by_anothers_id() {
    let bench = Bench::new(JwksSettings::default());
    let mut tenants = tenants();
    tenants[1].slug = tenant(1).to_string();
    let issuers = vec![shared(1, "org", inline(ISSUER, &["app"], &[ED.jwk("ed")]))];
    bench.auth.replace_directory(Directory {
        issuers,
        tenants,
        ..Directory::default()
    });
    let token = ED.token(
        ED.header("ed"),
        claims_with("org", json!(tenant(1).to_string())),
    );
    assert_eq!(tenant_of(&bench, &token).await, Ok(tenant(1)));
}

#[tokio::test]
async fn suspended_and_vanished_tenants_are_told_apart_only_behind_a_good_token() {
    let bench = Bench::new(JwksSettings::default());
    let issuers = || {
        vec![
            entry(1, 1, inline("https://a.example", &["app"], &[ED.jwk("ed")])),
            entry(2, 7, inline("https://b.example", &["app"], &[ED.jwk("ed")])),
            shared(
                3,
                "org",
                inline("https://c.example", &["app"], &[ED.jwk("ed")]),
            ),
        ]
    };
    let mut list = tenants();
    list[0].active = false;
    bench.auth.replace_directory(Directory {
        issuers: issuers(),
        tenants: list,
        ..Directory::default()
    });
    let suspended = Err(AuthError::TenantSuspended { tenant: tenant(1) });
    assert_eq!(
        tenant_of(&bench, &token(&ED, "ed", "https://a.example", json!("app"))).await,
        suspended
    );
    assert_eq!(
        tenant_of(&bench, &token(&ED, "ed", "https://b.example", json!("app"))).await,
        refused(Refusal::UnknownTenant)
    );
    let mut shared_claims = claims_with("iss", json!("https://c.example"));
    shared_claims["org"] = json!("acme");
    assert_eq!(
        tenant_of(&bench, &ED.token(ED.header("ed"), shared_claims)).await,
        suspended
    );
    let forged = token(&Signer::ed(), "ed", "https://a.example", json!("app"));
    assert_eq!(
        tenant_of(&bench, &forged).await,
        refused(Refusal::Signature)
    );
    bench.auth.replace_directory(Directory {
        issuers: issuers(),
        tenants: tenants(),
        ..Directory::default()
    });
    assert_eq!(
        tenant_of(&bench, &token(&ED, "ed", "https://a.example", json!("app"))).await,
        Ok(tenant(1))
    );
}

#[tokio::test]
async fn unusable_issuers_are_left_out_and_named() {
    let secret_config =
        || config(&json!({"issuer": ISSUER, "audiences": ["app"], "keys": {"sharedSecret": true}}));
    let with_secret = |number, config, secret: &[u8]| IssuerEntry {
        pending: Vec::new(),
        secrets: vec![SecretSlice::from(secret.to_vec())],
        ..entry(number, 1, config)
    };
    let (_, faults) = bench(vec![
        with_secret(1, secret_config(), &SECRET[..31]),
        entry(2, 1, secret_config()),
        entry(3, 1, inline(ISSUER, &["x"], &[HMAC.jwk("k")])),
        with_secret(4, inline(ISSUER, &["y"], &[ED.jwk("ed")]), SECRET),
    ]);
    let reasons: Vec<FaultReason> = faults.into_iter().map(|fault| fault.reason).collect();
    assert_eq!(
        reasons,
        [
            FaultReason::Keys(SetRefusal::ShortSecret),
            FaultReason::Secret,
            FaultReason::Keys(SetRefusal::NoUsableKey(vec![SkippedKey {
                index: 0,
                kid: Some("k".into()),
                reason: Skip::Symmetric,
            }])),
            FaultReason::Secret,
        ]
    );
    let (bench, faults) = bench(vec![with_secret(1, secret_config(), SECRET)]);
    assert_eq!(faults, []);
    assert_eq!(tenant_of(&bench, &HMAC.good("any")).await, Ok(tenant(1)));
    // A new secret counts at once.
    let other = b"another secret of thirty-two byte".as_slice();
    let issuers = vec![with_secret(1, secret_config(), other)];
    bench.auth.replace_directory(Directory {
        issuers,
        tenants: tenants(),
        ..Directory::default()
    });
    assert_eq!(
        tenant_of(&bench, &HMAC.good("any")).await,
        refused(Refusal::Signature)
    );
    assert_eq!(
        tenant_of(&bench, &Signer::Hmac(other.to_vec()).good("any")).await,
        Ok(tenant(1))
    );
}

#[tokio::test]
async fn a_new_directory_keeps_the_keys_of_issuers_that_did_not_move() {
    let server = Server::with_keys(&[ED.jwk("ed")]).await;
    let bench = Bench::with(JwksSettings::default(), server.config());
    assert_eq!(tenant_of(&bench, &ED.good("ed")).await, Ok(tenant(1)));
    let replace = |config: IssuerConfig| {
        let directory = Directory {
            issuers: vec![entry(1, 1, config)],
            tenants: tenants(),
            ..Directory::default()
        };
        assert_eq!(bench.auth.replace_directory(directory), []);
    };
    // Other rules, same keys.
    let mut rules = serde_json::to_value(server.config()).unwrap();
    rules["maxLifetimeSeconds"] = json!(60);
    replace(config(&rules));
    assert_eq!(
        tenant_of(&bench, &ED.good("ed")).await,
        refused(Refusal::Lifetime)
    );
    rules["maxLifetimeSeconds"] = json!(3600);
    replace(config(&rules));
    assert_eq!(tenant_of(&bench, &ED.good("ed")).await, Ok(tenant(1)));
    assert_eq!(server.hits(), 1);
    // Another address.
    server.answer(
        "/other",
        crate::kit::Answer::Json(json!({"keys": [Signer::ed().jwk("ed")]}).to_string(), ""),
    );
    rules["keys"] = json!({"jwksUrl": server.url("/other")});
    replace(config(&rules));
    assert_eq!(
        tenant_of(&bench, &ED.good("ed")).await,
        refused(Refusal::Signature)
    );
    assert_eq!(server.hits(), 2);
    // Gone.
    bench.auth.replace_directory(Directory {
        issuers: Vec::new(),
        tenants: tenants(),
        ..Directory::default()
    });
    assert_eq!(
        tenant_of(&bench, &ED.good("ed")).await,
        refused(Refusal::UnknownIssuer)
    );
}

#[tokio::test]
async fn two_tenants_with_one_key_address_have_a_set_each() {
    let server = Server::with_keys(&[ED.jwk("ed")]).await;
    let at = |audience: &str| {
        config(
            &json!({"issuer": ISSUER, "audiences": [audience], "keys": {"jwksUrl": server.url("/keys")}}),
        )
    };
    let (bench, _) = bench(vec![entry(1, 1, at("a")), entry(2, 2, at("b"))]);
    assert_eq!(
        tenant_of(&bench, &token(&ED, "ed", ISSUER, json!("a"))).await,
        Ok(tenant(1))
    );
    assert_eq!(server.hits(), 1);
    assert_eq!(
        tenant_of(&bench, &token(&ED, "ed", ISSUER, json!("b"))).await,
        Ok(tenant(2))
    );
    assert_eq!(server.hits(), 2);
}
