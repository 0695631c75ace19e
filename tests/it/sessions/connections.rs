//! Connections to Anam, over TLS, where the server would speak HTTP/2 as well: how many requests it takes at once, and what a connection costs that
//! falls silent.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::future::join_all;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::server::TlsStream;

use crate::harness::cli::{Folder, Running, environment_of, program};
use crate::harness::tenants::{Bench, Tenant};
use crate::harness::wait::until;

const PATIENCE: Duration = Duration::from_secs(30);
/// Requests at once that a connection takes, if it is of HTTP/2.
const STREAMS: u32 = 8;

/// An Anam behind TLS.
struct Secure {
    url: String,
    /// Its authority's certificate.
    roots: String,
    state: Arc<State>,
}

struct State {
    /// Connections of another number than the newest are silent.
    generation: watch::Sender<usize>,
    in_progress: AtomicUsize,
    tokens: AtomicUsize,
    /// Answers that may be given.
    answers: Semaphore,
}

impl State {
    /// The answer to a mint, when it may be given.
    async fn answer(&self) -> String {
        self.in_progress.fetch_add(1, Ordering::SeqCst);
        self.answers.acquire().await.unwrap().forget();
        self.in_progress.fetch_sub(1, Ordering::SeqCst);
        let number = self.tokens.fetch_add(1, Ordering::SeqCst);
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let token = format!(
            "{}.{}.{}",
            part("{}"),
            part(r#"{"type":"ephemeral"}"#),
            part(&number.to_string())
        );
        json!({ "sessionToken": token }).to_string()
    }

    fn allow(&self, answers: usize) {
        self.answers.add_permits(answers);
    }
}

impl Secure {
    async fn start() -> Self {
        let authority = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let roots = params.self_signed(&authority).unwrap().pem();
        let authority = Issuer::new(params, authority);
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &authority).unwrap();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let mut config = ServerConfig::builder_with_provider(aws_lc_rs::default_provider().into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!(
            "https://localhost:{}",
            listener.local_addr().unwrap().port()
        );
        let state = Arc::new(State {
            generation: watch::Sender::new(0),
            in_progress: AtomicUsize::new(0),
            tokens: AtomicUsize::new(0),
            answers: Semaphore::new(0),
        });
        let serving = state.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, state) = (acceptor.clone(), serving.clone());
                let mut generation = state.generation.subscribe();
                let born = *generation.borrow_and_update();
                tokio::spawn(async move {
                    let stream = acceptor.accept(stream).await.unwrap();
                    let is_second = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                    let serve = async {
                        if is_second {
                            second(stream, &state).await;
                        } else {
                            first(stream, &state).await;
                        }
                    };
                    let falls_silent = async {
                        drop(generation.wait_for(|now| *now != born).await);
                    };
                    tokio::pin!(serve);
                    tokio::select! {
                        () = &mut serve => return,
                        () = falls_silent => {}
                    }
                    // It is held, and nobody looks at it.
                    std::future::pending::<()>().await;
                });
            }
        });
        Self { url, roots, state }
    }

    /// All connections of now are silent; new ones are not.
    fn silence(&self) {
        self.state.generation.send_modify(|now| *now += 1);
    }
}

