//! The last page of a single sign-on, and the code that it gives: for a person, a command line, a console.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::TimeDelta;
use persona_gateway::crypto::digest::sha256;
use persona_gateway::domain::role::Role;
use reqwest::{Method, Url};
use serde_json::{Value, json};

use super::sso::{Bench, ann};
use crate::harness::admins::{body, state};
use crate::harness::cli::{Folder, program};
use crate::harness::openid::Browser;
use crate::harness::{TestApp, logs, problem};

const VERIFIER: &str = "a-verifier-of-forty-three-characters-or-more";
const ANN: &str = "ann@example.com";
/// Asks for a sign-in at the provider also where there is one.
const AGAIN: &str = "&prompt=login";
const STATE: &str = "a-state-of-its-own";

async fn with_ann() -> Bench {
    let bench = Bench::new().await;
    bench.provider.person(&ann()).await;
    bench
}

/// Where a program sends the browser.
fn start(app: &TestApp, port: u16) -> Url {
    let challenge = URL_SAFE_NO_PAD.encode(sha256(VERIFIER.as_bytes()));
    let url = app.url("/v1/admin/sso/demo/start");
    Url::parse_with_params(
        &url,
        [
            ("redirect_uri", format!("http://127.0.0.1:{port}/")),
            ("state", STATE.to_owned()),
            ("code_challenge", challenge),
            ("code_challenge_method", "S256".to_owned()),
        ],
    )
    .unwrap()
}

/// The last page of the way that begins there, for Ann.
async fn last_page(from: &Url) -> String {
    last_page_of(ANN, from).await
}

async fn last_page_of(email: &str, from: &Url) -> String {
    let mut browser = Browser::of_a_person();
    let back = browser.follow(from.as_str(), "/callback").await;
    let answer = browser.get(&back).await;
    assert_eq!(answer.status(), 200);
    let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(header("content-type"), "text/html; charset=utf-8");
    assert_eq!(header("cache-control"), "no-store");
    assert_eq!(header("referrer-policy"), "no-referrer");
    let policy = header("content-security-policy");
    for part in ["default-src 'none'", "frame-ancestors 'none'"] {
        assert!(policy.contains(part), "{policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");
    let page = answer.text().await.unwrap();
    assert!(!page.contains("pgs_"), "no token: {page}");
    assert!(
        page.contains(email) && page.contains("Northwind Cloud"),
        "{page}"
    );
    page
}

fn between<'a>(page: &'a str, start: &str, end: &str) -> &'a str {
    let found = page
        .split_once(start)
        .and_then(|(_, rest)| rest.split_once(end));
    found
        .unwrap_or_else(|| panic!("{start} and {end} in {page}"))
        .0
}

fn code_of(page: &str) -> &str {
    between(page, "<code>", "</code>")
}

async fn exchange(app: &TestApp, tenant: &str, sent: &Value) -> reqwest::Response {
    app.anonymous(&format!("/v1/admin/sso/{tenant}/code"), sent)
        .await
}

/// By a program that listens nowhere: its person pastes the code.
fn start_without_listener(app: &TestApp) -> Url {
    let mut url = start(app, 4711);
    let kept: Vec<(String, String)> = url
        .query_pairs()
        .into_owned()
        .filter(|(name, _)| name.starts_with("code_"))
        .collect();
    url.query_pairs_mut().clear().extend_pairs(kept);
    url
}

#[tokio::test]
async fn whoever_opens_the_start_by_hand_gets_a_page_that_opens_no_session() {
    let bench = with_ann().await;
    let app = &bench.app;
    let page = last_page(&Url::parse(&app.url("/v1/admin/sso/demo/start")).unwrap()).await;
    assert!(page.contains("viewer"), "{page}");
    assert!(
        !page.contains("pgc_"),
        "no code that anybody could use: {page}"
    );
    let origin = app.url("");
    let command = format!("persona-gateway login --server {origin} --tenant demo");
    assert_eq!(code_of(&page), command);
    for (table, why) in [
        ("console_session", "is signed in"),
        ("sso_attempt where code_hash is not null", "has a code"),
    ] {
        let rows = app
            .database
            .rows(&format!("select count(*) from {table}"))
            .await;
        assert_eq!(rows[0]["count"], 0, "nobody {why}");
    }
    bench.app.stop().await;
}

