//! Anam's SDK as npm delivers it, byte for byte.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use aws_lc_rs::digest::{SHA512, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

const PACKAGE: &str = "@anam-ai/js-sdk@4.27.0";
const TARBALL: &str = "anam-ai-js-sdk-4.27.0.tgz";
const UMD: &str = "package/dist/umd/anam.js";

/// SHA-512 of the tarball, as the npm registry states it.
const INTEGRITY: &str =
    "oU0izvlv1Q+25gL/EoW7QYUFxSNEY48/G/efmL1f24AYuI0WU16albNIpbNDEivqJAFFsdHa52mWQXciAi13Hg==";

/// The UMD build, which sets `window.anam`. Panics with one line when it can't be had.
pub(crate) fn umd() -> &'static [u8] {
    static SDK: OnceLock<Vec<u8>> = OnceLock::new();
    SDK.get_or_init(|| {
        let tarball = tarball();
        let unpacked = run(
            Command::new("tar").arg("-xzOf").arg(&tarball).arg(UMD),
            "tar",
        );
        assert!(
            !unpacked.stdout.is_empty(),
            "{UMD} is missing from {}",
            tarball.display()
        );
        unpacked.stdout
    })
}

/// Where the verified tarball is; fetched on the first run only.
fn tarball() -> PathBuf {
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("anam-sdk");
    let tarball = cache.join(TARBALL);
    if is_genuine(&tarball) {
        return tarball;
    }
    // A directory of its own, so that test processes running side by side can't meet half a file.
    let fresh = cache.join(std::process::id().to_string());
    fs::create_dir_all(&fresh).expect("a directory for the SDK");
    let pack = ["pack", PACKAGE, "--silent", "--pack-destination"];
    run(Command::new("npm").args(pack).arg(&fresh), "npm");
    assert!(
        is_genuine(&fresh.join(TARBALL)),
        "{PACKAGE} from npm hasn't the SHA-512 that this test expects"
    );
    fs::rename(fresh.join(TARBALL), &tarball).expect("the SDK in its place");
    fs::remove_dir_all(&fresh).expect("a tidy cache");
    tarball
}

fn is_genuine(tarball: &Path) -> bool {
    fs::read(tarball).is_ok_and(|bytes| STANDARD.encode(digest(&SHA512, &bytes)) == INTEGRITY)
}

fn run(command: &mut Command, program: &str) -> Output {
    let output = command.output().unwrap_or_else(|error| {
        panic!("the browser tests need {program} ({error}): apt-get install nodejs npm tar")
    });
    assert!(
        output.status.success(),
        "{program} can't get {PACKAGE}; the first run needs the npm registry: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    output
}
