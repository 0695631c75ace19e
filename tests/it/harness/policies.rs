//! The demo tenant's policy, changed as its owner does.

use persona_gateway::domain::role::Role;
use reqwest::Method;
use serde_json::Value;

use super::app::TestApp;

impl TestApp {
    /// Changes members of the policy, and waits until this instance has them.
    pub(crate) async fn patch_policy(&self, patch: &Value) {
        let owner = self.admin_key("demo", Role::Owner).await;
        let address = "/v1/admin/policy";
        let read = self.ask(Method::GET, address, &owner).await;
        let etag = read.headers()["etag"].to_str().unwrap().to_owned();
        let patched = self.tell_if(Method::PATCH, address, &owner, &etag, patch);
        let patched = patched.await;
        assert_eq!(patched.status(), 200, "{}", patched.text().await.unwrap());
        self.settle("demo").await;
    }
}
