//! What several resources take and answer with. Nothing here knows a resource.

pub(super) mod change;
pub(super) mod document;
pub(super) mod explanation;
pub(super) mod prompt;
pub(super) mod release;
pub(super) mod sync;
pub(super) mod undecided;
pub(super) mod usage;
pub(super) mod uses;
pub(super) mod version;
