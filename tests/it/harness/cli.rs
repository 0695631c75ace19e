//! The real program, as its users start it: another process, an environment of its own.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use secrecy::ExposeSecret;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

use super::app::{MASTER_KEY, PLATFORM_KEY};
use super::tenants::Bench;
use super::wait::until;

const PATIENCE: Duration = Duration::from_mins(1);

/// A folder of one test, removed in the end.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("pgw-it-{}-{number}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file; gives its path.
    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

/// A command about to be started. Its environment holds only what a test puts there, beside PATH and HOME.
pub(crate) struct Program(Command);

/// A command that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// `persona-gateway` with these arguments, in an empty folder's place.
pub(crate) fn program(args: &[&str]) -> Program {
    let mut command = Command::new(env!("CARGO_BIN_EXE_persona-gateway"));
    command.args(args).env_clear().current_dir("/");
    for name in ["PATH", "HOME", "LLVM_PROFILE_FILE"] {
        let variables = persona_gateway::config::environment();
        if let Some(value) = variables.get(name) {
            command.env(name, value);
        }
    }
    command
        .env("USER", "tester")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    Program(command)
}

/// What `serve` and the commands beside it need on this database.
pub(crate) fn environment_of(bench: &Bench) -> Vec<(String, String)> {
    [
        ("DATABASE_URL", bench.database.login_url.expose_secret()),
        ("GATEWAY_MASTER_KEY", MASTER_KEY),
        ("ANAM_API_KEY", PLATFORM_KEY),
        ("GATEWAY__SERVER__HOST", "127.0.0.1"),
        ("GATEWAY__SERVER__PORT", "0"),
        ("GATEWAY__SERVER__OPS_PORT", "0"),
        ("GATEWAY__SERVER__WORKERS", "1"),
        ("GATEWAY__SERVER__DRAIN_GRACE_MS", "0"),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect()
}

impl Program {
    /// With so many open files at most.
    pub(crate) fn open_files(mut self, most: u32) -> Self {
        let program = self.0.as_std();
        let mut limited = Command::new("sh");
        limited
            .args(["-c", &format!("ulimit -n {most}; exec \"$0\" \"$@\"")])
            .arg(program.get_program())
            .args(program.get_args())
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        for (name, value) in program.get_envs() {
            limited.envs(value.map(|value| (name, value)));
        }
        self.0 = limited;
        self
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.0.env(name, value);
        self
    }

    pub(crate) fn envs(mut self, variables: &[(String, String)]) -> Self {
        self.0.envs(variables.iter().cloned());
        self
    }

    pub(crate) fn folder(mut self, folder: &Path) -> Self {
        self.0.current_dir(folder);
        self
    }

    /// Reads standard input from this file.
    pub(crate) fn stdin(mut self, file: &str) -> Self {
        self.0.stdin(std::fs::File::open(file).unwrap());
        self
    }

    /// Runs it to its end.
    pub(crate) async fn run(mut self) -> Ended {
        let output = tokio::time::timeout(PATIENCE, self.0.output())
            .await
            .expect("the command ends")
            .unwrap();
        Ended {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Starts it with somebody who may type.
    pub(crate) fn start_with_input(mut self) -> Running {
        self.0.stdin(Stdio::piped());
        self.start()
    }

    /// Starts it, and reads nothing of what it writes.
    pub(crate) fn start_unread(mut self) -> Child {
        self.0.stdout(Stdio::null()).spawn().unwrap()
    }

    /// Starts it.
    pub(crate) fn start(mut self) -> Running {
        let mut child = self.0.spawn().unwrap();
        let out = Text::follow(child.stdout.take().unwrap());
        let err = Text::follow(child.stderr.take().unwrap());
        Running { child, out, err }
    }
}

/// What a running command has written so far.
struct Text {
    lines: Arc<Mutex<Vec<String>>>,
    reader: JoinHandle<()>,
}

impl Text {
    fn follow(pipe: impl AsyncRead + Unpin + Send + 'static) -> Self {
        let lines = Arc::<Mutex<Vec<String>>>::default();
        let written = lines.clone();
        let reader = tokio::spawn(async move {
            let mut pipe = BufReader::new(pipe).lines();
            while let Some(line) = pipe.next_line().await.unwrap() {
                written.lock().unwrap().push(line);
            }
        });
        Self { lines, reader }
    }

    fn so_far(&self) -> String {
        self.lines.lock().unwrap().join("\n")
    }

    async fn line_with(&self, part: &str) -> String {
        until(&format!("a line with {part:?}"), PATIENCE, || async {
            let lines = self.lines.lock().unwrap();
            let found = lines.iter().find(|line| line.contains(part)).cloned();
            assert!(
                found.is_some() || !self.reader.is_finished(),
                "ended with: {lines:#?}"
            );
            found
        })
        .await
    }
}

/// A command under way.
pub(crate) struct Running {
    child: Child,
    out: Text,
    err: Text,
}

impl Running {
    /// The first line on standard output that holds `part`.
    pub(crate) async fn out_with(&self, part: &str) -> String {
        self.out.line_with(part).await
    }

    /// The first line on standard error that holds `part`.
    pub(crate) async fn err_with(&self, part: &str) -> String {
        self.err.line_with(part).await
    }

    /// The users' and the operators' address of a `serve`, as its log tells them.
    pub(crate) async fn addresses(&self) -> (String, String) {
        let line: Value = serde_json::from_str(&self.err_with("\"listening\"").await).unwrap();
        let text = line.to_string();
        let of = |name: &str| {
            let found = find(&line, name).unwrap_or_else(|| panic!("{name} in {text}"));
            format!("http://{found}")
        };
        (of("address"), of("ops_address"))
    }

    /// Types a line.
    pub(crate) async fn type_line(mut self, line: &str) -> Self {
        let stdin = self.child.stdin.as_mut().expect("it takes input");
        let line = format!("{line}\n");
        stdin.write_all(line.as_bytes()).await.unwrap();
        self
    }

    /// Sends a signal, as `kill -TERM` does.
    pub(crate) async fn signal(&self, name: &str) {
        let pid = self.child.id().expect("it runs");
        let sent = Command::new("sh")
            .args(["-c", &format!("kill -{name} {pid}")])
            .status()
            .await
            .unwrap();
        assert!(sent.success());
    }

    /// Waits for its end.
    pub(crate) async fn end(mut self) -> Ended {
        let status = tokio::time::timeout(PATIENCE, self.child.wait())
            .await
            .expect("it ends")
            .unwrap();
        for text in [&mut self.out, &mut self.err] {
            (&mut text.reader).await.unwrap();
        }
        Ended {
            code: status.code(),
            out: self.out.so_far(),
            err: self.err.so_far(),
        }
    }
}

/// A member of this name anywhere in a JSON value.
fn find(value: &Value, name: &str) -> Option<String> {
    match value {
        Value::Object(members) => members
            .get(name)
            .and_then(|found| found.as_str().map(ToOwned::to_owned))
            .or_else(|| members.values().find_map(|member| find(member, name))),
        _ => None,
    }
}
