//! The labels of metrics: fixed words.

use prometheus_client::encoding::EncodeLabelSet;

/// Where the time of a mint goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The caller's token was verified.
    Auth,
    /// Sources were read and the persona was decided.
    Decide,
    /// Anam answered, retry included.
    Anam,
    /// From request to answer.
    Total,
}

impl Stage {
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::Decide => "decide",
            Self::Anam => "anam",
            Self::Total => "total",
        }
    }
}

/// A limit that refused a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Requests of one tenant in a minute.
    Tenant,
    /// Requests of one user in a minute.
    User,
    /// Requests from one address in a minute.
    Address,
    /// Try-outs of one tenant's admins, which reach out to others.
    TryOut,
    /// Test calls of one person who administers.
    TestCall,
    /// Requests of one tenant at the same time.
    TenantInFlight,
    /// Requests at the same time.
    InFlight,
    /// Requests in progress, for which others wait.
    Turn,
    /// Requests to the admin API in a minute.
    Admin,
    /// Requests to the admin API at the same time.
    AdminInFlight,
    /// Opaque tokens from one address that were refused.
    Introspection,
    /// Work that takes the processor for long, at the same time.
    Work,
    /// Tries to sign in to one account.
    SignInAccount,
    /// Tries to sign in from one address or network.
    SignInAddress,
    /// Tries to sign in that wait for their turn.
    SignInWaiting,
    /// Ways through one tenant's identity provider.
    SignInSso,
}

impl Limit {
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Tenant => "tenant",
            Self::User => "user",
            Self::Address => "address",
            Self::TryOut => "try_out",
            Self::TestCall => "test_call",
            Self::TenantInFlight => "tenant_in_flight",
            Self::InFlight => "in_flight",
            Self::Turn => "turn",
            Self::Admin => "admin",
            Self::AdminInFlight => "admin_in_flight",
            Self::Introspection => "introspection",
            Self::Work => "work",
            Self::SignInAccount => "sign_in_account",
            Self::SignInAddress => "sign_in_address",
            Self::SignInWaiting => "sign_in_waiting",
            Self::SignInSso => "sign_in_sso",
        }
    }
}

/// What named an origin that was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OriginCheck {
    /// A browser, before the request itself.
    Preflight,
    /// A request with a good token.
    Request,
}

impl OriginCheck {
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Preflight => "preflight",
            Self::Request => "request",
        }
    }
}

/// What became of something that can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Ok,
    Failed,
}

impl Outcome {
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "failed",
        }
    }
}

/// Who serves a request: the gateway's interfaces, each for other people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Interface {
    User,
    Admin,
    Operator,
    Console,
    /// The description, its page, and what no route matches.
    Other,
}

impl Interface {
    /// By the route that matched.
    pub(super) fn of(route: &str) -> Self {
        let starts = |prefix: &str| route.starts_with(prefix);
        match route {
            _ if starts("/v1/admin/") => Self::Admin,
            _ if starts("/v1/operator/") => Self::Operator,
            _ if starts("/console") => Self::Console,
            _ if starts("/v1/") || starts("/api/") => Self::User,
            _ => Self::Other,
        }
    }

    pub(super) fn label(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Admin => "admin",
            Self::Operator => "operator",
            Self::Console => "console",
            Self::Other => "other",
        }
    }
}

/// What the gateway does again and again, and must not stop doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// Changes of what is live arrive: the connection that listens was checked.
    Refresh,
    /// Sessions without an outcome were looked for.
    Sweep,
    /// What has ended was deleted.
    Expiry,
    /// The ledger's months were counted.
    LedgerMonths,
    /// Catalogues that are due were read from Anam.
    Catalogues,
    /// Audit trails that are due got their checkpoints.
    Checkpoints,
}

impl Task {
    pub(super) const ALL: [Self; 6] = [
        Self::Refresh,
        Self::Sweep,
        Self::Expiry,
        Self::LedgerMonths,
        Self::Catalogues,
        Self::Checkpoints,
    ];

    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Refresh => "refresh",
            Self::Sweep => "sweep",
            Self::Expiry => "expiry",
            Self::LedgerMonths => "ledger_months",
            Self::Catalogues => "catalogues",
            Self::Checkpoints => "checkpoints",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct RouteAndClass {
    pub(super) route: String,
    pub(super) class: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ByOutcome {
    pub(super) outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ByAsked {
    pub(super) asked: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ByFound {
    pub(super) found: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ByStage {
    pub(super) stage: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ByReason {
    pub(super) reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ByResult {
    pub(super) result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ByLimit {
    pub(super) limit: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ByState {
    pub(super) state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ByInterface {
    pub(super) interface: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ByTask {
    pub(super) task: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ByPool {
    pub(super) pool: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ByPoolAndState {
    pub(super) pool: &'static str,
    pub(super) state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ByTenantAndOutcome {
    /// A tenant's id, or `other`: see [`super::tenants`].
    pub(super) tenant: String,
    pub(super) outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ByTenantAndQuota {
    pub(super) tenant: String,
    /// Its name in the policy.
    pub(super) quota: &'static str,
}
