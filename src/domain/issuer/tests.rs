use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::*;

use crate::domain::caller::{Fact, LeftOut};

#[test]
fn keys_are_the_urls_own_by_discovery_or_in_its_well_known_folder() {
    let has = |issuer: &str, keys: Value| {
        let config = json!({ "issuer": issuer, "audiences": ["a"], "keys": keys });
        IssuerConfig::parse(&config)
            .unwrap()
            .has_keys_of_its_own_url()
    };
    let at = |url: &str| json!({ "jwksUrl": url });
    let realm = "https://login.example/realms/a";
    assert!(has(realm, json!({ "discovery": true })));
    for issuer in ["https://login.example", "https://login.example/"] {
        let keys = "https://login.example/.well-known/jwks.json";
        assert!(has(issuer, at(keys)));
    }
    let own = "https://login.example/realms/a/.well-known/jwks.json";
    assert!(has(realm, at(own)));
    for elsewhere in [
        "https://login.example/realms/a/uploads/keys.json",
        "https://login.example/realms/a/.well-known/",
        "https://login.example/realms/a/.well-known/..%2fuploads",
        "https://login.example/realms/a/.well-known/keys?of=bob",
        "https://login.example/realms/ab/.well-known/keys",
        "https://login.example/.well-known/keys",
        "https://login.example:8443/realms/a/.well-known/keys",
        "https://keys.example/realms/a/.well-known/keys",
    ] {
        assert!(!has(realm, at(elsewhere)), "{elsewhere}");
    }
    assert!(!has(
        "acme-backend",
        at("https://login.example/.well-known/keys")
    ));
    assert!(!has(realm, json!({ "jwks": { "keys": [] } })));
    assert!(!has(realm, json!({ "sharedSecret": true })));
    assert!(!has(
        realm,
        json!({ "discovery": true, "sharedSecret": true })
    ));
    let document = "https://login.example/realms/a/.well-known/openid-configuration";
    assert!(!has(realm, json!({ "metadataUrl": document })));
    let form = "https://login.example/{tenantid}/v2.0";
    let keys = "https://login.example/{tenantid}/v2.0/.well-known/keys";
    assert!(!has(form, at(&keys.replace("{tenantid}", "common"))));
}

fn minimal(keys: &Value) -> Value {
    json!({"issuer": "https://id.example.com", "audiences": ["app"], "keys": keys})
}

fn faults(config: &Value) -> Vec<String> {
    let faults = IssuerConfig::parse(config).expect_err("a faulty configuration");
    faults.into_iter().map(|fault| fault.pointer).collect()
}

#[test]
fn the_least_configuration_gets_the_defaults() {
    let config = IssuerConfig::parse(&minimal(&json!({"discovery": true}))).unwrap();
    assert_eq!(config.leeway_seconds(), 60);
    assert_eq!(config.max_lifetime_seconds(), 86_400);
    assert!(!config.algorithms().contains(&Algorithm::HS256));
    assert_eq!(config.algorithms().len(), 3);
    let facts: Vec<&str> = config.claims().iter().map(|(name, _)| name).collect();
    assert_eq!(facts, ["locale", "name", "plan", "roles"]);
}

#[test]
fn what_is_written_reads_back_the_same() {
    for keys in [
        json!({"discovery": true}),
        json!({"jwksUrl": "https://id.example.com/keys"}),
        json!({"jwks": {"keys": [{"kty": "OKP"}]}}),
        json!({"sharedSecret": true}),
        json!({"metadataUrl": "https://id.example.com/common/openid-configuration"}),
        json!({"discovery": true, "sharedSecret": true}),
    ] {
        let mut json = minimal(&keys);
        json["claims"] = json!({"plan": "/app_metadata/plan", "odd": "/a~1b/~0c/0", "team": "https://example.com/team"});
        json["atJwtStrict"] = json!(true);
        json["audienceClaim"] = json!("client_id");
        json["requiredClaims"] = json!({"token_use": "access", "/org/id": [1, "x", true]});
        let config = IssuerConfig::parse(&json).unwrap();
        let written = serde_json::to_value(&config).unwrap();
        assert_eq!(written["claims"], json["claims"]);
        assert_eq!(written["keys"], json["keys"]);
        assert_eq!(written["audienceClaim"], json["audienceClaim"]);
        assert_eq!(written["requiredClaims"], json["requiredClaims"]);
        assert_eq!(
            serde_json::from_value::<IssuerConfig>(written).unwrap(),
            config
        );
    }
}

