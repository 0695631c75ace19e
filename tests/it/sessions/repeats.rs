//! Requests for a token that are sent again with the same `Idempotency-Key`.

use std::time::Duration;

use futures_util::future::join_all;
use persona_gateway::dev::emulator::{Fault, FaultTarget};
use reqwest::Method;
use serde_json::json;

use crate::harness::repeats::{answer, mint_with};
use crate::harness::wait::until;
use crate::harness::{TestApp, context, problem, spawn};

async fn sessions(app: &TestApp) -> usize {
    app.database.rows("select id from session").await.len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_that_asks_twice_at_once_takes_one_token() {
    let app = spawn().await;
    let user = app.user("user-1");
    let support = context("support");
    let asked = (0..8).map(|_| mint_with(&app, &user, "mount-1", &support));
    let answers = join_all(join_all(asked).await.into_iter().map(answer)).await;
    for other in &answers {
        assert_eq!(other, &answers[0]);
    }
    assert_eq!(app.mints_asked(), 1);
    assert_eq!(sessions(&app).await, 1);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeat_gets_the_first_token_whatever_is_new_in_the_users_jwt_and_at_either_address() {
    let app = spawn().await;
    let body = json!({ "context": "support", "metadata": {} });
    let first = answer(mint_with(&app, &app.user("user-1"), "one", &body).await).await;
    let renewed = app.user_with("user-1", json!({ "name": "Renewed" }));
    let same = json!({ "metadata": {}, "context": "support" });
    assert_eq!(
        answer(mint_with(&app, &renewed, "one", &same).await).await,
        first
    );
    let drop_in = app.request(Method::POST, "/api/session-token", &renewed);
    let drop_in = drop_in.header("idempotency-key", "one").json(&same);
    let drop_in = answer(drop_in.send().await.unwrap()).await;
    assert_eq!(drop_in, json!({ "sessionToken": first["sessionToken"] }));
    assert_eq!(app.mints_asked(), 1);

    let other_key = answer(mint_with(&app, &renewed, "two", &body).await).await;
    let other_user = answer(mint_with(&app, &app.user("user-2"), "one", &body).await).await;
    let no_key = answer(app.mint(&renewed, &body).await).await;
    let mut tokens = [&first, &other_key, &other_user, &no_key].map(|one| &one["sessionToken"]);
    tokens.sort_by_key(ToString::to_string);
    assert!(tokens.windows(2).all(|pair| pair[0] != pair[1]));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_says_one_thing() {
    let app = spawn().await;
    let user = app.user("user-1");
    answer(mint_with(&app, &user, "k", &context("support")).await).await;
    let other = mint_with(&app, &user, "k", &context("sales")).await;
    problem(other, 422, "idempotency_key_reused").await;
    for bad in ["", &"x".repeat(256), "a\tb"] {
        let answer = mint_with(&app, &user, bad, &context("support")).await;
        let told = problem(answer, 422, "invalid_request").await;
        let message = told["errors"][0]["message"].as_str().unwrap();
        assert!(message.contains("Idempotency-Key"), "{message}");
    }
    // Who is not known learns nothing of headers.
    let stranger = mint_with(&app, "no.jwt.here", "", &context("support")).await;
    assert_eq!(stranger.status(), 401);
    assert_eq!(app.mints_asked(), 1);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_got_nothing_can_be_sent_again_with_its_key() {
    let app = spawn().await;
    let user = app.user("user-1");
    let support = context("support");
    app.anam
        .fault(Fault::status(FaultTarget::Mint, 403).times(1));
    let refused = mint_with(&app, &user, "k", &support).await;
    assert!(refused.status().is_server_error(), "{}", refused.status());
    let first = answer(mint_with(&app, &user, "k", &support).await).await;
    assert_eq!(
        answer(mint_with(&app, &user, "k", &support).await).await,
        first
    );
    assert_eq!(sessions(&app).await, 2);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_its_page_never_got_is_given_to_the_repeat() {
    let app = spawn().await;
    let user = app.user("user-1");
    let support = context("support");
    app.anam
        .fault(Fault::slow(FaultTarget::Mint, Duration::from_millis(500)));
    {
        let lost = mint_with(&app, &user, "k", &support);
        let asked = until("Anam is asked", Duration::from_secs(10), async || {
            (app.mints_asked() == 1).then_some(())
        });
        tokio::select! {
            _ = lost => panic!("Anam is slow"),
            () = asked => {}
        }
    }
    answer(mint_with(&app, &user, "k", &support).await).await;
    assert_eq!(app.mints_asked(), 1);
    assert_eq!(sessions(&app).await, 1);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeat_is_counted_apart_and_is_held_to_the_tenants_origins() {
    let app = spawn().await;
    let user = app.user("user-1");
    let support = context("support");
    for _ in 0..3 {
        answer(mint_with(&app, &user, "k", &support).await).await;
    }
    let metrics = app.metrics().await;
    for (outcome, count) in [("issued", 1), ("repeated", 2)] {
        let line = format!("gateway_mint_total{{outcome=\"{outcome}\"}} {count}");
        assert!(metrics.contains(&line), "{line}: {metrics}");
    }
    let request = app.request(Method::POST, "/v1/session-token", &user);
    let request = request
        .header("idempotency-key", "k")
        .header("origin", "https://evil.example");
    let refused = request.json(&support).send().await.unwrap();
    problem(refused, 403, "origin_not_allowed").await;
    app.stop().await;
}
