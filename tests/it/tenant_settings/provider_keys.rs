//! Anam keys: tested, sealed, and rotated while tokens are minted.

use std::sync::atomic::{AtomicBool, Ordering};

use persona_gateway::dev::emulator::{Fault, FaultTarget};
use persona_gateway::domain::role::Role;
use reqwest::Method;
use serde_json::{Value, json};

use super::{A_SECOND, audited, is_nobodys, neighbours, read};
use crate::harness::admins::{body, state};
use crate::harness::app::PLATFORM_KEY;
use crate::harness::tenants::serve;
use crate::harness::wait::until;
use crate::harness::{TestApp, TestOptions, context, errors, pointers, problem, spawn, spawn_with};

const KEYS: &str = "/v1/admin/provider-keys";
const OLD: &str = "anam-key-of-the-spring-1111";
const NEW: &str = "anam-key-of-the-autumn-2222";

async fn with_keys(keys: &[&str]) -> TestApp {
    spawn_with(TestOptions {
        anam_keys: keys.iter().map(ToString::to_string).collect(),
        ..TestOptions::default()
    })
    .await
}

async fn add(app: &TestApp, owner: &str, key: &str) -> Value {
    let wish = json!({ "label": "a label", "key": key });
    body(app.tell(Method::POST, KEYS, owner, &wish).await, 201).await
}

fn path(key: &Value) -> String {
    format!("{KEYS}/{}", key["id"].as_str().unwrap())
}

