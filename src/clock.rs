//! The one place that reads the wall clock and makes ids.

use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use uuid::{NoContext, Timestamp, Uuid};

/// Wall time and time-ordered ids. Tests move it by hand.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    manual: Option<Arc<Mutex<DateTime<Utc>>>>,
    ahead: TimeDelta,
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self::default()
    }

    /// The clock of a machine that is ahead of this one; behind it where `by` is negative.
    pub fn ahead(by: TimeDelta) -> Self {
        Self {
            ahead: by,
            ..Self::default()
        }
    }

    /// A clock that stands still until [`Clock::advance`].
    pub fn manual(start: DateTime<Utc>) -> Self {
        Self {
            manual: Some(Arc::new(Mutex::new(start))),
            ..Self::default()
        }
    }

    #[expect(clippy::disallowed_methods, reason = "this is the one place")]
    pub fn now(&self) -> DateTime<Utc> {
        match &self.manual {
            Some(hand) => *hand.lock().unwrap_or_else(PoisonError::into_inner),
            None => Utc::now() + self.ahead,
        }
    }

    /// Moves a manual clock; the machine's clock stays as it is.
    pub fn advance(&self, by: TimeDelta) {
        if let Some(hand) = &self.manual {
            let mut now = hand.lock().unwrap_or_else(PoisonError::into_inner);
            *now += by;
        }
    }

    /// A new `UUIDv7` (RFC 9562): its first 48 bits are this clock's milliseconds.
    pub fn new_id(&self) -> Uuid {
        let now = self.now();
        let seconds = u64::try_from(now.timestamp()).unwrap_or_default();
        Uuid::new_v7(Timestamp::from_unix(
            NoContext,
            seconds,
            now.timestamp_subsec_nanos(),
        ))
    }
}
