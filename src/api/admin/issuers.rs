//! `/v1/admin/issuers`: who signs the users' JWTs.

mod check;

use actix_web::http::header::{CACHE_CONTROL, ETAG};
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::{OpenApi, ToSchema};
use uuid::Uuid;

use self::check::CheckBody;
use super::{checked, id, read_members};
use crate::api::answers::{Acting, Changing, Creating, Reading, ReadingOne};
use crate::api::{only, reading};
use crate::domain::fault::{Fault, Faults};
use crate::domain::ids::IssuerId;
use crate::domain::members::{Members, flag};
use crate::gateway::Gateway;
use crate::store::issuers::IssuerRow;
use crate::store::pairs::{ClaimedBy, PairRow};
use crate::tenants::change::Change;
use crate::tenants::issuers::{self, WantedIssuer};
use crate::tenants::refusal::Refusal;
use crate::web::Problem;
use crate::web::admin::{May, Own, View};
use crate::web::body::AdminBodyLimits;
use crate::web::etag::Validator;
use crate::web::once::{Created, once};
use crate::web::page::PageBody;

/// Its routes.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(only(
            web::resource("/v1/admin/issuers")
                .route(reading().to(list))
                .route(web::post().to(create)),
            "GET, HEAD, POST",
        ))
        .service(only(
            web::resource("/v1/admin/issuers:check").route(web::post().to(check)),
            "POST",
        ))
        .service(only(
            web::resource("/v1/admin/issuers/{issuer:[^/:]+}")
                .route(reading().to(get))
                .route(web::put().to(put))
                .route(web::delete().to(delete)),
            "GET, HEAD, PUT, DELETE",
        ))
        .service(only(
            web::resource("/v1/admin/issuers/{issuer:[^/:]+}:check")
                .route(web::post().to(check_one)),
            "POST",
        ))
        .service(only(
            web::resource("/v1/admin/issuers/{issuer:[^/:]+}:prove").route(web::post().to(prove)),
            "POST",
        ))
        .service(only(
            web::resource("/v1/admin/issuers/{issuer:[^/:]+}:disable")
                .route(web::post().to(disable)),
            "POST",
        ))
        .service(only(
            web::resource("/v1/admin/issuers/{issuer:[^/:]+}:enable").route(web::post().to(enable)),
            "POST",
        ));
}

/// Its part of the document.
#[derive(Debug, OpenApi)]
#[openapi(paths(
    list, create, check, get, put, delete, check_one, prove, disable, enable
))]
pub struct Doc;

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
    #[serde(skip)]
    etag: String,
}