#[tokio::test]
async fn a_page_has_a_code_that_opens_one_session_once() {
    let bench = with_ann().await;
    let app = &bench.app;
    let page = last_page(&start_without_listener(app)).await;
    let sessions = app
        .database
        .rows("select count(*) from console_session")
        .await;
    assert_eq!(
        sessions[0]["count"], 0,
        "nobody is signed in by a page alone"
    );
    let code = code_of(&page);
    assert!(code.starts_with("pgc_") && code.len() == 47, "{code}");
    assert!(!page.contains("href"), "nobody listens for it: {page}");
    let stored = app
        .database
        .rows("select encode(code_hash, 'hex') as hash, sso_attempt::text as row from sso_attempt")
        .await;
    assert_ne!(stored[0]["hash"], Value::Null);
    assert!(!stored[0].to_string().contains(code));

    app.empty_tenant("acme").await;
    let sent = json!({ "code": code, "codeVerifier": VERIFIER });
    problem(exchange(app, "acme", &sent).await, 404, "not_found").await;
    let bare = json!({ "code": code });
    problem(exchange(app, "demo", &bare).await, 422, "invalid_request").await;
    let signed_in = body(exchange(app, "demo", &sent).await, 200).await;
    assert_eq!(
        (&signed_in["tenant"], &signed_in["role"]),
        (&json!("demo"), &json!("viewer"))
    );
    let token = signed_in["token"].as_str().unwrap();
    let account = body(app.ask(Method::GET, "/v1/admin/account", token).await, 200).await;
    assert_eq!(account["singleSignOn"], true);
    let told = problem(exchange(app, "demo", &sent).await, 401, "sign_in_failed").await;
    let detail = told["detail"].as_str().unwrap();
    assert!(
        detail.contains("tried before") && detail.contains("three minutes"),
        "{detail}"
    );
    bench.app.stop().await;
}

#[tokio::test]
async fn a_code_is_good_for_who_began_for_one_try_and_for_three_minutes() {
    let bench = with_ann().await;
    let app = &bench.app;
    let page = last_page(&start(app, 4711)).await;
    let another = "another-verifier-of-forty-three-characters";
    let mut sent = json!({ "code": code_of(&page), "codeVerifier": another });
    problem(exchange(app, "demo", &sent).await, 401, "sign_in_failed").await;
    assert!(logs::logged().contains("sso_verifier"));
    // It was tried: the right verifier comes too late.
    sent["codeVerifier"] = json!(VERIFIER);
    problem(exchange(app, "demo", &sent).await, 401, "sign_in_failed").await;
    // Three minutes later.
    let page = last_page(&start(app, 4711)).await;
    let sent = json!({ "code": code_of(&page), "codeVerifier": VERIFIER });
    let later = app.second_ahead(TimeDelta::minutes(3)).await;
    problem(exchange(&later, "demo", &sent).await, 401, "sign_in_failed").await;
    later.stop().await;
    // Who may sign in nowhere any more, and who lost their membership.
    for change in [
        "update admin set disabled_at = now()",
        "delete from membership",
    ] {
        let page = last_page(&start(app, 4711)).await;
        app.database.sql(change).await;
        let sent = json!({ "code": code_of(&page), "codeVerifier": VERIFIER });
        problem(exchange(app, "demo", &sent).await, 401, "sign_in_failed").await;
        app.database
            .sql("update admin set disabled_at = null")
            .await;
    }
    bench.app.stop().await;
}

