//! The months that the ledger must have partitions for.

use sqlx::PgConnection;

use crate::harness::sql;

/// From the month in which a test began: it may end in the next one.
pub(super) struct TwoYears {
    first_day: String,
}

impl TwoYears {
    pub(super) async fn from_now(owner: &mut PgConnection) -> Self {
        let month = "select date_trunc('month', now() at time zone 'UTC')::date::text";
        Self {
            first_day: sql::texts(owner, month).await.concat(),
        }
    }

    /// Those for which a table has no partition.
    pub(super) async fn missing(&self, table: &str, owner: &mut PgConnection) -> Vec<String> {
        let first = &self.first_day;
        let missing = format!(
            "select to_char(m, 'YYYY_MM') from generate_series(
                 date '{first}', date '{first}' + interval '24 months', interval '1 month') m
             where to_regclass('{table}_' || to_char(m, 'YYYY_MM')) is null"
        );
        sql::texts(owner, &missing).await
    }
}
