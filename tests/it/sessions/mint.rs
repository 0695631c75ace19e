//! The main job.

use serde_json::{Value, json};

use crate::harness::spawn;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_gets_a_token_for_a_persona_made_for_them() {
    let app = spawn().await;
    let token = app.user("user-1");
    let body =
        json!({ "context": "support", "metadata": { "ticketId": "T-7", "issue": "It is broken" } });

    let answer = app.mint(&token, &body).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let timing = answer.headers()["server-timing"].to_str().unwrap();
    for part in ["auth;dur=", "decide;dur=", "anam;dur=", "total;dur="] {
        assert!(timing.contains(part), "{timing}");
    }
    let answer: Value = answer.json().await.unwrap();
    assert_eq!(
        answer["sessionToken"].as_str().unwrap().split('.').count(),
        3
    );
    assert_eq!(answer["context"], "support");
    assert_eq!(
        answer["persona"],
        json!({ "key": "support-agent", "version": 1, "name": "Liv from support" })
    );

    let sent = app.last_mint();
    assert_eq!(sent["clientLabel"], answer["sessionId"]);
    let persona = &sent["personaConfig"];
    assert_eq!(
        persona["avatarId"], "30fa96d0-26c4-4e55-94a0-517025942e18",
        "the user's own avatar"
    );
    let prompt = persona["systemPrompt"].as_str().unwrap();
    for part in ["Sam", "cheerful", "T-7", "It is broken", "pro plan"] {
        assert!(prompt.contains(part), "{part} is in: {prompt}");
    }
    app.stop().await;
}
