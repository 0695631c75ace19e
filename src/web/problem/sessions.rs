//! Why a user got no token, or was not admitted, as a problem.

use chrono::{DateTime, SecondsFormat, Utc};

use super::{Problem, SEE_ERRORS, of_anam};
use crate::anam::AnamError;
use crate::authoring::test_call::TestCallError;
use crate::domain::places::Whose;
use crate::domain::quota::{Measure, Reached, Scope};
use crate::places::Full;
use crate::sessions::mint::MintError;
use crate::tenants::user_admission::AdmissionError;
use crate::web::codes::Code;

impl From<MintError> for Problem {
    fn from(error: MintError) -> Self {
        match error {
            MintError::Auth(error) => error.into(),
            MintError::OriginNotAllowed => Self::new(Code::OriginNotAllowed)
                .detail("This page's origin is not in the tenant's allowedOrigins; an admin can add it to the policy."),
            MintError::Unread(fault) => fault.into(),
            MintError::Json(fault) => fault.into(),
            MintError::NoKey(no_key) => no_key.into(),
            MintError::KeyReused(reused) => reused.into(),
            MintError::Body(faults) => Self::new(Code::InvalidRequest).detail(SEE_ERRORS).errors(faults),
            MintError::TooMany(too_many) => too_many.into(),
            MintError::Quota(reached, now) => used_up(reached, now),
            MintError::Full(full) => Self::new(Code::PlacesTaken).detail(whose(full)).place(full),
            MintError::Source(error) => error.into(),
            MintError::Undecided(undecided) => undecided.into(),
            MintError::Ledger(error) => error.into(),
            MintError::Paused { retry_after } => of_anam(&AnamError::Paused { retry_after }),
            MintError::Anam { session, error } => of_anam(&error).session(session),
        }
    }
}

impl From<TestCallError> for Problem {
    fn from(error: TestCallError) -> Self {
        match error {
            TestCallError::Refused(refusal) => refusal.into(),
            TestCallError::Mint(error) => error.into(),
        }
    }
}

impl From<AdmissionError> for Problem {
    fn from(error: AdmissionError) -> Self {
        match error {
            AdmissionError::Auth(error) => error.into(),
            AdmissionError::TooMany(too_many) => too_many.into(),
            AdmissionError::Source(error) => error.into(),
            AdmissionError::OriginNotAllowed => MintError::OriginNotAllowed.into(),
        }
    }
}

/// Who must end a conversation first.
fn whose(full: Full) -> &'static str {
    match full.wait.whose {
        Whose::User => {
            "You have as many conversations as a user may have at the same time: end one first."
        }
        Whose::Tenant => {
            "Others have all conversations that may be had here at the same time. Ask again when `Retry-After` says, and your turn is kept."
        }
        Whose::Key => {
            "All places for conversations are taken. Ask again when `Retry-After` says, and your turn is kept."
        }
    }
}

/// The problem of a quota that is used up.
fn used_up(Reached(left): Reached, now: DateTime<Utc>) -> Problem {
    let (unit, period) = match left.measure {
        Measure::SessionsPerDay => ("sessions", "day"),
        Measure::SessionsPerMonth => ("sessions", "month"),
        Measure::MinutesPerDay => ("minutes", "day"),
        Measure::MinutesPerMonth => ("minutes", "month"),
    };
    let what = match (left.scope, left.left) {
        (Scope::Tenant, _) => {
            format!("The {unit} that all users together may have in a {period} are used up")
        }
        (Scope::User, 0) => format!(
            "The {} {unit} that a user may have in a {period} are used up",
            left.most
        ),
        (Scope::User, some) => format!(
            "Of the {} {unit} that a user may have in a {period}, {some} are left, fewer than a session may last",
            left.most
        ),
    };
    let until = left.resets_at.to_rfc3339_opts(SecondsFormat::Secs, true);
    let wait = (left.resets_at - now).to_std().unwrap_or_default();
    Problem::new(Code::QuotaReached)
        .detail(format!("{what}; the next {period} begins at {until}."))
        .retry_after(wait)
        .quota(left, now)
}
