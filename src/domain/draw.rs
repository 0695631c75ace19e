//! Who gets what by chance, and keeps it: the draw among the arms of a split, and who is in a rollout.
//!
//! Each arm runs a race of its own for each user: a hash of the user and the arm gives a number `u` in (0, 1], and the arm's
//! score is `-log2(u) / weight`. The smallest score wins (rendezvous hashing with weights). An arm wins with a chance of its
//! weight over the sum of all weights, and what the others do never changes its score. So a larger weight only brings
//! users to its own arm, a smaller one only takes users from it, an arm that comes only takes its own share, one that goes only
//! gives its own away, and the order of the arms says nothing.
//!
//! Scores are integers, compared by multiplying crosswise: the same on each machine, and for each release.

use std::cmp::Ordering;

use aws_lc_rs::digest::{Context, SHA256};

use super::caller::Caller;
use super::key::Key;
use super::rules::{Arm, Split};
use super::trace::SplitDrawn;

/// Binary digits behind the point of `-log2(u)`.
const FRACTION: u32 = 48;

/// One arm in a user's race.
#[derive(Clone, Copy)]
struct Runner<'a> {
    arm: usize,
    persona: &'a Key,
    /// `-log2(u)`, in units of 2^-48; at most 64.
    time: u64,
    /// Above 0.
    weight: u32,
}

impl Runner<'_> {
    /// By score; the arm that is first wins a tie.
    fn compare(&self, other: &Self) -> Ordering {
        let mine = u128::from(self.time) * u128::from(other.weight);
        let theirs = u128::from(other.time) * u128::from(self.weight);
        mine.cmp(&theirs).then(self.arm.cmp(&other.arm))
    }
}

/// The arm that a user gets of a split in this context. `None` for a split without weight, which no reader lets through.
pub(super) fn arm<'a>(
    split: &'a Split,
    context: &Key,
    caller: &Caller,
) -> Option<(&'a Key, SplitDrawn)> {
    let runners = split.split.iter().enumerate().map(|(index, arm)| {
        let turn = turn(split, index, arm);
        Runner {
            arm: index,
            persona: &arm.persona,
            time: negative_log2(lot(
                caller,
                &["arm", context.as_str(), arm.persona.as_str(), &turn],
            )),
            weight: arm.weight,
        }
    });
    let runners: Vec<Runner<'_>> = runners.collect();
    let running = runners.iter().filter(|runner| runner.weight > 0);
    let winner = running.min_by(|one, other| one.compare(other))?;
    let drawn = SplitDrawn {
        arm: winner.arm,
        weights: split.split.iter().map(|arm| u64::from(arm.weight)).sum(),
        scores: runners.iter().map(score).collect(),
        bucket: None,
    };
    Some((winner.persona, drawn))
}

/// Tells arms of the same persona apart: how many of them are before this one.
fn turn(split: &Split, index: usize, arm: &Arm) -> String {
    let before = split.split.iter().take(index);
    let same = before.filter(|other| other.persona == arm.persona).count();
    same.to_string()
}

/// For the trace, where six digits say enough. `None` without weight.
fn score(runner: &Runner<'_>) -> Option<f64> {
    #[expect(
        clippy::cast_precision_loss,
        reason = "rounded anyway, and nothing is decided with it"
    )]
    let time = runner.time as f64 / (1_u64 << FRACTION) as f64;
    let score = time / f64::from(runner.weight);
    (runner.weight > 0).then(|| (score * 1e6).round() / 1e6)
}

/// Where a user falls in the rollouts of a document, 0 to 99: they are in while the percentage is larger. It is the same for
/// each of them, so who is in stays in when the percentage grows.
pub(super) fn bucket(kind: &str, key: &Key, caller: &Caller) -> u8 {
    let lot = u128::from(lot(caller, &["rollout", kind, key.as_str()]));
    u8::try_from((lot * 100) >> 64).unwrap_or(u8::MAX)
}

/// A number that follows from the user and from what is drawn for them, and that nobody can steer or foresee otherwise.
fn lot(caller: &Caller, what: &[&str]) -> u64 {
    let mut hash = Context::new(&SHA256);
    let tenant = caller.tenant.to_string();
    let parts = [tenant.as_str(), caller.subject.as_str()];
    for part in parts.iter().chain(what) {
        hash.update(&(part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let hash = hash.finish();
    let first = hash.as_ref().iter().take(8);
    first.fold(0, |sum, byte| (sum << 8) | u64::from(*byte))
}

/// `-log2((lot + 1) / 2^64)` in units of 2^-48, rounded up: bit by bit, by squaring the mantissa.
fn negative_log2(lot: u64) -> u64 {
    let number = u128::from(lot) + 1;
    let whole = number.ilog2();
    // From 1 up to 2, with 63 digits behind the point.
    let mut mantissa = if whole > 63 {
        number >> (whole - 63)
    } else {
        number << (63 - whole)
    };
    let mut log = u64::from(whole);
    for _ in 0..FRACTION {
        mantissa = (mantissa * mantissa) >> 63;
        log <<= 1;
        if mantissa >> 64 != 0 {
            mantissa >>= 1;
            log |= 1;
        }
    }
    (64 << FRACTION) - log
}

#[cfg(test)]
mod tests;
