//! Strict mode: what a correct gateway never sends is refused at mint, with the path in the message.

use serde_json::{Value, json};

use crate::driver::{Driver, KEY, answer_to, persona};
use reqwest::Method;

#[tokio::test]
async fn a_full_persona_gets_a_signed_ephemeral_token_of_one_hour() {
    let driver = Driver::strict();
    let token = driver.token(&persona()).await;
    let claims = claims(&token);
    assert_eq!(claims["type"], "ephemeral");
    assert!(claims["accountId"].is_string());
    assert_eq!(
        claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(),
        3600
    );
    let minted = driver.anam.minted();
    assert_eq!(minted.len(), 1);
    assert_eq!(minted[0].token, token);
    assert_eq!(minted[0].config, persona());
    assert_eq!(claims["sessionId"], minted[0].session_id.to_string());
}

#[tokio::test]
async fn a_stored_persona_gets_a_stateful_token() {
    let driver = Driver::strict();
    let id = driver.get("/v1/personas").await.body["data"][0]["id"].clone();
    let token = driver
        .token(&json!({"personaConfig": {"personaId": id}}))
        .await;
    assert_eq!(claims(&token)["type"], "stateful");
}

#[tokio::test]
async fn each_fault_is_refused_and_named() {
    let driver = Driver::strict();
    for line in include_str!("refusals.txt").lines().skip(1) {
        let [pointer, value, told] = line
            .splitn(3, " | ")
            .map(str::trim)
            .collect::<Vec<_>>()
            .try_into()
            .expect(line);
        let mut body = persona();
        if value == "-" {
            remove(&mut body, pointer);
        } else {
            set(&mut body, pointer, serde_json::from_str(value).expect(line));
        }
        let answer = driver.mint(&body).await;
        assert_eq!(answer.status, 400, "{pointer}: {answer:?}");
        let message = answer.body["message"].as_str().expect("a message");
        assert!(
            message.contains(told),
            "{pointer}: {message:?} lacks {told:?}"
        );
        assert!(answer.body["error"].is_string());
    }
    assert!(driver.anam.minted().is_empty());
}

#[tokio::test]
async fn limits_of_length_are_kept() {
    let driver = Driver::strict();
    let long = |length: usize| Value::String("x".repeat(length));
    for (pointer, most) in [
        ("/clientLabel", 128),
        ("/personaConfig/tools/0/name", 64),
        ("/personaConfig/tools/0/description", 1024),
    ] {
        let mut body = persona();
        set(&mut body, pointer, long(most));
        assert_eq!(driver.mint(&body).await.status, 200, "{pointer}");
        set(&mut body, pointer, long(most + 1));
        assert_eq!(driver.mint(&body).await.status, 400, "{pointer}");
    }
    let mut body = persona();
    // {"d":"..."} has eight bytes beside the text.
    set(
        &mut body,
        "/personaConfig/tools/0/parameters",
        json!({"d": "x".repeat(9_992)}),
    );
    assert_eq!(driver.mint(&body).await.status, 200);
    set(
        &mut body,
        "/personaConfig/tools/0/parameters",
        json!({"d": "x".repeat(9_993)}),
    );
    assert_eq!(driver.mint(&body).await.status, 400);
}

#[tokio::test]
async fn voice_options_follow_the_provider_of_the_voice() {
    let driver = Driver::strict();
    let mut body = persona();
    // A Cartesia voice.
    set(
        &mut body,
        "/personaConfig/voiceId",
        json!("6bfbe25a-979d-40f3-a92b-5394170af54b"),
    );
    let answer = driver.mint(&body).await;
    assert!(
        answer.body["message"]
            .as_str()
            .unwrap()
            .contains("stability: is unknown")
    );
    set(
        &mut body,
        "/personaConfig/voiceGenerationOptions",
        json!({"volume": 1.5, "speed": 1.5, "emotion": "calm"}),
    );
    assert_eq!(driver.mint(&body).await.status, 200);
}

