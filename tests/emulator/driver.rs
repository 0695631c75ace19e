//! One emulator and a client that speaks to it.

use persona_gateway::dev::emulator::{ApiKeys, Emulator, EmulatorConfig, EmulatorHandle, Mode};
use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::{Value, json};

pub(crate) const KEY: &str = "ak_a-key-that-nobody-may-see";

pub(crate) struct Driver {
    pub(crate) anam: EmulatorHandle,
    pub(crate) http: Client,
}

/// A status and a body.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

impl Driver {
    pub(crate) fn strict() -> Self {
        Self::with(EmulatorConfig::default())
    }

    pub(crate) fn lax() -> Self {
        Self::with(EmulatorConfig {
            mode: Mode::Lax,
            ..EmulatorConfig::default()
        })
    }

    /// An emulator that knows [`KEY`] and `other`, whatever the configuration says.
    pub(crate) fn with(config: EmulatorConfig) -> Self {
        let anam = Emulator::start(EmulatorConfig {
            api_keys: ApiKeys::Only(vec![KEY.into(), "other".into()]),
            ..config
        })
        .expect("starts");
        let http = Client::builder().no_proxy().build().expect("client");
        Self { anam, http }
    }

    pub(crate) fn call(&self, method: Method, path: &str) -> RequestBuilder {
        self.http
            .request(method, format!("{}{path}", self.anam.url()))
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        answer_to(self.call(Method::GET, path).bearer_auth(KEY)).await
    }

    pub(crate) async fn post(&self, path: &str, bearer: &str, body: &Value) -> Answer {
        answer_to(self.call(Method::POST, path).bearer_auth(bearer).json(body)).await
    }

    pub(crate) async fn mint(&self, body: &Value) -> Answer {
        self.post("/v1/auth/session-token", KEY, body).await
    }

    /// Mints and returns the token.
    pub(crate) async fn token(&self, body: &Value) -> String {
        let answer = self.mint(body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body["sessionToken"]
            .as_str()
            .expect("token")
            .to_owned()
    }

    /// Calls engine/session as the SDK does.
    pub(crate) async fn start(&self, token: &str) -> Answer {
        let body = json!({"clientMetadata": {"client": "js-sdk", "version": "4.27.0"}});
        self.post("/v1/engine/session", token, &body).await
    }

    pub(crate) async fn fault(&self, fault: &Value) -> Answer {
        answer_to(self.call(Method::POST, "/_emulator/faults").json(fault)).await
    }
}

pub(crate) async fn answer_to(request: RequestBuilder) -> Answer {
    read(request.send().await.expect("an answer")).await
}

pub(crate) async fn read(response: Response) -> Answer {
    let status = response.status().as_u16();
    let text = response.text().await.expect("a body");
    let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
    Answer { status, body }
}

/// A persona that uses most of what Anam offers, without a fault.
pub(crate) fn persona() -> Value {
    json!({
        "clientLabel": "0199aa00-0000-7000-8000-000000000001",
        "personaConfig": {
            "name": "Cara",
            "avatarId": "30fa96d0-26c4-4e55-94a0-517025942e18",
            "avatarModel": "cara-4",
            "voiceId": "de23e340-1416-4dd8-977d-065a7ca11697",
            "llmId": "a7cf662c-2ace-4de1-a21e-ef0fbf144bb7",
            "systemPrompt": "You are kind.",
            "initialMessage": "Hello!",
            "skipGreeting": false,
            "uninterruptibleGreeting": true,
            "languageCode": "en",
            "maxSessionLengthSeconds": 600,
            "voiceDetectionOptions": {
                "endOfSpeechSensitivity": 0.5,
                "silenceBeforeSkipTurnSeconds": 0,
                "silenceBeforeSessionEndSeconds": 120,
                "silenceBeforeAutoEndTurnSeconds": 0.5,
                "speechEnhancementLevel": 1
            },
            "voiceGenerationOptions": {"stability": 0.4, "speed": 1.1, "style": 0.2},
            "directorNotes": {"presetStyle": "warm", "expressivity": 0.7},
            "tools": [
                {"type": "client", "name": "open_page", "description": "Opens a page.",
                 "parameters": {"type": "object"}, "awaitResult": true, "toolTimeoutSeconds": 30},
                {"type": "server", "subtype": "webhook", "name": "order-status",
                 "description": "Looks up an order.", "url": "https://hooks.example.com/orders",
                 "method": "POST", "headers": {"x-tenant": "acme"}, "awaitResponse": true},
                {"type": "server", "subtype": "knowledge", "name": "handbook", "description": "Searches.",
                 "documentFolderIds": ["0199aa00-0000-7000-8000-000000000002"]},
                {"type": "system", "name": "end_call"}
            ]
        },
        "sessionOptions": {
            "sessionReplay": {"enableSessionReplay": false},
            "videoQuality": "auto",
            "videoWidth": 768,
            "videoHeight": 1152,
            "showAIAvatarDisclosure": true,
            "region": "eu",
            "regionPolicy": "strict"
        }
    })
}
