//! What changed in the database, as notices of NOTIFY say.

use std::str::FromStr;
use std::time::Duration;

use sqlx::Executor;
use sqlx::postgres::{PgListener, PgNotification, PgPoolOptions};
use tokio::time::timeout;
use uuid::Uuid;

use super::silence::silence;
use super::{Database, StoreError};
use crate::crypto::digest::SubjectDigest;
use crate::domain::ids::TenantId;

/// The channels of the triggers in migrations/.
const CONFIG: &str = "gateway_config";
const PREFERENCES: &str = "gateway_preferences";
/// Longest wait for an answer that costs nothing to give.
const PROBE: Duration = Duration::from_secs(1);

/// One notice. It carries ids only: what changed is read again under row security.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// Of what is live.
    Config(Change),
    /// Of users' choices.
    Preferences(PreferencesChange),
}

/// Whose choices were written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PreferencesChange {
    OfUser(TenantId, SubjectDigest),
    /// Many of its users'.
    OfTenant(TenantId),
    /// The whole table was emptied.
    OfAll,
}

impl Notice {
    /// `None` if it is not ours.
    fn read(notice: &PgNotification) -> Option<Self> {
        let payload = notice.payload();
        match notice.channel() {
            CONFIG => Change::parse(payload).map(Self::Config),
            PREFERENCES => PreferencesChange::parse(payload).map(Self::Preferences),
            _ => None,
        }
    }
}

impl PreferencesChange {
    /// Reads `v1 <tenant> <SHA-256 of the subject>`, `v1 <tenant> *` or `v1 * *`.
    fn parse(payload: &str) -> Option<Self> {
        let mut words = payload.split(' ');
        match (words.next()?, words.next()?, words.next()?) {
            ("v1", "*", "*") => Some(Self::OfAll),
            ("v1", tenant, user) => {
                let tenant = TenantId(Uuid::from_str(tenant).ok()?);
                match user {
                    "*" => Some(Self::OfTenant(tenant)),
                    user => Some(Self::OfUser(tenant, SubjectDigest::parse(user)?)),
                }
            }
            _ => None,
        }
    }
}

/// A change of what is live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// Whose; nil for what belongs to no tenant.
    pub tenant: TenantId,
    /// The tenant's revision after the change.
    pub revision: i64,
    pub touched: ChangeScope,
}

/// What a change can affect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeScope {
    /// Who can call: the tenant itself, or its issuers.
    Access,
    /// Who can call: what belongs to the installation.
    SharedIssuers,
    /// What is served to those who can.
    Content,
}

impl Change {
    /// Reads `v1 <tenant> <revision> <table>`; anything else is not ours.
    fn parse(payload: &str) -> Option<Self> {
        let mut words = payload.split(' ');
        if words.next() != Some("v1") {
            return None;
        }
        let tenant = TenantId(Uuid::from_str(words.next()?).ok()?);
        let revision = words.next()?.parse().ok()?;
        let table = words.next()?;
        Some(Self {
            tenant,
            revision,
            touched: match table {
                "tenant" | "issuer" | "issuer_audience" => ChangeScope::Access,
                "shared_issuer" => ChangeScope::SharedIssuers,
                _ => ChangeScope::Content,
            },
        })
    }
}

#[derive(Debug)]
pub struct Changes {
    /// None when it is being dropped.
    listener: Option<PgListener>,
    /// Longest wait for an answer.
    end: Duration,
}

impl Database {
    /// Starts listening on a connection of its own.
    pub async fn listen(&self) -> Result<Changes, StoreError> {
        let ends = self.pool.ends();
        let (reach, direct) = self.pool.ways();
        let reach = direct.unwrap_or(reach);
        let options = reach.options(ends.acquire).await?;
        // One connection, never handed to anybody else.
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(ends.acquire)
            .connect_lazy_with(options.clone());
        let mut listener = match PgListener::connect_with(&pool).await {
            Ok(listener) => listener,
            Err(error) => {
                // sqlx goes on trying until its time is over, and forgets why.
                reach.connect_within(ends.acquire).await?;
                return Err(error.into());
            }
        };
        // A lost connection must show as an error: then everything is read again.
        listener.eager_reconnect(false);
        let mut changes = Changes {
            listener: Some(listener),
            end: ends.exchange,
        };
        let (listener, end) = changes.listener()?;
        timeout(end, listener.listen_all([CONFIG, PREFERENCES]))
            .await
            .map_err(|_late| silence())??;
        Ok(changes)
    }
}

impl Changes {
    /// A notice that has arrived already.
    pub fn buffered(&mut self) -> Option<Notice> {
        let listener = self.listener.as_mut()?;
        loop {
            let notice = listener.next_buffered()?;
            if let Some(notice) = Notice::read(&notice) {
                return Some(notice);
            }
        }
    }

    /// The next notice; an error or `None` means that notices may have been lost. Waits for ever where the connection has
    /// gone silent, which [`Changes::probe`] finds out.
    pub async fn next(&mut self) -> Result<Option<Notice>, StoreError> {
        let (listener, _) = self.listener()?;
        loop {
            match listener.try_recv().await? {
                None => return Ok(None),
                Some(notice) => {
                    if let Some(notice) = Notice::read(&notice) {
                        return Ok(Some(notice));
                    }
                }
            }
        }
    }

    /// Whether anybody is there: silence is what a quiet channel and a dead one have in common.
    pub async fn probe(&mut self) -> Result<(), StoreError> {
        let (listener, end) = self.listener()?;
        let asked = timeout(end.min(PROBE), listener.execute("select 1"));
        asked.await.map_err(|_late| silence())??;
        Ok(())
    }

    fn listener(&mut self) -> Result<(&mut PgListener, Duration), StoreError> {
        let listener = self.listener.as_mut().ok_or_else(silence)?;
        Ok((listener, self.end))
    }
}

impl Drop for Changes {
    fn drop(&mut self) {
        // A listener that is dropped sends a task to say goodbye, which may wait for ever. Sent to a runtime that ends here,
        // it ends with that, and the socket is closed.
        if let Ok(nowhere) = tokio::runtime::Builder::new_current_thread().build() {
            let entered = nowhere.enter();
            self.listener = None;
            drop(entered);
            nowhere.shutdown_background();
        }
    }
}
