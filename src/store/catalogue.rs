//! The table `catalogue_entry`.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use sqlx::types::Json;

use super::StoreError;
use super::tenant_tx::TenantTx;
use crate::domain::catalogue::{Catalogue, CatalogueEntry, CatalogueSource};
use crate::domain::catalogue_kind::CatalogueKind;

/// An entry as stored, also one that may not be chosen.
#[derive(Debug, Clone)]
pub struct CatalogueRow {
    pub kind: CatalogueKind,
    pub entry: CatalogueEntry,
    pub source: CatalogueSource,
    /// Whether an admin allows it.
    pub enabled: bool,
    /// Its place in the tenant's order; several may share one.
    pub position: i32,
    /// When Anam listed it last; `None` where it never did.
    pub seen_at: Option<DateTime<Utc>>,
    /// Since when Anam lists it no longer.
    pub retired_at: Option<DateTime<Utc>>,
    /// Grows with each change by an admin.
    pub version: i64,
}

/// A row as the queries below give it.
struct Raw {
    kind: String,
    id: String,
    name: String,
    attributes: Json<Map<String, Value>>,
    source: String,
    enabled: bool,
    position: i32,
    seen_at: Option<DateTime<Utc>>,
    retired_at: Option<DateTime<Utc>>,
    version: i64,
}

impl TryFrom<Raw> for CatalogueRow {
    type Error = StoreError;

    fn try_from(row: Raw) -> Result<Self, StoreError> {
        Ok(Self {
            kind: kind(&row.kind)?,
            entry: CatalogueEntry {
                id: row.id,
                name: row.name,
                attributes: row.attributes.0,
            },
            source: if row.source == CatalogueSource::Anam.as_str() {
                CatalogueSource::Anam
            } else {
                CatalogueSource::Typed
            },
            enabled: row.enabled,
            position: row.position,
            seen_at: row.seen_at,
            retired_at: row.retired_at,
            version: row.version,
        })
    }
}

fn kind(text: &str) -> Result<CatalogueKind, StoreError> {
    CatalogueKind::parse(text)
        .ok_or_else(|| StoreError::Unreadable(format!("catalogue kind {text}")))
}

/// Entries as the columns that `unnest` takes.
struct Columns {
    ids: Vec<String>,
    names: Vec<String>,
    attributes: Vec<Value>,
}

impl Columns {
    fn new<'a>(entries: impl IntoIterator<Item = &'a CatalogueEntry>) -> Self {
        let mut columns = Self {
            ids: Vec::new(),
            names: Vec::new(),
            attributes: Vec::new(),
        };
        for entry in entries {
            columns.ids.push(entry.id.clone());
            columns.names.push(entry.name.clone());
            columns
                .attributes
                .push(Value::Object(entry.attributes.clone()));
        }
        columns
    }
}

impl TenantTx {
    /// What may be chosen at this tenant, and what could be if Anam had not retired it.
    pub async fn catalogue(&mut self) -> Result<Catalogue, StoreError> {
        let tenant = self.tenant().0;
        let rows = sqlx::query!(
            r#"select kind, id, name, attributes as "attributes: Json<Map<String, Value>>",
                      retired_at is not null as "retired!"
               from catalogue_entry where tenant_id = $1 and enabled order by kind, position, id"#,
            tenant
        )
        .fetch_all(self.connection())
        .await?;
        let mut catalogue = Catalogue::default();
        for row in rows {
            let kind = kind(&row.kind)?;
            if row.retired {
                catalogue.push_retired(kind, row.id);
                continue;
            }
            catalogue.push(
                kind,
                CatalogueEntry {
                    id: row.id,
                    name: row.name,
                    attributes: row.attributes.0,
                },
            );
        }
        Ok(catalogue)
    }

    /// What Anam no longer lists: kind and id.
    pub async fn retired_ids(&mut self) -> Result<BTreeSet<(CatalogueKind, String)>, StoreError> {
        let tenant = self.tenant().0;
        let rows = sqlx::query!(
            "select kind, id from catalogue_entry where tenant_id = $1 and retired_at is not null",
            tenant
        )
        .fetch_all(self.connection())
        .await?;
        let ids = rows
            .into_iter()
            .filter_map(|row| Some((CatalogueKind::parse(&row.kind)?, row.id)));
        Ok(ids.collect())
    }

