//! A browser without scripts: it reads forms, fills them in and sends them.

use reqwest::header::{ACCEPT_LANGUAGE, CONTENT_TYPE, COOKIE, HeaderMap, LOCATION, SET_COOKIE};
use reqwest::{Response, StatusCode};
use url::form_urlencoded;

use crate::harness::TestApp;
use crate::harness::people::PASSWORD;

/// Somebody who is signed in at the console.
pub(super) struct Visitor<'a> {
    app: &'a TestApp,
    http: reqwest::Client,
    pub(super) cookie: String,
    /// What the browser asks for.
    pub(super) language: &'static str,
}

/// A page, or why there is none.
pub(super) struct Seen {
    pub(super) status: StatusCode,
    pub(super) html: String,
    pub(super) path: String,
    /// Where the browser is sent on to.
    pub(super) to: Option<String>,
}

/// The fields of a form, in order, as the page has them.
#[derive(Debug, Clone)]
pub(super) struct Fields(pub(super) Vec<(String, String)>);

impl<'a> Visitor<'a> {
    /// Somebody who is not signed in.
    pub(super) fn nobody(app: &'a TestApp) -> Self {
        Self {
            app,
            http: reqwest::Client::builder()
                .no_proxy()
                .redirect(reqwest::redirect::Policy::none())
                .build()
                .unwrap(),
            cookie: String::new(),
            language: "en",
        }
    }

    pub(super) async fn sign_in(app: &'a TestApp, email: &str) -> Self {
        let mut visitor = Self::nobody(app);
        let page = visitor.open("/console/sign-in").await;
        let mut fields = page.form("/console/sign-in");
        fields.set("email", email);
        fields.set("password", PASSWORD);
        let answer = visitor.post("/console/sign-in", &fields.0).await;
        assert_eq!(answer.status(), 303);
        let cookie = answer.headers()[SET_COOKIE].to_str().unwrap();
        cookie
            .split(';')
            .next()
            .unwrap()
            .clone_into(&mut visitor.cookie);
        visitor
    }

    pub(super) async fn open(&self, path: &str) -> Seen {
        let request = self.http.get(self.app.url(path));
        let request = request
            .header(COOKIE, &self.cookie)
            .header(ACCEPT_LANGUAGE, self.language);
        let answer = request.send().await.unwrap();
        Seen::of(path, answer).await
    }

    /// The headers of a page.
    pub(super) async fn headers(&self, path: &str) -> HeaderMap {
        let request = self.http.get(self.app.url(path));
        let answer = request.header(COOKIE, &self.cookie).send().await.unwrap();
        answer.headers().clone()
    }

    /// Asks with any method.
    pub(super) async fn ask(&self, method: reqwest::Method, path: &str) -> Response {
        let request = self.http.request(method, self.app.url(path));
        request.header(COOKIE, &self.cookie).send().await.unwrap()
    }

    async fn post(&self, path: &str, fields: &[(String, String)]) -> Response {
        self.post_with(path, fields, &[]).await
    }

    /// Sends fields, with these headers besides the usual ones.
    pub(super) async fn post_with(
        &self,
        path: &str,
        fields: &[(String, String)],
        headers: &[(&str, &str)],
    ) -> Response {
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        let mut request = self.http.post(self.app.url(path));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request
            .header(COOKIE, &self.cookie)
            .header(ACCEPT_LANGUAGE, self.language)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(body);
        request.send().await.unwrap()
    }

    /// Presses a button of the form, and goes where that leads.
    pub(super) async fn press(&self, page: &Seen, fields: &Fields, value: &str) -> Seen {
        let path = page.path.split('?').next().unwrap();
        self.send(path, fields, value).await
    }

    /// Presses a button of a form that is sent to another page.
    pub(super) async fn send(&self, path: &str, fields: &Fields, value: &str) -> Seen {
        let mut sent = fields.0.clone();
        sent.push(("do".to_owned(), value.to_owned()));
        let answer = self.post(path, &sent).await;
        if answer.status() != 303 {
            return Seen::of(path, answer).await;
        }
        let to = answer.headers()[LOCATION].to_str().unwrap().to_owned();
        self.open(&to).await
    }
}

