//! Who looks at a page: the session in their cookie, their language, and the API in their name.

use actix_web::cookie::Cookie;
use actix_web::dev::Payload;
use actix_web::http::header::LOCATION;
use actix_web::http::{Method, StatusCode};
use actix_web::{FromRequest, HttpMessage, HttpRequest, HttpResponse, web};
use chrono::{DateTime, Utc};
use futures_util::future::{FutureExt, LocalBoxFuture, ready};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;

use super::api::{Api, Refused};
use super::asked;
use super::inside::Inside;
use super::texts::Texts;
use crate::clock::Clock;
use crate::crypto::digest::sha256;
use crate::domain::role::Role;
use crate::web::body::{self, AdminBodyLimits};
use crate::web::own_address::OwnAddress;

/// What a handler of a page gives.
pub type Answer = Result<HttpResponse, Refused>;

/// The cookie of a session.
const COOKIE: &str = "persona-gateway";

/// Whoever looks at a page, signed in or not.
#[derive(Debug, Clone)]
pub struct Visitor {
    pub api: Api,
    pub texts: Texts,
    /// The page's path.
    pub path: String,
    /// When the page was asked for.
    pub now: DateTime<Utc>,
    own: OwnAddress,
    query: String,
    token: Option<SecretString>,
}

/// Somebody who is signed in, and may still owe a second factor.
#[derive(Debug, Clone)]
pub struct Arriving {
    pub account: Account,
    visitor: Visitor,
}

/// Somebody who is signed in.
#[derive(Debug, Clone)]
pub struct Signed(Arriving);

/// The fields of a form, for the page that has somebody show who they are first.
#[derive(Debug, Clone)]
pub struct SentForm(pub Vec<(String, String)>);

/// A person, and where they work.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Account {
    pub email: String,
    pub name: String,
    pub operator: bool,
    pub single_sign_on: bool,
    /// What must be done before anything else: `code` or `enrolment`.
    #[serde(default)]
    pub missing: Option<String>,
    /// Whether they have a second factor.
    pub second_factor: bool,
    pub tenant: Option<String>,
    pub role: Option<Role>,
    pub tenants: Vec<Workplace>,
}

/// A tenant that a person may work in.
#[derive(Debug, Clone, Deserialize)]
pub struct Workplace {
    pub slug: String,
    pub name: String,
    pub role: Role,
    pub active: bool,
}

impl Account {
    /// Whether they have this role in the tenant, or a higher one.
    pub fn may(&self, role: Role) -> bool {
        self.role.is_some_and(|own| own >= role)
    }

    /// The display name of the tenant.
    pub fn tenant_name(&self) -> &str {
        let here = self.tenant.as_deref().unwrap_or_default();
        let place = self.tenants.iter().find(|place| place.slug == here);
        place.map_or(here, |place| &place.name)
    }
}

impl Visitor {
    /// Whoever sent a request, by its head.
    pub fn from_head(request: &HttpRequest) -> Result<Self, Refused> {
        let inside = request.app_data::<Inside>().ok_or_else(|| {
            tracing::error!("the console was given no API");
            Refused::own(StatusCode::INTERNAL_SERVER_ERROR, "internal", "")
        })?;
        let own = OwnAddress::from_request(request).ok_or_else(|| {
            Refused::own(
                StatusCode::MISDIRECTED_REQUEST,
                "no_console_here",
                "The console has no address here. Whoever runs the installation sets server.public_url to the address that browsers use, with https.",
            )
        })?;
        let token = own.cookie_of(request, COOKIE).map(SecretString::from);
        let api = Api::new(inside.clone(), request.clone());
        let api = match &token {
            Some(token) => api.with_token(token.clone()),
            None => api,
        };
        Ok(Self {
            api,
            texts: Texts::of(request),
            path: request.path().to_owned(),
            now: request
                .app_data::<web::Data<Clock>>()
                .map(|clock| clock.now())
                .unwrap_or_default(),
            own,
            query: request.query_string().to_owned(),
            token,
        })
    }

