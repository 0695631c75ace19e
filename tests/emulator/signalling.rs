//! The signalling socket, spoken to frame by frame (RFC 6455), and the calls beside it.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use crate::driver::{Driver, KEY, answer_to, persona};

/// A WebSocket client of the barest kind.
struct Socket {
    stream: BufReader<TcpStream>,
}

impl Socket {
    /// Connects as the SDK does.
    async fn open(driver: &Driver, id: &str) -> Self {
        Self::open_at(
            driver,
            &format!("/v1/webrtc/engines/emu/ws?session_id={id}"),
        )
        .await
    }

    /// Connects as the engine's page does.
    async fn open_engine(driver: &Driver, id: &str) -> Self {
        Self::open_at(driver, &format!("/_emulator/engine/ws?session_id={id}")).await
    }

    /// Connects as a browser does; panics unless the server switches protocols.
    async fn open_at(driver: &Driver, path: &str) -> Self {
        let mut stream = TcpStream::connect(driver.anam.address()).await.unwrap();
        let head = format!(
            "GET {path} HTTP/1.1\r\nhost: emulator\r\n\
             connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
             sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut stream = BufReader::new(stream);
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            answer.push(stream.read_u8().await.unwrap());
        }
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 101"), "{answer}");
        Self { stream }
    }

    async fn send(&mut self, opcode: u8, payload: &[u8]) {
        let length = u16::try_from(payload.len()).unwrap();
        // Final frame; masked, as a client's must be, with a mask of zeros; 16-bit length.
        let mut frame = vec![0x80 | opcode, 0x80 | 0x7e];
        frame.extend(length.to_be_bytes());
        frame.extend([0; 4]);
        frame.extend(payload);
        self.stream.get_mut().write_all(&frame).await.unwrap();
    }

    async fn say(&mut self, action: &str, id: &str) {
        self.say_with(action, id, json!({})).await;
    }

    async fn say_with(&mut self, action: &str, id: &str, payload: Value) {
        let message = json!({"actionType": action, "sessionId": id, "payload": payload});
        self.send(1, message.to_string().as_bytes()).await;
    }

    /// The next message's action and payload.
    async fn next(&mut self) -> (String, Value) {
        let mut message = self.hear().await.unwrap();
        let action = message["actionType"].as_str().unwrap().to_owned();
        (action, message["payload"].take())
    }

    /// The next message; `None` when the server closes.
    async fn hear(&mut self) -> Option<Value> {
        let opcode = self.stream.read_u8().await.unwrap() & 0x0f;
        let mut length = usize::from(self.stream.read_u8().await.unwrap());
        if length == 126 {
            length = usize::from(self.stream.read_u16().await.unwrap());
        }
        let mut payload = vec![0; length];
        self.stream.read_exact(&mut payload).await.unwrap();
        (opcode == 1).then(|| serde_json::from_slice(&payload).unwrap())
    }
}

