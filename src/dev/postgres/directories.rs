//! The files of one server: where they lie, who may enter, whether a server answers there.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io,
    os::unix::{
        fs::{DirBuilderExt, MetadataExt},
        net::UnixStream,
    },
    path::{Path, PathBuf},
    process::{self, Command},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

use super::{account::Account, error::PostgresError};
use crate::crypto::digest::sha256_hex;

/// `sun_path` of macOS, the shorter one, less the name of the socket and its NUL.
const LONGEST_SOCKET_FOLDER: usize = 103 - "/.s.PGSQL.5432".len();
/// A new cluster takes 39 MB; a Docker container's /dev/shm has 64 MB unless told otherwise.
const ROOM_IN_MEMORY_KIB: u64 = 512 * 1024;

const ORPHAN_STOPS_BY_ITSELF: Duration = Duration::from_secs(2);
const ORPHAN_LIMIT: Duration = Duration::from_secs(30);

/// Folders of one server.
#[derive(Debug)]
pub(super) struct Directories {
    account: Account,
    /// Ours: lock and log. The same as `cluster` for an ephemeral server.
    home: PathBuf,
    /// The server user's, mode 0700.
    cluster: PathBuf,
    socket: PathBuf,
}

impl Directories {
    /// Data in `folder`; the socket below /tmp, since a project's path may be too long for one.
    pub(super) fn persistent(folder: &Path, account: Account) -> Result<Self, PostgresError> {
        fs::create_dir_all(folder).map_err(PostgresError::io("make", folder))?;
        let home = folder
            .canonicalize()
            .map_err(PostgresError::io("find", folder))?;
        account.check_reach(&home)?;
        let key = sha256_hex(format!("{} {}", account.uid, home.display()).as_bytes());
        let key: String = key.chars().take(12).collect();
        Ok(Self {
            cluster: home.join("cluster"),
            socket: PathBuf::from(format!("/tmp/persona-gateway-{key}")),
            home,
            account,
        })
    }

    /// For the owner: makes the folders that the server needs.
    pub(super) fn prepare(&self) -> Result<(), PostgresError> {
        self.private_folder(&self.cluster)?;
        self.private_folder(&self.socket)
    }

