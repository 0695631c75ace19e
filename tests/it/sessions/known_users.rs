//! Preferences stay in memory, and are never older than they may be.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::Executor;

use crate::harness::wait::until;
use crate::harness::{TestApp, context, spawn};

const LEO: &str = "121d5df1-3f3e-4a48-a237-8ff488e9eed8";
const PATH: &str = "/v1/me/preferences";
/// How soon each instance must know of a change.
const A_SECOND: Duration = Duration::from_secs(1);

/// The avatar that the user's next session has.
async fn avatar(app: &TestApp, token: &str) -> Value {
    let sent = app.minted_config(token, &context("support")).await;
    sent["personaConfig"]["avatarId"].clone()
}

/// Waits until the next session has this avatar.
async fn until_avatar(app: &TestApp, token: &str, is_leo: bool) {
    until("the choice is known", A_SECOND, || async {
        ((avatar(app, token).await == LEO) == is_leo).then_some(())
    })
    .await;
}

async fn choose(app: &TestApp, method: Method, token: &str) {
    let wish = json!({ "avatarId": LEO });
    let answer = app.request(method, PATH, token).json(&wish).send().await;
    assert!(answer.unwrap().status().is_success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_known_users_mint_reads_nothing_before_anam_is_asked() {
    let app = spawn().await;
    let token = app.user("ann");
    assert_ne!(avatar(&app, &token).await, LEO);
    let mut owner = app.database.owner().await;
    // Nobody can read anything that a decision depends on.
    owner
        .execute("begin; lock table preference, document, document_version, release, config_revision in access exclusive mode")
        .await
        .unwrap();
    for _ in 0..3 {
        assert_ne!(avatar(&app, &token).await, LEO);
    }
    owner.execute("rollback").await.unwrap();
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_users_choice_is_in_their_next_session_and_within_a_second_on_every_instance() {
    let app = spawn().await;
    let second = app.second().await;
    let token = app.user("ann");
    for (method, is_leo) in [
        (Method::PUT, true),
        (Method::DELETE, false),
        (Method::PATCH, true),
    ] {
        assert_eq!(avatar(&app, &token).await == LEO, !is_leo);
        assert_eq!(avatar(&second, &token).await == LEO, !is_leo);
        choose(&app, method, &token).await;
        assert_eq!(avatar(&app, &token).await == LEO, is_leo, "at once");
        until_avatar(&second, &token, is_leo).await;
    }
    second.stop().await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_are_changed_in_psql_one_or_many_are_seen_within_a_second() {
    let app = spawn().await;
    let (ann, bob) = (app.user("ann"), app.user("bob"));
    let tenant = app.tenant("demo").await.0;
    let leo = format!(r#"{{"avatarId": "{LEO}"}}"#);
    let ids = format!("set local app.tenant = '{tenant}'");
    // Many at once are reported by their tenant alone.
    let crowd = "select 'guest-' || n from generate_series(1, 30) n union all select 'ann'";
    for (change, ann_is_leo) in [
        (
            format!(
                "insert into preference (tenant_id, subject, choices) values ('{tenant}', 'ann', '{leo}')"
            ),
            true,
        ),
        (
            "update preference set choices = '{}' where subject = 'ann'".to_owned(),
            false,
        ),
        (
            "delete from preference where subject = 'ann'".to_owned(),
            false,
        ),
        (
            format!(
                "insert into preference (tenant_id, subject, choices) select '{tenant}', s.name, '{leo}' from ({crowd}) s (name)"
            ),
            true,
        ),
        ("update preference set choices = '{}'".to_owned(), false),
        (
            format!("update preference set choices = '{leo}' where subject = 'ann'"),
            true,
        ),
        (
            "update preference set subject = 'other' where subject = 'ann'".to_owned(),
            false,
        ),
        (
            format!(
                "update preference set choices = '{leo}', subject = 'ann' where subject = 'other'"
            ),
            true,
        ),
        ("truncate preference".to_owned(), false),
    ] {
        avatar(&app, &ann).await;
        assert_ne!(avatar(&app, &bob).await, LEO, "{change}");
        app.database
            .sql(&format!("begin; {ids}; {change}; commit"))
            .await;
        until_avatar(&app, &ann, ann_is_leo).await;
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_changes_while_notices_are_lost_is_seen_all_the_same() {
    let app = spawn().await;
    let token = app.user("ann");
    let tenant = app.tenant("demo").await.0;
    for is_leo in [true, false, true] {
        avatar(&app, &token).await;
        let choices = if is_leo {
            json!({ "avatarId": LEO })
        } else {
            json!({})
        };
        // The listening connection ends in the same moment, with the notice unread.
        app.database
            .sql(&format!(
                "begin; set local app.tenant = '{tenant}';
                 select pg_terminate_backend(pid, 5000) from pg_stat_activity
                 where datname = current_database() and query ilike 'listen%';
                 insert into preference (tenant_id, subject, choices) values ('{tenant}', 'ann', '{choices}')
                 on conflict (tenant_id, subject) do update set choices = excluded.choices;
                 commit"
            ))
            .await;
        until_avatar(&app, &token, is_leo).await;
    }
    app.stop().await;
}
