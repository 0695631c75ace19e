//! Key sets over time: rotation, floods, outages and lies, against a real server and a clock that
//! stands still until it is moved.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use persona_gateway::auth::{
    AuthError, Directory, FetchError, JwksSettings, OutboundError, Refusal, SetRefusal, Skip,
    SkippedKey,
};
use persona_gateway::domain::issuer::IssuerConfig;
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::kit::{
    Answer, Bench, EC, ED, ISSUER, NOW, RSA, Server, Signer, claims, config, response,
};

const REFUSED: AuthError = AuthError::Refused(Refusal::UnknownKey);

async fn start(keys: &[Value]) -> (Server, Bench) {
    let server = Server::with_keys(keys).await;
    let bench = Bench::with(JwksSettings::default(), server.config());
    (server, bench)
}

impl Bench {
    async fn judge(&self, token: &str) -> Result<(), AuthError> {
        self.auth.authenticate(token).await.map(|_| ())
    }

    async fn judge_fresh(&self, signer: &Signer, kid: &str) -> Result<(), AuthError> {
        self.judge(&self.fresh_token(signer, kid)).await
    }
}

#[tokio::test]
async fn keys_are_fetched_once_for_many_tokens_at_once() {
    let (server, bench) = start(&[ED.jwk("ed"), EC.jwk("ec"), RSA.jwk("rsa")]).await;
    let tokens: Vec<String> = [(&ED, "ed"), (&EC, "ec"), (&RSA, "rsa")]
        .iter()
        .cycle()
        .take(60)
        .map(|(signer, kid)| signer.good(kid))
        .collect();
    let results = join_all(tokens.iter().map(|token| bench.judge(token))).await;
    assert!(results.iter().all(Result::is_ok));
    assert_eq!(server.hits(), 1);
    let caller = bench.auth.authenticate(&tokens[0]).await.unwrap();
    assert_eq!(
        (caller.tenant, caller.subject.as_str()),
        (crate::kit::tenant(1), "user-1")
    );
}

#[tokio::test]
async fn tokens_that_their_claims_refuse_cause_no_fetch() {
    let (server, bench) = start(&[ED.jwk("ed")]).await;
    for (name, value) in [
        ("exp", json!(NOW - 100)),
        ("iss", json!("https://else.example")),
        ("aud", json!("else")),
        ("sub", json!("")),
        ("exp", json!("x")),
    ] {
        let token = ED.token(ED.header("ed"), crate::kit::claims_with(name, value));
        assert!(matches!(
            bench.judge(&token).await,
            Err(AuthError::Refused(_))
        ));
    }
    for iss in [
        "http://169.254.169.254/",
        "http://127.0.0.1/",
        "file:///etc/passwd",
    ] {
        let token = ED.token(ED.header("ed"), crate::kit::claims_with("iss", json!(iss)));
        assert_eq!(
            bench.judge(&token).await,
            Err(AuthError::Refused(Refusal::UnknownIssuer))
        );
    }
    assert_eq!(server.hits(), 0);
}

#[tokio::test]
async fn a_new_key_passes_after_the_cool_down_and_costs_one_fetch() {
    let (server, bench) = start(&[ED.jwk("old")]).await;
    assert_eq!(bench.judge(&ED.good("old")).await, Ok(()));
    let new = Signer::ed();
    server.keys(&[ED.jwk("old"), new.jwk("new")]);
    bench.advance(29);
    assert_eq!(
        bench.judge(&new.good("new")).await,
        Err(REFUSED),
        "within the cool-down"
    );
    assert_eq!(server.hits(), 1);
    bench.advance(1);
    assert_eq!(bench.judge(&new.good("new")).await, Ok(()));
    assert_eq!(bench.judge(&ED.good("old")).await, Ok(()));
    assert_eq!(server.hits(), 2);
}

