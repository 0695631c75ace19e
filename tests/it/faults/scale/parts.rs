//! The parts of deploy/scale/, as programs of this machine with the files of that folder.

use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::net::TcpStream;

use crate::harness::cli::{Folder, Running, program};
use crate::harness::postgres::LOGIN;
use crate::harness::servers::{account, free_port};
use crate::harness::wait::until;

const PATIENCE: Duration = Duration::from_secs(30);

/// A file of deploy/scale/.
fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("deploy/scale")
        .join(name)
}

/// Where packages put servers, too.
const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin";

/// A program that is started, killed, and started again on the same port.
pub(in crate::faults) struct Part {
    pub(in crate::faults) port: u16,
    command: Box<dyn FnMut() -> Command + Send>,
    child: Option<Child>,
}

impl Part {
    fn new(port: u16, command: impl FnMut() -> Command + Send + 'static) -> Self {
        Self {
            port,
            command: Box::new(command),
            child: None,
        }
    }

    /// Starts it, and waits until it listens.
    pub(in crate::faults) async fn start(&mut self) {
        let mut command = (self.command)();
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        until("it listens", PATIENCE, || {
            assert_eq!(child.try_wait().unwrap(), None, "{command:?}");
            async { TcpStream::connect(("127.0.0.1", self.port)).await.ok() }
        })
        .await;
        self.child = Some(child);
    }

    /// What it has used so far: seconds of a processor, and memory.
    pub(super) fn used(&self) -> String {
        let id = self.child.as_ref().expect("it runs").id();
        let read = |name: &str| std::fs::read_to_string(format!("/proc/{id}/{name}")).unwrap();
        let stat = read("stat");
        // In hundredths of a second, behind the name in brackets.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split(' ').collect();
        let ticks: u32 = [12, 13]
            .map(|at| fields[at].parse::<u32>().unwrap())
            .iter()
            .sum();
        let status = read("status");
        let memory = status.lines().find(|line| line.starts_with("VmRSS"));
        format!(
            "{} ms of processor, {}",
            ticks * 10,
            memory.unwrap_or_default()
        )
    }

    pub(in crate::faults) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.kill();
    }
}

/// `PgBouncer` in front of the server at this port.
pub(in crate::faults) fn bouncer(server: u16) -> Part {
    let (port, folder) = (free_port(), Folder::new());
    // It refuses to run as root, and then reads its files as the server's user.
    for name in ["start.sh", "pgbouncer.ini"] {
        folder.write(name, std::fs::read(file("pgbouncer").join(name)).unwrap());
    }
    let opened = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(folder.path(), opened).unwrap();
    if let Some((uid, gid)) = account() {
        chown(folder.path(), Some(uid), Some(gid)).unwrap();
    }
    Part::new(port, move || {
        let mut command = Command::new("/bin/sh");
        if let Some((uid, gid)) = account() {
            command.uid(uid).gid(gid);
        }
        command
            .arg(folder.path().join("start.sh"))
            .current_dir("/")
            .env_clear()
            .env("PATH", PATH)
            .env("FOLDER", folder.path())
            .env("COMMON", folder.path().join("pgbouncer.ini"))
            .env("SERVER", format!("127.0.0.1:{server}"))
            .env("DATABASE", "gateway")
            .env("LOGIN", LOGIN)
            .env("PASSWORD", LOGIN)
            .env(
                "MORE",
                format!("listen_addr = 127.0.0.1\nlisten_port = {port}"),
            );
        command
    })
}

/// `HAProxy` in front of instances, by the ports of their API and of their operations.
pub(super) fn proxy(instances: [(u16, u16); 3]) -> Part {
    let port = free_port();
    Part::new(port, move || {
        let mut command = Command::new("haproxy");
        command
            .args(["-db", "-f"])
            .arg(file("haproxy/haproxy.cfg"))
            .env("PATH", PATH)
            .env("LISTEN", format!("127.0.0.1:{port}"));
        for (number, (api, ops)) in instances.iter().enumerate() {
            let number = number + 1;
            command.env(format!("GATEWAY_{number}"), format!("127.0.0.1:{api}"));
            command.env(format!("OPS_{number}"), ops.to_string());
        }
        command
    })
}

/// Redis, which keeps nothing.
pub(super) fn redis() -> Part {
    let (port, folder) = (free_port(), Folder::new());
    Part::new(port, move || {
        let mut command = Command::new("redis-server");
        command
            .args(["--bind", "127.0.0.1", "--port", &port.to_string()])
            .args(["--save", "", "--appendonly", "no", "--dir"])
            .arg(folder.path());
        command
    })
}

/// One instance of the gateway.
pub(super) struct Instance {
    pub(super) ports: (u16, u16),
    environment: Vec<(String, String)>,
    running: Option<Running>,
}

impl Instance {
    pub(super) fn new(environment: &[(String, String)]) -> Self {
        let ports = (free_port(), free_port());
        let mut environment = environment.to_vec();
        for (name, port) in [("PORT", ports.0), ("OPS_PORT", ports.1)] {
            environment.push((format!("GATEWAY__SERVER__{name}"), port.to_string()));
        }
        Self {
            ports,
            environment,
            running: None,
        }
    }

    /// Starts it, and waits until it is ready.
    pub(in crate::faults) async fn start(&mut self) {
        let running = program(&["serve"]).envs(&self.environment).start();
        running.addresses().await;
        self.running = Some(running);
        until("it is ready", PATIENCE, || async {
            self.is_ready().await.then_some(())
        })
        .await;
    }

    pub(super) async fn is_ready(&self) -> bool {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let asked = client.get(format!("http://127.0.0.1:{}/readyz", self.ports.1));
        asked
            .send()
            .await
            .is_ok_and(|answer| answer.status() == 200)
    }

    /// Ends it with a signal; gives the errors that it has logged.
    pub(super) async fn end(&mut self, signal: &str) -> Vec<String> {
        let running = self.running.take().expect("it runs");
        running.signal(signal).await;
        let ended = running.end().await;
        if signal == "TERM" {
            assert_eq!(ended.code, Some(0), "{}", ended.err);
        }
        let lines = ended.err.lines();
        let errors = lines.filter(|line| line.contains("\"ERROR\""));
        errors.map(ToOwned::to_owned).collect()
    }
}
