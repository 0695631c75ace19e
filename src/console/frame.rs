//! What stands around every page: navigation, the tenant, the person, and a notice of what was just done.

use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, ContentType, HeaderValue, RETRY_AFTER};
use actix_web::{HttpRequest, HttpResponse, ResponseError};
use askama::Template;
use fluent_bundle::FluentValue;

use super::api::Refused;
use super::assets;
use super::place_names::place_name;
use super::texts::Texts;
use super::visit::{Account, Signed, Visitor};
use super::{NavGroup, PAGES};
use crate::domain::role::Role;
use crate::web::trace::request_id;

/// Around a page.
#[derive(Debug)]
pub struct Frame {
    pub title: String,
    texts: Texts,
    account: Option<Account>,
    form_token: String,
    path: String,
    notice: Option<String>,
}

/// A line of the navigation.
#[derive(Debug)]
pub struct Link {
    pub path: &'static str,
    pub text: String,
    pub here: bool,
}

/// A group of lines.
#[derive(Debug)]
pub struct Group {
    pub text: String,
    pub links: Vec<Link>,
}

impl Frame {
    /// Around a page of somebody who is signed in.
    pub fn new(signed: &Signed, title: impl Into<String>) -> Self {
        Self::of(signed, &signed.account, title)
    }

    /// Around a page of whoever has this account.
    pub fn of(visitor: &Visitor, account: &Account, title: impl Into<String>) -> Self {
        Self {
            account: Some(account.clone()),
            ..Self::bare(visitor, title)
        }
    }

    /// Around a page of somebody who is not signed in.
    pub fn bare(visitor: &Visitor, title: impl Into<String>) -> Self {
        let texts = visitor.texts;
        // Only texts for it can be shown: nobody puts words into our mouth by a link.
        let said = visitor.parameter("said").filter(|name| {
            let fits = |byte: u8| byte.is_ascii_lowercase() || byte == b'-';
            name.len() <= 40 && name.bytes().all(fits)
        });
        let notice = said.map(|name| format!("said-{name}"));
        Self {
            title: title.into(),
            texts,
            account: None,
            form_token: visitor.form_token(),
            path: visitor.path.clone(),
            notice: notice
                .map(|name| (texts.say(&name), name))
                .filter(|(text, name)| text != name)
                .map(|(text, _)| text),
        }
    }

    /// A text.
    pub fn t(&self, name: &str) -> String {
        self.texts.say(name)
    }

