//! Issuers are tried out before they are saved, and explained to who keeps them.

use persona_gateway::domain::role::Role;
use reqwest::Method;
use serde_json::{Value, json};

use super::{A_SECOND, audited, is_nobodys, neighbours, read, read_body};
use crate::harness::admins::{body, state};
use crate::harness::tenants::{Signer, hs256_token, serve};
use crate::harness::wait::until;
use crate::harness::{TestApp, TestOptions, errors, pointers, problem, spawn};

const ISSUERS: &str = "/v1/admin/issuers";
const SECRET: &str = "a shared secret of more than 32 bytes";

/// An issuer whose public keys are typed in.
fn typed_in(signer: &Signer, issuer: &str, audience: &str) -> Value {
    json!({
        "issuer": issuer, "audiences": [audience], "algorithms": ["EdDSA"],
        "keys": { "jwks": { "keys": [signer.jwk()] } },
    })
}

fn step<'a>(check: &'a Value, name: &str) -> &'a Value {
    let steps = check["token"]["steps"].as_array().unwrap();
    steps.iter().find(|step| step["name"] == name).unwrap()
}

#[tokio::test]
async fn an_issuer_lives_through_the_api_and_every_instance_hears_of_it_within_a_second() {
    let app = spawn().await;
    let second = app.second().await;
    let owner = app.admin_key("demo", Role::Owner).await;
    let signer = Signer::new("k");
    let token = signer.token("https://new.example", &json!("persona-gateway/demo"), "u");
    let config = typed_in(&signer, "https://new.example", "persona-gateway/demo");
    assert_eq!(second.mint(&token, &json!({})).await.status(), 401);

    let wish = json!({ "config": config, "sampleToken": token });
    let (etag, issuer) = state(app.tell(Method::POST, ISSUERS, &owner, &wish).await, 201).await;
    let path = format!("{ISSUERS}/{}", issuer["id"].as_str().unwrap());
    assert_eq!(
        (&issuer["config"], &issuer["enabled"]),
        (&config, &json!(true))
    );
    assert_eq!(issuer["hasSharedSecret"], false);
    let takes = async |app: &TestApp, wanted: u16| {
        until("the change is known", A_SECOND, || async {
            (app.mint(&token, &json!({})).await.status() == wanted).then_some(())
        })
        .await;
    };
    takes(&second, 200).await;

    let disabled = app
        .ask(Method::POST, &format!("{path}:disable"), &owner)
        .await;
    let (after, issuer) = state(disabled, 200).await;
    assert_eq!(issuer["enabled"], false);
    assert_ne!(after, etag);
    takes(&second, 401).await;
    app.ask(Method::POST, &format!("{path}:enable"), &owner)
        .await;
    takes(&second, 200).await;

    let mut changed = config.clone();
    changed["audiences"] = json!(["other-app"]);
    let wish = json!({ "config": changed });
    let (etag, _) = read(&app, &path, &owner).await;
    let answer = app.tell_if(Method::PUT, &path, &owner, &etag, &wish).await;
    let (newer, issuer) = state(answer, 200).await;
    assert_eq!(issuer["config"], changed);
    takes(&second, 401).await;
    let late = app.tell_if(Method::PUT, &path, &owner, &etag, &wish).await;
    let late = problem(late, 412, "precondition_failed").await;
    assert_eq!(late["current"]["config"], changed);

    let unseen = app.ask(Method::DELETE, &path, &owner).await;
    problem(unseen, 428, "precondition_required").await;
    let gone = app
        .tell_if(Method::DELETE, &path, &owner, &newer, &json!({}))
        .await;
    assert_eq!(gone.status(), 204);
    problem(app.ask(Method::GET, &path, &owner).await, 404, "not_found").await;
    for (action, rows) in [
        ("issuer.create", 1),
        ("issuer.disable", 1),
        ("issuer.enable", 1),
        ("issuer.change", 1),
        ("issuer.remove", 1),
    ] {
        assert_eq!(audited(&app, action).await.len(), rows, "{action}");
    }
    second.stop().await;
    app.stop().await;
}

