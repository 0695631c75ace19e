//! `POST /v1/engine/session`: starts the conversation that a token stands for and takes its slot.
//! What mint passed over in lax mode comes out here, as it does at Anam.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use chrono::TimeDelta;
use serde_json::{Value, json};
use uuid::Uuid;

use super::access::{Account, account, bearer};
use super::answer::{Refusal, ok};
use super::catalogue::Catalogue;
use super::config::Mode;
use super::mint::{json_object, kind};
use super::schema;
use super::sessions::SessionRow;
use super::shared::Shared;
use super::tokens::{Grant, TokenKind};

/// Where the signalling socket is.
pub(super) const SIGNALLING: &str = "/v1/webrtc/engines/emu/ws";

/// A conversation about to start.
struct Start {
    account: Account,
    session_id: Uuid,
    config: Arc<Value>,
}

/// Starts a session for a session token, or for an API key that sends the whole configuration.
pub(super) async fn start(
    shared: web::Data<Shared>,
    request: HttpRequest,
    body: Bytes,
) -> Result<HttpResponse, Refusal> {
    let body = json_object(&request, &body)?;
    let token = bearer(&request).and_then(|token| Some((token, shared.tokens.find(token)?)));
    let start = match &token {
        Some((_, grant)) => by_token(&shared, grant, &body)?,
        None => by_key(&shared, &request, &body)?,
    };
    late_faults(&start.config, &shared.catalogue)?;
    take_slot(&shared, start.account)?;
    if let Some((token, _)) = token {
        shared.tokens.spend(token);
    }
    Ok(ok(open(&shared, &request, &start, &body)))
}

fn by_token(shared: &Shared, grant: &Grant, body: &Value) -> Result<Start, Refusal> {
    let clock = &shared.config.clock;
    if grant.expires_at <= clock.now() {
        return Err(Refusal::unauthorised("The session token has expired."));
    }
    if grant.used && shared.config.single_use {
        return Err(Refusal::unauthorised(
            "The session token has already started a conversation.",
        ));
    }
    if grant.kind == TokenKind::Legacy {
        return Err(Refusal::bad_request(
            "The session token is of the legacy type: it was minted without llmId.",
        ));
    }
    let stranger = body
        .as_object()
        .into_iter()
        .flat_map(|members| members.keys())
        .find(|name| !matches!(name.as_str(), "clientMetadata" | "sessionOptions"));
    if let (Mode::Strict, Some(name)) = (shared.config.mode, stranger) {
        return Err(Refusal::bad_request(format!(
            "body.{name}: with a session token, the token holds the configuration"
        )));
    }
    Ok(Start {
        account: grant.account,
        session_id: if grant.used {
            clock.new_id()
        } else {
            grant.session_id
        },
        config: Arc::clone(&grant.config),
    })
}

fn by_key(shared: &Shared, request: &HttpRequest, body: &Value) -> Result<Start, Refusal> {
    let account = account(&shared.config.api_keys, request)?;
    let is_token = bearer(request).is_some_and(|token| token.split('.').count() == 3);
    if is_token {
        return Err(Refusal::unauthorised("The session token is unknown."));
    }
    let mut config = body.clone();
    if let Some(members) = config.as_object_mut() {
        members.shift_remove("clientMetadata");
    }
    if shared.config.mode == Mode::Strict {
        schema::check(&config, &shared.catalogue)?;
    }
    if kind(&config, &shared.catalogue)? == TokenKind::Legacy {
        return Err(Refusal::bad_request("personaConfig.llmId is missing."));
    }
    Ok(Start {
        account,
        session_id: shared.config.clock.new_id(),
        config: Arc::new(config),
    })
}

