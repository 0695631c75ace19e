//! A process that was started here, and ends with its handle.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;

/// How much is kept of what a process wrote last, in bytes.
const KEPT: usize = 4 * 1024;
const STOPS_WITHIN: Duration = Duration::from_secs(10);

/// Its output is taken off a pipe at once, as a container runtime does, and all but the end thrown away.
#[derive(Debug)]
pub(super) struct Process {
    name: &'static str,
    child: Child,
    last_words: Arc<Mutex<Vec<u8>>>,
}

impl Process {
    pub(super) fn start(name: &'static str, mut command: Command) -> anyhow::Result<Self> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("{name} can't be started"))?;
        let last_words = Arc::default();
        if let Some(out) = child.stdout.take() {
            take_off(out, Arc::clone(&last_words));
        }
        if let Some(err) = child.stderr.take() {
            take_off(err, Arc::clone(&last_words));
        }
        Ok(Self {
            name,
            child,
            last_words,
        })
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it wrote last.
    pub(super) fn last_words(&self) -> String {
        let words = self
            .last_words
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&words).into_owned()
    }

    /// Fails if it has ended.
    pub(super) fn check_running(&mut self) -> anyhow::Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => {
                anyhow::bail!("{} ended with {status}:\n{}", self.name, self.last_words())
            }
        }
    }

    /// SIGTERM, and SIGKILL where that does not help.
    pub(super) async fn stop(mut self) -> anyhow::Result<()> {
        self.check_running()?;
        // The standard library sends SIGKILL only; slim images have no `kill` but the shell's own.
        Command::new("/bin/sh")
            .args(["-c", r#"kill -TERM "$1""#, "sh", &self.id().to_string()])
            .status()
            .context("/bin/sh")?;
        let asked = Instant::now();
        while self.child.try_wait()?.is_none() {
            anyhow::ensure!(
                asked.elapsed() < STOPS_WITHIN,
                "{} does not stop",
                self.name
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            // It may end at this very moment.
            drop(self.child.kill());
            drop(self.child.wait());
        }
    }
}

fn take_off(mut from: impl Read + Send + 'static, last_words: Arc<Mutex<Vec<u8>>>) {
    std::thread::spawn(move || {
        let mut chunk = vec![0; 64 * 1024];
        while let Ok(length @ 1..) = from.read(&mut chunk) {
            let mut kept = last_words.lock().unwrap_or_else(PoisonError::into_inner);
            kept.extend_from_slice(chunk.get(..length).unwrap_or_default());
            let surplus = kept.len().saturating_sub(KEPT);
            kept.drain(..surplus);
        }
    });
}

/// Runs a command to its end, and says what it printed.
pub(super) async fn run(name: &str, command: Command) -> anyhow::Result<String> {
    let mut command = tokio::process::Command::from(command);
    command.stdin(Stdio::null()).kill_on_drop(true);
    let done = command
        .output()
        .await
        .with_context(|| format!("{name} can't be started"))?;
    anyhow::ensure!(
        done.status.success(),
        "{name} ended with {}:\n{}{}",
        done.status,
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr)
    );
    Ok(String::from_utf8(done.stdout)?)
}

/// A port that is free at this moment.
pub(super) fn free_port() -> anyhow::Result<u16> {
    Ok(std::net::TcpListener::bind(("127.0.0.1", 0))?
        .local_addr()?
        .port())
}
