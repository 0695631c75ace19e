//! `/v1/admin/issuers`: who signs the users' JWTs.

mod check;
mod inputs;
mod keys;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use self::check::CheckBody;
use self::inputs::{Candidate, IssuerInput, IssuerProof, IssuerSample};
use self::keys::KeysBody;
use crate::domain::fault::Fault;
use crate::domain::ids::IssuerId;
use crate::store::issuers::IssuerRow;
use crate::store::pairs::{ClaimedBy, PairRow};
use crate::tenants::change::Change;
use crate::tenants::issuers::{self, WantedIssuer};
use crate::tenants::refusal::Refusal;
use crate::web::admin::{Own, View};
use crate::web::etag::Validator;
use crate::web::input::answered_words;
use crate::web::operation::{
    Answer, Body, Call, Created, IfMatch, Json, NoContent, Once, Path, Recent, Tagged, operations,
};
use crate::web::page::PageBody;

operations! {
    "Admin: issuers";

    "/v1/admin/issuers" {
        /// Lists the tenant's issuers, oldest first.
        GET listIssuers => list;
        /// Registers an issuer, after a check: its keys are fetched, and the sample token is verified.
        POST createIssuer => create;
    }
    "/v1/admin/issuers:check" {
        /// Checks an issuer's configuration without saving it.
        POST checkIssuer => check;
    }
    "/v1/admin/issuers/{issuer}" {
        /// Returns one issuer.
        GET getIssuer => get;
        /// Replaces an issuer's configuration, after the same check as at registration. A shared secret that is not sent stays.
        PUT putIssuer => put;
        /// Deletes an issuer. Every instance refuses its tokens within a second.
        DELETE deleteIssuer => delete;
    }
    "/v1/admin/issuers/{issuer}/keys" {
        /// The keys that are fetched for an issuer, and why the last fetch failed.
        GET getIssuerKeys => fetched_keys;
    }
    "/v1/admin/issuers/{issuer}:check" {
        /// Checks a registered issuer again: whether its keys can be fetched, and whether a sample token would be accepted.
        POST checkRegisteredIssuer => check_one;
    }
    "/v1/admin/issuers/{issuer}:prove" {
        /// Claims audiences of an issuer for the tenant, by a token as proof. The issuer must have signed the token with keys of
        /// its own URL, and its claim `persona_gateway_tenant` must name the tenant. For an issuer with typed-in keys or a shared
        /// secret, use an audience that names the tenant (`persona-gateway/SLUG`), or ask an operator.
        POST proveIssuer => prove;
    }
    "/v1/admin/issuers/{issuer}:disable" {
        /// Disables an issuer: its tokens are refused until it is enabled again. Its pairs of (issuer, audience) stay claimed.
        POST disableIssuer => disable;
    }
    "/v1/admin/issuers/{issuer}:enable" {
        /// Enables an issuer: its tokens are accepted again.
        POST enableIssuer => enable;
    }
}

/// An issuer.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Issuer)]
struct IssuerBody {
    /// The issuer.
    id: Uuid,
    /// Its configuration, as in a bundle.
    #[schema(value_type = Object, example = json!({"issuer": "https://login.acme.example/", "audiences": ["acme-app"], "algorithms": ["RS256"], "keys": {"discovery": true}}))]
    config: Map<String, Value>,
    /// Whether a shared secret, or the client secret for introspection, is stored; it is never shown.
    has_shared_secret: bool,
    /// Whether its tokens are taken.
    enabled: bool,
    /// Since when it is registered.
    created_at: DateTime<Utc>,
    /// Each of its audiences, and whether tokens for it are taken; none where they are opaque, since those claim no audience from anybody.
    audiences: Vec<PairBody>,
}

impl From<IssuerRow> for IssuerBody {
    fn from(row: IssuerRow) -> Self {
        Self {
            id: row.id.0,
            has_shared_secret: row.shared_secret.is_some(),
            config: row.config,
            enabled: row.enabled,
            created_at: row.created_at,
            audiences: row.pairs.into_iter().map(PairBody::from).collect(),
        }
    }
}

