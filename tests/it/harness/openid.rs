//! A real `OpenID` provider, whose access tokens are opaque: the certified `oidc-provider` of npm, run by node.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::OnceLock;

use reqwest::header::{ACCEPT, CONTENT_TYPE, COOKIE, LOCATION, REFRESH, SET_COOKIE};
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Response, Url};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use url::form_urlencoded;

use super::npm;

const FILES: [&str; 3] = ["package.json", "package-lock.json", "provider.mjs"];
/// What the provider calls the gateway.
pub(crate) const CLIENT_ID: &str = "persona-gateway";
/// What it knows the gateway by.
pub(crate) const CLIENT_SECRET: &str = "a client secret of some length";

/// A running provider, ended when dropped.
pub(crate) struct OpenIdProvider {
    pub(crate) issuer: String,
    http: Client,
    child: Child,
    /// Kept open: the provider ends when it can't write its notices.
    _notices: Lines<BufReader<ChildStdout>>,
}

/// Where the provider is installed; by npm from the lock file, on the first run only.
fn installed() -> &'static Path {
    static PLACE: OnceLock<PathBuf> = OnceLock::new();
    PLACE.get_or_init(|| npm::installed("openid", &FILES))
}

impl OpenIdProvider {
    /// A provider that knows the gateway, at this address, as its only client.
    pub(crate) async fn start(redirect_uri: &str) -> Self {
        Self::start_with(redirect_uri, false).await
    }

    /// The same; with `userinfo` it tells e-mail addresses at its userinfo endpoint only.
    pub(crate) async fn start_with(redirect_uri: &str, userinfo: bool) -> Self {
        let client = json!({
            "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "redirect_uris": [redirect_uri],
        });
        let place = tokio::task::spawn_blocking(installed).await.unwrap();
        let mut child = Command::new("node")
            .arg("provider.mjs")
            .current_dir(place)
            .env("CLIENT", client.to_string())
            .env("USERINFO", userinfo.to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| {
                panic!(
                    "the tests of single sign-on need node ({error}): apt-get install nodejs npm"
                )
            });
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = lines.next_line().await.unwrap();
        let line = line.expect("the provider says where it listens");
        Self {
            issuer: line.strip_prefix("issuer ").unwrap().to_owned(),
            http: Client::builder().no_proxy().build().unwrap(),
            child,
            _notices: lines,
        }
    }

    /// Who signs in there next: `sub`, `email`, `email_verified`, `name`.
    pub(crate) async fn person(&self, person: &Value) {
        let url = format!("{}/test/person", self.issuer);
        let answer = self.http.post(url).json(person).send().await.unwrap();
        assert_eq!(answer.status(), 204);
    }

    /// How often its description and its keys were asked for.
    pub(crate) async fn asked(&self) -> (u64, u64) {
        let url = format!("{}/test/asked", self.issuer);
        let answer = self.http.get(url).send().await.unwrap();
        let asked: Value = answer.json().await.unwrap();
        let count = |path: &str| asked[path].as_u64().unwrap_or(0);
        (count("/.well-known/openid-configuration"), count("/jwks"))
    }

    /// An opaque access token of a user.
    pub(crate) async fn access_token(&self, subject: &str) -> String {
        self.get_text(&format!("token/{subject}")).await
    }

    /// Makes an access token good for nothing.
    pub(crate) async fn revoke(&self, token: &str) {
        self.get_text(&format!("revoke/{token}")).await;
    }

    async fn get_text(&self, what: &str) -> String {
        let url = format!("{}/test/{what}", self.issuer);
        let answer = self.http.get(url).send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert_eq!(status, 200, "{text}");
        text
    }

    /// Ends it, and waits until it has.
    pub(crate) async fn stop(mut self) {
        self.child.kill().await.unwrap();
    }
}

/// A browser, as far as going where it is sent and keeping cookies goes.
#[derive(Clone)]
pub(crate) struct Browser {
    http: Client,
    /// What it shows to whom it asks.
    accept: &'static str,
    /// By host with port, then by name.
    cookies: BTreeMap<String, BTreeMap<String, String>>,
}

impl Browser {
    pub(crate) fn new() -> Self {
        Self {
            http: Client::builder()
                .no_proxy()
                .redirect(Policy::none())
                .build()
                .unwrap(),
            accept: "*/*",
            cookies: BTreeMap::new(),
        }
    }

    /// One that says what browsers of people say: it shows pages.
    pub(crate) fn of_a_person() -> Self {
        Self {
            accept: "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            ..Self::new()
        }
    }

    /// Takes what it knows of one address to another, as if both were the same.
    pub(crate) fn carry(&mut self, from: &Url, to: &Url) {
        let known = self.cookies.get(from.authority()).cloned();
        self.cookies
            .insert(to.authority().to_owned(), known.unwrap_or_default());
    }

    /// Asks for one page.
    pub(crate) async fn get(&mut self, url: &Url) -> Response {
        self.ask(self.http.get(url.clone()), url).await
    }

    /// Sends a form.
    pub(crate) async fn send(&mut self, url: &Url, fields: &[(&str, &str)]) -> Response {
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        let request = self.http.post(url.clone()).body(body);
        let kind = "application/x-www-form-urlencoded";
        self.ask(request.header(CONTENT_TYPE, kind), url).await
    }

    async fn ask(&mut self, request: RequestBuilder, url: &Url) -> Response {
        let jar = self.cookies.entry(url.authority().to_owned()).or_default();
        let sent: Vec<String> = jar
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let mut request = request.header(ACCEPT, self.accept);
        if !sent.is_empty() {
            request = request.header(COOKIE, sent.join("; "));
        }
        let answer = request.send().await.unwrap();
        for cookie in answer.headers().get_all(SET_COOKIE) {
            let pair = cookie.to_str().unwrap().split(';').next().unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            jar.insert(name.to_owned(), value.to_owned());
        }
        answer
    }

    /// Where a page that goes on by itself leads to.
    pub(crate) fn onward(from: &Url, answer: &Response) -> Url {
        let refresh = answer.headers()[REFRESH].to_str().unwrap();
        from.join(refresh.strip_prefix("0; url=").unwrap()).unwrap()
    }

    /// Goes where it is sent until it would ask for a page whose address holds `end`; gives that address.
    pub(crate) async fn follow(&mut self, from: &str, end: &str) -> Url {
        let mut url = Url::parse(from).unwrap();
        for _ in 0..12 {
            let answer = self.get(&url).await;
            let status = answer.status();
            let Some(next) = answer.headers().get(LOCATION).cloned() else {
                panic!("{url} answered {status}: {}", answer.text().await.unwrap());
            };
            url = url.join(next.to_str().unwrap()).unwrap();
            if url.path().contains(end) {
                return url;
            }
        }
        panic!("sent around in circles, at last to {url}");
    }
}
