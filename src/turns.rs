//! Turns: which users' request begins next.
//!
//! A gateway at peace has no use for turns: each request begins as it comes. They are for the sake of tenants that ask for far less than another:
//! beside those, while requests take long, the others begin only so many requests a second, and further ones wait in a line of their tenant. Lines get
//! their turns one after the other, so a tenant that sends a thousand requests waits for them itself. Where all ask for about as much, each waits for itself
//! anyway. It is their rate that is limited, not how many are in progress: a request that waits for Anam takes nothing from others, and one that is over at
//! once is hardly ever in progress together with another, however many come.
//!
//! Where the number of requests in progress is limited too, further ones wait in the same lines.

mod delay;
mod lately;
mod pace;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::Instant;

use self::delay::{Delay, Length, Took};
use self::lately::Lately;
use self::pace::Pace;
use crate::domain::ids::TenantId;

/// In progress for one tenant, whatever others do, where the number is limited.
const OF_EACH: usize = 2;
/// How often the pace is changed at most.
const PULSE: Duration = Duration::from_millis(5);
/// How often those who wait for the pace are looked at.
const TICK: Duration = Duration::from_millis(1);
/// How long there is a pace after a tenant asked that asks for far less than another.
const FOR_THE_CALM: Duration = Duration::from_secs(2);
/// From one request to the next at the slowest pace, with one processor; with two it is half of it. So many leave most of a processor to the calm,
/// and if it still takes long, then for another reason, for which nobody is to wait.
const SLOWEST: Duration = Duration::from_millis(1);

/// Requests that are no tenant's, or refused before they had a turn. Those of a kind take turns together, so that a flood of one kind waits for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nobodys {
    /// A browser's question whether a page may ask.
    Preflight = 1,
    /// What strangers may see.
    Page = 2,
    /// Refused tokens, unknown paths, and users who ask too often.
    Refused = 3,
}

impl Nobodys {
    /// Whose turn it is: ids of tenants are random.
    fn line(self) -> TenantId {
        TenantId(uuid::Uuid::from_u128(self as u128))
    }
}

/// Turns of this instance. Cheap to clone; clones count together.
#[derive(Debug, Clone)]
pub struct Turns(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// How long a request may wait.
    patience: Duration,
    /// Where the pace is looked after, and to which the way is tried.
    runtime: Option<Handle>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// How many may be in progress, where it is limited.
    limit: Option<usize>,
    in_progress: usize,
    waiting: usize,
    delay: Delay,
    lately: Lately,
    /// When a tenant last asked that asks for far less than another.
    calm: Option<Instant>,
    /// How fast requests of all others begin; `None`: as they come.
    pace: Option<Pace>,
    /// From one request to the next at the slowest pace.
    slowest: Duration,
    /// When the pace was last looked at.
    adjusted: Instant,
    has_pulse: bool,
    lines: HashMap<TenantId, Line>,
    /// Tenants with requests that wait: whose turn is next is first.
    next: VecDeque<TenantId>,
}

/// What [`Turns`] are at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TurnsNow {
    pub in_progress: usize,
    pub waiting: usize,
    /// Of tenants that do not ask for far less than another, how many requests begin in a second; `None`: as many as come.
    pub per_second: Option<u32>,
}

/// One tenant's requests.
#[derive(Debug, Default)]
struct Line {
    in_progress: usize,
    waiting: VecDeque<oneshot::Sender<Turn>>,
    /// Whether the tenant is in [`State::next`].
    is_listed: bool,
}

/// A request in progress, until this is dropped.
#[derive(Debug)]
pub struct Turn {
    turns: Turns,
    tenant: TenantId,
    since: Instant,
    /// Once it is known.
    took: Option<Took>,
}

impl Turn {
    /// The request is about to end; it waited so long for Anam.
    pub fn note(&mut self, anam: Duration) {
        let own = self.since.elapsed().saturating_sub(anam);
        self.took = Some(Took { anam, own });
    }
}

/// A request's place in its line. Whoever gives up leaves it.
struct Place<'a> {
    turns: &'a Turns,
    tenant: TenantId,
    called: Option<oneshot::Receiver<Turn>>,
}

/// Somebody who tries the way to the main runtime and back, until this is dropped.
struct Try<'a>(&'a Turns);

/// Those whose turn has come.
type Called = Vec<(oneshot::Sender<Turn>, TenantId)>;

impl Turns {
    /// `limit` is how many may be in progress, if not any number. The pace is looked after on the runtime that this is called in.
    pub fn new(limit: Option<usize>, patience: Duration) -> Self {
        Self(Arc::new(Inner {
            patience,
            runtime: Handle::try_current().ok(),
            state: Mutex::new(State::new(limit, Instant::now())),
        }))
    }

