//! Admins look after users' preferences: one user's, or a file of many.

use futures_util::stream;
use persona_gateway::domain::role::Role;
use reqwest::{Method, Response};
use serde_json::{Value, json};

use super::{A_SECOND, audited, neighbours, read};
use crate::harness::admins::{body, state};
use crate::harness::tenants::serve;
use crate::harness::wait::until;
use crate::harness::{TestApp, TestOptions, context, pointers, problem, spawn};

const IMPORT: &str = "/v1/admin/preferences:import";
const LIV: &str = "071b0286-4cce-4808-bee2-e642f1062de3";

fn path(encoded: &str) -> String {
    format!("/v1/admin/users/{encoded}/preferences")
}

async fn import(app: &TestApp, key: &str, query: &str, text: impl Into<reqwest::Body>) -> Response {
    let request = app.request(Method::POST, &format!("{IMPORT}{query}"), key);
    let request = request.header("content-type", "application/x-ndjson");
    request.body(text).send().await.unwrap()
}

#[tokio::test]
async fn a_users_choices_are_looked_up_set_merged_and_erased_under_their_state() {
    let app = spawn().await;
    let editor = app.admin_key("demo", Role::Editor).await;
    let path = path("user-7");
    let (etag, none) = read(&app, &path, &editor).await;
    assert_eq!(none, json!({}));
    let wish = json!({ "avatarId": LIV, "displayName": "Sam" });
    let unseen = app.tell(Method::PUT, &path, &editor, &wish).await;
    problem(unseen, 428, "precondition_required").await;
    let (etag, set) = state(
        app.tell_if(Method::PUT, &path, &editor, &etag, &wish).await,
        200,
    )
    .await;
    assert_eq!(set, wish);
    let config = app
        .minted_config(&app.user("user-7"), &context("default"))
        .await;
    assert_eq!(config["personaConfig"]["avatarId"], LIV);

    let merged = json!({ "displayName": null, "languageCode": "de" });
    let (newer, merged) = state(
        app.tell_if(Method::PATCH, &path, &editor, &etag, &merged)
            .await,
        200,
    )
    .await;
    assert_eq!(merged, json!({ "avatarId": LIV, "languageCode": "de" }));
    let late = app.tell_if(Method::PUT, &path, &editor, &etag, &wish).await;
    assert_eq!(
        problem(late, 412, "precondition_failed").await["current"],
        merged
    );
    // The user sees the same state as the admin.
    let own = app
        .ask(Method::GET, "/v1/me/preferences", &app.user("user-7"))
        .await;
    assert_eq!(state(own, 200).await, (newer.clone(), merged));

    let bad = json!({ "avatarId": "nobody", "more": 1 });
    let bad = app.tell_if(Method::PUT, &path, &editor, &newer, &bad).await;
    assert_eq!(
        pointers(&problem(bad, 422, "invalid_request").await),
        ["/avatarId", "/more"]
    );
    let empty = app
        .request(Method::PUT, &path, &editor)
        .header("if-match", &newer);
    let empty = empty
        .header("content-type", "application/json")
        .send()
        .await
        .unwrap();
    problem(empty, 400, "malformed_request").await;
    let gone = app
        .tell_if(Method::DELETE, &path, &editor, &newer, &json!({}))
        .await;
    assert_eq!(gone.status(), 204);
    assert_eq!(read(&app, &path, &editor).await.1, json!({}));

    let changes = audited(&app, "preference.change").await;
    assert_eq!(
        changes[0]["details"],
        json!({ "fields": ["avatarId", "displayName"] })
    );
    assert_eq!(
        changes[1]["details"],
        json!({ "fields": ["displayName", "languageCode"] })
    );
    assert_eq!(audited(&app, "preference.erase").await.len(), 1);
    // The trail must not keep who it was, nor what they chose.
    let trail = format!(
        "{:?}",
        app.database
            .rows("select actor, target, details from audit_event where action like 'preference%'")
            .await
    );
    assert!(
        !trail.contains("user-7") && !trail.contains("Sam") && !trail.contains(LIV),
        "{trail}"
    );
    app.stop().await;
}

