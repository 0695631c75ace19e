use persona_gateway::domain::role::Role;
use reqwest::Method;
use serde_json::{Value, json};

use super::{draft, live};
use crate::harness::admins::body;
use crate::harness::{TestApp, pointers, problem, spawn};

async fn impact(app: &TestApp, key: &str, asked: &Value) -> Value {
    body(
        app.tell(Method::POST, "/v1/admin/impact", key, asked).await,
        200,
    )
    .await
}

/// Four sessions of the support context, two of them urgent calls of an enterprise customer, and two others.
async fn sessions(app: &TestApp) {
    let enterprise = app.user_with("big", json!({ "plan": "enterprise" }));
    for (token, asked) in [
        (app.user("user-1"), json!({ "context": "support" })),
        (
            enterprise.clone(),
            json!({ "context": "support", "metadata": { "priority": "urgent" } }),
        ),
        (
            enterprise.clone(),
            json!({ "context": "customer-support", "metadata": { "priority": "urgent", "ticketId": "T-2" } }),
        ),
        (
            enterprise,
            json!({ "context": "support", "metadata": { "priority": "low" } }),
        ),
        (app.user("user-1"), json!({ "context": "sales" })),
        (app.user("user-2"), json!({})),
    ] {
        let answer = app.mint(&token, &asked).await;
        assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_prompt_reaches_the_sessions_that_have_it() {
    let app = spawn().await;
    let key = app.admin_key("demo", Role::Editor).await;
    sessions(&app).await;
    let mut content = live(&app, &key, "persona/support-agent").await;
    content["systemPrompt"] = json!("Be brief.");
    content["languageCode"] = json!("de");
    let opened = draft(&app, &key, "persona/support-agent", &content).await.0;
    let told = impact(&app, &key, &json!({ "use": [{ "draft": opened }] })).await;
    assert_eq!(
        (&told["considered"], &told["changed"], &told["share"]),
        (&json!(6), &json!(2), &json!(0.3333))
    );
    let kind = &told["kinds"][0];
    assert_eq!(
        kind["from"],
        json!({ "context": "support", "persona": "support-agent", "version": 1 })
    );
    assert_eq!(
        kind["to"],
        json!({ "context": "support", "persona": "support-agent", "version": 0 })
    );
    assert_eq!(
        kind["fields"],
        json!(["/personaConfig/systemPrompt", "/personaConfig/languageCode"])
    );
    assert_eq!(kind["sessions"].as_array().unwrap().len(), 2);
    let ids = app
        .database
        .rows("select id from session where persona_key = 'support-agent' order by id desc")
        .await;
    let ids: Vec<&Value> = ids.iter().map(|row| &row["id"]).collect();
    assert_eq!(
        kind["sessions"]
            .as_array()
            .unwrap()
            .iter()
            .collect::<Vec<_>>(),
        ids
    );

    // A draft that says the same changes nothing, though it is another version.
    let same = live(&app, &key, "persona/support-agent").await;
    let opened = draft(&app, &key, "persona/support-agent", &same).await.0;
    let told = impact(&app, &key, &json!({ "use": [{ "draft": opened }] })).await;
    assert_eq!((&told["changed"], &told["kinds"]), (&json!(0), &json!([])));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changed_rules_say_from_whom_to_whom() {
    let app = spawn().await;
    let key = app.admin_key("demo", Role::Editor).await;
    sessions(&app).await;
    let mut content = live(&app, &key, "context/support").await;
    content["rules"] = json!([]);
    content["default"] = json!("nobody");
    let gone = draft(&app, &key, "context/support", &content).await.0;
    content["default"] = json!("support-agent");
    let merged = draft(&app, &key, "context/support", &content).await.0;

    let told = impact(
        &app,
        &key,
        &json!({ "use": [{ "draft": merged }], "context": "support" }),
    )
    .await;
    assert_eq!(
        (&told["considered"], &told["changed"]),
        (&json!(4), &json!(2))
    );
    assert_eq!(told["kinds"].as_array().unwrap().len(), 1, "{told}");
    assert_eq!(
        told["kinds"][0]["from"]["persona"],
        "priority-support-agent"
    );
    assert_eq!(told["kinds"][0]["to"]["persona"], "support-agent");
    let by_rule =
        json!({ "context": "support", "rule": 0, "persona": "priority-support-agent", "count": 2 });
    let by_default =
        |count| json!({ "context": "support", "persona": "support-agent", "count": count });
    let before = told["before"].as_array().unwrap();
    assert!(before.len() == 2 && before.contains(&by_rule) && before.contains(&by_default(2)));
    assert_eq!(told["after"], json!([by_default(4)]));

    // What is saved nowhere reaches the same.
    let unsaved = json!([{ "kind": "context", "key": "support", "content": content }]);
    let asked = json!({ "use": unsaved, "context": "support" });
    assert_eq!(impact(&app, &key, &asked).await, told);

    let told = impact(
        &app,
        &key,
        &json!({ "use": [{ "draft": gone }], "sessions": 5 }),
    )
    .await;
    assert_eq!(
        (&told["considered"], &told["changed"]),
        (&json!(5), &json!(3))
    );
    for kind in told["kinds"].as_array().unwrap() {
        assert_eq!(
            kind["to"],
            json!({ "undecided": "the persona `nobody` has no live version" })
        );
        assert_eq!(kind["fields"], json!([]));
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_kept_inputs_of_ones_own_sessions_are_looked_at() {
    let app = spawn().await;
    let key = app.admin_key("demo", Role::Viewer).await;
    sessions(&app).await;
    app.apply(
        "tenant: other
personas: {guide: {name: G, systemPrompt: Hi., avatarId: 30fa96d0-26c4-4e55-94a0-517025942e18, voiceId: 6bfbe25a-979d-40f3-a92b-5394170af54b, llmId: a7cf662c-2ace-4de1-a21e-ef0fbf144bb7}}
contexts: {default: {default: guide}}",
    )
    .await;
    let other = app.admin_key("other", Role::Viewer).await;
    let uses = json!({ "use": [] });
    let told = impact(&app, &other, &uses).await;
    assert_eq!(
        told,
        json!({ "considered": 0, "unreadable": 0, "changed": 0, "share": 0.0, "kinds": [], "before": [], "after": [] })
    );
    assert_eq!(impact(&app, &key, &uses).await["considered"], 6);
    app.database.sql("update session_inputs set keep_until = now() - interval '1 second' where (inputs -> 'metadata') ? 'priority'").await;
    app.database.sql("update session_inputs set inputs = '{\"facts\": 7}' where inputs ->> 'context' = 'sales'").await;
    let told = impact(&app, &key, &uses).await;
    assert_eq!(
        (&told["considered"], &told["unreadable"]),
        (&json!(2), &json!(1))
    );
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_out_of_bounds_is_refused() {
    let app = spawn().await;
    let key = app.admin_key("demo", Role::Viewer).await;
    for (asked, place) in [
        (json!({}), "/use"),
        (json!({ "use": [], "sessions": 0 }), "/sessions"),
        (json!({ "use": [], "sessions": 2001 }), "/sessions"),
        (json!({ "use": [], "sessions": 1.5 }), "/sessions"),
        (json!({ "use": [], "context": "No Key" }), "/context"),
        (json!({ "use": {} }), "/use"),
        (json!({ "use": [], "user": {} }), "/user"),
    ] {
        let answer = app
            .tell(Method::POST, "/v1/admin/impact", &key, &asked)
            .await;
        let told = problem(answer, 422, "invalid_request").await;
        assert_eq!(pointers(&told), [place], "{asked}");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_sessions_are_decided_anew_in_a_moment() {
    let app = spawn().await;
    let key = app.admin_key("demo", Role::Editor).await;
    sessions(&app).await;
    // The same sessions many times over, each a millisecond after the one before.
    app.database
        .sql(
            "create temporary table copies as
                 select s.*, i.keep_until, i.inputs, gen_random_uuid() as copy from session s
                 join session_inputs i on i.session_id = s.id, generate_series(1, 400);
             insert into session (tenant_id, id, at, issuer_id, subject, context_key, persona_key, persona_version, config_hash, trace)
                 select tenant_id, copy, at, issuer_id, subject, context_key, persona_key, persona_version, config_hash, trace from copies;
             insert into session_inputs (tenant_id, session_id, at, keep_until, inputs)
                 select tenant_id, copy, at, keep_until, inputs from copies;",
        )
        .await;
    let mut content = live(&app, &key, "persona/support-agent").await;
    content["systemPrompt"] = json!("Be brief.");
    let opened = draft(&app, &key, "persona/support-agent", &content).await.0;
    let started = std::time::Instant::now();
    let told = impact(
        &app,
        &key,
        &json!({ "use": [{ "draft": opened }], "sessions": 2000 }),
    )
    .await;
    let took = started.elapsed();
    assert_eq!(told["considered"], 2000);
    assert!(took < std::time::Duration::from_secs(20), "{took:?}");
    app.stop().await;
}
