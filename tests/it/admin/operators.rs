//! Who runs the installation.

use persona_gateway::domain::role::Role;
use reqwest::Method;
use serde_json::json;

use crate::harness::admins::body;
use crate::harness::people::PASSWORD;
use crate::harness::{pointers, problem, spawn};

const TENANTS: &str = "/v1/operator/tenants";
const ISSUERS: &str = "/v1/operator/shared-issuers";

#[tokio::test]
async fn an_operator_makes_a_tenant_whose_first_owner_joins_by_the_invitation() {
    let app = spawn().await;
    let operator = app.operator("ops@example.com").await;
    let sent = json!({ "slug": "acme", "name": "Acme Ltd.", "owner": "ann@acme.example" });
    let made = body(app.tell(Method::POST, TENANTS, &operator, &sent).await, 201).await;
    problem(
        app.tell(Method::POST, TENANTS, &operator, &sent).await,
        409,
        "already_exists",
    )
    .await;
    let joined = json!({ "token": made["invitation"], "name": "Ann", "password": PASSWORD });
    body(
        app.anonymous("/v1/admin/invitations:accept", &joined).await,
        200,
    )
    .await;
    let ann = app.sign_in("ann@acme.example").await;
    let me = body(app.ask(Method::GET, "/v1/admin/me", &ann).await, 200).await;
    assert_eq!(
        (&me["tenant"], &me["tenantName"], &me["role"]),
        (&json!("acme"), &json!("Acme Ltd."), &json!("owner"))
    );
    assert_eq!(
        app.audited("acme").await[..2],
        [
            "person:ops@example.com tenant.create tenant/acme",
            "person:ops@example.com invitation.create person/ann@acme.example"
        ]
    );
    let listed = body(
        app.ask(Method::GET, &format!("{TENANTS}?limit=1"), &operator)
            .await,
        200,
    )
    .await;
    assert_eq!(listed["items"][0]["slug"], "acme");
    let next = format!(
        "{TENANTS}?limit=1&cursor={}",
        listed["next"].as_str().unwrap()
    );
    let listed = body(app.ask(Method::GET, &next, &operator).await, 200).await;
    assert_eq!(listed["items"][0]["slug"], "demo");

    let bad = json!({ "slug": "Not a slug", "owner": "nobody", "language": "Latin" });
    let told = problem(
        app.tell(Method::POST, TENANTS, &operator, &bad).await,
        422,
        "invalid_request",
    )
    .await;
    assert_eq!(pointers(&told), ["/slug", "/owner", "/language"]);
    app.stop().await;
}

#[tokio::test]
async fn a_suspended_tenant_is_served_again_when_it_is_resumed() {
    let app = spawn().await;
    let operator = app.operator("ops@example.com").await;
    let key = app.admin_key("demo", Role::Owner).await;
    assert_eq!(app.status_of(&key).await, 200);
    for _ in 0..2 {
        let path = format!("{TENANTS}/demo:suspend");
        assert_eq!(app.ask(Method::POST, &path, &operator).await.status(), 204);
    }
    assert_eq!(app.status_of(&key).await, 403);
    let path = format!("{TENANTS}/demo:resume");
    assert_eq!(app.ask(Method::POST, &path, &operator).await.status(), 204);
    assert_eq!(app.status_of(&key).await, 200);
    let trail = app.audited("demo").await;
    let of_operators: Vec<&String> = trail
        .iter()
        .filter(|line| line.contains(" tenant."))
        .collect();
    assert!(
        of_operators
            .iter()
            .any(|line| line.contains("tenant.suspend")),
        "{trail:?}"
    );
    let nowhere = app
        .ask(
            Method::POST,
            &format!("{TENANTS}/nowhere:suspend"),
            &operator,
        )
        .await;
    problem(nowhere, 404, "not_found").await;
    app.stop().await;
}

#[tokio::test]
async fn shared_issuers_are_registered_listed_and_removed() {
    let app = spawn().await;
    let operator = app.operator("ops@example.com").await;
    let config = json!({ "issuer": "https://shared.example", "audiences": ["app"], "keys": { "discovery": true } });
    let sent = json!({ "config": config, "tenantClaim": "/org/slug" });
    let made = body(app.tell(Method::POST, ISSUERS, &operator, &sent).await, 201).await;
    problem(
        app.tell(Method::POST, ISSUERS, &operator, &sent).await,
        409,
        "already_exists",
    )
    .await;
    let listed = body(app.ask(Method::GET, ISSUERS, &operator).await, 200).await;
    assert_eq!(listed["items"][0]["config"], config);
    let secret = json!({ "config": { "issuer": "https://s.example", "audiences": [], "algorithms": ["HS256"], "keys": { "sharedSecret": true } }, "tenantClaim": "" });
    let told = problem(
        app.tell(Method::POST, ISSUERS, &operator, &secret).await,
        422,
        "invalid_request",
    )
    .await;
    assert!(
        pointers(&told).contains(&"/tenantClaim".to_owned()),
        "{told}"
    );
    let path = format!("{ISSUERS}/{}", made["id"].as_str().unwrap());
    assert_eq!(
        app.ask(Method::DELETE, &path, &operator).await.status(),
        204
    );
    problem(
        app.ask(Method::DELETE, &path, &operator).await,
        404,
        "not_found",
    )
    .await;
    app.stop().await;
}

#[tokio::test]
async fn nobody_but_operators_who_signed_in_with_a_password_gets_there() {
    let app = spawn().await;
    let owner = app.signed_in("demo", "ann@example.com", Role::Owner).await;
    let key = app.admin_key("demo", Role::Owner).await;
    for (token, status, code) in [
        (owner.as_str(), 403, "forbidden"),
        (key.as_str(), 403, "forbidden"),
        (app.user("user-1").as_str(), 401, "unauthenticated"),
        ("pgs_", 401, "unauthenticated"),
    ] {
        problem(app.ask(Method::GET, TENANTS, token).await, status, code).await;
    }
    // An operator whom a tenant's identity provider vouches for is none.
    let operator = app.operator("ops@example.com").await;
    assert_eq!(app.ask(Method::GET, TENANTS, &operator).await.status(), 200);
    problem(
        app.ask(Method::GET, "/v1/admin/me", &operator).await,
        403,
        "forbidden",
    )
    .await;
    app.database
        .sql(
            "insert into membership (tenant_id, admin_id, role, by_sso)
             select t.id, a.id, 'viewer', true from tenant t, admin a where a.operator;
             update console_session set by_sso = true, working_tenant = (select id from tenant)
             where admin_id = (select id from admin where operator)",
        )
        .await;
    problem(
        app.ask(Method::GET, TENANTS, &operator).await,
        403,
        "forbidden",
    )
    .await;
    let account = body(
        app.ask(Method::GET, "/v1/admin/account", &operator).await,
        200,
    )
    .await;
    assert_eq!(
        (&account["operator"], &account["singleSignOn"]),
        (&json!(false), &json!(true))
    );
    app.stop().await;
}
