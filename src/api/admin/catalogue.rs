//! `/v1/admin/catalogue`: what users may choose, and what Anam lists.

use actix_web::http::StatusCode;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::{OpenApi, ToSchema};

use super::catalogue_syncs::SyncBody;
use super::versions::PageQuery;
use super::{checked, read_members};
use crate::api::answers::{Changing, Creating, Listing, Reading, ReadingOne};
use crate::api::{only, reading};
use crate::domain::catalogue::{CatalogueEntry, CatalogueKind};
use crate::domain::members::{Members, flag, line, object};
use crate::gateway::Gateway;
use crate::store::catalogue::CatalogueRow;
use crate::store::tenant_tx::TenantTx;
use crate::tenants::catalogue;
use crate::tenants::catalogue::usage::{Place, Usage, usage};
use crate::tenants::change::Change;
use crate::tenants::refusal::Refusal;
use crate::web::admin::{May, Publish, View};
use crate::web::body::{self, AdminBodyLimits};
use crate::web::etag::{Conditions, Validator};
use crate::web::page::{Page, PageBody, query};
use crate::web::work::{Ready, work};
use crate::web::{Problem, path};

/// Where an entry's id stands in its address.
const ID: usize = 4;
const ONE: &str = "/v1/admin/catalogue/{kind}/{id}";

/// Its routes.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(only(
            web::resource("/v1/admin/catalogue").route(reading().to(overview)),
            "GET, HEAD",
        ))
        .service(only(
            web::resource("/v1/admin/catalogue/{kind:[^/:]+}").route(reading().to(list)),
            "GET, HEAD",
        ))
        .service(only(
            web::resource("/v1/admin/catalogue/{kind:[^/:]+}:allow").route(web::post().to(allow)),
            "POST",
        ))
        .service(only(
            web::resource("/v1/admin/catalogue/{kind:[^/:]+}:disallow")
                .route(web::post().to(disallow)),
            "POST",
        ))
        .service(only(
            web::resource(ONE)
                .route(reading().to(get))
                .route(web::put().to(put))
                .route(web::delete().to(delete)),
            "GET, HEAD, PUT, DELETE",
        ));
}

/// Its part of the document.
#[derive(Debug, OpenApi)]
#[openapi(paths(overview, list, allow, disallow, get, put, delete))]
pub struct Doc;

/// An entry of the catalogue.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = CatalogueEntry)]
struct EntryBody {
    /// `avatar`, `voice`, `llm`, `language` or `tool`.
    #[schema(example = "avatar")]
    kind: &'static str,
    /// Anam's id, or a language code.
    #[schema(example = "30fa96d0-26c4-4e55-94a0-517025942e18")]
    id: String,
    /// What people read.
    #[schema(example = "Cara")]
    name: String,
    /// What else is known of it: pictures, a voice's provider, an avatar's models.
    #[schema(value_type = Object)]
    attributes: Map<String, Value>,
    /// Whether admins allow it. Users may choose what is enabled and not retired.
    enabled: bool,
    /// `typed`: by an admin or a bundle, whose name and attributes stay; `anam`: kept as Anam's lists say.
    #[schema(example = "anam")]
    source: &'static str,
    /// When Anam listed it last; absent where it never did.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    seen_at: Option<DateTime<Utc>>,
    /// Since when Anam lists it no longer.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    retired_at: Option<DateTime<Utc>>,
    /// Who would miss it; where one entry is read, and of retired ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    used_by: Option<UsageBody>,
    #[serde(skip)]
    version: i64,
}

impl From<CatalogueRow> for EntryBody {
    fn from(row: CatalogueRow) -> Self {
        Self {
            kind: row.kind.as_str(),
            id: row.entry.id,
            name: row.entry.name,
            attributes: row.entry.attributes,
            enabled: row.enabled,
            source: row.source.as_str(),
            seen_at: row.seen_at,
            retired_at: row.retired_at,
            used_by: None,
            version: row.version,
        }
    }
}

impl EntryBody {
    fn validator(&self) -> Validator {
        let content = json!([
            self.name,
            self.attributes,
            self.enabled,
            self.source,
            self.retired_at
        ]);
        Validator::new(self.version, content.to_string().as_bytes())
    }

    fn used_by(mut self, usage: Usage) -> Self {
        self.used_by = Some(usage.into());
        self
    }
}

/// Who uses an entry.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CatalogueUsage)]
struct UsageBody {
    /// Where live documents and the policy name it.
    places: Vec<PlaceBody>,
    /// How many users chose it. Where they can't have it, their sessions use the persona's own.
    users: i64,
}

