//! The ledger's tables: `session`, `session_outcome`, `session_inputs`. Rows of many tenants go in together.

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use super::StoreError;
use super::tenant_tx::PlatformTx;
use crate::domain::ids::{IssuerId, RequestId, SessionId, TenantId};

/// A token about to be requested.
#[derive(Debug, Clone)]
pub struct Requested {
    pub tenant: TenantId,
    pub session: SessionId,
    pub request: Option<RequestId>,
    /// The time of the session's id.
    pub at: DateTime<Utc>,
    /// The issuer of the user's token.
    pub issuer: IssuerId,
    /// The user's id in their token.
    pub subject: String,
    /// The key of the context that was used.
    pub context: String,
    pub persona: String,
    pub persona_version: i32,
    /// SHA-256 of what Anam is sent.
    pub config_hash: Vec<u8>,
    pub trace: Value,
    /// What a replay needs, and until when it is kept; `None` where policy keeps nothing.
    pub inputs: Option<(Value, DateTime<Utc>)>,
}

#[derive(Debug, Clone)]
pub struct Outcome {
    pub tenant: TenantId,
    pub session: SessionId,
    /// The time of the session's id.
    pub at: DateTime<Utc>,
    pub result: OutcomeResult,
    /// How long it took.
    pub timings: Timings,
}

/// How long each part of a mint took, microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Timings {
    /// Verifying the JWT.
    pub auth: Option<i32>,
    /// Reading what is live and deciding.
    pub decide: Option<i32>,
    /// Asking Anam, with the ledger's commit beside it.
    pub anam: Option<i32>,
    pub total: Option<i32>,
}

/// The result of a mint.
#[derive(Debug, Clone)]
pub enum OutcomeResult {
    Issued {
        /// SHA-256 of it.
        token_hash: Vec<u8>,
        /// Until when it can start a conversation.
        expires_at: DateTime<Utc>,
    },
    Failed {
        /// Its problem code.
        code: &'static str,
    },
}

