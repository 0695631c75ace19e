//! Every operation of the `OpenAPI` document, with every kind of credential. An operation that is added is walked too; one
//! that this test can't fill in, or that says nothing of who may, fails it.

use std::collections::BTreeMap;

use persona_gateway::api::openapi;
use persona_gateway::domain::role::Role;
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::harness::admins::body;
use crate::harness::people::PASSWORD;
use crate::harness::{TestApp, spawn};

/// Operations of the admin API that need no credential, and why.
const PUBLIC: [(&str, &str); 4] = [
    ("signIn", "the password is the credential"),
    (
        "acceptInvitation",
        "the invitation's token is the credential",
    ),
    ("startSso", "a browser that is nobody yet"),
    (
        "finishSso",
        "state, cookie and the provider's code are the credential",
    ),
];

const ROLES: [Role; 4] = [Role::Viewer, Role::Editor, Role::Publisher, Role::Owner];

/// An operation of the document.
struct Operation {
    name: String,
    method: Method,
    path: String,
    permission: Option<String>,
}

fn operations() -> Vec<Operation> {
    let document: Value = serde_json::from_str(&openapi::document()).unwrap();
    let mut found = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            found.push(Operation {
                name: operation["operationId"].as_str().unwrap().to_owned(),
                method: method.to_uppercase().parse().unwrap(),
                path: path.clone(),
                permission: operation["x-permission"].as_str().map(str::to_owned),
            });
        }
    }
    found
}

fn guarded() -> impl Iterator<Item = Operation> {
    operations()
        .into_iter()
        .filter(|operation| operation.permission.is_some())
}

fn is_for_admins(path: &str) -> bool {
    path.starts_with("/v1/admin") || path.starts_with("/v1/operator")
}

/// The names in braces of a path.
fn parameters(path: &str) -> Vec<&str> {
    let parts = path.split('{').skip(1);
    parts.map(|part| part.split('}').next().unwrap()).collect()
}

fn fill(path: &str, values: &BTreeMap<&'static str, String>) -> String {
    let mut filled = path.to_owned();
    for name in parameters(path) {
        let value = values.get(name).unwrap_or_else(|| {
            panic!("{path} has a parameter {{{name}}} that this test can't fill in: add it to `things` of {}", file!())
        });
        filled = filled.replace(&format!("{{{name}}}"), value);
    }
    filled
}

/// Things of the demo tenant, and the same names for things that nobody has.
async fn things(
    app: &TestApp,
) -> (
    BTreeMap<&'static str, String>,
    BTreeMap<&'static str, String>,
) {
    let owner = app.admin_key("demo", Role::Owner).await;
    let id = |answer: &Value| answer["id"].as_str().unwrap().to_owned();
    let make = async |path: &str, sent: Value| {
        id(&body(app.tell(Method::POST, path, &owner, &sent).await, 201).await)
    };
    let document = json!({ "kind": "snippet", "key": "walked", "content": { "text": "Be kind." } });
    let draft = make("/v1/admin/documents", document).await;
    let invitation = make(
        "/v1/admin/invitations",
        json!({ "email": "new@example.com", "role": "viewer" }),
    )
    .await;
    let api_key = make(
        "/v1/admin/api-keys",
        json!({ "name": "walked", "role": "viewer" }),
    )
    .await;
    let member = app.member("demo", "walked@example.com", Role::Viewer).await;
    let known = BTreeMap::from([
        ("kind", "snippet".to_owned()),
        ("key", "walked".to_owned()),
        ("draft", draft),
        ("number", "1".to_owned()),
        ("invitation", invitation),
        ("member", member),
        ("apiKey", api_key),
        ("slug", "demo".to_owned()),
        ("sharedIssuer", app.clock.new_id().to_string()),
    ]);
    let nobodys = known
        .keys()
        .map(|name| {
            let value = match *name {
                "kind" => "snippet".to_owned(),
                "key" | "slug" => "unheard-of".to_owned(),
                "number" => "1".to_owned(),
                _ => app.clock.new_id().to_string(),
            };
            (*name, value)
        })
        .collect();
    (known, nobodys)
}

async fn ask(app: &TestApp, method: &Method, path: &str, token: Option<&str>) -> Response {
    let mut request = app
        .http
        .request(method.clone(), app.url(path))
        .header("if-match", "*");
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    if *method != Method::GET {
        request = request.json(&json!({}));
    }
    request.send().await.unwrap()
}

#[test]
fn every_operation_for_admins_says_who_may_or_why_it_is_public() {
    let mut public: Vec<&str> = PUBLIC.iter().map(|(name, _)| *name).collect();
    for operation in operations() {
        let known = matches!(
            operation.permission.as_deref(),
            Some("view" | "edit" | "publish" | "own" | "person" | "operator")
        );
        if !is_for_admins(&operation.path) {
            assert!(
                operation.permission.is_none(),
                "{} is no admin operation",
                operation.name
            );
        } else if let Some(at) = public.iter().position(|name| *name == operation.name) {
            public.remove(at);
            assert!(
                operation.permission.is_none(),
                "{} is public",
                operation.name
            );
        } else {
            assert!(
                known,
                "{} {} needs `extensions((\"x-permission\" = json!(...)))`: view, edit, publish, own, person or operator; or a reason to be public",
                operation.method, operation.path
            );
        }
    }
    assert!(public.is_empty(), "{public:?} are no operations");
}