/// The faults of a configuration that Anam finds only when the engine starts.
fn late_faults(config: &Value, catalogue: &Catalogue) -> Result<(), Refusal> {
    let persona = config.get("personaConfig").unwrap_or(&Value::Null);
    if persona.get("personaId").is_some() {
        return Ok(());
    }
    let id = |name: &str| persona.get(name).and_then(Value::as_str);
    let missing = |kind: &str, id: &str| {
        Err(Refusal::not_found(format!(
            "{kind} with id {id} does not exist."
        )))
    };
    let Some(avatar_id) = id("avatarId") else {
        return Err(Refusal::bad_request(
            "Avatar ID is required for ephemeral sessions.",
        ));
    };
    let Some(avatar) = catalogue.avatar(avatar_id) else {
        return missing("Avatar", avatar_id);
    };
    if let Some(voice) = id("voiceId").filter(|id| catalogue.voice(id).is_none()) {
        return missing("Voice", voice);
    }
    if let Some(llm) =
        id("llmId").filter(|id| Uuid::parse_str(id).is_ok() && catalogue.llm(id).is_none())
    {
        return missing("LLM", llm);
    }
    let side = |name: &str| {
        config
            .pointer(&format!("/sessionOptions/{name}"))
            .and_then(Value::as_u64)
    };
    if let (Some(width), Some(height)) = (side("videoWidth"), side("videoHeight")) {
        let model = id("avatarModel").unwrap_or(avatar.active_version);
        let portrait = avatar.portrait_image_url.is_some();
        if !schema::is_known_video_size(model, width, height, portrait) {
            return Err(Refusal::bad_request(format!(
                "Video size {width}x{height} is not supported by {model}."
            )));
        }
    }
    Ok(())
}

/// Refuses when the organisation's slots are all taken.
fn take_slot(shared: &Shared, account: Account) -> Result<(), Refusal> {
    let Some(limit) = shared.config.concurrency else {
        return Ok(());
    };
    let running = shared.sessions.running(account, shared.config.clock.now());
    if running >= usize::try_from(limit).unwrap_or(usize::MAX) {
        return Err(Refusal::too_many_sessions(limit));
    }
    Ok(())
}

/// Writes the session's row and tells the client where to connect.
fn open(shared: &Shared, request: &HttpRequest, start: &Start, body: &Value) -> Value {
    let now = shared.config.clock.now();
    let config = &start.config;
    let text = |pointer: &str| {
        config
            .pointer(pointer)
            .and_then(Value::as_str)
            .map(str::to_owned)
    };
    // The name that the client reached us by, so that it also works through a forwarded port.
    let host = request.connection_info().host().to_owned();
    let row = SessionRow {
        id: start.session_id,
        persona_id: text("/personaConfig/personaId"),
        client_label: text("/clientLabel"),
        start_time: now,
        end_time: None,
        session_length_ms: None,
        exit_status: None,
        engine_host: host.clone(),
        engine_protocol: "http",
        engine_version: "emulator",
        client_metadata: body.get("clientMetadata").cloned().unwrap_or(Value::Null),
        persona_config: config.get("personaConfig").cloned().unwrap_or(Value::Null),
        api_key_id: start.account.0,
        organization_id: start.account.0,
        created_at: now,
        updated_at: now,
    };
    let longest = config
        .pointer("/personaConfig/maxSessionLengthSeconds")
        .and_then(Value::as_f64)
        .and_then(time_span);
    shared.sessions.open(row, longest);
    json!({
        "sessionId": start.session_id,
        "region": "eu",
        "engineHost": host,
        "engineProtocol": "http",
        "signallingEndpoint": SIGNALLING,
        "clientConfig": {
            "heartbeatIntervalSeconds": 5,
            "expectedHeartbeatIntervalSecs": 5,
            "maxWsReconnectionAttempts": 5,
            "maxWsReconnectAttempts": 5,
            "iceServers": [],
        },
    })
}

/// A length in seconds as a time span; lengths of more than a century count as none.
fn time_span(seconds: f64) -> Option<TimeDelta> {
    let length = std::time::Duration::try_from_secs_f64(seconds).ok()?;
    TimeDelta::from_std(length)
        .ok()
        .filter(|length| *length < TimeDelta::days(36_500))
}
