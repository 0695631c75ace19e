//! Single sign-on, against a real `OpenID` provider over real HTTP.

use std::time::Instant;

use futures_util::future::join_all;
use persona_gateway::domain::role::Role;
use persona_gateway::tenants::sso::browser_flow::PATIENCE;
use reqwest::header::SET_COOKIE;
use reqwest::{Method, Response, Url};
use serde_json::{Value, json};

use crate::harness::admins::{body, state};
use crate::harness::openid::{Browser, CLIENT_ID, CLIENT_SECRET, OpenIdProvider};
use crate::harness::people::PASSWORD;
use crate::harness::{TestApp, logs, pointers, problem, spawn};

const SSO: &str = "/v1/admin/sso";
const START: &str = "/v1/admin/sso/demo/start";

pub(super) struct Bench {
    pub(super) app: TestApp,
    pub(super) provider: OpenIdProvider,
    owner: String,
}

impl Bench {
    /// A provider that the demo tenant trusts with example.com; new people become viewers.
    pub(super) async fn new() -> Self {
        Self::with(false, &json!("viewer")).await
    }

    async fn with(userinfo: bool, new_person_role: &Value) -> Self {
        let app = spawn().await;
        let callback = app.url("/v1/admin/sso/demo/callback");
        let provider = OpenIdProvider::start_with(&callback, userinfo).await;
        let owner = app.admin_key("demo", Role::Owner).await;
        let bench = Self {
            app,
            provider,
            owner,
        };
        let sent = bench.settings(new_person_role);
        state(bench.put(&sent).await, 200).await;
        bench
    }

    fn settings(&self, new_person_role: &Value) -> Value {
        json!({
            "issuer": self.provider.issuer, "clientId": CLIENT_ID, "clientSecret": CLIENT_SECRET,
            "allowedDomains": ["Example.com"], "newPersonRole": new_person_role,
        })
    }

    /// The first `PUT`.
    async fn put(&self, sent: &Value) -> Response {
        let request = self.app.request(Method::PUT, SSO, &self.owner);
        request
            .header("if-none-match", "*")
            .json(sent)
            .send()
            .await
            .unwrap()
    }

    /// The address that the provider sends the browser back to.
    async fn way_back(&self, browser: &mut Browser) -> Url {
        browser.follow(&self.app.url(START), "/callback").await
    }

    /// The whole way.
    async fn come_in(&self) -> Response {
        let mut browser = Browser::new();
        let back = self.way_back(&mut browser).await;
        browser.get(&back).await
    }

    async fn refused(&self, answer: Response) {
        problem(answer, 401, "sign_in_failed").await;
        let sessions = self
            .app
            .database
            .rows("select count(*) from console_session")
            .await;
        assert_eq!(sessions[0]["count"], 0);
    }
}

pub(super) fn ann() -> Value {
    json!({ "sub": "id-of-ann", "email": "Ann@example.com", "email_verified": true, "name": "Ann Lee" })
}

/// The same address with another value of one member.
fn with(url: &Url, name: &str, value: &str) -> Url {
    let mut changed = url.clone();
    changed
        .query_pairs_mut()
        .clear()
        .extend_pairs(url.query_pairs().map(|(known, old)| {
            let value = if known == name {
                value.to_owned()
            } else {
                old.into_owned()
            };
            (known.into_owned(), value)
        }));
    changed
}

#[tokio::test]
async fn somebody_new_comes_in_with_the_role_for_new_people() {
    for userinfo in [false, true] {
        let bench = Bench::with(userinfo, &json!("editor")).await;
        bench.provider.person(&ann()).await;
        let mut browser = Browser::new();
        let start = browser
            .get(&Url::parse(&bench.app.url(START)).unwrap())
            .await;
        let cookie = start.headers()[SET_COOKIE].to_str().unwrap().to_owned();
        for part in [
            "persona-gateway-sso=",
            "HttpOnly",
            "SameSite=Lax",
            "Path=/",
            "Max-Age=600",
        ] {
            assert!(cookie.contains(part), "{cookie}");
        }
        let to = start.headers()["location"].to_str().unwrap();
        for part in [
            "code_challenge_method=S256",
            "state=",
            "nonce=",
            "response_type=code",
            "scope=openid",
        ] {
            assert!(to.contains(part), "{to}");
        }
        let answer = bench.come_in().await;
        assert_eq!(answer.headers()["cache-control"], "no-store");
        let signed_in = body(answer, 200).await;
        assert_eq!(
            (&signed_in["tenant"], &signed_in["role"]),
            (&json!("demo"), &json!("editor"))
        );
        let token = signed_in["token"].as_str().unwrap();
        let account = body(
            bench.app.ask(Method::GET, "/v1/admin/account", token).await,
            200,
        )
        .await;
        assert_eq!(
            (
                &account["email"],
                &account["name"],
                &account["singleSignOn"]
            ),
            (&json!("ann@example.com"), &json!("Ann Lee"), &json!(true))
        );
        let trail = bench.app.audited("demo").await;
        assert!(
            trail.contains(
                &"person:ann@example.com member.create person/ann@example.com".to_owned()
            )
        );
        assert!(
            trail.contains(
                &"person:ann@example.com person.sign_in person/ann@example.com".to_owned()
            )
        );
        // Again: nobody new.
        body(bench.come_in().await, 200).await;
        let people = bench.app.database.rows("select count(*) from admin").await;
        assert_eq!(people[0]["count"], 1);
        bench.app.stop().await;
    }
}

