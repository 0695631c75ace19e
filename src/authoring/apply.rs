//! Applies a bundle to a tenant, in one transaction. A dry run does the same and rolls back, so its plan is exact.

mod access;
mod judge;
mod older_snippets;
mod rights;
mod sample_users;
mod secrets;

pub(super) use self::sample_users::whole;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use secrecy::SecretString;
use serde_json::{Map, Value, json};

use self::judge::Placed;
use self::older_snippets::pinned_as_sealed;
use super::bundle::{Bundle, SecretRef, pinned};
use super::documents;
use super::live_set::Name;
use super::plan::{Action, Plan, Step};
use super::policy::refuse_weakening;
use super::release::{self, VersionToRelease};
use super::review::standing;
use super::seal::{self, Sealing};
use super::soundness::LiveBefore;
use crate::clock::Clock;
use crate::crypto::seal::KeyRing;
use crate::domain::catalogue::CatalogueEntry;
use crate::domain::diff::diff;
use crate::domain::document::DocumentKind;
use crate::domain::fault::{Fault, Faults, step};
use crate::domain::finding::Finding;
use crate::domain::ids::{DocumentId, TenantId};
use crate::domain::key::Key;
use crate::domain::policy::Policy;
use crate::domain::role::Role;
use crate::domain::wrong::Wrong;
use crate::sources::SourceError;
use crate::sources::load::served_versions;
use crate::store::documents::VersionRow;
use crate::store::issuers::SharedIssuerRow;
use crate::store::versions::SealedVersion;
use crate::store::{Database, StoreError};
use crate::tenants::actor::Actor;
use crate::tenants::admin::Admin;
use crate::tenants::change::Change;
use crate::tenants::refusal::Refusal;

/// Longest message of an application, characters.
pub const MAX_MESSAGE: usize = 2_000;

#[derive(Debug, Clone)]
pub struct ApplyOptions {
    /// Roll back at the end.
    pub dry_run: bool,
    /// Remove what the bundle does not have, from the sections that it does have.
    pub prune: bool,
    pub actor: Actor,
    /// The request's id, for the audit trail.
    pub request_id: Option<String>,
    pub message: String,
}

impl ApplyOptions {
    /// Options that add and change, remove nothing, and have no message.
    pub fn by(actor: impl Into<Actor>) -> Self {
        Self {
            dry_run: false,
            prune: false,
            actor: actor.into(),
            request_id: None,
            message: String::new(),
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The bundle does not fit the tenant.
    #[error("the bundle has faults")]
    Faults {
        faults: Vec<Fault>,
        /// Everything that was found in its documents, warnings too; pointers start at the bundle.
        findings: Vec<Finding>,
    },
    /// A statement of the database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// One of the changes was refused.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// A secret can't be sealed.
    #[error("a secret can't be sealed or opened: {0}")]
    Seal(#[from] crate::crypto::seal::SealError),
}

/// Finds the secret that a reference names; the error says why not.
pub type FindSecret<'a> = dyn Fn(&SecretRef) -> Result<SecretString, String> + Send + Sync + 'a;

/// What applying bundles needs.
pub struct Applier<'a> {
    pub database: &'a Database,
    pub clock: &'a Clock,
    pub keys: &'a KeyRing,
    pub find_secret: &'a FindSecret<'a>,
}

impl std::fmt::Debug for Applier<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Applier").finish_non_exhaustive()
    }
}

impl Applier<'_> {
    /// Applies a bundle whole, or not at all; a tenant that does not exist is made. Whoever has the database may do
    /// anything: the actor is for the audit trail.
    pub async fn apply(&self, bundle: &Bundle, options: &ApplyOptions) -> Result<Plan, ApplyError> {
        let mut platform = self.database.platform().await?;
        let existing = platform.tenant_by_slug(&bundle.tenant).await?;
        platform.commit().await?;
        let shared = shared_issuers(self.database).await?;
        let admin = Admin {
            tenant: existing.unwrap_or_else(|| TenantId(self.clock.new_id())),
            role: Role::Owner,
            actor: options.actor.clone(),
            request_id: options.request_id.clone(),
            proven_at: None,
        };
        let mut change = Change::with(self.database, self.clock, self.keys, admin).await?;
        let application = Application {
            bundle,
            options,
            find_secret: self.find_secret,
            shared: &shared,
            is_operators: true,
        };
        let plan = application.make(&mut change).await?;
        if !options.dry_run {
            change.commit().await?;
        }
        Ok(plan)
    }
}

