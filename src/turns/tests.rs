use std::pin::Pin;

use futures_util::FutureExt;
use proptest::collection::vec;
use proptest::prelude::*;
use uuid::Uuid;

use super::delay::OF_LATE;
use super::*;

fn tenant(number: u128) -> TenantId {
    TenantId(Uuid::from_u128(number))
}

fn turns(limit: usize) -> Turns {
    Turns::new(Some(limit), Duration::from_mins(1))
}

/// With a pace of 250 a second at the slowest.
fn paced(limit: Option<usize>) -> Turns {
    let turns = Turns::new(limit, Duration::from_mins(1));
    turns.lock().slowest = Duration::from_millis(4);
    turns
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

/// Asks, and finds the way short.
fn ask(state: &mut State, tenant: TenantId, now: Instant) {
    if state.note_asked(tenant, now) {
        state.delay.end_try(now);
    }
}

/// A flood of the first tenant beside the second, and what requests take: so many pulses long.
fn pass(state: &mut State, now: &mut Instant, pulses: u32, took: Duration) {
    pass_beside(state, [tenant(1), tenant(2)], now, pulses, took);
}

fn pass_beside(
    state: &mut State,
    [flooding, calm]: [TenantId; 2],
    now: &mut Instant,
    pulses: u32,
    took: Duration,
) {
    for _ in 0..pulses {
        *now += PULSE;
        for _ in 0..10 {
            ask(state, flooding, *now);
        }
        ask(state, calm, *now);
        state.delay.note(own(took), *now);
        state.adjust(*now);
    }
}

const USUAL: Duration = Duration::from_millis(30);
const LONG: Duration = Duration::from_millis(90);

#[test]
fn the_pace_slows_down_while_requests_take_long_and_ends_when_they_do_not() {
    let turns = paced(None);
    let mut state = turns.lock();
    let mut now = Instant::now();
    pass(&mut state, &mut now, 100, USUAL);
    assert_eq!(state.delay.length(0, now), Length::Short);
    assert!(state.pace.is_none());
    // It begins with what they ask for.
    while state.pace.is_none() {
        pass(&mut state, &mut now, 1, LONG);
    }
    let per_second = |state: &State| state.pace.as_ref().map_or(u32::MAX, Pace::per_second);
    assert!((1_800..=2_200).contains(&per_second(&state)));
    pass(&mut state, &mut now, 5, LONG);
    assert!((1_200..1_800).contains(&per_second(&state)));
    pass(&mut state, &mut now, 200, LONG);
    assert_eq!(per_second(&state), 250);
    pass(&mut state, &mut now, 200, USUAL);
    assert!((800..2_000).contains(&per_second(&state)));
    pass(&mut state, &mut now, 1_000, USUAL);
    assert!(state.pace.is_none());
    // What takes long for a time is the usual in the end.
    for passed in 0..4 {
        let later = now + OF_LATE * passed;
        state.delay.note(own(USUAL * 5), later);
    }
    assert_eq!(state.delay.length(0, now + OF_LATE * 3), Length::Short);
}

#[test]
fn beside_a_calm_tenant_others_begin_at_the_pace_in_turn_and_whoever_is_calm_never_waits() {
    for limit in [None, Some(64)] {
        let turns = paced(limit);
        let mut now = Instant::now();
        let mut state = turns.lock();
        pass(&mut state, &mut now, 100, USUAL);
        pass(&mut state, &mut now, 300, LONG);
        assert!(state.is_paced(tenant(1)) && !state.is_paced(tenant(2)));
        // The third asks for a fifth of what the first asks for.
        for _ in 0..100 {
            ask(&mut state, tenant(3), now);
        }
        assert!(state.is_paced(tenant(3)));
        let first = std::iter::from_fn(|| {
            let may = state.may_begin(tenant(1), now);
            may.then(|| state.begin(tenant(1), now))
        });
        assert!(first.count() <= 2);
        let mut waiting = Vec::new();
        for number in [1, 1, 1, 1, 1, 1, 3, 3] {
            assert!(!state.may_begin(tenant(number), now));
            waiting.push(state.wait(tenant(number)));
        }
        for _ in 0..20 {
            assert!(state.may_begin(tenant(2), now));
            state.begin(tenant(2), now);
        }
        let mut order = Vec::new();
        for _ in 0..40 {
            now += Duration::from_millis(1);
            let mut called = Called::new();
            state.call_next(now, &mut called);
            order.extend(called.into_iter().map(|(_, tenant)| tenant.0.as_u128()));
        }
        assert_eq!(order, [1, 3, 1, 3, 1, 1, 1, 1], "{limit:?}");
        assert_eq!(state.waiting, 0);
    }
}

#[test]
fn a_preflight_does_not_wait_beside_refused_tokens_that_do() {
    let turns = paced(None);
    let mut now = Instant::now();
    let mut state = turns.lock();
    let [refused, page, preflight] = [Nobodys::Refused, Nobodys::Page, Nobodys::Preflight];
    let lines = [refused.line(), preflight.line()];
    pass_beside(&mut state, lines, &mut now, 100, USUAL);
    pass_beside(&mut state, lines, &mut now, 300, LONG);
    while state.may_begin(refused.line(), now) {
        state.begin(refused.line(), now);
    }
    assert!(!state.may_begin(refused.line(), now));
    for calm in [preflight.line(), page.line(), tenant(9)] {
        assert!(state.may_begin(calm, now));
    }
}

#[test]
fn what_ends_calls_the_next_of_its_tenant_when_it_is_time_and_not_before() {
    let turns = paced(Some(4));
    let mut now = Instant::now();
    let mut state = turns.lock();
    pass(&mut state, &mut now, 100, USUAL);
    pass(&mut state, &mut now, 300, LONG);
    let mut waiting = Vec::new();
    for _ in 0..3 {
        if state.may_begin(tenant(1), now) {
            state.begin(tenant(1), now);
        } else {
            waiting.push(state.wait(tenant(1)));
        }
    }
    assert!(!waiting.is_empty());
    let before = state.waiting;
    assert!(state.end(tenant(1), None, now).is_empty());
    now += Duration::from_millis(4);
    assert_eq!(state.end(tenant(1), None, now).len(), 1);
    assert_eq!(state.waiting, before - 1);
}

#[test]
fn before_anything_ended_nothing_is_long() {
    let now = Instant::now();
    assert_eq!(Delay::new(now).length(1, now), Length::Short);
}

#[test]
fn beside_a_slow_anam_more_is_not_long_yet() {
    let mut now = Instant::now();
    let mut times = Delay::new(now);
    let [usual, more] = [1, 6].map(Duration::from_millis);
    times.note(own(usual), now);
    for (anam, is_long) in [(0, true), (50, true), (200, false), (0, true)] {
        let anam = Duration::from_millis(anam);
        for _ in 0..100 {
            now += PULSE;
            times.note(Took { anam, own: more }, now);
        }
        assert_eq!(times.length(0, now) == Length::Long, is_long, "{anam:?}");
    }
}

#[test]
fn a_way_to_the_main_runtime_that_takes_long_is_slow_too() {
    let mut now = Instant::now();
    let mut times = Delay::new(now);
    let anam = Duration::from_millis(64);
    for (way, length) in [
        (0, Length::Short),
        (3, Length::Long),
        (5, Length::VeryLong),
        (0, Length::Short),
    ] {
        for _ in 0..100 {
            now += Duration::from_millis(4);
            let own = Duration::from_millis(1);
            times.note(Took { anam, own }, now);
            assert!(times.may_try(now));
            times.begin_try(now);
            assert!(!times.may_try(now), "one at a time");
            now += Duration::from_millis(way);
            times.end_try(now);
            assert!(!times.may_try(now), "and not at once again");
        }
        assert_eq!(times.length(0, now), length, "{way}");
    }
    // Nobody waits for the end of a try to see that it takes long.
    now += Duration::from_millis(4);
    times.begin_try(now);
    assert_eq!(times.length(0, now), Length::Short);
    assert_eq!(
        times.length(0, now + Duration::from_millis(10)),
        Length::Long
    );
    assert_eq!(
        times.length(0, now + Duration::from_secs(9)),
        Length::VeryLong
    );
}

#[tokio::test]
async fn a_try_whose_client_is_gone_is_over() {
    let turns = paced(None);
    let now = Instant::now();
    let earlier = now.checked_sub(Duration::from_secs(1)).unwrap();
    {
        let mut state = turns.lock();
        for _ in 0..20 {
            ask(&mut state, tenant(1), now);
        }
        state.delay = Delay::new(earlier);
    }
    let mut taking = taking(&turns, 1);
    assert!(taking.as_mut().now_or_never().is_none());
    let later = now + Duration::from_secs(1);
    assert!(!turns.lock().delay.may_try(later));
    drop(taking);
    assert!(turns.lock().delay.may_try(later));
}

#[test]
fn without_a_tenant_that_asks_for_far_less_there_is_no_pace() {
    let turns = paced(None);
    let mut state = turns.lock();
    let mut now = Instant::now();
    pass(&mut state, &mut now, 100, USUAL);
    pass(&mut state, &mut now, 100, LONG);
    assert!(state.pace.is_some());
    now += FOR_THE_CALM;
    for _ in 0..100 {
        now += PULSE;
        for number in [1, 1, 1, 2, 2, 2] {
            ask(&mut state, tenant(number), now);
        }
        state.delay.note(own(LONG), now);
        state.adjust(now);
    }
    assert!(state.pace.is_none());
}

#[tokio::test]
async fn whoever_waits_for_the_pace_is_called_when_it_is_time() {
    let turns = paced(None);
    {
        let mut state = turns.lock();
        let mut now = Instant::now();
        pass(&mut state, &mut now, 100, USUAL);
        pass(&mut state, &mut now, 300, LONG);
        assert!(state.is_paced(tenant(1)));
    }
    let all = (0..20).map(|_| taking(&turns, 1));
    let all = futures_util::future::join_all(all).await;
    assert!(all.iter().all(Option::is_some));
    assert_eq!(turns.now().in_progress, 20);
    drop(all);
    assert!(is_idle(&turns), "{:?}", turns.lock());
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
