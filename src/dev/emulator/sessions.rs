//! Sessions: they exist from engine/session on, never from mint, and take a slot until they end.

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use serde_json::Value;
use tokio::sync::{mpsc, watch};
use uuid::Uuid;

use super::access::Account;
use super::lock::lock;

/// Sessions that are remembered; the oldest are forgotten, running or not.
const KEPT: usize = 10_000;
/// Messages of the signalling that wait for whoever is to read them; what comes then is lost.
const WAITING: usize = 256;

/// Why a session ended, in Anam's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum ExitStatus {
    NormalExit,
    ClosedByEngine,
}

/// A session as `GET /v1/sessions` shows it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SessionRow {
    pub(super) id: Uuid,
    pub(super) persona_id: Option<String>,
    pub(super) client_label: Option<String>,
    pub(super) start_time: DateTime<Utc>,
    pub(super) end_time: Option<DateTime<Utc>>,
    pub(super) session_length_ms: Option<i64>,
    pub(super) exit_status: Option<ExitStatus>,
    pub(super) engine_host: String,
    pub(super) engine_protocol: &'static str,
    pub(super) engine_version: &'static str,
    pub(super) client_metadata: Value,
    pub(super) persona_config: Value,
    pub(super) api_key_id: Uuid,
    pub(super) organization_id: Uuid,
    pub(super) created_at: DateTime<Utc>,
    pub(super) updated_at: DateTime<Utc>,
}

#[derive(Debug)]
struct Session {
    row: SessionRow,
    longest: Option<TimeDelta>,
    deadline: Option<DateTime<Utc>>,
    ended: watch::Sender<Option<String>>,
    /// Where messages for the client go, once its socket is there.
    client: Option<mpsc::Sender<Value>>,
    /// Where messages for the engine's page go, once there is one.
    engine: Option<mpsc::Sender<Value>>,
    /// What the client sent before, from its last offer on.
    unread: Vec<Value>,
}

impl Session {
    /// A message of the client, for the engine's page.
    fn pass_on(&mut self, message: Value) {
        if let Some(engine) = &self.engine
            && !engine.is_closed()
        {
            drop(engine.try_send(message));
            return;
        }
        if message
            .get("actionType")
            .is_some_and(|action| action == "offer")
        {
            self.unread.clear();
        }
        if self.unread.len() < WAITING {
            self.unread.push(message);
        }
    }

    pub(super) fn end(&mut self, status: ExitStatus, reason: &str, now: DateTime<Utc>) {
        if self.row.end_time.is_some() {
            return;
        }
        self.row.end_time = Some(now);
        self.row.updated_at = now;
        self.row.session_length_ms = Some((now - self.row.start_time).num_milliseconds());
        self.row.exit_status = Some(status);
        self.ended.send_replace(Some(reason.to_owned()));
    }
}

/// What a socket of one session follows: the client's, or that of the engine's page.
#[derive(Debug)]
pub(super) struct Stream {
    /// Becomes the reason when the session ends.
    pub(super) ended: watch::Receiver<Option<String>>,
    /// What the other side sends.
    pub(super) messages: mpsc::Receiver<Value>,
}

#[derive(Debug, Default)]
struct SessionStore {
    sessions: HashMap<Uuid, Session>,
    order: VecDeque<Uuid>,
}

impl SessionStore {
    /// Ends the sessions that have run for their full length.
    fn expire(&mut self, now: DateTime<Utc>) {
        for session in self.sessions.values_mut() {
            if session.deadline.is_some_and(|deadline| deadline <= now) {
                session.end(ExitStatus::ClosedByEngine, LENGTH_REACHED, now);
            }
        }
    }
}

/// What a session says when `maxSessionLengthSeconds` has passed.
const LENGTH_REACHED: &str = "Session length limit reached";

/// Every session that reached an engine.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    book: Mutex<SessionStore>,
}

