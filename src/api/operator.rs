//! `/v1/operator`: what operators do. Not a tenant's business, so no tenant's role opens it.

pub mod accounts;
pub mod allowances;
pub mod audit;
pub mod issuer_pairs;

use actix_web::web;
use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::domain::email::Email;
use crate::domain::ids::IssuerId;
use crate::domain::key::Slug;
use crate::domain::language::Language;
use crate::domain::places::SetShare;
use crate::domain::quota::Quota;
use crate::domain::role::Role;
use crate::gateway::Gateway;
use crate::mail::{Letter, Words};
use crate::store::tenants::TenantListing;
use crate::tenants::invitations;
use crate::tenants::operators::Operator as Acting;
use crate::web::input::{Line, Object, input};
use crate::web::operation::{
    Answer, Body, Created, Json, NoContent, Page, PageOf, Path, Recent, TenantName, operations,
};
use crate::web::page::PageBody;
use crate::web::people::Operator;

operations! {
    "Operator";

    "/v1/operator/tenants" {
        /// Lists tenants, by slug.
        GET listTenants => list_tenants;
        /// Creates a tenant, and invites its first owner.
        POST createTenant => create_tenant;
    }
    "/v1/operator/tenants/{slug}:suspend" {
        /// Suspends a tenant: its users and admins are refused, and nothing of it is deleted.
        POST suspendTenant => suspend;
    }
    "/v1/operator/tenants/{slug}:resume" {
        /// Resumes a suspended tenant.
        POST resumeTenant => resume;
    }
    "/v1/operator/shared-issuers" {
        /// Lists the issuers that many tenants share.
        GET listSharedIssuers => list_issuers;
        /// Registers an issuer whose tokens name their tenant in a claim. Do not register an issuer whose claims a tenant can set.
        POST addSharedIssuer => add_issuer;
    }
    "/v1/operator/shared-issuers/{sharedIssuer}" {
        /// Removes a shared issuer: its tokens are refused from now on.
        DELETE removeSharedIssuer => remove_issuer;
    }
}

/// A tenant as operators see it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = OperatorTenant)]
struct OperatedTenantBody {
    /// The tenant's id.
    id: Uuid,
    /// Its name in URLs and bundles.
    #[schema(example = "demo")]
    slug: String,
    /// The tenant's display name.
    #[schema(example = "Demo Inc.")]
    name: String,
    /// False while the tenant is suspended.
    active: bool,
    /// When the tenant was created.
    created_at: DateTime<Utc>,
    /// What all its users may use at most, as an operator says.
    quota: OperatedQuotaBody,
    /// What it has of the places of the platform's Anam key.
    places: TenantPlacesBody,
}

/// What all users of a tenant may use at most, as an operator says; null is no limit.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = OperatedQuota)]
struct OperatedQuotaBody {
    #[schema(example = 500)]
    sessions_per_day: Option<u32>,
    #[schema(example = 10000)]
    sessions_per_month: Option<u32>,
    #[schema(example = 1000)]
    minutes_per_day: Option<u32>,
    #[schema(example = 20000)]
    minutes_per_month: Option<u32>,
}

/// What a tenant has of the places of the platform's Anam key.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OperatedPlaces)]
struct TenantPlacesBody {
    /// Kept for it while it does not need them.
    #[schema(example = 2)]
    guaranteed: u32,
    /// The most that it may have; null is all.
    #[schema(example = 5)]
    most: Option<u32>,
}

impl From<Quota> for OperatedQuotaBody {
    fn from(quota: Quota) -> Self {
        Self {
            sessions_per_day: quota.sessions_per_day,
            sessions_per_month: quota.sessions_per_month,
            minutes_per_day: quota.minutes_per_day,
            minutes_per_month: quota.minutes_per_month,
        }
    }
}

impl From<SetShare> for TenantPlacesBody {
    fn from(share: SetShare) -> Self {
        Self {
            guaranteed: share.guaranteed,
            most: share.most,
        }
    }
}

impl From<TenantListing> for OperatedTenantBody {
    fn from(row: TenantListing) -> Self {
        let quota = Quota::parse(&row.quota).unwrap_or_default();
        Self {
            quota: quota.into(),
            id: row.id.0,
            slug: row.slug,
            name: row.name,
            active: row.active,
            created_at: row.created_at,
            places: row.places.into(),
        }
    }
}

input! {
    /// A tenant to create.
    struct NewTenant {
        /// Its name in URLs and bundles; it stays for ever.
        #[example("acme")]
        slug: Slug,
        /// Its name for people; the slug unless set.
        #[example("Acme Ltd.")]
        name: Option<Line<200>>,
        /// Who is invited as its first owner.
        #[example("ann@acme.example")]
        owner: Option<Email>,
        /// The language of the owner's mail: `en` unless set.
        #[example("de")]
        language: Option<Language>,
    }

    /// An issuer to register.
    struct NewSharedIssuer {
        /// The members that an issuer has in a bundle: issuer, audiences, keys, ...
        #[example({ "issuer": "https://login.example.com", "audiences": ["app"], "keys": { "discovery": true } })]
        config: Object,
        /// The claim that holds the tenant's name in URLs, or its id: a name, or a JSON pointer such as /org/slug.
        #[example("org")]
        tenant_claim: Line<200>,
    }
}

