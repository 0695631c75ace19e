//! Admins look after users' choices: one user's, or many at once.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::import::{self, BATCH, Line, MAX_LINE, parse};
use super::{changed, put};
use crate::domain::caller::Subject;
use crate::domain::catalogue::Catalogue;
use crate::domain::fault::Fault;
use crate::domain::ids::TenantId;
use crate::domain::policy::Policy;
use crate::domain::preferences::Preferences;
use crate::domain::wrong::Wrong;
use crate::gateway::Gateway;
use crate::store::preferences::StoredPreferences;
use crate::store::tenant_tx::TenantTx;
use crate::tenants::admin::Admin;
use crate::tenants::change::Change;
use crate::tenants::refusal::Refusal;
use crate::tenants::subjects::target;

/// Most failed lines that are listed; the others are counted.
const MAX_TOLD: usize = 100;
/// Bytes of lines that are held before they are written.
const MAX_BATCH_BYTES: usize = 1024 * 1024;

/// A write of a user's choices by an admin; see [`super::Change`].
pub async fn write(
    change: &mut Change,
    subject: &Subject,
    stored: StoredPreferences,
    wish: super::Change,
) -> Result<StoredPreferences, Refusal> {
    let (policy, catalogue) = rules(&mut change.tx).await?;
    let before = stored.preferences.to_document();
    let wanted = changed(stored.preferences, wish, (&policy, &catalogue));
    let written = put(&mut change.tx, subject, wanted.map_err(Refusal::Invalid)?).await?;
    let action = if written.version == 0 {
        "preference.erase"
    } else {
        "preference.change"
    };
    let fields = differing(&before, &written.preferences.to_document());
    let target = target(change, subject)?;
    change.note(action, &target, json!({ "fields": fields }));
    Ok(written)
}

/// By what choices are judged now.
async fn rules(tx: &mut TenantTx) -> Result<(Policy, Catalogue), Refusal> {
    let row = tx.tenant_row().await?.ok_or(Refusal::NotFound)?;
    let policy = Policy::parse(&row.policy)
        .map_err(|_broken| Refusal::Conflict(Wrong::PolicyUnreadable.into()))?;
    Ok((policy, tx.catalogue().await?))
}

/// The names of members that differ; the values are the user's own business.
fn differing(before: &Map<String, Value>, after: &Map<String, Value>) -> Vec<String> {
    let names = before
        .keys()
        .chain(after.keys().filter(|name| !before.contains_key(*name)));
    names
        .filter(|name| before.get(*name) != after.get(*name))
        .cloned()
        .collect()
}

#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct ImportReport {
    /// Lines whose choices are new.
    pub imported: u64,
    /// Good lines that changed nothing.
    pub unchanged: u64,
    /// Lines that failed; each of the others was applied.
    pub failed: u64,
    pub faults: Vec<FailedLine>,
}

/// A line that was left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedLine {
    /// Its number, from 1.
    pub line: u64,
    pub errors: Vec<Fault>,
}

/// An import under way. Lines are written in batches, each in a transaction of its own.
#[derive(Debug)]
pub struct Import {
    gateway: Arc<Gateway>,
    admin: Admin,
    /// Whether to write, or only to check.
    dry_run: bool,
    policy: Policy,
    catalogue: Catalogue,
    batch: Vec<(Subject, Preferences)>,
    batch_bytes: usize,
    report: ImportReport,
}

impl Import {
    pub async fn begin(
        gateway: Arc<Gateway>,
        admin: Admin,
        dry_run: bool,
    ) -> Result<Self, Refusal> {
        let mut tx = gateway.database.tenant(admin.tenant).await?;
        let (policy, catalogue) = rules(&mut tx).await?;
        tx.commit().await?;
        Ok(Self {
            gateway,
            admin,
            dry_run,
            policy,
            catalogue,
            batch: Vec::with_capacity(BATCH),
            batch_bytes: 0,
            report: ImportReport::default(),
        })
    }

    pub fn tenant(&self) -> TenantId {
        self.admin.tenant
    }

    /// Takes a line, and writes where enough have come together.
    pub async fn take(&mut self, line: Line) -> Result<(), Refusal> {
        let judged = match &line.text {
            Some(text) => parse(text, &self.policy, &self.catalogue),
            None => Err(vec![Fault::new(
                "",
                Wrong::Bytes { most: MAX_LINE }.worded("is longer than 64 kB"),
            )]),
        };
        match judged {
            Ok(row) => {
                self.batch_bytes += line.text.map_or(0, |text| text.len());
                self.batch.push(row);
            }
            Err(errors) => {
                self.report.failed += 1;
                if self.report.faults.len() < MAX_TOLD {
                    self.report.faults.push(FailedLine {
                        line: line.number,
                        errors,
                    });
                }
            }
        }
        if self.batch.len() >= BATCH || self.batch_bytes >= MAX_BATCH_BYTES {
            self.write().await?;
        }
        Ok(())
    }

    /// Writes the remaining lines.
    pub async fn finish(mut self) -> Result<ImportReport, Refusal> {
        self.write().await?;
        Ok(self.report)
    }

    async fn write(&mut self) -> Result<(), Refusal> {
        let lines = self.batch.len() as u64;
        if lines == 0 {
            return Ok(());
        }
        let mut change = Change::begin(&self.gateway, &self.admin).await?;
        let changed = import::write(&mut change, &self.batch).await?;
        self.report.imported += changed;
        self.report.unchanged += lines.saturating_sub(changed);
        self.batch.clear();
        self.batch_bytes = 0;
        if self.dry_run {
            return Ok(());
        }
        // What the tenant allows may have changed since the batch before.
        (self.policy, self.catalogue) = rules(&mut change.tx).await?;
        change.commit().await?;
        Ok(())
    }
}
