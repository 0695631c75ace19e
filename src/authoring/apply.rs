//! Makes a tenant as a bundle says, in one transaction. A dry run does the same and takes it back, so its plan is exact.

mod access;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde_json::{Map, Value, json};

use super::bundle::{Bundle, SecretRef, pinned};
use super::document::{
    changed_members, clashes_with_policy, is_left_out, missing_ids, not_in_catalogue, pins_nothing,
};
use super::fit::contexts_fit;
use super::plan::{Plan, Step, Verb};
use crate::clock::Clock;
use crate::crypto::seal::KeyRing;
use crate::domain::catalogue::CatalogueEntry;
use crate::domain::fault::{Fault, Faults, step};
use crate::domain::ids::{DocumentId, ReleaseId, TenantId, VersionId};
use crate::domain::key::Key;
use crate::domain::persona::Persona;
use crate::domain::policy::Policy;
use crate::store::audit::AuditEvent;
use crate::store::documents::{DocumentKind, VersionRow};
use crate::store::releases::{NewRelease, Way};
use crate::store::tenant_tx::TenantTx;
use crate::store::versions::NewVersion;
use crate::store::{Database, StoreError};

/// How to apply.
#[derive(Debug, Clone)]
pub struct ApplyOptions {
    /// Take everything back at the end.
    pub dry_run: bool,
    /// Remove what the bundle does not have, from the sections that it does have.
    pub prune: bool,
    /// Who, for the audit trail.
    pub actor: String,
    /// Why.
    pub message: String,
}

/// Why nothing was applied.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The bundle does not fit the tenant.
    #[error("the bundle has faults")]
    Faults(Vec<Fault>),
    /// The database said no.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A secret can't be sealed.
    #[error("a secret can't be sealed or opened: {0}")]
    Seal(#[from] crate::crypto::seal::SealError),
}

/// Finds the secret that a reference names; the error says why not.
pub type FindSecret<'a> = dyn Fn(&SecretRef) -> Result<SecretString, String> + Send + Sync + 'a;

/// The tools of an application.
pub struct Applier<'a> {
    /// Where.
    pub database: &'a Database,
    /// Time and ids.
    pub clock: &'a Clock,
    /// Seals secrets.
    pub keys: &'a KeyRing,
    /// Finds secrets.
    pub find_secret: &'a FindSecret<'a>,
}

impl std::fmt::Debug for Applier<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Applier").finish_non_exhaustive()
    }
}

impl Applier<'_> {
    /// Applies a bundle whole, or not at all.
    pub async fn apply(&self, bundle: &Bundle, options: &ApplyOptions) -> Result<Plan, ApplyError> {
        let mut platform = self.database.platform().await?;
        let existing = platform.tenant_by_slug(&bundle.tenant).await?;
        let shared = platform.shared_issuers().await?;
        platform.commit().await?;
        let tenant = existing.unwrap_or_else(|| TenantId(self.clock.new_id()));
        let mut work = Work {
            tools: self,
            tx: self.database.tenant(tenant).await?,
            options,
            now: self.clock.now(),
            plan: Plan {
                tenant: bundle.tenant.clone(),
                ..Plan::default()
            },
            faults: Faults::new(),
        };
        // Two at once would both build on what is live now, and one of them would be lost.
        work.tx.lock_authoring().await?;
        work.shared_issuers_stay(bundle, &shared);
        work.tenant(bundle, existing.is_none()).await?;
        work.catalogue(bundle).await?;
        work.documents(bundle).await?;
        work.issuers(bundle).await?;
        work.provider_key(bundle).await?;
        work.finish().await
    }
}

/// What is live before anything is applied.
pub(super) type Live = BTreeMap<(DocumentKind, Key), VersionRow>;

struct Work<'a> {
    tools: &'a Applier<'a>,
    tx: TenantTx,
    options: &'a ApplyOptions,
    now: DateTime<Utc>,
    plan: Plan,
    faults: Faults,
}