/// HTTP/1.1: one request after the other.
async fn first(mut stream: TlsStream<TcpStream>, state: &State) {
    let mut read = Vec::new();
    loop {
        let length = loop {
            let text = String::from_utf8_lossy(&read).into_owned();
            if let Some((head, _)) = text.split_once("\r\n\r\n") {
                let length = head.to_lowercase().lines().find_map(|line| {
                    line.strip_prefix("content-length:")?
                        .trim()
                        .parse::<usize>()
                        .ok()
                });
                let whole = head.len() + 4 + length.unwrap_or_default();
                if read.len() >= whole {
                    break whole;
                }
            }
            if stream.read_buf(&mut read).await.unwrap_or(0) == 0 {
                return;
            }
        };
        read.drain(..length);
        let body = state.answer().await;
        let answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// HTTP/2: as many at once as a connection takes.
async fn second(stream: TlsStream<TcpStream>, state: &Arc<State>) {
    let mut builder = h2::server::Builder::new();
    builder.max_concurrent_streams(STREAMS);
    // The client closes what it opened too many of.
    let Ok(mut connection) = builder.handshake::<_, bytes::Bytes>(stream).await else {
        return;
    };
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        let state = state.clone();
        tokio::spawn(async move {
            let mut body = request.into_body();
            while let Some(Ok(chunk)) = body.data().await {
                _ = body.flow_control().release_capacity(chunk.len());
            }
            let answer = state.answer().await;
            let head = http::Response::builder()
                .header("content-type", "application/json")
                .body(())
                .unwrap();
            if let Ok(mut stream) = respond.send_response(head, false) {
                _ = stream.send_data(answer.into(), true);
            }
        });
    }
}

/// The gateway's process, which believes that Anam's certificate.
struct Served {
    running: Running,
    url: String,
    client: reqwest::Client,
    tenant: Tenant,
    _bench: Bench,
    _folder: Folder,
}

impl Served {
    async fn start(anam: &Secure, more: &[(&str, &str)]) -> Self {
        let (bench, tenant) = (Bench::new().await, Tenant::new("alpha", None));
        bench.apply(&tenant.bundle().to_string()).await.unwrap();
        let folder = Folder::new();
        let mut serve = program(&["serve"])
            .envs(&environment_of(&bench))
            .env("SSL_CERT_FILE", &folder.write("roots.pem", &anam.roots))
            .env("ANAM_BASE_URL", &anam.url)
            .env("GATEWAY__LIMITS__USER_MINTS_PER_MINUTE", "0")
            .env("GATEWAY__ANAM__BREAKER_FAILURES", "0");
        for (name, value) in more {
            serve = serve.env(name, value);
        }
        let running = serve.start();
        let (url, _) = running.addresses().await;
        Self {
            running,
            url,
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
            tenant,
            _bench: bench,
            _folder: folder,
        }
    }

    async fn mint(&self, user: usize) -> u16 {
        let asked = self
            .client
            .post(format!("{}/v1/session-token", self.url))
            .bearer_auth(self.tenant.user(&format!("u{user}")))
            .json(&json!({}));
        asked.send().await.unwrap().status().as_u16()
    }

    /// So many users at once; how many got which status.
    async fn mint_all(&self, users: usize) -> BTreeMap<u16, usize> {
        let mut statuses = BTreeMap::new();
        for status in join_all((0..users).map(|user| self.mint(user))).await {
            *statuses.entry(status).or_default() += 1;
        }
        statuses
    }

    async fn stop(self) {
        self.running.signal("TERM").await;
        let ended = self.running.end().await;
        assert_eq!(ended.code, Some(0), "{}", ended.err);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_users_are_served_at_once_than_anam_takes_requests_on_a_connection() {
    const USERS: usize = 24;
    let anam = Secure::start().await;
    let gateway = Served::start(&anam, &[]).await;
    let asking = gateway.mint_all(USERS);
    let answering = async {
        until("all of them are in progress at Anam", PATIENCE, || async {
            (anam.state.in_progress.load(Ordering::SeqCst) == USERS).then_some(())
        })
        .await;
        anam.state.allow(USERS);
    };
    let (statuses, ()) = tokio::join!(asking, answering);
    assert_eq!(statuses, BTreeMap::from([(200, USERS)]));
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_falls_silent_costs_one_user_their_token_and_the_next_gets_one() {
    const USERS: usize = 6;
    let anam = Secure::start().await;
    anam.state.allow(1_000);
    let short = [
        ("GATEWAY__ANAM__TIMEOUT_MS", "1000"),
        ("GATEWAY__ANAM__CONNECT_TIMEOUT_MS", "1000"),
    ];
    let gateway = Served::start(&anam, &short).await;
    assert_eq!(
        gateway.mint_all(USERS).await,
        BTreeMap::from([(200, USERS)])
    );
    anam.silence();
    // All that are kept are silent: not one after the other may cost somebody their token.
    assert_eq!((gateway.mint(0).await, gateway.mint(1).await), (504, 200));
    assert_eq!(
        gateway.mint_all(USERS).await,
        BTreeMap::from([(200, USERS)])
    );
    gateway.stop().await;
}
