//! Policy and name: changed under their state, and never so that something live breaks.

use persona_gateway::domain::role::Role;
use reqwest::Method;
use serde_json::json;

use super::{A_SECOND, audited, read};
use crate::harness::admins::state;
use crate::harness::wait::until;
use crate::harness::{context, errors, pointers, problem, spawn};

const POLICY: &str = "/v1/admin/policy";
const TENANT: &str = "/v1/admin/tenant";

#[tokio::test]
async fn a_policy_is_read_patched_and_replaced_and_mints_follow_within_a_second() {
    let app = spawn().await;
    let second = app.second().await;
    let owner = app.admin_key("demo", Role::Owner).await;
    let (etag, policy) = read(&app, POLICY, &owner).await;
    assert_eq!(policy["timeZone"], "UTC", "the usual value is told too");
    let patch = json!({ "defaults": { "languageCode": "fr" }, "requiredApprovals": 2, "preferences": null });
    let unseen = app.tell(Method::PATCH, POLICY, &owner, &patch).await;
    problem(unseen, 428, "precondition_required").await;
    let (newer, patched) = state(
        app.tell_if(Method::PATCH, POLICY, &owner, &etag, &patch)
            .await,
        200,
    )
    .await;
    assert_eq!(patched["defaults"]["languageCode"], "fr");
    assert_eq!(
        patched["defaults"]["maxSessionLengthSeconds"], 1800,
        "what the patch leaves alone stays"
    );
    assert_eq!(
        (&patched["requiredApprovals"], &patched["preferences"]),
        (&json!(2), &json!({}))
    );
    let token = app.user("user-1");
    until("the second instance follows", A_SECOND, || async {
        let config = second.minted_config(&token, &context("default")).await;
        (config["personaConfig"]["languageCode"] == "fr").then_some(())
    })
    .await;

    let late = app
        .tell_if(Method::PUT, POLICY, &owner, &etag, &json!({}))
        .await;
    let late = problem(late, 412, "precondition_failed").await;
    assert_eq!(late["current"], patched);
    let whole = json!({ "timeZone": "Europe/Berlin", "retainInputsDays": 1 });
    let (_, replaced) = state(
        app.tell_if(Method::PUT, POLICY, &owner, &newer, &whole)
            .await,
        200,
    )
    .await;
    let usual = json!({
        "allowedOrigins": [], "defaults": {}, "locks": {}, "preferences": {}, "quotas": {}, "limits": {}, "requiredApprovals": 0,
        "requireSecondFactor": false, "timeZone": "Europe/Berlin", "retainInputsDays": 1,
    });
    assert_eq!(replaced, usual);
    let changes = audited(&app, "tenant.change").await;
    assert_eq!(changes.len(), 2);
    assert_eq!(changes[1]["details"]["after"], whole);
    second.stop().await;
    app.stop().await;
}

#[tokio::test]
async fn a_policy_with_faults_is_told_each_of_them_and_an_empty_body_is_no_policy() {
    let app = spawn().await;
    let owner = app.admin_key("demo", Role::Owner).await;
    let (etag, before) = read(&app, POLICY, &owner).await;
    let bad = json!({
        "requiredApprovals": 6, "catalogueSync": { "everyHours": 0 }, "timeZone": "Nowhere",
        "defaults": { "languageCode": "english" }, "more": 1,
    });
    let refused = app.tell_if(Method::PUT, POLICY, &owner, &etag, &bad).await;
    let mut places = pointers(&problem(refused, 422, "invalid_request").await);
    places.sort();
    assert_eq!(
        places,
        [
            "/catalogueSync/everyHours",
            "/defaults/languageCode",
            "/more",
            "/requiredApprovals",
            "/timeZone"
        ]
    );
    let request = app
        .request(Method::PUT, POLICY, &owner)
        .header("if-match", &etag);
    let empty = request
        .header("content-type", "application/json")
        .send()
        .await
        .unwrap();
    problem(empty, 400, "malformed_request").await;
    assert_eq!(read(&app, POLICY, &owner).await, (etag, before));
    app.stop().await;
}

#[tokio::test]
async fn a_policy_under_which_a_live_persona_no_longer_fits_is_refused() {
    let app = spawn().await;
    let owner = app.admin_key("demo", Role::Owner).await;
    app.apply(
        "tenant: demo\npersonas:\n  directed:\n    name: Directed\n    avatarId: 121d5df1-3f3e-4a48-a237-8ff488e9eed8\n    \
         avatarModel: cara-4\n    voiceId: 6bfbe25a-979d-40f3-a92b-5394170af54b\n    llmId: 0934d97d-0c3a-4f33-91b0-5e136a0ef466\n    \
         systemPrompt: Hello.\n    directorNotes: {presetStyle: warm}\n",
    )
    .await;
    let (etag, before) = read(&app, POLICY, &owner).await;
    let patch = json!({ "locks": { "avatarModel": "cara-3" } });
    let refused = app
        .tell_if(Method::PATCH, POLICY, &owner, &etag, &patch)
        .await;
    let refused = problem(refused, 422, "document_invalid").await;
    let told = errors(&refused);
    assert!(
        told[0]
            .1
            .contains("would break the persona `directed`, which is live"),
        "{told:?}"
    );
    assert_eq!(read(&app, POLICY, &owner).await, (etag, before));
    app.stop().await;
}

#[tokio::test]
async fn the_tenants_name_changes_and_templates_say_it() {
    let app = spawn().await;
    let owner = app.admin_key("demo", Role::Owner).await;
    let (etag, tenant) = read(&app, TENANT, &owner).await;
    assert_eq!(
        (&tenant["slug"], &tenant["name"]),
        (&json!("demo"), &json!("Northwind Cloud"))
    );
    let wish = json!({ "name": "Southwind" });
    let (newer, tenant) = state(
        app.tell_if(Method::PATCH, TENANT, &owner, &etag, &wish)
            .await,
        200,
    )
    .await;
    assert_eq!(tenant["name"], "Southwind");
    app.settle("demo").await;
    let config = app
        .minted_config(&app.user("user-1"), &context("default"))
        .await;
    assert!(
        config["personaConfig"]["systemPrompt"]
            .as_str()
            .unwrap()
            .contains("Southwind")
    );
    for (wish, places) in [
        (json!({}), ["/name"]),
        (json!({ "name": "a\nb" }), ["/name"]),
        (json!({ "name": "x", "slug": "x" }), ["/slug"]),
    ] {
        let refused = app
            .tell_if(Method::PATCH, TENANT, &owner, &newer, &wish)
            .await;
        assert_eq!(
            pointers(&problem(refused, 422, "invalid_request").await),
            places
        );
    }
    app.stop().await;
}

#[tokio::test]
async fn only_owners_change_policy_and_name() {
    let app = spawn().await;
    for role in [Role::Viewer, Role::Editor, Role::Publisher] {
        let key = app.admin_key("demo", role).await;
        for (path, methods) in [
            (POLICY, vec![Method::PUT, Method::PATCH]),
            (TENANT, vec![Method::PATCH]),
        ] {
            let (etag, _) = read(&app, path, &key).await;
            for method in methods {
                let refused = app
                    .tell_if(method, path, &key, &etag, &json!({ "name": "x" }))
                    .await;
                problem(refused, 403, "forbidden").await;
            }
        }
    }
    app.stop().await;
}
