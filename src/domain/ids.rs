//! Identifiers. Each kind of thing has its own type, so that no id can stand in for another.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! id {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }
    )+};
}

id! {
    /// A customer of the gateway; everything but the installation itself belongs to one.
    TenantId,
    /// One issuer of a tenant's user JWTs.
    IssuerId,
    /// One sealed Anam API key.
    ProviderKeyId,
    /// A persona, context or snippet through all its versions.
    DocumentId,
    /// One sealed version of a document.
    VersionId,
    /// One release: a version that went live at a moment.
    ReleaseId,
    /// One minted (or attempted) token; it is Anam's `clientLabel` too.
    SessionId,
    /// One HTTP request; the `X-Request-Id` of its answer.
    RequestId,
    /// An admin API key.
    ApiKeyId,
    /// One reading of Anam's lists for a tenant.
    CatalogueSyncId,
    /// An invitation of a person.
    InvitationId,
    /// A draft of a document.
    DraftId,
    /// One review of a sealed version.
    ReviewId,
    /// A person who administers tenants.
    AdminId,
}

impl SessionId {
    /// The time in it, to the millisecond: that of its rows in the ledger. `None` for an id that the gateway did not make.
    pub fn at(self) -> Option<DateTime<Utc>> {
        let (seconds, nanos) = self.0.get_timestamp()?.to_unix();
        DateTime::from_timestamp(i64::try_from(seconds).ok()?, nanos)
    }
}

/// UUID-shaped, whatever the version: Anam's ids are not all version 4.
pub fn is_uuid_shaped(id: &str) -> bool {
    id.len() == 36
        && id.char_indices().all(|(at, c)| match at {
            8 | 13 | 18 | 23 => c == '-',
            _ => c.is_ascii_hexdigit(),
        })
}
