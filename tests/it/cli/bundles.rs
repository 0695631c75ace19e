//! `apply` and `export`.

use crate::harness::cli::{Ended, Folder, environment_of, program};
use crate::harness::sql;
use crate::harness::tenants::Bench;

const BUNDLE: &str = "
tenant: acme
snippets:
  rules: {text: Be kind.}
personas:
  guide: {name: Guide, systemPrompt: 'Hi. {{ snippets.rules }}', avatarId: 071b0286-4cce-4808-bee2-e642f1062de3, voiceId: de23e340-1416-4dd8-977d-065a7ca11697, llmId: a7cf662c-2ace-4de1-a21e-ef0fbf144bb7}
contexts:
  default: {default: guide}
providerKey: {env: ACME_KEY}
issuers:
  - {issuer: 'https://i.example', audiences: [a], algorithms: [HS256], keys: {sharedSecret: true}, secret: {file: SECRET}}
";

struct Desk {
    bench: Bench,
    folder: Folder,
}

impl Desk {
    async fn new() -> Self {
        Self {
            bench: Bench::new().await,
            folder: Folder::new(),
        }
    }

    async fn apply(&self, args: &[&str], text: &str) -> Ended {
        self.folder.write("acme.yaml", text);
        program(&[&["apply", "acme.yaml"], args].concat())
            .envs(&environment_of(&self.bench))
            .env("ACME_KEY", "anam-key-of-acme-0001")
            .folder(self.folder.path())
            .run()
            .await
    }
}

#[tokio::test]
async fn apply_tells_its_plan_and_a_second_time_there_is_nothing_to_change() {
    let desk = Desk::new().await;
    let secret = desk
        .folder
        .write("secret", "a-shared-secret-of-more-than-32-bytes\n");
    let bundle = BUNDLE.replace("SECRET", &secret);

    let dry = desk.apply(&["--dry-run"], &bundle).await;
    assert_eq!((dry.code, dry.err.as_str()), (Some(0), ""));
    assert!(
        dry.out.contains("dry run: nothing was changed"),
        "{}",
        dry.out
    );
    let mut owner = desk.bench.database.owner().await;
    assert_eq!(
        sql::number(&mut owner, "select count(*) from tenant")
            .await
            .unwrap(),
        0
    );

    let done = desk.apply(&["--message", "first"], &bundle).await;
    assert_eq!((done.code, done.err.as_str()), (Some(0), ""));
    assert!(
        done.out.starts_with("tenant acme: 6 changes to make\n"),
        "{}",
        done.out
    );
    for line in [
        "  + tenant/acme",
        "  + persona/guide (version 1)",
        "  + provider_key (ends in 0001)",
    ] {
        assert!(done.out.contains(line), "{}", done.out);
    }
    let told = sql::texts(&mut owner, "select distinct actor from audit_event").await;
    assert_eq!(told, ["cli:tester"]);
    let message = sql::texts(&mut owner, "select distinct message from document_version").await;
    assert_eq!(message, ["first"]);

    let again = desk.apply(&["--prune"], &bundle).await;
    assert_eq!(
        (again.code, again.out.as_str()),
        (Some(0), "tenant acme: nothing to change, 6 unchanged\n")
    );

    for args in [vec![], vec!["--json"]] {
        let exported = program(&[&["export", "acme"], args.as_slice()].concat())
            .envs(&environment_of(&desk.bench))
            .run()
            .await;
        assert_eq!((exported.code, exported.err.as_str()), (Some(0), ""));
        assert!(!exported.out.contains("0001") && !exported.out.contains("shared-secret"));
        let back = desk.apply(&["--prune"], &exported.out).await;
        assert_eq!(
            (back.code, back.out.as_str()),
            (Some(0), "tenant acme: nothing to change, 6 unchanged\n"),
            "{back:?}"
        );
    }
}

