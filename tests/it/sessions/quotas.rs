//! Quotas of a tenant and of its users: they hold exactly, however many instances count, and take nothing for what was not used.

use std::time::Duration;

use chrono::TimeDelta;
use futures_util::future::{join, join_all};
use persona_gateway::clock::Clock;
use persona_gateway::dev::emulator::{Fault, FaultTarget};
use persona_gateway::domain::role::Role;
use reqwest::{Method, Response};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use sqlx::Executor;

use crate::harness::cli::Folder;
use crate::harness::logs::logged;
use crate::harness::postgres::TestDatabase;
use crate::harness::smtp::MailServer;
use crate::harness::tenants::{Tenant, add};
use crate::harness::wait::until;
use crate::harness::wire::Wire;
use crate::harness::{TestApp, TestOptions, context, problem, spawn, spawn_with};

const PATIENCE: Duration = Duration::from_secs(10);

/// Sets the demo tenant's quotas.
async fn set_quotas(app: &TestApp, quotas: &Value) {
    app.patch_policy(&json!({ "quotas": quotas })).await;
}

async fn mint(app: &TestApp, user: &str) -> Response {
    app.mint(&app.user(user), &context("support")).await
}

async fn minted(app: &TestApp, user: &str) -> Response {
    let answer = mint(app, user).await;
    assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
    answer
}

fn header(answer: &Response, name: &str) -> String {
    let value = answer.headers().get(name);
    value.map_or_else(String::new, |value| value.to_str().unwrap().to_owned())
}

/// What is left, by the names of the quotas, of a user or of all.
async fn left(app: &TestApp, path: &str, credential: &str) -> Vec<(String, i64)> {
    let answer = app.ask(Method::GET, path, credential).await;
    assert_eq!(answer.status(), 200);
    let body: Value = answer.json().await.unwrap();
    let quotas = body["quotas"].as_array().unwrap().iter();
    quotas
        .map(|quota| {
            let name = quota["name"].as_str().unwrap().to_owned();
            (name, quota["left"].as_i64().unwrap())
        })
        .collect()
}