/// A place that names something.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UsagePlace)]
pub(super) struct PlaceBody {
    /// `persona` or `policy`.
    #[schema(example = "persona")]
    kind: &'static str,
    /// The persona's key.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "support-agent")]
    key: Option<String>,
    /// Its version, which is live or scheduled.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 4)]
    version: Option<i32>,
    /// Where in it: an RFC 6901 pointer.
    #[schema(example = "/avatarId")]
    pointer: String,
}

impl From<Place> for PlaceBody {
    fn from(place: Place) -> Self {
        let (key, version) = place.persona.unzip();
        Self {
            kind: if key.is_some() { "persona" } else { "policy" },
            key,
            version,
            pointer: place.pointer,
        }
    }
}

impl From<Usage> for UsageBody {
    fn from(usage: Usage) -> Self {
        Self {
            places: usage.places.into_iter().map(PlaceBody::from).collect(),
            users: usage.users,
        }
    }
}

/// The catalogue at a glance.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = CatalogueOverview)]
struct OverviewBody {
    /// Each kind.
    kinds: Vec<KindBody>,
    /// What Anam no longer lists, and who would miss it.
    retired: Vec<EntryBody>,
    /// The newest reading of Anam's lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    last_sync: Option<SyncBody>,
}

/// How many entries a kind has.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = CatalogueKindCounts)]
struct KindBody {
    /// `avatar`, `voice`, `llm`, `language` or `tool`.
    #[schema(example = "avatar")]
    kind: &'static str,
    /// May be chosen. Of a kind that has none, neither this nor retired, personas may use whatever Anam has.
    allowed: i64,
    /// Known, but not allowed.
    not_allowed: i64,
    /// No longer listed by Anam.
    retired: i64,
}

/// What an entry says from now on.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CatalogueEntryWish)]
struct EntryWishBody {
    /// What people read.
    #[schema(min_length = 1, max_length = 200, example = "Cara")]
    name: String,
    /// What else is known of it.
    #[schema(value_type = Option<Object>, nullable = false)]
    attributes: Option<Value>,
    /// Whether users may choose it; `true` unless set.
    #[schema(nullable = false)]
    enabled: Option<bool>,
}

/// Entries to allow or to disallow.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CatalogueIds)]
struct IdsBody {
    /// Their ids; each must be known.
    #[schema(min_items = 1, max_items = 1000)]
    ids: Vec<String>,
}

/// What became of it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = CatalogueAllowance)]
struct AllowedBody {
    /// The ids for which it is new.
    changed: Vec<String>,
}

/// A path member that is a kind.
fn kind(text: &str) -> Result<CatalogueKind, Refusal> {
    CatalogueKind::parse(text).ok_or(Refusal::NotFound)
}

/// The catalogue at a glance: how many entries there are, and what Anam has retired.
#[utoipa::path(
    get, path = "/v1/admin/catalogue", tag = "Admin: catalogue", operation_id = "getCatalogue", security(("adminKey" = [])),
    extensions(("x-permission" = json!("view"))),
    responses((status = 200, description = "The overview", body = OverviewBody), Reading)
)]
async fn overview(may: May<View>, gateway: web::Data<Gateway>) -> Result<HttpResponse, Problem> {
    let mut tx = gateway.database.tenant(may.tenant).await?;
    let kinds = catalogue::counts(&mut tx).await?.into_iter();
    let kinds = kinds.map(|(kind, counts)| KindBody {
        kind: kind.as_str(),
        allowed: counts.allowed,
        not_allowed: counts.not_allowed,
        retired: counts.retired,
    });
    let retired = tx.retired_catalogue_rows().await?;
    let names: Vec<_> = retired
        .iter()
        .map(|row| (row.kind, row.entry.id.clone()))
        .collect();
    let now = tx.moment().await?;
    let mut used = usage(&mut tx, &names, now).await?;
    let retired = retired.into_iter().zip(names);
    let retired = retired
        .map(|(row, name)| EntryBody::from(row).used_by(used.remove(&name).unwrap_or_default()));
    let body = OverviewBody {
        kinds: kinds.collect(),
        retired: retired.collect(),
        last_sync: tx
            .catalogue_syncs(None, 1)
            .await?
            .into_iter()
            .next()
            .map(SyncBody::from),
    };
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(body))
}

