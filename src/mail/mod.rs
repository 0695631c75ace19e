//! Mail to people who administer. A letter is put into a queue, from which it is delivered in the background: no request waits for a
//! mail server, and none fails because of one.

mod letter;
mod postman;
mod smtp;

use std::num::NonZeroU32;
use std::sync::Arc;

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use tokio::sync::mpsc;

pub use self::letter::{InvitationLetter, Letter, Words};
pub use self::postman::Postman;
pub use self::smtp::SetUpError;
use crate::clock::Clock;
use crate::config::MailSettings;
use crate::domain::ids::TenantId;
use crate::store::Database;
use crate::telemetry::metrics::Metrics;

/// Letters that wait to be looked at. Beyond, letters are refused.
const QUEUE: usize = 256;
/// Letters that one tenant's admins cause: so many at once, then one in half a minute. Nobody's mail server should be known for
/// what somebody made it send.
const OF_TENANT: (u32, u32) = (2, 50);

/// What sends mail. Clones share the queue.
#[derive(Debug, Clone)]
pub struct Mail {
    queue: mpsc::Sender<Letter>,
    links_to: Arc<str>,
    tenants: Arc<DefaultKeyedRateLimiter<TenantId>>,
    metrics: Metrics,
}

/// Why a letter was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    #[error("too many letters of this tenant were sent within minutes")]
    TooMany,
    #[error("too many letters wait to be delivered")]
    Full,
}

impl Mail {
    /// What sends mail by these settings, and the task that delivers it.
    pub fn set_up(
        settings: &MailSettings,
        database: Database,
        metrics: Metrics,
        clock: Clock,
    ) -> Result<(Self, Postman), SetUpError> {
        let (queue, letters) = mpsc::channel(QUEUE);
        let per_minute = |(rate, burst): (u32, u32)| {
            let at_least_one = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
            Quota::per_minute(at_least_one(rate)).allow_burst(at_least_one(burst))
        };
        let mail = Self {
            queue,
            links_to: settings.links_to.as_str().into(),
            tenants: Arc::new(RateLimiter::keyed(per_minute(OF_TENANT))),
            metrics: metrics.clone(),
        };
        let smtp = smtp::Smtp::set_up(settings)?;
        Ok((mail, Postman::new(letters, smtp, database, metrics, clock)))
    }

    /// Where links in letters lead: scheme, host and port.
    pub fn links_to(&self) -> &str {
        &self.links_to
    }

    /// Counts a letter that this tenant's admins cause.
    pub fn admit(&self, tenant: TenantId) -> Result<(), NotTaken> {
        let admitted = self.tenants.check_key(&tenant);
        admitted.map_err(|_until| {
            self.metrics.mail("too_many");
            NotTaken::TooMany
        })
    }

    /// Has a letter delivered, if the queue has room.
    pub fn send(&self, letter: Letter) -> Result<(), NotTaken> {
        self.queue.try_send(letter).map_err(|_full| {
            self.metrics.mail("queue_full");
            tracing::warn!("a letter was not sent: too many wait");
            NotTaken::Full
        })
    }

    /// Drops counters that are idle.
    pub fn forget_idle(&self) {
        self.tenants.retain_recent();
        self.tenants.shrink_to_fit();
    }
}
