//! Addresses that a tenant must not make the gateway dial.

use persona_gateway::auth::{JwksSettings, Outbound, OutboundError, OutboundPolicy};
use persona_gateway::domain::fault::Fault;
use persona_gateway::domain::wrong::Wrong;
use serde_json::json;
use url::Url;

use crate::kit::{Answer, Bench, ED, ISSUER, Server, Signer, config, response};

fn guard(allow: &[&str]) -> Outbound {
    let allow = allow
        .iter()
        .map(|network| network.parse().unwrap())
        .collect();
    Outbound::new(OutboundPolicy {
        allow,
        ..OutboundPolicy::default()
    })
    .unwrap()
}

#[test]
fn inner_addresses_in_every_spelling_are_refused_by_their_text() {
    let hosts = [
        "127.0.0.1",
        "127.1",
        "127.0.1",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "0177.1",
        "017700000001",
        "127.0.0.1.",
        "127.255.255.254",
        "0.0.0.0",
        "0",
        "0.1.2.3",
        "10.0.0.1",
        "10.255.255.255",
        "012.0.0.1",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "0xa9fea9fe",
        "2852039166",
        "0251.0376.0251.0376",
        "169.254.0.1",
        "168.63.129.16",
        "0xa83f8110",
        "100.64.0.1",
        "100.100.100.200",
        "100.127.255.255",
        "192.0.0.1",
        "192.0.0.170",
        "192.0.2.1",
        "192.31.196.1",
        "192.52.193.1",
        "192.88.99.1",
        "192.175.48.1",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.7",
        "203.0.113.9",
        "224.0.0.1",
        "239.255.255.250",
        "240.0.0.1",
        "255.255.255.255",
        "１２７.0.0.1",
        "①②⑦.⓪.⓪.①",
        "127。0。0。1",
        "[::]",
        "[::1]",
        "[0:0:0:0:0:0:0:1]",
        "[::127.0.0.1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::ffff:10.0.0.1]",
        "[::ffff:169.254.169.254]",
        "[64:ff9b::7f00:1]",
        "[64:ff9b::a9fe:a9fe]",
        "[64:ff9b:1::1]",
        "[100::1]",
        "[2001::1]",
        "[2001:10::1]",
        "[2001:20::1]",
        "[2001:db8::1]",
        "[2002:7f00:1::]",
        "[2620:4f:8000::1]",
        "[2002:a9fe:a9fe::1]",
        "[3fff::1]",
        "[3fff:fff::1]",
        "[5f00::1]",
        "[fc00::1]",
        "[fd00:ec2::254]",
        "[fe80::1]",
        "[fec0::1]",
        "[ff02::1]",
        "[4000::1]",
        "[1fff::1]",
    ];
    let strict = guard(&[]);
    let lenient = guard(&["203.0.113.77/32"]);
    for host in hosts {
        for scheme in ["https", "http"] {
            let text = format!("{scheme}://{host}/keys");
            let Ok(url) = Url::parse(&text) else {
                panic!("{text} does not parse, so it tests nothing")
            };
            for guard in [&strict, &lenient] {
                assert_eq!(guard.check(&url), Err(OutboundError::NotAllowed), "{text}");
            }
        }
    }
    assert_eq!(OutboundError::NotAllowed.to_string(), "address not allowed");
}

#[test]
fn other_schemes_ports_names_and_fragments_are_refused_by_their_text() {
    let guard = guard(&[]);
    for text in [
        "http://example.com/keys",
        "http://8.8.8.8/keys",
        "http://example.com:443/keys",
        "https://example.com:80/",
        "https://example.com:22/",
        "https://example.com:8443/",
        "https://8.8.8.8:9200/",
        "https://example.com:0/",
        "https://user@example.com/",
        "https://user:pass@example.com/",
        "https://:pass@example.com/",
        "https://example.com/#fragment",
        "https://example.com/#",
        "ftp://example.com/",
        "file:///etc/passwd",
        "file://example.com/etc/passwd",
        "gopher://example.com/",
        "data:application/json,%7B%7D",
        "unix:/run/docker.sock",
        "ws://example.com/",
        "wss://example.com/",
        "javascript:1",
        "blob:https://example.com/x",
        "jar:https://example.com/x",
        "dict://example.com:11211/",
    ] {
        assert_eq!(
            guard.check(&Url::parse(text).unwrap()),
            Err(OutboundError::NotAllowed),
            "{text}"
        );
    }
}

