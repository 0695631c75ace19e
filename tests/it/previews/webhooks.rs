//! Secrets that webhook tools refer to: they go in by name, reach Anam in their places, and come out nowhere else.

use std::time::Duration;

use persona_gateway::domain::role::Role;
use reqwest::Method;
use serde_json::{Value, json};

use super::{draft, live, new_document, preview, release, seal};
use crate::harness::admins::{body, state};
use crate::harness::tenants::{Tenant, serve};
use crate::harness::wait::until;
use crate::harness::{
    TestApp, TestOptions, context, errors, full_text, logs, pointers, problem, spawn,
};

const ASSISTANT: &str = "persona/assistant";
const SECRETS: &str = "/v1/admin/secrets";
const TOKEN: &str = "canary-crm-token-6b1f0a93";
const NEXT: &str = "canary-crm-token-of-the-autumn-77c1";
/// Written into SQL by a test, which the log of statements shows.
const PLAIN: &str = "token-of-a-time-before-secrets-0c11";
const HOOK: &str = "canary/hook?path=77 d2";

fn tool(url: &str, headers: &Value) -> Value {
    json!([{ "type": "server", "subtype": "webhook", "name": "ticket", "method": "POST", "url": url, "headers": headers }])
}

fn referring() -> Value {
    tool(
        "https://api.crm.example/${secret:hook}/tickets?key=${secret:hook}",
        &json!({ "Authorization": "Bearer ${secret:crm-token}", "Accept": "application/json" }),
    )
}

async fn set(app: &TestApp, key: &str, name: &str, value: &str, status: u16) -> Value {
    let path = format!("{SECRETS}/{name}");
    let answer = app
        .tell(Method::PUT, &path, key, &json!({ "value": value }))
        .await;
    body(answer, status).await
}

