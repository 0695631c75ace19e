//! The table `review`.

use chrono::{DateTime, Utc};

use super::StoreError;
use super::tenant_tx::TenantTx;
use crate::domain::ids::{DocumentId, ReviewId, VersionId};

/// A review of a version.
#[derive(Debug, Clone)]
pub struct ReviewRow {
    pub id: ReviewId,
    pub reviewer: String,
    pub approves: bool,
    pub comment: String,
    pub created_at: DateTime<Utc>,
}

impl TenantTx {
    /// The reviews of a version, oldest first.
    pub async fn reviews(
        &mut self,
        document: DocumentId,
        version: VersionId,
    ) -> Result<Vec<ReviewRow>, StoreError> {
        let tenant = self.tenant().0;
        let rows = sqlx::query!(
            r#"select id, reviewer, verdict = 'approve' as "approves!", comment, created_at from review
               where tenant_id = $1 and document_id = $2 and version_id = $3 order by created_at, id"#,
            tenant,
            document.0,
            version.0
        )
        .fetch_all(self.connection())
        .await?;
        let reviews = rows.into_iter().map(|row| ReviewRow {
            id: ReviewId(row.id),
            reviewer: row.reviewer,
            approves: row.approves,
            comment: row.comment,
            created_at: row.created_at,
        });
        Ok(reviews.collect())
    }

    /// Adds a review.
    pub async fn insert_review(
        &mut self,
        document: DocumentId,
        version: VersionId,
        review: &ReviewRow,
    ) -> Result<(), StoreError> {
        let tenant = self.tenant().0;
        let verdict = if review.approves { "approve" } else { "reject" };
        sqlx::query!(
            "insert into review (tenant_id, id, document_id, version_id, reviewer, verdict, comment, created_at)
             values ($1, $2, $3, $4, $5, $6, $7, $8)",
            tenant,
            review.id.0,
            document.0,
            version.0,
            review.reviewer,
            verdict,
            review.comment,
            review.created_at
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }
}
