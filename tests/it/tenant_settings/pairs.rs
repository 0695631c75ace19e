//! Whose the tokens of an issuer for an audience are: pending until it is proven, and nobody is kept away by what is pending.

use persona_gateway::dev::issuer::{Audience, TokenRequest};
use persona_gateway::domain::role::Role;
use reqwest::Method;
use serde_json::{Value, json};

use super::{A_SECOND, neighbours, read};
use crate::harness::admins::{body, state};
use crate::harness::tenants::{Signer, serve};
use crate::harness::wait::until;
use crate::harness::{TestApp, TestOptions, errors, logs, pointers, problem};

const ISSUERS: &str = "/v1/admin/issuers";
const PAIRS: &str = "/v1/operator/issuer-pairs";

/// Registers an issuer; gives its path.
async fn register(app: &TestApp, key: &str, config: &Value) -> (String, Value) {
    let answer = app
        .tell(Method::POST, ISSUERS, key, &json!({ "config": config }))
        .await;
    let issuer = body(answer, 201).await;
    let path = format!("{ISSUERS}/{}", issuer["id"].as_str().unwrap());
    (path, issuer)
}

/// A token of the test's issuer that names a tenant.
fn testimony(app: &TestApp, audience: &str, tenant: &str) -> String {
    let claims = json!({ "persona_gateway_tenant": tenant });
    let mut asked = TokenRequest::new("setup", claims.as_object().unwrap().clone());
    asked.aud = Some(Audience::One(audience.into()));
    app.issuer.sign(&asked).unwrap()
}

async fn prove(app: &TestApp, key: &str, path: &str, token: &str) -> reqwest::Response {
    let asked = json!({ "token": token });
    app.tell(Method::POST, &format!("{path}:prove"), key, &asked)
        .await
}

/// Waits until a token is answered with this status.
async fn answered(app: &TestApp, token: &str, status: u16) {
    until("the change is known", A_SECOND, || async {
        (app.mint(token, &json!({})).await.status() == status).then_some(())
    })
    .await;
}

