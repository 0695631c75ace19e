//! A user reads and writes their own choices.

use futures_util::future::join_all;
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::harness::{TestApp, errors, problem, spawn};

const LEO: &str = "121d5df1-3f3e-4a48-a237-8ff488e9eed8";
const PATH: &str = "/v1/me/preferences";

async fn send(
    app: &TestApp,
    method: Method,
    token: &str,
    headers: &[(&str, &str)],
    body: Option<Value>,
) -> Response {
    let mut request = app.request(method, PATH, token);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    if let Some(body) = body {
        request = request.json(&body);
    }
    request.send().await.unwrap()
}

fn etag(answer: &Response) -> String {
    answer.headers()["etag"].to_str().unwrap().to_owned()
}

async fn stored(app: &TestApp, token: &str) -> Value {
    let answer = send(app, Method::GET, token, &[], None).await;
    assert_eq!(answer.status(), 200);
    answer.json().await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn choices_are_written_read_patched_and_forgotten() {
    let app = spawn().await;
    let (ann, bob) = (app.user("ann"), app.user("bob"));
    let empty = send(&app, Method::GET, &ann, &[], None).await;
    assert_eq!(empty.status(), 200);
    assert_eq!(empty.headers()["cache-control"], "private, no-cache");
    assert_eq!(empty.json::<Value>().await.unwrap(), json!({}));

    let choices = json!({ "avatarId": LEO, "displayName": "Ann", "experience": "expert" });
    let put = send(&app, Method::PUT, &ann, &[], Some(choices.clone())).await;
    assert_eq!(put.status(), 200);
    let first = etag(&put);
    assert_eq!(put.json::<Value>().await.unwrap(), choices);
    assert_eq!(stored(&app, &ann).await, choices);
    assert_eq!(stored(&app, &bob).await, json!({}), "hers alone");

    let patch = json!({ "displayName": null, "tone": "dry" });
    let patched = send(&app, Method::PATCH, &ann, &[], Some(patch)).await;
    assert_eq!(patched.status(), 200);
    assert_ne!(etag(&patched), first);
    let expected = json!({ "avatarId": LEO, "experience": "expert", "tone": "dry" });
    assert_eq!(patched.json::<Value>().await.unwrap(), expected);

    let replaced = json!({ "languageCode": "de" });
    send(&app, Method::PUT, &ann, &[], Some(replaced.clone())).await;
    assert_eq!(stored(&app, &ann).await, replaced, "these and no others");

    let deleted = send(&app, Method::DELETE, &ann, &[], None).await;
    assert_eq!(deleted.status(), 204);
    assert_eq!(stored(&app, &ann).await, json!({}));
    let again = send(&app, Method::DELETE, &ann, &[], None).await;
    assert_eq!(again.status(), 204);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_merge_patch_may_say_its_own_media_type() {
    let app = spawn().await;
    let token = app.user("ann");
    let answer = app
        .request(Method::PATCH, PATH, &token)
        .header("content-type", "application/merge-patch+json")
        .body(r#"{"tone":"dry"}"#)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    let put = app
        .request(Method::PUT, PATH, &token)
        .header("content-type", "application/merge-patch+json")
        .body(r#"{"tone":"dry"}"#)
        .send()
        .await
        .unwrap();
    problem(put, 415, "unsupported_media_type").await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_that_the_client_has_is_not_sent_again() {
    let app = spawn().await;
    let token = app.user("ann");
    let put = send(
        &app,
        Method::PUT,
        &token,
        &[],
        Some(json!({ "tone": "dry" })),
    )
    .await;
    let tag = etag(&put);
    for seen in [tag.clone(), format!("W/{tag}"), format!("\"other\", {tag}")] {
        let answer = send(&app, Method::GET, &token, &[("if-none-match", &seen)], None).await;
        assert_eq!(answer.status(), 304, "{seen}");
        assert_eq!(etag(&answer), tag);
        assert_eq!(answer.text().await.unwrap(), "");
    }
    let answer = send(
        &app,
        Method::GET,
        &token,
        &[("if-none-match", "\"0\"")],
        None,
    )
    .await;
    assert_eq!(answer.status(), 200);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_is_based_on_an_old_version_changes_nothing() {
    let app = spawn().await;
    let token = app.user("ann");
    let first = etag(
        &send(
            &app,
            Method::PUT,
            &token,
            &[],
            Some(json!({ "tone": "dry" })),
        )
        .await,
    );
    let second = etag(
        &send(
            &app,
            Method::PUT,
            &token,
            &[],
            Some(json!({ "tone": "warm" })),
        )
        .await,
    );

    for (method, body) in [
        (Method::PUT, Some(json!({ "tone": "lost" }))),
        (Method::PATCH, Some(json!({ "tone": "lost" }))),
        (Method::DELETE, None),
    ] {
        for stale in [first.as_str(), "\"none\"", &format!("W/{second}")] {
            let headers = [("if-match", stale)];
            let answer = send(&app, method.clone(), &token, &headers, body.clone()).await;
            let told = problem(answer, 412, "precondition_failed").await;
            assert!(
                told["detail"].as_str().unwrap().contains(&second),
                "the detail names the version that is true: {told}"
            );
        }
    }
    assert_eq!(stored(&app, &token).await, json!({ "tone": "warm" }));
    let headers = [("if-match", second.as_str())];
    let body = Some(json!({ "tone": "brisk" }));
    let answer = send(&app, Method::PUT, &token, &headers, body).await;
    assert_eq!(answer.status(), 200);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_version_of_no_choices_at_all_is_one_that_a_write_can_be_based_on() {
    let app = spawn().await;
    let token = app.user("ann");
    let nothing = etag(&send(&app, Method::GET, &token, &[], None).await);
    let any = [("if-match", "*")];
    let answer = send(
        &app,
        Method::PUT,
        &token,
        &any,
        Some(json!({ "tone": "dry" })),
    )
    .await;
    problem(answer, 412, "precondition_failed").await;

    let headers = [("if-match", nothing.as_str())];
    let answer = send(
        &app,
        Method::PUT,
        &token,
        &headers,
        Some(json!({ "tone": "dry" })),
    )
    .await;
    assert_eq!(
        answer.status(),
        200,
        "read, change, write works for new users too"
    );
    let answer = send(
        &app,
        Method::PUT,
        &token,
        &headers,
        Some(json!({ "tone": "lost" })),
    )
    .await;
    problem(answer, 412, "precondition_failed").await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_only_if_there_is_nothing_yet_happens_once() {
    let app = spawn().await;
    let token = app.user("ann");
    let headers = [("if-none-match", "*")];
    let answer = send(
        &app,
        Method::PUT,
        &token,
        &headers,
        Some(json!({ "tone": "dry" })),
    )
    .await;
    assert_eq!(answer.status(), 200);
    let answer = send(
        &app,
        Method::PUT,
        &token,
        &headers,
        Some(json!({ "tone": "lost" })),
    )
    .await;
    problem(answer, 412, "precondition_failed").await;
    assert_eq!(stored(&app, &token).await, json!({ "tone": "dry" }));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_writers_based_on_the_same_version_exactly_one_wins() {
    let app = spawn().await;
    let other = app.second().await;
    let token = app.user("ann");
    other.wait_for_token(&token).await;
    for (condition, value) in [
        ("if-none-match", "*".to_owned()),
        ("if-match", String::new()),
    ] {
        let value = if value.is_empty() {
            etag(&send(&app, Method::GET, &token, &[], None).await)
        } else {
            value
        };
        let writes = (0..12).map(|writer| {
            let instance = if writer % 2 == 0 { &app } else { &other };
            let headers = [(condition, value.clone())];
            let token = token.clone();
            async move {
                let headers = [(headers[0].0, headers[0].1.as_str())];
                let body = json!({ "displayName": format!("writer {writer}") });
                let answer = send(instance, Method::PUT, &token, &headers, Some(body)).await;
                (writer, answer.status().as_u16())
            }
        });
        let done = join_all(writes).await;
        let won: Vec<i32> = done
            .iter()
            .filter(|(_, status)| *status == 200)
            .map(|(w, _)| *w)
            .collect();
        assert_eq!(won.len(), 1, "{condition}: {done:?}");
        assert!(
            done.iter().all(|(_, status)| matches!(status, 200 | 412)),
            "{done:?}"
        );
        let name = format!("writer {}", won[0]);
        assert_eq!(stored(&app, &token).await["displayName"], name);
    }
    other.stop().await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_choice_outside_the_catalogue_is_told_at_once_with_what_is_allowed() {
    let app = spawn().await;
    let token = app.user("ann");
    let wrong = json!({
        "avatarId": "00000000-0000-0000-0000-000000000000",
        "voiceId": 7,
        "llmId": null,
        "languageCode": "tlh",
        "experience": "wizard",
        "displayName": "two\nlines",
        "tone": "x".repeat(41),
        "systemPrompt": "",
        "favourite/colour": "red",
    });
    let answer = send(&app, Method::PUT, &token, &[], Some(wrong)).await;
    let told = problem(answer, 422, "preference_invalid").await;
    let told = errors(&told);
    for (pointer, part) in [
        ("/avatarId", LEO),
        ("/voiceId", "de23e340-1416-4dd8-977d-065a7ca11697"),
        ("/llmId", "a7cf662c-2ace-4de1-a21e-ef0fbf144bb7"),
        ("/languageCode", "must be one of: en, de, es, fr"),
        (
            "/experience",
            "must be one of: beginner, intermediate, expert",
        ),
        ("/displayName", "1 to 80 characters"),
        ("/tone", "1 to 40 characters"),
        ("/systemPrompt", "1 to 4000 characters"),
        ("/favourite~1colour", "is unknown; preferences are avatarId"),
    ] {
        let (_, message) = told.iter().find(|(at, _)| at == pointer).expect(pointer);
        assert!(message.contains(part), "{pointer}: {message}");
    }
    assert_eq!(told.len(), 9);
    assert_eq!(stored(&app, &token).await, json!({}), "nothing is written");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_choice_that_left_the_catalogue_does_not_stop_changes_of_others() {
    let app = spawn().await;
    let token = app.user("ann");
    app.prefer(&token, &json!({ "avatarId": LEO, "tone": "dry" }))
        .await;
    app.database
        .sql(&format!("delete from catalogue_entry where id = '{LEO}'"))
        .await;
    app.settle("demo").await;

    let answer = send(
        &app,
        Method::PATCH,
        &token,
        &[],
        Some(json!({ "tone": "warm" })),
    )
    .await;
    assert_eq!(answer.status(), 200);
    let expected = json!({ "avatarId": LEO, "tone": "warm" });
    assert_eq!(
        stored(&app, &token).await,
        expected,
        "the choice stays, should it come back"
    );
    let answer = send(
        &app,
        Method::PATCH,
        &token,
        &[],
        Some(json!({ "avatarId": LEO })),
    )
    .await;
    problem(answer, 422, "preference_invalid").await;
    let answer = send(&app, Method::PUT, &token, &[], Some(expected)).await;
    problem(answer, 422, "preference_invalid").await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_from_before_everything_was_forgotten_is_not_taken_for_a_new_one() {
    let app = spawn().await;
    let token = app.user("ann");
    let before = send(
        &app,
        Method::PUT,
        &token,
        &[],
        Some(json!({ "tone": "dry" })),
    )
    .await;
    let before = etag(&before);
    send(&app, Method::DELETE, &token, &[], None).await;
    let body = json!({ "tone": "warm" });
    send(&app, Method::PUT, &token, &[], Some(body.clone())).await;

    let seen = [("if-none-match", before.as_str())];
    let answer = send(&app, Method::GET, &token, &seen, None).await;
    assert_eq!(answer.status(), 200, "the old copy is not true any more");
    let based = [("if-match", before.as_str())];
    let answer = send(&app, Method::DELETE, &token, &based, None).await;
    problem(answer, 412, "precondition_failed").await;
    assert_eq!(stored(&app, &token).await, body);
    app.stop().await;
}