/// An audience of an issuer: whose its tokens are must be proven before they are taken.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = IssuerAudience)]
struct PairBody {
    /// The `aud` of the tokens.
    #[schema(example = "acme-app")]
    audience: String,
    /// Whether tokens for it are taken.
    state: PairState,
    /// What gave it to the tenant: `audience` (its own name), `token`, `operator`, or `earlier` (before claims were proven).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    claimed_by: Option<ClaimedBy>,
    /// When it was claimed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    claimed_at: Option<DateTime<Utc>>,
}

/// `claimed`: tokens are taken; `pending`: they are refused until `:prove`, or until an operator assigns them.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = IssuerAudienceState)]
enum PairState {
    Claimed,
    Pending,
}

answered_words! {
    ClaimedBy: Audience, Token, Operator, Earlier;
}

impl From<PairRow> for PairBody {
    fn from(row: PairRow) -> Self {
        Self {
            audience: row.audience,
            state: if row.claimed_at.is_some() {
                PairState::Claimed
            } else {
                PairState::Pending
            },
            claimed_by: row.claimed_by,
            claimed_at: row.claimed_at,
        }
    }
}

/// Over everything, the sealed secret too: a new secret is a new state.
fn validator(row: &IssuerRow) -> Validator {
    let sealed = row.shared_secret.as_ref().map(hex::encode);
    let claimed: Vec<_> = row.pairs.iter().map(|pair| pair.claimed_at).collect();
    let content = json!([row.id, row.config, row.enabled, sealed, claimed]).to_string();
    Validator::new(1, content.as_bytes())
}

fn tagged(row: IssuerRow) -> Tagged<IssuerBody> {
    let validator = validator(&row);
    Tagged::new(&IssuerBody::from(row), &validator)
}

/// Tries out what is to be saved, unless the admin wants it unchecked. The judgement is for the change to give: a call that
/// is repeated gets its first answer, whatever the issuer says by now.
async fn faults_of_candidate(
    call: &Call<Own>,
    wanted: &IssuerInput,
    existing: Option<&IssuerRow>,
) -> Answer<Vec<Fault>> {
    if wanted.accept_unchecked {
        return Ok(Vec::new());
    }
    let gateway = call.gateway();
    gateway.admit_try_out(call.tenant)?;
    let token = wanted.sample_token.as_ref();
    let report = issuers::check(gateway, call.tenant, &wanted.issuer, existing, token).await?;
    Ok(issuers::problems(&report))
}

async fn list(call: Call<View>) -> Answer<Json<PageBody<IssuerBody>>> {
    let mut tx = call.read().await?;
    let rows = tx.tenant_issuers().await?;
    Ok(Json::new(&PageBody {
        items: rows.into_iter().map(IssuerBody::from).collect(),
        next: None,
    }))
}

async fn create(
    Recent(call): Recent<Call<Own>>,
    sent: Once<Body<IssuerInput>>,
) -> Answer<Created<IssuerBody>> {
    let faults = match sent.get() {
        Some(wanted) => faults_of_candidate(&call, wanted, None).await?,
        None => Vec::new(),
    };
    call.once(sent, async move |change, wanted| {
        if !faults.is_empty() {
            return Err(Refusal::Invalid(faults).into());
        }
        let row = issuers::create(change, &wanted.issuer).await?;
        let validator = validator(&row);
        let body = IssuerBody::from(row);
        let address = format!("/v1/admin/issuers/{}", body.id);
        Ok(Created::at(address, &body).with_state(&validator))
    })
    .await
}

async fn check(call: Call<Own>, sent: Body<Candidate>) -> Answer<Json<CheckBody>> {
    let Candidate {
        issuer,
        sample_token,
    } = sent.checked()?;
    let gateway = call.gateway();
    gateway.admit_try_out(call.tenant)?;
    let sample = sample_token.as_ref();
    let report = issuers::check(gateway, call.tenant, &issuer, None, sample).await?;
    let taken = issuers::pair_conflict(gateway, call.tenant, &issuer).await?;
    Ok(Json::new(&CheckBody::new(report, taken)))
}

async fn get(call: Call<View>, issuer: Path<IssuerId>) -> Answer<Tagged<IssuerBody>> {
    Ok(tagged(find(&call, *issuer).await?))
}

