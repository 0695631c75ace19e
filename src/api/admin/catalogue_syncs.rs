//! `/v1/admin/catalogue:sync` and `/v1/admin/catalogue-syncs`: readings of Anam's lists.

use chrono::DateTime;
use uuid::Uuid;

use super::views::sync::SyncBody;
use crate::domain::ids::CatalogueSyncId;
use crate::tenants::catalogue::sync;
use crate::web::admin::{Publish, View};
use crate::web::operation::{Answer, Call, Json, Page, PageOf, operations};

operations! {
    "Admin: catalogue";

    "/v1/admin/catalogue:sync" {
        /// Reads Anam's lists now and updates the catalogue. New entries are not allowed unless the policy says `allowNew`, known
        /// ones get their new names and pictures, and entries that Anam no longer lists are retired.
        POST syncCatalogue => synchronise;
    }
    "/v1/admin/catalogue-syncs" {
        /// Lists the synchronisations of the catalogue, newest first.
        GET listCatalogueSyncs => list;
    }
}

async fn synchronise(call: Call<Publish>) -> Answer<Json<SyncBody>> {
    call.gateway().admit_try_out(call.tenant)?;
    let gateway = call.gateway().clone().into_inner();
    let row = sync::sync(&gateway, &call).await?;
    Ok(Json::new(&SyncBody::from(row)))
}

async fn list(call: Call<View>, page: PageOf<()>) -> Answer<Page<SyncBody>> {
    let before = page.after().and_then(|position| {
        let (at, id) = position.split_once(' ')?;
        let at = DateTime::parse_from_rfc3339(at).ok()?.to_utc();
        Some((at, CatalogueSyncId(Uuid::try_parse(id).ok()?)))
    });
    let mut tx = call.read().await?;
    let rows = tx.catalogue_syncs(before, page.rows()).await?;
    Ok(page.of(
        rows,
        |row| format!("{} {}", row.started_at.to_rfc3339(), row.id),
        SyncBody::from,
    ))
}
