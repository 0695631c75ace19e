//! Traces of requests, as a receiver of OTLP gets them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value as AnyValue};
use opentelemetry_proto::tonic::trace::v1::Span;
use persona_gateway::dev::emulator::{Fault, FaultTarget};
use prost::Message;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::harness::logs::logged;
use crate::harness::metrics::value;
use crate::harness::wait::until;
use crate::harness::{TestApp, TestOptions, context, spawn_with};

const PATIENCE: Duration = Duration::from_secs(20);
const CALLERS: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLERS_SPAN: &str = "00f067aa0ba902b7";

/// A receiver of OTLP over HTTP.
#[derive(Clone)]
struct Receiver {
    address: String,
    /// The heads of requests, and what was in them.
    got: Arc<Mutex<Vec<(String, ExportTraceServiceRequest)>>>,
}

impl Receiver {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let receiver = Self {
            address: format!("http://{}", listener.local_addr().unwrap()),
            got: Arc::default(),
        };
        let got = receiver.got.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(serve(client, got.clone()));
            }
        });
        receiver
    }

    fn options(&self) -> TestOptions {
        TestOptions::set(&[
            ("TRACES__ENDPOINT", &self.address),
            ("TRACES__HEADERS", "x-key=a%20key"),
            ("TRACES__SERVICE_NAME", "gateway-of-a-test"),
        ])
    }

    /// The spans of a trace so far.
    fn spans(&self, trace: &str) -> Vec<Span> {
        let got = self.got.lock().unwrap();
        let resources = got.iter().flat_map(|(_, request)| &request.resource_spans);
        let scopes = resources.flat_map(|resource| &resource.scope_spans);
        scopes
            .flat_map(|scope| scope.spans.clone())
            .filter(|span| hex::encode(&span.trace_id) == trace)
            .collect()
    }

    /// All that was received, as text.
    fn everything(&self) -> String {
        format!("{:?}", self.got.lock().unwrap())
    }
}

async fn serve(client: TcpStream, got: Arc<Mutex<Vec<(String, ExportTraceServiceRequest)>>>) {
    let mut client = BufReader::new(client);
    loop {
        let mut head = String::new();
        while client.read_line(&mut head).await.is_ok_and(|read| read > 2) {}
        if head.is_empty() {
            return;
        }
        let head = head.to_ascii_lowercase();
        let length = head.split("content-length: ").nth(1).unwrap();
        let length: usize = length.lines().next().unwrap().trim().parse().unwrap();
        let mut body = vec![0; length];
        client.read_exact(&mut body).await.unwrap();
        let request = ExportTraceServiceRequest::decode(body.as_slice()).unwrap();
        got.lock().unwrap().push((head, request));
        let answer =
            b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n";
        client.get_mut().write_all(answer).await.unwrap();
    }
}

fn attributes(list: &[KeyValue]) -> BTreeMap<String, Value> {
    let pairs = list.iter().map(|pair| {
        let value = pair.value.clone().unwrap().value.unwrap();
        let value = match value {
            AnyValue::StringValue(text) => json!(text),
            AnyValue::IntValue(number) => json!(number),
            other => json!(format!("{other:?}")),
        };
        (pair.key.clone(), value)
    });
    pairs.collect()
}

/// `POST /v1/session-token` with these headers beside the token.
async fn mint(app: &TestApp, body: &Value, headers: &[(&str, &str)]) -> reqwest::Response {
    let mut request = app
        .request(
            reqwest::Method::POST,
            "/v1/session-token",
            &app.user("user-1"),
        )
        .json(body);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap()
}

fn last_traceparent(app: &TestApp) -> Option<String> {
    let requests = app.anam.requests();
    let mint = requests
        .iter()
        .find(|request| request.path == "/v1/auth/session-token");
    mint.expect("Anam was asked").traceparent.clone()
}

