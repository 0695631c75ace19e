//! Servers that keys are fetched from, by their certificates; and the proxy on the way to them. The servers speak TLS for real.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use persona_gateway::auth::{Authenticator, JwksSettings, OutboundPolicy};
use persona_gateway::config::WebProxy;
use persona_gateway::domain::issuer::IssuerConfig;
use rcgen::{
    BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, KeyUsagePurpose, date_time_ymd,
};
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::kit::{ED, ISSUER, config, now, read_head, response};

/// An authority of nobody but these tests.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// What a certificate has otherwise than a good one.
#[derive(Default)]
struct Odd {
    expired: bool,
    not_ca: bool,
}

fn years(params: &mut CertificateParams, is_expired: bool) {
    // The tests' clock stands in 2027; what checks certificates looks at the machine's.
    params.not_before = date_time_ymd(2015, 1, 1);
    params.not_after = date_time_ymd(if is_expired { 2016 } else { 2099 }, 1, 1);
}

impl Authority {
    fn new(odd: &Odd) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        if !odd.not_ca {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        }
        years(&mut params, odd.expired);
        let pem = params.self_signed(&key).unwrap().pem();
        Self {
            issuer: Issuer::new(params, key),
            pem,
        }
    }

    /// A server of this name that answers `/keys` with the tests' key.
    async fn serve(&self, name: &str, is_expired: bool) -> SocketAddr {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        years(&mut params, is_expired);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let tls = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(tls));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let Ok(mut stream) = acceptor.accept(stream).await else {
                        return;
                    };
                    let head = read_head(&mut stream).await.unwrap_or_default();
                    let length = head
                        .lines()
                        .find_map(|line| line.strip_prefix("content-length: "));
                    let length = length.map_or(0, |length| length.parse().unwrap());
                    stream.read_exact(&mut vec![0; length]).await.unwrap();
                    let keys = json!({"keys": [ED.jwk("ed")]}).to_string();
                    stream.write_all(&response(&keys, "")).await.unwrap();
                    let _closed = stream.shutdown().await;
                });
            }
        });
        address
    }
}

/// A proxy that connects whatever it is asked for to one server, or to nobody; and what it was asked.
async fn proxy(target: Option<SocketAddr>) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let asked: Arc<Mutex<Vec<String>>> = Arc::default();
    let told = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let told = Arc::clone(&told);
            tokio::spawn(async move {
                let head = read_head(&mut stream).await.unwrap_or_default();
                told.lock().unwrap().push(head);
                let Some(target) = target else {
                    let _sent = stream
                        .write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n")
                        .await;
                    return;
                };
                let mut there = TcpStream::connect(target).await.unwrap();
                stream
                    .write_all(b"HTTP/1.1 200 Connected\r\n\r\n")
                    .await
                    .unwrap();
                let _ended = tokio::io::copy_bidirectional(&mut stream, &mut there).await;
            });
        }
    });
    (address, asked)
}

fn issuer(url: &str, root: Option<&str>) -> IssuerConfig {
    let mut document = json!({"issuer": ISSUER, "audiences": ["app"], "keys": {"jwksUrl": url}});
    if let Some(root) = root {
        document["rootCertificate"] = json!(root);
    }
    config(&document)
}

fn authenticator(proxy: Option<WebProxy>) -> Authenticator {
    let policy = OutboundPolicy {
        allow: vec!["127.0.0.1/32".parse().unwrap()],
        proxy,
        ..OutboundPolicy::default()
    };
    Authenticator::new(
        policy,
        JwksSettings::default(),
        persona_gateway::auth::IntrospectionSettings::default(),
        persona_gateway::clock::Clock::manual(now()),
        tokio_util::task::TaskTracker::new(),
        tokio::runtime::Handle::current(),
        persona_gateway::telemetry::metrics::Metrics::new(),
    )
    .unwrap()
}

/// What a try-out says: its problems, or how many keys it found.
async fn tried(auth: &Authenticator, config: &IssuerConfig) -> Result<usize, String> {
    let report = auth.check(config, &[], None).await;
    let messages: Vec<String> = report
        .problems
        .iter()
        .map(|fault| fault.message.clone())
        .collect();
    if messages.is_empty() {
        Ok(report.keys.len())
    } else {
        Err(messages.join("\n"))
    }
}

#[tokio::test]
async fn an_issuers_own_root_serves_its_fetches_alone() {
    let (ours, theirs) = (
        Authority::new(&Odd::default()),
        Authority::new(&Odd::default()),
    );
    let server = ours.serve("localhost", false).await;
    let url = format!("https://localhost:{}/keys", server.port());
    let auth = authenticator(None);
    let untrusted = "the key address: its certificate is signed by no authority that is trusted here, or the server does not send the intermediate certificates";
    assert_eq!(
        tried(&auth, &issuer(&url, None)).await,
        Err(untrusted.into())
    );
    assert_eq!(tried(&auth, &issuer(&url, Some(&ours.pem))).await, Ok(1));
    assert_eq!(
        tried(&auth, &issuer(&url, Some(&theirs.pem))).await,
        Err(untrusted.into())
    );
    let both = format!("# ours and theirs\n{}{}", theirs.pem, ours.pem);
    assert_eq!(tried(&auth, &issuer(&url, Some(&both))).await, Ok(1));
    assert_eq!(
        tried(&auth, &issuer(&url, None)).await,
        Err(untrusted.into()),
        "nothing is left of it"
    );
}

