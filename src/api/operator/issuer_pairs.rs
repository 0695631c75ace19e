//! `/v1/operator/issuer-pairs`: whose the tokens of an issuer for an audience are, where nobody can prove it.

use actix_web::web;
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::domain::issuer::IssuerConfig;
use crate::gateway::Gateway;
use crate::store::pairs::{ClaimedBy, PairListing};
use crate::tenants::operators::Pair;
use crate::web::input::{Line, input};
use crate::web::operation::{Answer, Body, NoContent, Page, PageOf, operations};
use crate::web::people::Operator;

operations! {
    "Operator";

    "/v1/operator/issuer-pairs" {
        /// Lists the pairs of issuer and audience of all tenants, by tenant. Several tenants may have the same pair pending; only
        /// one can have claimed it.
        GET listIssuerPairs => list;
    }
    "/v1/operator/issuer-pairs:assign" {
        /// Assigns a pending pair to a tenant: its tokens are accepted from now on.
        POST assignIssuerPair => assign;
    }
    "/v1/operator/issuer-pairs:withdraw" {
        /// Withdraws a pair from a tenant: its tokens are refused until a tenant proves that they are its own, or an operator
        /// assigns the pair.
        POST withdrawIssuerPair => withdraw;
    }
}

/// A tenant's issuer and one of its audiences.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = IssuerPair)]
struct PairBody {
    /// The tenant's name in URLs.
    #[schema(example = "acme")]
    tenant: String,
    /// The tenant's issuer.
    issuer_id: Uuid,
    /// The `iss` of the tokens.
    #[schema(example = "https://login.acme.example/")]
    issuer: String,
    #[schema(example = "acme-app")]
    audience: String,
    /// `claimed` or `pending`.
    #[schema(example = "pending", pattern = "^(claimed|pending)$")]
    state: &'static str,
    /// What gave it to the tenant: `audience`, `token`, `operator` or `earlier`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    claimed_by: Option<&'static str>,
    /// When it was claimed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    claimed_at: Option<DateTime<Utc>>,
}

impl From<PairListing> for PairBody {
    fn from(row: PairListing) -> Self {
        Self {
            tenant: row.tenant,
            issuer_id: row.issuer_id.0,
            issuer: row.issuer,
            audience: row.audience,
            state: if row.claimed_at.is_some() {
                "claimed"
            } else {
                "pending"
            },
            claimed_by: row.claimed_by.map(ClaimedBy::as_str),
            claimed_at: row.claimed_at,
        }
    }
}

input! {
    /// Which pairs are listed.
    struct PairsFilter {
        /// Only those that nobody has proven.
        pending: bool = false,
    }

    /// Which pair of which tenant.
    struct NamedIssuerPair {
        /// The tenant's name in URLs.
        #[example("acme")]
        tenant: Line<63>,
        /// The `iss` of the tokens.
        #[example("https://login.acme.example/")]
        issuer: Line<{ IssuerConfig::MAX_NAME_CHARS }>,
        /// The audience of the tokens, their `aud`.
        #[example("acme-app")]
        audience: Line<{ IssuerConfig::MAX_NAME_CHARS }>,
    }
}

impl From<NamedIssuerPair> for Pair {
    fn from(named: NamedIssuerPair) -> Self {
        Self {
            tenant: named.tenant.into(),
            issuer: named.issuer.into(),
            audience: named.audience.into(),
        }
    }
}

async fn list(
    _operator: Operator,
    gateway: web::Data<Gateway>,
    page: PageOf<PairsFilter>,
) -> Answer<Page<PairBody>> {
    let mut tx = gateway.database.platform().await?;
    let rows = tx
        .pairs_page(page.filter.pending, page.after(), page.rows())
        .await?;
    Ok(page.of(rows, |row| row.position.clone(), PairBody::from))
}

async fn assign(
    operator: Operator,
    gateway: web::Data<Gateway>,
    sent: Body<NamedIssuerPair>,
) -> Answer<NoContent> {
    let pair = sent.checked()?.into();
    let label = operator.label();
    operator.acting(&gateway, &label).assign_pair(&pair).await?;
    Ok(NoContent)
}

async fn withdraw(
    operator: Operator,
    gateway: web::Data<Gateway>,
    sent: Body<NamedIssuerPair>,
) -> Answer<NoContent> {
    let pair = sent.checked()?.into();
    let label = operator.label();
    let acting = operator.acting(&gateway, &label);
    acting.withdraw_pair(&pair).await?;
    Ok(NoContent)
}
