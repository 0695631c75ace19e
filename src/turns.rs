//! Turns: how many users' requests are in progress at the same time, and whose is next.
//!
//! Requests beyond the limit wait in a line of their tenant. Lines get their turns one after the other, so a tenant that sends a
//! thousand requests waits for them itself, and a tenant that sends a few hardly waits. There is a limit only for the sake of tenants that ask for
//! far less than another: where all ask for about as much, each waits for itself anyway, and fewer at the same time would only do less.
//! The limit follows what requests take beside waiting for Anam: it shrinks while that is long, since then everybody waits for processors or the
//! database, and grows while it is not and somebody waits. Requests that are over at once are hardly ever in progress together, however many come:
//! then those who flood keep their turns for a while after each.

mod lately;
mod own_time;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::Instant;

use self::lately::Lately;
use self::own_time::{OwnTime, Took};
use crate::domain::ids::TenantId;

/// In progress for one tenant, whatever others do: who asks for one thing after the other never waits.
const OF_EACH: usize = 2;
/// How often the limit is changed at most, and looked at while somebody waits.
const PULSE: Duration = Duration::from_millis(10);
/// How long there is a limit after a tenant asked that asks for far less than another.
const FOR_THE_CALM: Duration = Duration::from_secs(2);
/// How long a turn is held after its request, at least and at most, where it is held at all.
const HOLDS: (Duration, Duration) = (Duration::from_micros(250), Duration::from_millis(4));
/// Whoever has no tenant, since their token was refused: they take turns together.
pub const NOBODY: TenantId = TenantId(uuid::Uuid::nil());
/// The limit when it begins to matter, at least and at most, where it is not set.
const LIMITS: (usize, usize, usize) = (32, 4, 4_096);

