//! `/v1/admin/catalogue`: what users may choose, and what Anam lists.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::views::sync::SyncBody;
use super::views::usage::PlaceBody;
use crate::domain::catalogue::{CatalogueEntry, CatalogueSource};
use crate::domain::catalogue_kind::CatalogueKind;
use crate::store::catalogue::CatalogueRow;
use crate::store::tenant_tx::TenantTx;
use crate::tenants::catalogue::usage::{Usage, usage};
use crate::tenants::catalogue::{self, MAX_ID_CHARS, MAX_IDS, MAX_NAME_CHARS};
use crate::tenants::refusal::Refusal;
use crate::web::admin::{Publish, View};
use crate::web::etag::{Conditions, Validator};
use crate::web::input::{Line, List, Object, answered_words, input};
use crate::web::operation::{
    Answer, Body, Call, IfMatch, Json, NoContent, Page, PageOf, Path, PathPart, Stored, Tagged,
    operations,
};

operations! {
    "Admin: catalogue";

    "/v1/admin/catalogue" {
        /// Summarises the catalogue: how many entries there are, and which of them Anam has retired.
        GET getCatalogue => overview;
    }
    "/v1/admin/catalogue/{kind}" {
        /// Lists the entries of a kind in the tenant's order, also those that users may not choose.
        GET listCatalogue => list;
    }
    "/v1/admin/catalogue/{kind}:allow" {
        /// Allows users to choose these entries.
        POST allowCatalogueEntries => allow;
    }
    "/v1/admin/catalogue/{kind}:disallow" {
        /// Stops users from choosing these entries. Users who have chosen one get the persona's own value; `usedBy` of each entry
        /// says where it is used.
        POST disallowCatalogueEntries => disallow;
    }
    "/v1/admin/catalogue/{kind}/{id:[^/]+}" {
        /// Returns one entry, and where it is used.
        GET getCatalogueEntry => get;
        /// Creates or replaces an entry by hand. Synchronisation no longer changes its name and attributes.
        PUT putCatalogueEntry => put;
        /// Deletes an entry that was entered by hand, or that Anam no longer lists.
        DELETE deleteCatalogueEntry => delete;
    }
}

answered_words! {
    CatalogueKind: Avatar, Voice, Llm, Language, Tool;
    CatalogueSource: Typed, Anam;
}

impl PathPart for CatalogueKind {
    const MEANING: &'static str = "The kind of entries";

    fn parse(text: &str) -> Option<Self> {
        Self::parse(text)
    }

    fn schema() -> Value {
        json!({ "type": "string", "enum": Self::ALL.map(Self::as_str) })
    }
}

struct EntryId(String);

impl PathPart for EntryId {
    const MEANING: &'static str = "Its id, percent-encoded";

    fn parse(text: &str) -> Option<Self> {
        Some(Self(text.to_owned()))
    }

    fn schema() -> Value {
        json!({ "type": "string", "minLength": 1, "maxLength": MAX_ID_CHARS })
    }
}

/// An entry of the catalogue.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = CatalogueEntry)]
struct EntryBody {
    #[schema(example = "avatar")]
    kind: CatalogueKind,
    /// Anam's id, or a language code.
    #[schema(example = "30fa96d0-26c4-4e55-94a0-517025942e18")]
    id: String,
    /// The name that people see.
    #[schema(example = "Cara")]
    name: String,
    /// What else is known of it: pictures, a voice's provider, an avatar's models.
    #[schema(value_type = Object)]
    attributes: Map<String, Value>,
    /// Whether admins allow it. Users may choose what is enabled and not retired.
    enabled: bool,
    /// `typed`: by an admin or a bundle, whose name and attributes stay; `anam`: kept as Anam's lists say.
    #[schema(example = "anam")]
    source: CatalogueSource,
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
            kind: row.kind,
            id: row.entry.id,
            name: row.entry.name,
            attributes: row.entry.attributes,
            enabled: row.enabled,
            source: row.source,
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
    /// The counts for each kind of entry.
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
    #[schema(example = "avatar")]
    kind: CatalogueKind,
    /// May be chosen. Of a kind that has none, neither this nor retired, personas may use whatever Anam has.
    allowed: i64,
    /// Entries that are known but not allowed.
    not_allowed: i64,
    /// No longer listed by Anam.
    retired: i64,
}

/// The entries after a change of what is allowed.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = CatalogueAllowance)]
struct AllowedBody {
    /// The ids for which it is new.
    changed: Vec<String>,
}

input! {
    /// What an entry says from now on.
    struct CatalogueEntryWish {
        /// The name that people see.
        #[example("Cara")]
        name: Line<MAX_NAME_CHARS>,
        /// Further attributes, as Anam lists them.
        #[example({ "provider": "CARTESIA" })]
        attributes: Object = Object::new(),
        /// Whether users may choose it; `true` unless set.
        enabled: bool = true,
    }

    /// Entries to allow or to disallow.
    struct CatalogueIds {
        /// Their ids; each must be known.
        #[example(["30fa96d0-26c4-4e55-94a0-517025942e18"])]
        ids: List<Line<MAX_ID_CHARS>, 1, MAX_IDS>,
    }
}