#[test]
fn public_addresses_pass_and_listed_networks_open_only_themselves() {
    let strict = guard(&[]);
    for text in [
        "https://example.com/keys",
        "https://example.com:443/keys?x=1",
        "https://8.8.8.8/",
        "https://[2606:4700::1111]/",
        "https://[2001:4860:4860::8888]/",
        "https://172.15.0.1/",
        "https://172.32.0.1/",
        "https://100.63.0.1/",
        "https://100.128.0.1/",
        "https://192.0.1.1/",
        "https://11.0.0.1/",
        "https://xn--e1afmkfd.example/",
    ] {
        assert_eq!(strict.check(&Url::parse(text).unwrap()), Ok(()), "{text}");
    }
    let lenient = guard(&["127.0.0.0/8", "fd00::/8"]);
    for (text, expected) in [
        ("http://127.0.0.1:8080/keys", Ok(())),
        ("https://127.9.9.9:1/keys", Ok(())),
        ("http://[::ffff:127.0.0.1]/keys", Ok(())),
        ("http://[fd00::5]:99/", Ok(())),
        ("http://[::1]/", Err(OutboundError::NotAllowed)),
        ("http://10.0.0.1/", Err(OutboundError::NotAllowed)),
        ("http://8.8.8.8/", Err(OutboundError::NotAllowed)),
        ("https://8.8.8.8:8443/", Err(OutboundError::NotAllowed)),
        ("https://8.8.8.8/", Ok(())),
        ("http://user@127.0.0.1/", Err(OutboundError::NotAllowed)),
    ] {
        assert_eq!(
            lenient.check(&Url::parse(text).unwrap()),
            expected,
            "{text}"
        );
    }
}