impl Sessions {
    /// Opens a session; its length counts from [`Sessions::streaming`] on.
    pub(super) fn open(&self, row: SessionRow, longest: Option<TimeDelta>) {
        let mut book = lock(&self.book);
        book.order.push_back(row.id);
        let session = Session {
            longest,
            deadline: None,
            ended: watch::Sender::new(None),
            client: None,
            engine: None,
            unread: Vec::new(),
            row,
        };
        book.sessions.insert(session.row.id, session);
        if book.order.len() > KEPT
            && let Some(oldest) = book.order.pop_front()
        {
            book.sessions.remove(&oldest);
        }
    }

    /// Running sessions of one organisation.
    pub(super) fn running(&self, account: Account, now: DateTime<Utc>) -> usize {
        let mut book = lock(&self.book);
        book.expire(now);
        book.sessions
            .values()
            .filter(|session| session.row.organization_id == account.0)
            .filter(|session| session.row.end_time.is_none())
            .count()
    }

    /// Rows of one organisation, newest first.
    pub(super) fn rows(&self, account: Account, now: DateTime<Utc>) -> Vec<SessionRow> {
        let mut book = lock(&self.book);
        book.expire(now);
        book.order
            .iter()
            .rev()
            .filter_map(|id| Some(book.sessions.get(id)?.row.clone()))
            .filter(|row| row.organization_id == account.0)
            .collect()
    }

    pub(super) fn runs(&self, id: Uuid, now: DateTime<Utc>) -> bool {
        let mut book = lock(&self.book);
        book.expire(now);
        book.sessions
            .get(&id)
            .is_some_and(|session| session.row.end_time.is_none())
    }

    /// Follows a session for its client; `None` when it is unknown.
    pub(super) fn follow(&self, id: Uuid) -> Option<Stream> {
        let mut book = lock(&self.book);
        let session = book.sessions.get_mut(&id)?;
        let (sender, messages) = mpsc::channel(WAITING);
        session.client = Some(sender);
        Some(Stream {
            ended: session.ended.subscribe(),
            messages,
        })
    }

    /// Follows a session for the engine's page, which begins with what the client sent so far; with it comes the persona's configuration.
    pub(super) fn serve(&self, id: Uuid) -> Option<(Value, Stream)> {
        let mut book = lock(&self.book);
        let session = book.sessions.get_mut(&id)?;
        let (sender, messages) = mpsc::channel(WAITING);
        for message in session.unread.drain(..) {
            drop(sender.try_send(message));
        }
        session.engine = Some(sender);
        let stream = Stream {
            ended: session.ended.subscribe(),
            messages,
        };
        Some((session.row.persona_config.clone(), stream))
    }

    /// A message of the client, for the engine's page.
    pub(super) fn send_to_engine(&self, id: Uuid, message: Value) {
        if let Some(session) = lock(&self.book).sessions.get_mut(&id) {
            session.pass_on(message);
        }
    }

    /// A message of the engine's page, for the client.
    pub(super) fn send_to_client(&self, id: Uuid, message: Value) {
        let book = lock(&self.book);
        let client = book
            .sessions
            .get(&id)
            .and_then(|session| session.client.as_ref());
        if let Some(client) = client {
            drop(client.try_send(message));
        }
    }

    /// The stream is up: the session's length counts from the first time on. Says what is left.
    pub(super) fn streaming(&self, id: Uuid, now: DateTime<Utc>) -> Option<TimeDelta> {
        let mut book = lock(&self.book);
        let session = book.sessions.get_mut(&id)?;
        let longest = session.longest?;
        let deadline = *session.deadline.get_or_insert(now + longest);
        Some(deadline - now)
    }

    /// The session has run for its full length.
    pub(super) fn run_out(&self, id: Uuid, now: DateTime<Utc>) {
        self.end(id, ExitStatus::ClosedByEngine, LENGTH_REACHED, now);
    }

    /// The client closed its socket.
    pub(super) fn leave(&self, id: Uuid, now: DateTime<Utc>) {
        self.end(id, ExitStatus::NormalExit, "Client left", now);
    }

    pub(super) fn end(&self, id: Uuid, status: ExitStatus, reason: &str, now: DateTime<Utc>) {
        if let Some(session) = lock(&self.book).sessions.get_mut(&id) {
            session.end(status, reason, now);
        }
    }
}
