//! The gateway behind `HAProxy` and nginx as their packages deliver them. Needs both programs: `apt-get install haproxy nginx-light`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use persona_gateway::domain::role::Role;
use reqwest::{Client, RequestBuilder, Response};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::cli::Folder;
use crate::harness::people::PASSWORD;
use crate::harness::wait::until;
use crate::harness::{TestApp, TestOptions, problem, spawn_with};

/// A running proxy in front of the gateway.
struct Proxy {
    name: &'static str,
    address: SocketAddr,
    child: Child,
    _folder: Folder,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// A program of the system, which may keep it where only root looks.
fn program(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin"), PathBuf::from("/usr/local/sbin")])
        .map(|folder| folder.join(name))
        .find(|file| file.is_file());
    found.unwrap_or_else(|| {
        panic!("this test needs haproxy and nginx: apt-get install haproxy nginx-light")
    })
}

fn free_port() -> u16 {
    let probe = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    probe.local_addr().unwrap().port()
}

async fn start(
    name: &'static str,
    config: impl Fn(u16, &Path) -> String,
    command: impl Fn(&Path, &Path) -> Command,
) -> Proxy {
    let folder = Folder::new();
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
    let file = folder.write("proxy.conf", config(address.port(), folder.path()));
    let child = command(Path::new(&file), folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    until("the proxy listens", Duration::from_secs(10), || async {
        TcpStream::connect(address).await.ok()
    })
    .await;
    Proxy {
        name,
        address,
        child,
        _folder: folder,
    }
}

/// `HAProxy` with its own way to tell who a client is: a line of `X-Forwarded-For` more.
async fn haproxy(app: &TestApp) -> Proxy {
    let gateway = app.app.address;
    let config = |port: u16, _: &Path| {
        format!(
            "defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
    timeout http-keep-alive 60s
    option forwardfor
listen gateway
    bind 127.0.0.1:{port}
    http-reuse always
    server gateway {gateway}
"
        )
    };
    let command = |file: &Path, _: &Path| {
        let mut command = Command::new(program("haproxy"));
        command.arg("-db").arg("-f").arg(file);
        command
    };
    start("haproxy", config, command).await
}

/// nginx with a header of its configuration.
async fn nginx(app: &TestApp, name: &'static str, header: &str) -> Proxy {
    let gateway = app.app.address;
    let config = |port: u16, folder: &Path| {
        let folder = folder.display();
        format!(
            "daemon off;
master_process off;
pid {folder}/pid;
error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    upstream gateway {{
        server {gateway};
        keepalive 8;
    }}
    server {{
        listen 127.0.0.1:{port};
        client_max_body_size 8m;
        location / {{
            proxy_pass http://gateway;
            proxy_http_version 1.1;
            proxy_set_header Connection \"\";
            proxy_set_header Host $http_host;
            proxy_set_header {header};
        }}
    }}
}}
"
        )
    };
    let command = |file: &Path, folder: &Path| {
        let mut command = Command::new(program("nginx"));
        command.arg("-p").arg(folder).arg("-c").arg(file);
        command.args(["-e", "stderr"]);
        command
    };
    start(name, config, command).await
}

/// Somebody with an address of their own.
fn neighbour(last: u8) -> Client {
    Client::builder()
        .no_proxy()
        .local_address(IpAddr::from([127, 0, 0, last]))
        .build()
        .unwrap()
}

fn sign_in(from: &Client, proxy: &Proxy, email: &str, password: &str) -> RequestBuilder {
    from.post(format!("http://{}/v1/admin/sign-in", proxy.address))
        .json(&json!({ "email": email, "password": password }))
}

async fn mint(from: &Client, app: &TestApp, proxy: &Proxy) -> Response {
    from.post(format!("http://{}/v1/session-token", proxy.address))
        .bearer_auth(app.user("user-1"))
        .header("origin", "http://localhost:3000")
        .header(
            "traceparent",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        )
        .json(&json!({ "context": "support" }))
        .send()
        .await
        .unwrap()
}

/// All that comes back.
async fn exchange(address: SocketAddr, sent: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(sent.as_bytes()).await.unwrap();
    let mut got = String::new();
    _ = stream.read_to_string(&mut got).await;
    got
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_real_proxies_ten_wrong_passwords_lock_out_nobody_else_whatever_is_claimed() {
    let app = spawn_with(TestOptions {
        env: vec![(
            "GATEWAY__SERVER__TRUSTED_PROXIES".into(),
            "127.0.0.1/32".into(),
        )],
        ..TestOptions::default()
    })
    .await;
    let proxies = [
        haproxy(&app).await,
        nginx(&app, "nginx", "X-Forwarded-For $proxy_add_x_forwarded_for").await,
        nginx(
            &app,
            "nginx-forwarded",
            "Forwarded \"$http_forwarded, for=\\\"$remote_addr:$remote_port\\\"\"",
        )
        .await,
    ];
    let (mallory, ann) = (neighbour(2), neighbour(3));
    for proxy in &proxies {
        let email = format!("ann@{}.example", proxy.name);
        app.member("demo", &email, Role::Editor).await;
        let mut limited = 0;
        for number in 0..96 {
            // On a slow machine some turns come back meanwhile.
            if number >= 24 && limited >= 3 {
                break;
            }
            // Either header in the victim's name, in others', and spoilt.
            let claim = match number % 4 {
                0 => ("x-forwarded-for", "127.0.0.3".to_owned()),
                1 => ("forwarded", "for=127.0.0.3".to_owned()),
                2 => ("x-forwarded-for", format!("203.0.113.{number}:80, ,")),
                _ => ("forwarded", "for=\"".to_owned()),
            };
            let tried = sign_in(&mallory, proxy, &email, "a wrong long password")
                .header(claim.0, claim.1)
                .send()
                .await
                .unwrap();
            limited += u32::from(tried.status() == 429);
        }
        // Two counters at most: the neighbour's own, and the proxy's where two headers disagree.
        assert!(limited >= 3, "{}: {limited}", proxy.name);
        let came = sign_in(&ann, proxy, &email, PASSWORD).send().await.unwrap();
        assert_eq!(came.status(), 200, "{}", proxy.name);
        let refused = sign_in(&mallory, proxy, &email, PASSWORD).send().await;
        problem(refused.unwrap(), 429, "rate_limited").await;
    }
    for proxy in &proxies {
        for _ in 0..3 {
            let minted = mint(&ann, &app, proxy).await;
            assert_eq!(minted.status(), 200, "{}", proxy.name);
            let allowed = &minted.headers()["access-control-allow-origin"];
            assert_eq!(allowed, "http://localhost:3000");
        }
        let large = ann
            .post(format!("http://{}/v1/session-token", proxy.address))
            .bearer_auth(app.user("user-1"))
            .header("content-type", "application/json")
            .body("x".repeat(70_000))
            .send()
            .await
            .unwrap();
        problem(large, 413, "body_too_large").await;
    }
    // HAProxy asks the gateway whether a body may be sent, and passes its no on.
    let head = "POST /v1/session-token HTTP/1.1\r\nhost: g\r\ncontent-type: application/json\r\n\
                content-length: 70000\r\nexpect: 100-continue\r\n\r\n";
    let answer = exchange(proxies[0].address, head).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(answer.contains("body_too_large"), "{answer}");
    drop(proxies);
    app.stop().await;
}
