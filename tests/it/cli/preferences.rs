//! `preferences import`.

use std::fmt::Write as _;

use crate::harness::cli::{Ended, Folder, environment_of, program};
use crate::harness::sql;
use crate::harness::tenants::Bench;

async fn bench() -> Bench {
    let bench = Bench::new().await;
    bench
        .apply(
            "tenant: acme
policy: {preferences: {color: {values: [blue, red]}}}
catalogue: {avatars: [{id: a1, name: One}, {id: a2, name: Two}]}",
        )
        .await
        .unwrap();
    bench
}

async fn import(bench: &Bench, text: &str) -> Ended {
    import_with(bench, text, &[]).await
}

async fn import_with(bench: &Bench, text: &str, more: &[&str]) -> Ended {
    let folder = Folder::new();
    folder.write("users.ndjson", text);
    let args = ["preferences", "import", "users.ndjson", "--tenant", "acme"];
    program(&[&args, more].concat())
        .envs(&environment_of(bench))
        .folder(folder.path())
        .run()
        .await
}

fn good(lines: usize) -> String {
    let mut text = String::new();
    for number in 0..lines {
        let color = if number % 2 == 0 { "blue" } else { "red" };
        writeln!(
            text,
            r#"{{"subject":"user-{number}","preferences":{{"avatarId":"a{}","color":"{color}"}}}}"#,
            number % 2 + 1
        )
        .unwrap();
    }
    text
}

#[tokio::test]
async fn five_thousand_users_are_imported_and_again_without_harm() {
    let bench = bench().await;
    let mut owner = bench.database.owner().await;
    // What is the same already is not written again: a user's own page keeps its ETag.
    for counts in ["5000 changed, 0 unchanged", "0 changed, 5000 unchanged"] {
        let ended = import(&bench, &good(5_000)).await;
        assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
        assert_eq!(
            ended.out,
            format!("Preferences of users of acme: {counts}.\n")
        );
        let rows = "select count(*) from preference where version = 1
             and choices = jsonb_build_object('avatarId', 'a' || (substr(subject, 6)::int % 2 + 1),
                                              'color', case substr(subject, 6)::int % 2 when 0 then 'blue' else 'red' end)";
        assert_eq!(sql::number(&mut owner, rows).await.unwrap(), 5_000);
    }
    // Each transaction that changed something is told, and the second run changed nothing.
    let told = "select count(*), sum((details ->> 'changed')::int) as changed, min(actor) as actor
        from audit_event where action = 'preference.import'";
    assert_eq!(
        bench.database.rows(told).await,
        [serde_json::json!({ "count": 5, "changed": 5_000, "actor": "cli:tester" })]
    );
}

#[tokio::test]
async fn a_dry_run_tells_what_would_change_and_changes_nothing() {
    let bench = bench().await;
    import(&bench, &good(3)).await;
    let ended = import_with(&bench, &good(5), &["--dry-run"]).await;
    assert_eq!(
        (ended.code, ended.out.as_str()),
        (
            Some(0),
            "Preferences of users of acme: 2 changed, 3 unchanged.\n(dry run: nothing was changed)\n"
        )
    );
    let mut owner = bench.database.owner().await;
    let rows = sql::number(&mut owner, "select count(*) from preference").await;
    assert_eq!(rows.unwrap(), 3);
}

#[tokio::test]
async fn a_file_with_bad_lines_is_refused_whole_with_their_numbers() {
    let bench = bench().await;
    let mut text = good(2_500);
    text.push_str(
        r#"
{"subject":"x","preferences":{"avatarId":"a9"}}
{"subject":"","preferences":{}}
{"subject":"x"}
{"subject":"x","preferences":{},"more":1}
{"subject":"x","subject":"y","preferences":{}}
[1]
not json
{"subject":"x","preferences":{"color":"green"}}
{"subject":"fine","preferences":{}}
"#,
    );
    let ended = import(&bench, &text).await;
    assert_eq!((ended.code, ended.out.as_str()), (Some(2), ""));
    let lines: Vec<&str> = ended.err.lines().collect();
    for (line, number) in lines.iter().zip(2_502..) {
        if number < 2_510 {
            assert!(
                line.starts_with(&format!("users.ndjson:{number}: ")),
                "{line}"
            );
        }
    }
    assert_eq!(lines.len(), 9, "{}", ended.err);
    assert_eq!(lines[8], "Nothing was imported.");
    let mut owner = bench.database.owner().await;
    assert_eq!(
        sql::number(&mut owner, "select count(*) from preference")
            .await
            .unwrap(),
        0
    );
}

#[tokio::test]
async fn of_two_lines_for_one_user_the_later_one_counts() {
    let bench = bench().await;
    let line = |color: &str| format!(r#"{{"subject":"u","preferences":{{"color":"{color}"}}}}"#);
    let ended = import(&bench, &format!("{}\n\n{}", line("blue"), line("red"))).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let mut owner = bench.database.owner().await;
    let kept = sql::texts(&mut owner, "select choices ->> 'color' from preference").await;
    assert_eq!(kept, ["red"]);
}

#[tokio::test]
async fn a_line_without_end_is_refused_before_it_fills_memory() {
    let bench = bench().await;
    let ended = import(&bench, &format!("{}{}", good(1), "x".repeat(200_000))).await;
    assert_eq!(ended.code, Some(1));
    assert!(
        ended
            .err
            .contains("users.ndjson:2: the line is longer than 64 kB"),
        "{}",
        ended.err
    );
}

#[tokio::test]
async fn a_hopeless_file_is_given_up_after_fifty_lines() {
    let bench = bench().await;
    let ended = import(&bench, &"nonsense\n".repeat(10_000)).await;
    assert_eq!(ended.code, Some(1));
    assert!(ended.err.contains("gave up at line 50"), "{}", ended.err);
    assert!(ended.err.lines().count() < 60, "{}", ended.err);
}
