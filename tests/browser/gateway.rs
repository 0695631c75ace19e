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
