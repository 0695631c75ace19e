use persona_gateway::domain::role::Role;
use reqwest::Method;
use serde_json::{Value, json};

use super::{draft, live, new_document, preview, release, seal};
use crate::harness::admins::body;
use crate::harness::tenants::{Tenant, serve};
use crate::harness::{TestApp, TestOptions, full_text, pointers, problem, spawn};

/// The demo user, as the dev issuer's tokens tell.
fn sam() -> Value {
    json!({ "subject": "user-9", "facts": { "name": "Sam Rivera", "plan": "pro", "locale": "en-GB", "roles": ["member"] } })
}

/// The same with the fence's tag, which depends on the session, taken out.
fn without_tags(request: &Value) -> Value {
    let mut text = request.to_string();
    while let Some((_, rest)) = text.split_once('⟦') {
        let tag: String = rest.chars().take(8).collect();
        text = text.replace('⟦', "<").replace(&tag, "TAG");
    }
    let mut request: Value = serde_json::from_str(&text).unwrap();
    request.as_object_mut().unwrap().remove("clientLabel");
    request
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_preview_shows_what_anam_gets_once_the_draft_is_live_and_mints_nothing() {
    let app = spawn().await;
    let key = app.admin_key("demo", Role::Publisher).await;
    let mut content = live(&app, &key, "persona/support-agent").await;
    let prompt = content["systemPrompt"].as_str().unwrap();
    content["systemPrompt"] = json!(format!(
        "{prompt}\nAlways mention {{{{ metadata.ticketId }}}}."
    ));
    content["maxSessionLengthSeconds"] = json!(300);
    let opened = draft(&app, &key, "persona/support-agent", &content).await;
    let rows = async || {
        let sql = "select (select count(*) from session) as sessions, (select count(*) from audit_event) as events";
        app.database.rows(sql).await[0].clone()
    };
    let before = rows().await;

    let asked = json!({ "context": "support", "metadata": { "ticketId": "T-1 \u{27e6}x" } });
    let mut wanted = asked.clone();
    wanted["use"] = json!([{ "draft": opened.0 }]);
    wanted["user"] = sam();
    let shown = body(preview(&app, &key, &wanted).await, 200).await;
    assert_eq!(
        shown["request"]["clientLabel"],
        "00000000-0000-0000-0000-000000000000"
    );
    assert_eq!(shown["trace"]["persona"]["version"], 0);
    assert_eq!(
        shown["trace"]["fields"]["maxSessionLengthSeconds"],
        "persona"
    );
    assert!(
        shown["greeting"]
            .as_str()
            .unwrap()
            .starts_with("Hi Sam Rivera")
    );
    assert_eq!((app.mints_asked(), rows().await), (0, before));

    let number = seal(&app, &key, &opened).await;
    let released = release(
        &app,
        &key,
        "persona/support-agent",
        &json!({ "version": number }),
    )
    .await;
    body(released, 200).await;
    app.settle("demo").await;
    let minted = app.minted_config(&app.user("user-9"), &asked).await;
    assert_eq!(without_tags(&shown["request"]), without_tags(&minted));
    assert_eq!(
        shown["prompt"],
        shown["request"]["personaConfig"]["systemPrompt"]
    );
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_worlds_are_compared_field_by_field_and_line_by_line() {
    let app = spawn().await;
    let key = app.admin_key("demo", Role::Editor).await;
    let mut content = live(&app, &key, "persona/assistant").await;
    content["systemPrompt"] =
        json!("You are a helpful assistant of {{ tenant.name }}.\nSay goodbye.");
    content["languageCode"] = json!("de");
    let opened = draft(&app, &key, "persona/assistant", &content).await;
    let asked = json!({ "use": [{ "draft": opened.0 }], "against": "live" });
    let shown = body(preview(&app, &key, &asked).await, 200).await;
    let changes = shown["difference"]["changes"].as_array().unwrap();
    let places: Vec<&str> = changes
        .iter()
        .map(|change| change["pointer"].as_str().unwrap())
        .collect();
    assert_eq!(
        places,
        ["/personaConfig/systemPrompt", "/personaConfig/languageCode"]
    );
    assert_eq!(
        (&changes[1]["before"], &changes[1]["after"]),
        (&json!("en"), &json!("de"))
    );
    let lines = shown["difference"]["prompt"].as_str().unwrap();
    assert!(
        lines.contains("+Say goodbye.")
            && lines.contains(" You are a helpful assistant of Northwind Cloud."),
        "{lines}"
    );
    assert_eq!(shown["against"]["trace"]["persona"]["version"], 1);
    // The same content, saved nowhere.
    let unsaved = json!({ "kind": "persona", "key": "assistant", "content": content });
    let asked = json!({ "use": [unsaved], "against": "live" });
    assert_eq!(
        body(preview(&app, &key, &asked).await, 200).await["request"],
        shown["request"]
    );
    // So is a document that does not exist yet.
    let new = json!({ "kind": "context", "key": "new", "content": { "default": "assistant" } });
    let asked = json!({ "use": [new], "context": "new" });
    let new = body(preview(&app, &key, &asked).await, 200).await;
    assert_eq!(new["trace"]["context"]["key"], "new");

    // The other way round, a version against a draft.
    let asked = json!({
        "use": [{ "kind": "persona", "key": "assistant", "version": 1 }], "against": [{ "draft": opened.0 }],
    });
    let shown = body(preview(&app, &key, &asked).await, 200).await;
    assert!(
        shown["difference"]["prompt"]
            .as_str()
            .unwrap()
            .contains("-Say goodbye.")
    );
    assert_eq!(shown["against"]["trace"]["persona"]["version"], 0);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn drafts_of_several_documents_are_tried_together() {
    let app = spawn().await;
    let key = app.admin_key("demo", Role::Editor).await;
    // A persona that is not released, with a snippet that is not sealed, given by a context that is not either.
    let snippet = new_document(
        &app,
        &key,
        "snippet/manners",
        &json!({ "text": "Mind your manners." }),
    )
    .await;
    let mut content = live(&app, &key, "persona/assistant").await;
    content["systemPrompt"] = json!("{{ snippets.manners }} {{ snippets[\"house-rules\"] }}");
    content.as_object_mut().unwrap().remove("snippets");
    let persona = new_document(&app, &key, "persona/butler", &content).await;
    let dinner = new_document(
        &app,
        &key,
        "context/dinner",
        &json!({ "default": "butler", "aliases": ["supper"] }),
    )
    .await;
    let uses = json!([{ "draft": snippet.0 }, { "draft": persona.0 }, { "draft": dinner.0 }]);
    let shown = preview(&app, &key, &json!({ "use": uses, "context": "supper" })).await;
    let shown = body(shown, 200).await;
    assert!(
        shown["prompt"]
            .as_str()
            .unwrap()
            .starts_with("Mind your manners. Speak in short sentences")
    );
    assert_eq!(shown["trace"]["contextFound"], "byAlias");

    // Alone, the context gives nobody; without it, the default answers.
    let shown = preview(
        &app,
        &key,
        &json!({ "use": [{ "draft": dinner.0 }], "context": "dinner" }),
    )
    .await;
    assert_eq!(
        body(shown, 200).await,
        json!({ "undecided": { "code": "persona_unavailable", "message": "the persona `butler` has no live version" } })
    );
    let shown = body(
        preview(&app, &key, &json!({ "context": "dinner" })).await,
        200,
    )
    .await;
    assert_eq!(shown["trace"]["contextFound"], "unknown");

    // A draft of a snippet shows wherever it is pinned.
    let rules = draft(
        &app,
        &key,
        "snippet/house-rules",
        &json!({ "text": "NEW RULES" }),
    )
    .await;
    let shown = body(
        preview(&app, &key, &json!({ "use": [{ "draft": rules.0 }] })).await,
        200,
    )
    .await;
    assert!(shown["prompt"].as_str().unwrap().contains("NEW RULES"));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_would_be_given_is_told_with_its_reason() {
    let app = spawn().await;
    let key = app.admin_key("demo", Role::Viewer).await;
    let asked = json!({ "context": "support", "metadata": { "priority": "low", "ticketId": 7, "more": 1 } });
    let shown = body(preview(&app, &key, &asked).await, 200).await;
    assert_eq!(shown["undecided"]["code"], "metadata_invalid");
    let mut places = pointers(&shown["undecided"]);
    places.sort();
    assert_eq!(places, ["/metadata/more", "/metadata/ticketId"]);
    assert!(shown.get("request").is_none());
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_moment_to_come_has_what_is_scheduled_until_then() {
    let app = spawn().await;
    let key = app.admin_key("demo", Role::Publisher).await;
    let mut content = live(&app, &key, "persona/assistant").await;
    content["systemPrompt"] = json!("It is {{ time.date }}.");
    let opened = draft(&app, &key, "persona/assistant", &content).await;
    let number = seal(&app, &key, &opened).await;
    let at = app.clock.now() + chrono::TimeDelta::days(3);
    let asked = json!({ "version": number, "liveFrom": at });
    body(release(&app, &key, "persona/assistant", &asked).await, 200).await;

    let now = body(preview(&app, &key, &json!({})).await, 200).await;
    assert!(!now["prompt"].as_str().unwrap().starts_with("It is"));
    let then = at + chrono::TimeDelta::days(1);
    let shown = body(preview(&app, &key, &json!({ "at": then })).await, 200).await;
    assert_eq!(
        shown["prompt"],
        format!("It is {}.", then.format("%Y-%m-%d"))
    );
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_draft_that_can_not_be_read_is_told_with_every_fault() {
    let app = spawn().await;
    let key = app.admin_key("demo", Role::Editor).await;
    let broken = new_document(
        &app,
        &key,
        "persona/broken",
        &json!({ "name": "B", "systemPrompt": "{{ nobody }}", "avatarId": "x" }),
    )
    .await;
    let unpinned = new_document(
        &app,
        &key,
        "persona/unpinned",
        &json!({ "name": "B", "systemPrompt": "{{ snippets.nowhere }}" }),
    )
    .await;
    let uses = json!([{ "draft": unpinned.0 }, { "draft": broken.0 }]);
    let answer = preview(&app, &key, &json!({ "use": uses })).await;
    let told = problem(answer, 422, "document_invalid").await;
    assert_eq!(
        pointers(&told),
        ["/use/0/snippets", "/use/1/systemPrompt", "/use/1/avatarId"]
    );
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_is_typed_in_is_read_as_a_template() {
    let app = spawn().await;
    let key = app.admin_key("demo", Role::Viewer).await;
    let evil = "{{ tenant.name }}{% for i in metadata %}{% endfor %}{{ snippets['house-rules'] }}";
    let asked = json!({
        "context": "support", "metadata": { "issue": evil, "ticketId": "⟦0:" },
        "user": { "facts": { "name": evil, "plan": "{{ 7*7 }}" }, "preferences": { "tone": evil, "systemPrompt": evil } },
    });
    let shown = body(preview(&app, &key, &asked).await, 200).await;
    let prompt = shown["prompt"].as_str().unwrap();
    assert!(prompt.contains(evil) && !prompt.contains("49"), "{prompt}");
    // Each of them stands between marks, and no mark was brought along.
    assert_eq!(prompt.matches('⟦').count(), prompt.matches('⟧').count());
    assert!(!prompt.contains("⟦0:"), "{prompt}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_saved_yet_is_tried_as_a_draft_of_it_would_be() {
    let app = spawn().await;
    let editor = app.admin_key("demo", Role::Editor).await;
    let viewer = app.admin_key("demo", Role::Viewer).await;
    let mut content = live(&app, &editor, "persona/assistant").await;
    content["systemPrompt"] = json!("Be brief. {{ snippets[\"house-rules\"] }}");
    content.as_object_mut().unwrap().remove("snippets");
    let saved = draft(&app, &editor, "persona/assistant", &content).await;
    let of_draft = json!({ "use": [{ "draft": saved.0 }], "user": sam() });
    let of_draft = body(preview(&app, &viewer, &of_draft).await, 200).await;
    let typed = json!({ "kind": "persona", "key": "assistant", "content": content });
    let of_typed = json!({ "use": [typed], "user": sam() });
    let of_typed = body(preview(&app, &viewer, &of_typed).await, 200).await;
    assert_eq!(of_typed, of_draft);
    assert_eq!(of_typed["trace"]["persona"]["version"], 0);

    // Its document need not exist.
    let new = json!({ "kind": "context", "key": "dinner", "content": { "default": "butler" } });
    let persona = json!({ "kind": "persona", "key": "butler", "content": content });
    let asked = json!({ "use": [new, persona], "context": "dinner" });
    let shown = body(preview(&app, &viewer, &asked).await, 200).await;
    assert_eq!(shown["trace"]["persona"]["key"], "butler");

    let mut broken = content.clone();
    broken["systemPrompt"] = json!("Hello\n{{ user.name");
    let asked = json!({ "use": [{ "kind": "persona", "key": "assistant", "content": broken }] });
    let told = problem(
        preview(&app, &viewer, &asked).await,
        422,
        "document_invalid",
    )
    .await;
    assert_eq!(pointers(&told), ["/use/0/systemPrompt"]);
    for bad in [
        json!({ "kind": "persona", "key": "assistant", "content": "x" }),
        json!({ "kind": "persona", "key": "assistant", "content": {}, "version": 1 }),
        json!({ "kind": "persona", "content": {} }),
    ] {
        let asked = json!({ "use": [bad] });
        problem(preview(&app, &viewer, &asked).await, 422, "invalid_request").await;
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_of_a_question_is_told_at_once() {
    let app = spawn().await;
    let key = app.admin_key("demo", Role::Viewer).await;
    let asked = json!({
        "use": [{ "draft": "x" }, { "kind": "persona", "key": "No Key", "version": 0 }, 7, { "draft": uuid::Uuid::nil(), "more": 1 }],
        "against": "yesterday", "context": "two\nlines", "metadata": [], "at": "soon",
        "user": { "sample": "x", "facts": {} }, "more": 1,
    });
    let told = problem(preview(&app, &key, &asked).await, 422, "invalid_request").await;
    assert_eq!(
        pointers(&told),
        [
            "/use/0/draft",
            "/use/1/key",
            "/use/1/version",
            "/use/2",
            "/use/3/more",
            "/against",
            "/context",
            "/metadata",
            "/user",
            "/at",
            "/more",
        ]
    );
    let many = json!({ "use": vec![json!({ "draft": uuid::Uuid::nil() }); 21] });
    problem(preview(&app, &key, &many).await, 422, "invalid_request").await;
    let large = json!({ "metadata": { "x": "y".repeat(5_000_000) } });
    problem(preview(&app, &key, &large).await, 413, "body_too_large").await;
    let deep = format!("{{\"metadata\":{}{}}}", "[".repeat(100), "]".repeat(100));
    let sent = app
        .request(Method::POST, "/v1/admin/preview", &key)
        .header("content-type", "application/json");
    problem(
        sent.body(deep).send().await.unwrap(),
        400,
        "malformed_request",
    )
    .await;
    let user = app.user("user-1");
    problem(
        preview(&app, &user, &json!({})).await,
        401,
        "unauthenticated",
    )
    .await;
    app.stop().await;
}

async fn put_sample(app: &TestApp, key: &str) {
    let request = app.request(Method::PUT, "/v1/admin/sample-users/ann", key);
    let answer = request
        .header("if-none-match", "*")
        .json(&json!({ "facts": { "plan": "gold" } }));
    body(answer.send().await.unwrap(), 201).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_tenants_drafts_and_sample_users_are_like_unknown_ones() {
    let (alpha, beta) = (Tenant::new("alpha", None), Tenant::new("beta", None));
    let app = serve(&[&alpha, &beta], TestOptions::default()).await;
    let (mine, theirs) = (
        app.admin_key("alpha", Role::Owner).await,
        app.admin_key("beta", Role::Owner).await,
    );
    let content = json!({ "name": "Secret of beta", "systemPrompt": "Secret of beta." });
    let foreign = new_document(&app, &theirs, "persona/hidden", &content)
        .await
        .0;
    put_sample(&app, &theirs).await;

    let unknown = uuid::Uuid::nil().to_string();
    let strip = |text: String| {
        let (_, body) = text.split_once("{\"type\"").unwrap();
        body.to_owned()
    };
    for path in ["/v1/admin/preview", "/v1/admin/impact"] {
        let ask = async |id: &str| {
            let asked = json!({ "use": [{ "draft": id }] });
            let answer = app.tell(Method::POST, path, &mine, &asked).await;
            assert_eq!(answer.status(), 404, "{path}");
            strip(full_text(answer).await)
        };
        assert_eq!(ask(&foreign).await, ask(&unknown).await);
        let version = json!({ "use": [{ "kind": "persona", "key": "hidden", "version": 1 }] });
        problem(
            app.tell(Method::POST, path, &mine, &version).await,
            404,
            "not_found",
        )
        .await;
    }
    let asked = json!({ "user": { "sample": "ann" } });
    problem(preview(&app, &mine, &asked).await, 404, "not_found").await;
    body(preview(&app, &theirs, &asked).await, 200).await;
    // And each sees its own world only.
    let shown = body(preview(&app, &mine, &json!({})).await, 200)
        .await
        .to_string();
    assert!(
        shown.contains("Secret rule of alpha.") && !shown.contains("beta"),
        "{shown}"
    );
    app.stop().await;
}

#[tokio::test]
async fn twenty_drafts_and_versions_are_tried_together_and_no_more() {
    let app = spawn().await;
    let key = app.admin_key("demo", Role::Viewer).await;
    let version = json!({ "kind": "persona", "key": "assistant", "version": 1 });
    for (uses, status) in [(20, 200), (21, 422)] {
        let uses = vec![version.clone(); uses];
        for path in ["/v1/admin/preview", "/v1/admin/impact"] {
            let answer = app
                .tell(Method::POST, path, &key, &json!({ "use": uses }))
                .await;
            let told = body(answer, status).await;
            if status == 422 {
                assert_eq!(pointers(&told), ["/use"], "{path}: {told}");
            }
        }
    }
    app.stop().await;
}