fn request_id(answer: &reqwest::Response) -> String {
    let id = answer.headers()["x-request-id"].to_str().unwrap();
    id.to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_trace_leads_from_the_caller_through_all_steps_to_anam() {
    let receiver = Receiver::start().await;
    let app = spawn_with(receiver.options()).await;
    let traceparent = format!("00-{CALLERS}-{CALLERS_SPAN}-01");
    let answer = mint(
        &app,
        &context("support"),
        &[("traceparent", &traceparent), ("tracestate", "vendor=1")],
    )
    .await;
    assert_eq!(answer.status(), 200);
    let request = request_id(&answer);
    let answer: Value = answer.json().await.unwrap();

    let spans = until("the whole trace is there", PATIENCE, || async {
        let spans = receiver.spans(CALLERS);
        (spans.len() >= 7).then_some(spans)
    })
    .await;
    let mut names: Vec<_> = spans.iter().map(|span| span.name.as_str()).collect();
    names.sort_unstable();
    let client = "POST /v1/auth/session-token";
    let server = "POST /v1/session-token";
    assert_eq!(
        names,
        [
            client, server, "auth", "decide", "ledger", "limits", "sources"
        ]
    );
    let find = |name: &str| spans.iter().find(|span| span.name == name).unwrap();
    let root = find(server);
    assert_eq!(hex::encode(&root.parent_span_id), CALLERS_SPAN);
    for span in spans.iter().filter(|span| span.name != server) {
        assert_eq!(span.parent_span_id, root.span_id, "{}", span.name);
        assert!(span.start_time_unix_nano >= root.start_time_unix_nano);
        assert!(span.end_time_unix_nano <= root.end_time_unix_nano);
        assert!(span.end_time_unix_nano >= span.start_time_unix_nano);
    }
    let asked = find(client);
    assert_eq!(
        last_traceparent(&app).unwrap(),
        format!("00-{CALLERS}-{}-01", hex::encode(&asked.span_id)),
        "Anam goes on from the span of its request"
    );
    // The same ids as in the answer, the log and the session's row.
    let about = attributes(&root.attributes);
    assert_eq!(about["request.id"], request.as_str());
    assert_eq!(about["session.id"], answer["sessionId"]);
    let tenant = app.tenant(persona_gateway::dev::seed::TENANT).await;
    assert_eq!(about["tenant.id"], tenant.to_string());
    assert_eq!(about["http.response.status_code"], 200);
    let line = logged();
    let line = line
        .lines()
        .find(|line| line.contains(&request) && line.contains("\"answered\""))
        .unwrap();
    assert!(line.contains(CALLERS), "{line}");
    let session = answer["sessionId"].as_str().unwrap();
    let row = until("the session is recorded", PATIENCE, || async {
        let sql = format!("select request_id from session where id = '{session}'");
        app.database.rows(&sql).await.pop()
    })
    .await;
    assert_eq!(row["request_id"], request.as_str());

    let (head, sent) = receiver.got.lock().unwrap()[0].clone();
    assert!(head.starts_with("post /v1/traces http/1.1"), "{head}");
    assert!(head.contains("x-key: a key"), "{head}");
    let resource = sent.resource_spans[0].resource.clone().unwrap();
    let resource = attributes(&resource.attributes);
    assert_eq!(resource["service.name"], "gateway-of-a-test");
    assert_eq!(resource["service.version"], env!("CARGO_PKG_VERSION"));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neither_secrets_nor_users_are_in_a_trace() {
    let receiver = Receiver::start().await;
    let app = spawn_with(receiver.options()).await;
    let subject = "a-subject-that-nobody-else-has";
    let token = app.user(subject);
    let answer = app.mint(&token, &context("support")).await;
    let request = request_id(&answer);
    let answer: Value = answer.json().await.unwrap();
    until("its trace was sent", PATIENCE, || async {
        receiver.everything().contains(&request).then_some(())
    })
    .await;
    let prompt = app.last_mint()["personaConfig"]["systemPrompt"].clone();
    let everything = receiver.everything();
    for secret in [
        subject,
        &token,
        answer["sessionToken"].as_str().unwrap(),
        crate::harness::PLATFORM_KEY,
        prompt.as_str().unwrap().get(..20).unwrap(),
    ] {
        assert!(!everything.contains(secret), "{secret}");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_is_marked_where_it_happened_and_each_try_has_a_span() {
    let receiver = Receiver::start().await;
    let app = spawn_with(receiver.options()).await;
    app.anam.fault(Fault::status(FaultTarget::Mint, 503));
    let traceparent = format!("00-{CALLERS}-{CALLERS_SPAN}-01");
    let answer = mint(&app, &context("support"), &[("traceparent", &traceparent)]).await;
    let status = answer.status().as_u16();
    assert!(status >= 500, "{status}");
    let client = "POST /v1/auth/session-token";
    let tries = until("both tries are there", PATIENCE, || async {
        let spans = receiver.spans(CALLERS);
        let is_whole = spans
            .iter()
            .any(|span| span.name == "POST /v1/session-token");
        let tries: Vec<_> = spans
            .into_iter()
            .filter(|span| span.name == client)
            .collect();
        is_whole.then_some(tries)
    })
    .await;
    assert_eq!(tries.len(), 2);
    for span in tries {
        let about = attributes(&span.attributes);
        assert_eq!(about["http.response.status_code"], 503);
        assert!(
            about["error.type"]
                .as_str()
                .unwrap()
                .starts_with("upstream_")
        );
        assert_eq!(span.status.unwrap().code, 2, "an error");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_parents_are_ignored_and_callers_may_leave_a_request_untraced() {
    let receiver = Receiver::start().await;
    let app = spawn_with(receiver.options()).await;
    let zero = "00-00000000000000000000000000000000-00f067aa0ba902b7-01";
    let long = "0".repeat(5_000);
    for hostile in [zero, "nonsense", long.as_str(), "00-<script>-1-01"] {
        let answer = mint(&app, &context("support"), &[("traceparent", hostile)]).await;
        assert_eq!(answer.status(), 200);
        let given = last_traceparent(&app).unwrap();
        assert!(!hostile.contains(given.get(3..35).unwrap()), "{given}");
    }
    // Two say two things.
    let one = format!("00-{CALLERS}-{CALLERS_SPAN}-01");
    let twice = [("traceparent", one.as_str()), ("traceparent", one.as_str())];
    assert_eq!(mint(&app, &context("support"), &twice).await.status(), 200);
    assert!(!last_traceparent(&app).unwrap().contains(CALLERS));
    // The caller's sampler said no.
    let unsampled = format!("00-{CALLERS}-{CALLERS_SPAN}-00");
    let answer = mint(&app, &context("support"), &[("traceparent", &unsampled)]).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(last_traceparent(&app), None);
    app.stop().await;
    assert!(receiver.spans(CALLERS).is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_an_endpoint_nothing_is_traced_and_nothing_passed_on() {
    let app = spawn_with(TestOptions::default()).await;
    let traceparent = format!("00-{CALLERS}-{CALLERS_SPAN}-01");
    let answer = mint(&app, &context("support"), &[("traceparent", &traceparent)]).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(last_traceparent(&app), None);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_that_is_silent_holds_no_request_up_and_no_stop() {
    // It takes connections and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", silent.local_addr().unwrap());
    let app = spawn_with(TestOptions::set(&[("TRACES__ENDPOINT", &address)])).await;
    let started = std::time::Instant::now();
    for _ in 0..50 {
        let answer = app.mint(&app.user("user-1"), &context("support")).await;
        assert_eq!(answer.status(), 200);
    }
    // As without it: a request to a receiver takes five seconds before it is given up.
    assert!(started.elapsed() < Duration::from_secs(20));
    let stopping = std::time::Instant::now();
    app.stop().await;
    assert!(stopping.elapsed() < Duration::from_secs(10));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_spans_are_sent_before_the_process_stops() {
    let receiver = Receiver::start().await;
    let app = spawn_with(receiver.options()).await;
    let answer = app.mint(&app.user("user-1"), &context("support")).await;
    let request = request_id(&answer);
    let metrics = app.app.gateway.metrics.clone();
    app.stop().await;
    assert!(receiver.everything().contains(&request));
    assert!(value(&metrics.encode(), "gateway_spans_total{result=\"ok\"}") >= 7);
}
