//! The walk of docs/ADMIN.md, run by bash line for line as it stands there.

use std::time::Duration;

use serde_json::Value;

use crate::harness::cli::{Folder, program};

/// The commands of the two chapters, in their order.
fn commands() -> String {
    let text = include_str!("../../../docs/ADMIN.md");
    let chapters = text
        .split("\n## ")
        .filter(|part| part.starts_with("The walk"));
    let blocks = chapters.flat_map(|chapter| chapter.split("```sh\n").skip(1));
    let lines = blocks.map(|block| block.split("```").next().unwrap());
    ["set -euo pipefail\n"].into_iter().chain(lines).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_walk_of_the_admins_documentation_works_as_it_is_printed() {
    let folder = Folder::new();
    let data = folder.path().join("data");
    let args = [
        "dev",
        "--json",
        "--port",
        "0",
        "--data",
        data.to_str().unwrap(),
    ];
    let running = program(&args).folder(folder.path()).start();
    let line: Value = serde_json::from_str(&running.out_with("{").await).unwrap();

    let mut bash = tokio::process::Command::new("bash");
    bash.arg("-c").arg(commands()).kill_on_drop(true);
    for (name, member) in [
        ("GATEWAY", "gateway"),
        ("ISSUER", "issuer"),
        ("ANAM", "anam"),
        ("EMAIL", "adminEmail"),
        ("PASSWORD", "adminPassword"),
    ] {
        bash.env(name, line[member].as_str().unwrap());
    }
    let done = tokio::time::timeout(Duration::from_mins(2), bash.output()).await;
    let done = done.expect("the walk ends").unwrap();
    let out = String::from_utf8_lossy(&done.stdout).into_owned();
    let told = format!("{out}\n{}", String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "needs bash, curl and jq: {told}");

    // What a reader sees, in its order.
    let mut rest = out.as_str();
    for part in [
        r#""role":"owner""#,
        r#""actor":"key:pgk_"#,
        r#""version":1"#,
        "You guide Sam through Acme.",
        "+Be warm.",
        "You guide Sam through Acme.\nBe warm.",
        r#""version":2"#,
        "You guide Sam through Acme.\nBe warm.",
        r#""way":"rollback""#,
        "You guide Sam through Acme.\n",
        "persona.rollback",
        r#"{"email":"kim@example.com","role":"editor"}"#,
        r#"{"requiredApprovals":1}"#,
        r#"{"status":409,"code":"approval_missing"}"#,
        r#"{"reviewer":"person:kim@example.com","verdict":"reject"}"#,
        r#"{"required":1,"rejectedBy":["person:kim@example.com"],"met":false}"#,
        r#"{"approvedBy":["person:kim@example.com"],"met":true}"#,
        r#""version":4"#,
        r#"{"way":"cancel","version":4,"calledOff":true}"#,
        r#"{"liveVersion":4}"#,
        r#"{"status":409,"code":"merge_conflict","conflicts":["/name"]}"#,
        r#"{"name":"Mia of Acme","initialMessage":"Hello!"}"#,
        r#"{"status":409,"code":"in_use"}"#,
        r#"{"key":"farewell","archived":true}"#,
        r#"{"key":"farewell","archived":false}"#,
    ] {
        let (_, behind) = rest
            .split_once(part)
            .unwrap_or_else(|| panic!("no {part} here: {rest}\n\n{told}"));
        rest = behind;
    }
    running.signal("INT").await;
    assert_eq!(running.end().await.code, Some(0));
}
