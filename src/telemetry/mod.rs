//! What the program tells its operators: log lines and metrics.

pub mod logging;
pub mod metrics;

use std::fmt::Display;
use std::time::Duration;

use tracing::{Span, field::display};

/// A duration as log lines give it: whole milliseconds, a number. (`Duration::as_millis` is 128 bits wide, which is written
/// as a text.)
pub fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Adds the tenant to every further line of the request that is being answered.
pub fn note_tenant(tenant: impl Display) {
    Span::current().record("tenant.id", display(tenant));
}