impl From<IssuerRow> for IssuerBody {
    fn from(row: IssuerRow) -> Self {
        Self {
            etag: validator(&row).etag().to_owned(),
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
    /// `claimed`: tokens are taken; `pending`: they are refused until `:prove`, or until an operator assigns them.
    #[schema(example = "claimed")]
    state: &'static str,
    /// What gave it to the tenant: `audience` (its own name), `token`, `operator`, or `earlier` (before claims were proven).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "token")]
    claimed_by: Option<&'static str>,
    /// When.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    claimed_at: Option<DateTime<Utc>>,
}

impl From<PairRow> for PairBody {
    fn from(row: PairRow) -> Self {
        Self {
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

/// Over everything, the sealed secret too: a new secret is a new state.
fn validator(row: &IssuerRow) -> Validator {
    let sealed = row.shared_secret.as_ref().map(hex::encode);
    let claimed: Vec<_> = row.pairs.iter().map(|pair| pair.claimed_at).collect();
    let content = json!([row.id, row.config, row.enabled, sealed, claimed]).to_string();
    Validator::new(1, content.as_bytes())
}

/// An issuer to register, or what it is from now on.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = IssuerWish)]
struct WishBody {
    /// Its configuration, as in a bundle, without `secret`.
    #[schema(value_type = Object, example = json!({"issuer": "https://login.acme.example/", "audiences": ["acme-app"], "algorithms": ["RS256"], "keys": {"discovery": true}}))]
    config: Value,
    /// The shared secret, where `keys` has `"sharedSecret": true`: 32 bytes or more, 48 for HS384, 64 for HS512; two, a line each, while one
    /// replaces the other. The client secret, where `keys` has `introspection`. Sealed, and never shown again. Of an issuer that has one it
    /// stays unless set; a client secret for the same endpoint and clientId alone.
    #[schema(nullable = false, min_length = 1, write_only)]
    shared_secret: Option<String>,
    /// A token that must pass. It is judged and forgotten.
    #[schema(nullable = false, write_only)]
    sample_token: Option<String>,
    /// Saves it although its keys can't be fetched, match no algorithm, or the sample token is refused.
    #[schema(nullable = false)]
    accept_unchecked: Option<bool>,
}

/// An issuer to try out.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = IssuerCandidate)]
struct CandidateBody {
    /// Its configuration, as in a bundle, without `secret`.
    #[schema(value_type = Object)]
    config: Value,
    /// The shared secret, where `keys` has `"sharedSecret": true`; the client secret, where it has `introspection`.
    #[schema(nullable = false, write_only)]
    shared_secret: Option<String>,
    /// A token to judge. It is forgotten afterwards.
    #[schema(nullable = false, write_only)]
    sample_token: Option<String>,
}

/// A token to judge.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = IssuerSample)]
struct SampleBody {
    /// The token. It is forgotten afterwards.
    #[schema(nullable = false, write_only)]
    sample_token: Option<String>,
}

/// A token that speaks for the tenant.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = IssuerProof)]
struct ProofBody {
    /// A token of the issuer, for one of its audiences, whose claim `persona_gateway_tenant` is the tenant's name in URLs or its
    /// id. It is judged and forgotten.
    #[schema(write_only)]
    token: String,
}

/// What a request asks for, read.
struct Asked {
    wanted: WantedIssuer,
    sample_token: Option<SecretString>,
    accept_unchecked: bool,
}

impl Asked {
    fn read(sent: Map<String, Value>, may_be_unchecked: bool) -> Result<Self, Vec<Fault>> {
        let mut members = Members::new(sent);
        let config = members.required("config", Ok);
        let secret = members.optional("sharedSecret", secret_text);
        let sample_token = members.optional("sampleToken", secret_text);
        let accept_unchecked =
            may_be_unchecked && members.optional("acceptUnchecked", flag) == Some(true);
        let mut faults = Faults::new();
        let wanted = config.and_then(|config| faults.take("", WantedIssuer::read(&config, secret)));
        faults.take("", members.finish());
        match wanted {
            Some(wanted) => faults.into_result(Self {
                wanted,
                sample_token,
                accept_unchecked,
            }),
            None => Err(faults.into_vec()),
        }
    }
}

fn secret_text(value: Value) -> Result<SecretString, String> {
    match value {
        Value::String(text) => Ok(SecretString::from(text)),
        _ => Err("must be a text".into()),
    }
}

/// Tries out what is to be saved, unless the admin wants it unchecked. The judgement is for the change to give: a call that
/// is repeated gets its first answer, whatever the issuer says by now.
async fn judged(
    gateway: &Gateway,
    may: &May<Own>,
    asked: &Asked,
    existing: Option<&IssuerRow>,
) -> Result<Vec<Fault>, Problem> {
    if asked.accept_unchecked {
        return Ok(Vec::new());
    }
    gateway.admit_try_out(may.tenant)?;
    let token = asked.sample_token.as_ref();
    let report = issuers::check(gateway, may.tenant, &asked.wanted, existing, token).await?;
    Ok(issuers::problems(&report))
}

/// The tenant's issuers, oldest first.
#[utoipa::path(
    get, path = "/v1/admin/issuers", tag = "Admin: issuers", operation_id = "listIssuers", security(("adminKey" = [])),
    extensions(("x-permission" = json!("view"))),
    responses((status = 200, description = "All of them", body = PageBody<IssuerBody>), Reading)
)]
async fn list(may: May<View>, gateway: web::Data<Gateway>) -> Result<HttpResponse, Problem> {
    let mut tx = gateway.database.tenant(may.tenant).await?;
    let rows = tx.tenant_issuers().await?;
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(PageBody {
            items: rows.into_iter().map(IssuerBody::from).collect(),
            next: None,
        }))
}

/// Registers an issuer, after a try-out: its keys are fetched, and the sample token is judged.
#[utoipa::path(
    post, path = "/v1/admin/issuers", tag = "Admin: issuers", operation_id = "createIssuer", security(("adminKey" = [])),
    extensions(("x-permission" = json!("own"))),
    params(("Idempotency-Key" = Option<String>, Header, description = "Repeats with the same key get the first answer, for a day")),
    request_body(content = WishBody, content_type = "application/json"),
    responses(
        (status = 201, description = "The issuer", body = IssuerBody, headers(("Location" = String, description = "The issuer"), ("ETag" = String, description = "Its state"))),
        Creating,
    )
)]
async fn create(
    may: May<Own>,
    request: HttpRequest,
    payload: web::Payload,
    gateway: web::Data<Gateway>,
    limits: web::Data<AdminBodyLimits>,
) -> Result<HttpResponse, Problem> {
    let sent = read_members(&request, payload, **limits).await?;
    let asked = Asked::read(sent.clone(), true);
    let faults = match &asked {
        Ok(asked) => judged(&gateway, &may, asked, None).await?,
        Err(faults) => faults.clone(),
    };
    once(&request, &gateway, &may, sent, async move |change, _| {
        let asked = asked.map_err(Refusal::Invalid)?;
        if !faults.is_empty() {
            return Err(Refusal::Invalid(faults).into());
        }
        let row = issuers::create(change, &asked.wanted).await?;
        let body = IssuerBody::from(row);
        let location = format!("/v1/admin/issuers/{}", body.id);
        Ok(Created::at(location, &body).etag(&body.etag))
    })
    .await
}

