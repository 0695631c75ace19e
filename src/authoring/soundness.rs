//! Whether a change leaves what is live sound: at the moment when it takes effect, and at every later one for which
//! something is scheduled. The state before is taken first, so that what was broken already blocks no change.

use chrono::{DateTime, Utc};

use super::live_set::{LiveSet, Name, broken_by};
use super::scenario::{Rollouts, Scenario, TestRun};
use crate::domain::fault::Fault;
use crate::domain::wrong::Wrong;
use crate::sources::SourceError;
use crate::tenants::change::Change;
use crate::tenants::refusal::Refusal;

/// What is live before a change.
pub(super) struct LiveBefore {
    moments: Vec<LiveState>,
}

struct LiveState {
    moment: DateTime<Utc>,
    live: LiveSet,
    tests: Vec<TestRun>,
    /// As for users who are in every rollout; empty where there is none.
    tests_in_rollouts: Vec<TestRun>,
}

impl LiveState {
    async fn at(change: &mut Change, moment: DateTime<Utc>) -> Result<Self, Refusal> {
        let tests = match Scenario::at(&mut change.tx, moment, &[]).await {
            Ok(scenario) => scenario.run_all_tests().await,
            // Nothing is served then, and no test says anything; the change may correct that.
            Err(SourceError::PolicyBroken(_)) => Vec::new(),
            Err(error) => return Err(error.into()),
        };
        let live = LiveSet::at(&mut change.tx, moment).await?;
        let tests_in_rollouts = if live.has_rollouts() {
            match Scenario::with(&mut change.tx, moment, &[], Rollouts::Everybody).await {
                Ok(scenario) => scenario.run_all_tests().await,
                Err(SourceError::PolicyBroken(_)) => Vec::new(),
                Err(error) => return Err(error.into()),
            }
        } else {
            Vec::new()
        };
        Ok(Self {
            moment,
            live,
            tests,
            tests_in_rollouts,
        })
    }
}

impl LiveBefore {
    /// Takes the state before a change that takes effect at `from`. The tenant's documents are locked.
    pub(super) async fn take(change: &mut Change, from: DateTime<Utc>) -> Result<Self, Refusal> {
        let mut moments = vec![LiveState::at(change, from).await?];
        for moment in change.tx.coming_moments(from).await? {
            moments.push(LiveState::at(change, moment).await?);
        }
        Ok(Self { moments })
    }

    /// What the change, which was made meanwhile in the same transaction, would break beside the documents that it is about:
    /// faults and failed tests that were not there before. Its own documents are examined by the caller.
    pub(super) async fn broken(
        self,
        change: &mut Change,
        about: &[Name],
    ) -> Result<Vec<Fault>, Refusal> {
        let mut broken = Vec::new();
        for (index, before) in self.moments.iter().enumerate() {
            let after = LiveState::at(change, before.moment).await?;
            // Later on, something else may be scheduled for these documents.
            let about = if index == 0 { about } else { &[] };
            let found = broken_by(&before.live, &after.live, about);
            let failed = failed_tests(&before.tests, &after.tests, about);
            let in_rollouts = if before.tests_in_rollouts.is_empty() {
                &before.tests
            } else {
                &before.tests_in_rollouts
            };
            let mut failed_there = failed_tests(in_rollouts, &after.tests_in_rollouts, about);
            for fault in &mut failed_there {
                fault.message.push_str(" (for users in the rollouts)");
            }
            for mut fault in found.into_iter().chain(failed).chain(failed_there) {
                if index > 0 {
                    let at = before.moment.to_rfc3339();
                    fault.message =
                        format!("{} (at {at}, when something is scheduled)", fault.message);
                }
                broken.push(fault);
            }
        }
        Ok(broken)
    }
}

fn failed_tests(before: &[TestRun], after: &[TestRun], about: &[Name]) -> Vec<Fault> {
    let mut failed = Vec::new();
    for run in after.iter().filter(|run| !run.passed()) {
        let same = |other: &&TestRun| {
            (other.kind, &other.key, &other.name) == (run.kind, &run.key, &run.name)
        };
        let passed_before = before.iter().find(same).is_some_and(TestRun::passed);
        if about.contains(&(run.kind, run.key.clone())) || !passed_before {
            continue;
        }
        let (test, kind, key) = (&run.name, run.kind.as_str(), &run.key);
        failed.extend(run.failures.iter().map(|fault| {
            Fault::new(
                "",
                Wrong::FailsTest {
                    test: test.clone(),
                    kind,
                    name: key.to_string(),
                    why: fault.to_string(),
                },
            )
        }));
    }
    failed
}
