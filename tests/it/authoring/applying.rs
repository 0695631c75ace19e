//! What applying changes, and what it leaves alone.

use persona_gateway::authoring::plan::{Action, Plan};

use crate::harness::sql;
use crate::harness::tenants::Bench;

/// The demo tenant's bundle with an issuer that nobody has to serve.
pub(super) fn demo() -> String {
    format!(
        "{}{}",
        include_str!("../../../src/dev/demo.yaml"),
        "issuers:\n  - {issuer: 'https://issuer.example', audiences: [demo], algorithms: [RS256], keys: {discovery: true}}\n"
    )
}

const SMALL: &str = "
tenant: acme
snippets:
  rules: {text: Be kind.}
  closing: {text: Say goodbye.}
personas:
  guide: {name: Guide, systemPrompt: 'Hi. {{ snippets.rules }}', avatarId: 071b0286-4cce-4808-bee2-e642f1062de3, voiceId: de23e340-1416-4dd8-977d-065a7ca11697, llmId: a7cf662c-2ace-4de1-a21e-ef0fbf144bb7}
  loner: {name: Loner, systemPrompt: 'Hi.', avatarId: 071b0286-4cce-4808-bee2-e642f1062de3, voiceId: de23e340-1416-4dd8-977d-065a7ca11697, llmId: a7cf662c-2ace-4de1-a21e-ef0fbf144bb7}
contexts:
  default: {default: guide}
  other: {default: loner, aliases: [another]}
";

fn steps(plan: &Plan) -> Vec<(Action, &str)> {
    plan.steps
        .iter()
        .map(|step| (step.verb, step.target.as_str()))
        .collect()
}

#[tokio::test]
async fn a_second_application_changes_nothing() {
    let bench = Bench::new().await;
    let first = bench.apply(&demo()).await.unwrap();
    assert!(first.steps.len() > 14, "{first}");
    let mut owner = bench.database.owner().await;
    let counts = "select (select count(*) from document_version) + (select count(*) from release)
                  + (select count(*) from audit_event) + (select sum(revision) from config_revision) as n";
    let before = sql::number(&mut owner, counts).await.unwrap();
    let second = bench
        .apply_with(&demo(), |options| options.prune = true)
        .await
        .unwrap();
    assert_eq!(
        (steps(&second), second.left_alone.len()),
        (vec![], 0),
        "{second}"
    );
    assert_eq!(sql::number(&mut owner, counts).await.unwrap(), before);
}

#[tokio::test]
async fn a_dry_run_tells_the_same_plan_and_changes_nothing() {
    let bench = Bench::new().await;
    bench.apply(SMALL).await.unwrap();
    let changed = SMALL.replace("Be kind", "Be brief");
    let before = bench.export("acme").await;
    let planned = bench
        .apply_with(&changed, |options| options.dry_run = true)
        .await
        .unwrap();
    assert_eq!(bench.export("acme").await, before);
    let done = bench.apply(&changed).await.unwrap();
    assert_eq!(planned, done);
    assert_ne!(bench.export("acme").await, before);
}

#[tokio::test]
async fn a_changed_snippet_gives_every_persona_that_includes_it_a_new_version() {
    let bench = Bench::new().await;
    bench.apply(SMALL).await.unwrap();
    let plan = bench
        .apply(&SMALL.replace("Be kind", "Be brief"))
        .await
        .unwrap();
    assert_eq!(
        steps(&plan),
        [
            (Action::Change, "snippet/rules"),
            (Action::Change, "persona/guide")
        ],
        "and no other persona"
    );
    let mut owner = bench.database.owner().await;
    let pins = sql::texts(
        &mut owner,
        "select v.number || ' pins ' || (v.content -> 'snippets' ->> 'rules') from document d
         join document_version v on v.document_id = d.id where d.key = 'guide' order by v.number",
    )
    .await;
    assert_eq!(pins, ["1 pins 1", "2 pins 2"]);
}

#[tokio::test]
async fn a_pin_that_the_bundle_gives_stays() {
    let bench = Bench::new().await;
    bench.apply(SMALL).await.unwrap();
    let pinned = SMALL
        .replace("Be kind", "Be brief")
        .replace("{name: Guide,", "{name: Guide, snippets: {rules: 1},");
    let plan = bench.apply(&pinned).await.unwrap();
    assert_eq!(steps(&plan), [(Action::Change, "snippet/rules")]);
}

#[tokio::test]
async fn what_the_bundle_does_not_have_is_left_alone_and_named() {
    let bench = Bench::new().await;
    bench.apply(SMALL).await.unwrap();
    let plan = bench
        .apply("tenant: acme\nsnippets: {rules: {text: Be kind.}}\ncontexts: {default: {default: guide}}")
        .await
        .unwrap();
    assert_eq!(steps(&plan), []);
    assert_eq!(plan.left_alone, ["snippet/closing", "context/other"]);
}