/// Tries an issuer out without saving it.
#[utoipa::path(
    post, path = "/v1/admin/issuers:check", tag = "Admin: issuers", operation_id = "checkIssuer", security(("adminKey" = [])),
    extensions(("x-permission" = json!("own"))),
    request_body(content = CandidateBody, content_type = "application/json"),
    responses((status = 200, description = "What was found, good or not", body = CheckBody), Creating)
)]
async fn check(
    may: May<Own>,
    request: HttpRequest,
    payload: web::Payload,
    gateway: web::Data<Gateway>,
    limits: web::Data<AdminBodyLimits>,
) -> Result<HttpResponse, Problem> {
    let sent = read_members(&request, payload, **limits).await?;
    let asked = Asked::read(sent, false).map_err(Refusal::Invalid)?;
    gateway.admit_try_out(may.tenant)?;
    let sample = asked.sample_token.as_ref();
    let report = issuers::check(&gateway, may.tenant, &asked.wanted, None, sample).await?;
    let taken = issuers::taken(&gateway, may.tenant, &asked.wanted).await?;
    Ok(found(&CheckBody::new(report, taken)))
}

/// One issuer.
#[utoipa::path(
    get, path = "/v1/admin/issuers/{issuer}", tag = "Admin: issuers", operation_id = "getIssuer", security(("adminKey" = [])),
    extensions(("x-permission" = json!("view"))), params(("issuer" = String, Path, description = "Its id")),
    responses(
        (status = 200, description = "The issuer", body = IssuerBody, headers(("ETag" = String, description = "Its state"))),
        ReadingOne,
    )
)]
async fn get(
    may: May<View>,
    path: web::Path<String>,
    gateway: web::Data<Gateway>,
) -> Result<HttpResponse, Problem> {
    let mut tx = gateway.database.tenant(may.tenant).await?;
    let row = issuers::find(&mut tx, id(&path)?).await?;
    Ok(shown(row))
}

