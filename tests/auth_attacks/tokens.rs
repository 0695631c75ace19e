//! The table of token attacks: headers, keys and claims.

use persona_gateway::auth::{Key, KeySet, Refusal, peek, verify};
use persona_gateway::domain::issuer::Algorithm;
use serde_json::json;

use crate::cases::{Case, all_accepted, all_refused, case, judge, with_claims, with_header};
use crate::forms::high_s;
use crate::kit::{
    EC, ED, HMAC, ISSUER, NOW, RSA, SECRET, b64, claims, claims_with, claims_without, config,
    inline_config, now, signers,
};

#[test]
fn good_tokens_of_every_algorithm_pass() {
    let rules = inline_config();
    for (kid, signer) in signers() {
        let no_kid = signer.token(json!({"alg": signer.alg()}), claims());
        all_accepted(
            &[
                ("with kid", signer.good(kid)),
                ("without kid and typ", no_kid),
                ("claims in another order, with spaces", {
                    let text = format!(
                        "{{ \"exp\": {}, \"sub\":\"u\",\"aud\":[\"x\",\"app\"],\n\"iss\":\"{ISSUER}\"}}",
                        NOW + 60
                    );
                    signer.token(signer.header(kid), text)
                }),
            ],
            &rules,
        );
    }
}

#[test]
fn good_tokens_at_the_edges_pass() {
    let typ = |typ: &str| with_header(json!({"alg": "EdDSA", "kid": "ed", "typ": typ}));
    all_accepted(
        &[
            ("typ at+jwt", typ("at+jwt")),
            ("typ application/at+jwt", typ("application/at+jwt")),
            ("typ jwt", typ("jwt")),
            ("typ application/JWT", typ("application/JWT")),
            (
                "second audience",
                with_claims(claims_with("aud", json!("app-2"))),
            ),
            (
                "expired within the leeway",
                with_claims(claims_with("exp", json!(NOW - 59))),
            ),
            (
                "nbf within the leeway",
                with_claims(claims_with("nbf", json!(NOW + 60))),
            ),
            (
                "iat within the leeway",
                with_claims(claims_with("iat", json!(NOW + 60))),
            ),
            (
                "fractions",
                with_claims(claims_with("exp", json!(1_800_000_100.75))),
            ),
            (
                "exponent form",
                with_claims(
                    r#"{"iss":"https://id.example.com","aud":"app","sub":"u","exp":1.8000001e9}"#,
                ),
            ),
            (
                "longest life",
                with_claims(claims_with("exp", json!(NOW + 86_400))),
            ),
            ("no iat", with_claims(claims_without("iat"))),
            (
                "sub of 255 characters",
                with_claims(claims_with("sub", json!("ä".repeat(255)))),
            ),
            (
                "unknown header members",
                with_header(json!({"alg": "EdDSA", "kid": "ed", "x": 1, "jti": "x"})),
            ),
            (
                "key material in the header is not read",
                with_header(json!({
                    "alg": "EdDSA", "kid": "ed", "jku": "http://127.0.0.1/", "x5u": "http://127.0.0.1/",
                    "jwk": {"kty": "oct", "k": ""}, "x5c": ["x"], "x5t": 5,
                })),
            ),
            (
                "an ID token, where they are not refused",
                with_claims(claims_with("nonce", json!("n"))),
            ),
            ("high S", high_s()),
        ],
        &inline_config(),
    );
}

