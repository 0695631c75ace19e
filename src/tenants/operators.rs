//! Who runs the installation: tenants, the first people in them, issuers that many tenants share.

use std::collections::BTreeMap;

use secrecy::SecretString;
use serde_json::{Map, Value, json};

use super::invitations;
use super::issuers::url_of;
use super::password_reset::{self, MadeReset};
use super::refusal::Refusal;
use crate::auth::problems_of_given_keys;
use crate::clock::Clock;
use crate::config::DatabaseUrl;
use crate::crypto::password::{BadPassword, HashError, Password, Passwords};
use crate::domain::email::Email;
use crate::domain::fault::Faults;
use crate::domain::ids::{AdminId, InvitationId, IssuerId, TenantId};
use crate::domain::issuer::{ClaimPath, IssuerConfig};
use crate::domain::key::Slug;
use crate::domain::role::Role;
use crate::domain::text;
use crate::domain::wrong::Wrong;
use crate::store::audit::AuditEvent;
use crate::store::pairs::ClaimedBy;
use crate::store::tenant_deletion::delete_tenant;
use crate::store::tenant_tx::TenantTx;
use crate::store::{Database, StoreError};

/// Somebody who runs the installation, and what they work with.
#[derive(Debug)]
pub struct Operator<'a> {
    pub database: &'a Database,
    pub clock: &'a Clock,
    /// Who, for the audit trails: `person:EMAIL` or `cli:NAME`.
    pub label: &'a str,
    pub request_id: Option<&'a str>,
}

/// A tenant's issuer and one of its audiences.
#[derive(Debug, Clone)]
pub struct Pair {
    /// The tenant's name in URLs.
    pub tenant: String,
    /// The `iss` of the tokens.
    pub issuer: String,
    pub audience: String,
}

