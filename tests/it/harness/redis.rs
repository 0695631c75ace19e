//! A Redis of a test's own. Needs the program: `apt-get install redis-server`.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use tokio::net::TcpStream;

use super::certificates;
use super::cli::Folder;
use super::servers::free_port;
use super::wait::until;

const PATIENCE: Duration = Duration::from_secs(20);

/// A running server, ended when dropped.
pub(crate) struct Redis {
    pub(crate) port: u16,
    args: Vec<String>,
    child: Option<Child>,
    folder: Folder,
}

/// Something that a server holds.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) key: Vec<u8>,
    pub(crate) value: Vec<u8>,
    /// When it ends; negative if never.
    pub(crate) ends_in_ms: i64,
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Redis {
    /// One that lets everybody in.
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// One with more settings, as on a command line.
    pub(crate) async fn start_with(args: &[&str]) -> Self {
        let port = free_port();
        let own = format!("--port {port} --bind 127.0.0.1");
        Self::started(
            port,
            own.split(' ').chain(args.iter().copied()),
            Folder::new(),
        )
        .await
    }

    /// One with TLS alone, with a certificate of `localhost`.
    pub(crate) async fn start_with_tls() -> Self {
        let (port, folder) = (free_port(), Folder::new());
        certificates::write(&folder);
        let path = |name: &str| folder.path().join(name).display().to_string();
        let own = format!(
            "--port 0 --tls-port {port} --bind 127.0.0.1 --tls-auth-clients no \
             --tls-cert-file {} --tls-key-file {} --tls-ca-cert-file {}",
            path("own.pem"),
            path("own.key"),
            path("ca.pem"),
        );
        let own: Vec<String> = own.split_whitespace().map(str::to_owned).collect();
        Self::started(port, own.iter().map(String::as_str), folder).await
    }

    async fn started<'a>(port: u16, args: impl Iterator<Item = &'a str>, folder: Folder) -> Self {
        let mut redis = Self {
            port,
            args: args.map(str::to_owned).collect(),
            child: None,
            folder,
        };
        redis.start_again().await;
        redis
    }

    /// Starts it after it was killed; it has forgotten everything.
    pub(crate) async fn start_again(&mut self) {
        let mut child = Command::new("redis-server")
            .args(&self.args)
            .args(["--save", "", "--appendonly", "no", "--dir"])
            .arg(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("this test needs redis-server: apt-get install redis-server ({error})")
            });
        until("Redis listens", PATIENCE, || {
            assert_eq!(child.try_wait().unwrap(), None, "{:?}", self.args);
            async { TcpStream::connect(("127.0.0.1", self.port)).await.ok() }
        })
        .await;
        self.child = Some(child);
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// The certificate of the authority that signed its own.
    pub(crate) fn roots(&self) -> String {
        self.folder.path().join("ca.pem").display().to_string()
    }

    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// It holds its connections and answers nothing any more.
    pub(crate) fn freeze(&self) {
        self.signal("STOP");
    }

    pub(crate) fn thaw(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        let id = self.child.as_ref().expect("it runs").id();
        let kill = format!("kill -{name} {id}");
        let sent = Command::new("sh").args(["-c", &kill]).status().unwrap();
        assert!(sent.success());
    }

    async fn connection(&self) -> MultiplexedConnection {
        let client = redis::Client::open(self.url()).unwrap();
        client.get_multiplexed_async_connection().await.unwrap()
    }

    /// Everything that it holds.
    pub(crate) async fn held(&self) -> Vec<Held> {
        let mut connection = self.connection().await;
        let keys: Vec<Vec<u8>> = redis::cmd("KEYS")
            .arg("*")
            .query_async(&mut connection)
            .await
            .unwrap();
        let mut held = Vec::new();
        for key in keys {
            let mut both = redis::pipe();
            both.cmd("GET").arg(&key).cmd("PTTL").arg(&key);
            let both: (Option<Vec<u8>>, i64) = both.query_async(&mut connection).await.unwrap();
            // It may have ended meanwhile.
            if let (Some(value), ends_in_ms) = both {
                held.push(Held {
                    key,
                    value,
                    ends_in_ms,
                });
            }
        }
        held
    }

    /// Forgets its scripts, as after a restart.
    pub(crate) async fn flush_scripts(&self) {
        let mut connection = self.connection().await;
        let mut flush = redis::cmd("SCRIPT");
        flush.arg("FLUSH");
        let () = flush.query_async(&mut connection).await.unwrap();
    }
}
