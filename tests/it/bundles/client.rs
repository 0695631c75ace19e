//! The typed client, against the service and against servers that stumble.

use std::time::Duration;

use futures_util::TryStreamExt;
use persona_gateway::client::{Client, ClientError, ClientOptions, Kind, User};
use persona_gateway::domain::role::Role;
use serde_json::{Map, Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::remote::service;
use crate::harness::spawn;

fn members(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap()
}

#[tokio::test]
async fn a_document_goes_its_whole_way() {
    let app = spawn().await;
    let key = app.admin_key("demo", Role::Publisher).await;
    let client = Client::new(&app.url(""), key).unwrap();
    let me = client.me().await.unwrap();
    assert_eq!(
        (me.role.as_str(), me.tenant.as_str()),
        ("publisher", "demo")
    );

    let draft = client
        .open_draft(Kind::Persona, "assistant", "Shorter")
        .await
        .unwrap();
    let mut content = draft.content.clone();
    content.insert(
        "systemPrompt".into(),
        "You are the shortest assistant.".into(),
    );
    let written = client.write_draft(&draft, content.clone()).await.unwrap();
    let stale = client.write_draft(&draft, content).await.unwrap_err();
    assert_eq!(stale.code(), Some("precondition_failed"));
    assert!(matches!(stale, ClientError::Problem(problem) if problem.current.is_some()));
    let spare = client
        .open_draft(Kind::Persona, "assistant", "Spare")
        .await
        .unwrap();
    client.discard_draft(&spare).await.unwrap();
    let gone = client.draft(spare.id).await.unwrap_err();
    assert_eq!(gone.code(), Some("not_found"));
    let version = client.seal(&written, "Shorter").await.unwrap();
    let release = client
        .release(Kind::Persona, "assistant", version.number, None, "")
        .await
        .unwrap();
    assert_eq!(release.version, version.number);
    app.settle("demo").await;

    let user = User::new(&app.url(""), app.user("user-9")).unwrap();
    let minted = user.mint(None, Map::new()).await.unwrap();
    assert_eq!(
        (minted.persona.key.as_str(), minted.persona.version),
        ("assistant", version.number)
    );
    assert!(!format!("{minted:?}").contains("session_token"));
    assert!(!user.contexts().await.unwrap().contexts.is_empty());

    let back = client
        .roll_back(Kind::Persona, "assistant", "too short")
        .await
        .unwrap();
    assert_eq!(back.version, version.number - 1);

    let to_some = client
        .roll_out(Kind::Persona, "assistant", version.number, 20, "")
        .await
        .unwrap();
    assert_eq!(
        (to_some.version, to_some.percent),
        (version.number, Some(20))
    );
    let releases = client.releases(Kind::Persona, "assistant");
    let releases: Vec<_> = releases.try_collect().await.unwrap();
    assert_eq!(releases[0].id, to_some.id);
    let versions = client.versions(Kind::Persona, "assistant");
    let versions: Vec<_> = versions.try_collect().await.unwrap();
    assert_eq!(versions[0].number, version.number);
    let asked = json!({ "user": { "subject": "user-9" }, "use": [{ "kind": "persona", "key": "assistant", "version": version.number }] });
    let preview = client.preview(&asked).await.unwrap();
    assert_eq!(
        preview["trace"]["persona"]["version"],
        json!(version.number),
        "{preview}"
    );
    app.stop().await;
}

#[tokio::test]
async fn lists_are_read_page_by_page_to_their_end() {
    let app = service(&[]).await;
    let snippets: Vec<String> = (0..230).map(|n| format!("  s{n}: {{text: x}}\n")).collect();
    app.apply(&format!("tenant: acme\nsnippets:\n{}", snippets.concat()))
        .await;
    let client = Client::new(&app.url(""), app.admin_key("acme", Role::Viewer).await).unwrap();
    let all: Vec<_> = client.documents(None).try_collect().await.unwrap();
    assert_eq!(all.len(), 230);
    let none: Vec<_> = client
        .documents(Some(Kind::Persona))
        .try_collect()
        .await
        .unwrap();
    assert!(none.is_empty());
    app.stop().await;
}

#[tokio::test]
async fn a_refusal_is_typed() {
    let app = service(&["acme"]).await;
    let client = Client::new(&app.url(""), app.admin_key("acme", Role::Editor).await).unwrap();
    let missing = client.document(Kind::Persona, "nobody").await.unwrap_err();
    assert_eq!(missing.code(), Some("not_found"));
    let invalid = client
        .create_document(Kind::Snippet, "Bad Key", "", &members(&json!({})))
        .await
        .unwrap_err();
    let ClientError::Problem(problem) = invalid else {
        panic!("{invalid}")
    };
    assert_eq!(
        (problem.status, problem.errors[0].pointer.as_str()),
        (422, "/key")
    );
    let stranger = Client::new(&app.url(""), "pgk_nobody").unwrap();
    assert_eq!(
        stranger.me().await.unwrap_err().code(),
        Some("unauthenticated")
    );
    app.stop().await;
}

/// A server that gives these answers, one a connection; tells what it was sent.
async fn stumbling(answers: Vec<String>) -> (String, tokio::task::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let served = tokio::spawn(async move {
        let mut heard = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut bytes = vec![0; 64 * 1024];
            let read = stream.read(&mut bytes).await.unwrap();
            heard.push(String::from_utf8_lossy(&bytes[..read]).into_owned());
            stream.write_all(answer.as_bytes()).await.unwrap();
            stream.shutdown().await.ok();
        }
        heard
    });
    (address, served)
}

