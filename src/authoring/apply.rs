//! Makes a tenant as a bundle says, in one transaction. A dry run does the same and takes it back, so its plan is exact.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};

use super::bundle::{Bundle, BundleIssuer, SecretRef, pinned};
use super::plan::{Plan, Step, Verb};
use crate::clock::Clock;
use crate::crypto::seal::{Aad, KeyRing, last_four};
use crate::domain::catalogue::{Catalogue, CatalogueEntry, CatalogueKind};
use crate::domain::context::Context;
use crate::domain::fault::{Fault, Faults, step};
use crate::domain::ids::{DocumentId, IssuerId, ProviderKeyId, ReleaseId, TenantId, VersionId};
use crate::domain::key::Key;
use crate::domain::persona::Persona;
use crate::domain::policy::Policy;
use crate::domain::preferences::catalogue_kind;
use crate::domain::snapshot::LivePersona;
use crate::store::audit::AuditEvent;
use crate::store::documents::{DocumentKind, NewVersion, VersionRow};
use crate::store::issuers::{IssuerRow, SharedIssuerRow};
use crate::store::provider_keys::ProviderKeyRow;
use crate::store::tenant_tx::TenantTx;
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
type Live = BTreeMap<(DocumentKind, Key), VersionRow>;

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

    /// A tenant that took over a shared issuer's tokens would shut out every tenant that it serves.
    fn shared_issuers_stay(&mut self, bundle: &Bundle, shared: &[SharedIssuerRow]) {
        for (index, issuer) in bundle.issuers.iter().flatten().enumerate() {
            let is_taken = |row: &SharedIssuerRow| {
                url_of(&row.config) == issuer.parsed.issuer()
                    && shares_audience(&row.config, &issuer.config)
            };
            if shared.iter().any(is_taken) {
                self.faults.add(
                    format!("/issuers/{index}/audiences"),
                    "one of these audiences belongs to a shared issuer of the installation",
                );
            }
        }
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
        self.contexts_fit(bundle, &live);
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

    /// Every context that will be live gives personas that will be live, under names that no other has.
    fn contexts_fit(&mut self, bundle: &Bundle, live: &Live) {
        let stays = |kind: DocumentKind, key: &Key| {
            live.contains_key(&(kind, key.clone()))
                && !(self.options.prune && is_left_out(bundle, kind, key))
        };
        let is_persona =
            |key: &Key| bundle.personas.contains_key(key) || stays(DocumentKind::Persona, key);
        let others: Vec<(&Key, Context)> = live
            .iter()
            .filter(|((kind, key), _)| {
                *kind == DocumentKind::Context
                    && !bundle.contexts.contains_key(key)
                    && stays(*kind, key)
            })
            .filter_map(|((_, key), row)| Some((key, Context::parse(&row.content).ok()?)))
            .collect();
        let mut faults = Faults::new();
        for (key, context) in &bundle.contexts {
            let at = format!("/contexts{}", step(key.as_str()));
            for persona in missing_personas(context, is_persona) {
                faults.add(
                    &at,
                    format!(
                        "gives the persona `{persona}`, which neither the bundle nor the tenant has"
                    ),
                );
            }
            for (other, theirs) in &others {
                if theirs.aliases.contains(key) {
                    faults.add(
                        &at,
                        format!(
                            "is an alias of the context `{other}`, which the bundle does not have"
                        ),
                    );
                }
                for (index, alias) in context.aliases.iter().enumerate() {
                    if *other == alias || theirs.aliases.contains(alias) {
                        faults.add(
                            format!("{at}/aliases/{index}"),
                            format!("means the context `{other}` already, which the bundle does not have"),
                        );
                    }
                }
            }
        }
        for (other, context) in &others {
            for persona in missing_personas(context, is_persona) {
                if live.contains_key(&(DocumentKind::Persona, persona.clone())) {
                    faults.add(
                        "/personas",
                        format!("pruning would remove the persona `{persona}`, which the context `{other}` gives"),
                    );
                }
            }
        }
        self.faults.extend_under("", faults.into_vec());
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
            content,
            author: &self.options.actor,
            message: &self.options.message,
        };
        let number = self.tx.insert_version(&new).await?;
        let release = ReleaseId(self.tools.clock.new_id());
        self.tx
            .insert_release(
                release,
                document,
                version,
                self.now,
                &self.options.actor,
                &self.options.message,
            )
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

    async fn issuers(&mut self, bundle: &Bundle) -> Result<(), ApplyError> {
        let Some(wanted) = &bundle.issuers else {
            return Ok(());
        };
        let mut stored = self.tx.tenant_issuers().await?;
        for (index, issuer) in wanted.iter().enumerate() {
            let url = issuer.parsed.issuer();
            // Several may share a URL; then the one that shares an audience is meant.
            let same_url = |row: &IssuerRow| url_of(&row.config) == url;
            let found = stored
                .iter()
                .position(|row| same_url(row) && shares_audience(&row.config, &issuer.config))
                .or_else(|| stored.iter().position(same_url))
                .map(|at| stored.remove(at));
            let id = found
                .as_ref()
                .map_or_else(|| IssuerId(self.tools.clock.new_id()), |row| row.id);
            let aad = Aad {
                table: "issuer",
                column: "shared_secret",
                tenant: self.tx.tenant(),
                row: id.0,
            };
            let stored_secret = found.as_ref().and_then(|row| row.shared_secret.clone());
            let Some(secret) = self.wanted_secret(issuer, index, stored_secret, &aad)? else {
                continue;
            };
            let same = found
                .as_ref()
                .is_some_and(|row| row.enabled && row.config == issuer.config);
            if same && !secret.is_new {
                continue;
            }
            let upserted = self
                .tx
                .upsert_issuer(id, &issuer.config, secret.sealed.as_deref())
                .await;
            if let Err(StoreError::Conflict { .. }) = upserted {
                // The transaction is lost with the conflict: what else is wrong will show next time.
                self.faults.add(
                    format!("/issuers/{index}/audiences"),
                    "one of these audiences of this issuer belongs to another tenant",
                );
                return Err(ApplyError::Faults(
                    std::mem::take(&mut self.faults).into_vec(),
                ));
            }
            upserted?;
            let verb = if found.is_some() {
                Verb::Change
            } else {
                Verb::Create
            };
            self.note(
                verb,
                format!("issuer/{url}"),
                "",
                json!({ "config": issuer.config }),
            )
            .await?;
        }
        for row in stored {
            let target = format!("issuer/{}", url_of(&row.config));
            if self.options.prune {
                self.tx.delete_issuer(row.id).await?;
                self.note(Verb::Remove, target, "", json!({})).await?;
            } else {
                self.plan.left_alone.push(target);
            }
        }
        Ok(())
    }

    /// The sealed secret that an issuer should have. `None` where the reference leads nowhere; that is a fault then.
    fn wanted_secret(
        &mut self,
        issuer: &BundleIssuer,
        index: usize,
        stored: Option<Vec<u8>>,
        aad: &Aad,
    ) -> Result<Option<WantedSecret>, ApplyError> {
        let at = format!("/issuers/{index}/secret");
        let Some(reference) = &issuer.secret else {
            return Ok(Some(WantedSecret {
                is_new: stored.is_some(),
                sealed: None,
            }));
        };
        if *reference == SecretRef::Stored {
            if stored.is_none() {
                self.faults.add(
                    at,
                    "says stored, but none is: name an environment variable or a file",
                );
                return Ok(None);
            }
            return Ok(Some(WantedSecret {
                is_new: false,
                sealed: stored,
            }));
        }
        let secret = match (self.tools.find_secret)(reference) {
            Ok(secret) if secret.expose_secret().len() >= crate::auth::MIN_SECRET_BYTES => secret,
            Ok(_) => {
                self.faults.add(
                    at,
                    "is shorter than the 32 bytes that HS256 needs (RFC 7518, section 3.2)",
                );
                return Ok(None);
            }
            Err(why) => {
                self.faults.add(at, why);
                return Ok(None);
            }
        };
        if let Some(sealed) = stored
            && self
                .tools
                .keys
                .open(&sealed, aad)
                .is_ok_and(|old| old.expose_secret() == secret.expose_secret())
        {
            return Ok(Some(WantedSecret {
                is_new: false,
                sealed: Some(sealed),
            }));
        }
        Ok(Some(WantedSecret {
            is_new: true,
            sealed: Some(self.tools.keys.seal(&secret, aad)?),
        }))
    }

    async fn provider_key(&mut self, bundle: &Bundle) -> Result<(), ApplyError> {
        let Some(reference) = &bundle.provider_key else {
            return Ok(());
        };
        let stored = self.tx.active_provider_key().await?;
        if *reference == SecretRef::Stored {
            if stored.is_none() {
                self.faults.add(
                    "/providerKey",
                    "says stored, but none is: name an environment variable or a file",
                );
            }
            return Ok(());
        }
        let secret = match (self.tools.find_secret)(reference) {
            Ok(secret) => secret,
            Err(why) => {
                self.faults.add("/providerKey", why);
                return Ok(());
            }
        };
        let tenant = self.tx.tenant();
        let aad = |id: ProviderKeyId| Aad {
            table: "provider_key",
            column: "sealed",
            tenant,
            row: id.0,
        };
        if let Some(row) = &stored
            && self
                .tools
                .keys
                .open(&row.sealed, &aad(row.id))
                .is_ok_and(|old| old.expose_secret() == secret.expose_secret())
        {
            return Ok(());
        }
        let id = ProviderKeyId(self.tools.clock.new_id());
        let last_four = last_four(&secret);
        let row = ProviderKeyRow {
            id,
            label: "bundle".into(),
            sealed: self.tools.keys.seal(&secret, &aad(id))?,
            last_four,
        };
        self.tx.insert_provider_key(&row).await?;
        let verb = if let Some(old) = stored {
            self.tx.retire_provider_key(old.id).await?;
            Verb::Change
        } else {
            Verb::Create
        };
        let note = format!("ends in {}", row.last_four);
        self.note(
            verb,
            "provider_key".into(),
            note,
            json!({ "lastFour": row.last_four }),
        )
        .await?;
        Ok(())
    }
}

