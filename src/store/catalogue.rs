//! The table `catalogue_entry`.

use std::collections::BTreeSet;

use serde_json::{Map, Value};
use sqlx::types::Json;

use super::StoreError;
use super::tenant_tx::TenantTx;
use crate::domain::catalogue::{Catalogue, CatalogueEntry, CatalogueKind};

impl TenantTx {
    /// This tenant's catalogue, without what is retired.
    pub async fn catalogue(&mut self) -> Result<Catalogue, StoreError> {
        let tenant = self.tenant().0;
        let rows = sqlx::query!(
            r#"select kind, id, name, attributes as "attributes: Json<Map<String, Value>>" from catalogue_entry
               where tenant_id = $1 and retired_at is null order by kind, position, id"#,
            tenant
        )
        .fetch_all(self.connection())
        .await?;
        let mut catalogue = Catalogue::default();
        for row in rows {
            let kind = CatalogueKind::parse(&row.kind)
                .ok_or_else(|| StoreError::Unreadable(format!("catalogue kind {}", row.kind)))?;
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

    /// What this tenant's catalogue had once: kind and id.
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

    /// Replaces the entries of one kind.
    pub async fn replace_catalogue(
        &mut self,
        kind: CatalogueKind,
        entries: &[CatalogueEntry],
    ) -> Result<(), StoreError> {
        let tenant = self.tenant().0;
        let ids: Vec<String> = entries.iter().map(|entry| entry.id.clone()).collect();
        let names: Vec<String> = entries.iter().map(|entry| entry.name.clone()).collect();
        let attributes: Vec<Value> = entries
            .iter()
            .map(|entry| Value::Object(entry.attributes.clone()))
            .collect();
        sqlx::query!(
            "delete from catalogue_entry where tenant_id = $1 and kind = $2 and id <> all($3)",
            tenant,
            kind.as_str(),
            &ids
        )
        .execute(self.connection())
        .await?;
        sqlx::query!(
            "insert into catalogue_entry (tenant_id, kind, id, name, attributes, position)
             select $1, $2, e.id, e.name, e.attributes, e.position::int
             from unnest($3::text[], $4::text[], $5::jsonb[]) with ordinality as e (id, name, attributes, position)
             on conflict (tenant_id, kind, id) do update
             set name = excluded.name, attributes = excluded.attributes, position = excluded.position, retired_at = null",
            tenant,
            kind.as_str(),
            &ids,
            &names,
            &attributes
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }
}
