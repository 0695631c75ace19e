//! One test for each page with commands.

use std::collections::BTreeSet;
use std::path::Path;

use super::reader::{Dev, Printed, Walk, blocks};

/// The pages whose commands are run, each by a test below or in `typescript.rs`.
const RUN: [&str; 10] = [
    "README.md",
    "docs/ADMIN.md",
    "docs/BUNDLES.md",
    "docs/CLIENTS.md",
    "docs/DATABASES.md",
    "docs/admin/as-code.md",
    "docs/admin/people.md",
    "docs/admin/previews.md",
    "docs/admin/sessions.md",
    "docs/admin/tenant.md",
];

/// The program and the gateway's settings, as README says to set them for commands beside `dev`.
const SETTINGS: &str = r"
PATH=$PWD/target/debug:$PATH
export DATABASE_URL=${OWNER_URL/postgres@/persona_gateway_app@}
export GATEWAY_MASTER_KEY=$(cat .data/master-key)
export ACME_JWT_SECRET=$(openssl rand -hex 32) ACME_ANAM_API_KEY=your-key
";

/// A draft of another prompt.
const DRAFT: &str = r#"
api() { curl -sf "$@" -H "Authorization: Bearer $KEY" -H 'Content-Type: application/json'; }
DRAFT=$(api $GATEWAY/v1/admin/documents/persona/support-agent/drafts -d '{"title": "Shorter"}' | jq -r .id)
api -X PATCH $GATEWAY/v1/admin/drafts/$DRAFT -H 'If-Match: *' -d '{"content": {"systemPrompt": "Be brief."}}' -o /dev/null
"#;

/// The user whose token `dev` prints asks for a session, and starts it as the SDK does.
const MINT: &str = r#"
TOKEN=$(curl -sf $GATEWAY/v1/session-token -H "Authorization: Bearer $JWT" -H 'Content-Type: application/json' \
  -d '{"context": "support", "metadata": {"ticketId": "T-1042"}}' | jq -r .sessionToken)
curl -sf $ANAM/v1/engine/session -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' \
  -d '{"clientMetadata": {"client": "js-sdk", "version": "4.27.0"}}' -o /dev/null
"#;

#[test]
fn every_page_with_commands_is_run() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut pages = vec![root.join("README.md")];
    let mut folders = vec![root.join("docs")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.extension() {
                Some(end) if end == "md" => pages.push(path),
                None if path.is_dir() => folders.push(path),
                _ => {}
            }
        }
    }
    let with_commands: BTreeSet<_> = pages
        .iter()
        .filter(|path| {
            let page = std::fs::read_to_string(path).unwrap();
            let mut blocks = blocks(&page).into_iter();
            blocks.any(|block| ["sh", "bash", "shell", "console"].contains(&block.language))
        })
        .map(|path| path.strip_prefix(root).unwrap().to_str().unwrap())
        .collect();
    assert_eq!(with_commands, RUN.into_iter().collect());
}

