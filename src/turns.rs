//! Turns: how many users' requests are in progress at the same time, and whose is next.
//!
//! Requests beyond the limit wait in a line of their tenant. Lines get their turns one after the other, so a tenant that sends a
//! thousand requests waits for them itself, and a tenant that sends a few hardly waits. There is a limit only for the sake of tenants that ask for
//! far less than another: where all ask for about as much, each waits for itself anyway, and fewer at the same time would only do less.
//! The limit follows what requests take beside waiting for Anam: it shrinks while that is long, since then everybody waits for processors or the
//! database, and grows while it is not and somebody waits.

mod own_time;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::Instant;

use self::own_time::OwnTime;
use crate::domain::ids::TenantId;

/// In progress for one tenant, whatever others do: who asks for one thing after the other never waits.
const OF_EACH: usize = 2;
/// How often the limit is changed at most, and looked at while somebody waits.
const PULSE: Duration = Duration::from_millis(10);
/// A tenant asks for far less than another if the other has this many times its requests in progress or waiting. One counts as
/// two: where all ask for a few, it is chance who has fewer.
const FAR_LESS: usize = 8;
/// How long there is a limit after such a tenant asked.
const FOR_THE_CALM: Duration = Duration::from_secs(2);
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

impl Line {
    fn asked(&self) -> usize {
        self.in_progress.saturating_add(self.waiting.len())
    }
}

/// A request in progress, until this is dropped.
#[derive(Debug)]
pub struct Turn {
    turns: Turns,
    tenant: TenantId,
    since: Instant,
    /// What it took beside waiting for Anam, once that is known.
    own_time: Option<Duration>,
}

impl Turn {
    /// The request is about to end; it waited so long for Anam.
    pub fn note(&mut self, anam: Duration) {
        self.own_time = Some(self.since.elapsed().saturating_sub(anam));
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
            let waits = if state.may_begin(tenant) {
                state.begin(tenant);
                None
            } else {
                let waits = state.wait(tenant);
                if !std::mem::replace(&mut state.has_pulse, true) {
                    self.start_pulse();
                }
                Some(waits)
            };
            state.note_calm(tenant);
            waits
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
            own_time: None,
        }
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