#[tokio::test]
async fn without_a_credential_and_with_a_users_jwt_nothing_opens() {
    let app = spawn().await;
    let (known, _) = things(&app).await;
    let (user, made_up) = (app.user("user-1"), format!("pgk_{}", "a".repeat(43)));
    let made_up_session = format!("pgs_{}", "a".repeat(43));
    for operation in guarded() {
        let path = fill(&operation.path, &known);
        for token in [
            None,
            Some(user.as_str()),
            Some(made_up.as_str()),
            Some(made_up_session.as_str()),
        ] {
            let answer = ask(&app, &operation.method, &path, token).await;
            assert_eq!(
                answer.status(),
                401,
                "{} {} with {token:?}",
                operation.method,
                operation.path
            );
            assert!(answer.headers().contains_key("www-authenticate"));
        }
    }
    app.stop().await;
}

#[tokio::test]
async fn each_role_may_what_the_document_says_and_no_more() {
    let app = spawn().await;
    let (_, nobodys) = things(&app).await;
    let operator = app.operator("ops@example.com").await;
    let mut credentials = Vec::new();
    for role in ROLES {
        let email = format!("{role}@example.com");
        credentials.push((role, true, app.admin_key("demo", role).await));
        credentials.push((role, false, app.signed_in("demo", &email, role).await));
    }
    for operation in guarded() {
        let path = fill(&operation.path, &nobodys);
        let permission = operation.permission.as_deref().unwrap();
        for (role, is_key, token) in &credentials {
            let may = match permission {
                "view" => true,
                "edit" => *role >= Role::Editor,
                "publish" => *role >= Role::Publisher,
                "own" => *role >= Role::Owner,
                "person" => !is_key,
                _ => false,
            };
            // A session that may be ended by what is asked.
            let fresh = if may && operation.name == "signOut" {
                Some(app.sign_in(&format!("{role}@example.com")).await)
            } else {
                None
            };
            let token = fresh.as_ref().unwrap_or(token);
            let answer = ask(&app, &operation.method, &path, Some(token)).await;
            let status = answer.status().as_u16();
            let told = answer.text().await.unwrap();
            let what = format!(
                "{} {} as {role}, key: {is_key}: {status} {told}",
                operation.method, operation.path
            );
            assert!(status != 401 && status < 500, "{what}");
            assert_eq!(status == 403, !may, "{what}");
        }
        let status = ask(&app, &operation.method, &path, Some(&operator))
            .await
            .status()
            .as_u16();
        let may = matches!(permission, "person" | "operator");
        if operation.name != "signOut" {
            assert!(
                status != 401 && status < 500,
                "{} as an operator: {status}",
                operation.name
            );
            assert_eq!(
                status == 403,
                !may,
                "{} as an operator: {status}",
                operation.name
            );
        }
    }
    app.stop().await;
}

/// All rows of a tenant, as one text a table.
async fn rows_of(app: &TestApp, slug: &str) -> BTreeMap<String, Value> {
    let tenant = app.tenant(slug).await.0;
    let tables = app
        .database
        .rows(
            "select c.relname as name from pg_class c where c.relnamespace = 'public'::regnamespace
             and c.relkind in ('r', 'p') and not c.relispartition
             and exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id')",
        )
        .await;
    let mut found = BTreeMap::new();
    for table in tables {
        let name = table["name"].as_str().unwrap();
        let query = format!(
            "select jsonb_agg(r order by r::text) as rows from {name} r where r.tenant_id = '{tenant}'"
        );
        found.insert(
            name.to_owned(),
            app.database.rows(&query).await[0]["rows"].clone(),
        );
    }
    found
}

#[tokio::test]
async fn another_tenants_ids_read_like_ids_that_nobody_has_and_nothing_changes() {
    let app = spawn().await;
    let (known, nobodys) = things(&app).await;
    app.empty_tenant("acme").await;
    let key = app.admin_key("acme", Role::Owner).await;
    let session = app
        .signed_in("acme", "boss@acme.example", Role::Owner)
        .await;
    let before = rows_of(&app, "demo").await;
    let mut walked = 0;
    for operation in guarded() {
        let names = parameters(&operation.path);
        if names.is_empty() || operation.permission.as_deref() == Some("operator") {
            continue;
        }
        walked += 1;
        for token in [&key, &session] {
            let theirs = ask(
                &app,
                &operation.method,
                &fill(&operation.path, &known),
                Some(token),
            )
            .await;
            let nothings = ask(
                &app,
                &operation.method,
                &fill(&operation.path, &nobodys),
                Some(token),
            )
            .await;
            let what = format!("{} {}", operation.method, operation.path);
            assert_eq!(
                theirs.status(),
                404,
                "{what}: {}",
                theirs.text().await.unwrap()
            );
            assert_eq!(nothings.status(), 404, "{what}");
            assert_eq!(
                theirs.text().await.unwrap(),
                nothings.text().await.unwrap(),
                "{what}"
            );
        }
    }
    assert!(walked > 10, "{walked}");
    for (table, rows) in rows_of(&app, "demo").await {
        assert_eq!(rows, before[&table], "{table} changed");
    }
    app.stop().await;
}

#[tokio::test]
async fn a_role_of_one_tenant_is_none_in_another() {
    let app = spawn().await;
    app.empty_tenant("acme").await;
    app.member("demo", "ann@example.com", Role::Viewer).await;
    app.member("acme", "ann@example.com", Role::Owner).await;
    let sent = json!({ "email": "ann@example.com", "password": PASSWORD, "tenant": "demo" });
    let signed_in = body(app.anonymous("/v1/admin/sign-in", &sent).await, 200).await;
    let token = signed_in["token"].as_str().unwrap();
    let key = json!({ "name": "x", "role": "owner" });
    let answer = app
        .tell(Method::POST, "/v1/admin/api-keys", token, &key)
        .await;
    assert_eq!(answer.status(), 403);
    app.stop().await;
}
