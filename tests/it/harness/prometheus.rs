//! A Prometheus that scrapes gateways and judges the alerts. Needs the program: `apt-get install prometheus`.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use url::form_urlencoded;

use super::cli::Folder;
use super::wait::until;

const PATIENCE: Duration = Duration::from_secs(30);

/// The alerts as they are shipped.
pub(crate) const ALERTS: &str = "deploy/prometheus/alerts.yml";

/// A running server.
pub(crate) struct Prometheus {
    url: String,
    http: reqwest::Client,
    child: Child,
    _folder: Folder,
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

impl Prometheus {
    /// Scrapes these addresses every second, by this configuration.
    pub(crate) async fn start(config: &str, alerts: &str) -> Self {
        let folder = Folder::new();
        let config = folder.write("prometheus.yml", config);
        folder.write("alerts.yml", alerts);
        let port = free_port();
        let child = Command::new("prometheus")
            .arg(format!("--config.file={config}"))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .arg(format!(
                "--storage.tsdb.path={}",
                folder.path().join("data").display()
            ))
            .arg("--log.level=error")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("this test needs prometheus: apt-get install prometheus ({error})")
            });
        let prometheus = Self {
            url: format!("http://127.0.0.1:{port}"),
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            child,
            _folder: folder,
        };
        until("Prometheus is ready", PATIENCE, || async {
            let url = format!("{}/-/ready", prometheus.url);
            let answer = prometheus.http.get(url).send().await.ok()?;
            answer.status().is_success().then_some(())
        })
        .await;
        prometheus
    }

    /// The `data` of an answer of its API.
    pub(crate) async fn ask(&self, path: &str) -> Value {
        let url = format!("{}/api/v1/{path}", self.url);
        let answer = self.http.get(url).send().await.unwrap();
        let mut answer: Value = answer.json().await.unwrap();
        assert_eq!(answer["status"], "success", "{answer}");
        answer["data"].take()
    }

    /// The result of an expression now: series with their values.
    pub(crate) async fn query(&self, expression: &str) -> Vec<Value> {
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("query", expression)
            .finish();
        let found = self.ask(&format!("query?{query}")).await;
        found["result"].as_array().unwrap().clone()
    }

    /// The names of alerts that fire.
    pub(crate) async fn firing(&self) -> BTreeSet<String> {
        let alerts = self.ask("alerts").await;
        let alerts = alerts["alerts"].as_array().unwrap().iter();
        alerts
            .filter(|alert| alert["state"] == "firing")
            .map(|alert| alert["labels"]["alertname"].as_str().unwrap().to_owned())
            .collect()
    }
}

/// The shipped configuration, which scrapes these addresses every second.
pub(crate) fn quick_config(targets: &[String]) -> String {
    let config = std::fs::read_to_string("deploy/prometheus/prometheus.yml").unwrap();
    let known = "[\"127.0.0.1:9090\"]";
    assert!(config.contains(known) && config.contains("interval: 15s"));
    config
        .replace(known, &format!("{targets:?}"))
        .replace("interval: 15s", "interval: 1s")
}

/// The shipped alerts in a world where a minute is a second.
pub(crate) fn quick_alerts() -> String {
    let alerts = std::fs::read_to_string(ALERTS).unwrap();
    let mut quick = String::new();
    for line in alerts.lines() {
        let is_wait = line.trim_start().starts_with("for: ");
        let line = line.replace("m]", "s]").replace("* 60", "* 1");
        let line = match line.strip_suffix('m') {
            Some(minutes) if is_wait => format!("{minutes}s"),
            _ => line,
        };
        writeln!(quick, "{line}").unwrap();
    }
    quick
}

/// What `promtool` says of a file, where it is content.
pub(crate) fn promtool(arguments: &[&str]) -> String {
    let Output {
        status,
        stdout,
        stderr,
    } = Command::new("promtool")
        .args(arguments)
        .output()
        .unwrap_or_else(|error| {
            panic!("this test needs promtool: apt-get install prometheus ({error})")
        });
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&stdout),
        String::from_utf8_lossy(&stderr)
    );
    assert!(status.success(), "{said}");
    said
}

/// A port that nobody has at this moment.
pub(crate) fn free_port() -> u16 {
    let probe = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    probe.local_addr().unwrap().port()
}