/// Waits until a mint sends a header of the tool like this.
async fn sends(app: &TestApp, token: &str, authorization: &str) -> Value {
    until(
        "the secret reaches Anam",
        Duration::from_secs(5),
        || async {
            let answer = app.mint(token, &context("default")).await;
            assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
            let sent = app.last_mint()["personaConfig"]["tools"][0].clone();
            (sent["headers"]["Authorization"] == authorization).then_some(sent)
        },
    )
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(
    clippy::too_many_lines,
    reason = "every place that could show it, one after the other"
)]
async fn a_secret_reaches_anam_in_its_place_and_is_seen_nowhere_else() {
    let app = spawn().await;
    let owner = app.admin_key("demo", Role::Owner).await;
    let token = app.user("user-1");
    let mut answers = String::new();

    // What is not set is found before it can go live.
    let mut content = live(&app, &owner, ASSISTANT).await;
    content["tools"] = referring();
    let (id, etag) = draft(&app, &owner, ASSISTANT, &content).await;
    let validate = format!("/v1/admin/drafts/{id}:validate");
    let found = body(app.ask(Method::POST, &validate, &owner).await, 200).await;
    let missing: Vec<&Value> = found["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|finding| finding["severity"] == "error")
        .collect();
    assert_eq!(missing.len(), 3, "{found}");
    assert_eq!(missing[0]["pointer"], "/tools/0/headers/Authorization");
    assert!(
        missing[0]["message"]
            .as_str()
            .unwrap()
            .contains("`crm-token`")
    );
    let seal_path = format!("/v1/admin/drafts/{id}:seal");
    let refused = app
        .tell_if(Method::POST, &seal_path, &owner, &etag, &json!({}))
        .await;
    problem(refused, 422, "document_invalid").await;

    let one = set(&app, &owner, "crm-token", TOKEN, 201).await;
    assert_eq!(one["lastFour"], "0a93");
    assert_eq!(one["usedBy"], json!([]));
    answers += &one.to_string();
    answers += &set(&app, &owner, "hook", HOOK, 201).await.to_string();
    let found = body(app.ask(Method::POST, &validate, &owner).await, 200).await;
    assert_eq!(found["ok"], true, "{found}");
    let number = seal(&app, &owner, &(id, etag)).await;
    let asked = json!({ "version": number });
    answers += &body(release(&app, &owner, ASSISTANT, &asked).await, 200)
        .await
        .to_string();

    let sent = sends(&app, &token, &format!("Bearer {TOKEN}")).await;
    assert_eq!(
        sent["url"],
        "https://api.crm.example/canary%2Fhook%3Fpath%3D77%20d2/tickets?key=canary%2Fhook%3Fpath%3D77%20d2"
    );
    assert_eq!(sent["headers"]["Accept"], "application/json");

    // A new value is sent from the next mint on, and a repeated one changes nothing.
    answers += &set(&app, &owner, "crm-token", NEXT, 200).await.to_string();
    sends(&app, &token, &format!("Bearer {NEXT}")).await;
    let rows = "select action from audit_event where action like 'secret.%' order by seq";
    let before = app.database.rows(rows).await;
    set(&app, &owner, "crm-token", NEXT, 200).await;
    assert_eq!(app.database.rows(rows).await, before);
    assert_eq!(
        before.iter().map(|row| &row["action"]).collect::<Vec<_>>(),
        ["secret.create", "secret.create", "secret.change"]
    );

    // Everything that shows what is live, or was.
    let asked = json!({ "user": { "subject": "user-1" }, "context": "default" });
    let shown = full_text(preview(&app, &owner, &asked).await).await;
    assert!(shown.contains("${secret:crm-token}"), "{shown}");
    answers += &shown;
    let sessions = body(
        app.ask(Method::GET, "/v1/admin/sessions", &owner).await,
        200,
    )
    .await;
    let session = sessions["items"][0]["id"].as_str().unwrap().to_owned();
    let replay = format!("/v1/admin/sessions/{session}:replay");
    for (method, path) in [
        (Method::GET, SECRETS.to_owned()),
        (Method::GET, format!("{SECRETS}/crm-token")),
        (Method::GET, format!("/v1/admin/sessions/{session}")),
        (Method::POST, replay),
        (Method::GET, "/v1/admin/bundle".into()),
        (Method::GET, "/v1/admin/audit".into()),
        (Method::GET, "/v1/admin/audit/export".into()),
        (
            Method::GET,
            format!("/v1/admin/documents/{ASSISTANT}/versions/{number}"),
        ),
    ] {
        let answer = app.tell(method, &path, &owner, &json!({})).await;
        assert_eq!(answer.status(), 200, "{path}");
        answers += &answer.text().await.unwrap();
    }
    let exported = body(app.ask(Method::GET, "/v1/admin/bundle", &owner).await, 200).await;
    assert_eq!(
        exported["secrets"],
        json!({ "crm-token": { "stored": true }, "hook": { "stored": true } })
    );
    for bad in [
        format!("{TOKEN}\n"),
        format!(" {TOKEN}"),
        format!("{TOKEN}\u{e9}"),
    ] {
        let path = format!("{SECRETS}/crm-token");
        let answer = app
            .tell(Method::PUT, &path, &owner, &json!({ "value": bad }))
            .await;
        let refused = problem(answer, 422, "invalid_request").await;
        assert_eq!(pointers(&refused), ["/value"]);
        answers += &refused.to_string();
    }
    let (rows, logs) = (app.database.dump().await, logs::logged());
    assert!(rows.contains("crm-token") && logs.contains("session.id"));
    for secret in [TOKEN, NEXT, HOOK, "canary%2Fhook"] {
        for (place, text) in [("answers", &answers), ("rows", &rows), ("logs", &logs)] {
            assert!(!text.contains(secret), "{secret} is in the {place}");
        }
        assert!(
            !rows.contains(&hex::encode(secret)),
            "{secret} is in the rows, as bytes"
        );
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_that_something_live_or_scheduled_needs_is_not_deleted() {
    let app = spawn().await;
    let owner = app.admin_key("demo", Role::Owner).await;
    set(&app, &owner, "crm-token", TOKEN, 201).await;
    set(&app, &owner, "hook", HOOK, 201).await;
    let delete = async |name: &str| {
        let path = format!("{SECRETS}/{name}");
        let (etag, _) = state(app.ask(Method::GET, &path, &owner).await, 200).await;
        app.tell_if(Method::DELETE, &path, &owner, &etag, &json!({}))
            .await
    };
    let mut content = live(&app, &owner, ASSISTANT).await;
    content["tools"] = referring();
    let drafted = draft(&app, &owner, ASSISTANT, &content).await;
    let number = seal(&app, &owner, &drafted).await;
    let later = app.clock.now() + chrono::TimeDelta::days(1);
    let asked = json!({ "version": number, "liveFrom": later });
    body(release(&app, &owner, ASSISTANT, &asked).await, 200).await;
    let (_, one) = state(
        app.ask(Method::GET, &format!("{SECRETS}/hook"), &owner)
            .await,
        200,
    )
    .await;
    assert_eq!(
        one["usedBy"],
        json!([{ "kind": "persona", "key": "assistant", "version": number, "pointer": "/tools/0/url" }])
    );
    for name in ["crm-token", "hook"] {
        let refused = problem(delete(name).await, 409, "in_use").await;
        assert!(refused["detail"].as_str().unwrap().contains("`assistant`"));
    }
    let unseen = app
        .ask(Method::DELETE, &format!("{SECRETS}/hook"), &owner)
        .await;
    problem(unseen, 428, "precondition_required").await;

    let policy = json!({ "locks": { "tools": referring() } });
    let (etag, _) = state(app.ask(Method::GET, "/v1/admin/policy", &owner).await, 200).await;
    set(&app, &owner, "spare", TOKEN, 201).await;
    assert_eq!(delete("spare").await.status(), 204);
    let lacking =
        json!({ "locks": { "tools": tool("https://a.example/${secret:spare}", &json!({})) } });
    let request = app
        .request(Method::PATCH, "/v1/admin/policy", &owner)
        .header("if-match", &etag)
        .header("content-type", "application/merge-patch+json");
    let answer = request.body(lacking.to_string()).send().await.unwrap();
    let refused = problem(answer, 422, "invalid_request").await;
    assert_eq!(pointers(&refused), ["/locks/tools/0/url"]);
    let request = app
        .request(Method::PATCH, "/v1/admin/policy", &owner)
        .header("if-match", &etag)
        .header("content-type", "application/merge-patch+json");
    let answer = request.body(policy.to_string()).send().await.unwrap();
    body(answer, 200).await;
    sends(&app, &app.user("user-1"), &format!("Bearer {TOKEN}")).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_credential_in_plain_text_is_refused_anew_and_goes_on_where_it_is_live() {
    let app = spawn().await;
    let owner = app.admin_key("demo", Role::Owner).await;
    let plain = tool(
        "https://api.crm.example/tickets",
        &json!({ "Authorization": format!("Bearer {PLAIN}") }),
    );
    let mut content = live(&app, &owner, ASSISTANT).await;
    content["tools"] = plain.clone();
    let (id, etag) = draft(&app, &owner, ASSISTANT, &content).await;
    let path = format!("/v1/admin/drafts/{id}:seal");
    let answer = app
        .tell_if(Method::POST, &path, &owner, &etag, &json!({}))
        .await;
    let refused = problem(answer, 422, "document_invalid").await;
    let (place, message) = errors(&refused).remove(0);
    assert_eq!(place, "/tools/0/headers/Authorization");
    assert!(
        message.contains("${secret:NAME}") && !message.contains(PLAIN),
        "{message}"
    );
    let mut bundle = body(app.ask(Method::GET, "/v1/admin/bundle", &owner).await, 200).await;
    bundle["personas"]["assistant"] = content.clone();
    let apply = json!({ "bundle": bundle });
    let answer = app
        .tell(Method::POST, "/v1/admin/bundle:apply", &owner, &apply)
        .await;
    let refused = problem(answer, 422, "document_invalid").await;
    assert_eq!(
        pointers(&refused),
        ["/bundle/personas/assistant/tools/0/headers/Authorization"]
    );

    // One that was sealed before there were secrets.
    let tools = json!({ "tools": plain });
    app.database
        .sql(&format!(
            "with v as (
                 insert into document_version (tenant_id, document_id, content)
                 select v.tenant_id, v.document_id, v.content || '{tools}'
                 from document_version v join document d on d.id = v.document_id where d.key = 'assistant'
                 returning tenant_id, document_id, id)
             insert into release (tenant_id, document_id, version_id) select tenant_id, document_id, id from v"
        ))
        .await;
    sends(&app, &app.user("user-1"), &format!("Bearer {PLAIN}")).await;
    let same = body(app.ask(Method::GET, "/v1/admin/bundle", &owner).await, 200).await;
    let apply = json!({ "bundle": same });
    let answer = app
        .tell(Method::POST, "/v1/admin/bundle:apply", &owner, &apply)
        .await;
    let told = body(answer, 200).await;
    assert_eq!(told["steps"], json!([]));
    assert!(
        told["findings"].as_array().unwrap().iter().any(|one| {
            one["severity"] == "warning"
                && one["pointer"] == "/personas/assistant/tools/0/headers/Authorization"
        }),
        "{told}"
    );
    // It does not stand in the way of other changes.
    let new = json!({ "name": "Other", "systemPrompt": "x" });
    let drafted = new_document(&app, &owner, "persona/other", &new).await;
    let number = seal(&app, &owner, &drafted).await;
    let asked = json!({ "version": number });
    body(release(&app, &owner, "persona/other", &asked).await, 200).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_that_was_lost_fails_the_mints_that_need_it_and_says_which_to_the_log() {
    let app = spawn().await;
    let owner = app.admin_key("demo", Role::Owner).await;
    set(&app, &owner, "crm-token", TOKEN, 201).await;
    set(&app, &owner, "hook", HOOK, 201).await;
    let mut content = live(&app, &owner, ASSISTANT).await;
    content["tools"] = referring();
    let drafted = draft(&app, &owner, ASSISTANT, &content).await;
    let number = seal(&app, &owner, &drafted).await;
    body(
        release(&app, &owner, ASSISTANT, &json!({ "version": number })).await,
        200,
    )
    .await;
    sends(&app, &app.user("user-1"), &format!("Bearer {TOKEN}")).await;
    let asked = app.mints_asked();
    app.database
        .sql("delete from secret where name = 'hook'")
        .await;
    app.settle("demo").await;
    let answer = app.mint(&app.user("user-1"), &context("default")).await;
    let failed = problem(answer, 503, "secret_unavailable").await;
    assert!(!failed.to_string().contains("hook"), "{failed}");
    assert_eq!(app.mints_asked(), asked);
    assert!(logs::logged().contains("the persona refers to the secret `hook`"));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bundle_brings_secrets_by_reference_and_another_tenants_are_nobodys() {
    let tenants = [Tenant::new("acme", None), Tenant::new("globex", None)];
    let app = serve(&[&tenants[0], &tenants[1]], TestOptions::default()).await;
    let owner = app.admin_key("acme", Role::Owner).await;
    let other = app.admin_key("globex", Role::Owner).await;
    let mut bundle = json!({ "tenant": "acme", "secrets": { "crm-token": { "env": "CRM" }, "hook": { "file": "hook" } } });
    bundle["personas"] = json!({ "guide": tenants[0].bundle()["personas"]["guide"] });
    bundle["personas"]["guide"]["tools"] = referring();
    let apply = async |bundle: &Value, secrets: Value, prune: bool| {
        let asked = json!({ "bundle": bundle, "secrets": secrets, "prune": prune });
        app.tell(Method::POST, "/v1/admin/bundle:apply", &owner, &asked)
            .await
    };
    let both = || json!({ "/secrets/crm-token": TOKEN, "/secrets/hook": HOOK });
    let refused = problem(
        apply(&bundle, json!({ "/secrets/hook": HOOK }), false).await,
        422,
        "document_invalid",
    )
    .await;
    assert!(
        pointers(&refused).contains(&"/bundle/secrets/crm-token".to_owned()),
        "{refused}"
    );
    let plan = body(apply(&bundle, both(), false).await, 200).await;
    let targets: Vec<&Value> = plan["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| &step["target"])
        .collect();
    assert_eq!(
        targets,
        ["secret/crm-token", "secret/hook", "persona/guide"]
    );
    assert!(!plan.to_string().contains(TOKEN));
    let again = body(apply(&bundle, both(), false).await, 200).await;
    assert_eq!(again["steps"], json!([]));
    sends(&app, &tenants[0].user("u"), &format!("Bearer {TOKEN}")).await;

    // Pruning takes what nothing needs, and refuses to take what something does.
    set(&app, &owner, "spare", TOKEN, 201).await;
    let kept = json!({ "tenant": "acme", "secrets": { "crm-token": { "stored": true }, "hook": { "stored": true } } });
    let plan = body(apply(&kept, json!({}), true).await, 200).await;
    assert_eq!(plan["steps"][0]["target"], "secret/spare");
    let less = json!({ "tenant": "acme", "secrets": { "hook": { "stored": true } } });
    let refused = problem(apply(&less, json!({}), true).await, 422, "document_invalid").await;
    assert!(refused.to_string().contains("crm-token"), "{refused}");
    let unknown = json!({ "tenant": "acme", "secrets": { "none": { "stored": true } } });
    problem(
        apply(&unknown, json!({}), false).await,
        422,
        "document_invalid",
    )
    .await;

    let listed = body(app.ask(Method::GET, SECRETS, &other).await, 200).await;
    assert_eq!(listed["items"], json!([]));
    let answer = app
        .ask(Method::GET, &format!("{SECRETS}/hook"), &other)
        .await;
    problem(answer, 404, "not_found").await;
    let theirs = new_document(&app, &other, "persona/theirs", &bundle["personas"]["guide"]).await;
    let (id, etag) = theirs;
    let path = format!("/v1/admin/drafts/{id}:seal");
    let answer = app
        .tell_if(Method::POST, &path, &other, &etag, &json!({}))
        .await;
    let refused = problem(answer, 422, "document_invalid").await;
    assert!(
        refused.to_string().contains("which is not set"),
        "{refused}"
    );
    app.stop().await;
}