#[tokio::test]
async fn without_a_role_for_new_people_only_members_and_the_invited_come_in() {
    let bench = Bench::with(false, &Value::Null).await;
    bench.provider.person(&ann()).await;
    bench.refused(bench.come_in().await).await;
    let people = bench.app.database.rows("select count(*) from admin").await;
    assert_eq!(
        people[0]["count"], 0,
        "nothing is left of who was turned away"
    );
    let sent = json!({ "email": "ann@example.com", "role": "owner" });
    body(
        bench
            .app
            .tell(Method::POST, "/v1/admin/invitations", &bench.owner, &sent)
            .await,
        201,
    )
    .await;
    let signed_in = body(bench.come_in().await, 200).await;
    assert_eq!(signed_in["role"], "owner", "an owner wanted it so");
    let listed = body(
        bench
            .app
            .ask(Method::GET, "/v1/admin/invitations", &bench.owner)
            .await,
        200,
    )
    .await;
    assert_eq!(listed["items"][0]["state"], "accepted");
    bench.app.stop().await;
}

#[tokio::test]
async fn an_address_that_is_not_verified_or_of_a_foreign_domain_is_turned_away() {
    let bench = Bench::new().await;
    for (name, value) in [
        ("email_verified", json!(false)),
        ("email_verified", Value::Null),
        ("email", json!("ann@evil.example")),
        ("email", json!("ann@sub.example.com")),
        ("email", json!("ann@example.com@evil.example")),
        ("email", Value::Null),
    ] {
        let mut person = ann();
        person[name] = value;
        bench.provider.person(&person).await;
        bench.refused(bench.come_in().await).await;
    }
    bench.app.stop().await;
}

#[tokio::test]
async fn an_owner_may_trust_addresses_that_the_provider_does_not_call_verified() {
    let bench = Bench::new().await;
    let entra = json!({ "sub": "id-of-ann", "email": "ann@example.com", "name": "Ann Lee" });
    bench.provider.person(&entra).await;
    let refused = problem(bench.come_in().await, 401, "sign_in_failed").await;
    assert_eq!(refused["reason"], "email_not_verified", "{refused}");

    let seen = bench.app.ask(Method::GET, SSO, &bench.owner).await;
    let etag = seen.headers()["etag"].clone();
    assert_eq!(body(seen, 200).await["trustAddresses"], false);
    let mut sent = bench.settings(&json!("viewer"));
    sent["trustAddresses"] = json!(true);
    let put = bench.app.request(Method::PUT, SSO, &bench.owner);
    let put = put.header("if-match", etag).json(&sent).send().await;
    assert_eq!(body(put.unwrap(), 200).await["trustAddresses"], true);
    assert_eq!(body(bench.come_in().await, 200).await["role"], "viewer");

    // Domains and the provider's own id of a person count as ever.
    for (name, value) in [
        ("email", json!("ann@evil.example")),
        ("sub", json!("another")),
    ] {
        let mut person = entra.clone();
        person[name] = value;
        bench.provider.person(&person).await;
        problem(bench.come_in().await, 401, "sign_in_failed").await;
    }
    bench.app.stop().await;
}

