//! Opaque tokens: what attackers send, and what endpoints get wrong.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use persona_gateway::auth::{
    AuthError, CheckReport, Directory, IntrospectionSettings, IssuerEntry, JwksSettings, Owner,
    Refusal, TokenReport,
};
use persona_gateway::domain::issuer::IssuerConfig;
use secrecy::SecretSlice;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::sync::Notify;

use crate::kit::{self, Bench, ISSUER, NOW, RSA, entry, read_request, response, tenants};

const CLIENT_SECRET: &str = "s3cret:of the gateway";
const CLIENT_HEADER: &str =
    "authorization: Basic cGVyc29uYStnYXRld2F5OnMzY3JldCUzQW9mK3RoZStnYXRld2F5";
const HERE: Option<IpAddr> = None;
const USER: &str = "user-1";

/// An authorization server: answers about the tokens that it knows, and says of others that they are not active.
#[derive(Clone)]
struct Server {
    url: String,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    tokens: HashMap<String, Value>,
    /// What is answered to everything instead.
    raw: Option<Vec<u8>>,
    /// What answers wait for.
    gate: Option<Arc<Notify>>,
    /// Head and body of each question.
    asked: Vec<(String, String)>,
}

impl Server {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            url: format!("http://{}/introspect", listener.local_addr().unwrap()),
            shared: Arc::default(),
        };
        let shared = Arc::clone(&server.shared);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let shared = Arc::clone(&shared);
                tokio::spawn(async move {
                    let Some((head, body)) = read_request(&mut stream).await else {
                        return;
                    };
                    let token = url::form_urlencoded::parse(body.as_bytes())
                        .find(|(name, _)| name == "token")
                        .map(|(_, token)| token.into_owned());
                    let (answer, gate) = {
                        let mut shared = shared.lock().unwrap();
                        shared.asked.push((head, body));
                        let known = token.and_then(|token| shared.tokens.get(&token).cloned());
                        let said = known.unwrap_or_else(|| json!({"active": false}));
                        let raw = shared.raw.clone();
                        (
                            raw.unwrap_or_else(|| response(&said.to_string(), "")),
                            shared.gate.clone(),
                        )
                    };
                    if let Some(gate) = gate {
                        gate.notified().await;
                    }
                    // The client hangs up early on answers that are too long.
                    let _sent = stream.write_all(&answer).await;
                });
            }
        });
        server
    }

    fn knows(&self, token: &str, said: Value) {
        self.shared
            .lock()
            .unwrap()
            .tokens
            .insert(token.to_owned(), said);
    }

    fn forgets(&self, token: &str) {
        self.shared.lock().unwrap().tokens.remove(token);
    }

    fn answers(&self, raw: &[u8]) {
        self.shared.lock().unwrap().raw = Some(raw.to_vec());
    }

    fn holds(&self) -> Arc<Notify> {
        let gate = Arc::new(Notify::new());
        self.shared.lock().unwrap().gate = Some(Arc::clone(&gate));
        gate
    }

    fn asked(&self) -> usize {
        self.shared.lock().unwrap().asked.len()
    }

    fn config_with(&self, more: &Value) -> IssuerConfig {
        let mut config = json!({
            "issuer": ISSUER, "audiences": ["app"], "audienceClaim": "client_id", "claims": {"plan": "plan", "scope": "scope"},
            "keys": {"introspection": {"endpoint": self.url, "clientId": "persona gateway"}},
        });
        for (name, value) in more.as_object().unwrap() {
            config["keys"]["introspection"][name] = value.clone();
        }
        kit::config(&config)
    }

    fn config(&self) -> IssuerConfig {
        self.config_with(&json!({}))
    }
}

/// What is said of a good token.
fn good() -> Value {
    json!({
        "active": true, "client_id": "app", "sub": "user-1", "exp": NOW + 600, "iat": NOW,
        "scope": "openid persona", "token_type": "Bearer", "plan": "pro",
    })
}

