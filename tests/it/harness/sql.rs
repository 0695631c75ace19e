//! SQL typed by hand, as an attacker or an operator would: for arranging and for looking. What the service itself runs
//! is checked by the compiler; here names of tables come out of the catalogue, which no compiler can know.

use serde_json::Value;
use sqlx::{AssertSqlSafe, Executor, PgConnection, Row};

use super::postgres::with_roles;

/// Runs statements; gives how many rows they touched.
pub(crate) async fn run(
    connection: &mut PgConnection,
    sql: impl Into<String>,
) -> Result<u64, sqlx::Error> {
    let done = connection
        .execute(sqlx::raw_sql(AssertSqlSafe(with_roles(&sql.into()))))
        .await?;
    Ok(done.rows_affected())
}

/// The rows of a query, each as a JSON object.
pub(crate) async fn rows(
    connection: &mut PgConnection,
    query: &str,
) -> Result<Vec<Value>, sqlx::Error> {
    let sql = format!(
        "select coalesce(jsonb_agg(to_jsonb(q)), '[]')::text from (select * from ({query}) p) q"
    );
    let row = connection
        .fetch_one(sqlx::raw_sql(AssertSqlSafe(with_roles(&sql))))
        .await?;
    let text: String = row.try_get(0)?;
    Ok(serde_json::from_str(&text).unwrap())
}

/// The first column of a query, as texts.
pub(crate) async fn texts(connection: &mut PgConnection, query: &str) -> Vec<String> {
    rows(connection, query)
        .await
        .unwrap()
        .into_iter()
        .map(
            |row| match row.as_object().unwrap().values().next().unwrap() {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            },
        )
        .collect()
}

/// The one number that a query gives.
pub(crate) async fn number(connection: &mut PgConnection, query: &str) -> Result<i64, sqlx::Error> {
    let rows = rows(connection, query).await?;
    let row = rows[0].as_object().unwrap();
    Ok(row.values().next().unwrap().as_i64().unwrap())
}

/// The SQLSTATE and the message of a refusal.
pub(crate) fn refusal<T: std::fmt::Debug>(outcome: Result<T, sqlx::Error>) -> (String, String) {
    let error = outcome.expect_err("Postgres refuses this");
    let error = error.as_database_error().expect("Postgres said so");
    (
        error.code().unwrap_or_default().into_owned(),
        error.message().to_owned(),
    )
}

/// Begins a transaction with a role, and a tenant where one is given.
pub(crate) async fn begin_as(connection: &mut PgConnection, role: &str, tenant: Option<&str>) {
    let tenant = tenant.map_or_else(String::new, |id| format!("; set local app.tenant = '{id}'"));
    run(connection, format!("begin; set local role {role}{tenant}"))
        .await
        .unwrap();
}

/// Runs one statement as a role and a tenant, and takes it back.
pub(crate) async fn attempt(
    connection: &mut PgConnection,
    role: &str,
    tenant: Option<&str>,
    sql: impl Into<String>,
) -> Result<u64, sqlx::Error> {
    begin_as(connection, role, tenant).await;
    let outcome = run(connection, sql).await;
    run(connection, "rollback").await.unwrap();
    outcome
}