/// Why an account was not made or changed.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// No such tenant, or no such person.
    #[error("there is no {0}")]
    Unknown(String),
    /// The password may not be set.
    #[error("the password {0}")]
    Password(#[from] BadPassword),
    /// The password could not be hashed or verified.
    #[error(transparent)]
    Hash(#[from] HashError),
    /// The person is a member already, or has an account.
    #[error("{0}")]
    Exists(String),
    /// The database failed or did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Operator<'_> {
    pub async fn create_tenant(&self, slug: &Slug, name: &str) -> Result<TenantId, Refusal> {
        let mut faults = Faults::new();
        if let Some(message) = text::refused_line(name, 200) {
            faults.add("/name", message);
        }
        faults.into_result(()).map_err(Refusal::Invalid)?;
        let tenant = TenantId(self.clock.new_id());
        let mut tx = self.database.tenant(tenant).await?;
        match tx.insert_tenant(slug.as_str(), name).await {
            Err(StoreError::Conflict { .. }) => {
                return Err(Refusal::Exists(
                    Wrong::TenantExists(slug.to_string()).into(),
                ));
            }
            inserted => inserted?,
        }
        let target = format!("tenant/{slug}");
        self.audit_both_trails(&mut tx, "tenant.create", &target, json!({}))
            .await?;
        tx.commit().await?;
        Ok(tenant)
    }

    /// Stops serving a tenant, its users and its admins, or goes on.
    pub async fn set_active(&self, slug: &str, active: bool) -> Result<(), Refusal> {
        let tenant = self.find(slug).await?.ok_or(Refusal::NotFound)?;
        let mut tx = self.database.tenant(tenant).await?;
        let row = tx.tenant_row().await?.ok_or(Refusal::NotFound)?;
        if row.active == active {
            return Ok(());
        }
        tx.set_tenant_active(active).await?;
        let action = if active {
            "tenant.resume"
        } else {
            "tenant.suspend"
        };
        self.audit_both_trails(&mut tx, action, &format!("tenant/{slug}"), json!({}))
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Deletes a tenant with everything of it, its audit trail too, and the accounts of people who belong nowhere else; gives how many rows
    /// went, by table. It is suspended first, so that nothing is under way for it. That is for good: the platform's trail keeps the last
    /// hash of the tenant's, so that an export of it can still be distinguished from a forgery. `owner_url` is that of the tables' owner.
    pub async fn delete_tenant(
        &self,
        owner_url: &DatabaseUrl,
        slug: &str,
    ) -> Result<BTreeMap<String, u64>, Refusal> {
        let tenant = self.find(slug).await?.ok_or(Refusal::NotFound)?;
        self.set_active(slug, false).await?;
        let mut tx = self.database.tenant(tenant).await?;
        let row = tx.tenant_row().await?.ok_or(Refusal::NotFound)?;
        tx.commit().await?;
        let target = format!("tenant/{slug}");
        let details = json!({ "id": tenant, "name": row.name });
        let event = self.event("tenant.delete", &target, details);
        let gone = delete_tenant(owner_url, tenant, &event).await?;
        tracing::info!(actor = self.label, tenant = slug, "a tenant was deleted");
        Ok(gone)
    }

    /// Registers an issuer whose tokens name their tenant in a claim.
    pub async fn add_shared_issuer(
        &self,
        config: &Map<String, Value>,
        tenant_claim: &str,
    ) -> Result<IssuerId, Refusal> {
        let mut faults = Faults::new();
        if ClaimPath::parse(tenant_claim).is_err() {
            faults.add(
                "/tenantClaim",
                Wrong::ClaimPath {
                    most: ClaimPath::MAX_CHARS,
                },
            );
        }
        let parsed = faults.take(
            "/config",
            IssuerConfig::parse(&Value::Object(config.clone())),
        );
        if let Some(parsed) = parsed.as_ref().filter(|parsed| parsed.takes_secret()) {
            let why = match parsed.introspection() {
                Some(_) => {
                    "an issuer that many tenants share needs public keys: opaque tokens are introspected for one tenant each"
                }
                None => {
                    "an issuer that many tenants share needs public keys: whoever has an HS256 secret can sign for every tenant"
                }
            };
            faults.add("/config/keys", Wrong::PublicKeysOnly.worded(why));
        }
        if let Some(parsed) = &parsed {
            faults.extend_under("/config", problems_of_given_keys(parsed, self.clock.now()));
        }
        faults.into_result(()).map_err(Refusal::Invalid)?;
        let id = IssuerId(self.clock.new_id());
        let mut tx = self.database.platform().await?;
        match tx.insert_shared_issuer(id, config, tenant_claim).await {
            Err(StoreError::Conflict { .. }) => {
                return Err(Refusal::Exists(Wrong::PairTaken("issuer").worded(format!(
                    "tokens of {} for one of these audiences belong to another issuer already",
                    parsed.as_ref().map_or("this issuer", IssuerConfig::issuer)
                ))));
            }
            inserted => inserted?,
        }
        let url = parsed.as_ref().map_or("", IssuerConfig::issuer);
        let details = json!({ "id": id, "config": config, "tenantClaim": tenant_claim });
        tx.audit(&self.event(
            "shared_issuer.create",
            &format!("shared_issuer/{url}"),
            details,
        ))
        .await?;
        tx.commit().await?;
        tracing::info!(actor = self.label, issuer.id = %id, "a shared issuer was registered");
        Ok(id)
    }

    /// Takes a shared issuer out: its tokens are refused from now on.
    pub async fn remove_shared_issuer(&self, id: IssuerId) -> Result<(), Refusal> {
        let mut tx = self.database.platform().await?;
        let Some(config) = tx.delete_shared_issuer(id).await? else {
            return Err(Refusal::NotFound);
        };
        let target = format!("shared_issuer/{}", url_of(&config));
        let details = json!({ "id": id, "config": config });
        tx.audit(&self.event("shared_issuer.remove", &target, details))
            .await?;
        tx.commit().await?;
        tracing::info!(actor = self.label, issuer.id = %id, "a shared issuer was removed");
        Ok(())
    }

    /// Gives a tenant the tokens of an issuer for an audience: by an operator, where nobody can prove whose they are.
    pub async fn assign_pair(&self, pair: &Pair) -> Result<(), Refusal> {
        let (mut tx, issuer) = self.pair(pair).await?;
        let audiences = std::slice::from_ref(&pair.audience);
        let by = ClaimedBy::Operator;
        let claimed = match tx
            .claim_pairs(issuer, audiences, by, self.clock.now())
            .await
        {
            Err(StoreError::Conflict { .. }) => return Err(self.pair_conflict(pair).await?),
            claimed => claimed?,
        };
        if !claimed.audiences.is_empty() {
            let audiences = claimed.audiences;
            let mut details = json!({ "id": issuer, "audiences": audiences, "by": by.as_str() });
            let target = format!("issuer/{}", pair.issuer);
            tx.audit(&self.event("issuer.claim", &target, details.clone()))
                .await?;
            if let Some(members) = details.as_object_mut() {
                members.insert("tenant".into(), json!(pair.tenant));
                members.insert("from".into(), json!(claimed.from));
            }
            tx.audit_platform(&self.event("issuer.claim", &target, details))
                .await?;
            tx.commit().await?;
        }
        Ok(())
    }

    /// Takes the tokens of an issuer for an audience from a tenant: they are refused until somebody proves whose they are.
    pub async fn withdraw_pair(&self, pair: &Pair) -> Result<(), Refusal> {
        let (mut tx, issuer) = self.pair(pair).await?;
        tx.release_pair(issuer, &pair.audience).await?;
        let details = json!({ "id": issuer, "audiences": [pair.audience], "tenant": pair.tenant });
        let target = format!("issuer/{}", pair.issuer);
        self.audit_both_trails(&mut tx, "issuer.withdraw", &target, details)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// A transaction of the pair's tenant, and its issuer.
    async fn pair(&self, pair: &Pair) -> Result<(TenantTx, IssuerId), Refusal> {
        let tenant = self.find(&pair.tenant).await?.ok_or(Refusal::NotFound)?;
        let mut platform = self.database.platform().await?;
        let issuers = platform
            .issuers_of_pair(tenant, &pair.issuer, &pair.audience)
            .await?;
        platform.commit().await?;
        let issuer = issuers.first().copied().ok_or(Refusal::NotFound)?;
        Ok((self.database.tenant(tenant).await?, issuer))
    }

    /// Says who has a pair that can't be given.
    async fn pair_conflict(&self, pair: &Pair) -> Result<Refusal, StoreError> {
        let mut platform = self.database.platform().await?;
        let holder = platform
            .holder_of_pair(&pair.issuer, &pair.audience)
            .await?;
        platform.commit().await?;
        let (kind, tenant, words) = if let Some(tenant) = holder {
            let words = format!("it is the tenant `{tenant}`'s: withdraw it there first");
            ("tenant", tenant, words)
        } else {
            let words = "it is a shared issuer's: remove that one first".to_owned();
            ("shared", String::new(), words)
        };
        Ok(Refusal::Conflict(
            Wrong::HeldElsewhere { kind, tenant }.worded(words),
        ))
    }

    /// Invites somebody into a tenant, past its owners: how the first one gets in. Gives the token.
    pub async fn invite(
        &self,
        slug: &str,
        email: &Email,
        role: Role,
    ) -> Result<SecretString, Refusal> {
        let tenant = self.find(slug).await?.ok_or(Refusal::NotFound)?;
        let now = self.clock.now();
        let mut tx = self.database.tenant(tenant).await?;
        let (_, token) = invitations::issue(
            &mut tx,
            InvitationId(self.clock.new_id()),
            now,
            email,
            role,
            self.label,
            None,
        )
        .await?;
        let target = format!("person/{email}");
        let details = json!({ "role": role.as_str(), "tenant": slug });
        self.audit_both_trails(&mut tx, "invitation.create", &target, details)
            .await?;
        tx.commit().await?;
        Ok(token)
    }

    /// Makes somebody a member of a tenant, with a password that the operator knows. A person who has
    /// an account keeps their password.
    pub async fn add_member(
        &self,
        passwords: &Passwords,
        slug: &str,
        email: &Email,
        role: Role,
        password: SecretString,
    ) -> Result<(), AccountError> {
        let tenant = self
            .find(slug)
            .await?
            .ok_or_else(|| AccountError::Unknown(format!("tenant `{slug}`")))?;
        let password = Password::parse(password, email)?;
        let hash = passwords.hash(&password).await?;
        let mut tx = self.database.tenant(tenant).await?;
        tx.lock_members().await?;
        let person = match tx.lock_person(email).await? {
            Some(person) if person.password_hash.is_some() => {
                return Err(AccountError::Exists(format!(
                    "{email} has an account already: invite them with --invite, and they join with the password they have"
                )));
            }
            Some(person) => {
                tx.set_password(person.id, None, &hash).await?;
                person.id
            }
            None => {
                let id = AdminId(self.clock.new_id());
                tx.insert_person(id, email, email.as_str(), Some(&hash))
                    .await?;
                id
            }
        };
        if tx.membership(person).await?.is_some() {
            tx.open_membership_to_passwords(person).await?;
            tx.set_role(person, role).await?;
        } else {
            tx.insert_membership(person, role, false, None).await?;
        }
        let target = format!("person/{email}");
        let details = json!({ "role": role.as_str(), "tenant": slug });
        self.audit_both_trails(&mut tx, "member.create", &target, details)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Makes somebody run the installation. With a password they get this one, and an account that exists loses the one it
    /// had with its sessions: whoever made it may not be who is meant.
    pub async fn make_operator(
        &self,
        passwords: &Passwords,
        email: &Email,
        password: Option<SecretString>,
    ) -> Result<(), AccountError> {
        let hash = match password {
            Some(password) => Some(passwords.hash(&Password::parse(password, email)?).await?),
            None => None,
        };
        let sets_password = hash.is_some();
        let mut tx = self.database.platform().await?;
        match (tx.person_by_email(email).await?, hash) {
            (Some(person), hash) => {
                if let Some(hash) = hash {
                    tx.set_password(person.id, person.password_hash.as_deref(), &hash)
                        .await?;
                    tx.end_sessions(person.id).await?;
                }
                tx.set_operator(person.id).await?;
            }
            (None, Some(hash)) => {
                let id = AdminId(self.clock.new_id());
                tx.insert_operator(id, email, email.as_str(), &hash).await?;
            }
            (None, None) => return Err(AccountError::Unknown(format!("account of {email}"))),
        }
        let details = json!({ "passwordSet": sets_password });
        tx.audit(&self.event("operator.create", &format!("person/{email}"), details))
            .await?;
        tx.commit().await?;
        tracing::info!(actor = self.label, person = %email, "an operator was added");
        Ok(())
    }

    /// Gives a person another password, which ends their sessions.
    pub async fn set_password(
        &self,
        passwords: &Passwords,
        email: &Email,
        password: SecretString,
    ) -> Result<(), AccountError> {
        let hash = passwords.hash(&Password::parse(password, email)?).await?;
        let mut tx = self.database.platform().await?;
        let person = tx
            .person_by_email(email)
            .await?
            .ok_or_else(|| AccountError::Unknown(format!("account of {email}")))?;
        tx.set_password(person.id, person.password_hash.as_deref(), &hash)
            .await?;
        tx.end_sessions(person.id).await?;
        let target = format!("person/{email}");
        tx.audit(&self.event("person.set_password", &target, json!({})))
            .await?;
        tx.commit().await?;
        tracing::info!(actor = self.label, person = %email, "a password was set");
        Ok(())
    }

    /// Makes a link for a new password, to be passed on.
    pub async fn make_password_link(&self, email: &Email) -> Result<MadeReset, Refusal> {
        let mut tx = self.database.platform().await?;
        let person = tx.person_by_email(email).await?;
        let person = person.ok_or(Refusal::NotFound)?;
        if person.disabled || person.password_hash.is_none() {
            return Err(Refusal::Conflict(
                Wrong::NoPassword(email.to_string()).into(),
            ));
        }
        let (made, reset) = password_reset::made(person.id, self.clock.now())?;
        tx.insert_reset(&reset).await?;
        let target = format!("person/{email}");
        tx.audit(&self.event("person.make_password_link", &target, json!({})))
            .await?;
        tx.commit().await?;
        Ok(made)
    }

    /// Removes a person's second factor, which ends their sessions.
    pub async fn remove_second_factor(&self, email: &Email) -> Result<(), Refusal> {
        let mut tx = self.database.platform().await?;
        let person = tx.person_by_email(email).await?;
        let person = person.ok_or(Refusal::NotFound)?;
        if !tx.remove_factor(person.id).await? {
            return Err(Refusal::NotFound);
        }
        tx.end_sessions(person.id).await?;
        let target = format!("person/{email}");
        tx.audit(&self.event("person.remove_second_factor", &target, json!({})))
            .await?;
        tx.commit().await?;
        tracing::info!(actor = self.label, person = %email, "a second factor was removed");
        Ok(())
    }

    /// Lets a person sign in nowhere, which ends their sessions, or lets them again.
    pub async fn set_disabled(&self, email: &Email, disabled: bool) -> Result<(), AccountError> {
        let mut tx = self.database.platform().await?;
        let person = tx
            .person_by_email(email)
            .await?
            .ok_or_else(|| AccountError::Unknown(format!("account of {email}")))?;
        tx.set_disabled(person.id, disabled.then(|| self.clock.now()))
            .await?;
        tx.end_sessions(person.id).await?;
        let action = if disabled {
            "person.disable"
        } else {
            "person.enable"
        };
        tx.audit(&self.event(action, &format!("person/{email}"), json!({})))
            .await?;
        tx.commit().await?;
        tracing::info!(actor = self.label, person = %email, disabled, "an account was changed");
        Ok(())
    }

    pub(super) async fn find(&self, slug: &str) -> Result<Option<TenantId>, StoreError> {
        let mut tx = self.database.platform().await?;
        let tenant = tx.tenant_by_slug(slug).await?;
        tx.commit().await?;
        Ok(tenant)
    }

    /// Tells the tenant's trail and the platform's what is done to a tenant.
    pub(super) async fn audit_both_trails(
        &self,
        tx: &mut TenantTx,
        action: &str,
        target: &str,
        details: Value,
    ) -> Result<(), StoreError> {
        tx.audit(&self.event(action, target, details.clone()))
            .await?;
        tx.audit_platform(&self.event(action, target, details))
            .await
    }

    fn event<'a>(&'a self, action: &'a str, target: &'a str, details: Value) -> AuditEvent<'a> {
        AuditEvent {
            id: self.clock.new_id(),
            at: self.clock.now(),
            actor: self.label,
            action,
            target,
            before_hash: None,
            after_hash: None,
            request_id: self.request_id,
            details,
        }
    }
}