fn good_with(name: &str, value: Value) -> Value {
    let mut said = good();
    said[name] = value;
    said
}

fn with_secret(mut entry: IssuerEntry) -> IssuerEntry {
    entry.secrets = vec![SecretSlice::from(CLIENT_SECRET.as_bytes().to_vec())];
    entry
}

/// An issuer of tenant 1, `acme`.
fn bench(config: IssuerConfig) -> Bench {
    bench_of(vec![with_secret(entry(1, 1, config))])
}

fn bench_of(issuers: Vec<IssuerEntry>) -> Bench {
    // Patience that no test reaches by itself.
    let bench = Bench::new(JwksSettings {
        wait: Duration::from_mins(1),
        ..JwksSettings::default()
    });
    let directory = Directory {
        issuers,
        tenants: tenants(),
        ..Directory::default()
    };
    assert_eq!(bench.auth.replace_directory(directory), []);
    bench
}

async fn subject(bench: &Bench, token: &str) -> Result<String, AuthError> {
    let caller = bench.auth.introspect(token, "acme", HERE).await?;
    Ok(caller.subject.as_str().to_owned())
}

fn refused(refusal: Refusal) -> Result<String, AuthError> {
    Err(refusal.into())
}

fn is_unavailable<T>(result: &Result<T, AuthError>) -> bool {
    matches!(result, Err(AuthError::IntrospectionUnavailable { .. }))
}

#[tokio::test]
async fn a_good_token_names_its_user_and_stands_in_no_address() {
    let server = Server::start().await;
    server.knows("opaque-1", good());
    let bench = bench(server.config());
    let caller = bench
        .auth
        .introspect("opaque-1", "acme", HERE)
        .await
        .unwrap();
    assert_eq!(
        (caller.tenant, caller.subject.as_str()),
        (kit::tenant(1), "user-1")
    );
    assert_eq!(
        json!(caller.facts),
        json!({"plan": "pro", "scope": ["openid", "persona"]})
    );
    let by_id = kit::tenant(1).to_string();
    assert!(
        bench
            .auth
            .introspect("opaque-1", &by_id, HERE)
            .await
            .is_ok()
    );
    let asked = server.shared.lock().unwrap().asked.clone();
    let [(head, body)] = asked.as_slice() else {
        panic!("asked {} times", asked.len());
    };
    assert!(head.starts_with("POST /introspect HTTP/1.1\r\n"), "{head}");
    assert!(head.lines().any(|line| line == CLIENT_HEADER), "{head}");
    assert!(!head.contains("opaque-1"));
    assert_eq!(body, "token=opaque-1&token_type_hint=access_token");
}

#[tokio::test]
async fn id_and_secret_go_into_the_body_where_the_issuer_wants_them_there() {
    let server = Server::start().await;
    server.knows("a+b/c==", good());
    let bench = bench(server.config_with(&json!({"authentication": "client_secret_post"})));
    assert_eq!(subject(&bench, "a+b/c==").await, Ok(USER.to_owned()));
    let (head, body) = server.shared.lock().unwrap().asked[0].clone();
    assert!(!head.contains("authorization"), "{head}");
    assert_eq!(
        body,
        "token=a%2Bb%2Fc%3D%3D&token_type_hint=access_token&client_id=persona+gateway&client_secret=s3cret%3Aof+the+gateway"
    );
}

#[tokio::test]
async fn a_token_is_believed_for_as_long_as_the_issuer_says_and_never_longer_than_it_lives() {
    let server = Server::start().await;
    server.knows("long", good());
    server.knows("short", good_with("exp", json!(NOW + 20)));
    let bench = bench(server.config());
    for (token, asked) in [("long", 1), ("long", 1), ("short", 2), ("short", 2)] {
        assert_eq!(subject(&bench, token).await, Ok(USER.to_owned()));
        assert_eq!(server.asked(), asked);
    }
    server.forgets("long");
    server.forgets("short");
    bench.advance(19);
    assert_eq!(subject(&bench, "short").await, Ok(USER.to_owned()));
    bench.advance(1);
    assert_eq!(
        subject(&bench, "short").await,
        refused(Refusal::Inactive),
        "its time was over"
    );
    bench.advance(39);
    assert_eq!(
        subject(&bench, "long").await,
        Ok(USER.to_owned()),
        "revoked, and believed for 60 seconds"
    );
    assert_eq!(server.asked(), 3);
    bench.advance(1);
    assert_eq!(subject(&bench, "long").await, refused(Refusal::Inactive));
    assert_eq!(server.asked(), 4);
}