    /// A text with a value in it.
    pub fn t1<'a>(&self, name: &str, key: &'a str, value: impl Into<FluentValue<'a>>) -> String {
        self.texts.with(name, key, value)
    }

    /// A text with two values in it.
    pub fn t2(&self, name: &str, one: (&str, &str), other: (&str, &str)) -> String {
        self.texts.with_all(name, &[one, other])
    }

    /// The same for templates, which can't pass pairs.
    pub fn t4(&self, name: &str, key: &str, value: &str, other: &str, second: &str) -> String {
        self.t2(name, (key, value), (other, second))
    }

    /// A text whose name is in two parts, such as a kind and what is said of it.
    pub fn ta(&self, first: &str, second: &str) -> String {
        self.texts.say(&format!("{first}{second}"))
    }

    /// A text, or these words where there is none: for names that tenants give.
    pub fn t_or(&self, name: &str, other: &str) -> String {
        let text = self.texts.say(name);
        if text == name { other.to_owned() } else { text }
    }

    /// The name of a place of a document, where people have one for it.
    pub fn place(&self, pointer: &str) -> Option<String> {
        place_name(self.texts, pointer)
    }

    /// All texts, in the language of the page.
    pub fn texts(&self) -> Texts {
        self.texts
    }

    /// The language.
    pub fn tag(&self) -> &'static str {
        self.texts.tag()
    }

    /// What forms carry.
    pub fn form_token(&self) -> &str {
        &self.form_token
    }

    /// Whoever is signed in.
    pub fn account(&self) -> Option<&Account> {
        self.account.as_ref()
    }

    /// Under which name a browser keeps what somebody typed here and did not save: nobody else and no other tenant meets it there.
    pub fn kept(&self, kind: &str, key: &str) -> String {
        let account = self.account.as_ref();
        let who = account.map_or("", |account| account.email.as_str());
        let tenant = account.and_then(|account| account.tenant.as_deref());
        format!("{who}/{}/{kind}/{key}", tenant.unwrap_or_default())
    }

    /// What was just done.
    pub fn notice(&self) -> Option<&str> {
        self.notice.as_deref()
    }

    fn may(&self, role: Role) -> bool {
        self.account
            .as_ref()
            .is_some_and(|account| account.may(role))
    }

    /// Whether they may write drafts.
    pub fn edits(&self) -> bool {
        self.may(Role::Editor)
    }

    /// Whether they may change what is live.
    pub fn publishes(&self) -> bool {
        self.may(Role::Publisher)
    }

    /// Whether they may change who may do what.
    pub fn owns(&self) -> bool {
        self.may(Role::Owner)
    }

    /// The address of a style sheet or script.
    pub fn asset(&self, name: &str) -> String {
        assets::address(name)
    }

    /// The navigation, without what this person can't see.
    pub fn groups(&self) -> Vec<Group> {
        let Some(account) = &self.account else {
            return Vec::new();
        };
        let places = [
            NavGroup::Start,
            NavGroup::Write,
            NavGroup::Watch,
            NavGroup::Settings,
            NavGroup::Operator,
        ];
        let groups = places.into_iter().map(|place| {
            let pages = PAGES.iter().filter(|page| {
                page.place == place
                    && if place == NavGroup::Operator {
                        account.operator
                    } else {
                        account.may(page.role)
                    }
            });
            Group {
                text: self.t(place.text()),
                links: pages
                    .map(|page| Link {
                        path: page.path,
                        text: self.t(page.text),
                        here: self.path == page.path
                            || (page.path != "/console"
                                && self.path.starts_with(&format!("{}/", page.path))),
                    })
                    .collect(),
            }
        });
        groups.filter(|group| !group.links.is_empty()).collect()
    }
}

/// A page, rendered.
pub fn page(template: &impl Template) -> HttpResponse {
    page_with(StatusCode::OK, template)
}

/// A page that tells of a refusal has its status.
pub fn page_after(refused: Option<&Refused>, template: &impl Template) -> HttpResponse {
    let status = refused.map_or(StatusCode::OK, ResponseError::status_code);
    page_with(status, template)
}

/// A page with this status.
pub fn page_with(status: StatusCode, template: &impl Template) -> HttpResponse {
    match template.render() {
        Ok(html) => HttpResponse::build(status)
            .insert_header(ContentType::html())
            .body(html),
        Err(error) => {
            tracing::error!(%error, "a page can't be rendered");
            HttpResponse::InternalServerError().finish()
        }
    }
}

#[derive(Debug, Template)]
#[template(path = "refusal.html")]
struct RefusalPage {
    frame: Frame,
    refused: Refused,
    request: String,
}

/// Why something was not done, as a page.
pub fn refusal_page(request: &HttpRequest, refused: &Refused) -> HttpResponse {
    let texts = Texts::of(request);
    let refused = &refused.clone().for_reader(texts);
    let status = refused.status.to_string();
    let heading = refused.heading.unwrap_or(&status);
    let title = texts.find(&format!("refusal-{heading}"));
    let template = RefusalPage {
        frame: Frame {
            title: title.unwrap_or_else(|| refused.title.clone()),
            texts,
            account: None,
            form_token: String::new(),
            path: request.path().to_owned(),
            notice: None,
        },
        request: request_id(request).map_or_else(String::new, |id| id.to_string()),
        refused: refused.clone(),
    };
    with_wait(page_with(refused.status_code(), &template), refused)
}

/// The seconds that somebody has to wait, as a header of their page.
fn with_wait(mut page: HttpResponse, refused: &Refused) -> HttpResponse {
    let wait = refused.retry_after.as_deref().map(HeaderValue::try_from);
    if let Some(Ok(wait)) = wait {
        page.headers_mut().insert(RETRY_AFTER, wait);
    }
    if let Some(Ok(allow)) = refused.allow.as_deref().map(HeaderValue::try_from) {
        page.headers_mut().insert(ALLOW, allow);
    }
    page
}