/// What an issuer's admins are told of its keys.
async fn keys_of(app: &TestApp, reader: &str, issuer: &Value) -> Value {
    let path = format!("{ISSUERS}/{}/keys", issuer["id"].as_str().unwrap());
    body(app.ask(Method::GET, &path, reader).await, 200).await
}

#[tokio::test]
async fn admins_and_operators_see_how_it_stands_with_an_issuers_keys() {
    let app = spawn().await;
    let owner = app.admin_key("demo", Role::Owner).await;
    let viewer = app.admin_key("demo", Role::Viewer).await;
    let issuers = body(app.ask(Method::GET, ISSUERS, &viewer).await, 200).await;
    let demo = issuers["items"][0].clone();
    let minted = app
        .mint(&app.user("u"), &json!({"context": "support"}))
        .await;
    assert_eq!(minted.status(), 200);
    let keys = keys_of(&app, &viewer, &demo).await;
    assert_eq!(keys["state"], "good", "{keys}");
    assert!(keys["usable"].as_u64().unwrap() >= 1 && keys["fetchedAt"].is_string());
    assert_eq!(keys.get("problem"), None);

    // Nobody listens where the keys should be.
    let down = json!({
        "issuer": "https://down.example", "audiences": ["persona-gateway/demo"], "algorithms": ["EdDSA"],
        "keys": { "jwksUrl": "http://127.0.0.1:1/keys" },
    });
    let wish = json!({ "config": down, "acceptUnchecked": true });
    let answer = app.tell(Method::POST, ISSUERS, &owner, &wish).await;
    let down = body(answer, 201).await;
    let none = keys_of(&app, &viewer, &down).await;
    assert_eq!(none, json!({ "state": "notFetched", "usable": 0 }));
    let signer = Signer::new("k");
    let token = signer.token("https://down.example", &json!("persona-gateway/demo"), "u");
    until("the issuer is asked in vain", A_SECOND, || async {
        (app.mint(&token, &json!({})).await.status() == 503).then_some(())
    })
    .await;
    let keys = keys_of(&app, &viewer, &down).await;
    assert_eq!(
        (&keys["state"], &keys["usable"]),
        (&json!("missing"), &json!(0))
    );
    let problem = keys["problem"].as_str().unwrap();
    assert!(problem.contains("connection refused"), "{problem}");

    let metrics = app.metrics().await;
    for line in [
        r#"gateway_issuer_keys{state="good"} 1"#,
        r#"gateway_issuer_keys{state="failing"} 0"#,
        r#"gateway_issuer_keys{state="missing"} 1"#,
        r#"gateway_issuer_keys{state="not_fetched"} 0"#,
    ] {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
    app.stop().await;
}

#[tokio::test]
async fn a_try_out_tells_the_keys_and_explains_a_token_without_saving_anything() {
    let app = spawn().await;
    let owner = app.admin_key("demo", Role::Owner).await;
    let check = format!("{ISSUERS}:check");
    let url = app.issuer.url();
    let good = json!({ "issuer": url, "audiences": ["fresh"], "keys": { "discovery": true } });
    let token = app.user_for("fresh", "auth0|1");
    let asked = json!({ "config": good, "sampleToken": token });
    let found = read_body(&app, Method::POST, &check, &owner, &asked).await;
    assert_eq!(found["good"], true, "{found}");
    assert!(!found["keys"].as_array().unwrap().is_empty());
    assert_eq!(found["token"]["accepted"], true);
    assert_eq!(found["token"]["subject"], "auth0|1");
    assert_eq!(found["token"]["facts"]["plan"], "pro");

    let asked = json!({ "config": good, "sampleToken": app.user_for("another", "u") });
    let found = read_body(&app, Method::POST, &check, &owner, &asked).await;
    assert_eq!(
        (&found["good"], &found["token"]["accepted"]),
        (&json!(false), &json!(false))
    );
    assert_eq!(step(&found, "signature")["passed"], true);
    assert_eq!(step(&found, "audience")["passed"], false);
    assert_eq!(step(&found, "audience")["code"], "audience_other");
    assert_eq!(
        step(&found, "audience")["values"],
        json!({ "name": "aud", "found": "[\"another\"]", "known": "fresh" })
    );
    assert_eq!(step(&found, "signature").get("code"), None);
    assert!(
        step(&found, "audience")["message"]
            .as_str()
            .unwrap()
            .contains("another")
    );
    assert_eq!(found["problems"][0]["pointer"], "/sampleToken");

    let none = json!({
        "issuer": url, "audiences": ["fresh"], "algorithms": ["EdDSA"],
        "keys": { "jwksUrl": format!("{url}/nothing-here") },
    });
    let found = read_body(
        &app,
        Method::POST,
        &check,
        &owner,
        &json!({ "config": none }),
    )
    .await;
    assert_eq!(found["problems"][0]["pointer"], "/config/keys/jwksUrl");
    assert!(
        found["problems"][0]["message"]
            .as_str()
            .unwrap()
            .contains("status 404")
    );

    let broken = json!({ "config": { "issuer": "x", "audiences": [], "keys": {} }, "more": 1 });
    let broken = app.tell(Method::POST, &check, &owner, &broken).await;
    let broken = problem(broken, 422, "invalid_request").await;
    assert_eq!(
        pointers(&broken),
        ["/config/audiences", "/config/keys", "/more"]
    );

    let (_, listed) = read(&app, ISSUERS, &owner).await;
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
    let own = listed["items"][0]["id"].as_str().unwrap();
    let asked = json!({ "sampleToken": app.user("user-1") });
    let found = read_body(
        &app,
        Method::POST,
        &format!("{ISSUERS}/{own}:check"),
        &owner,
        &asked,
    )
    .await;
    assert_eq!(
        (&found["good"], &found["token"]["subject"]),
        (&json!(true), &json!("user-1"))
    );
    app.stop().await;
}

#[tokio::test]
async fn an_issuer_without_keys_or_with_other_algorithms_is_saved_only_where_that_is_meant() {
    let app = spawn().await;
    let owner = app.admin_key("demo", Role::Owner).await;
    let signer = Signer::new("k");
    let mut config = typed_in(&signer, "https://x.example", "x");
    config["algorithms"] = json!(["RS256"]);
    let refused = app
        .tell(Method::POST, ISSUERS, &owner, &json!({ "config": config }))
        .await;
    let refused = problem(refused, 422, "invalid_request").await;
    assert_eq!(
        errors(&refused),
        [(
            "/config/algorithms".to_owned(),
            "no key of the set is for one of RS256; its keys are for EdDSA".to_owned()
        )]
    );
    config["keys"] = json!({ "jwksUrl": "https://127.0.0.1:9/keys" });
    let refused = app
        .tell(Method::POST, ISSUERS, &owner, &json!({ "config": config }))
        .await;
    let refused = problem(refused, 422, "invalid_request").await;
    assert_eq!(pointers(&refused), ["/config/keys/jwksUrl"]);
    let wish = json!({ "config": config, "acceptUnchecked": true });
    assert_eq!(
        app.tell(Method::POST, ISSUERS, &owner, &wish)
            .await
            .status(),
        201
    );
    app.stop().await;
}

#[tokio::test]
async fn a_shared_secret_is_sealed_kept_and_changed_but_never_shown() {
    let app = spawn().await;
    let owner = app.admin_key("demo", Role::Owner).await;
    let config = json!({
        "issuer": "acme-backend", "audiences": ["persona-gateway/demo"], "algorithms": ["HS256"], "keys": { "sharedSecret": true },
    });
    let wish = |secret: Option<&str>| match secret {
        Some(secret) => json!({ "config": config, "sharedSecret": secret }),
        None => json!({ "config": config }),
    };
    for (sent, at) in [
        (None, "/config/keys/sharedSecret"),
        (Some("too short"), "/sharedSecret"),
    ] {
        let refused = app.tell(Method::POST, ISSUERS, &owner, &wish(sent)).await;
        let refused = problem(refused, 422, "invalid_request").await;
        assert_eq!(pointers(&refused), [at]);
    }
    let created = app
        .tell(Method::POST, ISSUERS, &owner, &wish(Some(SECRET)))
        .await;
    let (etag, issuer) = state(created, 201).await;
    assert_eq!(issuer["hasSharedSecret"], true);
    let path = format!("{ISSUERS}/{}", issuer["id"].as_str().unwrap());
    let claims = json!({ "iss": "acme-backend", "aud": "persona-gateway/demo", "sub": "u" });
    app.wait_for_token(&hs256_token(SECRET, &claims, 600)).await;

    // Left out, the stored one stays; a sample token is judged by it.
    let mut keeps = wish(None);
    keeps["sampleToken"] = json!(hs256_token(SECRET, &claims, 600));
    let kept = app.tell_if(Method::PUT, &path, &owner, &etag, &keeps).await;
    let (etag, _) = state(kept, 200).await;
    let other = SECRET.replace("more", "even more");
    let mut wrong = wish(Some(&other));
    wrong["sampleToken"] = json!(hs256_token(SECRET, &claims, 600));
    let wrong = app.tell_if(Method::PUT, &path, &owner, &etag, &wrong).await;
    let wrong = problem(wrong, 422, "invalid_request").await;
    assert_eq!(pointers(&wrong), ["/sampleToken"]);
    let changed = app
        .tell_if(Method::PUT, &path, &owner, &etag, &wish(Some(&other)))
        .await;
    let (newer, _) = state(changed, 200).await;
    assert_ne!(newer, etag);
    app.wait_for_token(&hs256_token(&other, &claims, 600)).await;

    let listed = app
        .ask(Method::GET, ISSUERS, &owner)
        .await
        .text()
        .await
        .unwrap();
    assert!(!listed.contains(SECRET) && !listed.contains(&other));
    app.stop().await;
}

#[tokio::test]
async fn tokens_that_belong_to_somebody_else_are_refused_without_saying_to_whom() {
    let tenants = neighbours();
    let app = serve(&[&tenants[0], &tenants[1]], TestOptions::default()).await;
    let owner = app.admin_key("acme", Role::Owner).await;
    let signer = Signer::new("mine");
    let theirs = json!({ "config": typed_in(&signer, &tenants[1].issuer, "app") });
    let answer = app.tell(Method::POST, ISSUERS, &owner, &theirs).await;
    let refused = problem(answer, 409, "already_exists").await;
    let text = refused.to_string();
    assert!(
        text.contains("another issuer of this installation"),
        "{text}"
    );
    assert!(!text.contains("globex"), "{text}");
    let found = read_body(
        &app,
        Method::POST,
        &format!("{ISSUERS}:check"),
        &owner,
        &theirs,
    )
    .await;
    assert_eq!(found["problems"][0]["pointer"], "/config/audiences");
    assert!(!found.to_string().contains("globex"));

    // One's own is named.
    let own = json!({ "config": typed_in(&signer, &tenants[0].issuer, "app") });
    let answer = app.tell(Method::POST, ISSUERS, &owner, &own).await;
    let refused = problem(answer, 409, "already_exists").await;
    let (_, listed) = read(&app, ISSUERS, &owner).await;
    let id = listed["items"][0]["id"].as_str().unwrap();
    assert!(refused["detail"].as_str().unwrap().contains(id));

    // Another tenant's issuer is nobody's, whatever is asked of it.
    let other = app.admin_key("globex", Role::Owner).await;
    let (theirs, nobodys) = (format!("{ISSUERS}/{id}"), format!("{ISSUERS}/{}", uuid()));
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        is_nobodys(&app, method, &theirs, &nobodys, &other).await;
    }
    for verb in ["check", "disable", "enable"] {
        let at = |path: &str| format!("{path}:{verb}");
        is_nobodys(&app, Method::POST, &at(&theirs), &at(&nobodys), &other).await;
    }
    app.stop().await;
}

