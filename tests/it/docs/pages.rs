//! The commands of all pages, in one shell beside one `dev`: in the order of reading, in the opposite order, and again.

use std::collections::BTreeSet;
use std::path::Path;

use super::reader::{Dev, Printed, Walk, blocks, read, try_again};

const README: &str = "README.md";
/// Sets the variables that the other pages need.
const SETTINGS: &str = "docs/DEV.md";
const WALK: &str = "docs/ADMIN.md";

struct Page {
    path: String,
    text: String,
}

/// README, and the pages with commands in the order of its links. `typescript.rs` runs what docs/CLIENTS.md has.
fn pages() -> Vec<Page> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = |path: &str| std::fs::read_to_string(root.join(path)).unwrap();
    let readme = text(README);
    let mut paths = vec![README];
    for link in readme.split("](").skip(1) {
        let path = link.split([')', '#']).next().unwrap();
        let is_page = path.starts_with("docs/")
            && Path::new(path).extension().is_some_and(|end| end == "md")
            && path != "docs/CLIENTS.md";
        if is_page && !paths.contains(&path) {
            paths.push(path);
        }
    }
    let pages = paths.into_iter().map(|path| Page {
        path: path.to_owned(),
        text: text(path),
    });
    pages.filter(|page| has_commands(&page.text)).collect()
}

fn has_commands(page: &str) -> bool {
    let mut blocks = blocks(page).into_iter();
    blocks.any(|block| ["sh", "bash", "shell", "console"].contains(&block.language))
}

fn has_loops(page: &str) -> bool {
    let mut blocks = blocks(page).into_iter();
    blocks.any(|block| block.language == "sh" && block.text.contains("; do"))
}

#[test]
fn readme_leads_to_every_page_with_commands() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = BTreeSet::from([README.to_owned()]);
    let mut folders = vec![root.join("docs")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.extension() {
                Some(end)
                    if end == "md" && has_commands(&std::fs::read_to_string(&path).unwrap()) =>
                {
                    let path = path.strip_prefix(root).unwrap();
                    found.insert(path.to_str().unwrap().to_owned());
                }
                None if path.is_dir() => folders.push(path),
                _ => {}
            }
        }
    }
    let mut read: BTreeSet<_> = pages().into_iter().map(|page| page.path).collect();
    read.insert("docs/CLIENTS.md".to_owned());
    assert_eq!(read, found);
}

/// A page as a reader types it: what stands for the reader's own values, and what another test runs.
fn walk<'a>(page: &'a Page, dev: &Dev) -> Walk<'a> {
    let walk = Walk::of(&page.text);
    let addresses = |export: &str| {
        format!(
            "{export}GATEWAY={} ISSUER={} ANAM={}",
            dev.value("gateway"),
            dev.value("issuer"),
            dev.value("anam")
        )
    };
    match page.path.as_str() {
        README => walk
            .without("cargo run -- dev", "it runs already")
            .without("cargo test", "it runs this")
            .without("apt-get install", "a test below looks at it")
            .typing(
                addresses(""),
                "GATEWAY=http://127.0.0.1:8080 ISSUER=http://127.0.0.1:8082 ANAM=http://127.0.0.1:8083",
            ),
        SETTINGS => walk
            .typing(
                addresses("export "),
                "export GATEWAY=http://127.0.0.1:8080 ISSUER=http://127.0.0.1:8082 ANAM=http://127.0.0.1:8083",
            )
            .typing(
                format!("OWNER_URL='{}'", dev.value("databaseUrl")),
                "OWNER_URL='postgres://postgres@localhost/persona_gateway?host=...'",
            ),
        "docs/PAGE.md" => walk.without(
            "cp -r examples/page",
            "its last command serves until it is stopped",
        ),
        "docs/PRODUCTION.md" => walk
            .without("cp .env.example", "it needs containers")
            .without(
                "# 1. Once, as",
                "store/migrations.rs has an owner who is no superuser",
            ),
        "docs/PERFORMANCE.md" => walk.without("just bench", "tests/bench/ tries it"),
        "docs/DATABASES.md" => walk
            .without(
                "MIGRATE_DATABASE_URL",
                "store/roles.rs does it with an owner",
            )
            .without("create role", "store/roles.rs runs what is printed"),
        "docs/BUNDLES.md" => walk.typing(
            "persona-gateway shared-issuer remove $(persona-gateway shared-issuer list | head -1 | cut -d ' ' -f 1)",
            "persona-gateway shared-issuer remove ID",
        ),
        "docs/admin/people.md" => people(walk),
        _ => walk,
    }
}