/// The entries of a kind in the tenant's order, those that may not be chosen too.
#[utoipa::path(
    get, path = "/v1/admin/catalogue/{kind}", tag = "Admin: catalogue", operation_id = "listCatalogue", security(("adminKey" = [])),
    extensions(("x-permission" = json!("view"))),
    params(("kind" = String, Path, description = "avatar, voice, llm, language or tool"), PageQuery),
    responses(
        (status = 200, description = "A page of entries", body = PageBody<EntryBody>, headers(("Link" = String, description = "The next page, rel=next"))),
        Listing,
    )
)]
async fn list(
    may: May<View>,
    request: HttpRequest,
    path: web::Path<String>,
    gateway: web::Data<Gateway>,
) -> Result<HttpResponse, Problem> {
    let kind = kind(&path)?;
    let asked: PageQuery = query(&request)?;
    let keys = &gateway.keys;
    let cursor = asked.cursor.as_deref();
    let page = Page::read(&request, keys, may.tenant, asked.limit, cursor)?;
    let after = page.after.as_deref().and_then(|position| {
        let (position, id) = position.split_once(' ')?;
        Some((position.parse().ok()?, id))
    });
    let mut tx = gateway.database.tenant(may.tenant).await?;
    let rows = tx.catalogue_rows(kind, after, page.rows()).await?;
    Ok(page.answer(
        &request,
        keys,
        rows,
        |row| format!("{} {}", row.position, row.entry.id),
        EntryBody::from,
    ))
}

/// Lets users choose these entries.
#[utoipa::path(
    post, path = "/v1/admin/catalogue/{kind}:allow", tag = "Admin: catalogue", operation_id = "allowCatalogueEntries",
    security(("adminKey" = [])), extensions(("x-permission" = json!("publish"))),
    params(("kind" = String, Path, description = "avatar, voice, llm, language or tool")),
    request_body(content = IdsBody, content_type = "application/json"),
    responses((status = 200, description = "Done", body = AllowedBody), Creating)
)]
async fn allow(
    may: May<Publish>,
    request: HttpRequest,
    path: web::Path<String>,
    payload: web::Payload,
    gateway: web::Data<Gateway>,
    limits: web::Data<AdminBodyLimits>,
) -> Result<HttpResponse, Problem> {
    switch(&may, &request, &path, payload, &gateway, **limits, true).await
}

/// Lets users no longer choose these entries. Users who have chosen one get their persona's own; see `usedBy` of each.
#[utoipa::path(
    post, path = "/v1/admin/catalogue/{kind}:disallow", tag = "Admin: catalogue", operation_id = "disallowCatalogueEntries",
    security(("adminKey" = [])), extensions(("x-permission" = json!("publish"))),
    params(("kind" = String, Path, description = "avatar, voice, llm, language or tool")),
    request_body(content = IdsBody, content_type = "application/json"),
    responses((status = 200, description = "Done", body = AllowedBody), Creating)
)]
async fn disallow(
    may: May<Publish>,
    request: HttpRequest,
    path: web::Path<String>,
    payload: web::Payload,
    gateway: web::Data<Gateway>,
    limits: web::Data<AdminBodyLimits>,
) -> Result<HttpResponse, Problem> {
    switch(&may, &request, &path, payload, &gateway, **limits, false).await
}

async fn switch(
    may: &May<Publish>,
    request: &HttpRequest,
    path: &str,
    payload: web::Payload,
    gateway: &Gateway,
    limits: AdminBodyLimits,
    enabled: bool,
) -> Result<HttpResponse, Problem> {
    let kind = kind(path)?;
    let sent = read_members(request, payload, limits).await?;
    let mut members = Members::new(sent);
    let ids = members.required("ids", ids).unwrap_or_default();
    checked(members.finish())?;
    let mut change = Change::begin(gateway, may).await?;
    let changed = catalogue::allow(&mut change, kind, &ids, enabled).await?;
    change.commit().await?;
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(AllowedBody { changed }))
}

fn ids(value: Value) -> Result<Vec<String>, String> {
    let ids: Option<Vec<String>> = match value {
        Value::Array(ids) if (1..=catalogue::MAX_IDS).contains(&ids.len()) => ids
            .into_iter()
            .map(|id| id.as_str().map(str::to_owned))
            .collect(),
        _ => None,
    };
    ids.ok_or_else(|| format!("must list 1 to {} ids", catalogue::MAX_IDS))
}

/// One entry, and who uses it.
#[utoipa::path(
    get, path = "/v1/admin/catalogue/{kind}/{id}", tag = "Admin: catalogue", operation_id = "getCatalogueEntry", security(("adminKey" = [])),
    extensions(("x-permission" = json!("view"))),
    params(("kind" = String, Path, description = "avatar, voice, llm, language or tool"), ("id" = String, Path, description = "Its id, percent-encoded")),
    responses(
        (status = 200, description = "The entry", body = EntryBody, headers(("ETag" = String, description = "Its state"))),
        ReadingOne,
    )
)]
async fn get(
    may: May<View>,
    request: HttpRequest,
    path: web::Path<(String, String)>,
    gateway: web::Data<Gateway>,
) -> Result<HttpResponse, Problem> {
    let kind = kind(&path.0)?;
    let id = path::text(&request, ID)?;
    let tenant = may.tenant;
    work(&gateway, &may, async move |gateway| {
        let mut tx = gateway.database.tenant(tenant).await?;
        let row = catalogue::find(&mut tx, kind, &id).await?;
        let now = tx.moment().await?;
        Ok(shown(&full(&mut tx, row, now).await?))
    })
    .await
}

