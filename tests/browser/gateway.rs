//! The whole way, as a user's browser goes it: a page of the product asks the gateway from its own origin, and the SDK
//! starts the conversation with the token it gets.

use serde_json::{Value, json};

use crate::browser::with_browser;
use crate::harness::app::PLATFORM_KEY;
use crate::harness::spawn;
use crate::page;

/// What a page does: ask the gateway, hand the token to the SDK.
const PAGE: &str = "
    const [gateway, jwt, anam, done] = arguments;
    fetch(gateway + '/v1/session-token', {
        method: 'POST',
        headers: { Authorization: 'Bearer ' + jwt, 'Content-Type': 'application/json' },
        body: JSON.stringify({ context: 'support', metadata: { ticketId: 'T-9' } }),
    })
        .then((answer) => answer.json())
        .then(async (minted) => ({ minted, talk: await converse(minted.sessionToken, anam) }))
        .catch((error) => ({ error: String(error) }))
        .then(done);
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_turns_its_users_jwt_into_a_conversation() {
    let app = spawn().await;
    let page = page::serve();
    with_browser(|browser| async move {
        browser.goto(&page.url).await.unwrap();
        let arguments = vec![
            json!(app.url("")),
            json!(app.user("user-1")),
            json!(app.anam.url()),
        ];
        let outcome = browser.execute_async(PAGE, arguments).await.unwrap();

        let talk = &outcome["talk"];
        assert!(talk["sessionId"].is_string(), "SESSION_READY: {outcome}");
        assert_eq!(talk["sessionId"], talk["activeSessionId"]);
        let session = outcome["minted"]["sessionId"].as_str().unwrap();
        let url = format!("{}/v1/sessions?search={session}", app.anam.url());
        let found = app.http.get(url).bearer_auth(PLATFORM_KEY).send();
        let found: Value = found.await.unwrap().json().await.unwrap();
        assert_eq!(
            found["data"][0]["clientLabel"], session,
            "our id finds Anam's session"
        );
        app.stop().await;
    })
    .await;
}

/// What a page's tools add to its requests, and what the gateway says to more headers than it takes.
const TOOLS: &str = "
    const [gateway, jwt, most, done] = arguments;
    const ask = (more) => fetch(gateway + '/v1/session-token', {
        method: 'POST',
        headers: { Authorization: 'Bearer ' + jwt, 'Content-Type': 'application/json', ...more },
        body: JSON.stringify({ context: 'support' }),
    }).then(
        async (answer) => ({ status: answer.status, id: answer.headers.get('x-request-id'), body: await answer.json() }),
        (error) => ({ error: String(error) }),
    );
    (async () => ({
        plain: await ask({}),
        traced: await ask({
            'sentry-trace': '12c2d058d58442709aa2eca08bf20986-ed6a4c8eb8a4bb5c-1',
            baggage: 'sentry-environment=production',
            traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
            tracestate: 'vendor=1',
            'x-requested-with': 'XMLHttpRequest',
            'Idempotency-Key': 'a-1',
            'X-CSRF-Token': 'b-2',
            'x-datadog-trace-id': '7',
        }),
        proxied: await ask({ 'X-Forwarded-For': '203.0.113.7' }),
        large: await ask(Object.fromEntries(Array.from({ length: most }, (_, n) => ['x-tool-' + n, '1']))),
    }))().then(done);
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_pages_tools_add_to_its_requests_is_let_through_and_refusals_can_be_read() {
    let app = spawn().await;
    let page = page::serve();
    with_browser(|browser| async move {
        browser.goto(&page.url).await.unwrap();
        let arguments = vec![json!(app.url("")), json!(app.user("user-1")), json!(95)];
        let outcome = browser.execute_async(TOOLS, arguments).await.unwrap();

        assert_eq!(outcome["plain"]["status"], 200, "{outcome}");
        assert_eq!(outcome["traced"]["status"], 200, "{outcome}");
        assert!(outcome["proxied"]["error"].is_string(), "{outcome}");
        let large = &outcome["large"];
        assert_eq!(large["status"], 431, "{outcome}");
        assert_eq!(large["body"]["code"], "headers_too_large");
        assert!(large["id"].is_string(), "{outcome}");
        app.stop().await;
    })
    .await;
}
