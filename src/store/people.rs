//! The tables `admin` and `membership`: who administers, and where.
//!
//! People belong to no tenant. A tenant's transaction reaches them by switching to the platform's role.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use sqlx::types::Json;

use super::StoreError;
use super::lease::Lease;
use super::tenant_tx::{PlatformTx, TenantTx};
use crate::domain::email::Email;
use crate::domain::ids::{AdminId, TenantId};
use crate::domain::role::Role;

/// A person as stored.
#[derive(Debug, Clone)]
pub struct PersonRow {
    pub id: AdminId,
    /// The password's hash, a PHC string; `None` where the person signs in by single sign-on only.
    pub password_hash: Option<String>,
    /// Whether the person is disabled, and can sign in nowhere.
    pub disabled: bool,
    /// Whether the person is an operator.
    pub operator: bool,
    /// Marks of where they have signed in from with their password, newest first.
    pub sign_in_places: Vec<Vec<u8>>,
}

/// One tenant that a person may work in.
#[derive(Debug, Clone)]
pub struct MembershipRow {
    pub tenant: TenantId,
    pub slug: String,
    pub name: String,
    /// False while the tenant is suspended.
    pub active: bool,
    pub role: Role,
    /// Whether the membership was made by single sign-on, and can be entered only that way.
    pub by_sso: bool,
}

/// A person as a tenant sees them.
#[derive(Debug, Clone)]
pub struct MemberRow {
    pub id: AdminId,
    pub email: String,
    pub name: String,
    pub role: Role,
    /// Signs in by the tenant's identity provider only.
    pub by_sso: bool,
    pub disabled: bool,
    /// Whether they have a second factor.
    pub second_factor: bool,
    pub since: DateTime<Utc>,
}

/// What a member's account opens besides this tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountBeyond {
    pub has_password: bool,
    pub operator: bool,
    /// Whether the person is a member of another tenant.
    pub elsewhere: bool,
}

/// The identity at the tenant's provider that a member had before.
#[derive(Debug, Clone)]
pub struct MembershipHere {
    pub role: Role,
    /// The provider's name of the person.
    pub sso_subject: Option<String>,
}

pub(super) fn role(text: &str) -> Result<Role, StoreError> {
    Role::parse(text).ok_or_else(|| StoreError::Unreadable(format!("the role `{text}` is unknown")))
}

async fn person_by_email(
    connection: &mut Lease,
    email: &Email,
) -> Result<Option<PersonRow>, StoreError> {
    let row = sqlx::query!(
        r#"select id, password_hash, disabled_at is not null as "disabled!", operator, sign_in_places
           from admin where email = $1"#,
        email.as_str()
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| PersonRow {
        id: AdminId(row.id),
        password_hash: row.password_hash,
        disabled: row.disabled,
        operator: row.operator,
        sign_in_places: row.sign_in_places,
    }))
}