    /// How many are in progress, how many wait, and how many begin in a second.
    pub fn now(&self) -> TurnsNow {
        let state = self.lock();
        TurnsNow {
            in_progress: state.in_progress,
            waiting: state.waiting,
            per_second: state.pace.as_ref().map(Pace::per_second),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a turn; `None` if it did not come in time.
    pub async fn take(&self, tenant: TenantId) -> Option<Turn> {
        let asked = Instant::now();
        let tries = self.lock().note_asked(tenant, asked);
        if tries {
            let _until_it_ends = Try(self);
            if let Some(runtime) = &self.0.runtime {
                // As an answer of Anam or of the database: it comes from the main runtime, and a web worker looks at what comes from elsewhere
                // only after every 31 things of its own, while it has any.
                drop(runtime.spawn(std::future::ready(())).await);
            }
        }
        let waits = {
            let mut state = self.lock();
            if state.may_begin(tenant, asked) {
                state.begin(tenant, asked);
                None
            } else {
                let waits = state.wait(tenant);
                if !std::mem::replace(&mut state.has_pulse, true) {
                    self.start_pulse();
                }
                Some(waits)
            }
        };
        let Some(called) = waits else {
            return Some(self.turn(tenant));
        };
        let mut place = Place {
            turns: self,
            tenant,
            called: Some(called),
        };
        let called = place.called.as_mut()?;
        tokio::time::timeout(self.0.patience, called)
            .await
            .ok()?
            .ok()
    }

    /// Waits for a turn of requests that are no tenant's.
    pub async fn take_as(&self, nobodys: Nobodys) -> Option<Turn> {
        self.take(nobodys.line()).await
    }

    fn turn(&self, tenant: TenantId) -> Turn {
        Turn {
            turns: self.clone(),
            tenant,
            since: Instant::now(),
            took: None,
        }
    }

    fn end(&self, tenant: TenantId, took: Option<Took>) {
        let called = self.lock().end(tenant, took, Instant::now());
        self.call(called);
    }

    fn call(&self, called: Called) {
        for (waiting, tenant) in called {
            // Whoever is gone meanwhile gives the turn back by dropping it.
            drop(waiting.send(self.turn(tenant)));
        }
    }

    /// Calls those whose turn comes, and looks after the pace, until nobody waits any more.
    fn start_pulse(&self) {
        let Some(runtime) = &self.0.runtime else {
            return;
        };
        let turns = self.clone();
        runtime.spawn(async move {
            loop {
                tokio::time::sleep(TICK).await;
                let now = Instant::now();
                let called = {
                    let mut state = turns.lock();
                    if state.waiting == 0 {
                        state.has_pulse = false;
                        return;
                    }
                    state.adjust(now);
                    let mut called = Vec::new();
                    state.call_next(now, &mut called);
                    called
                };
                turns.call(called);
            }
        });
    }
}

impl State {
    fn new(limit: Option<usize>, now: Instant) -> Self {
        let processors = std::thread::available_parallelism()
            .map_or(1, |count| u32::try_from(count.get()).unwrap_or(u32::MAX));
        Self {
            limit,
            in_progress: 0,
            waiting: 0,
            delay: Delay::new(now),
            lately: Lately::new(now),
            calm: None,
            pace: None,
            slowest: SLOWEST / processors,
            adjusted: now,
            has_pulse: false,
            lines: HashMap::new(),
            next: VecDeque::new(),
        }
    }

    /// Whether to try the way to the main runtime and back.
    fn note_asked(&mut self, tenant: TenantId, now: Instant) -> bool {
        if self.lately.is_over(now) {
            let waiting = self.next.iter().filter_map(|tenant| {
                let line = self.lines.get(tenant)?;
                Some((*tenant, line.waiting.len()))
            });
            self.lately.begin_next(waiting, now);
        }
        self.lately.note(tenant);
        if self.lately.is_calm(tenant) {
            self.calm = Some(now);
        }
        let tries = self.lately.has_flood() && self.delay.may_try(now);
        if tries {
            self.delay.begin_try(now);
        }
        tries
    }

    fn is_paced(&self, tenant: TenantId) -> bool {
        self.pace.is_some() && !self.lately.is_calm(tenant)
    }

    /// Whether one more of the tenant may begin, as far as the pace goes.
    fn is_its_time(&self, tenant: TenantId, now: Instant) -> bool {
        self.pace
            .as_ref()
            .is_none_or(|pace| pace.is_time(now) || self.lately.is_calm(tenant))
    }

    /// Whether the tenant has so few in progress that the limit does not matter.
    fn is_within_its_own(&self, tenant: TenantId) -> bool {
        let line = self.lines.get(&tenant);
        self.limit.is_none() || line.is_none_or(|line| line.in_progress < OF_EACH)
    }

    /// Whether one more may begin, of a tenant whose turn it is.
    fn has_room(&self, tenant: TenantId, now: Instant) -> bool {
        let is_below = |limit| self.in_progress < limit;
        (self.limit.is_none_or(is_below) || self.is_within_its_own(tenant))
            && self.is_its_time(tenant, now)
    }

    fn may_begin(&self, tenant: TenantId, now: Instant) -> bool {
        let waits_for_none = !self.is_paced(tenant) && self.is_within_its_own(tenant);
        let line = self.lines.get(&tenant);
        let is_first = line.is_none_or(|line| line.waiting.is_empty());
        waits_for_none || is_first && self.has_room(tenant, now)
    }

    fn begin(&mut self, tenant: TenantId, now: Instant) {
        let is_paced = self.is_paced(tenant);
        if let Some(pace) = &mut self.pace
            && is_paced
        {
            pace.note_begun(now);
        }
        self.in_progress += 1;
        self.lines.entry(tenant).or_default().in_progress += 1;
    }

    fn wait(&mut self, tenant: TenantId) -> oneshot::Receiver<Turn> {
        let (call, called) = oneshot::channel();
        let line = self.lines.entry(tenant).or_default();
        if !std::mem::replace(&mut line.is_listed, true) {
            self.next.push_back(tenant);
        }
        line.waiting.push_back(call);
        self.waiting += 1;
        called
    }

    fn end(&mut self, tenant: TenantId, took: Option<Took>, now: Instant) -> Called {
        if let Some(took) = took {
            self.delay.note(took, now);
        }
        self.in_progress = self.in_progress.saturating_sub(1);
        let mut called = Vec::new();
        if let Some(line) = self.lines.get_mut(&tenant) {
            line.in_progress = line.in_progress.saturating_sub(1);
        }
        let is_limited = self.limit.is_some();
        if is_limited && self.is_within_its_own(tenant) && self.is_its_time(tenant, now) {
            self.call_one_of(tenant, now, &mut called);
        }
        self.forget(tenant);
        self.adjust(now);
        self.call_next(now, &mut called);
        called
    }

    /// Begins as many as there is room for, tenant by tenant.
    fn call_next(&mut self, now: Instant, called: &mut Called) {
        while let Some(&tenant) = self.next.front()
            && self.has_room(tenant, now)
        {
            self.next.pop_front();
            if let Some(line) = self.lines.get_mut(&tenant) {
                line.is_listed = false;
            }
            self.call_one_of(tenant, now, called);
            match self.lines.get_mut(&tenant) {
                Some(line) if !line.waiting.is_empty() => {
                    line.is_listed = true;
                    self.next.push_back(tenant);
                }
                _ => self.forget(tenant),
            }
        }
    }

    /// Begins the tenant's next request that still waits.
    fn call_one_of(&mut self, tenant: TenantId, now: Instant, called: &mut Called) {
        while let Some(line) = self.lines.get_mut(&tenant)
            && let Some(waiting) = line.waiting.pop_front()
        {
            self.waiting = self.waiting.saturating_sub(1);
            if !waiting.is_closed() {
                self.begin(tenant, now);
                called.push((waiting, tenant));
                return;
            }
        }
    }

    /// Forgets a tenant that has nothing in progress, and for which nothing waits.
    fn forget(&mut self, tenant: TenantId) {
        let is_idle =
            |line: &Line| line.in_progress == 0 && line.waiting.is_empty() && !line.is_listed;
        if self.lines.get(&tenant).is_some_and(is_idle) {
            self.lines.remove(&tenant);
        }
    }

    /// Removes those from a tenant's line who gave up.
    fn leave(&mut self, tenant: TenantId) {
        if let Some(line) = self.lines.get_mut(&tenant) {
            let before = line.waiting.len();
            line.waiting.retain(|waiting| !waiting.is_closed());
            self.waiting = self.waiting.saturating_sub(before - line.waiting.len());
        }
    }

    fn adjust(&mut self, now: Instant) {
        if now.duration_since(self.adjusted) < PULSE {
            return;
        }
        self.adjusted = now;
        let is_for_the_calm = |seen: Instant| now.duration_since(seen) < FOR_THE_CALM;
        if !self.calm.is_some_and(is_for_the_calm) {
            self.pace = None;
            return;
        }
        let length = self.delay.length(self.in_progress, now);
        self.pace = match (length, self.pace.take()) {
            (Length::Long | Length::VeryLong, None) => self.lately.pace(self.slowest, now),
            (Length::Long, Some(pace)) => Some(pace.slower()),
            (Length::VeryLong, Some(pace)) => Some(pace.much_slower()),
            (Length::Short, Some(pace)) => pace.faster(),
            (Length::Unclear, pace) => pace,
            (Length::Short, None) => None,
        };
    }
}

impl Drop for Try<'_> {
    fn drop(&mut self) {
        self.0.lock().delay.end_try(Instant::now());
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        // A turn that comes now is given back.
        drop(self.called.take());
        self.turns.lock().leave(self.tenant);
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.turns.end(self.tenant, self.took);
    }
}

#[cfg(test)]
mod tests;
