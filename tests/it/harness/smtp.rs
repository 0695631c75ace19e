//! A real mail server: `aiosmtpd`, run by python3.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use super::TestOptions;
use super::certificates;
use super::cli::Folder;
use super::npm;

const FILES: [&str; 2] = ["requirements.txt", "server.py"];
/// The password of `gateway` at a server with TLS. It has to be encoded in a URL.
pub(crate) const SMTP_PASSWORD: &str = "open/sesame:please";
/// Longest wait for a mail: one that is tried again comes after two seconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running server, ended when dropped.
pub(crate) struct MailServer {
    port: u16,
    mode: &'static str,
    folder: Folder,
    lines: Lines<BufReader<ChildStdout>>,
    _child: Child,
}

/// A mail as the server took it.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) to: String,
    pub(crate) encrypted: bool,
    pub(crate) login: Option<String>,
    /// Header lines, unfolded.
    pub(crate) headers: Vec<String>,
    pub(crate) text: String,
}

impl Received {
    /// What follows `/console/PAGE#` in the text.
    pub(crate) fn token(&self, page: &str) -> String {
        let (_, after) = self
            .text
            .split_once(&format!("/console/{page}#"))
            .unwrap_or_else(|| panic!("no link to {page} in {}", self.text));
        after.split_whitespace().next().unwrap().to_owned()
    }
}

fn installed() -> &'static Path {
    static PLACE: OnceLock<PathBuf> = OnceLock::new();
    PLACE.get_or_init(|| npm::installed_by_pip("smtp", &FILES))
}

impl MailServer {
    /// A server on this machine without TLS.
    pub(crate) async fn start() -> Self {
        Self::start_with("none").await
    }

    /// A server with `starttls` or `tls`, whose certificate an authority of its own has signed.
    pub(crate) async fn start_with(mode: &'static str) -> Self {
        let folder = Folder::new();
        certificates::write(&folder);

        let place = tokio::task::spawn_blocking(installed).await.unwrap();
        let mut child = Command::new("python3")
            .arg("server.py")
            .arg(mode)
            .arg(folder.path().join("own.pem"))
            .arg(folder.path().join("own.key"))
            .arg(SMTP_PASSWORD)
            .current_dir(place)
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| {
                panic!("the tests of mail need python3 ({error}): apt-get install python3-pip")
            });
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = lines.next_line().await.unwrap();
        let first: Value = serde_json::from_str(&first.expect("the server says its port")).unwrap();
        Self {
            port: first["port"].as_u64().unwrap().try_into().unwrap(),
            mode,
            folder,
            lines,
            _child: child,
        }
    }

    /// The server's URL.
    pub(crate) fn url(&self) -> String {
        let port = self.port;
        let password: String =
            url::form_urlencoded::byte_serialize(SMTP_PASSWORD.as_bytes()).collect();
        match self.mode {
            "none" => format!("smtp://localhost:{port}?tls=none"),
            "starttls" => format!("smtp://gateway:{password}@localhost:{port}"),
            _ => format!("smtps://gateway:{password}@localhost:{port}"),
        }
    }

    /// The authority's certificate.
    pub(crate) fn roots(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// A gateway that sends its mail here, and is reached at `http://localhost:8080` by its own word.
    pub(crate) fn options(&self) -> TestOptions {
        let mut options = TestOptions::set(&[
            ("MAIL__URL", &self.url()),
            ("MAIL__FROM", "Persona gateway <gateway@example.com>"),
            ("SERVER__PUBLIC_URL", "http://localhost:8080"),
        ]);
        if self.mode != "none" {
            let roots = self.roots().to_str().unwrap().to_owned();
            options
                .env
                .push(("GATEWAY__MAIL__ROOT_CERTIFICATES".to_owned(), roots));
        }
        options
    }

    /// The next mail.
    pub(crate) async fn next(&mut self) -> Received {
        let line = tokio::time::timeout(PATIENCE, self.lines.next_line()).await;
        let line = line.expect("a mail comes in time").unwrap().unwrap();
        received(&serde_json::from_str(&line).unwrap())
    }
}

fn received(told: &Value) -> Received {
    let to = told["to"].as_array().unwrap();
    assert_eq!(to.len(), 1, "{told}");
    let message = told["message"].as_str().unwrap().replace("\r\n", "\n");
    let (head, body) = message.split_once("\n\n").unwrap();
    let head = head.replace("\n ", " ").replace("\n\t", " ");
    let headers: Vec<String> = head.lines().map(str::to_owned).collect();
    let encoding = headers
        .iter()
        .find_map(|line| line.strip_prefix("Content-Transfer-Encoding: "))
        .unwrap_or("7bit");
    let text = match encoding {
        "7bit" => body.to_owned(),
        "quoted-printable" => unquoted(body),
        other => panic!("the test can't read {other}"),
    };
    Received {
        to: to[0].as_str().unwrap().to_owned(),
        encrypted: told["encrypted"].as_bool().unwrap(),
        login: told["login"].as_str().map(str::to_owned),
        headers,
        text,
    }
}

/// Quoted-printable text (RFC 2045, section 6.7).
fn unquoted(body: &str) -> String {
    let body = body.replace("=\n", "");
    let mut bytes = Vec::new();
    let mut rest = body.as_str();
    while let Some((before, after)) = rest.split_once('=') {
        bytes.extend_from_slice(before.as_bytes());
        let (code, after) = after.split_at(2);
        bytes.push(u8::from_str_radix(code, 16).unwrap());
        rest = after;
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8(bytes).unwrap()
}