/// Turns of this instance. Cheap to clone; clones count together.
#[derive(Debug, Clone)]
pub struct Turns(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// How long a request may wait.
    patience: Duration,
    /// Where the limit is looked after; `None` where it is set.
    runtime: Option<Handle>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    limit: usize,
    in_progress: usize,
    waiting: usize,
    own_time: OwnTime,
    lately: Lately,
    /// Of the limit, in thirty-seconds: what it has grown by beside whole ones.
    growth: usize,
    /// How long turns of those who flood are held after their requests.
    hold: Duration,
    /// When a tenant last asked that asks for far less than another.
    calm: Option<Instant>,
    /// When the limit was last looked at; `None` where it is fixed.
    adjusted: Option<Instant>,
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
    pub limit: usize,
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

/// Those whose turn has come.
type Called = Vec<(oneshot::Sender<Turn>, TenantId)>;

impl Turns {
    /// `limit` is fixed, if it is given. Otherwise the limit is looked after on the runtime that this is called in.
    pub fn new(limit: Option<usize>, patience: Duration) -> Self {
        let runtime = match limit {
            Some(_) => None,
            None => Handle::try_current().ok(),
        };
        Self(Arc::new(Inner {
            patience,
            runtime,
            state: Mutex::new(State {
                limit: limit.unwrap_or(LIMITS.2),
                in_progress: 0,
                waiting: 0,
                own_time: OwnTime::new(Instant::now()),
                lately: Lately::new(Instant::now()),
                growth: 0,
                hold: Duration::ZERO,
                calm: None,
                adjusted: limit.is_none().then(Instant::now),
                has_pulse: false,
                lines: HashMap::new(),
                next: VecDeque::new(),
            }),
        }))
    }

    /// How many are in progress, how many wait, and how many may be in progress now.
    pub fn now(&self) -> TurnsNow {
        let state = self.lock();
        TurnsNow {
            in_progress: state.in_progress,
            waiting: state.waiting,
            limit: state.limit,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a turn; `None` if it did not come in time.
    pub async fn take(&self, tenant: TenantId) -> Option<Turn> {
        let waits = {
            let mut state = self.lock();
            state.note_asked(tenant);
            if state.may_begin(tenant) {
                state.begin(tenant);
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

    fn turn(&self, tenant: TenantId) -> Turn {
        Turn {
            turns: self.clone(),
            tenant,
            since: Instant::now(),
            took: None,
        }
    }

    fn end(&self, tenant: TenantId) {
        let called = self.lock().end(tenant);
        self.call(called);
    }

    fn call(&self, called: Called) {
        for (waiting, tenant) in called {
            // Whoever is gone meanwhile gives the turn back by dropping it.
            drop(waiting.send(self.turn(tenant)));
        }
    }

    /// Looks after the limit until nobody waits any more.
    fn start_pulse(&self) {
        let Some(runtime) = &self.0.runtime else {
            return;
        };
        let turns = self.clone();
        runtime.spawn(async move {
            loop {
                tokio::time::sleep(PULSE).await;
                let called = {
                    let mut state = turns.lock();
                    if state.waiting == 0 {
                        state.has_pulse = false;
                        return;
                    }
                    state.adjust(Instant::now());
                    let mut called = Vec::new();
                    state.call_next(&mut called);
                    called
                };
                turns.call(called);
            }
        });
    }
}

impl State {
    fn may_begin(&self, tenant: TenantId) -> bool {
        match self.lines.get(&tenant) {
            None => true,
            Some(line) if line.in_progress < OF_EACH => true,
            Some(line) => line.waiting.is_empty() && self.in_progress < self.limit,
        }
    }

    fn begin(&mut self, tenant: TenantId) {
        self.in_progress += 1;
        self.lines.entry(tenant).or_default().in_progress += 1;
    }

    fn note_asked(&mut self, tenant: TenantId) {
        if self.adjusted.is_none() {
            return;
        }
        let now = Instant::now();
        self.lately.note(tenant, now);
        if self.lately.is_calm(tenant) {
            self.calm = Some(now);
        }
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

    fn end(&mut self, tenant: TenantId) -> Called {
        self.in_progress = self.in_progress.saturating_sub(1);
        let mut called = Vec::new();
        if let Some(line) = self.lines.get_mut(&tenant) {
            line.in_progress = line.in_progress.saturating_sub(1);
            if line.in_progress < OF_EACH {
                self.call_one_of(tenant, &mut called);
            }
        }
        self.call_next(&mut called);
        called
    }

    /// Begins as many as there is room for, tenant by tenant.
    fn call_next(&mut self, called: &mut Called) {
        while self.in_progress < self.limit
            && let Some(tenant) = self.next.pop_front()
        {
            if let Some(line) = self.lines.get_mut(&tenant) {
                line.is_listed = false;
            }
            self.call_one_of(tenant, called);
            if let Some(line) = self.lines.get_mut(&tenant)
                && !line.waiting.is_empty()
            {
                line.is_listed = true;
                self.next.push_back(tenant);
            }
        }
    }

    /// Begins the tenant's next request that still waits.
    fn call_one_of(&mut self, tenant: TenantId, called: &mut Called) {
        let Some(line) = self.lines.get_mut(&tenant) else {
            return;
        };
        while let Some(waiting) = line.waiting.pop_front() {
            self.waiting = self.waiting.saturating_sub(1);
            if !waiting.is_closed() {
                line.in_progress += 1;
                self.in_progress += 1;
                called.push((waiting, tenant));
                return;
            }
        }
        if line.in_progress == 0 && !line.is_listed {
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
        let ((start, least, most), (shortest, longest)) = (LIMITS, HOLDS);
        match self.adjusted {
            Some(before) if now.duration_since(before) >= PULSE => self.adjusted = Some(now),
            _ => return,
        }
        let is_for_the_calm = |seen: Instant| now.duration_since(seen) < FOR_THE_CALM;
        if !self.calm.is_some_and(is_for_the_calm) {
            (self.limit, self.hold) = (most, Duration::ZERO);
            return;
        }
        match self.own_time.is_long(now) {
            // Below half of it, it is something else that takes long; but from when less was long, it may be far above what is in progress.
            Some(true) if self.in_progress * 2 > self.limit && self.limit > least => {
                self.limit = least.max(self.limit - self.limit.div_ceil(16));
            }
            Some(true) if self.limit > start => {
                self.limit = start.max(self.in_progress * 2).min(self.limit - 1);
            }
            Some(true) => self.hold = longest.min((self.hold * 9 / 8).max(shortest)),
            Some(false) if !self.hold.is_zero() => {
                let less = self.hold * 63 / 64;
                self.hold = if less < shortest {
                    Duration::ZERO
                } else {
                    less
                };
            }
            Some(false) if self.waiting > 0 => {
                let grown = self.growth + self.limit;
                self.growth = grown % 32;
                self.limit = most.min(self.limit + grown / 32);
            }
            _ => {}
        }
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
        let now = Instant::now();
        let hold = {
            let mut state = self.turns.lock();
            if let Some(took) = self.took {
                state.own_time.note(took, now);
            }
            state.adjust(now);
            let is_held = !state.hold.is_zero() && state.lately.floods(self.tenant);
            if is_held { state.hold } else { Duration::ZERO }
        };
        match &self.turns.0.runtime {
            Some(runtime) if !hold.is_zero() => {
                let (turns, tenant) = (self.turns.clone(), self.tenant);
                runtime.spawn(async move {
                    tokio::time::sleep(hold).await;
                    turns.end(tenant);
                });
            }
            _ => self.turns.end(self.tenant),
        }
    }
}

#[cfg(test)]
mod tests;