async fn set_password(
    connection: &mut Lease,
    person: AdminId,
    before: Option<&str>,
    hash: &str,
) -> Result<bool, StoreError> {
    let done = sqlx::query!(
        "update admin set password_hash = $3 where id = $1 and password_hash is not distinct from $2",
        person.0,
        before,
        hash
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// An account, for operators.
#[derive(Debug, Clone)]
pub struct AccountRow {
    /// Its address.
    pub email: String,
    pub name: String,
    /// Whether the person is an operator.
    pub operator: bool,
    /// Whether the account is disabled.
    pub disabled: bool,
    /// Whether they have a password, rather than a provider that vouches for them.
    pub has_password: bool,
    /// Its memberships, by the tenants' names in URLs.
    pub tenants: Vec<PlaceRow>,
}

/// One membership of an account.
#[derive(Debug, Clone, Deserialize)]
pub struct PlaceRow {
    /// The tenant's name in URLs.
    pub slug: String,
    pub role: String,
    /// Whether the tenant's provider made it.
    pub by_sso: bool,
}

impl PlatformTx {
    /// All accounts by address, or those with a membership in one tenant, which is then the only one listed.
    pub async fn accounts(
        &mut self,
        tenant: Option<TenantId>,
    ) -> Result<Vec<AccountRow>, StoreError> {
        let rows = sqlx::query!(
            r#"select a.email, a.name, a.operator, a.disabled_at is not null as "disabled!",
                      a.password_hash is not null as "has_password!",
                      coalesce(jsonb_agg(jsonb_build_object('slug', t.slug, 'role', m.role, 'by_sso', m.by_sso) order by t.slug)
                          filter (where t.id is not null), '[]') as "tenants!: Json<Vec<PlaceRow>>"
               from admin a
               left join membership m on m.admin_id = a.id and ($1::uuid is null or m.tenant_id = $1)
               left join tenant t on t.id = m.tenant_id
               where $1::uuid is null or m.tenant_id is not null
               group by a.id order by a.email"#,
            tenant.map(|tenant| tenant.0)
        )
        .fetch_all(self.connection())
        .await?;
        let accounts = rows.into_iter().map(|row| AccountRow {
            email: row.email,
            name: row.name,
            operator: row.operator,
            disabled: row.disabled,
            has_password: row.has_password,
            tenants: row.tenants.0,
        });
        Ok(accounts.collect())
    }

    /// The person with this address.
    pub async fn person_by_email(
        &mut self,
        email: &Email,
    ) -> Result<Option<PersonRow>, StoreError> {
        person_by_email(self.connection(), email).await
    }

    /// The tenants that a person may work in, by name.
    pub async fn memberships(&mut self, person: AdminId) -> Result<Vec<MembershipRow>, StoreError> {
        let rows = sqlx::query!(
            r#"select m.tenant_id, t.slug, t.name, t.status = 'active' as "active!", m.role, m.by_sso
               from membership m join tenant t on t.id = m.tenant_id
               where m.admin_id = $1 order by t.slug"#,
            person.0
        )
        .fetch_all(self.connection())
        .await?;
        let memberships = rows.into_iter().map(|row| {
            Ok(MembershipRow {
                tenant: TenantId(row.tenant_id),
                slug: row.slug,
                name: row.name,
                active: row.active,
                role: role(&row.role)?,
                by_sso: row.by_sso,
            })
        });
        memberships.collect()
    }

    /// Gives a person another password, provided that the one before is still this; says whether it was.
    pub async fn set_password(
        &mut self,
        person: AdminId,
        before: Option<&str>,
        hash: &str,
    ) -> Result<bool, StoreError> {
        set_password(self.connection(), person, before, hash).await
    }

    /// Stores the place of the latest sign-in, and drops the oldest beyond eight.
    pub async fn remember_place(
        &mut self,
        person: AdminId,
        place: &[u8],
    ) -> Result<(), StoreError> {
        sqlx::query!(
            "update admin set sign_in_places = array_prepend($2, (array_remove(sign_in_places, $2))[1:7])
             where id = $1 and sign_in_places[1] is distinct from $2",
            person.0,
            place
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Adds a person of no tenant: an operator.
    pub async fn insert_operator(
        &mut self,
        id: AdminId,
        email: &Email,
        name: &str,
        password_hash: &str,
    ) -> Result<(), StoreError> {
        sqlx::query!(
            "insert into admin (id, email, name, password_hash, operator) values ($1, $2, $3, $4, true)",
            id.0,
            email.as_str(),
            name,
            password_hash
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Makes a person an operator.
    pub async fn set_operator(&mut self, person: AdminId) -> Result<(), StoreError> {
        sqlx::query!("update admin set operator = true where id = $1", person.0)
            .execute(self.connection())
            .await?;
        Ok(())
    }

    /// Disables a person from this moment, or enables them where it is `None`.
    pub async fn set_disabled(
        &mut self,
        person: AdminId,
        since: Option<DateTime<Utc>>,
    ) -> Result<(), StoreError> {
        sqlx::query!(
            "update admin set disabled_at = $2 where id = $1",
            person.0,
            since
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }
}

impl TenantTx {
    /// Locks the tenant's memberships until this transaction ends, so that the last owner stays.
    pub async fn lock_members(&mut self) -> Result<(), StoreError> {
        self.take("members").await
    }

    /// The tenant's members, by address, from after `after` on.
    pub async fn members(
        &mut self,
        after: Option<&str>,
        limit: i64,
    ) -> Result<Vec<MemberRow>, StoreError> {
        let tenant = self.tenant().0;
        let mut step = self.platform_step().await?;
        let rows = sqlx::query!(
            r#"select a.id, a.email, a.name, m.role, m.by_sso, a.disabled_at is not null as "disabled!", m.created_at,
                      exists (select from second_factor f where f.admin_id = a.id and f.confirmed_at is not null) as "second_factor!"
               from membership m join admin a on a.id = m.admin_id
               where m.tenant_id = $1 and ($2::text is null or a.email > $2) order by a.email limit $3"#,
            tenant,
            after,
            limit
        )
        .fetch_all(step.connection())
        .await?;
        step.end().await?;
        let members = rows.into_iter().map(|row| {
            Ok(MemberRow {
                id: AdminId(row.id),
                email: row.email,
                name: row.name,
                role: role(&row.role)?,
                by_sso: row.by_sso,
                disabled: row.disabled,
                second_factor: row.second_factor,
                since: row.created_at,
            })
        });
        members.collect()
    }

    pub async fn member(&mut self, id: AdminId) -> Result<Option<MemberRow>, StoreError> {
        let tenant = self.tenant().0;
        let mut step = self.platform_step().await?;
        let row = sqlx::query!(
            r#"select a.email, a.name, m.role, m.by_sso, a.disabled_at is not null as "disabled!", m.created_at,
                      exists (select from second_factor f where f.admin_id = a.id and f.confirmed_at is not null) as "second_factor!"
               from membership m join admin a on a.id = m.admin_id where m.tenant_id = $1 and m.admin_id = $2"#,
            tenant,
            id.0
        )
        .fetch_optional(step.connection())
        .await?;
        step.end().await?;
        row.map(|row| {
            Ok(MemberRow {
                id,
                email: row.email,
                name: row.name,
                role: role(&row.role)?,
                by_sso: row.by_sso,
                disabled: row.disabled,
                second_factor: row.second_factor,
                since: row.created_at,
            })
        })
        .transpose()
    }

    /// What the account of a member opens besides this tenant.
    pub async fn account_beyond(&mut self, id: AdminId) -> Result<AccountBeyond, StoreError> {
        let tenant = self.tenant().0;
        let mut step = self.platform_step().await?;
        let row = sqlx::query!(
            r#"select a.password_hash is not null as "has_password!", a.operator,
                      exists (select from membership m where m.admin_id = a.id and m.tenant_id <> $2) as "elsewhere!"
               from admin a where a.id = $1"#,
            id.0,
            tenant
        )
        .fetch_one(step.connection())
        .await?;
        step.end().await?;
        Ok(AccountBeyond {
            has_password: row.has_password,
            operator: row.operator,
            elsewhere: row.elsewhere,
        })
    }

    /// How many owners may sign in, one of them left out.
    pub async fn owners_besides(&mut self, id: AdminId) -> Result<i64, StoreError> {
        let tenant = self.tenant().0;
        let mut step = self.platform_step().await?;
        let owners = sqlx::query_scalar!(
            r#"select count(*) as "count!" from membership m join admin a on a.id = m.admin_id
               where m.tenant_id = $1 and m.role = 'owner' and m.admin_id <> $2 and a.disabled_at is null"#,
            tenant,
            id.0
        )
        .fetch_one(step.connection())
        .await?;
        step.end().await?;
        Ok(owners)
    }

    /// Whether the person with this address is a member.
    pub async fn is_member(&mut self, email: &Email) -> Result<bool, StoreError> {
        let tenant = self.tenant().0;
        let mut step = self.platform_step().await?;
        let is_member = sqlx::query_scalar!(
            r#"select exists (select from membership m join admin a on a.id = m.admin_id
                              where m.tenant_id = $1 and a.email = $2) as "exists!""#,
            tenant,
            email.as_str()
        )
        .fetch_one(step.connection())
        .await?;
        step.end().await?;
        Ok(is_member)
    }

    /// The person with this address, whatever tenants they belong to. Nobody else changes them until this transaction ends.
    pub async fn lock_person(&mut self, email: &Email) -> Result<Option<PersonRow>, StoreError> {
        let mut step = self.platform_step().await?;
        sqlx::query!(
            "select pg_advisory_xact_lock(hashtextextended('admin ' || $1, 0))",
            email.as_str()
        )
        .execute(step.connection())
        .await?;
        let person = person_by_email(step.connection(), email).await?;
        step.end().await?;
        Ok(person)
    }

    /// Adds a person, who can do nothing until they get a membership.
    pub async fn insert_person(
        &mut self,
        id: AdminId,
        email: &Email,
        name: &str,
        password_hash: Option<&str>,
    ) -> Result<(), StoreError> {
        let mut step = self.platform_step().await?;
        sqlx::query!(
            "insert into admin (id, email, name, password_hash) values ($1, $2, $3, $4)",
            id.0,
            email.as_str(),
            name,
            password_hash
        )
        .execute(step.connection())
        .await?;
        step.end().await
    }

    /// Gives a person another password, provided that the one before is still this; says whether it was.
    pub async fn set_password(
        &mut self,
        person: AdminId,
        before: Option<&str>,
        hash: &str,
    ) -> Result<bool, StoreError> {
        let mut step = self.platform_step().await?;
        let done = set_password(step.connection(), person, before, hash).await?;
        step.end().await?;
        Ok(done)
    }

    /// What a person is in this tenant.
    pub async fn membership(
        &mut self,
        person: AdminId,
    ) -> Result<Option<MembershipHere>, StoreError> {
        let tenant = self.tenant().0;
        let row = sqlx::query!(
            "select role, sso_subject from membership where tenant_id = $1 and admin_id = $2",
            tenant,
            person.0
        )
        .fetch_optional(self.connection())
        .await?;
        row.map(|row| {
            Ok(MembershipHere {
                role: role(&row.role)?,
                sso_subject: row.sso_subject,
            })
        })
        .transpose()
    }

    /// Makes a person a member.
    pub async fn insert_membership(
        &mut self,
        person: AdminId,
        role: Role,
        by_sso: bool,
        sso_subject: Option<&str>,
    ) -> Result<(), StoreError> {
        let tenant = self.tenant().0;
        sqlx::query!(
            "insert into membership (tenant_id, admin_id, role, by_sso, sso_subject) values ($1, $2, $3, $4, $5)",
            tenant,
            person.0,
            role.as_str(),
            by_sso,
            sso_subject
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Allows a member to sign in by password too.
    pub async fn open_membership_to_passwords(
        &mut self,
        person: AdminId,
    ) -> Result<(), StoreError> {
        let tenant = self.tenant().0;
        sqlx::query!(
            "update membership set by_sso = false where tenant_id = $1 and admin_id = $2",
            tenant,
            person.0
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Stores the provider's identifier of a member.
    pub async fn set_sso_subject(
        &mut self,
        person: AdminId,
        subject: &str,
    ) -> Result<(), StoreError> {
        let tenant = self.tenant().0;
        sqlx::query!(
            "update membership set sso_subject = $3 where tenant_id = $1 and admin_id = $2",
            tenant,
            person.0,
            subject
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Deletes the provider's identifiers of all members, which another provider does not share.
    pub async fn forget_sso_subjects(&mut self) -> Result<(), StoreError> {
        let tenant = self.tenant().0;
        sqlx::query!(
            "update membership set sso_subject = null where tenant_id = $1 and sso_subject is not null",
            tenant
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    pub async fn set_role(&mut self, person: AdminId, role: Role) -> Result<(), StoreError> {
        let tenant = self.tenant().0;
        sqlx::query!(
            "update membership set role = $3 where tenant_id = $1 and admin_id = $2",
            tenant,
            person.0,
            role.as_str()
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Deletes a membership; its sessions end with it.
    pub async fn delete_membership(&mut self, person: AdminId) -> Result<(), StoreError> {
        let tenant = self.tenant().0;
        sqlx::query!(
            "delete from membership where tenant_id = $1 and admin_id = $2",
            tenant,
            person.0
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }
}
