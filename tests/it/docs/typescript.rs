//! The TypeScript of docs/CLIENTS.md, generated, compiled and run.

use std::path::Path;
use std::process::Command;

use super::reader::{Dev, blocks};
use crate::harness::npm;

const PAGE: &str = include_str!("../../../docs/CLIENTS.md");

fn block(language: &str) -> &'static str {
    let mut found = blocks(PAGE).into_iter();
    found.find(|block| block.language == language).unwrap().text
}

/// Runs a program that npm installed; gives what it printed.
fn run(folder: &Path, program: &str, args: &[&str], environment: &[(&str, &str)]) -> String {
    let output = Command::new(program)
        .args(args)
        .envs(environment.iter().copied())
        .current_dir(folder)
        .output()
        .unwrap_or_else(|error| panic!("this test needs {program} ({error}): apt-get install npm"));
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {args:?}: {out}{told}");
    out
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_client_of_the_page_compiles_and_runs() {
    let installed = npm::installed("typescript", &["package.json", "package-lock.json"]);
    let dev = Dev::start().await;
    let folder = dev.path();
    std::os::unix::fs::symlink(installed.join("node_modules"), folder.join("node_modules"))
        .unwrap();

    let generate = block("sh").lines().last().unwrap();
    let generate = generate.replace("http://localhost:8080", dev.value("gateway"));
    let generate = generate.strip_prefix("npx ").unwrap();
    let generate: Vec<_> = generate.split(' ').collect();
    let tool = |name: &str| format!("node_modules/.bin/{name}");
    run(folder, &tool(generate[0]), &generate[1..], &[]);

    dev.write("package.json", r#"{"type": "module"}"#);
    let page = block("ts");
    assert!(page.contains("http://localhost:8080"));
    dev.write(
        "page.ts",
        &page.replace("http://localhost:8080", dev.value("gateway")),
    );
    // A path that there is not must not compile.
    dev.write(
        "wrong.ts",
        &page.replacen("/v1/admin/me", "/v1/admin/mee", 1),
    );
    let compile = [
        "--strict",
        "--target",
        "es2022",
        "--module",
        "esnext",
        "--moduleResolution",
        "bundler",
    ];
    let compiled = run(
        folder,
        &tool("tsc"),
        &[&compile[..], &["page.ts"]].concat(),
        &[],
    );
    assert_eq!(compiled, "");
    let refused = Command::new(tool("tsc"))
        .args(compile)
        .args(["--noEmit", "wrong.ts"])
        .current_dir(folder)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&refused.stdout);
    assert!(told.starts_with("wrong.ts("), "{told}");

    let told = run(
        folder,
        "node",
        &["page.js"],
        &[("ADMIN_KEY", dev.value("adminKey"))],
    );
    let first = told.lines().next();
    assert_eq!(first, Some("document_invalid"), "{told}");
    assert!(told.contains("/bundle/nonsense"), "{told}");
    dev.stop().await;
}

#[test]
fn the_page_installs_what_is_compiled_here() {
    let installed: serde_json::Value =
        serde_json::from_str(include_str!("../../typescript/package.json")).unwrap();
    let line = block("sh").lines().next().unwrap();
    for members in ["dependencies", "devDependencies"] {
        for (name, version) in installed[members].as_object().unwrap() {
            let wanted = format!(
                "{name}@{}",
                version.as_str().unwrap().trim_end_matches(".0")
            );
            assert!(
                line.split(' ').any(|word| word == wanted),
                "{wanted} of {line}"
            );
        }
    }
}
