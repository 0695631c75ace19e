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

fn own(own: Duration) -> Took {
    let anam = Duration::ZERO;
    Took { anam, own }
}

fn is_idle(turns: &Turns) -> bool {
    let state = turns.lock();
    state.in_progress == 0 && state.waiting == 0 && state.lines.is_empty() && state.next.is_empty()
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
        state.own_time.note(own(usual), now);
    }
    assert_eq!(state.own_time.is_long(now), Some(false));
    let pulse = |state: &mut State, now: &mut Instant, took: Duration| {
        *now += PULSE;
        state.calm = Some(*now);
        state.own_time.note(own(took), *now);
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
        state.own_time.note(own(usual * 5), later);
    }
    assert_eq!(state.own_time.is_long(now + OF_LATE * 3), Some(false));
}

#[test]
fn beside_a_slow_anam_more_is_not_long_yet() {
    let mut now = Instant::now();
    let mut times = OwnTime::new(now);
    let [usual, more] = [1, 6].map(Duration::from_millis);
    times.note(own(usual), now);
    for (anam, is_long) in [(0, true), (50, true), (200, false), (0, true)] {
        let anam = Duration::from_millis(anam);
        for _ in 0..100 {
            now += PULSE;
            times.note(Took { anam, own: more }, now);
        }
        assert_eq!(times.is_long(now) == Some(true), is_long, "{anam:?}");
    }
}

#[test]
fn without_a_tenant_that_asks_for_far_less_there_is_no_limit() {
    let turns = Turns::new(None, Duration::from_mins(1));
    let mut state = turns.lock();
    let mut now = Instant::now();
    state.calm = Some(now);
    (state.in_progress, state.waiting) = (64, 1);
    state.own_time.note(own(Duration::from_millis(1)), now);
    for _ in 0..100 {
        now += PULSE;
        state.own_time.note(own(Duration::from_millis(50)), now);
        state.adjust(now);
    }
    assert!(state.limit < 64);
    now += FOR_THE_CALM;
    state.own_time.note(own(Duration::from_millis(50)), now);
    state.adjust(now);
    assert_eq!(state.limit, LIMITS.2);
}

#[tokio::test]
async fn who_floods_beside_a_calm_tenant_keeps_turns_for_a_while_after_requests_that_are_over_at_once()
 {
    let turns = Turns::new(None, Duration::from_mins(1));
    let mut now = Instant::now();
    let mut pass = |took: u64, has_calm: bool| {
        let mut state = turns.lock();
        for _ in 0..300 {
            now += PULSE;
            for _ in 0..10 {
                state.lately.note(tenant(1), now);
            }
            state.calm = has_calm.then_some(now);
            state.own_time.note(own(Duration::from_millis(took)), now);
            state.adjust(now);
        }
        state.hold
    };
    assert_eq!(pass(1, true), Duration::ZERO);
    assert_eq!(pass(50, true), HOLDS.1);
    assert!(!turns.lock().lately.is_calm(tenant(1)));
    assert!(turns.lock().lately.is_calm(tenant(2)));

    let turn = turns.take(tenant(2)).await;
    drop(turn);
    assert_eq!(turns.now().in_progress, 0, "who is calm keeps none");
    let turn = turns.take(tenant(1)).await;
    drop(turn);
    assert_eq!(turns.now().in_progress, 1);
    while turns.now().in_progress > 0 {
        tokio::task::yield_now().await;
    }

    assert_eq!(pass(50, false), Duration::ZERO);
    assert_eq!(pass(50, true), HOLDS.1);
    assert_eq!(pass(1, true), Duration::ZERO);
    assert!(is_idle(&turns));
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