#[tokio::test]
async fn a_program_is_led_back_to_on_this_machine_only_and_only_by_whoever_looks() {
    let bench = with_ann().await;
    let app = &bench.app;
    let page = last_page(&start(app, 4711)).await;
    let href = between(&page, "href=\"", "\"").replace("&amp;", "&");
    let way_back = Url::parse(&href).unwrap();
    let pairs: Vec<(String, String)> = way_back.query_pairs().into_owned().collect();
    assert_eq!(
        way_back.origin().ascii_serialization(),
        "http://127.0.0.1:4711"
    );
    assert_eq!(
        pairs,
        [
            ("code".to_owned(), code_of(&page).to_owned()),
            ("state".to_owned(), STATE.to_owned())
        ]
    );
    let good: Vec<(String, String)> = start(app, 4711).query_pairs().into_owned().collect();
    for (name, value) in [
        ("redirect_uri", "http://localhost:4711/"),
        ("redirect_uri", "http://127.0.0.1/"),
        ("redirect_uri", "http://127.0.0.1:80/"),
        ("redirect_uri", "http://127.0.0.1:4711/?x=y"),
        ("redirect_uri", "http://127.0.0.1:4711/#x"),
        ("redirect_uri", "http://a@127.0.0.1:4711/"),
        ("redirect_uri", "http://127.0.0.1:4711\\@evil.example/"),
        ("redirect_uri", "http://127.0.0.1.evil.example:4711/"),
        ("redirect_uri", "https://127.0.0.1:4711/"),
        ("redirect_uri", "http://2130706433:4711/"),
        ("redirect_uri", "javascript:alert(1)"),
        ("redirect_uri", ""),
        ("state", "short"),
        ("state", "a state with spaces in it"),
        ("code_challenge", "short"),
        ("code_challenge_method", "plain"),
    ] {
        let mut url = Url::parse(&app.url("/v1/admin/sso/demo/start")).unwrap();
        url.query_pairs_mut().extend_pairs(
            good.iter()
                .map(|(known, old)| (known, if known == name { value } else { old.as_str() })),
        );
        let told = problem(Browser::new().get(&url).await, 422, "invalid_request").await;
        assert_eq!(
            crate::harness::pointers(&told),
            [format!("/{name}")],
            "{value}"
        );
    }
    bench.app.stop().await;
}

/// A page that tells a person what went wrong.
async fn sad_page(browser: &mut Browser, url: &Url, status: u16) -> String {
    let answer = browser.get(url).await;
    assert_eq!(answer.status(), status, "{url}");
    assert_eq!(answer.headers()["content-type"], "text/html; charset=utf-8");
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let page = answer.text().await.unwrap();
    assert!(page.contains("You are not signed in"), "{page}");
    page
}

#[tokio::test]
async fn what_goes_wrong_is_a_page_for_a_person_that_says_what_to_do() {
    let bench = with_ann().await;
    let app = &bench.app;
    let callback = |query: &str| {
        Url::parse(&app.url(&format!("/v1/admin/sso/demo/callback?{query}"))).unwrap()
    };
    // A state that this browser does not know.
    let mut browser = Browser::of_a_person();
    let page = sad_page(&mut browser, &callback("state=x&code=%3Cb%3E"), 401).await;
    assert!(page.contains("/v1/admin/sso/demo/start"), "{page}");
    assert!(page.contains("did not begin this sign-in"), "{page}");
    // The provider refused.
    let start = start(app, 4711);
    let back = browser.follow(start.as_str(), "/callback").await;
    let state = back
        .query_pairs()
        .find(|(name, _)| name == "state")
        .unwrap()
        .1
        .into_owned();
    let denied = callback(&format!("state={state}&error=access_denied"));
    let page = sad_page(&mut browser.clone(), &denied, 401).await;
    assert!(
        page.contains("identity provider did not sign you in"),
        "{page}"
    );
    // Too late.
    let later = app.second_ahead(TimeDelta::minutes(11)).await;
    let late = Url::parse(&later.url("/v1/admin/sso/demo/callback")).unwrap();
    let mut late_browser = browser.clone();
    late_browser.carry(&back, &late);
    let mut late = late;
    late.set_query(back.query());
    let page = sad_page(&mut late_browser, &late, 401).await;
    assert!(page.contains("longer than ten minutes"), "{page}");
    later.stop().await;
    // Opened twice, as a reload does.
    let mut twice = browser.clone();
    assert_eq!(browser.get(&back).await.status(), 200);
    let page = sad_page(&mut twice, &back, 401).await;
    assert!(!page.contains("pgc_"), "{page}");
    // Nobody's name.
    let url = Url::parse(&app.url("/v1/admin/sso/%3Cscript%3E%22/start")).unwrap();
    let page = sad_page(&mut browser, &url, 404).await;
    assert!(
        !page.contains("<script")
            && page.contains("tenant's name") | page.contains("tenant&#39;s name"),
        "{page}"
    );
    // Another address than those the tenant takes.
    bench
        .provider
        .person(&json!({ "sub": "eve", "email": "eve@elsewhere.example", "email_verified": true }))
        .await;
    let mut eve = Browser::of_a_person();
    let back = eve.follow(start.as_str(), "/callback").await;
    let page = sad_page(&mut eve, &back, 401).await;
    assert!(page.contains("addresses of your domain"), "{page}");
    bench.app.stop().await;
}