#[tokio::test]
async fn a_way_back_holds_for_its_browser_its_state_and_once() {
    let bench = Bench::new().await;
    bench.provider.person(&ann()).await;
    let mut browser = Browser::new();
    let back = bench.way_back(&mut browser).await;
    bench.refused(Browser::new().get(&back).await).await;
    bench
        .refused(browser.get(&with(&back, "state", &"a".repeat(43))).await)
        .await;
    // The right browser with the right state still may, once.
    let mut again = browser.clone();
    let signed_in = body(browser.get(&back).await, 200).await;
    assert_eq!(signed_in["tenant"], "demo");
    problem(browser.get(&back).await, 401, "sign_in_failed").await;
    problem(again.get(&back).await, 401, "sign_in_failed").await;
    // And a cookie of one tenant opens nothing at another.
    bench.app.empty_tenant("acme").await;
    bench
        .app
        .database
        .sql(
            "insert into sso_provider (tenant_id, issuer, client_id, client_secret, allowed_domains, revision, id)
             select (select id from tenant where slug = 'acme'), issuer, client_id, client_secret, allowed_domains, revision, id
             from sso_provider",
        )
        .await;
    let mut elsewhere = browser.clone();
    let mut back = bench.way_back(&mut elsewhere).await;
    back.set_path("/v1/admin/sso/acme/callback");
    problem(elsewhere.get(&back).await, 401, "sign_in_failed").await;
    bench.app.stop().await;
}

#[tokio::test]
async fn a_replayed_code_a_swapped_code_and_another_nonce_are_refused() {
    let bench = Bench::new().await;
    bench.provider.person(&ann()).await;
    let code = |url: &Url| {
        let mut pairs = url.query_pairs();
        pairs
            .find(|(name, _)| name == "code")
            .unwrap()
            .1
            .into_owned()
    };
    // A code that another browser got does not fit this one's PKCE verifier.
    let (mut mine, mut theirs) = (Browser::new(), Browser::new());
    let (my_back, their_back) = (
        bench.way_back(&mut mine).await,
        bench.way_back(&mut theirs).await,
    );
    bench
        .refused(mine.get(&with(&my_back, "code", &code(&their_back))).await)
        .await;
    // A code is good for one exchange at the provider.
    let used = code(&their_back);
    body(theirs.get(&their_back).await, 200).await;
    bench.app.database.sql("delete from console_session").await;
    let next = bench.way_back(&mut theirs).await;
    bench
        .refused(theirs.get(&with(&next, "code", &used)).await)
        .await;
    // An ID token that was made for another nonce.
    let start = Url::parse(&bench.app.url(START)).unwrap();
    let sent = mine.get(&start).await;
    let to = Url::parse(sent.headers()["location"].to_str().unwrap()).unwrap();
    let to = with(&to, "nonce", "another");
    let back = mine.follow(to.as_str(), "/callback").await;
    bench.refused(mine.get(&back).await).await;
    // Too late.
    let back = bench.way_back(&mut mine).await;
    let later = bench.app.second_ahead(PATIENCE).await;
    let mut back_later = back.clone();
    back_later
        .set_port(Url::parse(&later.url("/")).unwrap().port())
        .unwrap();
    mine.carry(&back, &back_later);
    bench.refused(mine.get(&back_later).await).await;
    assert!(logs::logged().contains("sso_too_late"));
    later.stop().await;
    bench.app.stop().await;
}

#[tokio::test]
async fn another_issuer_s_answer_is_refused() {
    let bench = Bench::new().await;
    bench.provider.person(&ann()).await;
    let mut browser = Browser::new();
    let back = bench.way_back(&mut browser).await;
    assert!(back.query_pairs().any(|(name, _)| name == "iss"), "{back}");
    bench
        .refused(
            browser
                .get(&with(&back, "iss", "https://other.example"))
                .await,
        )
        .await;

    // A browser that was sent to one provider comes back after the tenant has turned to another.
    let back = bench.way_back(&mut browser).await;
    let callback = bench.app.url("/v1/admin/sso/demo/callback");
    let other = OpenIdProvider::start(&callback).await;
    let (etag, _) = state(bench.app.ask(Method::GET, SSO, &bench.owner).await, 200).await;
    let mut settings = bench.settings(&json!("viewer"));
    settings["issuer"] = json!(other.issuer);
    state(
        bench
            .app
            .tell_if(Method::PUT, SSO, &bench.owner, &etag, &settings)
            .await,
        200,
    )
    .await;
    bench.refused(browser.get(&back).await).await;
    bench.app.stop().await;
}

#[tokio::test]
async fn an_address_that_was_given_to_somebody_else_does_not_inherit_the_role() {
    let bench = Bench::new().await;
    bench.provider.person(&ann()).await;
    body(bench.come_in().await, 200).await;
    bench.app.database.sql("delete from console_session").await;
    let mut other = ann();
    other["sub"] = json!("id-of-another-ann");
    bench.provider.person(&other).await;
    bench.refused(bench.come_in().await).await;
    bench.app.stop().await;
}

