//! The table of hostile and clumsy key sets.

use aws_lc_rs::rsa::KeySize;
use persona_gateway::auth::{KeySet, MAX_KEYS, SetRefusal, Skip, peek, verify};
use serde_json::{Value, json};

use crate::kit::{EC, ED, HMAC, RSA, Signer, b64, inline_config, key_set, now, signers};

fn with(mut jwk: Value, name: &str, value: Value) -> Value {
    jwk[name] = value;
    jwk
}

fn without(mut jwk: Value, name: &str) -> Value {
    jwk.as_object_mut().unwrap().remove(name);
    jwk
}

fn skips(set: &KeySet) -> Vec<(usize, Skip)> {
    let skipped = set.skipped().iter();
    skipped.map(|skip| (skip.index, skip.reason)).collect()
}

/// Puts the case between good keys: it must be skipped for its own reason, and they must stay.
#[track_caller]
fn all_skipped(cases: &[(String, Value, Skip)]) {
    let neighbour = Signer::ed();
    let wrong: Vec<String> = cases
        .iter()
        .filter_map(|(name, jwk, expected)| {
            let set = json!({"keys": [neighbour.jwk("first"), jwk, ED.jwk("last")]});
            let set = KeySet::admit(&set).unwrap();
            let skipped: Vec<(usize, Skip)> = skips(&set);
            let good = set.keys().len() == 2 && skipped == [(1, *expected)];
            (!good).then(|| format!("{name}: {:?} instead of {expected:?}", set.skipped()))
        })
        .collect();
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        cases.len(),
        wrong.join("\n")
    );
}

#[test]
fn good_keys_are_admitted_in_all_their_spellings() {
    for (kid, signer) in signers() {
        let jwk = || signer.jwk(kid);
        for (name, jwk) in [
            ("as it is", jwk()),
            ("without alg", without(jwk(), "alg")),
            ("without use", without(jwk(), "use")),
            ("with key_ops", with(jwk(), "key_ops", json!(["verify"]))),
            (
                "with both operations",
                with(jwk(), "key_ops", json!(["sign", "verify"])),
            ),
            ("without kid", without(jwk(), "kid")),
            (
                "with members of no meaning",
                with(
                    with(jwk(), "x5c", json!(["AAAA"])),
                    "x-note",
                    json!({"a": 1}),
                ),
            ),
        ] {
            let set = KeySet::admit(&json!({"keys": [jwk], "more": 1})).unwrap();
            let kid_named = name != "without kid";
            let token = if kid_named {
                signer.good(kid)
            } else {
                signer.token(json!({"alg": signer.alg()}), crate::kit::claims())
            };
            let token = peek(&token).unwrap();
            assert!(
                verify(&token, &inline_config(), &set, now()).is_ok(),
                "{kid} {name}"
            );
        }
    }
    let modern = with(ED.jwk("ed"), "alg", json!("Ed25519"));
    assert_eq!(
        KeySet::admit(&json!({"keys": [modern]}))
            .unwrap()
            .keys()
            .len(),
        1
    );
}

#[test]
fn a_sign_byte_before_the_modulus_is_dropped() {
    let (n, _) = RSA.rsa_numbers();
    let jwk = with(RSA.jwk("rsa"), "n", json!(b64([&[0], &n[..]].concat())));
    let set = KeySet::admit(&json!({"keys": [jwk]})).unwrap();
    let token = RSA.good("rsa");
    let token = peek(&token).unwrap();
    assert!(verify(&token, &inline_config(), &set, now()).is_ok());
}

#[test]
fn weak_rsa_keys_are_skipped() {
    let jwk = || RSA.jwk("k");
    let (n, _) = RSA.rsa_numbers();
    let small = |bytes: usize| {
        let mut n = n[..bytes].to_vec();
        n[bytes - 1] |= 1;
        b64(n)
    };
    let mut even = n.clone();
    *even.last_mut().unwrap() &= 0xFE;
    let mut short = n.clone();
    short[0] &= 0x7F;
    let mut cases = Vec::new();
    for (name, n) in [
        ("512 bits", small(64)),
        ("1024 bits", small(128)),
        ("2040 bits", small(255)),
        ("2047 bits", b64(short)),
        ("even", b64(even)),
        ("two sign bytes", b64([&[0, 0], &n[..]].concat())),
        ("zero", b64([0])),
        ("nothing", String::new()),
        ("16384 bits", b64(n.repeat(8))),
    ] {
        cases.push((
            format!("n {name}"),
            with(jwk(), "n", json!(n)),
            Skip::WeakRsa,
        ));
    }
    for e in [
        &[][..],
        &[0],
        &[1],
        &[2],
        &[3],
        &[17],
        &[0xFF, 0xFF],
        &[1, 0, 0],
        &[1, 0, 2],
        &[0, 1, 0, 1],
        &[1, 0, 0, 0, 1],
        &[0xFF; 256],
    ] {
        cases.push((
            format!("e {e:?}"),
            with(jwk(), "e", json!(b64(e))),
            Skip::WeakRsa,
        ));
    }
    all_skipped(&cases);
    let large = Signer::rsa(KeySize::Rsa3072);
    assert_eq!(
        KeySet::admit(&json!({"keys": [large.jwk("k")]}))
            .unwrap()
            .keys()
            .len(),
        1
    );
}