/// Replaces an issuer's configuration, after a try-out. A shared secret that is not sent stays.
#[utoipa::path(
    put, path = "/v1/admin/issuers/{issuer}", tag = "Admin: issuers", operation_id = "putIssuer", security(("adminKey" = [])),
    extensions(("x-permission" = json!("own"))),
    params(("issuer" = String, Path, description = "Its id"), ("If-Match" = Option<String>, Header, description = "The ETag of a read: 428 without, 412 with `current` if it changed since")),
    request_body(content = WishBody, content_type = "application/json"),
    responses(
        (status = 200, description = "The issuer", body = IssuerBody, headers(("ETag" = String, description = "Its state"))),
        Changing,
    )
)]
async fn put(
    may: May<Own>,
    request: HttpRequest,
    path: web::Path<String>,
    payload: web::Payload,
    gateway: web::Data<Gateway>,
    limits: web::Data<AdminBodyLimits>,
) -> Result<HttpResponse, Problem> {
    let sent = read_members(&request, payload, **limits).await?;
    let issuer: IssuerId = id(&path)?;
    let mut tx = gateway.database.tenant(may.tenant).await?;
    let existing = issuers::find(&mut tx, issuer).await?;
    drop(tx);
    // Nobody is made to wait for a try-out only to hear that it was in vain.
    require(&existing, &request)?;
    let asked = Asked::read(sent, true).map_err(Refusal::Invalid)?;
    let faults = judged(&gateway, &may, &asked, Some(&existing)).await?;
    if !faults.is_empty() {
        return Err(Refusal::Invalid(faults).into());
    }
    let mut change = Change::begin(&gateway, &may).await?;
    let before = known(&mut change, &request, issuer).await?;
    let row = issuers::replace(&mut change, &before, &asked.wanted).await?;
    change.commit().await?;
    Ok(shown(row))
}

/// Removes an issuer: its tokens are refused from then on, everywhere within a second.
#[utoipa::path(
    delete, path = "/v1/admin/issuers/{issuer}", tag = "Admin: issuers", operation_id = "deleteIssuer", security(("adminKey" = [])),
    extensions(("x-permission" = json!("own"))),
    params(("issuer" = String, Path, description = "Its id"), ("If-Match" = Option<String>, Header, description = "The ETag of a read: 428 without, 412 with `current` if it changed since")),
    responses((status = 204, description = "Gone"), Changing)
)]
async fn delete(
    may: May<Own>,
    request: HttpRequest,
    path: web::Path<String>,
    gateway: web::Data<Gateway>,
) -> Result<HttpResponse, Problem> {
    let mut change = Change::begin(&gateway, &may).await?;
    let before = known(&mut change, &request, id(&path)?).await?;
    issuers::delete(&mut change, &before).await?;
    change.commit().await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Tries a registered issuer out again: are its keys there, and would this token pass?
#[utoipa::path(
    post, path = "/v1/admin/issuers/{issuer}:check", tag = "Admin: issuers", operation_id = "checkRegisteredIssuer",
    security(("adminKey" = [])), extensions(("x-permission" = json!("own"))),
    params(("issuer" = String, Path, description = "Its id")),
    request_body(content = Option<SampleBody>, content_type = "application/json"),
    responses((status = 200, description = "What was found, good or not", body = CheckBody), Creating)
)]
async fn check_one(
    may: May<Own>,
    request: HttpRequest,
    path: web::Path<String>,
    payload: web::Payload,
    gateway: web::Data<Gateway>,
    limits: web::Data<AdminBodyLimits>,
) -> Result<HttpResponse, Problem> {
    let sent = read_members(&request, payload, **limits).await?;
    let mut members = Members::new(sent);
    let token = members.optional("sampleToken", secret_text);
    members.finish().map_err(Refusal::Invalid)?;
    let mut tx = gateway.database.tenant(may.tenant).await?;
    let row = issuers::find(&mut tx, id(&path)?).await?;
    drop(tx);
    gateway.admit_try_out(may.tenant)?;
    let wanted = WantedIssuer::stored(&row).map_err(Refusal::Invalid)?;
    let report = issuers::check(&gateway, may.tenant, &wanted, Some(&row), token.as_ref()).await?;
    Ok(found(&CheckBody::new(report, None)))
}

