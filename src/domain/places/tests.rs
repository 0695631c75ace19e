use std::collections::{BTreeMap, VecDeque};

use chrono::TimeDelta;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;

fn tenant(number: u8) -> TenantId {
    TenantId(Uuid::from_u128(number.into()))
}

fn share(number: u8, taken: u32, waiting: u32) -> Share {
    Share {
        taken,
        waiting,
        ..Share::new(tenant(number))
    }
}

fn line(capacity: u32, shares: Vec<Share>) -> Line {
    Line {
        capacity: Some(capacity),
        elsewhere: 0,
        shares,
    }
}

fn asking(number: u8, before: u32) -> Asking {
    Asking {
        tenant: tenant(number),
        before,
        own: 0,
        own_most: None,
    }
}

fn waits(whose: Whose, position: u32) -> Result<(), Wait> {
    Err(Wait { whose, position })
}

#[test]
fn a_place_is_given_while_one_is_free_and_nobody_comes_first() {
    assert_eq!(line(2, vec![share(1, 1, 0)]).judge(asking(1, 0)), Ok(()));
    let full = line(2, vec![share(1, 2, 0)]);
    assert_eq!(full.judge(asking(1, 0)), waits(Whose::Key, 1));
    // A newcomer does not take what somebody waits for.
    let awaited = line(2, vec![share(1, 1, 1)]);
    assert_eq!(awaited.judge(asking(1, 1)), waits(Whose::Key, 2));
    assert_eq!(awaited.judge(asking(1, 0)), Ok(()));
    // What is taken elsewhere is not free.
    let mut elsewhere = line(2, vec![share(1, 1, 0)]);
    elsewhere.elsewhere = 1;
    assert_eq!(elsewhere.judge(asking(1, 0)), waits(Whose::Key, 1));
}

#[test]
fn who_has_fewer_places_comes_before_a_crowd() {
    // Tenant 1 has three of four, and a hundred users who wait. Of tenant 2 one user comes.
    let crowd = line(4, vec![share(1, 3, 100)]);
    assert_eq!(crowd.judge(asking(2, 0)), Ok(()));
    let full = line(4, vec![share(1, 4, 100)]);
    assert_eq!(full.judge(asking(2, 0)), waits(Whose::Key, 1));
    // Its fifth user comes after the first of the crowd, since both would have five then, and tenant 1 is first among equals.
    assert_eq!(full.judge(asking(2, 4)), waits(Whose::Key, 6));
}

#[test]
fn among_equals_the_one_who_was_served_less_lately_is_next() {
    let long_ago = Some(DateTime::UNIX_EPOCH);
    let lately = Some(DateTime::UNIX_EPOCH + TimeDelta::hours(1));
    let mut shares = vec![share(1, 0, 1), share(2, 0, 1)];
    shares[0].served_at = lately;
    shares[1].served_at = long_ago;
    let line = line(1, shares);
    assert_eq!(line.judge(asking(1, 0)), waits(Whose::Key, 2));
    assert_eq!(line.judge(asking(2, 0)), Ok(()));
    // Who never was served is first of all.
    assert_eq!(line.judge(asking(3, 0)), Ok(()));
}

#[test]
fn what_is_guaranteed_is_kept_and_what_a_tenant_may_have_is_not_exceeded() {
    let mut shares = vec![share(1, 2, 0), share(2, 0, 0)];
    shares[1].guaranteed = 2;
    let kept = line(4, shares.clone());
    assert_eq!(kept.judge(asking(1, 0)), waits(Whose::Key, 1));
    assert_eq!(kept.judge(asking(2, 0)), Ok(()));
    assert_eq!(kept.judge(asking(2, 1)), Ok(()));
    // Its third is not guaranteed.
    assert_eq!(kept.judge(asking(2, 2)), waits(Whose::Key, 1));
    // Somebody who waits for a guaranteed place comes before everybody else.
    shares[1].waiting = 1;
    let waiting = line(2, shares.clone());
    assert_eq!(waiting.judge(asking(1, 0)), waits(Whose::Key, 2));

    shares[0].most = Some(2);
    let most = line(10, shares);
    assert_eq!(most.judge(asking(1, 0)), waits(Whose::Tenant, 1));
    assert_eq!(most.judge(asking(1, 3)), waits(Whose::Tenant, 4));
}

#[test]
fn a_user_may_be_limited_where_nothing_else_is() {
    let open = Line {
        capacity: None,
        elsewhere: 0,
        shares: Vec::new(),
    };
    let mut user = asking(1, 0);
    user.own = 1;
    assert_eq!(open.judge(user), Ok(()));
    user.own_most = Some(1);
    assert_eq!(open.judge(user), waits(Whose::User, 1));
}