fn uuid() -> &'static str {
    "0198c0de-0000-7000-8000-000000000000"
}

#[tokio::test]
async fn addresses_inside_are_refused_alike_whatever_stands_there() {
    let app = serve(
        &[],
        TestOptions {
            env: vec![("GATEWAY__AUTH__OUTBOUND_ALLOW".into(), String::new())],
            ..TestOptions::default()
        },
    )
    .await;
    app.apply("tenant: acme").await;
    let owner = app.admin_key("acme", Role::Owner).await;
    let open = app.anam.address().port();
    let texts = [
        format!("http://127.0.0.1:{open}/v1/avatars"),
        "http://127.0.0.1:9/".into(),
        format!("https://127.0.0.1:{open}/"),
        "https://169.254.169.254/latest/meta-data/".into(),
        "https://[::1]/keys".into(),
        "https://[::ffff:a00:1]/keys".into(),
        "https://10.0.0.1/keys".into(),
        "https://168.63.129.16/machine".into(),
    ];
    let mut told = Vec::new();
    for text in texts {
        let config = json!({ "issuer": "x", "audiences": ["x"], "keys": { "jwksUrl": text } });
        let check = format!("{ISSUERS}:check");
        let answer = app
            .tell(Method::POST, &check, &owner, &json!({ "config": config }))
            .await;
        let found = body(answer, 200).await;
        assert_eq!(found["good"], false);
        told.push(found["problems"].to_string());
    }
    told.dedup();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("address not allowed"), "{told:?}");
    assert_eq!(app.anam.requests().len(), 0);

    // What a URL parser would make an inner address of is refused as it is written.
    for text in [
        "https://0x7f000001/keys",
        "https://[::ffff:10.0.0.1]/keys",
        " https://id.example/keys",
        "https://id.example\\@10.0.0.1/keys",
        "https://id.example/\r\nkeys",
    ] {
        let config = json!({ "issuer": "x", "audiences": ["x"], "keys": { "jwksUrl": text } });
        let answer = app
            .tell(
                Method::POST,
                &format!("{ISSUERS}:check"),
                &owner,
                &json!({ "config": config }),
            )
            .await;
        let refused = body(answer, 422).await;
        assert_eq!(
            refused["errors"][0]["pointer"], "/config/keys/jwksUrl",
            "{text:?}"
        );
    }
    app.stop().await;
}

