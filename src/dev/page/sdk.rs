//! Anam's SDK for the page, as npm delivers it: fetched once, when somebody first opens the page, and never part of this program.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use aws_lc_rs::digest::{SHA512, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::Value;
use tokio::process::Command;
use tokio::sync::OnceCell;

/// The package, in a version that the tests drive.
pub const PACKAGE: &str = "@anam-ai/js-sdk@4.27.0";
/// What `npm pack` names its file.
pub const TARBALL: &str = "anam-ai-js-sdk-4.27.0.tgz";
/// SHA-512 of that file, as the npm registry states it.
pub const INTEGRITY: &str =
    "oU0izvlv1Q+25gL/EoW7QYUFxSNEY48/G/efmL1f24AYuI0WU16albNIpbNDEivqJAFFsdHa52mWQXciAi13Hg==";
/// The build that sets `window.anam`.
pub const UMD: &str = "package/dist/umd/anam.js";
/// The licences of what that build has inside.
const INSIDE: &str = "package/dist/umd/anam.js.LICENSE.txt";
const MANIFEST: &str = "package/package.json";

/// How long npm may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// Where the SDK comes from, and what was read of it.
#[derive(Debug)]
pub struct Sdk {
    source: Source,
    files: OnceCell<Files>,
}

#[derive(Debug)]
enum Source {
    /// A file that somebody brought.
    Given(PathBuf),
    /// A folder that npm fetches it into.
    Fetched(PathBuf),
}

/// What is served.
#[derive(Debug)]
pub(super) struct Files {
    pub(super) script: Bytes,
    pub(super) licence: String,
}

impl Sdk {
    /// Of a file that `npm pack` wrote elsewhere.
    pub fn given(tarball: PathBuf) -> Self {
        Self::of(Source::Given(tarball))
    }

    /// From npm, kept in this folder.
    pub fn fetched_into(folder: PathBuf) -> Self {
        Self::of(Source::Fetched(folder))
    }

    fn of(source: Source) -> Self {
        Self {
            source,
            files: OnceCell::new(),
        }
    }

    /// The SDK, or in one line what is missing and how to get it. One fetch at a time; after a failure the next one who asks tries again.
    pub(super) async fn files(&self) -> Result<&Files, String> {
        self.files.get_or_try_init(|| self.read()).await
    }

    async fn read(&self) -> Result<Files, String> {
        let tarball = match &self.source {
            Source::Given(tarball) => {
                if !is_genuine(tarball).await {
                    return Err(format!(
                        "Anam's SDK is missing: {} is not the file that `npm pack {PACKAGE}` writes.",
                        tarball.display()
                    ));
                }
                tarball.clone()
            }
            Source::Fetched(folder) => {
                let tarball = folder.join(TARBALL);
                if !is_genuine(&tarball).await {
                    fetch(folder, &tarball).await.map_err(|why| {
                        format!(
                            "Anam's SDK is missing: {why}. Open this page again once npm works here, or fetch it elsewhere with \
                             `npm pack {PACKAGE}` and start `dev --sdk {TARBALL}`."
                        )
                    })?;
                    tracing::info!("npm fetched {PACKAGE} for the page, once");
                }
                tarball
            }
        };
        let unpacked = async |member: &str| {
            let mut tar = Command::new("tar");
            tar.arg("-xzOf").arg(&tarball).arg(member);
            let text = run(tar, "tar").await;
            text.map_err(|why| format!("Anam's SDK can't be unpacked: {why}."))
        };
        let manifest: Value =
            serde_json::from_slice(&unpacked(MANIFEST).await?).unwrap_or_default();
        let inside = String::from_utf8_lossy(&unpacked(INSIDE).await?).into_owned();
        Ok(Files {
            script: unpacked(UMD).await?.into(),
            licence: licence(&manifest, &inside),
        })
    }
}

/// The package has no text of its own licence: what its manifest states is told with the text of that licence.
fn licence(manifest: &Value, inside: &str) -> String {
    let of = |name: &str| manifest[name].as_str().unwrap_or("not stated").to_owned();
    format!(
        "anam.js is {PACKAGE}, unchanged, as npm delivers it.\nAuthor: {}\nLicence: {}, by the package's own statement\n\n{MIT}\n\
         Inside of it:\n\n{inside}",
        of("author"),
        of("license"),
    )
}

const MIT: &str = "\
Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation files (the
\"Software\"), to deal in the Software without restriction, including without limitation the rights to use, copy, modify, merge, publish,
distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is furnished to do so, subject to
the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED \"AS IS\", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF
MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY
CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE
SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
";

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
        Ok(_) if is_genuine(&fresh.join(TARBALL)).await => {
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

async fn is_genuine(tarball: &Path) -> bool {
    let read = tokio::fs::read(tarball).await;
    read.is_ok_and(|bytes| STANDARD.encode(digest(&SHA512, &bytes)) == INTEGRITY)
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

    #[tokio::test]
    async fn what_is_missing_is_said_in_one_line_with_the_way_to_get_it() {
        let elsewhere = Sdk::given(PathBuf::from("/nowhere/sdk.tgz"));
        let missing = elsewhere.files().await.unwrap_err();
        assert_eq!(
            missing,
            "Anam's SDK is missing: /nowhere/sdk.tgz is not the file that `npm pack @anam-ai/js-sdk@4.27.0` writes."
        );
        let unwritable = Sdk::fetched_into(PathBuf::from("/dev/null/sdk"));
        let missing = unwritable.files().await.unwrap_err();
        assert!(missing.contains("can't be written"), "{missing}");
        assert!(missing.contains("dev --sdk"), "{missing}");
        assert_eq!(missing.lines().count(), 1);
    }
}
