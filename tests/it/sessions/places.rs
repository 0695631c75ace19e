//! Places of Anam's keys: never more than there are, tenants in turn, and free again when a conversation has ended.

use std::time::Duration;

use chrono::TimeDelta;
use futures_util::future::join_all;
use persona_gateway::clock::Clock;
use persona_gateway::dev::emulator::{Fault, FaultTarget};
use persona_gateway::domain::role::Role;
use reqwest::{Method, Response};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use sqlx::Executor;

use crate::harness::app::PLATFORM_KEY;
use crate::harness::cli::Folder;
use crate::harness::logs::logged;
use crate::harness::metrics::value;
use crate::harness::postgres::TestDatabase;
use crate::harness::tenants::{Tenant, add};
use crate::harness::wait::until;
use crate::harness::wire::Wire;
use crate::harness::{TestApp, TestOptions, context, problem, spawn, spawn_with};

const PATIENCE: Duration = Duration::from_secs(20);

fn options(places: &str) -> TestOptions {
    TestOptions::set(&[("ANAM__PLACES", places)])
}

/// A service whose platform key has so many places, on a clock that the test moves.
async fn spawn_at(places: &str) -> (TestApp, Clock) {
    let clock = Clock::manual(Clock::system().now());
    let app = spawn_with(TestOptions {
        clock: Some(clock.clone()),
        ..options(places)
    })
    .await;
    (app, clock)
}

async fn mint(app: &TestApp, user: &str) -> Response {
    app.mint(&app.user(user), &context("support")).await
}

async fn token(app: &TestApp, user: &str) -> String {
    let answer = mint(app, user).await;
    assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
    let answer: Value = answer.json().await.unwrap();
    answer["sessionToken"].as_str().unwrap().to_owned()
}

async fn refused(answer: Response) -> Value {
    assert!(answer.headers().contains_key("retry-after"));
    problem(answer, 429, "places_taken").await
}

/// Asks until a user is served, and gives the token.
async fn until_served(app: &TestApp, user: &str) -> String {
    let user = app.user(user);
    let answer = until("there is a place", PATIENCE, async || {
        let answer = app.mint(&user, &context("support")).await;
        (answer.status() == 200).then_some(answer)
    });
    let answer: Value = answer.await.json().await.unwrap();
    answer["sessionToken"].as_str().unwrap().to_owned()
}

/// Sets the limits of the demo tenant's policy.
async fn set_limits(app: &TestApp, limits: &Value) {
    app.patch_policy(&json!({ "limits": limits })).await;
}

