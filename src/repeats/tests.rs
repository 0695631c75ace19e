use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use futures_util::FutureExt;
use uuid::Uuid;

use super::*;
use crate::domain::caller::Subject;

fn caller(tenant: u128, subject: &str) -> Caller {
    Caller {
        tenant: TenantId(Uuid::from_u128(tenant)),
        issuer: IssuerId(Uuid::from_u128(9)),
        subject: Subject::parse(subject).unwrap(),
        facts: BTreeMap::new(),
        left_out: BTreeMap::new(),
    }
}

fn request(context: &str) -> MintRequest {
    MintRequest {
        context: Some(context.to_owned()),
        ..MintRequest::default()
    }
}

fn issued(session: u128) -> Arc<Issued> {
    let now = DateTime::<Utc>::UNIX_EPOCH;
    Arc::new(Issued {
        token: SessionToken::check("eyJhbGciOiJIUzI1NiJ9.e30.c2ln".to_owned(), now).unwrap(),
        session: SessionId(Uuid::from_u128(session)),
        context: Key::parse("support").unwrap(),
        persona: Key::parse("assistant").unwrap(),
        persona_version: 1,
        persona_name: "Ava".to_owned(),
    })
}

/// The claim of a request that is the first with its key.
async fn first(repeats: &Repeats, caller: &Caller, key: &str) -> Claim {
    match repeats.judge(caller, key, &request("support")).await {
        Ok(Repeat::First(claim)) => claim,
        other => panic!("it is the first: {other:?}"),
    }
}

async fn is_again(repeats: &Repeats, caller: &Caller, key: &str) -> bool {
    let judged = repeats.judge(caller, key, &request("support")).await;
    matches!(judged, Ok(Repeat::Again(_)))
}

#[tokio::test]
async fn a_key_is_its_users_own() {
    let repeats = Repeats::default();
    let ann = caller(1, "ann");
    first(&repeats, &ann, "k").await.keep(issued(1));
    assert!(is_again(&repeats, &ann, "k").await);
    assert!(!is_again(&repeats, &ann, "l").await);
    assert!(!is_again(&repeats, &caller(1, "bob"), "k").await);
    assert!(!is_again(&repeats, &caller(2, "ann"), "k").await);
    let of_another_issuer = Caller {
        issuer: IssuerId(Uuid::from_u128(8)),
        ..caller(1, "ann")
    };
    assert!(!is_again(&repeats, &of_another_issuer, "k").await);
}

#[tokio::test]
async fn a_repeat_waits_for_the_first_and_takes_its_place_if_that_got_nothing() {
    let repeats = Repeats::default();
    let ann = caller(1, "ann");
    let claim = first(&repeats, &ann, "k").await;
    let support = request("support");
    let mut second = Box::pin(repeats.judge(&ann, "k", &support));
    assert!(second.as_mut().now_or_never().is_none());
    drop(claim);
    assert!(matches!(second.await, Ok(Repeat::First(_))));
}

#[tokio::test]
async fn a_key_of_an_answered_request_is_refused_for_another_one() {
    let repeats = Repeats::default();
    let ann = caller(1, "ann");
    drop(first(&repeats, &ann, "k").await);
    let sales = repeats.judge(&ann, "k", &request("sales")).await;
    let Ok(Repeat::First(claim)) = sales else {
        panic!("nothing was answered so far: {sales:?}")
    };
    claim.keep(issued(1));
    let support = repeats.judge(&ann, "k", &request("support")).await;
    assert_eq!(support.unwrap_err(), KeyReused);
}

#[test]
fn a_key_counts_for_a_minute() {
    let mut tenants = Tenants::default();
    let call = Call {
        issuer: IssuerId(Uuid::from_u128(9)),
        user: SubjectDigest::of(&Subject::parse("ann").unwrap()),
        key: [1; 32],
    };
    let (tenant, start) = (TenantId(Uuid::from_u128(1)), Instant::now());
    let first = tenants.find(tenant, call, start);
    assert!(Arc::ptr_eq(
        &first,
        &tenants.find(tenant, call, start + KEPT / 2)
    ));
    let later = tenants.find(tenant, call, start + KEPT);
    assert!(!Arc::ptr_eq(&first, &later));
    tenants.forget_old(tenant, start + 2 * KEPT);
    assert_eq!(tenants.count, 0);
    assert!(tenants.calls.is_empty());
}

#[tokio::test]
async fn a_tenant_that_sends_very_many_keys_forgets_its_own() {
    let repeats = Repeats::default();
    let (ann, bob) = (caller(1, "ann"), caller(2, "bob"));
    first(&repeats, &bob, "k").await.keep(issued(1));
    for number in 0..=MOST {
        drop(first(&repeats, &ann, &number.to_string()).await);
    }
    assert_eq!(repeats.tenants().count, MOST);
    assert!(is_again(&repeats, &bob, "k").await);
}
