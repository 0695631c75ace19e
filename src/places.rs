//! Places of Anam's keys: a user takes one before Anam is asked for a token, or learns their turn.
//!
//! Anam gives a key's account few conversations at the same time, and counts them when they begin, not when a token is asked for. So a
//! place is kept for somebody who gets a token, and `sessions/conversations.rs` finds out whether the conversation began, and when it
//! ended. Nothing of this happens for keys whose places are not counted.

mod waits;

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use hashlink::LruCache;
use tokio::time::timeout;

use self::waits::{WaitingUser, Waits};
use crate::crypto::digest::SubjectDigest;
use crate::domain::caller::Caller;
use crate::domain::decide::Moment;
use crate::domain::ids::{SessionId, TenantId};
use crate::domain::places::{Asking, KeyOwner, Line, Share, Wait, Whose};
use crate::domain::rates::Rates;
use crate::keyed_semaphore::KeyedSemaphore;
use crate::store::places::{KeyLine, NewPlace};
use crate::store::{Database, StoreError, log_not_done};
use crate::telemetry::metrics::Metrics;

/// So long after its token a conversation must have begun, or its place is free again.
pub const BEGINS_WITHIN: TimeDelta = TimeDelta::seconds(60);
/// When Anam is first asked whether it began.
const FIRST_CHECK: TimeDelta = TimeDelta::seconds(3);
/// How long somebody waits for others who ask for a place of the same key, at this instance.
const AT_DOOR: Duration = Duration::from_secs(2);
/// How long the database may take. After that, a token is given without a place.
const LONGEST: Duration = Duration::from_secs(1);
/// For so long after that, nobody waits for places of the same key: while the database is away, tokens go on as fast as before.
const UNASKED: Duration = Duration::from_secs(5);
/// Keys at most that are known not to be asked about.
const MOST_UNASKED: usize = 1_024;
/// Who is told to come back keeps their turn for so long beyond that.
const GRACE: TimeDelta = TimeDelta::seconds(5);
/// Whoever is next is told to come back so soon, and others between these, seconds.
const SOON: Duration = Duration::from_secs(2);
const LATER: (u64, u64) = (3, 15);
/// Users of a tenant who have a turn at most. Further ones are told their position, and keep none.
const MOST_WAITING: u32 = 1_000;

/// The places that this instance gives. Cheap to clone; clones count together.
#[derive(Debug, Clone)]
pub struct Places(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    database: Database,
    /// Places of the platform's key; `None` where they are not counted.
    platform: Option<NonZeroU32>,
    /// One at a time asks for places of a key: the others would wait for a lock of the database, and hold a connection meanwhile.
    doors: KeyedSemaphore<KeyOwner>,
    told: Waits,
    /// Keys about which the database did not answer, and when.
    unanswered: Mutex<LruCache<KeyOwner, Instant>>,
    metrics: Metrics,
}

/// Somebody who asks for a place.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    pub caller: &'a Caller,
    /// Whose key the token comes from.
    pub key: KeyOwner,
    /// What the tenant's policy allows.
    pub rates: Rates,
    pub moment: Moment,
    /// The longest that the conversation may last, seconds.
    pub longest: u32,
}

/// What of a key's places is counted for a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Terms {
    capacity: Option<u32>,
    most: Option<u32>,
    user_most: Option<u32>,
}

/// A place, until its conversation has ended.
#[derive(Debug)]
pub struct Place {
    of: Places,
    tenant: TenantId,
    session: SessionId,
}

/// There is no place now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full {
    pub wait: Wait,
    /// How long it may take until there is one, judging by the conversations of late.
    pub estimate: Option<Duration>,
    /// When to ask again, so as not to lose one's turn.
    pub retry_after: Duration,
}

/// Why somebody got no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoPlace {
    Full(Full),
    /// Too many ask for one at this instance.
    Busy,
}

impl Places {
    /// `platform`: how many places the platform's key has, if they are counted.
    pub fn new(database: Database, platform: Option<NonZeroU32>, metrics: Metrics) -> Self {
        Self(Arc::new(Inner {
            database,
            platform,
            doors: KeyedSemaphore::new(1),
            told: Waits::default(),
            unanswered: Mutex::new(LruCache::new(MOST_UNASKED)),
            metrics,
        }))
    }

    /// How many places the platform's key has, if they are counted.
    pub fn of_platform(&self) -> Option<NonZeroU32> {
        self.0.platform
    }

    /// Whether the places of the tenant's key are counted, or the tenant's conversations are limited.
    pub fn are_counted_for(&self, request: &Request<'_>) -> bool {
        self.terms(request).is_some()
    }

    /// Takes a place; `None` where none are counted, or the database does not answer: then Anam alone says whether there is one.
    pub async fn take(&self, request: Request<'_>) -> Result<Option<Place>, NoPlace> {
        let request = &request;
        let Some(terms) = self.terms(request) else {
            return Ok(None);
        };
        let tenant = request.caller.tenant;
        let user = SubjectDigest::of(&request.caller.subject);
        let told_key = WaitingUser { tenant, user };
        if let Some(full) = self.0.told.find(told_key, terms) {
            return Err(NoPlace::Full(full));
        }
        if self.is_unanswered(request.key) {
            return Ok(None);
        }
        let door = timeout(AT_DOOR, self.0.doors.take(request.key)).await;
        let Ok(_door) = door else {
            return Err(NoPlace::Busy);
        };
        // Whoever was before in the door may have found it out.
        if self.is_unanswered(request.key) {
            return Ok(None);
        }
        let asked = timeout(LONGEST, self.ask(request, user, terms)).await;
        let asked = match asked.unwrap_or(Err(StoreError::Taken)) {
            Ok(asked) => asked,
            Err(error) => {
                let what = "tokens are given without counting their conversations";
                log_not_done(&error, what);
                self.0.metrics.place_not_counted();
                self.unanswered().insert(request.key, Instant::now());
                return Ok(None);
            }
        };
        asked.map_err(|full| {
            self.0.told.note(told_key, terms, full);
            NoPlace::Full(full)
        })?;
        Ok(Some(Place {
            of: self.clone(),
            tenant,
            session: request.moment.session,
        }))
    }