#[tokio::test]
async fn pruning_archives_what_the_sections_of_the_bundle_leave_out() {
    let bench = Bench::new().await;
    bench.apply(SMALL).await.unwrap();
    let fewer = "
tenant: acme
snippets: {rules: {text: Be kind.}}
personas: {guide: {name: Guide, systemPrompt: 'Hi. {{ snippets.rules }}', avatarId: 071b0286-4cce-4808-bee2-e642f1062de3, voiceId: de23e340-1416-4dd8-977d-065a7ca11697, llmId: a7cf662c-2ace-4de1-a21e-ef0fbf144bb7}}
contexts: {default: {default: guide}}
";
    let plan = bench
        .apply_with(fewer, |options| options.prune = true)
        .await
        .unwrap();
    assert_eq!(
        steps(&plan),
        [
            (Action::Remove, "snippet/closing"),
            (Action::Remove, "persona/loner"),
            (Action::Remove, "context/other")
        ]
    );
    let exported = bench.export("acme").await;
    assert!(exported["personas"].get("loner").is_none(), "{exported}");
    assert!(exported["contexts"].get("other").is_none(), "{exported}");

    let plan = bench.apply(SMALL).await.unwrap();
    assert_eq!(
        steps(&plan),
        [
            (Action::Create, "snippet/closing"),
            (Action::Create, "persona/loner"),
            (Action::Create, "context/other")
        ],
        "and all of it can come back"
    );
    assert!(
        bench.export("acme").await["personas"]
            .get("loner")
            .is_some()
    );
}

#[tokio::test]
async fn a_section_without_documents_prunes_all_of_them() {
    let bench = Bench::new().await;
    bench.apply(SMALL).await.unwrap();
    let none = "tenant: acme\nsnippets: {}\npersonas: {}\ncontexts: {}";
    let plan = bench.apply(none).await.unwrap();
    assert_eq!(plan.left_alone.len(), 6, "{plan}");
    let plan = bench
        .apply_with(none, |options| options.prune = true)
        .await
        .unwrap();
    assert_eq!(plan.steps.len(), 6, "{plan}");
    assert!(plan.steps.iter().all(|step| step.verb == Action::Remove));
}

#[tokio::test]
async fn sections_that_are_absent_are_left_as_they_are() {
    let bench = Bench::new().await;
    bench.apply(&demo()).await.unwrap();
    let before = bench.export("demo").await;
    let plan = bench
        .apply_with("tenant: demo", |options| options.prune = true)
        .await
        .unwrap();
    assert_eq!((steps(&plan), plan.left_alone.len()), (vec![], 0));
    assert_eq!(bench.export("demo").await, before);
}

#[tokio::test]
async fn an_issuer_that_was_switched_off_by_hand_comes_back_with_the_bundle() {
    let bench = Bench::new().await;
    bench.apply(&demo()).await.unwrap();
    let mut owner = bench.database.owner().await;
    sql::run(&mut owner, "update issuer set enabled = false")
        .await
        .unwrap();
    assert_eq!(bench.export("demo").await["issuers"], serde_json::json!([]));
    let plan = bench.apply(&demo()).await.unwrap();
    assert_eq!(
        steps(&plan),
        [(Action::Change, "issuer/https://issuer.example")]
    );
    let enabled = sql::number(&mut owner, "select count(*) from issuer where enabled").await;
    assert_eq!(enabled.unwrap(), 1);
}

#[tokio::test]
async fn audiences_can_be_moved_between_issuers_of_one_url() {
    let bench = Bench::new().await;
    let issuers = |first: &str, second: &str| {
        let issuer = |audience: &str| {
            format!(
                "  - {{issuer: 'https://i.example', audiences: [{audience}], algorithms: [RS256], keys: {{discovery: true}}}}\n"
            )
        };
        format!(
            "tenant: acme\nissuers:\n{}{}",
            issuer(first),
            issuer(second)
        )
    };
    bench.apply(&issuers("a", "b")).await.unwrap();
    let plan = bench.apply(&issuers("b", "a")).await.unwrap();
    assert_eq!(steps(&plan), [], "{plan}");
}

#[tokio::test]
async fn bundles_applied_at_the_same_time_come_one_after_the_other() {
    let bench = Bench::new().await;
    bench.apply(SMALL).await.unwrap();
    let bundles: Vec<String> = (0..6)
        .map(|number| SMALL.replace("Be kind", &format!("Rule {number}")))
        .collect();
    let applied =
        futures_util::future::join_all(bundles.iter().map(|bundle| bench.apply(bundle))).await;
    for plan in applied {
        assert_eq!(
            steps(&plan.unwrap()),
            [
                (Action::Change, "snippet/rules"),
                (Action::Change, "persona/guide")
            ]
        );
    }
    let mut owner = bench.database.owner().await;
    let versions = sql::texts(
        &mut owner,
        "select v.number || ' pins ' || (v.content -> 'snippets' ->> 'rules') from document d
         join document_version v on v.document_id = d.id where d.key = 'guide' order by v.number",
    )
    .await;
    let each: Vec<String> = (1..=7)
        .map(|number| format!("{number} pins {number}"))
        .collect();
    assert_eq!(versions, each, "each one built on the one before");
}