#[test]
fn all_faults_are_reported_at_once() {
    let config = json!({
        "issuer": "", "audiences": ["a", "a", 7], "algorithms": ["none", "RS256"],
        "keys": {"jwksUrl": "ftp://example.com/"}, "leewaySeconds": 301, "maxLifetimeSeconds": "day",
        "claims": {"Bad/Name": "x", "good": 5, "pointer": "/a~2"}, "atJwtStrict": "yes", "aud": "x",
    });
    let mut found = faults(&config);
    found.sort();
    assert_eq!(
        found,
        [
            "/algorithms/0",
            "/atJwtStrict",
            "/aud",
            "/audiences/1",
            "/audiences/2",
            "/claims/Bad~1Name",
            "/claims/good",
            "/claims/pointer",
            "/issuer",
            "/keys/jwksUrl",
            "/leewaySeconds",
            "/maxLifetimeSeconds",
        ]
    );
}

#[test]
fn hs256_goes_with_a_shared_secret_and_alone() {
    let with = |keys: Value, algorithms: Value| {
        let mut config = minimal(&keys);
        config["algorithms"] = algorithms;
        config
    };
    let secret = || json!({"sharedSecret": true});
    assert!(IssuerConfig::parse(&with(secret(), json!(["HS256"]))).is_ok());
    assert_eq!(
        faults(&with(secret(), json!(["HS256", "RS256"]))),
        ["/algorithms"]
    );
    assert_eq!(faults(&with(secret(), json!(["RS256"]))), ["/algorithms"]);
    let both = || json!({"discovery": true, "sharedSecret": true});
    assert!(IssuerConfig::parse(&with(both(), json!(["HS256", "ES256"]))).is_ok());
    for half in [json!(["HS256"]), json!(["ES256"])] {
        assert_eq!(faults(&with(both(), half)), ["/algorithms"]);
    }
    let config = IssuerConfig::parse(&minimal(&both())).unwrap();
    let algorithms: Vec<&str> = config.algorithms().iter().map(|one| one.as_str()).collect();
    assert_eq!(algorithms, ["RS256", "ES256", "EdDSA", "HS256"]);
    assert_eq!(
        faults(&with(json!({"discovery": true}), json!(["HS256"]))),
        ["/algorithms"]
    );
    assert_eq!(
        faults(&with(json!({"discovery": true}), json!([]))),
        ["/algorithms"]
    );
}

#[test]
fn keys_come_from_exactly_one_source() {
    for keys in [
        json!(null),
        json!({}),
        json!({"discovery": false}),
        json!({"discovery": true, "jwksUrl": "https://example.com/"}),
        json!({"sharedSecret": false}),
        json!({"discovery": true, "sharedSecret": false}),
        json!({"metadataUrl": true}),
        json!({"jwks": {}}),
        json!({"jwks": {"keys": 1}}),
        json!({"pem": "x"}),
        json!({"jwksUrl": "https://user@example.com/"}),
        json!({"jwksUrl": "https://example.com/#x"}),
        json!({"jwksUrl": "file:///etc/passwd"}),
        json!({"jwksUrl": 1}),
        json!({"jwksUrl": format!("https://example.com/{}", "x".repeat(2048))}),
    ] {
        assert!(faults(&minimal(&keys))[0].starts_with("/keys"), "{keys}");
    }
}

#[test]
fn discovery_needs_an_issuer_that_is_a_url_and_drops_one_trailing_slash() {
    for (issuer, document) in [
        (
            "https://a.example",
            "https://a.example/.well-known/openid-configuration",
        ),
        (
            "https://a.example/t/",
            "https://a.example/t/.well-known/openid-configuration",
        ),
    ] {
        let mut json = minimal(&json!({"discovery": true}));
        json["issuer"] = json!(issuer);
        let config = IssuerConfig::parse(&json).unwrap();
        let Some(KeySource::Discovery(url)) = config.keys() else {
            panic!()
        };
        assert_eq!(url.as_str(), document);
        assert_eq!(config.issuer(), issuer, "the issuer itself stays as it is");
    }
    let mut json = minimal(&json!({"discovery": true}));
    for issuer in [
        "my-app",
        "https://a.example/?t=1",
        "https://a.example/#t",
        "urn:a",
    ] {
        json["issuer"] = json!(issuer);
        assert_eq!(faults(&json), ["/issuer"], "{issuer}");
    }
}