fn people(walk: Walk<'_>) -> Walk<'_> {
    walk.given("echo 'a good long password' > password.txt")
        .without(
            "curl -s -X PUT $GATEWAY/v1/admin/sso",
            "admin/sso.rs does it with an OpenID provider",
        )
        .without(
            "VERIFIER=$(openssl",
            "admin/sso_code.rs does it with an OpenID provider",
        )
        .typing(
            "--tenant bakery $(persona-gateway api-key list --tenant bakery | cut -d ' ' -f 3)",
            "--tenant bakery pgk_7Yd3mZ0q",
        )
        .typing(
            "--role owner < password.txt",
            "--role owner  # asks for a password: a good long password",
        )
        .typing(
            "| tee invitation.json | jq '{token, expiresAt}'",
            "| jq '{token, expiresAt}'",
        )
        .typing("\"'$(jq -r .token invitation.json)'\"", "\"pgi_...\"")
        .typing(
            "| tee reset.json | jq '{expiresAt, token}'",
            "| jq '{expiresAt, token}'",
        )
        .typing("\"'$(jq -r .token reset.json)'\"", "\"pgr_...\"")
        .typing(
            "| tee key.json | jq '{id, prefix, key}'; ID=$(jq -r .id key.json)",
            "| jq '{id, prefix, key}'",
        )
}

/// What the block that holds `part` printed.
fn out<'a>(printed: &'a [Printed<'_>], part: &str) -> &'a str {
    let found = printed.iter().find(|printed| printed.block.contains(part));
    &found.unwrap_or_else(|| panic!("no {part}")).out
}

/// That these stand in `text`, in this order.
fn has(text: &str, parts: &[&str]) {
    let mut rest = text;
    for part in parts {
        let (_, behind) = rest
            .split_once(part)
            .unwrap_or_else(|| panic!("no {part:?} here: {rest}\n\nof {text}"));
        rest = behind;
    }
}

/// That a page printed what it says, beyond the JSON that it shows.
fn check(path: &str, printed: &[Printed<'_>]) {
    match path {
        "docs/API.md" => has(
            out(printed, "Choose some of it"),
            &["\"avatars\"", "\"tone\":\"cheerful\"", "\"contexts\""],
        ),
        "docs/EXPRESS.md" => {
            let tokens = ["{\"sessionToken\":"; 6];
            let failures = [
                "{\"error\":\"Authentication failed\"}",
                "{\"error\":\"Invalid configuration\"}",
                "{\"error\":\"Service unavailable\"}",
                "{\"error\":\"Network error\"}",
            ];
            has(out(printed, "mint() {"), &[&tokens[..], &failures].concat());
        }
        "docs/TENANTS.md" => {
            let plans = out(printed, "apply --dry-run examples/tenant.yaml");
            has(
                plans,
                &[
                    "dry run: nothing was changed",
                    "tenant acme: nothing to change, 14 unchanged",
                    "tenant: acme",
                ],
            );
            assert!(!plans.contains("\n  ! "), "the example warns: {plans}");
        }
        "docs/PSQL.md" => {
            let version = out(printed, "'a shorter greeting'").lines().last();
            assert_eq!(version, Some("2"));
        }
        WALK => the_walk(printed, "museum"),
        "docs/BUNDLES.md" => has(
            out(printed, "apply --dry-run shop.yaml"),
            &["dry run: nothing was changed", "tenant shop"],
        ),
        "docs/admin/as-code.md" => {
            has(
                out(printed, "apply --dry-run demo.yaml"),
                &[
                    "tenant demo: nothing to change",
                    "tenant demo: nothing to change",
                ],
            );
            has(
                out(printed, "bundle:apply"),
                &[
                    "\"tenant\":\"demo\"",
                    "{\"tenant\":\"demo\",\"steps\":[{\"verb\":\"create\",\"target\":\"snippet/farewell\"",
                ],
            );
        }
        "docs/admin/people.md" => {
            has(
                out(printed, "ANN=$("),
                &["\"email\": \"ann@bakery.example\""],
            );
            has(
                out(printed, "invitations:accept"),
                &["\"role\": \"viewer\"", "cid@bakery.example"],
            );
            has(out(printed, "/second-factor"), &["\"secret\"", "\"uri\""]);
            has(
                out(printed, ":reset-password"),
                &["\"token\": \"pgr_", "204"],
            );
            has(out(printed, ":rotate"), &["\"replaces\"", "204"]);
            has(
                out(printed, "tenants/beta:suspend"),
                &["\"slug\": \"beta\"", "204"],
            );
        }
        "docs/admin/previews.md" => has(out(printed, "/preview"), &["\"personaConfig\""]),
        "docs/admin/sessions.md" => has(
            out(printed, "audit verify"),
            &["Good. Rows: ", ", checkpoints: "],
        ),
        "docs/admin/tenant.md" => {
            has(out(printed, "preferences:import?dryRun=true"), &["changed"]);
        }
        _ => {}
    }
}

/// What a reader of docs/ADMIN.md sees, in its order.
fn the_walk(printed: &[Printed<'_>], tenant: &str) {
    let out: String = printed.iter().map(|printed| printed.out.as_str()).collect();
    has(
        &out,
        &[
            &format!(r#"{{"tenant":"{tenant}","role":"owner"}}"#),
            r#""actor":"key:pgk_"#,
            r#""version":1"#,
            "You guide Sam through the museum.",
            "+Be warm.",
            "You guide Sam through the museum.\nBe warm.",
            r#""version":2"#,
            "You guide Sam through the museum.\nBe warm.",
            r#""way":"rollback""#,
            "You guide Sam through the museum.\n",
            "persona.rollback",
            r#"{"email":"kim@museum.example","role":"editor"}"#,
            r#"{"requiredApprovals":1}"#,
            r#"{"status":409,"code":"approval_missing"}"#,
            r#"{"reviewer":"person:kim@museum.example","verdict":"reject"}"#,
            r#"{"required":1,"rejectedBy":["person:kim@museum.example"],"met":false}"#,
            r#"{"approvedBy":["person:kim@museum.example"],"met":true}"#,
            r#""version":4"#,
            r#"{"way":"cancel","version":4,"cancels":true}"#,
            r#"{"liveVersion":4}"#,
            r#"{"status":409,"code":"merge_conflict","conflicts":["/name"]}"#,
            r#"{"name":"Mia of the museum","initialMessage":"Hello!"}"#,
            r#"{"status":409,"code":"in_use"}"#,
            r#"{"key":"farewell","archived":true}"#,
            r#"{"key":"farewell","archived":false}"#,
        ],
    );
}

/// Reads the pages in this order, and checks each.
async fn all(dev: &Dev, pages: &[&Page]) {
    let walks = pages.iter().map(|page| walk(page, dev)).collect();
    let printed = read(dev, walks).await;
    for (page, printed) in pages.iter().zip(&printed) {
        check(&page.path, printed);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_pages_in_the_order_of_reading_and_once_more() {
    let pages = pages();
    let dev = Dev::start().await;
    all(&dev, &pages.iter().collect::<Vec<_>>()).await;

    // The second time many commands are refused. None may wait for ever, and the reasons are shown.
    let settings = pages.iter().find(|page| page.path == SETTINGS).unwrap();
    let settings = walk(settings, &dev);
    let again: Vec<_> = pages.iter().filter(|page| has_loops(&page.text)).collect();
    assert!(again.iter().any(|page| page.path == WALK));
    for page in again {
        let complaints = try_again(&dev, &settings, walk(page, &dev)).await;
        has(&complaints, &["\"already_exists\"", "gave up on "]);
    }
    dev.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_pages_in_the_opposite_order_and_the_walk_with_another_tenant() {
    let pages = pages();
    let dev = Dev::start().await;
    let (settings, mut others): (Vec<_>, Vec<_>) =
        pages.iter().partition(|page| page.path == SETTINGS);
    others.reverse();
    all(&dev, &[settings.clone(), others].concat()).await;

    let again = pages.iter().find(|page| page.path == WALK).unwrap();
    let again = walk(again, &dev).given("TENANT=aquarium");
    let printed = read(&dev, vec![walk(settings[0], &dev), again]).await;
    the_walk(&printed[1], "aquarium");
    dev.stop().await;
}

#[test]
fn readme_names_what_ci_installs() {
    let page = include_str!("../../../README.md");
    let script = include_str!("../../../.ci/run");
    let line = page
        .lines()
        .find(|line| line.starts_with("apt-get install build-essential "))
        .unwrap();
    let named: BTreeSet<_> = line.split(' ').skip(3).collect();
    let installed: BTreeSet<_> = script
        .split("packages+=(")
        .skip(1)
        .flat_map(|part| part.split(')').next().unwrap().split(' '))
        .collect();
    assert_eq!(named, installed);
}