    /// Lays down what may be chosen of one kind: these and no others, in this order. What Anam lists and is not among
    /// them stays known, but may not be chosen.
    pub async fn replace_catalogue(
        &mut self,
        kind: CatalogueKind,
        entries: &[CatalogueEntry],
    ) -> Result<(), StoreError> {
        let tenant = self.tenant().0;
        let columns = Columns::new(entries);
        sqlx::query!(
            "delete from catalogue_entry where tenant_id = $1 and kind = $2 and id <> all($3) and seen_at is null",
            tenant,
            kind.as_str(),
            &columns.ids
        )
        .execute(self.connection())
        .await?;
        sqlx::query!(
            "update catalogue_entry set enabled = false, source = 'anam', version = version + 1
             where tenant_id = $1 and kind = $2 and id <> all($3) and (enabled or source <> 'anam')",
            tenant,
            kind.as_str(),
            &columns.ids
        )
        .execute(self.connection())
        .await?;
        sqlx::query!(
            "insert into catalogue_entry as c (tenant_id, kind, id, name, attributes, position)
             select $1, $2, e.id, e.name, e.attributes, e.position::int
             from unnest($3::text[], $4::text[], $5::jsonb[]) with ordinality as e (id, name, attributes, position)
             on conflict (tenant_id, kind, id) do update
             set name = excluded.name, attributes = excluded.attributes, position = excluded.position,
                 source = 'typed', enabled = true, retired_at = null, version = c.version + 1",
            tenant,
            kind.as_str(),
            &columns.ids,
            &columns.names,
            &columns.attributes
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Entries of a kind in the tenant's order, those that may not be chosen too, behind a position and id, `limit` at
    /// most.
    pub async fn catalogue_rows(
        &mut self,
        kind: CatalogueKind,
        after: Option<(i32, &str)>,
        limit: i64,
    ) -> Result<Vec<CatalogueRow>, StoreError> {
        let tenant = self.tenant().0;
        let (position, id) = after.unwrap_or((i32::MIN, ""));
        let rows = sqlx::query_as!(
            Raw,
            r#"select kind, id, name, attributes as "attributes: _", source, enabled, position, seen_at, retired_at, version
               from catalogue_entry where tenant_id = $1 and kind = $2 and (position, id) > ($3, $4)
               order by position, id limit $5"#,
            tenant,
            kind.as_str(),
            position,
            id,
            limit
        )
        .fetch_all(self.connection())
        .await?;
        rows.into_iter().map(CatalogueRow::try_from).collect()
    }

    /// All that Anam no longer lists, of every kind.
    pub async fn retired_catalogue_rows(&mut self) -> Result<Vec<CatalogueRow>, StoreError> {
        let tenant = self.tenant().0;
        let rows = sqlx::query_as!(
            Raw,
            r#"select kind, id, name, attributes as "attributes: _", source, enabled, position, seen_at, retired_at, version
               from catalogue_entry where tenant_id = $1 and retired_at is not null order by kind, position, id"#,
            tenant
        )
        .fetch_all(self.connection())
        .await?;
        rows.into_iter().map(CatalogueRow::try_from).collect()
    }

    pub async fn catalogue_row(
        &mut self,
        kind: CatalogueKind,
        id: &str,
    ) -> Result<Option<CatalogueRow>, StoreError> {
        let tenant = self.tenant().0;
        let row = sqlx::query_as!(
            Raw,
            r#"select kind, id, name, attributes as "attributes: _", source, enabled, position, seen_at, retired_at, version
               from catalogue_entry where tenant_id = $1 and kind = $2 and id = $3"#,
            tenant,
            kind.as_str(),
            id
        )
        .fetch_optional(self.connection())
        .await?;
        row.map(CatalogueRow::try_from).transpose()
    }

    /// How many entries of each kind may be chosen, may not, and are retired.
    pub async fn catalogue_counts(
        &mut self,
    ) -> Result<Vec<(CatalogueKind, CatalogueCounts)>, StoreError> {
        let tenant = self.tenant().0;
        let rows = sqlx::query!(
            r#"select kind,
                      count(*) filter (where enabled and retired_at is null) as "allowed!",
                      count(*) filter (where not enabled and retired_at is null) as "not_allowed!",
                      count(*) filter (where retired_at is not null) as "retired!"
               from catalogue_entry where tenant_id = $1 group by kind order by kind"#,
            tenant
        )
        .fetch_all(self.connection())
        .await?;
        rows.into_iter()
            .map(|row| {
                let counts = CatalogueCounts {
                    allowed: row.allowed,
                    not_allowed: row.not_allowed,
                    retired: row.retired,
                };
                Ok((kind(&row.kind)?, counts))
            })
            .collect()
    }

    /// Types an entry in, or over what is there; new ones come after the others.
    pub async fn put_catalogue_entry(
        &mut self,
        kind: CatalogueKind,
        entry: &CatalogueEntry,
        enabled: bool,
    ) -> Result<(), StoreError> {
        let tenant = self.tenant().0;
        sqlx::query!(
            "insert into catalogue_entry as c (tenant_id, kind, id, name, attributes, enabled, position)
             select $1, $2, $3, $4, $5, $6,
                    coalesce((select max(position) + 1 from catalogue_entry where tenant_id = $1 and kind = $2), 1)
             on conflict (tenant_id, kind, id) do update
             set name = excluded.name, attributes = excluded.attributes, enabled = excluded.enabled,
                 source = 'typed', version = c.version + 1",
            tenant,
            kind.as_str(),
            entry.id,
            entry.name,
            Json(&entry.attributes) as _,
            enabled
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Says whether entries may be chosen; gives the ids of those for which that is new.
    pub async fn allow_catalogue_entries(
        &mut self,
        kind: CatalogueKind,
        ids: &[String],
        enabled: bool,
    ) -> Result<Vec<String>, StoreError> {
        let tenant = self.tenant().0;
        Ok(sqlx::query_scalar!(
            "update catalogue_entry set enabled = $4, version = version + 1
             where tenant_id = $1 and kind = $2 and id = any($3) and enabled <> $4 returning id",
            tenant,
            kind.as_str(),
            ids,
            enabled
        )
        .fetch_all(self.connection())
        .await?)
    }

    /// Which of these ids there are.
    pub async fn known_catalogue_ids(
        &mut self,
        kind: CatalogueKind,
        ids: &[String],
    ) -> Result<Vec<String>, StoreError> {
        let tenant = self.tenant().0;
        Ok(sqlx::query_scalar!(
            "select id from catalogue_entry where tenant_id = $1 and kind = $2 and id = any($3)",
            tenant,
            kind.as_str(),
            ids
        )
        .fetch_all(self.connection())
        .await?)
    }

    /// Forgets an entry.
    pub async fn delete_catalogue_entry(
        &mut self,
        kind: CatalogueKind,
        id: &str,
    ) -> Result<(), StoreError> {
        let tenant = self.tenant().0;
        sqlx::query!(
            "delete from catalogue_entry where tenant_id = $1 and kind = $2 and id = $3",
            tenant,
            kind.as_str(),
            id
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Takes in what Anam lists: new entries behind the others, known ones as seen and no longer retired; those that came
    /// from Anam get its names and attributes. `enabled` says whether users may choose the new ones.
    pub async fn take_in_listed(
        &mut self,
        kind: CatalogueKind,
        listed: &[&CatalogueEntry],
        enabled: bool,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let tenant = self.tenant().0;
        let columns = Columns::new(listed.iter().copied());
        sqlx::query!(
            "insert into catalogue_entry as c (tenant_id, kind, id, name, attributes, enabled, position, source, seen_at)
             select $1, $2, e.id, e.name, e.attributes, $6,
                    coalesce((select max(position) from catalogue_entry where tenant_id = $1 and kind = $2), 0)
                        + e.position::int,
                    'anam', $7
             from unnest($3::text[], $4::text[], $5::jsonb[]) with ordinality as e (id, name, attributes, position)
             on conflict (tenant_id, kind, id) do update
             set name = case c.source when 'anam' then excluded.name else c.name end,
                 attributes = case c.source when 'anam' then excluded.attributes else c.attributes end,
                 seen_at = excluded.seen_at, retired_at = null",
            tenant,
            kind.as_str(),
            &columns.ids,
            &columns.names,
            &columns.attributes,
            enabled,
            now
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Notes that Anam no longer lists these.
    pub async fn retire_catalogue_entries(
        &mut self,
        kind: CatalogueKind,
        ids: &[String],
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let tenant = self.tenant().0;
        sqlx::query!(
            "update catalogue_entry set retired_at = $4
             where tenant_id = $1 and kind = $2 and id = any($3) and retired_at is null",
            tenant,
            kind.as_str(),
            ids,
            now
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }
}

/// How many entries a kind has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CatalogueCounts {
    pub allowed: i64,
    pub not_allowed: i64,
    /// No longer listed by Anam.
    pub retired: i64,
}