/// Proves whose an issuer's tokens are: a token that the issuer signed with keys of its own URL, and whose claim `persona_gateway_tenant`
/// names the tenant, gives the tenant the audiences that it is for. Where keys are typed in or a shared secret, use an audience that names
/// the tenant (`persona-gateway/SLUG`), or ask an operator.
#[utoipa::path(
    post, path = "/v1/admin/issuers/{issuer}:prove", tag = "Admin: issuers", operation_id = "proveIssuer",
    security(("adminKey" = [])), extensions(("x-permission" = json!("own"))),
    params(("issuer" = String, Path, description = "Its id")),
    request_body(content = ProofBody, content_type = "application/json"),
    responses((status = 200, description = "The issuer", body = IssuerBody, headers(("ETag" = String, description = "Its state"))), Creating)
)]
async fn prove(
    may: May<Own>,
    request: HttpRequest,
    path: web::Path<String>,
    payload: web::Payload,
    gateway: web::Data<Gateway>,
    limits: web::Data<AdminBodyLimits>,
) -> Result<HttpResponse, Problem> {
    let mut members = Members::new(read_members(&request, payload, **limits).await?);
    let token = members.required("token", secret_text);
    let issuer = id(&path)?;
    let mut tx = gateway.database.tenant(may.tenant).await?;
    issuers::find(&mut tx, issuer).await?;
    drop(tx);
    checked(members.finish())?;
    let token = token.ok_or_else(|| Refusal::Invalid(Vec::new()))?;
    gateway.admit_try_out(may.tenant)?;
    Ok(shown(issuers::prove(&gateway, &may, issuer, &token).await?))
}

/// Refuses an issuer's tokens until it is enabled again. Its pairs of (issuer, audience) stay its own.
#[utoipa::path(
    post, path = "/v1/admin/issuers/{issuer}:disable", tag = "Admin: issuers", operation_id = "disableIssuer",
    security(("adminKey" = [])), extensions(("x-permission" = json!("own"))),
    params(("issuer" = String, Path, description = "Its id")),
    responses((status = 200, description = "The issuer", body = IssuerBody, headers(("ETag" = String, description = "Its state"))), Acting)
)]
async fn disable(
    may: May<Own>,
    path: web::Path<String>,
    gateway: web::Data<Gateway>,
) -> Result<HttpResponse, Problem> {
    switch(&may, &gateway, &path, false).await
}

/// Takes an issuer's tokens again.
#[utoipa::path(
    post, path = "/v1/admin/issuers/{issuer}:enable", tag = "Admin: issuers", operation_id = "enableIssuer",
    security(("adminKey" = [])), extensions(("x-permission" = json!("own"))),
    params(("issuer" = String, Path, description = "Its id")),
    responses((status = 200, description = "The issuer", body = IssuerBody, headers(("ETag" = String, description = "Its state"))), Acting)
)]
async fn enable(
    may: May<Own>,
    path: web::Path<String>,
    gateway: web::Data<Gateway>,
) -> Result<HttpResponse, Problem> {
    switch(&may, &gateway, &path, true).await
}

async fn switch(
    may: &May<Own>,
    gateway: &Gateway,
    path: &str,
    enabled: bool,
) -> Result<HttpResponse, Problem> {
    let mut change = Change::begin(gateway, may).await?;
    let row = issuers::enable(&mut change, id(path)?, enabled).await?;
    change.commit().await?;
    Ok(shown(row))
}

/// The issuer as it is now, provided that the request knows it so.
async fn known(
    change: &mut Change,
    request: &HttpRequest,
    issuer: IssuerId,
) -> Result<IssuerRow, Problem> {
    change.lock_authoring().await?;
    let row = issuers::find(&mut change.tx, issuer).await?;
    require(&row, request)?;
    Ok(row)
}

fn require(row: &IssuerRow, request: &HttpRequest) -> Result<(), Problem> {
    validator(row).require(request, || json!(IssuerBody::from(row.clone())))
}

fn shown(row: IssuerRow) -> HttpResponse {
    let body = IssuerBody::from(row);
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((ETAG, body.etag.as_str()))
        .json(body)
}

fn found(report: &CheckBody) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(report)
}
