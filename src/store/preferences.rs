//! The table `preference`.

use serde_json::{Map, Value};
use sqlx::types::Json;

use super::StoreError;
use super::tenant_tx::TenantTx;
use crate::domain::caller::Subject;
use crate::domain::preferences::Preferences;

/// A user's choices and the version of their row; version 0 where there is none.
#[derive(Debug, Clone, Default)]
pub struct StoredPreferences {
    /// The choices.
    pub preferences: Preferences,
    /// Incremented by each write.
    pub version: i64,
}

impl TenantTx {
    pub async fn preferences(
        &mut self,
        subject: &Subject,
    ) -> Result<StoredPreferences, StoreError> {
        let tenant = self.tenant().0;
        let row = sqlx::query!(
            r#"select choices as "choices: Json<Map<String, Value>>", version from preference where tenant_id = $1 and subject = $2"#,
            tenant,
            subject.as_str()
        )
        .fetch_optional(self.connection())
        .await?;
        Ok(
            row.map_or_else(StoredPreferences::default, |row| StoredPreferences {
                preferences: Preferences::from_stored(row.choices.0),
                version: row.version,
            }),
        )
    }

    /// Like [`TenantTx::preferences`], and nobody else writes the row until this transaction ends.
    pub async fn lock_preferences(
        &mut self,
        subject: &Subject,
    ) -> Result<StoredPreferences, StoreError> {
        let tenant = self.tenant().0;
        // A row that does not exist can't be locked, so the user is.
        sqlx::query!(
            "select pg_advisory_xact_lock(hashtextextended('preference ' || $1::uuid || $2, 0))",
            tenant,
            subject.as_str()
        )
        .execute(self.connection())
        .await?;
        // The row too, where there is one: an import asks for no lock of its own.
        sqlx::query!(
            "select version from preference where tenant_id = $1 and subject = $2 for update",
            tenant,
            subject.as_str()
        )
        .fetch_optional(self.connection())
        .await?;
        self.preferences(subject).await
    }

    /// Writes a user's choices; gives the new version.
    pub async fn put_preferences(
        &mut self,
        subject: &Subject,
        preferences: &Preferences,
    ) -> Result<i64, StoreError> {
        let tenant = self.tenant().0;
        let version = sqlx::query_scalar!(
            "insert into preference as p (tenant_id, subject, choices) values ($1, $2, $3)
             on conflict (tenant_id, subject) do update
             set choices = excluded.choices, version = p.version + 1, updated_at = now()
             returning version",
            tenant,
            subject.as_str(),
            Json(preferences.to_document()) as _
        )
        .fetch_one(self.connection())
        .await?;
        Ok(version)
    }

    /// Writes many users' choices in one statement; for imports. The last of several for one user counts. Gives for how
    /// many users they are new.
    pub async fn put_many_preferences(
        &mut self,
        rows: &[(Subject, Preferences)],
    ) -> Result<u64, StoreError> {
        let tenant = self.tenant().0;
        let subjects: Vec<String> = rows
            .iter()
            .map(|(subject, _)| subject.as_str().to_owned())
            .collect();
        let choices: Vec<Value> = rows
            .iter()
            .map(|(_, preferences)| Value::Object(preferences.to_document()))
            .collect();
        let done = sqlx::query!(
            "insert into preference as p (tenant_id, subject, choices)
             select distinct on (r.subject) $1, r.subject, r.choices
             from unnest($2::text[], $3::jsonb[]) with ordinality as r (subject, choices, position)
             order by r.subject, r.position desc
             on conflict (tenant_id, subject) do update
             set choices = excluded.choices, version = p.version + 1, updated_at = now()
             where p.choices <> excluded.choices",
            tenant,
            &subjects,
            &choices
        )
        .execute(self.connection())
        .await?;
        Ok(done.rows_affected())
    }

    /// How many users chose each of these values for a field; values that nobody chose are left out.
    pub async fn users_who_chose(
        &mut self,
        field: &str,
        values: &[String],
    ) -> Result<Vec<(String, i64)>, StoreError> {
        let tenant = self.tenant().0;
        let rows = sqlx::query!(
            r#"select choices ->> $2::text as "value!", count(*) as "users!" from preference
               where tenant_id = $1 and choices ->> $2::text = any($3) group by 1"#,
            tenant,
            field,
            values
        )
        .fetch_all(self.connection())
        .await?;
        Ok(rows.into_iter().map(|row| (row.value, row.users)).collect())
    }

    /// Forgets a user's choices.
    pub async fn delete_preferences(&mut self, subject: &Subject) -> Result<(), StoreError> {
        let tenant = self.tenant().0;
        sqlx::query!(
            "delete from preference where tenant_id = $1 and subject = $2",
            tenant,
            subject.as_str()
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }
}
