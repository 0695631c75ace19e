//! What `login` leaves for later commands: one token a gateway, in a file that only its owner may read.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

/// A sign-in that goes on.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Credential {
    /// To be sent as a bearer token.
    pub(super) token: SecretString,
    pub(super) tenant: String,
    /// The end of the session.
    pub(super) expires_at: DateTime<Utc>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Written<'a> {
    token: &'a str,
    tenant: &'a str,
    expires_at: DateTime<Utc>,
}

pub(super) fn place() -> anyhow::Result<PathBuf> {
    let mut environment = crate::config::environment();
    let mut folder = |name: &str| {
        let path = environment.remove(name).map(PathBuf::from)?;
        path.is_absolute().then_some(path)
    };
    let folder = folder("XDG_CONFIG_HOME").or_else(|| Some(folder("HOME")?.join(".config")));
    let Some(folder) = folder else {
        bail!("neither XDG_CONFIG_HOME nor HOME names a folder: nothing can be kept there");
    };
    Ok(folder.join("persona-gateway").join("credentials.json"))
}

fn read() -> anyhow::Result<BTreeMap<String, Credential>> {
    let place = place()?;
    match fs::read(&place) {
        Ok(text) => serde_json::from_slice(&text).with_context(|| {
            format!(
                "{} can't be read: remove it and sign in again",
                place.display()
            )
        }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(BTreeMap::new()),
        Err(error) => Err(error).with_context(|| format!("{} can't be read", place.display())),
    }
}

/// The sign-in at a gateway.
pub(super) fn find(server: &str) -> anyhow::Result<Option<Credential>> {
    Ok(read()?.remove(server))
}

/// Keeps a sign-in in the place of the one before; those that have ended go.
pub(super) fn keep(
    server: &str,
    credential: Credential,
    now: DateTime<Utc>,
) -> anyhow::Result<PathBuf> {
    let mut all = read()?;
    all.insert(server.to_owned(), credential);
    write(all, now)
}

/// Takes the sign-in at a gateway out.
pub(super) fn forget(server: &str, now: DateTime<Utc>) -> anyhow::Result<Option<Credential>> {
    let mut all = read()?;
    let Some(credential) = all.remove(server) else {
        return Ok(None);
    };
    write(all, now)?;
    Ok(Some(credential))
}

fn write(mut all: BTreeMap<String, Credential>, now: DateTime<Utc>) -> anyhow::Result<PathBuf> {
    all.retain(|_, credential| credential.expires_at > now);
    let written: BTreeMap<&str, Written<'_>> = all
        .iter()
        .map(|(server, credential)| {
            let written = Written {
                token: credential.token.expose_secret(),
                tenant: &credential.tenant,
                expires_at: credential.expires_at,
            };
            (server.as_str(), written)
        })
        .collect();
    let place = place()?;
    put(&place, &serde_json::to_vec_pretty(&written)?)
        .with_context(|| format!("{} can't be written", place.display()))?;
    Ok(place)
}

/// Beside it first, then in its place: never half of it, and never readable for others.
fn put(place: &Path, text: &[u8]) -> std::io::Result<()> {
    let folder = place.parent().unwrap_or(place);
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)?;
    let fresh = folder.join(format!("credentials.{}.new", std::process::id()));
    // Of a process that ended halfway.
    if let Err(error) = fs::remove_file(&fresh)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        return Err(error);
    }
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&fresh)?;
    file.write_all(text)?;
    file.sync_all()?;
    fs::rename(&fresh, place)
}
