//! A server that says nothing.

use std::io;

/// The error for a server that does not answer in time.
pub(super) fn silence() -> sqlx::Error {
    sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, "no answer in time"))
}