fn answer(status: &str, headers: &str, body: &Value) -> String {
    let body = body.to_string();
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n{body}",
        body.len()
    )
}

fn busy(code: &str, status: u16) -> Value {
    json!({ "type": "x", "title": "Busy", "status": status, "code": code })
}

fn impatient(address: &str) -> Client {
    let options = ClientOptions {
        backoff: Duration::from_millis(1),
        ..ClientOptions::default()
    };
    Client::with(address, "pgk_x", options).unwrap()
}

#[tokio::test]
async fn what_may_pass_is_tried_again_and_a_creating_call_keeps_its_key() {
    let draft = json!({ "id": "0193b0e0-0000-7000-8000-000000000000", "kind": "snippet", "key": "a", "title": "", "content": {} });
    let (address, served) = stumbling(vec![
        answer(
            "503 Service Unavailable",
            "retry-after: 0\r\n",
            &busy("unavailable", 503),
        ),
        answer(
            "429 Too Many Requests",
            "retry-after: 0\r\n",
            &busy("too_many_requests", 429),
        ),
        answer("201 Created", "etag: \"1-a\"\r\n", &draft),
    ])
    .await;
    let made = impatient(&address)
        .create_document(Kind::Snippet, "a", "", &Map::new())
        .await
        .unwrap();
    assert_eq!(made.etag, "\"1-a\"");
    let heard = served.await.unwrap();
    let keys: Vec<&str> = heard
        .iter()
        .map(|text| {
            text.lines()
                .find(|line| line.starts_with("idempotency-key: "))
                .unwrap()
        })
        .collect();
    assert!(keys[0] == keys[1] && keys[1] == keys[2], "{keys:?}");
}

#[tokio::test]
async fn a_mint_of_unknown_outcome_is_not_repeated() {
    let (address, served) = stumbling(vec![answer(
        "503 Service Unavailable",
        "retry-after: 7\r\n",
        &busy("unavailable", 503),
    )])
    .await;
    let user = User::new(&address, "jwt").unwrap();
    let refused = user.mint(None, Map::new()).await.unwrap_err();
    let ClientError::Problem(problem) = refused else {
        panic!("{refused}")
    };
    assert_eq!(problem.retry_after, Some(Duration::from_secs(7)));
    assert_eq!(served.await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_answer_of_somebody_else_is_told_as_that() {
    let (address, _served) = stumbling(vec![
        "HTTP/1.1 502 Bad Gateway\r\nconnection: close\r\ncontent-length: 4\r\n\r\noops".into(),
    ])
    .await;
    let error = impatient(&address).me().await.unwrap_err();
    assert!(
        error.to_string().contains("is it a gateway's address?"),
        "{error}"
    );
}