async fn started(driver: &Driver, config: &Value) -> String {
    let token = driver.token(config).await;
    let answer = driver.start(&token).await;
    answer.body["sessionId"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_first_offer_makes_the_session_ready_and_nothing_else_does() {
    let driver = Driver::strict();
    let id = started(&driver, &persona()).await;
    let mut socket = Socket::open(&driver, &id).await;
    socket.say("heartbeat", &id).await;
    socket.send(1, b"not JSON").await;
    // The heartbeat has no answer, so the warning comes first.
    assert_eq!(socket.hear().await.unwrap()["actionType"], "warning");
    socket.say("offer", &id).await;
    let ready = socket.hear().await.unwrap();
    assert_eq!(ready["actionType"], "sessionready");
    assert_eq!(ready["sessionId"], *id);
}

/// Whether this machine has an address beside its own loopback.
fn has_network() -> bool {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
    socket.connect("192.0.2.1:9").is_ok()
}

#[tokio::test]
async fn an_engines_page_gets_what_the_client_offered_and_the_client_its_answer() {
    let driver = Driver::strict();
    let id = started(&driver, &persona()).await;
    let mut client = Socket::open(&driver, &id).await;
    client.say_with("offer", &id, json!({ "try": 1 })).await;
    assert_eq!(client.next().await.0, "sessionready");
    client
        .say_with("icecandidate", &id, json!({ "of": 1 }))
        .await;
    // The SDK begins anew: what it offered before is of no use.
    client.say_with("offer", &id, json!({ "try": 2 })).await;
    assert_eq!(client.next().await.0, "sessionready");
    client
        .say_with("icecandidate", &id, json!({ "of": 2 }))
        .await;
    client.say("heartbeat", &id).await;
    client.send(1, b"not JSON").await;
    assert_eq!(client.next().await.0, "warning");

    let mut engine = Socket::open_engine(&driver, &id).await;
    let (first, config) = engine.next().await;
    assert_eq!(
        (first.as_str(), &config),
        ("persona", &persona()["personaConfig"])
    );
    let is = |action: &str, payload: Value| (action.to_owned(), payload);
    assert_eq!(engine.next().await, is("offer", json!({ "try": 2 })));
    assert_eq!(engine.next().await, is("icecandidate", json!({ "of": 2 })));
    client
        .say_with("icecandidate", &id, json!({ "of": 3 }))
        .await;
    assert_eq!(engine.next().await, is("icecandidate", json!({ "of": 3 })));
    // A name that only the browser's own machine may know goes along with an address.
    let hidden = "candidate:1 1 udp 2113937151 6f1ed5a2.local 54321 typ host generation 0";
    let payload = json!({ "candidate": hidden, "sdpMid": "0" });
    client.say_with("icecandidate", &id, payload.clone()).await;
    assert_eq!(engine.next().await, is("icecandidate", payload));
    if has_network() {
        let (_, second) = engine.next().await;
        let line = second["candidate"].as_str().unwrap();
        assert!(
            !line.contains(".local") && line.ends_with(" 54321 typ host generation 0"),
            "{line}"
        );
    }
    engine
        .say_with("answer", &id, json!({ "sdp": "v=0" }))
        .await;
    assert_eq!(client.next().await, is("answer", json!({ "sdp": "v=0" })));

    let talk = format!("/talk?session_id={id}");
    let said = json!({ "content": "Hello" });
    assert_eq!(driver.post(&talk, KEY, &said).await.status, 200);
    assert_eq!(engine.next().await, is("talk", json!("Hello")));

    let stop = format!("/v1/sessions/{id}/stop");
    assert_eq!(driver.post(&stop, KEY, &json!({})).await.status, 200);
    assert_eq!(client.next().await.0, "endsession");
    assert!(engine.hear().await.is_none());
}

#[tokio::test]
async fn a_stop_ends_the_session_in_the_browser() {
    let driver = Driver::strict();
    let id = started(&driver, &persona()).await;
    let mut socket = Socket::open(&driver, &id).await;
    let stop = driver.call(Method::POST, &format!("/v1/sessions/{id}/stop"));
    assert_eq!(answer_to(stop.bearer_auth(KEY)).await.status, 200);
    let end = socket.hear().await.unwrap();
    assert_eq!(end["actionType"], "endsession");
    assert_eq!(end["payload"], "Session stopped");
    assert_eq!(socket.hear().await, None);
}

#[tokio::test]
async fn the_longest_length_ends_the_session() {
    let driver = Driver::strict();
    let mut config = persona();
    config["personaConfig"]["maxSessionLengthSeconds"] = json!(1);
    let id = started(&driver, &config).await;
    let mut socket = Socket::open(&driver, &id).await;
    socket.say("offer", &id).await;
    assert_eq!(socket.hear().await.unwrap()["actionType"], "sessionready");
    let end = socket.hear().await.unwrap();
    assert_eq!(end["actionType"], "endsession");
    assert_eq!(end["payload"], "Session length limit reached");
    let row = driver.get(&format!("/v1/sessions/{id}")).await.body;
    assert_eq!(row["exitStatus"], "CLOSED_BY_ENGINE");
}

#[tokio::test]
async fn a_client_that_says_goodbye_frees_its_slot_and_one_that_vanishes_does_not() {
    let driver = Driver::strict();
    let id = started(&driver, &persona()).await;
    let path = format!("/v1/sessions/{id}");
    drop(Socket::open(&driver, &id).await);
    // It may come back.
    let mut socket = Socket::open(&driver, &id).await;
    assert!(driver.get(&path).await.body["endTime"].is_null());
    socket.send(8, &1000_u16.to_be_bytes()).await;
    assert_eq!(socket.hear().await, None);
    assert_eq!(driver.get(&path).await.body["exitStatus"], "NORMAL_EXIT");
    let again = driver.call(
        Method::GET,
        &format!("/v1/webrtc/engines/emu/ws?session_id={id}"),
    );
    assert_eq!(answer_to(again).await.status, 404);
}

#[tokio::test]
async fn a_socket_needs_a_session_that_exists() {
    let driver = Driver::strict();
    for (query, status) in [
        ("session_id=0199aa00-0000-7000-8000-000000000009", 404),
        ("session_id=x", 400),
        ("", 400),
    ] {
        for socket in ["/v1/webrtc/engines/emu/ws", "/_emulator/engine/ws"] {
            let asked = driver.call(Method::GET, &format!("{socket}?{query}"));
            assert_eq!(answer_to(asked).await.status, status, "{socket} {query}");
        }
    }
}

#[tokio::test]
async fn metrics_need_no_key_and_talk_needs_a_session() {
    let driver = Driver::strict();
    let metric = json!({"name": "client_session_attempt", "value": 1});
    let metrics = driver
        .call(Method::POST, "/v1/metrics/client")
        .json(&metric);
    assert_eq!(answer_to(metrics).await.status, 204);
    let id = started(&driver, &persona()).await;
    let talk = |id: &str| {
        let path = format!("/talk?session_id={id}");
        answer_to(
            driver
                .call(Method::POST, &path)
                .json(&json!({"content": "Hi"})),
        )
    };
    assert_eq!(talk(&id).await.status, 200);
    assert_eq!(
        talk("0199aa00-0000-7000-8000-000000000009").await.status,
        404
    );
}

#[tokio::test]
async fn a_stopped_emulator_frees_its_port_though_a_socket_is_open() {
    let driver = Driver::strict();
    let id = started(&driver, &persona()).await;
    let socket = Socket::open(&driver, &id).await;
    let address = driver.anam.address();
    let stopped = tokio::time::timeout(Duration::from_secs(30), driver.anam.stop()).await;
    assert!(stopped.is_ok());
    assert!(TcpStream::connect(address).await.is_err());
    drop(socket);
}
