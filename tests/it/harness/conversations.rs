//! Conversations at Anam's stand-in, begun and ended as a page and a server do.

use serde_json::{Value, json};

use super::app::{PLATFORM_KEY, TestApp};

impl TestApp {
    /// Begins a conversation with a session token, as Anam's SDK does; gives its id at Anam.
    pub(crate) async fn begin_conversation(&self, token: &str) -> String {
        let address = format!("{}/v1/engine/session", self.anam.url());
        let metadata = json!({ "clientMetadata": { "client": "js-sdk", "version": "4.27.0" } });
        let started = self.http.post(address).bearer_auth(token).json(&metadata);
        let started = started.send().await.unwrap();
        assert_eq!(started.status(), 200, "{}", started.text().await.unwrap());
        let started: Value = started.json().await.unwrap();
        started["sessionId"].as_str().unwrap().to_owned()
    }

    /// Ends one that was begun with a token of the platform's key.
    pub(crate) async fn end_conversation(&self, id: &str) {
        let address = format!("{}/v1/sessions/{id}/stop", self.anam.url());
        let stopped = self.http.post(address).bearer_auth(PLATFORM_KEY);
        let status = stopped.send().await.unwrap().status();
        assert!(status.is_success(), "{status}");
    }
}