#[test]
fn algorithms_outside_the_list_are_refused() {
    let mut cases = Vec::new();
    let names = [
        "none",
        "None",
        "NONE",
        "nOnE",
        "none ",
        " none",
        "",
        "rs256",
        "Rs256",
        "RS256 ",
        "RS384",
        "RS512",
        "PS256",
        "PS384",
        "PS512",
        "es256",
        "ES384",
        "ES512",
        "ES256K",
        "eddsa",
        "EDDSA",
        "Ed25519",
        "Ed448",
        "HS384",
        "HS512",
        "hs256",
        "HS256\0",
        "RS256,ES256",
        "dir",
        "A256KW",
        "RSA-OAEP",
        "RSA1_5",
        "ECDH-ES",
        "null",
        "\u{ff32}S256",
    ];
    for (kid, signer) in signers() {
        for name in names {
            let header = json!({"alg": name, "kid": kid});
            let token = signer.token(&header, claims());
            let input = token.rsplit_once('.').unwrap().0;
            // Some issuers may use it, but not one that names no algorithms.
            let known = Algorithm::parse(name).is_some();
            cases.push(case(
                format!("{name:?} signed by {kid}"),
                token.clone(),
                if known {
                    Refusal::AlgorithmNotAllowed
                } else {
                    Refusal::Algorithm
                },
            ));
            cases.push(case(
                format!("{name:?} unsigned, {kid}"),
                format!("{input}."),
                Refusal::Malformed,
            ));
            cases.push(case(
                format!("{name:?} two parts, {kid}"),
                input.to_owned(),
                Refusal::Malformed,
            ));
        }
        for value in [
            json!(null),
            json!(256),
            json!(["RS256"]),
            json!({"a": 1}),
            json!(true),
        ] {
            let token = signer.token(json!({"alg": value, "kid": kid}), claims());
            cases.push(case(
                format!("alg {value} signed by {kid}"),
                token,
                Refusal::Algorithm,
            ));
        }
        let token = signer.token(json!({"kid": kid}), claims());
        cases.push(case(format!("no alg, {kid}"), token, Refusal::Algorithm));
    }
    all_refused(&cases, &inline_config(), 300);
}

#[test]
fn a_public_key_is_never_a_secret() {
    let mut cases = Vec::new();
    for (kid, signer) in signers() {
        let public = signer.public();
        let jwk = signer.jwk(kid);
        let pem = format!(
            "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
            base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &public)
        );
        let member = |name: &str| jwk[name].as_str().unwrap_or_default().as_bytes().to_vec();
        for (form, secret) in [
            ("DER", public.clone()),
            ("PEM", pem.clone().into_bytes()),
            ("PEM without line end", pem.trim().as_bytes().to_vec()),
            ("JWK", jwk.to_string().into_bytes()),
            ("n", member("n")),
            ("x", member("x")),
            ("empty", Vec::new()),
            ("base64", b64(&public).into_bytes()),
        ] {
            let forger = crate::kit::Signer::Hmac(secret);
            for header in [json!({"alg": "HS256", "kid": kid}), json!({"alg": "HS256"})] {
                let token = forger.token(&header, claims());
                cases.push(case(
                    format!("{form} of {kid}, {header}"),
                    token,
                    Refusal::AlgorithmNotAllowed,
                ));
            }
        }
    }
    all_refused(&cases, &inline_config(), 48);
}

#[test]
fn one_key_never_serves_another_algorithm_or_id() {
    let mut cases = Vec::new();
    for (kid, signer) in signers() {
        for (other, other_signer) in signers() {
            if kid == other {
                continue;
            }
            let header = json!({"alg": other_signer.alg(), "kid": kid});
            for (by, with) in signers() {
                let token = with.token(&header, claims());
                cases.push(case(
                    format!("id {kid}, alg of {other}, by {by}"),
                    token,
                    Refusal::KeyAlgorithm,
                ));
            }
            let header = json!({"alg": other_signer.alg()});
            let token = signer.token(&header, claims());
            cases.push(case(
                format!("no id, alg of {other}, by {kid}"),
                token,
                Refusal::Signature,
            ));
            let header = json!({"alg": other_signer.alg(), "kid": other});
            let token = signer.token(&header, claims());
            cases.push(case(
                format!("id and alg of {other}, by {kid}"),
                token,
                Refusal::Signature,
            ));
        }
    }
    for (kid, stranger) in [
        ("ec", crate::kit::Signer::ec()),
        ("ed", crate::kit::Signer::ed()),
    ] {
        let jwk = stranger.jwk(kid);
        cases.push(case(
            format!("a stranger's key under {kid}"),
            stranger.good(kid),
            Refusal::Signature,
        ));
        let header = json!({"alg": stranger.alg()});
        cases.push(case(
            "a stranger's key, no id",
            stranger.token(header, claims()),
            Refusal::Signature,
        ));
        let header = json!({"alg": stranger.alg(), "jwk": jwk});
        cases.push(case(
            "a stranger's key in the header",
            stranger.token(header, claims()),
            Refusal::Signature,
        ));
        let header = json!({"alg": stranger.alg(), "kid": "new", "jwk": jwk});
        cases.push(case(
            "a stranger's key with a new id",
            stranger.token(header, claims()),
            Refusal::UnknownKey,
        ));
    }
    let mut only_rsa = serde_json::to_value(inline_config()).unwrap();
    only_rsa["algorithms"] = json!(["RS256"]);
    all_refused(&cases, &inline_config(), 30);
    assert_eq!(
        judge(&EC.good("ec"), &config(&only_rsa)),
        Err(Refusal::AlgorithmNotAllowed)
    );
    assert_eq!(judge(&RSA.good("rsa"), &config(&only_rsa)), Ok(()));
}