    fn unanswered(&self) -> MutexGuard<'_, LruCache<KeyOwner, Instant>> {
        let unanswered = self.0.unanswered.lock();
        unanswered.unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the database did not answer about a key a moment ago. Then a token counts as one without a place.
    fn is_unanswered(&self, key: KeyOwner) -> bool {
        let at = self.unanswered().get(&key).copied();
        let is = at.is_some_and(|at| at.elapsed() < UNASKED);
        if is {
            self.0.metrics.place_not_counted();
        }
        is
    }

    fn terms(&self, request: &Request<'_>) -> Option<Terms> {
        let Rates {
            conversations,
            user_conversations: user_most,
            ..
        } = request.rates;
        let (capacity, most) = match request.key {
            KeyOwner::Platform => (self.0.platform.map(NonZeroU32::get), conversations),
            KeyOwner::Tenant(_) => (conversations, None),
        };
        let terms = Terms {
            capacity,
            most,
            user_most,
        };
        let are_counted = capacity.or(most).or(user_most).is_some();
        are_counted.then_some(terms)
    }

    /// Judges and writes, while the key's line is locked.
    async fn ask(
        &self,
        request: &Request<'_>,
        user: SubjectDigest,
        terms: Terms,
    ) -> Result<Result<(), Full>, StoreError> {
        let (tenant, key, now) = (request.caller.tenant, request.key, request.moment.now);
        let mut tx = self.0.database.platform().await?;
        let known = tx.lock_line(key).await?;
        let mut shares = tx.shares(key, now).await?;
        let standing = tx.standing(tenant, key, user, now).await?;
        let own = shares.iter().position(|share| share.tenant == tenant);
        let mut own = match (own.map(|index| shares.swap_remove(index)), key) {
            (Some(own), _) => own,
            (None, KeyOwner::Platform) => tx.share_of(tenant).await?,
            (None, KeyOwner::Tenant(_)) => Share::new(tenant),
        };
        own.waiting -= u32::from(standing.waits);
        own.most = own.most.into_iter().chain(terms.most).min();
        let may_wait = standing.waits || own.waiting < MOST_WAITING;
        let most = own.most;
        shares.push(own);
        let capacity = terms
            .capacity
            .map(|most| known.places.map_or(most, |told| told.min(most)));
        let line = Line {
            capacity,
            elsewhere: known.elsewhere.unwrap_or(0),
            shares,
        };
        let judged = line.judge(Asking {
            tenant,
            before: standing.before,
            own: standing.own,
            own_most: terms.user_most,
        });
        let judged = match judged {
            Ok(()) => {
                let place = NewPlace {
                    tenant,
                    session: request.moment.session,
                    key,
                    user,
                    at: now,
                    seconds: request.longest,
                    until: now + BEGINS_WITHIN + GRACE,
                    check_at: now + FIRST_CHECK,
                };
                tx.take_place(&place).await?;
                Ok(())
            }
            Err(wait) => {
                let places = match wait.whose {
                    Whose::User => None,
                    Whose::Tenant => most,
                    Whose::Key => capacity,
                };
                let full = full(wait, &known, places);
                if wait.whose != Whose::User && may_wait {
                    let until =
                        now + TimeDelta::from_std(full.retry_after).unwrap_or(GRACE) + GRACE;
                    tx.keep_turn(tenant, key, user, now, until).await?;
                }
                Err(full)
            }
        };
        tx.commit().await?;
        Ok(judged)
    }
}

/// What somebody is told who has to wait.
fn full(wait: Wait, known: &KeyLine, places: Option<u32>) -> Full {
    let mean = known.mean_seconds.filter(|mean| mean.is_finite());
    let estimate = mean.zip(places).map(|(mean, places)| {
        let seconds = mean * f64::from(wait.position) / f64::from(places.max(1));
        Duration::from_secs_f64(seconds.clamp(0.0, 86_400.0).ceil())
    });
    let retry_after = if wait.position <= places.unwrap_or(1).min(3) {
        SOON
    } else {
        let quarter = estimate.map_or(LATER.0, |estimate| estimate.as_secs() / 4);
        Duration::from_secs(quarter.clamp(LATER.0, LATER.1))
    };
    Full {
        wait,
        estimate,
        retry_after,
    }
}

impl Place {
    /// Frees it: no token was given.
    pub async fn give_back(self) {
        let Self {
            of,
            tenant,
            session,
        } = self;
        let giving = async {
            let mut tx = of.0.database.platform().await?;
            tx.give_back_place(tenant, session).await?;
            tx.commit().await
        };
        let given = timeout(LONGEST, giving).await;
        // It is free again after a minute in any case.
        if let Err(error) = given.unwrap_or(Err(StoreError::Taken)) {
            log_not_done(&error, "a place was not given back yet");
        }
    }
}
