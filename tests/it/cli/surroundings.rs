//! What the environment says to other programs, and what the program says of itself.

use std::collections::BTreeSet;

use crate::harness::cli::{Folder, environment_of, program};
use crate::harness::tenants::Bench;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_taken_from_what_is_meant_for_libpq() {
    let bench = Bench::new().await;
    bench.apply("tenant: acme").await.unwrap();
    let home = Folder::new();
    let passwords = home.write(".pgpass", "*:*:*:*:wrong\n");
    std::fs::set_permissions(
        &passwords,
        std::os::unix::fs::PermissionsExt::from_mode(0o600),
    )
    .unwrap();
    let services = home.write(".pg_service.conf", "[other]\nhost=nowhere.invalid\n");
    let listed = program(&["tenant", "list"])
        .envs(&environment_of(&bench))
        .env("HOME", home.path().to_str().unwrap())
        .env("PGHOST", "nowhere.invalid")
        .env("PGHOSTADDR", "192.0.2.1")
        .env("PGPORT", "1")
        .env("PGUSER", "nobody")
        .env("PGPASSWORD", "wrong")
        .env("PGDATABASE", "nowhere")
        .env("PGSSLMODE", "verify-full")
        .env("PGAPPNAME", "another")
        .env("PGPASSFILE", &passwords)
        .env("PGSERVICE", "other")
        .env("PGSERVICEFILE", &services)
        .run()
        .await;
    assert_eq!(listed.code, Some(0), "{listed:?}");
    assert!(listed.out.contains("acme"), "{listed:?}");
}

/// The commands that `--help` lists.
async fn commands() -> BTreeSet<String> {
    let help = program(&["--help"]).run().await.out;
    let (_, listed) = help.split_once("Commands:\n").unwrap();
    let lines = listed.lines().take_while(|line| !line.is_empty());
    lines
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .map(ToOwned::to_owned)
        .collect()
}

#[tokio::test]
async fn every_command_is_listed_by_help_and_stands_in_the_changelog() {
    let changelog = include_str!("../../../CHANGELOG.md");
    let commands = commands().await;
    assert!(commands.len() > 15, "{commands:?}");
    let line = changelog
        .lines()
        .find(|line| line.starts_with("- The commands "))
        .unwrap();
    let told: BTreeSet<String> = line
        .split('`')
        .skip(1)
        .step_by(2)
        .map(|name| name.split(' ').next().unwrap().to_owned())
        .collect();
    assert_eq!(told, commands);
}
