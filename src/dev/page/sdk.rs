//! Anam's SDK for the page, as npm delivers it: fetched once, when somebody first opens the page.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use futures_util::future::FutureExt;
use tokio::process::Command;

use crate::anam_sdk::{PACKAGE, Sdk, TARBALL, is_genuine};

/// How long npm may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// Of a file that `npm pack` wrote elsewhere.
pub fn given(tarball: PathBuf) -> Sdk {
    Sdk::brought(move || std::future::ready(Ok(tarball.clone())).boxed())
}

/// From npm, kept in this folder.
pub fn fetched_into(folder: PathBuf) -> Sdk {
    Sdk::brought(move || fetched(folder.clone()).boxed())
}

async fn fetched(folder: PathBuf) -> Result<PathBuf, String> {
    let tarball = folder.join(TARBALL);
    if !is_package(&tarball).await {
        fetch(&folder, &tarball).await.map_err(|why| {
            format!(
                "Anam's SDK is missing: {why}. Open this page again once npm works here, or fetch it elsewhere with \
                 `npm pack {PACKAGE}` and start `dev --sdk {TARBALL}`."
            )
        })?;
        tracing::info!("npm fetched {PACKAGE} for pages, once");
    }
    Ok(tarball)
}

async fn is_package(tarball: &Path) -> bool {
    let tarball = tarball.to_owned();
    let judged = tokio::task::spawn_blocking(move || is_genuine(&tarball)).await;
    judged.unwrap_or(false)
}

/// Fetches beside the place and renames, so that a broken download is never taken for the SDK.
async fn fetch(folder: &Path, tarball: &Path) -> Result<(), String> {
    let unwritable =
        |error: std::io::Error| format!("{} can't be written ({error})", folder.display());
    let fresh = folder.join(std::process::id().to_string());
    tokio::fs::create_dir_all(&fresh)
        .await
        .map_err(unwritable)?;
    let mut npm = Command::new("npm");
    npm.args(["pack", PACKAGE, "--loglevel=error", "--prefer-offline"])
        .args(["--fetch-retries=1", "--fetch-retry-mintimeout=1000"])
        .args(["--fetch-timeout=20000", "--pack-destination", "."])
        .current_dir(&fresh);
    let fetched = match run(npm, "npm").await {
        Ok(_) if is_package(&fresh.join(TARBALL)).await => {
            tokio::fs::rename(fresh.join(TARBALL), tarball)
                .await
                .map_err(unwritable)
        }
        Ok(_) => Err("what npm fetched is not what its registry should have".to_owned()),
        Err(why) => Err(why),
    };
    // What is left of a failure is in nobody's way.
    _ = tokio::fs::remove_dir_all(&fresh).await;
    fetched
}

/// What a program prints, or why it does not.
async fn run(mut command: Command, program: &str) -> Result<Vec<u8>, String> {
    command.stdin(Stdio::null()).kill_on_drop(true);
    let done = tokio::time::timeout(PATIENCE, command.output()).await;
    match done {
        Err(_elapsed) => Err(format!("{program} takes longer than a minute")),
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(format!("{program} is not installed"))
        }
        Ok(Err(error)) => Err(format!("{program} does not run ({error})")),
        Ok(Ok(output)) if output.status.success() => Ok(output.stdout),
        Ok(Ok(output)) => {
            let said = String::from_utf8_lossy(&output.stderr);
            let said = said.lines().find(|line| !line.trim().is_empty());
            Err(match said {
                Some(line) => format!("{program} can't get it ({})", line.trim()),
                None => format!("{program} can't get it, and does not say why"),
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anam_sdk::SdkMissing;

    fn words(missing: SdkMissing) -> String {
        match missing {
            SdkMissing::Failed(why) => why,
            SdkMissing::NotGiven => String::new(),
        }
    }

    #[tokio::test]
    async fn what_is_missing_is_said_in_one_line_with_the_way_to_get_it() {
        let elsewhere = given(PathBuf::from("/nowhere/sdk.tgz"));
        let missing = words(elsewhere.files().await.unwrap_err());
        assert_eq!(
            missing,
            "Anam's SDK is missing: /nowhere/sdk.tgz is not the file that `npm pack @anam-ai/js-sdk@4.27.0` writes."
        );
        let unwritable = fetched_into(PathBuf::from("/dev/null/sdk"));
        let missing = words(unwritable.files().await.unwrap_err());
        assert!(missing.contains("can't be written"), "{missing}");
        assert!(missing.contains("dev --sdk"), "{missing}");
        assert_eq!(missing.lines().count(), 1);
    }
}
