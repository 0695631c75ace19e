//! Lax mode: Anam mints for nearly everything, and the user's browser finds out.

use serde_json::json;

use crate::driver::{Driver, persona};
use crate::strict::claims;

#[tokio::test]
async fn a_body_without_llm_or_persona_gets_a_legacy_token() {
    let driver = Driver::lax();
    for body in [
        json!({}),
        json!({"personaConfig": {}}),
        json!({"personaConfig": {"name": "Cara", "systemPrompt": ""}}),
    ] {
        let token = driver.token(&body).await;
        assert_eq!(claims(&token)["type"], "legacy");
        assert_eq!(driver.start(&token).await.status, 400);
    }
}

#[tokio::test]
async fn an_unknown_avatar_is_found_out_at_the_engine() {
    let driver = Driver::lax();
    let mut body = persona();
    body["personaConfig"]["avatarId"] = json!("0199aa00-0000-7000-8000-000000000009");
    let token = driver.token(&body).await;
    let answer = driver.start(&token).await;
    assert_eq!(answer.status, 404);
    assert_eq!(
        answer.body,
        json!({
            "error": "Not found",
            "message": "Avatar with id 0199aa00-0000-7000-8000-000000000009 does not exist.",
        })
    );
}

#[tokio::test]
async fn a_wrong_video_size_is_found_out_at_the_engine() {
    let driver = Driver::lax();
    let mut body = persona();
    body["sessionOptions"]["videoHeight"] = json!(9);
    let token = driver.token(&body).await;
    assert_eq!(driver.start(&token).await.status, 400);
}

#[tokio::test]
async fn unknown_members_and_ranges_pass() {
    let driver = Driver::lax();
    let mut body = persona();
    body["personaConfig"]["voiceDetectionOptions"]["endOfSpeechSensitivity"] = json!(7);
    body["personaConfig"]["tools"][1]["type"] = json!("teleport");
    body["surprise"] = json!(null);
    let token = driver.token(&body).await;
    assert_eq!(driver.start(&token).await.status, 200);
}

#[tokio::test]
async fn a_stale_persona_id_is_refused_all_the_same() {
    let driver = Driver::lax();
    let body = json!({"personaConfig": {"personaId": "0199aa00-0000-7000-8000-000000000009"}});
    assert_eq!(
        driver.mint(&body).await.body["error"],
        "invalid_persona_configuration"
    );
}