#[tokio::test]
async fn what_a_tenants_provider_says_counts_in_that_tenant_only() {
    let bench = Bench::new().await;
    let app = &bench.app;
    app.empty_tenant("acme").await;
    // Ann is an owner elsewhere, and an operator too.
    app.member("acme", "ann@example.com", Role::Owner).await;
    app.database.sql("update admin set operator = true").await;
    bench.provider.person(&ann()).await;
    let signed_in = body(bench.come_in().await, 200).await;
    let token = signed_in["token"].as_str().unwrap();
    let switch = json!({ "tenant": "acme" });
    problem(
        app.tell(Method::POST, "/v1/admin/account:switch", token, &switch)
            .await,
        422,
        "invalid_request",
    )
    .await;
    problem(
        app.ask(Method::GET, "/v1/operator/tenants", token).await,
        403,
        "forbidden",
    )
    .await;
    let account = body(app.ask(Method::GET, "/v1/admin/account", token).await, 200).await;
    assert_eq!(account["tenants"].as_array().unwrap().len(), 1);
    // And her password opens only where it was accepted.
    let by_password = body(app.try_sign_in("ann@example.com", PASSWORD).await, 200).await;
    assert_eq!(by_password["tenant"], "acme");
    bench.app.stop().await;
}

#[tokio::test]
async fn a_provider_that_is_down_is_told_as_such() {
    let bench = Bench::new().await;
    bench.provider.person(&ann()).await;
    let mut browser = Browser::new();
    let back = bench.way_back(&mut browser).await;
    let Bench { app, provider, .. } = bench;
    provider.stop().await;
    problem(
        browser.get(&back).await,
        503,
        "identity_provider_unavailable",
    )
    .await;
    // An instance that has not heard what the provider says of itself asks, and is left without an answer.
    let other = app.second().await;
    let start = app.http.get(other.url(START)).send().await.unwrap();
    assert!(start.headers().contains_key("retry-after"));
    problem(start, 503, "identity_provider_unavailable").await;
    other.stop().await;
    app.stop().await;
}

#[tokio::test]
async fn all_that_is_wrong_with_a_provider_is_said_at_once() {
    let bench = Bench::new().await;
    let wrong_everywhere = json!({
        "issuer": "https://login.example/?tenant=1", "clientId": "", "clientSecret": 7,
        "allowedDomains": ["example.com", "com", 7], "trustAddresses": "yes", "newPersonRole": "owner", "color": "red",
    });
    let refused = problem(bench.put(&wrong_everywhere).await, 422, "invalid_request").await;
    let mut at = pointers(&refused);
    at.sort_unstable();
    let everywhere = [
        "/allowedDomains/1",
        "/allowedDomains/2",
        "/clientId",
        "/clientSecret",
        "/color",
        "/issuer",
        "/newPersonRole",
        "/trustAddresses",
    ];
    assert_eq!(at, everywhere, "{refused}");
}

