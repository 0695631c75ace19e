//! The Express server beside which the gateway is measured: its packages, its tables, its command.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;
use serde_json::{Value, json};
use sqlx::Executor as _;

use super::bundle::{self, AUDIENCE, SITUATIONS, TENANTS};
use super::database::{Database, copy};
use super::process;
use super::users::{Issuers, preferences, subject};

pub(super) const DATABASE: &str = "express";

const FILES: [(&str, &str); 3] = [
    ("package.json", include_str!("../express/package.json")),
    (
        "package-lock.json",
        include_str!("../express/package-lock.json"),
    ),
    ("server.js", include_str!("../express/server.js")),
];

/// Puts the server with its packages below `target`; where npm or node is missing, says how to get it.
pub(super) async fn install() -> anyhow::Result<PathBuf> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("bench")
        .join("express");
    tokio::fs::create_dir_all(&folder).await?;
    let installed = folder.join("installed-lock.json");
    let is_installed = std::fs::read_to_string(&installed)
        .is_ok_and(|lock| FILES.iter().any(|(_, file)| *file == lock));
    for (name, text) in FILES {
        tokio::fs::write(folder.join(name), text).await?;
    }
    let how =
        "get Node.js 20 or later with npm (https://nodejs.org, or `apt-get install nodejs npm`)";
    let mut node = Command::new("node");
    node.arg("--version");
    process::run("node", node).await.context(how)?;
    if !is_installed {
        let mut npm = Command::new("npm");
        npm.args([
            "ci",
            "--omit=dev",
            "--no-audit",
            "--no-fund",
            "--ignore-scripts",
        ])
        .current_dir(&folder);
        process::run("npm ci", npm).await.context(how)?;
        tokio::fs::copy(folder.join("package-lock.json"), installed).await?;
    }
    Ok(folder)
}

/// The same tenants, personas and users as the gateway has.
pub(super) async fn fill(database: &Database, users: u32) -> anyhow::Result<()> {
    database.create(DATABASE).await?;
    let mut connection = database.connect(DATABASE).await?;
    connection
        .execute(include_str!("../express/schema.sql"))
        .await?;
    let (mut personas, mut chosen) = (String::new(), String::new());
    for tenant in TENANTS {
        for situation in &SITUATIONS {
            let persona = bundle::persona(tenant, situation);
            let members = [
                "name",
                "systemPrompt",
                "avatarId",
                "voiceId",
                "llmId",
                "languageCode",
            ];
            let fields = members.map(|member| field(persona.get(member)));
            writeln!(
                personas,
                "{tenant}\t{}\t{}\t{}",
                situation.key,
                fields.join("\t"),
                situation.seconds
            )?;
        }
        for user in 0..users {
            let preferences = preferences(user);
            let members = [
                "displayName",
                "avatarId",
                "voiceId",
                "llmId",
                "languageCode",
            ];
            let fields = members.map(|member| field(preferences.get(member)));
            writeln!(chosen, "{tenant}\t{}\t{}", subject(user), fields.join("\t"))?;
        }
    }
    copy(&mut connection, "copy personas from stdin", personas).await?;
    copy(&mut connection, "copy preferences from stdin", chosen).await?;
    connection.execute("analyze").await?;
    Ok(())
}

/// A value in the text form of COPY.
fn field(value: Option<&Value>) -> String {
    match value.and_then(Value::as_str) {
        Some(text) => text
            .replace('\\', "\\\\")
            .replace('\n', "\\n")
            .replace('\t', "\\t"),
        None => "\\N".to_owned(),
    }
}

/// Its command, as a process manager in production would give it.
pub(super) fn command(
    folder: &Path,
    database: &Database,
    issuers: &Issuers,
    port: u16,
) -> anyhow::Result<Command> {
    let tenants = issuers.urls();
    let tenants: Vec<Value> = tenants
        .map(|(tenant, issuer)| json!({ "tenant": tenant, "issuer": issuer, "audience": AUDIENCE }))
        .collect();
    let mut command = Command::new("node");
    command
        .arg("server.js")
        .current_dir(folder)
        .env("NODE_ENV", "production")
        .env("PORT", port.to_string())
        .env("PGHOST", database.socket_folder()?)
        .env("TENANTS", Value::from(tenants).to_string());
    Ok(command)
}