#[tokio::test]
async fn keys_without_ids_rotate_too_and_forgeries_cost_one_fetch_per_cool_down() {
    let nameless = |signer: &Signer| {
        let mut jwk = signer.jwk("");
        jwk.as_object_mut().unwrap().remove("kid");
        jwk
    };
    let token = |signer: &Signer| signer.token(json!({"alg": signer.alg()}), claims());
    let (server, bench) = start(&[nameless(&ED)]).await;
    assert_eq!(bench.judge(&token(&ED)).await, Ok(()));
    let new = Signer::ed();
    server.keys(&[nameless(&new)]);
    assert_eq!(
        bench.judge(&token(&new)).await,
        Err(REFUSED),
        "within the cool-down"
    );
    bench.advance(30);
    assert_eq!(bench.judge(&token(&new)).await, Ok(()));
    assert_eq!(bench.judge(&token(&ED)).await, Err(REFUSED));
    assert_eq!(server.hits(), 2);
    let stranger = Signer::ed();
    for _ in 0..60 {
        assert_eq!(bench.judge(&token(&stranger)).await, Err(REFUSED));
        bench.advance(1);
    }
    assert!(server.hits() <= 4, "{} fetches in a minute", server.hits());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_workers_rotation_and_new_directories_do_not_get_in_each_others_way() {
    let (server, bench) = start(&[ED.jwk("ed"), EC.jwk("ec")]).await;
    let bench = Arc::new(bench);
    assert_eq!(bench.judge(&ED.good("ed")).await, Ok(()));
    let workers = (0..8).map(|worker| {
        let bench = Arc::clone(&bench);
        let config = server.config();
        tokio::spawn(async move {
            let stranger = Signer::ed();
            for n in 0..200 {
                assert_eq!(bench.judge(&ED.good("ed")).await, Ok(()));
                assert_eq!(bench.judge(&EC.good("ec")).await, Ok(()));
                let forged = stranger.good(&format!("k-{worker}-{n}"));
                assert_eq!(bench.judge(&forged).await, Err(REFUSED));
                if n % 20 == 0 {
                    let issuers = vec![crate::kit::entry(1, 1, config.clone())];
                    let tenants = crate::kit::tenants();
                    let faults = bench.auth.replace_directory(Directory {
                        issuers,
                        tenants,
                        ..Directory::default()
                    });
                    assert_eq!(faults, []);
                }
            }
        })
    });
    for worker in join_all(workers).await {
        worker.unwrap();
    }
    assert_eq!(
        server.hits(),
        1,
        "the clock stood still, so the cool-down never ended"
    );
}

#[tokio::test]
async fn random_key_ids_cannot_make_the_gateway_fetch() {
    let (server, bench) = start(&[ED.jwk("ed")]).await;
    assert_eq!(bench.judge(&ED.good("ed")).await, Ok(()));
    bench.advance(600 / 2);
    let stranger = Signer::ed();
    // 10 seconds, 1,000 tokens a second.
    for second in 0..10 {
        let tokens: Vec<String> = (0..1000)
            .map(|n| bench.fresh_token(&stranger, &format!("k-{second}-{n}")))
            .collect();
        let results = join_all(tokens.iter().map(|token| bench.judge(token))).await;
        assert!(results.iter().all(|result| *result == Err(REFUSED)));
        assert_eq!(
            bench.judge_fresh(&ED, "ed").await,
            Ok(()),
            "good tokens go on passing"
        );
        bench.advance(1);
    }
    assert_eq!(server.hits(), 2);
}

#[tokio::test]
async fn a_key_published_after_a_miss_is_found_when_the_cool_down_ends() {
    let (server, bench) = start(&[ED.jwk("old")]).await;
    assert_eq!(bench.judge(&ED.good("old")).await, Ok(()));
    bench.advance(100);
    let new = Signer::ed();
    assert_eq!(
        bench.judge_fresh(&new, "new").await,
        Err(REFUSED),
        "not published yet"
    );
    assert_eq!(server.hits(), 2);
    server.keys(&[ED.jwk("old"), new.jwk("new")]);
    bench.advance(29);
    assert_eq!(bench.judge_fresh(&new, "new").await, Err(REFUSED));
    bench.advance(1);
    assert_eq!(bench.judge_fresh(&new, "new").await, Ok(()));
    assert_eq!(server.hits(), 3);
}

#[tokio::test]
async fn whatever_fails_against_a_fetched_set_is_looked_at_again() {
    let new = Signer::ed();
    let no_kid = json!({"alg": "EdDSA"});
    let by_kid = new.header("k");
    for (name, before, after, header) in [
        (
            "a new key under an old id",
            ED.jwk("k"),
            new.jwk("k"),
            &by_kid,
        ),
        ("no id at all", ED.jwk("k"), new.jwk("k2"), &no_kid),
        (
            "an old id with another algorithm",
            EC.jwk("k"),
            new.jwk("k"),
            &by_kid,
        ),
        ("an unknown id", ED.jwk("other"), new.jwk("k"), &by_kid),
    ] {
        let (server, bench) = start(&[before, RSA.jwk("rsa")]).await;
        assert_eq!(bench.judge(&RSA.good("rsa")).await, Ok(()), "{name}");
        server.keys(&[after, RSA.jwk("rsa")]);
        let token = new.token(header, claims());
        assert!(bench.judge(&token).await.is_err(), "{name}");
        bench.advance(30);
        assert_eq!(bench.judge(&token).await, Ok(()), "{name}");
        assert_eq!(server.hits(), 2, "{name}");
    }
}

#[tokio::test]
async fn bad_signatures_under_a_known_key_id_cost_one_fetch_per_cool_down() {
    let (server, bench) = start(&[ED.jwk("ed"), EC.jwk("ec")]).await;
    assert_eq!(bench.judge(&ED.good("ed")).await, Ok(()));
    bench.advance(100);
    let (ed, ec) = (Signer::ed(), Signer::ec());
    for second in 0..60 {
        for n in 0..10 {
            let mut claims = claims();
            claims["sub"] = json!(format!("user-{second}-{n}"));
            for (signer, header) in [
                (&ed, json!({"alg": "EdDSA", "kid": "ed"})),
                (&ec, json!({"alg": "ES256", "kid": "ec"})),
                (&ed, json!({"alg": "EdDSA"})),
            ] {
                let result = bench.judge(&signer.token(header, &claims)).await;
                assert_eq!(result, Err(AuthError::Refused(Refusal::Signature)));
            }
            let crossed = bench
                .judge(&ec.token(json!({"alg": "ES256", "kid": "ed"}), &claims))
                .await;
            assert_eq!(crossed, Err(AuthError::Refused(Refusal::KeyAlgorithm)));
        }
        bench.advance(1);
    }
    bench.settled().await;
    assert_eq!(server.hits(), 3, "one at the start, two in a minute");
}

#[tokio::test]
async fn a_forgery_is_a_forgery_although_the_issuer_is_down() {
    let (server, bench) = start(&[ED.jwk("ed")]).await;
    assert_eq!(bench.judge(&ED.good("ed")).await, Ok(()));
    server.answer("/keys", Answer::Raw(Vec::new()));
    bench.advance(30);
    assert_eq!(
        bench.judge(&Signer::ed().good("ed")).await,
        Err(AuthError::Refused(Refusal::Signature))
    );
}

#[tokio::test]
async fn keys_are_renewed_behind_the_requests_back_before_they_age() {
    let (server, bench) = start(&[ED.jwk("ed")]).await;
    assert_eq!(bench.judge(&ED.good("ed")).await, Ok(()));
    bench.advance(479);
    assert_eq!(bench.judge_fresh(&ED, "ed").await, Ok(()));
    bench.settled().await;
    assert_eq!(server.hits(), 1);
    bench.advance(1);
    assert_eq!(bench.judge_fresh(&ED, "ed").await, Ok(()));
    bench.settled().await;
    assert_eq!(server.hits(), 2);
    bench.advance(479);
    assert_eq!(bench.judge_fresh(&ED, "ed").await, Ok(()));
    bench.settled().await;
    assert_eq!(server.hits(), 2, "the new set has a life of its own");
}

#[tokio::test]
async fn a_withdrawn_key_stops_within_the_life_of_its_set() {
    let (server, bench) = start(&[ED.jwk("ed"), EC.jwk("ec")]).await;
    assert_eq!(bench.judge(&ED.good("ed")).await, Ok(()));
    server.keys(&[EC.jwk("ec")]);
    bench.advance(600);
    // The very first request past the set's life already waits for the new one.
    assert_eq!(bench.judge_fresh(&ED, "ed").await, Err(REFUSED));
    assert_eq!(bench.judge_fresh(&EC, "ec").await, Ok(()));
    assert_eq!(server.hits(), 2);
}

#[tokio::test]
async fn a_key_that_is_replaced_under_its_old_id_stops_too() {
    let (server, bench) = start(&[ED.jwk("k")]).await;
    assert_eq!(bench.judge(&ED.good("k")).await, Ok(()));
    let new = Signer::ed();
    server.keys(&[new.jwk("k")]);
    bench.advance(600);
    assert_eq!(
        bench.judge_fresh(&ED, "k").await,
        Err(AuthError::Refused(Refusal::Signature))
    );
    assert_eq!(bench.judge_fresh(&new, "k").await, Ok(()));
}

#[tokio::test]
async fn cache_control_counts_within_our_bounds() {
    for (headers, life) in [
        ("", 600),
        ("cache-control: max-age=0\r\n", 60),
        ("cache-control: no-cache\r\n", 60),
        ("cache-control: no-store, max-age=900\r\n", 60),
        ("cache-control: public, max-age=900\r\n", 900),
        (
            "Cache-Control: PUBLIC, MAX-AGE=900, must-revalidate\r\n",
            900,
        ),
        ("cache-control: max-age=31536000\r\n", 1800),
        ("cache-control: max-age=99999999999999999999999\r\n", 600),
        ("cache-control: max-age=-5\r\n", 600),
        ("cache-control: max-age\r\n", 600),
    ] {
        let (server, bench) = start(&[]).await;
        server.answer(
            "/keys",
            Answer::Json(json!({"keys": [ED.jwk("ed")]}).to_string(), headers),
        );
        assert_eq!(bench.judge(&ED.good("ed")).await, Ok(()));
        bench.advance(life * 4 / 5 - 1);
        assert_eq!(bench.judge_fresh(&ED, "ed").await, Ok(()));
        bench.settled().await;
        assert_eq!(server.hits(), 1, "{headers}");
        bench.advance(1);
        assert_eq!(bench.judge_fresh(&ED, "ed").await, Ok(()));
        bench.settled().await;
        assert_eq!(server.hits(), 2, "{headers}");
    }
}

#[tokio::test]
async fn good_keys_outlive_every_kind_of_bad_answer_until_they_are_too_old() {
    let keys = json!({"keys": [ED.jwk("ed")]}).to_string();
    let bad: [(&str, Vec<u8>, FetchError); 9] = [
        ("500", b"HTTP/1.1 500 Oops\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_vec(), OutboundError::Status(500).into()),
        ("404", b"HTTP/1.1 404 Gone\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_vec(), OutboundError::Status(404).into()),
        ("redirect", b"HTTP/1.1 302 Found\r\nlocation: /keys\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_vec(), OutboundError::Redirect { status: 302, target: "/keys".to_owned() }.into()),
        ("hang up", Vec::new(), OutboundError::Broken.into()),
        ("HTML", response("<html></html>", ""), SetRefusal::Html.into()),
        ("empty set", response(r#"{"keys":[]}"#, ""), SetRefusal::Empty.into()),
        ("only secrets", response(r#"{"keys":[{"kty":"oct","k":"AAAA"}]}"#, ""), SetRefusal::NoUsableKey(vec![SkippedKey { index: 0, kid: None, reason: Skip::Symmetric }]).into()),
        ("gzip", response(&keys, "content-encoding: gzip\r\n"), OutboundError::Compressed("gzip".to_owned()).into()),
        ("huge", response(&format!("{}{keys}", " ".repeat(300_000)), ""), OutboundError::TooLarge.into()),
    ];
    for (name, answer, error) in bad {
        let (server, bench) = start(&[ED.jwk("ed")]).await;
        assert_eq!(bench.judge(&ED.good("ed")).await, Ok(()));
        server.answer("/keys", Answer::Raw(answer));
        for _ in 0..5 {
            bench.advance(600);
            assert_eq!(
                bench.judge_fresh(&ED, "ed").await,
                Ok(()),
                "{name} at {} s",
                bench.at()
            );
            bench.settled().await;
        }
        let health = &bench.auth.key_health()[0];
        assert_eq!(
            (health.failures, health.last_error.as_ref()),
            (5, Some(&error)),
            "{name}"
        );
        assert_eq!(
            (health.keys, health.age),
            (1, Some(Duration::from_mins(50)))
        );
        bench.advance(599);
        assert_eq!(
            bench.judge_fresh(&ED, "ed").await,
            Ok(()),
            "{name} a second before the end"
        );
        bench.advance(1);
        let end = bench.judge_fresh(&ED, "ed").await;
        assert!(
            matches!(end, Err(AuthError::KeysUnavailable { .. })),
            "{name}: {end:?}"
        );
        server.keys(&[ED.jwk("ed")]);
        bench.advance(30);
        assert_eq!(
            bench.judge_fresh(&ED, "ed").await,
            Ok(()),
            "{name}: back again"
        );
    }
}

#[tokio::test]
async fn without_any_keys_the_token_is_not_to_blame() {
    let server = Server::start().await;
    let bench = Bench::with(JwksSettings::default(), server.config());
    let unavailable = |seconds| {
        Err(AuthError::KeysUnavailable {
            retry_after: Duration::from_secs(seconds),
        })
    };
    assert_eq!(bench.judge(&ED.good("ed")).await, unavailable(30));
    bench.advance(20);
    assert_eq!(bench.judge(&ED.good("ed")).await, unavailable(10));
    assert_eq!(server.hits(), 1, "a failed attempt uses the cool-down up");
    server.keys(&[ED.jwk("ed")]);
    assert_eq!(bench.judge(&ED.good("ed")).await, unavailable(10));
    bench.advance(10);
    assert_eq!(bench.judge(&ED.good("ed")).await, Ok(()));
    assert_eq!(server.hits(), 2);
}

#[tokio::test]
async fn an_unknown_key_behind_a_failed_fetch_is_not_called_bad() {
    let (server, bench) = start(&[ED.jwk("ed")]).await;
    assert_eq!(bench.judge(&ED.good("ed")).await, Ok(()));
    server.answer("/keys", Answer::Raw(Vec::new()));
    bench.advance(30);
    let new = Signer::ed();
    let unavailable = AuthError::KeysUnavailable {
        retry_after: Duration::from_secs(30),
    };
    assert_eq!(bench.judge(&new.good("new")).await, Err(unavailable));
    assert_eq!(bench.judge(&ED.good("ed")).await, Ok(()));
    server.keys(&[new.jwk("new")]);
    bench.advance(30);
    assert_eq!(bench.judge(&new.good("new")).await, Ok(()));
}

#[tokio::test]
async fn a_slow_answer_is_waited_for_only_so_long_and_still_counts() {
    let server = Server::start().await;
    let settings = JwksSettings {
        wait: Duration::from_millis(20),
        ..JwksSettings::default()
    };
    let bench = Bench::with(settings, server.config());
    let release = Arc::new(Notify::new());
    let keys = json!({"keys": [ED.jwk("ed")]}).to_string();
    server.answer("/keys", Answer::Held(Arc::clone(&release), keys));
    let tokens = vec![ED.good("ed"); 50];
    let early = join_all(tokens.iter().map(|token| bench.judge(token))).await;
    assert!(
        early
            .iter()
            .all(|result| matches!(result, Err(AuthError::KeysUnavailable { .. })))
    );
    release.notify_one();
    bench.settled().await;
    assert_eq!(bench.judge(&ED.good("ed")).await, Ok(()));
    assert_eq!(server.hits(), 1, "all of them waited for one fetch");
}

#[tokio::test]
async fn an_unknown_key_behind_a_slow_fetch_is_not_called_bad() {
    let server = Server::with_keys(&[ED.jwk("ed")]).await;
    let settings = JwksSettings {
        wait: Duration::from_millis(20),
        ..JwksSettings::default()
    };
    let bench = Bench::with(settings, server.config());
    // The first fetch may outlast the short wait, but it counts once it ended.
    let _first = bench.judge(&ED.good("ed")).await;
    bench.settled().await;
    assert_eq!(bench.judge(&ED.good("ed")).await, Ok(()));
    let new = Signer::ed();
    let release = Arc::new(Notify::new());
    let keys = json!({"keys": [new.jwk("new")]}).to_string();
    server.answer("/keys", Answer::Held(Arc::clone(&release), keys));
    bench.advance(30);
    let early = bench.judge(&new.good("new")).await;
    assert!(
        matches!(early, Err(AuthError::KeysUnavailable { .. })),
        "{early:?}"
    );
    release.notify_one();
    bench.settled().await;
    assert_eq!(bench.judge(&new.good("new")).await, Ok(()));
    assert_eq!(server.hits(), 2);
}

#[tokio::test]
async fn good_tokens_do_not_wait_for_a_slow_renewal() {
    let (server, bench) = start(&[ED.jwk("ed")]).await;
    assert_eq!(bench.judge(&ED.good("ed")).await, Ok(()));
    let release = Arc::new(Notify::new());
    let keys = json!({"keys": [ED.jwk("ed")]}).to_string();
    server.answer("/keys", Answer::Held(Arc::clone(&release), keys));
    bench.advance(500);
    for _ in 0..100 {
        assert_eq!(bench.judge_fresh(&ED, "ed").await, Ok(()));
    }
    let health = &bench.auth.key_health()[0];
    assert_eq!(health.fetches, 2);
    let fetched_before = Some(Duration::from_secs(500));
    assert_eq!(
        (health.age, health.failures),
        (fetched_before, 0),
        "still under way"
    );
    release.notify_one();
    bench.settled().await;
    assert_eq!(bench.auth.key_health()[0].age, Some(Duration::ZERO));
}

#[tokio::test]
async fn good_tokens_do_not_wait_for_an_issuer_that_is_known_to_be_down() {
    let server = Server::with_keys(&[ED.jwk("ed")]).await;
    let settings = JwksSettings {
        wait: Duration::from_hours(1),
        ..JwksSettings::default()
    };
    let bench = Bench::with(settings, server.config());
    assert_eq!(bench.judge(&ED.good("ed")).await, Ok(()));
    server.answer("/keys", Answer::Raw(Vec::new()));
    bench.advance(600);
    assert_eq!(bench.judge_fresh(&ED, "ed").await, Ok(()));
    let release = Arc::new(Notify::new());
    let keys = json!({"keys": [ED.jwk("ed")]}).to_string();
    server.answer("/keys", Answer::Held(Arc::clone(&release), keys));
    bench.advance(30);
    assert_eq!(bench.judge_fresh(&ED, "ed").await, Ok(()));
    let health = &bench.auth.key_health()[0];
    let fetched_before = Some(Duration::from_secs(630));
    assert_eq!(
        (health.fetches, health.age, health.failures),
        (3, fetched_before, 1)
    );
    release.notify_one();
    bench.settled().await;
    let health = &bench.auth.key_health()[0];
    assert_eq!(
        (health.age, &health.last_error),
        (Some(Duration::ZERO), &None)
    );
}

#[tokio::test]
async fn a_clock_that_is_set_back_neither_freezes_nor_floods() {
    let (server, bench) = start(&[ED.jwk("ed")]).await;
    assert_eq!(bench.judge(&ED.good("ed")).await, Ok(()));
    bench.advance(-7200);
    assert_eq!(bench.judge_fresh(&ED, "ed").await, Ok(()));
    assert_eq!(server.hits(), 2);
    for _ in 0..10 {
        assert_eq!(bench.judge_fresh(&ED, "ed").await, Ok(()));
    }
    assert_eq!(server.hits(), 2);
}

fn discovery(server: &Server) -> IssuerConfig {
    let issuer = server.url("/tenant");
    config(&json!({"issuer": issuer, "audiences": ["app"], "keys": {"discovery": true}}))
}

const DOCUMENT: &str = "/tenant/.well-known/openid-configuration";

fn discovered_token(server: &Server) -> String {
    let mut claims = claims();
    claims["iss"] = json!(server.url("/tenant"));
    ED.token(ED.header("ed"), claims)
}

#[tokio::test]
async fn discovery_leads_to_the_keys() {
    let server = Server::with_keys(&[ED.jwk("ed")]).await;
    let bench = Bench::with(JwksSettings::default(), discovery(&server));
    let document = json!({"issuer": server.url("/tenant"), "jwks_uri": server.url("/keys"), "more": [1, {"a": 2}]});
    server.answer(DOCUMENT, Answer::Json(document.to_string(), ""));
    assert_eq!(bench.judge(&discovered_token(&server)).await, Ok(()));
    assert_eq!(server.hits(), 2);
}

#[tokio::test]
async fn another_spelling_of_the_issuer_asks_discovery_again() {
    let server = Server::with_keys(&[ED.jwk("ed")]).await;
    let bench = Bench::with(JwksSettings::default(), discovery(&server));
    let document = json!({"issuer": server.url("/tenant"), "jwks_uri": server.url("/keys")});
    server.answer(DOCUMENT, Answer::Json(document.to_string(), ""));
    assert_eq!(bench.judge(&discovered_token(&server)).await, Ok(()));
    // The discovery document of both spellings stands at one address.
    let mut rules = serde_json::to_value(discovery(&server)).unwrap();
    rules["issuer"] = json!(server.url("/tenant/"));
    let issuers = vec![crate::kit::entry(1, 1, config(&rules))];
    let tenants = crate::kit::tenants();
    assert_eq!(
        bench.auth.replace_directory(Directory {
            issuers,
            tenants,
            ..Directory::default()
        }),
        []
    );
    let mut claims = claims();
    claims["iss"] = rules["issuer"].clone();
    let result = bench.judge(&ED.token(ED.header("ed"), claims)).await;
    assert!(
        matches!(result, Err(AuthError::KeysUnavailable { .. })),
        "{result:?}"
    );
    let health = &bench.auth.key_health()[0];
    let error = health.last_error.as_ref().unwrap().to_string();
    let (found, wanted) = (server.url("/tenant"), server.url("/tenant/"));
    assert!(
        error.contains(&format!("{found:?} instead of {wanted:?}")),
        "{error}"
    );
}

#[tokio::test]
async fn discovery_that_lies_brings_no_keys() {
    let server = Server::with_keys(&[ED.jwk("ed")]).await;
    let issuer = server.url("/tenant");
    let keys = server.url("/keys");
    let port = server.address.port();
    let lies: Vec<(Value, &str)> = vec![
        (json!({"jwks_uri": keys}), "discovery_issuer"),
        (
            json!({"issuer": ISSUER, "jwks_uri": keys}),
            "discovery_issuer",
        ),
        (
            json!({"issuer": format!("{issuer}/"), "jwks_uri": keys}),
            "discovery_issuer",
        ),
        (
            json!({"issuer": issuer.to_uppercase(), "jwks_uri": keys}),
            "discovery_issuer",
        ),
        (
            json!({"issuer": [issuer], "jwks_uri": keys}),
            "discovery_issuer",
        ),
        (
            json!({"issuer": null, "jwks_uri": keys}),
            "discovery_issuer",
        ),
        (json!({"issuer": issuer}), "discovery_jwks_uri"),
        (
            json!({"issuer": issuer, "jwks_uri": null}),
            "discovery_jwks_uri",
        ),
        (
            json!({"issuer": issuer, "jwks_uri": [keys]}),
            "discovery_jwks_uri",
        ),
        (
            json!({"issuer": issuer, "jwks_uri": "/keys"}),
            "discovery_jwks_uri",
        ),
        (
            json!({"issuer": issuer, "jwks_uri": ""}),
            "discovery_jwks_uri",
        ),
        (
            json!({"issuer": issuer, "jwks_uri": "file:///etc/passwd"}),
            "discovery_jwks_uri",
        ),
        (
            json!({"issuer": issuer, "jwks_uri": "http://169.254.169.254/latest"}),
            "not_allowed",
        ),
        (
            json!({"issuer": issuer, "jwks_uri": format!("http://[::1]:{port}/keys")}),
            "not_allowed",
        ),
        (
            json!({"issuer": issuer, "jwks_uri": "https://10.0.0.1/keys"}),
            "not_allowed",
        ),
        (
            json!({"issuer": issuer, "jwks_uri": format!("http://user@127.0.0.1:{port}/keys")}),
            "not_allowed",
        ),
        (
            json!({"issuer": issuer, "jwks_uri": server.url("/keys#x")}),
            "not_allowed",
        ),
        (
            json!({"issuer": issuer, "jwks_uri": server.url("/none")}),
            "status",
        ),
        (json!([issuer]), "discovery_malformed"),
        (json!("x"), "discovery_malformed"),
    ];
    for (document, error) in lies {
        let bench = Bench::with(JwksSettings::default(), discovery(&server));
        server.answer(DOCUMENT, Answer::Json(document.to_string(), ""));
        let result = bench.judge(&discovered_token(&server)).await;
        assert!(
            matches!(result, Err(AuthError::KeysUnavailable { .. })),
            "{document}: {result:?}"
        );
        let health = &bench.auth.key_health()[0];
        let found = health.last_error.as_ref().map(FetchError::as_label);
        assert_eq!(found, Some(error), "{document}");
    }
    let twice = format!(r#"{{"issuer":"{ISSUER}","issuer":"{issuer}","jwks_uri":"{keys}"}}"#);
    server.answer(DOCUMENT, Answer::Json(twice, ""));
    let bench = Bench::with(JwksSettings::default(), discovery(&server));
    assert!(bench.judge(&discovered_token(&server)).await.is_err());
    assert_eq!(
        bench.auth.key_health()[0].last_error,
        Some(FetchError::DiscoveryMalformed)
    );
}