/// Whether the bundle speaks of this kind of documents, and not of this one.
fn is_left_out(bundle: &Bundle, kind: DocumentKind, key: &Key) -> bool {
    let listed = match kind {
        DocumentKind::Snippet => bundle.snippets.contains_key(key),
        DocumentKind::Persona => bundle.personas.contains_key(key),
        DocumentKind::Context => bundle.contexts.contains_key(key),
    };
    bundle.sections.contains(&kind) && !listed
}

fn missing_personas(context: &Context, is_persona: impl Fn(&Key) -> bool) -> BTreeSet<&Key> {
    context.personas().filter(|key| !is_persona(key)).collect()
}

fn url_of(config: &Map<String, Value>) -> &str {
    config
        .get("issuer")
        .and_then(Value::as_str)
        .unwrap_or_default()
}

fn shares_audience(one: &Map<String, Value>, other: &Map<String, Value>) -> bool {
    let of = |config: &Map<String, Value>| {
        let listed = config.get("audiences").and_then(Value::as_array);
        listed.cloned().unwrap_or_default()
    };
    let theirs = of(other);
    of(one).iter().any(|audience| theirs.contains(audience))
}

struct WantedSecret {
    is_new: bool,
    sealed: Option<Vec<u8>>,
}

/// Ids that the tenant's catalogue does not have; a kind of which it has none is not limited.
fn not_in_catalogue(persona: &Persona, catalogue: &Catalogue) -> Vec<Fault> {
    let settings = &persona.settings;
    let mut faults = Faults::new();
    let fields = [
        ("avatarId", &settings.avatar_id),
        ("voiceId", &settings.voice_id),
        ("llmId", &settings.llm_id),
        ("languageCode", &settings.language_code),
    ];
    for (field, id) in fields {
        let Some((kind, id)) = catalogue_kind(field).zip(id.as_ref()) else {
            continue;
        };
        if !catalogue.of(kind).is_empty() && catalogue.find(kind, id).is_none() {
            faults.add(
                step(field),
                format!("is not in the tenant's catalogue of {}s", kind.as_str()),
            );
        }
    }
    for (index, id) in settings.tool_ids.iter().flatten().enumerate() {
        if !catalogue.of(CatalogueKind::Tool).is_empty()
            && catalogue.find(CatalogueKind::Tool, id).is_none()
        {
            faults.add(
                format!("/toolIds/{index}"),
                "is not in the tenant's catalogue of tools",
            );
        }
    }
    faults.into_vec()
}

/// What the persona and the policy say together and Anam would refuse, though each is right alone.
fn clashes_with_policy(key: &Key, persona: Persona, policy: &Policy) -> Vec<Fault> {
    let live = LivePersona::new(key, 0, String::new(), persona, policy, Vec::new());
    let faults = live.settings.check().into_iter().map(|mut fault| {
        fault
            .message
            .push_str(" (together with the tenant's policy)");
        fault
    });
    faults.collect()
}

/// Pins on versions that were never sealed.
fn pins_nothing(persona: &Persona, sealed: &BTreeSet<(String, i32)>) -> Vec<Fault> {
    let pins = persona.snippets.iter();
    pins.filter(|(key, number)| !sealed.contains(&(key.as_str().to_owned(), **number)))
        .map(|(key, number)| {
            Fault::new(
                format!("/snippets{}", step(key.as_str())),
                format!("the snippet `{key}` has no version {number}"),
            )
        })
        .collect()
}

fn changed_members(before: &Map<String, Value>, after: &Map<String, Value>) -> String {
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let changed: Vec<&str> = names
        .into_iter()
        .filter(|name| before.get(*name) != after.get(*name))
        .map(String::as_str)
        .collect();
    changed.join(", ")
}