impl Seen {
    pub(super) async fn of(path: &str, answer: Response) -> Self {
        let to = answer.headers().get(LOCATION);
        Self {
            status: answer.status(),
            path: path.to_owned(),
            to: to.map(|to| to.to_str().unwrap().to_owned()),
            html: answer.text().await.unwrap(),
        }
    }

    /// The fields of the form that is sent to a path.
    pub(super) fn form(&self, action: &str) -> Fields {
        let (_, after) = self
            .html
            .split_once(&format!("action=\"{action}\""))
            .expect("a form");
        let (form, _) = after.split_once("</form>").unwrap();
        let mut fields = Vec::new();
        let mut rest = form;
        let mut select: Option<(String, Option<String>)> = None;
        while let Some((_, after)) = rest.split_once('<') {
            let (tag, after) = after.split_once('>').unwrap();
            rest = after;
            let name = attribute(tag, "name").unwrap_or_default();
            match tag.split_whitespace().next().unwrap() {
                "input" => {
                    let kind = attribute(tag, "type").unwrap_or_default();
                    let is_sent =
                        !matches!(kind.as_str(), "checkbox" | "radio") || has(tag, "checked");
                    if is_sent && !name.is_empty() {
                        fields.push((name, attribute(tag, "value").unwrap_or_default()));
                    }
                }
                "select" => select = Some((name, None)),
                "option" => {
                    if let Some((_, chosen)) = &mut select
                        && (chosen.is_none() || has(tag, "selected"))
                    {
                        *chosen = Some(attribute(tag, "value").unwrap_or_default());
                    }
                }
                "/select" => {
                    if let Some((name, chosen)) = select.take() {
                        fields.push((name, chosen.unwrap_or_default()));
                    }
                }
                "textarea" => {
                    let (text, after) = rest.split_once("</textarea>").unwrap();
                    rest = after;
                    let text = unescaped(text);
                    let text = text.strip_prefix('\n').unwrap_or(&text);
                    // Browsers send line ends as CR LF.
                    fields.push((name, text.replace('\n', "\r\n")));
                }
                _ => {}
            }
        }
        Fields(fields)
    }

    /// The text of a page without its tags, with single spaces.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for part in self.html.split('<').skip(1) {
            let (_, words) = part.split_once('>').unwrap();
            text.push_str(words);
            text.push(' ');
        }
        unescaped(&text)
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
    }
}

impl Fields {
    /// Fills a field in; it must be there.
    pub(super) fn set(&mut self, name: &str, value: &str) {
        let field = self.0.iter_mut().find(|(own, _)| own == name);
        let field = field.unwrap_or_else(|| panic!("there is no field {name}"));
        value.clone_into(&mut field.1);
    }

    /// Fills a field in, whether the page has one or a script would make it.
    pub(super) fn put(&mut self, name: &str, value: &str) {
        self.0.retain(|(own, _)| own != name);
        self.tick(name, value);
    }

    /// Ticks a box.
    pub(super) fn tick(&mut self, name: &str, value: &str) {
        self.0.push((name.to_owned(), value.to_owned()));
    }

    pub(super) fn get(&self, name: &str) -> &str {
        let field = self.0.iter().find(|(own, _)| own == name);
        field.map_or("", |(_, value)| value)
    }
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
    Some(unescaped(rest.split_once('"')?.0))
}

fn has(tag: &str, name: &str) -> bool {
    tag.split_whitespace().any(|word| word == name)
}

fn unescaped(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("&#") {
        let (code, after) = after.split_once(';').unwrap();
        plain.push_str(before);
        plain.push(char::from_u32(code.parse().unwrap()).unwrap());
        rest = after;
    }
    plain + rest
}