#[tokio::test]
async fn the_command_line_signs_in_and_goes_on_without_a_key() {
    let bench = with_ann().await;
    let folder = Folder::new();
    let home = folder.path().to_str().unwrap().to_owned();
    let server = bench.app.url("/");
    let login = ["login", "--server", &server, "--tenant", "demo"];
    let export = ["export", "--server", &server];

    let before = program(&export).env("XDG_CONFIG_HOME", &home).run().await;
    assert!(before.err.contains("persona-gateway login"), "{before:?}");
    let running = program(&login).env("XDG_CONFIG_HOME", &home).start();
    let address = running.err_with("/start?").await;
    let page = last_page(&Url::parse(address.trim()).unwrap()).await;
    let href = between(&page, "href=\"", "\"").replace("&amp;", "&");
    let way_back = Url::parse(&href).unwrap();
    // Another code, with another state, is not taken.
    let forged = way_back.join("?code=pgc_x&state=other").unwrap();
    assert_eq!(Browser::new().get(&forged).await.status(), 404);
    assert_eq!(Browser::new().get(&way_back).await.status(), 200);
    let ended = running.end().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(
        ended.out.contains("Signed in to demo as viewer"),
        "{ended:?}"
    );
    assert!(!format!("{ended:?}").contains("pgs_"));

    let kept = folder.path().join("persona-gateway/credentials.json");
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&kept).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    let exported = program(&export).env("XDG_CONFIG_HOME", &home).run().await;
    assert_eq!(exported.code, Some(0), "{exported:?}");
    assert!(exported.out.contains("tenant: demo"), "{exported:?}");

    let text = std::fs::read_to_string(&kept).unwrap();
    let mut all: Value = serde_json::from_str(&text).unwrap();
    let token = all.as_object().unwrap().values().next().unwrap()["token"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(bench.app.status_of(&token).await, 200);
    let logout = ["logout", "--server", &server];
    for said in ["Signed out of demo", "Nobody was signed in"] {
        let ended = program(&logout).env("XDG_CONFIG_HOME", &home).run().await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(ended.out.contains(said), "{ended:?}");
    }
    assert_eq!(
        bench.app.status_of(&token).await,
        401,
        "it ended at the gateway"
    );
    assert!(!std::fs::read_to_string(&kept).unwrap().contains("pgs_"));

    // A session that has ended is told as such.
    for kept in all.as_object_mut().unwrap().values_mut() {
        kept["expiresAt"] = json!("2020-01-01T00:00:00Z");
    }
    std::fs::write(&kept, all.to_string()).unwrap();
    let late = program(&export).env("XDG_CONFIG_HOME", &home).run().await;
    assert!(late.err.contains("has ended"), "{late:?}");
    bench.app.stop().await;
}

