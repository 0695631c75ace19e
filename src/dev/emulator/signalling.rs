//! The signalling socket: enough of the engine's side for a client to learn that it is ready. What else it sends, an engine's page
//! answers where one is open (see [`super::engine_page`]); no media flows. A closed socket ends the session; one that merely breaks off
//! keeps its slot, as a vanished tab does at Anam, and may come back.

use std::net::{Ipv4Addr, UdpSocket};
use std::pin::pin;
use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, rt, web};
use actix_ws::{AggregatedMessage, AggregatedMessageStream, Closed};
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::future::OptionFuture;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::sleep;
use uuid::Uuid;

use super::answer::{Refusal, ok};
use super::mint::json_object;
use super::sessions::Stream;
use super::shared::Shared;

/// The largest message that is read; an offer has about 10 kB.
pub(super) const LARGEST_MESSAGE: usize = 1 << 20;

/// Names the session in the query of the socket and of `/talk`.
#[derive(Debug, Deserialize)]
pub(super) struct Named {
    session_id: Uuid,
}

/// A message of either side.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Signal {
    pub(super) action_type: String,
    #[serde(default)]
    pub(super) payload: Value,
}

/// `GET /v1/webrtc/engines/emu/ws?session_id=`
pub(super) async fn connect(
    shared: web::Data<Shared>,
    request: HttpRequest,
    body: web::Payload,
) -> Result<HttpResponse, actix_web::Error> {
    let id = session_id(&shared, &request)?;
    let Some(stream) = shared.sessions.follow(id) else {
        return Err(Refusal::not_found(format!("Session {id} does not exist.")).into());
    };
    let (response, client, messages) = actix_ws::handle(&request, body)?;
    let messages = messages
        .max_frame_size(LARGEST_MESSAGE)
        .aggregate_continuations()
        .max_continuation_size(LARGEST_MESSAGE);
    rt::spawn(async move {
        let line = Line { shared, id, client };
        if line.converse(messages, stream).await.is_err() {
            tracing::debug!(session.id = %id, "signalling socket broke off");
        }
    });
    Ok(response)
}

/// `POST /talk?session_id=`: has the persona say a text, where an engine's page is open.
pub(super) async fn talk(
    shared: web::Data<Shared>,
    request: HttpRequest,
    body: Bytes,
) -> Result<HttpResponse, Refusal> {
    let id = session_id(&shared, &request)?;
    let body = json_object(&request, &body)?;
    let message = message(id, "talk", body.get("content").unwrap_or(&Value::Null));
    shared.sessions.send_to_engine(id, message);
    Ok(ok(json!({})))
}

/// `POST /v1/metrics/client`: accepted without a look, as Anam does; it carries no credentials.
pub(super) async fn metrics() -> HttpResponse {
    HttpResponse::NoContent().finish()
}

/// The running session that a request names.
pub(super) fn session_id(shared: &Shared, request: &HttpRequest) -> Result<Uuid, Refusal> {
    let named = web::Query::<Named>::from_query(request.query_string())
        .map_err(|error| Refusal::bad_request(format!("session_id: {error}")))?;
    let id = named.session_id;
    if shared.sessions.runs(id, shared.config.clock.now()) {
        Ok(id)
    } else {
        Err(Refusal::not_found(format!("Session {id} is not running.")))
    }
}

/// A message of the signalling.
pub(super) fn message(id: Uuid, action: &str, payload: &Value) -> Value {
    json!({ "actionType": action, "sessionId": id, "payload": payload })
}

/// Where a peer may be reached.
const CANDIDATE: &str = "icecandidate";

