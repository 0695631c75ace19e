//! Whatever the bytes are: no panic, and nothing passes that was not signed.

use persona_gateway::auth::{KeySet, Refusal, peek, verify};
use persona_gateway::domain::issuer::IssuerConfig;
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};

use crate::kit::{ED, ISSUER, NOW, b64, inline_config, key_set, now, signers};

fn passes(token: &str) -> bool {
    thread_local! {
        static KEYS: KeySet = KeySet::admit(&key_set()).unwrap();
    }
    let Ok(token) = peek(token) else { return false };
    KEYS.with(|keys| verify(&token, &inline_config(), keys, now()).is_ok())
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,20}".prop_map(Value::from),
        Just(json!(NOW)),
        Just(json!(ISSUER)),
        Just(json!("app")),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::vec(("[a-z]{1,4}", inner), 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn random_text_is_no_token(text in ".{0,400}") {
        prop_assert!(!passes(&text));
    }

    #[test]
    fn random_parts_are_no_token(header in any::<Vec<u8>>(), claims in any::<Vec<u8>>(), signature in any::<Vec<u8>>()) {
        let token = format!("{}.{}.{}", b64(header), b64(claims), b64(signature));
        prop_assert!(!passes(&token));
    }

    #[test]
    fn random_headers_and_claims_pass_only_by_the_rules(header in any_json(), claims in any_json()) {
        prop_assert!(!passes(&ED.token(&header, &claims)));
    }

    #[test]
    fn one_odd_claim_is_judged_without_a_panic(name in "iss|aud|sub|exp|nbf|iat|events|plan|roles|[a-z]{1,8}", value in any_json()) {
        let token = ED.token(ED.header("ed"), crate::kit::claims_with(&name, value.clone()));
        let harmless = !matches!(name.as_str(), "iss" | "aud" | "sub" | "exp" | "nbf" | "iat" | "events");
        let read = peek(&token);
        prop_assert!(!matches!(read.as_ref().err(), Some(Refusal::Header | Refusal::KeyId)));
        if harmless && token.len() <= persona_gateway::auth::MAX_TOKEN_BYTES {
            prop_assert!(passes(&token), "{name}: {value}");
        }
    }

    #[test]
    fn a_good_token_with_one_character_changed_is_refused(which in 0..3_usize, at in any::<Index>(), to in any::<char>(), ascii in proptest::option::of(0x20..0x7F_u8)) {
        let (kid, signer) = signers()[which];
        let good = signer.good(kid);
        let mut characters: Vec<char> = good.chars().collect();
        let at = at.index(characters.len());
        let to = ascii.map_or(to, char::from);
        prop_assume!(characters[at] != to);
        characters[at] = to;
        let changed: String = characters.into_iter().collect();
        prop_assert!(!passes(&changed), "{changed}");
        prop_assert!(passes(&good));
    }

    #[test]
    fn a_good_token_cut_or_doubled_anywhere_is_refused(which in 0..3_usize, from in any::<Index>(), length in 1..80_usize) {
        let (kid, signer) = signers()[which];
        let good = signer.good(kid);
        let from = from.index(good.len());
        let to = (from + length).min(good.len());
        let (before, after) = (good.split_at(from).0, good.split_at(to).1);
        let cut = [before, after].concat();
        let doubled = [good.split_at(to).0, good.split_at(from).1].concat();
        prop_assert!(!passes(&cut), "{cut}");
        prop_assert!(!passes(&doubled), "{doubled}");
    }

    #[test]
    fn a_configuration_with_one_odd_member_is_refused_or_reads_back_the_same(name in "issuer|audiences|algorithms|keys|leewaySeconds|maxLifetimeSeconds|claims|atJwtStrict|refuseIdTokens|[a-z]{1,5}", value in any_json()) {
        let mut config = serde_json::to_value(inline_config()).unwrap();
        config[name.as_str()] = value;
        match IssuerConfig::parse(&config) {
            Ok(parsed) => {
                let written = serde_json::to_value(&parsed).unwrap();
                prop_assert_eq!(IssuerConfig::parse(&written), Ok(parsed));
            }
            Err(faults) => {
                let pointer = format!("/{name}");
                prop_assert!(faults.iter().all(|fault| fault.pointer.starts_with(&pointer)), "{faults:?}");
            }
        }
    }

    #[test]
    fn random_key_sets_are_read_without_a_panic(bytes in any::<Vec<u8>>(), json in any_json(), keys in proptest::collection::vec(any_json(), 0..6)) {
        prop_assert!(KeySet::parse(&bytes).is_err());
        prop_assert!(KeySet::admit(&json).is_err());
        let set = json!({"keys": keys});
        prop_assert!(KeySet::admit(&set).is_err());
    }

    #[test]
    fn a_key_with_one_odd_member_is_read_without_a_panic(which in 0..3_usize, name in "kty|crv|n|e|x|y|kid|alg|use|key_ops|d|k", value in any_json()) {
        let (kid, signer) = signers()[which];
        let mut jwk = signer.jwk(kid);
        jwk[name.as_str()] = value;
        let set = KeySet::admit(&json!({"keys": [jwk, ED.jwk("last")]}));
        let usable = set.unwrap().keys().len();
        prop_assert!((1..=2).contains(&usable));
    }
}
