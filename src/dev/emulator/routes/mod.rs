//! What answers at an address.

pub(super) mod catalogue;
pub(super) mod faults;
mod query;
pub(super) mod requests;
pub(super) mod sessions;
