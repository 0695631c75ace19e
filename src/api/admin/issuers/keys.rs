//! What the gateway has of an issuer's keys.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::auth::{KeyHealth, KeyState};

/// The keys that are fetched for an issuer, as the instance that answers has them: each fetches its own.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = IssuerKeys)]
pub(super) struct KeysBody {
    /// What there is of them.
    state: KeysState,
    /// How many keys verify tokens.
    #[schema(example = 2)]
    usable: usize,
    /// When they were fetched; absent where none were.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    fetched_at: Option<DateTime<Utc>>,
    /// Why the last fetch failed; absent after a good one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(
        nullable = false,
        example = "the key address: no answer within 5 seconds"
    )]
    problem: Option<String>,
}

/// `good`; `failing`: the last fetch failed, and earlier keys serve for a while; `missing`: the last fetch failed, and tokens can't be
/// judged; `notFetched`: no token has asked for them, they are part of the configuration, or none of the issuer's tokens are taken.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = IssuerKeysState)]
enum KeysState {
    Good,
    Failing,
    Missing,
    NotFetched,
}

impl From<KeyState> for KeysState {
    fn from(state: KeyState) -> Self {
        match state {
            KeyState::Good => Self::Good,
            KeyState::Failing => Self::Failing,
            KeyState::Missing => Self::Missing,
            KeyState::NotFetched => Self::NotFetched,
        }
    }
}

impl KeysBody {
    /// The keys as they are at this moment.
    pub(super) fn new(health: Option<KeyHealth>, now: DateTime<Utc>) -> Self {
        let Some(health) = health else {
            return Self {
                state: KeysState::NotFetched,
                usable: 0,
                fetched_at: None,
                problem: None,
            };
        };
        let age = health.age.and_then(|age| TimeDelta::from_std(age).ok());
        let is_usable = matches!(health.state, KeyState::Good | KeyState::Failing);
        Self {
            state: health.state.into(),
            usable: if is_usable { health.keys } else { 0 },
            fetched_at: age.and_then(|age| now.checked_sub_signed(age)),
            problem: health.last_error.map(|error| error.to_string()),
        }
    }
}
