use persona_gateway::domain::role::Role;
use reqwest::Method;
use serde_json::{Value, json};

use super::visitor::Visitor;
use crate::harness::admins::body;
use crate::harness::{TestApp, spawn};

async fn document(app: &TestApp, token: &str, key: &str) -> Value {
    let path = format!("/v1/admin/documents/context/{key}");
    let answer = app.request(Method::GET, &path, token).send().await.unwrap();
    body(answer, 200).await
}

async fn drafts(app: &TestApp, token: &str, key: &str) -> Vec<Value> {
    let path = format!("/v1/admin/documents/context/{key}/drafts");
    let answer = app.request(Method::GET, &path, token).send().await.unwrap();
    let listed = body(answer, 200).await;
    listed["items"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn enterprise_customers_get_another_persona_at_weekends() {
    let app = spawn().await;
    let token = app
        .signed_in("demo", "p@example.com", Role::Publisher)
        .await;
    let visitor = Visitor::sign_in(&app, "p@example.com").await;
    let action = "/console/contexts/support";

    let page = visitor.open(action).await;
    assert_eq!(page.status, 200);
    assert!(page.text().contains(
        "When plan is enterprise and priority is high or urgent → priority-support-agent"
    ));
    let page = visitor.press(&page, &page.form(action), "rule-add").await;
    let mut form = page.form(action);
    form.set("r1.c0.attribute", "user.plan");
    let page = visitor.press(&page, &form, "clause-add:1").await;
    let mut form = page.form(action);
    form.set("r1.c0.v", "enterprise");
    form.set("r1.c1.attribute", "time.weekday");
    let page = visitor.press(&page, &form, "refresh").await;
    let mut form = page.form(action);
    form.tick("r1.c1.v", "saturday");
    form.tick("r1.c1.v", "sunday");
    form.set("r1.t.persona", "trainer");
    let page = visitor.press(&page, &form, "rule-move:1:0").await;
    assert!(
        page.text()
            .contains("When plan is enterprise and it is Saturday or Sunday → trainer"),
        "{}",
        page.text()
    );

    // Tried before anything is saved.
    let mut form = page.form(action);
    form.set("try.fact.user.plan", "enterprise");
    form.set("try.at", "2099-11-28T10:00");
    let tried = visitor.press(&page, &form, "try").await;
    assert!(
        tried.text().contains("Answers: trainer – by rule 1"),
        "{}",
        tried.text()
    );
    form.set("try.at", "2099-11-30T10:00");
    let tried = visitor.press(&page, &form, "try").await;
    let text = tried.text();
    assert!(
        text.contains("Answers: support-agent – since no rule fits"),
        "{text}"
    );
    assert!(
        text.contains("“it is Saturday or Sunday” fails: here it is Monday"),
        "{text}"
    );
    assert!(
        text.contains("“priority is high or urgent” fails: it is not known here"),
        "{text}"
    );
    assert!(drafts(&app, &token, "support").await.is_empty());
    let kept = visitor.press(&page, &form, "test-keep").await;
    let name = "plan enterprise, 2099-11-30 10:00 → support-agent";
    assert!(kept.text().contains(name), "{}", kept.text());
    let mut form = kept.form(action);
    form.set("note", "The trainer is there at weekends");
    let page = visitor.press(&kept, &form, "publish").await;
    let text = page.text();
    assert!(text.contains("Published."), "{text}");
    assert!(text.contains(&format!("passes {name}")), "{text}");
    let live = document(&app, &token, "support").await;
    assert_eq!(live["liveVersion"], 2);
    assert_eq!(
        live["content"]["rules"][0],
        json!({
            "name": "plan is enterprise and it is Saturday or Sunday",
            "when": [
                { "attribute": "user.plan", "operator": "equals", "values": ["enterprise"] },
                { "attribute": "time.weekday", "operator": "equals", "values": ["saturday", "sunday"] },
            ],
            "then": { "persona": "trainer" },
        })
    );
    assert!(drafts(&app, &token, "support").await.is_empty());
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_form_that_nobody_touched_saves_what_was_there() {
    let app = spawn().await;
    let token = app.signed_in("demo", "e@example.com", Role::Editor).await;
    let visitor = Visitor::sign_in(&app, "e@example.com").await;
    for key in ["default", "support", "sales", "training"] {
        let live = document(&app, &token, key).await;
        let path = format!("/console/contexts/{key}");
        let page = visitor.open(&path).await;
        let saved = visitor.press(&page, &page.form(&path), "save").await;
        assert!(
            saved.text().contains("The draft is saved"),
            "{}",
            saved.text()
        );
        let drafts = drafts(&app, &token, key).await;
        assert_eq!(drafts[0]["content"], live["content"], "{key}");
        let gone = visitor.press(&saved, &saved.form(&path), "discard").await;
        assert!(gone.text().contains("The draft is discarded"));
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_who_write_the_same_draft_lose_nothing() {
    let app = spawn().await;
    let token = app.signed_in("demo", "a@example.com", Role::Editor).await;
    let one = Visitor::sign_in(&app, "a@example.com").await;
    app.member("demo", "b@example.com", Role::Editor).await;
    let other = Visitor::sign_in(&app, "b@example.com").await;
    let path = "/console/contexts/sales";
    let page = one.open(path).await;
    one.press(&page, &page.form(path), "save").await;

    let (mine, theirs) = (one.open(path).await, other.open(path).await);
    let mut form = theirs.form(path);
    form.set("description", "Theirs");
    other.press(&theirs, &form, "save").await;
    let mut form = mine.form(path);
    form.set("aliases", "shop");
    let saved = one.press(&mine, &form, "save").await;
    assert!(
        saved.text().contains("Both changes are in it now"),
        "{}",
        saved.text()
    );
    let draft = drafts(&app, &token, "sales").await.remove(0);
    assert_eq!(
        (
            &draft["content"]["description"],
            &draft["content"]["aliases"]
        ),
        (&json!("Theirs"), &json!(["shop"]))
    );
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_who_change_different_rules_do_not_meet_and_who_changes_the_same_one_is_asked() {
    let app = spawn().await;
    let token = app.signed_in("demo", "a@example.com", Role::Editor).await;
    let one = Visitor::sign_in(&app, "a@example.com").await;
    app.member("demo", "b@example.com", Role::Editor).await;
    let other = Visitor::sign_in(&app, "b@example.com").await;
    let path = "/console/contexts/support";
    // One adds a rule before the only one, the other changes that one.
    let (mine, theirs) = (one.open(path).await, other.open(path).await);
    let page = other.press(&theirs, &theirs.form(path), "rule-add").await;
    let mut form = page.form(path);
    form.set("r1.c0.attribute", "user.plan");
    form.set("r1.t.persona", "trainer");
    let page = other.press(&page, &form, "refresh").await;
    let mut form = page.form(path);
    form.set("r1.c0.v", "free");
    let page = other.press(&page, &form, "rule-move:1:0").await;
    let saved = other.press(&page, &page.form(path), "save").await;
    assert!(
        saved.text().contains("The draft is saved"),
        "{}",
        saved.text()
    );
    let mut form = mine.form(path);
    form.set("r0.t.persona", "sales-agent");
    let joined = one.press(&mine, &form, "save").await;
    assert!(
        joined.text().contains("Both changes are in it now"),
        "{}",
        joined.text()
    );
    let rules = |draft: &Value| -> Vec<String> {
        let rules = draft["content"]["rules"].as_array().unwrap();
        let personas = rules
            .iter()
            .map(|rule| rule["then"]["persona"].as_str().unwrap().to_owned());
        personas.collect()
    };
    let draft = drafts(&app, &token, "support").await.remove(0);
    assert_eq!(rules(&draft), ["trainer", "sales-agent"]);

    // Both change the same rule.
    let (mine, theirs) = (one.open(path).await, other.open(path).await);
    let mut form = theirs.form(path);
    form.set("r1.t.persona", "support-agent");
    other.press(&theirs, &form, "save").await;
    let mut form = mine.form(path);
    form.set("r1.t.persona", "trainer");
    form.set("aliases", "help");
    let asked = one.press(&mine, &form, "save").await;
    assert_eq!(asked.status, 409);
    let text = asked.text();
    assert!(
        text.contains("Two changed the same") && text.contains("b@example.com"),
        "{text}"
    );
    let name = &draft["content"]["rules"][1]["name"].as_str().unwrap();
    let place = format!("keep:/rules/{name}");
    let mut form = asked.form(path);
    assert_eq!(form.get("aliases"), "help");
    form.tick(&place, "theirs");
    let settled = one.press(&asked, &form, "save").await;
    assert!(
        settled.text().contains("Both changes are in it now"),
        "{}",
        settled.text()
    );
    let draft = drafts(&app, &token, "support").await.remove(0);
    assert_eq!(rules(&draft), ["trainer", "support-agent"]);
    assert_eq!(draft["content"]["aliases"], json!(["help"]));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_is_told_beside_its_field_and_nothing_goes_live() {
    let app = spawn().await;
    let token = app
        .signed_in("demo", "p@example.com", Role::Publisher)
        .await;
    let visitor = Visitor::sign_in(&app, "p@example.com").await;
    let path = "/console/contexts/support";
    let page = visitor.open(path).await;
    let mut form = page.form(path);
    form.set("d.persona", "nobody");
    form.set("aliases", "Not A Key");
    let told = visitor.press(&page, &form, "publish").await;
    assert_eq!(told.status, 422);
    assert!(told.text().contains("to be put right"), "{}", told.text());
    assert_eq!(told.form(path).get("aliases"), "Not A Key");
    assert_eq!(document(&app, &token, "support").await["liveVersion"], 1);
    // What was typed is kept as a draft.
    assert_eq!(
        drafts(&app, &token, "support").await[0]["content"]["default"],
        "nobody"
    );

    let mut form = told.form(path);
    form.set("schema.text", "{");
    let told = visitor.press(&told, &form, "save").await;
    assert_eq!(told.status, 422);
    assert!(told.text().contains("This is no JSON"), "{}", told.text());
    assert_eq!(told.form(path).get("schema.text"), "{");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn viewers_may_try_and_change_nothing() {
    let app = spawn().await;
    app.member("demo", "v@example.com", Role::Viewer).await;
    let visitor = Visitor::sign_in(&app, "v@example.com").await;
    let path = "/console/contexts/support";
    let page = visitor.open(path).await;
    for button in ["save", "publish", "discard", "rule-add", "field-add"] {
        assert!(
            !page.html.contains(&format!("value=\"{button}\"")),
            "{button}"
        );
    }
    // A browser sends nothing of a set of fields that is switched off.
    let mut form = page.form(path);
    form.0.retain(|(name, _)| {
        name.starts_with("try.")
            || ["form", "seen", "draft", "etag", "base", "zone"].contains(&name.as_str())
    });
    form.set("try.fact.user.plan", "enterprise");
    form.set("try.meta.priority", "urgent");
    let tried = visitor.press(&page, &form, "try").await;
    assert!(
        tried
            .text()
            .contains("Answers: priority-support-agent – by rule 1"),
        "{}",
        tried.text()
    );
    let refused = visitor.press(&page, &page.form(path), "save").await;
    assert_eq!(refused.status, 403);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_context_is_created() {
    let app = spawn().await;
    let token = app.signed_in("demo", "e@example.com", Role::Editor).await;
    let visitor = Visitor::sign_in(&app, "e@example.com").await;
    let path = "/console/contexts";
    let page = visitor.open(path).await;
    assert!(page.text().contains("A user thinks about buying"));
    let mut form = page.form(path);
    form.set("key", "Bad Key");
    form.set("description", "Kept");
    form.set("persona", "trainer");
    let told = visitor.press(&page, &form, "").await;
    assert_eq!(told.status, 422);
    let mut form = told.form(path);
    assert_eq!(
        (form.get("description"), form.get("persona")),
        ("Kept", "trainer")
    );
    form.set("key", "support");
    let told = visitor.press(&told, &form, "").await;
    assert!(
        told.text().contains("There is one with this key already"),
        "{}",
        told.text()
    );
    let mut form = told.form(path);
    form.set("key", "weekend");
    let made = visitor.press(&told, &form, "").await;
    assert!(
        made.text().contains("created as a draft"),
        "{}",
        made.text()
    );
    let draft = drafts(&app, &token, "weekend").await.remove(0);
    assert_eq!(
        draft["content"],
        json!({ "description": "Kept", "default": "trainer" })
    );
    app.stop().await;
}
