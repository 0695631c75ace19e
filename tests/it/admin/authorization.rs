//! Every operation of the `OpenAPI` document, with every kind of credential. An operation that is added is walked too; one
//! that this test can't fill in, or that says nothing of who may, fails it.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use persona_gateway::domain::role::Role;
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::harness::admins::{body, state};
use crate::harness::openapi;
use crate::harness::people::PASSWORD;
use crate::harness::wait::until;
use crate::harness::{TestApp, context, spawn};

/// Operations of the admin API that need no credential, and why.
const PUBLIC: [(&str, &str); 8] = [
    ("signIn", "the password is the credential"),
    ("readInvitation", "the invitation's token is the credential"),
    (
        "acceptInvitation",
        "the invitation's token is the credential",
    ),
    ("requestPasswordReset", "a person who can't sign in"),
    (
        "redeemPasswordReset",
        "the token of a mail or a link is the credential",
    ),
    ("startSso", "a browser that is nobody yet"),
    (
        "finishSso",
        "state, cookie and the provider's code are the credential",
    ),
    ("exchangeSsoCode", "the code is the credential"),
];

const ROLES: [Role; 4] = [Role::Viewer, Role::Editor, Role::Publisher, Role::Owner];

/// An operation of the document.
pub(crate) struct Operation {
    pub(crate) name: String,
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) permission: Option<String>,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}