#[test]
fn bad_points_are_skipped() {
    let point = EC.public();
    let (x, y) = (&point[1..33], &point[33..]);
    let mut off = y.to_vec();
    off[31] ^= 1;
    let ec = |x: &[u8], y: &[u8]| with(with(EC.jwk("k"), "x", json!(b64(x))), "y", json!(b64(y)));
    let prime = {
        let mut p = vec![0xFF; 32];
        p[4..20].fill(0);
        p[7] = 1;
        p[12..20].fill(0);
        p[20..].fill(0xFF);
        p
    };
    let mut cases: Vec<(String, Value, Skip)> = [
        ("off the curve", ec(x, &off)),
        ("swapped", ec(y, x)),
        ("zero", ec(&[0; 32], &[0; 32])),
        ("x beyond the field", ec(&[0xFF; 32], y)),
        ("y = p", ec(x, &prime)),
        ("x short", ec(&x[1..], y)),
        ("x long", ec(&[&[0], x].concat(), y)),
        ("y empty", ec(x, &[])),
        ("y of P-384", ec(x, &[1; 48])),
        ("a whole point as x", ec(&point, y)),
    ]
    .into_iter()
    .map(|(name, jwk)| (format!("EC {name}"), jwk, Skip::BadPoint))
    .collect();
    let ed = |x: &[u8]| with(ED.jwk("k"), "x", json!(b64(x)));
    let mut points: Vec<(String, Vec<u8>)> = vec![
        ("31 bytes".to_owned(), vec![9; 31]),
        ("33 bytes".to_owned(), vec![9; 33]),
        ("empty".to_owned(), Vec::new()),
        (
            "DER".to_owned(),
            [
                &[0x30, 0x2A, 0x30, 5, 6, 3, 0x2B, 0x65, 0x70, 3, 0x21, 0],
                &ED.public()[..],
            ]
            .concat(),
        ),
        ("beyond the field".to_owned(), vec![0xFF; 32]),
    ];
    for text in [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    ] {
        let mut bytes = hex::decode(text).unwrap();
        points.push((text.to_owned(), bytes.clone()));
        bytes[31] |= 0x80;
        points.push((format!("{text}, sign set"), bytes));
    }
    cases.extend(
        points
            .into_iter()
            .map(|(name, x)| (format!("Ed25519 {name}"), ed(&x), Skip::BadPoint)),
    );
    assert!(cases.len() >= 29);
    all_skipped(&cases);
}

#[test]
fn keys_for_something_else_are_skipped() {
    let mut cases = Vec::new();
    for (kid, signer) in signers() {
        let jwk = || without(signer.jwk(kid), "alg");
        for purpose in ["enc", "Sig", "SIG", "", "verify", "sig "] {
            cases.push((
                format!("{kid} use {purpose:?}"),
                with(jwk(), "use", json!(purpose)),
                Skip::OtherUse,
            ));
        }
        for ops in [
            json!([]),
            json!(["sign"]),
            json!(["encrypt"]),
            json!(["verify", "encrypt"]),
            json!(["wrapKey"]),
            json!(["deriveBits"]),
            json!(["Verify"]),
        ] {
            cases.push((
                format!("{kid} key_ops {ops}"),
                with(jwk(), "key_ops", ops),
                Skip::OtherUse,
            ));
        }
        for alg in [
            "none", "HS256", "HS384", "HS512", "RSA-OAEP", "RSA1_5", "ES384", "ES512", "ES256K",
            "ECDH-ES", "Ed448", "eddsa", "rs256", "rs384", "",
        ] {
            cases.push((
                format!("{kid} alg {alg:?}"),
                with(jwk(), "alg", json!(alg)),
                Skip::Unsupported,
            ));
        }
        for (other, other_signer) in signers() {
            if other != kid {
                cases.push((
                    format!("{kid} with the alg of {other}"),
                    with(jwk(), "alg", json!(other_signer.alg())),
                    Skip::Unsupported,
                ));
            }
        }
        for member in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
            cases.push((
                format!("{kid} private {member}"),
                with(jwk(), member, json!("AQAB")),
                Skip::Private,
            ));
        }
    }
    for curve in ["P-521", "secp256k1", "p-256", "Ed25519", "X25519", ""] {
        cases.push((
            format!("EC on {curve:?}"),
            with(EC.jwk("k"), "crv", json!(curve)),
            Skip::Unsupported,
        ));
    }
    for curve in ["X25519", "Ed448", "P-256", "ed25519", ""] {
        cases.push((
            format!("OKP on {curve:?}"),
            with(ED.jwk("k"), "crv", json!(curve)),
            Skip::Unsupported,
        ));
    }
    for kind in ["rsa", "ec", "okp", "AKP", "", "PQC"] {
        cases.push((
            format!("kty {kind:?}"),
            with(RSA.jwk("k"), "kty", json!(kind)),
            Skip::Unsupported,
        ));
    }
    cases.push((
        "EC without curve".to_owned(),
        without(EC.jwk("k"), "crv"),
        Skip::Unsupported,
    ));
    cases.push(("a secret".to_owned(), HMAC.jwk("k"), Skip::Symmetric));
    cases.push((
        "an empty secret".to_owned(),
        json!({"kty": "oct", "k": ""}),
        Skip::Symmetric,
    ));
    assert!(cases.len() >= 110);
    all_skipped(&cases);
}

