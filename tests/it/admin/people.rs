//! Invitations and members.

use persona_gateway::domain::role::Role;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::admins::{body, state};
use crate::harness::people::PASSWORD;
use crate::harness::{TestApp, pointers, problem, spawn};

const INVITATIONS: &str = "/v1/admin/invitations";
const ACCEPT: &str = "/v1/admin/invitations:accept";
const READ: &str = "/v1/admin/invitations:read";
const ANN: &str = "ann@example.com";

async fn invited(app: &TestApp, owner: &str, email: &str, role: &str) -> Value {
    let sent = json!({ "email": email, "role": role });
    body(app.tell(Method::POST, INVITATIONS, owner, &sent).await, 201).await
}

fn acceptance(invitation: &Value, password: &str) -> Value {
    json!({ "token": invitation["token"], "name": "Bob Ray", "password": password })
}

#[tokio::test]
async fn somebody_new_joins_with_a_name_and_a_password() {
    let app = spawn().await;
    let owner = app.signed_in("demo", ANN, Role::Owner).await;
    let invitation = invited(&app, &owner, "Bob@example.com", "editor").await;
    assert!(invitation["token"].as_str().unwrap().starts_with("pgi_"));
    assert_eq!(
        (&invitation["state"], &invitation["invitedBy"]),
        (&json!("open"), &json!("person:ann@example.com"))
    );

    let token = json!({ "token": invitation["token"] });
    let read = body(app.anonymous(READ, &token).await, 200).await;
    assert_eq!(
        read,
        json!({
            "email": "bob@example.com", "tenant": "demo", "tenantName": "Northwind Cloud", "role": "editor",
            "invitedBy": ANN, "expiresAt": invitation["expiresAt"],
        })
    );
    let mut bad = acceptance(&invitation, "too short");
    bad["name"] = json!(" ");
    let told = problem(app.anonymous(ACCEPT, &bad).await, 422, "invalid_request").await;
    assert_eq!(pointers(&told), ["/name"], "the form is judged first");
    bad["name"] = json!("Bob Ray");
    let told = problem(app.anonymous(ACCEPT, &bad).await, 422, "invalid_request").await;
    assert_eq!(pointers(&told), ["/password"]);

    let joined = body(
        app.anonymous(ACCEPT, &acceptance(&invitation, PASSWORD))
            .await,
        200,
    )
    .await;
    assert_eq!(
        joined,
        json!({ "email": "bob@example.com", "tenant": "demo", "role": "editor" })
    );
    let again = app
        .anonymous(ACCEPT, &acceptance(&invitation, PASSWORD))
        .await;
    problem(again, 404, "not_found").await;
    let bob = app.sign_in("bob@example.com").await;
    let me = body(app.ask(Method::GET, "/v1/admin/me", &bob).await, 200).await;
    assert_eq!(me["role"], "editor");

    let listed = body(app.ask(Method::GET, INVITATIONS, &owner).await, 200).await;
    assert_eq!(listed["items"][0]["state"], "accepted");
    assert!(
        listed["items"][0].get("token").is_none(),
        "a token is shown once"
    );
    let trail = app.audited("demo").await;
    assert!(
        trail.contains(
            &"person:ann@example.com invitation.create person/bob@example.com".to_owned()
        )
    );
    assert!(
        trail.contains(
            &"person:bob@example.com invitation.accept person/bob@example.com".to_owned()
        )
    );
    app.stop().await;
}

#[tokio::test]
async fn a_revoked_a_replaced_an_expired_and_an_invented_invitation_read_the_same() {
    let app = spawn().await;
    let owner = app.signed_in("demo", ANN, Role::Owner).await;
    let revoked = invited(&app, &owner, "one@example.com", "viewer").await;
    let path = format!("{INVITATIONS}/{}", revoked["id"].as_str().unwrap());
    assert_eq!(app.ask(Method::DELETE, &path, &owner).await.status(), 204);
    problem(
        app.ask(Method::DELETE, &path, &owner).await,
        404,
        "not_found",
    )
    .await;
    let replaced = invited(&app, &owner, "two@example.com", "viewer").await;
    let newer = invited(&app, &owner, "two@example.com", "editor").await;
    let expired = invited(&app, &owner, "three@example.com", "viewer").await;
    app.database
        .sql("update invitation set expires_at = now() where email = 'three@example.com'")
        .await;
    let invented = json!({ "token": format!("pgi_{}", "a".repeat(43)) });
    let mut told = Vec::new();
    for invitation in [&revoked, &replaced, &expired, &invented] {
        let token = json!({ "token": invitation["token"] });
        told.push(problem(app.anonymous(READ, &token).await, 404, "not_found").await);
        told.push(
            problem(
                app.anonymous(ACCEPT, &acceptance(invitation, PASSWORD))
                    .await,
                404,
                "not_found",
            )
            .await,
        );
    }
    assert!(told.windows(2).all(|pair| pair[0] == pair[1]));
    let joined = body(
        app.anonymous(ACCEPT, &acceptance(&newer, PASSWORD)).await,
        200,
    )
    .await;
    assert_eq!(joined["role"], "editor");
    app.stop().await;
}

