//! Headless Chromium, driven through `ChromeDriver`.

use std::panic::resume_unwind;
use std::process::Stdio;

use fantoccini::wd::Capabilities;
use fantoccini::{Client, ClientBuilder};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

const HOW_TO_GET: &str =
    "the browser tests need Chromium and ChromeDriver: apt-get install chromium chromium-driver";

/// Runs a test with a browser of its own, and closes the browser also when the test panics.
pub(crate) async fn with_browser<Fut>(test: impl FnOnce(Client) -> Fut)
where
    Fut: Future<Output = ()> + Send + 'static,
{
    let (mut driver, url) = start_driver().await;
    let browser = ClientBuilder::rustls()
        .expect("TLS")
        .capabilities(capabilities())
        .connect(&url)
        .await
        .unwrap_or_else(|error| panic!("{HOW_TO_GET} ({error})"));
    let outcome = tokio::spawn(test(browser.clone())).await;
    let closed = browser.close().await;
    driver.kill().await.expect("ChromeDriver stops");
    if let Err(failure) = outcome {
        resume_unwind(failure.into_panic());
    }
    closed.expect("Chromium closes");
}

/// Whatever the page's own policy forbade since it was opened; nothing, if all is well.
pub(crate) async fn forbidden(browser: &Client) -> Vec<Value> {
    let script = "
        const done = arguments[0];
        const found = [];
        new ReportingObserver((reports) => found.push(...reports.map((report) => report.body)),
            { types: ['csp-violation'], buffered: true }).observe();
        setTimeout(() => done(found));
    ";
    match browser.execute_async(script, Vec::new()).await {
        Ok(Value::Array(found)) => found,
        other => panic!("the page answers with a list: {other:?}"),
    }
}

/// Starts `ChromeDriver` on a free port and returns its URL. It chooses a port for IPv4 and then takes the same for IPv6; if somebody
/// else has that by then, it ends, and another one has better luck.
async fn start_driver() -> (Child, String) {
    for _ in 0..5 {
        if let Some(started) = try_driver().await {
            return started;
        }
    }
    panic!("ChromeDriver ended without naming its port, five times")
}

async fn try_driver() -> Option<(Child, String)> {
    let mut driver = Command::new("chromedriver")
        .arg("--port=0")
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap_or_else(|error| panic!("{HOW_TO_GET} ({error})"));
    let mut lines = BufReader::new(driver.stdout.take().expect("piped")).lines();
    while let Some(line) = lines.next_line().await.expect("ChromeDriver speaks") {
        // "ChromeDriver was started successfully on port 43210."
        if let Some((_, port)) = line.split_once("successfully on port ") {
            let url = format!("http://127.0.0.1:{}", port.trim_end_matches('.'));
            return Some((driver, url));
        }
    }
    None
}

fn capabilities() -> Capabilities {
    let mut arguments = vec![
        "--headless",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-dev-shm-usage",
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        "--autoplay-policy=no-user-gesture-required",
    ];
    if is_root() {
        // Chromium's sandbox refuses to run as root.
        arguments.push("--no-sandbox");
    }
    let mut capabilities = Capabilities::new();
    capabilities.insert(
        "goog:chromeOptions".to_owned(),
        json!({ "args": arguments }),
    );
    capabilities
}

#[cfg(unix)]
fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

#[cfg(not(unix))]
fn is_root() -> bool {
    false
}