#[tokio::test]
async fn a_subject_in_the_address_may_be_any_text_that_a_token_can_hold() {
    let app = spawn().await;
    let editor = app.admin_key("demo", Role::Editor).await;
    for (encoded, subject) in [
        ("auth0%7C123", "auth0|123"),
        ("auth0|123", "auth0|123"),
        (
            "https%3A%2F%2Fidp.example%2Fusers%2F1%3Fa%3Db%23c",
            "https://idp.example/users/1?a=b#c",
        ),
        ("a%20b+c%2Bd", "a b+c+d"),
        ("100%25", "100%"),
        ("%2541", "%41"),
        ("J%C3%BCrgen", "Jürgen"),
        ("x:export", "x:export"),
        ("%2E%2E%2E", "..."),
    ] {
        app.store_preferences(subject, &json!({ "displayName": "found" }))
            .await;
        let (_, found) = read(&app, &path(encoded), &editor).await;
        assert_eq!(found, json!({ "displayName": "found" }), "{encoded}");
        app.store_preferences(subject, &json!({})).await;
    }
    for bad in [
        "%00",
        "a%0Ab",
        "%E2%80%AE",
        "%FF",
        "%GG",
        "%",
        &"x".repeat(256),
    ] {
        let refused = app.ask(Method::GET, &path(bad), &editor).await;
        problem(refused, 404, "not_found").await;
    }
    let nobody = app
        .ask(Method::GET, "/v1/admin/users//preferences", &editor)
        .await;
    problem(nobody, 404, "not_found").await;
    app.stop().await;
}

#[tokio::test]
async fn an_import_applies_every_good_line_and_tells_the_others_by_their_numbers() {
    let app = spawn().await;
    let editor = app.admin_key("demo", Role::Editor).await;
    app.store_preferences("same", &json!({ "displayName": "Same" }))
        .await;
    let text = [
        r#"{"subject":"auth0|1","preferences":{"displayName":"One"}}"#,
        "",
        r#"{"subject":"","preferences":{"displayName":"Nobody"}}"#,
        r#"{"subject":"same","preferences":{"displayName":"Same"}}"#,
        r#"{"subject":"x","preferences":{"avatarId":"nobody","more":1}}"#,
        "not json",
        r#"{"subject":"y","subject":"z","preferences":{}}"#,
        &format!(
            r#"{{"subject":"long","preferences":{{"displayName":"{}"}}}}"#,
            "x".repeat(70_000)
        ),
        r#"{"subject":"auth0|2","preferences":{"displayName":"Two"}}"#,
    ]
    .join("\r\n");
    let dry = body(
        import(&app, &editor, "?dryRun=true", text.clone()).await,
        200,
    )
    .await;
    assert_eq!(
        (&dry["imported"], &dry["dryRun"]),
        (&json!(2), &json!(true))
    );
    let stored = async || {
        app.database
            .rows("select subject, choices from preference where choices ? 'displayName' and subject <> 'user-1' order by subject")
            .await
    };
    assert_eq!(stored().await.len(), 1, "a dry run writes nothing");

    let done = body(import(&app, &editor, "", text.clone()).await, 200).await;
    assert_eq!(
        (
            &done["imported"],
            &done["unchanged"],
            &done["failedLines"],
            &done["dryRun"]
        ),
        (&json!(2), &json!(1), &json!(5), &json!(false))
    );
    let lines: Vec<_> = done["failed"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| line["line"].clone())
        .collect();
    assert_eq!(lines, [3, 5, 6, 7, 8]);
    assert_eq!(
        done["failed"][1]["errors"][0]["pointer"],
        "/preferences/avatarId"
    );
    assert_eq!(
        done["failed"][1]["errors"][1]["pointer"],
        "/preferences/more"
    );
    assert_eq!(
        done["failed"][4]["errors"][0]["message"],
        "is longer than 64 kB"
    );
    assert_eq!(stored().await.len(), 3);
    let again = body(import(&app, &editor, "", text).await, 200).await;
    assert_eq!(
        (&again["imported"], &again["unchanged"]),
        (&json!(0), &json!(3))
    );
    assert_eq!(audited(&app, "preference.import").await.len(), 1);
    app.stop().await;
}