fn map(json: Value) -> ClaimMap {
    let mut config = minimal(&json!({"discovery": true}));
    config["claims"] = json;
    IssuerConfig::parse(&config).unwrap().claims().clone()
}

fn claims(json: &Value) -> Map<String, Value> {
    json.as_object().unwrap().clone()
}

#[test]
fn facts_come_from_names_urls_and_pointers() {
    let map = map(json!({
        "plan": "/app_metadata/plan", "roles": "https://example.com/roles", "first": "/groups/0",
        "beta": "beta", "age": "age", "gone": "gone", "nothing": "nothing",
    }));
    let (facts, left_out) = map.facts(&claims(&json!({
        "app_metadata": {"plan": "gold"}, "https://example.com/roles": ["admin", "x"],
        "groups": ["g1"], "beta": true, "age": 41, "nothing": null,
    })));
    assert_eq!(facts["plan"], Fact::Text("gold".to_owned()));
    assert_eq!(facts["roles"], texts(["admin", "x"]));
    assert_eq!(facts["first"], Fact::Text("g1".to_owned()));
    assert_eq!(facts["beta"], Fact::Flag(true));
    assert_eq!(facts["age"], Fact::Number(41_i64.into()));
    assert_eq!(facts.len(), 5);
    assert!(left_out.is_empty());
}

#[test]
fn a_single_value_beyond_the_caps_is_left_out_whole() {
    let map = map(json!({"a": "a", "b": "b", "c": "c", "d": "d", "ok": "ok"}));
    let (facts, left_out) = map.facts(&claims(&json!({
        "a": "x".repeat(501), "b": {"nested": 1}, "c": "line\nbreak", "d": ["x".repeat(501)], "ok": "ä".repeat(500),
    })));
    let names = ["a", "b", "c", "d"].map(|name| (name.to_owned(), LeftOut::Whole));
    assert_eq!(left_out, BTreeMap::from(names));
    assert_eq!(facts.len(), 1);
}

#[test]
fn of_a_list_every_item_that_a_rule_can_ask_for_is_taken() {
    let map = map(json!({"groups": "groups", "mixed": "mixed", "none": "none"}));
    let groups: Vec<String> = (0..150).map(|n| format!("group-{n}")).collect();
    let (facts, left_out) = map.facts(&claims(&json!({
        "groups": groups,
        "mixed": ["x", 1_546_130_668_394_913_822_i64, true, ["deep"], {"id": 1}, null, "y".repeat(501)],
        "none": [],
    })));
    assert_eq!(facts["groups"], texts(groups.iter().map(String::as_str)));
    let mixed = serde_json::to_value(&facts["mixed"]).unwrap();
    assert_eq!(mixed, json!(["x", 1_546_130_668_394_913_822_i64, true]));
    assert_eq!(facts["none"], Fact::List(Vec::new()));
    assert_eq!(
        left_out,
        BTreeMap::from([("mixed".to_owned(), LeftOut::Items(4))])
    );
}

#[test]
fn a_list_that_the_issuer_left_out_of_the_token_is_told_apart_from_none() {
    let map = map(json!({"groups": "groups", "plan": "plan"}));
    for token in [
        json!({"_claim_names": {"groups": "src1"}, "_claim_sources": {"src1": {"endpoint": "https://graph.example"}}}),
        json!({"hasgroups": true}),
    ] {
        let (facts, left_out) = map.facts(&claims(&token));
        assert!(facts.is_empty());
        let groups = ("groups".to_owned(), LeftOut::Elsewhere);
        assert_eq!(left_out, BTreeMap::from([groups]), "{token}");
    }
}

fn texts<'t>(items: impl IntoIterator<Item = &'t str>) -> Fact {
    let texts = items.into_iter().map(|item| Fact::Text(item.to_owned()));
    Fact::List(texts.collect())
}

#[test]
fn an_array_step_is_a_plain_number() {
    let map = map(json!({"a": "/list/00", "b": "/list/+1", "c": "/list/-", "d": "/list/9"}));
    let (facts, _) = map.facts(&claims(&json!({"list": ["x", "y"]})));
    assert!(facts.is_empty());
}

#[test]
fn a_binding_has_one_written_form() {
    let shared = TenantBinding::ByClaim {
        claim: ClaimPath::parse("/org/slug").unwrap(),
    };
    let json = serde_json::to_value(&shared).unwrap();
    assert_eq!(json, json!({"byClaim": {"claim": "/org/slug"}}));
    assert_eq!(
        serde_json::from_value::<TenantBinding>(json).unwrap(),
        shared
    );
}

