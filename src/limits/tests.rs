use futures_util::FutureExt;

use super::*;
use crate::domain::caller::Subject;
use crate::domain::ids::IssuerId;
use uuid::Uuid;

fn caller(tenant: u128, subject: &str) -> Caller {
    Caller {
        tenant: TenantId(Uuid::from_u128(tenant)),
        issuer: IssuerId(Uuid::nil()),
        subject: Subject::parse(subject).unwrap(),
        facts: std::collections::BTreeMap::default(),
        left_out: std::collections::BTreeMap::default(),
    }
}

#[tokio::test]
async fn a_user_over_their_limit_leaves_others_alone() {
    let limits = Limits::new(LimitOptions {
        user_per_minute: NonZeroU32::new(2),
        ..LimitOptions::default()
    });
    for _ in 0..2 {
        assert!(limits.admit(&caller(1, "ann")).await.is_ok());
    }
    assert!(matches!(
        limits.admit(&caller(1, "ann")).await,
        Err(TooMany::Often { .. })
    ));
    assert!(limits.admit(&caller(1, "bob")).await.is_ok());
    assert!(limits.admit(&caller(2, "ann")).await.is_ok());
}

#[tokio::test]
async fn a_tenants_requests_under_way_are_counted_until_they_end() {
    let limits = Limits::new(LimitOptions {
        tenant_in_flight: NonZeroU32::new(1),
        ..LimitOptions::default()
    });
    let first = limits.admit(&caller(1, "ann")).await.unwrap();
    assert!(matches!(
        limits.admit(&caller(1, "bob")).await,
        Err(TooMany::AtOnce { .. })
    ));
    assert!(limits.admit(&caller(2, "cid")).await.is_ok());
    drop(first);
    assert!(limits.admit(&caller(1, "bob")).await.is_ok());
}

#[tokio::test]
async fn admin_requests_under_way_are_counted_by_tenant_and_before_that_by_address() {
    let limits = Limits::new(LimitOptions {
        admin_in_flight: NonZeroU32::new(1),
        ..LimitOptions::default()
    });
    let (here, there) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
    let at_door = limits.admit_admin_address(here).await.unwrap();
    let mut next = Box::pin(limits.admit_admin_address(here));
    assert!(next.as_mut().now_or_never().is_none(), "it waits");
    assert!(limits.admit_admin_address(there).await.is_ok());
    drop(at_door);
    assert!(next.await.is_ok());

    let (one, other) = (TenantId(Uuid::from_u128(1)), TenantId(Uuid::from_u128(2)));
    let inside = limits.admit_admin(one).await.unwrap();
    let mut next = Box::pin(limits.admit_admin(one));
    assert!(next.as_mut().now_or_never().is_none(), "it waits");
    assert!(limits.admit_admin(other).await.is_ok());
    drop(inside);
    let inside = next.await.unwrap();
    let full = limits.admit_admin(one).await.unwrap_err();
    assert_eq!(full.limit(), Limit::AdminInFlight);
    drop(inside);
}

#[tokio::test]
async fn admin_requests_over_their_rate_wait_for_a_place_in_it_where_it_is_near() {
    let limits = |rate| {
        Limits::new(LimitOptions {
            admin_per_minute: NonZeroU32::new(rate),
            ..LimitOptions::default()
        })
    };
    let tenant = TenantId(Uuid::from_u128(1));
    // A hundred in a second, fifty at once.
    let quick = limits(6_000);
    for _ in 0..50 {
        quick.admit_admin(tenant).await.unwrap();
    }
    assert!(
        quick.admit_admin(tenant).now_or_never().is_none(),
        "it waits"
    );
    quick.admit_admin(tenant).await.unwrap();
    // One in twenty seconds.
    let slow = limits(3);
    slow.admit_admin(tenant).await.unwrap();
    let refused = slow.admit_admin(tenant).await.unwrap_err();
    assert!(matches!(
        refused,
        TooMany::Often { limit: Limit::Admin, retry_after } if retry_after > Duration::from_secs(10)
    ));
    let other = TenantId(Uuid::from_u128(2));
    slow.admit_admin(other).await.unwrap();
}

#[tokio::test]
async fn no_more_look_for_a_place_in_the_rate_than_may_be_under_way() {
    let limits = Limits::new(LimitOptions {
        admin_per_minute: NonZeroU32::new(3),
        admin_in_flight: NonZeroU32::new(1),
        ..LimitOptions::default()
    });
    let tenant = TenantId(Uuid::from_u128(1));
    let inside = limits.admit_admin(tenant).await.unwrap();
    let mut next = Box::pin(limits.admit_admin(tenant));
    assert!(
        next.as_mut().now_or_never().is_none(),
        "it stands in the line, though its rate would refuse it"
    );
    drop(inside);
    assert_eq!(next.await.unwrap_err().limit(), Limit::Admin);
}

#[tokio::test]
async fn addresses_of_one_ipv6_network_are_one() {
    let limits = Limits::new(LimitOptions {
        address_per_minute: NonZeroU32::new(1),
        ..LimitOptions::default()
    });
    for (address, is_new) in [
        ("2001:db8::1", true),
        ("2001:db8::2", false),
        ("2001:db8:0:1::1", true),
    ] {
        let admitted = limits.admit_address(address.parse().unwrap()).await;
        assert_eq!(admitted.is_ok(), is_new, "{address}");
    }
}