/// The issuers that many tenants share: no bundle may take their tokens over.
pub async fn shared_issuers(database: &Database) -> Result<Vec<SharedIssuerRow>, StoreError> {
    let mut platform = database.platform().await?;
    let shared = platform.shared_issuers().await?;
    platform.commit().await?;
    Ok(shared)
}

/// One bundle to apply within a change.
pub struct Application<'a> {
    pub bundle: &'a Bundle,
    /// The options; the caller commits the change or rolls it back.
    pub options: &'a ApplyOptions,
    pub find_secret: &'a FindSecret<'a>,
    /// See [`shared_issuers`].
    pub shared: &'a [SharedIssuerRow],
    /// Whether it is applied on the database itself: then its issuers' audiences need no proof.
    pub is_operators: bool,
}

impl std::fmt::Debug for Application<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Application").finish_non_exhaustive()
    }
}

impl Application<'_> {
    /// Applies the bundle to the change's tenant, as far as the admin's role permits. After an error nothing may be committed.
    pub async fn make(&self, change: &mut Change) -> Result<Plan, ApplyError> {
        let bundle = self.bundle;
        let mut work = Work {
            find_secret: self.find_secret,
            options: self.options,
            is_operators: self.is_operators,
            change,
            plan: Plan {
                tenant: bundle.tenant.clone(),
                ..Plan::default()
            },
            faults: Faults::new(),
            released: Vec::new(),
            behind: BTreeSet::new(),
            rollouts: BTreeMap::new(),
            waiting: Vec::new(),
            placed: Vec::new(),
        };
        work.faults.extend_under("", bundle.faults.iter().cloned());
        // Two at once would both build on what is live now, and one of them would be lost.
        work.change.lock_authoring().await?;
        work.shared_issuers_stay(bundle, self.shared);
        match work.change.tx.tenant_row().await? {
            Some(row) if row.slug != bundle.tenant => {
                let message = Wrong::OtherTenant;
                return Err(ApplyError::Faults {
                    faults: vec![Fault::new("/tenant", message)],
                    findings: Vec::new(),
                });
            }
            Some(_) => {}
            None => work.create_tenant(bundle).await?,
        }
        let now = work.change.now;
        let before = LiveBefore::take(work.change, now).await?;
        // As things are now: what the bundle's own policy would no longer serve counts as live.
        let live = work.live().await.map_err(Refusal::from)?;
        work.find_behind(&live).await?;
        work.secrets(bundle).await?;
        work.tenant(bundle).await?;
        work.catalogue(bundle).await?;
        work.sample_users(bundle).await?;
        work.documents(bundle, live).await?;
        work.issuers(bundle).await?;
        work.provider_key(bundle).await?;
        work.judge(before).await?;
        let role = work.change.admin.role;
        let Work {
            mut faults,
            mut plan,
            ..
        } = work;
        plan.count_unchanged(bundle.items());
        if faults.is_empty() {
            faults.extend_under("", bundle.document_faults.iter().cloned());
        }
        if !faults.is_empty() {
            return Err(ApplyError::Faults {
                faults: faults.into_vec(),
                findings: plan.findings,
            });
        }
        rights::permits(role, &plan)?;
        Ok(plan)
    }
}

/// What is live before anything is applied.
pub(super) type Live = BTreeMap<(DocumentKind, Key), VersionRow>;

struct Work<'a> {
    find_secret: &'a FindSecret<'a>,
    change: &'a mut Change,
    options: &'a ApplyOptions,
    is_operators: bool,
    plan: Plan,
    faults: Faults,
    /// The documents of which another version is live now.
    released: Vec<Name>,
    /// The documents whose newest release can't be read, so that an earlier one is served: they are released again.
    behind: BTreeSet<Name>,
    /// The versions that a share of the users gets: number and percentage.
    rollouts: BTreeMap<Name, (i32, u8)>,
    waiting: Vec<VersionRow>,
    /// The bundle's documents, as they are sealed.
    placed: Vec<Placed>,
}