#[test]
fn junk_members_are_skipped() {
    let mut cases: Vec<(String, Value, Skip)> = [
        json!(null),
        json!(1),
        json!("key"),
        json!([]),
        json!({}),
        json!(true),
        json!({"kid": "x"}),
        json!([EC.jwk("k")]),
    ]
    .into_iter()
    .map(|junk| (junk.to_string(), junk, Skip::Malformed))
    .collect();
    for (kid, signer) in signers() {
        let members: &[&str] = match signer.alg() {
            "RS256" => &["n", "e"],
            "ES256" => &["x", "y"],
            _ => &["x"],
        };
        let no_type = without(signer.jwk(kid), "kty");
        cases.push((format!("{kid} without kty"), no_type, Skip::Malformed));
        for member in members {
            cases.push((
                format!("{kid} without {member}"),
                without(signer.jwk(kid), member),
                Skip::Malformed,
            ));
            for value in [
                json!(null),
                json!(1),
                json!(["AQAB"]),
                json!("AQ=="),
                json!("A+/B"),
                json!("A B"),
                json!("AQAB\n"),
                json!("AR"),
                json!("ä"),
            ] {
                cases.push((
                    format!("{kid} {member} {value}"),
                    with(signer.jwk(kid), member, value),
                    Skip::Malformed,
                ));
            }
        }
        for member in ["kty", "use", "alg", "kid", "key_ops"] {
            for value in [json!(null), json!(1), json!({})] {
                cases.push((
                    format!("{kid} {member} {value}"),
                    with(signer.jwk(kid), member, value),
                    Skip::Malformed,
                ));
            }
        }
        for kid_text in [
            json!(""),
            json!("a\0b"),
            json!("a\nb"),
            json!("k".repeat(257)),
            json!("ключ"),
        ] {
            cases.push((
                format!("{kid} kid {kid_text:.30}"),
                with(signer.jwk(kid), "kid", kid_text),
                Skip::Malformed,
            ));
        }
        for ops in [json!(["verify", "verify"]), json!([1]), json!("verify")] {
            cases.push((
                format!("{kid} key_ops {ops}"),
                with(signer.jwk(kid), "key_ops", ops),
                Skip::Malformed,
            ));
        }
    }
    assert!(cases.len() >= 120);
    all_skipped(&cases);
}

#[test]
fn two_keys_of_one_id_are_both_skipped_but_one_key_twice_is_one_key() {
    let other = Signer::ed();
    let set = KeySet::admit(&json!({"keys": [ED.jwk("k"), EC.jwk("e"), other.jwk("k")]})).unwrap();
    assert_eq!(set.keys().len(), 1);
    assert_eq!(skips(&set), [(0, Skip::Ambiguous), (2, Skip::Ambiguous)]);
    let kids: Vec<Option<&str>> = set
        .skipped()
        .iter()
        .map(|skip| skip.kid.as_deref())
        .collect();
    assert_eq!(kids, [Some("k"), Some("k")]);
    let set = KeySet::admit(&json!({"keys": [ED.jwk("k"), ED.jwk("k")]})).unwrap();
    assert_eq!((set.keys().len(), set.skipped().len()), (1, 0));
    let set = KeySet::admit(&json!({"keys": [ED.jwk("k"), EC.jwk("k"), RSA.jwk("k")]})).unwrap();
    assert_eq!(
        set.keys().len(),
        3,
        "one id for keys of several algorithms is legal"
    );
    for (_, signer) in signers() {
        let token = signer.good("k");
        assert!(verify(&peek(&token).unwrap(), &inline_config(), &set, now()).is_ok());
    }
}

