use persona_gateway::authoring::examine::examine;
use persona_gateway::domain::document::DocumentKind;
use persona_gateway::domain::examine::Examination;
use persona_gateway::domain::key::Key;
use serde_json::{Value, json};

use crate::harness::{TestApp, spawn};

async fn examined(app: &TestApp, kind: DocumentKind, key: &str, content: &Value) -> Examination {
    let tenant = app.tenant("demo").await;
    let mut tx = app.app.gateway.database.tenant(tenant).await.unwrap();
    let key = Key::parse(key).unwrap();
    let content = content.as_object().unwrap();
    examine(&mut tx, app.clock.now(), kind, &key, content)
        .await
        .unwrap()
}

fn faults_of(examination: &Examination) -> Vec<(String, String)> {
    let findings = examination.findings.iter();
    findings
        .map(|finding| (finding.pointer.clone(), finding.message.clone()))
        .collect()
}

async fn live_content(app: &TestApp, kind: &str, key: &str) -> Value {
    let rows = app
        .database
        .rows(&format!(
            "select v.content from document d join document_version v on v.document_id = d.id
             where d.kind = '{kind}' and d.key = '{key}' order by v.number desc limit 1"
        ))
        .await;
    rows[0]["content"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_demo_tenant_is_sound() {
    let app = spawn().await;
    for (kind, name) in [
        (DocumentKind::Persona, "persona"),
        (DocumentKind::Context, "context"),
        (DocumentKind::Snippet, "snippet"),
    ] {
        let keys = app
            .database
            .rows(&format!("select key from document where kind = '{name}'"))
            .await;
        for row in keys {
            let key = row["key"].as_str().unwrap();
            let examination = examined(&app, kind, key, &live_content(&app, name, key).await).await;
            assert_eq!(faults_of(&examination), [], "{name}/{key}");
            let is_persona = kind == DocumentKind::Persona;
            assert_eq!(examination.largest_prompt.is_some(), is_persona);
        }
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tests_that_fail_are_errors_where_they_stand() {
    let app = spawn().await;
    let mut content = live_content(&app, "persona", "assistant").await;
    let expect = |expect: Value| json!({ "name": expect.to_string(), "user": { "facts": { "name": "Ann" } }, "expect": expect });
    content["tests"] = json!([
        expect(json!({ "persona": "assistant", "promptContains": ["You are talking to Ann."], "promptMaxChars": 2000 })),
        expect(json!({ "persona": "trainer" })),
        expect(json!({ "promptContains": ["Nothing like that"], "promptMaxChars": 10 })),
        { "name": "nobody", "user": { "sample": "nobody" }, "expect": { "persona": "assistant" } },
    ]);
    let examination = examined(&app, DocumentKind::Persona, "assistant", &content).await;
    assert!(examination.has_errors());
    let places: Vec<String> = faults_of(&examination)
        .into_iter()
        .map(|(place, _)| place)
        .collect();
    assert_eq!(
        places,
        [
            "/tests/1/expect/persona",
            "/tests/2/expect/promptContains/0",
            "/tests/2/expect/promptMaxChars",
            "/tests/3/user/sample"
        ]
    );
    let message = &faults_of(&examination)[0].1;
    assert!(message.ends_with("expected the persona `trainer`, got `assistant` by the default of the context `default`"), "{message}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_draft_is_looked_at_in_its_surroundings() {
    let app = spawn().await;
    app.database
        .sql("update catalogue_entry set retired_at = now() where name = 'Liv'")
        .await;
    let mut content = live_content(&app, "persona", "support-agent").await;
    content["systemPrompt"] =
        json!("{{ metadata.ticket }} {{ user.plna or 'x' }} {{ snippets[\"house-rules\"] }}");
    content.as_object_mut().unwrap().remove("snippets");
    content["systemPrompt"] = json!(format!(
        "{}\n{{{{ user.name }}}}",
        content["systemPrompt"].as_str().unwrap()
    ));
    let examination = examined(&app, DocumentKind::Persona, "support-agent", &content).await;
    let found = faults_of(&examination);
    let places: Vec<&str> = found.iter().map(|(place, _)| place.as_str()).collect();
    assert_eq!(
        places,
        [
            "/avatarId",
            "/systemPrompt",
            "/systemPrompt",
            "/systemPrompt"
        ]
    );
    assert!(found[0].1.contains("was retired"), "{found:?}");
    assert!(
        found[1].1.contains(
            "`metadata.ticket` is declared by no context that gives this persona: support"
        ),
        "{found:?}"
    );
    assert!(
        found[2].1.contains("`user.plna` is given by no issuer"),
        "{found:?}"
    );
    assert_eq!(examination.findings[3].line, Some(2));

    let document = json!({ "default": "nobody", "aliases": ["sales"] });
    let examination = examined(&app, DocumentKind::Context, "new", &document).await;
    assert_eq!(
        faults_of(&examination),
        [
            (
                "/aliases/0".into(),
                "`sales` is the key of another context".to_owned()
            ),
            (
                "/default".into(),
                "gives the persona `nobody`, which is not live".to_owned()
            ),
        ]
    );
    app.stop().await;
}