fn shares() -> impl Strategy<Value = Vec<Share>> {
    let one = (
        0..4_u32,
        prop::option::of(0..8_u32),
        0..6_u32,
        0..6_u32,
        0..3_i64,
    );
    prop::collection::vec(one, 1..5).prop_map(|shares| {
        let numbered = shares.into_iter().zip(1..);
        let shares = numbered.map(|((guaranteed, most, taken, waiting, at), number)| Share {
            guaranteed,
            most,
            taken,
            waiting,
            served_at: Some(DateTime::UNIX_EPOCH + TimeDelta::hours(at)),
            tenant: tenant(number),
        });
        shares.collect()
    })
}

/// What everybody who waits is told, by tenant and how many of its users come first.
fn all_who_wait(line: &Line) -> Vec<(TenantId, u32, Result<(), Wait>)> {
    let mut told = Vec::new();
    for (index, share) in line.shares.iter().enumerate() {
        for before in 0..share.waiting {
            // The one who asks is not among those who wait.
            let mut seen = line.clone();
            seen.shares[index].waiting -= 1;
            let asking = Asking {
                tenant: share.tenant,
                before,
                own: 0,
                own_most: None,
            };
            told.push((share.tenant, before, seen.judge(asking)));
        }
    }
    told
}

proptest! {
    /// If all who may have a place now take it at once, no more are taken than there are, and nobody has more than they may.
    #[test]
    fn no_more_are_let_in_than_there_are_places(capacity in 0..20_u32, elsewhere in 0..3_u32, shares in shares()) {
        let line = Line { capacity: Some(capacity), elsewhere, shares };
        let taken: u32 = line.shares.iter().map(|share| share.taken).sum();
        let free = capacity.saturating_sub(taken + elsewhere);
        let told = all_who_wait(&line);
        let let_in = told.iter().filter(|(.., told)| told.is_ok());
        let mut by_tenant = BTreeMap::<TenantId, u32>::new();
        for (tenant, ..) in let_in {
            *by_tenant.entry(*tenant).or_default() += 1;
        }
        prop_assert!(by_tenant.values().sum::<u32>() <= free);
        for share in &line.shares {
            let has = share.taken + by_tenant.get(&share.tenant).copied().unwrap_or(0);
            prop_assert!(has <= share.most.unwrap_or(u32::MAX).max(share.taken));
        }
    }

    /// Those who wait for places of the key have positions that are all different.
    #[test]
    fn nobody_shares_a_position(capacity in 0..20_u32, shares in shares()) {
        let line = Line { capacity: Some(capacity), elsewhere: 0, shares };
        let mut positions: Vec<u32> = all_who_wait(&line)
            .into_iter()
            .filter_map(|(.., told)| told.err())
            .filter(|wait| wait.whose == Whose::Key)
            .map(|wait| wait.position)
            .collect();
        positions.sort_unstable();
        let all = positions.len();
        positions.dedup();
        prop_assert_eq!(positions.len(), all, "{:?}", positions);
    }

    /// A free place that somebody may have is given to somebody who waits: the line never stands still.
    #[test]
    fn a_free_place_does_not_stay_free(capacity in 1..20_u32, shares in shares()) {
        let line = Line { capacity: Some(capacity), elsewhere: 0, shares };
        let taken: u32 = line.shares.iter().map(|share| share.taken).sum();
        let kept: u32 = line.shares.iter().map(Share::unused).sum();
        let told = all_who_wait(&line);
        let could = told.iter().any(|(.., told)| !matches!(told, Err(Wait { whose: Whose::Tenant, .. })));
        prop_assume!(could && capacity > taken + kept);
        prop_assert!(told.iter().any(|(.., told)| told.is_ok()), "{:?}", told);
    }
}

/// With one place, a tenant with a crowd and one with a single user who comes again and again take turns.
#[test]
fn tenants_take_turns_whatever_their_crowds() {
    let mut now = DateTime::UNIX_EPOCH;
    let mut served = [None; 2];
    let mut got = VecDeque::new();
    for _ in 0..10 {
        now += TimeDelta::seconds(1);
        let mut shares = vec![share(1, 0, 50), share(2, 0, 1)];
        shares[0].served_at = served[0];
        shares[1].served_at = served[1];
        let line = line(1, shares);
        let next: Vec<_> = all_who_wait(&line)
            .into_iter()
            .filter(|(.., told)| told.is_ok())
            .collect();
        assert_eq!(next.len(), 1, "{next:?}");
        let index = usize::from(next[0].0 == tenant(2));
        served[index] = Some(now);
        got.push_back(index);
    }
    assert_eq!(got, [0, 1, 0, 1, 0, 1, 0, 1, 0, 1]);
}