#[test]
fn only_so_many_keys_are_used() {
    let keys: Vec<Value> = (0..100)
        .map(|n| Signer::ed().jwk(&format!("k{n}")))
        .collect();
    let set = KeySet::admit(&json!({"keys": keys})).unwrap();
    assert_eq!(set.keys().len(), MAX_KEYS);
    assert_eq!(set.skipped().len(), 100 - MAX_KEYS);
    assert!(skips(&set).iter().all(|(_, skip)| *skip == Skip::TooMany));
}

#[test]
fn what_is_no_key_set_is_refused_whole() {
    let text = key_set().to_string();
    for (name, bytes) in [
        ("empty", Vec::new()),
        ("list", format!("[{text}]").into_bytes()),
        ("BOM", [b"\xEF\xBB\xBF", text.as_bytes()].concat()),
        ("cut", text.as_bytes()[..text.len() - 1].to_vec()),
        ("rest", format!("{text}{text}").into_bytes()),
        (
            "keys twice",
            text.replacen('{', r#"{"keys":[],"#, 1).into_bytes(),
        ),
        ("keys an object", br#"{"keys":{}}"#.to_vec()),
        ("keys null", br#"{"keys":null}"#.to_vec()),
        ("no keys", br#"{"Keys":[]}"#.to_vec()),
        (
            "UTF-16",
            text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        ),
    ] {
        assert_eq!(
            KeySet::parse(&bytes).err(),
            Some(SetRefusal::Malformed),
            "{name}"
        );
    }
    let mut private = ED.jwk("old");
    private["d"] = json!("AAAA");
    let many: Vec<Value> = (0..10)
        .map(|number| HMAC.jwk(&format!("k{number}")))
        .collect();
    for (keys, expected) in [
        (json!([]), "holds no keys"),
        (
            json!([1, private, HMAC.jwk("k"), {"kid": "p", "kty": "EC", "crv": "P-521"}]),
            "holds no key that can verify signatures: \
             the key at /keys/0 is no JWK: a member is missing, or has the wrong type or base64url; \
             the key \"old\" holds its private part and must be replaced; \
             the key \"k\" is a secret; secrets are never taken from a key set; \
             the key \"p\" is of a kind not used here: RSA, P-256, P-384 and Ed25519 are, for signatures",
        ),
        (json!(many), "and 2 more"),
    ] {
        let bytes = json!({"keys": keys}).to_string();
        let refusal = KeySet::parse(bytes.as_bytes()).err().unwrap();
        assert!(refusal.to_string().ends_with(expected), "{refusal}");
        assert_eq!(refusal.skipped().len(), keys.as_array().unwrap().len());
    }
    assert_eq!(KeySet::parse(text.as_bytes()).unwrap().keys().len(), 3);
}

#[test]
fn an_odd_member_of_a_fetched_set_spoils_no_other_and_is_named() {
    let good = key_set()["keys"].as_array().unwrap().clone();
    let rsa = good[0].to_string();
    let deep = format!("{}{}", "[".repeat(5000), "]".repeat(5000));
    for (name, odd, kid) in [
        ("a list in a list", deep.clone(), None),
        (
            "deep inside",
            format!(r#"{{"kid":"deep","kty":"RSA","x":{deep}}}"#),
            None,
        ),
        (
            "a name twice",
            rsa.replacen(r#""kty":"RSA""#, r#""kty":"RSA","kty":"RSA""#, 1),
            Some("rsa"),
        ),
        ("a text", r#""key""#.to_owned(), None),
        (
            "a half of a character",
            r#"{"kid":"half","kty":"RSA","x":"\ud800"}"#.to_owned(),
            Some("half"),
        ),
        (
            "a huge number",
            r#"{"kid":"huge","kty":"RSA","x":1e999}"#.to_owned(),
            Some("huge"),
        ),
        (
            "an id of two lines",
            r#"{"kid":"two\nlines","kty":"RSA"}"#.to_owned(),
            Some("two lines"),
        ),
    ] {
        let text = format!(r#"{{"keys":[{rsa},{odd},{}],"more":{deep}}}"#, good[1]);
        let set = KeySet::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(set.keys().len(), 2, "{name}");
        assert_eq!(skips(&set), [(1, Skip::Malformed)], "{name}");
        assert_eq!(set.skipped()[0].kid.as_deref(), kid, "{name}");
    }
}
