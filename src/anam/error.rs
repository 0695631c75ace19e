//! What can go wrong at Anam, in the classes that callers must tell apart.

use std::time::Duration;

use super::reason::Reason;

/// A failed call. Never carries Anam's own text: it may repeat our key or the prompt.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnamError {
    /// 400: Anam refused the persona configuration.
    #[error("Anam refused the persona configuration")]
    ConfigRejected,
    /// 400 `invalid_persona_configuration` or 404: a persona, avatar or voice is unknown there.
    #[error("Anam does not know the persona")]
    PersonaNotFound { status: u16 },
    /// 401: the key is wrong.
    #[error("Anam refused the API key")]
    KeyRefused,
    /// 403: the key or plan lacks a permission.
    #[error("Anam's key lacks a permission")]
    Forbidden,
    /// 402: no plan.
    #[error("Anam's account has no plan")]
    NoPlan,
    /// 429 `Concurrent session limit reached`.
    #[error("all of Anam's concurrent sessions are taken")]
    ConcurrencyReached {
        /// Anam's message, if it gave one.
        retry_after: Option<Duration>,
    },
    /// 429 `Spend cap reached`.
    #[error("Anam's spend cap is reached")]
    SpendCapReached,
    /// Any other 429.
    #[error("Anam limits the rate")]
    RateLimited {
        /// Anam's message, if it gave one.
        retry_after: Option<Duration>,
    },
    /// 503.
    #[error("Anam is busy")]
    Busy {
        /// Anam's message, if it gave one.
        retry_after: Option<Duration>,
    },
    /// Any other status, or an answer that is not what the API documents.
    #[error("Anam answered with status {status}, which makes no sense here")]
    Unexpected {
        /// Its HTTP status.
        status: u16,
    },
    /// 200, but no token that its SDK would take.
    #[error("Anam's answer holds no usable session token: {0}")]
    BadToken(&'static str),
    /// No connection, or it broke.
    #[error("Anam can't be reached")]
    Unreachable,
    /// No answer in time.
    #[error("Anam did not answer in time")]
    TimedOut,
    /// Not asked, since it failed too often: see [`super::breaker`].
    #[error("Anam failed too often of late, so it was not asked")]
    Paused {
        /// When it may be asked again.
        retry_after: Duration,
    },
}

/// A mint that gave no token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{error}")]
pub struct MintRefused {
    /// The class.
    pub error: AnamError,
    /// Anam's reason, redacted, for the log.
    pub reason: Option<Reason>,
}

impl From<AnamError> for MintRefused {
    fn from(error: AnamError) -> Self {
        Self {
            error,
            reason: None,
        }
    }
}

impl AnamError {
    /// The HTTP status that Anam answered with; `None` where it did not answer.
    pub fn upstream_status(&self) -> Option<u16> {
        Some(match self {
            Self::ConfigRejected => 400,
            Self::KeyRefused => 401,
            Self::Forbidden => 403,
            Self::NoPlan => 402,
            Self::ConcurrencyReached { .. } | Self::SpendCapReached | Self::RateLimited { .. } => {
                429
            }
            Self::Busy { .. } => 503,
            Self::PersonaNotFound { status } | Self::Unexpected { status } => *status,
            Self::BadToken(_) => 200,
            Self::Unreachable | Self::TimedOut | Self::Paused { .. } => return None,
        })
    }

    /// Its stable code, in the ledger, in metrics and in answers alike.
    pub fn code(&self) -> &'static str {
        match self {
            Self::ConfigRejected => "persona_config_rejected",
            Self::PersonaNotFound { .. } => "persona_not_found",
            Self::KeyRefused => "upstream_auth",
            Self::Forbidden => "upstream_forbidden",
            Self::NoPlan => "upstream_plan",
            Self::ConcurrencyReached { .. } => "upstream_concurrency",
            Self::SpendCapReached => "upstream_spend_cap",
            Self::RateLimited { .. } => "upstream_rate_limited",
            Self::Busy { .. } => "upstream_busy",
            Self::Unexpected { .. } => "upstream_error",
            Self::BadToken(_) => "upstream_bad_token",
            Self::Unreachable => "upstream_unreachable",
            Self::TimedOut => "upstream_timeout",
            Self::Paused { .. } => "upstream_paused",
        }
    }

    /// Whether the same request may go through at once. A mint takes no slot and costs nothing, so asking twice does no
    /// harm; a refusal would only be repeated.
    pub fn is_worth_a_retry(&self) -> bool {
        match self {
            Self::Unreachable | Self::Busy { .. } => true,
            Self::Unexpected { status } => *status >= 500,
            _ => false,
        }
    }

    /// Whether it is Anam that fails, and not the request that is wrong.
    pub(super) fn is_a_failure_of_anam(&self) -> bool {
        matches!(self, Self::TimedOut) || self.is_worth_a_retry()
    }

    /// The class of an answer that is not 200.
    pub(super) fn of_answer(
        status: u16,
        error: Option<&str>,
        retry_after: Option<Duration>,
    ) -> Self {
        match (status, error) {
            (400, Some("invalid_persona_configuration")) | (404, _) => {
                Self::PersonaNotFound { status }
            }
            (400, _) => Self::ConfigRejected,
            (401, _) => Self::KeyRefused,
            (402, _) => Self::NoPlan,
            (403, _) => Self::Forbidden,
            (429, Some("Concurrent session limit reached")) => {
                Self::ConcurrencyReached { retry_after }
            }
            (429, Some("Spend cap reached")) => Self::SpendCapReached,
            (429, _) => Self::RateLimited { retry_after },
            (503, _) => Self::Busy { retry_after },
            _ => Self::Unexpected { status },
        }
    }
}