/// Types an entry in, or over the one there is: its name and attributes are yours from then on.
#[utoipa::path(
    put, path = "/v1/admin/catalogue/{kind}/{id}", tag = "Admin: catalogue", operation_id = "putCatalogueEntry", security(("adminKey" = [])),
    extensions(("x-permission" = json!("publish"))),
    params(("kind" = String, Path, description = "avatar, voice, llm, language or tool"), ("id" = String, Path, description = "Its id, percent-encoded"),
        ("If-Match" = Option<String>, Header, description = "The ETag of a read, needed where the entry exists: 428 without, 412 with `current` if it changed since")),
    request_body(content = EntryWishBody, content_type = "application/json"),
    responses(
        (status = 200, description = "The entry, as it is now", body = EntryBody, headers(("ETag" = String, description = "Its state"))),
        (status = 201, description = "The entry, which is new", body = EntryBody, headers(("ETag" = String, description = "Its state"))),
        Changing,
    )
)]
async fn put(
    may: May<Publish>,
    request: HttpRequest,
    path: web::Path<(String, String)>,
    payload: web::Payload,
    gateway: web::Data<Gateway>,
    limits: web::Data<AdminBodyLimits>,
) -> Result<HttpResponse, Problem> {
    let kind = kind(&path.0)?;
    let id = path::text(&request, ID)?;
    let sent = body::read_object(&request, payload, limits.0, super::JSON).await?;
    let mut members = Members::new(sent);
    let name = members.required("name", line(200)).unwrap_or_default();
    let attributes = members.optional("attributes", object).unwrap_or_default();
    let enabled = members.optional("enabled", flag).unwrap_or(true);
    checked(members.finish())?;
    let entry = CatalogueEntry {
        id,
        name,
        attributes,
    };
    checked(catalogue::check(&entry))?;
    let (admin, conditions) = (may.clone(), Conditions::from(&request));
    // Who uses it is looked for in all that is live.
    work(&gateway, &may, async move |gateway| {
        let mut change = Change::begin(gateway, &admin).await?;
        change.lock_authoring().await?;
        let before = change.tx.catalogue_row(kind, &entry.id).await?;
        match &before {
            Some(row) => require(row, conditions)?,
            None => Validator::new(0, b"").check_write(conditions)?,
        }
        let row = catalogue::put(&mut change, kind, &entry, enabled, before.as_ref()).await?;
        let now = change.now;
        let body = full(&mut change.tx, row, now).await?;
        change.commit().await?;
        let status = match before {
            Some(_) => StatusCode::OK,
            None => StatusCode::CREATED,
        };
        Ok(shown(&body).status(status))
    })
    .await
}

/// Forgets an entry that was typed in, or that Anam no longer lists.
#[utoipa::path(
    delete, path = "/v1/admin/catalogue/{kind}/{id}", tag = "Admin: catalogue", operation_id = "deleteCatalogueEntry", security(("adminKey" = [])),
    extensions(("x-permission" = json!("publish"))),
    params(("kind" = String, Path, description = "avatar, voice, llm, language or tool"), ("id" = String, Path, description = "Its id, percent-encoded"),
        ("If-Match" = Option<String>, Header, description = "The ETag of a read: 428 without, 412 with `current` if it changed since")),
    responses((status = 204, description = "Gone"), Changing)
)]
async fn delete(
    may: May<Publish>,
    request: HttpRequest,
    path: web::Path<(String, String)>,
    gateway: web::Data<Gateway>,
) -> Result<HttpResponse, Problem> {
    let kind = kind(&path.0)?;
    let id = path::text(&request, ID)?;
    let mut change = Change::begin(&gateway, &may).await?;
    change.lock_authoring().await?;
    let row = catalogue::find(&mut change.tx, kind, &id).await?;
    require(&row, &request)?;
    catalogue::delete(&mut change, &row).await?;
    change.commit().await?;
    Ok(HttpResponse::NoContent().finish())
}

fn require(row: &CatalogueRow, sent: impl Into<Conditions>) -> Result<(), Problem> {
    let body = EntryBody::from(row.clone());
    body.validator().require(sent, || json!(body))
}

/// An entry with those who use it.
async fn full(
    tx: &mut TenantTx,
    row: CatalogueRow,
    now: DateTime<Utc>,
) -> Result<EntryBody, Refusal> {
    let name = (row.kind, row.entry.id.clone());
    let mut used = usage(tx, std::slice::from_ref(&name), now).await?;
    Ok(EntryBody::from(row).used_by(used.remove(&name).unwrap_or_default()))
}

fn shown(body: &EntryBody) -> Ready {
    Ready::ok(body).etag(Some(body.validator().etag().to_owned()))
}