#[test]
fn a_key_id_is_short_printable_text_and_only_compared() {
    let mut cases = Vec::new();
    let long = "k".repeat(257);
    let huge = "k".repeat(4096);
    for kid in [
        "",
        "\0",
        "a\0b",
        "ed\n",
        "ed\r\nX: y",
        "\u{1b}[31m",
        "ключ",
        "\u{202e}de",
        "\u{7f}",
        long.as_str(),
        huge.as_str(),
        "\u{e9}d",
    ] {
        cases.push(case(
            format!("{kid:.40?}"),
            with_header(json!({"alg": "EdDSA", "kid": kid})),
            Refusal::KeyId,
        ));
    }
    for kid in [
        json!(null),
        json!(1),
        json!(["ed"]),
        json!({"ed": 1}),
        json!(true),
        json!(1.5),
    ] {
        cases.push(case(
            kid.to_string(),
            with_header(json!({"alg": "EdDSA", "kid": kid})),
            Refusal::KeyId,
        ));
    }
    for kid in [
        "../../../../etc/passwd",
        "/dev/null",
        "ed' OR '1'='1",
        "ed; DROP TABLE issuer",
        "http://127.0.0.1/key",
        "file:///etc/passwd",
        "$(id)",
        "`id`",
        "| id",
        "{{7*7}}",
        "${jndi:ldap://x}",
        "ED",
        "Ed",
        "ed ",
        " ed",
        "e",
        "edd",
        "%65%64",
        "*",
        "ed%00",
        "__proto__",
        "constructor",
        "ed/../ed",
        "ed\\",
        "0",
        "null",
    ] {
        cases.push(case(
            kid,
            with_header(json!({"alg": "EdDSA", "kid": kid})),
            Refusal::UnknownKey,
        ));
    }
    all_refused(&cases, &inline_config(), 44);
}

#[test]
fn headers_that_ask_for_more_are_refused() {
    let mut cases = Vec::new();
    for name in ["crit", "b64", "zip", "cty", "enc"] {
        for value in [
            json!(null),
            json!([]),
            json!(["exp"]),
            json!(["b64"]),
            json!(false),
            json!(true),
            json!("DEF"),
            json!("JWT"),
            json!("A256GCM"),
            json!(0),
            json!({}),
        ] {
            let mut header = ED.header("ed");
            header[name] = value.clone();
            cases.push(case(
                format!("{name} {value}"),
                with_header(header),
                Refusal::Header,
            ));
        }
    }
    for typ in [
        json!("JOSE"),
        json!("JOSE+JSON"),
        json!("dpop+jwt"),
        json!("logout+jwt"),
        json!("secevent+jwt"),
        json!("id_token"),
        json!("at"),
        json!(""),
        json!("JWT "),
        json!("application/"),
        json!("text/jwt"),
        json!("application/application/jwt"),
        json!("client-authentication+jwt"),
        json!("oauth-authz-req+jwt"),
        json!("token-introspection+jwt"),
        json!("vc+sd-jwt"),
        json!(null),
        json!(1),
        json!(["JWT"]),
        json!({}),
        json!("JW\u{212a}"),
    ] {
        let mut header = ED.header("ed");
        header["typ"] = typ.clone();
        cases.push(case(
            format!("typ {typ}"),
            with_header(header),
            Refusal::Type,
        ));
    }
    all_refused(&cases, &inline_config(), 70);
}

