//! Ways to bring about the problems of the admin API.

use persona_gateway::domain::role::Role;
use persona_gateway::web::codes::Code;
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::harness::TestApp;
use crate::harness::admins::{body, state};

const DOCUMENTS: &str = "/v1/admin/documents";

/// Brings one problem about.
pub(super) async fn provoke(code: Code, app: &TestApp) -> Response {
    let owner = app.admin_key("demo", Role::Owner).await;
    let snippet = |key: &str, text: &str| json!({ "kind": "snippet", "key": key, "content": { "text": text } });
    let create = async |body: Value| app.tell(Method::POST, DOCUMENTS, &owner, &body).await;
    match code {
        Code::Forbidden => {
            let viewer = app.admin_key("demo", Role::Viewer).await;
            app.tell(Method::POST, DOCUMENTS, &viewer, &snippet("x", "x"))
                .await
        }
        Code::AlreadyExists => create(json!({ "kind": "persona", "key": "assistant" })).await,
        Code::InUse => {
            let path = format!("{DOCUMENTS}/persona/assistant:archive");
            app.ask(Method::POST, &path, &owner).await
        }
        Code::Conflict => {
            let path = format!("{DOCUMENTS}/persona/assistant/releases");
            app.tell(Method::POST, &path, &owner, &json!({ "version": 1 }))
                .await
        }
        Code::DocumentInvalid => {
            let (etag, draft) = state(create(snippet("broken", "{{ nobody }}")).await, 201).await;
            let path = format!("/v1/admin/drafts/{}:seal", draft["id"].as_str().unwrap());
            app.tell_if(Method::POST, &path, &owner, &etag, &json!({}))
                .await
        }
        Code::PreconditionRequired => {
            let (_, draft) = state(create(snippet("unseen", "x")).await, 201).await;
            let path = format!("/v1/admin/drafts/{}", draft["id"].as_str().unwrap());
            app.ask(Method::DELETE, &path, &owner).await
        }
        Code::IdempotencyKeyReused => {
            let send = async |key: &str| {
                let request = app.request(Method::POST, DOCUMENTS, &owner);
                let request = request.header("idempotency-key", "one");
                request.json(&snippet(key, "x")).send().await.unwrap()
            };
            assert_eq!(send("once").await.status(), 201);
            send("twice").await
        }
        Code::MergeConflict => {
            let path = format!("{DOCUMENTS}/persona/assistant/drafts");
            let named = async |name: &str| {
                let body = json!({ "content": { "name": name, "systemPrompt": "x" } });
                state(app.tell(Method::POST, &path, &owner, &body).await, 201).await
            };
            let ((first, one), (second, other)) = (named("One").await, named("Other").await);
            let seal = format!("/v1/admin/drafts/{}:seal", one["id"].as_str().unwrap());
            state(
                app.tell_if(Method::POST, &seal, &owner, &first, &json!({}))
                    .await,
                201,
            )
            .await;
            let rebase = format!("/v1/admin/drafts/{}:rebase", other["id"].as_str().unwrap());
            app.tell_if(Method::POST, &rebase, &owner, &second, &json!({}))
                .await
        }
        Code::SignInFailed => {
            app.try_sign_in("nobody@example.com", "a wrong password")
                .await
        }
        Code::SecondFactorRequired
        | Code::SecondFactorEnrolmentRequired
        | Code::InsufficientUserAuthentication => owed(code, app).await,
        Code::IdentityProviderUnavailable => {
            app.database
                .sql(
                    "insert into sso_provider (tenant_id, issuer, client_id, allowed_domains)
                     select id, 'http://127.0.0.1:1', 'x', '{example.com}' from tenant where slug = 'demo'",
                )
                .await;
            app.http
                .get(app.url("/v1/admin/sso/demo/start"))
                .send()
                .await
                .unwrap()
        }
        Code::ApprovalMissing => approval_missing(app, &owner).await,
        Code::InputsExpired => {
            let answer = app.mint(&app.user("user-1"), &json!({})).await;
            let session = body(answer, 200).await["sessionId"].clone();
            app.database.sql("delete from session_inputs").await;
            let path = format!("/v1/admin/sessions/{}:replay", session.as_str().unwrap());
            app.ask(Method::POST, &path, &owner).await
        }
        other => panic!("{other:?} is no problem of the admin API"),
    }
}

/// What a session is told that owes something.
async fn owed(code: Code, app: &TestApp) -> Response {
    match code {
        Code::SecondFactorRequired => {
            let session = app.signed_in("demo", "ann@example.com", Role::Owner).await;
            app.enrolled(&session).await;
            let half = app.sign_in("ann@example.com").await;
            app.ask(Method::GET, "/v1/admin/me", &half).await
        }
        Code::SecondFactorEnrolmentRequired => {
            let session = app.signed_in("demo", "bob@example.com", Role::Owner).await;
            let demand = |on| {
                format!("update tenant set policy = policy || '{{\"requireSecondFactor\": {on}}}'")
            };
            app.database.sql(&demand(true)).await;
            let answer = app.ask(Method::GET, "/v1/admin/me", &session).await;
            app.database.sql(&demand(false)).await;
            answer
        }
        _ => {
            let session = app.signed_in("demo", "cid@example.com", Role::Owner).await;
            app.database
                .sql("update console_session set proven_at = now() - interval '11 minutes'")
                .await;
            let key = json!({ "name": "x", "role": "viewer" });
            app.tell(Method::POST, "/v1/admin/api-keys", &session, &key)
                .await
        }
    }
}

async fn approval_missing(app: &TestApp, owner: &str) -> Response {
    let ask = |count: u8| {
        format!(
            "update tenant set policy = policy || '{{\"requiredApprovals\": {count}}}' where slug = 'demo'"
        )
    };
    let body = json!({ "kind": "snippet", "key": "reviewed", "content": { "text": "x" } });
    let (etag, draft) = state(app.tell(Method::POST, DOCUMENTS, owner, &body).await, 201).await;
    let path = format!("/v1/admin/drafts/{}:seal", draft["id"].as_str().unwrap());
    state(
        app.tell_if(Method::POST, &path, owner, &etag, &json!({}))
            .await,
        201,
    )
    .await;
    app.database.sql(&ask(1)).await;
    let path = format!("{DOCUMENTS}/snippet/reviewed/releases");
    let answer = app
        .tell(Method::POST, &path, owner, &json!({ "version": 1 }))
        .await;
    app.database.sql(&ask(0)).await;
    answer
}