fn states(issuer: &Value) -> Vec<(&str, &str)> {
    let pairs = issuer["audiences"].as_array().unwrap().iter();
    pairs
        .map(|pair| {
            (
                pair["audience"].as_str().unwrap(),
                pair["state"].as_str().unwrap(),
            )
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pair_is_pending_until_a_token_of_the_issuer_names_the_tenant() {
    let tenants = neighbours();
    let app = serve(&[&tenants[0], &tenants[1]], TestOptions::default()).await;
    let squatter = app.admin_key("globex", Role::Owner).await;
    let owner = app.admin_key("acme", Role::Owner).await;
    let config = json!({ "issuer": app.issuer.url(), "audiences": ["acme-app"], "keys": { "discovery": true } });
    let (theirs, _) = register(&app, &squatter, &config).await;
    let (path, issuer) = register(&app, &owner, &config).await;
    assert_eq!(states(&issuer), [("acme-app", "pending")]);
    app.settle("acme").await;
    let user = app.user_for("acme-app", "user-1");
    problem(app.mint(&user, &json!({})).await, 401, "unauthenticated").await;
    assert!(logs::logged().contains("pair_pending"));

    for (token, what) in [
        (app.user_for("acme-app", "u"), "does not name the tenant"),
        (
            testimony(&app, "acme-app", "globex"),
            "does not name the tenant",
        ),
        (testimony(&app, "another-app", "acme"), "audience"),
        ("nonsense".to_owned(), "form"),
    ] {
        let refused = problem(
            prove(&app, &owner, &path, &token).await,
            422,
            "invalid_request",
        )
        .await;
        assert_eq!(pointers(&refused), ["/token"]);
        assert!(errors(&refused)[0].1.contains(what), "{refused}");
    }
    let proof = testimony(&app, "acme-app", "acme");
    let issuer = body(prove(&app, &owner, &path, &proof).await, 200).await;
    assert_eq!(states(&issuer), [("acme-app", "claimed")]);
    assert_eq!(issuer["audiences"][0]["claimedBy"], "token");
    answered(&app, &user, 200).await;
    // Another tenant's issuer is nobody's.
    let nobodys = format!("{ISSUERS}/0198c0de-0000-7000-8000-000000000000");
    for path in [&path, &nobodys] {
        problem(prove(&app, &squatter, path, &proof).await, 404, "not_found").await;
    }
    // Once more changes nothing, and another tenant comes too late, whatever it proves.
    body(prove(&app, &owner, &path, &proof).await, 200).await;
    let late = prove(
        &app,
        &squatter,
        &theirs,
        &testimony(&app, "acme-app", "globex"),
    )
    .await;
    let late = problem(late, 409, "conflict").await;
    assert!(late["detail"].as_str().unwrap().contains("another tenant"));
    assert!(!late.to_string().contains("acme\""), "{late}");
    let rows = "select t.slug from audit_event e join tenant t on t.id = e.tenant_id where e.action = 'issuer.claim' and e.details ->> 'by' = 'token'";
    assert_eq!(app.database.rows(rows).await, [json!({ "slug": "acme" })]);

    // A pair that stays keeps its claim; a new one is pending.
    let mut more = config.clone();
    more["audiences"] = json!(["acme-app", "acme-mobile"]);
    more["leewaySeconds"] = json!(30);
    let (etag, _) = read(&app, &path, &owner).await;
    let answer = app
        .tell_if(
            Method::PUT,
            &path,
            &owner,
            &etag,
            &json!({ "config": more }),
        )
        .await;
    let (etag, issuer) = state(answer, 200).await;
    assert_eq!(
        states(&issuer),
        [("acme-app", "claimed"), ("acme-mobile", "pending")]
    );
    app.settle("acme").await;
    assert_eq!(app.mint(&user, &json!({})).await.status(), 200);
    let mobile = app.user_for("acme-mobile", "user-1");
    assert_eq!(app.mint(&mobile, &json!({})).await.status(), 401);

    // A deleted one's is free for who can prove it.
    let gone = app
        .tell_if(Method::DELETE, &path, &owner, &etag, &json!({}))
        .await;
    assert_eq!(gone.status(), 204);
    answered(&app, &user, 401).await;
    let proof = testimony(&app, "acme-app", "globex");
    body(prove(&app, &squatter, &theirs, &proof).await, 200).await;
    answered(&app, &user, 200).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_that_somebody_types_in_prove_nothing_and_an_audience_that_names_the_tenant_needs_no_proof()
 {
    let tenants = neighbours();
    let app = serve(&[&tenants[0], &tenants[1]], TestOptions::default()).await;
    let owner = app.admin_key("acme", Role::Owner).await;
    let signer = Signer::new("mine");
    let typed_in = |audience: &str| {
        json!({
            "issuer": "https://login.bank.example", "audiences": [audience], "algorithms": ["EdDSA"],
            "keys": { "jwks": { "keys": [signer.jwk()] } },
        })
    };
    let (path, issuer) = register(&app, &owner, &typed_in("bank-app")).await;
    assert_eq!(states(&issuer), [("bank-app", "pending")]);
    let claims = json!({ "persona_gateway_tenant": "acme" });
    let token = signer.token_with(
        "https://login.bank.example",
        &json!("bank-app"),
        "u",
        &claims,
    );
    let refused = problem(prove(&app, &owner, &path, &token).await, 409, "conflict").await;
    let detail = refused["detail"].as_str().unwrap();
    assert!(detail.contains("persona-gateway/acme"), "{detail}");
    app.settle("acme").await;
    assert_eq!(app.mint(&token, &json!({})).await.status(), 401);

    let (_, issuer) = register(&app, &owner, &typed_in("persona-gateway/acme")).await;
    assert_eq!(issuer["audiences"][0]["claimedBy"], "audience");
    let token = signer.token(
        "https://login.bank.example",
        &json!("persona-gateway/acme"),
        "u",
    );
    answered(&app, &token, 200).await;
    let theirs = json!({ "config": typed_in("persona-gateway/globex") });
    let answer = app.tell(Method::POST, ISSUERS, &owner, &theirs).await;
    problem(answer, 409, "already_exists").await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operators_word_gives_a_pair_and_takes_it_back() {
    let tenants = neighbours();
    let app = serve(&[&tenants[0], &tenants[1]], TestOptions::default()).await;
    let operator = app.operator("ops@example.com").await;
    let signer = Signer::new("mine");
    let config = json!({
        "issuer": "backend", "audiences": ["app"], "algorithms": ["EdDSA"],
        "keys": { "jwks": { "keys": [signer.jwk()] } },
    });
    for slug in ["acme", "globex"] {
        let owner = app.admin_key(slug, Role::Owner).await;
        register(&app, &owner, &config).await;
    }
    let pending = format!("{PAIRS}?pending=true&limit=1");
    let first = body(app.ask(Method::GET, &pending, &operator).await, 200).await;
    assert_eq!(first["items"][0]["tenant"], "acme");
    let next = format!("{pending}&cursor={}", first["next"].as_str().unwrap());
    let second = body(app.ask(Method::GET, &next, &operator).await, 200).await;
    assert_eq!(second["items"][0]["tenant"], "globex");
    assert_eq!(second["items"][0]["state"], "pending");

    let asked = |tenant: &str| json!({ "tenant": tenant, "issuer": "backend", "audience": "app" });
    let say = async |verb: &str, tenant: &str| {
        app.tell(
            Method::POST,
            &format!("{PAIRS}:{verb}"),
            &operator,
            &asked(tenant),
        )
        .await
    };
    let token = signer.token("backend", &json!("app"), "u");
    assert_eq!(say("assign", "acme").await.status(), 204);
    assert_eq!(say("assign", "acme").await.status(), 204);
    answered(&app, &token, 200).await;
    let held = problem(say("assign", "globex").await, 409, "conflict").await;
    assert!(held["detail"].as_str().unwrap().contains("`acme`"));
    assert_eq!(say("withdraw", "acme").await.status(), 204);
    answered(&app, &token, 401).await;
    assert_eq!(say("assign", "globex").await.status(), 204);
    answered(&app, &token, 200).await;
    problem(say("assign", "nowhere").await, 404, "not_found").await;
    let trail = app.audited("acme").await;
    assert!(
        trail.contains(&"person:ops@example.com issuer.claim issuer/backend".to_owned())
            && trail.contains(&"person:ops@example.com issuer.withdraw issuer/backend".to_owned()),
        "{trail:?}"
    );
    // A shared issuer is not kept away by what is pending, and keeps others away.
    let shared = json!({ "issuer": "shared", "audiences": ["app"], "keys": { "jwksUrl": "https://shared.example/keys" } });
    let owner = app.admin_key("acme", Role::Owner).await;
    let wish = json!({ "config": shared, "acceptUnchecked": true });
    assert_eq!(
        app.tell(Method::POST, ISSUERS, &owner, &wish)
            .await
            .status(),
        201
    );
    let asked = json!({ "config": shared, "tenantClaim": "org" });
    let answer = app
        .tell(
            Method::POST,
            "/v1/operator/shared-issuers",
            &operator,
            &asked,
        )
        .await;
    assert_eq!(answer.status(), 201, "{}", answer.text().await.unwrap());
    let pair = json!({ "tenant": "acme", "issuer": "shared", "audience": "app" });
    let answer = app
        .tell(Method::POST, &format!("{PAIRS}:assign"), &operator, &pair)
        .await;
    let held = problem(answer, 409, "conflict").await;
    assert!(held["detail"].as_str().unwrap().contains("shared issuer"));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bundle_over_the_api_leaves_a_pair_pending_and_one_on_the_database_claims_it() {
    let tenants = neighbours();
    let app = serve(&[&tenants[0]], TestOptions::default()).await;
    let owner = app.admin_key("acme", Role::Owner).await;
    let signer = Signer::new("mine");
    let mut bundle = body(app.ask(Method::GET, "/v1/admin/bundle", &owner).await, 200).await;
    bundle["issuers"].as_array_mut().unwrap().push(json!({
        "issuer": "https://second.example", "audiences": ["app"], "algorithms": ["EdDSA"],
        "keys": { "jwks": { "keys": [signer.jwk()] } },
    }));
    let asked = json!({ "bundle": bundle });
    for steps in [1, 0] {
        let answer = app
            .tell(Method::POST, "/v1/admin/bundle:apply", &owner, &asked)
            .await;
        let plan = body(answer, 200).await;
        assert_eq!(plan["steps"].as_array().unwrap().len(), steps, "{plan}");
        let found = &plan["findings"][0];
        assert_eq!(found["severity"], "warning", "{plan}");
        assert!(
            found["message"]
                .as_str()
                .unwrap()
                .contains("second.example")
        );
        assert!(found["advice"].as_str().unwrap().contains(":prove"));
    }
    let token = signer.token("https://second.example", &json!("app"), "u");
    app.settle("acme").await;
    assert_eq!(app.mint(&token, &json!({})).await.status(), 401);
    app.apply(&bundle.to_string()).await;
    answered(&app, &token, 200).await;
    app.stop().await;
}

async fn refusals(app: &TestApp, key: &str) -> Vec<(String, String)> {
    app.app.gateway.refusals.flush().await;
    let listed = body(app.ask(Method::GET, "/v1/admin/refusals", key).await, 200).await;
    let items = listed["items"].as_array().unwrap().iter();
    items
        .map(|item| {
            let text = |name: &str| item[name].as_str().unwrap().to_owned();
            (text("reason"), text("audience"))
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenants_admins_see_that_a_pair_is_pending_and_nobody_hides_it_by_registering_it_too() {
    let tenants = neighbours();
    let app = serve(&[&tenants[0], &tenants[1]], TestOptions::default()).await;
    let squatter = app.admin_key("globex", Role::Owner).await;
    let owner = app.admin_key("acme", Role::Owner).await;
    let config = json!({ "issuer": app.issuer.url(), "audiences": ["acme-app", "acme-mobile"], "keys": { "discovery": true } });
    let (path, _) = register(&app, &owner, &config).await;
    app.settle("acme").await;
    let mobile = app.user_for("acme-mobile", "user-1");
    assert_eq!(app.mint(&mobile, &json!({})).await.status(), 401);
    let pending = [("pair_pending".to_owned(), "acme-mobile".to_owned())];
    assert_eq!(refusals(&app, &owner).await, pending);
    let detail = app.ask(Method::GET, "/v1/admin/refusals", &owner).await;
    let detail = body(detail, 200).await["items"][0]["advice"].to_string();
    assert!(detail.contains(":prove") && detail.contains("issuer-pair assign"));

    // Proven for one audience, the issuer is known to be acme's: what globex registers of it hides nothing and shows it nothing.
    let proof = testimony(&app, "acme-app", "acme");
    body(prove(&app, &owner, &path, &proof).await, 200).await;
    let mut theirs = config.clone();
    theirs["audiences"] = json!(["acme-mobile", "acme-tv", "persona-gateway/globex"]);
    register(&app, &squatter, &theirs).await;
    app.settle("globex").await;
    app.settle("acme").await;
    for audience in ["acme-mobile", "acme-tv"] {
        let user = app.user_for(audience, "user-1");
        assert_eq!(app.mint(&user, &json!({})).await.status(), 401);
    }
    let seen = refusals(&app, &owner).await;
    let wrong = ("wrong_audience".to_owned(), "acme-tv".to_owned());
    assert!(
        seen.contains(&wrong) && seen.contains(&pending[0]),
        "{seen:?}"
    );
    assert_eq!(refusals(&app, &squatter).await, []);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_who_prove_a_pair_at_once_one_has_it_and_a_suspended_tenants_gives_way() {
    let tenants = neighbours();
    let app = serve(&[&tenants[0], &tenants[1]], TestOptions::default()).await;
    let ops = app.operator("ops@example.com").await;
    let config = json!({ "issuer": app.issuer.url(), "audiences": ["both-app"], "keys": { "discovery": true } });
    let mut ways = Vec::new();
    for slug in ["acme", "globex"] {
        let owner = app.admin_key(slug, Role::Owner).await;
        let (path, _) = register(&app, &owner, &config).await;
        ways.push((owner, path, testimony(&app, "both-app", slug)));
    }
    let answers = tokio::join!(
        prove(&app, &ways[0].0, &ways[0].1, &ways[0].2),
        prove(&app, &ways[1].0, &ways[1].1, &ways[1].2)
    );
    let mut statuses = [answers.0.status().as_u16(), answers.1.status().as_u16()];
    let (winner, loser) = if statuses[0] == 200 { (0, 1) } else { (1, 0) };
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409]);
    let user = app.user_for("both-app", "user-1");
    answered(&app, &user, 200).await;

    let slug = ["acme", "globex"][winner];
    let tell = async |verb: &str| {
        let path = format!("/v1/operator/tenants/{slug}:{verb}");
        let answer = app.tell(Method::POST, &path, &ops, &json!({})).await;
        assert_eq!(answer.status(), 204);
    };
    tell("suspend").await;
    answered(&app, &user, 403).await;
    let (owner, path, proof) = &ways[loser];
    body(prove(&app, owner, path, proof).await, 200).await;
    answered(&app, &user, 200).await;
    let rows = "select details -> 'from' ->> 0 as slug from audit_event
                where action = 'issuer.claim' and details ->> 'by' = 'token' and tenant_id = '00000000-0000-0000-0000-000000000000'";
    assert_eq!(app.database.rows(rows).await, [json!({ "slug": slug })]);
    // Back again, it finds the pair pending.
    tell("resume").await;
    let (owner, path, proof) = &ways[winner];
    let (_, issuer) = read(&app, path, owner).await;
    assert_eq!(states(&issuer), [("both-app", "pending")]);
    problem(prove(&app, owner, path, proof).await, 409, "conflict").await;
    app.stop().await;
}

#[tokio::test]
async fn a_pair_is_to_prove_anew_when_another_claim_plays_the_audience() {
    let tenants = neighbours();
    let app = serve(&[&tenants[0], &tenants[1]], TestOptions::default()).await;
    let owner = app.admin_key("acme", Role::Owner).await;
    let config = json!({
        "issuer": app.issuer.url(), "audiences": ["acme-app", "persona-gateway/acme"], "keys": { "discovery": true },
    });
    let (path, _) = register(&app, &owner, &config).await;
    app.settle("acme").await;
    let proof = testimony(&app, "acme-app", "acme");
    let issuer = body(prove(&app, &owner, &path, &proof).await, 200).await;
    let all = [("acme-app", "claimed"), ("persona-gateway/acme", "claimed")];
    assert_eq!(states(&issuer), all);
    let put = async |change: Value| {
        let mut config = config.clone();
        config
            .as_object_mut()
            .unwrap()
            .extend(change.as_object().unwrap().clone());
        let (etag, _) = read(&app, &path, &owner).await;
        let answer = app
            .tell_if(
                Method::PUT,
                &path,
                &owner,
                &etag,
                &json!({ "config": config }),
            )
            .await;
        state(answer, 200).await.1
    };
    // `aud` is what plays it unless another is named, and what else changes keeps the proof.
    let same = put(json!({ "audienceClaim": "aud", "leewaySeconds": 5 })).await;
    assert_eq!(states(&same), all);
    let other = put(json!({ "audienceClaim": "client_id" })).await;
    assert_eq!(
        states(&other),
        [("acme-app", "pending"), ("persona-gateway/acme", "claimed")]
    );
    app.stop().await;
}