#[tokio::test]
async fn a_bad_certificate_is_named_by_what_is_wrong_with_it() {
    let authority = Authority::new(&Odd::default());
    let auth = authenticator(None);
    for (name, is_expired, expected) in [
        (
            "localhost",
            true,
            "the key address: its certificate has expired",
        ),
        (
            "other.example",
            false,
            "the key address: its certificate is for another name than the address has",
        ),
    ] {
        let server = authority.serve(name, is_expired).await;
        let url = format!("https://localhost:{}/keys", server.port());
        let found = tried(&auth, &issuer(&url, Some(&authority.pem))).await;
        assert_eq!(found, Err(expected.to_owned()), "{name}");
    }
}

#[tokio::test]
async fn an_expired_root_is_a_problem_of_the_try_out() {
    let expired = Authority::new(&Odd {
        expired: true,
        ..Odd::default()
    });
    let server = expired.serve("localhost", false).await;
    let url = format!("https://localhost:{}/keys", server.port());
    let found = tried(&authenticator(None), &issuer(&url, Some(&expired.pem))).await;
    assert_eq!(
        found,
        Err("has expired at 2016-01-01T00:00:00+00:00".into()),
        "what checks chains would have believed it"
    );
    let good = Authority::new(&Odd::default());
    let server = good.serve("localhost", false).await;
    let url = format!("https://localhost:{}/keys", server.port());
    let both = format!("{}{}", expired.pem, good.pem);
    let found = tried(&authenticator(None), &issuer(&url, Some(&both))).await;
    assert_eq!(found, Ok(1), "the old one and its successor");
}

#[test]
fn a_root_is_judged_when_it_is_written() {
    let good = Authority::new(&Odd::default()).pem;
    let leaf = Authority::new(&Odd {
        not_ca: true,
        ..Odd::default()
    })
    .pem;
    let cut = good.replace("-----END CERTIFICATE-----\n", "");
    let changed = good.replacen("MII", "MIJ", 1);
    let fault = |keys: Value, root: Value| {
        let document =
            json!({"issuer": ISSUER, "audiences": ["app"], "keys": keys, "rootCertificate": root});
        match IssuerConfig::parse(&document) {
            Ok(_) => String::new(),
            Err(faults) => faults
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join("; "),
        }
    };
    let fetched = || json!({"discovery": true});
    for (root, expected) in [
        (json!(good), ""),
        (json!(good.replace('\n', "\r\n")), ""),
        (json!(format!("subject=/CN=ours\n{good}\n")), ""),
        (json!(""), "1 to 3 certificates in PEM"),
        (json!("hello"), "1 to 3 certificates in PEM"),
        (json!(good.repeat(4)), "1 to 3 certificates in PEM"),
        (json!(good.repeat(3)), ""),
        (json!(format!("{good}and the next:\n\n{good}")), ""),
        (json!(good.lines().nth(1)), "1 to 3 certificates in PEM"),
        (
            json!("-----BEGIN PUBLIC KEY-----\nMC4\n-----END PUBLIC KEY-----\n"),
            "holds \"PUBLIC KEY\", which is no certificate",
        ),
        (
            json!(good.replace("CERTIFICATE", "CERTIFICATE REQUEST")),
            "holds \"CERTIFICATE REQUEST\", which is no certificate",
        ),
        (json!(cut), "is cut"),
        (json!(changed), "no certificate"),
        (json!(leaf), "may not sign other certificates"),
        (
            json!(format!(
                "{good}-----BEGIN PRIVATE KEY-----\nMC4\n-----END PRIVATE KEY-----\n"
            )),
            "holds a private key",
        ),
        (json!("x".repeat(20_000)), "at most 16384 bytes"),
        (json!(5), "must be a text"),
    ] {
        let found = fault(fetched(), root.clone());
        assert!(
            if expected.is_empty() {
                found.is_empty()
            } else {
                found.contains("/rootCertificate") && found.contains(expected)
            },
            "{expected}: {found}"
        );
    }
    let typed_in = fault(json!({"jwks": {"keys": [ED.jwk("ed")]}}), json!(good));
    assert!(
        typed_in.contains("goes with keys that are fetched"),
        "{typed_in}"
    );
    let document =
        json!({"issuer": ISSUER, "audiences": ["app"], "keys": fetched(), "rootCertificate": good});
    let config = config(&document);
    assert_eq!(
        serde_json::to_value(&config).unwrap()["rootCertificate"],
        json!(good),
        "written as it was read"
    );
}