/// Another tenant with the platform's key.
async fn rival(app: &TestApp) -> Tenant {
    let tenant = Tenant::new("rival", None);
    add(app, &tenant).await;
    tenant
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_instances_give_out_exactly_the_places_that_there_are() {
    let app = spawn_with(options("5")).await;
    let mut others = Vec::new();
    for _ in 0..2 {
        let options = TestOptions {
            database: Some(app.database.clone()),
            no_demo: true,
            ..options("5")
        };
        others.push(spawn_with(options).await);
    }
    let all = [&app, &others[0], &others[1]];
    let users: Vec<String> = (0..30).map(|n| app.user(&format!("user-{n}"))).collect();
    let support = context("support");
    let asked = users
        .iter()
        .enumerate()
        .map(|(n, user)| all[n % 3].mint(user, &support));
    let mut positions = Vec::new();
    let mut issued = 0;
    for answer in join_all(asked).await {
        match answer.status().as_u16() {
            200 => issued += 1,
            _ => positions.push(refused(answer).await["position"].as_u64().unwrap()),
        }
    }
    assert_eq!(issued, 5);
    positions.sort_unstable();
    assert_eq!(positions, (1..=25).collect::<Vec<_>>());
    assert_eq!(app.database.rows("select from place").await.len(), 5);
    for other in others {
        other.stop().await;
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_place_is_free_again_when_its_conversation_has_ended_or_none_began_in_time() {
    let (app, clock) = spawn_at("2").await;
    let ann = app.begin_conversation(&token(&app, "ann").await).await;
    token(&app, "bob").await;
    let told = refused(mint(&app, "carl").await).await;
    assert_eq!(told["position"], 1);
    assert!(told.get("estimatedWaitSeconds").is_none(), "{told}");

    app.end_conversation(&ann).await;
    clock.advance(TimeDelta::seconds(10));
    until_served(&app, "carl").await;
    // Bob and Carl never begin, so what they have is free after a minute.
    clock.advance(TimeDelta::seconds(70));
    let ann = app.begin_conversation(&token(&app, "ann").await).await;
    // A conversation that goes on keeps its place.
    clock.advance(TimeDelta::seconds(10));
    until("Anam was asked", PATIENCE, async || {
        let begun = app.database.rows("select from place where begun").await;
        (begun.len() == 1).then_some(())
    })
    .await;
    clock.advance(TimeDelta::minutes(5));
    token(&app, "dora").await;
    let told = refused(mint(&app, "emil").await).await;
    // The one conversation that ended lasted a moment.
    assert_eq!(told["estimatedWaitSeconds"], 1, "{told}");
    app.end_conversation(&ann).await;
    clock.advance(TimeDelta::seconds(20));
    until_served(&app, "emil").await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn turns_go_round_tenants_whoever_came_first() {
    let app = spawn_with(options("1")).await;
    let late = rival(&app).await.user("late");
    let held = app.begin_conversation(&token(&app, "user-0").await).await;
    // A crowd of the demo tenant waits before the other tenant's user comes.
    for n in 1..=5 {
        let told = refused(mint(&app, &format!("user-{n}")).await).await;
        assert_eq!(told["position"], n);
    }
    let told = refused(app.mint(&late, &json!({})).await).await;
    assert_eq!(told["position"], 1);
    app.end_conversation(&held).await;
    let crowd: Vec<String> = (1..=5).map(|n| app.user(&format!("user-{n}"))).collect();
    // Nobody loses a turn by asking all the time, and nobody gets one.
    until("the place is the other tenant's", PATIENCE, async || {
        for user in &crowd {
            let answer = app.mint(user, &context("support")).await;
            assert_eq!(answer.status(), 429);
        }
        let answer = app.mint(&late, &json!({})).await;
        (answer.status() == 200).then_some(())
    })
    .await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operators_guarantee_places_and_limit_them() {
    let app = spawn_with(options("3")).await;
    let rival = rival(&app).await;
    let late = rival.user("late");
    let operator = app.operator("op@example.com").await;
    let put = async |slug: &str, share: Value| {
        let path = format!("/v1/operator/tenants/{slug}/places");
        app.tell(Method::PUT, &path, &operator, &share).await
    };
    assert_eq!(put("rival", json!({ "guaranteed": 1 })).await.status(), 200);
    let refusal = put("demo", json!({ "guaranteed": 3 })).await;
    let refusal = problem(refusal, 422, "invalid_request").await;
    assert_eq!(refusal["errors"][0]["pointer"], "/guaranteed", "{refusal}");
    problem(
        put("demo", json!({ "guaranteed": 2, "most": 1 })).await,
        422,
        "invalid_request",
    )
    .await;
    problem(put("nobody", json!({})).await, 404, "not_found").await;

    token(&app, "ann").await;
    token(&app, "bob").await;
    // The third is kept.
    refused(mint(&app, "carl").await).await;
    assert_eq!(app.mint(&late, &json!({})).await.status(), 200);

    let listed = app
        .ask(Method::GET, "/v1/operator/tenants", &operator)
        .await;
    let listed: Value = listed.json().await.unwrap();
    let listed = listed["items"].as_array().unwrap();
    let listed = listed.iter().find(|tenant| tenant["slug"] == "rival");
    assert_eq!(
        listed.unwrap()["places"],
        json!({ "guaranteed": 1, "most": null })
    );
    let all = app.ask(Method::GET, "/v1/operator/places", &operator).await;
    let all: Value = all.json().await.unwrap();
    assert_eq!(all, json!({ "places": 3, "taken": 3, "waiting": 1 }));
    let viewer = app.admin_key("demo", Role::Viewer).await;
    let own = app.ask(Method::GET, "/v1/admin/places", &viewer).await;
    let own: Value = own.json().await.unwrap();
    assert_eq!(
        own,
        json!({ "counted": true, "taken": 2, "waiting": 1, "most": null, "guaranteed": 0 })
    );
    until("the metrics say so", PATIENCE, async || {
        let page = app.metrics().await;
        let at = |state: &str| {
            value(
                &page,
                &format!("gateway_platform_places{{state=\"{state}\"}}"),
            )
        };
        (page.contains("gateway_platform_places{")
            && [at("all"), at("taken"), at("waiting")] == [3, 3, 1])
        .then_some(())
    })
    .await;

    assert_eq!(
        put("rival", json!({ "guaranteed": 0, "most": 1 }))
            .await
            .status(),
        200
    );
    let told = refused(app.mint(&rival.user("more"), &json!({})).await).await;
    assert!(
        told["detail"]
            .as_str()
            .unwrap()
            .starts_with("Others have all"),
        "{told}"
    );
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_limits_conversations_of_a_tenant_and_of_each_user() {
    let app = spawn().await;
    let limits = json!({ "conversations": 2, "userConversations": 1 });
    set_limits(&app, &limits).await;
    token(&app, "ann").await;
    let told = refused(mint(&app, "ann").await).await;
    assert!(told.get("position").is_none(), "{told}");
    assert!(
        told["detail"].as_str().unwrap().contains("end one first"),
        "{told}"
    );
    // A failure takes nothing.
    app.anam
        .fault(Fault::status(FaultTarget::Mint, 403).times(1));
    assert!(mint(&app, "bob").await.status().is_server_error());
    token(&app, "bob").await;
    assert_eq!(refused(mint(&app, "carl").await).await["position"], 1);
    // Test calls take places too.
    let editor = app.admin_key("demo", Role::Editor).await;
    let asked = json!({ "context": "support", "user": { "facts": {} } });
    let call = app.tell(Method::POST, "/v1/admin/test-calls", &editor, &asked);
    refused(call.await).await;
    // A larger limit holds at once, also for who was just refused.
    set_limits(&app, &json!({ "conversations": 3 })).await;
    token(&app, "carl").await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_with_a_key_of_its_own_takes_none_of_the_platforms_places() {
    let key = "anam-key-of-the-rival-0123";
    let app = spawn_with(TestOptions {
        anam_keys: vec![key.to_owned()],
        ..options("1")
    })
    .await;
    let tenant = Tenant::new("rival", Some(key));
    add(&app, &tenant).await;
    let other = tenant.user("ann");
    app.wait_for_token(&other).await;
    for _ in 0..3 {
        assert_eq!(app.mint(&other, &json!({})).await.status(), 200);
    }
    token(&app, "ann").await;
    refused(mint(&app, "bob").await).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conversations_that_the_gateway_knows_nothing_of_take_places_too() {
    let (app, clock) = spawn_at("2").await;
    let address = format!("{}/v1/auth/session-token", app.anam.url());
    let (ann, support) = (app.user("ann"), context("support"));
    let mut config = app.minted_config(&ann, &support).await;
    config["clientLabel"] = "somebody else's".into();
    let minted = app.http.post(address).bearer_auth(PLATFORM_KEY);
    let minted = minted.json(&config).send().await.unwrap();
    let minted: Value = minted.json().await.unwrap();
    let outside = app
        .begin_conversation(minted["sessionToken"].as_str().unwrap())
        .await;
    clock.advance(TimeDelta::seconds(5));
    until("Anam was asked", PATIENCE, async || {
        let seen = "select from place_line where elsewhere = 1";
        (app.database.rows(seen).await.len() == 1).then_some(())
    })
    .await;
    refused(mint(&app, "bob").await).await;
    app.end_conversation(&outside).await;
    clock.advance(TimeDelta::seconds(5));
    until_served(&app, "bob").await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_places_are_given_than_anam_says_it_allows() {
    // Anam is asked once: the clock stands still.
    let (app, _clock) = spawn_at("3").await;
    token(&app, "ann").await;
    until("Anam was asked", PATIENCE, async || {
        let told = "select from place_line where elsewhere is not null";
        (app.database.rows(told).await.len() == 1).then_some(())
    })
    .await;
    app.database.sql("update place_line set places = 1").await;
    refused(mint(&app, "bob").await).await;
    // One for whoever waits, and one more.
    app.database.sql("update place_line set places = 3").await;
    token(&app, "carl").await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_comes_back_too_early_is_told_again_from_memory_and_a_silent_database_stops_nobody()
{
    let app = spawn_with(options("1")).await;
    token(&app, "ann").await;
    refused(mint(&app, "bob").await).await;
    let mut hand = app.database.owner().await;
    hand.execute("begin").await.unwrap();
    hand.execute("select from place_line for update")
        .await
        .unwrap();
    // Somebody holds the line by hand: only what is in memory is told.
    refused(mint(&app, "bob").await).await;
    assert_eq!(
        value(&app.metrics().await, "gateway_places_not_counted_total"),
        0
    );
    token(&app, "carl").await;
    assert_eq!(
        value(&app.metrics().await, "gateway_places_not_counted_total"),
        1
    );
    assert!(logged().contains("tokens are given without counting their conversations"));
    hand.execute("rollback").await.unwrap();
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_tells_whose_a_place_is_once_the_user_was_erased() {
    let app = spawn_with(options("1")).await;
    token(&app, "ann").await;
    refused(mint(&app, "bob").await).await;
    let owner = app.admin_key("demo", Role::Owner).await;
    for user in ["ann", "bob"] {
        let path = format!("/v1/admin/users/{user}:erase");
        let erased = app.ask(Method::POST, &path, &owner).await;
        assert!(erased.status().is_success(), "{}", erased.status());
    }
    let theirs = "where subject in (sha256('ann'), sha256('bob'))";
    for table in ["place", "place_wait"] {
        let sql = format!("select from {table} {theirs}");
        assert!(app.database.rows(&sql).await.is_empty(), "{table}");
    }
    // The conversation may go on.
    assert_eq!(app.database.rows("select from place").await.len(), 1);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_database_is_away_known_users_go_on_as_fast_as_without_places() {
    let (database, spool) = (TestDatabase::create_with_demo().await, Folder::new());
    let wire = Wire::to(&database.login_url).await;
    let folder = spool.path().to_str().unwrap();
    let mut options = TestOptions::set(&[("ANAM__PLACES", "1000"), ("OUTAGE__SPOOL", folder)]);
    let url = wire.url().expose_secret().to_owned();
    options.env.push(("DATABASE_URL".to_owned(), url));
    options.database = Some(database);
    let app = spawn_with(options).await;
    for user in ["ann", "bob"] {
        token(&app, user).await;
    }
    wire.silence().await;
    let (ann, bob, support) = (app.user("ann"), app.user("bob"), context("support"));
    let users = (0..20).map(|n| if n % 2 == 0 { &ann } else { &bob });
    let asked = users.map(|user| app.mint(user, &support));
    for answer in join_all(asked).await {
        assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
    }
    wire.mend().await;
    app.stop().await;
}