    /// The cookie of a session that has begun.
    pub fn cookie(&self, token: &str) -> Cookie<'static> {
        self.own.cookie(COOKIE, token.to_owned(), None)
    }

    /// The end of the cookie.
    pub fn no_cookie(&self) -> Cookie<'static> {
        let age = actix_web::cookie::time::Duration::ZERO;
        self.own.cookie(COOKIE, String::new(), Some(age))
    }

    /// The origin at which browsers find the console.
    pub fn origin(&self) -> String {
        self.own.origin().to_owned()
    }

    /// The gateway's address, and other cookies of the console.
    pub fn own(&self) -> &OwnAddress {
        &self.own
    }

    /// The value of another cookie of the console.
    pub fn other_cookie(&self, name: &str) -> Option<String> {
        self.own.cookie_of(self.api.request(), name)
    }

    /// A parameter of the page's query.
    pub fn parameter(&self, name: &str) -> Option<String> {
        url::form_urlencoded::parse(self.query.as_bytes())
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    }

    /// The page's query, as it was sent.
    pub fn query(&self) -> &str {
        &self.query
    }

    /// What forms of this session carry, and no other page knows.
    pub fn form_token(&self) -> String {
        let token = self
            .token
            .as_ref()
            .map_or("", |token| token.expose_secret());
        hex::encode(sha256(format!("form of {token}").as_bytes()))
    }
}

impl FromRequest for Visitor {
    type Error = Refused;
    type Future = std::future::Ready<Result<Self, Refused>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        std::future::ready(Self::from_head(request))
    }
}

impl std::ops::Deref for Arriving {
    type Target = Visitor;

    fn deref(&self) -> &Visitor {
        &self.visitor
    }
}

impl std::ops::Deref for Signed {
    type Target = Arriving;

    fn deref(&self) -> &Arriving {
        &self.0
    }
}

impl Arriving {
    /// Whether a code of their second factor is still to be shown.
    pub fn owes_code(&self) -> bool {
        self.account.missing.as_deref() == Some("code")
    }
}

impl FromRequest for Signed {
    type Error = Refused;
    type Future = LocalBoxFuture<'static, Result<Self, Refused>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let arriving = Arriving::extract(request);
        async move {
            let arriving = arriving.await?;
            match arriving.account.missing {
                None => Ok(Self(arriving)),
                Some(_) if arriving.owes_code() => Err(Refused::own(
                    StatusCode::UNAUTHORIZED,
                    "second_factor_required",
                    "",
                )),
                Some(_) => Err(Refused::own(
                    StatusCode::FORBIDDEN,
                    "second_factor_enrolment_required",
                    "",
                )),
            }
        }
        .boxed_local()
    }
}

impl FromRequest for Arriving {
    type Error = Refused;
    type Future = LocalBoxFuture<'static, Result<Self, Refused>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let visitor = match Visitor::from_head(request) {
            Ok(visitor) => visitor,
            Err(refused) => return ready(Err(refused)).boxed_local(),
        };
        async move {
            if visitor.token.is_none() {
                return Err(Refused::own(
                    StatusCode::UNAUTHORIZED,
                    "unauthenticated",
                    "",
                ));
            }
            let account: Account = visitor.api.get("/v1/admin/account").await?;
            let head = visitor.api.request();
            head.extensions_mut().insert(account.clone());
            Ok(Self { account, visitor })
        }
        .boxed_local()
    }
}

/// A form that somebody sent from a page of their session.
#[derive(Debug)]
pub struct Form(Vec<(String, String)>);

impl Form {
    /// Takes out what shows again who somebody is, and gives it to the API: the rest is the form that they sent first.
    async fn show_who(&mut self, visitor: &Visitor) -> Result<(), Refused> {
        let proofs = [(asked::PASSWORD, "password"), (asked::CODE, "code")];
        let proof = proofs.into_iter().find_map(|(field, member)| {
            let value = self.filled(field)?.to_owned();
            Some(json!({ member: value }))
        });
        let request = visitor.api.request();
        if self.filled(asked::SSO).is_some() {
            request.extensions_mut().insert(asked::SaysSo);
        }
        let is_proof =
            |name: &str| name == asked::SSO || proofs.iter().any(|(field, _)| name == *field);
        self.0.retain(|(name, _)| !is_proof(name));
        request.extensions_mut().insert(SentForm(self.0.clone()));
        let Some(proof) = proof else { return Ok(()) };
        let call = visitor.api.call(Method::POST, "/v1/admin/account:confirm");
        let shown = call.body(&proof).answered().await;
        if let Err(refused) = &shown
            && !refused.is_signed_out()
        {
            asked::ask(request, Some(refused.all_words()));
        }
        shown.map(drop)
    }