#[tokio::test]
async fn a_bundle_with_faults_is_refused_whole_with_each_fault_and_its_line() {
    let desk = Desk::new().await;
    let ended = desk
        .apply(
            &[],
            "tenant: acme\nnonsense: 1\nsnippets:\n  rules: {txt: x}\npersonas:\n  guide:\n    name: Guide\n    systemPrompt: '{{ nothing }'\ncontexts:\n  default: {}\n",
        )
        .await;
    assert_eq!((ended.code, ended.out.as_str()), (Some(2), ""));
    let lines: Vec<&str> = ended.err.lines().collect();
    for start in [
        "acme.yaml:2:1: /nonsense: ",
        "acme.yaml:4:11: /snippets/rules/",
        "acme.yaml:8:5: /personas/guide/systemPrompt: ",
        "acme.yaml:10:3: /contexts/default",
    ] {
        assert!(
            lines.iter().any(|line| line.starts_with(start)),
            "{start}: {}",
            ended.err
        );
    }
    assert_eq!(lines.last(), Some(&"Nothing of it was applied."));
}

#[tokio::test]
async fn faults_that_the_database_shows_have_their_lines_too() {
    let desk = Desk::new().await;
    let ended = desk
        .apply(
            &[],
            "tenant: acme\npersonas: {}\ncontexts:\n  default:\n    default: nobody\n",
        )
        .await;
    assert_eq!(ended.code, Some(2));
    assert!(
        ended
            .err
            .starts_with("acme.yaml:5:5: /contexts/default/default: gives the persona `nobody`"),
        "{}",
        ended.err
    );
}

#[tokio::test]
async fn what_is_no_yaml_is_refused_with_its_place() {
    let desk = Desk::new().await;
    for (text, line) in [
        ("tenant: acme\na: [\n", "acme.yaml:3:1: not valid YAML"),
        (
            "tenant: acme\ntenant: acme\n",
            "acme.yaml:2:1: `tenant` is here twice, the first time at 1:1: keep one",
        ),
        ("a: &a 1\nb: *a\n", "acme.yaml:1:"),
        (
            "tenant: acme\npersonas:\n  mia:\n    name: Mia\n    initialMessage: {{ user.name }}\n",
            "acme.yaml:5:",
        ),
    ] {
        let ended = desk.apply(&[], text).await;
        assert_eq!(ended.code, Some(2), "{text}");
        assert!(ended.err.starts_with(line), "{}", ended.err);
    }
}

#[tokio::test]
async fn the_first_bundle_with_a_fault_keeps_all_from_being_applied() {
    let desk = Desk::new().await;
    let good = desk.folder.write("good.yaml", "tenant: good");
    let bad = desk.folder.write("bad.yaml", "tenant: BAD");
    let ended = program(&["apply", &good, &bad])
        .envs(&environment_of(&desk.bench))
        .run()
        .await;
    assert_eq!(ended.code, Some(2));
    let mut owner = desk.bench.database.owner().await;
    assert_eq!(
        sql::number(&mut owner, "select count(*) from tenant")
            .await
            .unwrap(),
        0
    );
}

#[tokio::test]
async fn a_file_or_a_database_that_is_not_there_gives_1_and_says_so() {
    let desk = Desk::new().await;
    let ended = program(&["apply", "missing.yaml"])
        .envs(&environment_of(&desk.bench))
        .run()
        .await;
    assert_eq!(ended.code, Some(1));
    assert!(
        ended.err.contains("missing.yaml can't be read"),
        "{}",
        ended.err
    );
    let file = desk.folder.write("good.yaml", "tenant: good");
    let ended = program(&["apply", &file])
        .envs(&environment_of(&desk.bench))
        .env(
            "DATABASE_URL",
            "postgres://app:hidden-password@127.0.0.1:1/gateway",
        )
        .env("GATEWAY__DATABASE__ACQUIRE_TIMEOUT_MS", "100")
        .run()
        .await;
    assert_eq!(ended.code, Some(1));
    assert!(
        ended.err.contains("database is not available"),
        "{}",
        ended.err
    );
    assert!(!ended.err.contains("hidden-password"), "{}", ended.err);
}

#[tokio::test]
async fn a_persona_that_could_not_be_used_is_warned_of() {
    let desk = Desk::new().await;
    let applied = desk
        .apply(
            &[],
            "tenant: acme\npersonas: {guide: {name: Guide, systemPrompt: Hi}}\n",
        )
        .await;
    assert_eq!(applied.code, Some(0), "{}", applied.err);
    for field in ["avatarId", "voiceId", "llmId"] {
        let warning = format!("! acme.yaml:2:12: /personas/guide/{field}: is missing");
        assert!(applied.out.contains(&warning), "{}", applied.out);
    }
}