async fn fetched_keys(call: Call<View>, issuer: Path<IssuerId>) -> Answer<Json<KeysBody>> {
    find(&call, *issuer).await?;
    let gateway = call.gateway();
    let health = gateway.auth.key_health_of(call.tenant, *issuer);
    Ok(Json::new(&KeysBody::new(health, gateway.clock.now())))
}

async fn put(
    Recent(call): Recent<Call<Own>>,
    Path(issuer): Path<IssuerId>,
    seen: IfMatch,
    sent: Body<IssuerInput>,
) -> Answer<Tagged<IssuerBody>> {
    let existing = find(&call, issuer).await?;
    // Nobody is made to wait for a try-out only to hear that it was in vain.
    must_be_seen(&existing, seen.clone())?;
    let wanted = sent.checked()?;
    let faults = faults_of_candidate(&call, &wanted, Some(&existing)).await?;
    if !faults.is_empty() {
        return Err(Refusal::Invalid(faults).into());
    }
    call.change(async move |change| {
        let before = seen_issuer(change, issuer, seen).await?;
        Ok(tagged(
            issuers::replace(change, &before, &wanted.issuer).await?,
        ))
    })
    .await
}

async fn delete(
    Recent(call): Recent<Call<Own>>,
    Path(issuer): Path<IssuerId>,
    seen: IfMatch,
) -> Answer<NoContent> {
    call.change(async move |change| {
        let before = seen_issuer(change, issuer, seen).await?;
        issuers::delete(change, &before).await?;
        Ok(NoContent)
    })
    .await
}

async fn check_one(
    call: Call<Own>,
    issuer: Path<IssuerId>,
    sent: Body<IssuerSample>,
) -> Answer<Json<CheckBody>> {
    let row = find(&call, *issuer).await?;
    let token = sent.checked()?.sample_token.map(|sent| sent.0);
    let gateway = call.gateway();
    gateway.admit_try_out(call.tenant)?;
    let stored = WantedIssuer::stored(&row).map_err(Refusal::Invalid)?;
    let report = issuers::check(gateway, call.tenant, &stored, Some(&row), token.as_ref()).await?;
    Ok(Json::new(&CheckBody::new(report, None)))
}

async fn prove(
    Recent(call): Recent<Call<Own>>,
    issuer: Path<IssuerId>,
    sent: Body<IssuerProof>,
) -> Answer<Tagged<IssuerBody>> {
    find(&call, *issuer).await?;
    let token = sent.checked()?.token.0;
    let gateway = call.gateway();
    gateway.admit_try_out(call.tenant)?;
    Ok(tagged(
        issuers::prove(gateway, &call, *issuer, &token).await?,
    ))
}

async fn disable(
    Recent(call): Recent<Call<Own>>,
    issuer: Path<IssuerId>,
) -> Answer<Tagged<IssuerBody>> {
    switch(&call, *issuer, false).await
}

async fn enable(
    Recent(call): Recent<Call<Own>>,
    issuer: Path<IssuerId>,
) -> Answer<Tagged<IssuerBody>> {
    switch(&call, *issuer, true).await
}

async fn switch(call: &Call<Own>, issuer: IssuerId, enabled: bool) -> Answer<Tagged<IssuerBody>> {
    call.change(async move |change| Ok(tagged(issuers::enable(change, issuer, enabled).await?)))
        .await
}

async fn find<P>(call: &Call<P>, issuer: IssuerId) -> Answer<IssuerRow> {
    let mut tx = call.read().await?;
    Ok(issuers::find(&mut tx, issuer).await?)
}

/// The issuer as it is now, provided that the caller has seen it so.
async fn seen_issuer(change: &mut Change, issuer: IssuerId, seen: IfMatch) -> Answer<IssuerRow> {
    change.lock_authoring().await?;
    let row = issuers::find(&mut change.tx, issuer).await?;
    must_be_seen(&row, seen)?;
    Ok(row)
}

fn must_be_seen(row: &IssuerRow, seen: IfMatch) -> Answer<()> {
    seen.check(&validator(row), || json!(IssuerBody::from(row.clone())))
}