#[tokio::test]
async fn an_account_that_exists_joins_with_its_own_password_only() {
    let app = spawn().await;
    app.empty_tenant("acme").await;
    app.member("demo", "bob@example.com", Role::Editor).await;
    let owner = app
        .signed_in("acme", "boss@acme.example", Role::Owner)
        .await;
    let invitation = invited(&app, &owner, "bob@example.com", "viewer").await;
    // Whoever invites has seen the token: it must not open, or re-open, an account.
    let stolen = acceptance(&invitation, "a password of the owner");
    problem(app.anonymous(ACCEPT, &stolen).await, 401, "sign_in_failed").await;
    body(
        app.anonymous(ACCEPT, &acceptance(&invitation, PASSWORD))
            .await,
        200,
    )
    .await;
    let told = problem(
        app.try_sign_in("bob@example.com", PASSWORD).await,
        422,
        "invalid_request",
    )
    .await;
    assert_eq!(told["errors"][0]["message"], "must be one of acme, demo");
    let sent = json!({ "email": "bob@example.com", "role": "owner" });
    let again = app.tell(Method::POST, INVITATIONS, &owner, &sent).await;
    problem(again, 409, "already_exists").await;
    app.stop().await;
}

#[tokio::test]
async fn a_password_set_by_an_invitation_opens_no_membership_that_an_identity_provider_made() {
    let app = spawn().await;
    app.empty_tenant("acme").await;
    // Bob comes to `demo` by its identity provider only, as an owner.
    app.member("demo", "bob@example.com", Role::Owner).await;
    app.database
        .sql("update membership set by_sso = true; update admin set password_hash = null")
        .await;
    // The owner of `acme` invites him, and takes the invitation up in his name.
    let crook = app
        .signed_in("acme", "crook@acme.example", Role::Owner)
        .await;
    let invitation = invited(&app, &crook, "bob@example.com", "viewer").await;
    body(
        app.anonymous(ACCEPT, &acceptance(&invitation, PASSWORD))
            .await,
        200,
    )
    .await;
    let token = app.sign_in("bob@example.com").await;
    let account = body(app.ask(Method::GET, "/v1/admin/account", &token).await, 200).await;
    assert_eq!(account["tenant"], "acme");
    assert_eq!(account["tenants"].as_array().unwrap().len(), 1, "{account}");
    let switch = json!({ "tenant": "demo" });
    let switched = app
        .tell(Method::POST, "/v1/admin/account:switch", &token, &switch)
        .await;
    problem(switched, 422, "invalid_request").await;
    let named = json!({ "email": "bob@example.com", "password": PASSWORD, "tenant": "demo" });
    problem(
        app.anonymous("/v1/admin/sign-in", &named).await,
        422,
        "invalid_request",
    )
    .await;
    app.stop().await;
}

#[tokio::test]
async fn an_operators_account_gets_no_password_by_an_invitation() {
    let app = spawn().await;
    app.operator("ops@example.com").await;
    app.database
        .sql("update admin set password_hash = null")
        .await;
    let owner = app.signed_in("demo", ANN, Role::Owner).await;
    let invitation = invited(&app, &owner, "ops@example.com", "viewer").await;
    problem(
        app.anonymous(ACCEPT, &acceptance(&invitation, PASSWORD))
            .await,
        401,
        "sign_in_failed",
    )
    .await;
    let hashes = app
        .database
        .rows("select password_hash from admin where operator")
        .await;
    assert_eq!(hashes[0]["password_hash"], Value::Null);
    app.stop().await;
}

#[tokio::test]
async fn of_two_who_accept_the_same_invitation_one_joins() {
    let app = spawn().await;
    let owner = app.signed_in("demo", ANN, Role::Owner).await;
    let invitation = invited(&app, &owner, "bob@example.com", "editor").await;
    let (one, two) = (
        acceptance(&invitation, PASSWORD),
        acceptance(&invitation, "another long password"),
    );
    let (one, two) = tokio::join!(app.anonymous(ACCEPT, &one), app.anonymous(ACCEPT, &two));
    let mut statuses = [one.status().as_u16(), two.status().as_u16()];
    statuses.sort_unstable();
    assert!(matches!(statuses, [200, 401 | 404]), "{statuses:?}");
    app.stop().await;
}

