//! `PgBouncer` in front of a test's database. Needs the program: `apt-get install pgbouncer`.

use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use tokio::net::TcpStream;
use url::Url;

use super::cli::Folder;
use super::postgres::TestDatabase;
use super::wait::until;
use super::wire::Wire;

/// A running pooler.
pub(crate) struct Bouncer {
    port: u16,
    child: Child,
    _folder: Folder,
    _wire: Wire,
}

impl Drop for Bouncer {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

impl Bouncer {
    /// Hands out two connections for each login, by `session` or by `transaction`.
    pub(crate) async fn start(database: &TestDatabase, mode: &str, size: u32) -> Self {
        let wire = Wire::to(&database.owner_url).await;
        let server = Url::parse(wire.url().expose_secret()).unwrap();
        let probe = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = probe.local_addr().unwrap().port();
        drop(probe);
        let folder = Folder::new();
        let mut users = String::new();
        for url in [&database.owner_url, &database.login_url] {
            let url = Url::parse(url.expose_secret()).unwrap();
            let password = url.password().unwrap_or("none");
            users += &[
                "\"",
                url.username(),
                "\" \"",
                password,
                "\"
",
            ]
            .concat();
        }
        let users = folder.write("users.txt", users);
        let server_port = server.port().unwrap();
        let config = folder.write(
            "pgbouncer.ini",
            format!(
                "[databases]\n* = host=127.0.0.1 port={server_port}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
                 unix_socket_dir =\nauth_type = trust\nauth_file = {users}\npool_mode = {mode}\ndefault_pool_size = {size}\n\
                 max_client_conn = 200\n"
            ),
        );
        // It refuses to run as root, and then reads its files as somebody else.
        let opened = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(folder.path(), opened).unwrap();
        let mut command = Command::new(program());
        if std::fs::metadata("/proc/self").is_ok_and(|me| {
            use std::os::unix::fs::MetadataExt;
            me.uid() == 0
        }) {
            command.args(["-u", "nobody"]);
        }
        let child = command
            .arg("-q")
            .arg(config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let bouncer = Self {
            port,
            child,
            _folder: folder,
            _wire: wire,
        };
        until("PgBouncer listens", Duration::from_secs(20), || async {
            TcpStream::connect(("127.0.0.1", port)).await.ok()
        })
        .await;
        bouncer
    }

    /// The same login and database through the pooler.
    pub(crate) fn url(&self, url: &SecretString) -> SecretString {
        let mut url = Url::parse(url.expose_secret()).unwrap();
        url.set_query(None);
        url.set_host(Some("127.0.0.1")).unwrap();
        url.set_port(Some(self.port)).unwrap();
        SecretString::from(url.to_string())
    }
}

/// It may stand where only root looks.
fn program() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin"), PathBuf::from("/usr/local/sbin")])
        .map(|folder| folder.join("pgbouncer"))
        .find(|file| file.is_file());
    found.unwrap_or_else(|| panic!("this test needs pgbouncer: apt-get install pgbouncer"))
}
