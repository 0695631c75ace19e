//! Users with opaque tokens, about which a real provider is asked.

use std::time::Duration;

use persona_gateway::domain::role::Role;
use reqwest::{Method, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::harness::admins::{body, state};
use crate::harness::logs::logged;
use crate::harness::openid::{CLIENT_ID, CLIENT_SECRET, OpenIdProvider};
use crate::harness::tenants::{Bench, Tenant};
use crate::harness::wait::until;
use crate::harness::{TestApp, errors, pointers, problem, spawn};

const ISSUERS: &str = "/v1/admin/issuers";
const TENANT: &str = "persona-gateway-tenant";

fn config_at(issuer: &str, endpoint: &str) -> Value {
    json!({
        "issuer": issuer, "audiences": [CLIENT_ID], "audienceClaim": "client_id",
        "requiredClaims": { "scope": "profile" },
        "keys": { "introspection": { "endpoint": endpoint, "clientId": CLIENT_ID, "cacheSeconds": 0 } },
        "claims": { "plan": "scope" },
    })
}

fn config(provider: &OpenIdProvider) -> Value {
    let endpoint = format!("{}/token/introspection", provider.issuer);
    config_at(&provider.issuer, &endpoint)
}

async fn mint_for(app: &TestApp, token: &str, tenant: &str) -> Response {
    app.request(Method::POST, "/v1/session-token", token)
        .header(TENANT, tenant)
        .send()
        .await
        .unwrap()
}

async fn registered(app: &TestApp, owner: &str, wish: &Value) -> (String, Value) {
    state(app.tell(Method::POST, ISSUERS, owner, wish).await, 201).await
}

async fn refusals(app: &TestApp, key: &str) -> Vec<(String, String)> {
    let page = body(app.ask(Method::GET, "/v1/admin/refusals", key).await, 200).await;
    let items = page["items"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    items
        .iter()
        .map(|item| (text(&item["reason"]), text(&item["issuer"])))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_of_a_real_provider_come_in_with_opaque_tokens_until_these_are_revoked() {
    let app = spawn().await;
    let provider = OpenIdProvider::start("http://127.0.0.1/callback").await;
    let owner = app.admin_key("demo", Role::Owner).await;
    let token = provider.access_token("ann").await;
    let wish =
        json!({ "config": config(&provider), "sharedSecret": CLIENT_SECRET, "sampleToken": token });
    let (_, issuer) = registered(&app, &owner, &wish).await;
    assert_eq!(issuer["hasSharedSecret"], true);
    assert_eq!(
        issuer["audiences"],
        json!([]),
        "nobody has to prove anything"
    );

    until("the issuer is known", Duration::from_secs(10), || async {
        let answer = mint_for(&app, &token, "demo").await;
        (answer.status() == 200).then_some(())
    })
    .await;
    // What was asked before it was known.
    let too_early = refusals(&app, &owner).await;
    assert!(
        too_early
            .iter()
            .all(|(reason, _)| reason == "no_introspection")
    );
    let dropin = app
        .request(Method::POST, "/api/session-token", &token)
        .header(TENANT, "demo")
        .send();
    assert_eq!(dropin.await.unwrap().status(), 200);
    let wanted = json!({ "displayName": "Ann" });
    let put = app
        .request(Method::PUT, "/v1/me/preferences", &token)
        .header(TENANT, "demo")
        .json(&wanted)
        .send();
    assert_eq!(put.await.unwrap().status(), 200);
    let rows = "select subject from preference where choices ->> 'displayName' = 'Ann'";
    assert_eq!(app.database.rows(rows).await[0]["subject"], "ann");

    // Whose users they are, the request says, and no other tenant's issuer is asked.
    app.empty_tenant("acme").await;
    let neighbour = app.admin_key("acme", Role::Owner).await;
    let none = ("no_introspection".to_owned(), String::new());
    until(
        "the new tenant is known",
        Duration::from_secs(10),
        || async {
            mint_for(&app, &token, "acme").await;
            (refusals(&app, &neighbour).await == [none.clone()]).then_some(())
        },
    )
    .await;
    for answer in [
        app.mint(&token, &json!({})).await,
        mint_for(&app, &token, "acme").await,
        mint_for(&app, &token, "nobody").await,
        mint_for(&app, &format!("{token}x"), "demo").await,
        app.request(Method::POST, "/v1/session-token", &token)
            .header(TENANT, "demo")
            .header(TENANT, "demo")
            .send()
            .await
            .unwrap(),
    ] {
        problem(answer, 401, "unauthenticated").await;
    }
    // A JWT says by itself whose it is.
    let jwt = app.user("user-1");
    assert_eq!(mint_for(&app, &jwt, "acme").await.status(), 200);

    provider.revoke(&token).await;
    problem(mint_for(&app, &token, "demo").await, 401, "unauthenticated").await;
    let inactive = ("inactive".to_owned(), provider.issuer.clone());
    let all = refusals(&app, &owner).await;
    assert_eq!(all, [vec![inactive], too_early].concat());
    assert_eq!(refusals(&app, &neighbour).await, [none]);

    let log = logged();
    assert!(!log.contains(&token) && !log.contains(CLIENT_SECRET));
    provider.stop().await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_secret_goes_to_no_other_endpoint_than_it_was_given_for() {
    let app = spawn().await;
    let provider = OpenIdProvider::start("http://127.0.0.1/callback").await;
    let owner = app.admin_key("demo", Role::Owner).await;
    let config = config(&provider);
    let wish = json!({ "config": config, "sharedSecret": "another secret" });
    let wrong = app.tell(Method::POST, ISSUERS, &owner, &wish).await;
    let wrong = problem(wrong, 422, "invalid_request").await;
    let [(at, why)] = errors(&wrong).try_into().unwrap();
    assert_eq!(at, "/config/keys/introspection/clientId");
    assert!(why.contains("refused our client id and secret"), "{why}");

    let wish = json!({ "config": config, "sharedSecret": CLIENT_SECRET });
    let (etag, issuer) = registered(&app, &owner, &wish).await;
    let path = format!("{ISSUERS}/{}", issuer["id"].as_str().unwrap());
    assert!(!issuer.to_string().contains(CLIENT_SECRET));

    // The stored one stays where nothing of that changes.
    let mut kept = config.clone();
    kept["keys"]["introspection"]["cacheSeconds"] = json!(30);
    let answer = app
        .tell_if(
            Method::PUT,
            &path,
            &owner,
            &etag,
            &json!({ "config": kept }),
        )
        .await;
    let (etag, _) = state(answer, 200).await;

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let elsewhere = format!("http://{}/", listener.local_addr().unwrap());
    let mut moved = config.clone();
    moved["keys"]["introspection"]["endpoint"] = json!(elsewhere);
    let mut renamed = config.clone();
    renamed["keys"]["introspection"]["clientId"] = json!("another");
    let mut signed = config.clone();
    signed["keys"] = json!({ "sharedSecret": true });
    for config in [moved, renamed, signed] {
        for unchecked in [false, true] {
            let wish = json!({ "config": config, "acceptUnchecked": unchecked });
            let answer = app.tell_if(Method::PUT, &path, &owner, &etag, &wish).await;
            let refused = problem(answer, 422, "invalid_request").await;
            let [at] = pointers(&refused).try_into().unwrap();
            let wanted = if unchecked {
                "/sharedSecret"
            } else {
                "/config/keys/"
            };
            assert!(at.starts_with(wanted), "{refused}");
        }
    }
    assert!(
        futures_util::FutureExt::now_or_never(listener.accept()).is_none(),
        "nobody came"
    );

    let mut second = config.clone();
    second["issuer"] = json!("https://another.example");
    let wish = json!({ "config": second, "sharedSecret": "x", "acceptUnchecked": true });
    let answer = app.tell(Method::POST, ISSUERS, &owner, &wish).await;
    problem(answer, 409, "already_exists").await;
    let proof = json!({ "token": "opaque" });
    let answer = app
        .tell(Method::POST, &format!("{path}:prove"), &owner, &proof)
        .await;
    problem(answer, 409, "conflict").await;
    provider.stop().await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endpoint_that_does_not_answer_costs_its_own_tenant_alone_a_wait() {
    let app = spawn().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}/", listener.local_addr().unwrap());
    let owner = app.admin_key("demo", Role::Owner).await;
    let config = config_at("https://slow.example", &endpoint);
    let wish = json!({ "config": config, "sharedSecret": "s", "acceptUnchecked": true });
    registered(&app, &owner, &wish).await;
    let slow = tokio::spawn({
        let (http, url) = (app.http.clone(), app.url("/v1/session-token"));
        async move {
            loop {
                let request = http.post(&url).bearer_auth("opaque").header(TENANT, "demo");
                let answer = request.send().await.unwrap();
                if answer.status() != 401 {
                    return answer;
                }
            }
        }
    });
    let (_held, _) = listener.accept().await.unwrap();
    // While that one waits.
    assert_eq!(
        app.mint(&app.user("user-1"), &json!({})).await.status(),
        200
    );
    assert!(!slow.is_finished());
    let answer = slow.await.unwrap();
    assert_eq!(answer.headers()["retry-after"], "1");
    problem(answer, 503, "introspection_unavailable").await;
    let unavailable = refusals(&app, &owner).await;
    assert!(
        unavailable.contains(&(
            "introspection_unavailable".into(),
            "https://slow.example".into()
        )),
        "{unavailable:?}"
    );
    app.stop().await;
}

/// A mint whose token's issuer can't be asked.
pub(super) async fn unavailable(app: &TestApp) -> Response {
    app.empty_tenant("opaque").await;
    let owner = app.admin_key("opaque", Role::Owner).await;
    let config = config_at("https://down.example", "http://127.0.0.1:1/introspect");
    let wish = json!({ "config": config, "sharedSecret": "s", "acceptUnchecked": true });
    registered(app, &owner, &wish).await;
    until("the issuer is known", Duration::from_secs(10), || async {
        let answer = mint_for(app, "opaque-token", "opaque").await;
        (answer.status() == 503).then_some(answer)
    })
    .await
}

#[tokio::test]
async fn a_bundle_carries_an_introspecting_issuer_and_its_export_changes_nothing() {
    let mut bench = Bench::new().await;
    bench
        .secrets
        .insert("CLIENT".into(), "client secret".into());
    let mut bundle = Tenant::new("acme", None).bundle();
    let mut opaque = config_at("https://id.example", "https://id.example/introspect");
    opaque["secret"] = json!({ "env": "CLIENT" });
    bundle["issuers"]
        .as_array_mut()
        .unwrap()
        .push(opaque.clone());
    bench.apply(&bundle.to_string()).await.unwrap();
    let exported = bench.export("acme").await;
    let listed = exported["issuers"].as_array().unwrap();
    let mut wanted = opaque.clone();
    wanted["secret"] = json!({ "stored": true });
    assert!(listed.contains(&wanted), "{exported}");
    let again = bench.apply(&exported.to_string()).await.unwrap();
    assert!(again.steps.is_empty(), "{:?}", again.steps);

    // The stored secret goes to no other endpoint.
    let mut moved = exported.clone();
    let at = listed.iter().position(|issuer| *issuer == wanted).unwrap();
    moved["issuers"][at]["keys"]["introspection"]["endpoint"] = json!("https://evil.example/");
    let faults = bench.faults(&moved.to_string()).await;
    assert_eq!(faults[0].pointer, format!("/issuers/{at}/secret"));
    moved["issuers"][at]["secret"] = json!({ "env": "CLIENT" });
    bench.apply(&moved.to_string()).await.unwrap();

    let mut two = bundle.clone();
    opaque["issuer"] = json!("https://another.example");
    two["issuers"].as_array_mut().unwrap().push(opaque);
    let faults = bench.faults(&two.to_string()).await;
    assert!(
        faults
            .iter()
            .any(|fault| fault.message.contains("a tenant has one")),
        "{faults:?}"
    );
}