#[test]
fn issuer_and_audience_are_exact() {
    let mut cases = Vec::new();
    for iss in [
        json!(null),
        json!(1),
        json!([ISSUER]),
        json!([ISSUER, "x"]),
        json!({}),
        json!(true),
    ] {
        cases.push(case(
            format!("iss {iss}"),
            with_claims(claims_with("iss", iss)),
            Refusal::Claims,
        ));
    }
    for iss in [
        "",
        "https://id.example.com/",
        "https://id.example.com.",
        "https://ID.example.com",
        "HTTPS://id.example.com",
        "http://id.example.com",
        "https://id.example.com:443",
        " https://id.example.com",
        "https://id.example.com ",
        "https://id.example.com\0",
        "https://id.example.com#",
        "https://id.example.com?",
        "https://id.example.co",
        "https://id.example.com.evil.example",
        "https://evil.example/https://id.example.com",
        "https://user@id.example.com",
        "https://id.ex\u{430}mple.com",
        "https://id%2Eexample.com",
    ] {
        cases.push(case(
            format!("iss {iss:?}"),
            with_claims(claims_with("iss", json!(iss))),
            Refusal::Issuer,
        ));
    }
    for aud in [
        json!(null),
        json!(1),
        json!([]),
        json!({}),
        json!({"app": 1}),
        json!(["app", 1]),
        json!([["app"]]),
        json!([null]),
        json!(true),
    ] {
        cases.push(case(
            format!("aud {aud}"),
            with_claims(claims_with("aud", aud)),
            Refusal::Claims,
        ));
    }
    for aud in [
        json!(""),
        json!("App"),
        json!("app/"),
        json!("app "),
        json!(" app"),
        json!("app,app-2"),
        json!("app app-2"),
        json!("ap"),
        json!("appp"),
        json!("*"),
        json!("app\0"),
        json!("\u{430}pp"),
        json!(["x"]),
        json!(["", "x"]),
        json!(["app "]),
    ] {
        cases.push(case(
            format!("aud {aud}"),
            with_claims(claims_with("aud", aud)),
            Refusal::Audience,
        ));
    }
    for name in ["iss", "aud", "sub", "exp"] {
        cases.push(case(
            format!("no {name}"),
            with_claims(claims_without(name)),
            Refusal::Claims,
        ));
    }
    all_refused(&cases, &inline_config(), 50);
}