#[tokio::test]
async fn only_owners_change_issuers_and_viewers_see_them() {
    let app = spawn().await;
    let wish = json!({ "config": typed_in(&Signer::new("k"), "https://x.example", "x") });
    for role in [Role::Viewer, Role::Editor, Role::Publisher] {
        let key = app.admin_key("demo", role).await;
        assert_eq!(app.ask(Method::GET, ISSUERS, &key).await.status(), 200);
        for path in [ISSUERS.to_owned(), format!("{ISSUERS}:check")] {
            let refused = app.tell(Method::POST, &path, &key, &wish).await;
            problem(refused, 403, "forbidden").await;
        }
    }
    app.stop().await;
}

#[tokio::test]
async fn try_outs_have_a_limit_since_each_asks_somebody_else() {
    let app = spawn().await;
    let owner = app.admin_key("demo", Role::Owner).await;
    let config = typed_in(&Signer::new("k"), "https://x.example", "x");
    let check = format!("{ISSUERS}:check");
    let mut refused = None;
    for _ in 0..40 {
        let answer = app
            .tell(Method::POST, &check, &owner, &json!({ "config": config }))
            .await;
        if answer.status() != 200 {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.expect("some are too many");
    assert!(refused.headers().contains_key("retry-after"));
    problem(refused, 429, "rate_limited").await;
    app.stop().await;
}
