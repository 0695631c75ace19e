//! How often and how much at once.

use std::time::Duration;

use futures_util::future::join;
use persona_gateway::dev::emulator::{Fault, FaultTarget};
use reqwest::{Method, Response};
use serde_json::json;

use crate::harness::tenants::{Tenant, add};
use crate::harness::wait::until;
use crate::harness::{TestApp, TestOptions, context, problem, spawn_with};

async fn limited(limits: &[(&str, &str)]) -> TestApp {
    spawn_with(TestOptions::set(limits)).await
}

/// One more is refused, and told when to come again.
async fn assert_limited(answer: Response, at_most: u64) {
    let after: u64 = answer.headers()["retry-after"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!((1..=at_most).contains(&after), "{after}");
    problem(answer, 429, "rate_limited").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_over_their_limit_waits_and_others_do_not() {
    let app = limited(&[("LIMITS__USER_MINTS_PER_MINUTE", "3")]).await;
    let (ann, bob) = (app.user("ann"), app.user("bob"));
    for _ in 0..3 {
        assert_eq!(app.mint(&ann, &context("sales")).await.status(), 200);
    }
    assert_limited(app.mint(&ann, &context("sales")).await, 20).await;
    assert_eq!(app.mints_asked(), 3);
    assert_eq!(app.mint(&bob, &context("sales")).await.status(), 200);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_over_its_limit_waits_whoever_asks() {
    let app = limited(&[("LIMITS__TENANT_MINTS_PER_MINUTE", "3")]).await;
    for user in ["a", "b", "c"] {
        let answer = app.mint(&app.user(user), &context("sales")).await;
        assert_eq!(answer.status(), 200);
    }
    assert_limited(app.mint(&app.user("d"), &context("sales")).await, 20).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenants_policy_sets_limits_of_its_own_which_hold_for_none_but_it() {
    let app = limited(&[]).await;
    let rival = Tenant::new("rival", None);
    add(&app, &rival).await;
    let limits = |limits: &str| {
        format!(
            r#"update tenant set policy = policy || '{{"limits": {limits}}}' where slug = 'demo'"#
        )
    };
    app.database
        .sql(&limits(r#"{"userPerMinute": 2, "perMinute": 3}"#))
        .await;
    app.settle("demo").await;
    let (ann, bob) = (app.user("ann"), app.user("bob"));
    for _ in 0..2 {
        assert_eq!(app.mint(&ann, &context("sales")).await.status(), 200);
    }
    assert_limited(app.mint(&ann, &context("sales")).await, 30).await;
    let other_door = app.request(Method::GET, "/v1/contexts", &ann).send();
    assert_limited(other_door.await.unwrap(), 30).await;
    assert_eq!(app.mint(&bob, &context("sales")).await.status(), 200);
    assert_limited(app.mint(&bob, &context("sales")).await, 20).await;
    app.wait_for_token(&rival.user("ann")).await;
    for _ in 0..5 {
        let other = app.mint(&rival.user("ann"), &json!({})).await;
        assert_eq!(other.status(), 200);
    }

    // Another policy counts anew.
    app.database.sql(&limits(r#"{"atOnce": 1}"#)).await;
    app.settle("demo").await;
    app.anam
        .fault(Fault::slow(FaultTarget::Mint, Duration::from_millis(500)));
    let (sales, late) = (context("sales"), context("sales"));
    let first = app.mint(&ann, &sales);
    let second = async {
        until("Anam is asked", Duration::from_secs(10), async || {
            (app.mints_asked() == 9).then_some(())
        })
        .await;
        app.mint(&bob, &late).await
    };
    let (first, second) = join(first, second).await;
    assert_eq!(first.status(), 200);
    problem(second, 503, "overloaded").await;
    app.anam.clear();
    assert_eq!(app.mint(&bob, &context("sales")).await.status(), 200);
    app.stop().await;
}

async fn from_address(app: &TestApp, forwarded: &[&str]) -> Response {
    let mut request = app.request(Method::GET, "/v1/contexts", "bad");
    for hop in forwarded {
        request = request.header("x-forwarded-for", *hop);
    }
    request.send().await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_over_its_limit_is_turned_away_before_its_token_is_looked_at() {
    let app = limited(&[("LIMITS__ADDRESS_REQUESTS_PER_MINUTE", "4")]).await;
    for fake in ["1.1.1.1", "2.2.2.2", "3.3.3.3", "4.4.4.4"] {
        assert_eq!(
            from_address(&app, &[fake]).await.status(),
            401,
            "no proxy is trusted"
        );
    }
    assert_limited(from_address(&app, &["5.5.5.5"]).await, 15).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_a_trusted_proxy_the_client_is_the_last_address_that_is_not_one() {
    let app = limited(&[
        ("LIMITS__ADDRESS_REQUESTS_PER_MINUTE", "2"),
        ("SERVER__TRUSTED_PROXIES", "127.0.0.0/8,10.0.0.0/8"),
    ])
    .await;
    for made_up in ["9.9.9.9", "8.8.8.8"] {
        let hops = format!("{made_up}, 203.0.113.7, 10.0.0.3");
        assert_eq!(from_address(&app, &[&hops]).await.status(), 401);
    }
    assert_limited(from_address(&app, &["7.7.7.7, 203.0.113.7"]).await, 30).await;
    assert_limited(
        from_address(&app, &["7.7.7.7", "203.0.113.7, 10.0.0.9"]).await,
        30,
    )
    .await;
    assert_eq!(
        from_address(&app, &["203.0.113.8"]).await.status(),
        401,
        "another client"
    );
    app.stop().await;
}

/// What the gateway answers to a request with these headers.
async fn with_headers(app: &TestApp, headers: &[(&str, &str)]) -> Response {
    let mut request = app.request(Method::GET, "/v1/contexts", "bad");
    for (name, value) in headers {
        request = request.header(*name, value.as_bytes());
    }
    request.send().await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn however_a_trusted_proxy_writes_a_client_it_is_counted_as_itself() {
    let app = limited(&[
        ("LIMITS__ADDRESS_REQUESTS_PER_MINUTE", "1"),
        ("SERVER__TRUSTED_PROXIES", "127.0.0.0/8,10.0.0.0/8,fd00::/8"),
    ])
    .await;
    let (x, forwarded) = ("x-forwarded-for", "forwarded");
    // Each line is a new client, and then the same client written in another way.
    for (first, second) in [
        ((x, "203.0.113.1:4711"), (x, "203.0.113.1")),
        ((x, "[2001:db8:1::1]:4711"), (x, "2001:db8:1::1")),
        (
            (x, "203.0.113.2, 10.0.0.3:80,"),
            (x, "6.6.6.6,203.0.113.2,, [fd00::1]:1"),
        ),
        ((x, "::ffff:203.0.113.3"), (x, "203.0.113.3")),
        ((x, "203.0.113.4, unix:"), (x, "203.0.113.4")),
        (
            (forwarded, "for=203.0.113.5"),
            (forwarded, "For=\"203.0.113.5:80\";proto=https"),
        ),
        (
            (forwarded, "for=\"[2001:db8:2::1]:4711\""),
            (forwarded, "for=\", for=\"[2001:db8:2::1]\""),
        ),
        (
            (forwarded, "for=203.0.113.6, for=10.1.1.1;by=_x"),
            (x, "203.0.113.6"),
        ),
        ((x, "203.0.113.7"), (x, "\u{fffd}\u{fffd}, 203.0.113.7")),
    ] {
        assert_eq!(
            with_headers(&app, &[first]).await.status(),
            401,
            "{first:?}"
        );
        assert_limited(with_headers(&app, &[second]).await, 60).await;
    }
    // Both may say the same.
    let both = [(x, "203.0.113.8"), (forwarded, "for=203.0.113.8")];
    assert_eq!(with_headers(&app, &both).await.status(), 401);
    assert_limited(with_headers(&app, &both[..1]).await, 60).await;
    // One may name proxies alone.
    let both = [(x, "10.1.1.1"), (forwarded, "for=203.0.113.9")];
    assert_eq!(with_headers(&app, &both).await.status(), 401);
    assert_limited(with_headers(&app, &both[1..]).await, 60).await;
    // Who is not named is nobody's neighbour.
    for _ in 0..3 {
        for hidden in [
            (forwarded, "for=unknown"),
            (forwarded, "for=_hidden"),
            (x, "unknown"),
        ] {
            assert_eq!(with_headers(&app, &[hidden]).await.status(), 401);
        }
    }
    // Nor does any of those count as the proxy.
    assert_eq!(with_headers(&app, &[]).await.status(), 401);
    assert_limited(with_headers(&app, &[]).await, 60).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_escapes_their_limit_or_uses_up_anothers_by_what_they_claim() {
    let (x, forwarded) = ("x-forwarded-for", "forwarded");
    let app = limited(&[
        ("LIMITS__ADDRESS_REQUESTS_PER_MINUTE", "2"),
        ("SERVER__TRUSTED_PROXIES", "127.0.0.0/8"),
    ])
    .await;
    // The proxy writes one of the two headers, behind what the client wrote there, and passes on the other.
    let attacker = "203.0.113.66";
    let by_x = format!("198.51.100.1, {attacker}");
    let by_forwarded = format!("for=198.51.100.1;host=\", for={attacker}");
    for _ in 0..2 {
        assert_eq!(with_headers(&app, &[(x, &by_x)]).await.status(), 401);
    }
    assert_limited(with_headers(&app, &[(x, &by_x)]).await, 30).await;
    assert_limited(with_headers(&app, &[(forwarded, &by_forwarded)]).await, 30).await;
    let mut passed = 0;
    for number in 0..20 {
        let made_up = format!("198.51.100.{number}");
        let made_up_too = format!("for={made_up}");
        for headers in [
            [(x, by_x.as_str()), (forwarded, made_up_too.as_str())],
            [(x, made_up.as_str()), (forwarded, by_forwarded.as_str())],
        ] {
            passed += u32::from(with_headers(&app, &headers).await.status() == 401);
        }
    }
    assert_eq!(passed, 2, "they count as the proxy, all together");
    assert_eq!(
        with_headers(&app, &[(x, "198.51.100.1")]).await.status(),
        401
    );
    app.stop().await;

    // From an address that is no proxy's, none of it is read.
    let app = limited(&[("LIMITS__ADDRESS_REQUESTS_PER_MINUTE", "2")]).await;
    for claim in [(forwarded, "for=198.51.100.1"), (x, "198.51.100.2:80")] {
        assert_eq!(with_headers(&app, &[claim]).await.status(), 401);
    }
    assert_limited(
        with_headers(&app, &[(forwarded, "for=198.51.100.3")]).await,
        30,
    )
    .await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_much_at_once_is_shed_and_the_place_is_free_again_afterwards() {
    for limit in ["LIMITS__TENANT_MINTS_IN_FLIGHT", "LIMITS__MINTS_IN_FLIGHT"] {
        let app = limited(&[(limit, "1")]).await;
        let (ann, bob) = (app.user("ann"), app.user("bob"));
        let slow = Fault::slow(FaultTarget::Mint, Duration::from_secs(1)).times(1);
        app.anam.fault(slow);
        let body = context("sales");
        let first = app.mint(&ann, &body);
        let second = async {
            app.anam
                .request_where(|request| request.path == "/v1/auth/session-token")
                .await;
            let answer = app.mint(&bob, &json!({})).await;
            assert_eq!(answer.headers()["retry-after"], "2");
            problem(answer, 503, "overloaded").await;
        };
        let (first, ()) = join(first, second).await;
        assert_eq!(first.status(), 200, "{limit}");
        until("the place is free", Duration::from_secs(5), || async {
            (app.mint(&bob, &json!({})).await.status() == 200).then_some(())
        })
        .await;
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_leaves_early_holds_its_place_no_longer_than_the_deadline() {
    let app = limited(&[
        ("LIMITS__MINTS_IN_FLIGHT", "1"),
        ("ANAM__CONNECT_TIMEOUT_MS", "300"),
        ("ANAM__TIMEOUT_MS", "300"),
    ])
    .await;
    let token = app.user("ann");
    let slow = Fault::slow(FaultTarget::Mint, Duration::from_secs(30)).times(1);
    app.anam.fault(slow);
    let body = context("sales");
    let asked = app
        .anam
        .request_where(|request| request.path == "/v1/auth/session-token");
    tokio::select! {
        _ = app.mint(&token, &body) => panic!("Anam is slow"),
        asked = asked => assert!(asked.is_some()),
    }
    until("the place is free", Duration::from_secs(5), || async {
        (app.mint(&token, &body).await.status() == 200).then_some(())
    })
    .await;
    let failed = "select code from session_outcome where outcome = 'failed'";
    let outcome = until("its outcome is written", Duration::from_secs(5), || async {
        app.database.rows(failed).await.pop()
    });
    assert_eq!(outcome.await["code"], "upstream_timeout");
    app.stop().await;
}