/// A message's payload, and where it says where a peer may be reached, the same with an address of this machine. Browsers hide theirs behind
/// names that only multicast DNS knows (`….local`), which not every machine answers.
pub(super) fn reachable(action: &str, payload: Value) -> Vec<Value> {
    let mut payloads = vec![payload];
    if action == CANDIDATE
        && let Some(first) = payloads.first()
        && let Some(line) = first.get("candidate").and_then(Value::as_str)
        && line.contains(".local ")
        && let Some(address) = own_address()
    {
        let words = line.split(' ').map(|word| {
            let is_name = word.strip_suffix(".local").is_some();
            if is_name { address.as_str() } else { word }
        });
        let mut copy = first.clone();
        if let Some(candidate) = copy.get_mut("candidate") {
            *candidate = words.collect::<Vec<_>>().join(" ").into();
        }
        payloads.push(copy);
    }
    payloads
}

/// This machine's address towards others. Nothing is sent: it is only asked which one would be used for an address that is nobody's (RFC 5737).
fn own_address() -> Option<String> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9)).ok()?;
    Some(socket.local_addr().ok()?.ip().to_string())
}

/// The engine's end of one socket.
struct Line {
    shared: web::Data<Shared>,
    id: Uuid,
    client: actix_ws::Session,
}

impl Line {
    /// Answers the client until it leaves, or until the session ends.
    async fn converse(
        mut self,
        mut messages: AggregatedMessageStream,
        mut stream: Stream,
    ) -> Result<(), Closed> {
        let mut length = pin!(OptionFuture::from(None));
        let mut ready = false;
        loop {
            tokio::select! {
                message = messages.next() => match message {
                    Some(Ok(AggregatedMessage::Text(text))) => {
                        if self.hear(&text).await? && !ready {
                            ready = true;
                            length.set(self.time_left().map(sleep).into());
                        }
                    }
                    Some(Ok(AggregatedMessage::Ping(bytes))) => self.client.pong(&bytes).await?,
                    Some(Ok(AggregatedMessage::Close(_))) => {
                        self.shared.sessions.leave(self.id, self.shared.config.clock.now());
                        return self.client.close(None).await;
                    }
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => return Err(Closed),
                },
                Some(message) = stream.messages.recv() => {
                    self.client.text(message.to_string()).await?;
                }
                Some(()) = &mut length => {
                    self.shared.sessions.run_out(self.id, self.shared.config.clock.now());
                    length.set(None.into());
                }
                reason = ended(&mut stream.ended) => {
                    self.send_message("endsession", json!(reason)).await?;
                    return self.client.close(None).await;
                }
            }
        }
    }

    /// Takes one message. The first offer makes the session ready: true then, and on later offers.
    async fn hear(&mut self, text: &str) -> Result<bool, Closed> {
        let signal: Signal = match serde_json::from_str(text) {
            Ok(signal) => signal,
            Err(error) => {
                let warning = format!("The engine can't read this message: {error}");
                self.send_message("warning", json!(warning)).await?;
                return Ok(false);
            }
        };
        let Signal {
            action_type,
            payload,
        } = signal;
        let is_offer = action_type == "offer";
        if is_offer {
            self.send_message("sessionready", json!({})).await?;
        }
        if is_offer || action_type == CANDIDATE {
            for payload in reachable(&action_type, payload) {
                let message = message(self.id, &action_type, &payload);
                self.shared.sessions.send_to_engine(self.id, message);
            }
        }
        Ok(is_offer)
    }

    async fn send_message(&mut self, action: &str, payload: Value) -> Result<(), Closed> {
        let message = message(self.id, action, &payload);
        self.client.text(message.to_string()).await
    }

    /// What is left of the session's length, which counts from now on if it hasn't begun.
    fn time_left(&self) -> Option<Duration> {
        let now = self.shared.config.clock.now();
        let left = self.shared.sessions.streaming(self.id, now)?;
        Some(left.to_std().unwrap_or_default())
    }
}

/// Waits for the session's end; says why.
pub(super) async fn ended(ended: &mut watch::Receiver<Option<String>>) -> String {
    match ended.wait_for(Option::is_some).await {
        Ok(reason) => reason.clone().unwrap_or_default(),
        Err(_forgotten) => "Session forgotten".to_owned(),
    }
}