#[test]
fn the_audience_claim_is_one_that_the_issuer_fills() {
    let with = |claim: Value, audiences: Value| {
        let mut config = minimal(&json!({"discovery": true}));
        config["audienceClaim"] = claim;
        config["audiences"] = audiences;
        config
    };
    for claim in ["aud", "client_id", "azp", "cid", "appid"] {
        let config = IssuerConfig::parse(&with(json!(claim), json!(["app"]))).unwrap();
        assert_eq!(config.audience_claim().as_str(), claim);
    }
    for claim in [
        json!("sub"),
        json!("name"),
        json!("AUD"),
        json!(""),
        json!(1),
    ] {
        assert_eq!(
            faults(&with(claim.clone(), json!(["app"]))),
            ["/audienceClaim"],
            "{claim}"
        );
    }
    let own = json!(["https://id.example.com"]);
    assert!(IssuerConfig::parse(&with(json!("iss"), own)).is_ok());
    assert_eq!(faults(&with(json!("iss"), json!(["app"]))), ["/audiences"]);
}

#[test]
fn required_claims_are_texts_flags_and_whole_numbers() {
    let with = |required: Value| {
        let mut config = minimal(&json!({"discovery": true}));
        config["requiredClaims"] = required;
        config
    };
    for bad in [
        json!({"a": []}),
        json!({"a": null}),
        json!({"a": 1.5}),
        json!({"a": {"b": 1}}),
        json!({"a": [["x"]]}),
        json!({"a": "x".repeat(501)}),
        json!({"": "x"}),
        json!({"/~2": "x"}),
    ] {
        assert_eq!(faults(&with(bad.clone())).len(), 1, "{bad}");
    }
    assert_eq!(faults(&with(json!(["a"]))), ["/requiredClaims"]);
    let required = with(json!({"token_use": "access", "groups": ["a", "b"], "/org/level": 2}));
    let required = IssuerConfig::parse(&required).unwrap();
    let missing = |token: Value| {
        let missing = required.required_claims().missing(&claims(&token));
        missing.map(|(path, _)| path.to_string())
    };
    let good = json!({"token_use": "access", "groups": ["x", "b"], "org": {"level": 2}});
    assert_eq!(missing(good.clone()), None);
    for (name, value) in [
        ("token_use", json!("id")),
        ("token_use", json!("Access")),
        ("token_use", json!(null)),
        ("groups", json!(["x"])),
        ("groups", json!([])),
        ("groups", json!({"a": 1})),
    ] {
        let mut token = good.clone();
        token[name] = value;
        assert_eq!(missing(token).as_deref(), Some(name));
    }
    let mut token = good;
    token["org"]["level"] = json!("2");
    assert_eq!(missing(token).as_deref(), Some("/org/level"));
}

#[test]
fn a_form_stands_for_the_issuers_of_all_directories() {
    let with = |issuer: &str| {
        let metadata = "https://login.example/common/.well-known/openid-configuration";
        let mut config = minimal(&json!({"metadataUrl": metadata}));
        config["issuer"] = json!(issuer);
        config
    };
    let form = IssuerConfig::parse(&with("https://login.example/{tenantid}/v2.0")).unwrap();
    let id = "0f3b5c1e-9a44-4d6f-8f53-2b7f2f6c1a10";
    let issues = |iss: &str, tid: Value| form.issues(iss, &claims(&json!({"tid": tid})));
    let own = format!("https://login.example/{id}/v2.0");
    assert!(issues(&own, json!(id)));
    assert!(!issues(&own, json!("0f3b5c1e-9a44-4d6f-8f53-2b7f2f6c1a11")));
    assert!(!issues(&own, json!(null)));
    assert!(!issues(
        "https://login.example/common/v2.0",
        json!("common")
    ));
    assert!(!issues(&own.to_uppercase(), json!(id.to_uppercase())));
    assert!(!issues(&format!("{own}/"), json!(id)));
    for bad in [
        "https://{tenantid}/v2.0",
        "https://{tenantid}.login.example/x",
        "http://login.example/{tenantid}/",
        "https://login.example/{tenantid}/{tenantid}",
        "https://login.example/a{tenantid}/",
        "https://login.example/?t={tenantid}",
        "{tenantid}",
    ] {
        assert_eq!(faults(&with(bad)), ["/issuer"], "{bad}");
    }
    let mut discovered = with("https://login.example/{tenantid}/v2.0");
    discovered["keys"] = json!({"discovery": true});
    assert_eq!(faults(&discovered), ["/issuer"]);
}

