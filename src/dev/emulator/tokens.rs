//! Session tokens: signed JWTs of one hour, each standing for the exact configuration it was minted with.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use super::access::Account;
use super::lock::lock;

/// A session token lives this long.
const LIFETIME: TimeDelta = TimeDelta::hours(1);

/// Tokens that are remembered; an older one is unknown at engine/session.
const KEPT: usize = 5000;

/// What Anam writes into a token's `type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenKind {
    Ephemeral,
    Stateful,
    /// Minted without an LLM or without a persona: the SDK refuses it.
    Legacy,
}

impl TokenKind {
    fn claim(self) -> &'static str {
        match self {
            Self::Ephemeral => "ephemeral",
            Self::Stateful => "stateful",
            Self::Legacy => "legacy",
        }
    }
}

/// What a token stands for.
#[derive(Debug, Clone)]
pub(super) struct Grant {
    pub(super) account: Account,
    pub(super) kind: TokenKind,
    pub(super) session_id: Uuid,
    pub(super) config: Arc<Value>,
    pub(super) expires_at: DateTime<Utc>,
    pub(super) used: bool,
}

#[derive(Debug, Default)]
struct TokenStore {
    grants: HashMap<Arc<str>, Grant>,
    order: VecDeque<Arc<str>>,
}

/// Every token that was minted.
#[derive(Debug)]
pub(super) struct Tokens {
    key: hmac::Key,
    book: Mutex<TokenStore>,
}

impl Tokens {
    /// Makes a fresh signing key; `None` when the machine has no randomness.
    pub(super) fn new() -> Option<Self> {
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new()).ok()?;
        Some(Self {
            key,
            book: Mutex::default(),
        })
    }

    /// Mints a token for this configuration.
    pub(super) fn mint(
        &self,
        account: Account,
        kind: TokenKind,
        session_id: Uuid,
        config: Value,
        now: DateTime<Utc>,
    ) -> Arc<str> {
        let expires_at = now + LIFETIME;
        let token: Arc<str> = self
            .sign(&json!({
                "accountId": account.0,
                "type": kind.claim(),
                "sessionId": session_id,
                "iat": now.timestamp(),
                "exp": expires_at.timestamp(),
            }))
            .into();
        let grant = Grant {
            account,
            kind,
            session_id,
            config: Arc::new(config),
            expires_at,
            used: false,
        };
        let mut book = lock(&self.book);
        book.grants.insert(Arc::clone(&token), grant);
        book.order.push_back(Arc::clone(&token));
        if book.order.len() > KEPT
            && let Some(oldest) = book.order.pop_front()
        {
            book.grants.remove(&oldest);
        }
        token
    }

    fn sign(&self, claims: &Value) -> String {
        let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
        let payload = URL_SAFE_NO_PAD.encode(claims.to_string());
        let signed = format!("{header}.{payload}");
        let signature = hmac::sign(&self.key, signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// What this token stands for, if it was minted here.
    pub(super) fn find(&self, token: &str) -> Option<Grant> {
        lock(&self.book).grants.get(token).cloned()
    }

    /// Marks a token as used.
    pub(super) fn spend(&self, token: &str) {
        if let Some(grant) = lock(&self.book).grants.get_mut(token) {
            grant.used = true;
        }
    }

    /// Tokens with their grants, newest first.
    pub(super) fn all(&self) -> Vec<(Arc<str>, Grant)> {
        let book = lock(&self.book);
        book.order
            .iter()
            .rev()
            .filter_map(|token| Some((Arc::clone(token), book.grants.get(token)?.clone())))
            .collect()
    }
}