/// A page asks with a token that is meant for another application.
const REFUSED: &str = r#"
OTHER=$(curl -sf $ISSUER/token -H 'Content-Type: application/json' -d '{"sub": "user-1", "aud": "another-app"}' | jq -r .token)
curl -s $GATEWAY/v1/session-token -X POST -H "Authorization: Bearer $OTHER" -o /dev/null
until api $GATEWAY/v1/admin/refusals | jq -e '.items[0]' > /dev/null; do sleep 0.1; done
"#;

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readme() {
    let page = include_str!("../../../README.md");
    let dev = Dev::start().await;
    let printed = Walk::of(page)
        .without("cargo run -- dev", "it runs already")
        .without("cargo test", "it runs this")
        .without("apt-get install", "the next test looks at it")
        .without(
            "npm pack",
            "the browser's tests open this page with this version",
        )
        .without("cp .env.example", "it wants containers")
        .without(
            "# 1. Once, as",
            "store/migrations.rs has an owner who is no superuser",
        )
        .typing(
            ":",
            "GATEWAY=http://127.0.0.1:8080 ISSUER=http://127.0.0.1:8082 ANAM=http://127.0.0.1:8083",
        )
        .typing(
            "OWNER_URL=$OWNER_URL",
            "OWNER_URL='postgres://postgres@localhost/persona_gateway?host=...'",
        )
        .run(&dev)
        .await;

    has(
        out(&printed, "Choose some of it"),
        &["\"avatars\"", "\"tone\":\"cheerful\"", "\"contexts\""],
    );
    has(
        out(&printed, "mint() {"),
        &[
            "{\"sessionToken\":",
            "{\"sessionToken\":",
            "{\"sessionToken\":",
            "{\"sessionToken\":",
            "{\"sessionToken\":",
            "{\"sessionToken\":",
            "{\"error\":\"Authentication failed\"}",
            "{\"error\":\"Invalid configuration\"}",
            "{\"error\":\"Service unavailable\"}",
            "{\"error\":\"Network error\"}",
        ],
    );
    has(
        out(&printed, "apply --dry-run examples/tenant.yaml"),
        &[
            "dry run: nothing was changed",
            "tenant acme: nothing to change, 14 unchanged",
            "tenant: acme",
        ],
    );
    let plan = out(&printed, "apply --dry-run examples/tenant.yaml");
    assert!(!plan.contains("\n  ! "), "the example warns: {plan}");
    let version = out(&printed, "'a shorter greeting'").lines().last();
    assert_eq!(version, Some("2"));
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_walk_of_admins() {
    let page = include_str!("../../../docs/ADMIN.md");
    let dev = Dev::start().await;
    let printed = Walk::of(page).run(&dev).await;
    let out: String = printed.into_iter().map(|printed| printed.out).collect();
    // What a reader sees, in its order.
    has(
        &out,
        &[
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
        ],
    );
    dev.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn databases() {
    let page = include_str!("../../../docs/DATABASES.md");
    let dev = Dev::start().await;
    Walk::of(page)
        .without(
            "MIGRATE_DATABASE_URL",
            "store/roles.rs does it with an owner",
        )
        .without("create role", "store/roles.rs runs what is printed")
        .run(&dev)
        .await;
    dev.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bundles() {
    let page = include_str!("../../../docs/BUNDLES.md");
    let dev = Dev::start().await;
    let printed = Walk::of(page)
        .given(SETTINGS)
        .given("cp examples/tenant.yaml tenant.yaml")
        .given("printf 'issuer: %s\\naudiences: [everybody]\\nalgorithms: [RS256]\\nkeys: {discovery: true}\\n' $ISSUER > issuer.yaml")
        .typing(
            "persona-gateway shared-issuer remove $(persona-gateway shared-issuer list | head -1 | cut -d ' ' -f 1)",
            "persona-gateway shared-issuer remove ID",
        )
        .run(&dev)
        .await;
    has(
        out(&printed, "apply --dry-run tenant.yaml"),
        &["dry run: nothing was changed", "tenant acme"],
    );
    dev.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bundles_elsewhere() {
    let page = include_str!("../../../docs/admin/as-code.md");
    let dev = Dev::start().await;
    let printed = Walk::of(page)
        .given(SETTINGS)
        .given("persona-gateway export demo > acme.yaml")
        .typing("$KEY   ", "pgk_...")
        .typing("$GATEWAY", "https://personas.acme.example")
        .run(&dev)
        .await;
    has(
        out(&printed, "apply --dry-run acme.yaml"),
        &[
            "tenant demo: nothing to change",
            "tenant demo: nothing to change",
        ],
    );
    has(
        out(&printed, "bundle:apply"),
        &[
            "\"tenant\":\"demo\"",
            "{\"tenant\":\"demo\",\"steps\":[{\"verb\":\"create\",\"target\":\"snippet/farewell\"",
        ],
    );
    dev.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people() {
    let page = include_str!("../../../docs/admin/people.md");
    let dev = Dev::start().await;
    dev.write("password.txt", "a good long password\n");
    let printed = Walk::of(page)
        .given(SETTINGS)
        .without(
            "curl -s -X PUT $GATEWAY/v1/admin/sso",
            "admin/sso.rs does it with an OpenID provider",
        )
        .without(
            "VERIFIER=$(openssl",
            "admin/sso_code.rs does it with an OpenID provider",
        )
        .typing(
            "--tenant acme $(persona-gateway api-key list --tenant acme | cut -d ' ' -f 3)",
            "--tenant acme pgk_7Yd3mZ0q",
        )
        .typing(
            "--role owner < password.txt",
            "--role owner    # asks for a password",
        )
        .typing(
            "| tee invitation.json | jq '{token, expiresAt}'",
            "| jq '{token, expiresAt}'",
        )
        .typing("\"'$(jq -r .token invitation.json)'\"", "\"pgi_...\"")
        .typing(
            "| tee key.json | jq '{id, prefix, key}'; ID=$(jq -r .id key.json)",
            "| jq '{id, prefix, key}'",
        )
        .run(&dev)
        .await;
    has(
        out(&printed, "ANN=$("),
        &["\"email\": \"ann@acme.example\""],
    );
    has(
        out(&printed, "invitations:accept"),
        &["\"role\": \"viewer\"", "cid@acme.example"],
    );
    has(out(&printed, ":rotate"), &["\"replaces\"", "204"]);
    has(
        out(&printed, "tenants/beta:suspend"),
        &["\"slug\": \"beta\"", "204"],
    );
    dev.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn previews() {
    let page = include_str!("../../../docs/admin/previews.md");
    let dev = Dev::start().await;
    let printed = Walk::of(page).given(DRAFT).given(MINT).run(&dev).await;
    has(out(&printed, "/preview"), &["\"personaConfig\""]);
    dev.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions() {
    let page = include_str!("../../../docs/admin/sessions.md");
    let dev = Dev::start().await;
    let printed = Walk::of(page)
        .given(SETTINGS)
        .given(DRAFT)
        .given(MINT)
        .given(REFUSED)
        .given("SESSION=$(curl -s $GATEWAY/v1/admin/sessions -H \"Authorization: Bearer $KEY\" | jq -r '.items[0].id')")
        .typing("$(curl -s $GATEWAY/v1/admin/audit/keys -H \"Authorization: Bearer $KEY\" | jq -r '.items[0].publicKey')", "$PUBLIC_KEY")
        .run(&dev)
        .await;
    has(
        out(&printed, "audit verify"),
        &["Good. Rows: ", ", checkpoints: "],
    );
    dev.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn furniture() {
    let page = include_str!("../../../docs/admin/tenant.md");
    let dev = Dev::start().await;
    let printed = Walk::of(page)
        .typing(":", "export GATEWAY=http://127.0.0.1:8080 KEY=pgk_...")
        .run(&dev)
        .await;
    has(
        out(&printed, "preferences:import?dryRun=true"),
        &["changed"],
    );
    dev.stop().await;
}