#[test]
fn an_issuer_with_opaque_tokens_says_who_is_asked_and_nothing_of_keys() {
    let opaque = |introspection: Value, more: Value| {
        let mut config = json!({
            "issuer": "https://id.example", "audiences": ["app"], "keys": {"introspection": introspection},
        });
        for (name, value) in more.as_object().unwrap() {
            config[name] = value.clone();
        }
        IssuerConfig::parse(&config)
    };
    let usual = json!({"endpoint": "https://id.example/introspect", "clientId": "gateway"});
    let config = opaque(usual.clone(), json!({})).unwrap();
    let about = config.introspection().unwrap();
    assert_eq!(
        about.authentication(),
        ClientAuthentication::ClientSecretBasic
    );
    assert_eq!(about.cache_seconds(), 60);
    assert!(config.takes_secret() && !config.is_signed_with_secret());
    assert!(config.algorithms().is_empty() && config.keys().is_none());
    assert!(!config.has_keys_of_its_own_url());
    let written = serde_json::to_value(&config).unwrap();
    assert_eq!(
        IssuerConfig::parse(&written),
        Ok(config.clone()),
        "{written}"
    );

    let with = |name: &str, value: Value| {
        let mut about = usual.clone();
        about[name] = value;
        about
    };
    for (introspection, more, at) in [
        (json!(true), json!({}), "/keys/introspection"),
        (
            json!({"clientId": "gateway"}),
            json!({}),
            "/keys/introspection/endpoint",
        ),
        (
            with("endpoint", json!("https://u:p@id.example/")),
            json!({}),
            "/keys/introspection/endpoint",
        ),
        (
            with("endpoint", json!("ftp://id.example/")),
            json!({}),
            "/keys/introspection/endpoint",
        ),
        (
            with("clientId", json!("")),
            json!({}),
            "/keys/introspection/clientId",
        ),
        (
            with("clientId", json!("fünf")),
            json!({}),
            "/keys/introspection/clientId",
        ),
        (
            with("clientId", json!("x".repeat(257))),
            json!({}),
            "/keys/introspection/clientId",
        ),
        (
            with("authentication", json!("none")),
            json!({}),
            "/keys/introspection/authentication",
        ),
        (
            with("cacheSeconds", json!(301)),
            json!({}),
            "/keys/introspection/cacheSeconds",
        ),
        (
            with("cacheSeconds", json!(-1)),
            json!({}),
            "/keys/introspection/cacheSeconds",
        ),
        (
            with("clientSecret", json!("s")),
            json!({}),
            "/keys/introspection/clientSecret",
        ),
        (
            usual.clone(),
            json!({"algorithms": ["RS256"]}),
            "/algorithms",
        ),
        (usual.clone(), json!({"atJwtStrict": true}), "/atJwtStrict"),
    ] {
        let faults = opaque(introspection.clone(), more).unwrap_err();
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert_eq!(faults[0].pointer, at);
    }
    for beside in ["sharedSecret", "discovery"] {
        let keys = json!({"keys": {"introspection": usual, beside: true}});
        assert_eq!(opaque(usual.clone(), keys).unwrap_err()[0].pointer, "/keys");
    }
}

#[test]
fn a_secret_stays_for_what_it_was_given_for_alone() {
    let config = |keys: Value| {
        let config = json!({"issuer": "https://id.example", "audiences": ["app"], "keys": keys});
        IssuerConfig::parse(&config).unwrap()
    };
    let asked = |endpoint: &str, id: &str, cache: u32| {
        let about = json!({"endpoint": endpoint, "clientId": id, "cacheSeconds": cache});
        config(json!({ "introspection": about }))
    };
    let (here, signed) = (
        asked("https://a.example/", "gateway", 1),
        config(json!({"sharedSecret": true})),
    );
    let both = config(json!({"sharedSecret": true, "discovery": true}));
    assert!(asked("https://a.example/", "gateway", 2).may_keep_secret_of(&here));
    assert!(both.may_keep_secret_of(&signed));
    for other in [
        asked("https://a.example/x", "gateway", 1),
        asked("https://b.example/", "gateway", 1),
        asked("https://a.example/", "another", 1),
        signed.clone(),
        config(json!({"discovery": true})),
    ] {
        assert!(!other.may_keep_secret_of(&here), "{other:?}");
        assert!(!here.may_keep_secret_of(&other), "{other:?}");
    }
}
