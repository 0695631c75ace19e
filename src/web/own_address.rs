//! The gateway's own address, as browsers know it, and the cookies that they keep for it.

use actix_web::cookie::{Cookie, SameSite, time::Duration};
use actix_web::http::header::HOST;
use actix_web::{HttpRequest, web};

use super::cors::OwnOrigin;

/// The origin of the gateway's pages, and whether browsers reach it by https.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnAddress {
    origin: String,
    secure: bool,
}

impl OwnAddress {
    /// As `server.public_url` says; else what the request names, but only on this machine: a name that somebody sends is not to be
    /// trusted with where codes go. `None` where neither tells it.
    pub fn from_request(request: &HttpRequest) -> Option<Self> {
        let configured = request
            .app_data::<web::Data<OwnOrigin>>()
            .and_then(|own| own.0.clone());
        if let Some(origin) = configured {
            let secure = origin.starts_with("https://");
            return Some(Self { origin, secure });
        }
        let host = request.headers().get(HOST)?.to_str().ok()?;
        let name = host.rsplit_once(':').map_or(host, |(name, _port)| name);
        matches!(name, "localhost" | "127.0.0.1" | "[::1]").then(|| Self {
            origin: format!("http://{host}"),
            secure: false,
        })
    }

    /// Scheme, host and port, without a slash at the end.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Where the console waits for somebody who comes back from an identity provider.
    pub fn console_sso(&self) -> String {
        format!("{}/console/sign-in/sso", self.origin)
    }

    /// The value of a cookie of the request.
    pub fn cookie_of(&self, request: &HttpRequest, name: &str) -> Option<String> {
        let cookie = request.cookie(&self.cookie_name(name))?;
        Some(cookie.value().to_owned())
    }

    /// A cookie that no script reads and no other host gets. It ends after `age`, or with the browser.
    pub fn cookie(&self, name: &str, value: String, age: Option<Duration>) -> Cookie<'static> {
        let mut cookie = Cookie::build(self.cookie_name(name), value)
            .path("/")
            .http_only(true)
            .secure(self.secure)
            // Lax: it must come along when a page of an identity provider sends the browser back.
            .same_site(SameSite::Lax)
            .finish();
        cookie.set_max_age(age);
        cookie
    }

    /// A browser takes `__Host-` only with https, and then from this host alone.
    fn cookie_name(&self, name: &str) -> String {
        if self.secure {
            format!("__Host-{name}")
        } else {
            name.to_owned()
        }
    }
}