impl Work<'_> {
    fn note(&mut self, verb: Action, target: String, note: impl Into<String>, details: Value) {
        let action = format!(
            "{}.{}",
            target.split('/').next().unwrap_or_default(),
            verb.as_str()
        );
        self.change.note(&action, &target, details);
        self.step(verb, target, note);
    }

    fn step(&mut self, verb: Action, target: String, note: impl Into<String>) {
        self.plan.steps.push(Step {
            verb,
            target,
            note: note.into(),
            changes: Vec::new(),
        });
    }

    /// Adds the changes of the last step, member by member.
    fn note_changes(&mut self, before: &Map<String, Value>, after: &Map<String, Value>) {
        if let Some(step) = self.plan.steps.last_mut() {
            // What is too large to compare is listed by its name alone.
            step.changes = diff(before, after).unwrap_or_default();
        }
    }

    async fn tenant(&mut self, bundle: &Bundle) -> Result<(), ApplyError> {
        let target = format!("tenant/{}", bundle.tenant);
        let Some(row) = self.change.tx.tenant_row().await? else {
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
            let before = Policy::parse(&row.policy).unwrap_or_default();
            let after = bundle.policy.clone().unwrap_or_default();
            refuse_weakening(self.change, &before, &after)?;
            self.tools_of_policy(bundle, &row.policy).await?;
        }
        if !changed.is_empty() {
            self.change.tx.update_tenant(&name, &policy).await?;
            self.note(
                Action::Change,
                target,
                changed.join(" and "),
                json!({ "changed": changed }),
            );
            let whole = |name: String, policy: Map<String, Value>| {
                Map::from_iter([
                    ("name".into(), name.into()),
                    ("policy".into(), policy.into()),
                ])
            };
            self.note_changes(&whole(row.name, row.policy), &whole(name, policy));
        }
        Ok(())
    }

    async fn catalogue(&mut self, bundle: &Bundle) -> Result<(), ApplyError> {
        let stored = self.change.tx.catalogue().await?;
        for (kind, entries) in &bundle.catalogue {
            if stored.entries(*kind) == entries.as_slice() {
                continue;
            }
            let ids = |entries: &[CatalogueEntry]| {
                entries
                    .iter()
                    .map(|entry| entry.id.clone())
                    .collect::<BTreeSet<_>>()
            };
            let (before, after) = (ids(stored.entries(*kind)), ids(entries));
            let (added, removed) = (
                after.difference(&before).count(),
                before.difference(&after).count(),
            );
            self.change.tx.replace_catalogue(*kind, entries).await?;
            let verb = if before.is_empty() {
                Action::Create
            } else {
                Action::Change
            };
            let note = format!("{} entries, {added} new, {removed} gone", entries.len());
            self.note(
                verb,
                format!("catalogue/{}", kind.as_str()),
                note,
                json!({ "added": added, "removed": removed }),
            );
            if verb == Action::Change {
                let whole = |entries: &[CatalogueEntry]| {
                    Map::from_iter([(kind.as_str().to_owned(), json!(entries))])
                };
                self.note_changes(&whole(stored.entries(*kind)), &whole(entries));
            }
        }
        Ok(())
    }

    async fn documents(&mut self, bundle: &Bundle, live: Live) -> Result<(), ApplyError> {
        let mut snippet_versions: BTreeMap<Key, i32> = BTreeMap::new();
        for ((_, key), row) in live
            .iter()
            .filter(|((kind, _), _)| *kind == DocumentKind::Snippet)
        {
            snippet_versions.insert(key.clone(), row.number);
        }
        let pins = self.older_snippets(bundle).await?;
        for (kind, documents) in &bundle.documents {
            for (key, content) in documents {
                let content = match kind {
                    DocumentKind::Persona => {
                        let content = pinned_as_sealed(content, &pins);
                        Cow::Owned(pinned(&content, |snippet| {
                            snippet_versions.get(snippet).copied()
                        }))
                    }
                    _ => Cow::Borrowed(content),
                };
                let number = self.document(*kind, key, &content, &live).await?;
                if *kind == DocumentKind::Snippet {
                    snippet_versions.insert(key.clone(), number);
                }
            }
        }
        for ((kind, key), row) in &live {
            if !bundle.leaves_out(*kind, key) {
                continue;
            }
            let target = format!("{}/{key}", kind.as_str());
            if self.options.prune {
                self.change
                    .tx
                    .archive_document(row.document, Some(self.change.now))
                    .await?;
                self.note(Action::Remove, target, "archived", json!({}));
            } else {
                self.plan.left_alone.push(target);
            }
        }
        Ok(())
    }

    async fn live(&mut self) -> Result<Live, SourceError> {
        let rows = served_versions(&mut self.change.tx, self.change.now).await?;
        Ok(rows
            .into_iter()
            .filter_map(|row| Some(((row.kind, Key::parse(&row.key).ok()?), row)))
            .collect())
    }

    /// Finds the documents whose newest release can't be read, and the rollouts that are under way.
    async fn find_behind(&mut self, live: &Live) -> Result<(), StoreError> {
        let rollouts = self.change.tx.rollouts(self.change.now).await?;
        self.rollouts = rollouts
            .into_iter()
            .filter_map(|(row, percent)| {
                let key = Key::parse(&row.key).ok()?;
                Some(((row.kind, key), (row.number, percent)))
            })
            .collect();
        let newest = self.change.tx.released_versions(self.change.now, 1).await?;
        for row in newest {
            let Ok(key) = Key::parse(&row.key) else {
                continue;
            };
            let name = (row.kind, key);
            if live
                .get(&name)
                .is_some_and(|live| live.number != row.number)
            {
                self.behind.insert(name);
            }
        }
        Ok(())
    }

    /// Seals and releases a document unless the live version equals it; returns the number that is live afterwards.
    async fn document(
        &mut self,
        kind: DocumentKind,
        key: &Key,
        content: &Map<String, Value>,
        live: &Live,
    ) -> Result<i32, ApplyError> {
        let name = (kind, key.clone());
        let before = live.get(&name);
        let rollout = self.rollouts.get(&name).copied();
        let unchanged = before.filter(|row| row.content == *content);
        let unchanged = unchanged.filter(|_| !self.behind.contains(&name));
        self.placed.push(Placed {
            name: name.clone(),
            content: content.clone(),
            is_new: unchanged.is_none(),
            was_live: before.is_some_and(|row| row.content == *content),
        });
        if let Some(row) = unchanged {
            if let Some((number, percent)) = rollout {
                let at = format!("/{}{}", kind.section(), step(key.as_str()));
                self.plan.findings.push(Finding::warning(
                    at,
                    Wrong::RolloutGoesOn {
                        version: number,
                        percent,
                    },
                    "Release a version to everybody, or roll back, to end it",
                ));
            }
            return Ok(row.number);
        }
        let document = match (
            before,
            self.change.tx.find_document(kind, key.as_str()).await?,
        ) {
            (Some(row), _) => row.document,
            (None, Some(archived)) => {
                self.change.tx.archive_document(archived, None).await?;
                archived
            }
            (None, None) => self.new_document(kind, key).await?,
        };
        let sealed = self.sealed(document, kind, key, content, before).await?;
        let number = sealed.number;
        let standing = standing(&mut self.change.tx, document, &sealed).await?;
        let waits = if standing.is_met() {
            let what = VersionToRelease {
                document,
                kind,
                key,
                version: &sealed,
            };
            release::release_in_batch(self.change, &what, &self.options.message).await?;
            self.released.push(name);
            match rollout {
                None => String::new(),
                Some((rolled_out, percent)) if rolled_out == number => {
                    format!("; to everybody, after {percent} % of the users")
                }
                Some((rolled_out, percent)) => {
                    format!(
                        "; ends the rollout of version {rolled_out} to {percent} % of the users"
                    )
                }
            }
        } else {
            self.waiting.push(VersionRow {
                document,
                kind,
                key: key.as_str().to_owned(),
                number,
                content: sealed.content.clone(),
                hash: sealed.hash.clone(),
            });
            format!(
                "; not released: it waits for {} approval(s)",
                usize::from(standing.required).saturating_sub(standing.approved_by.len())
            )
        };
        let (verb, note) = match before {
            None => (Action::Create, format!("version {number}{waits}")),
            Some(row) => (
                Action::Change,
                format!("version {} to {number}{waits}", row.number),
            ),
        };
        self.step(verb, documents::target(kind, key), note);
        if let Some(row) = before {
            self.note_changes(&row.content, content);
        }
        Ok(number)
    }

    async fn new_document(
        &mut self,
        kind: DocumentKind,
        key: &Key,
    ) -> Result<DocumentId, StoreError> {
        let id = DocumentId(self.change.new_id());
        let tx = &mut self.change.tx;
        tx.insert_document(id, kind, key.as_str()).await?;
        Ok(id)
    }

    /// Seals a version with this content, unless the newest one equals it and only waits to be released.
    async fn sealed(
        &mut self,
        document: DocumentId,
        kind: DocumentKind,
        key: &Key,
        content: &Map<String, Value>,
        before: Option<&VersionRow>,
    ) -> Result<SealedVersion, StoreError> {
        let newest = self.change.tx.versions(document, None, 1).await?;
        let newest = newest.into_iter().next();
        if let Some(newest) = &newest
            && newest.content == *content
            && before.is_none_or(|row| row.number < newest.number)
        {
            return Ok(newest.clone());
        }
        let contributors = self.change.admin.actor.contributors();
        let sealing = Sealing {
            document,
            kind,
            key,
            base_version: newest.map(|newest| newest.number),
            content,
            contributors: &contributors,
            message: &self.options.message,
        };
        seal::insert(self.change, &sealing).await
    }
}