/// Waits until so much is left of a tenant's only quota.
async fn until_left(app: &TestApp, viewer: &str, expected: i64) {
    until("what was not used is given back", PATIENCE, async || {
        let left = left(app, "/v1/admin/quotas", viewer).await;
        (left[0].1 == expected).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_instances_that_count_at_once_give_out_exactly_what_may_be_used() {
    let app = spawn().await;
    let instances = [app.second().await, app.second().await];
    let quotas = json!({ "tenant": { "sessionsPerDay": 20 }, "user": { "sessionsPerMonth": 3 } });
    set_quotas(&app, &quotas).await;
    for other in &instances {
        other.settle("demo").await;
    }
    let all = [&app, &instances[0], &instances[1]];
    let users: Vec<String> = (0..9).map(|n| app.user(&format!("user-{n}"))).collect();
    let support = context("support");
    // Each user asks ten times, and each instance in turn.
    let user = |n: usize| n / 3 % 9;
    let asked = (0..90).map(|n| all[n % 3].mint(&users[user(n)], &support));
    let mut issued = [0; 9];
    for (n, answer) in join_all(asked).await.into_iter().enumerate() {
        match answer.status().as_u16() {
            200 => issued[user(n)] += 1,
            _ => drop(problem(answer, 429, "quota_reached").await),
        }
    }
    assert_eq!(issued.iter().sum::<i32>(), 20, "{issued:?}");
    assert!(issued.iter().all(|user| *user <= 3), "{issued:?}");
    let recorded = app.database.rows("select id from session").await;
    assert_eq!(recorded.len(), 20, "a session without a token is none");
    let sql = "select day_sessions from quota_use where subject = ''";
    assert_eq!(app.database.rows(sql).await[0]["day_sessions"], 20);
    for other in instances {
        other.stop().await;
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_is_told_what_is_left_of_their_own_quotas_and_nothing_of_the_others() {
    let app = spawn().await;
    let quotas = json!({
        "tenant": { "sessionsPerDay": 1_000 },
        "user": { "sessionsPerDay": 2, "sessionsPerMonth": 40 },
    });
    set_quotas(&app, &quotas).await;
    let first = minted(&app, "ann").await;
    assert_eq!(header(&first, "ratelimit-limit"), "2");
    assert_eq!(header(&first, "ratelimit-remaining"), "1");
    let reset: i64 = header(&first, "ratelimit-reset").parse().unwrap();
    assert!((0..=86_400).contains(&reset), "{reset}");
    let policy = header(&first, "ratelimit-policy");
    assert!(
        policy.starts_with(r#""sessions-per-day";q=2;w=86400, "sessions-per-month";q=40;w=2"#),
        "{policy}"
    );
    let all = header(&first, "ratelimit");
    assert!(
        all.starts_with(&format!(
            r#""sessions-per-day";r=1;t={reset}, "sessions-per-month";r=39;t="#
        )),
        "{all}"
    );
    assert_eq!(
        header(&minted(&app, "ann").await, "ratelimit-remaining"),
        "0"
    );

    let refused = mint(&app, "ann").await;
    assert_eq!(header(&refused, "ratelimit-remaining"), "0");
    let wait: i64 = header(&refused, "retry-after").parse().unwrap();
    assert!((1..=86_400).contains(&wait), "{wait}");
    let told = problem(refused, 429, "quota_reached").await;
    let detail = told["detail"].as_str().unwrap();
    assert!(
        detail.starts_with(
            "The 2 sessions that a user may have in a day are used up; the next day begins at 20"
        ),
        "{detail}"
    );
    assert_eq!(
        header(&minted(&app, "bob").await, "ratelimit-remaining"),
        "1"
    );

    let (ann, viewer) = (app.user("ann"), app.admin_key("demo", Role::Viewer).await);
    let expected = [
        ("sessionsPerDay".to_owned(), 0),
        ("sessionsPerMonth".to_owned(), 38),
    ];
    assert_eq!(left(&app, "/v1/me/quotas", &ann).await, expected);
    assert_eq!(
        left(&app, "/v1/admin/users/ann/quotas", &viewer).await,
        expected
    );
    assert_eq!(
        left(&app, "/v1/admin/quotas", &viewer).await,
        [("sessionsPerDay".to_owned(), 997)]
    );
    let whole = left(&app, "/v1/admin/users/carl/quotas", &viewer).await;
    assert_eq!(whole[0].1, 2, "who never came has all of it");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failures_repeats_and_test_calls_take_nothing() {
    let app = spawn().await;
    set_quotas(&app, &json!({ "tenant": { "sessionsPerMonth": 10 } })).await;
    let viewer = app.admin_key("demo", Role::Viewer).await;
    app.anam
        .fault(Fault::status(FaultTarget::Mint, 403).times(1));
    assert!(mint(&app, "ann").await.status().is_server_error());
    until_left(&app, &viewer, 10).await;

    for _ in 0..3 {
        let request = app.request(Method::POST, "/v1/session-token", &app.user("ann"));
        let request = request
            .header("idempotency-key", "k")
            .json(&context("support"));
        assert_eq!(request.send().await.unwrap().status(), 200);
    }
    until_left(&app, &viewer, 9).await;

    let editor = app.admin_key("demo", Role::Editor).await;
    let asked = json!({ "context": "support", "user": { "facts": {} } });
    let call = app.tell(Method::POST, "/v1/admin/test-calls", &editor, &asked);
    let call = call.await;
    assert!(call.status().is_success(), "{}", call.text().await.unwrap());
    minted(&app, "ann").await;
    until_left(&app, &viewer, 8).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_goes_on_asking_costs_anam_nothing_and_a_larger_quota_holds_at_once() {
    let app = spawn().await;
    set_quotas(&app, &json!({ "user": { "sessionsPerDay": 1 } })).await;
    minted(&app, "ann").await;
    problem(mint(&app, "ann").await, 429, "quota_reached").await;
    let asked = app.mints_asked();
    for _ in 0..20 {
        problem(mint(&app, "ann").await, 429, "quota_reached").await;
    }
    assert_eq!(app.mints_asked(), asked);
    set_quotas(&app, &json!({ "user": { "sessionsPerDay": 2 } })).await;
    minted(&app, "ann").await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_day_begins_with_all_of_it() {
    let clock = Clock::manual(Clock::system().now());
    let app = spawn_with(TestOptions {
        clock: Some(clock.clone()),
        ..TestOptions::default()
    })
    .await;
    set_quotas(&app, &json!({ "user": { "sessionsPerDay": 1 } })).await;
    minted(&app, "ann").await;
    let refused = mint(&app, "ann").await;
    let wait: i64 = header(&refused, "retry-after").parse().unwrap();
    clock.advance(TimeDelta::seconds(wait));
    let tomorrow = minted(&app, "ann").await;
    assert_eq!(header(&tomorrow, "ratelimit-remaining"), "0");
    problem(mint(&app, "ann").await, 429, "quota_reached").await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_somebody_holds_stops_its_tenant_and_nobody_else() {
    let app = spawn().await;
    let rival = Tenant::new("rival", None);
    add(&app, &rival).await;
    let other = rival.user("ann");
    app.wait_for_token(&other).await;
    set_quotas(&app, &json!({ "tenant": { "sessionsPerDay": 100 } })).await;
    minted(&app, "ann").await;
    let mut hand = app.database.owner().await;
    hand.execute("begin").await.unwrap();
    hand.execute("select from quota_use for update")
        .await
        .unwrap();
    let support = json!({});
    let (held, served) = join(mint(&app, "ann"), app.mint(&other, &support)).await;
    problem(held, 503, "unavailable").await;
    assert_eq!(served.status(), 200, "{}", served.text().await.unwrap());
    hand.execute("rollback").await.unwrap();
    minted(&app, "ann").await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_fifths_of_a_tenants_quota_are_warned_of_once() {
    let app = spawn().await;
    // A number of its own: the logs and the demo tenant's id are those of all tests.
    set_quotas(&app, &json!({ "tenant": { "sessionsPerDay": 7 } })).await;
    for n in 0..7 {
        minted(&app, &format!("user-{n}")).await;
    }
    problem(mint(&app, "one-more").await, 429, "quota_reached").await;
    let logged = logged();
    let warnings = logged.lines().filter(|line| {
        line.contains("a tenant's quota is nearly used up") && line.contains(r#""most":7"#)
    });
    let warnings: Vec<_> = warnings.collect();
    assert_eq!(warnings.len(), 1, "{warnings:#?}");
    assert!(warnings[0].contains(r#""left":1"#), "{}", warnings[0]);
    assert!(
        app.metrics()
            .await
            .contains("gateway_quota_warnings_total 1\n")
    );
    let tenant = app.tenant("demo").await;
    let series = format!(
        r#"gateway_tenant_quota_left_ratio{{tenant="{tenant}",quota="sessionsPerDay"}} 0.0"#
    );
    let page = app.metrics().await;
    assert!(page.contains(&series), "{series}: {page}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn minutes_that_a_session_did_not_last_come_back() {
    // At noon, so that two hours later it is the same month.
    let noon = Clock::system().now().date_naive().and_hms_opt(12, 0, 0);
    let clock = Clock::manual(noon.unwrap().and_utc());
    let app = spawn_with(TestOptions {
        clock: Some(clock.clone()),
        ..TestOptions::default()
    })
    .await;
    // The demo's sessions last half an hour at most.
    set_quotas(&app, &json!({ "user": { "minutesPerMonth": 70 } })).await;
    let first = minted(&app, "ann").await;
    assert_eq!(header(&first, "ratelimit-remaining"), "40");
    let second = minted(&app, "ann").await;
    assert_eq!(header(&second, "ratelimit-remaining"), "10");
    let told = problem(mint(&app, "ann").await, 429, "quota_reached").await;
    let detail = told["detail"].as_str().unwrap();
    assert!(
        detail.starts_with(
            "Of the 70 minutes that a user may have in a month, 10 are left, fewer than a session may last"
        ),
        "{detail}"
    );

    // One is used for a moment, the other never.
    let first: Value = first.json().await.unwrap();
    let token = first["sessionToken"].as_str().unwrap();
    let conversation = app.begin_conversation(token).await;
    app.end_conversation(&conversation).await;
    clock.advance(TimeDelta::hours(2));
    let ann = app.user("ann");
    until("both are known", Duration::from_secs(30), || async {
        let left = left(&app, "/v1/me/quotas", &ann).await[0].1;
        (left >= 69).then_some(())
    })
    .await;
    let holds = app.database.rows("select from quota_hold").await;
    assert!(holds.is_empty(), "each is found out once");
    // What was found used up is believed for a few seconds.
    until("there is room again", Duration::from_secs(30), || async {
        (mint(&app, "ann").await.status() == 200).then_some(())
    })
    .await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_user_who_is_erased_no_use_is_left_and_the_tenants_stays() {
    let app = spawn().await;
    let quotas = json!({ "tenant": { "minutesPerDay": 100 }, "user": { "minutesPerDay": 70 } });
    set_quotas(&app, &quotas).await;
    minted(&app, "ann").await;
    let owner = app.admin_key("demo", Role::Owner).await;
    let erased = app
        .ask(Method::POST, "/v1/admin/users/ann:erase", &owner)
        .await;
    assert!(erased.status().is_success(), "{}", erased.status());
    for table in ["quota_use", "quota_hold"] {
        let sql = format!("select subject from {table} where subject = 'ann'");
        assert!(app.database.rows(&sql).await.is_empty(), "{table}");
    }
    assert_eq!(left(&app, "/v1/admin/quotas", &owner).await[0].1, 70);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_operator_allows_holds_whatever_the_policy_says() {
    let app = spawn().await;
    let operator = app.operator("op@example.com").await;
    let path = "/v1/operator/tenants/demo/quotas";
    let put = async |quota: Value| app.tell(Method::PUT, path, &operator, &quota).await;
    assert_eq!(put(json!({ "sessionsPerDay": 1 })).await.status(), 200);
    app.settle("demo").await;
    set_quotas(
        &app,
        &json!({ "tenant": { "sessionsPerDay": 9, "sessionsPerMonth": 9 } }),
    )
    .await;
    minted(&app, "ann").await;
    problem(mint(&app, "bob").await, 429, "quota_reached").await;
    let owner = app.admin_key("demo", Role::Owner).await;
    let expected = [
        ("sessionsPerDay".to_owned(), 0),
        ("sessionsPerMonth".to_owned(), 8),
    ];
    assert_eq!(left(&app, "/v1/admin/quotas", &owner).await, expected);
    assert_eq!(left(&app, path, &operator).await, expected);
    // The tenant's own trail says who did it.
    let trail = app.ask(Method::GET, "/v1/admin/audit?action=tenant.quota", &owner);
    let trail: Value = trail.await.json().await.unwrap();
    assert_eq!(trail["items"].as_array().unwrap().len(), 1, "{trail}");

    problem(
        put(json!({ "sessionsPerDay": 0 })).await,
        422,
        "invalid_request",
    )
    .await;
    assert_eq!(put(json!({})).await.status(), 200);
    app.settle("demo").await;
    minted(&app, "bob").await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_of_an_outage_are_counted_when_they_are_brought_in() {
    let (database, spool) = (TestDatabase::create_with_demo().await, Folder::new());
    let wire = Wire::to(&database.login_url).await;
    let mut options = TestOptions::set(&[("OUTAGE__SPOOL", spool.path().to_str().unwrap())]);
    let url = wire.url().expose_secret().to_owned();
    options.env.push(("DATABASE_URL".to_owned(), url));
    options.database = Some(database);
    let app = spawn_with(options).await;
    set_quotas(&app, &json!({ "tenant": { "sessionsPerMonth": 10 } })).await;
    let viewer = app.admin_key("demo", Role::Viewer).await;
    minted(&app, "ann").await;
    until_left(&app, &viewer, 9).await;
    wire.cut().await;
    for _ in 0..3 {
        minted(&app, "ann").await;
    }
    wire.mend().await;
    until("the database is back", PATIENCE, async || {
        let answer = app.ask(Method::GET, "/v1/admin/quotas", &viewer).await;
        (answer.status() == 200).then_some(())
    })
    .await;
    until_left(&app, &viewer, 6).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenants_owners_get_mail_when_four_fifths_of_a_quota_are_used() {
    let mut server = MailServer::start().await;
    let app = spawn_with(server.options()).await;
    app.member("demo", "ann@example.com", Role::Owner).await;
    app.member("demo", "eve@example.com", Role::Editor).await;
    set_quotas(&app, &json!({ "tenant": { "sessionsPerDay": 5 } })).await;
    for n in 0..5 {
        minted(&app, &format!("user-{n}")).await;
    }
    let mail = server.next().await;
    assert_eq!(mail.to, "ann@example.com");
    assert!(
        mail.text.contains("Sessions a day: 1 of 5 left, until 20"),
        "{}",
        mail.text
    );
    // The last one used is no further reason, and no editor gets a letter: the next one is about something else.
    let email = json!({ "email": "eve@example.com" });
    app.anonymous("/v1/admin/password-resets", &email).await;
    let mail = server.next().await;
    assert_eq!(mail.to, "eve@example.com");
    assert!(mail.text.contains("new password"), "{}", mail.text);
    app.stop().await;
}
