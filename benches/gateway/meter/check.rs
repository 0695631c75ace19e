//! Whether the servers did what they said: each answer with a token has its row.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use sqlx::Executor as _;
use uuid::Uuid;

use super::database::{Database, copy, wait_for_count};

/// Outcomes are written behind the answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Each session that the gateway answered with is in its ledger, with the outcome that a token was issued.
pub(super) async fn ledger(
    database: &Database,
    name: &str,
    answers: usize,
    sessions: &[Uuid],
) -> anyhow::Result<()> {
    let distinct: BTreeSet<&Uuid> = sessions.iter().collect();
    anyhow::ensure!(
        distinct.len() == answers,
        "{answers} answers with a token have {} session ids",
        distinct.len()
    );
    let mut connection = database.connect(name).await?;
    // Whole tables are joined, which loops would take long for.
    connection
        .execute("set enable_nestloop = off; create temporary table answered (id uuid primary key)")
        .await?;
    let mut lines = String::new();
    for id in distinct {
        writeln!(lines, "{id}")?;
    }
    copy(&mut connection, "copy answered from stdin", lines).await?;
    let recorded = wait_for_count(
        &mut connection,
        "select count(*) from answered join session using (id) join session_outcome o on o.session_id = answered.id and o.outcome = 'issued'",
        answers,
        PATIENCE,
    );
    let recorded = recorded.await?;
    anyhow::ensure!(
        usize::try_from(recorded) == Ok(answers),
        "of {answers} tokens that were handed out, {recorded} are in the ledger with their outcome"
    );
    Ok(())
}

/// The Express server has a row for each token that it ever handed out.
pub(super) async fn express(database: &Database, name: &str, answers: usize) -> anyhow::Result<()> {
    let mut connection = database.connect(name).await?;
    let issued = "select count(*) from sessions where status = 'issued'";
    let recorded = wait_for_count(&mut connection, issued, answers, PATIENCE).await?;
    anyhow::ensure!(
        usize::try_from(recorded) == Ok(answers),
        "the Express server handed out {answers} tokens and has {recorded} rows"
    );
    Ok(())
}
