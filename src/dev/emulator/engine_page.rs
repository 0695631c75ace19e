//! The engine's page: a browser that has it open speaks for the engine in one session, to a client in the same browser. Words go over the
//! client's own data channel, as Anam's do, so the SDK needs no change to hear them.

use actix_web::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY};
use actix_web::{HttpRequest, HttpResponse, rt, web};
use actix_ws::{AggregatedMessage, Closed};
use futures_util::StreamExt as _;
use uuid::Uuid;

use super::answer::Refusal;
use super::sessions::Stream;
use super::shared::Shared;
use super::signalling::{LARGEST_MESSAGE, Signal, ended, message, reachable, session_id};

/// What the page may load and connect to; any page may show it.
const POLICY: &str =
    "default-src 'none'; script-src 'self'; connect-src 'self' ws:; base-uri 'none'";

/// `GET /_emulator/engine?session_id=`
pub(super) async fn page() -> HttpResponse {
    file("text/html; charset=utf-8", include_str!("engine_page.html"))
}

/// `GET /_emulator/engine.js`
pub(super) async fn script() -> HttpResponse {
    file(
        "text/javascript; charset=utf-8",
        include_str!("engine_page.js"),
    )
}

fn file(media_type: &str, text: &'static str) -> HttpResponse {
    HttpResponse::Ok()
        .content_type(media_type)
        .insert_header((CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((CACHE_CONTROL, "no-cache"))
        .body(text)
}

/// `GET /_emulator/engine/ws?session_id=`: gives the page the persona's configuration and what the client sends, and the client what the page sends.
pub(super) async fn connect(
    shared: web::Data<Shared>,
    request: HttpRequest,
    body: web::Payload,
) -> Result<HttpResponse, actix_web::Error> {
    let id = session_id(&shared, &request)?;
    let Some((persona, stream)) = shared.sessions.serve(id) else {
        return Err(Refusal::not_found(format!("Session {id} does not exist.")).into());
    };
    let (response, mut page, messages) = actix_ws::handle(&request, body)?;
    let messages = messages
        .max_frame_size(LARGEST_MESSAGE)
        .aggregate_continuations()
        .max_continuation_size(LARGEST_MESSAGE);
    rt::spawn(async move {
        let persona = message(id, "persona", &persona);
        if page.text(persona.to_string()).await.is_ok() {
            drop(relay(&shared, id, page, messages, stream).await);
        }
    });
    Ok(response)
}

/// Until the page is closed, or the session ends.
async fn relay(
    shared: &Shared,
    id: Uuid,
    mut page: actix_ws::Session,
    mut messages: actix_ws::AggregatedMessageStream,
    mut stream: Stream,
) -> Result<(), Closed> {
    loop {
        tokio::select! {
            sent = messages.next() => match sent {
                Some(Ok(AggregatedMessage::Text(text))) => {
                    if let Ok(Signal { action_type, payload }) = serde_json::from_str(&text) {
                        for payload in reachable(&action_type, payload) {
                            shared.sessions.send_to_client(id, message(id, &action_type, &payload));
                        }
                    }
                }
                Some(Ok(AggregatedMessage::Ping(bytes))) => page.pong(&bytes).await?,
                Some(Ok(AggregatedMessage::Close(_)) | Err(_)) | None => return page.close(None).await,
                Some(Ok(_)) => {}
            },
            Some(message) = stream.messages.recv() => page.text(message.to_string()).await?,
            _reason = ended(&mut stream.ended) => return page.close(None).await,
        }
    }
}
