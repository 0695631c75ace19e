//! What one tenant's users and keys try at another's.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::app::PLATFORM_KEY;
use crate::harness::sql;
use crate::harness::tenants::{SHARED_AVATAR, Tenant, serve};
use crate::harness::{TestApp, TestOptions};

async fn get(app: &TestApp, path: &str, token: &str) -> (u16, Value) {
    let answer = app.request(Method::GET, path, token).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

async fn mint(app: &TestApp, token: &str, body: &Value) -> (u16, Value) {
    let answer = app.mint(token, body).await;
    (answer.status().as_u16(), answer.json().await.unwrap())
}

/// Whose Anam key a token was minted with: the emulator gives each key an account of its own.
fn account_of(session_token: &str) -> Value {
    let payload = session_token.split('.').nth(1).unwrap();
    let payload: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap();
    payload["accountId"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_sees_the_contexts_options_and_persona_of_their_own_tenant_only() {
    let (alpha, beta) = (Tenant::new("alpha", None), Tenant::new("beta", None));
    let app = serve(&[&alpha, &beta], TestOptions::default()).await;
    for (mine, other) in [(&alpha, &beta), (&beta, &alpha)] {
        let token = mine.user("same-user");
        for path in ["/v1/contexts", "/v1/me/options", "/v1/me/preferences"] {
            let (status, body) = get(&app, path, &token).await;
            assert_eq!(status, 200, "{path}");
            let body = body.to_string();
            assert!(!body.contains(other.slug), "{path}: {body}");
            assert!(
                body.contains(mine.slug) || path.ends_with("preferences"),
                "{path}: {body}"
            );
        }
        let (status, answer) = mint(&app, &token, &json!({})).await;
        assert_eq!(
            (status, &answer["persona"]["name"]),
            (200, &json!(format!("Guide of {}", mine.slug)))
        );
        let sent = app.last_mint().to_string();
        assert!(
            sent.contains(&format!("Secret rule of {}.", mine.slug)),
            "{sent}"
        );
        assert!(!sent.contains(other.slug), "{sent}");
        // The other's context is as unknown as one that nobody has: both get the default.
        let theirs = mint(
            &app,
            &token,
            &json!({ "context": format!("only-{}", other.slug) }),
        )
        .await;
        let nobodys = mint(&app, &token, &json!({ "context": "only-nobody" })).await;
        assert_eq!(
            (theirs.0, &theirs.1["persona"]),
            (nobodys.0, &nobodys.1["persona"])
        );
        assert_eq!(theirs.1["context"], "default");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_subject_in_two_tenants_is_two_users() {
    let (alpha, beta) = (Tenant::new("alpha", None), Tenant::new("beta", None));
    let app = serve(&[&alpha, &beta], TestOptions::default()).await;
    let put = async |tenant: &Tenant, choices: Value| {
        let request = app.request(Method::PUT, "/v1/me/preferences", &tenant.user("same-user"));
        request
            .json(&choices)
            .send()
            .await
            .unwrap()
            .status()
            .as_u16()
    };
    assert_eq!(
        put(&alpha, json!({ "color": "alpha-blue", "displayName": "A" })).await,
        200
    );
    let (_, untouched) = get(&app, "/v1/me/preferences", &beta.user("same-user")).await;
    assert_eq!(untouched, json!({}));
    assert_eq!(
        put(&beta, json!({ "color": "alpha-blue" })).await,
        422,
        "alpha's value"
    );
    assert_eq!(put(&beta, json!({ "color": "beta-red" })).await, 200);
    let (_, still) = get(&app, "/v1/me/preferences", &alpha.user("same-user")).await;
    assert_eq!(still, json!({ "color": "alpha-blue", "displayName": "A" }));
    let deleted = app
        .request(
            Method::DELETE,
            "/v1/me/preferences",
            &alpha.user("same-user"),
        )
        .send()
        .await
        .unwrap();
    assert!(deleted.status().is_success());
    let (_, still) = get(&app, "/v1/me/preferences", &beta.user("same-user")).await;
    assert_eq!(still, json!({ "color": "beta-red" }));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenants_key_signs_nothing_for_another_also_where_both_have_the_same_kid() {
    let (alpha, beta) = (Tenant::new("alpha", None), Tenant::new("beta", None));
    let app = serve(&[&alpha, &beta], TestOptions::default()).await;
    for (mine, other) in [(&alpha, &beta), (&beta, &alpha)] {
        // Both key sets are in memory, and a good token of each was seen.
        assert_eq!(mint(&app, &mine.user("u"), &json!({})).await.0, 200);
        assert_eq!(mint(&app, &other.user("u"), &json!({})).await.0, 200);
        let aud = json!("app");
        let nobody = Tenant::new("alpha", None);
        for (what, token) in [
            (
                "the other's issuer with my key",
                mine.signer.token(&other.issuer, &aud, "u"),
            ),
            (
                "a key of nobody",
                nobody.signer.token(&other.issuer, &aud, "u"),
            ),
            (
                "both issuers",
                mine.signer
                    .token(&format!("{} {}", mine.issuer, other.issuer), &aud, "u"),
            ),
            (
                "the other's issuer with a slash",
                mine.signer.token(&format!("{}/", other.issuer), &aud, "u"),
            ),
            (
                "another audience",
                mine.signer.token(&mine.issuer, &json!("other"), "u"),
            ),
            (
                "the tenant as audience",
                mine.signer.token(&mine.issuer, &json!(other.slug), "u"),
            ),
        ] {
            let (status, answer) = mint(&app, &token, &json!({})).await;
            assert_eq!(status, 401, "{what}: {answer}");
            assert!(!answer.to_string().contains(other.slug), "{what}: {answer}");
        }
        // What the request says of a tenant beside the token is not listened to.
        let answer = app
            .request(
                Method::POST,
                "/v1/session-token?tenant=beta&tenant_id=alpha",
                &mine.user("u"),
            )
            .header("X-Tenant", other.slug)
            .header("X-Tenant-Id", other.slug)
            .json(&json!({}))
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 200);
        let answer: Value = answer.json().await.unwrap();
        assert_eq!(answer["persona"]["name"], format!("Guide of {}", mine.slug));
        let (status, _) = mint(&app, &mine.user("u"), &json!({ "tenant": other.slug })).await;
        assert_eq!(status, 422);
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_issuer_serves_two_tenants_by_audience_and_a_token_for_both_serves_neither() {
    let (alpha, mut beta) = (Tenant::new("alpha", None), Tenant::new("beta", None));
    beta.issuer.clone_from(&alpha.issuer);
    let app = serve(&[&alpha], TestOptions::default()).await;
    let mut bundle = beta.bundle();
    bundle["issuers"][0]["audiences"] = json!(["beta-app"]);
    app.apply(&bundle.to_string()).await;
    let of_beta = beta.signer.token(&beta.issuer, &json!("beta-app"), "u");
    app.wait_for_token(&of_beta).await;

    let (status, answer) = mint(&app, &of_beta, &json!({})).await;
    assert_eq!(
        (status, &answer["persona"]["name"]),
        (200, &json!("Guide of beta"))
    );
    let (status, answer) = mint(&app, &alpha.user("u"), &json!({})).await;
    assert_eq!(
        (status, &answer["persona"]["name"]),
        (200, &json!("Guide of alpha"))
    );
    for signer in [&alpha.signer, &beta.signer] {
        for audience in [json!(["app", "beta-app"]), json!(["beta-app", "app"])] {
            let both = signer.token(&alpha.issuer, &audience, "u");
            assert_eq!(mint(&app, &both, &json!({})).await.0, 401, "{audience}");
        }
    }
    // Each one's key with the other's audience.
    for (signer, audience) in [(&alpha.signer, "beta-app"), (&beta.signer, "app")] {
        let crossed = signer.token(&alpha.issuer, &json!(audience), "u");
        assert_eq!(mint(&app, &crossed, &json!({})).await.0, 401, "{audience}");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_tenant_is_served_with_its_own_anam_key() {
    let alpha = Tenant::new("alpha", Some("anam-key-of-alpha-0001"));
    let beta = Tenant::new("beta", Some("anam-key-of-beta-00002"));
    let gamma = Tenant::new("gamma", None);
    let app = serve(&[&alpha, &beta, &gamma], TestOptions::default()).await;
    for tenant in [&alpha, &beta, &gamma, &alpha] {
        let (status, answer) = mint(&app, &tenant.user("u"), &json!({})).await;
        assert_eq!(status, 200, "{answer}");
        let used = account_of(answer["sessionToken"].as_str().unwrap());
        // What the same emulator gives for the key itself.
        let key = tenant.anam_key.as_deref().unwrap_or(PLATFORM_KEY);
        let direct: Value = app
            .http
            .post(format!("{}/v1/auth/session-token", app.anam.url()))
            .bearer_auth(key)
            .json(&json!({ "personaConfig": {
                "avatarId": SHARED_AVATAR, "voiceId": "6bfbe25a-979d-40f3-a92b-5394170af54b",
                "llmId": "0934d97d-0c3a-4f33-91b0-5e136a0ef466", "systemPrompt": "x",
            }}))
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        assert_eq!(
            used,
            account_of(direct["sessionToken"].as_str().unwrap()),
            "{}",
            tenant.slug
        );
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sealed_key_that_was_moved_to_another_tenant_serves_nobody() {
    let alpha = Tenant::new("alpha", Some("anam-key-of-alpha-0001"));
    let beta = Tenant::new("beta", Some("anam-key-of-beta-00002"));
    let app = serve(&[&alpha, &beta], TestOptions::default()).await;
    assert_eq!(mint(&app, &beta.user("u"), &json!({})).await.0, 200);
    let mut owner = app.database.owner().await;
    sql::run(
        &mut owner,
        "update provider_key b set sealed = a.sealed from provider_key a
         where a.tenant_id = (select id from tenant where slug = 'alpha')
           and b.tenant_id = (select id from tenant where slug = 'beta')",
    )
    .await
    .unwrap();
    let code = crate::harness::wait::until(
        "the change is heard of",
        std::time::Duration::from_secs(10),
        || async {
            let (status, answer) = mint(&app, &beta.user("u"), &json!({})).await;
            (status != 200).then(|| (status, answer["code"].clone()))
        },
    )
    .await;
    assert_eq!(
        code,
        (503, json!("provider_key_unavailable")),
        "and not the platform's key"
    );
    assert_eq!(mint(&app, &alpha.user("u"), &json!({})).await.0, 200);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_stand_in_the_ledger_of_their_own_tenant() {
    let (alpha, beta) = (Tenant::new("alpha", None), Tenant::new("beta", None));
    let app = serve(&[&alpha, &beta], TestOptions::default()).await;
    let mut sessions = Vec::new();
    for tenant in [&alpha, &beta] {
        let (_, answer) = mint(&app, &tenant.user("same-user"), &json!({})).await;
        sessions.push((
            tenant.slug,
            answer["sessionId"].as_str().unwrap().to_owned(),
        ));
    }
    let mut login = app.database.login().await;
    for (slug, session) in &sessions {
        let id = app.tenant(slug).await.to_string();
        sql::begin_as(&mut login, "gateway_tenant", Some(&id)).await;
        let seen = sql::texts(&mut login, "select id from session").await;
        sql::run(&mut login, "rollback").await.unwrap();
        assert_eq!(seen, [session.as_str()], "{slug}");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forged_notice_changes_nothing() {
    let (alpha, beta) = (Tenant::new("alpha", None), Tenant::new("beta", None));
    let app = serve(&[&alpha, &beta], TestOptions::default()).await;
    // Anybody who can connect at all may notify.
    let mut login = app.database.login().await;
    let (a, b) = (app.tenant("alpha").await, app.tenant("beta").await);
    for payload in [
        format!("v1 {a} 999999999 issuer"),
        format!("v1 {b} 9223372036854775807 tenant"),
        format!("v1 {b} -1 issuer"),
        "v1 x y z".to_owned(),
        "'; drop table tenant; --".to_owned(),
        "v2 something else".to_owned(),
        String::new(),
    ] {
        let notify = format!(
            "select pg_notify('gateway_config', '{}')",
            payload.replace('\'', "''")
        );
        sql::run(&mut login, notify).await.unwrap();
    }
    // A true change after them is heard of, so the listener has taken them all in.
    let mut owner = app.database.owner().await;
    sql::run(
        &mut owner,
        "update tenant set status = 'suspended' where slug = 'beta'",
    )
    .await
    .unwrap();
    crate::harness::wait::until(
        "beta is suspended",
        std::time::Duration::from_secs(10),
        || async { (mint(&app, &beta.user("u"), &json!({})).await.0 == 403).then_some(()) },
    )
    .await;
    for _ in 0..3 {
        let (status, answer) = mint(&app, &alpha.user("u"), &json!({})).await;
        assert_eq!(
            (status, &answer["persona"]["name"]),
            (200, &json!("Guide of alpha"))
        );
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sql_in_every_field_stays_text() {
    let (alpha, beta) = (Tenant::new("alpha", None), Tenant::new("beta", None));
    let app = serve(&[&alpha, &beta], TestOptions::default()).await;
    for evil in [
        "'; drop table preference; --",
        "' or '1'='1",
        "\\'; select pg_sleep(10); --",
        "$$; delete from tenant; $$",
        "beta-red' union select choices from preference --",
    ] {
        let token = alpha.user(evil);
        let put = app.request(Method::PUT, "/v1/me/preferences", &token);
        let put = put
            .json(&json!({ "displayName": evil }))
            .send()
            .await
            .unwrap();
        assert_eq!(put.status(), 200, "{evil}");
        let (_, read) = get(&app, "/v1/me/preferences", &token).await;
        assert_eq!(read, json!({ "displayName": evil }));
        let (status, _) = mint(
            &app,
            &token,
            &json!({ "context": evil, "metadata": { evil: evil } }),
        )
        .await;
        assert!(status < 500, "{evil}: {status}");
    }
    let (status, _) = mint(&app, &beta.user("u"), &json!({})).await;
    assert_eq!(status, 200);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_a_shared_issuer_may_name_the_tenant_by_a_claim() {
    let (alpha, beta) = (Tenant::new("alpha", None), Tenant::new("beta", None));
    let app = serve(&[&alpha, &beta], TestOptions::default()).await;
    let shared = Tenant::new("shared", None);
    let mut config = shared.bundle()["issuers"][0].clone();
    config["audiences"] = json!(["app"]);
    let operator = persona_gateway::tenants::operators::Operator {
        database: &app.app.gateway.database,
        clock: &app.clock,
        label: "cli:test",
        request_id: None,
    };
    operator
        .add_shared_issuer(config.as_object().unwrap(), "tenant")
        .await
        .unwrap();
    let beta_id = app.tenant("beta").await.to_string();
    let claim = |signer: &Tenant, tenant: Value| {
        let more = json!({ "tenant": tenant, "org": tenant, "tenant_id": tenant, "tid": tenant });
        signer
            .signer
            .token_with(&signer.issuer, &json!("app"), "u", &more)
    };
    app.wait_for_token(&claim(&shared, json!("alpha"))).await;
    for (token, persona) in [
        (claim(&shared, json!("alpha")), "Guide of alpha"),
        (claim(&shared, json!("beta")), "Guide of beta"),
        (claim(&shared, json!(beta_id)), "Guide of beta"),
        // A tenant's own issuer speaks for its own tenant, whatever it claims.
        (claim(&alpha, json!("beta")), "Guide of alpha"),
        (claim(&alpha, json!(beta_id)), "Guide of alpha"),
    ] {
        let (status, answer) = mint(&app, &token, &json!({})).await;
        assert_eq!(
            (status, &answer["persona"]["name"]),
            (200, &json!(persona)),
            "{answer}"
        );
    }
    for nobody in [
        json!("gamma"),
        json!(null),
        json!(["beta"]),
        json!({ "beta": 1 }),
        json!(""),
        json!("BETA"),
        json!(" beta"),
    ] {
        let (status, _) = mint(&app, &claim(&shared, nobody.clone()), &json!({})).await;
        assert_eq!(status, 401, "{nobody}");
    }
    app.stop().await;
}
