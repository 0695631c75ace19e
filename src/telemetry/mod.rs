//! What the program tells its operators: log lines, metrics and traces.

pub mod crowd;
pub mod logging;
pub mod metrics;
pub mod traces;

use std::cell::Cell;
use std::fmt::Display;
use std::time::Duration;

use self::traces::RequestTrace;
use tokio::task::futures::TaskLocalFuture;
use tracing::{Span, field::display};

tokio::task_local! {
    /// Whether the lines of the request that is being answered name a tenant.
    static IS_NOTED: Cell<bool>;
}

/// A duration as log lines give it: whole milliseconds, a number. (`Duration::as_millis` is 128 bits wide, which is written
/// as a text.)
pub fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Adds the tenant to every further line of the request that is being answered: once, however many calls a page makes inside, since lines of text
/// would name it again each time.
pub fn note_tenant(tenant: impl Display) {
    let is_noted = IS_NOTED.try_with(|noted| noted.replace(true));
    if !is_noted.unwrap_or(false) {
        RequestTrace::current().set("tenant.id", tenant.to_string());
        Span::current().record("tenant.id", display(tenant));
    }
}

/// Whether the request that is being answered is a tenant's, as far as is known yet.
pub fn has_tenant() -> bool {
    IS_NOTED.try_with(Cell::get).unwrap_or(false)
}

/// Answers a request, of which the lines name a tenant once.
pub fn of_one_tenant<F: Future>(answer: F) -> TaskLocalFuture<Cell<bool>, F> {
    IS_NOTED.scope(Cell::new(false), answer)
}