#[test]
fn algorithms_that_cant_be_verified_are_named_with_what_to_do() {
    let document = json!({"issuer": ISSUER, "audiences": ["app"], "keys": {"discovery": true}, "algorithms": ["ES512"]});
    let faults = IssuerConfig::parse(&document).unwrap_err();
    assert!(
        faults[0]
            .message
            .contains("have the issuer sign with ES256 or ES384"),
        "{faults:?}"
    );
}

#[tokio::test]
async fn through_a_proxy_keys_are_fetched_and_certificates_are_judged() {
    let authority = Authority::new(&Odd::default());
    let server = authority.serve("id.acme.example", false).await;
    let (address, asked) = proxy(Some(server)).await;
    let at = |bypass: &[&str]| {
        let url = SecretString::from(format!("http://gateway:pass@{address}"));
        let bypass = bypass.iter().map(|one| one.parse().unwrap()).collect();
        authenticator(Some(WebProxy::new(&url, bypass).unwrap()))
    };
    let auth = at(&[]);
    let keys = |host: &str| format!("https://{host}/keys");
    let config = |host: &str| issuer(&keys(host), Some(&authority.pem));
    assert_eq!(tried(&auth, &config("id.acme.example")).await, Ok(1));
    {
        let asked = asked.lock().unwrap();
        let head = asked[0].to_ascii_lowercase();
        assert!(
            head.starts_with("connect id.acme.example:443 http/1.1\r\n"),
            "{head}"
        );
        // gateway:pass
        assert!(asked[0].contains("Z2F0ZXdheTpwYXNz"), "{head}");
    }
    let other = tried(&auth, &config("other.acme.example")).await;
    assert_eq!(
        other,
        Err("the key address: its certificate is for another name than the address has".into())
    );
    let before = asked.lock().unwrap().len();
    // Names of the proxy's own network, and addresses that nobody may reach, never get to it.
    for host in [
        "keycloak",
        "vault.internal",
        "db.svc.cluster.local",
        "localhost",
        "printer.lan",
        "gateway.default.svc",
        "vault.internal.",
        "vault.internal..",
        "10.0.0.1",
        "169.254.169.254",
        "[::1]",
    ] {
        let found = tried(&auth, &config(host)).await;
        assert_eq!(
            found,
            Err("the key address: address not allowed".into()),
            "{host}"
        );
    }
    let past = tried(&at(&["acme.example"]), &config("id.acme.example")).await;
    assert_eq!(
        past,
        Err("the key address: no such host: the name \"id.acme.example\" leads nowhere".into())
    );
    assert_eq!(
        asked.lock().unwrap().len(),
        before,
        "the proxy was not asked"
    );
}

#[tokio::test]
async fn a_proxy_that_refuses_or_is_down_is_named() {
    let words = "the key address: the proxy of this installation did not connect to it: it may forbid the address, not know the name, want another password, or be down";
    let (refusing, asked) = proxy(None).await;
    let down = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    for address in [refusing, down] {
        let url = SecretString::from(format!("http://{address}"));
        let auth = authenticator(WebProxy::new(&url, Vec::new()));
        let found = tried(&auth, &issuer("https://id.acme.example/keys", None)).await;
        assert_eq!(found, Err(words.to_owned()), "{address}");
    }
    assert_eq!(asked.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn an_introspection_endpoint_is_reached_and_believed_as_keys_are() {
    let authority = Authority::new(&Odd::default());
    let server = authority.serve("id.acme.example", false).await;
    let (address, asked) = proxy(Some(server)).await;
    let url = SecretString::from(format!("http://{address}"));
    let auth = authenticator(Some(WebProxy::new(&url, Vec::new()).unwrap()));
    let problem = async |host: &str, root: Option<&str>| {
        let about =
            json!({"endpoint": format!("https://{host}/introspect"), "clientId": "gateway"});
        let mut document =
            json!({"issuer": ISSUER, "audiences": ["app"], "keys": {"introspection": about}});
        if let Some(root) = root {
            document["rootCertificate"] = json!(root);
        }
        let secret = secrecy::SecretSlice::from(b"secret".to_vec());
        let report = auth.check(&config(&document), &[secret], None).await;
        report.problems[0].message.clone()
    };
    // The server answers with keys, whatever it is asked.
    let answered = problem("id.acme.example", Some(&authority.pem)).await;
    assert!(answered.contains("has no `active`"), "{answered}");
    let head = asked.lock().unwrap()[0].clone();
    assert!(head.starts_with("CONNECT id.acme.example:443 "), "{head}");
    for (host, root, words) in [
        (
            "id.acme.example",
            None,
            "is signed by no authority that is trusted here",
        ),
        (
            "vault.internal",
            Some(authority.pem.as_str()),
            "address not allowed",
        ),
        ("169.254.169.254", None, "address not allowed"),
    ] {
        let told = problem(host, root).await;
        assert!(
            told.starts_with("the endpoint: ") && told.contains(words),
            "{told}"
        );
    }
}
