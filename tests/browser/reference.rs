//! The API's document as a page: a person reads it, and tries a call.

use std::time::Duration;

use fantoccini::{Client, Locator};
use reqwest::Method;
use serde_json::Value;

use crate::browser::with_browser;
use crate::harness::spawn;

/// Whatever the page's own policy forbade, and whatever it loaded from elsewhere.
const TROUBLE: &str = "
    const done = arguments[0];
    const elsewhere = performance.getEntriesByType('resource').map((entry) => entry.name)
        .filter((name) => !name.startsWith(location.origin) && !name.startsWith('data:'));
    const forbidden = [];
    new ReportingObserver((reports) => forbidden.push(...reports.map((report) => report.body)),
        { types: ['csp-violation'], buffered: true }).observe();
    setTimeout(() => done([...elsewhere, ...forbidden]));
";

async fn click(browser: &Client, css: &str) {
    let wait = browser.wait().at_most(Duration::from_secs(20));
    let found = wait.for_element(Locator::Css(css)).await;
    let found = found.unwrap_or_else(|error| panic!("{css}: {error}"));
    found.click().await.unwrap();
}

async fn text(browser: &Client, css: &str) -> String {
    let wait = browser.wait().at_most(Duration::from_secs(20));
    let found = wait.for_element(Locator::Css(css)).await;
    let found = found.unwrap_or_else(|error| panic!("{css}: {error}"));
    found.text().await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_reads_what_the_api_can_do_and_tries_it() {
    let app = spawn().await;
    let document: Value = app
        .http
        .get(app.url("/v1/openapi.json"))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    with_browser(|browser| async move {
        // Without the slash, as a person types it.
        browser.goto(&app.url("/docs")).await.unwrap();
        let title = text(&browser, ".info .title").await;
        assert!(
            title.contains(document["info"]["title"].as_str().unwrap()),
            "{title}"
        );
        let tags = browser
            .find_all(Locator::Css(".opblock-tag"))
            .await
            .unwrap();
        assert_eq!(tags.len(), document["tags"].as_array().unwrap().len());

        click(&browser, ".btn.authorize").await;
        let form = "//h4[contains(., 'userJwt')]/ancestor::form";
        let wait = browser.wait().at_most(Duration::from_secs(20));
        let field = wait
            .for_element(Locator::XPath(&format!("{form}//input")))
            .await;
        field.unwrap().send_keys(&app.user("user-1")).await.unwrap();
        let button = browser
            .find(Locator::XPath(&format!("{form}//button")))
            .await;
        button.unwrap().click().await.unwrap();
        click(&browser, ".btn.modal-btn.auth.btn-done").await;

        click(&browser, "#operations-tag-Sessions").await;
        click(
            &browser,
            "#operations-Sessions-listContexts .opblock-summary-control",
        )
        .await;
        click(&browser, "#operations-Sessions-listContexts .execute").await;
        let answer = text(
            &browser,
            "#operations-Sessions-listContexts .live-responses-table .response",
        )
        .await;
        assert!(
            answer.starts_with("200") && answer.contains("\"support\""),
            "{answer}"
        );

        let trouble = browser.execute_async(TROUBLE, Vec::new()).await.unwrap();
        assert_eq!(trouble, Value::Array(Vec::new()));
        app.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_has_nothing_but_its_files_and_is_read_only() {
    let app = spawn().await;
    let send = async |method: Method, path: &str| {
        let answer = app
            .http
            .request(method, app.url(path))
            .send()
            .await
            .unwrap();
        (
            answer.status().as_u16(),
            answer.headers().clone(),
            answer.bytes().await.unwrap(),
        )
    };
    let (status, headers, page) = send(Method::GET, "/docs/").await;
    assert_eq!(
        (status, &headers["content-type"]),
        (200, &"text/html; charset=utf-8".parse().unwrap())
    );
    let policy = headers["content-security-policy"].to_str().unwrap();
    assert!(
        policy.contains("script-src 'self';"),
        "no inline script: {policy}"
    );
    for file in [
        "swagger-ui.css",
        "swagger-ui-bundle.js",
        "swagger-ui-standalone-preset.js",
        "swagger-initializer.js",
        "favicon-32x32.png",
    ] {
        assert!(
            page.windows(file.len()).any(|part| part == file.as_bytes()),
            "{file}"
        );
        let (status, headers, body) = send(Method::GET, &format!("/docs/{file}")).await;
        assert_eq!(status, 200, "{file}");
        assert!(
            headers.contains_key("content-security-policy") && !body.is_empty(),
            "{file}"
        );
    }
    let (status, headers, body) = send(Method::HEAD, "/docs/").await;
    assert_eq!((status, body.len()), (200, 0));
    assert_eq!(headers["content-length"], page.len().to_string());
    for path in [
        "/docs/../config",
        "/docs/..%2Fconfig",
        "/docs/none.js",
        "/docs/a/b",
    ] {
        assert_eq!(send(Method::GET, path).await.0, 404, "{path}");
    }
    for path in ["/docs", "/docs/", "/docs/swagger-ui.css"] {
        let (status, headers, _) = send(Method::POST, path).await;
        assert_eq!(
            (status, &headers["allow"]),
            (405, &"GET, HEAD".parse().unwrap()),
            "{path}"
        );
    }
    app.stop().await;
}
