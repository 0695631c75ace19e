//! When to stop asking Anam with a key for a while: a state machine of its own, which does no I/O and reads no clock.
//!
//! Closed, everything is let through. After too many failures it opens: nothing is let through for a pause. Then one
//! request tries whether Anam works again, while the others are still refused. If that succeeds, it closes; if not, the next pause is
//! twice as long.

use std::time::{Duration, Instant};

/// Time in which failures are counted against all answers, in two halves.
const WINDOW: Duration = Duration::from_secs(10);
/// First and longest pause.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(16));
/// Failures are forgotten after this time without a report.
const STALE: Duration = Duration::from_mins(10);
/// When to come back while a trial is under way.
const DURING_TRIAL: Duration = Duration::from_secs(1);

/// When it opens, and how long a trial may take.
#[derive(Debug, Clone, Copy)]
pub struct BreakerRules {
    /// So many failures in a row; or twice as many within ten seconds, if at least half of all requests failed.
    pub failures: u32,
    /// Longer than any request takes: a trial without a report after this time is given up.
    pub trial: Duration,
}

/// What a request's end says about Anam.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Report {
    /// It answered, if only to refuse.
    Answered,
    /// It was out of reach, silent or broken.
    Failed,
}

/// A request that was let through. Its end is to be reported. The default is one of before the first change.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Passage {
    /// The breaker's number of changes at that time: what began before a change says nothing after it.
    epoch: u64,
    is_trial: bool,
}

impl Passage {
    /// Whether it tries if Anam works again.
    pub fn is_trial(self) -> bool {
        self.is_trial
    }
}

/// The state for one key.
#[derive(Debug, Clone)]
pub struct Breaker {
    rules: BreakerRules,
    state: State,
    epoch: u64,
    /// Pauses since it was last closed.
    pauses: u32,
    /// Failures since the last answer.
    in_row: u32,
    /// The half of the window that runs, and the one before.
    counts: [Counts; 2],
    /// When the running half began.
    since: Instant,
    /// When an end was last reported.
    reported: Instant,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Closed,
    /// Nothing passes until then.
    Open(Instant),
    /// One passes; it began then.
    Trial(Instant),
}

#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    all: u32,
    failed: u32,
}

impl Breaker {
    /// Closed.
    pub fn new(rules: BreakerRules, now: Instant) -> Self {
        Self {
            rules,
            state: State::Closed,
            epoch: 0,
            pauses: 0,
            in_row: 0,
            counts: [Counts::default(); 2],
            since: now,
            reported: now,
        }
    }

    pub fn is_closed(&self) -> bool {
        self.state == State::Closed
    }

    /// Whether it knows of no failure.
    pub fn is_as_new(&self) -> bool {
        self.is_closed() && self.in_row == 0 && self.failed_of_late() == 0
    }