impl Work<'_> {
    async fn finish(self) -> Result<Plan, ApplyError> {
        let plan = self
            .faults
            .into_result(self.plan)
            .map_err(ApplyError::Faults)?;
        if !self.options.dry_run {
            self.tx.commit().await?;
        }
        Ok(plan)
    }

    async fn note(
        &mut self,
        verb: Verb,
        target: String,
        note: impl Into<String>,
        details: Value,
    ) -> Result<(), StoreError> {
        let action = format!(
            "{}.{}",
            target.split('/').next().unwrap_or_default(),
            verb.as_str()
        );
        let event = AuditEvent {
            id: self.tools.clock.new_id(),
            at: self.now,
            actor: &self.options.actor,
            action: &action,
            target: &target,
            before_hash: None,
            after_hash: None,
            request_id: None,
            details,
        };
        self.tx.audit(&event).await?;
        self.plan.steps.push(Step {
            verb,
            target,
            note: note.into(),
        });
        Ok(())
    }

    async fn tenant(&mut self, bundle: &Bundle, is_new: bool) -> Result<(), ApplyError> {
        let target = format!("tenant/{}", bundle.tenant);
        if is_new {
            let name = bundle.name.as_deref().unwrap_or(&bundle.tenant);
            self.tx.insert_tenant(&bundle.tenant, name).await?;
            self.note(Verb::Create, target.clone(), "", json!({}))
                .await?;
        }
        let Some(row) = self.tx.tenant_row().await? else {
            return Ok(());
        };
        let name = bundle.name.clone().unwrap_or_else(|| row.name.clone());
        let policy = bundle
            .policy
            .as_ref()
            .map_or_else(|| row.policy.clone(), Policy::to_document);
        let mut changed = Vec::new();
        if name != row.name {
            changed.push("name");
        }
        if policy != row.policy {
            changed.push("policy");
        }
        if !changed.is_empty() {
            self.tx.update_tenant(&name, &policy).await?;
            self.note(
                Verb::Change,
                target,
                changed.join(" and "),
                json!({ "changed": changed }),
            )
            .await?;
        }
        Ok(())
    }

    async fn catalogue(&mut self, bundle: &Bundle) -> Result<(), ApplyError> {
        let stored = self.tx.catalogue().await?;
        for (kind, entries) in &bundle.catalogue {
            if stored.of(*kind) == entries.as_slice() {
                continue;
            }
            let ids = |entries: &[CatalogueEntry]| {
                entries
                    .iter()
                    .map(|entry| entry.id.clone())
                    .collect::<BTreeSet<_>>()
            };
            let (before, after) = (ids(stored.of(*kind)), ids(entries));
            let (added, removed) = (
                after.difference(&before).count(),
                before.difference(&after).count(),
            );
            self.tx.replace_catalogue(*kind, entries).await?;
            let verb = if before.is_empty() {
                Verb::Create
            } else {
                Verb::Change
            };
            let note = format!("{} entries, {added} new, {removed} gone", entries.len());
            self.note(
                verb,
                format!("catalogue/{}", kind.as_str()),
                note,
                json!({ "added": added, "removed": removed }),
            )
            .await?;
        }
        Ok(())
    }

    async fn documents(&mut self, bundle: &Bundle) -> Result<(), ApplyError> {
        let live = self.live().await?;
        let catalogue = self.tx.catalogue().await?;
        let policy = self.policy().await?;
        let mut snippet_versions: BTreeMap<Key, i32> = BTreeMap::new();
        for ((_, key), row) in live
            .iter()
            .filter(|((kind, _), _)| *kind == DocumentKind::Snippet)
        {
            snippet_versions.insert(key.clone(), row.number);
        }
        for (key, content) in &bundle.snippets {
            let number = self
                .document(DocumentKind::Snippet, key, content, &live)
                .await?;
            snippet_versions.insert(key.clone(), number);
        }
        let sealed_snippets: BTreeSet<(String, i32)> = self
            .tx
            .snippet_versions()
            .await?
            .into_iter()
            .map(|row| (row.key, row.number))
            .collect();
        for (key, content) in &bundle.personas {
            let content = pinned(content, |snippet| snippet_versions.get(snippet).copied());
            let at = format!("/personas{}", step(key.as_str()));
            match Persona::parse(&content) {
                Ok(persona) => {
                    for missing in missing_ids(&persona, &policy) {
                        self.plan.warnings.push(format!(
                            "persona/{key} has no {missing}, and the policy's defaults name none: it can't be used yet"
                        ));
                    }
                    self.faults
                        .extend_under(&at, not_in_catalogue(&persona, &catalogue));
                    self.faults
                        .extend_under(&at, pins_nothing(&persona, &sealed_snippets));
                    self.faults
                        .extend_under(&at, clashes_with_policy(key, persona, &policy));
                    self.document(DocumentKind::Persona, key, &content, &live)
                        .await?;
                }
                Err(found) => self.faults.extend_under(&at, found),
            }
        }
        for ((kind, key), row) in &live {
            if *kind == DocumentKind::Persona
                && !bundle.personas.contains_key(key)
                && !(self.options.prune && is_left_out(bundle, *kind, key))
                && let Ok(persona) = Persona::parse(&row.content)
            {
                for fault in clashes_with_policy(key, persona, &policy) {
                    self.faults.add(
                        "/policy",
                        format!("does not fit the persona `{key}`: {fault}"),
                    );
                }
            }
        }
        self.faults
            .extend_under("", contexts_fit(bundle, &live, self.options.prune));
        for (key, content) in &bundle.context_documents {
            self.document(DocumentKind::Context, key, content, &live)
                .await?;
        }
        for ((kind, key), row) in &live {
            if !is_left_out(bundle, *kind, key) {
                continue;
            }
            let target = format!("{}/{key}", kind.as_str());
            if self.options.prune {
                self.tx
                    .archive_document(row.document, Some(self.now))
                    .await?;
                self.note(Verb::Remove, target, "archived", json!({}))
                    .await?;
            } else {
                self.plan.left_alone.push(target);
            }
        }
        Ok(())
    }

    /// The tenant's policy as it will be; the default where it can't be read, which is told elsewhere.
    async fn policy(&mut self) -> Result<Policy, StoreError> {
        let row = self.tx.tenant_row().await?;
        Ok(row
            .and_then(|row| Policy::parse(&row.policy).ok())
            .unwrap_or_default())
    }

    async fn live(&mut self) -> Result<Live, StoreError> {
        let rows = self.tx.released_versions(self.now, 1).await?;
        Ok(rows
            .into_iter()
            .filter_map(|row| Some(((row.kind, Key::parse(&row.key).ok()?), row)))
            .collect())
    }

    /// Seals and releases a document unless what is live says the same; gives the number that is live afterwards.
    async fn document(
        &mut self,
        kind: DocumentKind,
        key: &Key,
        content: &Map<String, Value>,
        live: &Live,
    ) -> Result<i32, ApplyError> {
        let before = live.get(&(kind, key.clone()));
        if let Some(row) = before
            && row.content == *content
        {
            return Ok(row.number);
        }
        let document = match (before, self.tx.find_document(kind, key.as_str()).await?) {
            (Some(row), _) => row.document,
            (None, Some(archived)) => {
                self.tx.archive_document(archived, None).await?;
                archived
            }
            (None, None) => {
                let id = DocumentId(self.tools.clock.new_id());
                self.tx.insert_document(id, kind, key.as_str()).await?;
                id
            }
        };
        let version = VersionId(self.tools.clock.new_id());
        let new = NewVersion {
            document,
            id: version,
            base_version: before.map(|row| row.number),
            content,
            author: &self.options.actor,
            contributors: std::slice::from_ref(&self.options.actor),
            message: &self.options.message,
        };
        let number = self.tx.insert_version(&new).await?;
        let release = ReleaseId(self.tools.clock.new_id());
        self.tx
            .insert_release(&NewRelease {
                id: release,
                document,
                version,
                live_from: self.now,
                way: Way::Release,
                actor: &self.options.actor,
                note: &self.options.message,
            })
            .await?;
        let (verb, note) = match before {
            None => (Verb::Create, format!("version {number}")),
            Some(row) => (
                Verb::Change,
                format!(
                    "version {} to {number}: {}",
                    row.number,
                    changed_members(&row.content, content)
                ),
            ),
        };
        self.note(
            verb,
            format!("{}/{key}", kind.as_str()),
            note,
            json!({ "version": number }),
        )
        .await?;
        Ok(number)
    }
}