#[tokio::test]
async fn an_issuer_may_want_to_be_asked_each_time() {
    let server = Server::start().await;
    server.knows("opaque", good());
    let bench = bench(server.config_with(&json!({"cacheSeconds": 0})));
    assert_eq!(subject(&bench, "opaque").await, Ok(USER.to_owned()));
    server.forgets("opaque");
    assert_eq!(subject(&bench, "opaque").await, refused(Refusal::Inactive));
}

#[tokio::test]
async fn a_refused_token_is_not_asked_about_again_for_ten_seconds() {
    let server = Server::start().await;
    let bench = bench(server.config());
    server.knows("another's", good());
    server.knows(
        "other-audience",
        good_with("client_id", json!("another-app")),
    );
    for _ in 0..3 {
        assert_eq!(subject(&bench, "unknown").await, refused(Refusal::Inactive));
        assert_eq!(
            subject(&bench, "other-audience").await,
            refused(Refusal::Audience)
        );
    }
    assert_eq!(server.asked(), 2);
    server.knows("unknown", good());
    bench.advance(9);
    assert_eq!(subject(&bench, "unknown").await, refused(Refusal::Inactive));
    bench.advance(1);
    assert_eq!(subject(&bench, "unknown").await, Ok(USER.to_owned()));
}

#[tokio::test]
async fn what_an_answer_lacks_is_refused_for_its_own_reason() {
    let server = Server::start().await;
    let bench = bench(server.config());
    for (number, (name, value, why)) in [
        ("client_id", json!("another-app"), Refusal::Audience),
        ("client_id", json!(null), Refusal::Claims),
        ("sub", json!(null), Refusal::Claims),
        ("sub", json!(""), Refusal::Subject),
        ("exp", json!(NOW - 100), Refusal::Expired),
        ("exp", json!("1800000600"), Refusal::Claims),
        ("exp", json!(null), Refusal::Claims),
        ("exp", json!(NOW + 1_000_000), Refusal::Lifetime),
        ("iss", json!("https://evil.example"), Refusal::Issuer),
        ("iss", json!([ISSUER]), Refusal::Claims),
        ("token_type", json!("DPoP"), Refusal::Kind),
        ("active", json!(false), Refusal::Inactive),
    ]
    .into_iter()
    .enumerate()
    {
        let token = format!("bad-{number}");
        server.knows(&token, good_with(name, value.clone()));
        assert_eq!(
            subject(&bench, &token).await,
            refused(why),
            "{name} {value}"
        );
    }
    // RFC 7519, 2: a date may have a fraction.
    server.knows("fraction", good_with("exp", json!(1_800_000_600.5)));
    assert_eq!(subject(&bench, "fraction").await, Ok(USER.to_owned()));
}