    /// One new folder for everything, in memory when there is room.
    pub(super) fn ephemeral(account: Account) -> Result<Self, PostgresError> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let base = ephemeral_base();
        loop {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let home = base.join(format!("persona-gateway-{}-{number}", process::id()));
            match DirBuilder::new().mode(0o700).create(&home) {
                // Left by a process with the same id, in another container perhaps.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(PostgresError::io("make", home)(error)),
                Ok(()) => {
                    account.give(&home)?;
                    return Ok(Self {
                        account,
                        cluster: home.clone(),
                        socket: home.clone(),
                        home,
                    });
                }
            }
        }
    }

    pub(super) fn account(&self) -> &Account {
        &self.account
    }

    pub(super) fn home(&self) -> &Path {
        &self.home
    }

    pub(super) fn cluster(&self) -> &Path {
        &self.cluster
    }

    pub(super) fn socket_folder(&self) -> &Path {
        &self.socket
    }

    pub(super) fn data(&self) -> PathBuf {
        self.cluster.join("data")
    }

    /// The major that made the data; none before the first start.
    pub(super) fn made_by(&self) -> Option<u32> {
        fs::read_to_string(self.data().join("PG_VERSION"))
            .ok()?
            .trim()
            .parse()
            .ok()
    }

    pub(super) fn lock_file(&self) -> Result<File, PostgresError> {
        let path = self.home.join("owner.lock");
        OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(PostgresError::io("open", path))
    }

    /// What the server says; emptied, and opened so that writers always append.
    pub(super) fn log_file(&self) -> Result<File, PostgresError> {
        let path = self.home.join("server.log");
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .read(true)
            .open(&path)
            .map_err(PostgresError::io("open", &path))?;
        log.set_len(0).map_err(PostgresError::io("empty", path))?;
        Ok(log)
    }

    /// Whether a server takes connections here and says of itself that it is ready.
    pub(super) fn is_ready(&self) -> bool {
        self.is_listening() && self.pid_file_line(7).as_deref() == Some("ready")
    }

    fn is_listening(&self) -> bool {
        UnixStream::connect(self.socket.join(".s.PGSQL.5432")).is_ok()
    }

    /// `postmaster.pid`: process id, data folder, start time, port, socket folder, address, shared
    /// memory, status.
    fn pid_file_line(&self, index: usize) -> Option<String> {
        let text = fs::read_to_string(self.data().join("postmaster.pid")).ok()?;
        Some(text.lines().nth(index)?.trim().to_owned())
    }

    /// For the owner, before it starts: waits for a server that lost its owner a moment ago, and
    /// stops one that lost its watchdog too.
    pub(super) fn end_orphan(&self) -> Result<(), PostgresError> {
        let begun = Instant::now();
        let mut asked = false;
        while self.is_listening() {
            if begun.elapsed() > ORPHAN_LIMIT {
                return Err(PostgresError::InUse {
                    folder: self.home.clone(),
                });
            }
            if !asked && begun.elapsed() > ORPHAN_STOPS_BY_ITSELF {
                self.signal_server("INT")?;
                asked = true;
            }
            thread::sleep(super::POLL);
        }
        Ok(())
    }

    /// By the shell's own `kill`: slim images have no other.
    pub(super) fn signal_server(&self, signal: &str) -> Result<(), PostgresError> {
        if let Some(pid) = self.pid_file_line(0) {
            Command::new("/bin/sh")
                .args(["-c", r#"kill -"$1" "$2""#, "sh", signal, &pid])
                .status()
                .map_err(PostgresError::io("run", "/bin/sh"))?;
        }
        Ok(())
    }

    /// Removes the data. The lock file of a persistent place stays, or two processes could each
    /// hold a lock of that name.
    pub(super) fn discard(&self) -> Result<(), PostgresError> {
        remove(&self.cluster)
    }

    /// Removes what a stopped server leaves: the socket's folder, which is all of an ephemeral one.
    pub(super) fn tidy(&self) -> Result<(), PostgresError> {
        remove(&self.socket)
    }

    /// Makes a folder that only the server's user can enter, or checks that it is one: /tmp is
    /// everybody's, and somebody else may have put something there first.
    fn private_folder(&self, path: &Path) -> Result<(), PostgresError> {
        match DirBuilder::new().mode(0o700).create(path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(PostgresError::io("make", path)(error));
            }
            _ => {}
        }
        let look = || fs::symlink_metadata(path).map_err(PostgresError::io("look at", path));
        let bad = |why| PostgresError::FolderNotOurs {
            path: path.to_path_buf(),
            why,
        };
        let mut found = look()?;
        if !found.is_dir() {
            return Err(bad("is no folder"));
        }
        if self.account.is_other() && found.uid() == 0 {
            self.account.give(path)?;
            found = look()?;
        }
        if found.uid() != self.account.uid {
            return Err(bad("belongs to another user"));
        }
        if found.mode() & 0o077 != 0 {
            return Err(bad("is open to other users"));
        }
        Ok(())
    }
}

fn remove(folder: &Path) -> Result<(), PostgresError> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(PostgresError::io("remove", folder)(error))
        }
        _ => Ok(()),
    }
}

fn ephemeral_base() -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    if free_kib(&memory).is_some_and(|free| free >= ROOM_IN_MEMORY_KIB) {
        return memory;
    }
    let temp = std::env::temp_dir();
    if fits_a_socket(&temp) {
        temp
    } else {
        PathBuf::from("/tmp")
    }
}

/// Short enough, and free of characters that would need escaping in the URL.
fn fits_a_socket(base: &Path) -> bool {
    let room_for_name = "/persona-gateway-4194304-1000".len();
    base.to_str().is_some_and(|path| {
        path.len() + room_for_name <= LONGEST_SOCKET_FOLDER
            && path
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c))
    })
}

/// Free space by `df -P` (POSIX): the standard library has no `statvfs`.
fn free_kib(folder: &Path) -> Option<u64> {
    let output = Command::new("df").arg("-Pk").arg(folder).output().ok()?;
    let table = String::from_utf8(output.stdout).ok()?;
    table
        .lines()
        .nth(1)?
        .split_whitespace()
        .nth(3)?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::fits_a_socket;

    #[test]
    fn a_long_or_odd_path_is_no_place_for_a_socket() {
        assert!(fits_a_socket(Path::new("/tmp")));
        assert!(fits_a_socket(Path::new(
            "/var/folders/zz/zyxvpxvq6csfxvn_n0000000000000/T"
        )));
        assert!(!fits_a_socket(Path::new(&format!("/{}", "x".repeat(80)))));
        assert!(!fits_a_socket(Path::new("/tmp/a b")));
    }
}