#[tokio::test]
async fn a_portrait_needs_an_avatar_that_has_one() {
    let driver = Driver::strict();
    let mut body = persona();
    // Leo has cara-4, but no portrait.
    set(
        &mut body,
        "/personaConfig/avatarId",
        json!("121d5df1-3f3e-4a48-a237-8ff488e9eed8"),
    );
    assert_eq!(driver.mint(&body).await.status, 400);
    set(&mut body, "/sessionOptions/videoWidth", json!(1152));
    set(&mut body, "/sessionOptions/videoHeight", json!(768));
    assert_eq!(driver.mint(&body).await.status, 200);
}

#[tokio::test]
async fn an_avatar_must_have_the_model_and_the_newest_is_by_invitation() {
    let driver = Driver::strict();
    // Liv has cara-3 only.
    let mut body = json!({"personaConfig": {
        "avatarId": "071b0286-4cce-4808-bee2-e642f1062de3",
        "voiceId": "90313ddc-4fc0-11f1-84b0-52bacf74fa75",
        "llmId": "CUSTOMER_CLIENT_V1",
    }});
    assert_eq!(driver.mint(&body).await.status, 200);
    set(&mut body, "/personaConfig/avatarModel", json!("cara-4"));
    assert_eq!(driver.mint(&body).await.status, 400);
    set(
        &mut body,
        "/personaConfig/avatarModel",
        json!("cara-4-latest"),
    );
    assert_eq!(driver.mint(&body).await.status, 403);
}

#[tokio::test]
async fn a_stale_persona_id_is_refused_in_the_words_of_anam() {
    let driver = Driver::strict();
    let body = json!({"personaConfig": {"personaId": "0199aa00-0000-7000-8000-000000000009"}});
    let answer = driver.mint(&body).await;
    assert_eq!(answer.status, 400);
    assert_eq!(
        answer.body,
        json!({"error": "invalid_persona_configuration", "message": "Persona not found or unavailable"})
    );
}

#[tokio::test]
async fn an_unknown_key_is_refused_before_the_body_is_read() {
    let driver = Driver::strict();
    for bearer in ["wrong", ""] {
        let answer = driver
            .post(
                "/v1/auth/session-token",
                bearer,
                &json!({"expiresIn": "1h"}),
            )
            .await;
        assert_eq!(answer.status, 401, "{bearer:?}");
        assert_eq!(answer.body["error"], "Unauthorized");
    }
    let bare = driver.call(Method::GET, "/v1/avatars");
    assert_eq!(answer_to(bare).await.status, 401);
}

#[tokio::test]
async fn only_a_json_object_is_a_body() {
    let driver = Driver::strict();
    let send = |content_type: &'static str, body: &'static str| {
        answer_to(
            driver
                .call(Method::POST, "/v1/auth/session-token")
                .bearer_auth(KEY)
                .header("content-type", content_type)
                .body(body),
        )
    };
    assert_eq!(send("text/plain", "{}").await.status, 415);
    assert_eq!(send("application/json", "{").await.status, 400);
    assert_eq!(send("application/json", "[]").await.status, 400);
}

pub(crate) fn claims(token: &str) -> Value {
    use base64::Engine as _;
    let parts: Vec<_> = token.split('.').collect();
    assert_eq!(parts.len(), 3, "{token}");
    let payload = base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(parts[1])
        .expect("base64url");
    serde_json::from_slice(&payload).expect("JSON")
}

/// Puts a value where the pointer says; makes the last member where it is missing.
fn set(body: &mut Value, pointer: &str, value: Value) {
    let (members, member) = place(body, pointer);
    members.insert(member.to_owned(), value);
}

/// Takes away the member that the pointer names.
fn remove(body: &mut Value, pointer: &str) {
    let (members, member) = place(body, pointer);
    members.shift_remove(member).expect(pointer);
}

fn place<'a, 'b>(
    body: &'a mut Value,
    pointer: &'b str,
) -> (&'a mut serde_json::Map<String, Value>, &'b str) {
    let (parent, member) = pointer.rsplit_once('/').expect("a pointer");
    let parent = body.pointer_mut(parent).expect(pointer);
    (parent.as_object_mut().expect(pointer), member)
}
