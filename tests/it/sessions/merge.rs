//! Field by field: lock, then preference, then persona, then default; and what Anam is always told.

use persona_gateway::domain::catalogue_kind::CatalogueKind;
use persona_gateway::domain::preferences::{Standard, StandardForm};
use persona_gateway::domain::settings::{Form, Setting};
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{TestApp, context, spawn};

const CARA: &str = "30fa96d0-26c4-4e55-94a0-517025942e18";
const LIV: &str = "071b0286-4cce-4808-bee2-e642f1062de3";
const LEO: &str = "121d5df1-3f3e-4a48-a237-8ff488e9eed8";
const LUCY: &str = "de23e340-1416-4dd8-977d-065a7ca11697";
const CARAS_VOICE: &str = "6bfbe25a-979d-40f3-a92b-5394170af54b";
const LEOS_VOICE: &str = "b7274f87-8b72-4c5b-bf52-954768b28c75";
const GPT_4O: &str = "a7cf662c-2ace-4de1-a21e-ef0fbf144bb7";
const GPT_4O_MINI: &str = "0934d97d-0c3a-4f33-91b0-5e136a0ef466";

/// A tenant in which each field of a persona `p` has another winner.
const MERGING: &str = r"
tenant: demo
policy:
  defaults:
    languageCode: fr
    maxSessionLengthSeconds: 900
    skipGreeting: true
    voiceDetectionOptions: {endOfSpeechSensitivity: 0.1, speechEnhancementLevel: 0.2}
    sessionOptions: {videoQuality: auto, region: eu}
  locks:
    llmId: a7cf662c-2ace-4de1-a21e-ef0fbf144bb7
    voiceDetectionOptions: {silenceBeforeSessionEndSeconds: 30}
    sessionOptions: {sessionReplay: {enableSessionReplay: true}}
catalogue:
  avatars:
    - {id: 30fa96d0-26c4-4e55-94a0-517025942e18, name: Cara, attributes: {availableVersions: [cara-3, cara-4]}}
    - {id: 071b0286-4cce-4808-bee2-e642f1062de3, name: Liv, attributes: {availableVersions: [cara-3]}}
  voices:
    - {id: de23e340-1416-4dd8-977d-065a7ca11697, name: Lucy, attributes: {provider: ELEVENLABS}}
    - {id: 6bfbe25a-979d-40f3-a92b-5394170af54b, name: Cara, attributes: {provider: CARTESIA}}
    - {id: b7274f87-8b72-4c5b-bf52-954768b28c75, name: Leo}
  llms:
    - {id: a7cf662c-2ace-4de1-a21e-ef0fbf144bb7, name: GPT-4o}
    - {id: 0934d97d-0c3a-4f33-91b0-5e136a0ef466, name: GPT-4o mini}
  languages:
    - {id: en, name: English}
personas:
  p:
    name: P
    systemPrompt: Be kind.
    avatarId: 30fa96d0-26c4-4e55-94a0-517025942e18
    avatarModel: cara-4
    voiceId: de23e340-1416-4dd8-977d-065a7ca11697
    llmId: 0934d97d-0c3a-4f33-91b0-5e136a0ef466
    maxSessionLengthSeconds: 300
    voiceDetectionOptions: {endOfSpeechSensitivity: 0.9}
    voiceGenerationOptions: {stability: 0.4}
    sessionOptions: {videoQuality: high}
    overridable: [avatarId, voiceId, languageCode]
  bare:
    name: Bare
    systemPrompt: Be brief.
    avatarId: 30fa96d0-26c4-4e55-94a0-517025942e18
    voiceId: de23e340-1416-4dd8-977d-065a7ca11697
    llmId: 0934d97d-0c3a-4f33-91b0-5e136a0ef466
contexts:
  merging: {default: p}
  bare: {default: bare}
";

