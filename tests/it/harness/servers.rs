//! Servers of `PostgreSQL` of a test's own, on TCP: a primary, and standbys that follow it.

use std::fs::{DirBuilder, File, metadata};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use secrecy::SecretString;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

use super::cli::Folder;
use super::postgres::{LOGIN, TestDatabase, migrate};
use super::wait::until;

/// For data that nobody will miss.
const NOT_DURABLE: [&str; 3] = ["fsync=off", "full_page_writes=off", "autovacuum=off"];
const PATIENCE: Duration = Duration::from_secs(30);
/// The database that the gateway uses on such servers.
const NAME: &str = "gateway";

/// A server that can be killed, and started again.
pub(crate) struct Server {
    pub(crate) port: u16,
    /// `None` while it is not running.
    child: Option<Child>,
    settings: Vec<String>,
    folder: Folder,
}

/// A port that nobody has at the moment.
pub(crate) fn free_port() -> u16 {
    let probe = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    probe.local_addr().unwrap().port()
}

/// A program that comes with the server.
fn tool(name: &str) -> PathBuf {
    let asked = Command::new("pg_config").arg("--bindir").output();
    let asked = asked.map(|output| String::from_utf8(output.stdout).unwrap());
    let newest = || {
        let folders = std::fs::read_dir("/usr/lib/postgresql").ok()?;
        let newest = folders.flatten().map(|folder| folder.path()).max()?;
        Some(newest.join("bin"))
    };
    let folders = asked
        .ok()
        .map(|folder| PathBuf::from(folder.trim()))
        .into_iter()
        .chain(newest());
    let found = folders
        .map(|folder| folder.join(name))
        .find(|file| file.is_file());
    found.unwrap_or_else(|| panic!("this test needs {name}: apt-get install postgresql"))
}

/// The server refuses to run as root: then it runs as this user, uid and gid.
pub(crate) fn account() -> Option<(u32, u32)> {
    if metadata("/proc/self").unwrap().uid() != 0 {
        return None;
    }
    let users = std::fs::read_to_string("/etc/passwd").unwrap();
    let fields = users
        .lines()
        .find_map(|line| line.strip_prefix("postgres:"));
    let mut fields = fields.expect("there is a user postgres").split(':').skip(1);
    let mut next = || fields.next().unwrap().parse().unwrap();
    Some((next(), next()))
}

/// A command as the server's user.
pub(crate) fn as_server_user(program: &Path) -> Command {
    let mut command = Command::new(program);
    if let Some((uid, gid)) = account() {
        command.uid(uid).gid(gid);
    }
    command.current_dir("/");
    command
}

/// A command as the server's user, whose words go to a file beside the data.
fn command(name: &str, folder: &Folder) -> Command {
    let mut command = as_server_user(&tool(name));
    let log = File::options()
        .create(true)
        .append(true)
        .open(folder.path().join("log"));
    let log = log.unwrap();
    command
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log);
    command
}

fn run(mut command: Command, folder: &Folder) {
    let status = command.status().unwrap();
    let log = std::fs::read_to_string(folder.path().join("log")).unwrap();
    assert!(status.success(), "{command:?}: {log}");
}

/// A folder for data that the server's user owns.
fn data_folder() -> Folder {
    let folder = Folder::new();
    let data = folder.path().join("data");
    DirBuilder::new().mode(0o700).create(&data).unwrap();
    if let Some((uid, gid)) = account() {
        chown(&data, Some(uid), Some(gid)).unwrap();
    }
    folder
}

impl Server {
    /// One with an empty database that the gateway can use. `settings` are like `wal_level=replica`.
    pub(crate) async fn primary(settings: &[&str]) -> Self {
        let folder = data_folder();
        let mut init = command("initdb", &folder);
        init.args(["--no-sync", "--auth=trust", "--username=postgres"])
            .args(["--encoding=UTF8", "--locale=C", "-D"])
            .arg(folder.path().join("data"));
        run(init, &folder);
        let mut server = Self::of(folder, settings);
        server.start().await;
        server.sql("postgres", "create database gateway").await;
        server
    }