#[derive(Debug, Serialize, ToSchema)]
struct MadeTenant {
    /// The tenant's id.
    id: Uuid,
    /// Its name in URLs and bundles.
    #[schema(example = "acme")]
    slug: String,
    /// The invitation of the first owner, where one was named: shown this once, good for seven days.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(
        nullable = false,
        example = "pgi_7Yd3mZ0qkq8mB1m1xw2o9dZQ3m2c0kVtN5s3uJ4pXyE"
    )]
    invitation: Option<String>,
}

/// An issuer that many tenants share.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct SharedIssuer {
    /// The issuer's id.
    id: Uuid,
    /// The members that an issuer has in a bundle.
    #[schema(value_type = Object)]
    config: Map<String, Value>,
    /// The claim that names the tenant.
    #[schema(example = "org")]
    tenant_claim: String,
}

/// An issuer was registered.
#[derive(Debug, Serialize, ToSchema)]
struct MadeIssuer {
    /// The issuer's id.
    id: Uuid,
}

async fn list_tenants(
    _operator: Operator,
    gateway: web::Data<Gateway>,
    page: PageOf<()>,
) -> Answer<Page<OperatedTenantBody>> {
    let mut tx = gateway.database.platform().await?;
    let rows = tx.tenants_page(page.after(), page.rows()).await?;
    Ok(page.of(rows, |row| row.slug.clone(), OperatedTenantBody::from))
}

async fn create_tenant(
    operator: Operator,
    gateway: web::Data<Gateway>,
    sent: Body<NewTenant>,
) -> Answer<Created<MadeTenant>> {
    let NewTenant {
        slug,
        name,
        owner,
        language,
    } = sent.checked()?;
    let language = language.unwrap_or_default();
    let label = operator.label();
    let acting = operator.acting(&gateway, &label);
    let name = name.as_deref().unwrap_or(slug.as_str());
    let made = acting.create_tenant(&slug, name).await?;
    let invitation = match owner {
        None => None,
        Some(email) => {
            Some(invite(&acting, &gateway, (slug.as_str(), name), (&email, language)).await?)
        }
    };
    Ok(Created::new(&MadeTenant {
        id: made.0,
        slug: slug.into(),
        invitation: invitation.map(|token| token.expose_secret().to_owned()),
    }))
}

/// Invites the first owner of a tenant, also by mail if a server is configured.
async fn invite(
    acting: &Acting<'_>,
    gateway: &Gateway,
    (slug, name): (&str, &str),
    (email, language): (&Email, Language),
) -> Answer<SecretString> {
    let token = acting.invite(slug, email, Role::Owner).await?;
    if let Some(mail) = &gateway.mail {
        let words = Words::Invitation {
            tenant: name,
            by: invitations::display_name(acting.label),
            role: Role::Owner,
            token: &token,
            until: gateway.clock.now() + invitations::VALID_FOR,
        };
        // Not taken: it is logged and counted, and the token is in the answer.
        _ = mail.send(Letter::write(mail, email, language, &words));
    }
    Ok(token)
}

async fn suspend(
    Recent(operator): Recent<Operator>,
    gateway: web::Data<Gateway>,
    slug: Path<TenantName>,
) -> Answer<NoContent> {
    set_active(&operator, &gateway, &slug, false).await
}

async fn resume(
    operator: Operator,
    gateway: web::Data<Gateway>,
    slug: Path<TenantName>,
) -> Answer<NoContent> {
    set_active(&operator, &gateway, &slug, true).await
}

async fn set_active(
    operator: &Operator,
    gateway: &Gateway,
    TenantName(slug): &TenantName,
    active: bool,
) -> Answer<NoContent> {
    let label = operator.label();
    let acting = operator.acting(gateway, &label);
    acting.set_active(slug, active).await?;
    Ok(NoContent)
}

async fn list_issuers(
    _operator: Operator,
    gateway: web::Data<Gateway>,
) -> Answer<Json<PageBody<SharedIssuer>>> {
    let mut tx = gateway.database.platform().await?;
    let issuers = tx.shared_issuers().await?.into_iter();
    let items = issuers.map(|row| SharedIssuer {
        id: row.id.0,
        config: row.config,
        tenant_claim: row.tenant_claim,
    });
    Ok(Json::new(&PageBody {
        items: items.collect(),
        next: None,
    }))
}

async fn add_issuer(
    Recent(operator): Recent<Operator>,
    gateway: web::Data<Gateway>,
    sent: Body<NewSharedIssuer>,
) -> Answer<Created<MadeIssuer>> {
    let NewSharedIssuer {
        config,
        tenant_claim,
    } = sent.checked()?;
    let label = operator.label();
    let acting = operator.acting(&gateway, &label);
    let made = acting.add_shared_issuer(&config, &tenant_claim).await?;
    Ok(Created::new(&MadeIssuer { id: made.0 }))
}

async fn remove_issuer(
    Recent(operator): Recent<Operator>,
    gateway: web::Data<Gateway>,
    issuer: Path<IssuerId>,
) -> Answer<NoContent> {
    let label = operator.label();
    let acting = operator.acting(&gateway, &label);
    acting.remove_shared_issuer(*issuer).await?;
    Ok(NoContent)
}