#[tokio::test]
async fn where_the_browser_is_elsewhere_the_code_is_pasted_and_the_token_may_be_printed() {
    let bench = with_ann().await;
    let server = bench.app.url("/");
    let paste = ["login", "--server", &server, "--tenant", "demo", "--print"];
    let running = program(&paste).start_with_input();
    let address = running.err_with("/start?").await;
    let page = last_page(&Url::parse(address.trim()).unwrap()).await;
    // What is no code is not tried.
    let running = running.type_line("pgc_of-something-else").await;
    let running = running.type_line(code_of(&page)).await;
    let ended = running.end().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let token = ended.out.trim();
    assert!(token.starts_with("pgs_") && token.len() == 47, "{ended:?}");
    assert_eq!(bench.app.status_of(token).await, 200);
    bench.app.stop().await;
}

#[tokio::test]
async fn a_sign_in_that_fails_ends_the_command_that_waits_with_the_reason() {
    let bench = with_ann().await;
    let app = &bench.app;
    let server = app.url("/");
    let login = ["login", "--server", &server, "--tenant", "demo"];

    // The provider says no.
    let running = program(&login).start();
    let address = running.err_with("/start?").await;
    let mut browser = Browser::of_a_person();
    let back = browser.follow(address.trim(), "/callback").await;
    let (_, state) = back
        .query_pairs()
        .find(|(name, _)| name == "state")
        .unwrap();
    let denied = app.url(&format!(
        "/v1/admin/sso/demo/callback?state={state}&error=access_denied"
    ));
    let page = sad_page(&mut browser, &Url::parse(&denied).unwrap(), 401).await;
    let link = between(&page, "<a href=\"http://127.0.0.1:", "\"");
    let told = Url::parse(&format!("http://127.0.0.1:{}", link.replace("&amp;", "&"))).unwrap();
    let pairs: BTreeMap<String, String> = told.query_pairs().into_owned().collect();
    assert_eq!(pairs["error"], "sign_in_failed");
    let mut forged = told.clone();
    forged
        .query_pairs_mut()
        .clear()
        .append_pair("error_description", "x")
        .append_pair("state", STATE);
    assert_eq!(Browser::new().get(&forged).await.status(), 404);
    assert_eq!(Browser::new().get(&told).await.status(), 200);
    let ended = running.end().await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(
        ended.err.contains("identity provider did not sign you in"),
        "{ended:?}"
    );

    // There is nothing to sign in with.
    let nowhere = ["login", "--server", &server, "--tenant", "nobody"];
    let running = program(&nowhere).start();
    let address = running.err_with("/start?").await;
    let page = sad_page(&mut browser, &Url::parse(address.trim()).unwrap(), 404).await;
    let link = between(&page, "<a href=\"http://127.0.0.1:", "\"");
    let told = Url::parse(&format!("http://127.0.0.1:{}", link.replace("&amp;", "&"))).unwrap();
    assert_eq!(Browser::new().get(&told).await.status(), 200);
    let ended = running.end().await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    bench.app.stop().await;
}

#[tokio::test]
async fn the_console_opens_a_session_in_the_browser_that_began_and_in_no_other() {
    let bench = with_ann().await;
    let app = &bench.app;
    let mut browser = Browser::of_a_person();
    let begin = Url::parse(&app.url("/console/sign-in/sso")).unwrap();
    let answer = browser.send(&begin, &[("tenant", "demo")]).await;
    assert_eq!(answer.status(), 200);
    let start = Browser::onward(&begin, &answer);
    let back = browser.follow(start.as_str(), "/callback").await;
    let there = browser.follow(back.as_str(), "/console/sign-in/sso").await;

    let elsewhere = Browser::of_a_person().get(&there).await;
    assert_eq!(elsewhere.status(), 400, "the code is worth nothing there");
    let home = browser.follow(there.as_str(), "/console").await;
    let page = browser.get(&home).await;
    assert_eq!((page.status().as_u16(), home.path()), (200, "/console"));
    let page = page.text().await.unwrap();
    assert!(page.contains("ann@example.com"), "{page}");
    assert_eq!(browser.get(&there).await.status(), 400, "it is over");
    bench.app.stop().await;
}