#[test]
fn dates_are_plain_numbers_within_their_bounds() {
    let mut cases = Vec::new();
    for name in ["exp", "nbf", "iat"] {
        for value in [
            json!(null),
            json!("1800000100"),
            json!("never"),
            json!(""),
            json!([NOW]),
            json!({"n": 1}),
            json!(true),
            json!(-1),
            json!(-1.5),
            json!(i64::MIN),
            json!(u64::MAX),
            json!((1_u64 << 53) + 1),
            json!(1e300),
            json!(-1e300),
            json!("2027-01-15T08:00:00Z"),
        ] {
            cases.push(case(
                format!("{name} {value}"),
                with_claims(claims_with(name, value)),
                Refusal::Claims,
            ));
        }
        for raw in [
            "1e400",
            "-1e400",
            "NaN",
            "Infinity",
            "0x6b49d200",
            "01800000100",
            "+1800000100",
            "1_800_000_100",
            "1800000100.",
            "18000001000000000000000000000000000000e",
            "",
        ] {
            let text =
                claims_without(name)
                    .to_string()
                    .replacen('{', &format!("{{\"{name}\":{raw},"), 1);
            // A number that nothing can keep is passed over with its claim; the others are no JSON.
            let refusal = if raw.ends_with("1e400") {
                Refusal::Claims
            } else {
                Refusal::Malformed
            };
            cases.push(case(
                format!("{name} raw {raw}"),
                with_claims(text),
                refusal,
            ));
        }
    }
    for (name, value, refusal) in [
        ("exp", json!(NOW - 60), Refusal::Expired),
        ("exp", json!(1_799_999_940.5), Refusal::Expired),
        ("exp", json!(0), Refusal::Expired),
        ("exp", json!(-0.0), Refusal::Expired),
        ("exp", json!(NOW + 86_401), Refusal::Lifetime),
        ("exp", json!(NOW * 1000), Refusal::Lifetime),
        ("exp", json!(1_u64 << 53), Refusal::Lifetime),
        ("nbf", json!(NOW + 61), Refusal::NotYetValid),
        ("nbf", json!(NOW * 1000), Refusal::NotYetValid),
        ("iat", json!(NOW + 61), Refusal::IssuedInFuture),
        ("iat", json!(NOW * 1000), Refusal::IssuedInFuture),
        ("iat", json!(NOW - 86_400), Refusal::Lifetime),
        ("iat", json!(0), Refusal::Lifetime),
    ] {
        cases.push(case(
            format!("{name} {value}"),
            with_claims(claims_with(name, value)),
            refusal,
        ));
    }
    let mut no_iat = claims_without("iat");
    no_iat["exp"] = json!(NOW + 60 + 86_401);
    cases.push(case(
        "a long life without iat",
        with_claims(no_iat),
        Refusal::Lifetime,
    ));
    all_refused(&cases, &inline_config(), 90);
}

#[test]
fn subjects_are_short_plain_texts() {
    let mut cases = Vec::new();
    for sub in [
        json!(null),
        json!(1),
        json!(["user-1"]),
        json!({}),
        json!(true),
    ] {
        cases.push(case(
            format!("sub {sub}"),
            with_claims(claims_with("sub", sub)),
            Refusal::Claims,
        ));
    }
    for sub in [
        json!(""),
        json!("a\0"),
        json!("\0"),
        json!("a\nb"),
        json!("a\r\nb"),
        json!("\t"),
        json!("a\u{1b}[2J"),
        json!("\u{7f}"),
        json!("\u{85}"),
        json!("\u{9b}"),
        json!("a\u{202e}b"),
        json!("\u{2066}a"),
        json!("a\u{200f}"),
        json!("x".repeat(256)),
        json!("ä".repeat(256)),
    ] {
        cases.push(case(
            format!("sub {sub:.40}"),
            with_claims(claims_with("sub", sub)),
            Refusal::Subject,
        ));
    }
    all_refused(&cases, &inline_config(), 20);
}

#[test]
fn two_spellings_of_a_subject_are_two_subjects() {
    let keys = KeySet::admit(&crate::kit::key_set()).unwrap();
    let subject = |sub: &str| {
        let token = with_claims(claims_with("sub", json!(sub)));
        let token = peek(&token).unwrap();
        verify(&token, &inline_config(), &keys, now())
            .unwrap()
            .subject
    };
    assert_ne!(subject("\u{e9}"), subject("e\u{301}"));
    assert_ne!(subject("User"), subject("user"));
    assert_ne!(subject("user"), subject("user "));
}

#[test]
fn other_kinds_of_token_are_refused() {
    let logout = json!({"http://schemas.openid.net/event/backchannel-logout": {}});
    let cases = [
        case(
            "logout token",
            with_claims(claims_with("events", logout)),
            Refusal::Kind,
        ),
        case(
            "events null",
            with_claims(claims_with("events", json!(null))),
            Refusal::Kind,
        ),
    ];
    all_refused(&cases, &inline_config(), 2);

    let mut rules = serde_json::to_value(inline_config()).unwrap();
    rules["refuseIdTokens"] = json!(true);
    let cases: Vec<Case> = ["nonce", "at_hash", "c_hash"]
        .map(|name| {
            case(
                name,
                with_claims(claims_with(name, json!("x"))),
                Refusal::Kind,
            )
        })
        .into();
    all_refused(&cases, &config(&rules), 3);
    all_accepted(&[("no ID token", ED.good("ed"))], &config(&rules));
}