#[tokio::test]
async fn members_are_listed_page_by_page_and_by_nobodys_foreign_eyes() {
    let app = spawn().await;
    app.empty_tenant("acme").await;
    app.member("acme", "aaron@acme.example", Role::Viewer).await;
    let owner = app.signed_in("demo", ANN, Role::Owner).await;
    for name in ["bob", "cid"] {
        app.member("demo", &format!("{name}@example.com"), Role::Viewer)
            .await;
    }
    let first = app
        .ask(Method::GET, "/v1/admin/members?limit=2", &owner)
        .await;
    assert!(first.headers().contains_key("link"));
    let first = body(first, 200).await;
    let emails = |page: &Value| -> Vec<String> {
        let items = page["items"].as_array().unwrap();
        items
            .iter()
            .map(|item| item["email"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(emails(&first), [ANN, "bob@example.com"]);
    let next = format!(
        "/v1/admin/members?limit=2&cursor={}",
        first["next"].as_str().unwrap()
    );
    let second = body(app.ask(Method::GET, &next, &owner).await, 200).await;
    assert_eq!(emails(&second), ["cid@example.com"]);
    assert!(second.get("next").is_none());
    app.stop().await;
}

#[tokio::test]
async fn a_role_is_changed_on_top_of_what_was_read_and_holds_at_once() {
    let app = spawn().await;
    let owner = app.signed_in("demo", ANN, Role::Owner).await;
    let id = app.member("demo", "bob@example.com", Role::Owner).await;
    let bob = app.sign_in("bob@example.com").await;
    let path = format!("/v1/admin/members/{id}");
    let (etag, member) = state(app.ask(Method::GET, &path, &owner).await, 200).await;
    assert_eq!(member["role"], "owner");
    let viewer = json!({ "role": "viewer" });
    let blind = app.tell(Method::PATCH, &path, &owner, &viewer).await;
    problem(blind, 428, "precondition_required").await;
    let (newer, member) = state(
        app.tell_if(Method::PATCH, &path, &owner, &etag, &viewer)
            .await,
        200,
    )
    .await;
    assert_eq!(member["role"], "viewer");
    let stale = app
        .tell_if(
            Method::PATCH,
            &path,
            &owner,
            &etag,
            &json!({ "role": "owner" }),
        )
        .await;
    let told = problem(stale, 412, "precondition_failed").await;
    assert_eq!(told["current"]["role"], "viewer");
    let sent = json!({ "email": "x@example.com", "role": "viewer" });
    problem(
        app.tell(Method::POST, INVITATIONS, &bob, &sent).await,
        403,
        "forbidden",
    )
    .await;

    let removed = app
        .request(Method::DELETE, &path, &owner)
        .header("if-match", newer)
        .send()
        .await
        .unwrap();
    assert_eq!(removed.status(), 204);
    assert_eq!(app.status_of(&bob).await, 401);
    problem(app.ask(Method::GET, &path, &owner).await, 404, "not_found").await;
    let trail = app.audited("demo").await;
    assert!(
        trail
            .iter()
            .any(|line| line.contains("member.change_role person/bob@example.com"))
    );
    assert!(
        trail
            .iter()
            .any(|line| line.contains("member.remove person/bob@example.com"))
    );
    app.stop().await;
}

#[tokio::test]
async fn the_last_owner_stays_also_when_two_demote_each_other() {
    let app = spawn().await;
    let id = app.member("demo", ANN, Role::Owner).await;
    let ann = app.sign_in(ANN).await;
    let mine = format!("/v1/admin/members/{id}");
    let (etag, _) = state(app.ask(Method::GET, &mine, &ann).await, 200).await;
    let viewer = json!({ "role": "viewer" });
    let demoted = app
        .tell_if(Method::PATCH, &mine, &ann, &etag, &viewer)
        .await;
    let demoted = problem(demoted, 409, "conflict").await;
    assert_eq!(demoted["reason"], "only_owner");
    assert_eq!(demoted["values"], json!({ "email": ANN }));
    let removed = app
        .request(Method::DELETE, &mine, &ann)
        .header("if-match", &etag)
        .send()
        .await
        .unwrap();
    problem(removed, 409, "conflict").await;

    let other = app.member("demo", "bob@example.com", Role::Owner).await;
    let bob = app.sign_in("bob@example.com").await;
    let theirs = format!("/v1/admin/members/{other}");
    let (their_etag, _) = state(app.ask(Method::GET, &theirs, &ann).await, 200).await;
    let (one, two) = tokio::join!(
        app.tell_if(Method::PATCH, &theirs, &ann, &their_etag, &viewer),
        app.tell_if(Method::PATCH, &mine, &bob, &etag, &viewer),
    );
    let mut statuses = [one.status().as_u16(), two.status().as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses[0], 200);
    assert!(matches!(statuses[1], 403 | 409), "{statuses:?}");
    let owners = app
        .database
        .rows("select count(*) from membership where role = 'owner'")
        .await;
    assert_eq!(owners[0]["count"], 1);
    app.stop().await;
}
