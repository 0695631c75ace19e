use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::domain::caller::{Facts, Subject};
use crate::domain::ids::{IssuerId, TenantId};

const PERSONAS: [&str; 6] = ["ada", "bea", "cleo", "dora", "eve", "finn"];

fn split(arms: &[(&str, u32)]) -> Split {
    let arms = arms.iter().map(|(persona, weight)| Arm {
        persona: Key::parse(persona).unwrap(),
        weight: *weight,
    });
    Split {
        split: arms.collect(),
    }
}

fn user(number: usize) -> Caller {
    Caller {
        tenant: TenantId(Uuid::from_u128(7)),
        issuer: IssuerId(Uuid::nil()),
        subject: Subject::parse(&format!("user-{number}")).unwrap(),
        facts: Facts::default(),
        left_out: std::collections::BTreeMap::default(),
    }
}

/// The persona of an arm and which of its arms: what an arm is known by.
fn drawn(split: &Split, caller: &Caller) -> (String, String) {
    let (persona, drawn) = arm(split, &Key::parse("trial").unwrap(), caller).unwrap();
    let index = drawn.arm;
    let turn = turn(split, index, &split.split[index]);
    (persona.as_str().to_owned(), turn)
}

/// Some arms, persons twice among them, with some weight.
fn arms() -> impl Strategy<Value = Vec<(&'static str, u32)>> {
    let arm = (0..PERSONAS.len(), 0..=10_000_u32);
    proptest::collection::vec(arm, 2..8)
        .prop_map(|arms| {
            let named = arms.into_iter().map(|(at, weight)| (PERSONAS[at], weight));
            named.collect::<Vec<_>>()
        })
        .prop_filter("some weight", |arms| {
            arms.iter().any(|(_, weight)| *weight > 0)
        })
}

proptest! {
    #[test]
    fn a_changed_weight_moves_users_only_to_its_arm_or_only_from_it(
        arms in arms(), at in any::<prop::sample::Index>(), weight in 0..=10_000_u32,
    ) {
        let at = at.index(arms.len());
        let (before, mut after) = (split(&arms), split(&arms));
        after.split[at].weight = weight;
        prop_assume!(after.split.iter().any(|arm| arm.weight > 0));
        let changed = (arms[at].0.to_owned(), turn(&before, at, &before.split[at]));
        for number in 0..200 {
            let caller = user(number);
            let (was, is) = (drawn(&before, &caller), drawn(&after, &caller));
            if was != is {
                let expected = if weight > arms[at].1 { &is } else { &was };
                prop_assert_eq!(expected, &changed);
            }
        }
    }

    #[test]
    fn an_arm_that_comes_takes_users_only_to_itself_wherever_it_is_put(
        arms in arms(), at in any::<prop::sample::Index>(), weight in 0..=10_000_u32,
    ) {
        let mut more = arms.clone();
        more.insert(at.index(arms.len() + 1), ("zoe", weight));
        let (before, after) = (split(&arms), split(&more));
        for number in 0..200 {
            let caller = user(number);
            let (was, is) = (drawn(&before, &caller), drawn(&after, &caller));
            prop_assert!(was == is || is.0 == "zoe", "{:?} became {:?}", was, is);
        }
    }

    #[test]
    fn the_order_of_arms_and_the_size_of_all_weights_say_nothing(arms in arms(), factor in 1..=20_u32) {
        let larger: Vec<_> = arms.iter().map(|(name, weight)| (*name, weight * factor)).collect();
        let mut sorted = arms.clone();
        // Stable: arms of the same persona keep their order, by which they are known.
        sorted.sort_by_key(|(name, _)| *name);
        let (one, scaled, sorted) = (split(&arms), split(&larger), split(&sorted));
        for number in 0..100 {
            let caller = user(number);
            prop_assert_eq!(drawn(&one, &caller), drawn(&scaled, &caller));
            prop_assert_eq!(drawn(&one, &caller), drawn(&sorted, &caller));
        }
    }

    #[test]
    fn the_logarithm_is_that_of_the_standard_library_and_never_grows(lot in any::<u64>(), other in any::<u64>()) {
        #[expect(clippy::cast_precision_loss, reason = "compared with less precision")]
        let (ours, theirs) = (
            negative_log2(lot) as f64 / (1_u64 << FRACTION) as f64,
            64.0 - ((lot as f64) + 1.0).log2(),
        );
        prop_assert!((ours - theirs).abs() < 1e-9, "{} {}", ours, theirs);
        let (low, high) = (lot.min(other), lot.max(other));
        prop_assert!(negative_log2(high) <= negative_log2(low));
    }
}

