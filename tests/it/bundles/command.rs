//! `apply` and `export` against a gateway elsewhere.

use persona_gateway::domain::role::Role;
use serde_json::Value;

use super::remote::service;
use crate::harness::TestApp;
use crate::harness::cli::{Ended, Folder, program};

const BUNDLE: &str = "
tenant: acme
providerKey: {env: ACME_KEY}
snippets:
  rules:
    text: |
      Be kind.
      Be brief.
personas:
  guide: {name: Guide, systemPrompt: 'Hi. {{ snippets.rules }}', avatarId: 071b0286-4cce-4808-bee2-e642f1062de3, voiceId: de23e340-1416-4dd8-977d-065a7ca11697, llmId: a7cf662c-2ace-4de1-a21e-ef0fbf144bb7}
contexts:
  default: {default: guide}
";

struct Desk {
    app: TestApp,
    folder: Folder,
    key: String,
}

impl Desk {
    async fn new(role: Role) -> Self {
        let app = Box::pin(service(&["acme"])).await;
        let key = app.admin_key("acme", role).await;
        Self {
            app,
            folder: Folder::new(),
            key,
        }
    }

    /// Runs a command with nothing but the key in its environment: no database, no master key.
    async fn run(&self, args: &[&str]) -> Ended {
        let server = self.app.url("");
        let args = [args, &["--server", server.as_str()]].concat();
        program(&args)
            .env("PERSONA_GATEWAY_KEY", &self.key)
            .env("ACME_KEY", "anam-key-of-acme-0001")
            .folder(self.folder.path())
            .run()
            .await
    }
}

#[tokio::test]
async fn a_tenant_is_applied_and_exported_with_nothing_but_a_key() {
    let desk = Desk::new(Role::Owner).await;
    desk.folder.write("acme.yaml", BUNDLE);
    let dry = desk.run(&["apply", "--dry-run", "acme.yaml"]).await;
    assert_eq!((dry.code, dry.err.as_str()), (Some(0), ""));
    assert!(
        dry.out
            .starts_with("tenant acme: 4 changes to make, 1 unchanged\n"),
        "{}",
        dry.out
    );
    assert!(
        dry.out.ends_with("  (dry run: nothing was changed)\n"),
        "{}",
        dry.out
    );

    let done = desk
        .run(&["apply", "acme.yaml", "--message", "first"])
        .await;
    assert_eq!((done.code, done.err.as_str()), (Some(0), ""));
    assert!(
        done.out.contains("  + provider_key (ends in 0001)\n"),
        "{}",
        done.out
    );
    assert!(!done.out.contains("anam-key-of"), "{}", done.out);

    let exported = desk.run(&["export"]).await;
    assert_eq!((exported.code, exported.err.as_str()), (Some(0), ""));
    desk.folder.write("exported.yaml", &exported.out);
    let again = desk.run(&["apply", "--prune", "exported.yaml"]).await;
    assert_eq!(
        (again.code, again.out.as_str()),
        (Some(0), "tenant acme: nothing to change, 5 unchanged\n")
    );

    desk.folder
        .write("acme.yaml", BUNDLE.replace("Be brief", "Be quick"));
    let plan = desk.run(&["apply", "--dry-run", "acme.yaml"]).await;
    let diff = "  ~ snippet/rules (version 1 to 2)\n      /text:\n        @@ -1,2 +1,2 @@\n         Be kind.\n        -Be brief.\n        +Be quick.\n";
    assert!(plan.out.contains(diff), "{}", plan.out);
    assert!(!plan.out.contains('\u{1b}'), "no colour without a terminal");
    let json = desk
        .run(&["apply", "--dry-run", "--json", "acme.yaml"])
        .await;
    let plan: Value = serde_json::from_str(json.out.trim()).unwrap();
    assert_eq!(plan["steps"][0]["target"], "snippet/rules");
    desk.app.stop().await;
}

#[tokio::test]
async fn faults_that_the_gateway_finds_have_their_lines() {
    let desk = Desk::new(Role::Owner).await;
    desk.folder.write(
        "acme.yaml",
        "tenant: acme\npersonas: {}\ncontexts:\n  default:\n    default: nobody\n",
    );
    let ended = desk.run(&["apply", "acme.yaml"]).await;
    assert_eq!((ended.code, ended.out.as_str()), (Some(2), ""));
    assert!(
        ended
            .err
            .starts_with("acme.yaml:5:5: /contexts/default/default: gives the persona `nobody`"),
        "{}",
        ended.err
    );
    desk.folder
        .write("acme.yaml", "tenant: acme\nproviderKey: {env: UNSET}\n");
    let ended = desk.run(&["apply", "acme.yaml"]).await;
    assert_eq!(ended.code, Some(2));
    assert!(
        ended
            .err
            .starts_with("acme.yaml:2:1: /providerKey: the environment variable UNSET is not set"),
        "{}",
        ended.err
    );
    desk.app.stop().await;
}

#[tokio::test]
async fn a_key_that_may_not_is_told_what_it_lacks() {
    let desk = Desk::new(Role::Publisher).await;
    desk.folder.write("acme.yaml", BUNDLE);
    let ended = desk.run(&["apply", "acme.yaml"]).await;
    assert_eq!((ended.code, ended.out.as_str()), (Some(2), ""));
    assert!(
        ended.err.contains("provider_key (needs owner)"),
        "{}",
        ended.err
    );
    assert!(
        ended.err.ends_with("Nothing of it was applied.\n"),
        "{}",
        ended.err
    );
    let file = desk.folder.write("key", "pgk_wrong\n");
    let ended = desk.run(&["export", "--key-file", &file]).await;
    assert_eq!(ended.code, Some(1));
    assert!(ended.err.contains("unauthenticated"), "{}", ended.err);
    let ended = desk.run(&["export", "someone-else"]).await;
    assert_eq!(ended.code, Some(1));
    assert!(
        ended
            .err
            .contains("does not belong to the tenant `someone-else`"),
        "{}",
        ended.err
    );
    desk.app.stop().await;
}

#[tokio::test]
async fn a_key_is_not_sent_in_the_clear_and_must_be_there() {
    let ended = program(&["export", "--server", "http://gateway.example"])
        .env("PERSONA_GATEWAY_KEY", "pgk_x")
        .run()
        .await;
    assert_eq!(ended.code, Some(1));
    assert!(
        ended.err.contains("must start with https://"),
        "{}",
        ended.err
    );
    let ended = program(&["export", "--server", "https://gateway.example"])
        .run()
        .await;
    assert_eq!(ended.code, Some(1));
    assert!(
        ended.err.contains("set PERSONA_GATEWAY_KEY"),
        "{}",
        ended.err
    );
    let ended = program(&["export", "--server", "http://127.0.0.1:1"])
        .env("PERSONA_GATEWAY_KEY", "pgk_x")
        .run()
        .await;
    assert_eq!(ended.code, Some(1));
    assert!(ended.err.contains("can't be reached"), "{}", ended.err);
}

#[tokio::test]
async fn the_schema_is_printed() {
    let ended = program(&["schema"]).run().await;
    assert_eq!(ended.code, Some(0));
    assert_eq!(ended.out, include_str!("../../../docs/bundle.schema.json"));
}
