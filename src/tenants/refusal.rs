//! Stand-in.
use crate::domain::fault::Fault;
use crate::store::StoreError;

#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    #[error("not found")]
    NotFound,
    #[error("invalid")]
    Invalid(Vec<Fault>),
    #[error("{0}")]
    Exists(String),
    #[error("{0}")]
    Forbidden(String),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<crate::crypto::token::NoRandomness> for Refusal {
    fn from(error: crate::crypto::token::NoRandomness) -> Self {
        Self::Store(StoreError::Unreadable(error.to_string()))
    }
}
