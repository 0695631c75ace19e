//! What operators allow a tenant: places of the platform's Anam key, and how much all its users may use.

use std::num::NonZeroU32;

use serde_json::json;

use super::operators::Operator;
use super::refusal::Refusal;
use crate::domain::fault::Fault;
use crate::domain::places::SetShare;
use crate::domain::quota::Quota;
use crate::domain::wrong::Wrong;

impl Operator<'_> {
    /// Says what a tenant has. `all` are the places of the key, where they are counted: no more can be guaranteed to all tenants together.
    pub async fn share_places(
        &self,
        slug: &str,
        share: SetShare,
        all: Option<NonZeroU32>,
    ) -> Result<(), Refusal> {
        if share.most.is_some_and(|most| most < share.guaranteed) {
            let fault = Fault::new(
                "/guaranteed",
                Wrong::AtMost("most".to_owned()).worded("must not be more than `most`"),
            );
            return Err(Refusal::Invalid(vec![fault]));
        }
        let tenant = self.find(slug).await?.ok_or(Refusal::NotFound)?;
        let mut tx = self.database.tenant(tenant).await?;
        if tx.place_share().await? == share {
            return Ok(());
        }
        let guaranteed = tx.put_place_share(share).await?;
        if let Some(all) = all
            && guaranteed > all.get()
        {
            let fault = Fault::new(
                "/guaranteed",
                Wrong::ManyPlaces {
                    guaranteed,
                    most: all.get(),
                },
            );
            return Err(Refusal::Invalid(vec![fault]));
        }
        let details = json!({ "guaranteed": share.guaranteed, "most": share.most });
        self.audit_both_trails(&mut tx, "tenant.places", &format!("tenant/{slug}"), details)
            .await?;
        Ok(tx.commit().await?)
    }

    /// Says what all users of a tenant may use at most, whatever its policy says.
    pub async fn set_quota(&self, slug: &str, quota: Quota) -> Result<(), Refusal> {
        let tenant = self.find(slug).await?.ok_or(Refusal::NotFound)?;
        let mut tx = self.database.tenant(tenant).await?;
        let row = tx.tenant_row().await?.ok_or(Refusal::NotFound)?;
        let document = quota.to_document();
        if row.quota == document {
            return Ok(());
        }
        tx.set_tenant_quota(&document).await?;
        let details = json!({ "before": row.quota, "after": document });
        self.audit_both_trails(&mut tx, "tenant.quota", &format!("tenant/{slug}"), details)
            .await?;
        Ok(tx.commit().await?)
    }
}