async fn overview(call: Call<View>) -> Answer<Json<OverviewBody>> {
    let mut tx = call.read().await?;
    let kinds = catalogue::counts(&mut tx).await?.into_iter();
    let kinds = kinds.map(|(kind, counts)| KindBody {
        kind,
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
    let newest = tx.catalogue_syncs(None, 1).await?.into_iter().next();
    Ok(Json::new(&OverviewBody {
        kinds: kinds.collect(),
        retired: retired.collect(),
        last_sync: newest.map(SyncBody::from),
    }))
}

async fn list(
    call: Call<View>,
    Path(kind): Path<CatalogueKind>,
    page: PageOf<()>,
) -> Answer<Page<EntryBody>> {
    let after = page.after().and_then(|position| {
        let (position, id) = position.split_once(' ')?;
        Some((position.parse().ok()?, id))
    });
    let mut tx = call.read().await?;
    let rows = tx.catalogue_rows(kind, after, page.rows()).await?;
    Ok(page.of(
        rows,
        |row| format!("{} {}", row.position, row.entry.id),
        EntryBody::from,
    ))
}

async fn allow(
    call: Call<Publish>,
    Path(kind): Path<CatalogueKind>,
    sent: Body<CatalogueIds>,
) -> Answer<Json<AllowedBody>> {
    switch(&call, kind, sent.checked()?, true).await
}

async fn disallow(
    call: Call<Publish>,
    Path(kind): Path<CatalogueKind>,
    sent: Body<CatalogueIds>,
) -> Answer<Json<AllowedBody>> {
    switch(&call, kind, sent.checked()?, false).await
}

async fn switch(
    call: &Call<Publish>,
    kind: CatalogueKind,
    sent: CatalogueIds,
    enabled: bool,
) -> Answer<Json<AllowedBody>> {
    let ids: Vec<String> = sent
        .ids
        .into_inner()
        .into_iter()
        .map(String::from)
        .collect();
    call.change(async move |change| {
        let changed = catalogue::allow(change, kind, &ids, enabled).await?;
        Ok(Json::new(&AllowedBody { changed }))
    })
    .await
}

async fn get(
    call: Call<View>,
    Path(kind): Path<CatalogueKind>,
    Path(EntryId(id)): Path<EntryId>,
) -> Answer<Tagged<EntryBody>> {
    let tenant = call.tenant;
    call.work(async move |gateway| {
        let mut tx = gateway.database.tenant(tenant).await?;
        let row = catalogue::find(&mut tx, kind, &id).await?;
        let now = tx.moment().await?;
        let body = with_usage(&mut tx, row, now).await?;
        Ok(Tagged::new(&body, &body.validator()))
    })
    .await
}

async fn put(
    call: Call<Publish>,
    Path(kind): Path<CatalogueKind>,
    Path(EntryId(id)): Path<EntryId>,
    conditions: Conditions,
    sent: Body<CatalogueEntryWish>,
) -> Answer<Stored<EntryBody>> {
    let sent = sent.checked()?;
    let enabled = sent.enabled;
    let entry = CatalogueEntry {
        id,
        name: sent.name.into(),
        attributes: sent.attributes,
    };
    catalogue::check(&entry).map_err(Refusal::Invalid)?;
    call.change(async move |change| {
        change.lock_authoring().await?;
        let before = change.tx.catalogue_row(kind, &entry.id).await?;
        match before.clone().map(EntryBody::from) {
            Some(body) => body.validator().require_any(conditions, || json!(body))?,
            None => Validator::new(0, b"").check_write(conditions)?,
        }
        let row = catalogue::put(change, kind, &entry, enabled, before.as_ref()).await?;
        let now = change.now;
        let body = with_usage(&mut change.tx, row, now).await?;
        Ok(Stored::new(&body, &body.validator(), before.is_none()))
    })
    .await
}

async fn delete(
    call: Call<Publish>,
    Path(kind): Path<CatalogueKind>,
    Path(EntryId(id)): Path<EntryId>,
    seen: IfMatch,
) -> Answer<NoContent> {
    call.change(async move |change| {
        change.lock_authoring().await?;
        let row = catalogue::find(&mut change.tx, kind, &id).await?;
        let body = EntryBody::from(row.clone());
        seen.check(&body.validator(), || json!(body))?;
        catalogue::delete(change, &row).await?;
        Ok(NoContent)
    })
    .await
}

/// An entry with those who use it.
async fn with_usage(
    tx: &mut TenantTx,
    row: CatalogueRow,
    now: DateTime<Utc>,
) -> Result<EntryBody, Refusal> {
    let name = (row.kind, row.entry.id.clone());
    let mut used = usage(tx, std::slice::from_ref(&name), now).await?;
    Ok(EntryBody::from(row).used_by(used.remove(&name).unwrap_or_default()))
}
