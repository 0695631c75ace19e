//! What is said of a draft before it goes anywhere: findings, a rehearsal of its release, and what it changes; and who must
//! agree.

use persona_gateway::domain::role::Role;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::admins::{body, state};
use crate::harness::{TestApp, problem, spawn};

const DOCUMENTS: &str = "/v1/admin/documents";
const ASSISTANT: &str = "/v1/admin/documents/persona/assistant";

async fn draft_of(app: &TestApp, key: &str, path: &str, content: &Value) -> (String, String) {
    let asked = json!({ "content": content });
    let answer = app
        .tell(Method::POST, &format!("{path}/drafts"), key, &asked)
        .await;
    let (etag, draft) = state(answer, 201).await;
    (
        etag,
        format!("/v1/admin/drafts/{}", draft["id"].as_str().unwrap()),
    )
}

async fn assistant(app: &TestApp, key: &str) -> Value {
    let path = format!("{ASSISTANT}/versions/1");
    body(app.ask(Method::GET, &path, key).await, 200).await["content"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_validation_tells_every_finding_with_its_line_and_leaves_nothing_behind() {
    let app = spawn().await;
    let key = app.admin_key("demo", Role::Editor).await;
    let mut content = assistant(&app, &key).await;
    content["systemPrompt"] = json!("One\n{{ nobody.x }}\n");
    content["maxSessionLengthSeconds"] = json!(-1);
    let (_, draft) = draft_of(&app, &key, ASSISTANT, &content).await;
    let audited = "select count(*) as n from audit_event";
    let before = app.database.rows(audited).await;
    let told = body(
        app.ask(Method::POST, &format!("{draft}:validate"), &key)
            .await,
        200,
    )
    .await;
    assert_eq!(told["ok"], false);
    let findings = told["findings"].as_array().unwrap();
    let at = |pointer: &str| {
        findings
            .iter()
            .find(|f| f["pointer"] == pointer)
            .unwrap()
            .clone()
    };
    assert_eq!(
        (
            &at("/systemPrompt")["line"],
            &at("/systemPrompt")["severity"]
        ),
        (&json!(2), &json!("error"))
    );
    assert_eq!(at("/maxSessionLengthSeconds")["severity"], "error");
    assert!(
        findings
            .iter()
            .all(|f| !f["advice"].as_str().unwrap().is_empty()),
        "{findings:?}"
    );
    assert_eq!(app.database.rows(audited).await, before);

    content = assistant(&app, &key).await;
    content["systemPrompt"] = json!("Fine.");
    let (etag, draft) = draft_of(&app, &key, ASSISTANT, &content).await;
    let told = body(
        app.ask(Method::POST, &format!("{draft}:validate"), &key)
            .await,
        200,
    )
    .await;
    assert_eq!(
        (&told["ok"], &told["wouldBreak"]),
        (&json!(true), &json!([])),
        "{told}"
    );
    assert_eq!(told["largestPrompt"]["chars"], 5);
    let (same, _) = state(app.ask(Method::GET, &draft, &key).await, 200).await;
    assert_eq!(same, etag, "the rehearsal was taken back");
    assert_eq!(
        body(app.ask(Method::GET, ASSISTANT, &key).await, 200).await["latestVersion"],
        1
    );
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schema_that_could_take_too_long_is_an_error_with_its_place_and_is_not_sealed() {
    let app = spawn().await;
    let key = app.admin_key("demo", Role::Publisher).await;
    let again = json!({ "$ref": "#/$defs/t" });
    let branching =
        json!({ "type": "object", "additionalProperties": { "anyOf": [again, again, again] } });
    let schema = json!({ "$defs": { "t": branching }, "$ref": "#/$defs/t" });
    let content = json!({ "default": "assistant", "metadata": schema });
    let path = format!("{DOCUMENTS}/context/default");
    let (etag, draft) = draft_of(&app, &key, &path, &content).await;
    let told = body(
        app.ask(Method::POST, &format!("{draft}:validate"), &key)
            .await,
        200,
    )
    .await;
    let finding = &told["findings"][0];
    assert_eq!(told["ok"], false);
    assert_eq!(finding["severity"], "error");
    assert_eq!(finding["pointer"], "/metadata/$defs/t/additionalProperties");
    let advice = finding["advice"].as_str().unwrap();
    assert!(
        advice.starts_with("Let each alternative require a tag"),
        "{told}"
    );
    let seal = format!("{draft}:seal");
    let refused = app
        .tell_if(Method::POST, &seal, &key, &etag, &json!({}))
        .await;
    assert_eq!(refused.status(), 422);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_validation_tells_what_the_release_would_break_elsewhere() {
    let app = spawn().await;
    let key = app.admin_key("demo", Role::Publisher).await;
    let mut content = assistant(&app, &key).await;
    content["tests"] = json!([{ "name": "is the one", "user": { "facts": {} }, "context": "default", "expect": { "persona": "assistant" } }]);
    let (etag, draft) = draft_of(&app, &key, ASSISTANT, &content).await;
    let sealed = app
        .tell_if(
            Method::POST,
            &format!("{draft}:seal"),
            &key,
            &etag,
            &json!({}),
        )
        .await;
    body(sealed, 201).await;
    let path = format!("{ASSISTANT}/releases");
    body(
        app.tell(Method::POST, &path, &key, &json!({ "version": 2 }))
            .await,
        200,
    )
    .await;

    let path = format!("{DOCUMENTS}/context/default");
    let content = json!({ "default": "support-agent" });
    let (_, draft) = draft_of(&app, &key, &path, &content).await;
    let told = body(
        app.ask(Method::POST, &format!("{draft}:validate"), &key)
            .await,
        200,
    )
    .await;
    assert_eq!(told["ok"], false);
    let broken = told["wouldBreak"].to_string();
    assert!(
        broken.contains("the test `is the one` of the persona `assistant`"),
        "{told}"
    );
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_diff_shows_members_and_lines() {
    let app = spawn().await;
    let key = app.admin_key("demo", Role::Editor).await;
    let mut content = assistant(&app, &key).await;
    content["name"] = json!("Somebody else");
    content["systemPrompt"] = json!(format!(
        "{}\nOne line more.",
        content["systemPrompt"].as_str().unwrap()
    ));
    let (_, draft) = draft_of(&app, &key, ASSISTANT, &content).await;
    for against in ["base", "live", "latest", "1"] {
        let path = format!("{draft}/diff?against={against}");
        let told = body(app.ask(Method::GET, &path, &key).await, 200).await;
        let changes = told["changes"].as_array().unwrap();
        let pointers: Vec<&str> = changes
            .iter()
            .map(|c| c["pointer"].as_str().unwrap())
            .collect();
        assert_eq!(pointers.len(), 2, "{pointers:?}");
        let prompt = changes
            .iter()
            .find(|c| c["pointer"] == "/systemPrompt")
            .unwrap();
        assert!(
            prompt["text"].as_str().unwrap().contains("+One line more."),
            "{prompt}"
        );
    }
    for against in ["nothing", "0", "99999999999"] {
        let path = format!("{draft}/diff?against={against}");
        problem(
            app.ask(Method::GET, &path, &key).await,
            422,
            "invalid_request",
        )
        .await;
    }
    let path = format!("{draft}/diff?against=77");
    problem(
        app.ask(Method::GET, &path, &key).await,
        422,
        "invalid_request",
    )
    .await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_that_needs_approvals_is_released_only_with_those_of_others() {
    let app = spawn().await;
    let ann = app
        .signed_in("demo", "ann@example.com", Role::Publisher)
        .await;
    let bob = app.signed_in("demo", "bob@example.com", Role::Editor).await;
    let cleo = app
        .signed_in("demo", "cleo@example.com", Role::Editor)
        .await;
    let key = app.admin_key("demo", Role::Owner).await;
    let owner = app.signed_in("demo", "olga@example.com", Role::Owner).await;
    let (etag, _) = state(app.ask(Method::GET, "/v1/admin/policy", &owner).await, 200).await;
    let patch = app
        .request(Method::PATCH, "/v1/admin/policy", &owner)
        .header("if-match", etag);
    let patch = patch
        .json(&json!({ "requiredApprovals": 1 }))
        .send()
        .await
        .unwrap();
    body(patch, 200).await;

    // Ann opens the draft, Bob writes in it too, Ann seals it.
    let mut content = assistant(&app, &ann).await;
    content["systemPrompt"] = json!("Reviewed.");
    let (etag, draft) = draft_of(&app, &ann, ASSISTANT, &content).await;
    let written = app
        .tell_if(
            Method::PUT,
            &draft,
            &bob,
            &etag,
            &json!({ "content": content }),
        )
        .await;
    let (etag, _) = state(written, 200).await;
    let sealed = app
        .tell_if(
            Method::POST,
            &format!("{draft}:seal"),
            &ann,
            &etag,
            &json!({}),
        )
        .await;
    assert_eq!(body(sealed, 201).await["number"], 2);

    let releases = format!("{ASSISTANT}/releases");
    let reviews = format!("{ASSISTANT}/versions/2/reviews");
    let release = async || {
        app.tell(Method::POST, &releases, &ann, &json!({ "version": 2 }))
            .await
    };
    let review = async |who: &str, verdict: &str| {
        app.tell(Method::POST, &reviews, who, &json!({ "verdict": verdict }))
            .await
    };
    problem(release().await, 409, "approval_missing").await;
    for writer in [&ann, &bob] {
        problem(review(writer, "approve").await, 403, "forbidden").await;
    }
    problem(review(&key, "approve").await, 403, "forbidden").await;
    problem(release().await, 409, "approval_missing").await;

    body(review(&cleo, "reject").await, 200).await;
    body(review(&owner, "approve").await, 200).await;
    problem(release().await, 409, "approval_missing").await;
    body(review(&cleo, "approve").await, 200).await;
    let standing = body(app.ask(Method::GET, &reviews, &ann).await, 200).await;
    assert_eq!(
        (&standing["required"], &standing["met"]),
        (&json!(1), &json!(true))
    );
    assert_eq!(standing["rejectedBy"], json!([]), "the last word counts");
    body(release().await, 200).await;

    // Going back asks nobody: what comes back had its approvals, or was there before the policy asked.
    let back = format!("{ASSISTANT}:rollback");
    let back = body(app.tell(Method::POST, &back, &ann, &json!({})).await, 200).await;
    assert_eq!(
        (&back["way"], &back["version"]),
        (&json!("rollback"), &json!(1))
    );

    // Another version starts anew, a bundle's too.
    app.apply("tenant: demo\nsnippets:\n  fresh: {text: x}\n")
        .await;
    let fresh = format!("{DOCUMENTS}/snippet/fresh");
    let document = body(app.ask(Method::GET, &fresh, &ann).await, 200).await;
    assert_eq!(
        (&document["latestVersion"], document.get("liveVersion")),
        (&json!(1), None)
    );
    app.stop().await;
}
