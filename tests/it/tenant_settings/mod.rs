//! Settings of a tenant: issuers, Anam keys, the catalogue, users' preferences, the policy.

mod catalogue;
mod issuers;
mod pairs;
mod policy;
mod provider_keys;
mod secrets;
mod users;

use std::time::Duration;

use reqwest::{Method, Response};
use serde_json::Value;

use crate::harness::TestApp;
use crate::harness::admins::{body, state};
use crate::harness::tenants::Tenant;

/// How soon a second instance must know of a change.
const A_SECOND: Duration = Duration::from_secs(1);

/// Two tenants, alike but for their names.
fn neighbours() -> [Tenant; 2] {
    [Tenant::new("acme", None), Tenant::new("globex", None)]
}

/// A read: its `ETag` and its body.
async fn read(app: &TestApp, path: &str, key: &str) -> (String, Value) {
    state(app.ask(Method::GET, path, key).await, 200).await
}

/// The audit rows of an action by admins or the schedule, oldest first; the demo's bundle left some of its own.
async fn audited(app: &TestApp, action: &str) -> Vec<Value> {
    let sql = format!(
        "select actor, target, details from audit_event
         where action = '{action}' and (actor like 'key:%' or actor like 'gateway:%') order by seq"
    );
    app.database.rows(&sql).await
}

/// An id that the tenant does not have is answered like one that nobody has, byte for byte.
async fn is_nobodys(app: &TestApp, method: Method, path: &str, unknown: &str, key: &str) {
    let bare = async |path: &str| {
        let request = app
            .request(method.clone(), path, key)
            .header("if-match", "*");
        let answer: Response = request.json(&serde_json::json!({})).send().await.unwrap();
        (answer.status(), answer.text().await.unwrap())
    };
    let (theirs, nobodys) = (bare(path).await, bare(unknown).await);
    assert_eq!(theirs, nobodys, "{method} {path}");
    assert_eq!(theirs.0, 404, "{method} {path}: {}", theirs.1);
}

/// The body of a good answer.
async fn read_body(app: &TestApp, method: Method, path: &str, key: &str, json: &Value) -> Value {
    body(app.tell(method, path, key, json).await, 200).await
}
