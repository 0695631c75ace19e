use proptest::prelude::*;
use uuid::Uuid;

use super::*;

fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + second, 0).unwrap()
}

fn id(seq: i64) -> ReleaseId {
    ReleaseId(Uuid::from_u64_pair(1, u64::try_from(seq).unwrap()))
}

fn row(seq: i64, second: i64, version: i32, way: Way, cancels: Option<i64>) -> Release {
    Release {
        id: id(seq),
        seq,
        live_from: at(second),
        version,
        way,
        cancels: cancels.map(id),
        percent: None,
    }
}

/// What somebody does at a moment: releases a version now or later, or calls one of the scheduled releases off.
#[derive(Debug, Clone)]
enum Act {
    Release {
        ahead: i64,
        version: i32,
        percent: Option<u8>,
    },
    Cancel(prop::sample::Index),
}

fn acts() -> impl Strategy<Value = Vec<(i64, Act)>> {
    let act = prop_oneof![
        3 => (prop_oneof![Just(0), 0..30_i64], 1..6_i32, proptest::option::of(1..=99_u8))
            .prop_map(|(ahead, version, percent)| Act::Release { ahead, version, percent }),
        1 => any::<prop::sample::Index>().prop_map(Act::Cancel),
    ];
    proptest::collection::vec((0..4_i64, act), 0..40)
}

/// What is live, and what is rolled out beside it.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Now {
    live: Option<i32>,
    rollout: Option<(i32, u8)>,
}

impl Now {
    fn take(&mut self, release: &Release) {
        match release.percent {
            None => {
                *self = Self {
                    live: Some(release.version),
                    rollout: None,
                };
            }
            Some(percent) if self.live.is_some() => {
                self.rollout = Some((release.version, percent));
            }
            Some(_) => {}
        }
    }
}

/// The rows that these acts leave, and what is live at each second, found by letting time pass.
fn played(acts: &[(i64, Act)]) -> (Vec<Release>, Vec<Now>) {
    let mut rows: Vec<Release> = Vec::new();
    let mut scheduled: Vec<Release> = Vec::new();
    let (mut now, mut history) = (Now::default(), Vec::new());
    let mut second = 0;
    let pass = |to: i64,
                second: &mut i64,
                scheduled: &mut Vec<Release>,
                now: &mut Now,
                history: &mut Vec<Now>| {
        while *second < to {
            history.push(*now);
            *second += 1;
            scheduled.retain(|release| {
                let due = release.live_from <= at(*second);
                if due {
                    now.take(release);
                }
                !due
            });
        }
    };
    for (wait, act) in acts {
        let to = second + wait;
        pass(to, &mut second, &mut scheduled, &mut now, &mut history);
        let seq = i64::try_from(rows.len()).unwrap() + 1;
        match act {
            Act::Release {
                ahead,
                version,
                percent,
            } => {
                let mut release = row(seq, second + ahead, *version, Way::Release, None);
                release.percent = *percent;
                rows.push(release.clone());
                if *ahead == 0 {
                    now.take(&release);
                } else {
                    scheduled.push(release);
                }
            }
            Act::Cancel(which) if !scheduled.is_empty() => {
                let called_off = scheduled.remove(which.index(scheduled.len()));
                let mut cancel = row(seq, 0, 99, Way::Cancel, Some(called_off.seq));
                cancel.live_from = called_off.live_from;
                rows.push(cancel);
            }
            Act::Cancel(_) => {}
        }
    }
    let to = second + 40;
    pass(to, &mut second, &mut scheduled, &mut now, &mut history);
    (rows, history)
}

proptest! {
    #[test]
    fn what_is_live_is_what_letting_time_pass_gives(acts in acts(), seed in any::<u64>()) {
        let (mut rows, history) = played(&acts);
        // The order in which rows are read says nothing.
        let turn = usize::try_from(seed % 97).unwrap() % rows.len().max(1);
        rows.rotate_left(turn);
        let timeline = Timeline::new(&rows);
        for (second, expected) in history.iter().enumerate() {
            let moment = at(i64::try_from(second).unwrap());
            let rollout = timeline.rollout(moment);
            let now = Now {
                live: timeline.live(moment).map(|release| release.version),
                rollout: rollout.map(|release| (release.version, release.percent.unwrap())),
            };
            prop_assert_eq!(now, *expected, "at {}", second);
            let (past, coming) = (timeline.until(moment), timeline.after(moment));
            prop_assert!(past.iter().all(|release| release.live_from <= moment));
            prop_assert!(coming.iter().all(|release| release.live_from > moment));
        }
    }
}

#[test]
fn what_was_released_while_a_cancelled_release_was_scheduled_stays() {
    // Version 2 for 17, version 3 now, and then version 2 is called off.
    let rows = [
        row(1, 0, 1, Way::Release, None),
        row(2, 17, 2, Way::Release, None),
        row(3, 5, 3, Way::Release, None),
        row(4, 17, 1, Way::Cancel, Some(2)),
    ];
    let timeline = Timeline::new(&rows);
    let live = |second| timeline.live(at(second)).map(|release| release.version);
    assert_eq!(
        [live(-1), live(0), live(16), live(17)],
        [None, Some(1), Some(3), Some(3)]
    );
    assert!(timeline.after(at(6)).is_empty());
}

#[test]
fn a_cancellation_of_an_earlier_release_of_the_gateway_names_nothing_and_calls_off_what_was_set_for_its_moment()
 {
    let rows = [
        row(1, 0, 1, Way::Release, None),
        row(2, 17, 2, Way::Release, None),
        row(3, 5, 3, Way::Release, None),
        row(4, 17, 1, Way::Cancel, None),
        // Set for the same moment afterwards.
        row(5, 17, 4, Way::Release, None),
        row(6, 18, 5, Way::Release, None),
    ];
    let live =
        |rows: &[Release], second| Timeline::new(rows).live(at(second)).map(|one| one.version);
    assert_eq!(live(&rows[..4], 17), Some(3));
    assert_eq!(live(&rows, 17), Some(4));
    assert_eq!(live(&rows, 18), Some(5));
}
