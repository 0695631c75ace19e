//! What changed in the database, told by NOTIFY.

use std::str::FromStr;

use sqlx::postgres::PgListener;
use uuid::Uuid;

use super::{Database, StoreError};
use crate::domain::ids::TenantId;

/// The channel of the triggers in migrations/.
const CHANNEL: &str = "gateway_config";

/// One notice. It carries ids only: what changed is read again under row security.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// Whose; nil for what belongs to no tenant.
    pub tenant: TenantId,
    /// The revision that it brought.
    pub revision: i64,
    /// Whether it may matter to who can call at all.
    pub touches_access: bool,
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
            touches_access: matches!(table, "tenant" | "issuer" | "shared_issuer"),
        })
    }
}

/// A connection that listens.
#[derive(Debug)]
pub struct Changes {
    listener: PgListener,
}

impl Database {
    /// Starts listening on a connection of its own.
    pub async fn listen(&self) -> Result<Changes, StoreError> {
        // One connection, never handed to anybody else: a pool of its own.
        let pool = sqlx::postgres::PgPoolOptions::new()
            .max_connections(1)
            .connect_lazy_with(self.connect.clone());
        let mut listener = PgListener::connect_with(&pool).await?;
        // A lost connection must show as an error: then everything is read anew.
        listener.eager_reconnect(false);
        listener.listen(CHANNEL).await?;
        Ok(Changes { listener })
    }
}

impl Changes {
    /// A change that has arrived already.
    pub fn buffered(&mut self) -> Option<Change> {
        loop {
            let notice = self.listener.next_buffered()?;
            if let Some(change) = Change::parse(notice.payload()) {
                return Some(change);
            }
        }
    }

    /// The next change; an error or `None` means that notices may have been lost.
    pub async fn next(&mut self) -> Result<Option<Change>, StoreError> {
        loop {
            match self.listener.try_recv().await? {
                None => return Ok(None),
                Some(notice) => {
                    if let Some(change) = Change::parse(notice.payload()) {
                        return Ok(Some(change));
                    }
                }
            }
        }
    }
}
