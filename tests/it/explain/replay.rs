//! Sessions decided again.

use persona_gateway::domain::role::Role;
use reqwest::Method;
use serde_json::{Value, json};

use super::minted;
use crate::harness::admins::{body, state};
use crate::harness::{TestApp, context, pointers, problem, spawn};

/// Metadata whose members stand in another order, and whose numbers in another form, than Postgres gives them back.
fn asked() -> Value {
    json!({ "context": "support", "metadata": { "issue": "a late parcel" } })
}

async fn replay(app: &TestApp, id: &str, asked: &Value) -> Value {
    let key = app.admin_key("demo", Role::Viewer).await;
    let path = format!("/v1/admin/sessions/{id}:replay");
    body(app.tell(Method::POST, &path, &key, asked).await, 200).await
}

/// A draft of the persona that the demo's support gives, with this line at the end of its prompt.
async fn draft(app: &TestApp, line: &str) -> (String, Value) {
    let key = app.admin_key("demo", Role::Owner).await;
    let path = "/v1/admin/documents/persona/support-agent/drafts";
    let (etag, mut draft) = state(app.tell(Method::POST, path, &key, &json!({})).await, 201).await;
    let prompt = draft["content"]["systemPrompt"]
        .as_str()
        .unwrap()
        .to_owned();
    draft["content"]["systemPrompt"] = json!(format!("{}\n{line}\n", prompt.trim_end()));
    let path = format!("/v1/admin/drafts/{}", draft["id"].as_str().unwrap());
    let change = json!({ "content": draft["content"] });
    state(
        app.tell_if(Method::PUT, &path, &key, &etag, &change).await,
        200,
    )
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_versions_of_then_give_exactly_what_anam_was_sent() {
    let app = spawn().await;
    let token = app.user("user-1");
    app.prefer(&token, &json!({ "tone": "formal" })).await;
    for context_name in ["support", "sales", "training", "default"] {
        let id = minted(&app, &token, &context(context_name)).await;
        for against in [
            json!({}),
            json!({ "against": "then" }),
            json!({ "against": "live" }),
        ] {
            let told = replay(&app, &id, &against).await;
            assert_eq!(
                (&told["same"], &told["exact"]),
                (&json!(true), &json!(true)),
                "{context_name}: {told}"
            );
            assert_eq!(told["differences"], json!([]));
            assert_eq!(told["now"]["configHash"], told["then"]["configHash"]);
        }
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metadata_is_replayed_as_it_was_sent_whatever_the_order_of_its_members() {
    let app = spawn().await;
    app.apply(
        "tenant: demo
personas:
  lister:
    name: Lister
    avatarId: 30fa96d0-26c4-4e55-94a0-517025942e18
    voiceId: 6bfbe25a-979d-40f3-a92b-5394170af54b
    llmId: 0934d97d-0c3a-4f33-91b0-5e136a0ef466
    systemPrompt: '{% for name in metadata %}{{ name }}={{ metadata[name] }};{% endfor %}'
contexts:
  listing: {default: lister}
",
    )
    .await;
    let sent = r#"{"context": "listing", "metadata": {"zebra": 1e2, "b": 2.50, "aa": {"y": 1, "x": 2.0}, "c": "text"}}"#;
    let answer = app
        .request(Method::POST, "/v1/session-token", &app.user("user-1"))
        .header("content-type", "application/json")
        .body(sent)
        .send()
        .await
        .unwrap();
    let id = body(answer, 200).await["sessionId"]
        .as_str()
        .unwrap()
        .to_owned();
    super::settled(&app, &id).await;
    let told = replay(&app, &id, &json!({ "against": "then" })).await;
    assert_eq!(
        (&told["same"], &told["exact"]),
        (&json!(true), &json!(true)),
        "{told}"
    );
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_draft_and_a_later_version_differ_in_what_they_change_and_nothing_else() {
    let app = spawn().await;
    let id = minted(&app, &app.user("user-1"), &asked()).await;
    let (etag, draft) = draft(&app, "Never promise a refund.").await;
    let with_draft = json!({ "use": [{ "draft": draft["id"] }] });
    let told = replay(&app, &id, &with_draft).await;
    assert_eq!(
        (&told["same"], &told["exact"]),
        (&json!(false), &json!(true))
    );
    assert_eq!(told["now"]["persona"]["version"], 0);
    let differences = told["differences"].as_array().unwrap();
    assert_eq!(differences.len(), 1, "{differences:?}");
    assert_eq!(differences[0]["pointer"], "/personaConfig/systemPrompt");
    let text = differences[0]["text"].as_str().unwrap();
    assert!(text.contains("+Never promise a refund."), "{text}");
    let minted_before = app.anam.minted().len();

    // Sealed, it can be named; released, it is what is live.
    let key = app.admin_key("demo", Role::Owner).await;
    let path = format!("/v1/admin/drafts/{}:seal", draft["id"].as_str().unwrap());
    state(
        app.tell_if(Method::POST, &path, &key, &etag, &json!({}))
            .await,
        201,
    )
    .await;
    let named = json!({ "use": [{ "kind": "persona", "key": "support-agent", "version": 2 }] });
    let told = replay(&app, &id, &named).await;
    assert_eq!(told["now"]["persona"]["version"], 2);
    assert_eq!(told["differences"].as_array().unwrap().len(), 1);
    assert_eq!(
        replay(&app, &id, &json!({})).await["same"],
        true,
        "not live yet"
    );
    let path = "/v1/admin/documents/persona/support-agent/releases";
    body(
        app.tell(Method::POST, path, &key, &json!({ "version": 2 }))
            .await,
        200,
    )
    .await;
    let told = replay(&app, &id, &json!({})).await;
    assert_eq!(
        (&told["same"], &told["now"]["persona"]["version"]),
        (&json!(false), &json!(2))
    );
    let then = replay(&app, &id, &json!({ "against": "then" })).await;
    assert_eq!(
        (&then["same"], &then["now"]["persona"]["version"]),
        (&json!(true), &json!(1))
    );
    let both = json!({ "against": "then", "use": [{ "kind": "persona", "key": "support-agent", "version": 2 }] });
    assert_eq!(
        replay(&app, &id, &both).await["differences"],
        told["differences"]
    );
    assert_eq!(app.anam.minted().len(), minted_before, "nothing was minted");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_says_when_what_has_no_versions_was_changed_since() {
    let app = spawn().await;
    let id = minted(&app, &app.user("user-1"), &asked()).await;
    app.database
        .sql("update tenant set policy = policy || '{\"locks\": {\"maxSessionLengthSeconds\": 77}}' where slug = 'demo'")
        .await;
    let told = replay(&app, &id, &json!({ "against": "then" })).await;
    assert_eq!(
        (&told["same"], &told["exact"]),
        (&json!(false), &json!(false))
    );
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_decision_that_is_no_longer_possible_is_told_as_its_user_would_hear_it() {
    let app = spawn().await;
    let id = minted(&app, &app.user("user-1"), &asked()).await;
    app.database
        .sql("update document set archived_at = now() where kind = 'context'")
        .await;
    let told = replay(&app, &id, &json!({})).await;
    assert_eq!(told["now"]["decided"], false);
    assert_eq!(told["now"]["undecided"]["code"], "context_unknown");
    assert_eq!(
        (&told["same"], &told["exact"]),
        (&json!(false), &json!(true)),
        "{told}"
    );
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_inputs_there_is_no_replay() {
    let app = spawn().await;
    let id = minted(&app, &app.user("user-1"), &asked()).await;
    app.database.sql("delete from session_inputs").await;
    let key = app.admin_key("demo", Role::Viewer).await;
    let path = format!("/v1/admin/sessions/{id}:replay");
    let told = problem(
        app.ask(Method::POST, &path, &key).await,
        410,
        "inputs_expired",
    )
    .await;
    assert!(
        told["detail"]
            .as_str()
            .unwrap()
            .contains("retainInputsDays")
    );
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_of_a_replay_is_told_with_its_place() {
    let app = spawn().await;
    let id = minted(&app, &app.user("user-1"), &asked()).await;
    let key = app.admin_key("demo", Role::Viewer).await;
    let path = format!("/v1/admin/sessions/{id}:replay");
    let many: Vec<Value> = (0..21)
        .map(|_| json!({ "draft": app.clock.new_id() }))
        .collect();
    for (asked, wanted) in [
        (
            json!({ "against": "tomorrow", "with": 1 }),
            vec!["/against", "/with"],
        ),
        (json!({ "use": {} }), vec!["/use"]),
        (json!({ "use": many }), vec!["/use"]),
        (
            json!({ "use": [1, { "draft": "x" }, { "kind": "avatar", "key": "A", "version": 0 }, { "kind": "persona" }] }),
            vec![
                "/use/0",
                "/use/1/draft",
                "/use/2/kind",
                "/use/2/key",
                "/use/2/version",
                "/use/3/key",
                "/use/3/version",
            ],
        ),
    ] {
        let answer = app.tell(Method::POST, &path, &key, &asked).await;
        let told = problem(answer, 422, "invalid_request").await;
        assert_eq!(pointers(&told), wanted, "{asked}");
    }
    for missing in [
        json!({ "draft": app.clock.new_id() }),
        json!({ "kind": "persona", "key": "support-agent", "version": 99 }),
        json!({ "kind": "persona", "key": "nobody", "version": 1 }),
    ] {
        let asked = json!({ "use": [missing] });
        problem(
            app.tell(Method::POST, &path, &key, &asked).await,
            404,
            "not_found",
        )
        .await;
    }
    app.stop().await;
}