/// What `check` says of a key address, under a policy that lists these networks.
async fn problem(server: &Server, allow: &[&str], url: String) -> String {
    let policy = OutboundPolicy {
        allow: allow
            .iter()
            .map(|network| network.parse().unwrap())
            .collect(),
        ports: vec![443, server.address.port()],
        proxy: None,
    };
    let auth = persona_gateway::auth::Authenticator::new(
        policy,
        JwksSettings::default(),
        persona_gateway::auth::IntrospectionSettings::default(),
        persona_gateway::clock::Clock::manual(crate::kit::now()),
        tokio_util::task::TaskTracker::new(),
        tokio::runtime::Handle::current(),
        persona_gateway::telemetry::metrics::Metrics::new(),
    );
    let config = config(&json!({"issuer": ISSUER, "audiences": ["app"], "keys": {"jwksUrl": url}}));
    let report = auth.unwrap().check(&config, &[], None).await;
    assert!(report.keys.is_empty());
    let messages = report.problems.iter().map(|fault| fault.message.as_str());
    messages.collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn a_name_is_judged_by_its_address_and_nothing_is_dialled() {
    let server = Server::with_keys(&[ED.jwk("ed")]).await;
    let port = server.address.port();
    let forbidden = "the key address: address not allowed or no answer within 5 seconds";
    let inner = problem(&server, &[], format!("https://localhost:{port}/keys")).await;
    assert_eq!(inner, forbidden);
    // Some network is listed, but not the one that the name leads to.
    let other = problem(
        &server,
        &["203.0.113.0/24"],
        format!("http://localhost:{port}/keys"),
    )
    .await;
    assert_eq!(other, forbidden);
    let nowhere = problem(&server, &[], format!("https://nowhere.invalid:{port}/keys")).await;
    assert_eq!(
        nowhere,
        "the key address: no such host: the name \"nowhere.invalid\" leads nowhere"
    );
    // A closed port is told where the address is listed.
    let closed = problem(
        &server,
        &["127.0.0.1/32"],
        "http://127.0.0.1:1/keys".to_owned(),
    )
    .await;
    assert_eq!(
        closed,
        "the key address: connection refused: no server listens at that port"
    );
    assert_eq!(server.hits(), 0);
    // The same name, with its network listed.
    let open = problem(
        &server,
        &["127.0.0.1/32"],
        format!("http://localhost:{port}/none"),
    )
    .await;
    assert_eq!(
        (open.as_str(), server.hits()),
        (
            "the key address: answered with status 404 instead of 200",
            1
        )
    );
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let inside = Server::with_keys(&[ED.jwk("ed")]).await;
    let server = Server::start().await;
    for (status, hits) in [(301, 1), (302, 2), (303, 3), (307, 4), (308, 5)] {
        let location = inside.url("/keys");
        let answer = format!(
            "HTTP/1.1 {status} Moved\r\nlocation: {location}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        );
        server.answer("/keys", Answer::Raw(answer.into_bytes()));
        let problem = problem(&server, &["127.0.0.1/32"], server.url("/keys")).await;
        assert_eq!(
            problem,
            format!(
                "the key address: answered with status {status}, a redirect to {location:?}, which is not followed: give that address if it is the right one"
            )
        );
        assert_eq!((server.hits(), inside.hits()), (hits, 0));
    }
}

#[tokio::test]
async fn answers_that_are_long_compressed_cut_or_odd_bring_no_keys() {
    let server = Server::start().await;
    let keys = json!({"keys": [ED.jwk("ed")]}).to_string();
    let huge = json!({"keys": [ED.jwk("ed")], "x": "x".repeat(256 * 1024)}).to_string();
    let chunked = {
        let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
        format!(
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n{}",
            chunk.repeat(8)
        )
    };
    let too_large = "the key address: answered with more than 256 kB";
    let broken =
        "the key address: the connection ended before the answer did, or the answer is no HTTP";
    let malformed = "the key set is no JWK set: {\"keys\": [...]}, no name twice, no deep nesting";
    let certificate = "-----BEGIN CERTIFICATE-----\nMIIC\n-----END CERTIFICATE-----\n";
    let certificates =
        "the key set holds certificates, not a key set: give the address of the JWK set";
    for (name, answer, expected) in [
        ("huge", response(&huge, ""), too_large),
        ("endless chunks", chunked.into_bytes(), too_large),
        (
            "gzip",
            response(&keys, "content-encoding: gzip\r\n"),
            "the key address: answered compressed (gzip), which was not requested",
        ),
        (
            "cut",
            format!("HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n{keys}").into_bytes(),
            broken,
        ),
        ("no HTTP", b"SSH-2.0-OpenSSH_9.2\r\n".to_vec(), broken),
        ("nothing", Vec::new(), broken),
        (
            "HTML",
            response("<html>sign in</html>", "content-type: text/html\r\n"),
            "the key set is HTML, not a key set: the address leads to a page, such as a sign-in or an error",
        ),
        (
            "certificates by key id",
            response(
                &json!({"a1": certificate, "b2": certificate}).to_string(),
                "",
            ),
            certificates,
        ),
        ("a certificate", response(certificate, ""), certificates),
        (
            "a discovery document",
            response(
                r#"{"issuer":"https://a.example","jwks_uri":"https://a.example/k"}"#,
                "",
            ),
            "the key set is a discovery document, not a key set: give it as metadataUrl, or its jwks_uri as jwksUrl",
        ),
        ("BOM", response(&format!("\u{feff}{keys}"), ""), malformed),
        ("empty body", response("", ""), malformed),
        (
            "204",
            b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n".to_vec(),
            "the key address: answered with status 204 instead of 200",
        ),
        (
            "no keys",
            response(r#"{"keys":[]}"#, ""),
            "the key set holds no keys",
        ),
    ] {
        server.answer("/keys", Answer::Raw(answer));
        assert_eq!(
            problem(&server, &["127.0.0.1/32"], server.url("/keys")).await,
            expected,
            "{name}"
        );
    }
}

#[tokio::test]
async fn check_says_for_each_key_why_it_is_skipped_where_all_are() {
    let mut encryption = Signer::ed().jwk("enc");
    encryption["use"] = json!("enc");
    let server = Server::with_keys(&[encryption, json!({"kty": "oct", "k": "AAAA"})]).await;
    let bench = Bench::new(JwksSettings::default());
    let fetched = config(
        &json!({"issuer": ISSUER, "audiences": ["app"], "keys": {"jwksUrl": server.url("/keys")}}),
    );
    let report = bench.auth.check(&fetched, &[], None).await;
    assert_eq!(
        report.problems[0].message,
        "the key set holds no key that can verify signatures: \
         the key \"enc\" is not for verifying signatures, by its `use` or `key_ops`; \
         the key at /keys/1 is a secret; secrets are never taken from a key set"
    );
    let skipped: Vec<_> = report
        .skipped
        .iter()
        .map(|key| (key.index, key.kid.as_deref()))
        .collect();
    assert_eq!(skipped, [(0, Some("enc")), (1, None)]);
}

#[tokio::test]
async fn check_lists_the_keys_and_what_was_skipped() {
    let mut encryption = Signer::ed().jwk("enc");
    encryption["use"] = json!("enc");
    let server = Server::with_keys(&[ED.jwk("ed"), encryption]).await;
    let bench = Bench::new(JwksSettings::default());
    let report = bench.auth.check(&server.config(), &[], None).await;
    assert_eq!(
        serde_json::to_value(&report).unwrap(),
        json!({
            "keys": [{"kid": "ed", "algorithm": "EdDSA"}],
            "skipped": [{"index": 1, "kid": "enc", "reason": "is not for verifying signatures, by its `use` or `key_ops`"}],
            "offered": ["EdDSA"],
            "problems": [],
            "notes": ["the set has no key for RS256, ES256 at present"],
        })
    );
    let mut rules = serde_json::to_value(server.config()).unwrap();
    rules["algorithms"] = json!(["RS256", "ES256"]);
    let report = bench.auth.check(&config(&rules), &[], None).await;
    assert_eq!(
        report.problems,
        [Fault::new(
            "/algorithms",
            Wrong::NoKeyFor {
                wanted: "RS256, ES256".to_owned(),
                offered: "EdDSA".to_owned(),
            }
        )]
    );
}