#[tokio::test]
async fn a_key_is_rotated_while_tokens_are_minted_and_not_one_fails() {
    let app = with_keys(&[OLD, NEW]).await;
    // This one's Anam knows the new key only, so its answer tells which key is used.
    let second = spawn_with(TestOptions {
        anam_keys: vec![NEW.into()],
        database: Some(app.database.clone()),
        no_demo: true,
        ..TestOptions::default()
    })
    .await;
    let owner = app.admin_key("demo", Role::Owner).await;
    let old = add(&app, &owner, OLD).await;
    app.settle("demo").await;
    let token = app.user("user-1");
    until("the second instance uses the old key", A_SECOND, || async {
        let answer = second.mint(&token, &context("support")).await;
        (answer.status() == 502).then_some(())
    })
    .await;

    let done = AtomicBool::new(false);
    let mint = async || {
        let mut minted = 0;
        while !done.load(Ordering::Acquire) {
            let answer = app.mint(&token, &context("support")).await;
            assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
            minted += 1;
        }
        minted
    };
    let rotate = async {
        let new = add(&app, &owner, NEW).await;
        assert_eq!(
            (&new["active"], &new["inUse"]),
            (&json!(true), &json!(true))
        );
        until("the second instance uses the new key", A_SECOND, || async {
            let answer = second.mint(&token, &context("support")).await;
            (answer.status() == 200).then_some(())
        })
        .await;
        let (_, listed) = read(&app, KEYS, &owner).await;
        let told = |key: &Value| {
            (
                key["lastFour"].clone(),
                key["active"].clone(),
                key["inUse"].clone(),
            )
        };
        let told: Vec<_> = listed["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(told)
            .collect();
        assert_eq!(
            told,
            [
                (json!("2222"), json!(true), json!(true)),
                (json!("1111"), json!(true), json!(false)),
            ]
        );
        let retired = app
            .ask(Method::POST, &format!("{}:retire", path(&old)), &owner)
            .await;
        assert_eq!(body(retired, 200).await["active"], false);
        app.settle("demo").await;
        done.store(true, Ordering::Release);
    };
    let (one, two, ()) = tokio::join!(mint(), mint(), rotate);
    assert!(one > 0 && two > 0);
    assert_eq!(second.mint(&token, &context("support")).await.status(), 200);

    let (etag, _) = read(&app, &path(&old), &owner).await;
    let gone = app
        .tell_if(Method::DELETE, &path(&old), &owner, &etag, &json!({}))
        .await;
    assert_eq!(gone.status(), 204);
    for (action, rows) in [
        ("provider_key.create", 2),
        ("provider_key.retire", 1),
        ("provider_key.remove", 1),
    ] {
        assert_eq!(audited(&app, action).await.len(), rows, "{action}");
    }
    second.stop().await;
    app.stop().await;
}

#[tokio::test]
async fn a_new_key_that_is_wrong_is_rolled_back_by_retiring_it() {
    let app = with_keys(&[OLD]).await;
    let owner = app.admin_key("demo", Role::Owner).await;
    let old = add(&app, &owner, OLD).await;
    let wish = json!({ "label": "typo", "key": NEW, "skipTest": true });
    let wrong = body(app.tell(Method::POST, KEYS, &owner, &wish).await, 201).await;
    app.settle("demo").await;
    let token = app.user("user-1");
    problem(
        app.mint(&token, &context("support")).await,
        502,
        "upstream_auth",
    )
    .await;
    app.ask(Method::POST, &format!("{}:retire", path(&wrong)), &owner)
        .await;
    app.settle("demo").await;
    assert_eq!(app.mint(&token, &context("support")).await.status(), 200);
    let (_, key) = read(&app, &path(&old), &owner).await;
    assert_eq!(key["inUse"], true);
    app.stop().await;
}

#[tokio::test]
async fn a_key_is_tested_before_it_is_used_and_whenever_asked() {
    let app = with_keys(&[OLD]).await;
    let owner = app.admin_key("demo", Role::Owner).await;
    let add_again = async |key: &str| {
        let wish = json!({ "label": "a label", "key": key });
        app.tell(Method::POST, KEYS, &owner, &wish).await
    };
    let refused = problem(add_again(NEW).await, 422, "invalid_request").await;
    assert_eq!(
        errors(&refused),
        [(
            "/key".into(),
            "is refused by Anam: is it whole, and not revoked?".into()
        )]
    );
    let key = add(&app, &owner, OLD).await;
    let again = problem(add_again(OLD).await, 409, "already_exists").await;
    assert!(
        again["detail"]
            .as_str()
            .unwrap()
            .contains(key["id"].as_str().unwrap())
    );

    let test = format!("{}:test", path(&key));
    for (fault, outcome) in [
        (None, "good"),
        (Some(Fault::status(FaultTarget::Catalogue, 404)), "good"),
        (Some(Fault::status(FaultTarget::Catalogue, 401)), "refused"),
        (
            Some(Fault::status(FaultTarget::Catalogue, 403)),
            "noPermission",
        ),
        (Some(Fault::status(FaultTarget::Catalogue, 402)), "noPlan"),
        (
            Some(Fault::status(FaultTarget::Catalogue, 500)),
            "unreachable",
        ),
        (
            Some(Fault::status(FaultTarget::Catalogue, 200).with_body("<p>hello</p>")),
            "unreachable",
        ),
        (Some(Fault::dropped(FaultTarget::Catalogue)), "unreachable"),
    ] {
        if let Some(fault) = fault {
            app.anam.fault(fault);
        }
        let told = body(app.ask(Method::POST, &test, &owner).await, 200).await;
        assert_eq!(told["outcome"], outcome);
        app.anam.clear();
    }
    app.stop().await;
}

#[tokio::test]
async fn bad_keys_and_labels_are_refused_with_their_places() {
    let app = spawn().await;
    let owner = app.admin_key("demo", Role::Owner).await;
    for (wish, places) in [
        (json!({}), vec!["/label", "/key"]),
        (
            json!({ "label": "", "key": "short" }),
            vec!["/label", "/key"],
        ),
        (
            json!({ "label": "x", "key": "a key with spaces in it" }),
            vec!["/key"],
        ),
        (
            json!({ "label": "x", "key": "a-key-with-a-\u{e9}" }),
            vec!["/key"],
        ),
        (
            json!({ "label": "x", "key": 7, "skipTest": "yes", "more": 1 }),
            vec!["/key", "/skipTest", "/more"],
        ),
    ] {
        let refused = app.tell(Method::POST, KEYS, &owner, &wish).await;
        assert_eq!(
            pointers(&problem(refused, 422, "invalid_request").await),
            places
        );
    }
    assert_eq!(app.anam.requests().len(), 0);
    app.stop().await;
}

#[tokio::test]
async fn the_only_key_goes_only_where_that_is_meant_and_the_platforms_takes_its_place() {
    let app = with_keys(&[OLD]).await;
    let owner = app.admin_key("demo", Role::Owner).await;
    let key = add(&app, &owner, OLD).await;
    let retire = format!("{}:retire", path(&key));
    let refused = app.ask(Method::POST, &retire, &owner).await;
    problem(refused, 409, "in_use").await;
    let (etag, _) = read(&app, &path(&key), &owner).await;
    let refused = app
        .tell_if(Method::DELETE, &path(&key), &owner, &etag, &json!({}))
        .await;
    problem(refused, 409, "in_use").await;
    let meant = app
        .tell(Method::POST, &retire, &owner, &json!({ "leaveNone": true }))
        .await;
    let (_, key) = state(meant, 200).await;
    assert_eq!(
        (&key["active"], &key["inUse"]),
        (&json!(false), &json!(false))
    );
    app.settle("demo").await;
    let minted = app.mint(&app.user("user-1"), &context("support")).await;
    assert_eq!(minted.status(), 200, "with {PLATFORM_KEY}");
    app.stop().await;
}

#[tokio::test]
async fn a_call_that_is_repeated_with_its_key_adds_one_key() {
    let app = with_keys(&[OLD]).await;
    let owner = app.admin_key("demo", Role::Owner).await;
    let send = async || {
        let request = app.request(Method::POST, KEYS, &owner);
        let request = request.header("idempotency-key", "one");
        let wish = json!({ "label": "a label", "key": OLD });
        body(request.json(&wish).send().await.unwrap(), 201).await
    };
    let first = send().await;
    // Whatever Anam says by now: it was done.
    app.anam.fault(Fault::status(FaultTarget::Catalogue, 401));
    assert_eq!(send().await, first);
    let (_, listed) = read(&app, KEYS, &owner).await;
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
    app.stop().await;
}

#[tokio::test]
async fn another_tenants_key_is_nobodys() {
    let tenants = neighbours();
    let options = TestOptions {
        anam_keys: vec![OLD.into()],
        ..TestOptions::default()
    };
    let app = serve(&[&tenants[0], &tenants[1]], options).await;
    let owner = app.admin_key("acme", Role::Owner).await;
    let key = add(&app, &owner, OLD).await;
    let other = app.admin_key("globex", Role::Owner).await;
    let unknown = format!("{KEYS}/0198c0de-0000-7000-8000-000000000000");
    for method in [Method::GET, Method::DELETE] {
        is_nobodys(&app, method, &path(&key), &unknown, &other).await;
    }
    for verb in ["test", "retire"] {
        let at = |path: &str| format!("{path}:{verb}");
        is_nobodys(&app, Method::POST, &at(&path(&key)), &at(&unknown), &other).await;
    }
    let (_, listed) = read(&app, KEYS, &other).await;
    assert_eq!(listed["items"], json!([]));
    app.stop().await;
}