#[tokio::test]
async fn an_endpoint_that_does_not_answer_as_it_should_lets_nobody_in_and_is_known_for_nothing() {
    let server = Server::start().await;
    server.knows("opaque", good());
    let answers: [(&str, Vec<u8>); 9] = [
        ("active as a text", response(&good_with("active", json!("true")).to_string(), "")),
        ("no active", response(r#"{"sub": "user-1"}"#, "")),
        ("twice", response(r#"{"active": false, "active": true, "sub": "user-1"}"#, "")),
        ("no JSON", response("yes", "")),
        ("huge", response(&json!({"active": true, "pad": "x".repeat(300_000)}).to_string(), "")),
        (
            "a redirect",
            b"HTTP/1.1 307 Temporary Redirect\r\nlocation: http://127.0.0.1/other\r\ncontent-length: 0\r\n\r\n".to_vec(),
        ),
        ("refused", b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n".to_vec()),
        ("broken", b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n".to_vec()),
        ("cut", b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{\"active\": true".to_vec()),
    ];
    for (name, answer) in answers {
        let bench = bench(server.config());
        server.answers(&answer);
        let judged = subject(&bench, "opaque").await;
        assert!(is_unavailable(&judged), "{name}: {judged:?}");
        server.shared.lock().unwrap().raw = None;
        assert_eq!(
            subject(&bench, "opaque").await,
            Ok(USER.to_owned()),
            "after {name}"
        );
    }
}

#[tokio::test]
async fn what_is_no_bearer_token_is_never_sent() {
    let server = Server::start().await;
    let bench = bench(server.config());
    for (token, why) in [
        ("with space", Refusal::Malformed),
        ("line\r\nbreak", Refusal::Malformed),
        ("\"quoted\"", Refusal::Malformed),
        ("a%26client_id=x", Refusal::Malformed),
        ("", Refusal::Malformed),
        ("=", Refusal::Malformed),
        (&"x".repeat(16 * 1024 + 1), Refusal::TooLarge),
    ] {
        assert_eq!(subject(&bench, token).await, refused(why));
    }
    assert_eq!(server.asked(), 0);
    let long = "x".repeat(16 * 1024);
    server.knows(&long, good());
    assert_eq!(subject(&bench, &long).await, Ok(USER.to_owned()));
}

#[tokio::test]
async fn a_token_is_shown_to_the_issuer_of_the_tenant_that_it_was_sent_for_and_signs_in_there_alone()
 {
    let (acme, globex) = (Server::start().await, Server::start().await);
    acme.knows("of-acme", good());
    globex.knows("of-globex", good_with("sub", json!("somebody")));
    let both = vec![
        with_secret(entry(1, 1, acme.config())),
        with_secret(entry(2, 2, globex.config())),
    ];
    let bench = bench_of(both);
    let of = async |token, tenant| bench.auth.introspect(token, tenant, HERE).await;
    assert_eq!(of("of-acme", "acme").await.unwrap().tenant, kit::tenant(1));
    assert_eq!(
        of("of-globex", "globex").await.unwrap().tenant,
        kit::tenant(2)
    );
    // Known to be good at the one is nothing at the other.
    for (token, tenant) in [("of-acme", "globex"), ("of-globex", "acme")] {
        assert_eq!(
            of(token, tenant).await.unwrap_err(),
            Refusal::Inactive.into()
        );
    }
    for (name, why) in [
        ("nobody", Refusal::UnknownTenant),
        ("", Refusal::UnknownTenant),
        (" acme", Refusal::UnknownTenant),
        ("ACME", Refusal::UnknownTenant),
    ] {
        assert_eq!(
            of("of-acme", name).await.unwrap_err(),
            why.into(),
            "{name:?}"
        );
    }
    assert_eq!((acme.asked(), globex.asked()), (2, 2));

    let alone = bench_of(vec![with_secret(entry(1, 1, acme.config()))]);
    let at_other = alone.auth.introspect("of-acme", "globex", HERE).await;
    assert_eq!(at_other.unwrap_err(), Refusal::NoIntrospection.into());
    assert_eq!(acme.asked(), 2);
}

#[tokio::test]
async fn an_issuer_with_opaque_tokens_takes_no_pair_from_an_issuer_of_jwts() {
    let server = Server::start().await;
    let opaque = kit::config(&json!({
        "issuer": ISSUER, "audiences": ["app"],
        "keys": {"introspection": {"endpoint": server.url, "clientId": "gateway"}},
    }));
    // Of one tenant, and of another.
    for tenant in [1, 2] {
        let bench = bench_of(vec![
            entry(1, 1, kit::inline_config()),
            with_secret(entry(2, tenant, opaque.clone())),
        ]);
        let caller = bench.auth.authenticate(&RSA.good("rsa")).await.unwrap();
        assert_eq!(caller.tenant, kit::tenant(1));
    }
    let alone = bench(opaque);
    let jwt = RSA.good("rsa");
    let judged = alone.auth.authenticate(&jwt).await.map(|_| ());
    assert_eq!(judged, Err(Refusal::UnknownIssuer.into()));
    assert_eq!(server.asked(), 0);
}

#[tokio::test]
async fn what_is_known_stays_with_an_issuer_that_stays_and_goes_with_one_that_changes() {
    let server = Server::start().await;
    server.knows("opaque", good());
    let bench = bench(server.config());
    let replace = |config: Option<IssuerConfig>, secret: &str| {
        let issuers = config.map(|config| {
            let mut entry = entry(1, 1, config);
            entry.secrets = vec![SecretSlice::from(secret.as_bytes().to_vec())];
            entry
        });
        let part = Directory {
            issuers: issuers.into_iter().collect(),
            tenants: tenants(),
            ..Directory::default()
        };
        assert_eq!(
            bench.auth.replace_part(Owner::Tenant(kit::tenant(1)), part),
            []
        );
    };
    assert_eq!(subject(&bench, "opaque").await, Ok(USER.to_owned()));
    replace(Some(server.config()), CLIENT_SECRET);
    assert_eq!(subject(&bench, "opaque").await, Ok(USER.to_owned()));
    assert_eq!(server.asked(), 1, "nothing has changed");
    server.forgets("opaque");
    replace(Some(server.config()), "another secret");
    assert_eq!(subject(&bench, "opaque").await, refused(Refusal::Inactive));
    server.knows("opaque", good());
    let mut stricter = serde_json::to_value(server.config()).unwrap();
    stricter["requiredClaims"] = json!({"scope": "admin"});
    replace(Some(kit::config(&stricter)), CLIENT_SECRET);
    assert_eq!(
        subject(&bench, "opaque").await,
        refused(Refusal::RequiredClaim)
    );
    replace(None, CLIENT_SECRET);
    assert_eq!(
        subject(&bench, "opaque").await,
        refused(Refusal::NoIntrospection)
    );
}

#[tokio::test]
async fn however_many_ask_about_a_token_the_endpoint_is_asked_once() {
    let server = Server::start().await;
    server.knows("opaque", good());
    let gate = server.holds();
    let bench = bench(server.config());
    let all = (0..100).map(|_| subject(&bench, "opaque"));
    let (all, ()) = tokio::join!(futures_util::future::join_all(all), async {
        until_asked(&server, 1).await;
        gate.notify_one();
    });
    assert!(all.iter().all(|one| *one == Ok(USER.to_owned())));
    assert_eq!(server.asked(), 1);
}

async fn until_asked(server: &Server, times: usize) {
    while server.asked() < times {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_slow_endpoint_holds_up_its_own_tenant_alone_and_so_many_questions() {
    let (slow, quick) = (Server::start().await, Server::start().await);
    quick.knows("quick", good());
    let gate = slow.holds();
    let bench = Arc::new(bench_of(vec![
        with_secret(entry(1, 1, slow.config())),
        with_secret(entry(2, 2, quick.config())),
    ]));
    let in_flight = IntrospectionSettings::default().in_flight;
    let waiting: Vec<_> = (0..in_flight)
        .map(|number| {
            let bench = Arc::clone(&bench);
            tokio::spawn(async move { subject(&bench, &format!("slow-{number}")).await })
        })
        .collect();
    until_asked(&slow, in_flight).await;
    let one_more = subject(&bench, "one-more").await;
    assert!(is_unavailable(&one_more), "at once: {one_more:?}");
    let other = bench.auth.introspect("quick", "globex", HERE).await;
    assert!(other.is_ok(), "{other:?}");
    assert!(bench.auth.authenticate(&RSA.good("rsa")).await.is_err());
    assert_eq!(slow.asked(), in_flight);
    slow.shared.lock().unwrap().gate = None;
    gate.notify_waiters();
    for one in waiting {
        assert_eq!(one.await.unwrap(), refused(Refusal::Inactive));
    }
    assert_eq!(
        subject(&bench, "one-more").await,
        refused(Refusal::Inactive)
    );
}

#[tokio::test]
async fn whoever_stops_waiting_leaves_the_answer_to_those_who_come_after() {
    let server = Server::start().await;
    server.knows("opaque", good());
    let gate = server.holds();
    let bench = Bench::new(JwksSettings {
        wait: Duration::from_millis(20),
        ..JwksSettings::default()
    });
    let directory = Directory {
        issuers: vec![with_secret(entry(1, 1, server.config()))],
        tenants: tenants(),
        ..Directory::default()
    };
    assert_eq!(bench.auth.replace_directory(directory), []);
    assert!(is_unavailable(&subject(&bench, "opaque").await));
    until_asked(&server, 1).await;
    gate.notify_one();
    bench.settled().await;
    assert_eq!(subject(&bench, "opaque").await, Ok(USER.to_owned()));
    assert_eq!(server.asked(), 1);
}

#[tokio::test]
async fn made_up_tokens_from_one_address_soon_cost_nothing_and_good_ones_are_not_counted() {
    let server = Server::start().await;
    let bench = bench(server.config());
    let (here, there): (IpAddr, IpAddr) =
        ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
    let of = async |token: &str, from| {
        bench
            .auth
            .introspect(token, "acme", Some(from))
            .await
            .map(|_| ())
    };
    for number in 0..40 {
        let token = format!("good-{number}");
        server.knows(&token, good());
        assert_eq!(of(&token, here).await, Ok(()));
    }
    bench.advance(1);
    for number in 0..30 {
        let judged = of(&format!("made-up-{number}"), here).await;
        assert_eq!(judged, Err(Refusal::Inactive.into()));
    }
    bench.advance(1);
    assert_eq!(server.asked(), 70);
    let held = of("made-up-30", here).await;
    assert!(
        matches!(held, Err(AuthError::TooManyRefused { .. })),
        "{held:?}"
    );
    assert_eq!(server.asked(), 70);
    assert_eq!(of("good-1", here).await, Ok(()), "known is known");
    server.knows("new", good());
    assert_eq!(of("new", there).await, Ok(()));
    bench.advance(60);
    assert_eq!(of("made-up-30", here).await, Err(Refusal::Inactive.into()));
}

#[tokio::test]
async fn an_endpoint_is_asked_so_often_a_second_and_left_alone_when_it_fails_again_and_again() {
    let server = Server::start().await;
    let bench = bench(server.config());
    server.knows("known", good());
    assert_eq!(subject(&bench, "known").await, Ok(USER.to_owned()));
    let most = usize::try_from(IntrospectionSettings::default().per_second).unwrap();
    for number in 1..most {
        assert_eq!(
            subject(&bench, &format!("made-up-{number}")).await,
            refused(Refusal::Inactive)
        );
    }
    assert!(is_unavailable(&subject(&bench, "one-more").await));
    assert_eq!(subject(&bench, "known").await, Ok(USER.to_owned()));
    assert_eq!(server.asked(), most);
    bench.advance(1);
    assert_eq!(
        subject(&bench, "one-more").await,
        refused(Refusal::Inactive)
    );

    server.answers(b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n");
    for number in 0..8 {
        assert!(is_unavailable(
            &subject(&bench, &format!("down-{number}")).await
        ));
    }
    assert_eq!(server.asked(), most + 1 + 5);
    server.shared.lock().unwrap().raw = None;
    bench.advance(5);
    assert_eq!(subject(&bench, "down-7").await, refused(Refusal::Inactive));
}

#[tokio::test]
async fn a_suspended_tenants_good_token_is_told_so_and_a_bad_one_is_not() {
    let server = Server::start().await;
    server.knows("opaque", good());
    let mut suspended = tenants();
    suspended[0].active = false;
    let bench = bench(server.config());
    let directory = Directory {
        issuers: vec![with_secret(entry(1, 1, server.config()))],
        tenants: suspended,
        ..Directory::default()
    };
    assert_eq!(bench.auth.replace_directory(directory), []);
    let tenant = kit::tenant(1);
    assert_eq!(
        subject(&bench, "opaque").await,
        Err(AuthError::TenantSuspended { tenant })
    );
    assert_eq!(subject(&bench, "made-up").await, refused(Refusal::Inactive));
}

async fn tried(config: &IssuerConfig, secret: Option<&str>, token: Option<&str>) -> CheckReport {
    let bench = Bench::new(JwksSettings::default());
    let secrets = secret.map(|secret| SecretSlice::from(secret.as_bytes().to_vec()));
    let secrets: Vec<_> = secrets.into_iter().collect();
    bench.auth.check(config, &secrets, token).await
}

fn step<'r>(report: &'r TokenReport, name: &str) -> &'r str {
    let step = report.steps.iter().find(|step| step.name == name);
    &step.unwrap_or_else(|| panic!("no step {name}")).message
}

#[tokio::test]
async fn a_try_out_asks_about_a_made_up_token_and_says_what_keeps_good_ones_out() {
    let server = Server::start().await;
    let config = server.config();
    let report = tried(&config, Some(CLIENT_SECRET), None).await;
    assert_eq!(report.problems, []);
    assert!(report.notes[0].contains("60 seconds"), "{:?}", report.notes);
    let (_, body) = server.shared.lock().unwrap().asked[0].clone();
    assert!(body.starts_with("token=persona-gateway-check-"), "{body}");

    let without = tried(&config, None, None).await;
    assert_eq!(without.problems[0].pointer, "/keys/introspection");
    for (answer, pointer, words) in [
        (
            b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n".to_vec(),
            "/keys/introspection/clientId",
            "the endpoint refused our client id and secret (status 401)",
        ),
        (
            response("{\"active\": true}", ""),
            "/keys/introspection/endpoint",
            "a made-up token is active",
        ),
        (
            b"HTTP/1.1 308 Permanent Redirect\r\nlocation: https://id.example.com/new\r\ncontent-length: 0\r\n\r\n".to_vec(),
            "/keys/introspection/endpoint",
            "a redirect to \"https://id.example.com/new\"",
        ),
        (
            response("<html></html>", ""),
            "/keys/introspection/endpoint",
            "no JSON object",
        ),
        (
            response("{\"keys\": []}", ""),
            "/keys/introspection/endpoint",
            "is it the introspection endpoint?",
        ),
    ] {
        server.answers(&answer);
        let report = tried(&config, Some(CLIENT_SECRET), Some("opaque")).await;
        let [problem] = report.problems.as_slice() else {
            panic!("{:?}", report.problems);
        };
        assert_eq!(problem.pointer, pointer, "{problem}");
        assert!(problem.message.contains(words), "{problem}");
        assert!(!report.token.unwrap().accepted);
    }
}

#[tokio::test]
async fn a_try_out_explains_everything_that_is_wrong_with_a_pasted_token_at_once() {
    let server = Server::start().await;
    let config = server.config();
    server.knows("opaque", good());
    let explain = async |token: &str| {
        let report = tried(&config, Some(CLIENT_SECRET), Some(token)).await;
        assert_eq!(report.problems, []);
        report.token.unwrap()
    };
    let report = explain("opaque").await;
    assert!(report.accepted, "{report:?}");
    assert_eq!(report.subject.as_deref(), Some("user-1"));
    assert_eq!(
        json!(report.facts),
        json!({"plan": "pro", "scope": ["openid", "persona"]})
    );

    server.knows(
        "wrong",
        json!({
            "active": true, "iss": "https://id.example.com/", "aud": "app", "client_id": "another",
            "exp": NOW - 3600, "token_type": "DPoP",
        }),
    );
    let report = explain("Bearer \"wrong\"").await;
    assert!(!report.accepted);
    for (name, words) in [
        ("form", "has `Bearer` before it"),
        ("form", "has quotes"),
        ("introspection", "active: true"),
        ("issuer", "a slash at the end counts"),
        ("type", "\"DPoP\""),
        ("audience", "client_id is [\"another\"]"),
        ("audience", "with audienceClaim aud that counts"),
        ("time", "has expired"),
        ("subject", "sub is missing"),
    ] {
        let told = step(&report, name);
        assert!(told.contains(words), "{name}: {told}");
    }
    // Good but for what stands around it.
    let report = explain("Bearer opaque").await;
    assert!(!report.accepted);
    assert!(report.subject.is_none());

    assert!(step(&explain("gone").await, "introspection").contains("`active: false`"));
    let jwt = RSA.good("rsa");
    let before = server.asked();
    assert!(step(&explain(&jwt).await, "form").contains("is a JWT"));
    assert!(step(&explain("fünf").await, "form").contains("RFC 6750"));
    assert!(step(&explain(&"x".repeat(20_000)).await, "form").contains("20000 bytes"));
    assert_eq!(server.asked(), before + 3, "made-up tokens alone");
}

#[tokio::test]
async fn the_files_of_the_page_take_tokens_of_which_their_provider_says_what_it_says() {
    let answers = [
        (
            json!({
                "active": true, "client_id": "acme-web", "sub": "user-1", "scope": "openid persona", "username": "ann", "plan": "pro",
            }),
            json!({"plan": "pro", "scopes": ["openid", "persona"]}),
        ),
        // Zitadel.
        (
            json!({
                "active": true, "aud": ["252856053933356542@acme", "252855756087375358"], "client_id": "252856053933356542@acme",
                "iss": "https://acme-ab12cd.zitadel.cloud", "jti": "V2_284372262897903968-at_284372262897969504", "nbf": NOW,
                "scope": "openid profile urn:zitadel:iam:org:project:id:252855756087375358:aud", "sub": "252853000000000001",
                "token_type": "Bearer", "username": "ann@acme.example", "name": "Ann", "locale": "de", "email_verified": true,
            }),
            json!({"name": "Ann", "locale": "de"}),
        ),
        // Okta's org server.
        (
            json!({
                "active": true, "aud": "https://acme.okta.com", "client_id": "0oa1b2c3d4e5f6g7h8i9", "device_id": "q4SZgrA9sOeHkfst5uaa",
                "iss": "https://acme.okta.com", "jti": "AT.7P4KlczBYVcWLkxduEuKeZfeiNYkZIC9uGJ28Cc-YaI", "nbf": NOW,
                "scope": "openid profile", "sub": "ann@acme.example", "token_type": "Bearer", "uid": "00uid4BxXw6I6TV4m0g3",
                "username": "ann@acme.example",
            }),
            json!({"login": "ann@acme.example", "scopes": ["openid", "profile"]}),
        ),
    ];
    let files = crate::providers::files("opaque-tokens");
    assert_eq!(files.len(), answers.len());
    for (file, (mut said, facts)) in files.iter().zip(answers) {
        let server = Server::start().await;
        let mut config = serde_json::to_value(file).unwrap();
        config["keys"]["introspection"]["endpoint"] = json!(server.url);
        said["iat"] = json!(NOW);
        said["exp"] = json!(NOW + 3600);
        server.knows("opaque", said.clone());
        let bench = bench(kit::config(&config));
        let caller = bench.auth.introspect("opaque", "acme", HERE).await.unwrap();
        assert_eq!(json!(caller.facts), facts);
        assert_eq!(caller.subject.as_str(), said["sub"].as_str().unwrap());
        said["client_id"] = json!("another-app");
        said["aud"] = json!("another-app");
        server.knows("of-another-app", said);
        assert_eq!(
            subject(&bench, "of-another-app").await,
            refused(Refusal::Audience)
        );
    }
}
