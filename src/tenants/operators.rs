//! Who runs the installation: tenants, the first people in them, issuers that many tenants share.

use secrecy::SecretString;
use serde_json::{Map, Value, json};

use super::invitations;
use super::refusal::Refusal;
use crate::clock::Clock;
use crate::crypto::password::{BadPassword, HashError, Password, Passwords};
use crate::domain::email::Email;
use crate::domain::fault::Faults;
use crate::domain::ids::{AdminId, InvitationId, IssuerId, TenantId};
use crate::domain::issuer::{ClaimPath, IssuerConfig, KeySource};
use crate::domain::key::is_slug;
use crate::domain::role::Role;
use crate::domain::text;
use crate::store::audit::AuditEvent;
use crate::store::{Database, StoreError};

/// Somebody who runs the installation, and what they work with.
#[derive(Debug)]
pub struct Operator<'a> {
    /// The database.
    pub database: &'a Database,
    /// The time, and new ids.
    pub clock: &'a Clock,
    /// Who, for the audit trails: `person:EMAIL` or `cli:NAME`.
    pub label: &'a str,
    /// The request's id, where there is one.
    pub request_id: Option<&'a str>,
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
    /// No answer about the password.
    #[error(transparent)]
    Hash(#[from] HashError),
    /// The person is a member already, or has an account.
    #[error("{0}")]
    Exists(String),
    /// The database did not answer as hoped.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Operator<'_> {
    /// Makes a tenant.
    pub async fn create_tenant(&self, slug: &str, name: &str) -> Result<TenantId, Refusal> {
        let mut faults = Faults::new();
        if !is_slug(slug) {
            faults.add(
                "/slug",
                "must be 1 to 63 characters of a-z, 0-9 and '-', and start with a letter or digit",
            );
        }
        if !text::is_clean_line(name, 200) {
            faults.add("/name", "must be one line of 1 to 200 characters");
        }
        faults.into_result(()).map_err(Refusal::Invalid)?;
        let tenant = TenantId(self.clock.new_id());
        let mut tx = self.database.tenant(tenant).await?;
        match tx.insert_tenant(slug, name).await {
            Err(StoreError::Conflict { .. }) => {
                return Err(Refusal::Exists(format!(
                    "there is a tenant `{slug}` already"
                )));
            }
            inserted => inserted?,
        }
        tx.audit(&self.event("tenant.create", &format!("tenant/{slug}"), json!({})))
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
        tx.audit(&self.event(action, &format!("tenant/{slug}"), json!({})))
            .await?;
        tx.commit().await?;
        Ok(())
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
                "must be a claim's name or a JSON pointer into the claims",
            );
        }
        let parsed = faults.take(
            "/config",
            IssuerConfig::parse(&Value::Object(config.clone())),
        );
        if parsed
            .as_ref()
            .is_some_and(|config| matches!(config.keys(), KeySource::SharedSecret))
        {
            faults.add(
                "/config/keys",
                "an issuer that many tenants share needs public keys: whoever has an HS256 secret can sign for every tenant",
            );
        }
        faults.into_result(()).map_err(Refusal::Invalid)?;
        let id = IssuerId(self.clock.new_id());
        let mut tx = self.database.platform().await?;
        match tx.insert_shared_issuer(id, config, tenant_claim).await {
            Err(StoreError::Conflict { .. }) => {
                return Err(Refusal::Exists(format!(
                    "tokens of {} for one of these audiences belong to another issuer already",
                    parsed.as_ref().map_or("this issuer", IssuerConfig::issuer)
                )));
            }
            inserted => inserted?,
        }
        tx.commit().await?;
        tracing::info!(actor = self.label, issuer.id = %id, "a shared issuer was registered");
        Ok(id)
    }

    /// Takes a shared issuer out: its tokens are refused from now on.
    pub async fn remove_shared_issuer(&self, id: IssuerId) -> Result<(), Refusal> {
        let mut tx = self.database.platform().await?;
        if !tx.delete_shared_issuer(id).await? {
            return Err(Refusal::NotFound);
        }
        tx.commit().await?;
        tracing::info!(actor = self.label, issuer.id = %id, "a shared issuer was removed");
        Ok(())
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
        )
        .await?;
        tx.audit(&self.event(
            "invitation.create",
            &format!("person/{email}"),
            json!({ "role": role.as_str() }),
        ))
        .await?;
        tx.commit().await?;
        Ok(token)
    }

    /// Makes somebody a member of a tenant, with a password that whoever runs the installation was told. A person who has
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
        tx.audit(&self.event(
            "member.create",
            &format!("person/{email}"),
            json!({ "role": role.as_str() }),
        ))
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
        tx.commit().await?;
        tracing::info!(actor = self.label, person = %email, "somebody became an operator");
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
        tx.commit().await?;
        tracing::info!(actor = self.label, person = %email, "a password was set");
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
        tx.commit().await?;
        tracing::info!(actor = self.label, person = %email, disabled, "an account was changed");
        Ok(())
    }

    async fn find(&self, slug: &str) -> Result<Option<TenantId>, StoreError> {
        let mut tx = self.database.platform().await?;
        let tenant = tx.tenant_by_slug(slug).await?;
        tx.commit().await?;
        Ok(tenant)
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