/// What this user gets, who has these preferences. Each call wants a user of its own: of one whom the gateway knows, it hears of a changed row a moment
/// later.
async fn merged(app: &TestApp, user: &str, preferences: Value) -> (Value, Value) {
    app.store_preferences(user, &preferences).await;
    let sent = app
        .minted_config(&app.user(user), &context("merging"))
        .await;
    (sent, app.last_trace().await)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_field_has_its_winner_and_the_trace_names_it() {
    let app = spawn().await;
    app.apply(MERGING).await;
    let choices = json!({ "voiceId": CARAS_VOICE, "llmId": GPT_4O_MINI, "languageCode": "en" });
    let (sent, trace) = merged(&app, "chooser", choices).await;

    let persona = &sent["personaConfig"];
    assert_eq!(persona["llmId"], GPT_4O, "the lock");
    assert_eq!(persona["voiceId"], CARAS_VOICE, "the preference");
    assert_eq!(persona["languageCode"], "en", "the preference");
    assert_eq!(persona["avatarId"], CARA, "the persona");
    assert_eq!(persona["maxSessionLengthSeconds"], 300, "the persona");
    assert_eq!(persona["skipGreeting"], true, "the default");
    assert_eq!(
        persona["voiceDetectionOptions"],
        json!({ "endOfSpeechSensitivity": 0.9, "silenceBeforeSessionEndSeconds": 30, "speechEnhancementLevel": 0.2 }),
        "member by member"
    );
    assert_eq!(
        sent["sessionOptions"],
        json!({ "sessionReplay": { "enableSessionReplay": true }, "videoQuality": "high", "region": "eu" })
    );
    assert_eq!(
        persona.get("voiceGenerationOptions"),
        None,
        "they are another provider's"
    );
    let mut fields = trace["fields"].clone();
    let expected = json!({
        "avatarId": "persona",
        "avatarModel": "persona",
        "voiceId": "preference",
        "llmId": "lock",
        "languageCode": "preference",
        "maxSessionLengthSeconds": "persona",
        "skipGreeting": "default",
        "voiceDetectionOptions.endOfSpeechSensitivity": "persona",
        "voiceDetectionOptions.speechEnhancementLevel": "default",
        "voiceDetectionOptions.silenceBeforeSessionEndSeconds": "lock",
        "sessionOptions.videoQuality": "persona",
        "sessionOptions.region": "default",
        "sessionOptions.sessionReplay.enableSessionReplay": "lock",
        "name": "persona",
        "systemPrompt": "persona",
    });
    assert_eq!(fields.take(), expected);
    assert_eq!(
        trace["passedOver"],
        json!([{ "field": "llmId", "reason": "locked" }])
    );
    assert_eq!(
        trace["notes"],
        json!(["voiceGenerationOptions left out: they do not suit CARTESIA"])
    );
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_preference_that_cannot_win_is_passed_over_and_never_breaks_a_mint() {
    let app = spawn().await;
    app.apply(MERGING).await;
    let choices = json!({
        "avatarId": LIV,
        "voiceId": "00000000-0000-0000-0000-000000000000",
        "languageCode": "tlh",
        "systemPrompt": "Obey me.",
        "tone": ["not", "a", "text"],
        "gone": { "nested": true },
    });
    let (sent, trace) = merged(&app, "chooser", choices).await;
    let persona = &sent["personaConfig"];
    assert_eq!(persona["avatarId"], CARA);
    assert_eq!(persona["voiceId"], LUCY);
    assert_eq!(persona["languageCode"], "fr");
    assert_eq!(persona["systemPrompt"], "Be kind.");
    assert_eq!(
        persona["voiceGenerationOptions"],
        json!({ "stability": 0.4 })
    );
    assert_eq!(
        trace["passedOver"],
        json!([
            { "field": "avatarId", "reason": "avatarLacksModel" },
            { "field": "languageCode", "reason": "notInCatalogue" },
            { "field": "voiceId", "reason": "notInCatalogue" },
            { "field": "systemPrompt", "reason": "notOverridable" },
        ])
    );
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn options_written_for_the_personas_voice_are_not_sent_with_a_chosen_voice_of_unknown_provider()
 {
    let app = spawn().await;
    app.apply(MERGING).await;
    // Anam knows it as a Cartesia voice; the catalogue does not say.
    let (sent, trace) = merged(&app, "chooser", json!({ "voiceId": LEOS_VOICE })).await;
    assert_eq!(sent["personaConfig"]["voiceId"], LEOS_VOICE);
    assert_eq!(sent["personaConfig"].get("voiceGenerationOptions"), None);
    assert_eq!(
        trace["notes"],
        json!(["voiceGenerationOptions left out: the provider of the chosen voice is unknown"])
    );
    app.stop().await;
}

/// Something that the persona `bare` does not have and a user may choose.
fn choice_of(setting: &Setting) -> Value {
    match (setting.catalogue, &setting.form) {
        (Some(CatalogueKind::Avatar), _) => json!(LIV),
        (Some(CatalogueKind::Voice), _) => json!(CARAS_VOICE),
        (Some(CatalogueKind::Llm), _) => json!(GPT_4O),
        (Some(CatalogueKind::Language), _) => json!("en"),
        (_, Form::Flag) => json!(true),
        (_, Form::Whole(range)) => json!(range.start()),
        (_, Form::WholeOf(numbers)) => json!(numbers[0]),
        (_, Form::Number(range)) => json!(range.start()),
        (_, Form::Text(_)) => json!("x"),
        (_, Form::OneOf(names)) => json!(names()[0]),
        (of, form) => panic!("{form:?} of {of:?} can't be chosen"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_setting_that_users_may_choose_reaches_anam_where_the_persona_lists_it() {
    let app = spawn().await;
    let names: Vec<&str> = Standard::overridable().collect();
    let listed = format!(
        "systemPrompt: Be brief.\n    overridable: [{}]",
        names.join(", ")
    );
    let open = MERGING.replace("systemPrompt: Be brief.", &listed);
    let open = open.replace("    llmId: a7cf662c-2ace-4de1-a21e-ef0fbf144bb7\n", "");
    app.apply(&open).await;
    let token = app.user("chooser");
    for standard in Standard::all() {
        let StandardForm::Setting(setting) = standard.form else {
            continue;
        };
        let choice = json!({ setting.name: choice_of(setting) });
        let put = app.request(Method::PUT, "/v1/me/preferences", &token);
        let put = put.json(&choice).send().await.unwrap();
        assert_eq!(put.status(), 200, "{choice}");
        let sent = app.minted_config(&token, &context("bare")).await;
        let persona = &sent["personaConfig"];
        assert_eq!(persona[setting.name], choice[setting.name], "{choice}");
        let fields = &app.last_trace().await["fields"];
        assert_eq!(fields[setting.name], "preference", "{choice}");
        let wrong = json!({ setting.name: { "no": "such value" } });
        let put = app.request(Method::PUT, "/v1/me/preferences", &token);
        let put = put.json(&wrong).send().await.unwrap();
        assert_eq!(put.status(), 422, "{wrong}");
    }
    app.stop().await;
}

/// A persona whose settings only some avatars, voices and LLMs suit.
const PICKY: &str = r"
tenant: demo
policy: {}
catalogue:
  avatars:
    - {id: 30fa96d0-26c4-4e55-94a0-517025942e18, name: Cara, attributes: {activeVersion: cara-4}}
    - {id: 121d5df1-3f3e-4a48-a237-8ff488e9eed8, name: Leo, attributes: {activeVersion: cara-4}}
    - {id: 071b0286-4cce-4808-bee2-e642f1062de3, name: Liv, attributes: {activeVersion: cara-3}}
  voices:
    - {id: 6bfbe25a-979d-40f3-a92b-5394170af54b, name: Cara, attributes: {provider: CARTESIA, isZdr: true}}
    - {id: b7274f87-8b72-4c5b-bf52-954768b28c75, name: Leo, attributes: {provider: CARTESIA, isZdr: true}}
    - {id: de23e340-1416-4dd8-977d-065a7ca11697, name: Lucy, attributes: {provider: ELEVENLABS}}
  llms:
    - {id: a7cf662c-2ace-4de1-a21e-ef0fbf144bb7, name: GPT-4o, attributes: {isZdr: true}}
    - {id: 0934d97d-0c3a-4f33-91b0-5e136a0ef466, name: GPT-4o mini, attributes: {isZdr: false}}
personas:
  p:
    name: P
    systemPrompt: Be kind.
    avatarId: 30fa96d0-26c4-4e55-94a0-517025942e18
    voiceId: 6bfbe25a-979d-40f3-a92b-5394170af54b
    llmId: a7cf662c-2ace-4de1-a21e-ef0fbf144bb7
    zeroDataRetention: true
    directorNotes: {presetStyle: warm}
    sessionOptions: {videoWidth: 1152, videoHeight: 768}
    overridable: [avatarId, voiceId, llmId]
contexts:
  merging: {default: p}
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_choice_that_does_not_suit_the_personas_settings_is_passed_over() {
    let app = spawn().await;
    app.apply(PICKY).await;
    let choices = json!({ "avatarId": LIV, "voiceId": LUCY, "llmId": GPT_4O_MINI });
    let (sent, trace) = merged(&app, "chooser", choices).await;
    let persona = &sent["personaConfig"];
    assert_eq!(persona["avatarId"], CARA);
    assert_eq!(persona["voiceId"], CARAS_VOICE);
    assert_eq!(persona["llmId"], GPT_4O);
    assert_eq!(
        trace["passedOver"],
        json!([
            { "field": "avatarId", "reason": "avatarLacksModel" },
            { "field": "llmId", "reason": "mayRetainData" },
            { "field": "voiceId", "reason": "mayRetainData" },
        ])
    );

    let suits = json!({ "avatarId": LEO, "voiceId": LEOS_VOICE, "llmId": GPT_4O });
    let (sent, trace) = merged(&app, "another", suits.clone()).await;
    for (field, value) in suits.as_object().unwrap() {
        assert_eq!(&sent["personaConfig"][field], value, "{field}");
        assert_eq!(trace["fields"][field], "preference", "{field}");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn anam_is_always_told_what_its_own_defaults_leave_unclear_or_costly() {
    let app = spawn().await;
    app.apply(MERGING).await;
    app.apply("tenant: demo\npolicy: {}\n").await;
    let sent = app
        .minted_config(&app.user("user-2"), &context("bare"))
        .await;
    let persona = &sent["personaConfig"];
    assert_eq!(persona["languageCode"], "en");
    assert_eq!(persona["maxSessionLengthSeconds"], 3600);
    assert_eq!(
        persona["voiceDetectionOptions"],
        json!({ "silenceBeforeSessionEndSeconds": 120 })
    );
    assert_eq!(
        sent["sessionOptions"],
        json!({ "sessionReplay": { "enableSessionReplay": false } }),
        "nobody is recorded unless the tenant says so"
    );
    let fields = &app.last_trace().await["fields"];
    for field in [
        "languageCode",
        "maxSessionLengthSeconds",
        "voiceDetectionOptions.silenceBeforeSessionEndSeconds",
        "sessionOptions.sessionReplay.enableSessionReplay",
    ] {
        assert_eq!(fields[field], "gateway", "{field}");
    }
    app.stop().await;
}

/// Every field that the gateway knows, but for those of other voice providers.
fn every_field(stored_tool: &str) -> Value {
    json!({
        "avatarId": CARA,
        "avatarModel": "cara-4",
        "voiceId": CARAS_VOICE,
        "llmId": GPT_4O,
        "languageCode": "de",
        "maxSessionLengthSeconds": 86_400,
        "skipGreeting": false,
        "uninterruptibleGreeting": true,
        "voiceDetectionOptions": {
            "endOfSpeechSensitivity": 0.5,
            "silenceBeforeSkipTurnSeconds": 0,
            "silenceBeforeSessionEndSeconds": 7200,
            "silenceBeforeAutoEndTurnSeconds": 0.5,
            "speechEnhancementLevel": 0.8,
        },
        "voiceGenerationOptions": { "volume": 0.5, "speed": 1.5, "emotion": "calm" },
        "directorNotes": { "customStylePrompt": "Warm, unhurried.", "expressivity": 0.7 },
        "tools": [
            {
                "type": "client", "name": "open_page", "description": "Opens a page.",
                "parameters": { "type": "object", "properties": { "page": { "type": "string" } } },
                "awaitResult": true, "toolTimeoutSeconds": 600,
            },
            {
                "type": "server", "subtype": "webhook", "name": "order.status", "description": "Looks up an order.",
                "url": "https://hooks.example.com/orders", "method": "POST", "headers": { "X-Team": "support" },
                "parameters": { "type": "object" }, "queryParameters": { "type": "object" },
                "awaitResponse": true, "disableInterruptions": true,
            },
            {
                "type": "server", "subtype": "knowledge", "name": "handbook", "description": "Searches the handbook.",
                "documentFolderIds": ["0b6e2a56-8d3c-4f12-9f0a-5b8f9f3f1c11"],
            },
            { "type": "system", "name": "end_call" },
        ],
        "toolIds": [stored_tool],
        "zeroDataRetention": true,
        "sessionOptions": {
            "sessionReplay": { "enableSessionReplay": false },
            "videoQuality": "high",
            "videoWidth": 768,
            "videoHeight": 1152,
            "showAIAvatarDisclosure": true,
            "region": "eu",
            "regionPolicy": "strict",
        },
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_strict_anam_takes_a_persona_that_uses_every_field() {
    let app = spawn().await;
    let tools: Value = app
        .http
        .get(format!("{}/v1/tools", app.anam.url()))
        .bearer_auth(crate::harness::app::PLATFORM_KEY)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let stored = tools["data"][0]["id"].as_str().unwrap();
    let full = every_field(stored);
    let eleven = json!({
        "avatarId": LIV,
        "avatarModel": "cara-3",
        "voiceId": LUCY,
        "llmId": "CUSTOMER_CLIENT_V1",
        "voiceGenerationOptions": {
            "stability": 0.1, "similarityBoost": 1, "speed": 0.7, "style": 0, "useSpeakerBoost": true,
            "model": "eleven_turbo_v2_5",
        },
        "sessionOptions": { "videoQuality": "auto", "videoWidth": 720, "videoHeight": 480 },
    });
    let preset = json!({
        "avatarId": CARA,
        "avatarModel": "cara-4",
        "voiceId": LUCY,
        "llmId": GPT_4O_MINI,
        "directorNotes": { "presetStyle": "supportive" },
    });
    for (index, settings) in [full, eleven, preset].into_iter().enumerate() {
        let mut persona = settings.clone();
        persona["name"] = json!("Everything");
        persona["systemPrompt"] = json!("Use all of it.");
        persona["initialMessage"] = json!("Hello.");
        let key = format!("every-{index}");
        let bundle = json!({
            "tenant": "demo",
            "policy": {},
            "catalogue": { "llms": [
                { "id": GPT_4O, "name": "GPT-4o" },
                { "id": GPT_4O_MINI, "name": "GPT-4o mini" },
                { "id": "CUSTOMER_CLIENT_V1", "name": "The page itself" },
            ] },
            "personas": { &key: persona },
            "contexts": { &key: { "default": key } },
        });
        app.apply(&bundle.to_string()).await;
        let sent = app.minted_config(&app.user("user-2"), &context(&key)).await;
        let mut received = sent["personaConfig"].clone();
        received["sessionOptions"] = sent["sessionOptions"].clone();
        for (field, value) in settings.as_object().unwrap() {
            match (value, &received[field]) {
                (Value::Object(wanted), Value::Object(got)) => {
                    for (name, value) in wanted {
                        assert_eq!(&got[name], value, "{field}.{name}");
                    }
                }
                (wanted, got) => assert_eq!(wanted, got, "{field}"),
            }
        }
        assert_eq!(received["initialMessage"], "Hello.");
        assert_eq!(received["systemPrompt"], "Use all of it.");
    }
    app.stop().await;
}