    /// A field's value; empty where there is none.
    pub fn get(&self, name: &str) -> &str {
        let field = self.0.iter().find(|(key, _)| key == name);
        field.map_or("", |(_, value)| value)
    }

    /// All values of a field.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let fields = self.0.iter().filter(move |(key, _)| key == name);
        fields.map(|(_, value)| value.as_str())
    }

    /// Whether the field is there: a box that is ticked, a button that was pressed.
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(key, _)| key == name)
    }

    /// A field's value, unless it is empty.
    pub fn filled(&self, name: &str) -> Option<&str> {
        Some(self.get(name).trim()).filter(|value| !value.is_empty())
    }

    /// Every field, in order.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
    }
}

impl FromRequest for Form {
    type Error = Refused;
    type Future = LocalBoxFuture<'static, Result<Self, Refused>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let request = request.clone();
        let payload = web::Payload::from_request(&request, payload);
        async move {
            let unreadable = |detail: String| Refused::own(StatusCode::BAD_REQUEST, "bad_form", detail);
            let visitor = Visitor::from_head(&request)?;
            let limits = request.app_data::<web::Data<AdminBodyLimits>>();
            let limits = limits.ok_or_else(|| unreadable(String::new()))?.0;
            let payload = payload.await.map_err(|error| unreadable(error.to_string()))?;
            let form = ["application/x-www-form-urlencoded"];
            let bytes = body::read(&request, payload, limits, &form).await;
            let bytes = bytes.map_err(|fault| unreadable(fault.to_string()))?;
            let fields = url::form_urlencoded::parse(&bytes);
            // Browsers send line ends as CR LF.
            let fields = fields.map(|(key, value)| (key.into_owned(), value.replace("\r\n", "\n")));
            let mut form = Self(fields.collect());
            if visitor.token.is_some() && form.get("form") != visitor.form_token() {
                return Err(Refused::own(
                    StatusCode::FORBIDDEN,
                    "foreign_form",
                    "This form belongs to another session: it was open while you signed in anew, or another page sent it. Go back, load the page again, and repeat what you did.",
                ));
            }
            if visitor.token.is_some() {
                form.show_who(&visitor).await?;
            }
            Ok(form)
        }
        .boxed_local()
    }
}

/// Sends the browser on to a page, after something was done.
pub fn see(path: &str) -> HttpResponse {
    HttpResponse::SeeOther()
        .insert_header((LOCATION, path))
        .finish()
}

/// A path of the console that a query may name as the next page.
pub fn own_path(path: Option<String>) -> String {
    path.filter(|path| {
        (path == "/console" || path.starts_with("/console/") || path.starts_with("/console?"))
            && path.len() <= 2_000
            && path.chars().all(|c| c.is_ascii_graphic() && c != '\\')
            && !path.contains("//")
            && stays(path)
    })
    .unwrap_or_else(|| "/console".to_owned())
}

/// Whether a browser that goes there stays in the console: dots, also encoded ones, lead up.
fn stays(path: &str) -> bool {
    let reached = url::Url::parse("http://here").and_then(|base| base.join(path));
    reached.is_ok_and(|reached| {
        reached.path() == "/console" || reached.path().starts_with("/console/")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pages_of_the_console_come_next() {
        for path in ["/console", "/console/personas/a?tab=b", "/console?said=x"] {
            assert_eq!(own_path(Some(path.into())), path);
        }
        for path in [
            "",
            "https://evil.example",
            "//evil.example",
            "/\\evil.example",
            "/consolex",
            "/console//evil.example",
            "/console/\\evil",
            "/console/\r\nx",
            "/console/../x",
            "/console/%2e%2e/x",
            "/v1/admin",
            "javascript:alert(1)",
        ] {
            assert_eq!(own_path(Some(path.into())), "/console", "{path}");
        }
    }
}