    /// Whether its failures are long ago.
    pub fn is_stale(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.reported) >= STALE
    }

    fn failed_of_late(&self) -> u32 {
        let [running, before] = self.counts;
        running.failed.saturating_add(before.failed)
    }

    /// How long to wait before a request has a chance; `None` where one passes now.
    pub fn refusal(&self, now: Instant) -> Option<Duration> {
        match self.state {
            State::Closed => None,
            State::Open(until) => {
                Some(until.saturating_duration_since(now)).filter(|wait| !wait.is_zero())
            }
            State::Trial(since) => {
                let takes = now.saturating_duration_since(since);
                (takes < self.rules.trial).then_some(DURING_TRIAL)
            }
        }
    }

    /// Lets a request through, or says how long to wait.
    pub fn pass(&mut self, now: Instant) -> Result<Passage, Duration> {
        if let Some(wait) = self.refusal(now) {
            return Err(wait);
        }
        let is_trial = !self.is_closed();
        if is_trial {
            self.change(State::Trial(now));
        }
        Ok(Passage {
            epoch: self.epoch,
            is_trial,
        })
    }

    /// A request that was let through has ended.
    pub fn report(&mut self, passage: Passage, report: Report, now: Instant) {
        if passage.epoch != self.epoch {
            return;
        }
        self.reported = now;
        self.count(report, now);
        match (self.state, report) {
            (State::Closed, _) if self.has_enough() => self.open(now),
            (State::Trial(_), Report::Failed) => self.open(now),
            (State::Trial(_), Report::Answered) => {
                self.change(State::Closed);
                self.pauses = 0;
                self.counts = [Counts::default(); 2];
            }
            (State::Closed | State::Open(_), _) => {}
        }
    }

    fn count(&mut self, report: Report, now: Instant) {
        let age = now.saturating_duration_since(self.since);
        if age >= WINDOW / 2 {
            let [running, _] = self.counts;
            let before = if age < WINDOW {
                running
            } else {
                Counts::default()
            };
            self.counts = [Counts::default(), before];
            self.since = now;
        }
        let [running, _] = &mut self.counts;
        running.all = running.all.saturating_add(1);
        match report {
            Report::Answered => self.in_row = 0,
            Report::Failed => {
                running.failed = running.failed.saturating_add(1);
                self.in_row = self.in_row.saturating_add(1);
            }
        }
    }

    fn has_enough(&self) -> bool {
        let [running, before] = self.counts;
        let all = running.all.saturating_add(before.all);
        let failed = self.failed_of_late();
        self.in_row >= self.rules.failures
            || (failed >= self.rules.failures.saturating_mul(2) && failed >= all - failed)
    }

    fn open(&mut self, now: Instant) {
        let doubled = PAUSES.0.saturating_mul(1 << self.pauses.min(16));
        self.pauses = self.pauses.saturating_add(1);
        self.change(State::Open(now + doubled.min(PAUSES.1)));
    }

    fn change(&mut self, state: State) {
        self.state = state;
        self.epoch = self.epoch.wrapping_add(1);
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    const RULES: BreakerRules = BreakerRules {
        failures: 3,
        trial: Duration::from_secs(11),
    };

    #[derive(Debug, Clone, Copy)]
    enum Step {
        Wait(u64),
        Ask,
        /// The end of one of those under way.
        End(usize, bool),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            (1_u64..4_000).prop_map(Step::Wait),
            Just(Step::Ask),
            Just(Step::Ask),
            (any::<usize>(), any::<bool>())
                .prop_map(|(which, answered)| Step::End(which, answered)),
            any::<usize>().prop_map(|which| Step::End(which, false)),
        ];
        vec(step, 0..200)
    }

    struct World {
        breaker: Breaker,
        now: Instant,
        under_way: Vec<(Passage, Instant)>,
    }

    impl World {
        fn new() -> Self {
            let now = Instant::now();
            Self {
                breaker: Breaker::new(RULES, now),
                now,
                under_way: Vec::new(),
            }
        }

        fn ask(&mut self) -> Result<(), Duration> {
            let passage = self.breaker.pass(self.now)?;
            self.under_way.push((passage, self.now));
            Ok(())
        }

        fn end(&mut self, which: usize, report: Report) {
            if !self.under_way.is_empty() {
                let (passage, _) = self.under_way.remove(which % self.under_way.len());
                self.breaker.report(passage, report, self.now);
            }
        }
    }

    fn report(answered: bool) -> Report {
        if answered {
            Report::Answered
        } else {
            Report::Failed
        }
    }

    proptest! {
        #[test]
        fn who_waits_as_told_gets_through_unless_a_trial_is_under_way(steps in steps()) {
            let mut world = World::new();
            for step in steps {
                match step {
                    Step::Wait(ms) => world.now += Duration::from_millis(ms),
                    Step::End(which, answered) => world.end(which, report(answered)),
                    Step::Ask => if let Err(wait) = world.ask() {
                        prop_assert!(!wait.is_zero() && wait <= PAUSES.1);
                        let mut later = world.breaker.clone();
                        let in_trial = matches!(later.state, State::Trial(_));
                        let then = world.now + if in_trial { RULES.trial } else { wait };
                        prop_assert!(later.pass(then).is_ok());
                    }
                }
            }
        }

        #[test]
        fn one_at_a_time_tries_whether_anam_works_again(steps in steps()) {
            let mut world = World::new();
            for step in steps {
                match step {
                    Step::Wait(ms) => world.now += Duration::from_millis(ms),
                    Step::End(which, answered) => world.end(which, report(answered)),
                    Step::Ask => _ = world.ask(),
                }
                let young = |(passage, began): &&(Passage, Instant)| {
                    passage.is_trial && passage.epoch == world.breaker.epoch && world.now - *began < RULES.trial
                };
                prop_assert!(world.under_way.iter().filter(young).count() <= 1);
            }
        }

        #[test]
        fn it_opens_only_after_enough_failures_and_never_for_answers(steps in steps(), fails in any::<bool>()) {
            let mut world = World::new();
            let mut failed = 0;
            for step in steps {
                match step {
                    Step::Wait(ms) => world.now += Duration::from_millis(ms),
                    Step::End(which, answered) => {
                        failed += u32::from(!world.under_way.is_empty() && fails && !answered);
                        world.end(which, report(answered || !fails));
                    }
                    Step::Ask => if world.ask().is_err() {
                        prop_assert!(failed >= RULES.failures);
                    }
                }
            }
        }

        #[test]
        fn it_always_closes_once_anam_answers(steps in steps()) {
            let mut world = World::new();
            for step in steps {
                match step {
                    Step::Wait(ms) => world.now += Duration::from_millis(ms),
                    Step::End(which, answered) => world.end(which, report(answered)),
                    Step::Ask => _ = world.ask(),
                }
            }
            world.now += RULES.trial + PAUSES.1;
            let passage = world.breaker.pass(world.now).unwrap();
            world.breaker.report(passage, Report::Answered, world.now);
            prop_assert!(world.breaker.is_closed());
            // What began before the trouble may still fail.
            for (old, _) in world.under_way.drain(..) {
                if old.epoch != passage.epoch {
                    world.breaker.report(old, Report::Failed, world.now);
                }
            }
            prop_assert!(world.breaker.is_closed());
        }
    }

    #[test]
    fn pauses_double_and_begin_anew_after_an_answer() {
        let mut world = World::new();
        for _ in 0..2 {
            for _ in 0..RULES.failures {
                world.ask().unwrap();
                world.end(0, Report::Failed);
            }
            for seconds in [1, 2, 4, 8, 16, 16] {
                let wait = world.ask().unwrap_err();
                assert_eq!(wait, Duration::from_secs(seconds));
                world.now += wait;
                world.ask().unwrap();
                assert_eq!(world.ask().unwrap_err(), DURING_TRIAL);
                world.end(0, Report::Failed);
            }
            world.now += PAUSES.1;
            world.ask().unwrap();
            world.end(0, Report::Answered);
        }
    }

    #[test]
    fn failures_between_answers_open_it_when_they_are_half_of_a_crowd() {
        let mut world = World::new();
        for number in 0..2 * RULES.failures {
            world.ask().unwrap();
            world.end(0, Report::Answered);
            assert!(world.breaker.is_closed(), "after {number} failures");
            world.ask().unwrap();
            world.end(0, Report::Failed);
        }
        assert!(!world.breaker.is_closed());
        let mut slow = World::new();
        for _ in 0..20 {
            for answered in [true, false] {
                slow.ask().unwrap();
                slow.end(0, report(answered));
                slow.now += WINDOW / 8;
            }
        }
        assert!(slow.breaker.is_closed(), "too few at a time");
    }
}
