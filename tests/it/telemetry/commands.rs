//! The commands of docs/OPERATIONS.md work.

use std::process::Stdio;

use secrecy::ExposeSecret;
use tokio::process::Command;

use crate::harness::spawn;

/// The code of a page that stands within its lines.
fn code(page: &str) -> impl Iterator<Item = &str> {
    page.split('`').skip(1).step_by(2)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_looks_as_the_page_says_sees_something() {
    let app = spawn().await;
    let page = std::fs::read_to_string("docs/OPERATIONS.md").unwrap();
    let described = app.app.gateway.metrics.described();
    let mut run = 0;
    for command in code(&page) {
        let is_ours = command.contains("$OPS/") || command.contains("$DATABASE_URL\" -c");
        if !is_ours {
            continue;
        }
        run += 1;
        let output = Command::new("bash")
            .args(["-c", &format!("set -o pipefail; {command}")])
            .env("OPS", format!("http://{}", app.app.ops_address))
            .env("DATABASE_URL", app.database.owner_url.expose_secret())
            .stdin(Stdio::null())
            .output()
            .await
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        let wrong = String::from_utf8_lossy(&output.stderr);
        assert!(wrong.is_empty(), "{command}: {wrong}");
        if let Some((_, wanted)) = command.split_once("| grep ") {
            // Nothing was counted of some of them yet.
            let is_known = described.iter().any(|metric| {
                let name = &metric.name;
                wanted.starts_with(name.as_str()) || name.contains(wanted)
            });
            assert!(is_known, "{command}");
        } else {
            assert!(output.status.success() && !said.is_empty(), "{command}");
        }
    }
    assert!(run > 25, "{run}");
    app.stop().await;
}
