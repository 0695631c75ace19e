//! Packages of npm for the browser, byte for byte as its registry has them; fetched on the first run only, and never part of the repository.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Mutex, PoisonError};

use aws_lc_rs::digest::{SHA512, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A package in one version.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Package {
    /// With its version.
    pub(crate) name: &'static str,
    /// What `npm pack` names its file.
    pub(crate) file: &'static str,
    /// SHA-512 of that file, as the npm registry states it.
    pub(crate) integrity: &'static str,
}

impl Package {
    /// One file of the package. Panics with one line when it can't be had.
    pub(crate) fn member(&self, member: &str) -> Vec<u8> {
        let tarball = self.tarball();
        let mut tar = Command::new("tar");
        let unpacked = self.run(tar.arg("-xzOf").arg(&tarball).arg(member), "tar");
        assert!(
            !unpacked.stdout.is_empty(),
            "{member} is missing from {}",
            tarball.display()
        );
        unpacked.stdout
    }

    /// Where the verified file of `npm pack` is.
    pub(crate) fn tarball(&self) -> PathBuf {
        // One test at a time; other processes have a directory of their own below, so that nobody meets half a file.
        static ONE: Mutex<()> = Mutex::new(());
        let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("npm");
        let tarball = cache.join(self.file);
        if self.is_genuine(&tarball) {
            return tarball;
        }
        let fresh = cache.join(std::process::id().to_string());
        fs::create_dir_all(&fresh).expect("a directory for the package");
        let pack = ["pack", self.name, "--silent", "--pack-destination"];
        self.run(Command::new("npm").args(pack).arg(&fresh), "npm");
        assert!(
            self.is_genuine(&fresh.join(self.file)),
            "{} from npm hasn't the SHA-512 that this test expects",
            self.name
        );
        fs::rename(fresh.join(self.file), &tarball).expect("the package in its place");
        fs::remove_dir_all(&fresh).expect("a tidy cache");
        tarball
    }

    fn is_genuine(&self, tarball: &Path) -> bool {
        fs::read(tarball)
            .is_ok_and(|bytes| STANDARD.encode(digest(&SHA512, &bytes)) == self.integrity)
    }

    fn run(&self, command: &mut Command, program: &str) -> Output {
        let output = command.output().unwrap_or_else(|error| {
            panic!("the browser tests need {program} ({error}): apt-get install nodejs npm tar")
        });
        assert!(
            output.status.success(),
            "{program} can't get {}; the first run needs the npm registry: {}",
            self.name,
            String::from_utf8_lossy(&output.stderr)
        );
        output
    }
}
