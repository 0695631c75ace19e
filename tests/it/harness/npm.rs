//! Programs of npm and `PyPI` that tests ask for another opinion; installed on the first run only.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the files of `tests/<name>` are, with what npm installs by their lock file.
pub(crate) fn installed(name: &str, files: &[&str]) -> PathBuf {
    prepared(name, files, |place| {
        let output = Command::new("npm")
            .args(["ci", "--no-audit", "--no-fund", "--silent"])
            .current_dir(place)
            .output()
            .unwrap_or_else(|error| {
                panic!("this test needs npm ({error}): apt-get install nodejs npm")
            });
        assert!(
            output.status.success(),
            "npm can't install what tests/{name} wants; the first run needs the npm registry: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    })
}

/// Where the files of `tests/<name>` are, with what pip installs by `requirements.txt` into `packages`.
pub(crate) fn installed_by_pip(name: &str, files: &[&str]) -> PathBuf {
    prepared(&format!("{name}.py"), files, |place| {
        let output = Command::new("python3")
            .args([
                "-m", "pip", "install", "--quiet", "--target", "packages", "-r",
            ])
            .arg("requirements.txt")
            .current_dir(place)
            .output()
            .unwrap_or_else(|error| {
                panic!("this test needs python3 ({error}): apt-get install python3-pip")
            });
        assert!(
            output.status.success(),
            "pip can't install what tests/{name} wants; the first run needs pip and PyPI: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    })
}

fn prepared(name: &str, files: &[&str], install: impl FnOnce(&Path)) -> PathBuf {
    let folder = name.split('.').next().unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests")
        .join(folder);
    let read = |file: &str| fs::read(source.join(file)).unwrap();
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let place = cache.join("ready");
    let is_current =
        |file: &&str| fs::read(place.join(file)).is_ok_and(|found| found == read(file));
    if files.iter().all(is_current) {
        return place;
    }
    // A directory of its own, so that test processes running side by side can't meet half an installation.
    let fresh = cache.join(std::process::id().to_string());
    fs::create_dir_all(&fresh).unwrap();
    for file in files {
        fs::write(fresh.join(file), read(file)).unwrap();
    }
    install(&fresh);
    _ = fs::remove_dir_all(&place);
    // Another process may have been faster: then its installation is as good.
    if fs::rename(&fresh, &place).is_err() {
        fs::remove_dir_all(&fresh).unwrap();
    }
    place
}