    /// One that `deploy/scale/postgres/pair` makes a standby of another.
    pub(crate) async fn following(primary: &Self, port: u16, settings: &[&str]) -> Self {
        let mut server = Self::of(data_folder(), settings);
        server.port = port;
        server.pair(&["follow", &format!("127.0.0.1:{}", primary.port)]);
        server.start().await;
        server
    }

    /// Runs `deploy/scale/postgres/pair` where this server runs; gives what it says.
    pub(crate) fn pair(&self, args: &[&str]) -> String {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/scale/postgres/pair");
        let mut command = as_server_user(Path::new("/bin/sh"));
        let tools = tool("psql").parent().unwrap().to_owned();
        let said = command
            // The user of the server need not be able to enter the folder of the sources.
            .args(["-c", &std::fs::read_to_string(script).unwrap(), "pair"])
            .args(args)
            .env_clear()
            .env("PATH", format!("{}:/usr/bin:/bin", tools.display()))
            .env("PGHOST", "127.0.0.1")
            .env("PGPORT", self.port.to_string())
            .env("PGUSER", "postgres")
            .env("PGDATA", self.folder.path().join("data"))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let err = String::from_utf8_lossy(&said.stderr);
        assert!(said.status.success(), "{args:?}: {err}");
        String::from_utf8(said.stdout).unwrap()
    }

    fn of(folder: Folder, settings: &[&str]) -> Self {
        Self {
            port: free_port(),
            child: None,
            settings: settings.iter().map(ToString::to_string).collect(),
            folder,
        }
    }

    /// Starts it, and waits until it takes connections.
    pub(crate) async fn start(&mut self) {
        let mut server = command("postgres", &self.folder);
        server.arg("-D").arg(self.folder.path().join("data"));
        let (port, sockets) = (self.port.to_string(), "unix_socket_directories=");
        server.args([
            "-p",
            &port,
            "-c",
            sockets,
            "-c",
            "listen_addresses=127.0.0.1",
        ]);
        for setting in &self.settings {
            server.args(["-c", setting]);
        }
        let mut child = server.spawn().unwrap();
        let url = format!("postgres://postgres@127.0.0.1:{port}/postgres");
        let log = self.folder.path().join("log");
        until("the server takes connections", PATIENCE, || {
            let ended = child.try_wait().unwrap();
            assert!(ended.is_none(), "{:?}", std::fs::read_to_string(&log));
            async { PgConnection::connect(&url).await.ok() }
        })
        .await;
        self.child = Some(child);
    }

    /// Ends it at once, as when its machine loses power.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Runs a statement as the superuser.
    pub(crate) async fn sql(&self, database: &str, sql: &str) {
        let url = format!("postgres://postgres@127.0.0.1:{}/{database}", self.port);
        let mut connection = PgConnection::connect(&url).await.unwrap();
        let sql = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
        connection.execute(sql).await.unwrap();
        connection.close().await.unwrap();
    }

    /// The gateway's database there.
    pub(crate) fn database(&self) -> TestDatabase {
        among(&[self.port], "")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The gateway's database on several servers, by their ports. `parameters` begin with `?`.
pub(crate) fn among(ports: &[u16], parameters: &str) -> TestDatabase {
    let places: Vec<String> = ports
        .iter()
        .map(|port| format!("127.0.0.1:{port}"))
        .collect();
    let places = places.join(",");
    let url =
        |login: &str| SecretString::from(format!("postgres://{login}@{places}/{NAME}{parameters}"));
    TestDatabase::elsewhere(NAME, url("postgres"), url(&format!("{LOGIN}:{LOGIN}")))
}

/// A primary with a migrated database, and a standby that has all that the primary has said is committed.
pub(crate) async fn pair() -> (Server, Server) {
    let primary = Server::primary(&NOT_DURABLE).await;
    let database = primary.database();
    migrate(&database.owner_url, Some(&database.login_url))
        .await
        .unwrap();
    let replicator = "create role replicator login replication";
    primary.sql("postgres", replicator).await;
    let standby = Server::following(&primary, free_port(), &NOT_DURABLE).await;
    primary.pair(&["synchronous"]);
    (primary, standby)
}
