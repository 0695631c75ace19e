//! `/v1/sessions`: an organisation sees its own sessions only.

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Value, json};
use uuid::Uuid;

use super::query::Query;
use crate::dev::emulator::access::{Account, account};
use crate::dev::emulator::answer::{Refusal, ok};
use crate::dev::emulator::sessions::{ExitStatus, SessionRow};
use crate::dev::emulator::shared::Shared;

/// `GET /v1/sessions`; `search` looks in id and `clientLabel`.
pub(crate) async fn list(
    shared: web::Data<Shared>,
    request: HttpRequest,
) -> Result<HttpResponse, Refusal> {
    let account = account(&shared.config.api_keys, &request)?;
    let query = Query::parse(
        &request,
        &["search", "apiKeyId", "personaId"],
        shared.config.mode,
    )?;
    let found: Vec<SessionRow> = shared
        .sessions
        .rows(account, shared.config.clock.now())
        .into_iter()
        .filter(|row| {
            query.finds(&[
                &row.id.to_string(),
                row.client_label.as_deref().unwrap_or_default(),
            ])
        })
        .filter(|row| query.asks("apiKeyId", &row.api_key_id.to_string()))
        .filter(|row| query.asks("personaId", row.persona_id.as_deref().unwrap_or_default()))
        .collect();
    Ok(ok(query.page(&found)))
}

/// `GET /v1/sessions/{id}`; an ended session also shows its tool calls.
pub(crate) async fn one(
    shared: web::Data<Shared>,
    request: HttpRequest,
    id: web::Path<String>,
) -> Result<HttpResponse, Refusal> {
    let account = account(&shared.config.api_keys, &request)?;
    let row = find(&shared, account, &id)?;
    let ended = row.end_time.is_some();
    let mut shown = json!(row);
    if let (true, Some(members)) = (ended, shown.as_object_mut()) {
        members.insert("toolCalls".to_owned(), Value::Array(Vec::new()));
    }
    Ok(ok(shown))
}

/// `GET /v1/sessions/concurrency`: how many slots are taken.
pub(crate) async fn concurrency(
    shared: web::Data<Shared>,
    request: HttpRequest,
) -> Result<HttpResponse, Refusal> {
    let account = account(&shared.config.api_keys, &request)?;
    let active = shared.sessions.running(account, shared.config.clock.now());
    let limit = shared.config.concurrency;
    let free = limit.is_none_or(|limit| active < usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(ok(json!({
        "limit": limit.unwrap_or(u32::MAX),
        "active": active,
        "canStartSession": free,
        "estimatedWaitSeconds": if free { Value::Null } else { json!(30) },
    })))
}

/// `POST /v1/sessions/{id}/stop`: the only way to end a session from a server.
pub(crate) async fn stop(
    shared: web::Data<Shared>,
    request: HttpRequest,
    id: web::Path<String>,
) -> Result<HttpResponse, Refusal> {
    let account = account(&shared.config.api_keys, &request)?;
    let row = find(&shared, account, &id)?;
    shared.sessions.end(
        row.id,
        ExitStatus::ClosedByEngine,
        "Session stopped",
        shared.config.clock.now(),
    );
    Ok(ok(json!({})))
}

/// `GET /v1/sessions/{id}/transcript`: words go from browser to browser here, so there is none.
pub(crate) async fn transcript(
    shared: web::Data<Shared>,
    request: HttpRequest,
    id: web::Path<String>,
) -> Result<HttpResponse, Refusal> {
    let account = account(&shared.config.api_keys, &request)?;
    let row = find(&shared, account, &id)?;
    Err(Refusal::not_found(format!(
        "Session {} has no transcript.",
        row.id
    )))
}

fn find(shared: &Shared, account: Account, id: &str) -> Result<SessionRow, Refusal> {
    let id = Uuid::parse_str(id).map_err(|error| {
        Refusal::bad_request(format!("The session id {id:?} is no UUID: {error}."))
    })?;
    shared
        .sessions
        .rows(account, shared.config.clock.now())
        .into_iter()
        .find(|row| row.id == id)
        .ok_or_else(|| {
            Refusal::not_found(format!(
                "Session {id} doesn't exist, or has never reached an engine."
            ))
        })
}