    fn note_calm(&mut self, tenant: TenantId) {
        let asked = self.lines.get(&tenant).map_or(0, Line::asked);
        let far_more = asked.max(OF_EACH).saturating_mul(FAR_LESS);
        // Mostly nobody has as many, and the tenants need not be gone through.
        if self.adjusted.is_some()
            && self.in_progress.saturating_add(self.waiting) > far_more
            && self.lines.values().any(|line| line.asked() >= far_more)
        {
            self.calm = Some(Instant::now());
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
        let (start, least, most) = LIMITS;
        match self.adjusted {
            Some(before) if now.duration_since(before) >= PULSE => self.adjusted = Some(now),
            _ => return,
        }
        let is_for_the_calm = |seen: Instant| now.duration_since(seen) < FOR_THE_CALM;
        if !self.calm.is_some_and(is_for_the_calm) {
            self.limit = most;
            return;
        }
        match self.own_time.is_long(now) {
            // Below half of it, it is something else that takes long; but from when less was long, it may be far above what is in progress.
            Some(true) if self.in_progress * 2 > self.limit => {
                self.limit = least.max(self.limit - self.limit.div_ceil(16));
            }
            Some(true) if self.limit > start => {
                self.limit = start.max(self.in_progress * 2).min(self.limit - 1);
            }
            Some(false) if self.waiting > 0 => {
                self.limit = most.min(self.limit + self.limit.div_ceil(32));
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
        let called = {
            let mut state = self.turns.lock();
            if let Some(took) = self.own_time {
                let now = Instant::now();
                state.own_time.note(took, now);
                state.adjust(now);
            }
            state.end(self.tenant)
        };
        self.turns.call(called);
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;

    use futures_util::FutureExt;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::own_time::OF_LATE;
    use super::*;

    fn tenant(number: u128) -> TenantId {
        TenantId(Uuid::from_u128(number))
    }

    fn turns(limit: usize) -> Turns {
        Turns::new(Some(limit), Duration::from_mins(1))
    }

    type Taking = Pin<Box<dyn Future<Output = Option<Turn>>>>;

    fn taking(turns: &Turns, number: u128) -> Taking {
        let turns = turns.clone();
        Box::pin(async move { turns.take(tenant(number)).await })
    }

    fn is_idle(turns: &Turns) -> bool {
        let state = turns.lock();
        state.in_progress == 0
            && state.waiting == 0
            && state.lines.is_empty()
            && state.next.is_empty()
    }

    #[tokio::test]
    async fn whoever_asks_for_one_thing_after_the_other_never_waits() {
        let turns = turns(4);
        let mut flood: Vec<Taking> = (0..50).map(|_| taking(&turns, 1)).collect();
        let begun: Vec<_> = flood
            .iter_mut()
            .filter_map(FutureExt::now_or_never)
            .collect();
        assert_eq!(begun.len(), 4);
        for other in 2..10 {
            let turn = taking(&turns, other).now_or_never();
            assert!(turn.flatten().is_some());
        }
        drop((begun, flood));
        assert!(is_idle(&turns));
    }

    #[tokio::test]
    async fn tenants_take_turns_however_many_requests_each_sends() {
        let turns = turns(6);
        let mut held = VecDeque::new();
        let mut waiting = Vec::new();
        // The second tenant's come later, and are fewer.
        for number in [[1; 12].as_slice(), &[2; 5]].concat() {
            let mut taking = taking(&turns, number);
            match taking.as_mut().now_or_never() {
                Some(turn) => held.push_back(turn.unwrap()),
                None => waiting.push((number, taking)),
            }
        }
        assert_eq!(held.len(), 6 + OF_EACH);
        let mut order = Vec::new();
        while order.len() < 6 {
            drop(held.pop_front());
            waiting.retain_mut(|(number, taking)| {
                let turn = taking.as_mut().now_or_never();
                order.extend(turn.is_some().then_some(*number));
                let waits = turn.is_none();
                held.extend(turn.flatten());
                waits
            });
        }
        assert_eq!(order, [1, 2, 1, 2, 1, 2]);
    }

    #[tokio::test]
    async fn whoever_waits_too_long_is_turned_away_and_leaves_no_trace() {
        let turns = Turns::new(Some(1), Duration::from_millis(1));
        let held = [turns.take(tenant(1)).await, turns.take(tenant(1)).await];
        assert!(turns.take(tenant(1)).await.is_none());
        drop(held);
        assert!(turns.take(tenant(1)).await.is_some());
        assert!(is_idle(&turns));
    }

    #[test]
    fn the_limit_shrinks_while_requests_take_long_and_grows_while_they_do_not() {
        let turns = Turns::new(None, Duration::from_mins(1));
        let mut state = turns.lock();
        let mut now = Instant::now();
        (state.in_progress, state.waiting) = (LIMITS.2, 1);
        let usual = Duration::from_millis(30);
        for _ in 0..100 {
            state.own_time.note(usual, now);
        }
        assert_eq!(state.own_time.is_long(now), Some(false));
        let pulse = |state: &mut State, now: &mut Instant, took: Duration| {
            *now += PULSE;
            state.calm = Some(*now);
            state.own_time.note(took, *now);
            state.adjust(*now);
        };
        for _ in 0..150 {
            pulse(&mut state, &mut now, usual * 3);
        }
        assert_eq!(state.limit, LIMITS.1);
        for _ in 0..1_000 {
            pulse(&mut state, &mut now, usual);
        }
        assert_eq!(state.limit, LIMITS.2);
        // What takes long for a time is the usual in the end.
        for passed in 0..4 {
            let later = now + OF_LATE * passed;
            state.own_time.note(usual * 5, later);
        }
        assert_eq!(state.own_time.is_long(now + OF_LATE * 3), Some(false));
    }

    #[test]
    fn without_a_tenant_that_asks_for_far_less_there_is_no_limit() {
        let turns = Turns::new(None, Duration::from_mins(1));
        let mut state = turns.lock();
        let mut now = Instant::now();
        state.calm = Some(now);
        (state.in_progress, state.waiting) = (64, 1);
        state.own_time.note(Duration::from_millis(1), now);
        for _ in 0..100 {
            now += PULSE;
            state.own_time.note(Duration::from_millis(50), now);
            state.adjust(now);
        }
        assert!(state.limit < 64);
        now += FOR_THE_CALM;
        state.own_time.note(Duration::from_millis(50), now);
        state.adjust(now);
        assert_eq!(state.limit, LIMITS.2);
    }

    #[tokio::test]
    async fn who_asks_for_far_less_than_another_is_noticed_whether_anybody_waits_or_not() {
        for limit in [LIMITS.2, 0] {
            let turns = Turns::new(None, Duration::from_mins(1));
            turns.lock().limit = limit;
            let mut asking: Vec<Taking> = Vec::new();
            let mut ask = |number| {
                let mut taking = taking(&turns, number);
                let turn = (&mut taking).now_or_never();
                asking.push(match turn {
                    Some(turn) => Box::pin(std::future::ready(turn)),
                    None => taking,
                });
                turns.lock().calm.take().is_some()
            };
            for _ in 0..FAR_LESS * 4 {
                assert!(!ask(1), "whoever is alone has no others");
            }
            assert!(ask(2) && ask(2) && ask(2) && ask(2));
            assert!(!ask(2), "more than an eighth");
            assert!(!ask(1));
            assert!(ask(3));
            for _ in 0..FAR_LESS * 4 {
                ask(2);
            }
            assert!(!ask(1) && !ask(2), "two that ask for as much");
        }
        let turns = Turns::new(None, Duration::from_mins(1));
        let mut held = Vec::new();
        for _ in 0..FAR_LESS * 2 - 1 {
            held.push(turns.take(tenant(1)).await);
        }
        held.push(turns.take(tenant(2)).await);
        assert!(turns.lock().calm.is_none(), "one beside a few");
    }

    #[derive(Debug, Clone, Copy)]
    enum Step {
        Ask(u128),
        GiveUp(usize),
        End(usize),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            (1_u128..5).prop_map(Step::Ask),
            any::<usize>().prop_map(Step::GiveUp),
            any::<usize>().prop_map(Step::End),
        ];
        vec(step, 0..200)
    }

    proptest! {
        #[test]
        fn nobody_waits_without_a_reason_and_nothing_is_lost(limit in 1_usize..8, steps in steps()) {
            // For the timers of those who wait.
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
            let _inside = runtime.enter();
            let turns = turns(limit);
            let mut waiting: Vec<Taking> = Vec::new();
            let mut held = Vec::new();
            for step in steps {
                match step {
                    Step::Ask(number) => waiting.push(taking(&turns, number)),
                    Step::GiveUp(which) if !waiting.is_empty() => drop(waiting.remove(which % waiting.len())),
                    Step::End(which) if !held.is_empty() => drop(held.remove(which % held.len())),
                    Step::GiveUp(_) | Step::End(_) => {}
                }
                waiting.retain_mut(|taking| match taking.now_or_never() {
                    Some(turn) => { held.push(turn.unwrap()); false }
                    None => true,
                });
                let state = turns.lock();
                prop_assert_eq!(state.in_progress, held.len());
                for (tenant, line) in &state.lines {
                    let mine = held.iter().filter(|turn| turn.tenant == *tenant).count();
                    prop_assert_eq!(line.in_progress, mine);
                    let waits = line.waiting.iter().any(|waiting| !waiting.is_closed());
                    prop_assert!(!waits || (mine >= OF_EACH && held.len() >= limit));
                }
            }
            drop((waiting, held));
            let state = turns.lock();
            prop_assert_eq!(state.in_progress, 0);
            prop_assert!(state.lines.values().all(|line| line.in_progress == 0));
        }
    }
}
