//! Anam's SDK for browsers, as npm delivers it: one version, known by its digest. It is never part of this program; whoever runs it brings the
//! file, and pages load it from the gateway's own address.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_lc_rs::digest::{SHA512, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use flate2::read::GzDecoder;
use futures_util::future::BoxFuture;
use serde_json::Value;
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
/// Longest file that is read, in bytes; the package has a twentieth of it.
const MAX_BYTES: u64 = 8 * 1024 * 1024;

/// What pages load.
#[derive(Debug)]
pub struct SdkFiles {
    pub script: Bytes,
    pub licence: String,
}

/// Why a file is not the SDK.
#[derive(Debug, thiserror::Error)]
pub enum SdkFault {
    #[error("{path} is not the file that `npm pack {PACKAGE}` writes", path = .0.display())]
    NotGenuine(PathBuf),
    /// It is the package, and can't be unpacked all the same.
    #[error("{path} can't be unpacked: {source}", path = .path.display())]
    Packed {
        path: PathBuf,
        source: std::io::Error,
    },
}

impl SdkFiles {
    /// Reads a file that `npm pack` wrote. Blocks.
    pub fn read(tarball: &Path) -> Result<Self, SdkFault> {
        let bytes = genuine(tarball).ok_or_else(|| SdkFault::NotGenuine(tarball.to_owned()))?;
        unpack(&bytes).map_err(|source| SdkFault::Packed {
            path: tarball.to_owned(),
            source,
        })
    }
}

/// Whether a file is the package, byte for byte. Blocks.
pub fn is_genuine(tarball: &Path) -> bool {
    genuine(tarball).is_some()
}

fn genuine(tarball: &Path) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = File::open(tarball).ok()?;
    file.take(MAX_BYTES).read_to_end(&mut bytes).ok()?;
    (STANDARD.encode(digest(&SHA512, &bytes)) == INTEGRITY).then_some(bytes)
}

fn unpack(tarball: &[u8]) -> std::io::Result<SdkFiles> {
    let (mut script, mut inside, mut manifest) = (None, None, None);
    let mut archive = tar::Archive::new(GzDecoder::new(tarball));
    for entry in archive.entries()? {
        let mut entry = entry?;
        let place = match entry.path()?.to_str() {
            Some(UMD) => &mut script,
            Some(INSIDE) => &mut inside,
            Some(MANIFEST) => &mut manifest,
            _ => continue,
        };
        entry.read_to_end(place.insert(Vec::new()))?;
    }
    let (Some(script), Some(inside), Some(manifest)) = (script, inside, manifest) else {
        return Err(std::io::Error::other("a member is missing"));
    };
    let manifest: Value = serde_json::from_slice(&manifest).unwrap_or_default();
    Ok(SdkFiles {
        script: script.into(),
        licence: licence(&manifest, &String::from_utf8_lossy(&inside)),
    })
}

/// The package has no text of its own licence: the one that its manifest names is served with its text.
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

/// The SDK for pages; clones share what was read.
#[derive(Debug, Clone)]
pub struct Sdk(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    source: Source,
    files: OnceCell<SdkFiles>,
}

enum Source {
    /// Nobody brought it.
    Nowhere,
    /// Read when it is first asked for. The function gives the file, or in words why there is none.
    Brought(Bring),
}

type Bring = Box<dyn Fn() -> BoxFuture<'static, Result<PathBuf, String>> + Send + Sync>;

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nowhere => "Nowhere",
            Self::Brought(_) => "Brought",
        })
    }
}

/// Why pages have no SDK.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SdkMissing {
    /// Nobody brought it.
    NotGiven,
    /// In one line, what is missing and how to get it.
    Failed(String),
}

impl Sdk {
    /// No SDK: pages say how to get it.
    pub fn none() -> Self {
        Self::of(Source::Nowhere, OnceCell::new())
    }

    /// Of a file that `npm pack` wrote, read now. Blocks.
    pub fn read(tarball: &Path) -> Result<Self, SdkFault> {
        let files = SdkFiles::read(tarball)?;
        Ok(Self::of(Source::Nowhere, OnceCell::new_with(Some(files))))
    }

    /// Of a file that is brought when somebody first asks; after a failure, the next one who asks has it brought again.
    pub fn brought(
        bring: impl Fn() -> BoxFuture<'static, Result<PathBuf, String>> + Send + Sync + 'static,
    ) -> Self {
        Self::of(Source::Brought(Box::new(bring)), OnceCell::new())
    }

    fn of(source: Source, files: OnceCell<SdkFiles>) -> Self {
        Self(Arc::new(Inner { source, files }))
    }

    /// The SDK, or why there is none. It is brought once, however many ask.
    pub async fn files(&self) -> Result<&SdkFiles, SdkMissing> {
        self.0.files.get_or_try_init(|| self.bring()).await
    }

    async fn bring(&self) -> Result<SdkFiles, SdkMissing> {
        let Source::Brought(bring) = &self.0.source else {
            return Err(SdkMissing::NotGiven);
        };
        let tarball = bring().await.map_err(SdkMissing::Failed)?;
        let read = tokio::task::spawn_blocking(move || SdkFiles::read(&tarball)).await;
        let failed = |why: String| SdkMissing::Failed(format!("Anam's SDK is missing: {why}."));
        match read {
            Ok(read) => read.map_err(|fault| failed(fault.to_string())),
            Err(error) => Err(failed(error.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_not_the_package_is_refused_by_name() {
        let fault = Sdk::read(Path::new("/nowhere/sdk.tgz")).unwrap_err();
        assert_eq!(
            fault.to_string(),
            "/nowhere/sdk.tgz is not the file that `npm pack @anam-ai/js-sdk@4.27.0` writes"
        );
        assert_eq!(Sdk::none().files().await.unwrap_err(), SdkMissing::NotGiven);
        let endless = Sdk::read(Path::new("/dev/zero"));
        assert!(matches!(endless, Err(SdkFault::NotGenuine(_))));
    }
}
