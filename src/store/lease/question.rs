//! A statement with its arguments, kept so that it can be repeated.

use sqlx::postgres::{PgArguments, PgStatement};
use sqlx::{Execute, Postgres, SqlStr};

/// A statement and its arguments.
#[derive(Clone)]
pub(super) struct Question {
    sql: SqlStr,
    /// None where the text is sent as it is, without a prepared statement.
    arguments: Option<PgArguments>,
    is_remembered: bool,
}

/// Words that make a `select` more than reading: locks, and settings of the transaction.
const MORE_THAN_READING: [&str; 5] = [
    "for update",
    "for no key",
    "for share",
    "set_config",
    "advisory",
];

impl Question {
    pub(super) fn new<'q>(mut query: impl Execute<'q, Postgres>) -> Result<Self, sqlx::Error> {
        let arguments = query.take_arguments().map_err(sqlx::Error::Encode)?;
        Ok(Self {
            is_remembered: query.persistent(),
            sql: query.sql(),
            arguments,
        })
    }

    /// Whether the connection is to remember the statement, if the query allows it.
    pub(super) fn remembered(mut self, may: bool) -> Self {
        self.is_remembered &= may;
        self
    }

    /// Whether a transaction that has done this, and nothing else, can be replaced by another. Doubts count as no.
    pub(super) fn only_reads(&self) -> bool {
        let text = self.sql.as_str().trim_start();
        let is_select = text
            .get(..6)
            .is_some_and(|word| word.eq_ignore_ascii_case("select"));
        if self.arguments.is_none() || !is_select {
            return false;
        }
        let text = text.to_ascii_lowercase();
        !MORE_THAN_READING.iter().any(|word| text.contains(word))
    }
}

impl Execute<'_, Postgres> for Question {
    fn sql(self) -> SqlStr {
        self.sql
    }

    fn statement(&self) -> Option<&PgStatement> {
        None
    }

    fn take_arguments(&mut self) -> Result<Option<PgArguments>, sqlx::error::BoxDynError> {
        Ok(self.arguments.take())
    }

    fn persistent(&self) -> bool {
        self.is_remembered
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(
        clippy::disallowed_methods,
        reason = "nothing is asked of a database here"
    )]
    fn only_reads(sql: &'static str) -> bool {
        Question::new(sqlx::query(sql)).unwrap().only_reads()
    }

    #[test]
    fn a_transaction_that_holds_something_is_not_replaced() {
        assert!(only_reads("select id from document where key = $1"));
        assert!(only_reads("\n  SELECT 1"));
        for sql in [
            "select 1 from tenant for update",
            "select 1 from tenant FOR NO KEY UPDATE",
            "select set_config('role', 'x', true)",
            "select pg_advisory_xact_lock(1)",
            "with gone as (delete from draft returning id) select id from gone",
            "insert into draft select 1",
            "update draft set title = ''",
        ] {
            assert!(!only_reads(sql), "{sql}");
        }
        assert!(
            !Question::new(sqlx::raw_sql("select 1"))
                .unwrap()
                .only_reads()
        );
    }
}