#[tokio::test]
async fn a_file_of_any_size_is_taken_piece_by_piece() {
    let app = spawn().await;
    let editor = app.admin_key("demo", Role::Editor).await;
    // 40,000 lines, 8 MB, in pieces that end anywhere; ten times what one body may have.
    let lines: String = (0..40_000)
        .map(|n| {
            let name = format!("{n}{}", "n".repeat(50));
            let pad = " ".repeat(120);
            json!({ "subject": format!("user {n}"), "preferences": { "displayName": name } })
                .to_string()
                + &pad
                + "\n"
        })
        .collect();
    assert!(lines.len() > 8_000_000);
    let pieces: Vec<Result<Vec<u8>, std::io::Error>> = lines
        .as_bytes()
        .chunks(77_777)
        .map(|piece| Ok(piece.to_vec()))
        .collect();
    let whole = reqwest::Body::wrap_stream(stream::iter(pieces));
    let done = body(import(&app, &editor, "", whole).await, 200).await;
    assert_eq!(
        (&done["imported"], &done["failedLines"]),
        (&json!(40_000), &json!(0))
    );
    let count = app
        .database
        .rows("select count(*) from preference where subject like 'user %'")
        .await;
    assert_eq!(count[0]["count"], 40_000);
    // One row of the trail a batch.
    assert_eq!(audited(&app, "preference.import").await.len(), 40);
    app.stop().await;
}

#[tokio::test]
async fn a_hopeless_file_is_told_within_bounds_and_odd_requests_are_refused() {
    let app = spawn().await;
    let editor = app.admin_key("demo", Role::Editor).await;
    let done = body(
        import(&app, &editor, "", "nonsense\n".repeat(5_000)).await,
        200,
    )
    .await;
    assert_eq!(done["failedLines"], 5_000);
    assert_eq!(done["failed"].as_array().unwrap().len(), 100);
    let endless = body(import(&app, &editor, "", "x".repeat(3_000_000)).await, 200).await;
    assert_eq!(endless["failed"][0]["line"], 1);
    let empty = body(import(&app, &editor, "", "").await, 200).await;
    assert_eq!(
        (&empty["imported"], &empty["failedLines"]),
        (&json!(0), &json!(0))
    );
    problem(
        import(&app, &editor, "?dryRun=perhaps", "").await,
        422,
        "invalid_request",
    )
    .await;
    problem(
        import(&app, &editor, "?atomic=true", "").await,
        422,
        "invalid_request",
    )
    .await;
    let wrong = app.tell(Method::POST, IMPORT, &editor, &json!({})).await;
    problem(wrong, 415, "unsupported_media_type").await;
    app.stop().await;
}

#[tokio::test]
async fn viewers_look_and_do_not_touch_and_tenants_do_not_meet() {
    let tenants = neighbours();
    let app = serve(&[&tenants[0], &tenants[1]], TestOptions::default()).await;
    let editor = app.admin_key("acme", Role::Editor).await;
    let other = app.admin_key("globex", Role::Editor).await;
    let (etag, _) = read(&app, &path("u"), &editor).await;
    let wish = json!({ "color": "acme-blue" });
    state(
        app.tell_if(Method::PUT, &path("u"), &editor, &etag, &wish)
            .await,
        200,
    )
    .await;
    // The same subject of the other tenant is somebody else.
    assert_eq!(read(&app, &path("u"), &other).await.1, json!({}));
    let line = r#"{"subject":"u","preferences":{"color":"globex-red"}}"#;
    let done = body(import(&app, &other, "", line).await, 200).await;
    assert_eq!(done["imported"], 1);
    assert_eq!(read(&app, &path("u"), &editor).await.1, wish);
    let second = app.second().await;
    until("the second instance knows", A_SECOND, || async {
        let token = tenants[1].user("u");
        let own: Value = body(
            second.ask(Method::GET, "/v1/me/preferences", &token).await,
            200,
        )
        .await;
        (own == json!({ "color": "globex-red" })).then_some(())
    })
    .await;

    let viewer = app.admin_key("acme", Role::Viewer).await;
    let (etag, _) = read(&app, &path("u"), &viewer).await;
    for method in [Method::PUT, Method::PATCH, Method::DELETE] {
        let refused = app
            .tell_if(method, &path("u"), &viewer, &etag, &json!({}))
            .await;
        problem(refused, 403, "forbidden").await;
    }
    problem(import(&app, &viewer, "", line).await, 403, "forbidden").await;
    second.stop().await;
    app.stop().await;
}
