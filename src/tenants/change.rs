//! One change of an admin: a transaction in which every verb adds an audit event; all are written at its end.

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use super::admin::{Admin, is_recent};
use crate::clock::Clock;
use crate::crypto::seal::KeyRing;
use crate::gateway::Gateway;
use crate::mail::{Letter, Mail};
use crate::store::audit::AuditEvent;
use crate::store::tenant_tx::TenantTx;
use crate::store::{Database, StoreError};

/// A change under way. Dropped without [`Change::commit`], it is rolled back.
#[derive(Debug)]
pub struct Change {
    pub tx: TenantTx,
    pub admin: Admin,
    /// The time of the whole change.
    pub now: DateTime<Utc>,
    pub keys: KeyRing,
    clock: Clock,
    notes: Vec<Note>,
    platform_notes: Vec<Note>,
    /// What sends letters; none without a running service, or without a mail server.
    pub mail: Option<Mail>,
    letters: Vec<Letter>,
}

impl Change {
    /// Begins a change of the admin's own tenant.
    pub async fn begin(gateway: &Gateway, admin: &Admin) -> Result<Self, StoreError> {
        let change = Self::with(
            &gateway.database,
            &gateway.clock,
            &gateway.keys,
            admin.clone(),
        );
        Ok(Self {
            mail: gateway.mail.clone(),
            ..change.await?
        })
    }

    /// Begins a change without a running service.
    pub async fn with(
        database: &Database,
        clock: &Clock,
        keys: &KeyRing,
        admin: Admin,
    ) -> Result<Self, StoreError> {
        Ok(Self {
            tx: database.tenant(admin.tenant).await?,
            now: clock.now(),
            keys: keys.clone(),
            clock: clock.clone(),
            admin,
            notes: Vec::new(),
            platform_notes: Vec::new(),
            mail: None,
            letters: Vec::new(),
        })
    }

    /// Locks the tenant's documents until this change ends. Its time is taken again, from the database:
    /// what the others did while this one waited lies before it, on whichever instance.
    pub async fn lock_authoring(&mut self) -> Result<(), StoreError> {
        self.tx.lock_authoring().await?;
        self.now = self.tx.moment().await?;
        Ok(())
    }

    /// Whether whoever makes the change has shown of late who they are.
    pub fn is_recent(&self) -> bool {
        is_recent(self.admin.proven_at, self.clock.now())
    }

    pub fn new_id(&self) -> Uuid {
        self.clock.new_id()
    }

    /// Adds an audit event: what is done (such as `persona.release`) to what (such as `persona/support`). It is written at the end of the change: a
    /// trail is a chain, and adding to it blocks others until the transaction ends.
    pub fn note(&mut self, action: &str, target: &str, details: Value) {
        self.note_hashes(action, target, None, None, details);
    }

    /// Adds an audit event with the SHA-256 of the content before and after.
    pub fn note_hashes(
        &mut self,
        action: &str,
        target: &str,
        before_hash: Option<&[u8]>,
        after_hash: Option<&[u8]>,
        details: Value,
    ) {
        let note = self.written(action, target, details);
        self.notes.push(Note {
            before_hash: before_hash.map(<[u8]>::to_vec),
            after_hash: after_hash.map(<[u8]>::to_vec),
            ..note
        });
    }

    /// Adds an event to the platform's trail: what an operator does to the tenant.
    pub fn note_platform(&mut self, action: &str, target: &str, details: Value) {
        let note = self.written(action, target, details);
        self.platform_notes.push(note);
    }

    /// Adds a letter, which is sent once the change is committed.
    pub fn send(&mut self, letter: Letter) {
        self.letters.push(letter);
    }

    fn written(&self, action: &str, target: &str, details: Value) -> Note {
        Note {
            id: self.clock.new_id(),
            at: self.now,
            action: action.to_owned(),
            target: target.to_owned(),
            before_hash: None,
            after_hash: None,
            details,
        }
    }

    pub async fn commit(mut self) -> Result<(), StoreError> {
        let request = self.admin.request_id.as_deref();
        let actor = self.admin.actor.label.as_str();
        for note in self.notes {
            self.tx.audit(&note.event(actor, request)).await?;
        }
        for note in self.platform_notes {
            self.tx.audit_platform(&note.event(actor, request)).await?;
        }
        self.tx.commit().await?;
        for letter in self.letters {
            if let Some(mail) = &self.mail {
                // Not taken: it is logged and counted; an invitation shows that its mail did not go.
                _ = mail.send(letter);
            }
        }
        Ok(())
    }
}

/// The audit events, written when the change is committed.
#[derive(Debug)]
struct Note {
    id: Uuid,
    at: DateTime<Utc>,
    action: String,
    target: String,
    before_hash: Option<Vec<u8>>,
    after_hash: Option<Vec<u8>>,
    details: Value,
}

impl Note {
    fn event<'a>(&'a self, actor: &'a str, request_id: Option<&'a str>) -> AuditEvent<'a> {
        AuditEvent {
            id: self.id,
            at: self.at,
            actor,
            action: &self.action,
            target: &self.target,
            before_hash: self.before_hash.as_deref(),
            after_hash: self.after_hash.as_deref(),
            request_id,
            details: self.details.clone(),
        }
    }
}