#[test]
fn the_ends_of_the_logarithm_are_exact() {
    assert_eq!(negative_log2(u64::MAX), 0);
    assert_eq!(negative_log2(0), 64 << FRACTION);
    assert_eq!(negative_log2((1 << 63) - 1), 1 << FRACTION);
    assert_eq!(negative_log2((1 << 62) - 1), 2 << FRACTION);
}

/// The share of 10,000 users that two splits give different arms. The users are the same each time, so this is no matter of
/// luck; of independent ones, the share would lie within four standard deviations, 0.02, but for one time in 16,000.
fn moved(before: &[(&str, u32)], after: &[(&str, u32)]) -> f64 {
    let (before, after) = (split(before), split(after));
    let moved = (0..10_000)
        .map(user)
        .filter(|caller| drawn(&before, caller) != drawn(&after, caller))
        .count();
    f64::from(u32::try_from(moved).unwrap()) / 10_000.0
}

#[test]
fn the_share_of_users_that_move_is_the_difference_of_the_shares() {
    for (before, after, expected) in [
        // A half becomes two thirds.
        (
            &[("ada", 1), ("bea", 1)][..],
            &[("ada", 2), ("bea", 1)][..],
            1.0 / 6.0,
        ),
        (&[("ada", 1), ("bea", 1)], &[("ada", 60), ("bea", 40)], 0.1),
        // Two thirds of a sixth leave each of the others.
        (
            &[("ada", 1), ("bea", 1), ("cleo", 1)],
            &[("ada", 2), ("bea", 1), ("cleo", 1)],
            1.0 / 6.0,
        ),
        // A third arm takes its third.
        (
            &[("ada", 1), ("bea", 1)],
            &[("ada", 1), ("bea", 1), ("cleo", 1)],
            1.0 / 3.0,
        ),
        (
            &[("ada", 90), ("bea", 10)],
            &[("ada", 90), ("bea", 10), ("cleo", 0)],
            0.0,
        ),
        (
            &[("ada", 99), ("bea", 1)],
            &[("ada", 100), ("bea", 0)],
            0.01,
        ),
        // The second arm of a persona counts as one of its own.
        (
            &[("ada", 1), ("bea", 1)],
            &[("ada", 1), ("bea", 1), ("ada", 2)],
            0.5,
        ),
    ] {
        let share = moved(before, after);
        assert!(
            (share - expected).abs() <= 0.02,
            "{before:?} to {after:?}: {share} instead of {expected}"
        );
    }
}

#[test]
fn each_arm_gets_the_share_of_its_weight() {
    let arms = [("ada", 6_000), ("bea", 3_000), ("cleo", 999), ("dora", 1)];
    let split = split(&arms);
    let mut counts = [0_u32; 4];
    for number in 0..10_000 {
        let (_, drawn) = arm(&split, &Key::parse("trial").unwrap(), &user(number)).unwrap();
        counts[drawn.arm] += 1;
        assert_eq!(drawn.weights, 10_000);
        let winner = drawn.scores[drawn.arm].unwrap();
        assert!(drawn.scores.iter().flatten().all(|score| winner <= *score));
    }
    for (count, (_, weight)) in counts.iter().zip(arms) {
        let share = f64::from(*count) / 10_000.0;
        let expected = f64::from(weight) / 10_000.0;
        assert!((share - expected).abs() <= 0.02, "{counts:?}");
    }
}

/// Users keep their arms over releases of the gateway. A failure here means that it moves them all.
#[test]
fn the_draw_is_the_same_in_each_release() {
    let split = split(&[("ada", 1), ("bea", 1), ("cleo", 1)]);
    let arms: Vec<usize> = (0..20)
        .map(|number| {
            let (_, drawn) = arm(&split, &Key::parse("trial").unwrap(), &user(number)).unwrap();
            drawn.arm
        })
        .collect();
    assert_eq!(
        arms,
        [1, 1, 1, 0, 1, 1, 0, 0, 2, 1, 0, 1, 2, 0, 0, 0, 0, 2, 0, 0]
    );
}