#[tokio::test]
async fn no_page_but_the_consoles_own_gets_a_code() {
    let bench = with_ann().await;
    let app = &bench.app;
    for wrong in [
        app.url("/console/sign-in/sso?next=x"),
        "https://evil.example/console/sign-in/sso".to_owned(),
    ] {
        let mut url = start(app, 4711);
        let asked: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        let asked = asked.into_iter().map(|(name, value)| {
            let value = if name == "redirect_uri" {
                wrong.clone()
            } else {
                value
            };
            (name, value)
        });
        let asked: Vec<_> = asked.collect();
        url.query_pairs_mut().clear().extend_pairs(asked);
        let answer = Browser::new().get(&url).await;
        let told = problem(answer, 422, "invalid_request").await;
        assert_eq!(told["errors"][0]["pointer"], "/redirect_uri", "{wrong}");
    }
    bench.app.stop().await;
}

/// The code that the last page of a new sign-in has.
async fn new_code(app: &TestApp, email: &str, more: &str) -> String {
    let start = Url::parse(&format!("{}{more}", start_without_listener(app))).unwrap();
    code_of(&last_page_of(email, &start).await).to_owned()
}

#[tokio::test]
async fn a_code_of_a_new_sign_in_at_the_provider_confirms_who_has_the_session() {
    let bench = with_ann().await;
    let app = &bench.app;
    app.member("demo", ANN, Role::Owner).await;
    let code = json!({ "code": new_code(app, ANN, "").await, "codeVerifier": VERIFIER });
    let session = body(exchange(app, "demo", &code).await, 200).await;
    let token = session["token"].as_str().unwrap();
    let old = "update console_session set proven_at = now() - interval '11 minutes'";
    app.database.sql(old).await;
    let invite = async || {
        let invitation = json!({ "email": "bob@example.com", "role": "viewer" });
        let path = "/v1/admin/invitations";
        app.tell(Method::POST, path, token, &invitation).await
    };
    let confirm = async |by: &str, code: &str, verifier: &str| {
        let proof = json!({ "ssoCode": code, "codeVerifier": verifier });
        app.tell(Method::POST, "/v1/admin/account:confirm", by, &proof)
            .await
    };
    let refused = async |answer: reqwest::Response, words: &str| {
        let told = problem(answer, 401, "sign_in_failed").await;
        let detail = told["detail"].as_str().unwrap();
        assert!(detail.contains(words), "{detail}");
    };

    // Being signed in at the provider is not enough, nor is another's code, verifier or session.
    let stale = new_code(app, ANN, "").await;
    refused(confirm(token, &stale, VERIFIER).await, "just now").await;
    let code = new_code(app, ANN, AGAIN).await;
    refused(confirm(token, &code, "another").await, "is wrong").await;
    refused(confirm(token, &code, VERIFIER).await, "was tried before").await;
    let password = app.signed_in("demo", "cid@example.com", Role::Owner).await;
    let code = new_code(app, ANN, AGAIN).await;
    refused(
        confirm(&password, &code, VERIFIER).await,
        "No identity provider",
    )
    .await;
    let eve =
        json!({ "sub": "eve", "email": "eve@example.com", "email_verified": true, "name": "Eve" });
    bench.provider.person(&eve).await;
    let code = new_code(app, "eve@example.com", AGAIN).await;
    refused(confirm(token, &code, VERIFIER).await, "somebody else").await;
    problem(invite().await, 401, "insufficient_user_authentication").await;

    bench.provider.person(&ann()).await;
    let code = new_code(app, ANN, AGAIN).await;
    assert_eq!(confirm(token, &code, VERIFIER).await.status(), 204);
    state(invite().await, 201).await;

    let both = json!({ "ssoCode": code });
    let answer = app.tell(Method::POST, "/v1/admin/account:confirm", token, &both);
    problem(answer.await, 422, "invalid_request").await;
    let url = Url::parse(&format!("{}&prompt=none", start_without_listener(app))).unwrap();
    let told = problem(Browser::new().get(&url).await, 422, "invalid_request").await;
    assert_eq!(told["errors"][0]["pointer"], "/prompt");
    bench.app.stop().await;
}