impl PlatformTx {
    /// Writes `requested` rows, all or none.
    pub async fn insert_requested(&mut self, rows: &[Requested]) -> Result<(), StoreError> {
        let tenants: Vec<Uuid> = rows.iter().map(|row| row.tenant.0).collect();
        let ids: Vec<Uuid> = rows.iter().map(|row| row.session.0).collect();
        let ats: Vec<DateTime<Utc>> = rows.iter().map(|row| row.at).collect();
        let issuers: Vec<Uuid> = rows.iter().map(|row| row.issuer.0).collect();
        let subjects: Vec<String> = rows.iter().map(|row| row.subject.clone()).collect();
        let contexts: Vec<String> = rows.iter().map(|row| row.context.clone()).collect();
        let personas: Vec<String> = rows.iter().map(|row| row.persona.clone()).collect();
        let versions: Vec<i32> = rows.iter().map(|row| row.persona_version).collect();
        let hashes: Vec<Vec<u8>> = rows.iter().map(|row| row.config_hash.clone()).collect();
        let traces: Vec<Value> = rows.iter().map(|row| row.trace.clone()).collect();
        let requests: Vec<Option<Uuid>> =
            rows.iter().map(|row| row.request.map(|id| id.0)).collect();
        sqlx::query!(
            "insert into session (tenant_id, id, at, issuer_id, subject, context_key, persona_key, persona_version, config_hash, trace,
                                  request_id)
             select * from unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::uuid[], $5::text[], $6::text[], $7::text[],
                                  $8::int[], $9::bytea[], $10::jsonb[], $11::uuid[])",
            &tenants,
            &ids,
            &ats,
            &issuers,
            &subjects,
            &contexts,
            &personas,
            &versions,
            &hashes,
            &traces,
            &requests as &[Option<Uuid>]
        )
        .execute(self.connection())
        .await?;
        self.insert_inputs(rows).await
    }

    async fn insert_inputs(&mut self, rows: &[Requested]) -> Result<(), StoreError> {
        let kept: Vec<(&Requested, &Value, DateTime<Utc>)> = rows
            .iter()
            .filter_map(|row| {
                row.inputs
                    .as_ref()
                    .map(|(inputs, until)| (row, inputs, *until))
            })
            .collect();
        if kept.is_empty() {
            return Ok(());
        }
        let tenants: Vec<Uuid> = kept.iter().map(|(row, ..)| row.tenant.0).collect();
        let ids: Vec<Uuid> = kept.iter().map(|(row, ..)| row.session.0).collect();
        let ats: Vec<DateTime<Utc>> = kept.iter().map(|(row, ..)| row.at).collect();
        let untils: Vec<DateTime<Utc>> = kept.iter().map(|(.., until)| *until).collect();
        let inputs: Vec<Value> = kept
            .iter()
            .map(|(_, inputs, _)| (*inputs).clone())
            .collect();
        sqlx::query!(
            "insert into session_inputs (tenant_id, session_id, at, keep_until, inputs)
             select * from unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::timestamptz[], $5::jsonb[])",
            &tenants,
            &ids,
            &ats,
            &untils,
            &inputs
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Whether rows can be written at all: not on a standby, before it is promoted.
    pub async fn takes_writes(&mut self) -> Result<bool, StoreError> {
        let writable =
            sqlx::query_scalar!("select current_setting('transaction_read_only') = 'off'")
                .fetch_one(self.connection())
                .await?;
        Ok(writable == Some(true))
    }

    /// Writes outcomes. One that stands already stays: a session has one outcome. One of a tenant that is deleted meanwhile goes
    /// with it.
    pub async fn insert_outcomes(&mut self, rows: &[Outcome]) -> Result<(), StoreError> {
        let tenants: Vec<Uuid> = rows.iter().map(|row| row.tenant.0).collect();
        let ids: Vec<Uuid> = rows.iter().map(|row| row.session.0).collect();
        let ats: Vec<DateTime<Utc>> = rows.iter().map(|row| row.at).collect();
        let mut outcomes = Vec::with_capacity(rows.len());
        let mut codes: Vec<Option<String>> = Vec::with_capacity(rows.len());
        let mut hashes: Vec<Option<Vec<u8>>> = Vec::with_capacity(rows.len());
        let mut expiries: Vec<Option<DateTime<Utc>>> = Vec::with_capacity(rows.len());
        for row in rows {
            let (outcome, code, hash, expiry) = match &row.result {
                OutcomeResult::Issued {
                    token_hash,
                    expires_at,
                } => ("issued", None, Some(token_hash.clone()), Some(*expires_at)),
                OutcomeResult::Failed { code } => ("failed", Some((*code).to_owned()), None, None),
            };
            outcomes.push(outcome.to_owned());
            codes.push(code);
            hashes.push(hash);
            expiries.push(expiry);
        }
        let times = |of: fn(&Timings) -> Option<i32>| -> Vec<Option<i32>> {
            rows.iter().map(|row| of(&row.timings)).collect()
        };
        sqlx::query!(
            "insert into session_outcome (tenant_id, session_id, at, outcome, code, token_hash, expires_at,
                                          auth_us, decide_us, anam_us, total_us)
             select o.* from unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::text[], $5::text[], $6::bytea[],
                                    $7::timestamptz[], $8::int[], $9::int[], $10::int[], $11::int[]) o (tenant_id)
             join tenant t on t.id = o.tenant_id
             for key share of t
             on conflict do nothing",
            &tenants,
            &ids,
            &ats,
            &outcomes,
            &codes as &[Option<String>],
            &hashes as &[Option<Vec<u8>>],
            &expiries as &[Option<DateTime<Utc>>],
            &times(|timings| timings.auth) as &[Option<i32>],
            &times(|timings| timings.decide) as &[Option<i32>],
            &times(|timings| timings.anam) as &[Option<i32>],
            &times(|timings| timings.total) as &[Option<i32>]
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }
}
