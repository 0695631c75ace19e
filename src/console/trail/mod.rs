//! The audit trail of a tenant, and the platform's own for operators.

pub mod list;
pub mod proof;
mod words;

/// Whose trail it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trail {
    Tenant,
    Platform,
}

impl Trail {
    /// Its path in the API.
    pub fn api(self) -> &'static str {
        match self {
            Self::Tenant => "/v1/admin/audit",
            Self::Platform => "/v1/operator/audit",
        }
    }

    /// Its page.
    pub fn page(self) -> &'static str {
        match self {
            Self::Tenant => "/console/audit",
            Self::Platform => "/console/operator/audit",
        }
    }

    /// The name of its title.
    pub fn title(self) -> &'static str {
        match self {
            Self::Tenant => "audit",
            Self::Platform => "operator-audit",
        }
    }
}