#[test]
fn strict_access_tokens_need_all_that_rfc_9068_names() {
    let mut rules = serde_json::to_value(inline_config()).unwrap();
    rules["atJwtStrict"] = json!(true);
    let rules = config(&rules);
    let header = |typ: &str| json!({"alg": "EdDSA", "kid": "ed", "typ": typ});
    let full = || {
        let mut claims = claims();
        claims["client_id"] = json!("web");
        claims["jti"] = json!("j-1");
        claims
    };
    let without = |name: &str| {
        let mut claims = full();
        claims.as_object_mut().unwrap().remove(name);
        claims
    };
    all_accepted(
        &[
            ("at+jwt", ED.token(header("at+jwt"), full())),
            (
                "application/at+jwt",
                ED.token(header("application/AT+JWT"), full()),
            ),
        ],
        &rules,
    );
    let mut cases = vec![
        case("typ JWT", ED.token(header("JWT"), full()), Refusal::Type),
        case(
            "no typ",
            ED.token(json!({"alg": "EdDSA", "kid": "ed"}), full()),
            Refusal::Type,
        ),
        case(
            "client_id of another type",
            ED.token(header("at+jwt"), {
                let mut c = full();
                c["client_id"] = json!(1);
                c
            }),
            Refusal::Claims,
        ),
    ];
    for name in ["iss", "exp", "aud", "sub", "client_id", "iat", "jti"] {
        cases.push(case(
            format!("no {name}"),
            ED.token(header("at+jwt"), without(name)),
            Refusal::Claims,
        ));
    }
    all_refused(&cases, &rules, 10);
}

#[test]
fn a_shared_secret_verifies_hs256_and_nothing_else() {
    let rules =
        config(&json!({"issuer": ISSUER, "audiences": ["app"], "keys": {"sharedSecret": true}}));
    all_accepted(
        &[
            ("no kid", HMAC.token(json!({"alg": "HS256"}), claims())),
            ("any kid", HMAC.good("whatever")),
        ],
        &rules,
    );
    let other = |secret: &[u8]| crate::kit::Signer::Hmac(secret.to_vec()).good("k");
    let mut cases = vec![
        case(
            "another secret",
            other(b"0123456789abcdef0123456789abcdeX"),
            Refusal::Signature,
        ),
        case("empty secret", other(b""), Refusal::Signature),
        case(
            "secret with line end",
            other(b"0123456789abcdef0123456789abcdef\n"),
            Refusal::Signature,
        ),
        case(
            "secret in base64",
            other(b64(SECRET).as_bytes()),
            Refusal::Signature,
        ),
        case("half the secret", other(&SECRET[..16]), Refusal::Signature),
    ];
    for (kid, signer) in signers() {
        cases.push(case(kid, signer.good(kid), Refusal::AlgorithmNotAllowed));
    }
    all_refused(&cases, &rules, 8);
    for length in [0, 1, 16, 31] {
        assert!(
            KeySet::shared_secrets([&SECRET[..length]]).is_err(),
            "{length} bytes"
        );
    }
}

#[test]
fn facts_come_only_from_verified_claims() {
    let keys = KeySet::admit(&crate::kit::key_set()).unwrap();
    let token = with_claims(claims_with("plan", json!("gold")));
    let token = peek(&token).unwrap();
    let verified = verify(&token, &inline_config(), &keys, now()).unwrap();
    assert_eq!(
        serde_json::to_value(&verified.facts).unwrap(),
        json!({"plan": "gold"})
    );
    assert_eq!(verified.subject.as_str(), "user-1");
    let algorithms: Vec<Algorithm> = keys.keys().iter().map(Key::algorithm).collect();
    assert_eq!(
        algorithms,
        [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA]
    );
}