#[tokio::test]
async fn settings_are_checked_with_the_provider_and_the_secret_never_comes_back() {
    let app = spawn().await;
    let callback = app.url("/v1/admin/sso/demo/callback");
    let provider = OpenIdProvider::start(&callback).await;
    let owner = app.admin_key("demo", Role::Owner).await;
    let bench = Bench {
        app,
        provider,
        owner,
    };
    problem(
        bench.app.ask(Method::GET, SSO, &bench.owner).await,
        404,
        "not_found",
    )
    .await;
    let start = bench
        .app
        .http
        .get(bench.app.url(START))
        .send()
        .await
        .unwrap();
    problem(start, 404, "not_found").await;

    for (name, value, at) in [
        ("issuer", json!("http://127.0.0.1:1"), "/issuer"),
        ("issuer", json!("http://10.0.0.1"), "/issuer"),
        (
            "issuer",
            json!(format!("{}/", bench.provider.issuer)),
            "/issuer",
        ),
        ("issuer", json!("ftp://login.example"), "/issuer"),
        ("allowedDomains", json!([]), "/allowedDomains"),
        ("allowedDomains", json!(["com"]), "/allowedDomains/0"),
        ("newPersonRole", json!("owner"), "/newPersonRole"),
    ] {
        let mut sent = bench.settings(&json!("viewer"));
        sent[name] = value;
        let told = problem(bench.put(&sent).await, 422, "invalid_request").await;
        assert_eq!(pointers(&told), [at], "{told}");
    }

    let mut sent = bench.settings(&json!("viewer"));
    let blind = bench.app.tell(Method::PUT, SSO, &bench.owner, &sent).await;
    problem(blind, 428, "precondition_required").await;
    let (etag, shown) = state(bench.put(&sent).await, 200).await;
    assert_eq!(
        (&shown["hasClientSecret"], &shown["allowedDomains"]),
        (&json!(true), &json!(["example.com"]))
    );
    assert!(!shown.to_string().contains(CLIENT_SECRET));
    problem(bench.put(&sent).await, 412, "precondition_failed").await;
    let stored = bench
        .app
        .database
        .rows("select encode(client_secret, 'escape') as secret from sso_provider")
        .await;
    assert!(!json!(stored).to_string().contains(CLIENT_SECRET));
    assert!(
        !json!(bench.app.audited("demo").await)
            .to_string()
            .contains(CLIENT_SECRET)
    );

    // Kept with its client, lost with another.
    sent.as_object_mut().unwrap().remove("clientSecret");
    let put = async |etag: &str, sent: &Value| {
        state(
            bench
                .app
                .tell_if(Method::PUT, SSO, &bench.owner, etag, sent)
                .await,
            200,
        )
        .await
    };
    let (etag, shown) = put(&etag, &sent).await;
    assert_eq!(shown["hasClientSecret"], true);
    sent["clientId"] = json!("another");
    let (etag, shown) = put(&etag, &sent).await;
    assert_eq!(shown["hasClientSecret"], false);
    let removed = bench
        .app
        .request(Method::DELETE, SSO, &bench.owner)
        .header("if-match", etag)
        .send()
        .await
        .unwrap();
    assert_eq!(removed.status(), 204);
    problem(
        bench.app.ask(Method::GET, SSO, &bench.owner).await,
        404,
        "not_found",
    )
    .await;
    bench.app.stop().await;
}

#[tokio::test]
async fn over_a_foreign_name_the_way_needs_the_public_address() {
    let bench = Bench::new().await;
    let start = bench
        .app
        .http
        .get(bench.app.url(START))
        .header("host", "evil.example")
        .send()
        .await
        .unwrap();
    let told = problem(start, 404, "not_found").await;
    assert!(
        told["detail"]
            .as_str()
            .unwrap()
            .contains("server.public_url"),
        "{told}"
    );
    bench.app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_floods_the_start_asks_the_provider_nothing_and_leaves_nothing_behind() {
    let bench = Bench::new().await;
    bench.provider.person(&ann()).await;
    let before = bench.provider.asked().await;
    assert_eq!(before, (1, 1), "when it was set");
    let url = Url::parse(&bench.app.url(START)).unwrap();
    // To make them takes longer than to come, and each second lets one more in.
    let browsers: Vec<Browser> = (0..200).map(|_| Browser::new()).collect();
    let url = &url;
    let begun = Instant::now();
    let flood = join_all(browsers.into_iter().map(|mut browser| async move {
        let answer = browser.get(url).await;
        let status = answer.status().as_u16();
        assert_eq!(
            status == 429 || status == 503,
            answer.headers().contains_key("retry-after")
        );
        status
    }))
    .await;
    let sent_on = flood.iter().filter(|status| **status == 302).count();
    let most = 61 + usize::try_from(begun.elapsed().as_secs()).unwrap();
    assert!((1..=most).contains(&sent_on), "{sent_on} of {most}");
    assert!(flood.iter().all(|status| [302, 429, 503].contains(status)));
    assert_eq!(bench.provider.asked().await, before);
    let left = bench
        .app
        .database
        .rows("select count(*) from sso_attempt")
        .await;
    assert_eq!(left[0]["count"], 0);
    bench.app.stop().await;
}

#[tokio::test]
async fn a_provider_is_asked_once_for_all_who_come_at_the_same_time() {
    let bench = Bench::new().await;
    bench.provider.person(&ann()).await;
    // An instance that has not asked yet.
    let other = bench.app.second().await;
    let url = Url::parse(&other.url(START)).unwrap();
    let starts = join_all((0..20).map(|_| async { Browser::new().get(&url).await.status() })).await;
    assert!(starts.iter().all(|status| *status == 302), "{starts:?}");
    assert_eq!(bench.provider.asked().await, (2, 2));
    body(bench.come_in().await, 200).await;
    assert_eq!(bench.provider.asked().await, (2, 2));
    let used = bench
        .app
        .database
        .rows("select count(*) from sso_attempt")
        .await;
    assert_eq!(used[0]["count"], 1, "the way back that was taken");
    other.stop().await;
    bench.app.stop().await;
}
