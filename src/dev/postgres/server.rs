//! One server process under its watchdog.

use std::{
    collections::BTreeMap,
    fs::File,
    os::unix::{fs::FileExt, process::CommandExt},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use super::{POLL, binaries::Binaries, directories::Directories, error::PostgresError};

const WATCHDOG: &str = include_str!("watchdog.sh");

/// Crash recovery writes the whole data folder to disk first: seconds on a slow disk.
const START_LIMIT: Duration = Duration::from_mins(2);
/// How a server says that a killed one's processes are still going away.
const PREDECESSOR: [&str; 2] = ["postmaster.pid", "pre-existing shared memory block"];
const RETRY_LIMIT: Duration = Duration::from_secs(10);
const STOP_LIMIT: Duration = Duration::from_secs(20);
const LOG_TAIL_LINES: usize = 12;

const SETTINGS: [&str; 4] = [
    "listen_addresses=",
    "port=5432",
    "timezone=UTC",
    "log_timezone=UTC",
];
/// For data that nobody will miss.
const EPHEMERAL_SETTINGS: [&str; 7] = [
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "autovacuum=off",
    "wal_level=minimal",
    "max_wal_senders=0",
    "max_connections=300",
];

/// Whether the data matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Durable,
    Ephemeral,
}

/// The watchdog, whose child the server is. Closing its standard input stops both.
#[derive(Debug)]
pub(super) struct Server {
    watchdog: Child,
}

impl Server {
    /// Makes the data folder if there is none, starts the server and waits until it is ready.
    pub(super) fn start(
        place: &Directories,
        binaries: &Binaries,
        mode: Mode,
        env: &BTreeMap<String, String>,
    ) -> Result<Self, PostgresError> {
        let begun = Instant::now();
        loop {
            let log = place.log_file()?;
            let mut server = Self::spawn(place, binaries, mode, env, &log)?;
            if server.becomes_ready(place)? {
                return Ok(server);
            }
            let log = tail(&log);
            let predecessor = PREDECESSOR.iter().any(|sign| log.contains(sign));
            if !(predecessor && begun.elapsed() < RETRY_LIMIT) {
                return Err(PostgresError::DidNotStart { log });
            }
            thread::sleep(POLL);
        }
    }

    fn spawn(
        place: &Directories,
        binaries: &Binaries,
        mode: Mode,
        env: &BTreeMap<String, String>,
        log: &File,
    ) -> Result<Self, PostgresError> {
        let output = || {
            log.try_clone()
                .map_err(PostgresError::io("share", "server.log"))
        };
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", WATCHDOG, "postgres-watchdog"])
            .arg(&binaries.folder)
            .arg(place.data());
        match mode {
            Mode::Durable => command.args(["", ""]),
            Mode::Ephemeral => command.arg(place.cluster()).arg("--no-sync"),
        };
        command.arg("-k").arg(place.socket_folder());
        for setting in SETTINGS {
            command.args(["-c", setting]);
        }
        if mode == Mode::Ephemeral {
            for setting in EPHEMERAL_SETTINGS {
                command.args(["-c", setting]);
            }
        }
        // The server must not inherit our secrets, nor a PG... variable that would steer it.
        command.env_clear();
        for name in ["PATH", "LD_LIBRARY_PATH"] {
            if let Some(value) = env.get(name) {
                command.env(name, value);
            }
        }
        place.account().apply(&mut command);
        let watchdog = command
            .current_dir("/")
            // Ctrl-C on our terminal reaches us, not the server.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(output()?)
            .stderr(output()?)
            .spawn()
            .map_err(PostgresError::io("run", "/bin/sh"))?;
        Ok(Self { watchdog })
    }

    /// False when the server ended instead.
    fn becomes_ready(&mut self, place: &Directories) -> Result<bool, PostgresError> {
        let begun = Instant::now();
        loop {
            if self.has_ended()? {
                return Ok(false);
            }
            if place.is_ready() {
                return Ok(true);
            }
            if begun.elapsed() > START_LIMIT {
                self.end(place)?;
                return Ok(false);
            }
            thread::sleep(POLL);
        }
    }

    /// Closes the pipe (a "fast" shutdown: clients are cut off, data are written) and waits.
    pub(super) fn stop(mut self, place: &Directories) -> Result<(), PostgresError> {
        self.end(place)
    }

    fn end(&mut self, place: &Directories) -> Result<(), PostgresError> {
        drop(self.watchdog.stdin.take());
        let begun = Instant::now();
        while !self.has_ended()? {
            if begun.elapsed() > STOP_LIMIT {
                // Immediate shutdown: the next start recovers from the log.
                place.signal_server("QUIT")?;
                self.watchdog
                    .wait()
                    .map_err(PostgresError::io("wait for", "/bin/sh"))?;
                return Ok(());
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    fn has_ended(&mut self) -> Result<bool, PostgresError> {
        Ok(self
            .watchdog
            .try_wait()
            .map_err(PostgresError::io("wait for", "/bin/sh"))?
            .is_some())
    }
}

/// The last lines of the log, read through the open file: an ephemeral one has no name any more.
fn tail(log: &File) -> String {
    let mut bytes = vec![0; 64 * 1024];
    let length = log.metadata().map_or(0, |meta| meta.len());
    let from = length.saturating_sub(bytes.len() as u64);
    let read = log.read_at(&mut bytes, from).unwrap_or(0);
    bytes.truncate(read);
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<_> = text.lines().collect();
    let skipped = lines.len().saturating_sub(LOG_TAIL_LINES);
    lines
        .into_iter()
        .skip(skipped)
        .collect::<Vec<_>>()
        .join("\n")
}