pub(crate) fn operations() -> Vec<Operation> {
    let document = openapi::document();
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

pub(crate) fn guarded() -> impl Iterator<Item = Operation> {
    operations()
        .into_iter()
        .filter(|operation| operation.permission.is_some())
}

fn is_for_admins(path: &str) -> bool {
    path.starts_with("/v1/admin") || path.starts_with("/v1/operator")
}

/// Values of path parameters, by the start of the path and the name.
pub(crate) type Things = BTreeMap<(&'static str, &'static str), String>;

/// The names in braces of a path.
pub(crate) fn parameters(path: &str) -> Vec<&str> {
    let parts = path.split('{').skip(1);
    parts.map(|part| part.split('}').next().unwrap()).collect()
}

pub(crate) fn fill(path: &str, things: &Things) -> String {
    let mut filled = path.to_owned();
    for name in parameters(path) {
        let found = things
            .iter()
            .find(|((start, known), _)| *known == name && path.starts_with(start));
        let (_, value) = found.unwrap_or_else(|| {
            panic!(
                "{path} has a parameter {{{name}}} that this test can't fill in: add it to `things` of {}",
                file!()
            )
        });
        filled = filled.replace(&format!("{{{name}}}"), value);
    }
    filled
}

/// Things of the demo tenant, and the same for things that nobody has.
#[expect(clippy::too_many_lines, reason = "a table")]
pub(crate) async fn things(app: &TestApp) -> (Things, Things) {
    let owner = app.admin_key("demo", Role::Owner).await;
    let id = |answer: &Value| answer["id"].as_str().unwrap().to_owned();
    let make = async |path: &str, sent: Value| {
        id(&body(app.tell(Method::POST, path, &owner, &sent).await, 201).await)
    };
    let document = json!({ "kind": "snippet", "key": "walked", "content": { "text": "Be kind." } });
    let answer = app
        .tell(Method::POST, "/v1/admin/documents", &owner, &document)
        .await;
    let (etag, first) = state(answer, 201).await;
    let seal = format!("/v1/admin/drafts/{}:seal", id(&first));
    let sealed = app
        .tell_if(Method::POST, &seal, &owner, &etag, &json!({}))
        .await;
    body(sealed, 201).await;
    let of_document = "/v1/admin/documents/snippet/walked";
    let later = app.clock.now() + chrono::TimeDelta::days(1);
    let scheduled = json!({ "version": 1, "liveFrom": later });
    let releases = format!("{of_document}/releases");
    let release = app.tell(Method::POST, &releases, &owner, &scheduled).await;
    let release = id(&body(release, 200).await);
    let draft = make(&format!("{of_document}/drafts"), json!({})).await;
    let invited = json!({ "email": "new@example.com", "role": "viewer" });
    let invitation = make("/v1/admin/invitations", invited).await;
    let key = json!({ "name": "walked", "role": "viewer" });
    let api_key = make("/v1/admin/api-keys", key).await;
    let member = app.member("demo", "walked@example.com", Role::Viewer).await;
    body(
        app.mint(&app.user("user-1"), &context("support")).await,
        200,
    )
    .await;
    let session = until(
        "the session is in the ledger",
        Duration::from_secs(10),
        async || {
            let rows = app
                .database
                .rows("select session_id as id from session_outcome")
                .await;
            rows.first().map(&id)
        },
    )
    .await;
    let sample = json!({ "facts": {} });
    let path = "/v1/admin/sample-users/walked";
    let request = app
        .request(Method::PUT, path, &owner)
        .header("if-none-match", "*");
    let answer = request.json(&sample).send().await.unwrap();
    assert!(
        answer.status().is_success(),
        "{}",
        answer.text().await.unwrap()
    );
    app.database
        .sql("insert into provider_key (tenant_id, label, sealed, last_four) select id, 'own', '\\x00', '1234' from tenant")
        .await;
    let secret = json!({ "value": "walked" });
    let path = "/v1/admin/secrets/walked";
    body(app.tell(Method::PUT, path, &owner, &secret).await, 201).await;
    let first_id = async |table: &str| {
        let rows = app
            .database
            .rows(&format!("select id from {table} limit 1"))
            .await;
        id(&rows[0])
    };
    let avatars = "select id from catalogue_entry where kind = 'avatar' limit 1";
    let known = Things::from([
        (("/v1/admin/documents", "kind"), "snippet".to_owned()),
        (("/v1/admin/documents", "key"), "walked".to_owned()),
        (("", "number"), "1".to_owned()),
        (("", "release"), release),
        (("", "draft"), draft),
        (("", "invitation"), invitation),
        (("", "member"), member),
        (("", "apiKey"), api_key),
        (("", "session"), session),
        (("", "subject"), "user-1".to_owned()),
        (("", "issuer"), first_id("issuer").await),
        (
            ("/v1/admin/provider-keys", "key"),
            first_id("provider_key").await,
        ),
        (("/v1/admin/catalogue", "kind"), "avatar".to_owned()),
        (
            ("/v1/admin/catalogue", "id"),
            id(&app.database.rows(avatars).await[0]),
        ),
        (("/v1/admin/sample-users", "key"), "walked".to_owned()),
        (("/v1/admin/secrets", "name"), "walked".to_owned()),
        (("", "slug"), "demo".to_owned()),
        (("", "tenant"), "demo".to_owned()),
        (("", "sharedIssuer"), app.clock.new_id().to_string()),
    ]);
    let nobodys = known.iter().map(|((start, name), value)| {
        let value = match *name {
            "kind" | "number" => value.clone(),
            "key" if !start.ends_with("provider-keys") => "unheard-of".to_owned(),
            "name" => "unheard-of".to_owned(),
            "subject" => "no-such-user".to_owned(),
            "slug" | "tenant" => "no-such-tenant".to_owned(),
            _ => app.clock.new_id().to_string(),
        };
        ((*start, *name), value)
    });
    let nobodys = nobodys.collect();
    (known, nobodys)
}

/// What operations want to be sent; the others take an empty object.
pub(crate) fn sent_to(operation: &str) -> Value {
    match operation {
        "releaseVersion" => json!({ "version": 1 }),
        "patchDocument" => json!({ "content": { "text": "Be kind." } }),
        "duplicateDocument" | "renameDocument" => json!({ "key": "walked-again" }),
        "rollBack" => json!({ "to": 1 }),
        // The Anam key of the walk can't be opened.
        "startTestCall" => json!({ "user": { "sample": "nobody" } }),
        "reviewVersion" => json!({ "verdict": "approve" }),
        _ => json!({}),
    }
}

async fn ask(
    app: &TestApp,
    operation: &Operation,
    things: &Things,
    token: Option<&str>,
) -> Response {
    let path = fill(&operation.path, things);
    let request = app.http.request(operation.method.clone(), app.url(&path));
    let mut request = request.header("if-match", "*");
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    if operation.method != Method::GET {
        request = request.json(&sent_to(&operation.name));
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
        for token in [
            None,
            Some(user.as_str()),
            Some(made_up.as_str()),
            Some(made_up_session.as_str()),
        ] {
            let answer = ask(&app, &operation, &known, token).await;
            assert_eq!(answer.status(), 401, "{operation} with {token:?}");
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
    let mut wrong = Vec::new();
    for operation in guarded() {
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
            // What is asked may end the session.
            let fresh = if may && operation.name == "signOut" {
                Some(app.sign_in(&format!("{role}@example.com")).await)
            } else {
                None
            };
            let token = fresh.as_ref().unwrap_or(token);
            let answer = ask(&app, &operation, &nobodys, Some(token)).await;
            let status = answer.status().as_u16();
            if matches!(status, 401 | 405 | 500..) || (status == 403) == may {
                let told = answer.text().await.unwrap();
                wrong.push(format!(
                    "{operation} as {role}, key: {is_key}: {status} {told}"
                ));
            }
        }
        if operation.name == "signOut" {
            continue;
        }
        let answer = ask(&app, &operation, &nobodys, Some(&operator)).await;
        let status = answer.status().as_u16();
        let may = matches!(permission, "person" | "operator");
        if matches!(status, 401 | 405 | 500..) || (status == 403) == may {
            wrong.push(format!("{operation} as an operator: {status}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
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

/// An answer without the names that were asked for, and without times and `ETag`s that hold none.
fn plain(text: &str, asked: &Things) -> String {
    let mut plain = text.to_owned();
    for ((_, name), value) in asked {
        if !matches!(*name, "kind" | "number") {
            plain = plain.replace(value.as_str(), name);
        }
    }
    let words = plain.split('"').map(|word| {
        if chrono::DateTime::parse_from_rfc3339(word).is_ok() {
            "time"
        } else if word.starts_with("0-") {
            // Made of the name alone.
            "the ETag of what is not there"
        } else {
            word
        }
    });
    words.collect::<Vec<_>>().join("\"")
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
    let mut wrong = Vec::new();
    for operation in guarded() {
        let names = parameters(&operation.path);
        if names.is_empty() || operation.permission.as_deref() == Some("operator") {
            continue;
        }
        walked += 1;
        for token in [&key, &session] {
            let theirs = ask(&app, &operation, &known, Some(token)).await;
            let nobodys_answer = ask(&app, &operation, &nobodys, Some(token)).await;
            let (status, as_for_nobody) = (theirs.status(), nobodys_answer.status());
            let told = plain(&theirs.text().await.unwrap(), &known);
            let told_for_nobody = plain(&nobodys_answer.text().await.unwrap(), &nobodys);
            // A user's subject, an id of Anam's and a new name are not the gateway's to give out: every tenant may write its own.
            let is_named_by_others = operation.path.contains("{subject}")
                || operation.path.starts_with("/v1/admin/catalogue")
                || operation.name == "putSecret"
                || operation.name == "putSampleUser";
            if status != as_for_nobody || told != told_for_nobody {
                wrong.push(format!(
                    "{operation}: {status} {told}\nnot as {as_for_nobody} {told_for_nobody}"
                ));
            } else if status != 404 && !is_named_by_others {
                wrong.push(format!("{operation}: {status} {told}, and not 404"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
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
