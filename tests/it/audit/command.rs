//! `persona-gateway audit`: export, and verification far from any database.

use serde_json::Value;

use super::Trail;
use crate::harness::cli::{Ended, Folder, environment_of, program};

/// Verifies a text with the trail's public key.
async fn verify(folder: &Folder, text: &str, key: &str) -> Ended {
    let file = folder.write("trail.ndjson", text);
    program(&["audit", "verify", &file, "--public-key", key])
        .run()
        .await
}

#[tokio::test]
async fn an_exported_trail_is_verified_without_a_database() {
    let trail = Trail::new().await;
    let environment = environment_of(&trail.bench);
    let exported = program(&["audit", "export", "--tenant", "acme"])
        .envs(&environment)
        .run()
        .await;
    assert_eq!(exported.code, Some(0), "{exported:?}");
    let lines: Vec<Value> = exported
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 12, "head, nine rows, a checkpoint, end");
    assert_eq!(lines[0]["format"], "persona-gateway audit 1");
    assert_eq!(lines[7]["checkpoint"]["seq"], 6);
    assert_eq!(lines[11]["end"]["rows"], 9);

    let keys = program(&["audit", "keys"]).envs(&environment).run().await;
    let key = keys.out.split_whitespace().last().unwrap().to_owned();
    assert_eq!(key, trail.public_key());

    let folder = Folder::new();
    let good = verify(&folder, &exported.out, &key).await;
    assert_eq!(good.code, Some(0), "{good:?}");
    assert_eq!(
        good.out,
        "Good. Rows: 9, checkpoints: 1.\nRows after 6 have no checkpoint yet.\n"
    );
    let file = folder.write("again.ndjson", &exported.out);
    let unchecked = program(&["audit", "verify", &file]).run().await;
    assert!(unchecked.out.contains("were not checked"), "{unchecked:?}");
    let stored = program(&["audit", "verify", "--tenant", "acme"])
        .envs(&environment)
        .run()
        .await;
    assert_eq!((stored.code, stored.out), (Some(0), good.out));
}

#[tokio::test]
async fn a_tampered_file_is_refused_and_the_row_named() {
    let trail = Trail::new().await;
    let text = trail.export().await;
    let lines: Vec<&str> = text.lines().collect();
    let key = trail.public_key();
    let folder = Folder::new();
    let join = |lines: &[&str]| lines.join("\n") + "\n";
    let without = |at: usize| {
        let mut left = lines.clone();
        left.remove(at);
        join(&left)
    };
    let swapped = |one: usize, other: usize| {
        let mut lines = lines.clone();
        lines.swap(one, other);
        join(&lines)
    };
    let mut doubled = lines.clone();
    doubled.insert(5, lines[4]);
    let other_key = "00".repeat(32);
    for (text, key, why) in [
        (
            text.replace("snippet/s4", "snippet/x4"),
            &key,
            "BAD: row 4 was changed",
        ),
        (without(4), &key, "BAD: row 4 is missing"),
        (swapped(4, 5), &key, "BAD: row 5 is out of order"),
        (join(&doubled), &key, "BAD: row 4 was inserted"),
        (join(&lines[..5]), &key, "the file broke off"),
        (
            join(&[&lines[..4], &lines[7..8], &lines[11..]].concat()),
            &key,
            "BAD: rows 4 to 6 are missing",
        ),
        (without(7), &key, "its last line counts 10"),
        (without(0), &key, "does not begin like an audit export"),
        (
            text.replace("\"signature\":\"", "\"signature\":\"00"),
            &key,
            "BAD: the checkpoint at row 6 has a bad signature",
        ),
        (text.clone(), &other_key, "is signed by the key"),
        (text.clone() + "{}\n", &key, "no line of an audit export"),
        (String::new(), &key, "does not begin like an audit export"),
    ] {
        let ended = verify(&folder, &text, key).await;
        assert_eq!(ended.code, Some(1), "{why}: {ended:?}");
        assert!(ended.err.contains(why), "{why}: {ended:?}");
        assert_eq!(ended.out, "", "{why}");
    }
}

#[tokio::test]
async fn a_tampered_database_is_told_by_the_command() {
    let trail = Trail::new().await;
    trail
        .bench
        .database
        .sql("set session_replication_role = replica; update audit_event set actor = 'eve' where seq = 7")
        .await;
    let ended = program(&["audit", "verify", "--tenant", "acme"])
        .envs(&environment_of(&trail.bench))
        .run()
        .await;
    assert_eq!(ended.code, Some(1));
    assert_eq!(ended.err, "BAD: row 7 was changed after it was written.\n");
}
